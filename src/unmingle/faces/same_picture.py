"""Whether two prints show one picture: the one laid over the other, as far as a slight crop and other tones explain.

Pixels of the same picture agree once shift and scale along both sides are found, by Gauss–Newton steps (Lucas and
Kanade, "An iterative image registration technique", 1981), and a change of tone, by a parabola fitted in the same
steps. The same scene a moment later differs in more than that: what is left tells, all over the picture and at the
place where most is left. Recompressing leaves a little everywhere, a mouth that opened leaves much in one place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from unmingle.records import F32, U8, Bool

COARSE_STEPS = 5  # on prints of half the side
FINE_STEPS = 4
HOPELESS = 0.3  # left after the coarse steps: the fine ones won't help
FURTHEST = 0.25  # of half a side, by which the pictures may be shifted or scaled
OVERLAP = 0.75  # of the cells that both must show
FLAT = 4.0  # of 255: prints with less contrast have nothing to compare
AT_ONCE = 256


@dataclass(frozen=True, slots=True, eq=False)
class Fits:
    """How k prints look laid over k others.

    left: (k,) float32, the part of the other's contrast that the one doesn't explain: 0 all the same, 1 nothing.
    most: (k,) float32, the largest mean of what is not explained over 3×3 cells, in the same terms; infinite where
          nothing fits.
    maps: (k, 4) float32, a, b, c, d: x, y of the other is at x · (1 + a) + b, y · (1 + c) + d of the one, both from
          -1 to 1.
    """

    left: F32
    most: F32
    maps: F32


def lay_over(one_k: U8, other_k: U8) -> Fits:
    """Fit prints (k, 32, 32) uint8 to others, one to one."""
    starts = range(0, max(len(one_k), 1), AT_ONCE)
    parts = [_laid_over(one_k[at : at + AT_ONCE], other_k[at : at + AT_ONCE]) for at in starts]
    left, most, maps = (np.concatenate([getattr(part, name) for part in parts]) for name in ("left", "most", "maps"))
    return Fits(left, most, maps)


def _laid_over(one_k: U8, other_k: U8) -> Fits:
    one, contrast = _standard(one_k)
    other, contrast_other = _standard(other_k)
    maps = np.zeros((len(one), 4), np.float32)
    small_one, small_other = _halved(one), _halved(other)
    left: F32 = np.ones(len(one), np.float32)
    for _ in range(COARSE_STEPS):
        left, maps, _ = _step(small_one, small_other, maps)
    left = np.where(np.minimum(contrast, contrast_other) < FLAT, 1.0, left).astype(np.float32)
    most = np.full(len(one), np.inf, np.float32)
    hopeful = np.flatnonzero(left < HOPELESS)
    left[hopeful], best = 1.0, maps.copy()
    for _ in range(FINE_STEPS):
        now, further, unexplained = _step(one[hopeful], other[hopeful], maps[hopeful])
        better = now < left[hopeful]
        where = hopeful[better]
        left[where], best[where], most[where] = now[better], maps[where], _largest(unexplained[better])
        maps[hopeful] = further
    return Fits(left, most, best)


def _largest(rest_k: F32) -> F32:
    """(k,) the largest mean over 3×3 cells."""
    down = rest_k[:, :-2] + rest_k[:, 1:-1] + rest_k[:, 2:]
    means = np.abs(down[:, :, :-2] + down[:, :, 1:-1] + down[:, :, 2:]) / 9
    return np.asarray(means.max(axis=(1, 2), initial=0), np.float32)


def _standard(cells_k: U8) -> tuple[F32, F32]:
    """Prints of zero mean and unit deviation, and what their deviation was."""
    cells = cells_k.astype(np.float32)
    cells -= cells.mean(axis=(1, 2), keepdims=True)
    deviation = cells.std(axis=(1, 2))
    return cells / np.maximum(deviation, 1e-3)[:, None, None], deviation


def _halved(cells_k: F32) -> F32:
    k, side, _ = cells_k.shape
    return np.asarray(cells_k.reshape(k, side // 2, 2, side // 2, 2).mean(axis=(2, 4)), np.float32)


def _step(one: F32, other: F32, maps_k4: F32) -> tuple[F32, F32, F32]:
    """One step: how much is left with these maps, better maps, and what is left, cell by cell."""
    k, side, _ = one.shape
    unit = ((2 * np.arange(side) + 1) / side - 1).astype(np.float32)
    across, in_x = _sampling(unit, maps_k4[:, :2])
    down, in_y = _sampling(unit, maps_k4[:, 2:])
    laid = down @ one @ across.transpose(0, 2, 1)
    inside = in_y[:, :, None] & in_x[:, None, :]
    by_y, by_x = (slope * np.float32(side / 2) for slope in np.gradient(laid, axis=(1, 2)))
    columns = [np.ones_like(laid), laid, laid**2, by_x * unit, by_x, by_y * unit[:, None], by_y]
    known_k7c = (np.stack(columns, axis=1) * inside[:, None]).reshape(k, 7, side * side)
    wanted_kc = (other * inside).reshape(k, side * side)
    square_k77 = known_k7c @ known_k7c.transpose(0, 2, 1) + np.float32(1e-3) * np.eye(7, dtype=np.float32)
    right_k7 = known_k7c @ wanted_kc[..., None]
    tone_k3 = np.linalg.solve(square_k77[:, :3, :3], right_k7[:, :3])[..., 0]
    rest = wanted_kc - np.einsum("kt,ktc->kc", tone_k3, known_k7c[:, :3])
    count = np.maximum(inside.sum(axis=(1, 2)), 1)
    spread = np.sqrt(np.maximum((wanted_kc**2).sum(axis=1) / count - (wanted_kc.sum(axis=1) / count) ** 2, 1e-6))
    left = np.sqrt((rest**2).sum(axis=1) / count) / spread
    left[count < OVERLAP * side * side] = 1.0
    solution_k7 = np.linalg.solve(square_k77, right_k7)[..., 0]
    slope = np.where(np.abs(solution_k7[:, 1:2]) < 0.1, 0.1, solution_k7[:, 1:2])
    most = np.float32(4 / side)  # of a step: two cells
    further = np.clip(maps_k4 + np.clip(solution_k7[:, 3:] / slope, -most, most), -FURTHEST, FURTHEST)
    return left.astype(np.float32), further.astype(np.float32), rest.reshape(k, side, side).astype(np.float32)


def _sampling(unit: F32, maps_k2: F32) -> tuple[F32, Bool]:
    """(k, s, s) the weights of source cells for each cell, by cubic interpolation, and (k, s) which lie inside.

    Source: Keys, "Cubic convolution interpolation for digital image processing", 1981.
    """
    side = len(unit)
    at = (unit * (1 + maps_k2[:, :1]) + maps_k2[:, 1:] + 1) * (side / 2) - 0.5
    far = np.abs(at[:, :, None] - np.arange(side, dtype=np.float32))
    near = (1.5 * far - 2.5) * far**2 + 1
    further = ((-0.5 * far + 2.5) * far - 4) * far + 2
    weights = np.where(far < 1, near, np.where(far < 2, further, 0))
    weights /= np.maximum(weights.sum(axis=2, keepdims=True), 1e-3)
    return weights.astype(np.float32), (at > -0.5) & (at < side - 0.5)
