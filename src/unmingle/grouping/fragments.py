"""Join fragments: two looks of one person that are not alike on average, but alike where they meet.

Someone seen from the front and from the side is two clusters to average linkage. Their most similar quarter of pairs,
the half-turned faces of both, gives them away. One lucky pair is not enough: a quarter of all pairs has to agree, and
is compared with the best quarter that two strangers of these sizes would have.

Source: our own prototype (grouping with an expected number of false merges, its join step).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from unmingle.grouping.constraints import CannotLinks
from unmingle.grouping.neighbours import BLOCK_CELLS, similarity_blocks
from unmingle.grouping.snapshot import Snapshot

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


def join_fragments(vectors_nd: F32, tree: Tree, *, bar: FalseMergeBar, groups_n: I64 | None = None) -> Tree:
    """Go on merging where `average_linkage` stopped, by the most similar quarter of pairs.

    Args:
        vectors_nd: (n, d) float32 unit vectors, in canonical order.
        tree: what average linkage made of them.
        bar: its stop rule.
        groups_n: (n,) group of each face, negative for none; two faces of a group never come together.

    Returns:
        The tree with the further merges; their similarity is the average cosine, as for the others.
    """
    judged: dict[tuple[int, int], float] = {}
    while True:
        clusters = Snapshot.of(vectors_nd, tree)
        first, second = _mutual_best(vectors_nd, clusters, _candidates(clusters, bar, groups_n), bar, judged)
        if not len(first):
            return tree
        similarity = np.einsum("md,md->m", clusters.mean_cd[first], clusters.mean_cd[second]).astype(np.float64)
        size = clusters.size_c[first] + clusters.size_c[second]
        tree = tree.grown(clusters.node_c[first], clusters.node_c[second], similarity, size)


def _candidates(clusters: Snapshot, bar: FalseMergeBar, groups_n: I64 | None) -> I64:
    """(m, 2) pairs of clusters that may be one person: the best few of each by z, not both single faces."""
    links = None if groups_n is None else CannotLinks(groups_n, clusters.slot_n)
    many = np.flatnonzero(clusters.size_c > 1)
    everyone = np.arange(len(clusters.size_c))
    found = [np.zeros((0, 2), np.int64)]
    for rows, columns in ((everyone, many), (many, everyone)):
        base = clusters.mean_cd[columns]
        for block, similarity_rn in similarity_blocks(clusters.mean_cd[rows], base, cells=BLOCK_CELLS // 8):
            row = rows[block]
            z_rn = bar.standard(similarity_rn, clusters.size_c[row, None], clusters.size_c[None, columns])
            z_rn[row[:, None] == columns] = -np.inf
            if links is not None:
                z_rn[links.block(row, columns)] = -np.inf
            found.append(_best_few(z_rn, row, columns))
    return np.unique(np.sort(np.concatenate(found), axis=1), axis=0)


def _best_few(z_rn: F64, row: I64, column: I64) -> I64:
    few = min(CANDIDATES, z_rn.shape[1])
    if few == 0:
        return np.zeros((0, 2), np.int64)
    best = np.argpartition(-z_rn, few - 1, axis=1)[:, :few]
    good = np.take_along_axis(z_rn, best, 1) >= LEAST_Z
    return np.stack([np.repeat(row[:, None], few, 1)[good], column[best][good]], axis=1)


def _mutual_best(
    vectors_nd: F32, clusters: Snapshot, pairs_m2: I64, bar: FalseMergeBar, judged: dict[tuple[int, int], float]
) -> tuple[I64, I64]:
    """The pairs that pass the bar and are each other's best."""
    for a, b in pairs_m2:
        key = (int(clusters.node_c[a]), int(clusters.node_c[b]))
        if key not in judged:
            judged[key] = best_quarter(*(vectors_nd[clusters.faces(c, most=SAMPLE)] for c in (a, b)))
    quarter = np.array([judged[int(clusters.node_c[a]), int(clusters.node_c[b])] for a, b in pairs_m2])
    first, second = pairs_m2[:, 0], pairs_m2[:, 1]
    a, b = clusters.size_c[first], clusters.size_c[second]
    z = bar.quarter_standard(quarter, a, b)
    passes = np.flatnonzero(z >= bar.bar(np.minimum(a, b), clusters=len(clusters.size_c)))
    order = passes[np.lexsort((second[passes], first[passes], -z[passes]))]
    first, second = first[order], second[order]
    rank = np.arange(len(order))
    taken = np.full(len(clusters.size_c), len(order))
    np.minimum.at(taken, first, rank)
    np.minimum.at(taken, second, rank)
    keep = (taken[first] == rank) & (taken[second] == rank)
    return first[keep], second[keep]


def best_quarter(first_ad: F32, second_bd: F32) -> float:
    """Mean of the most similar quarter (at least one) of all pairs of two sets of unit vectors."""
    cosines = (first_ad @ second_bd.T).ravel()
    count = -(-len(cosines) // 4)
    return float(np.partition(cosines, len(cosines) - count)[len(cosines) - count :].mean(dtype=np.float64))
