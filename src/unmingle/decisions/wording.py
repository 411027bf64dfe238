"""Decisions in words: what an entry of the log did, as one sentence that stays true when names change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from unmingle.decisions.log import Entry, Said
    from unmingle.store.people import Memory, Moved


@dataclass(frozen=True, slots=True)
class Names:
    """What people are called at one moment."""

    names: dict[int, str]

    @classmethod
    def of(cls, memory: Memory) -> Names:
        """As the decisions that stand have it."""
        return cls(dict(memory.standing.names))

    def __getitem__(self, person: int | None) -> str:
        return "nobody" if person is None else label(person, self.names.get(person, ""))

    def all(self, people: Iterable[int]) -> str:
        """Several people, as part of a sentence."""
        called = [self[person] for person in people]
        return called[0] if len(called) == 1 else f"{', '.join(called[:-1])} and {called[-1]}"


def label(person: int, name: str) -> str:
    """What a person is called: the name that was given, or a number; a name that looks like one is told from it."""
    return f"{name} (Person {person})" if name.isdecimal() else name or f"Person {person}"


def count(faces: int) -> str:
    """So many faces."""
    return f"{faces:,} {'face' if faces == 1 else 'faces'}"


def words(entry: Entry, names: Names, moved: Sequence[Moved], target: Entry | None) -> str:
    """What an entry did.

    Args:
        entry: about to be written.
        names: from before it.
        moved: the faces that it moved.
        target: what it undoes or redoes, if it does.
    """
    if target is not None:
        return f"{'Undid' if entry.kind == 'undo' else 'Redid'} #{target.id}: {target.changed.words}"
    said = entry.said
    if entry.kind == "name":
        return _named(names, said.person, said.name)
    person, faces, one = names[said.person], count(len(said.faces)), len(said.faces) == 1
    are = "is" if one else "are"
    others = names.all(said.others) if said.others else ""
    told = {
        "merge": f"Merged {others} into {person} ({count(len(moved))})",
        "split": f"Split {faces} off {others} as {person}" if others else f"Made {person} of {faces}",
        "reject": f"{faces} {are} not {person}",
        "assign": f"{faces} {are} {person}",
        "not_a_face": f"{faces} {are} not {'a face' if one else 'faces'}",
        "face": f"{faces} {are} {'a face' if one else 'faces'} after all",
        "ignore": f"Ignored {faces if said.faces else person}",
        "restore": f"Restored {faces if said.faces else person}",
        "different": f"{person} and {others} are different people" if others else f"{faces} are different people",
        "unsure": f"Not sure whether {_compared(said, faces, others, person)} are one person",
    }
    return told[entry.kind]


def _compared(said: Said, faces: str, others: str, person: str) -> str:
    if said.person is None:
        return faces
    return f"{faces if said.faces else others} and {person}"


def _named(names: Names, person: int | None, name: str) -> str:
    before = names[person]
    if not name:
        return f"Took the name {before} from Person {person}"
    return f"Called {before} {name}"
