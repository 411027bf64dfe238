"""Erasing faces: out of every table, and out of every byte of the library's files.

What is erased is so once the transaction ends. Old pages of the database, its log and the views still hold it then; a
fact says so until they are clean, and whoever opens the library next goes on.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from unmingle.errors import LibraryBusyError
from unmingle.files import JOURNAL, in_64_bits
from unmingle.store.analyses import ERASED, PICTURE, ErasedRegions, remember_erased
from unmingle.store.face_regions import counterparts
from unmingle.store.file_rows import files_below
from unmingle.store.outputs import take_back
from unmingle.store.sightings import cut_track
from unmingle.store.sqlite import ERASING, Store

_BOX = '"left", top, width, height'
_THESE = "(SELECT value FROM json_each(?))"
NOTHING = ErasedRegions(np.zeros(0, np.int64), np.zeros((0, 4)))


def erase_faces(connection: sqlite3.Connection, faces: Collection[int]) -> set[int]:
    """Take faces out of all tables, with those of other recipes in the same places; returns all that went."""
    query = f"SELECT face, content, digest, recipe, track, {_BOX} FROM face_row WHERE face IN {_THESE}"
    rows = connection.execute(query, (json.dumps(list(faces)),)).fetchall()
    gone = {row[0] for row in rows}
    tracks = {row[4] for row in rows} - {None}
    for row in tracks:
        gone |= cut_track(connection, row, gone, NOTHING)
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


def clean(store: Store, *, journal: bool = False) -> tuple[list[str], list[str]]:
    """Leave no byte of what was erased in the library's files; pages that went with it, and those that stay.

    journal: whether it was written anew since; else it goes, and the next decision writes it anew.

    LibraryBusyError: somebody else is reading; it goes on the next time that the library is opened.
    """
    pages = take_back(store)
    if not journal:
        (store.folder / JOURNAL).unlink(missing_ok=True)
    if not store.written_anew():
        raise LibraryBusyError(
            f"Erased, but another program is reading {store.folder}, and old pages are still in its files.",
            "End it; the next command that opens the library takes them away.",
        )
    with store.transaction() as connection:
        connection.execute("DELETE FROM output WHERE modified != -1")
        connection.execute("DELETE FROM fact WHERE key = ?", (ERASING,))
    return pages


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
