"""Join fragments: two looks of one person that are not alike on average, but alike where they meet.

Someone seen from the front and from the side is two clusters to average linkage. Their most similar quarter of pairs,
the half-turned faces of both, gives them away. One lucky pair is not enough: a quarter of all pairs has to agree, and
is compared with the best quarter that two strangers of these sizes would have.

Source: our own prototype (grouping with an expected number of false merges, its join step).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from unmingle.grouping.constraints import CannotLinks, Constraints
from unmingle.grouping.linkage import disjoint
from unmingle.grouping.neighbours import BLOCK_CELLS, NOBODY, similarity_blocks
from unmingle.grouping.snapshot import Snapshot
from unmingle.grouping.tree import HOW_QUARTER

if TYPE_CHECKING:
    from unmingle.grouping.stopping import FalseMergeBar
    from unmingle.grouping.tree import Tree
    from unmingle.records import F32, F64, I64

# Clusters that each cluster is compared with: its most similar ones for their sizes.
CANDIDATES = 5
# Below one standard deviation above strangers, not even the best quarter can tell.
LEAST_Z = 1.0
# Faces of a cluster that are compared pair by pair, evenly spread over it: a quarter of 64 × 64 pairs is plenty.
SAMPLE = 64
# Pairs of clusters that are all compared; for more, an index finds the nearest.
EXACT_CELLS = 1 << 28
# Cosines computed at a time.
PAIR_CELLS = 1 << 21


def join_fragments(vectors_nd: F32, tree: Tree, *, bar: FalseMergeBar, constraints: Constraints | None = None) -> Tree:
    """Go on merging where `average_linkage` stopped, by the most similar quarter of pairs.

    Args:
        vectors_nd: (n, d) float32 unit vectors, in canonical order.
        tree: what average linkage made of them.
        bar: its stop rule.
        constraints: who never comes together.

    Returns:
        The tree with the further merges; their similarity is the average cosine, as for the others.
    """
    constraints = Constraints(len(vectors_nd)) if constraints is None else constraints
    return _Joining(vectors_nd, tree, bar, constraints).run()


class _Joining:
    """Clusters while their fragments join. What joins another lives on in its slot; only what changed is judged again.

    Args:
        vectors_nd, tree, bar, constraints: see `join_fragments`.
    """

    def __init__(self, vectors_nd: F32, tree: Tree, bar: FalseMergeBar, constraints: Constraints) -> None:
        self._vectors_nd, self._tree, self._bar = vectors_nd, tree, bar
        self._clusters = Snapshot.of(vectors_nd, tree)
        self._links = CannotLinks(constraints, self._clusters.slot_n)
        self._slot_c = np.arange(len(self._clusters.size_c))  # where the cluster of each slot lives now
        self._pairs_m2 = np.zeros((0, 2), np.int64)
        self._z_m = np.zeros(0)
        self._judge(candidates(self._clusters, bar, self._links))

    def run(self) -> Tree:
        """Merge the pairs that pass the bar and are each other's best, until there are none."""
        while True:
            first, second = self._mutual_best()
            if not len(first):
                return self._tree
            self._merge(first, second)

    def _mutual_best(self) -> tuple[I64, I64]:
        size = self._clusters.size_c
        first, second = self._pairs_m2[:, 0], self._pairs_m2[:, 1]
        alive = len(size) - int(np.count_nonzero(self._slot_c != np.arange(len(size))))
        passes = np.flatnonzero(self._z_m >= self._bar.bar(np.minimum(size[first], size[second]), clusters=alive))
        order = passes[np.lexsort((second[passes], first[passes], -self._z_m[passes]))]
        first, second = first[order], second[order]
        keep = disjoint(first, second, len(size))
        return first[keep], second[keep]

    def _merge(self, kept: I64, gone: I64) -> None:
        self._tree = self._clusters.join(self._tree, kept, gone, how=HOW_QUARTER)
        self._links.merge(kept, gone)
        self._slot_c[gone] = kept
        self._slot_c = self._slot_c[self._slot_c]
        changed = np.zeros(len(self._slot_c), np.bool_)
        changed[kept] = changed[gone] = True
        stale = changed[self._pairs_m2].any(axis=1)
        touched = np.sort(self._slot_c[self._pairs_m2[stale]], axis=1)
        self._pairs_m2, self._z_m = self._pairs_m2[~stale], self._z_m[~stale]
        alive = np.flatnonzero(self._slot_c == np.arange(len(self._slot_c)))
        fresh = candidates(self._clusters, self._bar, self._links, of=kept, among=alive)
        touched = touched[touched[:, 0] != touched[:, 1]]
        touched = touched[~self._links.pairs(touched[:, 0], touched[:, 1])]
        self._judge(_unique(np.concatenate([touched, fresh])))

    def _judge(self, pairs_m2: I64) -> None:
        quarter = best_quarters(self._vectors_nd, self._clusters, pairs_m2)
        size = self._clusters.size_c
        z = self._bar.quarter_standard(quarter, size[pairs_m2[:, 0]], size[pairs_m2[:, 1]])
        # What lies far below any bar is not worth remembering: it is judged again when one of the two changes.
        near = z >= LEAST_Z
        self._pairs_m2 = np.concatenate([self._pairs_m2, pairs_m2[near]])
        self._z_m = np.concatenate([self._z_m, z[near]])


def _unique(pairs_m2: I64) -> I64:
    return np.unique(np.sort(pairs_m2, axis=1), axis=0)


def candidates(
    clusters: Snapshot, bar: FalseMergeBar, links: CannotLinks, *, of: I64 | None = None, among: I64 | None = None
) -> I64:
    """(m, 2) pairs of clusters that may be one person: the best few of each by z, not both single faces.

    Args:
        clusters: c of them.
        bar: what z means.
        links: which of them never come together.
        of: only pairs with one of these clusters; None: all.
        among: the clusters that there are; None: all.
    """
    among = np.arange(len(clusters.size_c)) if among is None else among
    everyone = among if of is None else of
    many = among[clusters.size_c[among] > 1]
    if not len(many) or not len(everyone):
        return np.zeros((0, 2), np.int64)
    if len(everyone) * len(many) > EXACT_CELLS:
        return _near_candidates(clusters, bar, links, everyone, many)
    found = [np.zeros((0, 2), np.int64)]
    for rows, columns in ((everyone, many), (everyone[clusters.size_c[everyone] > 1], among)):
        base = clusters.mean_cd[columns]
        for block, similarity_rn in similarity_blocks(clusters.mean_cd[rows], base, cells=BLOCK_CELLS // 8):
            row = rows[block]
            z_rn = bar.standard(similarity_rn, clusters.size_c[row, None], clusters.size_c[None, columns])
            z_rn[row[:, None] == columns] = -np.inf
            if links:
                z_rn[links.block(row, columns)] = -np.inf
            found.append(_best_few(z_rn, row, columns))
    return _unique(np.concatenate(found))


def _best_few(z_rn: F64, row: I64, column: I64) -> I64:
    few = min(CANDIDATES, z_rn.shape[1])
    if few == 0:
        return np.zeros((0, 2), np.int64)
    best = np.argpartition(-z_rn, few - 1, axis=1)[:, :few]
    good = np.take_along_axis(z_rn, best, 1) >= LEAST_Z
    return np.stack([np.repeat(row[:, None], few, 1)[good], column[best][good]], axis=1)


def _near_candidates(clusters: Snapshot, bar: FalseMergeBar, links: CannotLinks, everyone: I64, many: I64) -> I64:
    """As `candidates`, for too many clusters to compare all: the best of the nearest by average cosine.

    Only one side is asked, who is near to whom of several faces; a single face finds its people that way, and the
    people need not look for it.
    """
    from unmingle.grouping.cells import Cells

    base = clusters.mean_cd[many]
    cells = Cells(base)
    place = np.searchsorted(many, everyone)
    own = np.where(many[np.minimum(place, len(many) - 1)] == everyone, place, -1)
    found = cells.nearest(clusters.mean_cd[everyone], base, cells.of(base), 3 * CANDIDATES, own_q=own)
    row = np.repeat(everyone[:, None], found.index_qk.shape[1], 1)
    column = many[found.index_qk]
    size = clusters.size_c
    z = bar.standard(found.similarity_qk, size[row], size[column]).astype(np.float64)
    z[(found.index_qk < 0) | (found.similarity_qk == NOBODY)] = -np.inf
    if links:
        z[links.pairs(row.ravel(), column.ravel()).reshape(z.shape)] = -np.inf
    best = np.argsort(-z, axis=1, kind="stable")[:, :CANDIDATES]
    good = np.take_along_axis(z, best, 1) >= LEAST_Z
    return _unique(np.stack([np.take_along_axis(a, best, 1)[good] for a in (row, column)], axis=1))


def best_quarters(vectors_nd: F32, clusters: Snapshot, pairs_m2: I64) -> F64:
    """(m,) the mean of the most similar quarter of all pairs of faces, for each of m pairs of clusters."""
    shown = np.minimum(clusters.size_c, SAMPLE)
    first, second = pairs_m2[:, 0], pairs_m2[:, 1]
    quarter = np.empty(len(pairs_m2))
    shape = shown[first] * (SAMPLE + 1) + shown[second]
    order = np.argsort(shape, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(shape[order])) + 1) if len(order) else ():
        a, b = int(shown[first[rows[0]]]), int(shown[second[rows[0]]])
        step = max(1, PAIR_CELLS // (a * b * 8))
        for start in range(0, len(rows), step):
            part = rows[start : start + step]
            quarter[part] = _quarters(vectors_nd, clusters, first[part], second[part], a, b)
    return quarter


def _quarters(vectors_nd: F32, clusters: Snapshot, first_p: I64, second_p: I64, a: int, b: int) -> F64:
    """As `best_quarters`, for pairs of which a and b faces are shown."""
    sides = [vectors_nd[clusters.spread(side, shown)] for side, shown in ((first_p, a), (second_p, b))]
    cosines = np.matmul(sides[0], sides[1].transpose(0, 2, 1)).reshape(len(first_p), a * b)
    count = -(-a * b // 4)
    top = np.partition(cosines, a * b - count, axis=1)[:, a * b - count :]
    result: F64 = top.mean(axis=1, dtype=np.float64)
    return result
