"""Faces of known people to try and calibrate a model on: from a labelled folder, or from a library."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from unmingle.api.recipes import current
from unmingle.api.trying import KnownFaces, aligned_faces
from unmingle.errors import ModelError, PictureError, SourceError
from unmingle.faces.align import align
from unmingle.sources.images import quiet_decoders, read_picture, scan
from unmingle.store.known_faces import examples
from unmingle.store.sqlite import open_to_read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unmingle.progress import Progress
    from unmingle.records import U8
    from unmingle.sources.images import PictureFile

MOST_FACES = 10_000  # enough to measure strangers on; their pixels take 0.4 GB


def faces_of_folder(folder: Path, progress: Progress) -> KnownFaces:
    """The main face of each picture in a folder that holds a folder for each person.

    Raises:
        SourceError: the folder is missing or holds no picture.
        ModelError: no picture shows a face.
    """
    files = [file for file in scan([folder]).files if not file.is_recording][:MOST_FACES]
    if not files:
        raise SourceError(f"There are no pictures in {folder}.", "Name a folder with one folder for each person.")

    def pictures() -> Iterator[tuple[str, U8]]:
        for number, file in enumerate(files):
            progress("analyse", number, len(files))
            picture = _picture(file)
            if picture is not None:
                yield str(PurePosixPath(file.name).parent), picture
        progress("analyse", len(files), len(files))

    found = aligned_faces(pictures())
    return KnownFaces(found.aligned, found.people, folder.resolve().name)


def faces_of_library(folder: Path, progress: Progress) -> KnownFaces:
    """The faces of a library's people, cut out anew; faces of nobody have -1, and fill up where there are few people.

    Raises:
        LibraryError: there is no library, or it was not grouped by faces.
        ModelError: none of its pictures can be read.
    """
    with open_to_read(folder) as store:
        wanted = list(examples(store, current(store)))[:MOST_FACES]
    aligned, people = [], []
    done = 0
    for file, group in groupby(wanted, key=lambda one: one.file):
        progress("analyse", done, len(wanted))
        on_it = list(group)
        done += len(on_it)
        picture = _picture(file)
        if picture is None:
            continue
        for one in on_it:
            aligned.append(align(picture, one.points))
            people.append(-1 if one.person is None else one.person)
    progress("analyse", len(wanted), len(wanted))
    if not aligned:
        raise ModelError(
            f"There is no picture of {folder} to calibrate on.", "Its picture files must still be where they were."
        )
    _, people_n = np.unique(people, return_inverse=True)
    return KnownFaces(np.stack(aligned), people_n.astype(np.int64) - (-1 in people), folder.resolve().name)


def _picture(file: PictureFile) -> U8 | None:
    """Its pixels; None if it can't be read."""
    try:
        with quiet_decoders():
            return read_picture(file)
    except PictureError:
        return None
