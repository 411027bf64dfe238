"""Pictures in folders, one for each person, and a manifest that says whence each is."""

from __future__ import annotations

import csv
import io
import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Literal

from unmingle.errors import WriteError
from unmingle.export.naming import Names
from unmingle.progress import silent
from unmingle.sources.images import readable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from unmingle.export.placing import How, Placer
    from unmingle.progress import Progress

By = Literal["name", "id"]

MANIFEST = "manifest.csv"
COLUMNS = ("folder", "file", "person", "name", "source", "original")


@dataclass(frozen=True, slots=True)
class Shown:
    """A file that shows a person. source and relative are native paths, as in `sources.images.PictureFile`."""

    person: int
    name: str
    source: str
    relative: str

    @property
    def original(self) -> Path:
        """Where the file is."""
        return Path(self.source, self.relative)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file goes: its folder and name there."""

    shown: Shown
    folder: str
    file: str


def plan(shown: Iterable[Shown], *, by: By) -> list[Place]:
    """Give each person a folder and each of its files a name there, the same for the same library.

    Names are made safe for every system (see `naming.safe`); of those that would be one on some system, the later get a
    number. A person without a name is called by number.

    Args:
        shown: files and whom they show; one that shows several people is there for each.
        by: what folders are called by.
    """
    files: defaultdict[tuple[int, str], set[tuple[str, str]]] = defaultdict(set)
    for one in shown:
        files[one.person, one.name].add((one.source, one.relative))
    folders = Names(MANIFEST)
    places = []
    for person, name in sorted(files):
        label = name if name and by == "name" else f"person-{person:04}"
        folder = folders.take(label, ending=False)
        names = Names()
        for source, relative in sorted(files[person, name]):
            file = names.take(readable(PurePath(relative).name))
            places.append(Place(Shown(person, name, source, relative), folder, file))
    return places


def manifest(places: Sequence[Place]) -> bytes:
    """The manifest as csv."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for place in places:
        shown = place.shown
        original = readable(shown.relative).replace(os.sep, "/")
        writer.writerow((place.folder, place.file, shown.person, shown.name, readable(shown.source), original))
    return text.getvalue().encode()


def put_in_folders(places: Sequence[Place], placer: Placer, how: How, *, progress: Progress = silent) -> None:
    """Bring the files to their places, the manifest first: it tells whether what is there is of this very export.

    Raises:
        WriteError: the folder holds another export, can't be written, or the disk is full.
    """
    placer.put(MANIFEST, manifest(places))
    if placer.in_the_way:
        raise WriteError(
            f"{placer.folder} holds an export of another state of the library, or of other options.",
            f"Choose another folder, or take {MANIFEST} away: files are never overwritten.",
        )
    for done, place in enumerate(places):
        if done % 1000 == 0:
            progress("write", done, len(places))
        placer.bring(os.path.join(place.folder, place.file), place.shown.original, how)  # noqa: PTH118  # may be many
    progress("write", len(places), len(places))
