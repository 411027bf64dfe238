"""A meeting of made-up people, drawn beforehand by tools/draw_demo.py: nobody in it exists.

Crops are named as a meeting cutter names them. The workbook of labels has the dirt of those made by hand: an empty
first column, rows out of order, empty rows, rows without a file, files without a row.
"""

from __future__ import annotations

import datetime
import json
import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from zipfile import ZipFile

from unmingle.errors import SettingsError, SourceError
from unmingle.progress import Progress, silent

PEOPLE, FRAMES = 12, 20
FRAME_STEP = 2  # a cutter takes every second frame
HEADER = ("No", "File Name", "ID", "Mask")


@dataclass(frozen=True, slots=True)
class Crop:
    """One picture of the meeting."""

    name: str  # of the file
    person: int  # 1, 2, …, the number of the person in the workbook; 0 is no face
    masked: bool  # whether the person wears a mask
    drawn: str  # its name in the archive

    @property
    def jpeg(self) -> bytes:
        """The picture."""
        return _archive()[self.drawn]


@dataclass(frozen=True, slots=True)
class Meeting:
    """A meeting on disk, with the truth about it."""

    faces: Path  # the folder of crops
    labels: Path  # the workbook
    crops: tuple[Crop, ...]  # every picture in the folder


def identifier(part: int) -> str:
    """What the names of one of the two meetings begin with."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"unmingle demo meeting 0 {part}"))


@cache
def _archive() -> dict[str, bytes]:
    with files("unmingle").joinpath("demo.zip").open("rb") as file, ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def plan_meeting(*, people: int = PEOPLE, frames: int = FRAMES) -> tuple[Crop, ...]:
    """The pictures of a meeting of so many people, in so many frames over two parts."""
    for what, number, most in (("people", people, PEOPLE), ("frames", frames, FRAMES)):
        if not 1 <= number <= most:
            raise SettingsError(f"There is no demo of {number} {what}.", f"Give 1 to {most}.")
    crops: list[Crop] = []
    for part, shown in enumerate(json.loads(_archive()["plan.json"])):
        for frame, tiles in enumerate(shown[: (frames + 1 - part) // 2]):
            seen = [(person, masked, drawn) for person, masked, drawn in tiles if person <= people]
            crops.extend(
                Crop(f"{identifier(part)}_{frame * FRAME_STEP:08d}_{index}.jpg", person, bool(masked), drawn)
                for index, (person, masked, drawn) in enumerate(seen)
            )
    return tuple(crops)


def write_meeting(folder: Path, *, people: int = PEOPLE, frames: int = FRAMES, progress: Progress = silent) -> Meeting:
    """Write the meeting into `folder`: `faces/*.jpg` and `annotations.xlsx`. The same arguments give the same bytes."""
    crops = plan_meeting(people=people, frames=frames)
    faces, labels = folder / "faces", folder / "annotations.xlsx"
    try:
        faces.mkdir(parents=True, exist_ok=True)
        others = {path.name for path in faces.iterdir()} - {crop.name for crop in crops}
    except OSError as error:
        mend = "Give a folder that you may write to."
        raise SourceError(f"The folder {faces} can't be made: {error.strerror}.", mend) from error
    if others:
        problem = f"{faces} already holds other files, such as {min(others)}."
        raise SourceError(problem, "Give an empty folder: they would be taken for part of the meeting.")
    try:
        for done, crop in enumerate(crops):
            progress("draw", done, len(crops))
            (faces / crop.name).write_bytes(crop.jpeg)
        progress("draw", len(crops), len(crops))
        _write_workbook(labels, crops)
    except OSError as error:
        raise SourceError(f"The meeting can't be written into {folder}: {error.strerror}.") from error
    return Meeting(faces, labels, crops)


def _write_workbook(path: Path, crops: Sequence[Crop]) -> None:
    import xlsxwriter

    order = random.Random(22).sample(crops, len(crops))
    left_out = [crop.name for crop in order if crop.person and not crop.masked][: len(crops) // 40]
    rows = [(crop.name, crop.person, "Y" if crop.masked else "N") for crop in order if crop.name not in left_out]
    for i in range(3):
        rows.insert((i * len(rows)) // 3 + 1, (f"{identifier(100 + i)}_00000000_0.jpg", 1, "N"))

    book = xlsxwriter.Workbook(str(path))
    # The date of making would make every file's bytes different.
    book.set_properties({"created": datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)})
    sheet = book.add_worksheet()
    sheet.write_row(0, 1, HEADER)
    line = 0
    for number, row in enumerate(rows, start=1):
        line += 2 if number % 61 == 2 else 1  # an empty row now and then
        sheet.write_row(line, 1, (number, *row))
    book.close()
