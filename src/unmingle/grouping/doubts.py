"""What may be wrong in a clustering: two clusters that are one person, and one person who is two.

Both are pairs of groups of faces, and the same curve says how likely they are one person: how similar they are for
strangers of these sizes, among so many people (`confidence.FITTED.pair`). Two things are heard here that the curve
alone does not hear:

- A blurred face, a child, a face of a kind with many others is more similar to everybody, which must not count for
  anybody: the similarity is counted from what each group has with people in general, as for stragglers.
- Somebody seen from the front and from the side is two groups that are not alike on average, but where they meet: the
  most similar quarter of pairs counts where it says more than the average, as for fragments.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from unmingle.grouping.confidence import FITTED, Means, evidence, likely_pairs, probability
from unmingle.grouping.constraints import CannotLinks, Constraints, roots
from unmingle.grouping.fragments import best_quarters
from unmingle.grouping.parts import Parts
from unmingle.grouping.snapshot import Snapshot
from unmingle.grouping.stopping import FalseMergeBar
from unmingle.grouping.stragglers import PRIOR_HOSTS

if TYPE_CHECKING:
    from unmingle.grouping.impostors import ImpostorCurve
    from unmingle.grouping.parts import Tree
    from unmingle.records import F32, F64, I64, Bool

# Pairs of clusters looked at, and the probability they have to reach by the curve alone.
PAIRS = 20_000
LEAST_PAIR = 0.001
# Parts of people looked at, and of each person at most: the most useful by the curve alone.
PARTS = 20_000
PARTS_EACH = 8
# The most useful of all these are compared face by face, where a quarter is at least four pairs.
FACE_BY_FACE = 2000
LEAST_PAIRS = 16


@dataclass(frozen=True, slots=True, eq=False)
class Situation:
    """n faces as they are grouped now, c clusters, and what is decided.

    unit_nd:  (n, d) float32 unit vectors, in canonical order.
    clusters: a face that is alone is one too.
    order_n:  (n,) the faces, cluster after cluster.
    bar:      what similarity means here.
    known:    what is decided, and who was seen together.
    asked_m2: (m, 2) rows of questions to which nobody knew the answer.
    sum_d, product_dd: of the mean vectors of all clusters.
    """

    unit_nd: F32
    clusters: Means
    order_n: I64
    bar: FalseMergeBar
    known: Constraints
    asked_m2: I64
    sum_d: F64
    product_dd: F64

    @classmethod
    def of(
        cls, unit_nd: F32, labels_n: I64, curve: ImpostorCurve, scale: float, known: Constraints, asked_m2: I64
    ) -> Situation:
        """See `questions.questions` for the arguments."""
        alone = labels_n < 0
        own_n = np.where(alone, labels_n.max(initial=-1) + np.cumsum(alone), labels_n)
        clusters = Means.of(unit_nd, own_n)
        order_n = np.argsort(clusters.slot_n, kind="stable")
        mean_cd = clusters.mean_cd.astype(np.float64)
        bar = FalseMergeBar(curve=curve, expected=0.5, scale=scale)  # only its standard deviations are asked for
        return cls(unit_nd, clusters, order_n, bar, known, asked_m2, mean_cd.sum(axis=0), mean_cd.T @ mean_cd)

    def faces(self, cluster: int) -> I64:
        """The faces of a cluster, rising."""
        size_c = self.clusters.size_c
        stop = int(size_c[: cluster + 1].sum())
        return self.order_n[stop - int(size_c[cluster]) : stop]

    def settled(self) -> CannotLinks:
        """Which pairs of clusters need no question: seen together, decided to be two, or decided to be one."""
        known = self.known
        tied = np.unique(known.same_m2)
        # A person by decision is as good as a frame: two clusters that share it need no question.
        person = known.seen_k2[:, 1].max(initial=-1) + 1 + roots(known.same_m2, known.faces)[tied]
        groups = np.concatenate([known.seen_k2, np.stack([tied, person], axis=1)])
        return CannotLinks(Constraints(known.faces, groups, different_m2=known.different_m2), self.clusters.slot_n)

    def general(self, one: Side, other: Side) -> tuple[F64, F64]:
        """(m,), (m,): where strangers' similarities lie for two groups like these, in standard deviations: 0 and 1.

        Mean and deviation of the similarities of both groups to all other people.
        """
        sides = [self._to_others(side) for side in (one, other)]
        mean, variance = ((sides[0][moment] + sides[1][moment]) / 2 for moment in (0, 1))
        return mean, np.sqrt(variance)

    def _to_others(self, side: Side) -> tuple[F64, F64]:
        """Mean and variance of each group's similarity to other people; the standard normal counts as a few more."""
        clusters, curve = self.clusters, self.bar.curve
        mean_md, others = side.mean_md.astype(np.float64), max(0, len(clusters.size_c) - len(side.own))
        total = mean_md @ self.sum_d
        squares = np.einsum("md,md->m", mean_md @ self.product_dd, mean_md)
        for own in side.own:
            cosine = np.einsum("md,md->m", mean_md, clusters.mean_cd[own])
            total, squares = total - cosine, squares - cosine**2
        mean = total / max(1, others)
        small, rest = 1 / side.size_m, (1 / clusters.size_c).mean() if len(clusters.size_c) else 1.0
        # The variance of strangers' similarities to this group is linear in one over the size of the others.
        usual = self.bar.scale**2 * (curve.people + curve.faces * (small + rest) + curve.pairs * small * rest)
        variance = np.maximum(0, squares / max(1, others) - mean**2) / usual
        weight = others / (others + PRIOR_HOSTS)
        return weight * (mean - curve.mean) / np.sqrt(usual), 1 - weight + weight * variance

    def chance(self, z_m: F64, a: I64, b: I64) -> F64:
        """(m,) that groups of a and b faces, so many standard deviations more alike than strangers, are one person."""
        size_c = self.clusters.size_c
        mean_size = np.full(len(z_m), np.log(size_c.mean()) if len(size_c) else 0.0)
        return probability(np.stack([evidence(z_m, len(size_c)), 1 / np.minimum(a, b), mean_size], axis=1), FITTED.pair)


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One of the two groups in each of m doubts.

    mean_md: (m, d) float32, mean of its unit vectors. size_m: (m,) int64, its faces.
    own:     one or two clusters for each, (m,) int64, which are no people in general to it.
    """

    mean_md: F32
    size_m: I64
    own: tuple[I64, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Doubts:
    """m pairs of groups of which it may be wrong that they are apart, or together.

    first_m, second_m: (m,) int64, the clusters; the same for a part and the rest of a person.
    part_m:   (m,) int64, which of `parts` it is; -1 for two clusters.
    a_m, b_m: (m,) int64, faces of the two groups.
    chance_m: (m,) float64, that they are one person.
    mean_m, deviation_m: (m,) float64, of strangers' similarities to them; see `Situation.general`.
    asked_m:  (m,) bool, nobody knew the answer.
    parts:    the parts of people.
    """

    first_m: I64
    second_m: I64
    part_m: I64
    a_m: I64
    b_m: I64
    chance_m: F64
    mean_m: F64
    deviation_m: F64
    asked_m: Bool
    parts: Parts

    @classmethod
    def of(cls, now: Situation, trees: dict[bytes, Tree] | None) -> Doubts:
        """All that may be wrong and is not decided. trees: see `Parts.of`."""
        parts = _parts(now, trees)
        apart, together = _apart(now, parts), _together(now, parts)
        names = ("first_m", "second_m", "part_m", "a_m", "b_m", "chance_m", "mean_m", "deviation_m", "asked_m")
        column = {name: np.concatenate([getattr(apart, name), getattr(together, name)]) for name in names}
        return cls(**column, parts=parts)._face_by_face(now)

    @property
    def gain_m(self) -> F64:
        """(m,) faces that are mended (by BCubed) if it is wrong: recall if they are apart, precision if together."""
        return gain(self.a_m, self.b_m)

    @property
    def useful_m(self) -> F64:
        """(m,) faces that an answer can be expected to mend."""
        return self.gain_m * np.where(self.part_m >= 0, 1 - self.chance_m, self.chance_m)

    def sides(self, now: Situation, doubt: int) -> tuple[I64, I64]:
        """The faces of both groups, rising; the smaller first, of equals the one with the first face."""
        first, part = now.faces(int(self.first_m[doubt])), int(self.part_m[doubt])
        if part < 0:
            one, other = first, now.faces(int(self.second_m[doubt]))
        else:
            one = np.sort(self.parts.side(part, first, now.unit_nd))
            other = np.setdiff1d(first, one)
        return (other, one) if (len(other), other[0]) < (len(one), one[0]) else (one, other)

    def _face_by_face(self, now: Situation) -> Doubts:
        """The same, where the most similar quarter of pairs has been heard too."""
        near = np.argsort(-self.useful_m, kind="stable")[:FACE_BY_FACE]
        near = near[self.a_m[near] * self.b_m[near] >= LEAST_PAIRS]
        sides = [rows for doubt in near.tolist() for rows in self.sides(now, doubt)]
        size = np.array([len(rows) for rows in sides], np.int64)
        order = np.concatenate([np.zeros(0, np.int64), *sides])
        nothing = np.zeros((len(size), 0), np.float32)  # means are not asked for
        groups = Snapshot(np.arange(len(size)), order, nothing, size, order, np.cumsum(size) - size)
        pairs = np.arange(len(size)).reshape(-1, 2)
        a, b = size[pairs[:, 0]], size[pairs[:, 1]]
        z = now.bar.quarter_standard(best_quarters(now.unit_nd, groups, pairs), a, b)
        by_quarter = now.chance((z - self.mean_m[near]) / self.deviation_m[near], a, b)
        columns = self.chance_m.copy(), self.a_m.copy(), self.b_m.copy()  # of parts of samples, now the true sizes
        for column, value in zip(columns, (np.maximum(self.chance_m[near], by_quarter), a, b), strict=True):
            column[near] = value
        return replace(self, chance_m=columns[0], a_m=columns[1], b_m=columns[2])


def gain(a: I64, b: I64) -> F64:
    """Faces that BCubed gains when groups of a and b faces come together, or apart, as they should be."""
    result: F64 = 2 * a * b / (a + b)
    return result


def _apart(now: Situation, parts: Parts) -> Doubts:
    """Clusters that may be one person."""
    clusters = now.clusters
    found, _ = likely_pairs(
        clusters.mean_cd, clusters.size_c, now.bar.curve, scale=now.bar.scale, most=PAIRS, least=LEAST_PAIR
    )
    first, second = found[~now.settled().pairs(found[:, 0], found[:, 1])].T
    asked = CannotLinks(Constraints(len(now.unit_nd), different_m2=now.asked_m2), clusters.slot_n)
    a, b = clusters.size_c[first], clusters.size_c[second]
    one, other = clusters.mean_cd[first], clusters.mean_cd[second]
    mean, deviation = now.general(Side(one, a, (first, second)), Side(other, b, (first, second)))
    z = now.bar.standard(np.einsum("md,md->m", one, other), a, b)
    chance = now.chance((z - mean) / deviation, a, b)
    nowhere = np.full(len(a), -1)
    return Doubts(first, second, nowhere, a, b, chance, mean, deviation, asked.pairs(first, second), parts)


def _together(now: Situation, parts: Parts) -> Doubts:
    """Parts of people who may be somebody else."""
    clusters, slot, a = now.clusters, parts.slot_m, parts.size_m
    whole = clusters.size_c[slot]
    b = whole - a
    one = parts.means(now.unit_nd)
    other = ((whole[:, None] * clusters.mean_cd[slot] - a[:, None] * one) / b[:, None]).astype(np.float32)
    mean, deviation = now.general(Side(one, a, (slot,)), Side(other, b, (slot,)))
    z = now.bar.standard(parts.cosine_m.astype(np.float32), a, b)
    chance = now.chance((z - mean) / deviation, a, b)
    asked = parts.divide(now.asked_m2, clusters.slot_n)
    return Doubts(slot, slot, np.arange(len(a)), a, b, chance, mean, deviation, asked, parts)


def _parts(now: Situation, trees: dict[bytes, Tree] | None) -> Parts:
    """The most useful parts of people by the curve alone, and not many of one person."""
    clusters, known = now.clusters, now.known
    parts = Parts.of(now.unit_nd, clusters.slot_n, clusters.size_c, roots(known.same_m2, known.faces), trees)
    parts = parts.take(np.flatnonzero(~parts.divide(known.different_m2, clusters.slot_n)))
    a, b = parts.size_m, clusters.size_c[parts.slot_m] - parts.size_m
    useful = gain(a, b) * (1 - now.chance(now.bar.standard(parts.cosine_m.astype(np.float32), a, b), a, b))
    order = np.lexsort((-useful, parts.slot_m))
    slot = parts.slot_m[order]
    order = order[np.arange(len(order)) - np.searchsorted(slot, slot) < PARTS_EACH]
    return parts.take(np.sort(order[np.argsort(-useful[order], kind="stable")[:PARTS]]))
