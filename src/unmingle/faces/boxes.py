"""Boxes of faces: how far they are of the same place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

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
