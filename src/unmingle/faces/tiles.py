"""Small faces in large photographs: the picture at a finer scale, tile by tile.

A photograph of 24 megapixels holds faces of 30 pixels that are six pixels wide when the whole is looked at. The
detector finds four of five faces of 12 pixels, and nineteen of twenty from 14 on (benchmarks/photographs.py). So a
picture that the looks at the whole shrink too far is looked at again at a scale at which a face of 24 pixels keeps 16,
in overlapping tiles. The overlap is wider than the largest face that the looks at the whole could miss: whatever face
is cut by one tile's border lies whole in the next tile, or is large enough to be seen without tiles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from unmingle.faces.looks import PIXELS_AT_ONCE, WIDE, in_picture, merged
from unmingle.models import yunet

if TYPE_CHECKING:
    from unmingle.models.runtime import Session
    from unmingle.records import F32, U8, Bool, Faces
    from unmingle.settings import DetectionSettings

SCALE = 2 / 3  # of the picture: a face of 24 pixels keeps 16
LARGEST = 1024  # pixels, the side of a tile on its canvas
OVERLAP = 128  # pixels on the canvas, of neighbouring tiles
BORDER = 8  # pixels on the canvas: a box that comes so near to a border inside the picture may be of a face that is cut


@dataclass(frozen=True, slots=True)
class Tile:
    """A part of a picture: left, top, width and height in its pixels, and whether each border is the picture's own."""

    left: int
    top: int
    width: int
    height: int
    ends: tuple[bool, bool, bool, bool]  # left, top, right, bottom


def wants_tiles(picture: U8) -> bool:
    """Whether the looks at the whole picture shrink it more than `SCALE`."""
    return bool(max(picture.shape[:2]) * SCALE > max(look.side for _, look in WIDE))


def tiles(width: int, height: int) -> list[Tile]:
    """Tiles that cover a picture, row by row, all of one size.

    Args:
        width: of the picture, pixels.
        height: of the picture, pixels.
    """
    columns, rows = _spans(width), _spans(height)
    return [
        Tile(left, top, wide, high, (left == 0, top == 0, left + wide == width, top + high == height))
        for top, high in rows
        for left, wide in columns
    ]


def _spans(length: int) -> list[tuple[int, int]]:
    """Start and length of as few equal, evenly spread parts of a side as the largest tile and the overlap allow."""
    largest, overlap = round(LARGEST / SCALE), round(OVERLAP / SCALE)
    count = max(1, -(-(length - overlap) // (largest - overlap)))
    extent = -(-(length + (count - 1) * overlap) // count)
    starts = np.linspace(0, length - extent, count).round().astype(int)
    return [(int(start), extent) for start in starts]


def look_closer(session: Session, picture: U8, settings: DetectionSettings) -> Faces:
    """The faces that a large picture shows at `SCALE`, each once, in its pixels.

    Args:
        session: the detector's.
        picture: (h, w, 3) uint8 RGB.
        settings: what counts as a face; candidates below its least score are not returned.
    """
    parts = tiles(picture.shape[1], picture.shape[0])
    high, wide = (round(side * SCALE) for side in (parts[0].height, parts[0].width))
    size = (-(-high // 64) * 64, -(-wide // 64) * 64, 3)
    scale = np.array([wide / parts[0].width, high / parts[0].height], np.float32)
    step = max(1, PIXELS_AT_ONCE // (size[0] * size[1]))
    found = []
    for start in range(0, len(parts), step):
        some = parts[start : start + step]
        canvases = np.zeros((len(some), *size), np.uint8)
        for canvas, tile in zip(canvases, some, strict=True):
            part = picture[tile.top : tile.top + tile.height, tile.left : tile.left + tile.width]
            canvas[:high, :wide] = cv2.resize(part, (wide, high), interpolation=cv2.INTER_AREA)
        seen = yunet.detect(session, canvases, min_score=settings.min_score, max_overlap=settings.max_overlap)
        for faces, tile in zip(seen, some, strict=True):
            shift = -scale * np.array([tile.left, tile.top], np.float32)
            found.append(in_picture(faces.take(whole(faces.boxes, tile.ends, wide, high)), scale, shift))
    return merged(found, settings.max_overlap)


def whole(boxes: F32, ends: tuple[bool, bool, bool, bool], width: int, height: int) -> Bool:
    """(n,) which faces of a tile are seen whole, as far as the picture shows them.

    Args:
        boxes: (n, 4) on the tile's canvas.
        ends: which borders are the picture's own, see `Tile`: a face may reach over these.
        width: of the tile on its canvas.
        height: of the tile on its canvas.
    """
    inside = np.stack(
        [
            boxes[:, 0] >= BORDER,
            boxes[:, 1] >= BORDER,
            boxes[:, 0] + boxes[:, 2] <= width - BORDER,
            boxes[:, 1] + boxes[:, 3] <= height - BORDER,
        ],
        axis=1,
    )
    return np.asarray((inside | np.array(ends)).all(axis=1))
