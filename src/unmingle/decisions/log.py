"""The log of decisions: commands, one entry after another, never rewritten.

An entry can be undone and redone by later entries, any of them, not only the last: it is active or it isn't.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from unmingle.decisions.kinds import Clustered, Undo, read_command

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from unmingle.decisions.kinds import Command, Kind

By = Literal["person", "rule", "import"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the log.

    made:   UTC, ISO 8601. by: a person, a rule of the program, or an import.
    words:  what it did, as a sentence. people: whom it touched. moved: how many faces it moved.
    """

    id: int
    made: str
    by: By
    command: Command
    words: str
    people: tuple[int, ...] = ()
    moved: int = 0

    @property
    def kind(self) -> Kind:
        """What was decided."""
        return self.command.kind


@dataclass(frozen=True, slots=True)
class Decision:
    """An entry of the log, as told to whoever decided.

    id:     its number, 1 for the first.
    made:   UTC, ISO 8601.
    by:     "person", "rule" (grouping the faces is one), or "import".
    kind:   what was said: "name", "merge", "undo" and so on.
    words:  what it did, as a sentence.
    person: whom it is about; of "split" the new person; None where it is about faces only.
    people: everybody whom it touched.
    faces:  how many faces it moved.
    target: the decision that "undo" or "redo" is about.
    live:   whether it stands; False once it was undone.
    """

    id: int
    made: str
    by: By
    kind: Kind
    words: str
    person: int | None
    people: tuple[int, ...]
    faces: int
    target: int | None
    live: bool

    @classmethod
    def of(cls, entry: Entry, *, live: bool) -> Decision:
        """Without what only the library needs."""
        command = entry.command
        target = command.target if isinstance(command, Undo) else None
        told = (command.kind, entry.words, command.person, entry.people, entry.moved)
        return cls(entry.id, entry.made, entry.by, *told, target, live)


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
    moved: Sequence[tuple[int, int | None, int | None]] = (),
) -> Entry:
    """Write an entry; it is on disk when the transaction around this ends.

    moved: faces, and the person of each before and after, or None.
    """
    made = datetime.now(UTC).isoformat(timespec="seconds")
    changed = {"words": words, "people": list(people), "faces": len(moved)}
    row = connection.execute(
        "INSERT INTO decision (made, by, kind, body, changed) VALUES (?, ?, ?, ?, ?)",
        (made, by, command.kind, command.as_json(), json.dumps(changed, ensure_ascii=False)),
    ).lastrowid
    assert row is not None  # an INSERT always has one
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


def to_undo(active: dict[int, bool]) -> int | None:
    """The last active decision; see `active_ids`."""
    return max((entry for entry, stands in active.items() if stands), default=None)


def to_redo(entries: Sequence[Entry], active: dict[int, bool]) -> int | None:
    """The last decision that was undone, if nothing new was decided since; see `active_ids`."""
    for entry in reversed(entries):
        if entry.kind == "undo" and not active[entry.command.target]:
            return entry.command.target
        if not isinstance(entry.command, Undo | Clustered):
            return None
    return None
