"""A picture in several sizes, each half of the one before: what is cut out comes from the smallest that has its pixels.

A large JPEG is decoded at half its size, which takes a third of the time; in full only when somebody asks for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import copy

import cv2
import numpy as np

from unmingle.records import F64, U8

Part = Callable[[int, int, int, int], U8]  # the pixels from left, top up to right, bottom

LARGE = 2432  # pixels of the longer side; a smaller picture has one size only
LEAST = 64  # pixels of the shorter side of the smallest size
SLACK = 2  # pixels around what is cut out, for interpolation
TURNS = {90: 6, 180: 3, 270: 8}  # degrees clockwise, as EXIF has them


class Pyramid:
    """An upright picture (h, w, 3) uint8 RGB, or its half, and how to get parts of it in full.

    width, height: of the picture in full. name: what names it without its pixels, or nothing.
    """

    def __init__(
        self, base: U8, part: Part | None = None, *, size: tuple[int, int] = (0, 0), name: bytes = b""
    ) -> None:
        self.name = name
        self.width, self.height = size if part else (int(base.shape[1]), int(base.shape[0]))
        self.large = max(self.width, self.height) >= LARGE
        self._part = part
        self._levels: dict[int, U8] = {1 if part else 0: base}
        self._upright: Callable[[int], U8] | None = None  # of a turned picture, where its sizes come from

    @classmethod
    def of(cls, picture: U8 | Pyramid) -> Pyramid:
        """A picture that may be one already."""
        return picture if isinstance(picture, Pyramid) else cls(picture)

    @property
    def base(self) -> U8:
        """What was decoded."""
        return self._level(0 if self._part is None else 1)

    def full(self) -> U8:
        """The picture in full."""
        return self._level(0) if self._part is None else self._part(0, 0, self.width, self.height)

    def release(self) -> None:
        """Let go of the pixels; what the picture is called and how large it is stays."""
        self._levels, self._part = {}, None

    def level(self, scale: float) -> tuple[U8, float]:
        """The smallest size that has `scale` pixels for one of the picture's, and how many it has.

        Of a large picture at most the half.
        """
        number = self._number(scale, least=1)
        return self._level(number), 0.5**number

    def around(self, corners: F64, scale: float) -> tuple[U8, float, tuple[int, int]]:
        """The same, sharp: of what is needed in full only what lies within corners (n, 2); and where it begins."""
        number = self._number(scale, least=0)
        if number or self._part is None:
            return self._level(number), 0.5**number, (0, 0)
        sides = [self.width, self.height]
        left, top = np.clip(np.floor(corners.min(axis=0)) - SLACK, 0, np.subtract(sides, 1)).astype(int).tolist()
        right, bottom = np.clip(np.ceil(corners.max(axis=0)) + SLACK, [left + 1, top + 1], sides).astype(int).tolist()
        return self._part(left, top, right, bottom), 1.0, (left, top)

    def _number(self, scale: float, least: int) -> int:
        """How often the picture may be halved to keep `scale` pixels for one."""
        if not self.large:
            return 0
        deepest = int(math.log2(max(min(self.width, self.height) / LEAST, 1)))
        return min(max(math.floor(1e-6 - math.log2(max(scale, 1e-6))), least), deepest)

    def _level(self, number: int) -> U8:
        if number not in self._levels and self._upright is not None:
            self._levels[number] = self._upright(number)
        elif not number and self._part is not None:  # so narrow that even its half would be too small
            return self._part(0, 0, self.width, self.height)
        elif number not in self._levels:
            self._levels[number] = halved(self._level(number - 1))
        return self._levels[number]

    def turned(self, turn: int) -> Pyramid:
        """The picture turned clockwise by 0, 90, 180 or 270 degrees."""
        if not turn:
            return self
        size = (self.height, self.width) if turn % 180 else (self.width, self.height)
        turned = copy(self)
        turned.width, turned.height = size
        turned._part = self._part and upright_part(self._part, TURNS[turn], size)
        turned._levels, turned._upright = {}, lambda number: upright(self._level(number), TURNS[turn])
        return turned


def halved(pixels: U8) -> U8:
    """Each pixel is of four: of a side of an odd number the last is left out."""
    height, width = (side // 2 for side in pixels.shape[:2])
    half = cv2.resize(pixels[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(half, np.uint8)


def shrunk(pixels: U8, side: int) -> U8:
    """A picture, colour or grey, whose longer side has at most so many pixels.

    Averages by other factors than two take ten times as long, so what is left to shrink is read between neighbours.
    """
    longer = max(pixels.shape[:2])
    if longer <= side:
        return pixels
    height, width = (max(1, round(extent * side / longer)) for extent in pixels.shape[:2])
    while max(pixels.shape[:2]) >= 2 * side and min(pixels.shape[:2]) > 1:
        pixels = halved(pixels)
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def upright(rgb_hw3: U8, orientation: int) -> U8:
    """Turned and mirrored as EXIF's eight orientations ask."""
    quarters = {6: cv2.ROTATE_90_CLOCKWISE, 8: cv2.ROTATE_90_COUNTERCLOCKWISE}
    if orientation in quarters:  # at once: of a vast picture each copy counts
        return np.asarray(cv2.rotate(rgb_hw3, quarters[orientation]), np.uint8)
    if orientation >= 5:
        rgb_hw3 = np.asarray(cv2.transpose(rgb_hw3), np.uint8)
    flips = {2: 1, 3: -1, 4: 0, 7: -1}  # along x, along both, along y
    if orientation in flips:
        rgb_hw3 = np.asarray(cv2.flip(rgb_hw3, flips[orientation]), np.uint8)
    return np.ascontiguousarray(rgb_hw3)


def upright_part(part: Part, orientation: int, size: tuple[int, int]) -> Part:
    """Parts of a picture that was turned so, to that width and height, from parts of it as it is stored."""
    width, height = size

    def turned(left: int, top: int, right: int, bottom: int) -> U8:
        if orientation in {2, 3, 6, 7}:
            left, right = width - right, width - left
        if orientation in {3, 4, 7, 8}:
            top, bottom = height - bottom, height - top
        stored = part(top, left, bottom, right) if orientation >= 5 else part(left, top, right, bottom)
        return upright(stored, orientation)

    return turned
