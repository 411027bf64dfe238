"""How people and clusters overlap, as a sparse table, and the best one-to-one assignment between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from unmingle.records import check_shape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from unmingle.records import F64, I64


@dataclass(frozen=True, slots=True, eq=False)
class Contingency:
    """Faces of p people in c clusters; only the z pairs that share a face are held.

    A left-out face (one without a person, predicted below 0) is in no cluster here; each metric says what it counts as.

    people:        p labels, sorted.
    clusters:      (c,) int64, the ids that were predicted, rising.
    row_z, column_z: (z,) int64, positions in people and clusters of each overlap.
    count_z:       (z,) int64, faces in it, at least 1.
    size_p:        (p,) int64, faces of each person, left-out ones included.
    size_c:        (c,) int64, faces in each cluster.
    left_p:        (p,) int64, left-out faces of each person.
    """

    people: tuple[str, ...]
    clusters: I64
    row_z: I64
    column_z: I64
    count_z: I64
    size_p: I64
    size_c: I64
    left_p: I64

    @property
    def faces(self) -> int:
        """All faces, left-out ones included."""
        return int(self.size_p.sum())

    @property
    def left_out(self) -> int:
        """Faces without a cluster."""
        return int(self.left_p.sum())


def contingency(true_n: Sequence[str] | Sequence[int] | NDArray[Any], predicted_n: NDArray[Any]) -> Contingency:
    """Count the overlaps.

    Args:
        true_n: n labels, one per face; numbers are taken as their text.
        predicted_n: (n,) integers, the cluster of each face; below 0 for a face that is in none.

    Raises:
        ValueError: there is no face, or the two differ in length.
    """
    predicted_n = np.asarray(predicted_n, dtype=np.int64)
    true_n = np.asarray(true_n).astype(np.str_)
    check_shape("predicted_n", predicted_n, (len(true_n),))
    if not len(true_n):
        raise ValueError("no faces to score")
    people, person_n = np.unique(true_n, return_inverse=True)
    inside = predicted_n >= 0
    clusters, cluster_m = np.unique(predicted_n[inside], return_inverse=True)
    width = max(len(clusters), 1)
    cell_z, count_z = np.unique(person_n[inside] * width + cluster_m, return_counts=True)
    return Contingency(
        people=tuple(people.tolist()),
        clusters=clusters,
        row_z=cell_z // width,
        column_z=cell_z % width,
        count_z=count_z.astype(np.int64),
        size_p=np.bincount(person_n, minlength=len(people)),
        size_c=np.bincount(cluster_m, minlength=len(clusters)),
        left_p=np.bincount(person_n[~inside], minlength=len(people)),
    )


def assign(table: Contingency) -> I64:
    """The one-to-one assignment of clusters to people with the most faces in agreement.

    Exact, whatever the size: a maximum weight matching on the sparse overlaps (Jonker-Volgenant in SciPy), made
    feasible by one empty partner per person. Among assignments of equal agreement, the one with the highest F1 is
    taken, so that ids and the order of faces have no say in any score.

    Returns:
        (c,) int64: position in people of each cluster's person, -1 for a cluster that got none.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    person_c = np.full(len(table.clusters), -1, np.int64)
    if not len(table.count_z):
        return person_c
    p, c = len(table.people), len(table.clusters)
    # The solver wants weights other than 0 and a partner for every row: add 1 to all, and 1 is then worth "nobody".
    weight = np.concatenate([1.0 + table.count_z + tie_break(table), np.ones(p)])
    rows = np.concatenate([table.row_z, np.arange(p)])
    columns = np.concatenate([table.column_z, c + np.arange(p)])
    graph = csr_array((weight, (rows, columns)), shape=(p, c + p))
    row_p, column_p = min_weight_full_bipartite_matching(graph, maximize=True)
    real = column_p < c
    person_c[column_p[real]] = row_p[real]
    return person_c


def tie_break(table: Contingency) -> F64:
    """(z,) float64, a bonus per overlap: its F1, weighted and plain, summing to less than one face over any assignment.

    The irrational share makes assignments tie only where both the weighted and the plain sum do.
    """
    f1_z = 2.0 * table.count_z / (table.size_p[table.row_z] + table.size_c[table.column_z])
    share_z = (table.size_p[table.row_z] + np.sqrt(2.0)) / (table.faces + np.sqrt(2.0) * len(table.people))
    bonus_z: F64 = f1_z * share_z / 4
    return bonus_z
