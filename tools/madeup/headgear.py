"""Knitted hats and headscarves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from madeup.canvas import blob, drop_shadow, inside, noise, over, ramp, sample, shade
from madeup.face import outline

if TYPE_CHECKING:
    from madeup.canvas import F32, Grid
    from madeup.people import Look, Person


def paint(picture: F32, person: Person, look: Look, grid: Grid, u: F32, v: F32) -> None:
    """The hat or scarf of those who wear one, its shadow on the face first."""
    cover, tone = _beanie(person, u, v) if person.hair == "beanie" else _scarf(person, u, v)
    alpha = inside(cover, 0.02 + grid.pixel)
    shade(picture, 0.70, 0.9 * drop_shadow(alpha, 0.04, 0.04, grid.pixel))
    light = np.clip(0.82 + 0.30 * u * look.light[0] - 0.22 * u * u, 0.3, 1.2) * tone
    over(picture, np.asarray(person.cloth, np.float32) * light[..., None], alpha)


def _beanie(person: Person, u: F32, v: F32) -> tuple[F32, F32]:
    """How far outside the hat each point lies, and the tone of its ribs."""
    brim = np.float32(min(person.hairline + 0.10, person.eye_height - person.brow_gap - 0.16)) + 0.16 * u * u
    wide, high = person.width + 0.09, 1.14 + person.hair_volume
    dome = ((np.abs(u) / wide) ** 2.4 + (np.abs(np.minimum(v + 0.1, 0)) / high) ** 2.4) ** (1 / 2.4) - 1
    band = inside(np.abs(v - brim + 0.13) - 0.13, 0.02)
    ribs = 1 + 0.13 * np.sin(u / np.sqrt(np.clip(1.4 - u * u, 0.3, 2)) * 62) * (0.5 + 0.5 * band)
    seam = np.exp(-(((v - brim + 0.27) / 0.02) ** 2))
    return np.maximum(dome - 0.04 * band, v - brim), ribs * (1 - 0.25 * seam) * (0.92 + 0.14 * band)


def _scarf(person: Person, u: F32, v: F32) -> tuple[F32, F32]:
    """How far outside the scarf each point lies, and the tone of its folds."""
    opening = np.hypot(u / (0.93 * person.width), (v - 0.24) / (person.chin - 0.20)) - 1
    opening = np.maximum(opening, outline(person, u, v) - 0.96)
    head = np.hypot(u / (person.width + 0.17), np.minimum(v + 0.02, 0) / 1.16) - 1
    cloth = np.maximum(head - 0.25 * ramp(v, 0.7, 1.5), v - 1.75 + 0.25 * u * u)
    tile = noise((15, person.seed), 5.0)
    folds = sample(tile, outline(person, u, v) * 60, np.arctan2(u, v) * 12) * ramp(opening, 0, 0.3)
    under = 1 - 0.35 * blob(u, v, 0, person.chin + 0.12, 0.5, 0.10)
    return np.maximum(cloth * 0.8, -opening), (1 + 0.09 * folds) * under * (0.88 + 0.25 * ramp(opening, 0.0, 0.12))
