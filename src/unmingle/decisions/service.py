"""Taking a decision: check it, write it to the log, and bring people in line, all in one step or not at all."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import replace

from unmingle.decisions import journal
from unmingle.decisions.kinds import Clustered, Command, Reject, Split, Undo
from unmingle.decisions.log import By, Entry, append, last_id
from unmingle.decisions.state import State
from unmingle.errors import DecisionError, StaleError
from unmingle.store.face_rows import last_face, regions_of_faces
from unmingle.store.result_tables import keep_tally
from unmingle.store.sqlite import Store, insert

EXEMPLARS = 5  # faces that stand for a person, the most typical ones: one may get lost, and the person is still found


class DecisionService:
    """Takes the decisions about one library, and keeps its state for as long as nobody else changes it."""

    def __init__(self) -> None:
        self._state: State | None = None
        self._newest_face = 0

    def forget(self) -> None:
        """Keep nothing: somebody changed what is there without a decision."""
        self._state = None

    def state(self, store: Store, *, whole: bool = True) -> State:
        """The library's state, read again if need be; to be called within a transaction; see `State.read`."""
        newest, known = last_face(store.connection), self._state
        now = last_id(store.connection), store.recipe, newest
        if known is None or (known.log.last, known.recipe, self._newest_face) != now:
            known = State.read(store, whole=whole)
            self._state, self._newest_face = known if whole else None, newest
        known.store = store
        return known

    def decide(
        self,
        store: Store,
        command: Command,
        *,
        by: By = "person",
        seen: int | None = None,
        lenient: bool = False,
        together: bool = False,
    ) -> list[Entry]:
        """Take a decision; it is on disk when this returns.

        What others changed since the entry that was `seen` stands in its way; `lenient`: only what contradicts it.
        Whoever undoes or redoes the last one does so to all that were made with it, an entry for each; `together`: to
        undo or redo a decision that is named does that too.
        """
        try:
            with store.transaction():
                state = self.state(store, whole=command.kind != "name")
                entries = [_take(state, command, by, seen, lenient=lenient)]
                if isinstance(command, Undo) and (together or not command.target):
                    undo, active = command.kind == "undo", state.log.active
                    rest = [one for one in state.log.together(entries[0].command.target) if active[one] == undo]
                    more = (replace(command, target=target) for target in (reversed(rest) if undo else rest))
                    entries += [_take(state, one, by, None, lenient=lenient) for one in more]
                keep_tally(store)
                journal.append(store)
                return entries
        except DecisionError:
            raise  # what can't be done is refused before anything is changed
        except BaseException:
            self._state = None  # it may be half changed
            raise


def _take(state: State, asked: Command, by: By, seen: int | None, *, lenient: bool) -> Entry:
    connection = state.store.connection
    command = asked.check(state)
    if command.group and command.group not in state.log.active:
        raise DecisionError(f"#{command.group} is no decision.", "Make this one by itself.")
    touched = command.people | set(state.owners(command.faces))
    if seen is not None:
        _check_fresh(state, asked, touched, command.faces, seen, lenient=lenient)
    names = state.names
    logged = _as_logged(state, command)
    state.apply(Entry(state.log.last + 1, "", by, logged, ""))
    if command.kind == "name":  # moves nobody: who stands for a person from now on is that person already
        state.write_placed()
        moved = []
    else:
        moved = state.write_members()
    if command.faces or isinstance(command, Undo):
        state.write_marks()
    state.write_people()
    for _, *step in moved:
        touched.update(person for person in step if person is not None)
    words = logged.describe(names, len(moved))
    entry = append(connection, logged, by, words, sorted(touched), moved)
    assert entry.id == state.log.last  # nobody else writes within this transaction
    state.log.entries[-1] = entry
    return entry


def _as_logged(state: State, command: Command) -> Command:
    """The command in terms that last: faces by face region, and exemplars of the people in it."""
    regions = regions_of_faces(state.store, command.faces)
    state.face_of.update(zip(regions, command.faces, strict=True))
    people = () if isinstance(command, Undo) else (command.person, *command.others)
    exemplars = {who: _exemplars(state, who, set(command.faces)) for who in people if who is not None}
    person = command.person
    if isinstance(command, Split):
        person = insert(state.store.connection, "person", since=state.assignment.clustering)
    exemplars = {who: found for who, found in exemplars.items() if found}
    return replace(command, person=person, faces=tuple(regions), exemplars=exemplars)


def _exemplars(state: State, person: int, without: set[int]) -> tuple[int, ...]:
    """Face regions that stand for a person from now on, where there are not enough yet."""
    face_of = state.face_of
    standing = {face_of.get(region) for region, whose in state.projection.person_of.items() if whose == person}
    if len(standing - without - {None}) >= EXEMPLARS:
        return ()
    rows = state.store.connection.execute(
        "SELECT face FROM member WHERE person = ? ORDER BY decided DESC, likeness DESC, face LIMIT ?",
        (person, EXEMPLARS + len(without)),
    )
    chosen = [face for (face,) in rows if face not in without][:EXEMPLARS]
    regions = regions_of_faces(state.store, chosen)
    face_of.update(zip(regions, chosen, strict=True))
    return tuple(regions)


def _check_fresh(
    state: State, asked: Command, people: set[int], faces: Collection[int], seen: int, *, lenient: bool
) -> None:
    """Refuse what is about people or faces that were changed since; the last is undone only by who knows it."""
    later = [entry for entry in state.log.entries if entry.id > seen]
    if not later:
        return
    about = set(faces)
    regions = {region for region, face in state.face_of.items() if face in about}
    query = (
        "SELECT DISTINCT decision, face IN (SELECT value FROM json_each(?2)) FROM moved WHERE decision > ?1 AND"
        " (face IN (SELECT value FROM json_each(?2)) OR before IN (SELECT value FROM json_each(?3))"
        " OR after IN (SELECT value FROM json_each(?3)))"
    )
    values = (seen, json.dumps(list(faces)), json.dumps(sorted(people)))
    moved = set(state.store.connection.execute(query, values))
    hit = {entry for entry, _ in moved}
    the_last = isinstance(asked, Undo) and not asked.target
    # Also those that moved none of them.
    hit |= {one.id for one in later if the_last or people & set(one.people) or regions & set(one.command.faces)}
    if lenient and not isinstance(asked, Undo):
        said = [(one.id, _said(state, one)) for one in later if one.id in hit]
        contrary = (
            (entry, 1) in moved or regions & set(command.faces) or _of_the_same_people(command, asked)
            for entry, command in said
        )
        hit = hit if any(contrary) else set()
    if hit:
        done = "; ".join(f"#{entry.id} {entry.words}" for entry in later if entry.id in hit)
        raise StaleError(
            f"Since you looked, this was changed: {done}.", "Look again, then decide.", entries=tuple(sorted(hit))
        )


def _said(state: State, entry: Entry) -> Command:
    """What an entry is about, be it that this was undone."""
    target = state.log.entry(entry.command.target) if isinstance(entry.command, Undo) else None
    return (target or entry).command


def _of_the_same_people(said: Command, command: Command) -> bool:
    """Whether it says of somebody who they are, and not only gave them faces or took some away."""
    if said.faces or isinstance(said, Clustered) or isinstance(command, Reject):
        return False
    if said.kind in ("different", "unsure"):
        return said.people <= command.people
    return bool(said.people & command.people)
