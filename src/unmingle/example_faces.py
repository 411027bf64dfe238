"""Faces to try and calibrate a model on: of a labelled folder, of a library, or made-up ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import groupby, islice
from pathlib import Path, PurePosixPath

import numpy as np

from unmingle.errors import ModelError, PictureError, SourceError
from unmingle.faces.align import align
from unmingle.faces.detect import find_faces
from unmingle.models.yunet import open_yunet
from unmingle.progress import Progress
from unmingle.records import I64, U8
from unmingle.settings import DetectionSettings, EngineSettings
from unmingle.sources.decoding import decode
from unmingle.sources.images import PictureFile, quiet_decoders, read_picture, scan
from unmingle.store.face_query import examples
from unmingle.store.facts import check_begun
from unmingle.store.sqlite import open_to_read

PICTURES_AT_ONCE = 32
MOST_FACES = 10_000  # enough to measure strangers on; their pixels take 0.4 GB
MADE_UP_FRAMES = 3  # pictures of each of the twelve made-up people


@dataclass(frozen=True, slots=True, eq=False)
class KnownFaces:
    """n aligned faces of known people."""

    aligned: U8  # (n, 112, 112, 3) RGB
    people: I64  # (n,) whose they are, from 0 on; -1 for nobody's
    origin: str  # where they are from, in words
    made_up: bool = False  # whether nobody of them exists

    def repeated_people(self) -> int:
        """How many people have two faces or more."""
        return int(np.sum(np.unique(self.people[self.people >= 0], return_counts=True)[1] > 1))


@dataclass(frozen=True, slots=True)
class Examples:
    """Faces to try and calibrate a model on; made-up ones if neither is given."""

    labels: Path | None = None  # a folder that holds a folder of pictures for each person
    library: Path | None = None  # a library, whose people are taken as they are

    def read(self, progress: Progress) -> KnownFaces:
        """The faces, aligned; an error says which are not there."""
        if self.labels is not None and self.library is not None:
            raise ModelError("A folder and a library are given to calibrate on.", "Leave one of them out.")
        if self.labels is not None:
            return _faces_of_folder(self.labels, progress)
        return made_up_faces() if self.library is None else _faces_of_library(self.library, progress)


@cache
def made_up_faces() -> KnownFaces:
    """Faces of the demo's people: nothing of anybody."""
    from unmingle.demo import plan_meeting

    crops = [crop for crop in plan_meeting(frames=MADE_UP_FRAMES) if crop.person > 0 and not crop.masked]
    found = _aligned_faces((str(crop.person), decode(crop.jpeg)) for crop in crops)
    return KnownFaces(*found, "made-up faces", made_up=True)


def _faces_of_folder(folder: Path, progress: Progress) -> KnownFaces:
    """The main face of each picture in a folder that holds a folder for each person."""
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

    return KnownFaces(*_aligned_faces(pictures()), folder.resolve().name)


def _aligned_faces(pictures: Iterable[tuple[str, U8]]) -> tuple[U8, I64]:
    """The main face of each picture, aligned, and whose it is of those named; pictures without one are left out."""
    detector, settings = open_yunet(EngineSettings(precision="f32")), DetectionSettings(crops="always")
    faces: list[U8] = []
    names: list[str] = []
    rest = iter(pictures)
    while part := list(islice(rest, PICTURES_AT_ONCE)):
        found = find_faces(detector, [picture for _, picture in part], settings)
        for (name, picture), one in zip(part, found, strict=True):
            if len(one.faces):
                faces.append(align(picture, one.faces.points[0]))
                names.append(name)
    if not faces:
        raise ModelError("There is no face to try a model on.", "Name a folder with one folder for each person.")
    return np.stack(faces), np.unique(names, return_inverse=True)[1].astype(np.int64)


def _faces_of_library(folder: Path, progress: Progress) -> KnownFaces:
    """The faces of a library's people, cut out anew; faces of nobody fill up where there are few people."""
    with open_to_read(folder) as store:
        check_begun(store)
        wanted = list(examples(store))[:MOST_FACES]
    aligned: list[U8] = []
    people: list[int] = []
    done = 0
    for file, group in groupby(wanted, key=lambda one: one[0]):
        progress("analyse", done, len(wanted))
        on_it = list(group)
        done += len(on_it)
        picture = _picture(file)
        if picture is not None:
            aligned.extend(align(picture, points_52) for _, _, points_52 in on_it)
            people.extend(-1 if person is None else person for _, person, _ in on_it)
    progress("analyse", len(wanted), len(wanted))
    if not aligned:
        raise ModelError(
            f"There is no picture of {folder} to calibrate on.", "Its picture files must still be where they were."
        )
    _, people_n = np.unique(people, return_inverse=True)
    return KnownFaces(np.stack(aligned), people_n.astype(np.int64) - (-1 in people), folder.resolve().name)


def _picture(file: PictureFile) -> U8 | None:
    with suppress(PictureError), quiet_decoders():
        return read_picture(file)
    return None
