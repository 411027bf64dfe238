"""How sure a clustering is: of each face, of each single face, and of two clusters being one person.

All start from the evidence, minus the logarithm of how many strangers should score as high among so many clusters,
strangers being as alike as they are in that place (`local_excess`). A logistic curve, fitted once by
benchmarks/grouping/calibration.py, makes a probability of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from unmingle.grouping import index
from unmingle.grouping.threshold import LEAST_Z, FalseMergeThreshold, cluster_excess, standard_query

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from unmingle.grouping.impostors import ImpostorModel
    from unmingle.records import F32, F64, I64, Bool

# Minus the logarithm of one half, the share of strangers above their mean: evidence of a face no more alike than that.
HALF = 0.6931
# Pairs at hand at most, besides those of the part that is being searched.
KEPT = 1 << 18
# Of the vectors, that are averaged together.
COLUMNS = 16
# Nearest clusters looked at where there are too many clusters to compare all.
NEAR = 8
# Standard deviations below which the grouping itself puts hardly a face to anybody.
FOUND = 2.5
# Evidence of a face or a cluster that hardly made it: about as many more just did not.
WEAK = 9.0
# Clusters, or faces, by which it is told how many are weak.
WEAK_SAMPLE = 1000
# Logistic curves: the intercept, then one weight for each column of the features of that name below. Fitted on half of
# the people of Labeled Faces in the Wild and half of the families of a collection of relatives (SFace).
FITTED = {
    "face": (-2.857, 1.149, 1.212),
    "alone": (-0.091, -0.727, -1.862),
    "pair": (-1.605, 0.78, 2.824, 1.336),
    "new": (-3.069, 0.983, 1.558, -0.303),
}


def face_probabilities(
    vectors_nd: NDArray[Any], labels_n: I64, curve: ImpostorModel, *, scale: float = 1.0, only_n: Bool | None = None
) -> F64:
    """(n,) the probability that a face is of its cluster's person, or rightly alone; NaN for a label below 0.

    only_n: the faces that are asked for, with all others of a cluster; None: all. The others are NaN.
    """
    result = np.full(len(labels_n), np.nan)
    mean_cd, size_c = label_means(vectors_nd, labels_n)
    inside = np.flatnonzero(labels_n >= 0)
    slot = np.unique(labels_n[inside], return_inverse=True)[1]
    if only_n is not None:
        inside, slot = inside[only_n[inside]], slot[only_n[inside]]
    excess_c = cluster_excess(mean_cd, size_c, curve, None if only_n is None else np.unique(slot))
    several = size_c[slot] > 1
    many, slots = inside[several], slot[several]
    features = face_features(vectors_nd, many, slots, mean_cd, size_c, excess_c, curve, scale=scale)
    result[many] = probability(features, FITTED["face"])
    if several.all():
        return result
    weak = int(np.count_nonzero(features[:, 0] < sure(np.array(WEAK))))
    features = alone_features(slot[~several], mean_cd, size_c, excess_c, curve, scale=scale, weak=weak)
    result[inside[~several]] = probability(features, FITTED["alone"])
    return result


def label_means(vectors_nd: NDArray[Any], labels_n: I64) -> tuple[F32, I64]:
    """(c, d) mean of the unit vectors of each cluster, by rising label, and (c,) its faces; below 0 is none."""
    from scipy.sparse import csr_array

    inside = np.flatnonzero(labels_n >= 0)
    _, slot, size_c = np.unique(labels_n[inside], return_inverse=True, return_counts=True)
    weight = 1 / (_lengths(vectors_nd)[inside] * size_c[slot])
    table = csr_array((weight, (slot, inside)), shape=(len(size_c), len(labels_n)))
    mean_cd = np.empty((len(size_c), np.shape(vectors_nd)[1]), np.float32)
    for at in range(0, mean_cd.shape[1], COLUMNS):  # in float64, which of all at once takes much memory
        mean_cd[:, at : at + COLUMNS] = table @ np.asarray(vectors_nd[:, at : at + COLUMNS], np.float32)
    return mean_cd, size_c


def _lengths(vectors_nd: NDArray[Any]) -> F32:
    lengths: F32 = np.sqrt(np.einsum("nd,nd->n", vectors_nd, vectors_nd)).astype(np.float32)
    return lengths


def face_features(
    vectors_nd: NDArray[Any],
    rows_m: I64,
    slot_m: I64,
    mean_cd: F32,
    size_c: I64,
    excess_c: F64,
    curve: ImpostorModel,
    *,
    scale: float,
) -> F64:
    """(m, 2) evidence of the similarity of faces to the rest of their cluster, as `sure`, and how far below `FOUND`."""
    size = size_c[slot_m]
    similarity = index.dot_pairs(vectors_nd, rows_m, mean_cd, slot_m) / _lengths(vectors_nd)[rows_m]
    similarity = (similarity * size - 1) / (size - 1)  # without itself
    z = (similarity - excess_c[slot_m] - curve.mean) / (scale * curve.deviation(np.ones_like(size), size - 1))
    found = sure(evidence(z, len(size_c)))
    return np.stack([found, np.minimum(0, found - FOUND)], axis=1)


def looseness(
    vectors_nd: NDArray[Any],
    labels_n: I64,
    mean_cd: F32,
    size_c: I64,
    excess_c: F64,
    curve: ImpostorModel,
    *,
    scale: float,
) -> float:
    """The logarithm of the share of faces that hardly are with their own; where many are, new ones are less alike."""
    inside = np.flatnonzero(labels_n >= 0)
    slot = np.unique(labels_n[inside], return_inverse=True)[1]
    several = np.flatnonzero(size_c[slot] > 1)
    several = several[index.spaced(len(several), WEAK_SAMPLE)]
    found = face_features(vectors_nd, inside[several], slot[several], mean_cd, size_c, excess_c, curve, scale=scale)
    weak = np.count_nonzero(found[:, 0] < sure(np.array(WEAK)))
    return float(np.log((weak + 0.5) / (len(several) + 1)))


def new_features(evidence_m: F64, loose: float) -> F64:
    """(m, 3) of new faces: evidence of their similarity to a person, as `sure`, `looseness`, and both in one."""
    found = sure(evidence_m)
    return np.stack([found, np.full(len(found), loose), found * loose], axis=1)


def sure(evidence_m: F64) -> F64:
    """(m,) evidence as a number of standard deviations: the logarithm of a normal tail falls with the square."""
    beyond_m = evidence_m + HALF
    result: F64 = np.copysign(np.sqrt(2 * np.abs(beyond_m)), beyond_m)
    return result


def alone_features(
    slot_m: I64, mean_cd: F32, size_c: I64, excess_c: F64, curve: ImpostorModel, *, scale: float, weak: int
) -> F64:
    """(m, 2) of single faces: evidence of the most similar other cluster, and log odds of a face not finding its own.

    weak: faces that did, but hardly.
    """
    base = FalseMergeThreshold(curve=curve, expected=0.5, scale=scale).standard_base(mean_cd, size_c)
    near = index.find_nearest(standard_query(mean_cd[slot_m]), base, NEAR, own_q=slot_m)
    beyond = (excess_c[slot_m, None] + excess_c[near.index_qk]) / 2
    z = near.similarity_qk - beyond / (scale * curve.deviation(np.ones_like(slot_m)[:, None], size_c[near.index_qk]))
    # Some stranger is always that similar.
    found = np.maximum(0, evidence(z.max(axis=1, initial=-np.inf).astype(np.float64), len(size_c)))
    odds = np.log((weak + 0.5) / (np.count_nonzero(size_c == 1) + 0.5))
    return np.stack([found, np.full(len(slot_m), odds)], axis=1)


def evidence(z_m: F64, clusters: int) -> F64:
    """(m,) minus the logarithm of how many strangers should score as high, among so many clusters."""
    from scipy.special import log_ndtr

    result: F64 = -(np.log(max(1, clusters - 1)) + log_ndtr(-z_m))
    return result


def probability(features_mf: F64, coefficients: tuple[float, ...]) -> F64:
    """The logistic curve: (m,) from 0 to 1."""
    from scipy.special import expit

    result: F64 = expit(coefficients[0] + features_mf @ np.array(coefficients[1:]))
    return result


def weakness(mean_cd: F32, size_c: I64, curve: ImpostorModel, *, scale: float) -> float:
    """The logarithm of the share of clusters that hardly hold together; where there are many, others did not."""
    several = np.flatnonzero(size_c > 1)
    rows = several[index.spaced(len(several), WEAK_SAMPLE)]
    size, mean_rd = size_c[rows], mean_cd[rows].astype(np.float64)
    own = (np.einsum("rd,rd->r", mean_rd, mean_rd) * size - 1) / (size - 1)  # of all pairs of its faces
    beyond = own - cluster_excess(mean_cd, size_c, curve, rows)[rows] - curve.mean
    z = beyond / (scale * curve.deviation(np.ones_like(size), size - 1))
    weak = np.count_nonzero(evidence(z, len(size_c)) < WEAK) / max(1, len(rows)) * len(several)
    return float(np.log((weak + 0.5) / max(1, len(size_c))))


def pair_features(z_m: F64, smaller_m: I64, clusters: int, weak: float) -> F64:
    """(m, 3) evidence, one over the size of the smaller cluster, and `weakness` of all."""
    return np.stack([evidence(z_m, clusters), 1 / smaller_m, np.full(len(z_m), weak)], axis=1)


def pair_chance(z_m: F64, smaller_m: I64, clusters: int, weak: float) -> F64:
    """(m,) the probability that two clusters with this score, the smaller of so many faces, are one person."""
    return probability(pair_features(z_m, smaller_m, clusters, weak), FITTED["pair"])


def pair_probabilities(
    mean_cd: F32,
    size_c: I64,
    pairs_m2: I64,
    curve: ImpostorModel,
    *,
    scale: float = 1.0,
    weak: float | None = None,
) -> F64:
    """(m,) the probability that two clusters are one person, of some pairs of rows of all c clusters.

    weak: the `weakness` of all, which takes most of the time; None: not known.
    """
    z = _pair_scores(mean_cd, size_c, pairs_m2, np.zeros(len(size_c)), curve, scale)
    # Who is no more alike than that is a stranger in any place.
    excess_c = cluster_excess(mean_cd, size_c, curve, np.unique(pairs_m2[z >= LEAST_Z]))
    z = _pair_scores(mean_cd, size_c, pairs_m2, excess_c, curve, scale)
    weak = weakness(mean_cd, size_c, curve, scale=scale) if weak is None else weak
    return pair_chance(z, _smaller(size_c, pairs_m2), len(size_c), weak)


def _smaller(size_c: I64, pairs_m2: I64) -> I64:
    smaller: I64 = np.minimum(*size_c[pairs_m2.T])
    return smaller


def _pair_scores(mean_cd: F32, size_c: I64, pairs_m2: I64, excess_c: F64, curve: ImpostorModel, scale: float) -> F64:
    first, second = pairs_m2.T
    similarity = index.dot_pairs(mean_cd, first, mean_cd, second).astype(np.float64)
    beyond = similarity - (excess_c[first] + excess_c[second]) / 2 - curve.mean
    z: F64 = beyond / (scale * curve.deviation(size_c[first], size_c[second]))
    return z


def likely_pairs(
    mean_cd: F32, size_c: I64, curve: ImpostorModel, *, scale: float = 1.0, most: int = 1000, least: float = 0.01
) -> tuple[I64, F64]:
    """(m, 2) the pairs of rows most probably one person, the smaller first, and (m,) how probable; equals by row.

    At most `most`, of probability `least` and more. Past `index.EXACT_PAIRS` it may miss some.
    """
    exact = len(size_c) ** 2 <= index.EXACT_PAIRS
    excess_c, weak = cluster_excess(mean_cd, size_c, curve), weakness(mean_cd, size_c, curve, scale=scale)
    searched = _all_pairs(mean_cd, size_c, curve, scale, least, weak) if exact else _near_pairs(mean_cd)
    pairs, chance = np.zeros((0, 2), np.int64), np.zeros(0)
    for found in searched:
        z = _pair_scores(mean_cd, size_c, found, excess_c, curve, scale)
        pairs = np.concatenate([pairs, found])
        chance = np.concatenate([chance, pair_chance(z, _smaller(size_c, found), len(size_c), weak)])
        order = np.lexsort((pairs[:, 1], pairs[:, 0], -chance))
        order = order[chance[order] >= least][: max(most, KEPT)]
        pairs, chance = pairs[order], chance[order]
    return pairs[:most], chance[:most]


def _near_pairs(mean_cd: F32) -> Iterator[I64]:
    everyone = np.arange(len(mean_cd))
    index_ck = index.find_nearest(mean_cd, mean_cd, NEAR, own_q=everyone).index_qk
    pairs = np.stack([np.repeat(everyone[:, None], NEAR, 1), index_ck], axis=2)[index_ck >= 0]
    yield np.unique(np.sort(pairs, axis=1), axis=0)


def _all_pairs(
    mean_cd: F32, size_c: I64, curve: ImpostorModel, scale: float, least: float, weak: float
) -> Iterator[I64]:
    """(m, 2) all pairs that may be so probable, and some that are not, part by part."""
    from scipy.special import ndtri_exp

    if not len(size_c):
        return
    order = np.argsort(size_c, kind="stable")  # so that a row is never larger than a column after it
    mean, size = mean_cd[order], size_c[order]
    intercept, by_evidence, by_size, by_weakness = FITTED["pair"]
    logit = np.log(least) - np.log1p(-least)
    needed = (logit - intercept - by_size / size - by_weakness * weak) / by_evidence
    # The z of which so few strangers are as similar; never below their mean, and in no crowd. A larger cluster needs
    # the lower cosine.
    z = -ndtri_exp(np.minimum(-HALF, -needed - np.log(max(1, len(size) - 1))))
    cosine = (curve.mean + z * scale * curve.deviation(size, size[-1:]) - 1e-5).astype(np.float32)
    step = max(1, index.BLOCK_CELLS // len(size))
    for start in range(0, len(size), step):
        rows = slice(start, start + step)
        row, column = np.nonzero(mean[rows] @ mean[start:].T >= cosine[rows, None])
        yield np.sort(order[np.stack([row, column], axis=1)[row < column] + start], axis=1)
