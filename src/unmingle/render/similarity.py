"""How alike pictures of one person are, and pictures of different people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unmingle.grouping.neighbours import similarity_blocks

if TYPE_CHECKING:
    from unmingle.records import F32, F64, I64

LOW, HIGH, BINS = -0.4, 1.0, 70  # cosine; what lies below counts in the first bin
MOST_STRANGERS = 4000  # faces whose pairs with each other are looked at: eight million pairs
MOST_OF_ONE = 200  # faces of one person, likewise


@dataclass(frozen=True, slots=True, eq=False)
class Similarity:
    """The similarities (cosine) of pairs of faces.

    same_b, different_b: (b,) int64, pairs of one person and of different people in equal bins from LOW to HIGH.
    line:      what two single faces have to reach to be one person on their own; None where there is no such line.
    same_above, different_above: shares of pairs at the line or above it, 0 to 1; 0 without a line.
    same_middle, different_middle: medians; NaN without such pairs.
    """

    same_b: I64
    different_b: I64
    line: float | None
    same_above: float
    different_above: float
    same_middle: float
    different_middle: float


def similarity(vectors_nd: F32, person_n: I64, line: float | None) -> Similarity:
    """Count the pairs of n faces.

    Of more than 4,000 faces a sample tells of different people, and of more than 200 of a person of that person.

    Args:
        vectors_nd: (n, d) float32 unit vectors.
        person_n: (n,) whose each is; -1: nobody's, and so different from all others.
        line: see `Similarity`.
    """
    bar = np.inf if line is None else line
    same, different = _Counts(bar), _Counts(bar)
    for rows in _rows_of_people(person_n):
        cosines = vectors_nd[rows] @ vectors_nd[rows].T
        same.add(cosines[np.triu_indices(len(rows), 1)])
    rows = _sample(np.arange(len(person_n)), MOST_STRANGERS)
    sample_kd, person_k = vectors_nd[rows], person_n[rows]
    for block, similarity_rk in similarity_blocks(sample_kd, sample_kd, cells=1 << 21):
        mine_r = person_k[block, None]
        strangers = (mine_r != person_k) | (mine_r < 0)
        later = np.arange(len(rows)) > np.arange(block.start, block.stop)[:, None]
        different.add(similarity_rk[strangers & later])
    middles = (same.middle, different.middle)
    return Similarity(same.count_b, different.count_b, line, same.above, different.above, *middles)


class _Counts:
    """Counts cosines by bins, and those that reach a bar."""

    def __init__(self, bar: float) -> None:
        self._bar = bar
        self.count_b = np.zeros(BINS, np.int64)
        self._reached = 0

    def add(self, cosine_m: F32) -> None:
        self.count_b += np.histogram(np.clip(cosine_m, LOW, HIGH), BINS, (LOW, HIGH))[0]
        self._reached += int(np.count_nonzero(cosine_m >= self._bar))

    @property
    def above(self) -> float:
        return self._reached / max(1, int(self.count_b.sum()))

    @property
    def middle(self) -> float:
        total = int(self.count_b.sum())
        if not total:
            return float("nan")
        at = int(np.searchsorted(np.cumsum(self.count_b), total / 2))
        return float(edges()[at : at + 2].mean())


def edges() -> F64:
    """(b + 1,) where bins begin and end."""
    return np.linspace(LOW, HIGH, BINS + 1)


def _rows_of_people(person_n: I64) -> list[I64]:
    order = np.argsort(person_n, kind="stable")
    order = order[np.searchsorted(person_n[order], 0) :]
    starts = np.flatnonzero(np.diff(person_n[order])) + 1
    return [_sample(rows, MOST_OF_ONE) for rows in np.split(order, starts) if len(rows) > 1]


def _sample(rows: I64, most: int) -> I64:
    """At most so many of the rows, at random and always the same: faces that follow each other may be in step."""
    return rows if len(rows) <= most else np.sort(np.random.default_rng(0).permutation(rows)[:most])
