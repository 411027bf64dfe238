"""Exact scores of a clustering against labels.

What a left-out face (one without a person) counts as:

=====================  ==============================================================================
faces, size of people  as any other face: it is never taken out of a total
accuracy, F1           wrong, even if it is its person's only face: nothing was said about it
pairwise               a cluster of one: it is in no predicted pair
BCubed, ARI, AMI, V    a cluster of one
people found           not counted; neither is a cluster that holds one of the scored faces only
coverage               the share of faces that are not left out
=====================  ==============================================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from unmingle.records import check_shape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from unmingle.records import F64, I64

LEFT_OUT_RULE = (
    "A left-out face (one without a person) is never taken out of a total: it is wrong in accuracy and F1, "
    "and a cluster of its own in pairwise, BCubed, ARI, AMI and V-measure."
)


@dataclass(frozen=True, slots=True)
class Triple:
    """Precision, recall and their harmonic mean, each 0 to 1."""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, slots=True)
class Scores:
    """How well a clustering agrees with labels; every score is at most 1, which is perfect.

    faces:        how many were scored, left-out ones included.
    people_true:  different labels among them.
    people_found: clusters that hold at least two of them.
    left_out:     faces without a person.
    coverage:     share of faces that have one.
    accuracy:     share of faces whose cluster is assigned to their person, one cluster per person.
    accuracy_covered: the same among the faces that are not left out; 0 if all are.
    weighted_f1, macro_f1: mean F1 over people under that assignment, by size and plain.
    pairwise, bcubed: see the functions of those names.
    ari, ami:     adjusted Rand index and adjusted mutual information (arithmetic mean); 0 is chance, may be negative.
    homogeneity, completeness, v_measure: how pure clusters are, how whole people are, and their harmonic mean.
    mapping:      (cluster, label) for each cluster with a person, by cluster.
    """

    faces: int
    people_true: int
    people_found: int
    left_out: int
    coverage: float
    accuracy: float
    accuracy_covered: float
    weighted_f1: float
    macro_f1: float
    pairwise: Triple
    bcubed: Triple
    ari: float
    ami: float
    homogeneity: float
    completeness: float
    v_measure: float
    mapping: tuple[tuple[int, str], ...]


def score(true_n: Sequence[str] | Sequence[int] | NDArray[Any], predicted_n: NDArray[Any]) -> Scores:
    """Score a clustering of n faces.

    Args:
        true_n: n labels, one per face.
        predicted_n: (n,) integers, the cluster of each face; below 0 for a left-out face.

    Raises:
        ValueError: there is no face, or the two differ in length.
    """
    return score_table(contingency(true_n, predicted_n))


def score_table(table: Contingency) -> Scores:
    """Every score of a contingency table."""
    person_c = assign(table)
    right_p = agreement(table, person_c)
    f1_p = f1_scores(table, person_c)
    right, faces = int(right_p.sum()), table.faces
    homogeneity, completeness, v_measure = v_measures(table)
    return Scores(
        faces=faces,
        people_true=len(table.people),
        people_found=int((table.size_c > 1).sum()),
        left_out=table.left_out,
        coverage=1 - table.left_out / faces,
        accuracy=right / faces,
        accuracy_covered=ratio(right, faces - table.left_out, empty=0.0),
        weighted_f1=float(f1_p @ table.size_p / faces),
        macro_f1=float(f1_p.mean()),
        pairwise=pairwise(table),
        bcubed=bcubed(table),
        ari=adjusted_rand(table),
        ami=adjusted_mutual_information(table),
        homogeneity=homogeneity,
        completeness=completeness,
        v_measure=v_measure,
        mapping=tuple(
            (int(cluster), table.people[person])
            for cluster, person in zip(table.clusters, person_c, strict=True)
            if person >= 0
        ),
    )


def agreement(table: Contingency, person_c: I64) -> I64:
    """(p,) int64: faces of each person in the cluster that is assigned to them."""
    hit_z = person_c[table.column_z] == table.row_z
    right_p = np.zeros(len(table.people), np.int64)
    right_p[table.row_z[hit_z]] = table.count_z[hit_z]
    return right_p


def f1_scores(table: Contingency, person_c: I64) -> F64:
    """(p,) float64: F1 of each person and the assigned cluster, 0 without one; equal to scikit-learn's `f1_score`."""
    size_p = table.size_p.astype(np.float64)
    assigned = person_c >= 0
    size_p[person_c[assigned]] += table.size_c[assigned]
    f1_p: F64 = 2 * agreement(table, person_c) / size_p
    return f1_p


def pairwise(table: Contingency) -> Triple:
    """Pairs of faces: which share of those put together belong together, and the other way round.

    Without a predicted pair nothing is wrong, so precision is 1; without a true pair recall is 1.
    """
    both, predicted, true = (pairs(sizes) for sizes in (table.count_z, table.size_c, table.size_p))
    return triple(ratio(both, predicted), ratio(both, true))


def bcubed(table: Contingency) -> Triple:
    """BCubed (Bagga and Baldwin 1998): for each face, the share of its cluster that is its person, and the other way.

    A left-out face is alone in its cluster: precision 1, recall 1 / faces of its person.
    """
    square_z = table.count_z.astype(np.float64) ** 2
    precision = square_z @ (1 / table.size_c[table.column_z]) + table.left_out
    recall = square_z @ (1 / table.size_p[table.row_z]) + table.left_p @ (1 / table.size_p)
    return triple(float(precision) / table.faces, float(recall) / table.faces)


def adjusted_rand(table: Contingency) -> float:
    """Adjusted Rand index (Hubert and Arabie 1985), in whole numbers up to the last division."""
    if is_same(table):
        return 1.0
    both, predicted, true = (pairs(sizes) for sizes in (table.count_z, table.size_c, table.size_p))
    total = table.faces * (table.faces - 1) // 2
    return (both * total - true * predicted) / ((true + predicted) * total / 2 - true * predicted)


def v_measures(table: Contingency) -> tuple[float, float, float]:
    """Homogeneity, completeness and V-measure (Rosenberg and Hirschberg 2007)."""
    shared, true, predicted = information(table)
    homogeneity, completeness = ratio(shared, true), ratio(shared, predicted)
    return homogeneity, completeness, triple(homogeneity, completeness).f1


def adjusted_mutual_information(table: Contingency) -> float:
    """Adjusted mutual information (Vinh, Epps and Bailey 2010), normalised by the mean of the entropies."""
    if is_same(table):
        return 1.0
    shared, true, predicted = information(table)
    expected = expected_information(table.size_p, cluster_sizes(table))
    gap = (true + predicted) / 2 - expected
    return (shared - expected) / gap if abs(gap) > 1e-12 else 0.0


def is_same(table: Contingency) -> bool:
    """Whether people and clusters are the same partition: whether they put the same pairs together."""
    return pairs(table.count_z) == pairs(table.size_c) == pairs(table.size_p)


def information(table: Contingency) -> tuple[float, float, float]:
    """Mutual information, entropy of people, entropy of clusters, in nats; left-out faces are clusters of one."""
    n = table.faces
    size_z = table.size_p[table.row_z].astype(np.float64) * table.size_c[table.column_z]
    shared = float(table.count_z @ np.log(n * table.count_z / size_z)) + float(table.left_p @ np.log(n / table.size_p))
    return max(shared / n, 0.0), entropy(table.size_p), entropy(cluster_sizes(table))


def cluster_sizes(table: Contingency) -> I64:
    """Sizes of all clusters, left-out faces as clusters of one."""
    return np.concatenate([table.size_c, np.ones(table.left_out, np.int64)])


def entropy(sizes: I64) -> float:
    """Entropy of a partition in nats."""
    n = int(sizes.sum())
    return float(sizes @ (np.log(n) - np.log(sizes))) / n


def expected_information(size_p: I64, size_c: I64) -> float:
    """Mutual information in nats that chance alone would give to partitions of these sizes.

    The sum of Vinh, Epps and Bailey (2010, eq. 24a), once per pair of different sizes rather than of clusters: there
    are at most about sqrt(2 n) sizes, so a hundred thousand faces of ten thousand people take moments.
    """
    from scipy.special import gammaln

    n = int(size_p.sum())
    log_factorial = gammaln(np.arange(n + 1) + 1.0)
    unique_b, times_b = np.unique(size_c, return_counts=True)
    total = 0.0
    for a, times in zip(*np.unique(size_p, return_counts=True), strict=True):
        low_b, high_b = np.maximum(1, a + unique_b - n), np.minimum(a, unique_b)
        length_b = high_b - low_b + 1
        b, often = np.repeat(unique_b, length_b), np.repeat(times_b, length_b)
        offset = np.arange(length_b.sum()) - np.repeat(np.cumsum(length_b) - length_b, length_b)
        k = offset + np.repeat(low_b, length_b)
        log_chance = (
            log_factorial[a] + log_factorial[b] + log_factorial[n - a] + log_factorial[n - b]
            - log_factorial[n] - log_factorial[k] - log_factorial[a - k] - log_factorial[b - k]
            - log_factorial[n - a - b + k]
        )  # fmt: skip
        gain = k / n * (np.log(n) + np.log(k) - np.log(a) - np.log(b))
        total += float(times * (often * gain) @ np.exp(log_chance))
    return total


def pairs(sizes: I64) -> int:
    """Pairs within groups of these sizes."""
    return int((sizes * (sizes - 1) // 2).sum())


def ratio(part: float, whole: float, *, empty: float = 1.0) -> float:
    """A share of at most 1; `empty` where there is nothing to share."""
    return min(part / whole, 1.0) if whole > 0 else empty


def triple(precision: float, recall: float) -> Triple:
    """Precision and recall with their harmonic mean."""
    precision, recall = min(precision, 1.0), min(recall, 1.0)
    total = precision + recall
    return Triple(precision, recall, 2 * precision * recall / total if total else 0.0)


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
