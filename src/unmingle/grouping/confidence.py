"""How sure a clustering is: of each face, of each single face, and of two clusters being one person.

All start from the evidence, minus the logarithm of how many strangers should score as high among so many clusters. A
logistic curve, fitted once by benchmarks/grouping/calibration.py, makes a probability of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from unmingle.grouping import index
from unmingle.grouping.threshold import FalseMergeThreshold, standard_query

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from unmingle.grouping.impostors import ImpostorModel
    from unmingle.records import F32, F64, I64

# Minus the logarithm of one half, the share of strangers above their mean: evidence of a face no more alike than that.
HALF = 0.6931
# Pairs at hand at most, besides those of the part that is being searched.
KEPT = 1 << 18
# Nearest clusters looked at where there are too many clusters to compare all.
NEAR = 8
# Logistic curves: the intercept, then one weight for each column of the features of that name below. Fitted on half of
# the people of Labeled Faces in the Wild (SFace).
FITTED = {
    "face": (-7.743, 2.256),
    "alone": (5.197, -0.7, 0.744),
    "pair": (-10.247, 1.108, 4.034, 0.762),
}


def face_probabilities(vectors_nd: NDArray[Any], labels_n: I64, curve: ImpostorModel, *, scale: float = 1.0) -> F64:
    """(n,) the probability that a face is of its cluster's person, or rightly alone; NaN for a label below 0."""
    result = np.full(len(labels_n), np.nan)
    mean_cd, size_c = label_means(vectors_nd, labels_n)
    inside = np.flatnonzero(labels_n >= 0)
    _, slot = np.unique(labels_n[inside], return_inverse=True)
    several = size_c[slot] > 1
    many, slots = inside[several], slot[several]
    features = face_features(vectors_nd, many, slots, mean_cd, size_c, curve, scale=scale)
    result[many] = probability(features, FITTED["face"])
    features = alone_features(slot[~several], mean_cd, size_c, curve, scale=scale)
    result[inside[~several]] = probability(features, FITTED["alone"])
    return result


def label_means(vectors_nd: NDArray[Any], labels_n: I64) -> tuple[F32, I64]:
    """(c, d) mean of the unit vectors of each cluster, by rising label, and (c,) its faces; below 0 is none."""
    from scipy.sparse import csr_array

    inside = np.flatnonzero(labels_n >= 0)
    _, slot, size_c = np.unique(labels_n[inside], return_inverse=True, return_counts=True)
    weight = 1 / (_lengths(vectors_nd)[inside] * size_c[slot])
    table = csr_array((weight, (slot, inside)), shape=(len(size_c), len(labels_n)))
    return np.asarray(table @ np.asarray(vectors_nd, np.float32), np.float32), size_c


def _lengths(vectors_nd: NDArray[Any]) -> F32:
    lengths: F32 = np.sqrt(np.einsum("nd,nd->n", vectors_nd, vectors_nd)).astype(np.float32)
    return lengths


def face_features(
    vectors_nd: NDArray[Any],
    rows_m: I64,
    slot_m: I64,
    mean_cd: F32,
    size_c: I64,
    curve: ImpostorModel,
    *,
    scale: float,
) -> F64:
    """(m, 1) evidence of the similarity of faces to the rest of their cluster, as a number of standard deviations."""
    size = size_c[slot_m]
    similarity = index.dot_pairs(vectors_nd, rows_m, mean_cd, slot_m) / _lengths(vectors_nd)[rows_m]
    similarity = (similarity * size - 1) / (size - 1)  # without itself
    # The logarithm of a normal tail falls with the square.
    z = (similarity - curve.mean) / (scale * curve.deviation(np.ones_like(size), size - 1))
    result: F64 = np.sqrt(2 * np.maximum(0, evidence(z, len(size_c)) + HALF))[:, None]
    return result


def alone_features(slot_m: I64, mean_cd: F32, size_c: I64, curve: ImpostorModel, *, scale: float) -> F64:
    """(m, 2) of single faces: evidence of the most similar other cluster, and log odds of a face here being single."""
    base = FalseMergeThreshold(curve=curve, expected=0.5, scale=scale).standard_base(mean_cd, size_c)
    z = index.find_nearest(standard_query(mean_cd[slot_m]), base, 1, own_q=slot_m).similarity_qk[:, 0]
    found = np.maximum(0, evidence(z.astype(np.float64), len(size_c)))  # some stranger is always that similar
    single = np.count_nonzero(size_c == 1)
    odds = np.log((single + 0.5) / (size_c.sum() - single + 0.5))
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


def pair_features(z_m: F64, smaller_m: I64, size_c: I64) -> F64:
    """(m, 3) evidence, one over the size of the smaller cluster, and the logarithm of the mean size of all."""
    mean_size = np.full(len(z_m), np.log(size_c.mean()) if len(size_c) else 0.0)
    return np.stack([evidence(z_m, len(size_c)), 1 / smaller_m, mean_size], axis=1)


def pair_chance(z_m: F64, smaller_m: I64, size_c: I64) -> F64:
    """(m,) the probability that two clusters with this score, the smaller of so many faces, are one person."""
    return probability(pair_features(z_m, smaller_m, size_c), FITTED["pair"])


def pair_probabilities(mean_cd: F32, size_c: I64, pairs_m2: I64, curve: ImpostorModel, *, scale: float = 1.0) -> F64:
    """(m,) the probability that two clusters are one person, of some pairs of rows of all c clusters."""
    first, second = pairs_m2.T
    a, b = size_c[first], size_c[second]
    similarity = index.dot_pairs(mean_cd, first, mean_cd, second).astype(np.float64)
    z = (similarity - curve.mean) / (scale * curve.deviation(a, b))
    return pair_chance(z, np.minimum(a, b), size_c)


def likely_pairs(
    mean_cd: F32, size_c: I64, curve: ImpostorModel, *, scale: float = 1.0, most: int = 1000, least: float = 0.01
) -> tuple[I64, F64]:
    """(m, 2) the pairs of rows most probably one person, the smaller first, and (m,) how probable; equals by row.

    At most `most`, of probability `least` and more. Past `index.EXACT_PAIRS` it may miss some.
    """
    exact = len(size_c) ** 2 <= index.EXACT_PAIRS
    searched = _all_pairs(mean_cd, size_c, curve, scale, least) if exact else _near_pairs(mean_cd)
    pairs, chance = np.zeros((0, 2), np.int64), np.zeros(0)
    for found in searched:
        pairs = np.concatenate([pairs, found])
        chance = np.concatenate([chance, pair_probabilities(mean_cd, size_c, found, curve, scale=scale)])
        order = np.lexsort((pairs[:, 1], pairs[:, 0], -chance))
        order = order[chance[order] >= least][: max(most, KEPT)]
        pairs, chance = pairs[order], chance[order]
    return pairs[:most], chance[:most]


def _near_pairs(mean_cd: F32) -> Iterator[I64]:
    everyone = np.arange(len(mean_cd))
    index_ck = index.find_nearest(mean_cd, mean_cd, NEAR, own_q=everyone).index_qk
    pairs = np.stack([np.repeat(everyone[:, None], NEAR, 1), index_ck], axis=2)[index_ck >= 0]
    yield np.unique(np.sort(pairs, axis=1), axis=0)


def _all_pairs(mean_cd: F32, size_c: I64, curve: ImpostorModel, scale: float, least: float) -> Iterator[I64]:
    """(m, 2) all pairs that may be so probable, and some that are not, part by part."""
    from scipy.special import ndtri_exp

    if not len(size_c):
        return
    order = np.argsort(size_c, kind="stable")  # so that a row is never larger than a column after it
    mean, size = mean_cd[order], size_c[order]
    intercept, by_evidence, by_size, by_mean = FITTED["pair"]
    logit = np.log(least) - np.log1p(-least)
    needed = (logit - intercept - by_size / size - by_mean * np.log(size.mean())) / by_evidence
    # The z of which so few strangers are as similar; never below their mean. A larger cluster needs the lower cosine.
    z = -ndtri_exp(np.minimum(-HALF, -needed - np.log(max(1, len(size) - 1))))
    cosine = (curve.mean + z * scale * curve.deviation(size, size[-1:]) - 1e-5).astype(np.float32)
    step = max(1, index.BLOCK_CELLS // len(size))
    for start in range(0, len(size), step):
        rows = slice(start, start + step)
        row, column = np.nonzero(mean[rows] @ mean[start:].T >= cosine[rows, None])
        yield np.sort(order[np.stack([row, column], axis=1)[row < column] + start], axis=1)
