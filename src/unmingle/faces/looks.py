"""Looking at pictures at several scales: each look is a canvas for the detector, what it sees is in picture pixels."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from unmingle.models import yunet
from unmingle.records import Faces

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unmingle.models.runtime import Session
    from unmingle.records import F32, U8
    from unmingle.settings import DetectionSettings

CANDIDATE_SCORE = 0.3  # what is seen below min_score only explains why a picture was left out
CONTAINED = 0.6  # two looks saw the same face if this much of the smaller box lies in the larger
PIXELS_AT_ONCE = 16 * 256 * 256  # canvas pixels in one call of the network: bounds its memory


@dataclass(frozen=True, slots=True)
class Look:
    """One scale to look at: the picture's longer side becomes `side` pixels, with a margin of `margin` × side."""

    side: int
    margin: float


NEAR = Look(224, 0.07)
SECOND = (Look(128, 0.25), Look(320, 0.25))
WIDE = ((360, Look(608, 0.05)), (900, Look(1216, 0.05)))  # from this longer side on, look so as well


def first_looks(picture: U8, *, largest: int = 1216) -> list[Look]:
    """How a picture is looked at first, by its size; looks of more than `largest` pixels are left out."""
    longer = max(picture.shape[:2])
    return [NEAR, *(look for least, look in WIDE if longer >= least and look.side <= largest)]


def look(
    session: Session, pictures: Sequence[U8], looks: Sequence[Sequence[Look]], settings: DetectionSettings
) -> list[Faces]:
    """What each picture shows over all its looks; canvases of one size go through the network together."""
    by_size = defaultdict(list)
    for i, picture in enumerate(pictures):
        for one in looks[i]:
            by_size[_canvas_size(picture, one)].append((i, one))
    seen: list[list[Faces]] = [[] for _ in pictures]
    for (height, width), wanted in by_size.items():
        step = max(1, PIXELS_AT_ONCE // (height * width))
        for start in range(0, len(wanted), step):
            part = wanted[start : start + step]
            canvases = [_canvas(pictures[i], one, height, width) for i, one in part]
            detected = yunet.detect(
                session,
                np.stack([canvas for canvas, _, _ in canvases]),
                min_score=CANDIDATE_SCORE,
                max_overlap=settings.max_overlap,
            )
            for (i, _), (_, scale, shift), faces in zip(part, canvases, detected, strict=True):
                seen[i].append(in_picture(faces, scale, shift))
    return [merged(faces, settings.max_overlap) for faces in seen]


def _scaled(picture: U8, look: Look) -> tuple[int, int]:
    height, width = picture.shape[:2]
    scale = look.side / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def _canvas_size(picture: U8, look: Look) -> tuple[int, int]:
    """Sides in multiples of 64, so that few different sizes occur."""
    margin = 2 * look.margin * look.side
    height, width = (-(-int(side + margin) // 64) * 64 for side in _scaled(picture, look))
    return height, width


def _canvas(picture: U8, look: Look, height: int, width: int) -> tuple[U8, F32, F32]:
    """The picture in the middle of a black canvas; also its scale and shift there, both (2,) x, y."""
    rows, columns = _scaled(picture, look)
    way = cv2.INTER_AREA if rows < picture.shape[0] else cv2.INTER_LINEAR
    top, left = (height - rows) // 2, (width - columns) // 2
    canvas = np.zeros((height, width, 3), np.uint8)
    canvas[top : top + rows, left : left + columns] = cv2.resize(picture, (columns, rows), interpolation=way)
    scale = np.array([columns / picture.shape[1], rows / picture.shape[0]], np.float32)
    return canvas, scale, np.array([left, top], np.float32)


def in_picture(faces: Faces, scale: F32, shift: F32) -> Faces:
    """Faces of a canvas in the pixels of the picture that lies on it at `scale`, moved by `shift`, both (2,) x, y."""
    corner = (faces.boxes[:, :2] - shift) / scale
    boxes = np.concatenate([corner, faces.boxes[:, 2:] / scale], axis=1)
    return Faces(boxes.astype(np.float32), ((faces.points - shift) / scale).astype(np.float32), faces.scores)


def joined(parts: Sequence[Faces]) -> Faces:
    """All faces of several lists, in that order."""
    return Faces(
        np.concatenate([Faces.none().boxes, *(faces.boxes for faces in parts)]),
        np.concatenate([Faces.none().points, *(faces.points for faces in parts)]),
        np.concatenate([Faces.none().scores, *(faces.scores for faces in parts)]),
    )


def merged(seen: Sequence[Faces], max_overlap: float) -> Faces:
    """The faces of several looks, each once: the surest sighting of it."""
    together = joined(seen)
    return together.take(yunet.suppress(together, max_overlap, contained=CONTAINED))
