"""A library's file is written anew with a key, with another one, or with none.

Until the new file takes the old one's place, in one step, the old key opens the library; from then on the new one does.
What is left of the old is taken away by whoever opens it next, should this be killed.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from unmingle.decisions import journal
from unmingle.errors import LibraryBusyError, WriteError
from unmingle.files import OWNER, sync_folder
from unmingle.sources.formats import LIBRARY_FILE as FILE
from unmingle.store.encryption import NEW, Mark, Sealer, connect, connect_with, errors, lock, new_key, unlock
from unmingle.store.privacy import NEW_JOURNAL, OLD, Output, finish_encrypting, outputs, overwrite, shred
from unmingle.store.schema import damaged
from unmingle.store.sqlite import go_on, locked, opened


def convert(folder: Path, key: str | None) -> tuple[Output, ...]:
    """Encrypt a library with a key, or, if None, with none; what it has written elsewhere, which stays as it is."""
    with locked(folder):
        with opened(folder) as store:
            go_on(store)
        known = Mark.of(folder)
        digits, salted = ("", None) if key is None else new_key(key)
        seal = None if key is None or salted is None else Sealer(key, bytes.fromhex(salted[0]))
        new, lines = folder / NEW, folder / NEW_JOURNAL
        try:
            with _alone(folder) as source:
                Mark(known.key, pending=True).write(folder)  # what is begun now is taken away after a kill
                new.touch(OWNER, exist_ok=False)
                _copy(folder, source, new, digits)
                lines.touch(OWNER, exist_ok=False)
                journal.write(lines, source, seal)
                Mark(salted, pending=True).write(folder, before=known.key)
                with suppress(OSError):  # so that it can be overwritten after a kill
                    os.link(folder / FILE, folder / OLD)
                with (folder / FILE).open("rb+") as old:  # whose end is the end of the lock
                    new.replace(folder / FILE)
                    sync_folder(folder)
                    overwrite(old)  # who waits for it must find nothing: its log would be taken for the new file's
        except BaseException:
            if new.exists() or Mark.of(folder).key == known.key:
                Mark(known.key, pending=True).write(folder)
                for path in (new, lines, folder / OLD):
                    shred(path)
                known.write(folder)
            raise
        unlock(folder, key) if key is not None else lock(folder)
        with opened(folder) as store:
            finish_encrypting(store)
            return outputs(store)


@contextmanager
def _alone(folder: Path) -> Iterator[sqlite3.Connection]:
    """The library's file, held so that nobody else reads or writes it."""
    with closing(connect(folder)) as connection:
        try:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            (mode,) = connection.execute("PRAGMA journal_mode = DELETE").fetchone()
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("COMMIT")  # the lock stays
            (mode,) = connection.execute("PRAGMA journal_mode").fetchone()  # before it, others may have turned that
        except errors() as error:
            mode = getattr(error, "sqlite_errorname", "")
            if not mode.startswith(("SQLITE_BUSY", "SQLITE_IOERR")):  # its log went while somebody closed it
                raise
        if mode != "delete":
            raise LibraryBusyError(f"Another program has {folder} open.", "End it, such as unmingle review.")
        yield connection


def _copy(folder: Path, source: sqlite3.Connection, path: Path, digits: str) -> None:
    """Copy a database into a new file, by rows: SQLite and SQLCipher don't know each other's locks."""
    try:
        with closing(connect_with(digits, path)) as new:
            new.execute("PRAGMA journal_mode = OFF")
            new.execute("BEGIN")
            held = source.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
            made = [(name, sql) for kind, name, sql in held if kind == "table" and not name.startswith("sqlite_")]
            for _, sql in made:
                new.execute(sql)
            for table in (*(name for name, _ in made), "sqlite_sequence"):
                rows = source.execute(f'SELECT * FROM "{table}"')
                places = ", ".join("?" * len(rows.description))
                new.executemany(f'INSERT INTO "{table}" VALUES ({places})', rows)
            for kind, _, sql in held:
                if kind != "table":
                    new.execute(sql)
            (version,) = source.execute("PRAGMA user_version").fetchone()
            new.execute(f"PRAGMA user_version = {version}")
            new.execute("COMMIT")
            (whole,) = new.execute("PRAGMA integrity_check(1)").fetchone()
    except errors(OSError) as error:
        if getattr(error, "sqlite_errorname", "").startswith("SQLITE_CORRUPT") or "decode" in str(error):
            raise damaged(folder, error) from error
        raise WriteError(
            f"{folder} can't be written anew: {error}.", "Nothing was changed; free some space."
        ) from error
    if whole != "ok":
        raise damaged(folder, whole)
