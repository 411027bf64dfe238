"""From embeddings to clusters: average linkage, refined, with a threshold that sets itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from unmingle.errors import SettingsError
from unmingle.grouping import index
from unmingle.grouping.attach import attach_outliers, fill_gaps, split_by_gaps
from unmingle.grouping.clusters import canonical_order, unit_rows
from unmingle.grouping.constraints import Constraints
from unmingle.grouping.impostors import SINGLE, estimate_curve
from unmingle.grouping.linkage import Linkage
from unmingle.grouping.refine import check_people, join_fragments, make_people, merge_seen_together, reassign
from unmingle.grouping.threshold import FalseMergeThreshold, collection_scale
from unmingle.records import Clustering

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmingle.grouping.clusters import Clusters
    from unmingle.grouping.impostors import ImpostorModel
    from unmingle.records import I64
    from unmingle.settings import GroupingSettings

# Faces on which the scale is measured, where the index is needed to group all.
SCALE_SAMPLE = 20_000


def cluster_faces(
    vectors_nd: NDArray[Any],
    settings: GroupingSettings,
    *,
    curve: ImpostorModel | None,
    constraints: Constraints | None = None,
) -> Clustering:
    """Group faces by person. The same faces in another order give the same partition.

    Average linkage with a threshold that bounds the expected false merges, then top-quartile linkage of fragments; both
    twice, the second time with strangers as far spread as the first found them in this collection. Then faces that are
    more like another person than like their own move there, outliers and gaps of recordings find their people, and
    clusters that share frames but agree too strongly for two people are merged.

    Args:
        vectors_nd: (n, d) finite numbers, one embedding a face; only their directions count.
        settings: the number of people if it is known, and how strict to be.
        curve: how similar strangers are to the model that made the vectors; None: estimated from the vectors, see
            `unmingle.grouping.impostors.estimate_curve` for when that is not enough.
        constraints: who must be one person, who can't be, and who was seen together; None: nothing is known. With
            `settings.co_occurrence` off, frames are counted but not heeded.

    Returns:
        Labels, largest cluster first (of equal ones the one with the first face in canonical order), the merges in the
        order in which they were made, and notes:

        - "strangers_mean", "strangers_deviation": of the impostor model, for two single faces;
        - "scale": how much wider strangers spread here;
        - "bar_single": the cosine that two single faces had to reach at the end;
        - "moved": faces that were in a person, and are more like another;
        - "stragglers": outliers that found their people last;
        - "merged_though_seen_together", "kept_apart_since_seen_together": pairs of clusters, where frames are heeded;
        - "same_frame_pairs", "same_frame_pairs_in_one_person": pairs of faces, where frames are known; a low share says
          that few people were mixed up;
        - "cannot_links_broken": with a given number of people, clusters that had to go to whom they may not be.

    Raises:
        SettingsError: a vector is zero or not finite (rows are named), shapes don't fit, or the number of people is
            larger than the number of faces.
        ConstraintError: two faces must be one person and must not be.
    """
    unit_nd = unit_rows(vectors_nd)
    constraints = checked(constraints, len(unit_nd))
    order_n = canonical_order(unit_nd)
    if settings.people is not None:
        check_people(settings.people, len(order_n))
    if not len(order_n):
        return Clustering(np.zeros(0, np.int64))
    heeded = constraints if settings.co_occurrence else constraints.without_frames()
    unit_nd = unit_nd[order_n]
    curve = estimate_curve(unit_nd) if curve is None else curve
    card = FalseMergeThreshold(curve=curve, expected=settings.expected_false_merges)
    clusters, threshold, notes = _linked(unit_nd, heeded.taken(order_n), card)
    split_by_gaps(clusters)
    notes["stragglers"] = float(attach_outliers(clusters, threshold) + fill_gaps(clusters))
    if len(clusters.constraints.seen_k2):
        merged, apart = merge_seen_together(clusters, threshold)
        notes |= {"merged_though_seen_together": float(merged), "kept_apart_since_seen_together": float(apart)}
    if settings.people is not None:
        notes["cannot_links_broken"] = float(make_people(clusters, settings.people))
    labels_n = np.empty(len(order_n), np.int64)
    labels_n[order_n] = clusters.labels()
    notes |= count_seen_together(labels_n, constraints)
    return Clustering(labels_n, clusters.records(order_n), tuple(notes.items()))


def checked(constraints: Constraints | None, n: int) -> Constraints:
    """The constraints of n faces, which don't contradict each other."""
    constraints = Constraints(n) if constraints is None else constraints
    if constraints.faces != n:
        raise SettingsError(f"Constraints of {constraints.faces} faces for {n} vectors.", "Give those of these faces.")
    constraints.components()  # contradictions are told in the reader's rows
    return constraints


def _linked(
    unit_nd: NDArray[np.float32], constraints: Constraints, card: FalseMergeThreshold
) -> tuple[Clusters, FalseMergeThreshold, dict[str, float]]:
    """Link and join, measure how far strangers spread here, link and join again, and move who went wrong."""
    n = len(unit_nd)
    if n**2 > index.EXACT_PAIRS:
        # How far strangers spread is measured well enough on an even sample.
        sample = Linkage(unit_nd[np.arange(SCALE_SAMPLE) * n // SCALE_SAMPLE]).run(card)
        threshold = replace(card, scale=_scale(_joined(sample, card), card.curve))
        del sample
        linkage = Linkage(unit_nd, constraints)
    else:
        linkage = Linkage(unit_nd, constraints)
        first = linkage.copy()
        threshold = replace(card, scale=_scale(_joined(first.run(card).copy(), card), card.curve))
        if threshold.scale <= card.scale:  # laxer: it goes on from there; else what was merged may have to stay apart
            linkage = first
    clusters, near_n = linkage.run(threshold), linkage.near_n
    del linkage  # its lists are large
    _joined(clusters, threshold)
    notes = {
        "strangers_mean": card.curve.mean,
        "strangers_deviation": float(card.curve.deviation(SINGLE, SINGLE)[0]),
        "bar_single": threshold.cosine(1, 1, clusters=clusters.count),
        "scale": threshold.scale,
    }
    notes["moved"] = float(reassign(clusters, near_n, threshold))
    return clusters, threshold, notes


def _joined(clusters: Clusters, threshold: FalseMergeThreshold) -> Clusters:
    clusters.measure(np.flatnonzero(clusters.size_n > 1))  # linkage rounds its means at each merge
    join_fragments(clusters, threshold)
    return clusters


def _scale(clusters: Clusters, curve: ImpostorModel) -> float:
    return collection_scale(clusters.mean_nd[clusters.alive], clusters.size_n[clusters.alive], curve)


def count_seen_together(labels_n: I64, constraints: Constraints) -> dict[str, float]:
    """How many pairs of faces of one frame there are, and how many of them ended in one person, where there are frames.

    Faces of one frame that must be one person are counted as well.
    """
    seen = np.unique(constraints.seen_k2, axis=0)
    if not len(seen):
        return {}
    _, sizes = np.unique(seen[:, 1], return_counts=True)
    _, both = np.unique(np.stack([labels_n[seen[:, 0]], seen[:, 1]], axis=1), axis=0, return_counts=True)
    pairs, same = (float((count * (count - 1) // 2).sum()) for count in (sizes, both))
    return {"same_frame_pairs": pairs, "same_frame_pairs_in_one_person": same}
