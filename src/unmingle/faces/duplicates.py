"""Copies of a picture: small fingerprints that stay when it is saved again, and whether two of them are of one picture.

A fingerprint is one grey print of 32×32 cells, and a second one of what lies inside a plain border, if there is one.
Prints that may be of one picture have the signs of their lowest frequencies in common (a perceptual hash: Zauner 2010),
which are sorted by their bits in several orders (Charikar 2002). Whether they are, tells the one laid over the other:
shifted, scaled, and with another tone, by Gauss–Newton steps (Lucas and Kanade 1981). Recompressing leaves a little
difference everywhere, the same scene a moment later much in one place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from unmingle.records import F32, I64, U8, Bool, check_shape
from unmingle.sources.pyramid import Pyramid

U64 = NDArray[np.uint64]

CELLS = 32  # a side of a print
EACH = 16  # pixels of a cell's side, at least, where the picture has them
PLAIN = 3.0  # of 255: how far a border's rows may on average be from their colour
ACROSS = 256  # pixels of a row, evenly spread, that are looked at: enough, and little memory
BORDER = 0.25  # of the picture's side, the widest border

LOWEST = 8  # frequencies a side; the constant one says nothing, 63 bits remain
ORDERS = 16  # in which codes are sorted
NEAREST = 8  # places in such an order that are looked at
CANDIDATES = 4  # the nearest of a print that are compared
MAX_BITS = 16  # of 63 may differ; unrelated portraits differ by 30, one pair in a hundred by 19 or less

COARSE_STEPS = 5  # on prints of half the side
FINE_STEPS = 4
HOPELESS = 0.3  # left after the coarse steps: the fine ones won't help
FURTHEST = 0.25  # of half a side, by which the pictures may be shifted or scaled
OVERLAP = 0.75  # of the cells that both must show
FLAT = 4.0  # of 255: prints with less contrast have nothing to compare
AT_ONCE = 256

_BITS = np.uint64(1) << np.arange(LOWEST * LOWEST - 1, dtype=np.uint64)
_HEAD = 8  # bytes: where the print lies in its picture, as 65535ths of its sides
PRINT_BYTES = _HEAD + CELLS * CELLS


@dataclass(frozen=True, slots=True, eq=False)
class Prints:
    """The m prints of some pictures."""

    owners: I64  # (m,) the picture of each, by its place among those that were read
    parts: F32  # (m, 4) what of the picture it shows: left, top, width, height as shares of its sides
    cells: U8  # (m, 32, 32) grey

    def __post_init__(self) -> None:
        check_shape("parts", self.parts, (len(self.owners), 4))
        check_shape("cells", self.cells, (len(self.owners), CELLS, CELLS))

    @classmethod
    def read(cls, fingerprints: Sequence[bytes]) -> Prints:
        """The prints in several fingerprints; an empty one has none."""
        owners = np.repeat(np.arange(len(fingerprints)), [len(one) // PRINT_BYTES for one in fingerprints])
        rows = np.frombuffer(b"".join(fingerprints), np.uint8).reshape(len(owners), PRINT_BYTES)
        parts = np.ascontiguousarray(rows[:, :_HEAD]).view("<u2").astype(np.float32) / np.float32(65535)
        return cls(owners, parts, rows[:, _HEAD:].reshape(-1, CELLS, CELLS))

    def codes(self) -> U64:
        """(m,) 63 bits: which of the lowest frequencies are positive."""
        at = (2 * np.arange(CELLS) + 1) * np.pi / (2 * CELLS)
        waves = np.cos(np.arange(LOWEST)[:, None] * at)
        positive = (waves @ self.cells.astype(np.float64) @ waves.T).reshape(-1, LOWEST * LOWEST)[:, 1:] > 0
        return np.asarray((positive * _BITS).sum(axis=1, dtype=np.uint64))


def fingerprint(picture: U8 | Pyramid) -> bytes:
    """The fingerprint of a picture (h, w, 3) uint8 RGB: its print, and that of what lies inside a plain border.

    It is made of the smallest size of a large picture that has enough pixels for each cell.
    """
    if isinstance(picture, Pyramid):
        picture, _ = picture.level(CELLS * EACH / min(picture.width, picture.height))
    height, width = picture.shape[:2]
    left, right = _plain(picture.transpose(1, 0, 2)), _plain(picture.transpose(1, 0, 2)[::-1])
    top, bottom = _plain(picture), _plain(picture[::-1])
    prints = [_print(picture, (0.0, 0.0, 1.0, 1.0))]
    if left + right + top + bottom:
        inside = picture[top : height - bottom, left : width - right]
        part = (left / width, top / height, inside.shape[1] / width, inside.shape[0] / height)
        prints.append(_print(inside, part))
    return b"".join(prints)


def _plain(picture: U8) -> int:
    """How many rows from the top have the colour of the first; a whole quarter of the picture is more than a border."""
    step = max(1, picture.shape[1] // ACROSS)
    first = picture[0, ::step].astype(np.int16)
    ordered = np.sort(first, axis=0)
    colour = (ordered[(len(first) - 1) // 2] + ordered[len(first) // 2]) // 2  # the median
    if np.abs(first - colour).max(axis=1).mean() > PLAIN:
        return 0  # as nearly always
    rows = picture[: int(BORDER * len(picture)) + 1, ::step].astype(np.int16)
    away = np.abs(rows - colour).max(axis=2).mean(axis=1) > PLAIN
    return int(np.argmax(away)) if away.any() else 0


def _print(picture: U8, part: tuple[float, ...]) -> bytes:
    small = cv2.resize(picture, (CELLS, CELLS), interpolation=cv2.INTER_AREA)
    where = np.rint(np.array(part) * 65535).astype("<u2")
    return bytes(where.tobytes() + cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).tobytes())


def alike(code_m: U64, apart_m: I64) -> I64:
    """(k, 2) pairs of prints that may show one picture, the first before the second, of m prints by their codes.

    Prints of the same number in `apart_m` are not compared. Each print comes with its nearest few, so there are never
    many; n prints take n log n steps.
    """
    pairs = np.zeros((0, 3), np.int64)
    shuffle = np.random.default_rng(0)  # any orders will do, but each time the same
    for _ in range(ORDERS):
        moved = np.zeros_like(code_m)
        for to, bit in zip(_BITS, shuffle.permutation(len(_BITS)).astype(np.uint64), strict=True):
            moved |= ((code_m >> bit) & np.uint64(1)) * to
        order = np.argsort(moved, kind="stable")
        parts = [pairs]
        for step in range(1, min(NEAREST, len(order) - 1) + 1):
            one, other = order[:-step], order[step:]
            bits = np.bitwise_count(code_m[one] ^ code_m[other])
            near = (bits <= MAX_BITS) & (apart_m[one] != apart_m[other])
            found = np.sort(np.stack([one[near], other[near]], axis=1), axis=1)
            parts.append(np.column_stack([found, bits[near]]).astype(np.int64))
        pairs = _nearest(np.unique(np.concatenate(parts), axis=0))
    return pairs[:, :2]


def _nearest(pairs_k3: I64) -> I64:
    """Of pairs and their distances those that are among the nearest few of one of the two."""
    kept = np.zeros(len(pairs_k3), np.bool_)
    for side in (0, 1):
        order = np.lexsort((pairs_k3[:, 1 - side], pairs_k3[:, 2], pairs_k3[:, side]))
        _, first, sizes = np.unique(pairs_k3[order, side], return_index=True, return_counts=True)
        kept[order] |= np.arange(len(order)) - np.repeat(first, sizes) < CANDIDATES
    return pairs_k3[kept]


@dataclass(frozen=True, slots=True, eq=False)
class Fits:
    """How k prints look laid over k others, in terms of the other's contrast."""

    left: F32  # (k,) the part that the one doesn't explain: 0 all the same, 1 nothing
    most: F32  # (k,) the largest mean of what is not explained over 3×3 cells; infinite where nothing fits
    maps: F32  # (k, 4) a, b, c, d: x, y of the other is at x · (1 + a) + b, y · (1 + c) + d of the one, from -1 to 1


def lay_over(one_k: U8, other_k: U8) -> Fits:
    """Fit prints (k, 32, 32) uint8 to others, one to one."""
    starts = range(0, max(len(one_k), 1), AT_ONCE)
    parts = [_laid_over(one_k[at : at + AT_ONCE], other_k[at : at + AT_ONCE]) for at in starts]
    return Fits(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("left", "most", "maps")))


def _laid_over(one_k: U8, other_k: U8) -> Fits:
    one, contrast = _standard(one_k)
    other, contrast_other = _standard(other_k)
    maps = np.zeros((len(one), 4), np.float32)
    half = (len(one), CELLS // 2, 2, CELLS // 2, 2)
    small_one, small_other = (np.asarray(p.reshape(half).mean(axis=(2, 4)), np.float32) for p in (one, other))
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
    """(k, s, s) weights of source cells by cubic interpolation (Keys, 1981), and (k, s) which lie inside."""
    side = len(unit)
    at = (unit * (1 + maps_k2[:, :1]) + maps_k2[:, 1:] + 1) * (side / 2) - 0.5
    far = np.abs(at[:, :, None] - np.arange(side, dtype=np.float32))
    near = (1.5 * far - 2.5) * far**2 + 1
    further = ((-0.5 * far + 2.5) * far - 4) * far + 2
    weights = np.where(far < 1, near, np.where(far < 2, further, 0))
    weights /= np.maximum(weights.sum(axis=2, keepdims=True), 1e-3)
    return weights.astype(np.float32), (at > -0.5) & (at < side - 0.5)
