"""The files of a library's folder, and what it wrote elsewhere: pages that can be taken back, and exports that left."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from unmingle.files import JOURNAL, TEMPORARY, hidden_path, sweep
from unmingle.sources.formats import LIBRARY_FILE
from unmingle.sources.images import readable
from unmingle.store.encryption import MARK
from unmingle.store.sqlite import LOCK, LOG

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unmingle.store.sqlite import Store

KEY = "review.json"  # of the review page
REPLACED = "library-damaged*"  # what a repair put new ones in the place of
# Made again after each change, and by the commands that make them.
VIEWS = (
    *(f"{name}.csv" for name in ("faces", "people", "recordings", "intervals")),
    *("sheets/overview.jpg", "sheets/person-*.jpg", "timelines/*.png", "timelines/*.vtt", "report.html"),
    *(f"evaluation/{name}" for name in ("evaluation.json", "evaluation.csv", "confusion.png", "mistakes.png")),
    *(f"{folder}{TEMPORARY}*" for folder in ("", "sheets/", "timelines/", "evaluation/")),
)
TRUTH = (LIBRARY_FILE, LOG, f"{LIBRARY_FILE}-shm", JOURNAL, LOCK, KEY, MARK)
EXPORT = -1  # in place of the time of a page


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
    """Remember pages that were written, or an export."""
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
