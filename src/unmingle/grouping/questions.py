"""Which question to ask a person next: the one whose answer is likely to mend most.

Every question is about two groups of faces, now together or apart, and whether they are one person. If the answer is
what the clustering says, nothing was won; if not, moving the two together (or apart) mends 2ab / (a + b) faces of a and
b by BCubed: so much recall (or precision) comes back. A question is as useful as the faces that it can be expected to
mend. What may be wrong, and how likely that is, `grouping.doubts` says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from unmingle.grouping.cluster import canonical_order, unit_rows
from unmingle.grouping.constraints import Constraints
from unmingle.grouping.doubts import Doubts, Situation
from unmingle.grouping.stragglers import MOST_FACES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmingle.grouping.impostors import ImpostorCurve
    from unmingle.grouping.parts import Tree
    from unmingle.records import I64

Kind = Literal["people", "part", "face", "single"]

# Faces of a side that a person looks at.
SHOWN = 9
# So many times the questions wanted are compared when they are chosen.
CHOICE = 20
# Less than any useful question: what a question is worth that nobody could answer.
STALE = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Question:
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


def questions(
    vectors_nd: NDArray[Any],
    labels_n: I64,
    *,
    curve: ImpostorCurve,
    scale: float = 1.0,
    constraints: Constraints | None = None,
    asked_m2: I64 | None = None,
    most: int = 20,
    trees: dict[bytes, Tree] | None = None,
) -> tuple[Question, ...]:
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
        asked_m2: (m, 2) `Question.pairs` to which nobody knew the answer: asked again when nothing else is left.
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
    now = Situation.of(unit_nd[order_n], labels_n[order_n], curve, scale, known.taken(order_n), asked_m2)
    doubts = Doubts.of(now, trees)
    return tuple(_question(now, doubts, doubt, order_n) for doubt in _chosen(doubts, most).tolist())


def _chosen(doubts: Doubts, most: int) -> I64:
    """The best, by usefulness, of which few are about the same people; what nobody could answer comes last."""
    useful = doubts.useful_m
    ties = (doubts.part_m, doubts.second_m, doubts.first_m)
    order = np.lexsort((*ties, -useful, doubts.asked_m))[: CHOICE * most]
    sides = np.stack([doubts.first_m[order], doubts.second_m[order]])
    worth = np.where(doubts.asked_m[order], useful[order] * STALE, useful[order])
    chosen: list[int] = []
    for _ in range(min(most, len(order))):
        best = int(worth.argmax())
        chosen.append(best)
        first, second = sides[:, best]
        worth[(sides == first).any(axis=0) | (sides == second).any(axis=0)] /= 2
        worth[chosen] = -1
    return order[np.sort(np.array(chosen, np.int64))]


def _question(now: Situation, doubts: Doubts, doubt: int, order_n: I64) -> Question:
    """In the caller's rows."""
    one, other = doubts.sides(now, doubt)
    a, b = len(one), len(other)
    if doubts.part_m[doubt] >= 0:
        kind: Kind = "face" if a == 1 else "part"
    else:
        kind = "single" if a == 1 or a <= MOST_FACES < b else "people"
    chance = float(doubts.chance_m[doubt])
    return Question(kind, np.sort(order_n[one]), np.sort(order_n[other]), chance, float(doubts.gain_m[doubt]), a)
