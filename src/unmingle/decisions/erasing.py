"""Erasing people for good: their faces and names, and what the log says of them; entries keep their numbers."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

import numpy as np

from unmingle.decisions import journal
from unmingle.decisions.kinds import Command, Different, Erase, Undo, Unsure
from unmingle.decisions.log import By, Entry, append
from unmingle.decisions.references import PersonRef, clean_name, person_named
from unmingle.decisions.state import State
from unmingle.errors import DecisionError
from unmingle.store.analyses import PICTURE, ErasedRegions
from unmingle.store.erasing import clean, erase_faces
from unmingle.store.face_rows import ALONE, faces_to_group, persons_now
from unmingle.store.facts import ADAPTATION, adaptation_of, note_adaptation
from unmingle.store.outputs import Output, outputs
from unmingle.store.sightings import FRAME
from unmingle.store.sqlite import ERASING, Store
from unmingle.text_layout import counted

WORDS = "About somebody who was erased"
_OWNERS = "SELECT {0} FROM member UNION SELECT {0} FROM former"


@dataclass(frozen=True, slots=True)
class Erasure:
    """What was erased, or would be."""

    people: tuple[int, ...]  # who have no face any more.
    faces: int  # with all models.
    entries: int  # of the log that said something of them, and don't any more.
    pages: tuple[str, ...]  # reports and other pages that were deleted, with whoever else is on them.
    left: tuple[str, ...]  # pages that were not: they were changed since they were written, or can't be deleted.
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


def erase(
    store: Store, people: Collection[int], faces: Collection[int], *, by: By = "person", dry_run: bool
) -> Erasure:
    """Erase people and faces from the tables and the log, all in one step; `clean_files` does the rest.

    Whoever has no face any more goes with the last one.
    """
    with store.transaction() as connection:
        connection.execute("SAVEPOINT before")
        connection.execute("INSERT OR REPLACE INTO fact VALUES (?, '1')", (ERASING,))
        state = State.read(store)
        said, before = state.projection, _owners(connection)
        ids = _with_merged(state, people)
        theirs = {face for face, who in connection.execute(_OWNERS.format("face, person")) if who in ids}
        theirs |= {face for region, face in state.face_of.items() if said.person_of.get(region) in ids}
        gone = erase_faces(connection, theirs | set(faces))
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
        append(connection, Erase(), by, words, sorted(ids), moved)
        pages = tuple(one.path for one in outputs(store, exports=False) if one.there)
        found = Erasure(tuple(sorted(ids)), len(gone), entries, pages, (), outputs(store, exports=True))
        if dry_run:
            connection.execute("ROLLBACK TO before")
        else:
            journal.append(store)
    return found


def clean_files(store: Store) -> tuple[list[str], list[str]]:
    """See `store.erasing.clean`; the journal is written anew."""
    with store.transaction():
        journal.rewrite(store)
    return clean(store, journal=True)


def _compare_anew(store: Store) -> None:
    """Those who stay say anew how faces are compared, where the collection said."""
    adapted = adaptation_of(store)
    store.connection.execute("DELETE FROM fact WHERE key GLOB ?", (f"{ADAPTATION} *",))
    if adapted is not None and len(adapted.extra_k):
        from unmingle.grouping.adaptation import fitted
        from unmingle.grouping.threshold import PRIOR_CLUSTERS

        faces = faces_to_group(store, raw=True)
        person_n = persons_now(store.connection, faces.ids)
        member = person_n != ALONE
        labels_n = np.unique(person_n[member], return_inverse=True)[1]
        enough = labels_n.max(initial=-1) + 1 >= PRIOR_CLUSTERS
        adapted = fitted(faces.vectors[member], labels_n) if enough else None
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
    for region, digest, *box in connection.execute('SELECT id, digest, "left", top, width, height FROM place'):
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
    connection.execute("DELETE FROM place WHERE id NOT IN (SELECT value FROM json_each(?))", (json.dumps(list(named)),))
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
