"""Backgrounds, behind a person or alone: nothing in them looks like a face."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from madeup.canvas import smooth

if TYPE_CHECKING:
    from madeup.canvas import F32
    from madeup.people import Scene

_WALLS = (
    (0.78, 0.77, 0.74),
    (0.66, 0.71, 0.74),
    (0.72, 0.66, 0.58),
    (0.42, 0.47, 0.50),
    (0.60, 0.66, 0.58),
    (0.84, 0.80, 0.72),
)


def paint(scene: Scene, seed: int, size: int, blur: float = 0.0) -> F32:
    """A background of `size` by `size` pixels, out of focus by `blur` (sigma as a share of the size), (s, s, 3)."""
    rng = np.random.default_rng((11, seed))
    picture = _wall(rng, size)
    if scene == "wall":
        _frame(picture, rng, size)
    elif scene == "shelf":
        _shelf(picture, rng, size)
    elif scene == "window":
        _window(picture, rng, size)
    elif scene == "plants":
        _plants(picture, rng, size)
    return smooth(picture, blur * size) if blur else picture


def _wall(rng: np.random.Generator, size: int) -> F32:
    colour = np.array(_WALLS[int(rng.random() * len(_WALLS))], np.float32)
    line = np.linspace(-1, 1, size, dtype=np.float32)
    tilt_x, tilt_y = (rng.random(2) - 0.5) * 0.35
    light = 1 + np.float32(tilt_x) * line[None, :] + np.float32(tilt_y) * line[:, None]
    return np.asarray(colour * light[..., None], np.float32)


def _box(picture: F32, left: float, top: float, right: float, bottom: float, colour: tuple[float, ...]) -> None:
    size = len(picture)
    corners = (round(left * size), round(top * size)), (round(right * size), round(bottom * size))
    cv2.rectangle(picture, corners[0], corners[1], colour, cv2.FILLED)


def _frame(picture: F32, rng: np.random.Generator, size: int) -> None:
    left, top, wide, high = rng.random(4) * (0.6, 0.2, 0.2, 0.2) + (0.0, 0.05, 0.2, 0.2)
    _box(picture, left, top, left + wide, top + high, tuple(rng.random(3) * 0.3 + 0.15))
    _box(picture, left + 0.02, top + 0.02, left + wide - 0.02, top + high - 0.02, tuple(rng.random(3) * 0.4 + 0.5))


def _shelf(picture: F32, rng: np.random.Generator, size: int) -> None:
    picture *= np.float32(0.6)
    rows = 3 + int(rng.random() * 2)
    for row in range(rows):
        floor, x = (row + 1) / rows, -0.02
        while x < 1:
            wide, high = rng.random(2) * (0.05, 0.35) + (0.03, 0.45)
            if rng.random() < 0.88:
                _box(picture, x, floor - high / rows, x + wide - 0.006, floor, tuple(rng.random(3) * 0.5 + 0.15))
            x += wide
        _box(picture, 0, floor - 0.02, 1, floor + 0.015, (0.36, 0.26, 0.18))


def _window(picture: F32, rng: np.random.Generator, size: int) -> None:
    left, wide = rng.random(2) * (0.4, 0.2) + (0.0, 0.4)
    sky = rng.random(3) * 0.15 + (0.70, 0.80, 0.88)
    _box(picture, left, 0.0, left + wide, 0.7, (0.93, 0.93, 0.92))
    for column in range(2):
        for row in range(2):
            x, y = left + 0.02 + column * wide / 2, 0.02 + row * 0.34
            _box(picture, x, y, x + wide / 2 - 0.04, y + 0.31, tuple(sky))


def _plants(picture: F32, rng: np.random.Generator, size: int) -> None:
    for _ in range(60):
        x, y, angle, shade = rng.random(4) * (1.0, 1.0, 180.0, 0.35)
        axes = (max(2, int(size * (0.05 + 0.10 * rng.random()))), max(1, int(size * (0.015 + 0.03 * rng.random()))))
        colour = (0.12 + 0.5 * shade, 0.30 + shade, 0.14 + 0.4 * shade)
        cv2.ellipse(picture, (int(x * size), int(y * size)), axes, angle, 0, 360, colour, cv2.FILLED, cv2.LINE_8)
