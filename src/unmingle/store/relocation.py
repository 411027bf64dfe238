"""Files that leave a library, or that are somewhere else now."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from unmingle.errors import SourceError
from unmingle.files import user_path
from unmingle.sources.images import readable
from unmingle.store.face_rows import ABSENT, keep_previous
from unmingle.store.file_rows import drop_empty_sources, file_rows, note_walked, put_file, walked_folders

if TYPE_CHECKING:
    import sqlite3

    from unmingle.store.file_rows import FileRow
    from unmingle.store.sqlite import Store


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What left a library.

    Attributes:
        files: that were in it.
        faces: that no other file shows.
        people: who have no other face.
    """

    files: int
    faces: int
    people: int


def forget(store: Store, recipe: str, folder: Path) -> Forgotten:
    """Drop the files in a folder, or one file; what was found in them and said of them stays."""
    faces, people = f"SELECT count(*) FROM ({ABSENT})", "SELECT count(DISTINCT person) FROM member"
    with store.transaction() as connection:
        there = _below(connection, folder)
        before = connection.execute(faces, (recipe,)).fetchone()[0], connection.execute(people).fetchone()[0]
        connection.executemany("DELETE FROM file WHERE id = ?", [(one.row.row,) for one in there])
        names = _names(folder)
        note_walked(store, [one for one in walked_folders(store) if not any(_holds(name, one) for name in names)])
        drop_empty_sources(connection)
        keep_previous(connection, recipe)
        for table in ("member", "proposal"):
            connection.execute(f"DELETE FROM {table} WHERE face IN ({ABSENT})", (recipe,))
        after = connection.execute(faces, (recipe,)).fetchone()[0], connection.execute(people).fetchone()[0]
    return Forgotten(len(there), after[0] - before[0], before[1] - after[1])


def relocate(store: Store, old: Path, new: Path) -> int:
    """Note that the files in a folder are in another one now, and tell how many there are; none is read."""
    new = Path(_names(new)[0])
    with store.transaction() as connection:
        there = _below(connection, old)
        stamps = {one.rest: _stamp(new / one.rest) for one in there}
        missing = sorted(one.rest for one in there if one.row.present and stamps[one.rest] is None)
        if missing:
            raise SourceError(
                f"{len(missing):,} of {len(there):,} files are not in {readable(str(new))}; the first that is missing"
                f" is {readable(missing[0])}.",
                "Name the folder where they are now; first let unmingle cluster find out what is gone for good.",
            )
        # A folder may have gone into itself, or out: then each goes where another has been that has left before.
        deeper = _holds(_names(old)[0], str(new))
        for one in sorted(there, key=lambda one: len(one.rest), reverse=deeper):
            row, whole = one.row, os.path.join(new, one.rest)  # noqa: PTH118
            if one.source is not None:
                source = os.path.normpath(new / one.source)
            elif _holds(row.source, whole):
                source = row.source  # moved within its source
            else:
                source = str(new if one.rest != "." else new.parent)
            put_file(connection, replace(row, source=source, path=os.path.relpath(whole, source)))
            # What has the same size is taken for the same, though a copy may have a time of its own.
            size, modified = stamps[one.rest] or (-1, -1)
            connection.execute("UPDATE file SET modified = ? WHERE id = ? AND size = ?", (modified, row.row, size))
        sources = {one.row.source: os.path.normpath(new / one.source) for one in there if one.source is not None}
        note_walked(store, [sources.get(folder, folder) for folder in walked_folders(store)])
        drop_empty_sources(connection)
    return len(there)


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


@dataclass(frozen=True, slots=True)
class _Below:
    """A file in a folder. rest: its path below it. source: the path of its source below it, if that is in it too."""

    row: FileRow
    rest: str
    source: str | None


def _below(connection: sqlite3.Connection, folder: Path) -> list[_Below]:
    """The files in a folder, however it is named, or a file itself."""
    found: list[_Below] = []
    real: dict[str, str] = {}
    names = _names(folder)
    for row in file_rows(connection):
        true = real.setdefault(row.source, os.path.realpath(row.source))
        for root, wanted in ((row.source, names[0]), (true, names[1])):
            whole = os.path.normpath(os.path.join(root, row.path))  # noqa: PTH118
            if _holds(wanted, whole):
                inside = os.path.relpath(root, wanted) if _holds(wanted, root) else None
                found.append(_Below(row, os.path.relpath(whole, wanted), inside))
                break
    if not found:
        sources = ", ".join(sorted(map(readable, real))) or "none"
        raise SourceError(f"The library has no files in {readable(names[0])}.", f"Its sources: {sources}.")
    return found


def _names(folder: Path) -> tuple[str, str]:
    """A path as it was named, but whole, and with its links followed."""
    text = os.path.abspath(user_path(folder))  # noqa: PTH100  # links stay as they were named
    return text, os.path.realpath(text)


def _holds(folder: str, path: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)
