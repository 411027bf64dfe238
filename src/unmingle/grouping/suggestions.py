"""Which question to ask a person next: the one whose answer is likely to mend most.

Each is about two groups of faces, apart now or together, and whether they are one person. To put groups of a and b
faces right mends 2ab / (a + b) of them by BCubed; the probability comes from `confidence`, with scores counted from
what each group has with people in general, and the top quartile where it says more than the average.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from unmingle.grouping.attach import Cohort
from unmingle.grouping.clusters import SAMPLE, canonical_order, top_quartile, unit_rows
from unmingle.grouping.confidence import label_means, likely_pairs, pair_chance, weakness
from unmingle.grouping.constraints import CannotLinks, Constraints, roots
from unmingle.grouping.index import dot_pairs, spaced
from unmingle.grouping.refine import FRAGMENT_FACES
from unmingle.grouping.split_candidates import SplitCandidates
from unmingle.grouping.threshold import FalseMergeThreshold, cluster_excess, standard_query

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmingle.grouping.impostors import ImpostorModel
    from unmingle.grouping.split_candidates import Branches
    from unmingle.records import F32, F64, I64, Bool

    Sides = tuple[tuple[F32, I64], tuple[F32, I64]]

Kind = Literal["people", "part", "face", "single"]

# Pairs of clusters looked at, and the probability they have to reach by the curve alone.
PAIRS = 20_000
LEAST_PAIR = 0.001
# Split candidates looked at, and of each person at most: the most useful by the curve alone.
SPLITS = 20_000
SPLITS_EACH = 8
# The most useful of all these are compared face by face, where a quarter is at least four pairs.
FACE_BY_FACE = 2000
LEAST_PAIRS = 16
# Faces of a side that a person looks at.
SHOWN = 9
# So many times the suggestions wanted are compared when they are chosen.
CHOICE = 20
# What a question is worth that nobody could answer: less than any useful one.
STALE = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Suggestion:
    """Are these one person?

    kind: "people": two people who may be one; "single": a face that is alone, or a tiny person, who may belong to a
        person; "part": a part of a person who may be somebody else; "face": a face of a person that may be wrong.
    """

    kind: Kind
    one: I64  # rows of the smaller side, rising: the single face, the part, the doubtful face
    other: I64  # rows of the other side, rising; for a part or a face the rest of its person
    probability: float  # that they are one person
    gain: float  # faces that are mended if the clustering is wrong here
    settles: int  # faces whose place the answer settles

    @property
    def together(self) -> bool:
        """Whether the two sides are one person now."""
        return self.kind in ("part", "face")

    def pairs(self) -> I64:
        """(m, 2) rows that an answer is about, for `Constraints` or `asked_m2`: enough for nobody to be asked again."""
        shown = self.one[spaced(len(self.one), SHOWN)]
        return np.stack([shown, np.full(len(shown), self.other[0])], axis=1)


def suggest(
    vectors_nd: NDArray[Any],
    labels_n: I64,
    *,
    curve: ImpostorModel,
    scale: float = 1.0,
    constraints: Constraints | None = None,
    asked_m2: I64 | None = None,
    most: int = 20,
    trees: dict[bytes, Branches] | None = None,
) -> tuple[Suggestion, ...]:
    """The most useful questions to which the constraints don't know the answer, whatever the order of the faces.

    Each further question about somebody counts half as much as the one before. labels_n: below 0 for faces that are
    alone. asked_m2: `Suggestion.pairs` nobody could answer, asked again last. trees: a dict to keep between calls for
    the same vectors, so that people who did not change are not looked at anew.
    """
    unit_nd = unit_rows(vectors_nd)
    order_n = canonical_order(unit_nd)
    known = Constraints(len(unit_nd)) if constraints is None else constraints
    asked = Constraints(len(unit_nd)) if asked_m2 is None else Constraints(len(unit_nd), different_m2=asked_m2)
    threshold = FalseMergeThreshold(curve=curve, expected=0.5, scale=scale)  # only its scores are asked for
    now = _Grouping.of(unit_nd[order_n], labels_n[order_n], threshold, known.taken(order_n), asked.taken(order_n))
    splits = _splits(now, trees)
    candidates = _Candidates.joined(_merge_candidates(now), _split_candidates(now, splits))
    _compare_face_by_face(now, candidates, splits)
    found = []
    for i in _chosen(candidates, most).tolist():
        one, other = _sides(now, candidates, splits, i)
        a, b = len(one), len(other)
        if candidates.split_m[i] >= 0:
            kind: Kind = "face" if a == 1 else "part"
        else:
            kind = "single" if a == 1 or a <= FRAGMENT_FACES < b else "people"
        rows = np.sort(order_n[one]), np.sort(order_n[other])
        chance, gain = float(candidates.chance_m[i]), float(candidates.gain_m[i])
        found.append(Suggestion(kind, *rows, chance, gain, a))
    return tuple(found)


@dataclass(frozen=True, slots=True, eq=False)
class _Grouping:
    """n faces as they are grouped now, in c clusters (a face that is alone is one too), and what is decided."""

    unit_nd: F32
    slot_n: I64
    mean_cd: F32
    size_c: I64
    order_n: I64  # the faces, cluster after cluster
    threshold: FalseMergeThreshold
    known: Constraints
    asked: Constraints  # different people, as far as nobody could answer
    people_cd: F64  # the means as `standard_query` needs them
    people: Cohort  # of these
    excess_c: F64  # how much more alike strangers are in the place of each cluster
    weak: float  # see `weakness`

    @classmethod
    def of(
        cls, unit_nd: F32, labels_n: I64, threshold: FalseMergeThreshold, known: Constraints, asked: Constraints
    ) -> _Grouping:
        alone = labels_n < 0
        own_n = np.where(alone, labels_n.max(initial=-1) + np.cumsum(alone), labels_n)
        slot_n = np.unique(own_n, return_inverse=True)[1]
        mean_cd, size_c = label_means(unit_nd, own_n)
        order_n = np.argsort(slot_n, kind="stable")
        people_cd = np.insert(mean_cd.astype(np.float64), mean_cd.shape[1], -threshold.curve.mean, axis=1)
        people, curve = Cohort.of(people_cd), threshold.curve
        excess_c, weak = cluster_excess(mean_cd, size_c, curve), weakness(mean_cd, size_c, curve, scale=threshold.scale)
        return cls(
            unit_nd, slot_n, mean_cd, size_c, order_n, threshold, known, asked, people_cd, people, excess_c, weak
        )

    def faces(self, cluster: int) -> I64:
        stop = int(self.size_c[: cluster + 1].sum())
        return self.order_n[stop - int(self.size_c[cluster]) : stop]

    def to_people(self, mean_md: F32, size_m: I64, own: tuple[I64, ...]) -> tuple[F64, F64]:
        """(m,), (m,) mean and deviation of the scores of m groups with people other than their `own` one or two."""
        curve = self.threshold.curve
        small, rest = 1 / size_m, (1 / self.size_c).mean() if len(self.size_c) else 1.0
        # The variance of strangers' similarities to this group is linear in one over the size of the others.
        usual = curve.people + curve.faces * (small + rest) + curve.pairs * small * rest
        rows = standard_query(mean_md) / (self.threshold.scale * np.sqrt(usual))[:, None]
        z = np.array([np.einsum("md,md->m", rows, self.people_cd[one]) for one in own])
        left = np.full(len(size_m), float(len(own)))
        return self.people.normal(rows, left, z.sum(axis=0), (z**2).sum(axis=0), least=0)

    def chance(self, z_m: F64, a: I64, b: I64) -> F64:
        return pair_chance(z_m, np.minimum(a, b), len(self.size_c), self.weak)


@dataclass(frozen=True, slots=True, eq=False)
class _Candidates:
    """m pairs of groups of which it may be wrong that they are apart, or together."""

    first_m: I64  # the clusters; the same twice for a part and the rest of a person
    second_m: I64
    split_m: I64  # which split candidate it is; -1 for two clusters
    a_m: I64  # faces of the two groups
    b_m: I64
    chance_m: F64  # that they are one person
    mean_m: F64  # of scores with people in general: usually 0, with a deviation of 1
    deviation_m: F64
    asked_m: Bool  # whether nobody knew the answer

    @classmethod
    def of(
        cls, now: _Grouping, own: tuple[I64, ...], split_m: I64, sides: Sides, cosine_m: F32, asked_m: Bool
    ) -> _Candidates:
        """Of two groups, each given by its means and sizes, that are of the clusters `own`."""
        (one, a), (other, b) = sides
        (mean, deviation), (other_mean, other_deviation) = now.to_people(one, a, own), now.to_people(other, b, own)
        mean, deviation = (mean + other_mean) / 2, np.sqrt((deviation**2 + other_deviation**2) / 2)
        beyond = cosine_m - (now.excess_c[own[0]] + now.excess_c[own[-1]]) / 2
        chance = now.chance((now.threshold.standard(beyond, a, b) - mean) / deviation, a, b)
        return cls(own[0], own[-1], split_m, a, b, chance, mean, deviation, asked_m)

    @classmethod
    def joined(cls, *parts: _Candidates) -> _Candidates:
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in cls.__slots__))

    @property
    def gain_m(self) -> F64:
        """(m,) faces that are mended if it is wrong."""
        return _gain(self.a_m, self.b_m)

    @property
    def useful_m(self) -> F64:
        """(m,) faces that an answer can be expected to mend."""
        return self.gain_m * np.where(self.split_m >= 0, 1 - self.chance_m, self.chance_m)


def _gain(a: I64, b: I64) -> F64:
    result: F64 = 2 * a * b / (a + b)
    return result


def _merge_candidates(now: _Grouping) -> _Candidates:
    """Clusters that may be one person, of which no frame and no decision knows."""
    known, curve, scale = now.known, now.threshold.curve, now.threshold.scale
    found, _ = likely_pairs(now.mean_cd, now.size_c, curve, scale=scale, most=PAIRS, least=LEAST_PAIR)
    tied = np.unique(known.same_m2)
    # A person by decision is as good as a frame: two clusters that share it need no question.
    person = known.seen_k2[:, 1].max(initial=-1) + 1 + roots(known.same_m2, known.faces)[tied]
    groups = np.concatenate([known.seen_k2, np.stack([tied, person], axis=1)])
    settled = CannotLinks(Constraints(known.faces, groups, different_m2=known.different_m2), now.slot_n)
    first, second = found[~settled.pairs(found[:, 0], found[:, 1])].T
    sides = (now.mean_cd[first], now.size_c[first]), (now.mean_cd[second], now.size_c[second])
    cosine = dot_pairs(now.mean_cd, first, now.mean_cd, second)
    asked = CannotLinks(now.asked, now.slot_n).pairs(first, second)
    return _Candidates.of(now, (first, second), np.full(len(first), -1), sides, cosine, asked)


def _splits(now: _Grouping, trees: dict[bytes, Branches] | None) -> SplitCandidates:
    """The most useful ways to split people by the curve alone, and not many of one person."""
    known = now.known
    splits = SplitCandidates.of(now.unit_nd, now.slot_n, now.size_c, roots(known.same_m2, known.faces), trees)
    splits = splits.take(np.flatnonzero(~splits.divide(known.different_m2, now.slot_n)))
    a, b = splits.size_m, now.size_c[splits.slot_m] - splits.size_m
    z = now.threshold.standard(splits.cosine_m - now.excess_c[splits.slot_m], a, b)
    useful = _gain(a, b) * (1 - now.chance(z, a, b))
    order = np.lexsort((-useful, splits.slot_m))
    slot = splits.slot_m[order]
    order = order[np.arange(len(order)) - np.searchsorted(slot, slot) < SPLITS_EACH]
    return splits.take(np.sort(order[np.argsort(-useful[order], kind="stable")[:SPLITS]]))


def _split_candidates(now: _Grouping, splits: SplitCandidates) -> _Candidates:
    """Parts of people who may be somebody else."""
    slot, a = splits.slot_m, splits.size_m
    whole = now.size_c[slot]
    b = whole - a
    one = splits.means(now.unit_nd)
    other = ((whole[:, None] * now.mean_cd[slot] - a[:, None] * one) / b[:, None]).astype(np.float32)
    cosine, asked = splits.cosine_m.astype(np.float32), splits.divide(now.asked.different_m2, now.slot_n)
    return _Candidates.of(now, (slot,), np.arange(len(a)), ((one, a), (other, b)), cosine, asked)


def _sides(now: _Grouping, candidates: _Candidates, splits: SplitCandidates, i: int) -> tuple[I64, I64]:
    """The faces of both groups, rising; the smaller first, of equals the one with the first face."""
    first, split = now.faces(int(candidates.first_m[i])), int(candidates.split_m[i])
    if split < 0:
        one, other = first, now.faces(int(candidates.second_m[i]))
    else:
        one = np.sort(splits.side(split, first, now.unit_nd))
        other = np.setdiff1d(first, one)
    return (other, one) if (len(other), other[0]) < (len(one), one[0]) else (one, other)


def _compare_face_by_face(now: _Grouping, candidates: _Candidates, splits: SplitCandidates) -> None:
    """Raise the chances of the most useful candidates where the top quartile says more."""
    near = np.argsort(-candidates.useful_m, kind="stable")[:FACE_BY_FACE]
    near = near[candidates.a_m[near] * candidates.b_m[near] >= LEAST_PAIRS]
    quartile, size = np.empty(len(near)), np.empty((len(near), 2), np.int64)
    for i, candidate in enumerate(near.tolist()):
        sides = _sides(now, candidates, splits, candidate)
        size[i] = [len(rows) for rows in sides]
        one, other = (now.unit_nd[rows[spaced(len(rows), SAMPLE)]] for rows in sides)
        quartile[i] = top_quartile(one[None], other[None])[0]
    a, b = size.T
    quartile -= (now.excess_c[candidates.first_m[near]] + now.excess_c[candidates.second_m[near]]) / 2
    z = now.threshold.quartile_standard(quartile, a, b)
    chance = now.chance((z - candidates.mean_m[near]) / candidates.deviation_m[near], a, b)
    np.maximum.at(candidates.chance_m, near, chance)
    candidates.a_m[near], candidates.b_m[near] = a, b  # which were estimates for samples


def _chosen(candidates: _Candidates, most: int) -> I64:
    """The best, by usefulness, of which few are about the same people; what nobody could answer comes last."""
    useful, asked = candidates.useful_m, candidates.asked_m
    ties = (candidates.split_m, candidates.second_m, candidates.first_m)
    order = np.lexsort((*ties, -useful, asked))[: CHOICE * most]
    sides = np.stack([candidates.first_m[order], candidates.second_m[order]])
    worth = np.where(asked[order], useful[order] * STALE, useful[order])
    chosen: list[int] = []
    for _ in range(min(most, len(order))):
        best = int(worth.argmax())
        chosen.append(best)
        first, second = sides[:, best]
        worth[(sides == first).any(axis=0) | (sides == second).any(axis=0)] /= 2
        worth[chosen] = -1
    return order[np.sort(np.array(chosen, np.int64))]
