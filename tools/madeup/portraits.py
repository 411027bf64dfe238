"""Portraits of people who do not exist, drawn with NumPy and OpenCV alone.

A head is a height field (outline, eye sockets, nose, lips, cheeks) under Lambert light with darkened hollows and a soft
highlight; eyes, brows and mouth are painted on it; hair, neck, shoulders and a background are laid around it, and the
camera adds its blur and noise. The people serve the demo and the tests, never as evidence of quality.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from madeup import face, hair, scenery
from madeup.canvas import blob, distort, inside, over, place, ramp, shade, smooth, triple
from madeup.people import Look, Person

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from madeup.canvas import F32, Grid

    U8 = NDArray[np.uint8]

__all__ = ["Look", "Person", "encode", "expose", "paint", "render"]


def render(person: Person, look: Look, size: int = 256) -> U8:
    """Draw `person` with `look`: (size, size, 3) uint8, red, green, blue; the same bytes every time."""
    picture = scenery.paint(look.background, look.background_seed, size, blur=0.025)
    paint(picture, person, look, (0.0, 0.0, float(size)))
    return expose(picture, look, sigma=look.blur * size / 256)


def paint(picture: F32, person: Person, look: Look, frame: tuple[float, float, float]) -> tuple[int, int, int, int]:
    """Paint `person` on `picture` (h, w, 3) float32, 0 to 1, in place.

    Args:
        picture: what is behind the person; shoulders and chest go on below and beside the frame.
        person: who.
        look: how.
        frame: left, top and side of the portrait's square, pixels.

    Returns:
        The face's box from hairline to chin: left, top, width, height, in pixels.
    """
    grid = place(person, look, picture.shape, frame)
    hair.paint_back_hair(picture, person, look, grid)
    _paint_body(picture, person, look, grid)
    return _paint_head(picture, person, look, grid)


def encode(picture: U8, quality: int) -> bytes:
    """`picture` (h, w, 3), red, green, blue, as the bytes of a JPEG."""
    done, buffer = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError("OpenCV could not encode a JPEG of this picture")
    return bytes(buffer)


def _paint_body(picture: F32, person: Person, look: Look, grid: Grid) -> None:
    """Neck, shoulders and what they wear; they follow the head only a little."""
    x, y = grid.x - np.float32(0.20 * np.sin(look.yaw)), grid.y - np.float32(person.chin - 1.08)
    neck_half = 0.56 * person.width
    flare = 0.25 * ramp(y, 1.05, 1.45) ** 2
    neck = inside(np.maximum(np.abs(x) - neck_half - flare, 0.3 - y), 0.02)
    light = 0.92 - 0.30 * (np.abs(x) / neck_half) ** 2 + 0.25 * look.light[0] * x
    skin = np.asarray(person.skin, np.float32) * (light * (0.55 + 0.45 * ramp(y, 1.0, 1.55)))[..., None]
    over(picture, skin, neck)
    slope = 1.20 + 0.16 * np.abs(x) ** 1.6
    scoop = 1.23 + 0.28 * np.sqrt(np.clip(1 - (x / (neck_half + 0.1)) ** 2, 0, 1))
    cloth = inside(np.maximum(np.maximum(slope - y, scoop - y), np.abs(x) - 1.9), 0.02)
    tone = 0.95 + 0.3 * look.light[0] * x - 0.25 * np.abs(x) ** 2 * 0.3
    over(picture, np.asarray(person.shirt, np.float32) * tone[..., None], cloth)
    if person.collar:
        band = np.maximum(np.abs(scoop + 0.02 - y) - 0.05, np.abs(x) - neck_half - 0.12)
        over(picture, np.asarray(person.shirt, np.float32) * np.float32(1.18), inside(band, 0.02))
        shade(picture, 0.8, inside(np.abs(y - scoop - 0.08) - 0.006, 0.03) * inside(np.abs(x) - neck_half - 0.1, 0.05))


def _paint_head(picture: F32, person: Person, look: Look, grid: Grid) -> tuple[int, int, int, int]:
    u, v = distort(person, grid)
    light, shine = face.lit(face.relief(person, look, u, v), look, grid.pixel)
    _paint_ears(picture, person, grid)
    flesh = face.skin(person, u, v)
    face.paint_nostrils(flesh, person, grid, u, v)
    hair.paint_beard(flesh, person, look, grid, u, v)
    face.paint_mouth(flesh, person, look, grid, u, v)
    face.paint_brows(flesh, person, look, grid, u, v)
    face.paint_eyes(flesh, person, look, grid, u, v)
    # Light that has wandered through skin comes out red: shadows keep more of it than of green and blue.
    flesh *= light[..., None] ** triple(0.88, 1.04, 1.10)
    flesh += (0.10 * shine)[..., None]
    out = face.outline(person, u, v)
    over(picture, flesh, inside((out - 1) * np.float32(person.width), 1.6 * grid.pixel))
    hair.paint_bush(picture, person, look, grid, u, v)
    if look.mask:
        hair.paint_mask(picture, person, light, grid, u, v)
    hair.paint_hair(picture, person, look, grid, u, v)
    hair.paint_glasses(picture, person, grid)
    left, top, width, height = cv2.boundingRect(((out < 1) & (v > person.hairline)).view(np.uint8))
    return left, top, width, height


def _paint_ears(picture: F32, person: Person, grid: Grid) -> None:
    centre = person.eye_height + 0.5 * person.nose_length
    for side in face.SIDES:
        out = side * grid.u - np.float32(person.width * 0.97)
        ear = np.hypot((out - 0.2 * person.ears) / (0.045 + person.ears), (grid.v - centre + 0.2 * out) / 0.24) - 1
        over(picture, np.asarray(person.skin, np.float32) * np.float32(0.80), inside(ear * 0.1, 1.6 * grid.pixel))
        shade(picture, 0.70, blob(grid.u, grid.v, side * (person.width * 0.99), centre, 0.03 + 0.4 * person.ears, 0.12))


def expose(picture: F32, look: Look, *, sigma: float) -> U8:
    """What the camera makes of `picture`: white balance, gain, blur of `sigma` pixels, noise, 8 bits."""
    picture = picture * triple(*look.white_balance) * np.float32(look.gain)
    picture = smooth(picture, sigma)
    grain = np.random.default_rng((14, look.seed)).random(picture.shape, np.float32) - 0.5
    picture += smooth(grain, 0.6) * np.float32(look.noise / 0.15)
    return np.asarray(np.clip(picture * 255 + 0.5, 0, 255), np.uint8)
