"""A library's file is written anew with a key, with another one, or with none.

Until the new file takes the old one's place, in one step, the old key opens the library; from then on the new one does.
What is left of the old is taken away by whoever opens it next, should this be killed.
"""

from __future__ import annotations

import os
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING

from unmingle.decisions import journal
from unmingle.errors import LibraryBusyError, WriteError
from unmingle.files import TEMPORARY, make_file, sync_folder
from unmingle.sources.images import LIBRARY_FILE as FILE
from unmingle.store.encryption import (
    Mark,
    connect_with,
    errors,
    is_encrypted,
    key_and_salt,
    key_of,
    lock,
    new_key,
    unlock,
)
from unmingle.store.outputs import Output, outputs
from unmingle.store.schema import damaged
from unmingle.store.shredding import OLD, finish, shred
from unmingle.store.sqlite import go_on, locked, opened

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path


def convert(folder: Path, key: str | None) -> tuple[Output, ...]:
    """Encrypt a library with a key, or, if None, with none; what it has written elsewhere, which stays as it is."""
    with locked(folder):
        with opened(folder) as store:
            go_on(store)
        before = key_of(folder) if is_encrypted(folder) else None
        digits, mark = ("", ()) if key is None else new_key(key)
        known = Mark.of(folder).keys
        new = folder / f"{TEMPORARY}{FILE}"
        try:
            with _alone(folder) as connection:
                _copy(connection, folder, new, digits)
                Mark((*known, *([mark] if mark else ())), pending=True).write(folder)
                with suppress(OSError):  # so that it can be overwritten
                    os.link(folder / FILE, folder / OLD)
                new.replace(folder / FILE)
                sync_folder(folder)
        finally:
            shred(new)
        try:
            unlock(folder, key) if key is not None else lock(folder)
            with opened(folder) as store:
                with store.transaction():
                    journal.rewrite(store)
                finish(store)
                return outputs(store)
        except BaseException:
            if key is None and before is not None:
                unlock(folder, before)
            raise


@contextmanager
def _alone(folder: Path) -> Iterator[sqlite3.Connection]:
    """The library's file, held so that nobody else reads or writes it."""
    with closing(connect_with(key_and_salt(folder, folder / FILE), folder / FILE, cipher=True)) as connection:
        try:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            (mode,) = connection.execute("PRAGMA journal_mode = DELETE").fetchone()
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("COMMIT")  # the lock stays
        except errors() as error:
            mode = getattr(error, "sqlite_errorname", "")
            if not mode.startswith("SQLITE_BUSY"):
                raise
        if mode != "delete":
            raise LibraryBusyError(f"Another program has {folder} open.", "End it, such as unmingle review.")
        yield connection


def _copy(connection: sqlite3.Connection, folder: Path, new: Path, digits: str) -> None:
    """Copy all of a database into a new file with a key, or none."""
    shred(new)
    try:
        make_file(new)
        key = f"x'{digits}'" if digits else ""
        connection.execute(f'ATTACH ? AS new KEY "{key}"', (str(new),))
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("SELECT sqlcipher_export('new')").fetchall()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        connection.execute(f"PRAGMA new.user_version = {version}")
        connection.execute("COMMIT")
        (whole,) = connection.execute("PRAGMA new.integrity_check(1)").fetchone()
        connection.execute("DETACH new")
    except errors(OSError) as error:
        if getattr(error, "sqlite_errorname", "").startswith("SQLITE_CORRUPT"):
            raise damaged(folder, error) from error
        raise WriteError(
            f"{folder} can't be written anew: {error}.", "Nothing was changed; free some space."
        ) from error
    if whole != "ok":
        raise damaged(folder, whole)
