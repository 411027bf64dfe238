"""Faces cut out of a picture: aligned by a similarity transform for the networks, and as thumbnails for people."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from unmingle.errors import PictureError
from unmingle.records import F32, F64, U8
from unmingle.sources.pyramid import Pyramid

SIDE = 112  # pixels, of an aligned face and of a thumbnail
# Where recognisers of the ArcFace family expect the landmarks in a 112×112 picture: the eye on the left of the
# picture, the one on the right, the nose tip, the mouth corners (Deng et al., "ArcFace", 2019).
TEMPLATE_52: F64 = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
DLIB_SIDE = 150
# Where YuNet finds the landmarks of `TEMPLATE_52` in faces that dlib cut out by landmarks of its own: medians
# over 1,000 photographs of Labeled Faces in the Wild.
DLIB_52 = np.array([[43.1, 44.3], [103.2, 44.7], [71.5, 74.4], [45.3, 101.2], [96.4, 102.9]])

FACE_MARGIN = 0.25  # of the box's longer side, added on each side: hair and chin help people to recognise
JPEG_QUALITY = 85
MOST_BYTES = 100_000  # of a thumbnail, which without any loss has 37,632
BACKGROUND = (236, 236, 236)  # where a thumbnail reaches over the border


def similarity_transform(points_52: F32, target_52: F64 = TEMPLATE_52) -> F64:
    """(2, 3) the rotation, scale and shift, for x, y, 1, that bring points nearest to `target_52` in least squares.

    Source: Umeyama, "Least-squares estimation of transformation parameters between two point patterns", 1991; in the
    plane it has this closed form, with a point as a complex number: target = a * point + b. Points that all coincide
    are only shifted.
    """
    (source, middle), (target, wanted) = _centred(points_52), _centred(target_52)
    spread = np.vdot(source, source).real
    a = complex(np.vdot(source, target) / spread) if spread else 1 + 0j
    b = wanted - a * middle
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def _centred(points_k2: F32 | F64) -> tuple[NDArray[np.complex128], complex]:
    """Points as complex numbers around their middle, and that."""
    flat = np.ascontiguousarray(points_k2, np.float64).view(np.complex128)[:, 0]
    middle = complex(np.add.reduce(flat)) / len(flat)
    return flat - middle, middle


def moved_back(points_k2: NDArray[Any], matrix_23: F64) -> F64:
    """The points (…, 2) that a similarity transform brings to these."""
    a, b = complex(*matrix_23[:, 0]), complex(*matrix_23[:, 2])
    flat = np.ascontiguousarray(points_k2, np.float64).view(np.complex128)
    return ((flat - b) / (a or 1e-12)).view(np.float64)


def scale_of(points_52: F32) -> float:
    """Pixels of the aligned face per pixel of the picture: above 1 the face has fewer pixels than the network wants."""
    return float(np.hypot(*similarity_transform(points_52)[:, 0]))


def align(picture: U8 | Pyramid, points_52: F32, *, wide: bool = False) -> U8:
    """Cut one face out, upright: (112, 112, 3) uint8, or as dlib does, (150, 150, 3) with more around it. See `cut`."""
    target, side = (DLIB_52, DLIB_SIDE) if wide else (TEMPLATE_52, SIDE)
    return cut(Pyramid.of(picture), points_52, target, side, sharp=True)


def cut(picture: Pyramid, points_52: F32, target_52: F64, side: int, *, sharp: bool = False) -> U8:
    """(side, side, 3) cut out of a picture so that landmarks come to lie on `target_52`; black beyond the border.

    A face far larger than the target is first shrunk by areas, since sampling every fifth pixel would alias.
    """
    matrix_23 = similarity_transform(points_52, target_52)
    scale = float(np.hypot(matrix_23[0, 0], matrix_23[1, 0]))
    if sharp and picture.large:
        picture_hw3, factor, corner = picture.around(_needed(matrix_23, side), scale)
    else:
        (picture_hw3, factor), corner = picture.level(scale), (0, 0)
    if factor < 1 or corner != (0, 0):
        points_52 = (points_52 + 0.5) * factor - 0.5 - corner  # the centre of a pixel lies half a pixel within it
        matrix_23 = similarity_transform(points_52, target_52)
    shrink = int(1 / max(scale / factor, 1e-3))
    if shrink >= 2:
        picture_hw3, shrunk_52 = _shrunk(picture_hw3, points_52, matrix_23, shrink, side)
        matrix_23 = similarity_transform(shrunk_52, target_52)
    return np.asarray(cv2.warpAffine(picture_hw3, matrix_23, (side, side), flags=cv2.INTER_LINEAR), np.uint8)


def _shrunk(picture_hw3: U8, points_52: F32, matrix_23: F64, shrink: int, side: int) -> tuple[U8, F32]:
    """The part of the picture that is needed, `shrink` times smaller, and the landmarks in it."""
    needed = _needed(matrix_23, side)
    height, width = picture_hw3.shape[:2]
    low = np.clip(np.floor(needed.min(0)) - shrink, 0, [width - 1, height - 1]).astype(int)
    high = np.clip(np.ceil(needed.max(0)) + shrink, low + 1, [width, height]).astype(int)
    part = picture_hw3[low[1] : high[1], low[0] : high[0]]
    columns, rows = (max(1, round(side / shrink)) for side in (part.shape[1], part.shape[0]))
    small = np.asarray(cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)
    factor = np.array([columns / part.shape[1], rows / part.shape[0]])
    # Pixel centres: x in the part is (x + 0.5) * factor - 0.5 in the small one.
    moved = (np.asarray(points_52, np.float64) - low + 0.5) * factor - 0.5
    return small, moved.astype(np.float32)


def _needed(matrix_23: F64, side: int) -> F64:
    """(4, 2) the corners of what is cut out, in the picture."""
    return moved_back(np.array([[0, 0], [side, 0], [0, side], [side, side]]), matrix_23)


def thumbnail(picture: U8 | Pyramid, box: F32, *, margin: float, pixels: int = SIDE) -> bytes:
    """A square JPEG around a box of left, top, width, height; margin: on each side, as a share of the longer side.

    pixels: of its side; of those above `SIDE` only as many as the picture has there.
    """
    picture = Pyramid.of(picture)
    left, top, width, height = (float(value) for value in box)
    rows, columns = picture.height, picture.width
    middle = np.array([left + width / 2, top + height / 2])
    # Near a border the margin gives way, so that the face stays in the middle and fills the square.
    least = max(width, height, 1.0)
    reach = 2 * min(*middle, *(np.array([columns, rows]) - middle))
    side = min(least * (1 + 2 * margin), max(least, reach))
    around = np.array([middle - side / 2, middle + side / 2])
    pixels = min(pixels, max(SIDE, round(side)))
    picture_hw3, factor, start = picture.around(around, pixels / side)
    (rows, columns), side = picture_hw3.shape[:2], side * factor
    corner = middle * factor - start - side / 2
    low = np.clip(np.floor(corner), 0, [columns, rows]).astype(int)
    high = np.clip(np.ceil(corner + side), 0, [columns, rows]).astype(int)
    small = np.full((pixels, pixels, 3), BACKGROUND, np.uint8)
    if (high > low).all():
        scale = pixels / side
        at = np.clip(np.rint((low - corner) * scale), 0, pixels - 1).astype(int)
        to = np.clip(np.rint((high - corner) * scale), at + 1, pixels).astype(int)
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        part = picture_hw3[low[1] : high[1], low[0] : high[0]]
        small[at[1] : to[1], at[0] : to[0]] = cv2.resize(part, (to - at).tolist(), interpolation=way)
    _, jpeg = cv2.imencode(".jpg", small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return bytes(jpeg)


def open_thumbnail(jpeg: bytes) -> U8:
    """(112, 112, 3) uint8 RGB of a stored thumbnail; PictureError if it is none."""
    picture_bgr = None
    if _is_thumbnail(jpeg):  # in a library from elsewhere, it may be any format's bomb
        picture_bgr = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if picture_bgr is None or picture_bgr.shape != (SIDE, SIDE, 3):
        raise PictureError("the stored thumbnail is damaged")
    return np.asarray(cv2.cvtColor(picture_bgr, cv2.COLOR_BGR2RGB), np.uint8)


def _is_thumbnail(jpeg: bytes) -> bool:
    """Whether a decoder finds a baseline JPEG of 112×112 there, and not so much as to keep it busy."""
    at = 2
    while jpeg[at : at + 1] == b"\xff" and jpeg[at + 1 : at + 2] != b"\xc0":
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")  # to the next marker
    head = jpeg[:2] + jpeg[at : at + 2] + jpeg[at + 5 : at + 9]
    return head == b"\xff\xd8\xff\xc0" + 2 * SIDE.to_bytes(2, "big") and len(jpeg) <= MOST_BYTES


def show_thumbnail(jpeg: bytes) -> Image.Image:
    """A stored thumbnail as a picture; one that is damaged is an empty square, and costs no other its place."""
    try:
        return Image.fromarray(open_thumbnail(jpeg))
    except PictureError:
        return Image.new("RGB", (SIDE, SIDE), BACKGROUND)
