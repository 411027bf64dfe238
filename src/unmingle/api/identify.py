"""Whose face is it: faces of pictures that are not added, among the people of a library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unmingle import html
from unmingle.api.recipes import known_scale, library_curve, model_of
from unmingle.errors import LibraryError, PictureError, SourceError
from unmingle.settings import DetectionSettings, EngineSettings
from unmingle.store.face_rows import ALONE, faces_to_group, persons_now

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import polars as pl

    from unmingle.records import F32, I64, U8
    from unmingle.store.sqlite import Store


@dataclass(frozen=True, slots=True)
class Identified:
    """Whose face a picture shows.

    picture:     the file.
    box:         left, top, width, height of the face in pixels.
    person:      whose it is; None: nobody of the library.
    nearest:     the person it is most like, whether enough or not.
    similarity:  average cosine to the faces of `nearest`.
    probability: that it is a face of `nearest`, 0 to 1.
    """

    picture: Path
    box: tuple[float, ...]
    person: int | None
    nearest: int | None
    similarity: float
    probability: float

    def _repr_html_(self) -> str:
        whose = "nobody of the library" if self.person is None else f"Person {self.person}"
        nearest = "nobody" if self.nearest is None else f"Person {self.nearest}"
        rows = [
            ("most like", nearest),
            ("similarity, probability", f"{self.similarity:.2f}, {self.probability:.2f}"),
            ("picture", self.picture.name),
            ("box", ", ".join(f"{value:g}" for value in self.box)),
        ]
        jpeg = self._cut()
        picture = [] if jpeg is None else [html.faces([jpeg], of=whose, side=112)]
        return html.block(html.heading(whose), *picture, html.table(rows))

    def _cut(self) -> bytes | None:
        """The face, cut out of its picture; None if that is gone."""
        from unmingle.faces.align import FACE_MARGIN, thumbnail

        try:
            return thumbnail(_decoded(self.picture), np.array(self.box, np.float32), margin=FACE_MARGIN)
        except PictureError:
            return None


@dataclass(frozen=True, slots=True, eq=False)
class KnownPeople:
    """The n faces of people: vectors (n, d), labels (n,) from 0 on, ids (k,) of the people, scale of strangers."""

    vectors: F32
    labels: I64
    ids: I64
    scale: float

    def means(self) -> tuple[F32, I64]:
        """Mean vector and number of faces of each person."""
        from unmingle.grouping.confidence import label_means

        return label_means(self.vectors, self.labels)


def identify(
    store: Store,
    recipe: str,
    pictures: Iterable[Path],
    detection: DetectionSettings | None,
    engine: EngineSettings | None,
) -> list[Identified]:
    """See `Library.identify`."""
    from unmingle.faces.recipe import FaceRecipe
    from unmingle.grouping.attach import Assigner

    model = model_of(store, recipe)
    runner = FaceRecipe(detection or DetectionSettings(), engine or EngineSettings(), model)
    if recipe != runner.key:
        raise LibraryError(
            f"{store.folder} was made with another recipe or other settings.",
            "Use the settings it was made with.",
        )
    known = known_people(store, recipe)
    assigner = Assigner(known.vectors, known.labels, library_curve(store, recipe), scale=known.scale)
    found: list[Identified] = []
    for path in pictures:
        try:
            (analysis,) = runner.analyse([_decoded(path)])
        except PictureError as error:
            raise SourceError(f"{path} can't be read: {error}.", "Name a picture file.") from error
        usable = [face for face, standing in enumerate(analysis.triage.standings) if standing != "aside"]
        for face, one in zip(usable, assigner.assign_many(analysis.vectors[usable]), strict=True):
            box = tuple(round(float(value), 1) for value in analysis.faces.boxes[face])
            person = None if one.label is None else int(known.ids[one.label])
            nearest = None if one.nearest is None else int(known.ids[one.nearest])
            found.append(Identified(path, box, person, nearest, one.similarity, one.probability))
    return found


def pair_table(store: Store, recipe: str, *, most: int) -> pl.DataFrame:
    """See `Library.likely_pairs`.

    Raises:
        LibraryError: the library was not grouped by faces.
    """
    import polars as pl

    from unmingle.grouping.confidence import likely_pairs

    known = known_people(store, recipe)
    pairs, chance = likely_pairs(*known.means(), library_curve(store, recipe), scale=known.scale, most=most)
    one, other = (known.ids[pairs[:, side]] for side in (0, 1))
    return pl.DataFrame({"person": one, "other": other, "probability": chance.round(4)})


def _decoded(path: Path) -> U8:
    from unmingle.sources.images import PictureFile, read_picture

    return read_picture(PictureFile(str(path.parent.absolute()), path.name))


def known_people(store: Store, recipe: str) -> KnownPeople:
    """The people of a library and their faces.

    Raises:
        LibraryError: it was not grouped by faces.
    """
    scale = known_scale(store)
    faces = faces_to_group(store, recipe)
    person_n = persons_now(store.connection, faces.ids)
    member = np.flatnonzero(person_n != ALONE)
    ids, labels = np.unique(person_n[member], return_inverse=True)
    return KnownPeople(faces.vectors[member], labels.astype(np.int64), ids, scale)
