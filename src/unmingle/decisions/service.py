"""Taking a decision: check it, write it to the log, and bring people in line, all in one step or not at all."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from unmingle.decisions.log import Changed, Entry, Said, append, last_id, read_log, to_redo, to_undo
from unmingle.decisions.wording import Names, words
from unmingle.errors import DecisionError, StaleError, command
from unmingle.store.people import ALONE, Memory, note_moved, refresh_marks, refresh_persons, store_members
from unmingle.store.places import faces_of_places, places_of_faces

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from unmingle.decisions.log import By, Kind
    from unmingle.store.sqlite import Store

# Faces that stand for a person, the most typical ones: one may get lost, and the person is still found.
ANCHORS = 5
LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asks for, in the library's rows: see `decisions.Said`, which is what it becomes.

    target: for undo and redo, the decision; 0 for the last that can be.
    """

    kind: Kind
    person: int | None = None
    others: tuple[int, ...] = ()
    faces: tuple[int, ...] = ()
    name: str = ""
    target: int = 0


class Desk:
    """Takes the decisions about one library, and remembers what it read for as long as nobody else changes it."""

    def __init__(self) -> None:
        self._memory: Memory | None = None
        self._newest_face = 0

    def look_again(self) -> None:
        """Remember nothing: somebody changed what is there without a decision."""
        self._memory = None

    def memory(self, connection: sqlite3.Connection, recipe: str) -> Memory:
        """What the library remembers, read again if need be; to be called within a transaction."""
        (newest,) = connection.execute("SELECT coalesce(max(id), 0) FROM face").fetchone()
        known = self._memory
        if known is None or (known.last, known.recipe, self._newest_face) != (last_id(connection), recipe, newest):
            self._memory, self._newest_face = Memory.read(connection, recipe), newest
        assert self._memory is not None  # it was just read
        return self._memory

    def decide(self, store: Store, recipe: str, wish: Wish, *, by: By = "person", seen: int | None = None) -> Entry:
        """Take a decision; it is on disk when this returns.

        Args:
            store: open for decisions.
            recipe: whose faces are the library's people.
            wish: what to do.
            by: who decides.
            seen: the last entry of the log that whoever decides knew of; None: no matter.

        Raises:
            DecisionError: it can't be done.
            StaleError: what it is about was changed after `seen`.
        """
        try:
            with store.transaction() as connection:
                memory = self.memory(connection, recipe)
                return _Taking(connection, memory, store.folder).take(wish, by, seen)
        except DecisionError:
            raise  # what can't be done is refused before anything is changed
        except BaseException:
            self._memory = None  # it may be half changed
            raise


@dataclass(slots=True)
class _Taking:
    """One decision being taken."""

    connection: sqlite3.Connection
    memory: Memory
    folder: Path

    def take(self, wish: Wish, by: By, seen: int | None) -> Entry:
        memory = self.memory
        the_last = wish.kind in ("undo", "redo") and not wish.target
        wish = _CHECKS[wish.kind](self, wish)
        touched = {person for person in (wish.person, *wish.others) if person is not None} | set(self._whose(wish))
        if seen is not None:
            self._check_fresh(touched, wish.faces, seen, everything=the_last)
        names = Names.of(memory)
        said = self._said(wish)
        entry = Entry(memory.last + 1, "", by, wish.kind, said, Changed(""))
        memory.entries.append(entry)
        if wish.kind in ("undo", "redo"):
            memory.weigh()
        else:
            memory.stands[entry.id] = True
            memory.standing.hear(entry)
        moved = store_members(self.connection, memory)
        if wish.kind in ("undo", "redo", *_OF_FACES):
            refresh_marks(self.connection, memory)
        refresh_persons(self.connection, memory)
        people = sorted(touched.union(*({before, after} for _, before, after in moved)) - {ALONE})
        told = words(entry, names, moved, memory.entry(said.target) if said.target else None)
        written = append(self.connection, wish.kind, by, said, Changed(told, tuple(people), len(moved)))
        assert written.id == entry.id  # nobody else writes within this transaction
        note_moved(self.connection, written.id, moved)
        memory.entries[-1] = written
        return written

    def _said(self, wish: Wish) -> Said:
        """The wish in words that last: faces by place, and faces that stand for the people in it."""
        faces = places_of_faces(self.connection, self.memory.recipe, wish.faces)
        self.memory.face_of.update(zip(faces, wish.faces, strict=True))
        person = wish.person
        if wish.kind == "split":
            person = self.connection.execute(
                "INSERT INTO person (since) VALUES (?)", (self.memory.proposal.clustering,)
            ).lastrowid
        anchored = () if wish.kind in ("undo", "redo") else (wish.person, *wish.others)
        anchors = {who: self._anchors(who, set(wish.faces)) for who in anchored if who is not None}
        return Said(person, wish.others, tuple(faces), wish.name, {k: v for k, v in anchors.items() if v}, wish.target)

    def _anchors(self, person: int, without: set[int]) -> tuple[int, ...]:
        """Places that stand for a person from now on, where there are not enough yet."""
        standing = self.memory.standing
        there = {
            self.memory.face_of[place]
            for place, whose in standing.person_of.items()
            if whose == person and place in self.memory.face_of
        } - without
        if len(there) >= ANCHORS:
            return ()
        rows = self.connection.execute(
            "SELECT face FROM member WHERE person = ? ORDER BY decided DESC, likeness DESC, face LIMIT ?",
            (person, ANCHORS + len(without)),
        )
        chosen = [face for (face,) in rows if face not in without][:ANCHORS]
        places = places_of_faces(self.connection, self.memory.recipe, chosen)
        self.memory.face_of.update(zip(places, chosen, strict=True))
        return tuple(places)

    def _whose(self, wish: Wish) -> list[int]:
        """The people whose faces these are now."""
        people = np.unique(self.memory.persons(wish.faces))
        whose: list[int] = people[people != ALONE].tolist()
        return whose

    def _check_fresh(self, people: set[int], faces: Sequence[int], seen: int, *, everything: bool) -> None:
        """Refuse what is about people or faces that were changed since; or, where that is meant, anything since."""
        later = [entry for entry in self.memory.entries if entry.id > seen]
        if not later:
            return
        query = (
            "SELECT DISTINCT decision FROM moved WHERE decision > ?1 AND (face IN (SELECT value FROM json_each(?2))"
            " OR before IN (SELECT value FROM json_each(?3)) OR after IN (SELECT value FROM json_each(?3)))"
        )
        values = (seen, json.dumps(list(faces)), json.dumps(sorted(people)))
        hit = {entry for (entry,) in self.connection.execute(query, values)}
        hit |= {entry.id for entry in later if everything or people & set(entry.changed.people)}
        hit |= {entry.id for entry in later if self._about(entry) & set(faces)}  # also where it moved none of them
        if hit:
            done = "; ".join(f"#{entry.id} {entry.changed.words}" for entry in later if entry.id in hit)
            raise StaleError(
                f"Since you looked, this was changed: {done}.", "Look again, then decide.", entries=tuple(sorted(hit))
            )

    def _about(self, entry: Entry) -> set[int]:
        """The faces that an entry names."""
        face_of = self.memory.face_of
        return {face_of[place] for place in entry.said.faces if place in face_of}

    # Each check takes a wish and gives it back, complete.

    def check_person(self, wish: Wish) -> Wish:
        for person in (wish.person, *wish.others):
            if person is None:
                raise DecisionError("Nobody was named.", "Say which person.")
            self._check_there(person)
        if wish.others and wish.person in wish.others:
            raise DecisionError(f"Person {wish.person} is named twice.", "Name two different people.")
        return wish

    def _check_there(self, person: int) -> None:
        standing = self.memory.standing
        now = standing.now(person)
        if now != person:
            raise DecisionError(
                f"Person {person} is a part of {Names.of(self.memory)[now]} ({now}) since they were merged.",
                f"Say {now}, or undo the merge.",
            )
        if not (self.memory.person_n == person).any() and person not in standing.person_of.values():
            raise DecisionError(f"There is no person {person}.", "people.csv lists them all.")

    def check_faces(self, wish: Wish) -> Wish:
        faces = tuple(dict.fromkeys(wish.faces))
        if not faces:
            raise DecisionError("No face was named.", "Say which faces.")
        (known,) = self.connection.execute(
            "SELECT count(*) FROM face JOIN analysis ON analysis.id = face.analysis"
            " WHERE analysis.recipe = ? AND face.id IN (SELECT value FROM json_each(?))",
            (self.memory.recipe, json.dumps(faces)),
        ).fetchone()
        if known < len(faces):
            raise DecisionError(
                f"{len(faces) - known} of these faces are not in the library.", "Look at it again, then decide."
            )
        return replace(wish, faces=faces)

    def check_both(self, wish: Wish) -> Wish:
        return self.check_faces(self.check_person(wish))

    def check_two(self, wish: Wish) -> Wish:
        if not wish.others:
            raise DecisionError("One person alone can't be merged or compared.", "Name two people.")
        return self.check_person(replace(wish, others=tuple(dict.fromkeys(wish.others))))

    def check_either(self, wish: Wish) -> Wish:
        wish = wish if wish.person is None else self.check_person(wish)
        return self.check_faces(wish) if wish.faces or wish.person is None else wish

    def check_different(self, wish: Wish) -> Wish:
        if wish.person is not None:
            return self.check_two(replace(wish, faces=()))
        wish = self.check_faces(wish)
        if len(wish.faces) < 2:
            raise DecisionError("One face alone can't be compared.", "Name two faces.")
        return wish

    def check_unsure(self, wish: Wish) -> Wish:
        if wish.person is None or not wish.faces:
            return self.check_different(wish)
        return self.check_both(wish)

    def check_split(self, wish: Wish) -> Wish:
        wish = self.check_faces(wish)
        whose = self._whose(wish)
        count = sum(int((self.memory.person_n == person).sum()) for person in whose)
        if len(whose) == 1 and count == len(wish.faces):
            raise DecisionError(
                f"These are all the faces of {Names.of(self.memory)[whose[0]]}.", "Leave some of them out, or rename."
            )
        return replace(wish, person=None, others=tuple(whose))

    def check_name(self, wish: Wish) -> Wish:
        wish = self.check_person(wish)
        name = clean_name(wish.name)
        names = self.memory.standing.names
        assert wish.person is not None  # checked
        if names.get(wish.person, "") == name:
            called = f"called {name}" if name else "without a name"
            raise DecisionError(f"Person {wish.person} is {called} already.", "Nothing has to be done.")
        taken = [person for person, other in names.items() if name and other == name and self._has_faces(person)]
        if taken:
            merge = command("merge", self.folder, str(taken[0]), str(wish.person))
            raise DecisionError(
                f"Person {taken[0]} is called {name} already.",
                f"Merge them if they are one: {merge}; or choose another name.",
            )
        return replace(wish, name=name)

    def _has_faces(self, person: int) -> bool:
        return bool((self.memory.person_n == person).any())

    def check_undo(self, wish: Wish) -> Wish:
        memory, undo = self.memory, wish.kind == "undo"
        log = command("log", self.folder)
        target = wish.target or (to_undo(memory.stands) if undo else to_redo(memory.entries, memory.stands))
        if target is None:
            raise DecisionError(f"There is nothing to {wish.kind}.", f"{log} shows what was decided.")
        entry = memory.entry(target)
        if entry is None or target not in memory.stands:
            raise DecisionError(f"#{target} is no decision.", f"{log} shows what can be undone.")
        if memory.stands[target] != undo:
            raise DecisionError(f"#{target} {'was undone already' if undo else 'stands'}.", "Nothing has to be done.")
        return replace(wish, target=target, others=(), person=entry.said.person)


def contradicts(connection: sqlite3.Connection, recipe: str, wish: Wish, entries: Collection[int]) -> bool:
    """Whether any of these entries of the log is at odds with a wish that did not know of it.

    So is what moved or named one of its faces, and what says of its people who they are; not what only gave them other
    faces or took some away.
    """
    (moved,) = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM moved WHERE decision IN (SELECT value FROM json_each(?))"
        " AND face IN (SELECT value FROM json_each(?)))",
        (json.dumps(list(entries)), json.dumps(wish.faces)),
    ).fetchone()
    if moved:
        return True
    log = {entry.id: entry for entry in read_log(connection)}
    said = [log.get(log[entry].said.target, log[entry]) for entry in entries]
    named = faces_of_places(connection, recipe, beside=wish.faces)
    places = {place for place, face in named.items() if face in wish.faces}
    return any(places & set(entry.said.faces) or _of_the_same_people(entry, wish) for entry in said)


def _of_the_same_people(entry: Entry, wish: Wish) -> bool:
    if entry.said.faces or entry.kind == "cluster" or wish.kind == "reject":
        return False
    named, wanted = ({one.person, *one.others} - {None} for one in (entry.said, wish))
    return named <= wanted if entry.kind in ("different", "unsure") else bool(named & wanted)


def clean_name(name: str) -> str:
    """A name as it is kept: single spaces, composed letters, no marks that nobody sees; whatever script it is in.

    Joiners stay within a word, where Persian, Sinhala and emoji are spelled with them.

    Raises:
        DecisionError: it is too long, or has signs that don't show or turn the text around them.
    """
    seen = "".join(sign for sign in unicodedata.normalize("NFC", name) if sign not in _UNSEEN)
    words = (word.strip(_JOINERS) for word in seen.split())
    cleaned = " ".join(word for word in words if word)
    if len(cleaned) > LONGEST_NAME:
        raise DecisionError(f"A name has at most {LONGEST_NAME} characters.", "Choose a shorter one.")
    wrong = next((sign for sign in cleaned if _refused(sign)), "")
    if wrong:
        raise DecisionError(
            f"The signs of a name are all of them printable: U+{ord(wrong):04X} is not.", "Leave it out."
        )
    if name.strip() and not cleaned:
        raise DecisionError("That name has no sign that shows.", "Choose another one.")
    return cleaned


_JOINERS = "\u200c\u200d"
# Marks of direction, spaces without width, and the like, which come along when a name is copied.
_UNSEEN = frozenset("\u00ad\u061c\u180e\u200b\u200e\u200f\u2060\ufeff")
# Embeddings, overrides and isolates turn text around; the rest is deprecated, or of no text.
_TURNING = frozenset(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x2070), *range(0xFFF9, 0xFFFC))))


def _refused(sign: str) -> bool:
    """Whether no name has such a sign; letters that a newer Unicode has, and private ones, are none of them."""
    nothing = ord(sign) & 0xFFFE == 0xFFFE or 0xFDD0 <= ord(sign) <= 0xFDEF
    return nothing or sign in _TURNING or unicodedata.category(sign) in ("Cc", "Cs")


_OF_FACES: tuple[Kind, ...] = ("not_a_face", "face", "ignore", "restore", "assign", "split")

_CHECKS: dict[Kind, Callable[[_Taking, Wish], Wish]] = {
    "name": _Taking.check_name,
    "merge": _Taking.check_two,
    "split": _Taking.check_split,
    "reject": _Taking.check_both,
    "assign": _Taking.check_both,
    "not_a_face": _Taking.check_faces,
    "face": _Taking.check_faces,
    "ignore": _Taking.check_either,
    "restore": _Taking.check_either,
    "different": _Taking.check_different,
    "unsure": _Taking.check_unsure,
    "undo": _Taking.check_undo,
    "redo": _Taking.check_undo,
}
