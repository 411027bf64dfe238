"""Move faces that went to the wrong person, where the graph of neighbours and both averages agree on another.

Linkage never takes a merge back. A weak face goes to the cluster that is most like it at that moment, and that may be a
stranger's while its own person is still in pieces. When everybody is together, the graph of nearest neighbours shows
it: the face that it is most like is another person's. One pair says little, so the face moves only if it is also more
like that person than like the others of its own by the most similar quarter of pairs, and by the average of all; each
against what strangers of that size would have. Two of the three agree by chance now and then. Nothing has to be set.

Source: moving single nodes after agglomeration, as Louvain and Leiden do between their levels (Traag, Waltman and van
Eck 2019), proposed by the graph, and judged by the evidence of `unmingle.grouping.fragments`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from unmingle.grouping.constraints import CannotLinks
from unmingle.grouping.fragments import best_quarters
from unmingle.grouping.linkage import disjoint
from unmingle.grouping.snapshot import Snapshot
from unmingle.grouping.stragglers import MOST_FACES
from unmingle.grouping.tree import HOW_STRAGGLER

if TYPE_CHECKING:
    from unmingle.grouping.constraints import Constraints
    from unmingle.grouping.linkage import Start
    from unmingle.grouping.stopping import FalseMergeBar
    from unmingle.grouping.tree import Tree
    from unmingle.records import F32, F64, I64


def nearest_faces(start: Start) -> I64:
    """(n,) the row that each face is most like, of those it may be with, as the first lists of linkage have it.

    -1 for faces that start as one with others (must-links, the same picture twice): these don't move.
    """
    near_n = np.full(len(start.root_n), -1, np.int64)
    best = start.near.index_qk[:, 0]
    free = np.flatnonzero((start.size_s == 1) & (best >= 0))
    near_n[start.rows_s[free]] = start.rows_s[best[free]]
    return near_n


def move_faces(
    vectors_nd: F32, tree: Tree, *, near_n: I64, bar: FalseMergeBar, constraints: Constraints
) -> tuple[Tree, int]:
    """Take faces out of people whom they are less like than another, and give them to that one.

    Both people have more than `MOST_FACES` faces, those in doubt not counted. Time and memory grow with n.

    Args:
        vectors_nd: (n, d) float32 unit vectors, in canonical order.
        tree: what linkage and joining made of them.
        near_n: (n,) see `nearest_faces`.
        bar: the stop rule of linkage and joining.
        constraints: who never comes together.

    Returns:
        The tree in which these faces were never with the people they leave, and join others at the end; and how many
        there are. A face that is kept from the other person by one that moved there before it is left alone.
    """
    face_m, near_m, rest_m = _in_doubt(tree, near_n)
    if not len(face_m):
        return tree, 0
    clusters = Snapshot.of(vectors_nd, tree.without(face_m))
    slot_m, other_m, own_m = (clusters.slot_n[of_m] for of_m in (face_m, near_m, rest_m))
    free = np.minimum(clusters.size_c[other_m], clusters.size_c[own_m]) > MOST_FACES
    free &= ~CannotLinks(constraints, clusters.slot_n).pairs(slot_m, other_m)
    face_m, near_m, slot_m, other_m, own_m = (of_m[free] for of_m in (face_m, near_m, slot_m, other_m, own_m))
    other_2m, own_2m = (_alike(vectors_nd, clusters, bar, slot_m, of_m) for of_m in (other_m, own_m))
    moves = (other_2m > own_2m).all(axis=0)
    if not moves.any():
        return tree, 0
    tree = tree.without(face_m[moves])
    return _joined(Snapshot.of(vectors_nd, tree), tree, face_m[moves], near_m[moves], constraints), int(moves.sum())


def _in_doubt(tree: Tree, near_n: I64) -> tuple[I64, I64, I64]:
    """The faces of people whose nearest face is another person's; that face; and one of their own who is not in doubt.

    People of whom all are in doubt are left out.
    """
    _, person_n, sizes = np.unique(tree.cut(), return_inverse=True, return_counts=True)
    face = np.flatnonzero(near_n >= 0)
    near = near_n[face]
    several = np.minimum(sizes[person_n[face]], sizes[person_n[near]]) > MOST_FACES
    doubted = several & (person_n[face] != person_n[near])
    face, near = face[doubted], near[doubted]
    sure_n = np.ones(len(near_n), np.bool_)
    sure_n[face] = False
    sure = np.flatnonzero(sure_n)[::-1]
    rest_c = np.full(len(sizes), -1, np.int64)
    rest_c[person_n[sure]] = sure  # the first of each, which is written last
    rest = rest_c[person_n[face]]
    return face[rest >= 0], near[rest >= 0], rest[rest >= 0]


def _alike(vectors_nd: F32, clusters: Snapshot, bar: FalseMergeBar, first_m: I64, second_m: I64) -> F64:
    """(2, m) how far above strangers each pair is, by average and by the most similar quarter."""
    sizes = clusters.size_c[first_m], clusters.size_c[second_m]
    average = bar.standard(clusters.similarity(first_m, second_m), *sizes)
    quarter = best_quarters(vectors_nd, clusters, np.stack([first_m, second_m], axis=1))
    return np.stack([average, bar.quarter_standard(quarter, *sizes)])


def _joined(clusters: Snapshot, tree: Tree, face_m: I64, near_m: I64, constraints: Constraints) -> Tree:
    """The tree after each face has joined the cluster of the other one, unless one before it stands against it."""
    links = CannotLinks(constraints, clusters.slot_n)
    moving, person = clusters.slot_n[face_m], clusters.slot_n[near_m]
    while len(moving):
        now = disjoint(person, moving, len(clusters.size_c))
        tree = clusters.join(tree, person[now], moving[now], how=HOW_STRAGGLER)
        links.merge(person[now], moving[now])
        later = np.delete(np.arange(len(moving)), now)
        later = later[~links.pairs(person[later], moving[later])]
        moving, person = moving[later], person[later]
    return tree
