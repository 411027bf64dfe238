"""Where the library's files lie: each real file has one row, however it is reached, and what is gone is marked.

A folder is known by device and inode, so that links, `..`, other case and a source inside another make no second row.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from unmingle.errors import SourceError, command
from unmingle.files import stamp, user_path
from unmingle.sources.images import PictureFile, Scan, readable
from unmingle.store.sqlite import Store

Key = tuple[int, int]  # device and inode
Place = tuple[str, str]  # source, and folder below it
WALKED = "walked"  # the fact that lists the folders that were searched for pictures


class _Folders:
    """Folders on the disk, each looked at once."""

    def __init__(self) -> None:
        self.key, self.names = cache(_key_of), cache(_names_in)
        self._owner: dict[Key, Place] = {}

    def own(self, place: Place) -> Place:
        """The place that the files of a folder are known by: the first that was asked for."""
        key = self.key(place)
        return place if key is None else self._owner.setdefault(key, place)

    def reachable(self, source: str) -> bool:
        """Whether a source is there; an empty folder may be where a disk is put in."""
        return bool(self.names((source, "")))


def _key_of(place: Place) -> Key | None:
    """Device and inode; None if there is no such folder."""
    try:
        status = os.stat(os.path.join(*place))  # noqa: PTH116, PTH118  # there may be a hundred thousand
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _names_in(place: Place) -> frozenset[str] | None:
    """What lies in a folder; nothing if it is gone, None if it can't be told."""
    try:
        return frozenset(os.listdir(os.path.join(*place)))  # noqa: PTH118, PTH208
    except (FileNotFoundError, NotADirectoryError):
        return frozenset()
    except OSError:
        return None


@dataclass(frozen=True, slots=True)
class FileRow:
    """A file of the library."""

    row: int
    source: str
    path: str
    digest: str | None
    present: bool

    @property
    def place(self) -> Place:
        """Its source, and its folder below that."""
        return self.source, os.path.dirname(self.path)  # noqa: PTH120

    @property
    def name(self) -> str:
        """Without its folder."""
        return os.path.basename(self.path)  # noqa: PTH119


def _file_rows(connection: sqlite3.Connection) -> list[FileRow]:
    query = "SELECT file, folder, path, coalesce(digest, former), present FROM file_row ORDER BY source, file"
    return [
        FileRow(row, os.fsdecode(folder), os.fsdecode(path), digest, bool(present))
        for row, folder, path, digest, present in connection.execute(query)
    ]


def note_files(connection: sqlite3.Connection, scan: Scan) -> set[PictureFile]:
    """Note every file of a scan, each once, mark those that are gone, and tell how the library knows its files."""
    folders = _Folders()
    rows = _fold(connection, folders, _file_rows(connection))
    found: dict[Place, PictureFile] = {}
    for file in scan.files:
        source, folder = folders.own((file.source, os.path.dirname(file.relative)))  # noqa: PTH120
        relative = os.path.join(folder, os.path.basename(file.relative))  # noqa: PTH118, PTH119
        found.setdefault((source, relative), PictureFile(source, relative, file.problem))
    sources = _note_sources(connection, {file.source for file in found.values()} | set(scan.folders))
    # Of a folder that is empty now nothing is known to be gone: it may be where a disk is put in.
    walked = {key for folder in scan.folders if folders.reachable(folder) and (key := folders.key((folder, "")))}
    gone = [row.row for row in rows if (row.source, row.path) not in found and _is_gone(row, folders, walked)]
    connection.executemany("UPDATE file SET present = 0 WHERE id = ?", [(row,) for row in gone])
    connection.executemany(
        "INSERT INTO file (source, path, name, problem) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (source, path) DO UPDATE SET present = 1, problem = excluded.problem",
        [(sources[f.source], os.fsencode(f.relative), f.name, f.problem) for f in found.values()],
    )
    return set(found.values())


def _is_gone(row: FileRow, folders: _Folders, walked: Collection[Key]) -> bool:
    """Whether a file that was not found is gone, and not only out of reach."""
    if not row.present:
        return False
    if folders.key((row.source, "")) in walked:
        return folders.names(row.place) is not None  # it would have been found, unless its folder can't be opened
    if folders.reachable(row.source):
        names = folders.names(row.place)
        return names is not None and row.name not in names
    return any(folders.key((str(parent), "")) in walked for parent in Path(row.source).parents)


def _fold(connection: sqlite3.Connection, folders: _Folders, rows: list[FileRow]) -> list[FileRow]:
    """Let a real file have one row, where an earlier version or a new link gave it several; the first one stays."""
    known = {(row.source, row.path): row for row in rows}
    for row in rows:
        source, folder = folders.own(row.place)
        if (source, folder) == row.place:
            continue
        moved = replace(row, source=source, path=os.path.join(folder, row.name))  # noqa: PTH118
        first = known.get((source, moved.path))
        del known[row.source, row.path]
        if first is not None and first.digest is not None:
            connection.execute("DELETE FROM file WHERE id = ?", (row.row,))
            connection.execute("UPDATE file SET present = max(present, ?) WHERE id = ?", (row.present, first.row))
            known[first.source, first.path] = replace(first, present=first.present or row.present)
        else:
            _put_file(connection, moved)
            known[moved.source, moved.path] = moved
    return list(known.values())


def _put_file(connection: sqlite3.Connection, row: FileRow) -> None:
    """Give a file its place, in place of any that has it."""
    source, path = _note_sources(connection, {row.source})[row.source], os.fsencode(row.path)
    connection.execute("DELETE FROM file WHERE source = ? AND path = ? AND id != ?", (source, path, row.row))
    name = PictureFile(row.source, row.path).name
    connection.execute("UPDATE file SET source = ?, path = ?, name = ? WHERE id = ?", (source, path, name, row.row))


def _note_sources(connection: sqlite3.Connection, roots: Iterable[str]) -> dict[str, int]:
    sources = {}
    for root in sorted(roots):
        path = os.fsencode(root)
        connection.execute("INSERT OR IGNORE INTO source (path) VALUES (?)", (path,))
        (sources[root],) = connection.execute("SELECT id FROM source WHERE path = ?", (path,)).fetchone()
    return sources


def note_moved(store: Store, new: Sequence[int]) -> int:
    """Forget the old names of files that are there under a new one, and tell how many there are.

    A file is the same if its content is that of one that is gone, or of one in a source that is not there any more.
    Where most files of such a source are found elsewhere it was moved, and what was not found with them is gone.
    new: rows of the files that this run found first.
    """
    query = "SELECT file.id, digest FROM json_each(?) JOIN file ON file.id = value WHERE digest IS NOT NULL"
    with store.transaction() as connection:
        digest_of = dict(connection.execute(query, (json.dumps(list(new)),)).fetchall())
        shown, away = set(digest_of.values()), out_of_reach(connection)
        lost: defaultdict[str, list[FileRow]] = defaultdict(list)  # by source
        for row in _file_rows(connection) if shown else ():
            if row.row not in digest_of and (not row.present or row.source in away):
                lost[row.source].append(row)
        moved: set[str | None] = set()
        for source, rows in lost.items():
            found = [row for row in rows if row.digest in shown]
            moved.update(row.digest for row in found)
            connection.executemany("DELETE FROM file WHERE id = ?", [(row.row,) for row in found])
            if source in away and 2 * len(found) > len(rows):
                connection.executemany("UPDATE file SET present = 0 WHERE id = ?", [(row.row,) for row in rows])
                note_walked(store, [folder for folder in walked_folders(store) if folder != source])
        _drop_empty_sources(connection)
    return sum(digest in moved for digest in digest_of.values())


def _files_by_source(connection: sqlite3.Connection) -> list[tuple[str, int]]:
    query = "SELECT folder, count(*) FROM file_row WHERE present = 1 GROUP BY source ORDER BY folder"
    return [(os.fsdecode(folder), count) for folder, count in connection.execute(query)]


def out_of_reach(connection: sqlite3.Connection) -> dict[str, int]:
    """The sources that are not there now, as on a disk that was taken out, and how many files each has."""
    folders = _Folders()
    return {source: count for source, count in _files_by_source(connection) if not folders.reachable(source)}


def count_files(store: Store) -> int:
    """How many files are there."""
    return sum(count for _, count in _files_by_source(store.connection))


def sources_there(store: Store) -> list[str]:
    """The sources of which files are there, as native paths."""
    return sorted(source for source, _ in _files_by_source(store.connection))


def walked_folders(store: Store) -> list[str]:
    """The folders that were searched for pictures, as native paths."""
    noted = store.fact(WALKED)
    # Before that was noted, every folder that files are below may have been searched.
    return sources_there(store) if noted is None else list(json.loads(noted))


def note_walked(store: Store, folders: Iterable[str]) -> None:
    """Note the folders that were searched."""
    store.set_fact(WALKED, json.dumps(sorted(set(folders))))


def remembered(store: Store) -> list[Path]:
    """What was named as a source so far: the folders that were searched, and files that were named by themselves."""
    walked, sources = walked_folders(store), store.connection.execute("SELECT id, path FROM source").fetchall()
    others = json.dumps([row for row, path in sources if os.fsdecode(path) not in walked])
    query = (
        "SELECT folder, file_row.path FROM json_each(?) JOIN file_row ON source = value AND present = 1 ORDER BY 1, 2"
    )
    rows = (map(os.fsdecode, row) for row in store.connection.execute(query, (others,)))
    return [*map(Path, walked), *(Path(folder, path) for folder, path in rows)]


def taken_along(store: Store, scan: Scan) -> tuple[tuple[str, int], ...]:
    """The sources that are there and that a scan did not look through, and how many files each still gives."""
    searched = [os.path.realpath(folder) for folder in scan.folders]
    named = Counter(file.source for file in scan.files)
    return tuple(
        (readable(source), files - named[source])
        for source, files in _files_by_source(store.connection)
        if files != named[source]
        and os.path.isdir(source)  # noqa: PTH112
        and not any(Path(os.path.realpath(source)).is_relative_to(folder) for folder in searched)
    )


def _drop_empty_sources(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM source WHERE NOT EXISTS (SELECT 1 FROM file WHERE file.source = source.id)")


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What left a library."""

    files: int  # that were in it.
    faces: int  # that no other file shows.
    people: int  # who have no other face.


def forget(store: Store, folder: Path) -> Forgotten:
    """Drop the files in a folder, or one file; what was found in them and said of them stays."""
    counts = "SELECT (SELECT count(*) FROM absent_face WHERE recipe = ?), (SELECT count(DISTINCT person) FROM member)"
    with store.transaction() as connection:
        there = files_below(connection, folder)
        absent, people = connection.execute(counts, (store.recipe,)).fetchone()
        connection.executemany("DELETE FROM file WHERE id = ?", [(file.row,) for file, _, _ in there])
        names = _names(folder)
        note_walked(store, [one for one in walked_folders(store) if not any(_holds(name, one) for name in names)])
        _drop_empty_sources(connection)
        keep_previous(store)
        for table in ("member", "proposal"):
            gone = "SELECT face FROM absent_face WHERE recipe = ?"
            connection.execute(f"DELETE FROM {table} WHERE face IN ({gone})", (store.recipe,))
        absent_now, people_now = connection.execute(counts, (store.recipe,)).fetchone()
    return Forgotten(len(there), absent_now - absent, people - people_now)


def keep_previous(store: Store) -> None:
    """Remember whose the faces were that no file shows any more, for when they come back."""
    store.connection.execute(
        "INSERT OR REPLACE INTO former (face, person) SELECT face, person FROM member"
        " WHERE face IN (SELECT face FROM absent_face WHERE recipe = ?)",
        (store.recipe,),
    )


def relocate(store: Store, old: Path, new: Path) -> int:
    """Note that the files in a folder are in another one now, and tell how many there are; none is read."""
    new = Path(_names(new)[0])
    with store.transaction() as connection:
        there = files_below(connection, old)
        stamps = {rest: stamp(new / rest) for _, rest, _ in there}
        away = (rest for file, rest, _ in there if file.present and stamps[rest][0] < 0)
        missing = sorted(rest for rest in away if not os.path.lexists(new / rest))  # a broken link is there
        if missing:
            raise SourceError(
                f"{len(missing):,} of {len(there):,} files are not in {readable(str(new))}; the first that is missing"
                f" is {readable(missing[0])}.",
                "Name the folder where they are now. Where some are gone for good, this finds the others by what they"
                f" show: {command('cluster', new, '-o', store.folder)}",
            )
        moving = {file.row for file, _, _ in there}
        rows = (row for row in _file_rows(connection) if row.present and row.row not in moving)
        others = {os.path.normpath(Path(row.source, row.path)): row.digest for row in rows}
        taken = {
            rest for file, rest, _ in there if others.get(os.path.normpath(new / rest), file.digest) != file.digest
        }
        if wrong := sorted(rest for file, rest, _ in there if file.present and rest in taken):
            raise SourceError(
                f"{len(wrong):,} of {len(there):,} files are others in {readable(str(new))}, which the library has too;"
                f" the first is {readable(wrong[0])}.",
                "Name the folder where the files are now.",
            )
        there = [one for one in there if one[1] not in taken]  # those were gone before
        # A folder may have gone into itself, or out: then each goes where another has been that has left before.
        deeper = _holds(_names(old)[0], str(new))
        sources: dict[str, str] = {}
        for file, rest, inside in sorted(there, key=lambda one: len(one[1]), reverse=deeper):
            whole = os.path.join(new, rest)  # noqa: PTH118
            if inside is not None:
                source = sources[file.source] = os.path.normpath(new / inside)
            elif _holds(file.source, whole):
                source = file.source  # moved within its source
            else:
                source = str(new if rest != "." else new.parent)
            _put_file(connection, replace(file, source=source, path=os.path.relpath(whole, source)))
            # What has the same size is taken for the same, though a copy may have a time of its own.
            size, modified = stamps[rest]
            connection.execute("UPDATE file SET modified = ? WHERE id = ? AND size = ?", (modified, file.row, size))
        note_walked(store, [sources.get(folder, folder) for folder in walked_folders(store)])
        _drop_empty_sources(connection)
    return sum(size >= 0 for size, _ in stamps.values())


def files_below(connection: sqlite3.Connection, folder: Path) -> list[tuple[FileRow, str, str | None]]:
    """The files in a folder, however it is named, or a file itself; SourceError if there are none.

    With each, its path below the folder, and the path of its source below it, if that is in it too.
    """
    found: list[tuple[FileRow, str, str | None]] = []
    real: dict[str, str] = {}
    names = _names(folder)
    for row in _file_rows(connection):
        true = real.setdefault(row.source, os.path.realpath(row.source))
        for root, wanted in ((row.source, names[0]), (true, names[1])):
            whole = os.path.normpath(os.path.join(root, row.path))  # noqa: PTH118
            if _holds(wanted, whole):
                inside = os.path.relpath(root, wanted) if _holds(wanted, root) else None
                found.append((row, os.path.relpath(whole, wanted), inside))
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
