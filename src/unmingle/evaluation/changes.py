"""Two groupings of the same faces: who is who, which people are the same, and what became of each face.

Who is who is the one-to-one assignment with the most faces in agreement. Among assignments of equal agreement, the one
with the highest F1 is taken (see `metrics.assign`), and what is still a tie is settled by the order of the faces:
neither ids, nor which grouping comes first, have a say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unmingle.evaluation.metrics import (
    Contingency,
    adjusted_mutual_information,
    adjusted_rand,
    assign,
    bcubed,
    contingency,
    pairwise,
)
from unmingle.records import check_shape

if TYPE_CHECKING:
    from unmingle.records import I64

    Parts = dict[int, tuple[tuple[int, int], ...]]

NOBODY = -1
# What became of a face: in two people who are one another's; in two who are not; somebody's in one grouping only; in
# neither.
SAME, MOVED, ONLY_A, ONLY_B, NEITHER = range(5)


@dataclass(frozen=True, slots=True)
class Agreement:
    """How alike two groupings are; each at most 1, which is the same. A face of nobody is a group of its own.

    pairwise, bcubed: F, the same whichever grouping is taken for the truth.
    ari, ami:         adjusted for chance, which is 0.
    """

    pairwise: float
    bcubed: float
    ari: float
    ami: float


@dataclass(frozen=True, slots=True, eq=False)
class Changes:
    """Two groupings, a and b, of n faces.

    b_of:    of each person of a who has a counterpart in b, that one.
    fate_n:  (n,) int64, what became of each face.
    parts_a: for each person of a, the largest first: (person of b, faces that they share), the most first, NOBODY last.
    parts_b: for each person of b, likewise.
    agreement: None of no faces.
    """

    b_of: dict[int, int]
    fate_n: I64
    parts_a: Parts
    parts_b: Parts
    agreement: Agreement | None

    @property
    def same(self) -> list[tuple[int, int]]:
        """The people who have the same faces in both."""
        alone = [(a, parts[0][0]) for a, parts in self.parts_a.items() if len(parts) == 1]
        return [(a, b) for a, b in alone if b != NOBODY and len(self.parts_b[b]) == 1]

    @property
    def split(self) -> list[int]:
        """The people of a whose faces belong to two people or more in b."""
        return _of_several(self.parts_a)

    @property
    def merged(self) -> list[int]:
        """The people of b whose faces belong to two people or more in a."""
        return _of_several(self.parts_b)

    @property
    def gone(self) -> list[int]:
        """The people of a none of whose faces is anybody's in b."""
        return _of_nobody(self.parts_a)

    @property
    def new(self) -> list[int]:
        """The people of b none of whose faces is anybody's in a."""
        return _of_nobody(self.parts_b)


def compare_groupings(a_n: I64, b_n: I64) -> Changes:
    """What changed between two groupings of n faces.

    Args:
        a_n: (n,) integers, whose each face is in the one; below 0 for nobody's.
        b_n: (n,) likewise in the other.
    """
    a_n, b_n = (np.where(one >= 0, one, NOBODY).astype(np.int64) for one in (a_n, b_n))
    check_shape("b_n", b_n, (len(a_n),))
    pair_z2, count_z = np.unique(np.stack([a_n, b_n], axis=1), axis=0, return_counts=True)
    b_of = _counterparts(a_n, b_n)
    counterpart_n = np.array([b_of.get(a, NOBODY) for a in a_n.tolist()], np.int64).reshape(-1)
    somebody_a, somebody_b = a_n != NOBODY, b_n != NOBODY
    fate_n = np.select(
        [~somebody_a & ~somebody_b, ~somebody_b, ~somebody_a, counterpart_n == b_n],
        [NEITHER, ONLY_A, ONLY_B, SAME],
        MOVED,
    ).astype(np.int64)
    parts_a, parts_b = _parts(pair_z2, count_z), _parts(pair_z2[:, ::-1], count_z)
    return Changes(b_of, fate_n, parts_a, parts_b, _agreement(a_n, b_n) if len(a_n) else None)


def _agreement(a_n: I64, b_n: I64) -> Agreement:
    single_n = NOBODY - 1 - np.arange(len(a_n))
    table = contingency(np.where(a_n == NOBODY, single_n, a_n), b_n)
    return Agreement(
        pairwise=pairwise(table).f1,
        bcubed=bcubed(table).f1,
        ari=adjusted_rand(table),
        ami=adjusted_mutual_information(table),
    )


def _counterparts(a_n: I64, b_n: I64) -> dict[int, int]:
    a_ids, a_rank_n = _by_first_face(a_n)
    b_ids, b_rank_n = _by_first_face(b_n)
    differ = np.flatnonzero(a_rank_n != b_rank_n)
    if len(differ) and b_rank_n[differ[0]] < a_rank_n[differ[0]]:
        return {b: a for a, b in _assigned(b_ids, b_rank_n, a_ids, a_rank_n)}
    return dict(_assigned(a_ids, a_rank_n, b_ids, b_rank_n))


def _by_first_face(whose_n: I64) -> tuple[I64, I64]:
    """The people in the order of their first faces, and (n,) the position of each face's person there, or NOBODY."""
    inside = np.flatnonzero(whose_n != NOBODY)
    ids, first, at = np.unique(whose_n[inside], return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty(len(ids), np.int64)
    rank[order] = np.arange(len(ids))
    rank_n = np.full(len(whose_n), NOBODY)
    rank_n[inside] = rank[at]
    return ids[order], rank_n


def _assigned(row_ids: I64, row_n: I64, column_ids: I64, column_n: I64) -> list[tuple[int, int]]:
    """The best one-to-one assignment of two groupings, by ids."""
    both = (row_n != NOBODY) & (column_n != NOBODY)
    pair_z2, count_z = np.unique(np.stack([row_n[both], column_n[both]], axis=1), axis=0, return_counts=True)
    table = Contingency(
        people=tuple(map(str, row_ids.tolist())),
        clusters=column_ids,
        row_z=pair_z2[:, 0],
        column_z=pair_z2[:, 1],
        count_z=count_z.astype(np.int64),
        size_p=np.bincount(row_n[row_n != NOBODY], minlength=len(row_ids)),
        size_c=np.bincount(column_n[column_n != NOBODY], minlength=len(column_ids)),
        left_p=np.bincount(row_n[(row_n != NOBODY) & ~both], minlength=len(row_ids)),
    )
    row_c = assign(table).tolist()
    return [(int(row_ids[row]), int(column_ids[c])) for c, row in enumerate(row_c) if row >= 0]


def _parts(pair_z2: I64, count_z: I64) -> Parts:
    found: dict[int, list[tuple[int, int]]] = {}
    for (person, other), count in zip(pair_z2.tolist(), count_z.tolist(), strict=True):
        if person != NOBODY:
            found.setdefault(person, []).append((other, count))
    order = sorted(found, key=lambda person: (-sum(faces for _, faces in found[person]), person))
    return {
        person: tuple(sorted(found[person], key=lambda part: (part[0] == NOBODY, -part[1], part[0])))
        for person in order
    }


def _of_several(parts: Parts) -> list[int]:
    return [person for person, shares in parts.items() if sum(other != NOBODY for other, _ in shares) > 1]


def _of_nobody(parts: Parts) -> list[int]:
    return [person for person, shares in parts.items() if shares[0][0] == NOBODY]
