"""From embeddings to clusters: the order of the passes, and who may make a person.

`cluster_faces` groups faces that are all good. `cluster_with_quality` lets only core faces make people: masks, blur and
few pixels make faces alike, so border faces just join whom core faces made, and copies of a picture count once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from unmingle.errors import SettingsError
from unmingle.grouping import index
from unmingle.grouping.attach import attach_border, attach_outliers, fill_gaps, split_by_gaps
from unmingle.grouping.clusters import BLOCK, Clusters, canonical_order, largest_first, unit_rows
from unmingle.grouping.confidence import label_means
from unmingle.grouping.constraints import Constraints, roots
from unmingle.grouping.impostors import MANY_PEOPLE, SINGLE, estimate_curve
from unmingle.grouping.linkage import Linkage
from unmingle.grouping.refine import (
    check_people,
    join_fragments,
    join_likely,
    large_people,
    make_people,
    merge_seen_together,
    part_crowds,
    reassign,
)
from unmingle.grouping.threshold import PRIOR_COHORT, FalseMergeThreshold, collection_scale, local_excess
from unmingle.records import Clustering, Merges, check_shape

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmingle.grouping.impostors import ImpostorModel
    from unmingle.records import F32, F64, I64, Bool
    from unmingle.settings import GroupingSettings

# Faces on which the scale is measured, where the index is needed to group all.
SCALE_SAMPLE = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class Collected:
    """What is known of a large collection, of which n faces are grouped again.

    scale: how far its strangers spread. excess_n: see `local_excess`. clusters: how many there are in all of it.
    """

    scale: float
    excess_n: F64
    clusters: int

    def taken(self, order_n: I64) -> Collected:
        """The same for the faces in another order, or for some of them."""
        return replace(self, excess_n=self.excess_n[order_n])

    def tell(self, clusters: Clusters) -> None:
        """Let clusters know how crowded it is where they lie, and how many rivals they have."""
        clusters.face_excess_n = self.excess_n
        clusters.rivals = self.clusters / max(1, len(clusters.alive))


# The note that says that there were fewer core faces than people, so that all faces count as core.
TOO_FEW = "founders_too_few"


def cluster_faces(
    vectors_nd: NDArray[Any],
    settings: GroupingSettings,
    *,
    curve: ImpostorModel | None,
    constraints: Constraints | None = None,
    quality_n: NDArray[Any] | None = None,
    collected: Collected | None = None,
    merges: bool = True,
) -> Clustering:
    """Group (n, d) embeddings by person; their lengths and their order don't matter.

    curve: None estimates it from the vectors. constraints: None: nothing is known. quality_n: of the pictures, as in
    `faces.quality`; None: no cluster is taken for a crowd. collected: None: these are all. merges: tell of them, which
    takes a while of many. Labels come largest cluster first, of equal ones the one with the first face in canonical
    order. SettingsError names rows that have no direction.
    """
    unit_nd = unit_rows(vectors_nd)
    constraints = _checked(constraints, len(unit_nd))
    order_n = canonical_order(unit_nd)
    if settings.people is not None:
        check_people(settings.people, len(order_n))
    if not len(order_n):
        return Clustering(np.zeros(0, np.int64))
    heeded = constraints if settings.co_occurrence else constraints.without_frames()
    unit_nd = unit_nd[order_n]
    curve = estimate_curve(unit_nd) if curve is None else curve
    card = FalseMergeThreshold(curve=curve, expected=settings.expected_false_merges)
    collected = None if collected is None else collected.taken(order_n)
    quality_n = None if quality_n is None else np.asarray(quality_n)[order_n]
    clusters, threshold, notes = _linked(unit_nd, heeded.taken(order_n), card, quality_n, collected)
    split_by_gaps(clusters)
    notes["stragglers"] = float(attach_outliers(clusters, threshold) + fill_gaps(clusters, threshold))
    if len(clusters.constraints.seen_k2):
        merged, apart = merge_seen_together(clusters, threshold)
        notes |= {"merged_though_seen_together": float(merged), "kept_apart_since_seen_together": float(apart)}
    if settings.people is not None:
        notes["cannot_links_broken"] = float(make_people(clusters, settings.people))
    labels_n = np.empty(len(order_n), np.int64)
    labels_n[order_n] = largest_first(clusters.slot_n)
    notes |= _count_seen_together(labels_n, constraints)
    told = clusters.records(order_n) if merges else Merges.none()
    return Clustering(labels_n, told, tuple(notes.items()))


def _checked(constraints: Constraints | None, n: int) -> Constraints:
    """The constraints of n faces, which don't contradict each other."""
    constraints = Constraints(n) if constraints is None else constraints
    if constraints.faces != n:
        raise SettingsError(f"Constraints of {constraints.faces} faces for {n} vectors.", "Give those of these faces.")
    constraints.components()  # contradictions are told in the reader's rows
    return constraints


def _linked(
    unit_nd: F32,
    constraints: Constraints,
    card: FalseMergeThreshold,
    quality_n: F32 | None,
    collected: Collected | None,
) -> tuple[Clusters, FalseMergeThreshold, dict[str, float]]:
    """Link and join, once more with strangers as far spread as they are found here, and move who went wrong."""
    if collected is not None:
        threshold, linkage = replace(card, scale=collected.scale), Linkage(unit_nd, constraints)
        collected.tell(linkage.clusters)
    elif len(unit_nd) ** 2 > index.EXACT_PAIRS:
        # How far strangers spread, and where they crowd, is measured well enough on an even sample.
        threshold, measure = measured_threshold(unit_nd, card)
        excess_n = measure(unit_nd)
        linkage = Linkage(unit_nd, constraints)
        linkage.clusters.face_excess_n = excess_n
    else:
        linkage = Linkage(unit_nd, constraints)
        _cohort(linkage, card)
        first = linkage.copy()
        threshold = replace(card, scale=_scale(_joined(first.run(card).copy(), card), card.curve))
        if threshold.scale <= card.scale:  # laxer: it goes on from there; else what was merged may have to stay apart
            linkage = first
    clusters, near_n = linkage.run(threshold), linkage.near_n
    del linkage  # its lists are large
    _joined(clusters, threshold)
    join_likely(clusters, threshold)
    if quality_n is not None:
        part_crowds(clusters, threshold, quality_n)
    notes = {
        "strangers_mean": card.curve.mean,
        "strangers_deviation": float(card.curve.deviation(SINGLE, SINGLE)[0]),
        "bar_single": threshold.cosine(1, 1, clusters=clusters.count),
        "scale": threshold.scale,
    }
    # More by a whole deviation: there, people come in parts rather than mixed.
    notes["crowded"] = float(np.count_nonzero(clusters.face_excess_n > notes["strangers_deviation"]))
    notes["moved"] = float(reassign(clusters, near_n, threshold))
    return clusters, threshold, notes


def measured_threshold(unit_nd: F32, card: FalseMergeThreshold) -> tuple[FalseMergeThreshold, partial[F64]]:
    """The threshold, and what tells how alike strangers are where faces lie, from a sample of a large collection."""
    sample = Linkage(unit_nd[index.spaced(len(unit_nd), SCALE_SAMPLE)])
    measure = _cohort(sample, card)
    return replace(card, scale=_scale(_joined(sample.run(card), card), card.curve)), measure


def _cohort(linkage: Linkage, card: FalseMergeThreshold) -> partial[F64]:
    """How alike strangers are where faces lie, told by clusters that are pure even in crowds; sets it for all faces."""
    given, several = linkage.clusters, -1
    # Twice: a crowd that became one cluster shows how crowded it is only once it is in pieces, but not in single faces.
    for _ in range(2):
        found = linkage.copy().run(replace(card, singly=True))
        if (count := int(np.count_nonzero(found.size_n > 1))) <= several:
            break
        pieces, several = found, count
        pieces.measure(np.flatnonzero(pieces.size_n > 1))
        slots = pieces.alive
        measure = partial(local_excess, mean_cd=pieces.mean_nd[slots], size_c=pieces.size_n[slots], curve=card.curve)
        given.face_excess_n = measure(given.vectors_nd)
    # A person's own pieces are no strangers to each other.
    person_n = _joined(linkage.copy().run(card), card).slot_n
    if given.constraints.in_order and given.face_excess_n.max() > card.curve.deviation(SINGLE, SINGLE)[0]:
        # Pieces of somebody in poor pictures are like a crowd, but for what comes of them where none is thought of.
        given.face_excess_n = np.zeros(len(person_n))
        whole_n = large_people(_joined(linkage.copy().run(card), card), card)
        person_n = np.where(whole_n < 0, person_n, whole_n + len(person_n))
    measure = partial(measure, person_c=person_n[slots])
    given.face_excess_n = measure(given.vectors_nd)
    return measure


def _joined(clusters: Clusters, threshold: FalseMergeThreshold) -> Clusters:
    join_fragments(clusters, threshold)
    return clusters


def _scale(clusters: Clusters, curve: ImpostorModel) -> float:
    alive = clusters.alive
    mean_cd, size_c = clusters.mean_nd[alive], clusters.size_n[alive]
    excess_c, several = clusters.excess(alive, alive), np.count_nonzero(size_c > 1)
    if (scale := collection_scale(mean_cd, size_c, curve)) <= 1:
        # What the most alike strangers say beyond it, few can't.
        tail = collection_scale(mean_cd, size_c, curve, excess_c, tail=True)
        return scale + several / (several + MANY_PEOPLE) * max(0, tail - scale)
    # Among many clusters each place tells for itself, and what crowds explain does not count twice.
    thin = PRIOR_COHORT / (PRIOR_COHORT + several)
    return min(1 + (scale - 1) * thin, max(1.0, collection_scale(mean_cd, size_c, curve, excess_c)))


def _count_seen_together(labels_n: I64, constraints: Constraints) -> dict[str, float]:
    """How many pairs of faces of one frame there are, and how many ended in one person: few if people are not mixed."""
    seen = np.unique(constraints.seen_k2, axis=0)
    if not len(seen):
        return {}
    _, sizes = np.unique(seen[:, 1], return_counts=True)
    _, both = np.unique(np.stack([labels_n[seen[:, 0]], seen[:, 1]], axis=1), axis=0, return_counts=True)
    pairs, same = (float((count * (count - 1) // 2).sum()) for count in (sizes, both))
    return {"same_frame_pairs": pairs, "same_frame_pairs_in_one_person": same}


def cluster_with_quality(
    vectors_nd: NDArray[Any],
    settings: GroupingSettings,
    *,
    curve: ImpostorModel | None,
    constraints: Constraints | None = None,
    core_n: Bool,
    copy_of_n: I64 | None = None,
    doubtful_n: Bool | None = None,
    quality_n: F32 | None = None,
    collected: Collected | None = None,
) -> Clustering:
    """As `cluster_faces`, where only `core_n` may make a person, and row i shows the picture of row copy_of_n[i].

    Rows that decisions hold apart are core in any case. Merges aren't told. A cluster of border faces only, or of one
    picture, is nobody: see `Evidence`. doubtful_n: what may be no face.
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
        return cluster_faces(
            vectors_nd,
            settings,
            curve=curve,
            constraints=constraints,
            quality_n=quality_n,
            collected=collected,
            merges=False,
        )
    unit_nd, constraints = unit_rows(vectors_nd), _checked(constraints, n)
    order_n = canonical_order(unit_nd)
    unit_nd, known, place_n = unit_nd[order_n], constraints.taken(order_n), np.argsort(order_n)
    # Of the copies of a picture one stands for all, in the frames of all.
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
    # From here on there are f core faces, then border faces.
    f, rows = len(core_f), np.concatenate([core_f, border_b])
    index_n = np.full(n, -1)
    index_n[rows] = np.arange(len(rows))
    index_n = index_n[leader_n]
    curve = estimate_curve(unit_nd[core_f]) if curve is None else curve
    of_core = known.mapped(np.where(index_n < f, index_n, -1), f)
    core_nd, of_all = np.asarray(vectors_nd)[order_n[core_f]], None
    if collected is not None:
        of_all, collected = collected.taken(order_n[core_f]), collected.taken(order_n[rows])
    good = None if quality_n is None else quality_n[order_n[core_f]]
    found = cluster_faces(
        core_nd, settings, curve=curve, constraints=of_core, quality_n=good, collected=of_all, merges=False
    )
    notes = {key: value for key, value in found.notes if not key.startswith("same_frame")}
    first = np.unique(found.labels, return_index=True)[1]
    _, first_tied, tied = np.unique(tied_n[border_b], return_index=True, return_inverse=True)
    heeded = known if settings.co_occurrence else known.without_frames()
    slot_m = np.concatenate([first[found.labels], f + first_tied[tied]])
    clusters = Clusters(unit_nd[rows], slot_m, heeded.mapped(index_n, len(rows)))
    if collected is not None:
        clusters.rivals = collected.clusters / max(1, len(clusters.alive))
    if f and len(border_b):
        scale = notes["scale"]
        threshold = FalseMergeThreshold(curve=curve, expected=settings.expected_false_merges, scale=scale)
        attach_border(clusters, f + np.sort(first_tied), np.sort(first), threshold)
        # Now that it is known who else is there, core faces may fill a gap, too.
        loose = np.flatnonzero(clusters.slot_n[f:] >= f) + f
        doubtful = np.zeros(0, np.int64) if doubtful_n is None else np.flatnonzero(doubtful_n[order_n[rows]])
        slots = None if settings.people is None else np.unique(clusters.slot_n[loose])
        fill_gaps(clusters, threshold, slots, doubtful=doubtful[doubtful >= f])
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
    notes |= _count_seen_together(labels_n, constraints)
    return Clustering(labels_n, notes=tuple(notes.items()))


def _representatives(constraints: Constraints, copy_of_n: I64, core_n: Bool) -> I64:
    """(n,) of the copies of each row one that stands for all: a core face before others, and the original."""
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
    """Which of n faces in k clusters say something about people: copies of one picture in one cluster count once."""

    picture_n: I64  # the row that shows each face's picture: the first of it in its cluster
    cored_n: Bool  # whether the cluster of each face has a core face
    people_n: Bool  # whether it is a person: with a core face, and of different pictures
    telling_n: Bool  # faces by which likeness is measured: core faces, each picture once, or all if there is only one

    @classmethod
    def of(
        cls,
        clustering: Clustering,
        core_n: Bool,
        copy_of_n: I64 | None = None,
        *,
        least: int = 2,
        doubtful_n: Bool | None = None,
    ) -> Evidence:
        """Count pictures, `doubtful_n` not. least: how many make a person, 1 where the number of people was given."""
        labels_n, k = clustering.labels, int(clustering.labels.max(initial=-1)) + 1
        rows = np.arange(len(labels_n))
        picture_n = rows
        if copy_of_n is not None:
            same_n = labels_n * len(rows) + roots(np.stack([rows, copy_of_n], axis=1), len(rows))
            _, first, at = np.unique(same_n, return_index=True, return_inverse=True)
            picture_n = first[at].astype(np.int64)
        core_n = np.asarray(core_n, np.bool_) | (TOO_FEW in dict(clustering.notes))
        shows_n = picture_n == rows
        counts_n = shows_n if doubtful_n is None else shows_n & ~doubtful_n
        pictures_k = np.bincount(labels_n[counts_n], minlength=k)
        cored_k = np.bincount(labels_n[core_n], minlength=k) > 0
        several_k = np.bincount(labels_n[core_n & shows_n], minlength=k) > 1
        telling_n = shows_n & (core_n | ~several_k[labels_n])
        return cls(picture_n, cored_k[labels_n], (cored_k & (pictures_k >= least))[labels_n], telling_n)

    def shown(self, labels_n: I64) -> I64:
        """(n,) the labels with one face of each picture, and -1 for other copies and for clusters without a core."""
        shown: I64 = np.where((self.picture_n == np.arange(len(labels_n))) & self.cored_n, labels_n, -1)
        return shown

    def likeness(self, vectors_nd: F32, labels_n: I64) -> tuple[F64, F64]:
        """(n,) cosine of each face to the mean of its cluster's telling faces, or 0; (k,) the mean of theirs."""
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
