"""How embeddings of an unknown model must be looked at, so that strangers' cosines are near normal around 0.

Some models have strangers at a cosine of 0.8, and tell people apart in a few directions only. The collection's first
clusters show both: where people lie on average, and in which directions they differ more than pictures of one do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from unmingle.errors import ModelError
from unmingle.grouping.cluster import cluster_faces
from unmingle.grouping.clusters import BLOCK, canonical_order, unit_rows
from unmingle.grouping.confidence import label_means
from unmingle.grouping.impostors import SAMPLE, SFACE_CURVE, SINGLE, ImpostorModel, estimate_curve, measure_curve
from unmingle.grouping.index import spaced
from unmingle.grouping.threshold import PRIOR_CLUSTERS

if TYPE_CHECKING:
    from unmingle.grouping.constraints import Constraints
    from unmingle.records import F32, F64, I64
    from unmingle.settings import GroupingSettings

ROUNDS = 4
# Faces that are clustered to find out, and clusters of which directions and strangers are measured.
MOST_FACES = 20_000
MOST_CLUSTERS = 2000
# Two clusterings as like as this (BCubed F) are one, and what made the first explains it with less.
SETTLED = 0.98
# The share of strangers' cosines at which the normal curve has to hold, since merges are made beyond it. Further out,
# two clusters of one person count for too much.
TAIL = 0.05

# The most alike of all pairs: most of one person's are among them.
CLOSE = 0.05

# Parts of the people, each left out once.
PARTS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Adaptation:
    """Unit vectors are moved by `centre_d` and weighed by direction; `curve` is how alike strangers are afterwards.

    The weight is rest + extra_k in each of the orthogonal directions direction_kd, and `rest` in all others.
    """

    curve: ImpostorModel
    centre_d: F64
    direction_kd: F64
    extra_k: F64
    rest: float = 1.0

    @classmethod
    def none(cls, curve: ImpostorModel, dimension: int) -> Adaptation:
        """Vectors stay as they are."""
        return cls(curve, np.zeros(dimension), np.zeros((0, dimension)), np.zeros(0))

    def apply(self, vectors_nd: F32) -> F32:
        """(n, d) unit vectors from vectors whose lengths don't matter."""
        unit_nd = unit_rows(vectors_nd)
        if not self.centre_d.any() and not len(self.extra_k):
            return unit_nd
        for start in range(0, len(unit_nd), BLOCK):
            block = unit_nd[start : start + BLOCK]
            moved = block - self.centre_d
            moved = self.rest * moved + (moved @ self.direction_kd.T * self.extra_k) @ self.direction_kd
            # A face at the very centre is like nobody; it keeps the direction that it had.
            unit_nd[start : start + BLOCK] = unit_rows(np.where(moved.any(axis=1, keepdims=True), moved, block))
        return unit_nd


def adapt(
    vectors_nd: F32, settings: GroupingSettings, constraints: Constraints, known: ImpostorModel | None = None
) -> Adaptation:
    """Find out from the collection itself: cluster, measure, and cluster again, until the people stay the same.

    What explains them with less stays: vectors that a plain cosine groups are not touched. known: what holds of a plain
    cosine where people are too few to tell.
    """
    unit_nd = unit_rows(vectors_nd)
    constraints.components()  # contradictions are told in the reader's rows
    order_n = canonical_order(unit_nd)
    rows = order_n[spaced(len(order_n), MOST_FACES)]
    place_n = np.full(len(order_n), -1)
    place_n[rows] = np.arange(len(rows))
    constraints, unit_nd = constraints.mapped(place_n, len(rows)), unit_nd[rows]
    settings = replace(settings, people=None)
    found = Adaptation.none(estimate_curve(unit_nd), unit_nd.shape[1])
    labels_n = cluster_faces(unit_nd, settings, curve=found.curve, constraints=constraints).labels
    if labels_n.max(initial=-1) + 1 < PRIOR_CLUSTERS and known is not None:
        return Adaptation.none(known, unit_nd.shape[1])
    for _ in range(ROUNDS):
        if labels_n.max(initial=-1) + 1 < PRIOR_CLUSTERS:
            break  # so few say nothing about a model, only about these people
        better = fitted(unit_nd, labels_n)
        again = cluster_faces(better.apply(unit_nd), settings, curve=better.curve, constraints=constraints).labels
        if _agreement(labels_n, again) >= SETTLED:
            break
        found, labels_n = better, again
    return found


def fitted(unit_nd: F32, labels_n: I64) -> Adaptation:
    """What suits these people best, (n,) labels from 0 on, and how alike they are then."""
    found = _fitted(unit_nd, labels_n)
    return replace(found, curve=_curve(found.apply(unit_nd), labels_n))


def curve_of_others(vectors_nd: F32, labels_n: I64, adaptation: Adaptation) -> ImpostorModel:
    """How alike people who were not there are to those who were: directions that suit some suit others less."""
    curve = adaptation.curve
    if not len(adaptation.extra_k) or labels_n.max() + 1 < PRIOR_CLUSTERS:
        return curve
    unit_nd = unit_rows(vectors_nd)
    some = spaced(len(unit_nd), SAMPLE)
    inside_m = _strangers(adaptation.apply(unit_nd[some]), labels_n[some])
    mean, deviation = [], []
    for part in range(PARTS):
        out_n = labels_n % PARTS == part
        left = np.unique(labels_n[~out_n], return_inverse=True)[1]
        seen_sd = _fitted(unit_nd[~out_n], left).apply(unit_nd[some])
        cosines = seen_sd[out_n[some]] @ seen_sd[~out_n[some]].T
        mean.append(float(cosines.mean()))
        deviation.append(float(cosines.std()))
    moved = float(np.mean(mean)) - float(inside_m.mean())
    return curve.stretched(curve.mean + moved, max(1.0, float(np.mean(deviation)) / float(inside_m.std())))


def _strangers(unit_nd: F32, labels_n: I64) -> F64:
    """The cosines of all pairs of two people."""
    apart = np.triu(labels_n[:, None] != labels_n)
    cosines: F64 = (unit_nd @ unit_nd.T)[apart].astype(np.float64)
    return cosines


def _fitted(unit_nd: F32, labels_n: I64) -> Adaptation:
    """The centre of people, each counted once, and the weights that tell them apart best.

    In a direction in which people vary by b and pictures of one by w, strangers' products are b + w wide and those of
    one person b high. The sum over directions stands out most from strangers' with weights of b / (b + w)² for each
    product (the matched filter), so of √b / (b + w) for each vector.
    """
    mean_cd, size_c = label_means(unit_nd, labels_n)
    shown = spaced(len(mean_cd), MOST_CLUSTERS)
    k, size_k, mean_kd = len(shown), size_c[shown], mean_cd[shown].astype(np.float64)
    several = size_k > 1
    counts_k = np.ones(k)
    if not several.any():  # somebody large may be among them: who is like many others counts less
        cosine_kk = mean_kd @ mean_kd.T
        counts_k = 1 / (cosine_kk >= np.quantile(cosine_kk, 1 - CLOSE)).sum(axis=1)
        counts_k *= k / counts_k.sum()
    centre_d = counts_k @ mean_kd / k
    between_kd = (mean_kd - centre_d) * np.sqrt(counts_k)[:, None]
    total = float(np.square(between_kd).sum()) / (k - 1)
    # Of a few people's mean, only what is beyond chance is a centre (James and Stein 1961).
    length, chance = float(centre_d @ centre_d), total / k
    centre_d *= 1 - chance / length if length > chance else 0
    _, deviation_k, direction_kd = np.linalg.svd(between_kd, full_matrices=False)
    d, variance_k = len(centre_d), deviation_k**2 / (k - 1)
    # Few people vary in few directions by chance; shrunk to the mean of all (Chen et al. 2010).
    square = float(np.square(variance_k).sum())
    beyond = (k - 2 / d) * (square - total**2 / d)
    shrunk = float(min(1.0, ((1 - 2 / d) * square + total**2) / beyond)) if beyond > 0 else 1.0
    inside = (1 - np.square(mean_kd[several]).sum(axis=1)) * size_k[several] / (size_k[several] - 1)
    # As long as everybody is alone, half of what faces vary is taken for their own.
    own = float(inside.mean()) if len(inside) else total / 2
    within = max(own, 1e-7) / d
    share = float((1 / size_k).mean()) * within  # of the variance of means, that of their faces

    def weight(variance: F64) -> F64:
        people = np.maximum(0, (1 - shrunk) * variance + shrunk * total / d - share)
        result: F64 = np.sqrt(people) / (people + within)
        return result

    rest = float(weight(np.zeros(1))[0])
    return Adaptation(SFACE_CURVE, centre_d, direction_kd, weight(variance_k) - rest, rest)


def _curve(unit_nd: F32, labels_n: I64) -> ImpostorModel:
    """How alike strangers are: as clusters are to each other where there are many, else as the least alike pairs."""
    guess = estimate_curve(unit_nd)
    size_c = np.bincount(labels_n)
    several = np.flatnonzero(size_c > 1)
    several = several[spaced(len(several), MOST_CLUSTERS)]
    inside = np.isin(labels_n, several)
    try:
        found = measure_curve(unit_nd[inside], labels_n[inside])
    except ModelError:  # too few
        return guess
    known = len(several) / (len(several) + PRIOR_CLUSTERS)
    mean, people, faces, pairs = (
        known * getattr(found, name) + (1 - known) * getattr(guess, name)
        for name in ("mean", "people", "faces", "pairs")
    )
    curve = ImpostorModel(mean=mean, people=people, faces=faces, pairs=pairs)
    return curve.stretched(curve.mean, 1 + known * float(inside.mean()) * (_tail(unit_nd, labels_n, curve) - 1))


def _tail(unit_nd: F32, labels_n: I64, curve: ImpostorModel) -> float:
    """How much further the most alike strangers are than on the normal curve; never less than 1."""
    from scipy.special import ndtri

    some = spaced(len(unit_nd), SAMPLE)
    cosines = _strangers(unit_nd[some], labels_n[some])
    if not len(cosines):
        return 1.0
    high = float(np.quantile(cosines, 1 - TAIL))
    return max(1.0, (high - curve.mean) / float(-ndtri(TAIL) * curve.deviation(SINGLE, SINGLE)[0]))


def _agreement(one_n: I64, other_n: I64) -> float:
    """BCubed F of one clustering against another."""
    pair_n = one_n * (int(other_n.max()) + 1) + other_n
    _, both_n, count = np.unique(pair_n, return_inverse=True, return_counts=True)
    both = count[both_n]
    precision, recall = (both / np.bincount(of)[of] for of in (one_n, other_n))
    p, r = float(precision.mean()), float(recall.mean())
    return 2 * p * r / (p + r)
