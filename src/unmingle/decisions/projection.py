"""What the active decisions say together: whose face is whose, who is called what, which faces don't count.

A later decision outweighs an earlier one about the same face, so that they never contradict one another.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from unmingle.decisions.kinds import Command
    from unmingle.decisions.log import Entry


@dataclass(slots=True)
class Projection:
    """The sum of decisions; faces are named by face region.

    person_of:  the person that each face stands for, as an exemplar or since somebody placed it.
    placed:     the faces of which somebody said whose they are.
    barred:     face and person that it is not.
    names:      of people.
    merged:     the person that each merged person became a part of, to be followed to its end.
    ignored:    people who are strangers.
    marks:      not_a_face, ignored or face, for single faces.
    different:  pairs of people, the lower first, of whom somebody said that they are two.
    unsure:     such pairs of which somebody could not say. unsure_faces: face and person.
    two_faces:  pairs of faces, the lower first, of two people. unsure_two: of which somebody could not say.
    """

    person_of: dict[int, int] = field(default_factory=dict)
    placed: set[int] = field(default_factory=set)
    barred: set[tuple[int, int]] = field(default_factory=set)
    names: dict[int, str] = field(default_factory=dict)
    merged: dict[int, int] = field(default_factory=dict)
    ignored: set[int] = field(default_factory=set)
    marks: dict[int, str] = field(default_factory=dict)
    different: set[tuple[int, int]] = field(default_factory=set)
    unsure: set[tuple[int, int]] = field(default_factory=set)
    unsure_faces: set[tuple[int, int]] = field(default_factory=set)
    two_faces: set[tuple[int, int]] = field(default_factory=set)
    unsure_two: set[tuple[int, int]] = field(default_factory=set)

    @classmethod
    def replay(cls, entries: Iterable[Entry], active: Mapping[int, bool]) -> Projection:
        """What these entries say, those that were undone left out."""
        projection = cls()
        for entry in entries:
            if active.get(entry.id):
                projection.apply(entry.command)
        return projection

    def apply(self, command: Command) -> None:
        """Add one more decision."""
        for person, regions in command.exemplars.items():
            for region in regions:
                if region not in self.placed and (region, self.now(person)) not in self.barred:
                    self.person_of[region] = self.now(person)
        command.apply(self)

    def now(self, person: int) -> int:
        """Who a person is now, after all merges."""
        while person in self.merged:
            person = self.merged[person]
        return person

    def give(self, faces: tuple[int, ...], person: int) -> None:
        """Place faces with a person."""
        for face in faces:
            self.person_of[face] = person
            self.placed.add(face)
            self.barred.discard((face, person))
            self.marks.pop(face, None)
        owner = self.person_of.get
        self.two_faces = {pair for pair in self.two_faces if owner(pair[0], -1) != owner(pair[1], -2)}

    def take_away(self, face: int) -> None:
        """Let a face stand for nobody."""
        self.person_of.pop(face, None)
        self.placed.discard(face)

    def mark(self, faces: tuple[int, ...], mark: str) -> None:
        """Say of faces that they don't count, and why."""
        for face in faces:
            self.marks[face] = mark
            self.take_away(face)

    def merge(self, kept: int, other: int) -> None:
        """Make a person a part of another."""
        self.merged[other] = kept
        self.person_of.update({face: kept for face, whose in self.person_of.items() if whose == other})
        if not self.names.get(kept):
            self.names[kept] = self.names.get(other, "")
        self.names.pop(other, None)
        self.ignored.discard(other)

    def follow_merges(self) -> None:
        """Let what was said of merged people count for whom they became a part of."""
        for pairs in (self.different, self.unsure):
            now = {(self.now(one), self.now(other)) for one, other in pairs}
            pairs.clear()
            pairs.update((min(pair), max(pair)) for pair in now if pair[0] != pair[1])
        barred = {(face, self.now(person)) for face, person in self.barred}
        self.barred = {(face, person) for face, person in barred if self.person_of.get(face) != person}
        self.unsure_faces = {(face, self.now(person)) for face, person in self.unsure_faces}
