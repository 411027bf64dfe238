"""What a library stores of whom, in which files, who may read them, and what left: for a record of processing."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from operator import or_
from pathlib import Path

from unmingle.models.registry import VGG16, YUNET
from unmingle.sources.images import readable
from unmingle.store.encryption import MARK
from unmingle.store.facts import model_of
from unmingle.store.file_rows import count_files, sources_there
from unmingle.store.outputs import KEY, REPLACED, TRUTH, VIEWS, Output, files_of, outputs
from unmingle.store.sqlite import LOCK, Store
from unmingle.text_layout import counted
from unmingle.version import __version__

# Folders that a client keeps in step with somebody else's machine.
_SYNCED = re.compile(
    r"(dropbox|onedrive|google ?drive|my drive|icloud ?drive|mobile documents|cloudstorage|nextcloud|owncloud|pcloud"
    r"|mega|syncthing|proton drive|box( sync)?)(\b.*)?",
    re.IGNORECASE,
)
_MARKS = (".dropbox.cache", ".stfolder", ".nextcloudsync.log", ".owncloudsync.log")
# What of a person is stored, for each kind of file.
_HOLDS = {
    "library": "embeddings, landmarks, thumbnails, names, decisions, paths",
    "tables": "names, paths, boxes",
    "sheets": "pictures of faces, names",
    "pages": "pictures of faces, names, scores",
    "other": "the page's key, and a lock",
}


@dataclass(frozen=True, slots=True)
class StoredFiles:
    """Files of one kind in the library's folder."""

    kind: str  # library, tables, sheets (with timelines), pages (reports, evaluations), other.
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
            "Written elsewhere, as far as it was noted:"
            if self.outputs
            else "Written elsewhere: nothing that was noted",
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


def _kind_of(name: str) -> str:
    if name in (*TRUTH, REPLACED):
        return "other" if name in (LOCK, KEY, MARK) else "library"
    return "pages" if name.startswith(("report", "evaluation")) else "sheets" if "/" in name else "tables"


def _stored(folder: Path) -> list[StoredFiles]:
    found: dict[str, list[os.stat_result]] = {kind: [] for kind in _HOLDS}
    for name in (*TRUTH, REPLACED, *VIEWS):
        found[_kind_of(name)] += [path.stat() for path in files_of(folder, [name])]
    return [
        StoredFiles(kind, _HOLDS[kind], len(all_), sum(one.st_size for one in all_), f"{widest & 0o777:04o}")
        for kind, all_ in found.items()
        if (widest := reduce(or_, (one.st_mode for one in all_), 0))
    ]


def exposed(folder: Path) -> list[str]:
    """Who else may read what is written to a folder: other users of the machine, and clients of a cloud."""
    whole = folder.resolve()
    told: list[str] = []
    if not whole.exists():
        return told
    if os.name == "posix" and (mode := whole.stat().st_mode & 0o077):
        told.append(f"Others may look into {readable(str(folder))}: chmod {'go-rwx'} closes it (it has {mode:03o}).")
    for above in (whole, *whole.parents):
        if _SYNCED.fullmatch(above.name) or any((above / mark).exists() for mark in _MARKS):
            told.append(f"{readable(str(above))} looks like a folder that is synced to other machines, faces with it.")
            break
    return told
