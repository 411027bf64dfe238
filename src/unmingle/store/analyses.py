"""Files, pictures and faces in the library: what is there, what is still to do, what was found.

A file is a name; a picture is its content, named by a digest. Two files with the same bytes are one picture, analysed
once, and a moved file is found again by its content.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unmingle.sources.images import PictureFile
from unmingle.store.file_rows import note_files

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from unmingle.records import Analysis
    from unmingle.sources.images import Scan
    from unmingle.store.sqlite import Store


@dataclass(frozen=True, slots=True)
class Known:
    """What the library knows of a file: its row, and size, time, digest and bytes when it was last read."""

    row: int
    size: int
    modified: int
    digest: str | None
    bytes: str = ""

    @property
    def content(self) -> str | None:
        """SHA-256 of its bytes; None for a file that was never read."""
        return self.bytes or self.digest


def register(store: Store, scan: Scan, recipe: str) -> dict[PictureFile, Known]:
    """Note every file of a scan, and tell what is known of it.

    Files that are gone are marked, never forgotten. Files of earlier scans that the recipe
    has not seen are in the result as well, so that one library never mixes recipes.
    """
    with store.transaction() as connection:
        scanned = note_files(connection, scan)
        rows = connection.execute(
            "SELECT folder, path, problem, file, size, modified, digest, bytes FROM file_row WHERE present = 1"
        )
        known = {
            PictureFile(os.fsdecode(source), os.fsdecode(path), problem): Known(*rest)
            for source, path, problem, *rest in rows
        }
    done = analysed(store, recipe, None)
    return {file: what for file, what in known.items() if file in scanned or what.digest not in done}


def gone(store: Store) -> int:
    """How many files of the library were not there at the last scan of their source."""
    return int(store.connection.execute("SELECT count(*) FROM file WHERE present = 0").fetchone()[0])


def analysed(store: Store, recipe: str, precision: str | None) -> set[str]:
    """Digests of the pictures that this recipe has seen; with a precision, only those computed in it."""
    query = "SELECT digest FROM analysis WHERE recipe = ?" + ("" if precision is None else " AND precision = ?")
    values = (recipe,) if precision is None else (recipe, precision)
    return {digest for (digest,) in store.connection.execute(query, values)}


def unchanged(store: Store, before: Sequence[Known]) -> tuple[int, int]:
    """How many of these files show what they showed, with the same bytes and with other ones."""
    query = "SELECT digest, bytes, size, modified FROM file WHERE id = ?"
    same = changed = 0
    for known in before:
        row = store.connection.execute(query, (known.row,)).fetchone()
        now = Known(known.row, row[2], row[3], row[0], row[1])
        if now.digest == known.digest:
            same, changed = same + (now.content == known.content), changed + (now.content != known.content)
    return same, changed


def note_read(
    connection: sqlite3.Connection,
    row: int,
    size: int,
    modified: int,
    digest: str,
    problem: str,
    content: str = "",
    shown: bytes = b"",
) -> None:
    """Note what a file held when it was read, or why it couldn't be; then it is tried again at the next run.

    Args:
        connection: of the library.
        row: of the file.
        size: in bytes.
        modified: in nanoseconds.
        digest: of the picture or recording; empty if it could not be read.
        problem: why not.
        content: SHA-256 of the bytes, if that is not the digest.
        shown: what names what it shows; empty where nobody asked.
    """
    if problem:
        size, modified = -1, -1
    connection.execute(
        "UPDATE file SET size = ?, modified = ?, digest = ?3, problem = ?, bytes = ?, former = CASE"
        " WHEN coalesce(former, digest) IS ?3 THEN NULL WHEN digest IS ?3 THEN former"
        " ELSE coalesce(former, digest) END WHERE id = ?",
        (size, modified, digest or None, problem, "" if content == digest else content, row),
    )
    if shown:
        connection.execute("INSERT OR IGNORE INTO shown (sha, digest) VALUES (?, ?)", (shown, digest))


def add_analysis(connection: sqlite3.Connection, digest: str, recipe: str, precision: str, analysis: Analysis) -> None:
    """Store what a recipe found in a picture, in place of what it found in another precision."""
    connection.execute("DELETE FROM analysis WHERE digest = ? AND recipe = ?", (digest, recipe))
    row = connection.execute(
        "INSERT INTO analysis (digest, content, recipe, precision, width, height, reason, fingerprint)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (digest, digest, recipe, precision, analysis.width, analysis.height, analysis.reason, analysis.fingerprint),
    ).lastrowid
    assert row is not None  # an INSERT always has one
    for number in range(len(analysis.faces)):
        add_face(connection, row, number, analysis, number)


def add_face(connection: sqlite3.Connection, row: int, number: int, analysis: Analysis, face: int) -> int:
    """Store one face of an analysis.

    Returns:
        Its row.
    """
    faces, triage = analysis.faces, analysis.triage
    stored = connection.execute(
        'INSERT INTO face (analysis, number, "left", top, width, height, points, score, quality,'
        " standing, flag, reason, vector) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            row,
            number,
            *map(float, faces.boxes[face]),
            faces.points[face].astype("<f4").tobytes(),
            float(faces.scores[face]),
            float(analysis.quality[face]),
            triage.standings[face],
            triage.flags[face],
            triage.reasons[face],
            analysis.vectors[face].astype("<f4").tobytes(),
        ),
    ).lastrowid
    assert stored is not None  # an INSERT always has one
    connection.execute("INSERT INTO thumbnail (face, jpeg) VALUES (?, ?)", (stored, analysis.thumbnails[face]))
    return stored
