"""The kinds of decisions, a class each: it checks, applies and describes itself."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, get_args

from unmingle.decisions.journal import BODY, has_shape
from unmingle.decisions.references import clean_name
from unmingle.errors import DecisionError, LibraryError, command
from unmingle.text_layout import counted

if TYPE_CHECKING:
    from unmingle.decisions.log import Projection
    from unmingle.decisions.state import Names, State

Kind = Literal[
    "name", "merge", "split", "reject", "assign", "not_a_face", "face", "ignore", "restore", "different", "unsure",
    "undo", "redo", "cluster", "erase",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Command:
    """What somebody decides; which parts count depends on the kind.

    faces: by row; in the log by face region, see `store.face_rows`. Of `different` and `unsure` about faces only,
    the first and whom it is not.
    """

    kind: ClassVar[Kind]

    person: int | None = None  # whom it is about; in the log of `split` the new person
    others: tuple[int, ...] = ()  # merged into `person`, different from them, or whom faces were split off
    faces: tuple[int, ...] = ()
    name: str = ""
    target: int = 0  # the entry that `undo` or `redo` is about, 0: the last; of `cluster`, the last that it heeded
    group: int = 0  # the first of the entries that this one was made with, all undone at once; 0: by itself
    exemplars: dict[int, tuple[int, ...]] = field(default_factory=dict)  # face regions: who has these is that person

    @property
    def whom(self) -> int:
        """The person, of a kind that is always about somebody."""
        assert self.person is not None  # checked
        return self.person

    @property
    def people(self) -> set[int]:
        return {person for person in (self.person, *self.others) if person is not None}

    def check(self, at: State) -> Self:
        """The command, complete."""
        raise NotImplementedError

    def apply(self, decided: Projection) -> None:
        """Add it to what is decided; faces are named by region."""

    def describe(self, names: Names, moved: int) -> str:
        """What it did, as a sentence that stays true; names: from before it; moved: how many faces it moved."""
        raise NotImplementedError

    def as_json(self) -> str:
        """As stored: parts that say nothing are left out."""
        parts = {"anchors" if key == "exemplars" else key: value for key, value in asdict(self).items()}
        return json.dumps({key: value for key, value in parts.items() if value not in (None, (), "", {}, 0)})

    def _check_people(self, at: State) -> Self:
        for person in (self.person, *self.others):
            if person is None:
                raise DecisionError("Nobody was named.", "Say which person.")
            at.check_person(person)
        if self.person in self.others:
            raise DecisionError(f"Person {self.person} is named twice.", "Name two different people.")
        return self

    def _check_faces(self, at: State) -> Self:
        return replace(self, faces=at.check_faces(self.faces))

    def _check_both(self, at: State) -> Self:
        return self._check_people(at)._check_faces(at)

    def _check_pair(self, at: State) -> Self:
        if not self.others:
            raise DecisionError("One person alone can't be merged or compared.", "Name two people.")
        return replace(self, others=tuple(dict.fromkeys(self.others)))._check_people(at)

    def _check_several(self, at: State) -> Self:
        """Of several people, or else of several faces."""
        if self.person is not None:
            return replace(self, faces=())._check_pair(at)
        checked = self._check_faces(at)
        if len(checked.faces) < 2:
            raise DecisionError("One face alone can't be compared.", "Name two faces.")
        return checked

    def _pairs_of_faces(self) -> set[tuple[int, int]]:
        """The first with each of the others, if it is about faces only."""
        if self.person is not None or not self.faces:  # those of which it was said may be erased
            return set()
        first, *others = self.faces
        return {(min(first, other), max(first, other)) for other in others}


def _these(faces: int) -> str:
    return f"{counted(faces, 'face')} {'is' if faces == 1 else 'are'}"


class Name(Command):
    """Give a person a name, or take it away with an empty one."""

    kind = "name"

    def check(self, at: State) -> Self:
        self._check_people(at)
        name, names = clean_name(self.name), at.projection.names
        if names.get(self.whom, "") == name:
            called = f"called {name}" if name else "without a name"
            raise DecisionError(f"Person {self.person} is {called} already.", "Nothing has to be done.")
        taken = [person for person, other in names.items() if name and other == name and at.faces_of(person)]
        if taken:
            merge = command("merge", at.store.folder, str(taken[0]), str(self.person))
            raise DecisionError(
                f"Person {taken[0]} is called {name} already.",
                f"Merge them if they are one: {merge}; or choose another name.",
            )
        return replace(self, name=name)

    def apply(self, decided: Projection) -> None:
        decided.names[decided.now(self.whom)] = self.name

    def describe(self, names: Names, moved: int) -> str:
        before = names[self.person]
        return f"Called {before} {self.name}" if self.name else f"Took the name {before} from Person {self.person}"


class Merge(Command):
    """Others become a part of a person."""

    kind = "merge"
    check = Command._check_pair

    def apply(self, decided: Projection) -> None:
        kept = decided.now(self.whom)
        # Those who are the same were merged by another decision.
        decided.merge(kept, (other for other in map(decided.now, self.others) if other != kept))

    def describe(self, names: Names, moved: int) -> str:
        return f"Merged {names.all(self.others)} into {names[self.person]} ({counted(moved, 'face')})"


class Split(Command):
    """Faces become a new person."""

    kind = "split"

    def check(self, at: State) -> Self:
        checked = self._check_faces(at)
        owners = at.owners(checked.faces)
        if len(owners) == 1 and at.faces_of(*owners) == len(checked.faces):
            raise DecisionError(
                f"These are all the faces of {at.names[owners[0]]}.", "Leave some of them out, or rename."
            )
        return replace(checked, person=None, others=tuple(owners))

    def apply(self, decided: Projection) -> None:
        decided.give(self.faces, self.whom)
        decided.barred.update((face, decided.now(old)) for face in self.faces for old in self.others)

    def describe(self, names: Names, moved: int) -> str:
        faces, person = counted(len(self.faces), "face"), names[self.person]
        return f"Split {faces} off {names.all(self.others)} as {person}" if self.others else f"Made {person} of {faces}"


class Reject(Command):
    """Faces are not a person's."""

    kind = "reject"
    check = Command._check_both

    def apply(self, decided: Projection) -> None:
        person = decided.now(self.whom)
        for face in self.faces:
            decided.barred.add((face, person))
            if decided.person_of.get(face) == person:
                decided.take_away(face)

    def describe(self, names: Names, moved: int) -> str:
        return f"{_these(len(self.faces))} not {names[self.person]}"


class Assign(Command):
    """Faces are a person's."""

    kind = "assign"
    check = Command._check_both

    def apply(self, decided: Projection) -> None:
        decided.give(self.faces, decided.now(self.whom))

    def describe(self, names: Names, moved: int) -> str:
        return f"{_these(len(self.faces))} {names[self.person]}"


class NotAFace(Command):
    """There is no face."""

    kind = "not_a_face"
    check = Command._check_faces

    def apply(self, decided: Projection) -> None:
        decided.mark(self.faces, "not_a_face")

    def describe(self, names: Names, moved: int) -> str:
        return f"{_these(len(self.faces))} not {'a face' if len(self.faces) == 1 else 'faces'}"


class IsFace(Command):
    """There is a face, whatever the models say."""

    kind = "face"
    check = Command._check_faces

    def apply(self, decided: Projection) -> None:
        decided.marks.update(dict.fromkeys(self.faces, "face"))

    def describe(self, names: Names, moved: int) -> str:
        return f"{_these(len(self.faces))} {'a face' if len(self.faces) == 1 else 'faces'} after all"


class Ignore(Command):
    """A person or faces are strangers, and not to be shown."""

    kind: ClassVar[Kind] = "ignore"

    def check(self, at: State) -> Self:
        checked = self if self.person is None else self._check_people(at)
        return checked._check_faces(at) if checked.faces or checked.person is None else checked

    def apply(self, decided: Projection) -> None:
        if self.person is not None:
            decided.ignored.add(decided.now(self.person))
        decided.mark(self.faces, "ignored")

    def describe(self, names: Names, moved: int) -> str:
        done = "Ignored" if self.kind == "ignore" else "Restored"
        return f"{done} {counted(len(self.faces), 'face') if self.faces else names[self.person]}"


class Restore(Ignore):
    """A person or faces are no longer ignored, and faces are faces."""

    kind = "restore"

    def apply(self, decided: Projection) -> None:
        if self.person is not None:
            decided.ignored.discard(decided.now(self.person))
        for face in self.faces:
            decided.marks.pop(face, None)


class Different(Command):
    """People, or faces, are not one person."""

    kind = "different"
    check = Command._check_several

    def apply(self, decided: Projection) -> None:
        decided.two_faces |= self._pairs_of_faces()
        for other in map(decided.now, self.others):
            person = decided.now(self.whom)
            if person != other:
                decided.different.add((min(person, other), max(person, other)))

    def describe(self, names: Names, moved: int) -> str:
        if self.others:
            return f"{names[self.person]} and {names.all(self.others)} are different people"
        return f"{counted(len(self.faces), 'face')} are different people"


class Unsure(Command):
    """Nobody can tell whether people, faces and a person, or faces are one person."""

    kind = "unsure"

    def check(self, at: State) -> Self:
        return self._check_both(at) if self.person is not None and self.faces else self._check_several(at)

    def apply(self, decided: Projection) -> None:
        if self.person is None:
            decided.unsure_two |= self._pairs_of_faces()
            return
        person = decided.now(self.person)
        decided.unsure.update((min(person, other), max(person, other)) for other in map(decided.now, self.others))
        decided.unsure_faces.update((face, person) for face in self.faces)

    def describe(self, names: Names, moved: int) -> str:
        compared = counted(len(self.faces), "face") if self.faces else names.all(self.others)
        if self.person is not None:
            compared += f" and {names[self.person]}"
        return f"Not sure whether {compared} are one person"


class Undo(Command):
    """A decision doesn't count."""

    kind: ClassVar[Kind] = "undo"

    def check(self, at: State) -> Self:
        log, shown = at.log, command("log", at.store.folder)
        undo = self.kind == "undo"
        target = self.target or (log.to_undo() if undo else log.to_redo())
        if target is None:
            raise DecisionError(f"There is nothing to {self.kind}.", f"{shown} shows what was decided.")
        entry = log.entry(target)
        if entry is None or target not in log.active:
            raise DecisionError(f"#{target} is no decision.", f"{shown} shows what can be undone.")
        if log.active[target] != undo:
            raise DecisionError(f"#{target} {'was undone already' if undo else 'stands'}.", "Nothing has to be done.")
        return replace(self, target=target, others=(), person=entry.command.person)

    def describe(self, names: Names, moved: int) -> str:
        return f"{'Undid' if self.kind == 'undo' else 'Redid'} #{self.target}: {names.words(self.target)}"


class Redo(Undo):
    """A decision that was undone counts again."""

    kind = "redo"


class Clustered(Command):
    """Faces were grouped: an entry of the log, so that its number tells how new somebody's view is."""

    kind: ClassVar[Kind] = "cluster"


class Erase(Clustered):
    """People or faces were erased: an entry too, and nothing that could be undone."""

    kind = "erase"


_DECIDE = (Name, Merge, Split, Reject, Assign, NotAFace, IsFace, Ignore, Restore, Different, Unsure)
KINDS: dict[str, type[Command]] = {kind.kind: kind for kind in (*_DECIDE, Undo, Redo, Clustered, Erase)}
assert set(KINDS) == set(get_args(Kind))


def read_command(kind: str, text: str) -> Command:
    """A command as the log keeps it."""
    if kind not in KINDS:
        raise LibraryError(f"The log has an entry of no known kind, {kind!r}.", "Run: unmingle check LIBRARY --repair")
    read: dict[str, Any] = json.loads(text)
    if not has_shape(read, BODY):
        raise LibraryError("The log has an entry that can't be understood.", "Run: unmingle check LIBRARY --repair")
    return KINDS[kind](
        person=read.get("person"),
        others=tuple(read.get("others", ())),
        faces=tuple(read.get("faces", ())),
        name=read.get("name", ""),
        target=read.get("target", 0),
        group=read.get("group", 0),
        exemplars={int(person): tuple(regions) for person, regions in read.get("anchors", {}).items()},
    )
