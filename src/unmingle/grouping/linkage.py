"""Average linkage over cosine by reciprocal nearest neighbours, without an n × n matrix.

It is reducible: a merged cluster is never closer to a third than the closer of its two parts was. So clusters that are
each other's nearest can be merged at once, all of a round together (Bruynooghe 1978), and a short list of nearest
clusters stays valid as clusters merge, with a bound on all others. A list is searched for again only when its best
falls below its bound, and its bound is not below all that the threshold could let pass.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING

import numpy as np

from unmingle.grouping import index
from unmingle.grouping.clusters import Clusters, disjoint
from unmingle.grouping.constraints import Constraints
from unmingle.grouping.index import NOBODY, Neighbours, exact_nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmingle.grouping.inverted_index import InvertedIndex
    from unmingle.grouping.threshold import FalseMergeThreshold
    from unmingle.records import F32, I64

# Two similarities this close are one, as float32 dot products differ by this much with the order of summation. Without
# it three clusters could each hold another for nearest and wait for ever.
ROUNDING = np.float32(1e-6)
# Neighbours remembered for each cluster. 8 to 32 are equally fast.
WIDTH = 16
# Vectors gathered at a time when lists are judged again.
GATHER = 1 << 15
# Similarities that each search after the first may compute in any case. There are hundreds of such searches.
PLENTY = 1 << 21


class Linkage:
    """Clusters of unit vectors in canonical order, each with a list of its nearest, by slot.

    near_n: (n,) the face that each face is most like, of those it may be with; -1 for faces that start as one with
        others.
    """

    def __init__(self, vectors_nd: F32, constraints: Constraints | None = None) -> None:
        constraints = Constraints(len(vectors_nd)) if constraints is None else constraints
        self.clusters = Clusters(vectors_nd, _together(vectors_nd, constraints), constraints)
        n, slots = len(vectors_nd), self.clusters.alive
        self._near_nk = np.full((n, WIDTH), -1, np.int32)
        self._similarity_n = np.full(n, NOBODY)
        self._bound_n = np.full(n, NOBODY)  # whoever is not in a list is at most so similar
        self._inverted: InvertedIndex | None = None
        self._cell_n = np.zeros(n, np.int64)
        if len(slots) ** 2 > index.EXACT_PAIRS:
            from unmingle.grouping.inverted_index import InvertedIndex

            self._inverted = InvertedIndex(self.clusters.mean_nd)
            self._cell_n = self._inverted.cell_of(self.clusters.mean_nd)
        self._search(slots, slots, first=True)
        self.near_n = np.where(self.clusters.single_n, self._near_nk[:, 0], -1).astype(np.int64)

    def copy(self) -> Linkage:
        """The same state, to go on from it twice."""
        other = copy(self)
        other.clusters = self.clusters.copy()
        for name in ("_near_nk", "_similarity_n", "_bound_n", "_cell_n"):
            setattr(other, name, getattr(self, name).copy())
        return other

    def run(self, threshold: FalseMergeThreshold) -> Clusters:
        """Merge until the threshold lets nothing pass; a later call with a laxer one goes on from there."""
        touched = self.clusters.alive
        while True:
            # Whoever needs a search waits until nothing else can be merged: few large searches cost less than many.
            first, second, waiting = self._mutual_pairs(touched, threshold)
            if not len(first):
                alive = self.clusters.alive
                self._wake(alive, threshold)
                first, second, waiting = self._mutual_pairs(alive, threshold)
            if not len(first):
                return self.clusters
            touched = np.union1d(waiting, self._merge(first, second))
            touched = touched[self.clusters.size_n[touched] > 0]

    def _search(self, rows: I64, among: I64, *, first: bool = False) -> None:
        """List the nearest of each of `rows` among some clusters, itself and the forbidden left out; all slots rise."""
        if self._inverted is None:
            self._set(rows, self._compare(rows, among))
            return
        mean_nd, links, plenty = self.clusters.mean_nd, self.clusters.links, None if first else PLENTY
        found = self._inverted.nearest(
            mean_nd[rows], mean_nd, self._cell_n, WIDTH, own_q=rows, among_a=among, plenty=plenty
        )
        self._set(rows, found)
        if not links:
            return
        listed = found.index_qk >= 0
        out = links.pairs(np.repeat(rows, WIDTH), found.index_qk.ravel()).reshape(listed.shape) & listed
        some = np.flatnonzero(out.any(axis=1))
        self._set(rows[some], found.take(some).without(out[some]), found.similarity_qk[some, -1])
        # Who is left with nobody, though there are more, is compared with all.
        nobody = rows[listed[:, -1] & out.all(axis=1)]
        if len(nobody):
            self._set(nobody, self._compare(nobody, among))

    def _compare(self, rows: I64, among: I64) -> Neighbours:
        mean_nd, links = self.clusters.mean_nd, self.clusters.links
        forbidden = (lambda row, column: links.block(rows[row], among[column])) if links else None
        return exact_nearest(mean_nd[rows], mean_nd, WIDTH, own_q=rows, among_a=among, forbidden=forbidden)

    def _set(self, rows: I64, found: Neighbours, bound: F32 | None = None) -> None:
        self._near_nk[rows] = found.index_qk
        self._similarity_n[rows] = found.similarity_qk[:, 0]
        # A list that is not full holds everyone, unless it was full before some were left out.
        self._bound_n[rows] = found.similarity_qk[:, -1] if bound is None else bound

    def _wake(self, alive: I64, threshold: FalseMergeThreshold) -> None:
        """Search again for those whose list no longer holds their nearest for certain, if it could pass at all."""
        rows = alive[self._similarity_n[alive] < self._bound_n[alive]]
        if len(rows):
            rows = rows[
                self._bound_n[rows] >= threshold.floor(self.clusters.size_n[rows], clusters=self.clusters.count)
            ]
        if len(rows):
            self._search(rows, alive)

    def _mutual_pairs(self, rows: I64, threshold: FalseMergeThreshold) -> tuple[I64, I64, I64]:
        """Disjoint pairs with one of `rows` that are for certain each other's nearest and pass; and all who would."""
        size_n = self.clusters.size_n
        one = rows[(self._near_nk[rows, 0] >= 0) & (self._similarity_n[rows] >= self._bound_n[rows])]
        other = self._near_nk[one, 0].astype(np.int64)
        mutual = self._similarity_n[other] <= self._similarity_n[one] + ROUNDING
        mutual &= self._similarity_n[other] >= self._bound_n[other]
        one, other = one[mutual], other[mutual]
        similarity = self._similarity_n[one]
        beyond = similarity - self.clusters.excess(one, other)
        passes = threshold.passes(beyond, size_n[one], size_n[other], clusters=self.clusters.count)
        one, other, similarity = one[passes], other[passes], similarity[passes]
        first, second = np.minimum(one, other), np.maximum(one, other)
        order = np.lexsort((second, first, -similarity))
        first, second = first[order], second[order]
        keep = disjoint(first, second, len(size_n))
        return first[keep], second[keep], np.union1d(first, second)

    def _merge(self, kept: I64, gone: I64) -> I64:
        """Merge disjoint pairs, and renew the lists of these and of all that lost their nearest, who are returned."""
        clusters = self.clusters
        a, b = clusters.size_n[kept], clusters.size_n[gone]
        share = a / (a + b)
        # Who is in neither list is below both bounds, so below their mean once the pair is one (-inf: nobody is).
        self._bound_n[kept] = share * self._bound_n[kept] + (1 - share) * self._bound_n[gone]
        clusters.merge(kept, gone, how="average")
        if self._inverted is not None:
            self._cell_n[kept] = self._inverted.cell_of(clusters.mean_nd[kept])
        self._judge(kept, np.concatenate([self._near_nk[kept], self._near_nk[gone]], axis=1))
        changed = np.zeros(len(clusters.size_n), np.bool_)
        changed[kept] = changed[gone] = True
        alive = clusters.alive
        nearest = self._near_nk[alive, 0]
        others = alive[(nearest >= 0) & changed[nearest] & ~changed[alive]]
        self._judge(others, self._near_nk[others])
        return np.concatenate([kept, others])

    def _judge(self, rows: I64, near_rc: NDArray[np.int32]) -> None:
        """Set the lists of `rows` from candidates, which may have merged since they were listed."""
        clusters, links = self.clusters, self.clusters.links
        step = max(1, GATHER // WIDTH)
        for start in range(0, len(rows), step):
            part, listed = rows[start : start + step], near_rc[start : start + step]
            near = np.sort(np.where(listed < 0, -1, clusters.slot_n[listed]), axis=1)
            out = (near < 0) | (near == part[:, None])
            out[:, 1:] |= near[:, 1:] == near[:, :-1]
            similarity = np.matmul(clusters.mean_nd[near], clusters.mean_nd[part][:, :, None])[:, :, 0]
            if links:
                out |= links.pairs(np.repeat(part, near.shape[1]), near.ravel()).reshape(near.shape)
            best = Neighbours(near, similarity).without(out)
            self._near_nk[part] = best.index_qk[:, :WIDTH]
            self._similarity_n[part] = best.similarity_qk[:, 0]
            if near.shape[1] > WIDTH:
                self._bound_n[part] = np.maximum(self._bound_n[part], best.similarity_qk[:, WIDTH])


def _together(vectors_nd: F32, constraints: Constraints) -> I64:
    """(n,) the first row of the cluster in which each row starts."""
    same = np.zeros(len(vectors_nd), np.bool_)
    for start in range(1, len(vectors_nd), GATHER):
        rows = vectors_nd[start : start + GATHER]
        same[start : start + GATHER] = (rows == vectors_nd[start - 1 : start - 1 + len(rows)]).all(axis=1)
    # Equal rows show one picture, whatever its frames say; only a decision parts them.
    apart = np.union1d(constraints.different_m2.ravel(), constraints.apart_k2[:, 0])
    same[apart] = False
    same[apart[apart + 1 < len(same)] + 1] = False
    twin = np.flatnonzero(same)
    return constraints.with_same(np.stack([twin - 1, twin], axis=1)).components()
