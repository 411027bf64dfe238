"""How sure a clustering is: of each face, of each single face, and of two clusters being one person.

All three start from one number: how many strangers should be as similar by chance. With N other clusters and the share
Q(z) of strangers' pairs that lie z standard deviations or more above their mean, that is N · Q(z); its negative
logarithm is the evidence, in natural units (0: one such stranger is to be expected; 3: one in twenty collections has
one). So the same similarity says less in a collection of thousands of people than in one of five. A logistic curve with
two to four coefficients turns evidence into a probability. They were fitted once, on other people than those they are
judged on: benchmarks/grouping/calibration.py. Nothing is fitted at run time.

Tried for faces and left out, as it told nothing more about people outside the fit, or helped one collection and harmed
another: how much more similar the face is to its cluster than to the next one, how it compares with the other faces of
its cluster, the size of its cluster, and the most similar quarter of its cluster.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from unmingle.grouping import neighbours
from unmingle.grouping.neighbours import similarity_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from unmingle.grouping.impostors import ImpostorCurve
    from unmingle.records import F32, F64, I64

# Rows gathered at a time: 32 MiB at 128 dimensions.
ROWS = 1 << 16
# Minus the logarithm of one half, the share of strangers above their mean: evidence of a face no more alike than that.
HALF = 0.6931
# Columns compared with one threshold when pairs are searched for.
COLUMNS = 1 << 14
# Pairs at hand at most, besides those of the part that is being searched.
KEPT = 1 << 18
# Nearest clusters looked at where there are too many clusters to compare all.
NEAR = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Coefficients:
    """Logistic curves: the intercept, then one weight for each column of the features of that name below."""

    face: tuple[float, float]
    alone: tuple[float, float, float]
    pair: tuple[float, float, float, float]


# By benchmarks/grouping/calibration.py, on half of the people of Labeled Faces in the Wild (SFace).
FITTED = Coefficients(
    face=(-7.743, 2.256),
    alone=(5.197, -0.7, 0.744),
    pair=(-10.247, 1.108, 4.034, 0.762),
)


def face_probabilities(vectors_nd: NDArray[Any], labels_n: I64, curve: ImpostorCurve, *, scale: float = 1.0) -> F64:
    """The probability that each face is of the person that its cluster shows.

    For a single face: the probability that it is rightly alone, that no other face here is of its person. That needs
    a search among all clusters, from `neighbours.EXACT_ROWS` on with an index; all else is linear.

    Args:
        vectors_nd: (n, d), only their directions count.
        labels_n: (n,) cluster of each face, as `cluster_faces` gives them; negative for none.
        curve: how similar strangers are to the model.
        scale: how much wider they spread in this collection; the note "scale" of the clustering.

    Returns:
        (n,) from 0 to 1; NaN for a face without a cluster.
    """
    result = np.full(len(labels_n), np.nan)
    clusters = Means.of(vectors_nd, labels_n)
    single_n = clusters.size_n == 1
    many, single = np.flatnonzero(clusters.size_n > 1), np.flatnonzero(single_n)
    result[many] = probability(face_features(vectors_nd, clusters, many, curve, scale=scale), FITTED.face)
    result[single] = probability(alone_features(clusters, single, curve, scale=scale), FITTED.alone)
    return result


def pair_probabilities(mean_cd: F32, size_c: I64, pairs_m2: I64, curve: ImpostorCurve, *, scale: float = 1.0) -> F64:
    """The probability that two clusters are one person.

    Args:
        mean_cd: (c, d) mean of the unit vectors of each cluster; all clusters, for their number counts.
        size_c: (c,) faces of each.
        pairs_m2: (m, 2) the pairs asked about, by row.
        curve: how similar strangers are to the model.
        scale: how much wider they spread in this collection.

    Returns:
        (m,) from 0 to 1.
    """
    return probability(pair_features(mean_cd, size_c, pairs_m2, curve, scale=scale), FITTED.pair)


def likely_pairs(
    mean_cd: F32, size_c: I64, curve: ImpostorCurve, *, scale: float = 1.0, most: int = 1000, least: float = 0.01
) -> tuple[I64, F64]:
    """The pairs of clusters that may be one person, the most probable first.

    Up to `neighbours.EXACT_ROWS` clusters all pairs are compared, by blocks. Past that an index finds the nearest few
    of each cluster, and may miss some. Pairs no more alike than strangers are never returned.

    Args:
        mean_cd: this, and `size_c`, `curve` and `scale` are as for `pair_probabilities`.
        size_c: (c,).
        curve: of the model.
        scale: of the collection.
        most: how many pairs to return at most.
        least: the probability that a pair has to reach, above 0.

    Returns:
        (m, 2) pairs, each with its smaller row first, and their (m,) probabilities, falling; equals by row.
    """
    searched = (
        _near_pairs(mean_cd)
        if len(size_c) > neighbours.EXACT_ROWS
        else _all_pairs(mean_cd, size_c, curve, scale, least)
    )
    pairs, chance = np.zeros((0, 2), np.int64), np.zeros(0)
    for found in searched:
        pairs = np.concatenate([pairs, found])
        chance = np.concatenate([chance, pair_probabilities(mean_cd, size_c, found, curve, scale=scale)])
        pairs, chance = _best(pairs, chance, max(most, KEPT), least)
    return pairs[:most], chance[:most]


@dataclass(frozen=True, slots=True, eq=False)
class Means:
    """The c clusters of n faces, in the order of their labels.

    slot_n:  (n,) int64, cluster of each face; -1 for none.
    size_n:  (n,) int64, faces of that cluster; 0 for none.
    mean_cd: (c, d) float32, mean of its unit vectors.
    size_c:  (c,) int64, its faces.
    norm_n:  (n,) float32, length of each vector as it came.
    """

    slot_n: I64
    size_n: I64
    mean_cd: F32
    size_c: I64
    norm_n: F32

    @classmethod
    def of(cls, vectors_nd: NDArray[Any], labels_n: I64) -> Means:
        """The means of vectors of any length; faces with a negative label are in no cluster."""
        from scipy.sparse import csr_array

        inside = np.flatnonzero(labels_n >= 0)
        _, slot, size_c = np.unique(labels_n[inside], return_inverse=True, return_counts=True)
        slot_n = np.full(len(labels_n), -1, np.int64)
        slot_n[inside] = slot
        size_n = np.zeros(len(labels_n), np.int64)
        size_n[inside] = size_c[slot]
        norm_n = np.sqrt(np.einsum("nd,nd->n", vectors_nd, vectors_nd)).astype(np.float32)
        weight = 1 / (norm_n[inside] * size_n[inside])
        table = csr_array((weight, (slot, inside)), shape=(len(size_c), len(labels_n)))
        mean_cd = np.asarray(table @ np.asarray(vectors_nd, np.float32), np.float32)
        return cls(slot_n, size_n, mean_cd, size_c, norm_n)


def evidence(z_m: F64, clusters: int) -> F64:
    """Minus the logarithm of how many strangers should be as similar, among so many clusters."""
    from scipy.special import log_ndtr

    result: F64 = -(np.log(max(1, clusters - 1)) + log_ndtr(-z_m))
    return result


def probability(features_mf: F64, coefficients: tuple[float, ...]) -> F64:
    """The logistic curve: (m,) from 0 to 1."""
    from scipy.special import expit

    result: F64 = expit(coefficients[0] + features_mf @ np.array(coefficients[1:]))
    return result


def face_features(vectors_nd: NDArray[Any], clusters: Means, rows_m: I64, curve: ImpostorCurve, *, scale: float) -> F64:
    """For faces of clusters of two or more: (m, 1), the evidence of their similarity to the rest of their cluster.

    As a number of standard deviations: the root of twice the evidence, for the logarithm of a normal tail falls with
    the square.
    """
    similarity = np.empty(len(rows_m))
    for start in range(0, len(rows_m), ROWS):
        row = rows_m[start : start + ROWS]
        whole = np.einsum("nd,nd->n", vectors_nd[row], clusters.mean_cd[clusters.slot_n[row]]) / clusters.norm_n[row]
        size = clusters.size_n[row]
        similarity[start : start + ROWS] = (whole.astype(np.float64) * size - 1) / (size - 1)  # without itself
    others = clusters.size_n[rows_m] - 1
    z = (similarity - curve.mean) / (scale * curve.deviation(np.ones_like(others), others))
    result: F64 = np.sqrt(2 * np.maximum(0, evidence(z, len(clusters.size_c)) + HALF))[:, None]
    return result


def alone_features(clusters: Means, rows_m: I64, curve: ImpostorCurve, *, scale: float) -> F64:
    """For single faces: (m, 2), the evidence of the most similar other cluster (by z), and how common single faces are.

    The latter, log odds, is the prior: where nearly all faces have found their people, a single one is rarely alone,
    but one that was not recognised. Evidence below 0 is 0: some stranger is always that similar.
    """
    own = clusters.slot_n[rows_m]
    z = _best_z(
        clusters, own, 1 / (scale * curve.deviation(np.ones_like(clusters.size_c), clusters.size_c)), curve.mean
    )
    found = np.maximum(0, evidence(z, len(clusters.size_c)))
    single = np.count_nonzero(clusters.size_c == 1)
    odds = np.log((single + 0.5) / (clusters.size_c.sum() - single + 0.5))
    return np.stack([found, np.full(len(own), odds)], axis=1)


def pair_features(mean_cd: F32, size_c: I64, pairs_m2: I64, curve: ImpostorCurve, *, scale: float) -> F64:
    """(m, 3): the evidence, one over the size of the smaller cluster, and the mean size of clusters as a logarithm.

    Large fragments of one person are rarer than small ones, and there are more fragments where people have many faces.
    """
    first, second = pairs_m2[:, 0], pairs_m2[:, 1]
    similarity = np.empty(len(pairs_m2))
    for start in range(0, len(pairs_m2), ROWS):
        part = slice(start, start + ROWS)
        similarity[part] = np.einsum("md,md->m", mean_cd[first[part]], mean_cd[second[part]])
    a, b = size_c[first], size_c[second]
    z = (similarity - curve.mean) / (scale * curve.deviation(a, b))
    mean_size = np.full(len(first), np.log(size_c.mean()) if len(size_c) else 0.0)
    return np.stack([evidence(z, len(size_c)), 1 / np.minimum(a, b), mean_size], axis=1)


def _best_z(clusters: Means, own_m: I64, weight_c: F64, mean: float) -> F64:
    """(m,) how many standard deviations above strangers the other cluster is that is most similar to a single face."""
    z = np.full(len(own_m), -np.inf)
    if len(clusters.size_c) > neighbours.EXACT_ROWS:
        index_mk, similarity_mk = _near(clusters.mean_cd, own_m)
        z[:] = ((similarity_mk - mean) * weight_c[index_mk]).max(axis=1)
        return z
    # One more dimension takes the mean off, so that the product is z itself.
    base = np.concatenate([clusters.mean_cd, np.full((len(weight_c), 1), -mean)], axis=1) * weight_c[:, None]
    query = np.concatenate([clusters.mean_cd[own_m], np.ones((len(own_m), 1), np.float32)], axis=1)
    for block, z_rc in similarity_blocks(query, base.astype(np.float32)):
        z_rc[np.arange(len(z_rc)), own_m[block]] = -np.inf
        z[block] = z_rc.max(axis=1)
    return z


def _near(mean_cd: F32, own_m: I64) -> tuple[I64, F32]:
    """The nearest few of each of these clusters, from an index: (m, k) rows and average cosines, -inf for none."""
    from unmingle.grouping.cells import Cells

    cells = Cells(mean_cd)
    found = cells.nearest(mean_cd[own_m], mean_cd, cells.of(mean_cd), NEAR, own_q=own_m)
    return found.index_qk, found.similarity_qk


def _near_pairs(mean_cd: F32) -> Iterator[I64]:
    """(m, 2) each cluster with the nearest few."""
    everyone = np.arange(len(mean_cd))
    index_ck, _ = _near(mean_cd, everyone)
    pairs = np.stack([np.repeat(everyone[:, None], NEAR, 1), index_ck], axis=2)[index_ck >= 0]
    yield np.unique(np.sort(pairs, axis=1), axis=0)


def _all_pairs(mean_cd: F32, size_c: I64, curve: ImpostorCurve, scale: float, least: float) -> Iterator[I64]:
    """(m, 2) all pairs that may have the probability `least`, and some that don't, part by part."""
    order = np.argsort(-size_c, kind="stable")
    mean, size = mean_cd[order], size_c[order]
    reach = _Reach(curve, scale, least, len(size), float(np.log(size.mean())) if len(size) else 0.0)
    for start in range(0, len(size), COLUMNS):
        columns = slice(start, start + COLUMNS)
        # Each pair once: rows up to the last column only, and of those the ones before their column.
        for block, similarity_rc in similarity_blocks(mean[: columns.stop], mean[columns]):
            row, column = np.nonzero(similarity_rc >= reach.cosine(size[block], size[columns])[:, None])
            row, column = row + block.start, column + start
            yield np.sort(order[np.stack([row, column], axis=1)[row < column]], axis=1)


@dataclass(frozen=True, slots=True)
class _Reach:
    """The cosine below which no pair of clusters can have the probability `least`."""

    curve: ImpostorCurve
    scale: float
    least: float
    clusters: int
    mean_size: float

    def cosine(self, row_r: I64, column_c: I64) -> F32:
        """(r,) for rows of these sizes and columns of these sizes, at their most favourable."""
        from scipy.special import ndtri_exp

        intercept, by_evidence, by_size, by_mean = FITTED.pair
        logit = np.log(self.least) - np.log1p(-self.least)
        favour = by_size / np.minimum(row_r, column_c.min())
        needed = (logit - intercept - favour - by_mean * self.mean_size) / by_evidence
        # The z of which so few strangers are as similar. Where even the mean would do, everything is looked at.
        z = -ndtri_exp(np.minimum(-HALF, -needed - np.log(max(1, self.clusters - 1))))
        # At the mean and above, the larger cluster reaches z at the lower cosine.
        bar = self.curve.mean + z * self.scale * self.curve.deviation(row_r, np.full_like(row_r, column_c.max()))
        result: F32 = (bar - 1e-5).astype(np.float32)  # rounding
        return result


def _best(pairs_m2: I64, chance_m: F64, most: int, least: float) -> tuple[I64, F64]:
    order = np.lexsort((pairs_m2[:, 1], pairs_m2[:, 0], -chance_m))
    order = order[chance_m[order] >= least][:most]
    return pairs_m2[order], chance_m[order]
