"""Pictures in folders, one for each person, and a manifest that says whence each is."""

from __future__ import annotations

import csv
import io
import os
from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Literal

from unmingle.errors import WriteError
from unmingle.exchange.naming import Names
from unmingle.progress import silent
from unmingle.sources import images
from unmingle.sources.images import readable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from unmingle.exchange.placing import How, Placer
    from unmingle.progress import Progress

By = Literal["name", "id"]

MANIFEST, COLUMNS = images.MANIFEST, images.MANIFEST_COLUMNS  # by which a folder is known not to be a source
FACE_COLUMNS = ("frame", "face")  # one face of the person there, by which the name comes back


@dataclass(frozen=True, slots=True)
class Shown:
    """A file that shows a person.

    source, relative: native paths, as in `sources.images.PictureFile`.
    frame, face:      of one face of the person there; None where they are not known, frame also for a picture file.
    """

    person: int
    name: str
    source: str
    relative: str
    frame: int | None = None
    face: int | None = None

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
    files: defaultdict[tuple[int, str], dict[tuple[str, str], Shown]] = defaultdict(dict)
    for one in shown:
        files[one.person, one.name].setdefault((one.source, one.relative), one)
    folders = Names(MANIFEST)
    places = []
    for person, name in sorted(files):
        label = name if name and by == "name" else f"person-{person:04}"
        folder = folders.take(label, ending=False)
        names = Names()
        for (_, relative), one in sorted(files[person, name].items()):
            places.append(Place(one, folder, names.take(readable(PurePath(relative).name))))
    return places


def manifest(places: Sequence[Place]) -> bytes:
    """The manifest as csv."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    faces = any(place.shown.face is not None for place in places)
    writer.writerow(COLUMNS + FACE_COLUMNS * faces)
    for place in places:
        shown = place.shown
        original = readable(shown.relative).replace(os.sep, "/")
        row = (place.folder, place.file, shown.person, shown.name, readable(shown.source), original)
        writer.writerow(row + (shown.frame, shown.face) * faces)
    return text.getvalue().encode()


def put_in_folders(places: Sequence[Place], placer: Placer, how: How, *, progress: Progress = silent) -> None:
    """Bring the files to their places, the manifest first: it tells whether what is there is of this very export.

    What can't be brought is left out and told by the placer.

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
        name = os.path.join(place.folder, place.file)  # noqa: PTH118  # may be many
        placer.attempt(name, partial(placer.bring, name, place.shown.original, how))
    progress("write", len(places), len(places))
