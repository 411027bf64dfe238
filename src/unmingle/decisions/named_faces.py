"""Names of faces that come from elsewhere, as decisions in the log."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from unmingle.decisions.service import Wish
from unmingle.errors import DecisionError
from unmingle.store.people import ALONE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from unmingle.decisions.log import Entry
    from unmingle.decisions.service import Desk
    from unmingle.store.people import Memory
    from unmingle.store.sqlite import Store

# What becomes of a face that is somebody else's in the library: it stays, or it goes where the import says.
Conflicts = Literal["keep", "take"]

LEFT_OUT = "left out: a person said so"


@dataclass(frozen=True, slots=True)
class Given:
    """A name for a face, cleaned (see `deciding.clean_name`); where: what says so, for a report."""

    face: int
    name: str
    where: str


@dataclass(frozen=True, slots=True)
class Conflict:
    """A name that was not given, and what speaks against it."""

    given: Given
    against: str


@dataclass(slots=True)
class Applied:
    """What names became.

    entries:   of the log.
    faces:     how many faces were named now. known: how many were so already.
    conflicts: names that were not given.
    """

    entries: list[Entry] = field(default_factory=list)
    faces: int = 0
    known: int = 0
    conflicts: list[Conflict] = field(default_factory=list)


def apply_names(store: Store, recipe: str, desk: Desk, given: Iterable[Given], *, conflicts: Conflicts) -> Applied:
    """Make everybody who is named one person, by decisions of the log.

    Faces of one name become one person: who is called so already; else the person without a name of whose faces most
    are called so; else a new one. The faces are then placed there as if somebody had said so of each, so that they stay
    however often faces are grouped. People are not merged: what else is like them joins at the next grouping.

    Repeated, it changes nothing; stopped, it goes on.

    Args:
        store: open for decisions.
        recipe: whose faces.
        desk: takes the decisions.
        given: the names.
        conflicts: what becomes of a face that is of a person with another name, or of which somebody said that it is
            not who it is called. What somebody left out stays out in any case.

    Raises:
        LibraryError: the library can't be used.
    """
    applied = Applied()
    with store.snapshot() as connection:
        memory = desk.memory(connection, recipe)
    by_name: defaultdict[str, list[int]] = defaultdict(list)
    agreed = _agreed(given, applied)
    objections = _Objections(memory, conflicts)
    for one in agreed:
        if against := objections.to(one):
            applied.conflicts.append(Conflict(one, against))
        else:
            by_name[one.name].append(one.face)
    chosen = _choose(memory, by_name)
    for name in sorted(by_name, key=lambda name: (-len(by_name[name]), name)):
        try:
            _Naming(store, recipe, desk, applied, name, by_name[name]).carry_out(chosen.get(name))
        except DecisionError as error:  # the other names are given all the same
            applied.conflicts.extend(Conflict(one, error.problem) for one in agreed if one.name == name)
    return applied


def _agreed(given: Iterable[Given], applied: Applied) -> list[Given]:
    """One name for each face; faces of which several are said have none."""
    said: defaultdict[int, dict[str, Given]] = defaultdict(dict)
    for one in given:
        said[one.face].setdefault(one.name, one)
    agreed: list[Given] = []
    for names in said.values():
        if len(names) == 1:
            agreed.extend(names.values())
            continue
        for one in names.values():
            others = ", ".join(f"{other.name} by {other.where}" for other in names.values() if other is not one)
            applied.conflicts.append(Conflict(one, f"also called {others}"))
    return agreed


class _Objections:
    """What the library has against names, as it is before any is given."""

    def __init__(self, memory: Memory, conflicts: Conflicts) -> None:
        standing = memory.standing
        self._memory = memory
        self._conflicts = conflicts
        self._marked = memory.marked()
        self._barred = {
            (memory.face_of[place], standing.names.get(person, ""))
            for place, person in standing.barred
            if place in memory.face_of
        }

    def to(self, one: Given) -> str:
        """In words; empty for nothing."""
        standing = self._memory.standing
        (person,) = self._memory.persons([one.face]).tolist()
        if one.face in self._marked or person in standing.ignored:
            return LEFT_OUT
        called = standing.names.get(person, "")
        if self._conflicts == "take" or called == one.name:
            return ""
        if called:
            return f"{called} in the library"
        return f"not {one.name}: a person said so" if (one.face, one.name) in self._barred else ""


def _choose(memory: Memory, by_name: dict[str, list[int]]) -> dict[str, int]:
    """For names that nobody has yet: the person without a name who is to have it."""
    votes: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for name, faces in by_name.items():
        for person in memory.persons(faces).tolist():
            if person != ALONE and not memory.standing.names.get(person):
                votes[person][name] += 1
    won: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for person, names in votes.items():
        most = max(names.values())
        won[min(name for name, count in names.items() if count == most)].append((-most, person))
    return {name: min(people)[1] for name, people in won.items()}


@dataclass(slots=True)
class _Naming:
    """One name being given."""

    store: Store
    recipe: str
    desk: Desk
    applied: Applied
    name: str
    faces: list[int]

    def carry_out(self, chosen: int | None) -> None:
        person = self._called_so()
        left = self.faces if person is None else self._not_yet(person)
        self.applied.known += len(self.faces) - len(left)
        self.applied.faces += len(left)
        if person is None:
            person = chosen if chosen is not None else self._emptied()
            if person is None:
                person = self._decide(Wish("split", faces=tuple(self.faces))).said.person
            assert person is not None  # a split always makes one
            self._decide(Wish("name", person, name=self.name))
            left = self._not_yet(person)
        if left:
            self._decide(Wish("assign", person, faces=tuple(left)))

    def _not_yet(self, person: int) -> list[int]:
        """The faces of which nobody said that they are this person, or that are elsewhere."""
        memory = self._memory()
        decided = memory.decided()
        whose = memory.persons(self.faces).tolist()
        return [face for face, who in zip(self.faces, whose, strict=True) if who != person or face not in decided]

    def _memory(self) -> Memory:
        with self.store.snapshot() as connection:
            return self.desk.memory(connection, self.recipe)

    def _called_so(self) -> int | None:
        """Who has the name: somebody with faces, or else somebody whose pictures are gone."""
        memory = self._memory()
        standing = memory.standing
        named = [person for person, name in standing.names.items() if name == self.name]
        there = [person for person in named if (memory.person_n == person).any()]
        remembered = [person for person in named if person in standing.person_of.values()]
        return min(there or remembered, default=None)

    def _emptied(self) -> int | None:
        """The one person of whom these are all the faces: to be called anew, since nobody would be left."""
        memory = self._memory()
        whose = set(memory.persons(self.faces).tolist()) - {ALONE}
        return min(whose) if len(whose) == 1 and _count(memory, whose) == len(self.faces) else None

    def _decide(self, wish: Wish) -> Entry:
        entry = self.desk.decide(self.store, self.recipe, wish, by="import")
        self.applied.entries.append(entry)
        return entry


def _count(memory: Memory, people: Sequence[int] | set[int]) -> int:
    return sum(int((memory.person_n == person).sum()) for person in people)
