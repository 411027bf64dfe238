"""Taking a decision: check it, write it to the log, and bring people in line, all in one step or not at all."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from unmingle.decisions.kinds import Clustered, Reject, Split, Undo
from unmingle.decisions.log import Entry, append, last_id, read_log
from unmingle.decisions.state import State
from unmingle.errors import DecisionError, StaleError
from unmingle.store.face_regions import faces_of_regions, regions_of_faces
from unmingle.store.face_rows import ALONE, add_person

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable
    from pathlib import Path

    from unmingle.decisions.kinds import Command
    from unmingle.decisions.log import By
    from unmingle.store.sqlite import Store

# Faces that stand for a person, the most typical ones: one may get lost, and the person is still found.
EXEMPLARS = 5


@dataclass(frozen=True, slots=True)
class Check:
    """What a command is checked against."""

    connection: sqlite3.Connection
    state: State
    folder: Path

    def check_person(self, person: int) -> None:
        projection = self.state.projection
        now = projection.now(person)
        if now != person:
            raise DecisionError(
                f"Person {person} is a part of {self.state.names[now]} ({now}) since they were merged.",
                f"Say {now}, or undo the merge.",
            )
        if not self.faces_of(person) and person not in projection.person_of.values():
            raise DecisionError(f"There is no person {person}.", "people.csv lists them all.")

    def check_faces(self, faces: Iterable[int]) -> tuple[int, ...]:
        """Each face once."""
        once = tuple(dict.fromkeys(faces))
        if not once:
            raise DecisionError("No face was named.", "Say which faces.")
        query = "SELECT count(*) FROM face_row WHERE recipe = ? AND face IN (SELECT value FROM json_each(?))"
        (known,) = self.connection.execute(query, (self.state.recipe, json.dumps(once))).fetchone()
        if known < len(once):
            raise DecisionError(
                f"{len(once) - known} of these faces are not in the library.", "Look at it again, then decide."
            )
        return once

    def faces_of(self, *people: int) -> int:
        """How many faces people have."""
        return int(np.isin(self.state.person_n, people).sum())

    def owners(self, faces: tuple[int, ...]) -> list[int]:
        """The people whose faces these are now."""
        return sorted(set(self.state.persons(faces).tolist()) - {ALONE})


class DecisionService:
    """Takes the decisions about one library, and keeps its state for as long as nobody else changes it."""

    def __init__(self) -> None:
        self._state: State | None = None
        self._newest_face = 0

    def forget(self) -> None:
        """Keep nothing: somebody changed what is there without a decision."""
        self._state = None

    def state(self, connection: sqlite3.Connection, recipe: str) -> State:
        """The library's state, read again if need be; to be called within a transaction."""
        (newest,) = connection.execute("SELECT coalesce(max(id), 0) FROM face").fetchone()
        known = self._state
        if known is None or (known.log.last, known.recipe, self._newest_face) != (last_id(connection), recipe, newest):
            known = self._state = State.read(connection, recipe)
            self._newest_face = newest
        return known

    def decide(
        self, store: Store, recipe: str, command: Command, *, by: By = "person", seen: int | None = None
    ) -> Entry:
        """Take a decision; it is on disk when this returns."""
        try:
            with store.transaction() as connection:
                return _take(Check(connection, self.state(connection, recipe), store.folder), command, by, seen)
        except DecisionError:
            raise  # what can't be done is refused before anything is changed
        except BaseException:
            self._state = None  # it may be half changed
            raise


def _take(at: Check, command: Command, by: By, seen: int | None) -> Entry:
    connection, state = at.connection, at.state
    the_last = isinstance(command, Undo) and not command.target
    command = command.check(at)
    touched = command.people | set(at.owners(command.faces))
    if seen is not None:
        _check_fresh(at, touched, command.faces, seen, everything=the_last)
    names = state.names
    logged = _as_logged(at, command)
    state.apply(Entry(state.log.last + 1, "", by, logged, ""))
    moved = state.write_members(connection)
    if command.faces or isinstance(command, Undo):
        state.write_marks(connection)
    state.write_people(connection)
    for _, *step in moved:
        touched.update(person for person in step if person is not None)
    words = logged.describe(names, len(moved))
    entry = append(connection, logged, by, words, sorted(touched), moved)
    assert entry.id == state.log.last  # nobody else writes within this transaction
    state.log.entries[-1] = entry
    return entry


def _as_logged(at: Check, command: Command) -> Command:
    """The command in terms that last: faces by face region, and exemplars of the people in it."""
    regions = regions_of_faces(at.connection, at.state.recipe, command.faces)
    at.state.face_of.update(zip(regions, command.faces, strict=True))
    people = () if isinstance(command, Undo) else (command.person, *command.others)
    exemplars = {who: _exemplars(at, who, set(command.faces)) for who in people if who is not None}
    person = command.person
    if isinstance(command, Split):
        person = add_person(at.connection, at.state.assignment.clustering)
    exemplars = {who: found for who, found in exemplars.items() if found}
    return replace(command, person=person, faces=tuple(regions), exemplars=exemplars)


def _exemplars(at: Check, person: int, without: set[int]) -> tuple[int, ...]:
    """Face regions that stand for a person from now on, where there are not enough yet."""
    face_of = at.state.face_of
    standing = {face_of.get(region) for region, whose in at.state.projection.person_of.items() if whose == person}
    if len(standing - without - {None}) >= EXEMPLARS:
        return ()
    rows = at.connection.execute(
        "SELECT face FROM member WHERE person = ? ORDER BY decided DESC, likeness DESC, face LIMIT ?",
        (person, EXEMPLARS + len(without)),
    )
    chosen = [face for (face,) in rows if face not in without][:EXEMPLARS]
    regions = regions_of_faces(at.connection, at.state.recipe, chosen)
    face_of.update(zip(regions, chosen, strict=True))
    return tuple(regions)


def _check_fresh(at: Check, people: set[int], faces: Collection[int], seen: int, *, everything: bool) -> None:
    """Refuse what is about people or faces that were changed since; or, where that is meant, anything since."""
    later = [entry for entry in at.state.log.entries if entry.id > seen]
    if not later:
        return
    query = (
        "SELECT DISTINCT decision FROM moved WHERE decision > ?1 AND (face IN (SELECT value FROM json_each(?2))"
        " OR before IN (SELECT value FROM json_each(?3)) OR after IN (SELECT value FROM json_each(?3)))"
    )
    values = (seen, json.dumps(list(faces)), json.dumps(sorted(people)))
    hit = {entry for (entry,) in at.connection.execute(query, values)}
    hit |= {entry.id for entry in later if everything or people & set(entry.people)}
    for entry in later:  # also where it moved none of them
        if {at.state.face_of.get(region) for region in entry.command.faces} & set(faces):
            hit.add(entry.id)
    if hit:
        done = "; ".join(f"#{entry.id} {entry.words}" for entry in later if entry.id in hit)
        raise StaleError(
            f"Since you looked, this was changed: {done}.", "Look again, then decide.", entries=tuple(sorted(hit))
        )


def contradicts(connection: sqlite3.Connection, recipe: str, command: Command, entries: Collection[int]) -> bool:
    """Whether any of these entries of the log is at odds with a command that did not know of it.

    So is what moved or named one of its faces, and what says of its people who they are; not what only gave them other
    faces or took some away.
    """
    query = (
        "SELECT EXISTS (SELECT 1 FROM moved WHERE decision IN (SELECT value FROM json_each(?))"
        " AND face IN (SELECT value FROM json_each(?)))"
    )
    (moved,) = connection.execute(query, (json.dumps(list(entries)), json.dumps(command.faces))).fetchone()
    if moved:
        return True
    log = {entry.id: entry.command for entry in read_log(connection)}
    there = faces_of_regions(connection, recipe, beside=command.faces)
    regions = {region for region, face in there.items() if face in command.faces}
    for number in entries:
        said = log[number]
        if isinstance(said, Undo):
            said = log.get(said.target, said)
        if regions & set(said.faces) or _of_the_same_people(said, command):
            return True
    return False


def _of_the_same_people(said: Command, command: Command) -> bool:
    if said.faces or isinstance(said, Clustered) or isinstance(command, Reject):
        return False
    if said.kind in ("different", "unsure"):
        return said.people <= command.people
    return bool(said.people & command.people)
