"""A recipe turns pictures into faces with embeddings. There are two: faces (the default) and the seed's classic one.

A recipe is a pure function of the picture, its settings and its models; `key` names all three, so what it found is
stored under the picture's content and that key, and never computed twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from unmingle.faces.align import align
from unmingle.faces.detect import Found, find_faces
from unmingle.faces.quality import quality, reasons_to_set_aside
from unmingle.faces.thumbnail import FACE_MARGIN, thumbnail
from unmingle.models.catalogue import PREPARATION, SFACE, YUNET
from unmingle.models.runtime import resolve_precision
from unmingle.models.sface import embed, open_sface
from unmingle.models.yunet import open_yunet
from unmingle.records import Analysis, Faces
from unmingle.settings import ClassicSettings, DetectionSettings, EngineSettings, fingerprint

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from unmingle.models.runtime import Session
    from unmingle.records import F32, U8

# Part of the key: raise it when a change to this room changes what is found.
VERSION = 2
FACES_AT_ONCE = 32


class RecipeRunner(Protocol):
    """What the pipeline asks of a recipe."""

    @property
    def key(self) -> str:
        """Names the models, settings and preparation: the same key finds the same faces."""
        ...

    @property
    def precision(self) -> str:
        """Of the arithmetic: f32 or bf16."""
        ...

    def analyse(self, pictures: Sequence[U8]) -> list[Analysis]:
        """Find and embed the faces of each (h, w, 3) uint8 RGB picture."""
        ...


class FaceRecipe:
    """YuNet, alignment, SFace."""

    def __init__(self, detection: DetectionSettings, engine: EngineSettings) -> None:
        self._detection = detection
        self.key = f"faces-{fingerprint(detection, YUNET.sha256, SFACE.sha256, PREPARATION, VERSION)}"
        self.precision: str = resolve_precision(engine.precision)
        # The detector always runs in float32: it takes a small part of the time, and boxes want all their digits.
        self._detector = open_yunet(engine=engine.engine, precision="f32", threads=engine.threads)
        self._embedder = open_sface(engine=engine.engine, precision=engine.precision, threads=engine.threads)

    def analyse(self, pictures: Sequence[U8]) -> list[Analysis]:
        """Find and embed the faces of each picture; faces of all pictures share batches."""
        found = find_faces(self._detector, pictures, self._detection)
        reasons = [reasons_to_set_aside(one.faces, self._detection) for one in found]
        owners = [(i, points) for i, one in enumerate(found) for points in one.faces.points]
        vectors = np.zeros((len(owners), SFACE.dimension), np.float32)
        # A face that won't be grouped needs no embedding; its vector stays zero.
        wanted = np.flatnonzero([not reason for of_picture in reasons for reason in of_picture])
        for start in range(0, len(wanted), FACES_AT_ONCE):
            part = wanted[start : start + FACES_AT_ONCE]
            aligned = np.stack([align(pictures[owners[face][0]], owners[face][1]) for face in part])
            vectors[part] = embed(self._embedder, aligned)
        ends = np.cumsum([len(one.faces) for one in found])
        each = np.split(vectors, ends[:-1]) if found else []
        return [self._analysis(*parts) for parts in zip(pictures, found, each, reasons, strict=True)]

    def _analysis(self, picture: U8, found: Found, vectors: F32, reasons: tuple[str, ...]) -> Analysis:
        return Analysis(
            width=picture.shape[1],
            height=picture.shape[0],
            faces=found.faces,
            vectors=vectors,
            quality=quality(found.faces),
            thumbnails=tuple(thumbnail(picture, box, margin=FACE_MARGIN) for box in found.faces.boxes),
            reasons=reasons,
            reason=_why(found, self._detection),
        )


def _why(found: Found, settings: DetectionSettings) -> str:
    if len(found.faces):
        more = f"{found.neighbours} more face{'s' if found.neighbours > 1 else ''} at its edge left out"
        return f"taken as the crop of one face; {more}" if found.neighbours else ""
    if not found.best:
        return "no face found"
    return f"no face found: the best candidate scores {found.best:.2f}, {settings.min_score:.2f} is needed"


class ClassicRecipe:
    """The seed's recipe: the whole picture is the face, VGG16 describes it."""

    def __init__(self, classic: ClassicSettings, engine: EngineSettings, graph: Path, checksum: str) -> None:
        from unmingle.models.runtime import open_session

        self.key = f"classic-{fingerprint(classic.features, checksum, PREPARATION, VERSION)}"
        self.precision: str = resolve_precision(engine.precision)
        self._session: Session = open_session(
            graph, engine=engine.engine, precision=engine.precision, threads=engine.threads
        )

    def analyse(self, pictures: Sequence[U8]) -> list[Analysis]:
        """Describe each whole picture."""
        from unmingle.models.vgg16 import BATCH, to_224

        found: list[Analysis] = []
        for start in range(0, len(pictures), BATCH):
            part = pictures[start : start + BATCH]
            (features_nd,) = self._session(np.stack([to_224(picture) for picture in part])).values()
            found.extend(_whole(picture, vector[None]) for picture, vector in zip(part, features_nd, strict=True))
        return found


def _whole(picture: U8, vectors: F32) -> Analysis:
    height, width = picture.shape[:2]
    box = np.array([[0, 0, width, height]], np.float32)
    faces = Faces(box, np.full((1, 5, 2), np.nan, np.float32), np.ones(1, np.float32))
    return Analysis(
        width=width,
        height=height,
        faces=faces,
        vectors=vectors,
        quality=np.ones(1, np.float32),
        thumbnails=(thumbnail(picture, box[0], margin=0.0),),
        reasons=("",),
    )
