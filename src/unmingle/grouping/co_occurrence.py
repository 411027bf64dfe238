"""Two faces of one frame are two people, except for mirrors, posters, and screens that show a participant.

Linkage takes frames at their word. Afterwards two clusters that share frames are merged all the same if the agreement
is strong enough, in one of two ways:

- they would have merged but for very few shared frames: at most one for every 200 faces of the smaller;
- they are as alike as each is in itself: the average cosine between the two covers at least nine tenths of the way
  from strangers to faces of one of them. Twins stay below that; another picture of the same person does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from unmingle.grouping.constraints import CannotLinks, Constraints
from unmingle.grouping.fragments import LEAST_Z, best_quarters
from unmingle.grouping.linkage import disjoint
from unmingle.grouping.snapshot import Snapshot
from unmingle.grouping.tree import HOW_TOGETHER

if TYPE_CHECKING:
    from unmingle.grouping.stopping import FalseMergeBar
    from unmingle.grouping.tree import Tree
    from unmingle.records import F32, I64, Bool

# Faces of the smaller cluster for each frame that the two may share by mistake.
FACES_A_MISTAKE = 200
# Fewer faces don't tell how alike a person's faces are.
LEAST_FACES = 5
# Share of the way from strangers to a person's own faces that another's faces have to cover.
OWN_SHARE = 0.9


def merge_seen_together(
    vectors_nd: F32, tree: Tree, *, bar: FalseMergeBar, constraints: Constraints
) -> tuple[Tree, int, int]:
    """Merge clusters that share frames but agree too strongly for two people.

    Args:
        vectors_nd: (n, d) float32 unit vectors, in canonical order.
        tree: the clusters that linkage made of them, frames taken at their word.
        bar: its stop rule.
        constraints: of the n faces.

    Returns:
        The tree with the further merges; how many pairs of clusters were merged, and how many pass the bar but are kept
        apart by their frames.
    """
    frames_only = Constraints(constraints.faces, seen_k2=constraints.seen_k2)
    decided = constraints.without_frames()
    merged = 0
    while True:
        clusters = Snapshot.of(vectors_nd, tree)
        first, second, shared = CannotLinks(frames_only, clusters.slot_n).all_pairs()
        free = ~CannotLinks(decided, clusters.slot_n).pairs(first, second)
        first, second, shared = first[free], second[free], shared[free]
        alike = _passes(vectors_nd, clusters, bar, first, second)
        first, second, shared = first[alike], second[alike], shared[alike]
        smaller = np.minimum(clusters.size_c[first], clusters.size_c[second])
        strong = shared * FACES_A_MISTAKE <= smaller
        strong[~strong] = as_alike_as_their_own(clusters, first[~strong], second[~strong], strangers=bar.curve.mean)
        kept_apart = int((~strong).sum())
        similarity = clusters.similarity(first, second)
        order = np.flatnonzero(strong)
        order = order[np.lexsort((second[order], first[order], -similarity[order]))]
        order = order[disjoint(first[order], second[order], len(clusters.size_c))]
        if not len(order):
            return tree, merged, kept_apart
        merged += len(order)
        tree = clusters.join(tree, first[order], second[order], how=HOW_TOGETHER)


def _passes(vectors_nd: F32, clusters: Snapshot, bar: FalseMergeBar, first: I64, second: I64) -> Bool:
    """Which pairs linkage or the joining of fragments would have merged, if they shared no frame."""
    a, b = clusters.size_c[first], clusters.size_c[second]
    similarity = clusters.similarity(first, second)
    passes = bar(similarity, a, b, clusters=len(clusters.size_c))
    rest = np.flatnonzero(~passes & (a + b > 2) & (bar.standard(similarity, a, b) >= LEAST_Z))
    quarter = best_quarters(vectors_nd, clusters, np.stack([first[rest], second[rest]], axis=1))
    z = bar.quarter_standard(quarter, a[rest], b[rest])
    passes[rest] = z >= bar.bar(np.minimum(a[rest], b[rest]), clusters=len(clusters.size_c))
    return passes


def as_alike_as_their_own(clusters: Snapshot, first_m: I64, second_m: I64, *, strangers: float) -> Bool:
    """Which pairs of clusters are about as much like each other as each is like itself.

    A cluster of fewer than five faces can't say how alike its person's faces are; at least one of the two has to.

    Args:
        clusters: all of them.
        first_m: the one cluster of each of m pairs.
        second_m: the other.
        strangers: the average cosine of strangers.
    """
    size = clusters.size_c.astype(np.float64)
    length = np.einsum("cd,cd->c", clusters.mean_cd, clusters.mean_cd, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        own = (length * size - 1) / (size - 1)  # of all pairs of its faces, none with itself
    own[size < LEAST_FACES] = -np.inf
    own_m = np.maximum(own[first_m], own[second_m])
    between = np.einsum("md,md->m", clusters.mean_cd[first_m], clusters.mean_cd[second_m], dtype=np.float64)
    known: Bool = own_m > strangers
    alike: Bool = known & (between - strangers >= OWN_SHARE * (own_m - strangers))
    return alike


def count_seen_together(labels_n: I64, constraints: Constraints) -> tuple[int, int]:
    """How many pairs of faces of one frame there are, and how many of them ended in one person.

    A low share says that few people were mixed up: a measure of precision that needs no label. Faces of one frame that
    must be one person are counted as well.
    """
    seen = np.unique(constraints.seen_k2, axis=0)
    if not len(seen):
        return 0, 0
    _, sizes = np.unique(seen[:, 1], return_counts=True)
    _, both = np.unique(np.stack([labels_n[seen[:, 0]], seen[:, 1]], axis=1), axis=0, return_counts=True)
    return int((sizes * (sizes - 1) // 2).sum()), int((both * (both - 1) // 2).sum())
