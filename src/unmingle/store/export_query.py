"""What exports take along and imports look for: the library's files, and their faces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unmingle.store.face_query import FILE_STATE, FileState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unmingle.records import F32
    from unmingle.sources.images import PictureFile
    from unmingle.store.sqlite import Store


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

    held: FileState
    width: int
    height: int
    faces: tuple[FileFace, ...]


def pictures(store: Store, recipe: str) -> Iterator[Picture]:
    """The picture files that are there, by source and path."""
    of_faces = (
        'SELECT face, number, "left", top, width, height, iif(ignored, NULL, person),'
        " iif(ignored, '', coalesce(name, '')), coalesce(mark, '') = 'face'"
        " OR NOT (mark IS NOT NULL OR ignored OR (flag = 'not_a_face' AND person IS NULL))"
        " FROM face_row WHERE picture = ? ORDER BY number"
    )
    query = (
        f"SELECT {FILE_STATE}, analysis.width, analysis.height, analysis.id FROM file_row"
        " JOIN analysis ON analysis.digest = file_row.digest AND analysis.recipe = ?"
        " WHERE present = 1 AND NOT EXISTS (SELECT 1 FROM recording WHERE recording.content = file_row.digest)"
        " ORDER BY folder, path"
    )
    for *held, width, height, picture in store.connection.execute(query, (recipe,)):
        faces = []
        for face, number, *box, person, name, counts in store.connection.execute(of_faces, (picture,)):
            left, top, across, down = box
            faces.append(FileFace(face, number, (left, top, across, down), person, name, bool(counts)))
        yield Picture(FileState.of(held), width, height, tuple(faces))


def files_of_people(store: Store, recipe: str) -> Iterator[tuple[int, str, int | None, int | None, FileState]]:
    """Person, name, frame and number of one of their faces, and the file that shows it; ignored people are left out.

    The frame is that of a recording; None for a picture file. The number of a face in a recording may be missing.
    """
    # With min(), SQLite takes the other columns from the row that has the least.
    query = (
        f"SELECT person, name, iif(track IS NULL, NULL, frame), number, {FILE_STATE}, min(face) FROM shown_face"
        " WHERE recipe = ? AND person IS NOT NULL AND NOT ignored GROUP BY person, file"
    )
    for person, name, frame, number, *held, _ in store.connection.execute(query, (recipe,)):
        yield person, name, frame, number, FileState.of(held)


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A face in a picture file, for another model: whose it is, None for nobody's, and (5, 2) its landmarks."""

    file: PictureFile
    person: int | None
    points: F32


def examples(store: Store, recipe: str) -> Iterator[Example]:
    """The faces of a recipe in picture files that are there and that may found a person; people first, by id."""
    query = (
        f"SELECT {FILE_STATE}, person, points FROM shown_face"
        " WHERE recipe = ? AND frame IS NULL AND standing = 'found' GROUP BY face"
        " ORDER BY person IS NULL, person, digest, number"
    )
    for *held, person, points in store.connection.execute(query, (recipe,)):
        yield Example(FileState.of(held).file, person, np.frombuffer(points, "<f4").reshape(5, 2).copy())
