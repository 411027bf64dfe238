"""The files of a library's folder, and what it wrote elsewhere: pages that can be taken back, and exports that left.

What is taken away from a library that is encrypted now is overwritten first.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from unmingle.errors import LibraryBusyError
from unmingle.files import JOURNAL, TEMPORARY, hidden_path, sweep
from unmingle.sources.formats import LIBRARY_FILE as FILE
from unmingle.sources.images import readable
from unmingle.store.encryption import MARK, NEW, Mark
from unmingle.store.facts import PLAIN
from unmingle.store.sqlite import ERASING, LOCK, LOG, Store, clear_errors

KEY = "review.json"  # of the review page
REPLACED = "library-damaged*"  # what a repair put new ones in the place of
# Made again after each change, and by the commands that make them.
VIEWS = (
    *(f"{name}.csv" for name in ("faces", "people", "recordings", "intervals")),
    *("sheets/overview.jpg", "sheets/person-*.jpg", "timelines/*.png", "timelines/*.vtt", "report.html"),
    *(f"evaluation/{name}" for name in ("evaluation.json", "evaluation.csv", "confusion.png", "mistakes.png")),
    *(f"{folder}{TEMPORARY}*" for folder in ("", "sheets/", "timelines/", "evaluation/")),
)
TRUTH = (FILE, LOG, f"{FILE}-shm", JOURNAL, LOCK, KEY, MARK)
EXPORT = -1  # in place of the time of a page
OLD = "library-old.sqlite"  # the file of before, while a key is changed
NEW_JOURNAL = f"{TEMPORARY}new.jsonl"  # the journal that goes with the new file
BLOCK = 1 << 20  # bytes that are overwritten at a time


@dataclass(frozen=True, slots=True)
class Output:
    """What was written elsewhere."""

    path: str  # a page, or the folder of an export
    kind: str  # report, comparison, evaluation, sheet; of exports backup, crops, cluster, or as in `export --to`
    made: str  # UTC, ISO 8601: the last time
    files: int  # how many
    there: bool  # whether it is there still


def files_of(folder: Path, names: Sequence[str]) -> list[Path]:
    """The files of a library's folder that are called so."""
    return sorted(path for name in names for path in folder.glob(name) if path.is_file() and not path.is_symlink())


def close_to_others(folder: Path) -> None:
    """Let only their owner read the files of a library, and the folders that hold nothing else."""
    ours = files_of(folder, (*TRUTH, REPLACED, *VIEWS))
    folders = {path.parent for path in ours}
    for path in (*ours, *(one for one in folders if {*one.iterdir()} <= {*ours, *folders})):
        with suppress(OSError):  # it is somebody else's
            path.chmod(path.stat().st_mode & ~0o077)


def note_output(store: Store, kind: str, *pages: Path, export: Path | None = None, files: int = 0) -> None:
    made = datetime.now(UTC).isoformat(timespec="seconds")
    rows = [(os.fsencode(page.absolute()), kind, made, 1, page.stat().st_mtime_ns) for page in pages]
    if export is not None:
        rows.append((os.fsencode(export.absolute()), kind, made, files, EXPORT))
    with store.transaction() as connection:
        connection.executemany("INSERT OR REPLACE INTO output VALUES (?, ?, ?, ?, ?)", rows)


def outputs(store: Store, *, exports: bool | None = None) -> tuple[Output, ...]:
    """What was written elsewhere, by time: exports, pages, or both."""
    query = "SELECT path, kind, made, files, modified = ? FROM output ORDER BY made, path"
    rows = store.connection.execute(query, (EXPORT,)).fetchall()
    return tuple(
        Output(readable(os.fsdecode(path)), kind, made, files, Path(os.fsdecode(path)).exists())
        for path, kind, made, files, left in rows
        if exports in (None, bool(left))
    )


def take_back(store: Store) -> tuple[list[str], list[str]]:
    """Delete all pages, tables and sheets; those pages that went, and those that somebody changed since or holds."""
    sweep()
    for path in files_of(store.folder, (*VIEWS, REPLACED)):
        path.unlink(missing_ok=True)
    gone: list[str] = []
    left: list[str] = []
    query = "SELECT path, modified FROM output WHERE modified != ?"
    for path, modified in store.connection.execute(query, (EXPORT,)).fetchall():
        page = Path(os.fsdecode(path))
        with suppress(OSError):
            if page.exists() and page.stat().st_mtime_ns == modified:
                page.unlink()
            hidden_path(page).unlink(missing_ok=True)  # of a killed process
        (left if os.path.lexists(page) else gone).append(readable(str(page)))
    return gone, left


def clean(store: Store, *, journal: bool = False) -> tuple[list[str], list[str]]:
    """Leave no byte of what was erased in the library's files; pages that went with it, and those that stay.

    journal: whether it was written anew since; else it goes, and the next decision writes it anew.
    """
    pages = take_back(store)
    if not journal:
        (store.folder / JOURNAL).unlink(missing_ok=True)
    with clear_errors(store.folder):
        store.connection.execute("VACUUM")
        (busy, *_) = store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise LibraryBusyError(
            f"Erased, but another program is reading {store.folder}, and old pages are still in its files.",
            "End it; the next command that opens the library takes them away.",
        )
    with store.transaction() as connection:
        connection.execute("DELETE FROM output WHERE modified != -1")
        connection.execute("DELETE FROM fact WHERE key = ?", (ERASING,))
    return pages


def overwrite(file: BinaryIO) -> None:
    """Leave nothing of a file that is open; what a disk keeps of it elsewhere, nobody can overwrite."""
    size = os.fstat(file.fileno()).st_size
    for at in range(0, size, BLOCK):
        file.write(bytes(min(BLOCK, size - at)))
    file.flush()
    os.fsync(file.fileno())


def shred(path: Path) -> None:
    with suppress(OSError):
        status = path.lstat()
        if stat.S_ISREG(status.st_mode) and status.st_nlink == 1:  # else it is a file by another name, perhaps in use
            with path.open("rb+") as file:
                overwrite(file)
    path.unlink(missing_ok=True)


def finish_encrypting(store: Store) -> None:
    """Let a library's folder hold only what goes with its key, or with none; within the writer's lock."""
    folder, mark = store.folder, Mark.of(store.folder)
    if (folder / NEW).exists():  # a kill came before it took the library's place
        Mark(mark.key, pending=True).write(folder)
        shred(folder / NEW_JOURNAL)
    elif (folder / NEW_JOURNAL).exists():
        shred(folder / JOURNAL)
        (folder / NEW_JOURNAL).replace(folder / JOURNAL)
    plain = (*VIEWS, REPLACED) if mark.key and not store.fact(PLAIN) else (f"{TEMPORARY}*",)
    paths = files_of(folder, (OLD, f"{FILE}-journal", *plain))  # the journal is of the old file too
    for path in paths:
        shred(path)
    for one in {path.parent for path in paths} - {folder}:
        with suppress(OSError):  # there is something else in it
            one.rmdir()
    Mark(mark.key).write(folder)
