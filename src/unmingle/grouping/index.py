"""Nearest neighbours by dot product of mean vectors, which is an average cosine, and no n × n matrix ever exists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from unmingle.records import F32, I64, Bool

    # Which pairs of a query and a base row, by position, may not be neighbours: rows × columns.
    ForbiddenBlock = Callable[[I64, I64], Bool]

# Up to so many pairs all are compared, which takes some ten seconds; past that `inverted_index` is asked.
EXACT_PAIRS = 50_000**2
# 16 MiB of similarities at a time, at any n: what a cache holds is looked through in 0.6 of the time that 64 MiB take.
BLOCK_CELLS = 1 << 22
# Rows of a base that stay in the cache while all queries are compared with them, where it has several times more.
TILE = 1 << 14
# Rows gathered at a time.
ROWS = 1 << 15
NOBODY = np.float32(-np.inf)


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """The k nearest of each of q rows, by falling similarity, equals by rising position."""

    index_qk: I64  # positions in the base; -1 where there are fewer than k
    similarity_qk: F32  # -inf where there is none

    @classmethod
    def nobody(cls, queries: int, k: int) -> Neighbours:
        """Empty lists."""
        return cls(np.full((queries, k), -1, np.int64), np.full((queries, k), NOBODY))

    def take(self, rows: I64) -> Neighbours:
        """Some of the lists."""
        return Neighbours(self.index_qk[rows], self.similarity_qk[rows])

    def without(self, out_qk: Bool) -> Neighbours:
        """The lists without some entries; what is left moves up."""
        index_qk = np.where(out_qk, -1, self.index_qk)
        similarity_qk = np.where(out_qk, NOBODY, self.similarity_qk)
        order = np.argsort(-similarity_qk, axis=1, kind="stable")
        return Neighbours(np.take_along_axis(index_qk, order, 1), np.take_along_axis(similarity_qk, order, 1))


def find_nearest(queries_qd: F32, base_nd: F32, k: int, *, own_q: I64 | None = None) -> Neighbours:
    """The k nearest base rows of each query; past `EXACT_PAIRS` a list may miss some.

    own_q: (q,) position of each query in the base, which is no neighbour of itself; None: they are not in it.
    """
    if len(queries_qd) * len(base_nd) <= EXACT_PAIRS:
        if own_q is None and len(base_nd) > 4 * TILE:
            return _by_tiles(queries_qd, base_nd, k)
        return exact_nearest(queries_qd, base_nd, k, own_q=own_q)
    from unmingle.grouping.inverted_index import InvertedIndex

    index = InvertedIndex(base_nd)
    return index.nearest(queries_qd, base_nd, index.cell_of(base_nd), k, own_q=own_q)


def _by_tiles(queries_qd: F32, base_nd: F32, k: int) -> Neighbours:
    """As `exact_nearest`, where a block of similarities would be of so few queries that each reads the whole base."""
    starts = range(0, len(base_nd), TILE)
    parts = [exact_nearest(queries_qd, base_nd[start : start + TILE], k) for start in starts]
    moved = [np.where(part.index_qk < 0, -1, part.index_qk + start) for part, start in zip(parts, starts, strict=True)]
    index_qm = np.concatenate(moved, axis=1)
    all_parts = Neighbours(index_qm, np.concatenate([part.similarity_qk for part in parts], axis=1))
    best = all_parts.without(index_qm < 0)
    return Neighbours(best.index_qk[:, :k], best.similarity_qk[:, :k])


def spaced(count: int, most: int) -> I64:
    """At most so many positions of so many, evenly spaced."""
    shown = min(count, most)
    return np.arange(shown) * count // max(1, shown)


def dot_pairs(one_nd: F32, first_m: I64, other_nd: F32, second_m: I64) -> F32:
    """(m,) dot products of m pairs of rows."""
    dot_m = np.empty(len(first_m), np.float32)
    for start in range(0, len(first_m), ROWS):
        part = slice(start, start + ROWS)
        dot_m[part] = np.einsum("md,md->m", one_nd[first_m[part]], other_nd[second_m[part]])
    return dot_m


def similarity_blocks(queries_qd: F32, base_nd: F32, *, cells: int = BLOCK_CELLS) -> Iterator[tuple[slice, F32]]:
    """Yield consecutive rows of the queries and their similarities, at most `cells` at a time."""
    rows = max(1, cells // max(1, len(base_nd)))
    for start in range(0, len(queries_qd), rows):
        block = slice(start, min(start + rows, len(queries_qd)))
        # OpenBLAS computes on padding, too, and may raise the flag of an invalid number for finite rows.
        with np.errstate(invalid="ignore"):
            similarity_rn = queries_qd[block] @ base_nd.T
        yield block, similarity_rn


def exact_nearest(
    queries_qd: F32,
    base_nd: F32,
    k: int,
    *,
    own_q: I64 | None = None,
    among_a: I64 | None = None,
    forbidden: ForbiddenBlock | None = None,
    cells: int = BLOCK_CELLS,
) -> Neighbours:
    """As `find_nearest`, comparing all with all, `cells` at a time, or with those of rising positions `among_a`."""
    if among_a is not None:
        own = None if own_q is None else np.searchsorted(among_a, own_q)
        found = exact_nearest(queries_qd, base_nd[among_a], k, own_q=own, forbidden=forbidden, cells=cells)
        return Neighbours(np.where(found.index_qk < 0, -1, among_a[found.index_qk]), found.similarity_qk)
    found = Neighbours.nobody(len(queries_qd), k)
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
    least_r = kth_largest(similarity_rn, k)
    row, column = np.divmod(np.flatnonzero(similarity_rn >= least_r[:, None]), similarity_rn.shape[1])
    similarity = similarity_rn[row, column]
    order = np.lexsort((column, -similarity, row))
    row, column, similarity = row[order], column[order], similarity[order]
    place = np.arange(len(row)) - np.searchsorted(row, np.arange(r))[row]
    keep = (place < k) & (similarity > NOBODY)
    best = Neighbours.nobody(r, k)
    best.index_qk[row[keep], place[keep]] = column[keep]
    best.similarity_qk[row[keep], place[keep]] = similarity[keep]
    return best.index_qk, best.similarity_qk


def kth_largest(similarity_rn: F32, k: int) -> F32:
    """For each row a bound that at least k of its values reach, and not many more."""
    # The k-th largest of the maxima of 8k strips: several times faster than selecting in the whole row.
    strips = min(8 * k, similarity_rn.shape[1])
    if k >= strips:
        return np.full(len(similarity_rn), NOBODY, np.float32)
    depth = similarity_rn.shape[1] // strips
    maxima_rs = similarity_rn[:, : depth * strips].reshape(len(similarity_rn), depth, strips).max(axis=1)
    least: F32 = np.partition(maxima_rs, strips - k, axis=1)[:, strips - k]
    return least
