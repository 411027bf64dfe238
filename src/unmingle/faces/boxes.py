"""Boxes of faces: how far they are of the same place."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

# Two boxes of one face overlap by at least so much, as intersection over union.
SAME_FACE = 0.4
Float = TypeVar("Float", bound="np.floating[Any]")


def overlaps(one_n4: NDArray[Float], other_m4: NDArray[Float]) -> NDArray[Float]:
    """(n, m) intersection over union of boxes left, top, width, height; 0 where neither has any area."""
    return overlap_of_pairs(one_n4[:, None], other_m4)


def overlap_of_pairs(one_4: NDArray[Float], other_4: NDArray[Float]) -> NDArray[Float]:
    """The same of each box and the one at its place, in two arrays of boxes."""
    low = np.maximum(one_4[..., :2], other_4[..., :2])
    high = np.minimum(one_4[..., :2] + one_4[..., 2:], other_4[..., :2] + other_4[..., 2:])
    common = np.clip(high - low, 0, None).prod(axis=-1)
    union = one_4[..., 2:].prod(axis=-1) + other_4[..., 2:].prod(axis=-1) - common
    shares: NDArray[Float] = common / np.maximum(union, np.finfo(np.float32).tiny)
    return shares


def assigned(one_n4: NDArray[Float], other_m4: NDArray[Float], *, least: float) -> list[tuple[int, int]]:
    """Pairs of boxes that are of the same face, by position, none twice; they overlap so much, and in all the most."""
    from scipy.optimize import linear_sum_assignment

    overlap_nm = overlaps(one_n4, other_m4)
    # What is too little to count must not push aside what counts.
    rows, columns = linear_sum_assignment(np.where(overlap_nm >= least, overlap_nm, 0), maximize=True)
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    return [(row, column) for row, column in pairs if overlap_nm[row, column] >= least]
