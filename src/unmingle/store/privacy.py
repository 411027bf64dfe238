"""What a library stores of whom, in which files, who may read them, what it wrote elsewhere, and how all of it goes.

What is taken away from a library that is encrypted now is overwritten first.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from operator import or_
from pathlib import Path
from typing import BinaryIO

from unmingle.errors import LibraryBusyError
from unmingle.files import JOURNAL, TEMPORARY, hidden_path, is_there, sweep
from unmingle.models.registry import VGG16, YUNET
from unmingle.sources.formats import LIBRARY_FILE as FILE
from unmingle.sources.images import readable
from unmingle.store.encryption import MARK, NEW, Mark
from unmingle.store.facts import PLAIN, model_of
from unmingle.store.file_rows import count_files, sources_there
from unmingle.store.sqlite import ERASING, LOCK, LOG, Store, clear_errors
from unmingle.text_layout import counted
from unmingle.version import __version__

KEY = "review.json"  # of the review page
REPLACED = "library-damaged*"  # what a repair put new ones in the place of
_OURS = (FILE, LOG, f"{FILE}-shm", JOURNAL)
_OTHER = (LOCK, KEY, MARK)
_TABLES = (*(f"{name}.csv" for name in ("faces", "people", "recordings", "intervals")), f"{TEMPORARY}*")
_SHEETS = ("sheets/overview.jpg", "sheets/person-*.jpg", f"sheets/{TEMPORARY}*")
_TIMELINES = ("timelines/*.png", "timelines/*.vtt", f"timelines/{TEMPORARY}*")
_EVALUATION = ("evaluation.json", "evaluation.csv", "confusion.png", "mistakes.png", f"{TEMPORARY}*")
_PAGES = ("report.html", *(f"evaluation/{name}" for name in _EVALUATION))
VIEWS = (*_TABLES, *_SHEETS, *_TIMELINES, *_PAGES)  # made again after each change, and by the commands that make them
TRUTH = (*_OURS, *_OTHER)
# For each kind of file what of a person is in it, and what such files are called.
_STORED = {
    "library": ("embeddings, landmarks, thumbnails, names, decisions, paths", (*_OURS, REPLACED)),
    "tables": ("names, paths, boxes", _TABLES),
    "sheets": ("pictures of faces, names", (*_SHEETS, *_TIMELINES)),
    "pages": ("pictures of faces, names, scores", _PAGES),
    "other": ("the page's key, and a lock", _OTHER),
}
_LIKE_OURS = ("library*", "decisions*", "faces*.csv*", "people*.csv*")  # what a cloud calls the copies that it makes
EXPORT = -1  # in place of the time of a page
OLD = "library-old.sqlite"  # the file of before, while a key is changed
NEW_JOURNAL = f"{TEMPORARY}new.jsonl"  # the journal that goes with the new file
BLOCK = 1 << 20  # bytes that are overwritten at a time
# Folders that a client keeps in step with somebody else's machine.
_SYNCED = re.compile(
    r"(dropbox|onedrive|google ?drive|my drive|icloud ?drive|mobile documents|cloudstorage|nextcloud|owncloud|pcloud"
    r"|mega|syncthing|proton drive|box( sync)?)(\b.*)?",
    re.IGNORECASE,
)
_MARKS = (".dropbox.cache", ".stfolder", ".nextcloudsync.log", ".owncloudsync.log")


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


def stray_copies(folder: Path) -> list[Path]:
    """Files that are called as the library's, and aren't: what a cloud keeps where two machines wrote at once, say."""
    ours = {path.name for path in files_of(folder, (*TRUTH, *VIEWS, REPLACED, OLD, f"{FILE}-journal"))}
    return [path for path in files_of(folder, _LIKE_OURS) if path.name not in ours]


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
        Output(readable(os.fsdecode(path)), kind, made, files, is_there(Path(os.fsdecode(path))))
        for path, kind, made, files, left in rows
        if exports in (None, bool(left))
    )


def take_back(store: Store) -> tuple[list[str], list[str]]:
    """Delete all pages, tables and sheets; those pages that went, and what stays: changed since, or no part of it."""
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
    return gone, [*left, *(readable(str(path)) for path in stray_copies(store.folder))]


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
    """Overwrite a file and delete it."""
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


@dataclass(frozen=True, slots=True)
class StoredFiles:
    """Files of one kind in the library's folder."""

    kind: str  # library, tables, sheets (with timelines), pages (reports, evaluations), other; copies: a cloud's.
    holds: str  # what of people is in them.
    files: int
    bytes: int
    mode: str  # the widest permissions among them, as 0600.


@dataclass(frozen=True, slots=True)
class ModelUsed:
    """A model that found or described faces."""

    name: str
    purpose: str
    faces: int  # whose embeddings it made.
    dimension: int
    licence: str
    source: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Privacy:
    """What a library stores of people; see `Library.privacy`."""

    folder: str
    made: str  # when this was told: UTC, ISO 8601.
    version: str  # of unmingle.
    people: int
    named: int
    faces: int  # embeddings, of all models.
    of_nobody: int  # of them of faces without a person.
    pictures: int  # files that are there, recordings too.
    sources: tuple[str, ...]
    decisions: int  # entries of the log.
    erased: int  # regions in pictures, and tracks, that stay out.
    stored: tuple[StoredFiles, ...]
    models: tuple[ModelUsed, ...]
    outputs: tuple[Output, ...]  # pages and exports, since this version notes them.
    warnings: tuple[str, ...]  # who else may read it.

    @classmethod
    def of(cls, store: Store) -> Privacy:
        """Of an open library."""
        count = {name: store.connection.execute(query).fetchone()[0] for name, query in _COUNTS.items()}
        models = [ModelUsed(YUNET.name, YUNET.purpose, 0, 0, YUNET.licence, YUNET.source, YUNET.sha256)]
        query = "SELECT recipe, count(*) FROM face_row GROUP BY recipe ORDER BY max(face)"
        for of, faces in store.connection.execute(query).fetchall():
            card = VGG16 if of.startswith("classic") else model_of(store, of)
            told = (card.name, card.purpose, faces, card.dimension, card.licence, card.source, card.sha256)
            models.append(ModelUsed(*told))
        return cls(
            folder=readable(str(store.folder.absolute())),
            made=datetime.now(UTC).isoformat(timespec="seconds"),
            version=__version__,
            pictures=count_files(store),
            sources=tuple(map(readable, sources_there(store))),
            stored=tuple(_stored(store.folder)),
            models=tuple(models[store.recipe.startswith("classic") :]),
            outputs=outputs(store),
            warnings=tuple(exposed(store.folder)),
            **count,
        )

    def lines(self) -> list[str]:
        """The same as text."""
        return [
            f"Faces in {self.folder}, as of {self.made} (unmingle {self.version})",
            f"People: {self.people:,}, {self.named:,} of them with a name",
            f"Faces: {self.faces:,} embeddings with landmarks and thumbnails, {self.of_nobody:,} of nobody",
            f"Of: {counted(self.pictures, 'file')} in {', '.join(self.sources) or 'no source'}",
            f"Log: {counted(self.decisions, 'entry', 'entries')}; erased: {counted(self.erased, 'region')} kept out",
            "Stored:",
            *(
                f"  {one.kind}: {counted(one.files, 'file')}, {one.bytes / 1e6:,.1f} MB, {one.mode} ({one.holds})"
                for one in self.stored
            ),
            "Models:",
            *(f"  {one.name}: {one.purpose}; {one.licence or 'no licence known'}; {one.source}" for one in self.models),
            "Exports and pages, as far as they were noted:"
            if self.outputs
            else "Exports and pages: none that was noted",
            *(
                f"  {one.made} {one.kind}: {one.path} ({counted(one.files, 'file')}{'' if one.there else ', gone'})"
                for one in self.outputs
            ),
            *self.warnings,
        ]


_COUNTS = {
    "people": "SELECT count(DISTINCT person) FROM member",
    "named": "SELECT count(*) FROM person WHERE name != ''",
    "faces": "SELECT count(*) FROM face",
    "of_nobody": "SELECT count(*) FROM face WHERE id NOT IN (SELECT face FROM member UNION SELECT face FROM former)",
    "decisions": "SELECT count(*) FROM decision",
    "erased": "SELECT count(*) FROM erased",
}


def _stored(folder: Path) -> Iterator[StoredFiles]:
    kinds = [(kind, holds, files_of(folder, names)) for kind, (holds, names) in _STORED.items()]
    for kind, holds, paths in [*kinds, ("copies", "what it held once; unmingle made none", stray_copies(folder))]:
        if found := [path.stat() for path in paths]:
            widest = reduce(or_, (one.st_mode for one in found))
            size = sum(one.st_size for one in found)
            yield StoredFiles(kind, holds, len(found), size, f"{widest & 0o777:04o}")


def exposed(folder: Path) -> Iterator[str]:
    """Who else may read what is written to a folder: other users of the machine, and clients of a cloud."""
    whole = folder.resolve()
    if not whole.exists():
        return
    if os.name == "posix" and (mode := whole.stat().st_mode & 0o777) & 0o077:
        yield f"Others may look into {readable(str(folder))}: chmod {'go-rwx'} closes it (it has {mode:03o})."
    for above in (whole, *whole.parents):
        if _SYNCED.fullmatch(above.name) or any((above / mark).exists() for mark in _MARKS):
            yield f"{readable(str(above))} looks like a folder that is synced to other machines, faces with it."
            return
