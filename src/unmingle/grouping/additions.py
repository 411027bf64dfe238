"""Few new faces in a large collection: only what they can touch is grouped again, the rest stays as it is.

What is near enough of the clusters that are there comes along, in one piece each, with the single faces that are near;
these and the new faces are grouped as if nothing else were there, but with the threshold of the whole collection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from unmingle.grouping.cluster import Collected
from unmingle.grouping.clusters import unit_rows
from unmingle.grouping.confidence import label_means
from unmingle.grouping.index import find_nearest
from unmingle.grouping.threshold import local_excess, standard_query

if TYPE_CHECKING:
    from unmingle.grouping.impostors import ImpostorModel
    from unmingle.grouping.threshold import FalseMergeThreshold
    from unmingle.records import F32, F64, I64, Bool

# Of the clusters, and of the single faces, as many of the most alike come along for each new face: more than the
# linkage compares, so that whoever competes for it is there.
NEAR = 8
# So many faces of each cluster, or some more, tell how crowded it is there.
SHOWN = 4


def touched(vectors_nd: F32, labels_n: I64, new_n: Bool, threshold: FalseMergeThreshold) -> tuple[I64, I64, Collected]:
    """What the new of n faces can touch.

    Args:
        vectors_nd: of any length.
        labels_n: the cluster of each face; below 0 for those that are new or alone.
        new_n: which are new.
        threshold: with the scale that was found when all were grouped.

    Returns:
        Rows, rising; pairs of places in these that are of one cluster; and what is known of the whole collection.
    """
    inside = np.flatnonzero(labels_n >= 0)
    slot_n = np.full(len(labels_n), -1)
    slot_n[inside] = np.unique(labels_n[inside], return_inverse=True)[1]
    mean_cd, size_c = label_means(vectors_nd, labels_n)
    unit_md = unit_rows(vectors_nd[new_n])
    base_cd = threshold.standard_base(mean_cd, size_c)
    near_c = find_nearest(standard_query(unit_md), base_cd, NEAR).index_qk
    taken_n = new_n | (slot_n >= 0) & np.isin(slot_n, near_c)
    alone = np.flatnonzero((slot_n < 0) & ~new_n)
    near = find_nearest(unit_md, unit_rows(vectors_nd[alone]), NEAR).index_qk
    taken_n[alone[near[near >= 0]]] = True
    rows = np.flatnonzero(taken_n)
    order = np.argsort(slot_n[rows], kind="stable")
    one, other = order[:-1], order[1:]
    tied = (slot_n[rows[one]] >= 0) & (slot_n[rows[one]] == slot_n[rows[other]])
    excess_n = _excess(vectors_nd[rows], slot_n[rows], mean_cd, size_c, threshold.curve)
    clusters = len(size_c) + len(labels_n) - len(inside)
    return rows, np.stack([one[tied], other[tied]], axis=1), Collected(threshold.scale, excess_n, clusters)


def _excess(vectors_nd: F32, slot_n: I64, mean_cd: F32, size_c: I64, curve: ImpostorModel) -> F64:
    """(n,) see `local_excess`: of faces that are alone, and of clusters by some faces of each."""
    order = np.argsort(slot_n, kind="stable")
    first = np.searchsorted(slot_n[order], slot_n[order])
    told = np.sort(
        order[
            (slot_n[order] < 0) | ((np.arange(len(order)) - first) % np.maximum(1, size_c[slot_n[order]] // SHOWN) == 0)
        ]
    )
    excess_t = local_excess(unit_rows(vectors_nd[told]), mean_cd, size_c, curve)
    total_c, count_c = (np.bincount(slot_n[told] + 1, of, minlength=len(size_c) + 1) for of in (excess_t, None))
    excess_n = (total_c / np.maximum(1, count_c))[slot_n + 1]
    excess_n[told[slot_n[told] < 0]] = excess_t[slot_n[told] < 0]
    return excess_n
