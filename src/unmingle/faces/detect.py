"""Which faces a picture holds: looks at several scales, and whether the picture is one cut-out face.

YuNet finds faces of about 10 to 300 pixels. A tight crop is therefore looked at small and with a margin around it (a
face that fills the picture, or touches its border, then lies inside the canvas), a photograph also at larger scales.
A picture in which the first looks found nothing sure gets a second, closer look.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from unmingle.faces.landmarks import read_again
from unmingle.models import yunet
from unmingle.records import Faces

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unmingle.models.runtime import Session
    from unmingle.records import F32, U8
    from unmingle.settings import DetectionSettings

CANDIDATE_SCORE = 0.3  # what is seen below min_score only explains why a picture was left out
SURE_SCORE = 0.8  # a best face below this is worth a second look
CONTAINED = 0.6  # two looks saw the same face if this much of the smaller box lies in the larger

# When a picture is one cut-out face. A cutter that adds at most half the face's size on every side leaves at least a
# quarter of the picture to the face, in its middle.
CROP_AREA = 0.25  # of the picture that the face's box covers
CROP_OFFSET = 0.2  # of the picture's side, between the face's centre and the picture's
RIVAL_AREA = 0.5  # of the main face's area: a smaller neighbour doesn't make a crop a photograph
CUT_OFF = 0.15  # of a box beyond the border: a larger neighbour that is cut off doesn't either


@dataclass(frozen=True, slots=True)
class Look:
    """One scale to look at: the picture's longer side becomes `side` pixels, with a margin of `margin` × side."""

    side: int
    margin: float


NEAR = Look(224, 0.07)
SECOND = (Look(128, 0.25), Look(320, 0.25))
WIDE = ((360, Look(608, 0.05)), (900, Look(1216, 0.05)))  # from this longer side on, look so as well

PIXELS_AT_ONCE = 16 * 256 * 256  # canvas pixels in one call of the network: bounds its memory


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The faces kept of one picture, and why others (or all) were not.

    Attributes:
        faces: the one that the picture is about first, then by falling score; in a crop only its own face.
        best: the highest confidence seen, also when too low to count.
        neighbours: faces dropped because the picture is one person's crop.
    """

    faces: Faces
    best: float
    neighbours: int


def find_faces(session: Session, pictures: Sequence[U8], settings: DetectionSettings) -> list[Found]:
    """Find the faces of each picture.

    Args:
        session: the detector's, from `yunet.open_yunet`.
        pictures: (h, w, 3) uint8 RGB each, of any sizes.
        settings: what counts as a face.
    """
    seen = _look(session, pictures, [_first_looks(picture) for picture in pictures], settings)
    unsure = [i for i, faces in enumerate(seen) if not len(faces) or faces.scores[0] < SURE_SCORE]
    again = _look(session, [pictures[i] for i in unsure], [list(SECOND)] * len(unsure), settings)
    for i, faces in zip(unsure, again, strict=True):
        seen[i] = _merged([seen[i], faces], settings.max_overlap)
    judged = [_judged(faces, picture, settings) for faces, picture in zip(seen, pictures, strict=True)]
    better = read_again(session, pictures, [found.faces for found in judged])
    return [replace(found, faces=faces) for found, faces in zip(judged, better, strict=True)]


def is_crop(faces: Faces, width: int, height: int) -> bool:
    """Whether a picture is the cut-out of its first face: large, central, and without an equal beside it."""
    if not len(faces):
        return False
    main = int(np.argmax(faces.boxes[:, 2] * faces.boxes[:, 3]))
    left, top, w, h = faces.boxes[main]
    central = (
        abs(left + w / 2 - width / 2) <= CROP_OFFSET * width and abs(top + h / 2 - height / 2) <= CROP_OFFSET * height
    )
    large = w * h >= CROP_AREA * width * height
    rivals = [i for i in range(len(faces)) if i != main and _is_rival(faces.boxes[i], w * h, width, height)]
    return bool(central and large and not rivals)


def _is_rival(box: F32, main_area: float, width: int, height: int) -> bool:
    left, top, w, h = box
    inside = max(0.0, min(left + w, width) - max(left, 0)) * max(0.0, min(top + h, height) - max(top, 0))
    return bool(w * h >= RIVAL_AREA * main_area and inside >= (1 - CUT_OFF) * w * h)


def _first_looks(picture: U8) -> list[Look]:
    longer = max(picture.shape[:2])
    return [NEAR, *(look for least, look in WIDE if longer >= least)]


def _judged(seen: Faces, picture: U8, settings: DetectionSettings) -> Found:
    best = float(seen.scores[0]) if len(seen) else 0.0
    faces = seen.take(seen.scores >= settings.min_score)
    height, width = picture.shape[:2]
    crop = settings.crops == "always" or (settings.crops == "auto" and is_crop(faces, width, height))
    if not len(faces):
        return Found(faces, best, 0)
    main = _main_face(faces, width, height)
    if crop:
        return Found(faces.take(np.array([main])), best, len(faces) - 1)
    rest = np.arange(len(faces))
    return Found(faces.take(np.concatenate([[main], rest[rest != main]])), best, 0)


def _main_face(faces: Faces, width: int, height: int) -> int:
    """The face that a picture is about, or that a crop was cut for: large and near the middle."""
    centres = faces.boxes[:, :2] + faces.boxes[:, 2:] / 2
    offset = np.abs(centres / np.array([width, height]) - 0.5).max(axis=1)
    area = faces.boxes[:, 2] * faces.boxes[:, 3]
    return int(np.argmax(area * np.clip(1 - offset, 0.1, 1) ** 2))


def _look(
    session: Session, pictures: Sequence[U8], looks: Sequence[Sequence[Look]], settings: DetectionSettings
) -> list[Faces]:
    """What each picture shows over all its looks; canvases of one size go through the network together."""
    by_size = defaultdict(list)
    for i, picture in enumerate(pictures):
        for look in looks[i]:
            by_size[_canvas_size(picture, look)].append((i, look))
    seen: list[list[Faces]] = [[] for _ in pictures]
    for (height, width), wanted in by_size.items():
        step = max(1, PIXELS_AT_ONCE // (height * width))
        for start in range(0, len(wanted), step):
            part = wanted[start : start + step]
            canvases = [_canvas(pictures[i], look, height, width) for i, look in part]
            detected = yunet.detect(
                session,
                np.stack([canvas for canvas, _, _ in canvases]),
                min_score=CANDIDATE_SCORE,
                max_overlap=settings.max_overlap,
            )
            for (i, _), (_, scale, shift), faces in zip(part, canvases, detected, strict=True):
                seen[i].append(_in_picture(faces, scale, shift))
    return [_merged(faces, settings.max_overlap) for faces in seen]


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


def _in_picture(faces: Faces, scale: F32, shift: F32) -> Faces:
    corner = (faces.boxes[:, :2] - shift) / scale
    boxes = np.concatenate([corner, faces.boxes[:, 2:] / scale], axis=1)
    return Faces(boxes.astype(np.float32), ((faces.points - shift) / scale).astype(np.float32), faces.scores)


def _merged(seen: Sequence[Faces], max_overlap: float) -> Faces:
    """The faces of several looks, each once: the surest sighting of it."""
    together = Faces(
        np.concatenate([Faces.none().boxes, *(faces.boxes for faces in seen)]),
        np.concatenate([Faces.none().points, *(faces.points for faces in seen)]),
        np.concatenate([Faces.none().scores, *(faces.scores for faces in seen)]),
    )
    return together.take(yunet.suppress(together, max_overlap, contained=CONTAINED))
