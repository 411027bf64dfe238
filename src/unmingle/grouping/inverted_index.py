"""Approximate nearest neighbours: an inverted file with k-means centres (Sivic and Zisserman 2003).

1.5 % of the cells hold 90 % of the true nearest faces. For the rest, what one row finds the other is told of, each asks
the nearest in its list for the nearest in theirs, and a search looks into more cells the less there is to do, until it
is exact. The result does not depend on the number of threads.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from unmingle.grouping.index import NOBODY, Neighbours, exact_nearest, kth_largest, spaced
from unmingle.models.embedding import unit
from unmingle.models.runtime import available_cores

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from threadpoolctl import ThreadpoolController

    from unmingle.records import F32, I64

    # Positions, in few bytes: there may be hundreds of millions.
    Positions = NDArray[np.integer[Any]]

# Cells for n rows: this many times √n, then as many rows are compared with centres as with rows of cells.
CELLS_PER_ROOT = 4
# Rows that the centres are learned from, and rounds of k-means.
SAMPLE = 1 << 17
ROUNDS = 6
# The least share of cells that each query looks into. Of a million generated faces, 99 % of the nearest with a cosine
# above 0.5 are found.
LEAST_SHARE = 0.015
# So many similarities may be computed whatever the share: a small search is nearly exact, and then exact.
PLENTY = 1 << 28
# With more than this, comparing all with all is as fast.
EXACT_SHARE = 0.25
# Cells that queries of one cell look into together, for a first bound: whatever is less similar is not remembered.
FIRST_CELLS = 8
# Queries that one thread works on at a time, at least and at most; their numbers fit into 16 bits.
FEW_QUERIES, QUERIES = 1 << 12, 1 << 16
# Rows compared with the centres at a time, and similarities held at once.
ROWS = 1 << 10
BLOCK = 1 << 20
# So many of its nearest each query asks for so many of theirs.
FRIENDS, THEIRS = 6, 8
# Finds held before the lists are set in order and their bounds raised.
FINDS = 1 << 22


class InvertedIndex:
    """Cells, learned from an even sample of n ≥ 1 rows: a row is in the one whose unit centre it is most like."""

    def __init__(self, vectors_nd: F32, *, cells: int | None = None) -> None:
        n = len(vectors_nd)
        # Fewer than 16 rows a cell would be a search among centres.
        wanted = min(round(CELLS_PER_ROOT * n**0.5), n // 16) if cells is None else min(cells, n)
        self.centres_cd = _centres(vectors_nd[spaced(n, SAMPLE)], max(1, wanted))

    def cell_of(self, vectors_md: F32) -> I64:
        """(m,) the cell of each row."""
        return _nearest_centre(vectors_md, self.centres_cd)

    def nearest(
        self,
        queries_qd: F32,
        base_md: F32,
        cell_m: I64,
        k: int,
        *,
        own_q: I64 | None = None,
        among_a: I64 | None = None,
        plenty: int | None = None,
    ) -> Neighbours:
        """The k nearest base rows of each query; a list may miss some, what it holds has its true similarity.

        cell_m: (m,) `cell_of` the base. own_q: (q,) position of each query in the base; None if they are not in it.
        among_a: (a,) rising positions of the base rows that count; None: all. plenty: similarities that may be computed
        in any case; None: the usual.
        """
        plenty = PLENTY if plenty is None else plenty
        counted = len(base_md) if among_a is None else len(among_a)
        share = max(LEAST_SHARE, plenty / max(1, len(queries_qd) * counted))
        base = _Base.of(base_md, cell_m, len(self.centres_cd), among_a)
        visits = max(1, round(share * len(base.filled_c)))
        if share > EXACT_SHARE or visits + FIRST_CELLS >= len(base.filled_c):
            return exact_nearest(queries_qd, base_md, k, own_q=own_q, among_a=among_a)
        home_q = self.cell_of(queries_qd) if own_q is None else cell_m[own_q]
        found = _Search(self.centres_cd, base, k, visits).all(queries_qd, home_q, own_q)
        if own_q is None:
            return found
        query_m = np.full(len(base_md), -1)
        query_m[own_q] = np.arange(len(own_q))
        return _ask_friends(_tell_back(found, own_q, query_m), queries_qd, base_md, own_q, query_m)


@dataclass(frozen=True, slots=True, eq=False)
class _Base:
    """Rows by cell, rising in each."""

    vectors_md: F32
    order_m: I64
    start_c: I64  # where each cell begins in order_m, and where the last ends
    filled_c: I64  # the cells that have rows

    @classmethod
    def of(cls, vectors_md: F32, cell_m: I64, cells: int, among_a: I64 | None = None) -> _Base:
        cell_a = cell_m if among_a is None else cell_m[among_a]
        size_c = np.bincount(cell_a, minlength=cells)
        start_c = np.concatenate([np.zeros(1, np.int64), np.cumsum(size_c)])
        # NumPy sorts 16-bit numbers by counting, many times as fast.
        order = np.argsort(cell_a.astype(np.uint16) if cells <= 1 << 16 else cell_a, kind="stable")
        return cls(vectors_md, order if among_a is None else among_a[order], start_c, np.flatnonzero(size_c))

    def rows(self, cell: int) -> I64:
        return self.order_m[self.start_c[cell] : self.start_c[cell + 1]]


class _Lists:
    """Lists of the k nearest so far, in the arrays of `lists`; least_q is the last similarity of each when settled."""

    def __init__(self, lists: Neighbours) -> None:
        self.index_qk, self.similarity_qk = lists.index_qk, lists.similarity_qk
        self._waiting: list[tuple[Positions, Positions, F32]] = []
        self._count = 0
        self.least_q = np.ascontiguousarray(self.similarity_qk[:, -1])

    def add(self, query: Positions, row: Positions, similarity: F32) -> None:
        """Remember pairs that no list holds; they are set in order when there are many."""
        self._waiting.append((query, row, similarity))
        self._count += len(query)
        if self._count > FINDS:
            self.settle()

    def settle(self) -> Neighbours:
        """Set the lists in order."""
        if self._count:
            k = self.index_qk.shape[1]
            query, row, similarity = map(np.concatenate, zip(*self._waiting, strict=True))
            touched = np.zeros(len(self.least_q), np.bool_)
            touched[query] = True
            old = np.flatnonzero(touched)
            query = np.concatenate([np.repeat(old, k).astype(query.dtype), query])
            row = np.concatenate([self.index_qk[old].astype(row.dtype).ravel(), row])
            similarity = np.concatenate([self.similarity_qk[old].ravel(), similarity])
            order = _order(query, similarity, row)
            order = order[np.searchsorted(query[order], old)[:, None] + np.arange(k)]
            self.index_qk[old], self.similarity_qk[old] = row[order], similarity[order]
            self.least_q[old] = self.similarity_qk[old, -1]
            self._waiting, self._count = [], 0
        return Neighbours(self.index_qk, self.similarity_qk)


def _order(query: Positions, similarity: F32, row: Positions) -> I64:
    """As np.lexsort((row, -similarity, query)), three times as fast: one sort of integers, then the few equals."""
    bits = (similarity + np.float32(0)).view(np.int32)  # + 0: minus zero is zero
    falling = np.where(bits < 0, bits ^ np.int32(0x7FFFFFFF), bits) ^ np.int32(-1)
    key = query.astype(np.int64) << 32 | falling.astype(np.int64) + (1 << 31)
    order = np.argsort(key)
    key = key[order]
    equal = np.flatnonzero(key[1:] == key[:-1])
    if len(equal):
        places = np.union1d(equal, equal + 1)
        among = order[places]
        order[places] = among[np.lexsort((row[among], key[places]))]
    return order


@dataclass(frozen=True, slots=True, eq=False)
class _Search:
    centres_cd: F32
    base: _Base
    k: int
    visits: int  # cells that each query looks into, besides those of its first bound

    def all(self, queries_qd: F32, home_q: I64, own_q: I64 | None) -> Neighbours:
        """The nearest of any number of queries, by the cell that each lies in."""
        found = Neighbours.nobody(len(queries_qd), self.k)

        def work(rows: I64) -> None:
            part = self._some(queries_qd[rows], home_q[rows], None if own_q is None else own_q[rows])
            found.index_qk[rows], found.similarity_qk[rows] = part.index_qk, part.similarity_qk

        # Queries of one cell look into much the same cells.
        _in_threads(work, np.argsort(home_q, kind="stable"))
        return found

    def _some(self, queries_qd: F32, home_q: I64, own_q: I64 | None) -> Neighbours:
        """Of up to QUERIES queries, sorted by the cell that they lie in."""
        homes, home = np.unique(home_q, return_inverse=True)
        # The filled cells nearest to each home, the home itself among them.
        near_hf = self.centres_cd[homes] @ self.centres_cd[self.base.filled_c].T
        near_hf[self.base.filled_c == homes[:, None]] = np.inf
        others = max(0, len(self.base.filled_c) - FIRST_CELLS)
        first_hf = self.base.filled_c[np.argpartition(near_hf, others, axis=1)[:, others:]]
        lists = _Lists(self._first(queries_qd, home, first_hf, own_q))
        query, cell = self._visits(queries_qd, home, first_hf)
        order = np.argsort(cell, kind="stable")  # 16 bits: a radix sort
        ends = np.searchsorted(cell[order], np.arange(len(self.centres_cd) + 1))
        for c in np.flatnonzero(np.diff(ends)):
            self._visit(queries_qd, query[order[ends[c] : ends[c + 1]]], self.base.rows(int(c)), lists)
        return lists.settle()

    def _first(self, queries_qd: F32, home: I64, first_hf: I64, own_q: I64 | None) -> Neighbours:
        lists = Neighbours.nobody(len(queries_qd), self.k)
        ends = np.searchsorted(home, np.arange(len(first_hf) + 1))
        for h, cells in enumerate(first_hf):
            part = slice(ends[h], ends[h + 1])
            rows = np.sort(np.concatenate([self.base.rows(c) for c in cells]))
            own = None if own_q is None else own_q[part]
            found = exact_nearest(queries_qd[part], self.base.vectors_md, self.k, own_q=own, among_a=rows, cells=BLOCK)
            lists.index_qk[part], lists.similarity_qk[part] = found.index_qk, found.similarity_qk
        return lists

    def _visits(self, queries_qd: F32, home: I64, first_hf: I64) -> tuple[Positions, Positions]:
        """(query, cell) for the cells nearest to each query, the first cells and the empty left out."""
        empty = np.setdiff1d(np.arange(len(self.centres_cd)), self.base.filled_c)
        small = np.uint16 if len(self.centres_cd) <= 1 << 16 else np.int32
        queries, cells = [], []
        for start in range(0, len(queries_qd), ROWS):
            near_rc = queries_qd[start : start + ROWS] @ self.centres_cd.T
            near_rc[:, empty] = NOBODY
            np.put_along_axis(near_rc, first_hf[home[start : start + ROWS]], NOBODY, axis=1)
            least_r = np.maximum(kth_largest(near_rc, self.visits), np.finfo(np.float32).min)  # above the left out
            row, cell = np.divmod(np.flatnonzero(near_rc >= least_r[:, None]), near_rc.shape[1])
            queries.append((row + start).astype(np.uint16))
            cells.append(cell.astype(small))
        return np.concatenate(queries), np.concatenate(cells)

    def _visit(self, queries_qd: F32, query: Positions, rows: I64, lists: _Lists) -> None:
        """Compare these queries with the rows of a cell."""
        cell_rd = self.base.vectors_md[rows]
        step = max(1, BLOCK // len(rows))
        for start in range(0, len(query), step):
            part = query[start : start + step]
            similarity = queries_qd[part] @ cell_rd.T
            hit = np.flatnonzero(similarity >= lists.least_q[part, None])
            one, other = np.divmod(hit, len(rows))
            lists.add(part[one], rows[other].astype(np.int32), similarity.ravel()[hit])


def _ask_friends(found: Neighbours, queries_qd: F32, base_md: F32, own_q: I64, query_m: I64) -> Neighbours:
    """Each query's list after asking the nearest in it for the nearest in theirs (Dong, Charikar and Li 2011)."""
    asked = Neighbours(np.empty_like(found.index_qk), np.empty_like(found.similarity_qk))

    def work(rows: I64) -> None:
        lists = _Lists(Neighbours(found.index_qk[rows], found.similarity_qk[rows]))
        for start in range(0, len(rows), ROWS):
            part = rows[start : start + ROWS]
            one, other = _friends_of_friends(found.index_qk, part, own_q, query_m)
            similarity = np.einsum("pd,pd->p", queries_qd[part[one]], base_md[other])
            near = similarity >= lists.least_q[start + one]
            lists.add((start + one)[near], other[near], similarity[near])
        lists.settle()
        asked.index_qk[rows], asked.similarity_qk[rows] = lists.index_qk, lists.similarity_qk

    _in_threads(work, np.arange(len(own_q)))
    return asked


def _friends_of_friends(index_qk: I64, part: I64, own_q: I64, query_m: I64) -> tuple[I64, I64]:
    """(place in the part, row of the base) of all whom the nearest of these queries list, and they themselves don't."""
    friends = np.where(index_qk[part, :FRIENDS] < 0, -1, query_m[index_qk[part, :FRIENDS]])
    theirs = np.where(friends[:, :, None] < 0, -1, index_qk[friends, :THEIRS]).reshape(len(part), -1)
    theirs.sort(axis=1)
    new = (theirs >= 0) & (theirs != own_q[part, None])
    new[:, 1:] &= theirs[:, 1:] != theirs[:, :-1]
    for column in range(index_qk.shape[1]):
        new &= theirs != index_qk[part, column, None]
    one, place = np.nonzero(new)
    return one, theirs[one, place]


def _tell_back(found: Neighbours, own_q: I64, query_m: I64) -> Neighbours:
    """Each query told of the queries that found it."""
    k = found.index_qk.shape[1]
    lists = _Lists(found)
    for start in range(0, len(own_q), QUERIES):
        index = found.index_qk[start : start + QUERIES]
        other = np.where(index < 0, -1, query_m[index])
        similarity = found.similarity_qk[start : start + QUERIES]
        row, place = np.nonzero((other >= 0) & (similarity >= lists.least_q[other]))
        told, me = other[row, place], own_q[start + row]
        new = np.ones(len(told), np.bool_)
        for column in range(k):
            new &= found.index_qk[told, column] != me
        lists.add(told[new], me[new], similarity[row[new], place[new]])
    return lists.settle()


def _centres(vectors_nd: F32, cells: int) -> F32:
    """Spherical k-means (Dhillon and Modha 2001), from evenly spaced rows on."""
    centres_cd = unit(vectors_nd[spaced(len(vectors_nd), cells)])
    for _ in range(ROUNDS if cells > 1 and len(vectors_nd) else 0):
        cell_n = _nearest_centre(vectors_nd, centres_cd)
        filled, first = np.unique(np.sort(cell_n), return_index=True)
        centres_cd[filled] = unit(np.add.reduceat(vectors_nd[np.argsort(cell_n, kind="stable")], first, axis=0))
    return centres_cd


def _nearest_centre(vectors_md: F32, centres_cd: F32) -> I64:
    cell_m = np.empty(len(vectors_md), np.int64)

    def work(rows: I64) -> None:
        for start in range(0, len(rows), ROWS):
            part = slice(rows[start], rows[start] + len(rows[start : start + ROWS]))
            cell_m[part] = np.argmax(vectors_md[part] @ centres_cd.T, axis=1)

    _in_threads(work, np.arange(len(vectors_md)))
    return cell_m


def _in_threads(work: Callable[[I64], None], rows: I64) -> None:
    """Do the work on parts of the rows, on all processors; each matrix product is made by one of them."""
    step = min(QUERIES, max(FEW_QUERIES, len(rows) // 8))  # whatever the number of processors
    parts = [rows[start : start + step] for start in range(0, len(rows), step)]
    with _libraries().limit(limits=1, user_api="blas"), ThreadPoolExecutor(available_cores()) as pool:
        for _ in pool.map(work, parts):
            pass


@cache
def _libraries() -> ThreadpoolController:
    """What computes products: to look for it takes longer than many of them."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
