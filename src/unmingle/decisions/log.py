"""The log of decisions, never rewritten, and what its active decisions come to together.

An entry can be undone and redone by later entries, any of them, not only the last: it is active or it isn't.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from unmingle.decisions.kinds import Clustered, Command, Kind, Undo, read_command
from unmingle.store.sqlite import insert

By = Literal["person", "rule", "import"]
Moved = tuple[int, int | None, int | None]  # a face, and its person before and after


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the log; see `Decision`."""

    id: int
    made: str
    by: By
    command: Command
    words: str
    people: tuple[int, ...] = ()
    moved: int = 0

    @property
    def kind(self) -> Kind:
        return self.command.kind


@dataclass(frozen=True, slots=True)
class Decision:
    """An entry of the log, as told to whoever decided."""

    id: int  # its number, 1 for the first.
    made: str  # UTC, ISO 8601.
    by: By  # "person", "rule" (grouping the faces is one), or "import".
    kind: Kind  # what was said: "name", "merge", "undo" and so on.
    words: str  # what it did, as a sentence.
    person: int | None  # whom it is about; of "split" the new person; None where it is about faces only.
    people: tuple[int, ...]  # everybody whom it touched.
    faces: int  # how many faces it moved.
    target: int | None  # the decision that "undo" or "redo" is about.
    group: int  # the first of the decisions that it was made with, all undone at once; 0: by itself.
    live: bool  # whether it stands; False once it was undone.

    @classmethod
    def of(cls, entry: Entry, *, live: bool) -> Decision:
        command = entry.command
        target = command.target if isinstance(command, Undo) else None
        told = (command.kind, entry.words, command.person, entry.people, entry.moved)
        return cls(entry.id, entry.made, entry.by, *told, target, command.group, live)


@dataclass(slots=True)
class Log:
    """The entries, oldest first, and whether each decision among them is active."""

    entries: list[Entry]
    active: dict[int, bool]

    @classmethod
    def read(cls, connection: sqlite3.Connection, known: Log | None = None) -> Log:
        """What was read before is not read again, since the log only grows, unless something was erased."""
        before = known.entries if known else []
        new = read_log(connection, after=before[-1].id if before else 0)
        entries = read_log(connection) if before and any(entry.kind == "erase" for entry in new) else before + new
        return cls(entries, active_ids(entries))

    @property
    def last(self) -> int:
        return self.entries[-1].id if self.entries else 0

    def entry(self, number: int) -> Entry | None:
        return next((entry for entry in self.entries if entry.id == number), None)

    def decisions(self, entries: Iterable[Entry] | None = None) -> list[Decision]:
        """These entries, or all, as they are told."""
        wanted = self.entries if entries is None else entries
        return [Decision.of(entry, live=self.active.get(entry.id, True)) for entry in wanted]

    def to_undo(self) -> int | None:
        return max((entry for entry, active in self.active.items() if active), default=None)

    def to_redo(self) -> int | None:
        """The last decision that was undone, if nothing new was decided since."""
        for entry in reversed(self.entries):
            if entry.kind == "undo" and not self.active[entry.command.target]:
                return entry.command.target
            if not isinstance(entry.command, Undo | Clustered):
                return None
        return None

    def together(self, number: int) -> list[int]:
        """The decisions that were made at once with this one, which is among them, oldest first."""
        entry = self.entry(number)
        first = entry.command.group or number if entry else number
        return [one.id for one in self.entries if first in (one.id, one.command.group) and one.id in self.active]

    def projection(self) -> Projection:
        return Projection.replay(self.entries, self.active)

    def merged_into(self, person: int) -> int | None:
        """The person of whom another has become a part; None if it was not merged."""
        now = self.projection().now(person)
        return None if now == person else now


def read_log(connection: sqlite3.Connection, *, after: int = 0) -> list[Entry]:
    """The entries with a larger id, in their order."""
    query = "SELECT id, made, by, kind, body, changed FROM decision WHERE id > ? ORDER BY id"
    entries = []
    for row, made, by, kind, body, text in connection.execute(query, (after,)):
        changed = json.loads(text)
        parts = changed["words"], tuple(changed["people"]), changed["faces"]
        entries.append(Entry(row, made, by, read_command(kind, body), *parts))
    return entries


def append(
    connection: sqlite3.Connection,
    command: Command,
    by: By,
    words: str,
    people: Sequence[int] = (),
    moved: Sequence[Moved] = (),
) -> Entry:
    """Write an entry; it is on disk when the transaction around this ends."""
    made = datetime.now(UTC).isoformat(timespec="seconds")
    changed = {"words": words, "people": list(people), "faces": len(moved)}
    told = {"body": command.as_json(), "changed": json.dumps(changed, ensure_ascii=False)}
    row = insert(connection, "decision", made=made, by=by, kind=command.kind, **told)
    connection.executemany(
        "INSERT INTO moved (decision, face, before, after) VALUES (?, ?, ?, ?)", ((row, *step) for step in moved)
    )
    return Entry(row, made, by, command, words, tuple(people), len(moved))


def last_id(connection: sqlite3.Connection) -> int:
    """The number of the last entry; 0 for none."""
    return int(connection.execute("SELECT coalesce(max(id), 0) FROM decision").fetchone()[0])


def active_ids(entries: Iterable[Entry]) -> dict[int, bool]:
    """Whether each decision is active, or was undone; undoing, redoing and grouping are no decisions themselves."""
    active: dict[int, bool] = {}
    for entry in entries:
        if isinstance(entry.command, Undo):
            active[entry.command.target] = entry.kind == "redo"
        elif not isinstance(entry.command, Clustered):
            active[entry.id] = True
    return active


@dataclass(slots=True)
class Projection:
    """The sum of decisions, faces named by face region. A later one outweighs an earlier about the same face."""

    person_of: dict[int, int] = field(default_factory=dict)  # whom a face stands for: an exemplar, or placed
    placed: set[int] = field(default_factory=set)  # faces of which somebody said whose they are
    barred: set[tuple[int, int]] = field(default_factory=set)  # a face, and a person that it is not
    names: dict[int, str] = field(default_factory=dict)
    merged: dict[int, int] = field(default_factory=dict)  # whom each became a part of, to be followed to its end
    ignored: set[int] = field(default_factory=set)
    marks: dict[int, str] = field(default_factory=dict)  # not_a_face, ignored or face, for single faces
    different: set[tuple[int, int]] = field(default_factory=set)  # two people; of all pairs the lower id is first
    unsure: set[tuple[int, int]] = field(default_factory=set)  # maybe one person
    unsure_faces: set[tuple[int, int]] = field(default_factory=set)  # a face and a person
    two_faces: set[tuple[int, int]] = field(default_factory=set)  # of two people
    unsure_two: set[tuple[int, int]] = field(default_factory=set)  # faces of maybe one person

    @classmethod
    def replay(cls, entries: Iterable[Entry], active: Mapping[int, bool]) -> Projection:
        projection = cls()
        for entry in entries:
            if active.get(entry.id):
                projection.apply(entry.command)
        return projection

    def apply(self, command: Command) -> None:
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
        for face in faces:
            self.person_of[face] = person
            self.placed.add(face)
            self.barred.discard((face, person))
            self.marks.pop(face, None)
        owner = self.person_of.get
        self.two_faces = {pair for pair in self.two_faces if owner(pair[0], -1) != owner(pair[1], -2)}

    def take_away(self, face: int) -> None:
        self.person_of.pop(face, None)
        self.placed.discard(face)

    def mark(self, faces: tuple[int, ...], mark: str) -> None:
        """Say of faces that they don't count, and why."""
        for face in faces:
            self.marks[face] = mark
            self.take_away(face)

    def merge(self, kept: int, others: Iterable[int]) -> None:
        """Make people a part of another; what was said of them counts for whom they became a part of."""
        for other in others:
            self.merged[other] = kept
            self.person_of.update({face: kept for face, whose in self.person_of.items() if whose == other})
            if not self.names.get(kept):
                self.names[kept] = self.names.get(other, "")
            self.names.pop(other, None)
            self.ignored.discard(other)
        for pairs in (self.different, self.unsure):
            now = {(self.now(one), self.now(other)) for one, other in pairs}
            pairs.clear()
            pairs.update((min(pair), max(pair)) for pair in now if pair[0] != pair[1])
        barred = {(face, self.now(person)) for face, person in self.barred}
        self.barred = {(face, person) for face, person in barred if self.person_of.get(face) != person}
        self.unsure_faces = {(face, self.now(person)) for face, person in self.unsure_faces}
