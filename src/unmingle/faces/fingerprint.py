"""A picture's fingerprint: what stays of it when it is saved again smaller, recompressed, brighter or with a border.

A fingerprint is one small grey print of 32×32 cells, and a second one of what lies inside a plain border, if there is
one. Prints that may be of one picture are found by the signs of their lowest frequencies in the cosine transform, as
in Zauner, "Implementation and benchmarking of perceptual image hash functions", 2010, and by sorting these codes by
their bits in several orders (Charikar, "Similarity estimation techniques from rounding algorithms", 2002): equal
pictures come to lie next to each other in one of them. Whether they are, `faces.same_picture` tells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from unmingle.records import check_shape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from unmingle.records import F32, I64, U8

    U64 = NDArray[np.uint64]

SIDE = 32  # cells
PLAIN = 3.0  # of 255: how far a border's rows may on average be from their colour
ACROSS = 256  # pixels of a row, evenly spread, that are looked at: enough, and little memory
BORDER = 0.25  # of the picture's side, the widest border

LOWEST = 8  # frequencies a side; the constant one says nothing, 63 bits remain
ORDERS = 16  # in which codes are sorted
NEAREST = 8  # places in such an order that are looked at
CANDIDATES = 4  # the nearest of a print that are compared
MAX_BITS = 16  # of 63 may differ; unrelated portraits differ by 30, one pair in a hundred by 19 or less

_BITS = np.uint64(1) << np.arange(LOWEST * LOWEST - 1, dtype=np.uint64)
_HEAD = 8  # bytes: where the print lies in its picture, as 65535ths of its sides
_BYTES = _HEAD + SIDE * SIDE


@dataclass(frozen=True, slots=True, eq=False)
class Prints:
    """The m prints of some pictures.

    owners: (m,) int64, the picture of each, by its place among those that were read.
    parts:  (m, 4) float32, what of the picture it shows: left, top, width, height as shares of its sides.
    cells:  (m, 32, 32) uint8, grey.
    """

    owners: I64
    parts: F32
    cells: U8

    def __post_init__(self) -> None:
        check_shape("parts", self.parts, (len(self.owners), 4))
        check_shape("cells", self.cells, (len(self.owners), SIDE, SIDE))

    @classmethod
    def read(cls, fingerprints: Sequence[bytes]) -> Prints:
        """The prints in several fingerprints; an empty one has none."""
        owners = np.repeat(np.arange(len(fingerprints)), [len(one) // _BYTES for one in fingerprints])
        rows = np.frombuffer(b"".join(fingerprints), np.uint8).reshape(len(owners), _BYTES)
        parts = np.ascontiguousarray(rows[:, :_HEAD]).view("<u2").astype(np.float32) / np.float32(65535)
        return cls(owners, parts, rows[:, _HEAD:].reshape(-1, SIDE, SIDE))

    def codes(self) -> U64:
        """(m,) 63 bits: which of the lowest frequencies are positive."""
        at = (2 * np.arange(SIDE) + 1) * np.pi / (2 * SIDE)
        waves = np.cos(np.arange(LOWEST)[:, None] * at)
        positive = (waves @ self.cells.astype(np.float64) @ waves.T).reshape(-1, LOWEST * LOWEST)[:, 1:] > 0
        return np.asarray((positive * _BITS).sum(axis=1, dtype=np.uint64))


def fingerprint(picture: U8) -> bytes:
    """The fingerprint of a picture (h, w, 3) uint8 RGB: its print, and that of what lies inside a plain border."""
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
    colour = np.median(first, axis=0).astype(np.int16)
    if np.abs(first - colour).max(axis=1).mean() > PLAIN:
        return 0  # as nearly always
    rows = picture[: int(BORDER * len(picture)) + 1, ::step].astype(np.int16)
    away = np.abs(rows - colour).max(axis=2).mean(axis=1) > PLAIN
    return int(np.argmax(away)) if away.any() else 0


def _print(picture: U8, part: tuple[float, ...]) -> bytes:
    small = cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    where = np.rint(np.array(part) * 65535).astype("<u2")
    return bytes(where.tobytes() + cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).tobytes())


def alike(code_m: U64, apart_m: I64) -> I64:
    """(k, 2) pairs of prints that may show one picture, the first before the second.

    Each print comes with its nearest few, so there are never many; n prints take n log n steps.

    Args:
        code_m: their codes.
        apart_m: prints of the same number are not compared.
    """
    pairs = [np.zeros((0, 3), np.int64)]
    shuffle = np.random.default_rng(0)  # any orders will do, but each time the same
    for _ in range(ORDERS):
        order = np.argsort(_shuffled(code_m, shuffle.permutation(len(_BITS))), kind="stable")
        for step in range(1, min(NEAREST, len(order) - 1) + 1):
            one, other = order[:-step], order[step:]
            bits = np.bitwise_count(code_m[one] ^ code_m[other])
            near = (bits <= MAX_BITS) & (apart_m[one] != apart_m[other])
            found = np.sort(np.stack([one[near], other[near]], axis=1), axis=1)
            pairs.append(np.column_stack([found, bits[near]]).astype(np.int64))
        pairs = [_nearest(np.unique(np.concatenate(pairs), axis=0))]
    return pairs[0][:, :2]


def _nearest(pairs_k3: I64) -> I64:
    """Of pairs and their distances those that are among the nearest few of one of the two."""
    kept = np.zeros(len(pairs_k3), np.bool_)
    for side in (0, 1):
        order = np.lexsort((pairs_k3[:, 1 - side], pairs_k3[:, 2], pairs_k3[:, side]))
        _, first, sizes = np.unique(pairs_k3[order, side], return_index=True, return_counts=True)
        kept[order] |= np.arange(len(order)) - np.repeat(first, sizes) < CANDIDATES
    return pairs_k3[kept]


def _shuffled(code_m: U64, places: I64) -> U64:
    moved = np.zeros_like(code_m)
    for to, bit in zip(_BITS, places.astype(np.uint64), strict=True):
        moved |= ((code_m >> bit) & np.uint64(1)) * to
    return moved
