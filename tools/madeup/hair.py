"""Hair, beard, glasses and the surgical mask: what lies on the head."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from madeup import headgear
from madeup.canvas import blob, drop_shadow, inside, noise, over, ramp, sample, shade, smooth, triple
from madeup.face import SIDES, mouth_line, outline
from madeup.people import mix

if TYPE_CHECKING:
    from madeup.canvas import F32, Grid
    from madeup.people import Look, Person

_LONG = {"long": 1.75, "bob": 0.95, "fringe": 1.45}  # how far down the hair falls


def strands(person: Person, u: F32, v: F32) -> F32:
    """Streaks that run with the hair, mean 0 and standard deviation about 1."""
    if person.hair in ("curly", "buzz", "bald"):
        spots = 2.6 if person.hair == "curly" else 1.0
        return sample(noise((8, person.seed), spots), u * 70, v * 70)
    tile = noise((8, person.seed), 1.0)
    fall = np.maximum(v + 1.15, 0.12)
    across = (u - np.float32(person.part)) / (0.45 + 0.75 * np.sqrt(fall))
    return 0.7 * sample(tile, across * 80, fall * 6) + 0.5 * sample(tile, across * 34 + 90, fall * 4)


def hair_colour(person: Person, look: Look, u: F32, v: F32, streak: F32) -> F32:
    """Lit colour of the hair, (h, w, 3)."""
    down = (v + 0.95) / 1.6
    side = np.clip(0.85 + 0.35 * (u / 0.9) * look.light[0] - 0.20 * np.abs(u), 0.4, 1.3)
    tone = side * (1.06 - 0.35 * np.clip(down, 0, 1)) * (1 + 0.17 * streak)
    gloss = np.exp(-(((v + 0.70 + 0.35 * u * u) / 0.13) ** 2)) * np.clip(0.6 + 0.5 * streak, 0, 1.6)
    gloss *= 0.04 if person.hair in ("curly", "buzz") else 0.13
    base = triple(*person.hair_colour)
    lit: F32 = base * tone[..., None] + (gloss * (0.5 + base.mean()))[..., None] * triple(1.0, 0.95, 0.88)
    return lit


def paint_back_hair(picture: F32, person: Person, look: Look, grid: Grid) -> None:
    """The hair behind neck and shoulders, of those who wear it long."""
    if person.hair == "bun":
        knot = np.hypot(grid.u, (grid.v + 1.14 + person.hair_volume) * 1.15) - 0.27
        streak = sample(noise((8, person.seed), 1.0), np.arctan2(grid.v + 1.2, grid.u) * 20, knot * 40)
        over(picture, hair_colour(person, look, grid.u, grid.v + 0.4, streak), inside(knot, 0.03))
    if person.hair not in _LONG:
        return
    streak = strands(person, grid.u, grid.v)
    end = _LONG[person.hair]
    wave = 0.03 * np.sin(7 * grid.v + person.seed) * ramp(grid.v, 0, 0.6)
    half = person.width + 0.5 * person.hair_volume + 0.10 * ramp(grid.v, 0.0, end) + wave
    edge = np.maximum(np.abs(grid.u) - half, grid.v - end - 0.04 * streak * 0.4)
    body = inside(np.maximum(edge, -grid.v - 0.1), 0.035)
    over(picture, 0.62 * hair_colour(person, look, grid.u, grid.v * 0.5, streak), body)


def hairline(person: Person, u: F32, streak: F32) -> F32:
    """Height v above which the forehead is hair, at each point."""
    line, part = np.full_like(u, person.hairline), np.float32(person.part)
    across = np.abs(u) / np.float32(person.width)
    side = {"long": 2.5, "bob": 2.5, "fringe": 2.5, "bun": 0.0, "curly": 0.12}.get(person.hair, 0.02)
    if person.hair == "fringe":
        line = person.eye_height - person.brow_gap - 0.12 + 0.05 * u * u
    elif person.hair in ("swept", "parted", "long", "bob"):
        reach = 0.34 if person.hair == "swept" else 0.24
        line = line - 0.06 + reach * np.clip(np.abs(u - part) - 0.02, 0, 0.8) ** 1.3
    elif person.hair in ("short", "buzz"):
        for corner in SIDES:
            line = line - 0.10 * blob(u, u, corner * 0.62 * person.width, 0, 0.16, 1e3)
    from_side = {"long": (0.74, 0.98), "bob": (0.74, 0.98), "fringe": (0.80, 1.0)}.get(person.hair, (0.84, 1.0))
    drop = ramp(across, *from_side)
    return line + (np.float32(side) - line) * drop + np.float32(0.018) * streak


def paint_hair(picture: F32, person: Person, look: Look, grid: Grid, u: F32, v: F32) -> None:
    """The hair on the head, its shadow on the face first."""
    if person.hair == "bald":
        return
    if person.hair in ("beanie", "scarf"):
        headgear.paint(picture, person, look, grid, u, v)
        return
    streak = strands(person, u, v)
    volume = person.hair_volume * {"buzz": 0.15, "curly": 1.8, "bun": 0.5}.get(person.hair, 1.0)
    length = _LONG.get(person.hair, 0.22)
    bumps = 0.045 * sample(noise((9, person.seed), 6.0), u * 60, v * 60) if person.hair == "curly" else 0.012 * streak
    wide, high = np.float32(person.width + 0.10 + 0.55 * volume), np.float32(1.04 + volume)
    dome = ((np.abs(u) / wide) ** 2.3 + (np.abs(np.minimum(v, 0)) / high) ** 2.3) ** (1 / 2.3) - 1
    widen = 0.12 * ramp(v, 0.1, length) if person.hair in _LONG else -0.10 * ramp(v, -0.2, 0.2)
    dome = np.maximum(dome * 0.8 - widen + bumps, v - length + 0.05 * streak)
    face = v - hairline(person, u, streak)
    # Beside the face there is hair down to the ears too, or the background would show between the two.
    beside = np.maximum(0.97 - outline(person, u, v), v - (0.3 if person.hair in _LONG else person.eye_height + 0.06))
    soft = 0.07 if person.hair == "buzz" else 0.035
    alpha = inside(np.maximum(dome, np.minimum(face, beside)), soft + grid.pixel)
    if person.hair == "buzz":
        alpha *= 0.72
    shade(picture, 0.72, 0.9 * drop_shadow(alpha, 0.05, 0.05, grid.pixel))
    over(picture, hair_colour(person, look, u, v, streak), alpha)


def paint_beard(picture: F32, person: Person, look: Look, grid: Grid, u: F32, v: F32) -> None:
    """Beard and moustache."""
    if not person.beard and not person.moustache:
        return
    line, along = mouth_line(person, look, u)
    tip = person.eye_height + person.nose_length
    curls = sample(noise((10, person.seed), 0.9), u * 80, v * 45)
    colour = np.asarray(mix(person.hair_colour, (0.10, 0.08, 0.07), 0.2), np.float32)
    colour = colour * (1 + 0.22 * curls[..., None])
    out = outline(person, u, v)
    lips = inside(np.maximum(np.abs(v - line - 0.25 * person.lip_lower) - 0.055, (np.abs(along) - 1) * 0.2), 0.04)
    cheek = v - (tip + 0.05 + 0.25 * (1 - np.abs(u) / person.width) - 0.55 * ramp(np.abs(u) / person.width, 0.75, 1.0))
    chin = ramp(cheek, 0.0, 0.16) * ramp(v, tip - 0.05, tip + 0.12) * (1 - ramp(out, 1.0, 1.06))
    under = np.abs(v - (tip + 0.62 * person.mouth_height) - 0.10 * along * along)
    lip = inside(under - 0.30 * person.mouth_height, 0.05) * inside((np.abs(along) - 1.15) * 0.25, 0.06)
    grain = np.clip(0.80 + 0.30 * curls, 0, 1)
    over(picture, colour, 0.92 * person.beard * chin * (1 - lips) * grain)
    over(picture, colour, 0.92 * person.moustache * lip * grain)


def paint_bush(picture: F32, person: Person, look: Look, grid: Grid, u: F32, v: F32) -> None:
    """The part of a long beard that hangs in front of jaw and neck."""
    if not person.bush:
        return
    mouth, _ = mouth_line(person, look, np.zeros_like(u))
    below = mouth + 0.05 + person.lip_lower - 0.35 * u * u
    locks = sample(noise((16, person.seed), 1.1), u * 70, v * 14)
    middle = 0.5 * (person.chin + float(mouth[0, 0]))
    hang = np.hypot(u / (0.80 * person.width), (v - middle) / (person.chin + person.bush - middle)) - 1
    alpha = inside(np.maximum(hang + 0.05 * locks, below - v), 0.10)
    tone = (1 + 0.20 * locks) * (0.95 - 0.30 * ramp(v, middle, person.chin + person.bush) + 0.25 * u * look.light[0])
    over(picture, triple(*mix(person.hair_colour, (0.10, 0.08, 0.07), 0.2)) * tone[..., None], 0.96 * alpha)


def paint_glasses(picture: F32, person: Person, grid: Grid) -> None:
    """Rims, bridge, temples, and a faint reflection in the lenses."""
    if person.glasses == "none":
        return
    u, v = grid.u, grid.v - np.float32(person.eye_height + 0.02)
    wide, high, power = (0.24, 0.20, 2.2) if person.glasses == "round" else (0.26, 0.17, 5.0)
    reach = max(person.eye_spacing, wide + 0.05)
    for side in SIDES:
        out = side * u - np.float32(reach)
        ring = ((np.abs(out) / wide) ** power + (np.abs(v) / high) ** power) ** (1 / power) - 1
        over(picture, (0.10, 0.08, 0.07), person.tint * inside(ring, 0.02))
        over(picture, (0.95, 0.97, 1.0), 0.07 * inside(ring, 0.02) * ramp(out - v, 0.0, 0.25))
        over(picture, person.glasses_colour, 0.95 * inside(np.abs(ring) * 0.2 - person.rim, 1.6 * grid.pixel))
        beyond = np.maximum(reach + wide - side * u, side * u - person.width - 0.02)
        temple = np.maximum(np.abs(v + 0.06) - 0.016, beyond)
        over(picture, person.glasses_colour, 0.9 * inside(temple, 1.6 * grid.pixel))
    bridge = np.maximum(np.abs(v + 0.05 - 0.6 * u * u) - 0.014, np.abs(u) - (reach - wide))
    over(picture, person.glasses_colour, 0.95 * inside(bridge, 1.6 * grid.pixel))


def paint_mask(picture: F32, person: Person, light: F32, grid: Grid, u: F32, v: F32) -> None:
    """A pleated surgical mask with its ear loops."""
    tip = person.eye_height + person.nose_length
    across = np.abs(u) / np.float32(person.width)
    top, bottom = tip - 0.20 + 0.16 * across * across, np.float32(person.chin - 0.02)
    beside = np.abs(u) - 0.90 * person.width + 0.30 * np.abs(v - tip - 0.22)
    sheet = np.maximum(np.maximum(top - v, v - bottom - 0.06), beside)
    sheet = np.maximum(sheet, (outline(person, u, v) - 1.03) * 0.6)
    light = smooth(light, 0.10 / grid.pixel)  # the sheet spans the hollows: no lips or nostrils show through
    for lift in (-0.10, 0.42):
        strap = np.abs(v - tip - lift + 0.35 * (lift - 0.05) * (across - 0.8)) - 0.010
        reach = inside(np.abs(across - 0.88) - 0.16, 0.05)
        over(picture, (0.93, 0.94, 0.95), reach * inside(strap, 2 * grid.pixel))
    pleats = 0.05 * np.sin((v - tip) * 42) * inside(np.abs(v - tip - 0.28) - 0.26, 0.1)
    cloth = triple(0.66, 0.82, 0.88) * (0.25 + 0.78 * light * (1 + pleats))[..., None]
    shade(picture, 0.75, drop_shadow(inside(sheet, 0.03), 0.03, 0.02, grid.pixel))
    over(picture, cloth, inside(sheet, 2 * grid.pixel))
