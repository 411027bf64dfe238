"""Draws the demo's meeting of made-up people into src/unmingle/demo.zip.

    PYTHONPATH=tools python tools/draw_demo.py src/unmingle/demo.zip

The archive holds a JPEG for each tile of each frame, and plan.json: for each part of the meeting, for each frame, who
is in which tile, whether masked, and the JPEG's name.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import zipfile
from typing import TYPE_CHECKING

from madeup import scenery
from madeup.cast import CAST
from madeup.people import SCENES, Draws, Look, Person
from madeup.portraits import encode, expose, render

if TYPE_CHECKING:
    from collections.abc import Iterator

FRAMES, SIZE = 20, 152
EMPTY_TILES = 8


def plan(draw: Draws) -> Iterator[list[list[tuple[int, Look]]]]:
    """For each part, for each frame, who is in which tile, and how they look; person 0 is an empty room."""
    for start in (0, FRAMES // 2):
        tiles = [number for _, number in sorted((draw.flat(), number) for number in range(1, len(CAST) + 1))]
        yield [_frame(tiles, frame, draw) for frame in range(start, start + FRAMES // 2)]


def _frame(tiles: list[int], frame: int, draw: Draws) -> list[tuple[int, Look]]:
    seen = [person for person in tiles if not _away(person, frame)]
    if (frame + 1) * EMPTY_TILES // FRAMES > frame * EMPTY_TILES // FRAMES:
        seen.insert(int(draw.flat() * (len(seen) + 1)), 0)
    return [(person, _look(draw, person, frame)) for person in seen]


def _away(person: int, frame: int) -> bool:
    """Every third person leaves for a tenth of the meeting."""
    start = (person * 5) % (FRAMES - 1) + 1
    return person % 3 == 0 and start <= frame < start + FRAMES // 10


def _look(draw: Draws, person: int, frame: int) -> Look:
    look = Look.from_seed(int(draw.flat() * 2**31))
    masked = person > 0 and (person * 7 + frame) % 19 == 5
    scene = SCENES[(person + frame // 7) % len(SCENES)] if person else SCENES[frame % len(SCENES)]
    # A camera stands still: the room behind someone changes only when they move to another one.
    room = look.background_seed if person == 0 else 100 * person + frame // 7
    return dataclasses.replace(look, mask=masked, background=scene, background_seed=room)


def _jpeg(person: int, look: Look) -> bytes:
    if person:
        picture = render(Person.from_seed(CAST[person - 1]), look, SIZE)
    else:
        empty = scenery.paint(look.background, look.background_seed, SIZE, blur=0.006)
        picture = expose(empty, look, sigma=look.blur * SIZE / 256)
    return encode(picture, look.quality)


def main() -> None:
    """Draw all of it."""
    told: list[list[list[tuple[int, int, str]]]] = []
    with zipfile.ZipFile(sys.argv[1], "w") as archive:
        for part, frames in enumerate(plan(Draws(0, salt=21))):
            told.append([])
            for frame, tiles in enumerate(frames):
                told[-1].append([])
                for tile, (person, look) in enumerate(tiles):
                    name = f"{part}-{frame}-{tile}.jpg"
                    # One date, so that the same pictures make the same archive.
                    archive.writestr(zipfile.ZipInfo(name), _jpeg(person, look))
                    told[-1][-1].append((person, int(look.mask), name))
        archive.writestr(zipfile.ZipInfo("plan.json"), json.dumps(told))


if __name__ == "__main__":
    main()
