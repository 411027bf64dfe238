"""Faces of a library as examples for another model: where they are to be cut out, and whose they are."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unmingle.sources.images import PictureFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unmingle.records import F32
    from unmingle.store.sqlite import Store


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A face in a picture file.

    person: whose it is; None: nobody's.
    points: (5, 2) float32, its landmarks.
    """

    file: PictureFile
    person: int | None
    points: F32


def examples(store: Store, recipe: str) -> Iterator[Example]:
    """The faces of a recipe in picture files that are there and that may found a person; people first, by id."""
    query = (
        "SELECT source.path, file.path, member.person, face.points FROM face"
        " JOIN analysis ON analysis.id = face.analysis JOIN file ON file.digest = analysis.digest AND file.present = 1"
        " JOIN source ON source.id = file.source LEFT JOIN member ON member.face = face.id"
        " WHERE analysis.recipe = ? AND face.standing = 'found' GROUP BY face.id"
        " ORDER BY member.person IS NULL, member.person, analysis.digest, face.number"
    )
    for source, path, person, points in store.connection.execute(query, (recipe,)):
        file = PictureFile(os.fsdecode(source), os.fsdecode(path))
        yield Example(file, person, np.frombuffer(points, "<f4").reshape(5, 2).copy())
