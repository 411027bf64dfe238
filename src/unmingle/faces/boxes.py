"""Boxes of faces: how far they are of the same place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Float = TypeVar("Float", bound="np.floating[Any]")


def overlaps(one_n4: NDArray[Float], other_m4: NDArray[Float]) -> NDArray[Float]:
    """(n, m) intersection over union of boxes left, top, width, height; 0 where neither has any area."""
    low_n2, low_m2 = one_n4[:, :2], other_m4[:, :2]
    high_n2, high_m2 = low_n2 + one_n4[:, 2:], low_m2 + other_m4[:, 2:]
    extent = np.minimum(high_n2[:, None], high_m2) - np.maximum(low_n2[:, None], low_m2)
    common = np.clip(extent, 0, None).prod(axis=2)
    union = np.prod(one_n4[:, 2:], axis=1)[:, None] + np.prod(other_m4[:, 2:], axis=1) - common
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
