"""Tracks: a face in one frame of a recording and the same face in the next are one person.

A head that turns from the front to the side is unlike itself in the end, but never from one frame to the next. So two
clusters that such a step leads from and to are one person. Steps are heard after linkage and not before it: made first,
they build long runs whose averages are like nothing (measured: that costs more than it brings).
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from unmingle.grouping.constraints import CannotLinks
from unmingle.grouping.snapshot import Snapshot
from unmingle.grouping.tree import HOW_TRACK

if TYPE_CHECKING:
    from unmingle.grouping.constraints import Constraints
    from unmingle.grouping.impostors import ImpostorCurve
    from unmingle.grouping.tree import Tree
    from unmingle.records import F32, F64, I64

# Steps between strangers that may be expected in the whole collection.
EXPECTED_MISTAKES = 0.01


def join_by_tracks(vectors_nd: F32, tree: Tree, *, curve: ImpostorCurve, constraints: Constraints) -> tuple[Tree, int]:
    """Merge clusters between which a face goes from one frame to the next.

    The two faces of a step are each other's most similar between the two frames, and so alike that in the whole
    collection hardly one pair of strangers would be. Steps are taken in the order of their similarity, and none that
    would bring two faces of one frame together.

    Args:
        vectors_nd: (n, d) float32 unit vectors, in canonical order.
        tree: what was made of them so far.
        curve: how similar strangers are.
        constraints: of the n faces; frames that follow each other have consecutive numbers.

    Returns:
        The tree with the further merges, and how many there are.
    """
    pairs_m2, similarity_m, looked_at = _next_to_each_other(vectors_nd, constraints.seen_k2)
    if not len(pairs_m2):
        return tree, 0
    from scipy.special import ndtri

    one = np.ones(1, np.int64)
    least = curve.mean - ndtri(EXPECTED_MISTAKES / looked_at) * float(curve.deviation(one, one)[0])
    clusters = Snapshot.of(vectors_nd, tree)
    steps_m2 = clusters.slot_n[pairs_m2]
    sure = (similarity_m >= least) & (steps_m2[:, 0] != steps_m2[:, 1])
    order = np.flatnonzero(sure)
    order = order[np.lexsort((pairs_m2[order, 1], pairs_m2[order, 0], -similarity_m[order]))]
    links = CannotLinks(constraints, clusters.slot_n)
    slot_c = np.arange(len(clusters.size_c))
    joined = 0
    for step in steps_m2[order]:
        a, b = (np.array([side]) for side in sorted(slot_c[step].tolist()))
        if a[0] == b[0] or links.pairs(a, b)[0]:
            continue
        links.merge(a, b)
        tree = clusters.join(tree, a, b, how=HOW_TRACK)
        slot_c[slot_c == b[0]] = a[0]
        joined += 1
    return tree, joined


def _next_to_each_other(vectors_nd: F32, seen_k2: I64) -> tuple[I64, F64, int]:
    """Pairs that are each other's most similar in two consecutive frames, how similar, and how many were looked at."""
    faces: defaultdict[int, list[int]] = defaultdict(list)
    for row, frame in np.unique(seen_k2, axis=0).tolist():
        faces[frame].append(row)
    pairs: dict[tuple[int, int], float] = {}
    looked_at = 0
    for frame in faces:
        if frame + 1 not in faces:
            continue
        here, there = np.array(faces[frame]), np.array(faces[frame + 1])
        cosines = vectors_nd[here] @ vectors_nd[there].T
        looked_at += cosines.size
        best = cosines.argmax(axis=1)
        for i in np.flatnonzero(cosines.argmax(axis=0)[best] == np.arange(len(here))).tolist():
            if here[i] != there[best[i]]:  # the very same picture twice
                one, other = sorted((int(here[i]), int(there[best[i]])))
                pairs[one, other] = float(cosines[i, best[i]])
    return np.array(sorted(pairs), np.int64).reshape(-1, 2), np.array([pairs[key] for key in sorted(pairs)]), looked_at
