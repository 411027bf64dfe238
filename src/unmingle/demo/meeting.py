"""A meeting of made-up people: face crops with the names that a meeting cutter gives them, and a workbook of labels.

The workbook has the columns and the dirt of workbooks made by hand: an empty first column, rows out of order, empty
rows, rows without a file, files without a row.
"""

from __future__ import annotations

import dataclasses
import datetime
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unmingle.demo import portraits, scenery
from unmingle.demo.cast import CAST
from unmingle.demo.people import SCENES, Draws, Look, Person
from unmingle.errors import SettingsError, SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from unmingle.demo.people import Scene

    I64 = NDArray[np.int64]
    U8 = NDArray[np.uint8]

FRAME_STEP = 2  # a cutter takes every second frame
HEADER = ("", "No", "File Name", "ID", "Mask")


@dataclass(frozen=True, slots=True)
class Crop:
    """One picture of a meeting before it is drawn.

    name:   the file's name.
    person: 1, 2, …, the number of the person in the workbook; 0 is no face.
    look:   how the person looks; of a picture without a face only its background and camera are used.
    """

    name: str
    person: int
    look: Look


@dataclass(frozen=True, slots=True)
class Meeting:
    """A meeting on disk, with the truth about it.

    faces:    the folder of crops.
    labels:   the workbook.
    crops:    every picture in the folder, in the order of drawing.
    unlisted: names of pictures that the workbook lacks.
    missing:  names in the workbook that have no picture.
    """

    faces: Path
    labels: Path
    crops: tuple[Crop, ...]
    unlisted: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Photograph:
    """Several people in one picture.

    picture: (h, w, 3) uint8, red, green, blue.
    boxes:   (n, 4) int64, pixels: left, top, width, height of each face, from hairline to chin.
    people:  the seed of each person.
    """

    picture: U8
    boxes: I64
    people: tuple[int, ...]


def draw_meeting(
    folder: Path,
    *,
    people: int = 12,
    frames: int = 20,
    size: int = 256,
    seed: int = 0,
    track: Callable[[Sequence[Crop]], Iterable[Crop]] = iter,
) -> Meeting:
    """Draw a meeting into `folder`: `faces/*.jpg` and `annotations.xlsx`. The same arguments give the same bytes.

    Args:
        folder: is made if it is not there.
        people: how many take part, at most as many as the cast has.
        frames: how many frames are cut, over two meetings; each holds everyone who is there.
        size: of a crop, pixels.
        seed: another seed gives other frames of the same people.
        track: wraps the pictures to be drawn, to show progress.

    Raises:
        SettingsError: a number out of range.
        SourceError: the folder can't be written, or holds other pictures.
    """
    crops = plan_meeting(people=people, frames=frames, seed=seed)
    if size < 64:
        raise SettingsError(f"A crop of {size} pixels is too small to draw.", "Give a size of at least 64.")
    faces, labels = folder / "faces", folder / "annotations.xlsx"
    _make_room(faces, {crop.name for crop in crops})
    try:
        for crop in track(crops):
            (faces / crop.name).write_bytes(portraits.encode(draw(crop, size), crop.look.quality))
        unlisted, missing = _write_workbook(labels, crops, seed)
    except OSError as error:
        raise SourceError(f"The meeting can't be written into {folder}: {error.strerror}.") from error
    return Meeting(faces=faces, labels=labels, crops=crops, unlisted=unlisted, missing=missing)


def draw(crop: Crop, size: int) -> U8:
    """The picture of one crop: (size, size, 3) uint8, red, green, blue."""
    look = crop.look
    if crop.person:
        return portraits.render(Person.from_seed(CAST[crop.person - 1]), look, size)
    empty = scenery.paint(look.background, look.background_seed, size, blur=0.006)
    return portraits.expose(empty, look, sigma=look.blur * size / 256)


def plan_meeting(*, people: int = 12, frames: int = 20, seed: int = 0) -> tuple[Crop, ...]:
    """What `draw_meeting` draws: who is in each frame, who wears a mask, and where a tile shows an empty room."""
    if not 1 <= people <= len(CAST):
        raise SettingsError(f"A meeting of {people} people can't be drawn.", f"Give 1 to {len(CAST)}.")
    if frames < 1:
        raise SettingsError(f"A meeting of {frames} frames can't be drawn.", "Give at least 1.")
    draw = Draws(seed, salt=21)
    crops: list[Crop] = []
    for part, start, stop in ((0, 0, (frames + 1) // 2), (1, (frames + 1) // 2, frames)):
        meeting = _identifier(seed, part)
        tiles = _shuffled(range(1, people + 1), draw)
        for frame in range(start, stop):
            seen = [person for person in tiles if not _away(person, frame, frames)]
            if _empty_tile(frame, frames):
                seen.insert(int(draw.flat() * (len(seen) + 1)), 0)
            for index, person in enumerate(seen):
                name = f"{meeting}_{(frame - start) * FRAME_STEP:08d}_{index}.jpg"
                crops.append(Crop(name, person, _look(draw, person, frame)))
    return tuple(crops)


def _look(draw: Draws, person: int, frame: int) -> Look:
    look = Look.from_seed(int(draw.flat() * 2**31))
    masked = person > 0 and (person * 7 + frame) % 19 == 5
    scene: Scene = SCENES[(person + frame // 7) % len(SCENES)] if person else SCENES[frame % len(SCENES)]
    # A camera stands still: the room behind someone changes only when they move to another one.
    room = look.background_seed if person == 0 else 100 * person + frame // 7
    return dataclasses.replace(look, mask=masked, background=scene, background_seed=room)


def _away(person: int, frame: int, frames: int) -> bool:
    """Every third person leaves for a tenth of the meeting."""
    start = (person * 5) % max(1, frames - 1) + 1
    return person % 3 == 0 and start <= frame < start + frames // 10


def _empty_tile(frame: int, frames: int) -> bool:
    """Eight tiles (or one a frame) show a room without anyone."""
    wanted = min(8, frames)
    return (frame + 1) * wanted // frames > frame * wanted // frames


def _shuffled(numbers: Iterable[int], draw: Draws) -> list[int]:
    return [number for _, number in sorted((draw.flat(), number) for number in numbers)]


def _identifier(seed: int, part: int) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"unmingle demo meeting {seed} {part}"))


def _make_room(faces: Path, names: set[str]) -> None:
    try:
        faces.mkdir(parents=True, exist_ok=True)
        others = sorted(path.name for path in faces.iterdir() if path.name not in names)
    except OSError as error:
        mend = "Give a folder that you may write to."
        raise SourceError(f"The folder {faces} can't be made: {error.strerror}.", mend) from error
    if others:
        problem = f"{faces} already holds other files, such as {others[0]}."
        raise SourceError(problem, "Give an empty folder: they would be taken for part of the meeting.")


def _write_workbook(path: Path, crops: Sequence[Crop], seed: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Write the labels; returns the names left out of it, and the names in it that have no picture."""
    import xlsxwriter

    draw = Draws(seed, salt=22)
    order = _shuffled(range(len(crops)), draw)
    left_out = [crops[i].name for i in order if crops[i].person and not crops[i].look.mask][: len(crops) // 40]
    rows: list[tuple[str, int, str]] = [
        (crops[i].name, crops[i].person, "Y" if crops[i].look.mask else "N")
        for i in order
        if crops[i].name not in left_out
    ]
    missing = tuple(f"{_identifier(seed, 100 + i)}_00000000_0.jpg" for i in range(3))
    for i, name in enumerate(missing):
        rows.insert((i * len(rows)) // 3 + 1, (name, 1, "N"))

    book = xlsxwriter.Workbook(str(path))
    # The date of making would make every file's bytes different.
    book.set_properties({"created": datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)})
    sheet = book.add_worksheet()
    sheet.write_row(0, 1, HEADER[1:])
    line = 0
    for number, (name, person, mask) in enumerate(rows, start=1):
        line += 2 if number % 61 == 2 else 1  # an empty row now and then
        sheet.write_row(line, 1, (number, name, person, mask))
    book.close()
    return tuple(sorted(left_out)), missing


def draw_photograph(
    people: Sequence[int] = CAST[:5], *, width: int = 1280, height: int = 480, seed: int = 0
) -> Photograph:
    """Draw several people side by side in one picture, some near and some far.

    Args:
        people: their seeds, from left to right.
        width: of the picture, pixels.
        height: of the picture, pixels.
        seed: another seed gives other looks, sizes and places.

    Raises:
        SettingsError: there is no room for so many people.
    """
    slot = width // max(1, len(people))
    if slot < 64 or height < 1.4 * slot:
        raise SettingsError(f"{len(people)} people find no room in {width}×{height} pixels.", "Give a larger picture.")
    draw = Draws(seed, salt=23)
    scene = scenery.paint(draw.one(SCENES), seed, max(width, height), blur=0.008)
    picture = np.ascontiguousarray(scene[:height, :width])
    sides = [int(slot * draw.flat(0.7, 1.3)) for _ in people]
    boxes = np.zeros((len(people), 4), np.int64)
    for i in sorted(range(len(people)), key=sides.__getitem__):  # far ones first: near ones stand before them
        left = i * slot + int(draw.flat() * (slot - 0.75 * sides[i]) - 0.125 * sides[i])
        # Faces are about level, so that no one's shoulders hide another's face.
        top = max(0, int(0.46 * height + 0.1 * slot * draw.flat(-1, 1) - 0.5 * sides[i]))
        look = dataclasses.replace(Look.from_seed(int(draw.flat() * 2**31)), scale=1.0)
        start = max(0, left - sides[i] // 4)
        part = picture[top:, start : left + sides[i] + sides[i] // 4]
        boxes[i] = portraits.paint(part, Person.from_seed(people[i]), look, (left - start, 0.0, sides[i]))
        boxes[i, :2] += (start, top)
    camera = Look.from_seed(seed)
    return Photograph(portraits.expose(picture, camera, sigma=camera.blur), boxes, tuple(people))
