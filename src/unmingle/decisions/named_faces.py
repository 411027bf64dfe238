"""Names of faces that come from elsewhere, as decisions in the log."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from unmingle.decisions.kinds import Assign, Command, Name, Split
from unmingle.errors import DecisionError
from unmingle.store.face_rows import ALONE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from unmingle.decisions.log import Entry
    from unmingle.decisions.service import DecisionService
    from unmingle.decisions.state import State
    from unmingle.store.sqlite import Store

# What becomes of a face that is somebody else's in the library: it stays, or it goes where the import says.
Conflicts = Literal["keep", "take"]

LEFT_OUT = "left out: a person said so"


@dataclass(frozen=True, slots=True)
class Given:
    """A name for a face, cleaned (see `clean_name`); where: what says so, for a report."""

    face: int
    name: str
    where: str


@dataclass(slots=True)
class Applied:
    """What names became."""

    entries: list[Entry] = field(default_factory=list)
    faces: int = 0  # that are named now
    known: int = 0  # that were so already
    conflicts: list[tuple[Given, str]] = field(default_factory=list)  # names not given, and what speaks against them


def apply_names(
    store: Store, recipe: str, service: DecisionService, given: Iterable[Given], *, conflicts: Conflicts
) -> Applied:
    """Make everybody who is named one person, by decisions of the log.

    Faces of one name become one person: who is called so already; else the person without a name of whose faces most
    are called so; else a new one. The faces are then placed there as if somebody had said so of each, so that they stay
    however often faces are grouped. People are not merged: what else is like them joins at the next grouping.

    Repeated, it changes nothing; stopped, it goes on.
    """
    naming = _Naming(store, recipe, service)
    applied, state = naming.applied, naming.state()
    said: defaultdict[int, dict[str, Given]] = defaultdict(dict)
    for one in given:
        said[one.face].setdefault(one.name, one)
    for names in said.values():
        for one in names.values() if len(names) > 1 else ():
            others = ", ".join(f"{other.name} by {other.where}" for other in names.values() if other is not one)
            applied.conflicts.append((one, f"also called {others}"))
    agreed: defaultdict[str, list[Given]] = defaultdict(list)
    objection = _objections(state, conflicts)
    for one in (one for names in said.values() if len(names) == 1 for one in names.values()):
        if against := objection(one):
            applied.conflicts.append((one, against))
        else:
            agreed[one.name].append(one)
    by_name = {name: [one.face for one in ones] for name, ones in agreed.items()}
    chosen = _choose(state, by_name)
    for name in sorted(by_name, key=lambda name: (-len(by_name[name]), name)):
        try:
            naming.give(name, by_name[name], chosen.get(name))
        except DecisionError as error:  # the other names are given all the same
            applied.conflicts.extend((one, error.problem) for one in agreed[name])
    return applied


def _objections(state: State, conflicts: Conflicts) -> Callable[[Given], str]:
    """What the library has against a name, as it is before any is given: in words, empty for nothing."""
    projection, marked = state.projection, state.marked()
    barred = {(state.face_of.get(region), projection.names.get(who, "")) for region, who in projection.barred}

    def objection(one: Given) -> str:
        (person,) = state.persons([one.face]).tolist()
        if one.face in marked or person in projection.ignored:
            return LEFT_OUT
        called = projection.names.get(person, "")
        if conflicts == "take" or called == one.name:
            return ""
        if called:
            return f"{called} in the library"
        return f"not {one.name}: a person said so" if (one.face, one.name) in barred else ""

    return objection


def _choose(state: State, by_name: dict[str, list[int]]) -> dict[str, int]:
    """For names that nobody has yet: the person without a name who is to have it."""
    votes: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for name, faces in by_name.items():
        for person in state.persons(faces).tolist():
            if person != ALONE and not state.projection.names.get(person):
                votes[person][name] += 1
    won: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for person, names in votes.items():
        most = max(names.values())
        won[min(name for name, count in names.items() if count == most)].append((-most, person))
    return {name: min(people)[1] for name, people in won.items()}


@dataclass(slots=True)
class _Naming:
    """Gives names, one after another."""

    store: Store
    recipe: str
    service: DecisionService
    applied: Applied = field(default_factory=Applied)

    def state(self) -> State:
        with self.store.snapshot() as connection:
            return self.service.state(connection, self.recipe)

    def give(self, name: str, faces: list[int], chosen: int | None) -> None:
        person = self._called(name)
        left = faces if person is None else self._not_yet(person, faces)
        self.applied.known += len(faces) - len(left)
        self.applied.faces += len(left)
        if person is None:
            person = self._emptied(faces) if chosen is None else chosen
            if person is None:
                person = self._decide(Split(faces=tuple(faces))).whom
            self._decide(Name(person, name=name))
            left = self._not_yet(person, faces)
        if left:
            self._decide(Assign(person, faces=tuple(left)))

    def _not_yet(self, person: int, faces: list[int]) -> list[int]:
        """The faces of which nobody said that they are this person, or that are elsewhere."""
        state = self.state()
        placed, owners = state.placed(), state.persons(faces).tolist()
        return [face for face, who in zip(faces, owners, strict=True) if who != person or face not in placed]

    def _called(self, name: str) -> int | None:
        """Who has the name: somebody with faces, or else somebody whose pictures are gone."""
        state = self.state()
        named = [person for person, other in state.projection.names.items() if other == name]
        there = [person for person in named if (state.person_n == person).any()]
        remembered = [person for person in named if person in state.projection.person_of.values()]
        return min(there or remembered, default=None)

    def _emptied(self, faces: list[int]) -> int | None:
        """The one person of whom these are all the faces: to be called anew, since nobody would be left."""
        state = self.state()
        owners = set(state.persons(faces).tolist()) - {ALONE}
        whole = len(owners) == 1 and int((state.person_n == min(owners)).sum()) == len(faces)
        return min(owners) if whole else None

    def _decide(self, command: Command) -> Command:
        entry = self.service.decide(self.store, self.recipe, command, by="import")
        self.applied.entries.append(entry)
        return entry.command
