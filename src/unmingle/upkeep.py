"""A library is checked, mended and backed up.

What a repair can't read is made again: decisions from the journal, and faces by the next `unmingle cluster`. The
damaged file stays beside the new one.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from unmingle.decisions import journal
from unmingle.decisions.state import State
from unmingle.errors import (
    LibraryBusyError,
    LibraryError,
    LibraryLockedError,
    LibraryNewerError,
    ModelError,
    WriteError,
    command,
    reason,
)
from unmingle.files import JOURNAL, OWNER, TEMPORARY, is_there, make_folder, no_empty_folder, replacing, sync_folder
from unmingle.models.registry import model_file
from unmingle.sources.formats import LIBRARY_FILE as FILE
from unmingle.sources.formats import file_digest
from unmingle.sources.images import readable
from unmingle.store import facts
from unmingle.store.encryption import MARK, check_key, connect, connect_with, errors, is_encrypted, key_of, unlock
from unmingle.store.face_query import FILE_STATE, FileState
from unmingle.store.face_rows import ALONE
from unmingle.store.integrity import Fault, column_names, damaged_pictures, file_faults, fits, picture_faults, tables
from unmingle.store.schema import damaged, migrate, migrations
from unmingle.store.sqlite import (
    ERASING,
    TABLES,
    Store,
    clear_errors,
    go_on,
    locked,
    open_to_decide,
    open_to_read,
    opened,
)
from unmingle.text_layout import counted

DAMAGED = "library-damaged"  # and a number: how the file that a repair has replaced is called
MOST_TRIED = 100_000  # rows in a gap, one by one


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found, and what a repair did before it."""

    faults: tuple[Fault, ...]  # that are left.
    repaired: tuple[str, ...] = ()  # a sentence each.


def check(folder: Path, *, repair: bool = False) -> Checked:
    """See `Library.check`."""
    check_key(folder)
    if not repair:
        return Checked(tuple(_faults(folder)))
    if not any((folder / name).exists() for name in (FILE, JOURNAL)):
        with open_to_read(folder):  # which tells how to make one
            pass
    with locked(folder):
        done = _repair(folder)
    return Checked(tuple(_faults(folder)), tuple(done))


def _faults(folder: Path) -> list[Fault]:
    found: list[Fault] = []
    try:
        with open_to_read(folder) as store, store.snapshot():
            for check_part in (file_faults, picture_faults, _decision_faults, _file_faults, _model_faults):
                try:
                    found += check_part(store)
                except LibraryBusyError:
                    raise
                except Exception as error:  # noqa: BLE001  # what is damaged fails in any way, and the rest is checked
                    found.append(Fault("database", f"It can't be read: {reason(error)}."))
    except (LibraryNewerError, LibraryBusyError, LibraryLockedError):
        raise
    except LibraryError as error:
        if not (folder / FILE).exists() and not (folder / JOURNAL).exists():
            raise
        found.append(Fault("database", error.problem, error.mend))
    return found


def _decision_faults(store: Store) -> Iterator[Fault]:
    """Whether the journal says what the log says, and the people are what both come to."""
    log = {line["id"]: line for line in journal.lines(store.connection)}
    held = journal.read(store.folder)
    if held.unreadable:
        yield Fault("journal", f"{counted(held.unreadable, 'line')} of {JOURNAL} can't be read.")
    behind, ahead = log.keys() - held.lines.keys(), held.lines.keys() - log.keys()
    other = [row for row in log.keys() & held.lines.keys() if journal.said(log[row]) != journal.said(held.lines[row])]
    for count, what in (
        (len(behind), f"lacks {counted(len(behind), 'entry', 'entries')} of the log"),
        (len(ahead), f"has {counted(len(ahead), 'entry', 'entries')} that the log lacks"),
        (len(other), f"differs from the log in {counted(len(other), 'entry', 'entries')}"),
    ):
        if count:
            yield Fault("journal", f"{JOURNAL} {what}.")
    if not store.recipe:
        return
    state = State.read(store)
    faces_n, person_n = state.members_now()
    now = {face: who for face, who in zip(faces_n.tolist(), person_n.tolist(), strict=True) if who != ALONE}
    stored = dict(zip(*(column.tolist() for column in state.members), strict=True))
    names = dict(store.connection.execute("SELECT id, name FROM person WHERE name != ''"))
    if now != stored:
        yield Fault("people", f"{counted(len(now.items() ^ stored.items()), 'face')}: not whose the decisions say.")
    if {who: name for who, name in state.projection.names.items() if name} != names:
        yield Fault("people", "People are not called as the decisions say.")


def _file_faults(store: Store) -> Iterator[Fault]:
    """Files that are not there, or not as they were read, by their source."""
    query = f"SELECT {FILE_STATE}, coalesce(nullif(bytes, ''), digest) FROM file_row WHERE present = 1 AND problem = ''"
    wrong: dict[tuple[str, str], list[str]] = {}
    for *row, content in store.connection.execute(query + " AND digest IS NOT NULL"):
        state = FileState.of(row)
        if state.changed:
            there = is_there(state.file.path)
            with suppress(OSError):
                if there and file_digest(state.file.path) == content:
                    continue
            wrong.setdefault((state.file.source, "changed" if there else "not there"), []).append(state.file.name)
    for (source, how), names in sorted(wrong.items()):
        if how == "changed":
            mend = f"Run: {command('cluster', '-o', store.folder)}"
        else:
            mend = f"If they are elsewhere now: {command('relocate', store.folder, source, 'NEW')}"
        what = counted(len(names), "file is", "files are")
        yield Fault("file", f"{what} {how} in {readable(source)}, the first {min(names)}.", mend)


def _model_faults(store: Store) -> Iterator[Fault]:
    if store.recipe and not store.recipe.startswith("classic"):  # whose weights are named each time
        try:
            model_file(facts.model_of(store))
        except ModelError as error:
            yield Fault("model", error.problem, error.mend)


def _repair(folder: Path) -> list[str]:
    """Mend what can be; what was done, in sentences."""
    done = []
    if any(fault.kind in ("database", "decision") for fault in _faults(folder)):
        done += _rebuild(folder)
    with opened(folder) as store:
        go_on(store)  # first: the journal may hold what is to be erased
    held = journal.read(folder)
    with opened(folder) as store, store.transaction() as connection:
        taken, replaced = (0, []) if store.fact(ERASING) else journal.restore(connection, held)
        if taken:
            done.append(f"{counted(taken, 'entry', 'entries')} of the log came back from {JOURNAL}.")
        if replaced:
            done.append(f"The log had others in their place, which are lost: {', '.join(replaced)}.")
        _tidy(connection)
        wrong = set(chain.from_iterable(damaged_pictures(connection).values()))
        if wrong:
            drop(connection, wrong)
            done.append(f"The faces of {counted(len(wrong), 'file')} are to be found again.")
        if store.recipe:
            State.read(store).write()
        journal.rewrite(store)
    if done:
        done.append(
            f"To find what is missing: {command('cluster', '-o', folder)}, with the pictures if it asks for them."
        )
    return done


def drop(connection: sqlite3.Connection, contents: Iterable[str]) -> None:
    """Forget what was found in files, so that it is found again."""
    for content in contents:
        for table in ("analysis", "recording"):
            connection.execute(f"DELETE FROM {table} WHERE content = ?", (content,))


def _tidy(connection: sqlite3.Connection) -> None:
    """Let nothing refer to what isn't there."""
    owners = "SELECT person FROM member UNION SELECT person FROM proposal UNION SELECT person FROM former"
    connection.execute(f"INSERT OR IGNORE INTO person (id) {owners}")
    connection.execute("DELETE FROM moved WHERE decision NOT IN (SELECT id FROM decision)")
    connection.execute("DELETE FROM fact WHERE key = ?", (TABLES,))
    connection.execute("DELETE FROM tally")
    while broken := connection.execute("PRAGMA foreign_key_check").fetchall():
        for table, row, *_ in broken:
            connection.execute(f'DELETE FROM "{table}" WHERE rowid = ?', (row,))
    # Which recipe is the library's: the one that saw most.
    connection.execute(
        "INSERT OR IGNORE INTO fact (key, value) SELECT 'recipe', recipe FROM analysis GROUP BY recipe"
        " ORDER BY count(*) DESC LIMIT 1"
    )


def _rebuild(folder: Path) -> list[str]:
    """Put all rows that can be read into a new file in the old one's place."""
    old, new = folder / FILE, folder / f"{TEMPORARY}{FILE}"
    for path in _with_log(new):
        path.unlink(missing_ok=True)
    new.touch(OWNER, exist_ok=False)
    with closing(connect(folder, new)) as connection, closing(_damaged(folder)) as source, clear_errors(folder):
        migrate(connection, to=_version(source))
        connection.execute("BEGIN")
        drop(connection, _salvage(source, connection))
        connection.execute("COMMIT")
        migrate(connection)
        read = [connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("face", "decision")]
    what = f"{counted(read[0], 'face')} and {counted(read[1], 'entry', 'entries')} of the log"
    done = [f"{what} were read in {FILE}."]
    if old.exists():
        number = next(n for n in range(1, 10_000) if not (folder / f"{DAMAGED}-{n}.sqlite").exists())
        kept = folder / f"{DAMAGED}-{number}.sqlite"
        with suppress(OSError):
            os.link(old, kept)  # so that there is a library at each moment, also if this is killed
        for path, to in zip(_with_log(old), _with_log(kept), strict=True):
            if path.exists() and not to.exists():
                path.rename(to)
        done.append(f"The damaged file is kept as {kept.name}: delete it when all is well.")
    new.replace(old)
    sync_folder(folder)
    return done


def _with_log(path: Path) -> list[Path]:
    return [path, *(path.with_name(path.name + ending) for ending in ("-wal", "-shm"))]


def _damaged(folder: Path) -> sqlite3.Connection:
    """A library's damaged file, to be read; an empty database where there is none."""
    path = folder / FILE
    connection = connect(folder, how="mode=ro") if path.exists() else connect_with("", path, "mode=memory")
    with suppress(*errors(), ValueError):
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA writable_schema = ON")  # goes on where SQLite's own tables are not in order
    return connection


def _version(source: sqlite3.Connection) -> int:
    """The version of a damaged file's tables; the newest if it doesn't say."""
    newest = migrations()[-1][0]
    with suppress(*errors(), ValueError):
        (version,) = source.execute("PRAGMA user_version").fetchone()
        return version if 0 < version <= newest else newest
    return newest


def _salvage(source: sqlite3.Connection, connection: sqlite3.Connection) -> set[str]:
    """Copy the rows that can be read; the digests of the files of which some could not be."""
    contents: set[str] = set()
    gaps: dict[str, list[tuple[int, int]]] = {}
    for table, columns in tables(connection).items():
        there = [row[1] for row in _read(source, f'PRAGMA table_info("{table}")')]
        if len(there) == len(columns):  # of which one may have lost its name
            shared = dict(zip(columns, there, strict=True))
        else:
            shared = {name: name for name in columns if name in there}
        if shared:
            gaps[table] = _copy(source, connection, table, {name: columns[name] for name in shared}, shared.values())
    connection.executemany(
        "UPDATE sqlite_sequence SET seq = max(seq, ?2) WHERE name = ?1",
        _read(source, "SELECT name, seq FROM sqlite_sequence"),
    )
    for table, parent, of in _PARTS:
        # Whose parts may have been among the rows between two.
        row = f"SELECT {parent} FROM {table} WHERE rowid"
        query = (
            f"SELECT DISTINCT content FROM {of}"
            f" WHERE id BETWEEN coalesce(({row} = ?), 0) AND coalesce(({row} = ?), 9e18)"
        )
        for gap in gaps.get(table, ()):
            contents.update(content for (content,) in connection.execute(query, gap))
    return contents


# What a picture or recording consists of, and whose part it is.
_PARTS = (
    ("analysis", "id", "analysis"),
    ("face", "analysis", "analysis"),
    ("recording", "id", "recording"),
    ("track", "recording", "recording"),
    ("frame_times", "recording", "recording"),
)


class _UnreadableError(Exception):
    """A row of a damaged file can't be read."""


def _rows(source: sqlite3.Connection, query: str, values: tuple[int, ...] = ()) -> Iterator[tuple[Any, ...]]:
    try:
        yield from source.execute(query, values)
    except errors(ValueError) as error:
        raise _UnreadableError from error


def _read(source: sqlite3.Connection, query: str) -> Iterator[tuple[Any, ...]]:
    """The rows of a query until one can't be read."""
    with suppress(_UnreadableError):
        yield from _rows(source, query)


def _copy(
    source: sqlite3.Connection,
    connection: sqlite3.Connection,
    table: str,
    columns: dict[str, tuple[type, ...]],
    called: Iterable[str],  # what the source calls them
) -> list[tuple[int, int]]:
    """Copy a table's rows from both ends, then one by one between; the rows next to what was lost."""
    names = column_names(columns)
    add = f'INSERT OR IGNORE INTO "{table}" ({names}) VALUES ({", ".join("?" * len(columns))})'
    (sql,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    called = list(called)
    key = column_names(called[:1]) if sql.endswith("WITHOUT ROWID") else "rowid"
    select = f'SELECT {key}, {column_names(called)} FROM "{table}" NOT INDEXED'

    def take(tail: str, *values: int) -> tuple[bool, int | None]:
        """Whether all rows could be read, and the last that could."""
        last = None
        with suppress(_UnreadableError):
            for at, *row in _rows(source, f"{select} {tail}", values):
                if not fits(tuple(row), columns):
                    return False, last
                connection.execute(add, row)
                last = at
            return True, last
        return False, last

    whole, low = take(f"ORDER BY {key}")
    if whole:
        return []
    _, high = take(f"ORDER BY {key} DESC")
    if key != "rowid":
        return []
    low = low or 0
    high = low + MOST_TRIED if high is None or high <= low else high
    for at in range(low + 1, min(high, low + MOST_TRIED)):
        take("WHERE rowid = ?", at)
    return [(low, high)]


def backup(folder: Path, destination: Path) -> Path:
    """See `Library.backup`."""
    there = list(destination.iterdir()) if destination.is_dir() else [destination] * destination.exists()
    if not all(one.name.startswith((TEMPORARY, MARK)) and one.is_file() for one in there):
        raise WriteError(f"{destination} is there already.", "Name a new folder, or an empty one.")
    for left in there:  # by a backup that was killed
        left.unlink()
    with no_empty_folder(destination):
        make_folder(destination)
        with open_to_read(folder) as store, replacing(destination / FILE, sync=True) as path:
            if (key := key_of(folder)) is not None and is_encrypted(folder):
                unlock(destination, key)
            with closing(connect(destination, path)) as copy, clear_errors(destination):
                store.connection.backup(copy)
                copy.execute("PRAGMA journal_mode = DELETE")  # one file, until somebody decides in it
                (whole,) = copy.execute("PRAGMA integrity_check(1)").fetchone()
            if whole != "ok":
                raise damaged(folder, whole)
        with open_to_decide(destination) as store, store.transaction():
            journal.rewrite(store)
    return destination
