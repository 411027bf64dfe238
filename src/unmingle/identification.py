"""Whose face is it: faces of pictures that are not added, among the people of a library."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unmingle import html
from unmingle.errors import LibraryError, PictureError, SourceError
from unmingle.faces.align import FACE_MARGIN, thumbnail
from unmingle.faces.recipe import face_recipe
from unmingle.grouping.adaptation import curve_of_others
from unmingle.grouping.attach import Assigner
from unmingle.grouping.confidence import label_means, likely_pairs
from unmingle.records import U8
from unmingle.settings import DetectionSettings, EngineSettings
from unmingle.sources.images import PictureFile, read_picture
from unmingle.store.face_rows import faces_of_people, owners_by_face
from unmingle.store.facts import adaptation_of, card_curve, check_begun, known_scale, library_curve, model_of, noted
from unmingle.store.sqlite import Store

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Identified:
    """Whose face a picture shows."""

    picture: Path  # the file
    box: tuple[float, ...]  # left, top, width, height of the face in pixels
    person: int | None  # whose it is; None: nobody of the library
    nearest: int | None  # the person it is most like, whether enough or not
    similarity: float  # average cosine to the faces of `nearest`
    probability: float  # that it is a face of `nearest`, 0 to 1

    def _repr_html_(self) -> str:
        whose = "nobody of the library" if self.person is None else f"Person {self.person}"
        nearest = "nobody" if self.nearest is None else f"Person {self.nearest}"
        rows = [
            ("most like", nearest),
            ("similarity, probability", f"{self.similarity:.2f}, {self.probability:.2f}"),
            ("picture", self.picture.name),
            ("box", ", ".join(f"{value:g}" for value in self.box)),
        ]
        picture = []
        with suppress(PictureError):  # it is gone since
            jpeg = thumbnail(_decoded(self.picture), np.array(self.box, np.float32), margin=FACE_MARGIN)
            picture.append(html.faces([jpeg], of=whose, side=112))
        return html.block(html.heading(whose), *picture, html.table(rows))


@dataclass(frozen=True, slots=True)
class Found:
    """What one file shows."""

    picture: Path  # the file
    faces: tuple[Identified, ...]
    left_out: tuple[str, ...]  # why each of its other faces is compared with nobody
    problem: str = ""  # why the file can't be read


class Identifier:
    """The networks and people of a library, read once; LibraryError if it was made with other settings."""

    def __init__(
        self, store: Store, detection: DetectionSettings | None = None, engine: EngineSettings | None = None
    ) -> None:
        check_begun(store)
        detection = detection or noted(store, DetectionSettings) or DetectionSettings()
        self._runner = face_recipe(detection, engine or EngineSettings(), model_of(store))
        if store.recipe != self._runner.key:
            raise LibraryError(
                f"{store.folder} was made with another recipe or other settings.", "Use the settings it was made with."
            )
        self._owners = owners_by_face(store.connection, "member")
        raw_nd, labels_n, self._ids = faces_of_people(store, raw=True)
        self._adapted = adapted = adaptation_of(store)
        if adapted is None or not len(raw_nd):
            vectors_nd, curve = raw_nd, card_curve(store)
        else:
            vectors_nd, curve = adapted.apply(raw_nd), curve_of_others(raw_nd, labels_n, adapted)
        self._assigner = Assigner(vectors_nd, labels_n, curve, scale=known_scale(store))

    def is_current(self, store: Store) -> bool:
        """Whether faces are with whom they were, in a library to which nothing but decisions came."""
        return all(map(np.array_equal, self._owners, owners_by_face(store.connection, "member")))

    def find(self, path: Path, picture: U8 | None = None) -> Found:
        """What a picture shows, or why it can't be read; picture: what the file holds, if that is known."""
        try:
            (analysis,) = self._runner.analyse([_decoded(path) if picture is None else picture])
        except PictureError as error:
            return Found(path, (), (), str(error))
        triage, adapted = analysis.triage, self._adapted
        usable = [face for face, standing in enumerate(triage.standings) if standing != "aside"]
        new_md = analysis.vectors[usable]
        new_md = new_md if adapted is None or not usable else adapted.apply(new_md)
        faces = []
        for face, one in zip(usable, self._assigner.assign_many(new_md), strict=True):
            box = tuple(round(float(value), 1) for value in analysis.faces.boxes[face])
            person, nearest = (None if label is None else int(self._ids[label]) for label in (one.label, one.nearest))
            faces.append(Identified(path, box, person, nearest, one.similarity, one.probability))
        unusable = (why for why, standing in zip(triage.reasons, triage.standings, strict=True) if standing == "aside")
        return Found(path, tuple(faces), tuple(unusable))


def identify(
    store: Store, pictures: Iterable[Path], detection: DetectionSettings | None, engine: EngineSettings | None
) -> list[Identified]:
    """See `Library.identify`."""
    known, found = Identifier(store, detection, engine), list[Identified]()
    for one in map(known.find, pictures):
        if one.problem:
            raise SourceError(f"{one.picture} can't be read: {one.problem}.", "Name a picture file.")
        found.extend(one.faces)
    return found


def pair_table(store: Store, *, most: int) -> pl.DataFrame:
    """See `Library.likely_pairs`."""
    import polars as pl

    scale, curve = known_scale(store), library_curve(store)
    vectors_nd, labels_n, ids = faces_of_people(store)
    pairs, chance = likely_pairs(*label_means(vectors_nd, labels_n), curve, scale=scale, most=most)
    one, other = (ids[pairs[:, side]] for side in (0, 1))
    return pl.DataFrame({"person": one, "other": other, "probability": chance.round(4)})


def _decoded(path: Path) -> U8:
    return read_picture(PictureFile(str(path.parent.absolute()), path.name))
