"""Exact scores of a clustering against labels; people found are clusters of at least two scored faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmingle.records import F64, I64, MISSING, check_shape

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
    """How well a clustering agrees with labels; every score is at most 1, which is perfect."""

    faces: int  # how many were scored, left-out ones included
    people_true: int  # different labels among them
    people_found: int  # clusters that hold at least two of them
    left_out: int  # faces without a person
    coverage: float  # share of faces that have one
    accuracy: float  # share of faces whose cluster is assigned to their person, one cluster per person
    accuracy_covered: float  # the same among the faces that are not left out; 0 if all are
    weighted_f1: float  # mean F1 over people under that assignment, by their size
    macro_f1: float  # the plain mean
    pairwise: Triple  # see the function of that name
    bcubed: Triple  # likewise
    ari: float  # adjusted Rand index; 0 is chance, may be negative
    ami: float  # adjusted mutual information (arithmetic mean); 0 is chance, may be negative
    homogeneity: float  # how pure clusters are
    completeness: float  # how whole people are
    v_measure: float  # the harmonic mean of these two
    mapping: tuple[tuple[int, str], ...]  # (cluster, label) for each cluster with a person, by cluster


def score(true_n: Sequence[str] | Sequence[int] | NDArray[Any], predicted_n: Sequence[int] | NDArray[Any]) -> Scores:
    """Score a clustering of n faces, given the label and the cluster of each; below 0, or missing, for a left-out face.

    Every face has a label: numbers count as their text, -1 too. Raises ValueError for one without.
    """
    return score_table(contingency(true_n, predicted_n))


def score_table(table: Contingency) -> Scores:
    """Every score of a contingency table."""
    person_c = assign(table)
    f1_p = f1_scores(table, person_c)
    right, faces = int(agreement(table, person_c).sum()), table.faces
    shared, true, predicted = information(table)
    homogeneity, completeness = ratio(shared, true), ratio(shared, predicted)
    named = zip(table.clusters, person_c, strict=True)
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
        v_measure=triple(homogeneity, completeness).f1,
        mapping=tuple((int(cluster), table.people[person]) for cluster, person in named if person >= 0),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Contingency:
    """Faces of p people in c clusters; only the z pairs that share a face are held."""

    people: tuple[str, ...]
    clusters: I64
    row_z: I64  # positions in people of each pair
    column_z: I64  # and in clusters
    count_z: I64  # the faces that they share, at least 1
    size_p: I64  # faces of each person
    size_c: I64  # and in each cluster
    left_p: I64  # faces of each person that are left out

    @classmethod
    def of(cls, people: tuple[str, ...], row_n: I64, clusters: I64, column_n: I64) -> Contingency:
        """Of n faces, each with its positions in people and in clusters, -1 for none."""
        p, c = len(people), len(clusters)
        known, inside = row_n >= 0, column_n >= 0
        both = known & inside
        cell_z, count_z = np.unique(row_n[both] * max(c, 1) + column_n[both], return_counts=True)
        return cls(
            people=people,
            clusters=clusters,
            row_z=cell_z // max(c, 1),
            column_z=cell_z % max(c, 1),
            count_z=count_z.astype(np.int64),
            size_p=np.bincount(row_n[known], minlength=p),
            size_c=np.bincount(column_n[inside], minlength=c),
            left_p=np.bincount(row_n[known & ~inside], minlength=p),
        )

    @property
    def faces(self) -> int:
        """All faces, left-out ones included."""
        return int(self.size_p.sum())

    @property
    def left_out(self) -> int:
        """Faces without a cluster."""
        return int(self.left_p.sum())


def contingency(
    true_n: Sequence[str] | Sequence[int] | NDArray[Any], predicted_n: Sequence[int] | NDArray[Any]
) -> Contingency:
    """Count the overlaps of n labels and clusters, as `score` takes them; both sorted."""
    label_n, missing_n = np.asarray(true_n), _missing(true_n)
    check_shape("true_n", label_n, (None,))
    check_shape("predicted_n", np.asarray(predicted_n), (len(label_n),))
    if not len(label_n):
        raise ValueError("no faces to score")
    if missing_n.any():
        raise ValueError(
            f"true_n has no label at position {missing_n.argmax()}: leave out faces of which none is known"
        )
    cluster_n = _clusters(predicted_n)
    people, row_n = np.unique(label_n.astype(np.str_), return_inverse=True)
    clusters = np.unique(cluster_n[cluster_n >= 0])
    column_n = np.where(cluster_n >= 0, np.searchsorted(clusters, cluster_n), -1)
    return Contingency.of(tuple(people.tolist()), row_n, clusters, column_n)


def _clusters(predicted_n: Sequence[int] | NDArray[Any]) -> I64:
    given_n, missing_n = np.asarray(predicted_n), _missing(predicted_n)
    try:
        if missing_n.any():
            given_n = np.where(missing_n, -1, given_n)
        with np.errstate(invalid="ignore"):
            cluster_n, number_n = given_n.astype(np.int64), given_n.astype(np.float64)
        whole = bool((cluster_n == number_n).all())
    except (TypeError, ValueError, OverflowError):
        whole = False
    if not whole:
        raise ValueError("predicted_n must be whole numbers: np.unique(predicted_n, return_inverse=True)[1] makes them")
    return cluster_n


def _missing(values_n: Sequence[object] | NDArray[Any]) -> NDArray[np.bool_]:
    """Which are None, NaN, or what another library has for these; of a list NumPy would make them words."""
    if np.asarray(values_n).dtype.kind in ("iubU" if isinstance(values_n, np.ndarray) else "iub"):
        return np.zeros(len(values_n), np.bool_)
    return np.array([not isinstance(one, str) and str(one) in MISSING for one in values_n], np.bool_)


def assign(table: Contingency) -> I64:
    """The one-to-one assignment of clusters to people with the most faces in agreement: (c,) int64, -1 for no person.

    Exact, whatever the size: a maximum weight matching on the sparse overlaps (Jonker-Volgenant in SciPy). Among
    assignments of equal agreement, the one with the highest F1 is taken, so that neither ids nor the order count.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    person_c = np.full(len(table.clusters), -1, np.int64)
    if not len(table.count_z):
        return person_c
    # A bonus for each overlap: its F1, weighted and plain, summing to less than one face over any assignment. The
    # irrational share makes assignments tie only where both sums do.
    f1_z = 2.0 * table.count_z / (table.size_p[table.row_z] + table.size_c[table.column_z])
    share_z = (table.size_p[table.row_z] + np.sqrt(2.0)) / (table.faces + np.sqrt(2.0) * len(table.people))
    # The solver wants weights other than 0 and a partner for every row: add 1 to all, and 1 is then worth "nobody".
    p, c = len(table.people), len(table.clusters)
    weight = np.concatenate([1.0 + table.count_z + f1_z * share_z / 4, np.ones(p)])
    rows = np.concatenate([table.row_z, np.arange(p)])
    columns = np.concatenate([table.column_z, c + np.arange(p)])
    graph = csr_array((weight, (rows, columns)), shape=(p, c + p))
    row_p, column_p = min_weight_full_bipartite_matching(graph, maximize=True)
    real = column_p < c
    person_c[column_p[real]] = row_p[real]
    return person_c


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
    """Pairs of faces: which share of those put together belong together, and the other way round; of no pairs 1."""
    both, predicted, true = _pairs(table)
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
    both, predicted, true = _pairs(table)
    if both == predicted == true:  # the same partition
        return 1.0
    total = table.faces * (table.faces - 1) // 2
    return (both * total - true * predicted) / ((true + predicted) * total / 2 - true * predicted)


def adjusted_mutual_information(table: Contingency) -> float:
    """Adjusted mutual information (Vinh, Epps and Bailey 2010), normalised by the mean of the entropies."""
    both, *others = _pairs(table)
    if others == [both, both]:
        return 1.0
    shared, true, predicted = information(table)
    expected = _expected_information(table.size_p, _cluster_sizes(table))
    gap = (true + predicted) / 2 - expected
    return (shared - expected) / gap if abs(gap) > 1e-12 else 0.0


def information(table: Contingency) -> tuple[float, float, float]:
    """Mutual information, entropy of people, entropy of clusters, in nats."""
    n = table.faces
    size_z = table.size_p[table.row_z].astype(np.float64) * table.size_c[table.column_z]
    shared = float(table.count_z @ np.log(n * table.count_z / size_z)) + float(table.left_p @ np.log(n / table.size_p))
    true, predicted = (
        float(sizes @ (np.log(n) - np.log(sizes))) / n for sizes in (table.size_p, _cluster_sizes(table))
    )
    return max(shared / n, 0.0), true, predicted


def _cluster_sizes(table: Contingency) -> I64:
    """Sizes of all clusters, left-out faces as clusters of one."""
    return np.concatenate([table.size_c, np.ones(table.left_out, np.int64)])


def _expected_information(size_p: I64, size_c: I64) -> float:
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


def _pairs(table: Contingency) -> tuple[int, int, int]:
    """Pairs of faces that are together in both, in clusters, and of people."""
    both, predicted, true = (
        int((sizes * (sizes - 1) // 2).sum()) for sizes in (table.count_z, table.size_c, table.size_p)
    )
    return both, predicted, true


def ratio(part: float, whole: float, *, empty: float = 1.0) -> float:
    """A share of at most 1; `empty` where there is nothing to share."""
    return min(part / whole, 1.0) if whole > 0 else empty


def triple(precision: float, recall: float) -> Triple:
    """Precision and recall with their harmonic mean."""
    precision, recall = min(precision, 1.0), min(recall, 1.0)
    total = precision + recall
    return Triple(precision, recall, 2 * precision * recall / total if total else 0.0)
