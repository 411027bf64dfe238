"""The few tools that every brush of the portrait renderer shares: soft edges, blobs, noise, layers, poses.

Arrays are float32; a picture is (h, w, 3) in red, green, blue, 0 to 1; fields are (h, w).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from madeup.people import Look, Person

    F32 = NDArray[np.floating[Any]]  # always float32; the stubs lose that wherever a Python float comes in

SPAN = 1.62  # half the height of a picture in head units at scale 1: the head fills about two thirds


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Where each pixel of a picture lies, in two frames.

    x, y:   (h, w) head units on the picture's plane, for what does not turn with the head.
    u, v:   (h, w) head units on the face: the point that the pose brings to this pixel.
    pixel:  size of a pixel in head units, for soft edges.
    """

    x: F32
    y: F32
    u: F32
    v: F32
    pixel: float


def place(person: Person, look: Look, shape: tuple[int, ...], frame: tuple[float, float, float]) -> Grid:
    """The grid of a picture of `shape` (height, width, …) with the portrait in the square `frame` (left, top, side).

    The pose is undone by fixed-point steps on a smooth dome with a nose on it: with z the depth, a turn by `yaw` moves
    the point u to u cos(yaw) + z sin(yaw), so u = (x - z(u, v) sin(yaw)) / cos(yaw); the same with `pitch` for v.
    """
    span = SPAN / look.scale
    height, width = shape[:2]
    left, top, side = frame
    columns, rows = np.arange(width, dtype=np.float32) + 0.5, np.arange(height, dtype=np.float32) + 0.5
    x, y = np.meshgrid(
        ((columns - np.float32(left)) / np.float32(side) * 2 - 1) * np.float32(span),
        ((rows - np.float32(top)) / np.float32(side) * 2 - 1) * np.float32(span),
    )
    y = y + np.float32(0.04)
    cos, sin = np.float32(np.cos(look.roll)), np.float32(np.sin(look.roll))
    turned_x, turned_y = x * cos + y * sin, y * cos - x * sin
    u, v = turned_x, turned_y
    yaw, pitch = np.float32(np.sin(look.yaw)), np.float32(np.sin(look.pitch))
    tip = person.eye_height + person.nose_length
    for _ in range(4):
        depth = 0.8 * blob(u, v, 0, 0.05, 0.75, 0.95) - 0.35 + 0.8 * person.nose_height * blob(u, v, 0, tip, 0.15, 0.17)
        u = (turned_x - depth * yaw) / np.float32(np.cos(look.yaw))
        v = (turned_y - depth * pitch) / np.float32(np.cos(look.pitch))
    return Grid(x=x, y=y, u=u, v=v, pixel=2 * span / side)


def distort(person: Person, grid: Grid) -> tuple[F32, F32]:
    """The face coordinates u, v under the person's own low-frequency distortion (few cells, smooth between).

    Mostly alike on both sides, or the faces would look hurt rather than different.
    """
    rng = np.random.default_rng((3, person.seed))
    nodes = (rng.random((2, 2, 5, 5), dtype=np.float32) * 2 - 1) * np.float32(person.warp)
    even, odd = nodes[0], nodes[1]
    across = 0.8 * (even[0] - even[0, :, ::-1]) + 0.35 * odd[0]
    down = 0.8 * (even[1] + even[1, :, ::-1]) + 0.35 * odd[1]
    column, row = np.clip((grid.u + 1) * 2, 0, 4), np.clip((grid.v + 1) * 2, 0, 4)
    moved_u, moved_v = (
        cv2.remap(cv2.GaussianBlur(cells, (0, 0), 0.6), column, row, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        for cells in (across, down)
    )
    return grid.u + moved_u, grid.v + moved_v


def blob(u: F32, v: F32, centre_u: float, centre_v: float, spread_u: float, spread_v: float) -> F32:
    """A Gaussian bump of height 1."""
    across, down = (u - np.float32(centre_u)) / np.float32(spread_u), (v - np.float32(centre_v)) / np.float32(spread_v)
    bump: F32 = np.exp(-(across * across + down * down))
    return bump


def inside(distance: F32, softness: float) -> F32:
    """1 where `distance` is negative, 0 where it is positive, a ramp of width `softness` between."""
    weight: F32 = np.clip(np.float32(0.5) - distance / np.float32(softness), 0, 1)
    return weight


def ramp(field: F32, low: float, high: float) -> F32:
    """0 below `low`, 1 above `high`, the smooth step between."""
    t: F32 = np.clip((field - np.float32(low)) / np.float32(high - low), 0, 1)
    step: F32 = t * t * (3 - 2 * t)
    return step


def over(picture: F32, colour: F32 | tuple[float, float, float], alpha: F32) -> None:
    """Lay `colour` (one, or one for each pixel) over `picture`, in place."""
    at = _touched(alpha)
    colour = np.asarray(colour, np.float32)
    part = picture[at]
    part += alpha[at][..., None] * ((colour[at] if colour.ndim == 3 else colour) - part)


def shade(picture: F32, factor: float, alpha: F32) -> None:
    """Multiply `picture` by `factor` where `alpha` is 1, in place."""
    at = _touched(alpha)
    picture[at] *= (1 + alpha[at] * np.float32(factor - 1))[..., None]


def window(u: F32, v: F32, box: tuple[float, float, float, float]) -> tuple[slice, slice]:
    """The rows and columns of the pixels between left, top, right and bottom of `box`, in the units of u and v."""
    left, top, right, bottom = np.array(box, np.float32)
    return _bounds((u > left) & (u < right) & (v > top) & (v < bottom))


def _touched(alpha: F32) -> tuple[slice, slice]:
    """The rows and columns where a layer shows at all; most layers are small, and the rest need not be computed."""
    return _bounds(alpha > np.float32(0.002))


def _bounds(mask: NDArray[np.bool_]) -> tuple[slice, slice]:
    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    return slice(top, top + height), slice(left, left + width)


@lru_cache(maxsize=256)
def noise(seed: tuple[int, ...], coarse: float) -> F32:
    """A (256, 256) tile of smooth noise without a seam, mean 0 and deviation 1; `coarse` is the size of its spots."""
    rough = np.random.default_rng(seed).random((256, 256), dtype=np.float32)
    border = int(4 * coarse) + 1
    soft = smooth(np.pad(rough, border, mode="wrap"), coarse)[border:-border, border:-border]
    spots: F32 = (soft - soft.mean()) / soft.std()
    return spots


def sample(tile: F32, column: F32, row: F32) -> F32:
    """`tile` read at fractional `column` and `row`, repeating for ever."""
    height, width = tile.shape
    column, row = np.mod(column, width), np.mod(row, height)
    picked: F32 = cv2.remap(tile, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    return picked


def drop_shadow(alpha: F32, sigma: float, drop: float, pixel: float) -> F32:
    """The soft shadow of a layer on what lies `drop` below it; `sigma` and `drop` in head units."""
    rows = max(1, int(drop / pixel))
    shadow = np.zeros_like(alpha)
    shadow[rows:] = smooth(alpha, sigma / pixel)[:-rows]
    return shadow


def triple(first: float, second: float, third: float) -> F32:
    """(3,) float32: a colour, or a direction."""
    return np.array([first, second, third], np.float32)


def smooth(field: F32, sigma: float) -> F32:
    """Gaussian blur, `sigma` in pixels."""
    blurred: F32 = cv2.GaussianBlur(field, (0, 0), sigma)
    return blurred
