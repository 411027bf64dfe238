"""From embeddings to clusters: the one door of this room for the pipeline and the estimator."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from unmingle.errors import SettingsError
from unmingle.grouping import neighbours
from unmingle.grouping.co_occurrence import count_seen_together, merge_seen_together
from unmingle.grouping.constraints import Constraints
from unmingle.grouping.fragments import join_fragments
from unmingle.grouping.impostors import estimate_curve
from unmingle.grouping.known_number import check_people, with_people
from unmingle.grouping.linkage import Agglomeration, Start, average_linkage
from unmingle.grouping.moves import move_faces, nearest_faces
from unmingle.grouping.snapshot import Snapshot, means
from unmingle.grouping.stopping import FalseMergeBar, collection_scale
from unmingle.grouping.stragglers import attach_by_looks, attach_by_vacancy, part_by_vacancy
from unmingle.grouping.tracks import join_by_tracks
from unmingle.records import Clustering

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmingle.grouping.impostors import ImpostorCurve
    from unmingle.grouping.stopping import StopRule
    from unmingle.grouping.tree import Tree
    from unmingle.records import F32, F64, I64
    from unmingle.settings import GroupingSettings

# Coordinates of unit vectors are rounded to multiples of this, far below what float32 arithmetic adds anyway: the same
# picture twice is then the same row, however its vector was scaled.
GRID = 2.0**-22


def cluster_faces(
    vectors_nd: NDArray[Any],
    settings: GroupingSettings,
    *,
    curve: ImpostorCurve | None,
    constraints: Constraints | None = None,
    stop: StopRule | None = None,
) -> Clustering:
    """Group faces by person. The same faces in another order give the same partition.

    Average linkage with a bar that bounds the expected false merges, then the joining of fragments; both twice, the
    second time with strangers as far spread as the first found them in this collection. Then faces that are more like
    another person than like their own move there, stragglers find their people, and clusters that share frames but
    agree too strongly for two people are merged.

    Args:
        vectors_nd: (n, d) finite numbers, one embedding a face; only their directions count.
        settings: the number of people if it is known, and how strict to be.
        curve: how similar strangers are to the model that made the vectors; None: estimated from the vectors, see
            `unmingle.grouping.impostors.estimate_curve` for when that is not enough.
        constraints: who must be one person, who can't be, and who was seen together; None: nothing is known. With
            `settings.co_occurrence` off, frames are counted but not heeded.
        stop: for experiments: plain average linkage with this rule, no joining and no second round.

    Returns:
        Labels, largest cluster first (of equal ones the one with the first face in canonical order), the merges in the
        order in which they were made, and notes:

        - "strangers_mean", "strangers_deviation": of the curve, for two single faces;
        - "scale": how much wider strangers spread here;
        - "bar_single": the cosine that two single faces had to reach at the end;
        - "moved": faces that were in a person, and are more like another;
        - "joined_by_tracks": merges since a face goes from one cluster to the other between two frames;
        - "stragglers": faces that found their people last;
        - "merged_though_seen_together", "kept_apart_since_seen_together": pairs of clusters, where frames are heeded;
        - "same_frame_pairs", "same_frame_pairs_in_one_person": pairs of faces, where frames are known; a low share says
          that few people were mixed up;
        - "cannot_links_broken": with a given number of people, clusters that had to go to whom they may not be.

    Raises:
        SettingsError: a vector is zero or not finite (rows are named), shapes don't fit, or the number of people is
            larger than the number of faces.
        ConstraintError: two faces must be one person and must not be.
    """
    ready = _Ready.of(vectors_nd, constraints, heed_frames=settings.co_occurrence)
    if settings.people is not None:
        check_people(settings.people, len(ready.order_n))
    if not len(ready.order_n):
        return Clustering(np.zeros(0, np.int64))
    if stop is None:
        tree, notes = _calibrated(ready, settings, estimate_curve(ready.vectors_nd) if curve is None else curve)
    else:
        tree, notes = average_linkage(ready.vectors_nd, stop=stop, constraints=ready.constraints), ()
    if settings.people is not None:
        tree, broken = with_people(ready.vectors_nd, tree, settings.people, constraints=ready.constraints)
        notes = (*notes, ("cannot_links_broken", float(broken)))
    labels_n = np.empty(len(ready.order_n), np.int64)
    labels_n[ready.order_n] = _largest_first(tree.cut())
    if constraints is not None and len(constraints.seen_k2):
        pairs, same = count_seen_together(labels_n, constraints)
        notes = (*notes, ("same_frame_pairs", float(pairs)), ("same_frame_pairs_in_one_person", float(same)))
    return Clustering(labels_n, tree.records(ready.order_n), notes)


def likeness(vectors_nd: NDArray[Any], labels_n: I64) -> tuple[F64, F64]:
    """How alike each face is to its cluster, and the faces of each cluster are to each other.

    Args:
        vectors_nd: (n, d), only their directions count.
        labels_n: (n,) cluster of each face, 0 … k-1; negative for none.

    Returns:
        (n,) the cosine of each face to the mean direction of its cluster, 0 for none; (k,) the cohesion of each
        cluster, the mean of these: from near 0 (nothing in common) to 1 (all the same, or a single face).

    Raises:
        SettingsError: a vector is zero or not finite.
    """
    unit_nd = unit_rows(vectors_nd)
    order_n = np.argsort(labels_n, kind="stable")[np.count_nonzero(labels_n < 0) :]
    size_k = np.bincount(labels_n[order_n])
    start_k = np.cumsum(size_k) - size_k
    mean_kd = means(unit_nd, order_n, start_k, size_k)
    # A mean's dot product with its own direction is its length.
    cohesion_k: F64 = np.linalg.norm(mean_kd, axis=1).astype(np.float64)
    likeness_n = np.zeros(len(unit_nd))
    length_k = np.maximum(cohesion_k, np.finfo(np.float64).tiny)
    for start in range(0, len(order_n), BLOCK):
        rows = order_n[start : start + BLOCK]
        label = labels_n[rows]
        likeness_n[rows] = np.einsum("nd,nd->n", unit_nd[rows], mean_kd[label], dtype=np.float64) / length_k[label]
    return likeness_n, cohesion_k


@dataclass(frozen=True, slots=True, eq=False)
class _Ready:
    """Faces in canonical order: sorted by content, so that nothing after this can depend on the order of the input.

    constraints: in that order too, and only those that are to be heeded.
    order_n: (n,) the input's row of each.
    """

    vectors_nd: F32
    constraints: Constraints
    order_n: I64

    @classmethod
    def of(cls, vectors_nd: NDArray[Any], constraints: Constraints | None, *, heed_frames: bool) -> _Ready:
        unit_nd = unit_rows(vectors_nd)
        constraints = Constraints(len(unit_nd)) if constraints is None else constraints
        if constraints.faces != len(unit_nd):
            raise SettingsError(
                f"Constraints of {constraints.faces} faces for {len(unit_nd)} vectors.", "Give those of these faces."
            )
        constraints.components()  # contradictions are told in the reader's rows
        order_n = canonical_order(unit_nd)
        heeded = constraints if heed_frames else constraints.without_frames()
        return cls(unit_nd[order_n], heeded.taken(order_n), order_n)


def canonical_order(unit_nd: F32) -> I64:
    """(n,) the rows in order of their bytes, equal rows as they came."""
    n, width = len(unit_nd), unit_nd.shape[1]
    head = np.zeros((n, 4), ">f4")
    head[:, : min(4, width)] = unit_nd[:, :4]
    keys = head.view(">u8").astype(np.uint64)
    order_n: I64 = np.lexsort((keys[:, 1], keys[:, 0]))
    # The first four coordinates tell nearly all faces apart; the whole rows have to be compared for the rest only.
    equal = (keys[order_n[1:]] == keys[order_n[:-1]]).all(axis=1)
    tied = np.flatnonzero(np.append(equal, False) | np.append(False, equal))
    rows = np.sort(order_n[tied])
    content = keys[rows, :1].astype(">u8").view(np.uint8), keys[rows, 1:].astype(">u8").view(np.uint8)
    whole = np.concatenate([*content, unit_nd[rows].astype(">f4").view(np.uint8)], axis=1)
    within = np.argsort(whole.view(np.dtype((np.void, whole.shape[1])))[:, 0], kind="stable") if len(rows) else rows
    order_n[tied] = rows[within]
    return order_n


# Rows made ready at a time.
BLOCK = 1 << 15
# Faces on which the scale is measured, where the index is needed to group all.
SCALE_SAMPLE = 20_000


def unit_rows(vectors_nd: NDArray[Any]) -> F32:
    """Unit vectors, or the error that names the rows that have no direction."""
    vectors = np.asarray(vectors_nd)
    if vectors.ndim != 2:
        raise SettingsError(f"The vectors have shape {vectors.shape}.", "Give one row a face: (n, d).")
    unit_nd = np.empty(vectors.shape, np.float32)
    bad: list[int] = []
    for start in range(0, len(vectors), BLOCK):
        block = vectors[start : start + BLOCK].astype(np.float64, order="C")
        largest = np.abs(block).max(axis=1, initial=0)
        lost = ~np.isfinite(largest) | (largest == 0)
        bad.extend((start + np.flatnonzero(lost)).tolist())
        block[lost], largest[lost] = 1, 1
        block /= largest[:, None]  # so that squares neither overflow nor vanish
        block /= np.linalg.norm(block, axis=1, keepdims=True)
        unit_nd[start : start + BLOCK] = np.round(block / GRID) * GRID + 0.0  # + 0.0: minus zero is zero
    if bad:
        rows = ", ".join(map(str, bad[:5])) + (f" and {len(bad) - 5} more" if len(bad) > 5 else "")
        raise SettingsError(f"Vectors that are zero or not finite, in rows {rows}.", "Leave these faces out.")
    return unit_nd


def _calibrated(
    ready: _Ready, settings: GroupingSettings, curve: ImpostorCurve
) -> tuple[Tree, tuple[tuple[str, float], ...]]:
    """Link and join, measure how far strangers spread here, link and join again."""
    vectors_nd, constraints = ready.vectors_nd, ready.constraints
    card = FalseMergeBar(curve=curve, expected=settings.expected_false_merges)
    if len(vectors_nd) > neighbours.EXACT_ROWS:
        # How far strangers spread is measured well enough on an even sample.
        sample_sd = vectors_nd[np.arange(SCALE_SAMPLE) * len(vectors_nd) // SCALE_SAMPLE]
        bar = replace(card, scale=_scale(sample_sd, _linked_and_joined(sample_sd, None, card), curve))
        tree, near_n = _linked(vectors_nd, constraints, bar)
        tree = join_fragments(vectors_nd, tree, bar=bar, constraints=constraints)
    else:
        start = Start.of(vectors_nd, constraints)
        near_n, clusters = nearest_faces(start), Agglomeration(vectors_nd, start)
        tree = join_fragments(vectors_nd, clusters.run(card), bar=card, constraints=constraints)
        bar = replace(card, scale=_scale(vectors_nd, tree, curve))
        if bar.scale > card.scale:  # stricter: what was merged may have to stay apart
            clusters = Agglomeration(vectors_nd, start)
        tree = join_fragments(vectors_nd, clusters.run(bar), bar=bar, constraints=constraints)
    one = np.ones(1, np.int64)
    notes = [
        ("strangers_mean", curve.mean),
        ("strangers_deviation", float(curve.deviation(one, one)[0])),
        ("bar_single", bar.cosine(1, 1, clusters=tree.leaves - len(tree.first_m))),
        ("scale", bar.scale),
    ]
    tree, moved = move_faces(vectors_nd, tree, near_n=near_n, bar=bar, constraints=constraints)
    tree, tracks = join_by_tracks(vectors_nd, tree, curve=curve, constraints=constraints)
    tree = part_by_vacancy(vectors_nd, tree, constraints=constraints)
    tree, looks = attach_by_looks(vectors_nd, tree, bar=bar, constraints=constraints)
    tree, places = attach_by_vacancy(vectors_nd, tree, constraints=constraints)
    notes += [("moved", float(moved)), ("joined_by_tracks", float(tracks)), ("stragglers", float(looks + places))]
    if len(constraints.seen_k2):
        tree, merged, apart = merge_seen_together(vectors_nd, tree, bar=bar, constraints=constraints)
        notes += [("merged_though_seen_together", float(merged)), ("kept_apart_since_seen_together", float(apart))]
    return tree, tuple(notes)


def _linked(vectors_nd: F32, constraints: Constraints, bar: FalseMergeBar) -> tuple[Tree, I64]:
    """What average linkage makes of the faces, and the nearest of each; all else that linkage holds is let go."""
    start = Start.of(vectors_nd, constraints)
    near_n, clusters = nearest_faces(start), Agglomeration(vectors_nd, start)
    del start
    return clusters.run(bar), near_n


def _linked_and_joined(vectors_nd: F32, constraints: Constraints | None, bar: FalseMergeBar) -> Tree:
    tree = average_linkage(vectors_nd, stop=bar, constraints=constraints)
    return join_fragments(vectors_nd, tree, bar=bar, constraints=constraints)


def _scale(vectors_nd: F32, tree: Tree, curve: ImpostorCurve) -> float:
    """How much wider than on the model card strangers spread among the clusters of a tree."""
    people = Snapshot.of(vectors_nd, tree)
    return collection_scale(people.mean_cd, people.size_c, curve)


def _largest_first(node_n: I64) -> I64:
    """Labels 0 … k-1 by falling size, of equal sizes by first face."""
    _, first, index, sizes = np.unique(node_n, return_index=True, return_inverse=True, return_counts=True)
    rank = np.empty(len(first), np.int64)
    rank[np.lexsort((first, -sizes))] = np.arange(len(first))
    return rank[index]
