"""Trying a face embedding before it is trusted: on made-up faces, or on faces of one's own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from unmingle.errors import ModelError
from unmingle.faces.align import align
from unmingle.faces.detect import find_faces
from unmingle.grouping.calibrate import separation
from unmingle.models.cards import Intake
from unmingle.models.embedding import LEAST_DIMENSION, open_embedding
from unmingle.models.yunet import open_yunet
from unmingle.settings import DetectionSettings, EngineSettings
from unmingle.sources.decoding import decode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from unmingle.models.embedding import Embedder, OnnxEmbedder
    from unmingle.records import F32, I64, U8

PICTURES_AT_ONCE = 32
FACES_AT_ONCE = 32
COMPARED = 400  # faces on which ways of taking pixels are compared
CHANGED = 12  # faces that are also shown brighter and shifted
MADE_UP_FRAMES = 3  # pictures of each of the twelve made-up people
# The ways in which published embeddings take pixels, the most usual first: ArcFace's, OpenCV's, and from 0 to 1.
USUAL: tuple[Intake, ...] = tuple(
    Intake(colour=colour, mean=mean, scale=scale)
    for mean, scale in ((127.5, 127.5), (0.0, 1.0), (0.0, 255.0))
    for colour in ("rgb", "bgr")
)
CLEARLY = 1.05  # a way of taking pixels is worth naming if it separates people so many times better


@dataclass(frozen=True, slots=True, eq=False)
class KnownFaces:
    """n aligned faces of known people.

    aligned: (n, 112, 112, 3) uint8 RGB.
    people:  (n,) whose they are, from 0 on.
    origin:  where they are from, in words.
    made_up: whether nobody of them exists.
    """

    aligned: U8
    people: I64
    origin: str
    made_up: bool = False

    def some(self, most: int) -> KnownFaces:
        """About so many of the faces, of whole people."""
        if len(self.people) <= most:
            return self
        keep = self.people <= self.people[np.argsort(self.people, kind="stable")][most]
        return replace(self, aligned=self.aligned[keep], people=self.people[keep])


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of trying an embedding.

    Attributes:
        intake: how faces go in.
        dimension: of its vectors.
        separation: how far apart faces of one person and of two are, in standard deviations.
        better: a usual way of taking pixels that separates them clearly better; None if none does.
    """

    intake: Intake
    dimension: int
    separation: float
    better: Intake | None


@cache
def made_up_faces() -> KnownFaces:
    """Faces of the demo's people: nothing of anybody."""
    from unmingle.demo import pictures, plan_meeting

    crops = [crop for crop in plan_meeting(frames=MADE_UP_FRAMES) if crop.person > 0 and not crop.masked]
    found = aligned_faces((str(crop.person), decode(jpeg)) for crop, jpeg in pictures(crops))
    return replace(found, origin="made-up faces", made_up=True)


def aligned_faces(pictures: Iterable[tuple[str, U8]]) -> KnownFaces:
    """The main face of each picture, aligned; pictures without one are left out.

    Args:
        pictures: who is on it, and the picture, (h, w, 3) uint8 RGB.

    Raises:
        ModelError: there is no face at all.
    """
    detector, settings = open_yunet(precision="f32"), DetectionSettings(crops="always")
    faces: list[U8] = []
    names: list[str] = []
    for part in _parts(pictures, PICTURES_AT_ONCE):
        found = find_faces(detector, [picture for _, picture in part], settings)
        for (name, picture), one in zip(part, found, strict=True):
            if len(one.faces):
                faces.append(align(picture, one.faces.points[0]))
                names.append(name)
    if not faces:
        raise ModelError("There is no face to try a model on.", "Name a folder with one folder for each person.")
    return KnownFaces(np.stack(faces), np.unique(names, return_inverse=True)[1].astype(np.int64), "")


def _parts(pictures: Iterable[tuple[str, U8]], size: int) -> Iterator[list[tuple[str, U8]]]:
    part: list[tuple[str, U8]] = []
    for one in pictures:
        part.append(one)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part


def embed_all(embedder: Embedder, aligned_nhwc: U8) -> F32:
    """(n, d) vectors, some faces at a time."""
    starts = range(0, len(aligned_nhwc), FACES_AT_ONCE)
    return np.concatenate([embedder(aligned_nhwc[i : i + FACES_AT_ONCE]) for i in starts])


def try_model(file: Path, given: Intake | None, output: str, faces: KnownFaces) -> Trial:
    """Try an ONNX embedding on faces of known people.

    Args:
        file: the graph.
        given: how it takes pixels; None: the most usual way that separates people best.
        output: the name of the output that is the embedding; empty: the only one that can be.
        faces: to try it on.

    Raises:
        ModelError: it can't be run on faces, gives out what is no embedding, or makes no difference between people.
    """
    some = faces.some(COMPARED)
    ways = [replace(way, output=output) for way in (*((given,) if given else ()), *USUAL)]
    embedder = open_embedding(file, ways[0], EngineSettings(precision="f32"))
    reached: dict[Intake, float] = {}
    for way in dict.fromkeys(ways):
        vectors_nd = embed_all(replace(embedder, intake=way), some.aligned)
        if way == ways[0] or np.isfinite(vectors_nd).all():
            _check_vectors(vectors_nd, file)
            reached[way] = separation(vectors_nd, some.people)
    best = max(reached.values())
    usual = next(way for way in reached if reached[way] * CLEARLY >= best)  # of equals the most usual one
    taken = ways[0] if given else usual
    _check_likeness(replace(embedder, intake=taken), some, file)
    better = usual if reached[taken] * CLEARLY < reached[usual] else None
    return Trial(taken, vectors_nd.shape[1], reached[taken], better)


def _check_vectors(vectors_nd: F32, file: Path) -> None:
    """Raises ModelError unless these are embeddings."""
    if vectors_nd.shape[1] < LEAST_DIMENSION:
        raise ModelError(
            f"{file} makes {vectors_nd.shape[1]} numbers of a face, too few for an embedding.",
            "Name the right output, if there are several: --output NAME",
        )
    if not np.isfinite(vectors_nd).all():
        raise ModelError(f"{file} gives numbers that are none (NaN or infinite).", "Check how pixels must go in.")
    if float(np.ptp(vectors_nd, axis=0).max()) < 1e-4:
        raise ModelError(f"{file} gives the same for every face.", "Check how pixels must go in: --mean and --scale.")


def _check_likeness(embedder: OnnxEmbedder, faces: KnownFaces, file: Path) -> None:
    """Raises ModelError unless a face that is brighter, or shifted a little, is more like itself than like others."""
    step = max(1, len(faces.people) // CHANGED)
    shown, people_n = faces.aligned[::step], faces.people[::step]
    plain_nd = embed_all(embedder, shown)
    brighter = np.clip(shown.astype(np.int16) + 12, 0, 255).astype(np.uint8)
    shifted = np.roll(shown, 1, axis=2)
    cosines = plain_nd @ plain_nd.T
    different = float(cosines[people_n[:, None] != people_n[None]].mean())
    for changed, what in ((brighter, "brighter"), (shifted, "shifted by a pixel")):
        alike = float(np.sum(plain_nd * embed_all(embedder, changed), axis=1).mean())
        if not alike > different:
            raise ModelError(
                f"To {file}, a face is as much like others as like itself {what} ({embedder.intake}).",
                "Check how pixels must go in: --colour, --mean and --scale.",
            )
