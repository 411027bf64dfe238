"""Small square pictures of faces, made once, while the original is in memory anyway."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image

from unmingle.errors import PictureError

if TYPE_CHECKING:
    from unmingle.records import F32, F64, I64, U8

SIDE = 112  # pixels
FACE_MARGIN = 0.25  # of the box's longer side, added on each side: hair and chin help people to recognise
JPEG_QUALITY = 85
BACKGROUND = (236, 236, 236)  # where the square reaches over the border


def thumbnail(picture_hw3: U8, box: F32, *, margin: float) -> bytes:
    """A square JPEG around a box.

    Args:
        picture_hw3: (h, w, 3) uint8 RGB.
        box: left, top, width, height in pixels.
        margin: added on each side, as a share of the box's longer side.
    """
    left, top, width, height = (float(value) for value in box)
    rows, columns = picture_hw3.shape[:2]
    middle = np.array([left + width / 2, top + height / 2])
    # Near a border the margin gives way, so that the face stays in the middle and fills the square.
    least = max(width, height, 1.0)
    reach = 2 * min(*middle, *(np.array([columns, rows]) - middle))
    side = min(least * (1 + 2 * margin), max(least, reach))
    corner = middle - side / 2
    low = np.clip(np.floor(corner), 0, [columns, rows]).astype(int)
    high = np.clip(np.ceil(corner + side), 0, [columns, rows]).astype(int)
    small = _small(picture_hw3, corner, side, low, high)
    _, jpeg = cv2.imencode(".jpg", small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return bytes(jpeg)


def _small(picture_hw3: U8, corner: F64, side: float, low: I64, high: I64) -> U8:
    """The square at `corner`, in SIDE pixels; what lies over the border is background."""
    small = np.full((SIDE, SIDE, 3), BACKGROUND, np.uint8)
    if (high > low).all():
        scale = SIDE / side
        at = np.clip(np.rint((low - corner) * scale), 0, SIDE - 1).astype(int)
        to = np.clip(np.rint((high - corner) * scale), at + 1, SIDE).astype(int)
        part = picture_hw3[low[1] : high[1], low[0] : high[0]]
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        small[at[1] : to[1], at[0] : to[0]] = cv2.resize(
            part, (int(to[0] - at[0]), int(to[1] - at[1])), interpolation=way
        )
    return small


def open_thumbnail(jpeg: bytes) -> U8:
    """(112, 112, 3) uint8 RGB of a stored thumbnail.

    Raises:
        PictureError: it is no JPEG.
    """
    picture_bgr = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR) if jpeg else None
    if picture_bgr is None:
        raise PictureError("the stored thumbnail is damaged")
    return np.asarray(picture_bgr[..., ::-1], np.uint8)


def show_thumbnail(jpeg: bytes) -> Image.Image:
    """A stored thumbnail as a picture; one that is damaged is an empty square, and costs no other its place."""
    try:
        return Image.fromarray(open_thumbnail(jpeg))
    except PictureError:
        return Image.new("RGB", (SIDE, SIDE), BACKGROUND)
