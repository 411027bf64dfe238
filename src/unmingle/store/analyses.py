"""Files and pictures: what is known of each file, and what was found in each picture.

A file is a name; a picture is its content, named by a digest: analysed once, however many files have it. Where faces
were that somebody had erased is remembered, so that they are not found again.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from unmingle.faces.boxes import SAME_FACE, overlap_of_pairs
from unmingle.records import F32, F64, I64, Analysis, Bool
from unmingle.sources.images import PictureFile, Scan
from unmingle.store.file_rows import note_files
from unmingle.store.sqlite import Store, insert

ERASED = "its faces were erased"  # the reason
PICTURE = -1  # the frame of what is no recording
NEAR_FRAMES = 30  # a face that a track shows so many frames before or after is still in the same place
WHOLE = 0.98  # of a picture, which a recipe took for one face


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
    """Note every file of a scan, and tell what is known of it; files that are gone are marked, never forgotten."""
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
    # Also of files of earlier scans that the recipe has not seen, so that one library never mixes recipes.
    return {file: what for file, what in known.items() if file in scanned or what.digest not in done}


def gone(store: Store) -> set[int]:
    """The rows of the files that were not there at the last scan of their source."""
    return {row for (row,) in store.connection.execute("SELECT id FROM file WHERE present = 0")}


def precisions(store: Store) -> tuple[tuple[str, int], ...]:
    """How many pictures' faces were computed in each precision of the arithmetic."""
    query = "SELECT precision, count(*) FROM analysis WHERE recipe = ? GROUP BY precision ORDER BY precision"
    return tuple(store.connection.execute(query, (store.recipe,)))


def analysed(store: Store, recipe: str, precision: str | None) -> set[str]:
    """Digests of the pictures that this recipe has seen; with a precision, only those computed in it."""
    query = "SELECT digest FROM analysis WHERE recipe = ? AND precision = coalesce(?, precision)"
    return {digest for (digest,) in store.connection.execute(query, (recipe, precision))}


def unchanged(store: Store, before: Sequence[Known]) -> tuple[int, int]:
    """How many of these files show what they showed, with the same bytes and with other ones."""
    query = "SELECT id, size, modified, digest, bytes FROM file WHERE id = ?"
    now = [Known(*store.connection.execute(query, (known.row,)).fetchone()) for known in before]
    same = [one.content == known.content for one, known in zip(now, before, strict=True) if one.digest == known.digest]
    return sum(same), len(same) - sum(same)


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

    digest: of the picture or recording; empty if it could not be read. content: SHA-256 of the bytes, if that is
    another. shown: what names what it shows; empty where nobody asked.
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


def add_analysis(
    connection: sqlite3.Connection,
    digest: str,
    recipe: str,
    precision: str,
    analysis: Analysis,
    *,
    include_erased: bool = False,
) -> None:
    """Store what a recipe found in a picture, in place of what it found in another precision.

    Faces that were erased stay so; include_erased: they come back, beside those that are there.
    """
    regions = ErasedRegions.read(connection, digest)
    erased_n = regions.of_picture(analysis.faces.boxes, analysis.width, analysis.height)
    if include_erased and len(regions):
        forget_erased(connection, digest)
        if _bring_back(connection, digest, recipe, analysis, np.flatnonzero(erased_n).tolist()):
            return
        erased_n[:] = False
    elif len(regions):
        # A fingerprint shows all of the picture, if coarsely.
        reason = ERASED if erased_n.all() else analysis.reason
        analysis = replace(analysis, fingerprint=b"", reason=reason)
    connection.execute("DELETE FROM analysis WHERE digest = ? AND recipe = ?", (digest, recipe))
    found = {name: getattr(analysis, name) for name in ("width", "height", "reason", "fingerprint")}
    how = {"recipe": recipe, "precision": precision}
    row = insert(connection, "analysis", digest=digest, content=digest, **how, **found)
    for number in np.flatnonzero(~erased_n).tolist():
        add_face(connection, row, analysis, number, number=number)


def _bring_back(connection: sqlite3.Connection, digest: str, recipe: str, analysis: Analysis, back: list[int]) -> bool:
    """Put faces back into a picture whose other faces are in the library; whether it is there."""
    query = "UPDATE analysis SET reason = ?, fingerprint = ? WHERE digest = ? AND recipe = ? RETURNING id"
    row = connection.execute(query, (analysis.reason, analysis.fingerprint, digest, recipe)).fetchone()
    if row is None:
        return False
    taken = {number for (number,) in connection.execute("SELECT number FROM face WHERE analysis = ?", row)}
    for face in back:
        number = face if face not in taken else max(taken) + 1
        add_face(connection, row[0], analysis, face, number=number)
        taken.add(number)
    return True


def add_face(connection: sqlite3.Connection, row: int, analysis: Analysis, face: int, **more: int) -> None:
    """Store one face of an analysis; more: further columns."""
    found = (("points", analysis.faces.points), ("vector", analysis.vectors))
    blobs = {name: array[face].astype("<f4").tobytes() for name, array in found}
    stored = insert(connection, "face", analysis=row, **analysis.columns(face), **blobs, **more)
    insert(connection, "thumbnail", face=stored, jpeg=analysis.thumbnails[face])


@dataclass(frozen=True, slots=True, eq=False)
class ErasedRegions:
    """The m places of a file where faces were; frames_m: rising, of a recording, else PICTURE."""

    frames_m: I64
    boxes_m4: F64

    @classmethod
    def read(cls, connection: sqlite3.Connection, content: str) -> ErasedRegions:
        """Those of a file, by its digest."""
        rows = connection.execute("SELECT frames, boxes FROM erased WHERE content = ?", (content,)).fetchall()
        frames, boxes = (np.frombuffer(b"".join(row[i] for row in rows), kind) for i, kind in enumerate(("<i4", "<f4")))
        order = np.argsort(frames, kind="stable")
        return cls(frames[order].astype(np.int64), boxes.reshape(-1, 4)[order].astype(np.float64))

    def __len__(self) -> int:
        return len(self.frames_m)

    def of_picture(self, boxes_n4: F32, width: int, height: int) -> Bool:
        """(n,) which of the faces that were found in a picture are erased; a recipe may take all of it as the face."""
        if (self.boxes_m4[:, 2:].prod(axis=1) >= WHOLE * width * height).any():
            return np.ones(len(boxes_n4), np.bool_)
        found_n = self.of_frames(boxes_n4, np.full(len(boxes_n4), PICTURE))
        if len(boxes_n4) == 1:
            middle_m2 = self.boxes_m4[:, :2] + self.boxes_m4[:, 2:] / 2 - boxes_n4[0, :2]
            found_n |= ((middle_m2 >= 0) & (middle_m2 <= boxes_n4[0, 2:])).all(axis=1).any()
        return found_n

    def of_frames(self, boxes_n4: F32, frames_n: I64) -> Bool:
        """(n,) which of the faces that were seen in frames of a recording are erased."""
        low_n = np.searchsorted(self.frames_m, frames_n - NEAR_FRAMES)
        high_n = np.searchsorted(self.frames_m, frames_n + NEAR_FRAMES, "right")
        found = [
            bool((overlap_of_pairs(box[None], self.boxes_m4[low:high]) >= SAME_FACE).any())
            for box, low, high in zip(boxes_n4.astype(np.float64), low_n.tolist(), high_n.tolist(), strict=True)
        ]
        return np.array(found, np.bool_)


def remember_erased(connection: sqlite3.Connection, content: str, frames_n: I64, boxes_n4: F32) -> None:
    """Note where faces were."""
    columns = {"frames": frames_n.astype("<i4").tobytes(), "boxes": boxes_n4.astype("<f4").tobytes()}
    insert(connection, "erased", content=content, **columns)


def forget_erased(connection: sqlite3.Connection, content: str) -> None:
    """Let the faces of a file be found again."""
    connection.execute("DELETE FROM erased WHERE content = ?", (content,))


def erased_contents(connection: sqlite3.Connection) -> set[str]:
    """The files of which something was erased, by their digests."""
    return {content for (content,) in connection.execute("SELECT DISTINCT content FROM erased")}
