"""Which question to ask a person next: the one whose answer is likely to mend most.

Every question is about two groups of faces, now together (a split candidate) or apart (a merge candidate), and whether
they are one person. Moving two groups of a and b together or apart, as they should be, mends 2ab / (a + b) faces by
BCubed; a question is as useful as the faces that it can be expected to mend. How likely two groups are one person, the
curve of `confidence` says, with two more things heard:

- A blurred face, a child, a face of a kind with many others is more similar to everybody: the similarity is counted
  from what each group has with people in general.
- Somebody seen from the front and from the side is two groups that are alike only where they meet: the top quartile
  counts where it says more than the average.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from unmingle.grouping.attach import PRIOR, Cohort
from unmingle.grouping.clusters import SAMPLE, canonical_order, top_quartile, unit_rows
from unmingle.grouping.confidence import label_means, likely_pairs, pair_chance
from unmingle.grouping.constraints import CannotLinks, Constraints, roots
from unmingle.grouping.refine import FRAGMENT_FACES
from unmingle.grouping.split_candidates import SplitCandidates
from unmingle.grouping.threshold import FalseMergeThreshold

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmingle.grouping.impostors import ImpostorModel
    from unmingle.grouping.split_candidates import Branches
    from unmingle.records import F32, F64, I64, Bool

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
# Less than any useful question: what a question is worth that nobody could answer.
STALE = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Suggestion:
    """Are these one person?

    kind:  "people": two people who may be one; "single": a face that is alone, or a tiny person, who may belong to a
        person; "part": a part of a person who may be somebody else; "face": a face of a person that may be wrong.
        The sides of the first two are apart now, those of the other two together.
    one:   (a,) int64, rows of the smaller side, rising: the single face, the part, the doubtful face.
    other: (b,) int64, rows of the other side, rising; for a part or a face the rest of its person.
    probability: that they are one person, 0 to 1.
    gain:  faces that are mended if the clustering is wrong here, by BCubed: 2ab / (a + b).
    settles: faces whose place the answer settles, those of the smaller side.
    """

    kind: Kind
    one: I64
    other: I64
    probability: float
    gain: float
    settles: int

    @property
    def together(self) -> bool:
        """Whether the two sides are one person now."""
        return self.kind in ("part", "face")

    @property
    def usefulness(self) -> float:
        """Faces that the answer can be expected to mend."""
        return self.gain * (1 - self.probability if self.together else self.probability)

    def pairs(self) -> I64:
        """(m, 2) the rows that an answer is about: for `Constraints`, or for `asked_m2`.

        Each face of the smaller side, or as many of them as a person looks at, with one of the other: enough for none
        of them to be asked about again.
        """
        shown = self.one[np.arange(min(SHOWN, len(self.one))) * len(self.one) // min(SHOWN, len(self.one))]
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
    """The most useful questions, in that order; the same faces in another order get the same ones.

    No question is asked to which the constraints know the answer: pairs that were decided, faces that were confirmed,
    people who were seen together. Few of those returned are about the same people: each further one about somebody
    counts half as much as the one before.

    Args:
        vectors_nd: (n, d) finite numbers, only their directions count.
        labels_n: (n,) person of each face as it is now; negative for faces that are alone.
        curve: how similar strangers are to the model.
        scale: how much wider they spread in this collection; the note "scale" of the clustering.
        constraints: what is decided, and who was seen together. None: nothing.
        asked_m2: (m, 2) `Suggestion.pairs` to which nobody knew the answer: asked again when nothing else is left.
        most: how many to return at most.
        trees: a dict to keep between calls for the same vectors, and to give again: people who did not change are not
            looked at anew.

    Raises:
        SettingsError: a vector is zero or not finite.
    """
    unit_nd = unit_rows(vectors_nd)
    order_n = canonical_order(unit_nd)
    known = Constraints(len(unit_nd)) if constraints is None else constraints
    asked = known if asked_m2 is None else Constraints(len(unit_nd), same_m2=asked_m2)
    asked_m2 = np.zeros((0, 2), np.int64) if asked_m2 is None else asked.taken(order_n).same_m2
    now = _Grouping.of(unit_nd[order_n], labels_n[order_n], curve, scale, known.taken(order_n), asked_m2)
    splits = _splits(now, trees)
    candidates = _face_by_face(now, _Candidates.joined(_merge_candidates(now), _split_candidates(now, splits)), splits)
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
    """n faces as they are grouped now, c clusters (a face that is alone is one too), and what is decided.

    order_n: (n,) the faces, cluster after cluster. asked_m2: (m, 2) rows of questions nobody could answer.
    people:  of the mean vectors of all clusters.
    """

    unit_nd: F32
    slot_n: I64
    mean_cd: F32
    size_c: I64
    order_n: I64
    threshold: FalseMergeThreshold
    known: Constraints
    asked_m2: I64
    people: Cohort

    @classmethod
    def of(
        cls, unit_nd: F32, labels_n: I64, curve: ImpostorModel, scale: float, known: Constraints, asked_m2: I64
    ) -> _Grouping:
        alone = labels_n < 0
        own_n = np.where(alone, labels_n.max(initial=-1) + np.cumsum(alone), labels_n)
        slot_n = np.unique(own_n, return_inverse=True)[1]
        mean_cd, size_c = label_means(unit_nd, own_n)
        threshold = FalseMergeThreshold(curve=curve, expected=0.5, scale=scale)  # only its deviations are asked for
        order_n = np.argsort(slot_n, kind="stable")
        return cls(unit_nd, slot_n, mean_cd, size_c, order_n, threshold, known, asked_m2, Cohort.of(mean_cd))

    def faces(self, cluster: int) -> I64:
        stop = int(self.size_c[: cluster + 1].sum())
        return self.order_n[stop - int(self.size_c[cluster]) : stop]

    def to_people(self, mean_md: F32, size_m: I64, own: tuple[I64, ...]) -> tuple[F64, F64]:
        """(m,), (m,): mean and variance of each group's similarity to other people, in standard deviations.

        The standard normal counts as a few more. own: one or two clusters for each group, which are no others to it.
        """
        curve, others = self.threshold.curve, max(0, len(self.size_c) - len(own))
        cosines = np.array([np.einsum("md,md->m", mean_md.astype(np.float64), self.mean_cd[one]) for one in own])
        left = np.full(len(size_m), float(len(own)))
        _, mean, variance = self.people.moments(mean_md, left, cosines.sum(axis=0), (cosines**2).sum(axis=0))
        small, rest = 1 / size_m, (1 / self.size_c).mean() if len(self.size_c) else 1.0
        # The variance of strangers' similarities to this group is linear in one over the size of the others.
        usual = self.threshold.scale**2 * (curve.people + curve.faces * (small + rest) + curve.pairs * small * rest)
        weight = others / (others + PRIOR)
        variance = np.maximum(0, variance) / usual
        return weight * (mean - curve.mean) / np.sqrt(usual), 1 - weight + weight * variance

    def chance(self, z_m: F64, a: I64, b: I64) -> F64:
        return pair_chance(z_m, np.minimum(a, b), self.size_c)


@dataclass(frozen=True, slots=True, eq=False)
class _Candidates:
    """m pairs of groups of which it may be wrong that they are apart, or together.

    first_m, second_m: (m,) int64, the clusters; the same for a part and the rest of a person.
    split_m:  (m,) int64, which split candidate it is; -1 for two clusters.
    a_m, b_m: (m,) int64, faces of the two groups.
    chance_m: (m,) float64, that they are one person.
    mean_m, deviation_m: (m,) float64, of strangers' similarities to them, in standard deviations: usually 0 and 1.
    asked_m:  (m,) bool, nobody knew the answer.
    """

    first_m: I64
    second_m: I64
    split_m: I64
    a_m: I64
    b_m: I64
    chance_m: F64
    mean_m: F64
    deviation_m: F64
    asked_m: Bool

    @classmethod
    def joined(cls, *parts: _Candidates) -> _Candidates:
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in cls.__slots__))

    @property
    def gain_m(self) -> F64:
        """(m,) faces that are mended (by BCubed) if it is wrong: recall if they are apart, precision if together."""
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
    a, b, one, other = now.size_c[first], now.size_c[second], now.mean_cd[first], now.mean_cd[second]
    own = first, second
    (mean, variance), (other_mean, other_variance) = now.to_people(one, a, own), now.to_people(other, b, own)
    mean, deviation = (mean + other_mean) / 2, np.sqrt((variance + other_variance) / 2)
    z = now.threshold.standard(np.einsum("md,md->m", one, other), a, b)
    chance = now.chance((z - mean) / deviation, a, b)
    asked = CannotLinks(Constraints(known.faces, different_m2=now.asked_m2), now.slot_n).pairs(first, second)
    return _Candidates(first, second, np.full(len(a), -1), a, b, chance, mean, deviation, asked)


def _splits(now: _Grouping, trees: dict[bytes, Branches] | None) -> SplitCandidates:
    """The most useful ways to split people by the curve alone, and not many of one person."""
    known = now.known
    splits = SplitCandidates.of(now.unit_nd, now.slot_n, now.size_c, roots(known.same_m2, known.faces), trees)
    splits = splits.take(np.flatnonzero(~splits.divide(known.different_m2, now.slot_n)))
    a, b = splits.size_m, now.size_c[splits.slot_m] - splits.size_m
    z = now.threshold.standard(splits.cosine_m.astype(np.float32), a, b)
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
    (mean, variance), (other_mean, other_variance) = now.to_people(one, a, (slot,)), now.to_people(other, b, (slot,))
    mean, deviation = (mean + other_mean) / 2, np.sqrt((variance + other_variance) / 2)
    z = now.threshold.standard(splits.cosine_m.astype(np.float32), a, b)
    chance = now.chance((z - mean) / deviation, a, b)
    asked = splits.divide(now.asked_m2, now.slot_n)
    return _Candidates(slot, slot, np.arange(len(a)), a, b, chance, mean, deviation, asked)


def _sides(now: _Grouping, candidates: _Candidates, splits: SplitCandidates, i: int) -> tuple[I64, I64]:
    """The faces of both groups, rising; the smaller first, of equals the one with the first face."""
    first, split = now.faces(int(candidates.first_m[i])), int(candidates.split_m[i])
    if split < 0:
        one, other = first, now.faces(int(candidates.second_m[i]))
    else:
        one = np.sort(splits.side(split, first, now.unit_nd))
        other = np.setdiff1d(first, one)
    return (other, one) if (len(other), other[0]) < (len(one), one[0]) else (one, other)


def _face_by_face(now: _Grouping, candidates: _Candidates, splits: SplitCandidates) -> _Candidates:
    """The same, where the most similar quarter of pairs has been heard too, of the most useful."""
    near = np.argsort(-candidates.useful_m, kind="stable")[:FACE_BY_FACE]
    near = near[candidates.a_m[near] * candidates.b_m[near] >= LEAST_PAIRS]
    quartile, size = np.empty(len(near)), np.empty((len(near), 2), np.int64)
    for i, candidate in enumerate(near.tolist()):
        sides = _sides(now, candidates, splits, candidate)
        size[i] = [len(rows) for rows in sides]
        spread = [rows[np.arange(min(len(rows), SAMPLE)) * len(rows) // min(len(rows), SAMPLE)] for rows in sides]
        quartile[i] = top_quartile(now.unit_nd[spread[0]][None], now.unit_nd[spread[1]][None])[0]
    a, b = size.T
    z = now.threshold.quartile_standard(quartile, a, b)
    chance = now.chance((z - candidates.mean_m[near]) / candidates.deviation_m[near], a, b)
    columns = candidates.chance_m.copy(), candidates.a_m.copy(), candidates.b_m.copy()  # the true sizes, of samples
    for column, value in zip(columns, (np.maximum(candidates.chance_m[near], chance), a, b), strict=True):
        column[near] = value
    return replace(candidates, chance_m=columns[0], a_m=columns[1], b_m=columns[2])


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
