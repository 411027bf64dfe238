"""Grouping where faces are not equally good: core faces make people, border faces only join them, copies count once.

Masks, blur and a few pixels make faces that lean towards each other, and two of them that agree say little. No border
face makes one of two people: it is compared with core faces only. One picture saved twice, smaller or with a border, is
one piece of evidence, however often.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from unmingle.errors import SettingsError
from unmingle.grouping.attach import attach_border, fill_gaps
from unmingle.grouping.cluster import checked, cluster_faces, count_seen_together
from unmingle.grouping.clusters import BLOCK, Clusters, canonical_order, largest_first, unit_rows
from unmingle.grouping.confidence import label_means
from unmingle.grouping.constraints import Constraints, roots
from unmingle.grouping.impostors import estimate_curve
from unmingle.grouping.refine import check_people
from unmingle.grouping.threshold import FalseMergeThreshold
from unmingle.records import Clustering, check_shape

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmingle.grouping.impostors import ImpostorModel
    from unmingle.records import F32, F64, I64, Bool
    from unmingle.settings import GroupingSettings

# The note that says that there were fewer core faces than people, so that all faces count as core.
TOO_FEW = "founders_too_few"


def cluster_with_quality(
    vectors_nd: NDArray[Any],
    settings: GroupingSettings,
    *,
    curve: ImpostorModel | None,
    constraints: Constraints | None = None,
    core_n: Bool,
    copy_of_n: I64 | None = None,
) -> Clustering:
    """Group faces by person, where only some may make a person. The order of the faces does not matter.

    Copies are folded first: one of them, a core face if there is one, stands for all, in the frames of all. Copies that
    decisions hold apart stand each for themselves. Then core faces are grouped by `cluster_faces`; border faces that
    must be one person with one go where it goes, and lend it their frames. The others are attached by similarity, or
    where they fill a gap of a recording; several that must be one person are one.

    Args:
        vectors_nd: (n, d) finite numbers, one embedding a face; only their directions count.
        settings: the number of people if it is known, and how strict to be; core faces make that many people. With
            fewer of them than people, all faces are core.
        curve: how similar strangers are to the model; None: estimated from the core faces.
        constraints: as for `cluster_faces`; rows of `apart_k2` are core in any case, as decisions speak of them.
        core_n: (n,) which faces may make a person.
        copy_of_n: (n,) int64, the row whose picture a row is a copy of, itself if none; None: there are no copies.

    Returns:
        As from `cluster_faces`, without merges where there are border faces or copies: a cluster for every face,
        largest first. One without a core face is nobody's, nor is one of a face and its copies, see `Evidence`. Notes
        besides those of `cluster_faces` for the core faces:

        - "joiners": border faces, copies not counted;
        - "joined": how many of them are in a person with a core face;
        - "copies": faces for which another stands;
        - "founders_too_few": 1 where there were fewer core faces than people, so that all count as core.

    Raises:
        SettingsError: as `cluster_faces`; or `core_n` or `copy_of_n` don't fit the vectors.
        ConstraintError: two faces must be one person and must not be.
    """
    n = len(vectors_nd)
    check_shape("core_n", core_n, (n,))
    if constraints is not None:
        core_n = np.asarray(core_n, np.bool_).copy()
        core_n[constraints.apart_k2[:, 0]] = True
    if copy_of_n is None:
        copy_of_n = np.arange(n)
    check_shape("copy_of_n", copy_of_n, (n,))
    if n and not 0 <= copy_of_n.min() <= copy_of_n.max() < n:
        raise SettingsError("A face is a copy of one that is not there.", f"Name faces by their row, 0 to {n - 1}.")
    if np.all(core_n) and np.array_equal(copy_of_n, np.arange(n)):
        return cluster_faces(vectors_nd, settings, curve=curve, constraints=constraints)
    unit_nd, constraints = unit_rows(vectors_nd), checked(constraints, n)
    order_n = canonical_order(unit_nd)
    unit_nd, known, place_n = unit_nd[order_n], constraints.taken(order_n), np.argsort(order_n)
    stands_n = _representatives(known, place_n[copy_of_n[order_n]], core_n[order_n])
    stands = stands_n == np.arange(n)
    too_few = False
    if settings.people is not None:
        check_people(settings.people, int(stands.sum()))
        too_few = int((stands & core_n[order_n]).sum()) < settings.people
    core_f = np.flatnonzero(stands & (core_n[order_n] | too_few))
    # A border face that must be one person with core faces goes with the first of them, and is no evidence of its own.
    tied_n = roots(stands_n[known.same_m2], n)
    leader_n = np.full(n, -1)
    leader_n[tied_n[core_f][::-1]] = core_f[::-1]
    leader_n = np.where(leader_n[tied_n] < 0, np.arange(n), leader_n[tied_n])
    leader_n[core_f] = core_f
    leader_n = leader_n[stands_n]
    border_b = np.flatnonzero(leader_n == np.arange(n))
    border_b = border_b[~np.isin(border_b, core_f)]
    f, rows = len(core_f), np.concatenate([core_f, border_b])
    index_n = np.full(n, -1)
    index_n[rows] = np.arange(len(rows))
    index_n = index_n[leader_n]
    curve = estimate_curve(unit_nd[core_f]) if curve is None else curve
    of_core = known.mapped(np.where(index_n < f, index_n, -1), f)
    found = cluster_faces(np.asarray(vectors_nd)[order_n[core_f]], settings, curve=curve, constraints=of_core)
    notes = {key: value for key, value in found.notes if not key.startswith("same_frame")}
    first = np.unique(found.labels, return_index=True)[1]
    _, first_tied, tied = np.unique(tied_n[border_b], return_index=True, return_inverse=True)
    heeded = known if settings.co_occurrence else known.without_frames()
    slot_m = np.concatenate([first[found.labels], f + first_tied[tied]])
    clusters = Clusters(unit_nd[rows], slot_m, heeded.mapped(index_n, len(rows)))
    if f and len(border_b):
        scale = notes["scale"]
        threshold = FalseMergeThreshold(curve=curve, expected=settings.expected_false_merges, scale=scale)
        attach_border(clusters, f + np.sort(first_tied), np.sort(first), threshold)
        # Now that it is known who else is there, a core face that is alone may fill a gap, too.
        single = first if settings.people is None else first[:0]
        single = single[np.bincount(found.labels)[found.labels[single]] == 1]
        loose = np.flatnonzero(clusters.slot_n[f:] >= f) + f
        fill_gaps(clusters, np.unique(clusters.slot_n[np.concatenate([single, loose])]))
    slot_n = clusters.slot_n[index_n]
    labels_n = np.empty(n, np.int64)
    labels_n[order_n] = largest_first(slot_n)
    border = stands.copy()
    border[core_f] = False
    notes["joiners"] = float(border.sum())
    notes["joined"] = float(np.isin(slot_n[border], slot_n[core_f]).sum())
    notes["copies"] = float((~stands).sum())
    if too_few:
        notes[TOO_FEW] = 1.0
    notes |= count_seen_together(labels_n, constraints)
    return Clustering(labels_n, notes=tuple(notes.items()))


def _representatives(constraints: Constraints, copy_of_n: I64, core_n: Bool) -> I64:
    """(n,) the row that stands for each: of its copies a core face if there is one, the one that is nobody's copy."""
    rows = np.arange(len(copy_of_n))
    pairs = np.stack([rows, copy_of_n], axis=1)[copy_of_n != rows]
    torn = constraints.torn_by(pairs)
    group_n = roots(pairs[~torn[pairs[:, 0]]], len(rows))
    order = np.lexsort((rows, copy_of_n != rows, ~core_n, group_n))
    _, first, member = np.unique(group_n[order], return_index=True, return_inverse=True)
    stands = np.empty(len(rows), np.int64)
    stands[order] = order[first][member]
    return stands


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Which of n faces in k clusters say something about people. Copies of one picture in one cluster count once.

    picture_n: (n,) int64, the row that shows each face's picture: the first of it in its cluster.
    cored_n:   (n,) bool, whether the cluster of each face has a core face.
    people_n:  (n,) bool, whether it is a person: with a core face, and of different pictures.
    telling_n: (n,) bool, the faces that tell how alike the faces of a cluster are: its core faces, each picture once,
               or all pictures where there is only one. That a poor face is less like its person says nothing of it.
    """

    picture_n: I64
    cored_n: Bool
    people_n: Bool
    telling_n: Bool

    @classmethod
    def of(cls, clustering: Clustering, core_n: Bool, copy_of_n: I64 | None = None, *, least: int = 2) -> Evidence:
        """Count pictures.

        Args:
            clustering: from `cluster_with_quality`; or from another method, then each cluster should have a core face.
            core_n: as they were given to it.
            copy_of_n: as they were given to it.
            least: how many different pictures make a person; 1 where the number of people was given.
        """
        labels_n, k = clustering.labels, int(clustering.labels.max(initial=-1)) + 1
        rows = np.arange(len(labels_n))
        picture_n = rows
        if copy_of_n is not None:
            same_n = labels_n * len(rows) + roots(np.stack([rows, copy_of_n], axis=1), len(rows))
            _, first, index = np.unique(same_n, return_index=True, return_inverse=True)
            picture_n = first[index].astype(np.int64)
        core_n = np.asarray(core_n, np.bool_) | (TOO_FEW in dict(clustering.notes))
        shows_n = picture_n == rows
        pictures_k = np.bincount(labels_n[shows_n], minlength=k)
        cored_k = np.bincount(labels_n[core_n], minlength=k) > 0
        several_k = np.bincount(labels_n[core_n & shows_n], minlength=k) > 1
        telling_n = shows_n & (core_n | ~several_k[labels_n])
        return cls(picture_n, cored_k[labels_n], (cored_k & (pictures_k >= least))[labels_n], telling_n)

    def shown(self, labels_n: I64) -> I64:
        """(n,) the labels with one face of each picture, and -1 for other copies and for clusters without a core."""
        shown: I64 = np.where((self.picture_n == np.arange(len(labels_n))) & self.cored_n, labels_n, -1)
        return shown

    def likeness(self, vectors_nd: F32, labels_n: I64) -> tuple[F64, F64]:
        """How alike each face is to its cluster, and the faces of each cluster are to each other.

        Returns:
            (n,) the cosine of each face to the mean direction of those faces of its cluster that tell, 0 for no
            cluster; (k,) the cohesion of each cluster, the mean of theirs: from near 0 to 1 (all the same).
        """
        mean_kd, _ = label_means(vectors_nd, np.where(self.telling_n, labels_n, -1))
        # A mean's dot product with its own direction is its length.
        cohesion_k: F64 = np.linalg.norm(mean_kd, axis=1).astype(np.float64)
        likeness_n = np.zeros(len(labels_n))
        inside = np.flatnonzero(labels_n >= 0)
        for start in range(0, len(inside), BLOCK):
            rows = inside[start : start + BLOCK]
            vectors, label = vectors_nd[rows].astype(np.float64), labels_n[rows]
            length = np.linalg.norm(vectors, axis=1) * np.maximum(cohesion_k[label], np.finfo(np.float64).tiny)
            likeness_n[rows] = np.einsum("nd,nd->n", vectors, mean_kd[label]) / length
        return likeness_n, cohesion_k
