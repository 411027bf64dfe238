"""What the decisions that stand say together: whose face is whose, who is called what, which faces don't count.

A later decision outweighs an earlier one about the same face, so that what stands never contradicts itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from unmingle.decisions.log import Entry

# What `mark` says of a face, by the kind of the decision.
MARKS = {"not_a_face": "not_a_face", "ignore": "ignored", "face": "face"}


@dataclass(slots=True)
class Standing:
    """The sum of decisions; faces are named by place.

    person_of: the person that each face stands for, be it as an anchor or since somebody said so.
    said:      the faces of which somebody said so.
    barred:    face and person that it is not.
    names:     of people.
    into:      the person that each merged person became a part of, to be followed to its end.
    ignored:   people who are strangers.
    marks:     not_a_face, ignored or face, for single faces.
    different: pairs of people, the lower first, that are two; of which it was said in so many words.
    unsure:    such pairs of which somebody could not say.
    unsure_faces: face and person of which somebody could not say.
    two_faces: pairs of faces, the lower first, of two people. unsure_two: of which somebody could not say.
    """

    person_of: dict[int, int] = field(default_factory=dict)
    said: set[int] = field(default_factory=set)
    barred: set[tuple[int, int]] = field(default_factory=set)
    names: dict[int, str] = field(default_factory=dict)
    into: dict[int, int] = field(default_factory=dict)
    ignored: set[int] = field(default_factory=set)
    marks: dict[int, str] = field(default_factory=dict)
    different: set[tuple[int, int]] = field(default_factory=set)
    unsure: set[tuple[int, int]] = field(default_factory=set)
    unsure_faces: set[tuple[int, int]] = field(default_factory=set)
    two_faces: set[tuple[int, int]] = field(default_factory=set)
    unsure_two: set[tuple[int, int]] = field(default_factory=set)

    @classmethod
    def of(cls, entries: Iterable[Entry], stands: dict[int, bool]) -> Standing:
        """What these entries say, those that were undone left out."""
        standing = cls()
        for entry in entries:
            if stands.get(entry.id):
                standing.hear(entry)
        return standing

    def now(self, person: int) -> int:
        """Who a person is now, after all merges."""
        while person in self.into:
            person = self.into[person]
        return person

    def hear(self, entry: Entry) -> None:
        """Take in one more decision."""
        for person, places in entry.said.anchors.items():
            for place in places:
                if place not in self.said and (place, self.now(person)) not in self.barred:
                    self.person_of[place] = self.now(person)
        getattr(self, f"_{entry.kind}")(entry)

    def _name(self, entry: Entry) -> None:
        self.names[self.now(_person(entry))] = entry.said.name

    def _merge(self, entry: Entry) -> None:
        kept = self.now(_person(entry))
        for other in map(self.now, entry.said.others):
            if other == kept:  # merged by another decision
                continue
            self.into[other] = kept
            self.person_of.update({place: kept for place, whose in self.person_of.items() if whose == other})
            if not self.names.get(kept):
                self.names[kept] = self.names.get(other, "")
            self.names.pop(other, None)
            self.ignored.discard(other)
            for pairs in (self.different, self.unsure):
                _replace(pairs, other, kept)
        barred = {(place, self.now(person)) for place, person in self.barred}
        self.barred = {(place, person) for place, person in barred if self.person_of.get(place) != person}
        self.unsure_faces = {(place, self.now(person)) for place, person in self.unsure_faces}

    def _split(self, entry: Entry) -> None:
        new = _person(entry)
        self._give(entry.said.faces, new)
        self.barred.update((place, self.now(old)) for place in entry.said.faces for old in entry.said.others)

    def _assign(self, entry: Entry) -> None:
        self._give(entry.said.faces, self.now(_person(entry)))

    def _give(self, places: tuple[int, ...], person: int) -> None:
        for place in places:
            self.person_of[place] = person
            self.said.add(place)
            self.barred.discard((place, person))
            self.marks.pop(place, None)
            self.two_faces = {pair for pair in self.two_faces if not self._one_person(pair)}

    def _one_person(self, pair: tuple[int, int]) -> bool:
        one, other = (self.person_of.get(place) for place in pair)
        return one is not None and one == other

    def _reject(self, entry: Entry) -> None:
        person = self.now(_person(entry))
        for place in entry.said.faces:
            self.barred.add((place, person))
            if self.person_of.get(place) == person:
                del self.person_of[place]
                self.said.discard(place)

    def _mark(self, entry: Entry) -> None:
        for place in entry.said.faces:
            self.marks[place] = MARKS[entry.kind]
            if entry.kind != "face":
                self.person_of.pop(place, None)
                self.said.discard(place)

    _not_a_face = _face = _mark

    def _ignore(self, entry: Entry) -> None:
        if entry.said.person is not None:
            self.ignored.add(self.now(entry.said.person))
        self._mark(entry)

    def _restore(self, entry: Entry) -> None:
        if entry.said.person is not None:
            self.ignored.discard(self.now(entry.said.person))
        for place in entry.said.faces:
            self.marks.pop(place, None)

    def _different(self, entry: Entry) -> None:
        self.two_faces |= _pairs(entry)
        for other in entry.said.others:
            one, two = self.now(_person(entry)), self.now(other)
            if one != two:
                self.different.add((min(one, two), max(one, two)))

    def _unsure(self, entry: Entry) -> None:
        if entry.said.person is None:
            self.unsure_two |= _pairs(entry)
            return
        person = self.now(_person(entry))
        self.unsure.update((min(person, other), max(person, other)) for other in map(self.now, entry.said.others))
        self.unsure_faces.update((place, person) for place in entry.said.faces)


def _person(entry: Entry) -> int:
    assert entry.said.person is not None  # of these kinds, each is about somebody
    return entry.said.person


def _pairs(entry: Entry) -> set[tuple[int, int]]:
    """Of an entry about faces only: the first with each of the others."""
    if entry.said.person is not None:
        return set()
    first, *others = entry.said.faces
    return {(min(first, other), max(first, other)) for other in others}


def _replace(pairs: set[tuple[int, int]], gone: int, kept: int) -> None:
    """Whoever was different from a merged person is different from whom it became a part of."""
    touched = {pair for pair in pairs if gone in pair}
    pairs -= touched
    for one, other in touched:
        new = sorted(kept if person == gone else person for person in (one, other))
        if new[0] != new[1]:
            pairs.add((new[0], new[1]))
