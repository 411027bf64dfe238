"""The library's one file of truth: SQLite, opened, migrated and locked.

Everything that was computed is stored as it is computed, in small transactions, so a killed run loses at most the batch
it was working on. One writer at a time (a lock that the system frees when a process dies), any number of readers.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import lru_cache
from pathlib import Path

import filelock

from unmingle.errors import UNEXPECTED, LibraryBusyError, LibraryError, WriteError, command
from unmingle.files import JOURNAL, OWNER, make_folder, no_empty_folder
from unmingle.sources.formats import LIBRARY_FILE as FILE
from unmingle.sources.images import readable
from unmingle.store.encryption import MARK, Mark, check_key, connect, errors, explain_noise, note_key
from unmingle.store.schema import check_schema, damaged, migrate, migrations, version_of

LOCK = "library.lock"
LOG = f"{FILE}-wal"
TABLES = "tables"  # the fact up to which entry of the log faces.csv is current, and its size and time; empty for not
ERASING = "erasing"  # the fact that something was erased, and that old pages may hold it still
CLOSED_SINCE = 13  # the format of which all files are for their owner only
PATIENCE = 5.0  # seconds to wait for a transaction of another process, as `connect` does


class Store:
    """An open library file.

    In queries, `as_text` makes a stored path readable, and `frame_of` and `meeting_of` (row of the source, name) tell
    what a file's name says, see `frame_names.read_names`.
    """

    def __init__(self, folder: Path, connection: sqlite3.Connection, *, frozen: bool = False) -> None:
        self.folder = folder
        self._frozen = frozen
        self.connection = connection
        self.frame_of: Callable[[int, str], int | None]
        self.meeting_of: Callable[[int, str], str | None]
        as_text = lru_cache(lambda path: readable(os.fsdecode(path)))  # most rows are of few folders
        connection.create_function("as_text", 1, as_text, deterministic=True)
        # By way of the store: SQLite takes no other function for a name while a query runs.
        connection.create_function("frame_of", 2, lambda *file: self.frame_of(*file))
        connection.create_function("meeting_of", 2, lambda *file: self.meeting_of(*file))

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing: what happens inside is on disk when the block ends, or never happened."""
        with clear_errors(self.folder):
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                # A full disk ends the transaction by itself.
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """See the library as it is at the first look, whoever writes meanwhile; within a transaction, as that does."""
        if self.connection.in_transaction:
            yield self.connection
            return
        if self._frozen and _logged(self.folder):
            raise LibraryError(f"{self.folder} was changed since it was opened.", "Open it again.")
        with clear_errors(self.folder):
            self.connection.execute("BEGIN")
            try:
                yield self.connection
            finally:
                self.connection.execute("COMMIT")

    def version(self) -> int:
        """A number that changes whenever another connection has written to the library."""
        return int(self.connection.execute("PRAGMA data_version").fetchone()[0])

    def fact(self, key: str) -> str | None:
        """A stored fact about the library, such as how it was grouped."""
        row = self.connection.execute("SELECT value FROM fact WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    @property
    def recipe(self) -> str:
        """The recipe whose faces are the library's people; empty before any picture was added."""
        return self.fact("recipe") or ""

    @recipe.setter
    def recipe(self, recipe: str) -> None:
        self.set_fact("recipe", recipe)

    def is_halfway(self) -> bool:
        """Whether a kill has left something of what was erased, or encrypted."""
        return bool(Mark.of(self.folder).pending or self.fact(ERASING))

    def set_fact(self, key: str, value: str) -> None:
        """Store a fact, replacing an older value."""
        with clear_errors(self.folder):
            self.connection.execute("INSERT OR REPLACE INTO fact (key, value) VALUES (?, ?)", (key, value))


def insert(connection: sqlite3.Connection, table: str, **columns: object) -> int:
    """Add a row to a table; its id."""
    names, places = ", ".join(f'"{name}"' for name in columns), ", ".join("?" * len(columns))
    values = tuple(columns.values())
    row = connection.execute(f"INSERT INTO {table} ({names}) VALUES ({places})", values).lastrowid
    assert row is not None  # an INSERT always has one
    return row


@contextmanager
def open_to_write(folder: Path) -> Iterator[Store]:
    """Open a library for changing it; one that is new, and has no picture yet when the block fails, goes again."""
    if not (folder / FILE).exists():
        _check_not_lost(folder)
    with no_empty_folder(folder), locked(folder), _removed_if_empty(folder), opened(folder) as store:
        go_on(store)
        if store.fact(TABLES):  # more may change now than what decisions do
            store.set_fact(TABLES, "")
        yield store


@contextmanager
def open_to_decide(folder: Path) -> Iterator[Store]:
    """Open a library for decisions, which are short: a run that adds pictures or groups faces goes on meanwhile."""
    _check_there(folder)
    with opened(folder) as store:
        if store.is_halfway():
            try:
                with locked(folder):
                    go_on(store)
            except (LibraryBusyError, WriteError):  # whoever holds it is at it
                if Mark.of(folder).pending:  # and gives it another journal
                    raise
        yield store


def go_on(store: Store) -> None:
    """Finish what a kill has stopped."""
    if Mark.of(store.folder).pending:
        from unmingle.store.privacy import finish_encrypting

        finish_encrypting(store)
    if store.fact(ERASING):
        from unmingle.store.privacy import clean

        with suppress(LibraryBusyError, WriteError):  # the next time
            clean(store)


@contextmanager
def opened(folder: Path) -> Iterator[Store]:
    """The library's file, open for changes, with the tables of this version; made if it isn't there."""
    mark = Mark.of(folder)
    check_key(folder)
    with suppress(OSError):  # it is there already, or SQLite says what is the matter
        (folder / FILE).touch(OWNER, exist_ok=False)
    with clear_errors(folder, mark):
        connection = connect(folder)
    try:
        with clear_errors(folder, mark):
            version = check_schema(folder, connection)
            note_key(folder)
            _use_log(connection)
            for pragma in ("synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
                connection.execute(f"PRAGMA {pragma}")
            if 0 < version < CLOSED_SINCE:
                from unmingle.store.privacy import close_to_others

                close_to_others(folder)  # once: who opens it to others later has chosen so
            migrate(connection)
        store = Store(folder, connection)
        with _explained(store):
            yield store
    finally:
        connection.close()


def _use_log(connection: sqlite3.Connection) -> None:
    """Have a write-ahead log; SQLite itself doesn't wait for others who are about to have one."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except errors() as error:
            if getattr(error, "sqlite_errorname", "") != "SQLITE_BUSY" or time.monotonic() > end:
                raise
            time.sleep(0.01)
        else:
            return


@contextmanager
def _explained(store: Store) -> Iterator[None]:
    """Where something fails that nobody expected to, look whether the file is damaged: then that is why."""
    try:
        yield
    except errors(*UNEXPECTED) as error:
        explain(store, error)
        raise


def explain(store: Store, error: Exception) -> None:
    """Raise a LibraryError if the library's file is damaged, as what an error comes of."""
    from unmingle.store.integrity import file_faults, picture_faults

    try:
        for fault in (*file_faults(store), *picture_faults(store)):
            raise damaged(store.folder, fault.problem.rstrip(".")) from error
    except errors(ValueError, TypeError) as broken:
        raise damaged(store.folder, broken) from error


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the writer's lock of a folder, which is made if it isn't there."""
    try:
        make_folder(folder)
    except FileExistsError as error:
        raise LibraryError(f"{folder} is a file.", "A library is a folder: choose another name.") from error
    except OSError as error:
        raise WriteError(f"{folder} can't be made: {error.strerror}.", "Choose another folder.") from error
    lock = filelock.FileLock(folder / LOCK, mode=OWNER)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise LibraryBusyError(
            f"Another run is writing to {folder}.", "Wait until it ends; started again, this one goes on from there."
        ) from error
    except OSError as error:
        mend = "Check who may write there, or choose another folder."
        raise WriteError(f"{folder} can't be written: {error.strerror}.", mend) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _removed_if_empty(folder: Path) -> Iterator[None]:
    """If the block fails, take a library away that was new and has no picture yet."""
    new = not (folder / FILE).exists()
    try:
        yield
    except BaseException:
        if new and _is_empty(folder):
            with suppress(OSError):
                for name in (FILE, f"{FILE}-wal", f"{FILE}-shm", LOCK, MARK):
                    (folder / name).unlink(missing_ok=True)
        raise


def _is_empty(folder: Path) -> bool:
    """Whether nothing was stored: no picture or recording, and no file that can't be read."""
    stored = (
        "SELECT EXISTS (SELECT 1 FROM analysis) OR EXISTS (SELECT 1 FROM recording)"
        " OR EXISTS (SELECT 1 FROM file WHERE problem != '')"
    )
    # Where a drive can't have a log, what there is can be read only so.
    with suppress(*errors()), closing(connect(folder, how="" if _logged(folder) else "immutable=1")) as connection:
        # Perhaps not even its tables could be made.
        return version_of(connection) < migrations()[-1][0] or not connection.execute(stored).fetchone()[0]
    return False


@contextmanager
def open_to_read(folder: Path) -> Iterator[Store]:
    """Open a library for looking, also from a disk that can't be written."""
    _check_there(folder)
    mark = Mark.of(folder)
    with clear_errors(folder, mark):
        connection, frozen = _connect_to_read(folder)
    try:
        with clear_errors(folder, mark):
            older = check_schema(folder, connection) < migrations()[-1][0]
            halfway = not older and Store(folder, connection).is_halfway()
        if older or halfway:  # a reader needs the new tables as well, and shows nothing that is being erased
            connection.close()
            try:
                with open_to_decide(folder):
                    pass
            except WriteError as error:
                if older:
                    raise LibraryError(
                        f"An older unmingle made {folder}, and it can't be brought up to date: {error.problem}",
                        "Copy it to where it can be written.",
                    ) from error
            connection, frozen = _connect_to_read(folder)
        store = Store(folder, connection, frozen=frozen)
        with _explained(store):
            yield store
    finally:
        connection.close()


def _connect_to_read(folder: Path) -> tuple[sqlite3.Connection, bool]:
    """A connection, and whether it takes the file as it is, and sees nothing that is written from now on."""
    # A reader of a write-ahead log keeps a small index beside it, which a read-only folder and a full disk forbid
    # unless it is there. Where there is no log, nobody is writing, so the file may be taken as it is.
    logged = _logged(folder)
    for how in ("mode=ro",) if logged else ("mode=ro", "immutable=1"):
        connection = None
        try:
            connection = connect(folder, how=how)
            connection.execute("SELECT 1 FROM sqlite_master")
        except errors(UnicodeDecodeError) as error:
            if connection is not None and type(error).__name__ != "OperationalError":
                return connection, False  # it is damaged, which whoever reads it next is told
            if connection is not None:
                connection.close()
            problem = error
        else:
            return connection, how != "mode=ro"
    _check_there(folder)  # an empty library is taken away again
    if not logged:
        with clear_errors(folder):
            raise problem
    if not _logged(folder):  # whoever wrote has just ended
        return _connect_to_read(folder)
    raise LibraryError(
        f"The last changes of {folder} are in {LOG}, which can't be read there: {problem}.",
        "Free some space if the disk is full; else copy the whole folder to where you may write, or wait until whoever"
        " writes to it has ended.",
    ) from problem


def _logged(folder: Path) -> bool:
    """Whether there is something in the write-ahead log, which is beside the file that a link leads to."""
    log = Path(f"{(folder / FILE).resolve()}-wal")
    try:
        return log.stat().st_size > 0
    except FileNotFoundError:
        return False
    except OSError as error:
        raise LibraryError(f"{log} can't be looked at: {error.strerror}.", "Check who may read it.") from error


def _check_there(folder: Path) -> None:
    if not (folder / FILE).is_file():
        _check_not_lost(folder)
        make = command("cluster", "PICTURES", "-o", folder)
        raise LibraryError(f"There is no library in {folder}.", f"Make one: {make}")


def _check_not_lost(folder: Path) -> None:
    """Refuse to begin anew where decisions wait for a library."""
    if (folder / JOURNAL).exists():
        back = command("check", folder, "--repair")
        raise LibraryError(
            f"There is no library in {folder}.",
            f"What was decided in it is still in {JOURNAL}. To have it back: {back}; to begin anew, move that away.",
        )


@contextmanager
def clear_errors(folder: Path, mark: Mark | None = None) -> Iterator[None]:
    """SQLite's errors as ours, with the mend; mark: as the library was when it was to be opened."""
    try:
        yield
    except errors() as error:
        if mark is not None and mark != Mark.of(folder):
            raise LibraryBusyError("This library was just written anew.", "Try again.") from error
        name = getattr(error, "sqlite_errorname", "") or ""
        if name.startswith(("SQLITE_FULL", "SQLITE_IOERR")):
            other = ", or use a drive that isn't shared," if name != "SQLITE_FULL" else ""
            room = f"Free some space{other} and start again: what was done so far is kept."
            raise WriteError(f"{folder} can't be written: {error}.", room) from error
        if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
            rights = "Check who may write there, or choose another folder."
            raise WriteError(f"{folder} can't be written: {error}.", rights) from error
        if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")) or str(error).startswith("Could not decode"):
            explain_noise(folder)
            raise damaged(folder, error) from error
        if name.startswith("SQLITE_BUSY"):
            mend = "Close it and try again; if there is none, the drive knows no locks: use another one."
            raise LibraryBusyError(f"Another program holds {folder / FILE}.", mend) from error
        raise
