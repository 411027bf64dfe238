"""Average linkage over cosine by reciprocal nearest neighbours, without an n × n matrix.

The average cosine between the faces of two clusters is the dot product of the clusters' mean vectors, so exact average
linkage (UPGMA; Sokal and Michener 1958) needs the means only. Average linkage is reducible: a merged cluster is never
closer to a third than the closer of its two parts was. Three things follow.

- Clusters that are each other's nearest may be merged at once, in any order, and the tree is the one that merging the
  globally nearest pair step by step gives (Bruynooghe 1978). All such pairs of a round are merged together.
- A short list of nearest clusters, with a bound on all clusters outside it, stays valid as clusters merge: whatever is
  outside stays below the bound. A list is searched for again only when its best falls below its bound.
- Not even then, as long as the bound lies below all that the stop rule would let pass: such a cluster sleeps. Most
  single faces of a large collection are searched for once.

A stop rule that looks at the similarity alone cuts that tree at one height. A rule that looks at the sizes too, or at
the number of clusters left, judges each pair when its turn comes: then the result is not a cut of the full tree at any
one height, and depends on the rounds, but on nothing else. The order of the rows never matters as long as they come in
a canonical order; `unmingle.grouping.cluster` sees to that.

Past `neighbours.EXACT_ROWS` faces the lists come from an index (`grouping.cells`), which misses a neighbour now and
then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unmingle.grouping import neighbours
from unmingle.grouping.constraints import CannotLinks, Constraints
from unmingle.grouping.neighbours import NOBODY, Neighbours, nearest
from unmingle.grouping.tree import HOW_AVERAGE, HOW_GIVEN, Tree

if TYPE_CHECKING:
    from unmingle.grouping.cells import Cells
    from unmingle.grouping.stopping import StopRule
    from unmingle.records import F32, F64, I64

# Two similarities this close are one: float32 dot products of 128 dimensions differ by this much with the order of
# summation. Without it three clusters could each hold another for nearest and wait for ever.
ROUNDING = np.float32(1e-6)
# Neighbours remembered for each cluster. 8 to 32 are equally fast.
WIDTH = 16
# Vectors gathered at a time when lists are judged again.
GATHER = 1 << 15
# Similarities that each search in between may compute in any case, however few cells that looks into. There are
# hundreds of such searches.
PLENTY = 1 << 21


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """What does not depend on the stop rule, and takes most of the time: who is one from the start, and first lists.

    root_n: (n,) the first row of those that are one cluster from the start with each row: equal rows (the same picture
        twice; a thousand equal faces would otherwise be merged one a round), and must-links.
    rows_s: (s,) the rows that are their own root.
    mean_sd: (s, d) float32, mean vector of each of these clusters.
    size_s: (s,) its faces.
    near: their nearest, by position among rows_s.
    cells: the index that found them; None where the search was exact.
    cell_s: (s,) the cell of each.
    """

    root_n: I64
    rows_s: I64
    mean_sd: F32
    size_s: I64
    near: Neighbours
    constraints: Constraints
    cells: Cells | None
    cell_s: I64 | None

    @classmethod
    def of(cls, vectors_nd: F32, constraints: Constraints | None = None) -> Start:
        """See `average_linkage` for the arguments."""
        constraints = Constraints(len(vectors_nd)) if constraints is None else constraints
        root_n = _together(vectors_nd, constraints)
        rows, slot = np.unique(root_n, return_inverse=True)
        size = np.bincount(slot, minlength=len(rows))
        mean = vectors_nd[rows]
        shared = np.flatnonzero(size[slot] > 1)
        if len(shared):
            total = np.zeros((len(rows), vectors_nd.shape[1]))
            np.add.at(total, slot[shared], vectors_nd[shared])
            several = np.flatnonzero(size > 1)
            mean[several] = total[several] / size[several, None]
        links = CannotLinks(constraints, slot)
        cells, cell = None, None
        if len(rows) > neighbours.EXACT_ROWS:
            from unmingle.grouping.cells import Cells

            cells = Cells(mean)
            cell = cells.of(mean)
        everybody = np.arange(len(rows))
        near = _search(mean, everybody, everybody, links, cells, cell)
        return cls(root_n, rows, mean, size, near, constraints, cells, cell)


def _together(vectors_nd: F32, constraints: Constraints) -> I64:
    """(n,) the first row of the cluster in which each row starts."""
    same = np.zeros(len(vectors_nd), np.bool_)
    for start in range(1, len(vectors_nd), GATHER):
        rows = vectors_nd[start : start + GATHER]
        same[start : start + GATHER] = (rows == vectors_nd[start - 1 : start - 1 + len(rows)]).all(axis=1)
    # Equal rows show one picture, whatever its frames say; only a decision parts them.
    apart = constraints.parted()
    same[apart] = False
    same[apart[apart + 1 < len(same)] + 1] = False
    twin = np.flatnonzero(same)
    return constraints.with_same(np.stack([twin - 1, twin], axis=1)).components()


def _search(
    mean_nd: F32, rows: I64, among: I64, links: CannotLinks, cells: Cells | None, cell_n: I64 | None
) -> Neighbours:
    """The nearest of each of `rows` among some clusters, itself and the forbidden left out, by slot.

    Args:
        mean_nd: of the cluster in each slot.
        rows: slots, rising.
        among: slots of the clusters that there are, rising; `rows` are some of them.
        links: which of them never come together.
        cells: the index; None: search exactly.
        cell_n: the cell of each slot.
    """
    if cells is None or cell_n is None:
        forbidden = (lambda row, column: links.block(rows[row], among[column])) if links else None
        base = mean_nd[among]
        found = nearest(mean_nd[rows], base, WIDTH, own_q=np.searchsorted(among, rows), forbidden=forbidden)
        return Neighbours(np.where(found.index_qk < 0, -1, among[found.index_qk]), found.similarity_qk)
    # The first search, of all, is worth more than those in between.
    plenty = None if len(rows) == len(among) else PLENTY
    found = cells.nearest(mean_nd[rows], mean_nd, cell_n, WIDTH, own_q=rows, among_a=among, plenty=plenty)
    if not links:
        return found
    index, similarity = found.index_qk, found.similarity_qk
    out = links.pairs(np.repeat(rows, WIDTH), index.ravel()).reshape(index.shape) & (index >= 0)
    index[out], similarity[out] = -1, NOBODY
    order = np.argsort(-similarity, axis=1, kind="stable")
    return Neighbours(np.take_along_axis(index, order, 1), np.take_along_axis(similarity, order, 1))


def average_linkage(
    vectors_nd: F32, *, stop: StopRule, constraints: Constraints | None = None, start: Start | None = None
) -> Tree:
    """Merge reciprocal nearest clusters for as long as the stop rule lets any pair of them pass.

    Args:
        vectors_nd: (n, d) float32 unit vectors, in canonical order: the order of rows decides between equals.
        stop: which pairs may be merged. Rows that are equal to the last bit are merged whatever it says.
        constraints: who must be one person, and who never comes together.
        start: `Start.of(vectors_nd, constraints)`, if it is at hand.

    Returns:
        The merges. Memory grows with n; time with n² (matrix products) up to `neighbours.EXACT_ROWS`, and past that
        little faster than n.
    """
    return Agglomeration(vectors_nd, start or Start.of(vectors_nd, constraints)).run(stop)


class Agglomeration:
    """Clusters while they merge. Each lives in the slot of its first face; the slot of what it took over is empty.

    Args:
        vectors_nd: (n, d) float32 unit vectors, in canonical order.
        start: `Start.of` them.
    """

    def __init__(self, vectors_nd: F32, start: Start) -> None:
        n, rows = len(vectors_nd), start.rows_s
        self._mean_nd = vectors_nd.copy()
        self._mean_nd[rows] = start.mean_sd
        self._size_n = np.ones(n, np.int64)
        self._size_n[rows] = start.size_s
        self._slot_n = start.root_n.copy()  # where the cluster of each slot lives now
        self._active = rows
        self._node_n = np.arange(n)  # the tree's name of the cluster in each slot
        self._near_nk = np.full((n, WIDTH), -1, np.int32)
        self._bound_n = np.full(n, NOBODY)
        self._best_n = np.full(n, -1, np.int64)
        self._similarity_n = np.full(n, NOBODY)
        self._merges: list[tuple[I64, I64, F64, I64]] = []
        self._made = self._given = 0
        self._cells = start.cells
        self._cell_n = np.zeros(n, np.int64)
        if start.cell_s is not None:
            self._cell_n[rows] = start.cell_s
        self._links = CannotLinks(start.constraints, start.root_n)
        near = np.where(start.near.index_qk < 0, -1, rows[start.near.index_qk])
        self._set(rows, Neighbours(near, start.near.similarity_qk))
        self._record_given(vectors_nd, start)

    def run(self, stop: StopRule) -> Tree:
        """Merge until the rule lets nothing pass; a later call with a laxer rule goes on from there."""
        touched = self._active
        while True:
            # Whoever needs a search waits until nothing else can be merged: few large searches cost less than many.
            first, second, similarity, waiting = self._mutual_pairs(touched, stop)
            if not len(first):
                self._wake(stop)
                first, second, similarity, waiting = self._mutual_pairs(self._active, stop)
            if not len(first):
                return self.tree()
            touched = np.union1d(waiting, self._merge(first, second, similarity))
            touched = touched[self._slot_n[touched] == touched]

    def tree(self) -> Tree:
        """What was merged so far."""
        tree = Tree.leaves_only(len(self._slot_n))
        for how, merges in ((HOW_GIVEN, self._merges[: self._given]), (HOW_AVERAGE, self._merges[self._given :])):
            if merges:
                tree = tree.grown(*map(np.concatenate, zip(*merges, strict=True)), how=how)
        return tree

    def _wake(self, stop: StopRule) -> None:
        """Search again for those whose list no longer holds their nearest for certain, if it could pass at all."""
        rows = self._active[self._similarity_n[self._active] < self._bound_n[self._active]]
        if len(rows):
            rows = rows[self._bound_n[rows] >= stop.floor(self._size_n[rows], clusters=len(self._active))]
        if len(rows):
            found = _search(self._mean_nd, rows, self._active, self._links, self._cells, self._cell_n)
            self._set(rows, found)

    def _mutual_pairs(self, rows: I64, stop: StopRule) -> tuple[I64, I64, F32, I64]:
        """Disjoint pairs of slots that are for certain each other's nearest (to within rounding) and pass the rule.

        Only pairs with one of `rows`; and, last, the slots of pairs that have to wait for another round.
        """
        one = rows[(self._best_n[rows] >= 0) & (self._similarity_n[rows] >= self._bound_n[rows])]
        other = self._best_n[one]
        mutual = self._similarity_n[other] <= self._similarity_n[one] + ROUNDING
        mutual &= self._similarity_n[other] >= self._bound_n[other]
        one, other = one[mutual], other[mutual]
        similarity = self._similarity_n[one]
        passes = stop(similarity, self._size_n[one], self._size_n[other], clusters=len(self._active))
        one, other, similarity = one[passes], other[passes], similarity[passes]
        first, second = np.minimum(one, other), np.maximum(one, other)
        order = np.lexsort((second, first, -similarity))
        first, second, similarity = first[order], second[order], similarity[order]
        keep = disjoint(first, second, len(self._slot_n))
        return first[keep], second[keep], similarity[keep], np.union1d(first, second)

    def _merge(self, kept: I64, gone: I64, similarity: F32) -> I64:
        """Merge disjoint pairs of slots, repair the lists of every cluster that lost its nearest, and name them all."""
        a, b = self._size_n[kept], self._size_n[gone]
        self._record(kept, gone, similarity.astype(np.float64), a + b)
        share = (a / (a + b))[:, None]
        self._mean_nd[kept] = share * self._mean_nd[kept] + (1 - share) * self._mean_nd[gone]
        # Who is in neither list is below both bounds, so below their mean once the pair is one (-inf: nobody is).
        self._bound_n[kept] = share[:, 0] * self._bound_n[kept] + (1 - share[:, 0]) * self._bound_n[gone]
        self._size_n[kept] += self._size_n[gone]
        self._slot_n[gone] = kept
        self._slot_n = self._slot_n[self._slot_n]
        self._active = self._active[self._slot_n[self._active] == self._active]
        self._links.merge(kept, gone)
        if self._cells is not None:
            self._cell_n[kept] = self._cells.of(self._mean_nd[kept])
        self._judge(kept, np.concatenate([self._near_nk[kept], self._near_nk[gone]], axis=1))
        changed = np.zeros(len(self._slot_n), np.bool_)
        changed[kept] = changed[gone] = True
        others = self._active[~changed[self._active] & (self._best_n[self._active] >= 0)]
        others = others[changed[self._best_n[others]]]
        self._judge(others, self._near_nk[others].astype(np.int64))
        return np.concatenate([kept, others])

    def _record(self, kept: I64, gone: I64, similarity: F64, size: I64) -> None:
        self._merges.append((self._node_n[kept], self._node_n[gone], similarity, size))
        self._node_n[kept] = len(self._slot_n) + self._made + np.arange(len(kept))
        self._made += len(kept)

    def _judge(self, rows: I64, near_rc: I64) -> None:
        """Set the lists of `rows` from candidates that may have merged, and be there twice, since they were listed."""
        step = max(1, GATHER // WIDTH)
        for start in range(0, len(rows), step):
            self._judge_part(rows[start : start + step], near_rc[start : start + step])

    def _judge_part(self, rows: I64, near_rc: I64) -> None:
        near = np.sort(np.where(near_rc < 0, -1, self._slot_n[near_rc]), axis=1)
        out = (near < 0) | (near == rows[:, None])
        out[:, 1:] |= near[:, 1:] == near[:, :-1]
        similarity = np.matmul(self._mean_nd[near], self._mean_nd[rows][:, :, None])[:, :, 0]
        if self._links:
            out |= self._links.pairs(np.repeat(rows, near.shape[1]), near.ravel()).reshape(near.shape)
        similarity[out] = NOBODY
        order = np.argsort(-similarity, axis=1, kind="stable")
        near, similarity = np.take_along_axis(near, order, 1), np.take_along_axis(similarity, order, 1)
        near[similarity == NOBODY] = -1
        self._near_nk[rows] = near[:, :WIDTH]
        self._best_n[rows], self._similarity_n[rows] = near[:, 0], similarity[:, 0]
        if near.shape[1] > WIDTH:
            self._bound_n[rows] = np.maximum(self._bound_n[rows], similarity[:, WIDTH])

    def _set(self, rows: I64, found: Neighbours) -> None:
        """Remember what was found for `rows`, by slot."""
        self._near_nk[rows] = found.index_qk
        self._best_n[rows], self._similarity_n[rows] = found.index_qk[:, 0], found.similarity_qk[:, 0]
        # Whoever is not in a list is at most as similar as its last entry; a list that is not full holds everyone.
        self._bound_n[rows] = found.similarity_qk[:, -1]

    def _record_given(self, vectors_nd: F32, start: Start) -> None:
        """Write down the clusters that were there from the start, each row of one joining those before it."""
        slot = np.searchsorted(start.rows_s, start.root_n)
        joining = np.flatnonzero(start.size_s[slot] > 1)
        joining = joining[np.lexsort((joining, slot[joining]))]
        for rows in np.split(joining, np.flatnonzero(np.diff(slot[joining])) + 1) if len(joining) else ():
            root, rest = rows[:1], rows[1:]
            made = len(self._slot_n) + self._made + np.arange(len(rest))
            total = np.cumsum(vectors_nd[rows], axis=0, dtype=np.float64)[:-1]
            sizes = np.arange(1, len(rows))
            similarity = np.einsum("md,md->m", total, vectors_nd[rest]) / sizes
            first = np.concatenate([root, made[:-1]])
            self._merges.append((first, rest, similarity, sizes + 1))
            self._node_n[root] = made[-1]
            self._made += len(rest)
        self._given = len(self._merges)


def disjoint(first_m: I64, second_m: I64, slots: int) -> I64:
    """Which pairs to take so that no slot is taken twice: a pair is taken if no earlier pair holds one of its slots.

    Pairs that lose only to a pair that is not taken itself are not taken either; they have their turn next time.
    """
    rank = np.arange(len(first_m))
    taken = np.full(slots, len(first_m))
    np.minimum.at(taken, first_m, rank)
    np.minimum.at(taken, second_m, rank)
    keep: I64 = np.flatnonzero((taken[first_m] == rank) & (taken[second_m] == rank))
    return keep
