"""The state of a library's people: the assignment that the last grouping made, and what the log makes of it.

Who is whom is worked out from the assignment and the active decisions, every time in the same way: so any decision can
be undone, and replaying the log gives the same people. An id keeps meaning the same person, and is never given twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from unmingle.decisions.log import Entry, Log, Moved, Projection, active_ids
from unmingle.decisions.references import label
from unmingle.errors import DecisionError
from unmingle.records import I64
from unmingle.store.face_rows import ALONE, counterparts, faces_of_regions, look_up, owners_by_face
from unmingle.store.sqlite import Store


@dataclass(frozen=True, slots=True)
class Names:
    """What people are called at one moment, and what was decided until then in words."""

    names: dict[int, str]
    log: Log

    def __getitem__(self, person: int | None) -> str:
        return "nobody" if person is None else label(person, self.names.get(person, ""))

    def all(self, people: Iterable[int]) -> str:
        """Several people, as part of a sentence."""
        called = [self[person] for person in people]
        return called[0] if len(called) == 1 else f"{', '.join(called[:-1])} and {called[-1]}"

    def words(self, entry: int) -> str:
        return next(one.words for one in self.log.entries if one.id == entry)


@dataclass(frozen=True, slots=True, eq=False)
class Assignment:
    """The people of the last grouping."""

    clustering: int  # its entry in the log; 0 for one from before there was a log
    heeded: int  # the last entry of the log that it heeded
    faces_n: I64  # by rising row
    person_n: I64


@dataclass(eq=False)
class State:
    """What a library remembers of people: the log, what it says, the assignment, and whose each face is now."""

    recipe: str
    log: Log
    face_of: dict[int, int]  # the face of each face region that a decision named
    store: Store  # in a transaction until all is read
    projection: Projection = field(init=False)

    def __post_init__(self) -> None:
        self.projection = self.log.projection()

    @classmethod
    def read(cls, store: Store, *, whole: bool = True) -> State:
        """Read it; not whole: whose faces are only when it is asked for, which takes a while of many."""
        state = cls(store.recipe, Log.read(store.connection), faces_of_regions(store), store)
        if whole:
            state.assignment, state.members = state.assignment, state.members
        return state

    @cached_property
    def assignment(self) -> Assignment:
        query = "SELECT id, decisions FROM clustering ORDER BY id DESC LIMIT 1"
        clustering, heeded = self.store.connection.execute(query).fetchone() or (0, 0)
        return Assignment(clustering, heeded, *owners_by_face(self.store.connection, "proposal"))

    @cached_property
    def members(self) -> tuple[I64, I64]:
        """Faces by rising row, as stored in `member`, and the person of each, or ALONE."""
        return owners_by_face(self.store.connection, "member")

    @property
    def person_n(self) -> I64:
        return self.members[1]

    @property
    def names(self) -> Names:
        return Names(dict(self.projection.names), self.log)

    def persons(self, faces: Sequence[int] | I64) -> I64:
        """(m,) the person of each of these faces now, or ALONE."""
        return look_up(*self.members, faces)

    def check_person(self, person: int) -> None:
        now = self.projection.now(person)
        if now != person:
            raise DecisionError(
                f"Person {person} is a part of {self.names[now]} ({now}) since they were merged.",
                f"Say {now}, or undo the merge.",
            )
        if not self.faces_of(person) and person not in self.projection.person_of.values():
            raise DecisionError(f"There is no person {person}.", "people.csv lists them all.")

    def check_faces(self, faces: Iterable[int]) -> tuple[int, ...]:
        """Each face once."""
        once = tuple(dict.fromkeys(faces))
        if not once:
            raise DecisionError("No face was named.", "Say which faces, or for ignore and restore which person.")
        query = "SELECT count(*) FROM face_row WHERE recipe = ? AND face IN (SELECT value FROM json_each(?))"
        (known,) = self.store.connection.execute(query, (self.recipe, json.dumps(once))).fetchone()
        if known < len(once):
            raise DecisionError(
                f"{len(once) - known} of these faces are not in the library.", "Look at it again, then decide."
            )
        return once

    def faces_of(self, *people: int) -> int:
        query = "SELECT count(*) FROM member WHERE person IN (SELECT value FROM json_each(?))"
        return int(self.store.connection.execute(query, (json.dumps(people),)).fetchone()[0])

    def owners(self, faces: tuple[int, ...]) -> list[int]:
        return sorted(set(self.persons(faces).tolist()) - {ALONE}) if faces else []

    def apply(self, entry: Entry) -> None:
        self.log.entries.append(entry)
        if entry.kind in ("undo", "redo"):
            self.log.active = active_ids(self.log.entries)
            self.projection = self.log.projection()
        else:
            self.log.active[entry.id] = True
            self.projection.apply(entry.command)

    def marks(self) -> dict[int, str]:
        """What was said of single faces, by row."""
        marks = self.projection.marks
        return {self.face_of[region]: mark for region, mark in marks.items() if region in self.face_of}

    def marked(self) -> set[int]:
        """Faces that belong to nobody, since somebody said so."""
        return {face for face, mark in self.marks().items() if mark != "face"}

    def placed(self) -> set[int]:
        return {self.face_of[region] for region in self.projection.placed if region in self.face_of}

    def members_now(self) -> tuple[I64, I64]:
        """Faces by rising row, and the person of each or ALONE, as assignment and active decisions have it."""
        projection, assigned, face_of = self.projection, self.assignment, self.face_of
        undone = self._undone_since()
        whose = {face_of[region]: who for region, who in projection.person_of.items() if region in face_of}
        faces_n, person_n = assigned.faces_n, assigned.person_n.copy()
        more = np.array([*whose, *undone], np.int64)
        if (look_up(faces_n, person_n, more) == ALONE).any():
            faces_n = np.union1d(faces_n, more)
            person_n = look_up(assigned.faces_n, assigned.person_n, faces_n)
        for face, steps in undone.items():
            row = np.searchsorted(faces_n, face)
            for went, came_from in steps:
                if person_n[row] in went:
                    person_n[row] = came_from
        gone = np.array(sorted(projection.merged), np.int64)
        merged = np.flatnonzero(np.isin(person_n, gone))
        now = np.array([projection.now(person) for person in gone.tolist()], np.int64)
        person_n[merged] = now[np.searchsorted(gone, person_n[merged])]
        person_n[np.searchsorted(faces_n, np.array(list(whose), np.int64))] = list(whose.values())
        self._part(faces_n, person_n, whose)
        person_n[np.isin(faces_n, np.array(sorted(self.marked()), np.int64))] = ALONE
        return faces_n, person_n

    def _part(self, faces_n: I64, person_n: I64, whose: dict[int, int]) -> None:
        """Take faces from people they are not, and of two that are not one person the one that nobody placed."""
        face_of, last = self.face_of, len(faces_n)

        def row(region: int) -> int | None:
            face = face_of.get(region, -1)
            at = int(np.searchsorted(faces_n, face))
            return at if at < last and faces_n[at] == face else None

        for region, person in self.projection.barred:
            at = row(region)
            if at is not None and person_n[at] == person:
                person_n[at] = ALONE
        for one, other in sorted(self.projection.two_faces):
            at, beside = row(one), row(other)
            if at is not None and beside is not None and person_n[at] == person_n[beside] != ALONE:
                person_n[at if face_of[one] not in whose else beside] = ALONE

    def _undone_since(self) -> dict[int, list[tuple[set[int], int]]]:
        """By face that goes back since its move was undone: with whom it may be, and whose it was, latest first."""
        heeded = [entry for entry in self.log.entries if entry.id <= self.assignment.heeded]
        before = active_ids(heeded)
        undone = sorted((one for one, stood in before.items() if stood and not self.log.active[one]), reverse=True)
        if not undone:
            return {}
        then = Projection.replay(heeded, before)
        steps: dict[int, list[tuple[set[int], int]]] = {}
        query = "SELECT face, before, after FROM moved WHERE decision = ?"
        for entry in undone:
            for face, old, new in self.store.connection.execute(query, (entry,)):
                went = {ALONE} if new is None else {new, then.now(new)}
                steps.setdefault(face, []).append((went, ALONE if old is None else old))
        query = "SELECT face FROM json_each(?) JOIN face_row ON face = value WHERE recipe != ?"
        others = [face for (face,) in self.store.connection.execute(query, (str(list(steps)), self.recipe))]
        face_of = counterparts(self.store, others)
        for face in others:
            moved = steps.pop(face)
            if face in face_of:
                steps.setdefault(face_of[face], []).extend(moved)
        return steps

    def write(self) -> list[Moved]:
        """Bring all tables in line; returns what moved."""
        moved = self.write_members()
        self.write_marks()
        self.write_people()
        return moved

    def write_members(self) -> list[Moved]:
        """Bring the table of members in line, touching only what changed; returns what moved."""
        faces_n, person_n = self.members_now()
        every = np.union1d(faces_n, self.members[0])
        before, after = look_up(*self.members, every), look_up(faces_n, person_n, every)
        rows = np.flatnonzero(before != after)
        steps = zip(every[rows].tolist(), before[rows].tolist(), after[rows].tolist(), strict=True)
        moved = [(face, *(None if who == ALONE else who for who in step)) for face, *step in steps]
        connection = self.store.connection
        connection.executemany(
            "UPDATE member SET person = ? WHERE face = ?",
            [(new, face) for face, old, new in moved if old is not None and new is not None],
        )
        connection.executemany("DELETE FROM member WHERE face = ?", [(face,) for face, _, new in moved if new is None])
        connection.executemany(
            "INSERT OR REPLACE INTO member (face, person, probability, likeness, since) VALUES (?1, ?2,"
            " (SELECT probability FROM proposal WHERE face = ?1), (SELECT likeness FROM proposal WHERE face = ?1), ?3)",
            [(face, new, self.assignment.clustering) for face, old, new in moved if old is None],
        )
        self.members = faces_n, person_n
        self.write_placed()
        return moved

    def write_placed(self) -> None:
        """Note on members whether somebody placed them."""
        self._flag("member", "face", "decided", self.placed())

    def _flag(self, table: str, key: str, flag: str, wanted: set[int]) -> None:
        """Set a flag of the rows that are wanted, and of no others; touching only what changed."""
        connection = self.store.connection
        flagged = {row for (row,) in connection.execute(f"SELECT {key} FROM {table} WHERE {flag} = 1")}
        changed = [(row in wanted, row) for row in flagged ^ wanted]
        connection.executemany(f"UPDATE {table} SET {flag} = ? WHERE {key} = ?", changed)

    def write_marks(self) -> None:
        self.store.connection.execute("DELETE FROM mark")
        self.store.connection.executemany("INSERT INTO mark (face, mark) VALUES (?, ?)", self.marks().items())

    def write_people(self) -> None:
        names = self.projection.names
        stored = dict(self.store.connection.execute("SELECT id, name FROM person WHERE name != ''"))
        changed = {person: names.get(person, "") for person in stored.keys() | names.keys()}
        self.store.connection.executemany(
            "UPDATE person SET name = ? WHERE id = ?",
            [(name, person) for person, name in changed.items() if stored.get(person, "") != name],
        )
        self._flag("person", "id", "ignored", self.projection.ignored)
