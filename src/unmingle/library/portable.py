"""What exports take along and imports look for: the library's files as they lie on the disk, and their faces."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from unmingle.sources.images import PictureFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unmingle.library.store import Store

WALKED = "walked"  # the fact that lists the folders that were searched for pictures


@dataclass(frozen=True, slots=True)
class HeldFile:
    """A file; size and modified, in ns: what it was when it was last read."""

    file: PictureFile
    size: int
    modified: int

    @property
    def changed(self) -> str:
        """Why it is not what was read; empty if it still is."""
        try:
            status = self.file.path.stat()
        except OSError as error:
            return f"can't be opened: {error.strerror}"
        same = (status.st_size, status.st_mtime_ns) == (self.size, self.modified)
        return "" if same else "changed since it was read: run unmingle cluster again"


@dataclass(frozen=True, slots=True)
class FileFace:
    """A face on a picture file.

    face:   its row.
    number: in its picture.
    box:    left, top, width, height in pixels of the upright picture; may reach over its border.
    person: whose it is, and name, empty if they have none; None for nobody's, or for somebody's who is ignored.
    counts: whether it is a face that anybody wants to see: neither said nor found to be none, and not ignored.
    """

    face: int
    number: int
    box: tuple[float, float, float, float]
    person: int | None
    name: str
    counts: bool


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture file and its faces; width, height: upright, in pixels."""

    held: HeldFile
    width: int
    height: int
    faces: tuple[FileFace, ...]


_PICTURES = """
SELECT source.path, file.path, file.size, file.modified, analysis.width, analysis.height,
       face.id, face.number, face."left", face.top, face.width, face.height,
       person.id, person.name, person.ignored, mark.mark, face.flag
FROM file
JOIN source ON source.id = file.source
JOIN analysis ON analysis.digest = file.digest AND analysis.recipe = ?
LEFT JOIN face ON face.analysis = analysis.id
LEFT JOIN member ON member.face = face.id
LEFT JOIN person ON person.id = member.person
LEFT JOIN mark ON mark.face = face.id
WHERE file.present = 1 AND NOT EXISTS (SELECT 1 FROM recording WHERE recording.content = file.digest)
ORDER BY source.path, file.path, face.number
"""


def pictures(store: Store, recipe: str) -> Iterator[Picture]:
    """The picture files that are there, by source and path."""
    rows = store.connection.execute(_PICTURES, (recipe,))
    for (source, path, *_), of_file in groupby(rows, key=lambda row: row[:2]):
        found = list(of_file)
        _, _, size, modified, width, height, *_ = found[0]
        file = PictureFile(os.fsdecode(source), os.fsdecode(path))
        faces = tuple(_face(row[6:]) for row in found if row[6] is not None)
        yield Picture(HeldFile(file, size, modified), width, height, faces)


def _face(row: tuple[Any, ...]) -> FileFace:
    face, number, left, top, width, height, person, name, ignored, mark, flag = row
    counts = mark == "face" or not (mark or ignored or (flag == "not_a_face" and person is None))
    whose = None if ignored else person
    return FileFace(face, number, (left, top, width, height), whose, "" if ignored else name or "", counts)


def files_of_people(store: Store, recipe: str) -> Iterator[tuple[int, str, HeldFile]]:
    """Person, name, and a file that shows them, pictures and recordings; ignored people are left out."""
    query = (
        "SELECT DISTINCT person.id, person.name, source.path, file.path, file.size, file.modified FROM member"
        " JOIN person ON person.id = member.person AND NOT person.ignored"
        " JOIN face ON face.id = member.face"
        " JOIN analysis ON analysis.id = face.analysis AND analysis.recipe = ?"
        " JOIN file ON file.digest = analysis.content AND file.present = 1"
        " JOIN source ON source.id = file.source"
    )
    for person, name, source, path, size, modified in store.connection.execute(query, (recipe,)):
        file = PictureFile(os.fsdecode(source), os.fsdecode(path))
        yield person, name, HeldFile(file, size, modified)


def walked_folders(store: Store) -> list[str]:
    """The folders that were searched for pictures, as native paths.

    A library from before that was noted may have searched every folder that its files are below.
    """
    noted = store.fact(WALKED)
    if noted is not None:
        return list(json.loads(noted))
    query = "SELECT path FROM source WHERE EXISTS (SELECT 1 FROM file WHERE file.source = source.id AND present = 1)"
    return sorted(os.fsdecode(path) for (path,) in store.connection.execute(query))
