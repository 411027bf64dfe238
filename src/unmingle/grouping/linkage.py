"""Average linkage over cosine by reciprocal nearest neighbours, without an n × n matrix.

The average cosine between the faces of two clusters is the dot product of the clusters' mean vectors, so exact average
linkage (UPGMA; Sokal and Michener 1958) needs the means only. Average linkage is reducible: a merged cluster is never
closer to a third than the closer of its two parts was. Two things follow.

- Clusters that are each other's nearest may be merged at once, in any order, and the tree is the one that merging the
  globally nearest pair step by step gives (Bruynooghe 1978). All such pairs of a round are merged together.
- A short list of nearest clusters, with a bound on all clusters outside it, stays valid as clusters merge: whatever is
  outside stays below the bound. A list is searched for again only when its best falls below its bound.

A stop rule that looks at the similarity alone cuts that tree at one height. A rule that looks at the sizes too, or at
the number of clusters left, judges each pair when its turn comes: then the result is not a cut of the full tree at any
one height, and depends on the rounds, but on nothing else. The order of the rows never matters as long as they come in
a canonical order; `unmingle.grouping.cluster` sees to that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unmingle.grouping.constraints import CannotLinks
from unmingle.grouping.neighbours import NOBODY, Neighbours, nearest
from unmingle.grouping.tree import Tree

if TYPE_CHECKING:
    from unmingle.grouping.stopping import StopRule
    from unmingle.records import F32, F64, I64, Bool

# Two similarities this close are one: float32 dot products of 128 dimensions differ by this much with the order of
# summation. Without it three clusters could each hold another for nearest and wait for ever.
ROUNDING = np.float32(1e-6)
# Neighbours remembered for each cluster. 8 to 32 are equally fast.
WIDTH = 16
# Vectors gathered at a time when lists are judged again.
GATHER = 1 << 15


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """What does not depend on the stop rule, and takes most of the time: twins, and the first lists of neighbours.

    twin_t: (t,) rows that equal the row before them (the same picture twice) and may be merged. They are one cluster
        from the start; a thousand equal faces would otherwise be merged one a round.
    rows_s: (s,) all other rows.
    near: their nearest, by position among rows_s.
    """

    twin_t: I64
    rows_s: I64
    near: Neighbours

    @classmethod
    def of(cls, vectors_nd: F32, groups_n: I64 | None = None) -> Start:
        """See `average_linkage` for the arguments."""
        same = np.zeros(len(vectors_nd), np.bool_)
        same[1:] = (vectors_nd[1:] == vectors_nd[:-1]).all(axis=1)
        links = None
        if groups_n is not None:
            # Equal rows come sorted by group, so that a row unlike the one before it shares a group with none of them.
            same[1:] &= (groups_n[1:] < 0) | (groups_n[1:] != groups_n[:-1])
            links = CannotLinks(groups_n, _slots(same))
        rows = np.flatnonzero(~same)
        forbidden = None if links is None else lambda row, column: links.block(rows[row], rows[column])
        base = vectors_nd[rows]
        near = nearest(base, base, WIDTH, own_q=np.arange(len(rows)), forbidden=forbidden)
        return cls(np.flatnonzero(same), rows, near)


def average_linkage(
    vectors_nd: F32, *, stop: StopRule, groups_n: I64 | None = None, start: Start | None = None
) -> Tree:
    """Merge reciprocal nearest clusters for as long as the stop rule lets any pair of them pass.

    Args:
        vectors_nd: (n, d) float32 unit vectors, in canonical order: the order of rows decides between equals.
        stop: which pairs may be merged. Rows that are equal to the last bit are merged whatever it says.
        groups_n: (n,) int64 group of each face, negative for none; two faces of a group never come together.
        start: `Start.of(vectors_nd, groups_n)`, if it is at hand.

    Returns:
        The merges. Time grows with n² (matrix products), memory with n.
    """
    clusters = _Clusters(vectors_nd, groups_n, start or Start.of(vectors_nd, groups_n))
    while True:
        first, second, similarity = clusters.mutual_pairs(stop)
        if not len(first):
            return clusters.tree()
        clusters.merge(first, second, similarity)


class _Clusters:
    """The clusters of a round. Each lives in the slot of one of its faces; the slot of what it took over is empty."""

    def __init__(self, vectors_nd: F32, groups_n: I64 | None, start: Start) -> None:
        n = len(vectors_nd)
        self.mean_nd = vectors_nd.copy()
        self.size_n = np.ones(n, np.int64)
        self.slot_n = np.arange(n)  # where the cluster of each slot lives now
        self.node_n = np.arange(n)  # the tree's name of the cluster in each slot
        self.near_nk = np.full((n, WIDTH), -1, np.int64)
        self.bound_n = np.full(n, NOBODY)
        self.best_n = np.full(n, -1, np.int64)
        self.similarity_n = np.full(n, NOBODY)
        self._merges: list[tuple[I64, I64, F64, I64]] = []
        self._made = 0
        self._set(start.rows_s, start.rows_s, start.near)
        self._merge_twins(start.twin_t)
        self.links = None if groups_n is None else CannotLinks(groups_n, self.slot_n)

    @property
    def active(self) -> I64:
        return np.flatnonzero(self.slot_n == np.arange(len(self.slot_n)))

    def mutual_pairs(self, stop: StopRule) -> tuple[I64, I64, F32]:
        """Disjoint pairs of slots that are each other's nearest (to within rounding) and pass the stop rule."""
        active = self.active
        one = active[self.best_n[active] >= 0]
        other = self.best_n[one]
        similarity = self.similarity_n[one]
        passes = self.similarity_n[other] <= similarity + ROUNDING
        passes &= stop(similarity, self.size_n[one], self.size_n[other], clusters=len(active))
        one, other, similarity = one[passes], other[passes], similarity[passes]
        first, second = np.minimum(one, other), np.maximum(one, other)
        order = np.lexsort((second, first, -similarity))
        first, second, similarity = first[order], second[order], similarity[order]
        # Each slot takes the first pair that it is in; pairs that both their slots take are disjoint.
        rank = np.arange(len(first))
        taken = np.full(len(self.slot_n), len(first))
        np.minimum.at(taken, first, rank)
        np.minimum.at(taken, second, rank)
        keep = (taken[first] == rank) & (taken[second] == rank)
        return first[keep], second[keep], similarity[keep]

    def merge(self, kept: I64, gone: I64, similarity: F32) -> None:
        """Merge disjoint pairs of slots and repair the lists of every cluster that lost its nearest."""
        a, b = self.size_n[kept], self.size_n[gone]
        self._record(kept, gone, similarity, a + b)
        share = (a / (a + b))[:, None]
        self.mean_nd[kept] = share * self.mean_nd[kept] + (1 - share) * self.mean_nd[gone]
        # Who is in neither list is below both bounds, so below their mean once the pair is one (-inf: nobody is).
        self.bound_n[kept] = share[:, 0] * self.bound_n[kept] + (1 - share[:, 0]) * self.bound_n[gone]
        self.size_n[kept] += self.size_n[gone]
        self.slot_n[gone] = kept
        self.slot_n = self.slot_n[self.slot_n]
        if self.links is not None:
            self.links.merge(kept, gone)
        self._judge(kept, np.concatenate([self.near_nk[kept], self.near_nk[gone]], axis=1))
        changed = np.zeros(len(self.slot_n), np.bool_)
        changed[kept] = changed[gone] = True
        others = self.active
        others = others[~changed[others] & (self.best_n[others] >= 0)]
        others = others[changed[self.best_n[others]]]
        self._judge(others, self.near_nk[others])
        both = np.concatenate([kept, others])
        self._search(both[self.similarity_n[both] < self.bound_n[both]])

    def tree(self) -> Tree:
        tree = Tree.leaves_only(len(self.slot_n))
        return tree.grown(*map(np.concatenate, zip(*self._merges, strict=True))) if self._merges else tree

    def _record(self, kept: I64, gone: I64, similarity: F32, size: I64) -> None:
        self._merges.append((self.node_n[kept], self.node_n[gone], similarity.astype(np.float64), size))
        self.node_n[kept] = len(self.slot_n) + self._made + np.arange(len(kept))
        self._made += len(kept)

    def _judge(self, rows: I64, near_rc: I64) -> None:
        """Set the lists of `rows` from candidates that may have merged, and be there twice, since they were listed."""
        for start in range(0, len(rows), max(1, GATHER // WIDTH)):
            part = slice(start, start + max(1, GATHER // WIDTH))
            self._judge_part(rows[part], near_rc[part])

    def _judge_part(self, rows: I64, near_rc: I64) -> None:
        near = np.sort(np.where(near_rc < 0, -1, self.slot_n[near_rc]), axis=1)
        out = (near < 0) | (near == rows[:, None])
        out[:, 1:] |= near[:, 1:] == near[:, :-1]
        similarity = np.matmul(self.mean_nd[near], self.mean_nd[rows][:, :, None])[:, :, 0]
        if self.links is not None:
            out |= self.links.pairs(np.repeat(rows, near.shape[1]), near.ravel()).reshape(near.shape)
        similarity[out] = NOBODY
        order = np.argsort(-similarity, axis=1, kind="stable")
        near, similarity = np.take_along_axis(near, order, 1), np.take_along_axis(similarity, order, 1)
        near[similarity == NOBODY] = -1
        self.near_nk[rows] = near[:, :WIDTH]
        self.best_n[rows], self.similarity_n[rows] = near[:, 0], similarity[:, 0]
        if near.shape[1] > WIDTH:
            self.bound_n[rows] = np.maximum(self.bound_n[rows], similarity[:, WIDTH])

    def _search(self, rows: I64) -> None:
        """Search all clusters for the nearest of `rows`, whose lists no longer hold them for certain."""
        if not len(rows):
            return
        active = self.active
        links = self.links
        forbidden = None if links is None else lambda row, column: links.block(rows[row], active[column])
        found = nearest(
            self.mean_nd[rows], self.mean_nd[active], WIDTH, own_q=np.searchsorted(active, rows), forbidden=forbidden
        )
        self._set(rows, active, found)

    def _set(self, rows: I64, base: I64, found: Neighbours) -> None:
        """Remember what was found for `rows` among the slots of `base`."""
        self.near_nk[rows] = np.where(found.index_qk < 0, -1, base[found.index_qk])
        self.best_n[rows], self.similarity_n[rows] = self.near_nk[rows, 0], found.similarity_qk[:, 0]
        # Whoever is not in a list is at most as similar as its last entry; a list that is not full holds everyone.
        self.bound_n[rows] = found.similarity_qk[:, -1]

    def _merge_twins(self, twin: I64) -> None:
        """Add each row of `twin` to the cluster of the row before it; the means stay as they are."""
        made = len(self.slot_n) + np.arange(len(twin))
        chained = np.zeros(len(twin), np.bool_)
        chained[1:] = twin[1:] == twin[:-1] + 1
        self.slot_n = _slots(np.isin(self.slot_n, twin))
        np.add.at(self.size_n, self.slot_n[twin], 1)
        first = np.where(chained, made - 1, twin - 1)
        begins = np.flatnonzero(~chained)
        length = np.arange(len(twin)) - np.repeat(begins, np.diff(np.append(begins, len(twin)))) + 2
        self._merges.append((first, twin, np.ones(len(twin)), length))
        self.node_n[self.slot_n[twin]] = made
        self._made = len(twin)


def _slots(same_n: Bool) -> I64:
    """The first row of each run of rows that are the same as the row before them."""
    slots: I64 = np.maximum.accumulate(np.where(same_n, 0, np.arange(len(same_n))))
    return slots
