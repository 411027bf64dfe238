"""Erasing people for good: their faces in every table, their names, and what the log says of them.

What is erased is so once the transaction ends; entries of the log keep their numbers. Old pages of the database, its
log and the views still hold it then; a fact says so until they are clean, and whoever opens the library next goes on.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from unmingle.decisions import journal
from unmingle.decisions.kinds import Command, Different, Erase, Undo, Unsure
from unmingle.decisions.log import Entry, append
from unmingle.decisions.references import PersonRef, clean_name, person_named
from unmingle.decisions.state import State
from unmingle.errors import DecisionError
from unmingle.files import in_64_bits
from unmingle.store.analyses import ERASED, PICTURE, ErasedRegions, remember_erased
from unmingle.store.face_rows import counterparts, faces_of_people
from unmingle.store.facts import ADAPTATION, adaptation_of, note_adaptation
from unmingle.store.file_rows import files_below
from unmingle.store.privacy import Output, clean, outputs
from unmingle.store.sightings import FRAME, cut_track
from unmingle.store.sqlite import ERASING, Store
from unmingle.text_layout import counted

WORDS = "About somebody who was erased"
_BOX = '"left", top, width, height'
_THESE = "(SELECT value FROM json_each(?))"
NOTHING = ErasedRegions(np.zeros(0, np.int64), np.zeros((0, 4)))
_OWNERS = "SELECT {0} FROM member UNION SELECT {0} FROM former"


@dataclass(frozen=True, slots=True)
class Erasure:
    """What was erased, or would be."""

    people: tuple[int, ...]  # who have no face any more.
    faces: int  # with all models.
    entries: int  # of the log that said something of them, and don't any more.
    pages: tuple[str, ...]  # reports and other pages that were deleted, with whoever else is on them.
    left: tuple[str, ...]  # pages that were not, changed since or held; what looks like a copy of the library.
    exports: tuple[Output, ...]  # what left the library before and can't be called back.


def people_meant(store: Store, state: State, people: Iterable[PersonRef], *, ignored: bool) -> set[int]:
    """Ids of people, also of those whose pictures are gone, and of all who are ignored."""
    here = _owners(store.connection) | set(state.projection.person_of.values())
    found = here & state.projection.ignored if ignored else set()
    for person in people:
        try:
            who = person_named(store, person)
        except DecisionError:
            named = [who for who, name in state.projection.names.items() if name and name == clean_name(str(person))]
            if len(named) != 1:
                raise
            who = named[0]
        if who not in here:
            raise DecisionError(f"There is no person {person}.", "people.csv lists them all.")
        found.add(who)
    return found


def faces_meant(store: Store, sources: Iterable[Path], older_than: datetime | None, *, left_out: bool) -> set[int]:
    """The faces that sources show, or that are older, or nobody's; see `Library.erase`."""
    with store.snapshot() as connection:
        digests = {file.digest for source in sources for file, _, _ in files_below(connection, source)}
        query = f"SELECT face FROM face_row WHERE content IN {_THESE}"
        found = {face for (face,) in connection.execute(query, (json.dumps(sorted(filter(None, digests))),))}
        if older_than is not None:
            query = (  # those that only older files show, or none any more
                # A recording that is not seen to its end has no time yet.
                "SELECT face FROM face_row LEFT JOIN file ON file.digest = content GROUP BY face"
                " HAVING coalesce(max(iif(modified = -1 AND problem = '', ?1, modified)) < ?1, 1)"
            )
            before = in_64_bits(int(older_than.timestamp() * 1e9))
            found |= {face for (face,) in connection.execute(query, (before,))}
        return found | (_faces_left_out(store) if left_out else set())


def _faces_left_out(store: Store) -> set[int]:
    """The faces that are nobody's, or of people who are ignored, in any recipe."""
    query = (
        "SELECT face, recipe = ?, person IS NOT NULL AND NOT ignored AND coalesce(mark, 'face') = 'face',"
        " EXISTS (SELECT 1 FROM former WHERE former.face = face_row.face) FROM face_row"
    )
    rows = store.connection.execute(query, (store.recipe,)).fetchall()
    kept = {face for face, current, whose, away in rows if current and (whose or away)}
    others = [face for face, current, _, away in rows if not current and not away]
    there = counterparts(store, others) if others else {}
    left = {face for face, current, *_ in rows if current} - kept
    return left | {face for face in others if there.get(face) not in kept}


def erase(store: Store, people: Collection[int], faces: Collection[int], *, dry_run: bool) -> Erasure:
    """Erase people and faces, and who has no face left, from tables and log in one step; then `clean_files`."""
    with store.transaction() as connection:
        connection.execute("SAVEPOINT before")
        connection.execute("INSERT OR REPLACE INTO fact VALUES (?, '1')", (ERASING,))
        state = State.read(store)
        said, before = state.projection, _owners(connection)
        ids = _with_merged(state, people)
        theirs = {face for face, who in connection.execute(_OWNERS.format("face, person")) if who in ids}
        theirs |= {face for region, face in state.face_of.items() if said.person_of.get(region) in ids}
        gone = _erase_faces(connection, theirs | set(faces))
        ids |= _with_merged(state, before - _owners(connection))
        regions = _regions_of(connection, state, gone)
        regions |= {region for region, who in said.person_of.items() if who in ids}
        entries = _rewrite(connection, state.log.entries, ids, regions)
        for table in ("proposal", "former", "member"):
            connection.execute(f"DELETE FROM {table} WHERE person IN {_in(ids)}")
        connection.execute(f"UPDATE moved SET before = NULL WHERE before IN {_in(ids)}")
        connection.execute(f"DELETE FROM person WHERE id IN {_in(ids)}")
        state = State.read(store)
        moved = state.write()
        _compare_anew(store)
        words = f"Erased {counted(len(ids), 'person', 'people')} ({counted(len(gone), 'face')})"
        append(connection, Erase(), "person", words, sorted(ids), moved)
        pages = tuple(one.path for one in outputs(store, exports=False) if one.there)
        found = Erasure(tuple(sorted(ids)), len(gone), entries, pages, (), outputs(store, exports=True))
        if dry_run:
            connection.execute("ROLLBACK TO before")
        else:
            journal.append(store)
    return found


def clean_files(store: Store) -> tuple[list[str], list[str]]:
    """See `store.privacy.clean`; the journal is written anew."""
    with store.transaction():
        journal.rewrite(store)
    return clean(store, journal=True)


def _erase_faces(connection: sqlite3.Connection, faces: Collection[int]) -> set[int]:
    """Take faces out of all tables, with those of other recipes in the same places; returns all that went."""
    query = f"SELECT face, content, digest, recipe, track, {_BOX} FROM face_row WHERE face IN {_THESE}"
    rows = connection.execute(query, (json.dumps(list(faces)),)).fetchall()
    gone = {row[0] for row in rows}
    for track in {row[4] for row in rows} - {None}:
        gone |= cut_track(connection, track, gone, NOTHING)
    for _, content, digest, recipe, track, *box in rows:
        if track is None:
            remember_erased(connection, content, np.array([PICTURE]), np.array([box], np.float32))
            gone |= _in_other_recipes(connection, digest, recipe, box)
    recordings = {content for _, content, _, _, track, *_ in rows if track is not None}
    for content in recordings:
        gone |= _in_other_tracks(connection, content, {recipe for _, one, _, recipe, *_ in rows if one == content})
    contents, these = json.dumps(sorted({row[1] for row in rows})), json.dumps(sorted(gone))
    connection.execute(f"DELETE FROM face WHERE id IN {_THESE}", (these,))
    connection.execute(f'DELETE FROM copy WHERE "of" IN {_THESE}', (these,))
    connection.execute(f"DELETE FROM moved WHERE face IN {_THESE}", (these,))
    empty = f"content IN {_THESE} AND NOT EXISTS (SELECT 1 FROM face WHERE face.analysis = analysis.id)"
    connection.execute(f"DELETE FROM analysis WHERE frame IS NOT NULL AND {empty}", (contents,))
    connection.execute(f"UPDATE analysis SET reason = ? WHERE {empty}", (ERASED, contents))
    # A fingerprint shows all of the picture, if coarsely.
    connection.execute(f"UPDATE analysis SET fingerprint = x'' WHERE content IN {_THESE}", (contents,))
    return gone


def _in_other_recipes(connection: sqlite3.Connection, digest: str, recipe: str, box: list[float]) -> set[int]:
    query = f"SELECT recipe, face, picture_width, picture_height, {_BOX} FROM face_row WHERE digest = ? AND recipe != ?"
    by_recipe: defaultdict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for other, *row in connection.execute(query, (digest, recipe)):
        by_recipe[other].append(tuple(row))
    region = ErasedRegions(np.array([PICTURE]), np.array([box]))
    gone: set[int] = set()
    for found in by_recipe.values():
        hit_n = region.of_picture(np.array([row[3:] for row in found], np.float32), *found[0][1:3])
        gone.update(row[0] for row, hit in zip(found, hit_n, strict=True) if hit)
    return gone


def _in_other_tracks(connection: sqlite3.Connection, content: str, recipes: set[str]) -> set[int]:
    query = "SELECT track.id, recipe FROM track JOIN recording ON recording.id = track.recording WHERE content = ?"
    others = [row for row, recipe in connection.execute(query, (content,)).fetchall() if recipe not in recipes]
    regions = ErasedRegions.read(connection, content) if others else NOTHING
    return {face for row in others for face in cut_track(connection, row, (), regions)}


def _compare_anew(store: Store) -> None:
    """Those who stay say anew how faces are compared, where the collection said."""
    adapted = adaptation_of(store)
    store.connection.execute("DELETE FROM fact WHERE key GLOB ?", (f"{ADAPTATION} *",))
    if adapted is not None and len(adapted.extra_k):
        from unmingle.grouping.adaptation import fitted
        from unmingle.grouping.threshold import PRIOR_CLUSTERS

        vectors_nd, labels_n, ids = faces_of_people(store, raw=True)
        adapted = fitted(vectors_nd, labels_n) if len(ids) >= PRIOR_CLUSTERS else None
    note_adaptation(store, adapted)


def _in(ids: Collection[int]) -> str:
    return f"({', '.join(map(str, sorted(ids)))})"


def _owners(connection: sqlite3.Connection) -> set[int]:
    return {person for (person,) in connection.execute(_OWNERS.format("person"))}


def _with_merged(state: State, people: Collection[int]) -> set[int]:
    """With those who became a part of them."""
    return {*people, *(one for one in state.projection.merged if state.projection.now(one) in people)}


def _regions_of(connection: sqlite3.Connection, state: State, gone: Collection[int]) -> set[int]:
    """The regions that decisions named faces by that are gone, also of pictures that no file shows."""
    found, known = set(), dict[str, ErasedRegions]()
    for region, digest, *box in connection.execute(f"SELECT id, digest, {_BOX} FROM place"):
        content, _, frame = digest.partition(FRAME)
        face = state.face_of.get(region)
        if content not in known:
            known[content] = ErasedRegions.read(connection, content)
        at = np.array([int(frame) if frame else PICTURE])
        if face in gone or (face is None and known[content].of_frames(np.array([box], np.float32), at)[0]):
            found.add(region)
    return found


def _rewrite(connection: sqlite3.Connection, entries: Iterable[Entry], ids: set[int], regions: set[int]) -> int:
    """Take people and regions out of the log; of how many entries the words went."""
    entries = list(entries)
    names = {entry.command.name for entry in entries if entry.command.person in ids} - {""}
    called = re.compile("|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in names) or r"\Z.")
    silent: set[int] = set()
    named: set[int] = set()
    for entry in entries:
        command = entry.command
        kept = _without(command, ids, regions)
        of_silent = isinstance(command, Undo) and command.target in silent
        if command.people & ids or of_silent or called.search(entry.words):
            silent.add(entry.id)
        named.update(kept.faces, *kept.exemplars.values())
        if kept != command or entry.id in silent:
            words = WORDS if entry.id in silent else entry.words
            changed = {"words": words, "people": list(entry.people), "faces": entry.moved}
            connection.execute(
                "UPDATE decision SET body = ?, changed = ? WHERE id = ?",
                (kept.as_json(), json.dumps(changed, ensure_ascii=False), entry.id),
            )
    connection.execute(f"DELETE FROM place WHERE id NOT IN {_THESE}", (json.dumps(list(named)),))
    return len(silent)


def _without(command: Command, ids: set[int], regions: set[int]) -> Command:
    if command.person in ids:
        return replace(command, others=(), faces=(), name="", exemplars={})
    faces = tuple(face for face in command.faces if face not in regions)
    if isinstance(command, Different | Unsure) and command.person is None and faces[:1] != command.faces[:1]:
        faces = ()  # it said who the first is not
    exemplars = {who: tuple(one for one in of if one not in regions) for who, of in command.exemplars.items()}
    return replace(
        command,
        others=tuple(other for other in command.others if other not in ids),
        faces=faces,
        exemplars={who: of for who, of in exemplars.items() if who not in ids and of},
    )
