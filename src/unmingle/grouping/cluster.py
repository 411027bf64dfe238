"""From embeddings to clusters: the one door of this room for the pipeline and the estimator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from unmingle.errors import SettingsError
from unmingle.grouping.fragments import join_fragments
from unmingle.grouping.impostors import estimate_curve
from unmingle.grouping.known_number import check_people, with_people
from unmingle.grouping.linkage import Start, average_linkage
from unmingle.grouping.snapshot import Snapshot
from unmingle.grouping.stopping import FalseMergeBar, collection_scale
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
    groups_n: I64 | None = None,
    stop: StopRule | None = None,
) -> Clustering:
    """Group faces by person. The same faces in another order give the same partition.

    Average linkage with a bar that bounds the expected false merges, then the joining of fragments; both twice, the
    second time with strangers as far spread as the first found them in this collection.

    Args:
        vectors_nd: (n, d) finite numbers, one embedding a face; only their directions count.
        settings: the number of people if it is known, and how strict to be.
        curve: how similar strangers are to the model that made the vectors; None: estimated from the vectors, see
            `unmingle.grouping.impostors.estimate_curve` for when that is not enough.
        groups_n: (n,) integers; two faces of one group (one picture, one frame) never come together, unless `people`
            leaves no choice. Negative: no group.
        stop: for experiments: plain average linkage with this rule, no joining and no second round.

    Returns:
        Labels, largest cluster first (of equal ones the one with the first face in canonical order), the merges in the
        order in which they were made, and notes: "strangers_mean" and "strangers_deviation" of the curve for two
        single faces; "scale", how much wider strangers spread here; "bar_single", the cosine that two single faces had
        to reach at the end; with a given number of people "cannot_links_broken", how many clusters had to go to a
        person with whom they share a group.

    Raises:
        SettingsError: a vector is zero or not finite (rows are named), shapes don't fit, or the number of people is
            larger than the number of faces.
    """
    ready = _Ready.of(vectors_nd, groups_n)
    if settings.people is not None:
        check_people(settings.people, len(ready.order_n))
    if not len(ready.order_n):
        return Clustering(np.zeros(0, np.int64))
    if stop is None:
        tree, notes = _calibrated(ready, settings, estimate_curve(ready.vectors_nd) if curve is None else curve)
    else:
        tree, notes = average_linkage(ready.vectors_nd, stop=stop, groups_n=ready.groups_n), ()
    if settings.people is not None:
        tree, broken = with_people(ready.vectors_nd, tree, settings.people, groups_n=ready.groups_n)
        notes = (*notes, ("cannot_links_broken", float(broken)))
    labels_n = np.empty(len(ready.order_n), np.int64)
    labels_n[ready.order_n] = _largest_first(tree.cut())
    return Clustering(labels_n, tree.records(ready.order_n), notes)


def cohesion(vectors_nd: NDArray[Any], labels_n: I64) -> F64:
    """How alike the faces of each cluster are: their mean cosine to the cluster's mean direction.

    Args:
        vectors_nd: (n, d), only their directions count.
        labels_n: (n,) cluster of each face, 0 … k-1; negative for none.

    Returns:
        (k,) from near 0 (nothing in common) to 1 (all the same, or a single face).

    Raises:
        SettingsError: a vector is zero or not finite.
    """
    unit_nd = _unit(vectors_nd)[labels_n >= 0].astype(np.float64)
    label = labels_n[labels_n >= 0]
    k = int(label.max()) + 1 if len(label) else 0
    sum_kd = np.zeros((k, unit_nd.shape[1]))
    np.add.at(sum_kd, label, unit_nd)
    # The sum's dot product with its own direction is its length.
    result: F64 = np.linalg.norm(sum_kd, axis=1) / np.maximum(1, np.bincount(label, minlength=k))
    return result


@dataclass(frozen=True, slots=True, eq=False)
class _Ready:
    """Faces in canonical order: sorted by content, so that nothing after this can depend on the order of the input.

    order_n: (n,) the input's row of each.
    """

    vectors_nd: F32
    groups_n: I64 | None
    order_n: I64

    @classmethod
    def of(cls, vectors_nd: NDArray[Any], groups_n: I64 | None) -> _Ready:
        unit_nd = _unit(vectors_nd)
        n = len(unit_nd)
        group_n = np.full(n, -1, np.int64) if groups_n is None else _shared_groups(groups_n, n)
        content = np.concatenate([unit_nd.astype(">f4").view(np.uint8), group_n[:, None].view(np.uint8)], axis=1)
        order_n = np.argsort(content.view(np.dtype((np.void, content.shape[1])))[:, 0], kind="stable")
        return cls(unit_nd[order_n], group_n[order_n] if (group_n >= 0).any() else None, order_n)


def _shared_groups(groups_n: I64, n: int) -> I64:
    """The groups that forbid something: those with two faces or more; -1 elsewhere."""
    group_n = np.asarray(groups_n, np.int64)
    if group_n.shape != (n,):
        raise SettingsError(f"Groups of shape {group_n.shape} for {n} faces.", "Give one group for each face.")
    _, index, sizes = np.unique(group_n, return_inverse=True, return_counts=True)
    return np.where((group_n >= 0) & (sizes[index] > 1), group_n, -1)


def _unit(vectors_nd: NDArray[Any]) -> F32:
    """Unit vectors, or the error that names the rows that have no direction."""
    vectors = np.asarray(vectors_nd)
    if vectors.ndim != 2:
        raise SettingsError(f"The vectors have shape {vectors.shape}.", "Give one row a face: (n, d).")
    vectors = vectors.astype(np.float64, order="C")
    largest = np.abs(vectors).max(axis=1, initial=0)
    bad = np.flatnonzero(~np.isfinite(largest) | (largest == 0))
    if len(bad):
        rows = ", ".join(map(str, bad[:5])) + (f" and {len(bad) - 5} more" if len(bad) > 5 else "")
        raise SettingsError(f"Vectors that are zero or not finite, in rows {rows}.", "Leave these faces out.")
    vectors /= largest[:, None]  # so that squares neither overflow nor vanish
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return (np.round(vectors / GRID) * GRID + 0.0).astype(np.float32)  # + 0.0: minus zero is zero


def _calibrated(
    ready: _Ready, settings: GroupingSettings, curve: ImpostorCurve
) -> tuple[Tree, tuple[tuple[str, float], ...]]:
    """Link and join, measure how far strangers spread here, link and join again."""
    start = Start.of(ready.vectors_nd, ready.groups_n)
    bar = FalseMergeBar(curve=curve, expected=settings.expected_false_merges)
    tree = _round(ready, start, bar)
    people = Snapshot.of(ready.vectors_nd, tree)
    bar = FalseMergeBar(
        curve=curve,
        expected=settings.expected_false_merges,
        scale=collection_scale(people.mean_cd, people.size_c, curve),
    )
    tree = _round(ready, start, bar)
    one = np.ones(1, np.int64)
    return tree, (
        ("strangers_mean", curve.mean),
        ("strangers_deviation", float(curve.deviation(one, one)[0])),
        ("bar_single", bar.cosine(1, 1, clusters=tree.leaves - len(tree.first_m))),
        ("scale", bar.scale),
    )


def _round(ready: _Ready, start: Start, bar: FalseMergeBar) -> Tree:
    tree = average_linkage(ready.vectors_nd, stop=bar, groups_n=ready.groups_n, start=start)
    return join_fragments(ready.vectors_nd, tree, bar=bar, groups_n=ready.groups_n)


def _largest_first(node_n: I64) -> I64:
    """Labels 0 … k-1 by falling size, of equal sizes by first face."""
    _, first, index, sizes = np.unique(node_n, return_index=True, return_inverse=True, return_counts=True)
    rank = np.empty(len(first), np.int64)
    rank[np.lexsort((first, -sizes))] = np.arange(len(first))
    return rank[index]
