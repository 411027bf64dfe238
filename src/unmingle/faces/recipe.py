"""A recipe turns pictures into faces with embeddings. There are two: faces (the default) and the seed's classic one.

A recipe is a pure function of the picture, its settings and its models; `key` names all three, so what it found is
stored under the picture's content and that key, and never computed twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np

from unmingle.errors import ModelError
from unmingle.faces.align import FACE_MARGIN, align, thumbnail
from unmingle.faces.detect import Detected, Scale, at_scales, find_faces
from unmingle.faces.duplicates import fingerprint as of_picture
from unmingle.faces.quality import Measures, measure, quality, triage
from unmingle.faces.rotation import read_again
from unmingle.files import stamp
from unmingle.models import embedding
from unmingle.models.embedding import open_embedder
from unmingle.models.graphs import PREPARATION
from unmingle.models.registry import DLIB, SFACE, YUNET, Calibration, Card, downloaded_file
from unmingle.models.runtime import Session, open_session
from unmingle.models.yunet import open_yunet
from unmingle.records import F32, U8, Analysis, Faces, Triage
from unmingle.settings import ClassicSettings, DetectionSettings, EngineSettings, fingerprint
from unmingle.sources.pyramid import Pyramid, shrunk

# Part of the key: raise it when a change to this room changes what is found.
VERSION = 6
FACES_AT_ONCE = 32
EVENED = "hardly a face: the detector sees it only with even contrast"


class RecipeRunner(Protocol):
    """What the pipeline asks of a recipe."""

    key: str  # names the models, settings and preparation: the same key finds the same faces

    @property
    def precision(self) -> str:
        """Of the arithmetic: f32, bf16 or int8; whatever is the matter with a network is raised here."""

    def analyse(self, pictures: Sequence[U8 | Pyramid]) -> list[Analysis]:
        """Find and embed the faces of each (h, w, 3) uint8 RGB picture."""


class FaceRecipe:
    """YuNet, alignment, SFace or another embedding.

    SFace runs in both cases: what it sees on its way tells what is covered and what is no face. ModelError if the
    embedding can't be used, or was never calibrated. Detector and SFace are opened when they, or `precision`, are
    first needed: where all pictures are known, nobody waits for that.
    """

    def __init__(self, detection: DetectionSettings, engine: EngineSettings, model: Card = SFACE) -> None:
        self._other = None if model.name == SFACE.name else open_embedder(model, engine)
        self._wide = model.name == DLIB.name
        if model.calibration is None:
            raise ModelError(
                f"It is not known how similar strangers are to {model.name}.",
                f"Measure it: unmingle models calibrate {model.name}",
            )
        self._detection, self._engine = detection, engine
        self.key = key_of(detection, model)
        self.min_score = detection.min_score
        self.calibration: Calibration | None = model.calibration
        self._dimension = model.dimension

    @cached_property
    def _networks(self) -> tuple[Session, Session, Session]:
        """The detector, the one that finds, and SFace."""
        engine = self._engine
        detector = finder = open_yunet(replace(engine, precision="f32"))
        sface = embedding.open_sface(engine)
        # What it finds is read again before it is embedded: so bf16 may move its landmarks.
        if sface.precision != "f32":
            finder = open_yunet(replace(engine, precision="auto") if engine.precision == "int8" else engine)
        return detector, finder, sface

    @property
    def precision(self) -> str:
        """See `RecipeRunner`."""
        return self._networks[-1].precision

    def analyse(self, pictures: Sequence[U8 | Pyramid]) -> list[Analysis]:
        """Find and embed the faces of each picture."""
        pyramids = [Pyramid.of(picture) for picture in pictures]
        detector, finder, _ = self._networks
        seen = find_faces(detector, pyramids, self._detection, finder=finder)
        # Grouping may find out whose a face is that the detector is not sure of.
        found = self.describe(pyramids, [one if len(one.faces) else replace(one, faces=one.candidate) for one in seen])
        return [
            replace(one, fingerprint=of_picture(picture)) if len(one.faces) else one
            for picture, one in zip(pyramids, found, strict=True)
        ]

    def describe(self, pictures: Sequence[Pyramid], found: Sequence[Detected]) -> list[Analysis]:
        """Embed and judge the faces that were found in each picture; faces of all pictures share batches."""
        owners = [(i, points) for i, one in enumerate(found) for points in one.faces.points]
        seen_in = [one.evened or picture for picture, one in zip(pictures, found, strict=True)]
        vectors = np.zeros((len(owners), self._dimension), np.float32)
        parts: list[Measures] = []
        for start in range(0, len(owners), FACES_AT_ONCE):
            part = owners[start : start + FACES_AT_ONCE]
            aligned = np.stack([align(seen_in[picture], points) for picture, points in part])
            seen, bands = embedding.describe(self._networks[-1], aligned)
            if self._other is not None:
                wide = np.stack([align(seen_in[i], points, wide=True) for i, points in part]) if self._wide else aligned
                seen = self._other(wide)
            vectors[start : start + len(part)] = seen
            parts.append(measure(np.stack([points for _, points in part]), aligned, bands))
        measures = Measures.together(parts)
        analyses, end = [], 0
        for picture, one in zip(pictures, found, strict=True):
            start, end = end, end + len(one.faces)
            measured = measures.take(slice(start, end))
            judged = triage(measured, one.faces.scores, self._detection)
            if one.evened is not None and judged.standings == ("join",):
                judged = Triage.alike(1, "join", "not_a_face", EVENED)
            analyses.append(
                Analysis(
                    width=picture.width,
                    height=picture.height,
                    faces=one.faces,
                    vectors=vectors[start:end],
                    quality=quality(one.faces, measured),
                    thumbnails=tuple(thumbnail(picture, box, margin=FACE_MARGIN) for box in one.faces.boxes),
                    triage=judged,
                    reason=_why(one, self._detection),
                )
            )
        return analyses

    def detect_each(self, pictures: Sequence[U8], sides: Sequence[int]) -> list[Faces]:
        """The faces of frames of a recording, each looked at once, with its longer side at most at so many pixels.

        Those below `min_score` too: tracking knows who was there.
        """
        small = [Pyramid(shrunk(picture, side)) for picture, side in zip(pictures, sides, strict=True)]
        scales = [[Scale(max(one.width, one.height), 0.0)] for one in small]
        seen = at_scales(self._networks[1], small, scales, self._detection)
        return [
            faces.scaled(picture.shape[1] / one.width)
            for faces, picture, one in zip(seen, pictures, small, strict=True)
        ]

    def describe_faces(self, pictures: Sequence[U8], faces: Sequence[Faces]) -> list[Analysis]:
        """Embed and judge these faces of each picture, after a second reading of their landmarks."""
        pyramids = [Pyramid(picture) for picture in pictures]
        again = read_again(self._networks[0], pyramids, faces)
        return self.describe(pyramids, [Detected(one, float(one.scores.max(initial=0)), 0) for one in again])


def face_recipe(detection: DetectionSettings, engine: EngineSettings, model: Card) -> FaceRecipe:
    """The faces recipe; one that was asked for last is not loaded again."""
    # Its file may be gone, or another, since.
    return _loaded(detection, engine, model, stamp(downloaded_file(model)))


@lru_cache(maxsize=1)
def _loaded(detection: DetectionSettings, engine: EngineSettings, model: Card, changed: tuple[int, int]) -> FaceRecipe:
    del changed
    recipe = FaceRecipe(detection, engine, model)
    _ = recipe.precision  # not by two threads at once
    return recipe


def key_of(detection: DetectionSettings, model: Card) -> str:
    """The key of the faces recipe with these settings and this embedding."""
    # SFace's is as it was before there were others, so that older libraries are not analysed again.
    more = () if model.name == SFACE.name or model.intake is None else (model.sha256, model.intake)
    return f"faces-{fingerprint(detection, YUNET.sha256, SFACE.sha256, *more, PREPARATION, VERSION)}"


def _why(found: Detected, settings: DetectionSettings) -> str:
    if len(found.faces):
        more = f"{found.neighbours} more face{'s' if found.neighbours > 1 else ''} at its edge left out"
        return f"taken as the crop of one face; {more}" if found.neighbours else ""
    if not found.best:
        return "no face found"
    return f"no face found: the best candidate scores {found.best:.2f}, {settings.min_score:.2f} is needed"


class ClassicRecipe:
    """The seed's recipe: the whole picture is the face, VGG16 describes it."""

    def __init__(self, classic: ClassicSettings, engine: EngineSettings, graph: Path, checksum: str) -> None:
        self.key = f"classic-{fingerprint(classic.features, checksum, PREPARATION, VERSION)}"
        self._session = open_session(graph, engine)
        self.precision: str = self._session.precision

    def analyse(self, pictures: Sequence[U8 | Pyramid]) -> list[Analysis]:
        """Describe each whole picture."""
        from unmingle.models.vgg16 import BATCH, to_224

        full = [Pyramid.of(picture).full() for picture in pictures]
        found: list[Analysis] = []
        for start in range(0, len(full), BATCH):
            part = full[start : start + BATCH]
            features_nd = next(iter(self._session(np.stack([to_224(picture) for picture in part])).values()))
            found.extend(_whole(picture, vector[None]) for picture, vector in zip(part, features_nd, strict=True))
        return found


def _whole(picture: U8, vectors: F32) -> Analysis:
    height, width = picture.shape[:2]
    box = np.array([[0, 0, width, height]], np.float32)
    return Analysis(
        width=width,
        height=height,
        faces=Faces(box, np.full((1, 5, 2), np.nan, np.float32), np.ones(1, np.float32)),
        vectors=vectors,
        quality=np.ones(1, np.float32),
        thumbnails=(thumbnail(picture, box[0], margin=0.0),),
        triage=Triage.alike(1),
    )
