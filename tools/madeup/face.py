"""The face: a relief that the light falls on, and what is painted on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from madeup.canvas import blob, inside, noise, over, ramp, sample, shade, smooth, triple, window
from madeup.people import mix

if TYPE_CHECKING:
    from madeup.canvas import F32, Grid
    from madeup.people import Look, Person

SIDES = (-1, 1)


def outline(person: Person, u: F32, v: F32) -> F32:
    """How far out a point lies: 1 on the outline of the head, 0 at its middle."""
    down = np.clip(v / np.float32(person.chin), 0, 1)
    narrow = 1 - (0.20 + 0.30 * person.jaw) * down ** np.float32(1.5 + 1.5 * (1 - person.jaw))
    half = np.where(v > 0, person.chin, 0.99).astype(np.float32)
    power = np.float32(person.roundness)
    across = np.abs(u) / (np.float32(person.width) * narrow)
    reach: F32 = (across**power + np.abs(v / half) ** power) ** (1 / power)
    return reach


def mouth_line(person: Person, look: Look, u: F32) -> tuple[F32, F32]:
    """Height v of the line between the lips at each `u`, and `u` in half mouth widths."""
    half = person.mouth_width * (1 + 0.16 * look.smile)
    along = u / np.float32(half)
    curl = np.float32(0.035 + 0.08 * look.smile) * (np.minimum(along * along, 1.4) - 0.45)
    middle = person.eye_height + person.nose_length + person.mouth_height
    return np.float32(middle) - curl + 0.012 * blob(u, u, 0, 0, 0.06, 1e3), along


def relief(person: Person, look: Look, u: F32, v: F32) -> F32:
    """Height of the face toward the camera at each point, head units."""
    out = outline(person, u, v)
    z = 0.82 * np.sqrt(np.clip(1 - out * out, 0.0, 1))
    eye, tip = person.eye_height, person.eye_height + person.nose_length
    middle = tip + person.mouth_height
    for side in SIDES:
        x = side * person.eye_spacing
        z -= person.eye_depth * blob(u, v, x * 0.96, eye - 0.01, 0.19, 0.12)
        z += 0.045 * blob(u, v, x, eye, 0.12, 0.085)
        z += (0.02 + 0.25 * person.eye_depth) * blob(u, v, x * 1.02, eye - person.brow_gap, 0.22, 0.07)
        cheek = person.cheek + 0.03 * max(0.0, look.smile)
        z += cheek * blob(u, v, side * 0.60 * person.width, tip - 0.06, 0.17, 0.15)
        z += 0.30 * person.nose_height * blob(u, v, side * person.nose_width * 0.8, tip + 0.02, 0.06, 0.06)
        fold = side * (u - np.float32(side * person.nose_width)) - 0.45 * (v - np.float32(tip))
        depth = 0.035 * person.folds * (0.6 + 0.6 * max(0.0, look.smile))
        here = ramp(v, tip - 0.08, tip + 0.03) * (1 - ramp(v, middle - 0.02, middle + 0.08))
        z -= depth * np.exp(-((fold / 0.035) ** 2)) * here
    z += nose(person, u, v)
    z += lips_relief(person, look, u, v)
    z += 0.06 * blob(u, v, 0, person.chin - 0.14, 0.17, 0.10)
    return z


def nose(person: Person, u: F32, v: F32) -> F32:
    """Height of the nose over the face."""
    eye, length = person.eye_height, person.nose_length
    along = np.clip((v - np.float32(eye - 0.06)) / np.float32(length + 0.06), 0, 1)
    half = 0.035 + person.nose_bridge + (0.60 * person.nose_width - person.nose_bridge) * along
    profile = 0.25 + 0.75 * along**1.3 + person.nose_hump * along * (1 - along) * 2
    ridge = profile * np.exp(-((u / half) ** 2)) * ramp(v, eye - 0.12, eye + 0.04)
    under = 1 - ramp(v, eye + length + 0.015, eye + length + 0.10)
    height: F32 = person.nose_height * (ridge + 0.30 * blob(u, v, 0, eye + length - 0.02, 0.09, 0.09)) * under
    return height


def lips_relief(person: Person, look: Look, u: F32, v: F32) -> F32:
    """Height of the lips, and the furrow between them, over the face."""
    line, along = mouth_line(person, look, u)
    bow = np.clip(1 - along * along, 0, 1)
    upper = 0.030 * np.exp(-(((v - line + 0.7 * person.lip_upper) / (person.lip_upper + 0.01)) ** 2))
    lower = 0.045 * np.exp(-(((v - line - 0.6 * person.lip_lower) / (person.lip_lower + 0.01)) ** 2))
    furrow = 0.03 * np.exp(-(((v - line) / 0.02) ** 2))
    furrow += 0.03 * np.exp(-(((v - line - 1.9 * person.lip_lower) / 0.05) ** 2))
    philtrum = 0.012 * blob(u, v, 0, person.eye_height + person.nose_length + 0.5 * person.mouth_height, 0.03, 0.09)
    return (upper + lower - furrow) * bow - philtrum


def lit(z: F32, look: Look, pixel: float) -> tuple[F32, F32]:
    """Lambert shading of the relief with its hollows darkened, and a soft highlight; each (h, w), 1 is full light."""
    z = smooth(z, 0.012 / pixel)
    down, across = np.gradient(z, np.float32(pixel))
    # Near the silhouette the dome is endlessly steep: bounded slopes keep the rim from going black.
    limit = np.float32(2.6) / np.maximum(np.hypot(across, down), 2.6)
    across, down = across * limit, down * limit
    length = np.sqrt(across * across + down * down + 1)
    light = np.asarray(look.light, np.float32)
    light /= np.linalg.norm(light)
    facing = (-across * light[0] - down * light[1] + light[2]) / length
    half = light + triple(0, 0, 1)
    half /= np.linalg.norm(half)
    shine = np.clip((-across * half[0] - down * half[1] + half[2]) / length, 0, 1) ** 26
    cavity = np.clip((smooth(z, 0.075 / pixel) - z) / 0.05, -0.6, 1)
    wrap = np.clip((facing + 0.25) / 1.25, 0, 1)
    return (0.34 + 0.68 * wrap) * (1 - 0.22 * cavity), shine


def skin(person: Person, u: F32, v: F32) -> F32:
    """Colour of the bare skin before any light, (h, w, 3)."""
    tip = person.eye_height + person.nose_length
    ground = np.empty((*u.shape, 3), np.float32)
    ground[:] = person.skin
    mottle = sample(noise((4, person.seed), 9.0), u * 60, v * 60) * 0.55
    mottle += sample(noise((5, person.seed), 2.0), u * 90, v * 90) * 0.45
    ground *= (1 + 0.022 * person.texture * mottle)[..., None]
    red = mix(person.skin, (0.78, 0.28, 0.24), 0.42)
    for side in SIDES:
        over(ground, red, (0.10 + 0.32 * person.blush) * blob(u, v, side * 0.60 * person.width, tip - 0.04, 0.20, 0.16))
        shade(ground, 0.84, blob(u, v, side * person.eye_spacing, person.eye_height + 0.11, 0.15, 0.05))
    over(ground, red, 0.28 * blob(u, v, 0, tip, 0.15, 0.11))
    if person.freckles:
        spots = ramp(sample(noise((6, person.seed), 0.9), u * 85, v * 85), 1.2, 2.2)
        where = blob(u, v, 0, tip - 0.13, 0.55, 0.20)
        over(ground, mix(person.skin, (0.50, 0.26, 0.13), 0.7), person.freckles * spots * where)
    wave = (v + np.float32(0.50) - 0.05 * u * u) * 34 + 0.8 * np.sin(3 * u + person.seed)
    wrinkle = np.clip(np.sin(wave), 0, 1) ** 6 * blob(u, v, 0, -0.46, 0.42, 0.13)
    shade(ground, 0.80, person.lines * wrinkle)
    for mole_u, mole_v in person.moles:
        over(ground, mix(person.skin, (0.20, 0.10, 0.07), 0.8), inside(np.hypot(u - mole_u, v - mole_v) - 0.02, 0.02))
    return ground


def paint_eyes(picture: F32, person: Person, look: Look, grid: Grid, u: F32, v: F32) -> None:
    """Both eyes: white, iris, pupil, glint, lids and lashes."""
    for side in SIDES:
        x, reach = side * person.eye_spacing, 1.3 * person.eye_width + 0.08
        at = window(u, v, (x - reach, person.eye_height - 0.22, x + reach, person.eye_height + 0.22))
        _paint_eye(picture[at], person, look, side, grid.pixel, u[at], v[at])


def _paint_eye(picture: F32, person: Person, look: Look, side: int, pixel: float, u: F32, v: F32) -> None:
    width, opening = person.eye_width, person.eye_opening * look.lids * (1 - 0.18 * max(0.0, look.smile))
    out, down = side * u - np.float32(person.eye_spacing), v - np.float32(person.eye_height)
    cos, sin = np.float32(np.cos(person.eye_tilt)), np.float32(np.sin(person.eye_tilt))
    out, down = out * cos - down * sin, down * cos + out * sin
    along = out / np.float32(width)
    bow = np.clip(1 - along * along, 0, 1)
    upper = -np.float32(1.15 * opening) * bow**0.7 * (1 - 0.12 * along)
    lower = np.float32(0.80 * opening) * bow**0.9 * (1 + 0.12 * along)
    edge = np.maximum(np.maximum(upper - down, down - lower), (np.abs(along) - 1) * width)
    white = inside(edge, 1.4 * pixel)

    ball = np.empty_like(picture)
    ball[:] = (0.93, 0.91, 0.89)
    shade(ball, 0.72, np.clip(along * along, 0, 1))
    radius = 0.47 * width + 0.012
    iris_x = out - np.float32(look.gaze[0] * side * width * 1.4)
    iris_y = down - np.float32(look.gaze[1] * width - 0.10 * opening)
    far = np.sqrt(iris_x * iris_x + iris_y * iris_y)
    rays = np.clip(0.85 + 0.5 * far / radius, 0, 1.25)
    over(ball, np.asarray(person.iris, np.float32) * rays[..., None], inside(far - radius, 1.6 * pixel))
    shade(ball, 0.45, inside(np.abs(far - radius) - 0.010, 2 * pixel))
    over(ball, (0.03, 0.03, 0.03), inside(far - 0.44 * radius, 1.6 * pixel))
    shade(ball, 0.52, 1 - ramp(down - upper, 0.0, 0.55 * opening + 0.01))
    light_x, light_y = look.light[0] * side * 0.6, look.light[1] * 0.6
    glint = np.hypot(iris_x - np.float32(light_x * radius), iris_y - np.float32((light_y - 0.1) * radius))
    over(ball, (1.0, 1.0, 1.0), 0.9 * inside(glint - 0.18 * radius, 1.6 * pixel))
    over(picture, ball, white)

    near = inside((np.abs(along) - 1.05) * width, 0.08)
    lid = near * (1 - white) * np.exp(-(((down - upper + 0.05) / 0.06) ** 2)) * ramp(upper - down, -0.02, 0.02)
    over(picture, person.shadow_colour, person.shadow * lid)
    lash = mix(person.hair_colour, (0.05, 0.04, 0.04), 0.75)
    thick = np.float32(0.013) * (1 + 0.35 * along)
    over(picture, lash, 0.92 * near * inside(np.abs(down - upper + 0.006) - thick, 1.6 * pixel))
    over(picture, mix(person.skin, lash, 0.55), 0.45 * near * inside(np.abs(down - lower) - 0.004, 2 * pixel))
    crease = upper - np.float32(0.45 * opening + 0.02)
    shade(picture, 0.72, person.crease * near * np.exp(-(((down - crease) / 0.014) ** 2)) * bow**0.3)
    shade(picture, 0.90, near * (1 - white) * np.exp(-(((down - upper + 0.03) / 0.05) ** 2)))


def paint_brows(picture: F32, person: Person, look: Look, grid: Grid, u: F32, v: F32) -> None:
    """Both brows, in strokes of hair."""
    at = window(u, v, (-0.75, person.eye_height - 0.55, 0.75, person.eye_height))
    picture, u, v = picture[at], u[at], v[at]
    strands = sample(noise((7, person.seed), 1.2), u * 110 + v * 60, v * 40)
    colour = mix(person.hair_colour, (0.10, 0.08, 0.07), 0.35)
    for side in SIDES:
        out = side * u - np.float32(person.eye_spacing)
        along = (out - 0.01) / np.float32(person.brow_width)
        arch = person.brow_arch * (0.8 - (along - 0.1) ** 2)
        lift = person.brow_gap + 0.012 * look.smile + look.brows + arch + person.brow_slope * along
        half = np.float32(0.5 * person.brow_thickness + 0.006) * (1 - 0.65 * ramp(along, 0.0, 1.0))
        away = np.abs(v - np.float32(person.eye_height) + lift) - half
        ends = inside((np.abs(along) - 1) * 0.2, 0.07)
        over(picture, colour, np.clip(0.76 + 0.15 * strands, 0, 0.95) * ends * inside(away, 0.03 + grid.pixel))


def paint_nostrils(picture: F32, person: Person, grid: Grid, u: F32, v: F32) -> None:
    """Nostrils, and the creases beside the wings of the nose."""
    tip = person.eye_height + person.nose_length
    at = window(u, v, (-0.4, tip - 0.25, 0.4, tip + 0.25))
    picture, u, v = picture[at], u[at], v[at]
    dark = mix(person.skin, (0.16, 0.06, 0.05), 0.72)
    for side in SIDES:
        hole = blob(u, v, side * 0.48 * person.nose_width, tip + 0.062, 0.055, 0.026)
        over(picture, dark, 0.85 * ramp(hole, 0.3, 0.75))
        wing = np.hypot(side * u - np.float32(0.78 * person.nose_width), v - np.float32(tip + 0.01)) - 0.062
        beside = ramp(side * u, person.nose_width * 0.8, person.nose_width * 1.1)
        shade(picture, 0.74, beside * inside(np.abs(wing) - 0.004, 0.03))
    shade(picture, 0.80, blob(u, v, 0, tip + 0.085, 0.8 * person.nose_width, 0.025))


def paint_mouth(picture: F32, person: Person, look: Look, grid: Grid, u: F32, v: F32) -> None:
    """Lips, teeth in a wide smile, and the line between the lips."""
    middle = person.eye_height + person.nose_length + person.mouth_height
    at = window(u, v, (-0.55, middle - 0.28, 0.55, middle + 0.42))
    picture, u, v = picture[at], u[at], v[at]
    line, along = mouth_line(person, look, u)
    bow = np.clip(1 - along * along, 0, 1)
    gap = np.float32(0.10 * max(0.0, look.smile - 0.45) + 0.10 * look.talk) * bow
    dip = 1 - 0.28 * np.exp(-((along / 0.16) ** 2))
    top = line - np.float32(person.lip_upper) * bow**0.8 * dip
    bottom = line + gap + np.float32(person.lip_lower) * bow**0.65
    lips = inside(np.maximum(np.maximum(top - v, v - bottom), (np.abs(along) - 1) * 0.2), 2.2 * grid.pixel)
    red = mix(person.skin, mix(person.lip_colour, (0.40, 0.13, 0.15), 1 - person.skin[0]), person.lip_red)
    tint = triple(*red) / triple(*person.skin)
    picture *= 1 + lips[..., None] * (tint - 1)
    shade(picture, 0.82, lips * (v < line))
    over(picture, (1.0, 0.95, 0.93), 0.13 * blob(u, v, 0.02, middle + 0.55 * person.lip_lower, 0.1, 0.02))
    mouth = inside(np.maximum(np.maximum(line - v, v - line - gap), (np.abs(along) - 0.93) * 0.2), 1.5 * grid.pixel)
    teeth = 1.0 if look.smile > 0.5 and not look.talk else 0.45
    over(picture, (0.24, 0.08, 0.08), mouth * ramp(gap, 0.004, 0.02))
    over(picture, (0.90, 0.87, 0.83), mouth * ramp(gap, 0.004, 0.03) * inside(v - line - teeth * gap, 0.02))
    dark = mix(person.skin, (0.20, 0.05, 0.06), 0.80)
    ends = inside((np.abs(along) - 1.02) * 0.2, 0.03)
    over(picture, dark, 0.85 * ends * inside(np.abs(v - line) - 0.006, 1.8 * grid.pixel))
    over(picture, dark, 0.5 * ends * (gap > 0) * inside(np.abs(v - line - gap) - 0.004, 1.8 * grid.pixel))
    shade(picture, 0.80, blob(u, v, 0, middle + 1.9 * person.lip_lower + 0.01, 0.15, 0.035))
