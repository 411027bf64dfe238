"""Faces to be grouped and what decisions say of them, by position: the terms of the grouping."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from unmingle.grouping.constraints import Constraints

if TYPE_CHECKING:
    from collections.abc import Iterable

    from unmingle.records import I64
    from unmingle.store.people import Memory
    from unmingle.store.pictures import StoredFaces


class Rows:
    """The n faces that are to be grouped, and who is whom among them by decision.

    Args:
        memory: what is decided.
        faces: the n faces.

    Attributes:
        person_of: the person that a row stands for.
        held: the rows that stand for each person, in the order in which decisions first named them.
    """

    def __init__(self, memory: Memory, faces: StoredFaces) -> None:
        self._memory = memory
        self._row_of = {face: row for row, face in enumerate(faces.ids.tolist())}
        self.person_of: dict[int, int] = {}
        self.held: dict[int, list[int]] = {}
        for place, person in sorted(memory.standing.person_of.items()):
            row = self._of(place)
            if row is not None and row not in self.person_of:
                self.person_of[row] = person
                self.held.setdefault(person, []).append(row)

    def _of(self, place: int) -> int | None:
        return self._row_of.get(self._memory.face_of.get(place, -1))

    def constraints(self, seen_k2: I64, tracked_m2: I64) -> Constraints:
        """What must hold.

        The faces that stand for a person are one person, those that are barred from somebody are different from them,
        and people of whom decisions speak are all different: somebody said something about each of them, and they
        become one only when somebody says so.

        Args:
            seen_k2: (k, 2) in which frames the faces were seen, see `Constraints`.
            tracked_m2: (m, 2) pairs of one track: one person as well, as far as no decision says otherwise.
        """
        standing = self._memory.standing
        same = _pairs(pair for rows in self.held.values() for pair in pairwise(rows))
        different = np.concatenate([self.faces(standing.barred), self.two_faces(standing.two_faces)])
        apart = _pairs((rows[0], 0) for rows in self.held.values())
        decided = Constraints(len(self._row_of), seen_k2, same, np.unique(different, axis=0), apart)
        torn = decided.torn_by(tracked_m2)[tracked_m2[:, 0]]
        return decided.with_same(tracked_m2[~torn])

    def people(self, pairs: Iterable[tuple[int, int]]) -> I64:
        """(m, 2) for pairs of people, each by a row that stands for them."""
        held = self.held
        return _pairs((held[one][0], held[other][0]) for one, other in pairs if one in held and other in held)

    def faces(self, pairs: Iterable[tuple[int, int]]) -> I64:
        """(m, 2) for pairs of a place and a person whom it does not stand for."""
        there = ((self._of(place), person) for place, person in pairs if person in self.held)
        return _pairs(
            (row, self.held[person][0])
            for row, person in there
            if row is not None and self.person_of.get(row) != person
        )

    def two_faces(self, pairs: Iterable[tuple[int, int]]) -> I64:
        """(m, 2) for pairs of places."""
        there = ((self._of(one), self._of(other)) for one, other in pairs)
        return _pairs((one, other) for one, other in there if one is not None and other is not None)


def _pairs(pairs: Iterable[tuple[int, int]]) -> I64:
    return np.array(sorted(pairs), np.int64).reshape(-1, 2)
