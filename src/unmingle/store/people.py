"""People: the clusters of the last grouping, and what the log of decisions makes of them.

Clusters are a proposal, stored as it was made. Who is whom is worked out from it and from the decisions that stand,
every time in the same way: so any decision can be undone, and replaying the log gives the same people.

An id, once given, keeps meaning the same person, and is never given twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from unmingle.decisions.log import Entry, read_log, standing_ids
from unmingle.decisions.replay import Standing
from unmingle.store.places import counterparts, faces_of_places

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence
    from typing import Literal

    from unmingle.records import I64, Bool

ALONE = -1

Moved = tuple[int, int, int]  # a face, and the person before and after or ALONE


@dataclass(frozen=True, slots=True, eq=False)
class Proposal:
    """The people of the last grouping. n faces by rising row, and whose each is.

    clustering: its entry in the log; 0 for one from before there was a log.
    heeded:     the last entry of the log that it heeded.
    """

    clustering: int
    heeded: int
    faces_n: I64
    person_n: I64

    @classmethod
    def read(cls, connection: sqlite3.Connection) -> Proposal:
        """As stored."""
        number, heeded = connection.execute(
            "SELECT id, decisions FROM clustering ORDER BY id DESC LIMIT 1"
        ).fetchone() or (0, 0)
        return cls(number, heeded, *_by_face(connection, "proposal"))


@dataclass(slots=True)
class Memory:
    """What a library remembers of people: the log, what stands of it, the proposal, and whose each face is now.

    faces_n and person_n: (n,) faces by rising row and the person of each, or ALONE: as stored in `member`.
    face_of:  the face of each place that a decision named.
    """

    recipe: str
    proposal: Proposal
    entries: list[Entry]
    face_of: dict[int, int]
    faces_n: I64
    person_n: I64
    stands: dict[int, bool] = field(default_factory=dict)
    standing: Standing = field(default_factory=Standing)

    @classmethod
    def read(cls, connection: sqlite3.Connection, recipe: str) -> Memory:
        """All that is stored."""
        faces_n, person_n = _by_face(connection, "member")
        face_of = faces_of_places(connection, recipe)
        memory = cls(recipe, Proposal.read(connection), read_log(connection), face_of, faces_n, person_n)
        memory.weigh()
        return memory

    @property
    def last(self) -> int:
        """The last entry of the log."""
        return self.entries[-1].id if self.entries else 0

    def entry(self, number: int) -> Entry | None:
        """The entry of the log with a number."""
        return next((entry for entry in self.entries if entry.id == number), None)

    def persons(self, faces: Sequence[int] | I64) -> I64:
        """(m,) the person of each of these faces now, or ALONE."""
        return _persons(self.faces_n, self.person_n, faces)

    def weigh(self) -> None:
        """Work out anew which decisions stand, and what they say."""
        self.stands = standing_ids(self.entries)
        self.standing = Standing.of(self.entries, self.stands)

    def people_now(self, connection: sqlite3.Connection) -> tuple[I64, I64]:
        """Faces by rising row, and the person of each or ALONE, as proposal and standing decisions have it."""
        standing, proposal = self.standing, self.proposal
        returned = _undone_since(self, connection)
        whose = {self.face_of[place]: who for place, who in standing.person_of.items() if place in self.face_of}
        faces_n = np.union1d(proposal.faces_n, np.array([*whose, *returned], np.int64))
        person_n = np.full(len(faces_n), ALONE, np.int64)
        person_n[np.searchsorted(faces_n, proposal.faces_n)] = proposal.person_n
        row = _Rows(faces_n)
        for face, steps in returned.items():
            for went, came_from in steps:
                if person_n[row[face]] in went:
                    person_n[row[face]] = came_from
        gone = np.array(sorted(standing.into), np.int64)
        merged = np.flatnonzero(np.isin(person_n, gone))
        now = np.array([standing.now(person) for person in gone.tolist()], np.int64)
        person_n[merged] = now[np.searchsorted(gone, person_n[merged])]
        for face, person in whose.items():
            person_n[row[face]] = person
        self._part(row, person_n, whose)
        person_n[np.isin(faces_n, np.array(sorted(self.marked()), np.int64))] = ALONE
        return faces_n, person_n

    def _part(self, row: _Rows, person_n: I64, whose: dict[int, int]) -> None:
        """Take faces from people they are not, and of two that are not one person the one that nobody placed."""
        for face, person in self._barred():
            if row.get(face) is not None and person_n[row[face]] == person:
                person_n[row[face]] = ALONE
        for one, other in self._two_faces():
            at, beside = row.get(one), row.get(other)
            if at is not None and beside is not None and person_n[at] == person_n[beside] != ALONE:
                person_n[at if one not in whose else beside] = ALONE

    def _two_faces(self) -> list[tuple[int, int]]:
        face_of = self.face_of
        pairs = sorted(self.standing.two_faces)
        return [(face_of[one], face_of[other]) for one, other in pairs if one in face_of and other in face_of]

    def _barred(self) -> list[tuple[int, int]]:
        barred = self.standing.barred
        return [(self.face_of[place], person) for place, person in barred if place in self.face_of]

    def marks(self) -> dict[int, str]:
        """What was said of single faces, by row."""
        marks = self.standing.marks
        return {self.face_of[place]: mark for place, mark in marks.items() if place in self.face_of}

    def marked(self) -> set[int]:
        """Faces that belong to nobody, since somebody said so."""
        return {face for face, mark in self.marks().items() if mark != "face"}

    def decided(self) -> set[int]:
        """Faces of which somebody said whose they are."""
        return {self.face_of[place] for place in self.standing.said if place in self.face_of}


class _Rows:
    """From a face to its position among faces by rising row."""

    def __init__(self, faces_n: I64) -> None:
        self._faces = faces_n

    def get(self, face: int) -> int | None:
        at = int(np.searchsorted(self._faces, face))
        return at if at < len(self._faces) and self._faces[at] == face else None

    def __getitem__(self, face: int) -> int:
        at = self.get(face)
        if at is None:
            raise KeyError(face)
        return at


def _undone_since(memory: Memory, connection: sqlite3.Connection) -> dict[int, list[tuple[set[int], int]]]:
    """Where faces go back to, for decisions that the proposal heeded and that were undone since.

    For each face that such a decision moved: the people in whom the proposal may have it for that reason, and whom it
    came from; latest decision first.
    """
    heeded = memory.proposal.heeded
    before = standing_ids(entry for entry in memory.entries if entry.id <= heeded)
    undone = sorted((entry for entry, stood in before.items() if stood and not memory.stands[entry]), reverse=True)
    if not undone:
        return {}
    then = Standing.of((entry for entry in memory.entries if entry.id <= heeded), before)
    steps: dict[int, list[tuple[set[int], int]]] = {}
    for entry in undone:
        for face, old, new in connection.execute("SELECT face, before, after FROM moved WHERE decision = ?", (entry,)):
            went = {ALONE} if new is None else {new, then.now(new)}
            steps.setdefault(face, []).append((went, ALONE if old is None else old))
    others = _of_other_recipes(connection, memory.recipe, steps)
    face_of = counterparts(connection, memory.recipe, others)
    for face in others:
        if face in face_of:
            steps.setdefault(face_of[face], []).extend(steps[face])
        del steps[face]
    return steps


def _of_other_recipes(connection: sqlite3.Connection, recipe: str, faces: Iterable[int]) -> list[int]:
    rows = connection.execute(
        "SELECT face.id FROM json_each(?) JOIN face ON face.id = json_each.value"
        " JOIN analysis ON analysis.id = face.analysis WHERE analysis.recipe != ?",
        (str(list(faces)), recipe),
    )
    return [face for (face,) in rows]


def persons_now(connection: sqlite3.Connection, faces: Sequence[int] | I64) -> I64:
    """(m,) the person each of these faces belongs to, or ALONE."""
    return _persons(*_by_face(connection, "member"), faces)


def _by_face(connection: sqlite3.Connection, table: Literal["member", "proposal"]) -> tuple[I64, I64]:
    """Faces by rising row, and the person of each."""
    rows = connection.execute(f"SELECT face, person FROM {table} ORDER BY face").fetchall()
    faces_n, person_n = np.array(rows, np.int64).reshape(-1, 2).T
    return faces_n, person_n


def _persons(faces_n: I64, person_n: I64, wanted: Sequence[int] | I64) -> I64:
    wanted_m = np.asarray(wanted, np.int64)
    found = np.full(len(wanted_m), ALONE, np.int64)
    at = np.searchsorted(faces_n, wanted_m)
    known = np.flatnonzero(at < len(faces_n))
    known = known[faces_n[at[known]] == wanted_m[known]]
    found[known] = person_n[at[known]]
    return found


def refresh_marks(connection: sqlite3.Connection, memory: Memory) -> None:
    """Make the table of marks again."""
    connection.execute("DELETE FROM mark")
    connection.executemany("INSERT INTO mark (face, mark) VALUES (?, ?)", memory.marks().items())


def refresh_persons(connection: sqlite3.Connection, memory: Memory) -> None:
    """Bring names and who is ignored in line with the decisions that stand."""
    names, ignored = memory.standing.names, memory.standing.ignored
    stored = dict(connection.execute("SELECT id, name FROM person WHERE name != ''"))
    changed = {person: names.get(person, "") for person in stored.keys() | names.keys()}
    connection.executemany(
        "UPDATE person SET name = ? WHERE id = ?",
        [(name, person) for person, name in changed.items() if stored.get(person, "") != name],
    )
    before = {person for (person,) in connection.execute("SELECT id FROM person WHERE ignored = 1")}
    connection.executemany(
        "UPDATE person SET ignored = ? WHERE id = ?", [(person in ignored, person) for person in before ^ ignored]
    )


def store_members(connection: sqlite3.Connection, memory: Memory) -> list[Moved]:
    """Bring the table of members in line, touching only what changed.

    Returns:
        What moved.
    """
    faces_n, person_n = memory.people_now(connection)
    moved = _differences(memory.faces_n, memory.person_n, faces_n, person_n)
    into = [(after, face) for face, before, after in moved if before != ALONE and after != ALONE]
    connection.executemany("UPDATE member SET person = ? WHERE face = ?", into)
    connection.executemany("DELETE FROM member WHERE face = ?", [(face,) for face, _, after in moved if after == ALONE])
    connection.executemany(
        "INSERT OR REPLACE INTO member (face, person, probability, likeness, since) VALUES (?1, ?2,"
        " (SELECT probability FROM proposal WHERE face = ?1), (SELECT likeness FROM proposal WHERE face = ?1), ?3)",
        [(face, after, memory.proposal.clustering) for face, before, after in moved if before == ALONE],
    )
    decided = memory.decided()
    before = {face for (face,) in connection.execute("SELECT face FROM member WHERE decided = 1")}
    connection.executemany(
        "UPDATE member SET decided = ? WHERE face = ?", [(face in decided, face) for face in before ^ decided]
    )
    memory.faces_n, memory.person_n = faces_n, person_n
    return moved


def _differences(old_faces: I64, old_person: I64, faces: I64, person: I64) -> list[Moved]:
    every = faces if np.array_equal(old_faces, faces) else np.union1d(old_faces, faces)
    before, after = np.full(len(every), ALONE, np.int64), np.full(len(every), ALONE, np.int64)
    before[np.searchsorted(every, old_faces)] = old_person
    after[np.searchsorted(every, faces)] = person
    changed: Bool = before != after
    return list(zip(every[changed].tolist(), before[changed].tolist(), after[changed].tolist(), strict=True))


def note_moved(connection: sqlite3.Connection, entry: int, moved: Iterable[Moved]) -> None:
    """Note which faces an entry of the log moved."""
    connection.executemany(
        "INSERT INTO moved (decision, face, before, after) VALUES (?, ?, ?, ?)",
        [(entry, face, *(None if who == ALONE else who for who in (before, after))) for face, before, after in moved],
    )
