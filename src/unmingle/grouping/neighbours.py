"""Nearest neighbours by dot product: exact, in blocks, so that no n × n matrix ever exists.

Rows are mean vectors of clusters (or unit vectors of faces), so their dot product is an average cosine.
An index may take the place of `nearest` later: all that is asked of it are the best few and a bound on the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unmingle.records import check_shape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from unmingle.records import F32, I64, Bool

    # Which of a block of pairs may not be neighbours: rows and columns by position, as a (rows, columns) mask.
    Forbidden = Callable[[I64, I64], Bool]

# Up to so many rows, neighbours are found exactly, by comparing all with all; past that an index looks in the nearest
# cells only (`grouping.cells`). At this size all with all takes some ten seconds.
EXACT_ROWS = 50_000
# 64 MiB of similarities at a time; with the mask of those above the bar this stays under 100 MiB at any n.
BLOCK_CELLS = 1 << 24
NOBODY = np.float32(-np.inf)


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """The k nearest of each of q rows, by falling similarity, equals by rising position.

    index_qk:      (q, k) int64, positions in the base; -1 where there are fewer than k.
    similarity_qk: (q, k) float32, -inf where there is none.
    """

    index_qk: I64
    similarity_qk: F32

    def __post_init__(self) -> None:
        check_shape("index_qk", self.index_qk, (None, None))
        check_shape("similarity_qk", self.similarity_qk, self.index_qk.shape)


def similarity_blocks(queries_qd: F32, base_nd: F32, *, cells: int = BLOCK_CELLS) -> Iterator[tuple[slice, F32]]:
    """Yield (rows, similarity_rn) for consecutive rows of the queries, at most `cells` similarities at a time."""
    rows = max(1, cells // max(1, len(base_nd)))
    for start in range(0, len(queries_qd), rows):
        block = slice(start, min(start + rows, len(queries_qd)))
        yield block, queries_qd[block] @ base_nd.T


def nearest(
    queries_qd: F32,
    base_nd: F32,
    k: int,
    *,
    own_q: I64 | None = None,
    forbidden: Forbidden | None = None,
    cells: int = BLOCK_CELLS,
) -> Neighbours:
    """The k nearest rows of `base_nd` for each query.

    Args:
        queries_qd: (q, d) float32.
        base_nd: (n, d) float32.
        k: how many neighbours, at least 1.
        own_q: (q,) position of each query in the base, which is no neighbour of itself; None if they are not in it.
        forbidden: which pairs may not be neighbours, asked block by block with positions of queries and of the base.
        cells: similarities held at once.
    """
    found = Neighbours(np.full((len(queries_qd), k), -1, np.int64), np.full((len(queries_qd), k), NOBODY, np.float32))
    everyone = np.arange(len(base_nd), dtype=np.int64)
    for block, similarity_rn in similarity_blocks(queries_qd, base_nd, cells=cells):
        rows = np.arange(block.start, block.stop, dtype=np.int64)
        if own_q is not None:
            similarity_rn[np.arange(len(rows)), own_q[rows]] = NOBODY
        if forbidden is not None:
            similarity_rn[forbidden(rows, everyone)] = NOBODY
        index, similarity = _best(similarity_rn, k)
        found.index_qk[block, : index.shape[1]] = index
        found.similarity_qk[block, : index.shape[1]] = similarity
    return found


def _best(similarity_rn: F32, k: int) -> tuple[I64, F32]:
    """The k largest of each row, in order; -1 and -inf fill what is missing."""
    r = len(similarity_rn)
    row, column = np.divmod(np.flatnonzero(similarity_rn >= _bar(similarity_rn, k)[:, None]), similarity_rn.shape[1])
    similarity = similarity_rn[row, column]
    order = np.lexsort((column, -similarity, row))
    row, column, similarity = row[order], column[order], similarity[order]
    place = np.arange(len(row)) - np.searchsorted(row, np.arange(r))[row]
    keep = (place < k) & (similarity > NOBODY)
    index_rk = np.full((r, k), -1, np.int64)
    similarity_rk = np.full((r, k), NOBODY, np.float32)
    index_rk[row[keep], place[keep]] = column[keep]
    similarity_rk[row[keep], place[keep]] = similarity[keep]
    return index_rk, similarity_rk


def _bar(similarity_rn: F32, k: int) -> F32:
    """For each row a bar that at least k of its values reach, and not many more.

    The k-th largest of the maxima of 8k strips: two passes at memory speed, several times faster than selecting in the
    whole row.
    """
    strips = 8 * k
    depth = similarity_rn.shape[1] // strips
    if depth < 2:
        return np.full(len(similarity_rn), NOBODY, np.float32)
    maxima_rs = similarity_rn[:, : depth * strips].reshape(len(similarity_rn), depth, strips).max(axis=1)
    bar: F32 = np.partition(maxima_rs, strips - k, axis=1)[:, strips - k]
    return bar
