"""The log of decisions: what people said about faces and people, one entry after another, never rewritten.

An entry can be undone and redone by later entries, any of them, not only the last: it stands or it doesn't. That faces
were grouped again is an entry too, so that the number of the last entry tells how new somebody's view is.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

Kind = Literal[
    "name", "merge", "split", "reject", "assign", "not_a_face", "face", "ignore", "restore", "different", "unsure",
    "undo", "redo", "cluster",
]  # fmt: skip
By = Literal["person", "rule", "import"]


@dataclass(frozen=True, slots=True)
class Said:
    """What an entry says; which parts count depends on its kind.

    person:  whom it is about; of `split`, the new person; None where it is about faces only.
    others:  further people: merged into `person`, different from them, or whom faces were split off.
    faces:   places, see `library.places`; of `different` and `unsure` about faces only, the first and whom it is not.
    name:    of `name`.
    anchors: places that stand for people: whoever has these faces later is that person.
    target:  the entry that `undo` or `redo` is about; of `cluster`, the last entry that the grouping heeded.
    """

    person: int | None = None
    others: tuple[int, ...] = ()
    faces: tuple[int, ...] = ()
    name: str = ""
    anchors: dict[int, tuple[int, ...]] = field(default_factory=dict)
    target: int = 0

    def as_json(self) -> str:
        """As stored: parts that say nothing are left out."""
        return json.dumps({key: value for key, value in asdict(self).items() if value not in (None, (), "", {}, 0)})

    @classmethod
    def from_json(cls, text: str) -> Said:
        """As read back."""
        read: dict[str, Any] = json.loads(text)
        anchors = {int(person): tuple(places) for person, places in read.get("anchors", {}).items()}
        return cls(
            person=read.get("person"),
            others=tuple(read.get("others", ())),
            faces=tuple(read.get("faces", ())),
            name=read.get("name", ""),
            anchors=anchors,
            target=read.get("target", 0),
        )


@dataclass(frozen=True, slots=True)
class Changed:
    """What an entry changed. words: as a sentence. people: whom it touched. faces: how many it moved."""

    words: str
    people: tuple[int, ...] = ()
    faces: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the log. made: UTC, ISO 8601. by: a person, a rule of the program, or an import."""

    id: int
    made: str
    by: By
    kind: Kind
    said: Said
    changed: Changed


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
        target = entry.said.target if entry.kind in ("undo", "redo") else None
        said, changed = entry.said, entry.changed
        words = (changed.words, said.person, changed.people, changed.faces)
        return cls(entry.id, entry.made, entry.by, entry.kind, *words, target, live)


def read_log(connection: sqlite3.Connection, *, after: int = 0) -> list[Entry]:
    """The entries with a larger id, in their order."""
    rows = connection.execute(
        "SELECT id, made, by, kind, body, changed FROM decision WHERE id > ? ORDER BY id", (after,)
    )
    return [
        Entry(row, made, by, kind, Said.from_json(body), _changed(changed))
        for row, made, by, kind, body, changed in rows
    ]


def _changed(text: str) -> Changed:
    read = json.loads(text)
    return Changed(read["words"], tuple(read["people"]), read["faces"])


def append(connection: sqlite3.Connection, kind: Kind, by: By, said: Said, changed: Changed) -> Entry:
    """Write an entry; it is on disk when the transaction around this ends."""
    made = datetime.now(UTC).isoformat(timespec="seconds")
    row = connection.execute(
        "INSERT INTO decision (made, by, kind, body, changed) VALUES (?, ?, ?, ?, ?)",
        (made, by, kind, said.as_json(), json.dumps(asdict(changed), ensure_ascii=False)),
    ).lastrowid
    assert row is not None  # an INSERT always has one
    return Entry(row, made, by, kind, said, changed)


def last_id(connection: sqlite3.Connection) -> int:
    """The number of the last entry; 0 for none."""
    return int(connection.execute("SELECT coalesce(max(id), 0) FROM decision").fetchone()[0])


def standing_ids(entries: Iterable[Entry]) -> dict[int, bool]:
    """Whether each decision stands, or was undone; undoing, redoing and grouping are no decisions themselves."""
    stands: dict[int, bool] = {}
    for entry in entries:
        if entry.kind in ("undo", "redo"):
            stands[entry.said.target] = entry.kind == "redo"
        elif entry.kind != "cluster":
            stands[entry.id] = True
    return stands


def to_undo(stands: dict[int, bool]) -> int | None:
    """The last decision that stands; see `standing_ids`."""
    return max((entry for entry, stood in stands.items() if stood), default=None)


def to_redo(entries: Sequence[Entry], stands: dict[int, bool]) -> int | None:
    """The last decision that was undone, if nothing new was decided since; see `standing_ids`."""
    for entry in reversed(entries):
        if entry.kind == "undo" and not stands[entry.said.target]:
            return entry.said.target
        if entry.kind not in ("undo", "redo", "cluster"):
            return None
    return None
