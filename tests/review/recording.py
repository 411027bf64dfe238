"""A small library of recordings: made-up people who move a little, found by the real models."""

from __future__ import annotations

import dataclasses
import math
import os
import shutil
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from tests.videos import write_video

from madeup import portraits, scenery
from madeup.cast import CAST
from madeup.people import Look, Person
from unmingle.api import Library
from unmingle.store.sqlite import open_to_write

if TYPE_CHECKING:
    from pathlib import Path

    from unmingle.records import F32, U8

There = tuple[list[tuple[float, float]], ...]  # for each person, from when to when, in seconds

WIDTH, HEIGHT, TILE = 480, 200, 150  # pixels
LEFT, ROOM = 12, 155  # pixels beside the first, and from one to the next
RATE = 10  # frames a second
SWAY = 8  # frames from one side to the other and back

# When each is there, in seconds: the first always, the second goes away for longer than an interval bridges, the third
# leaves before the end.
TALK: There = ([(0.0, 4.0)], [(0.0, 1.2), (2.8, 4.0)], [(0.0, 2.4)])
# Of another recording, in which the third is not.
PAIR: There = ([(0.0, 1.0)], [(0.5, 2.0)], [])


def write_recording(path: Path, there: There, *, seconds: float, **how: Any) -> None:
    """A recording, stored so, in which the people of the cast, side by side, are there at these times."""
    frames = []
    for number in range(round(seconds * RATE)):
        at = (number + 0.5) / RATE
        shown = tuple(i for i, times in enumerate(there) if any(start <= at < end for start, end in times))
        frames.append(_draw(shown, number % SWAY))
    write_video(path, frames, rate=RATE, **how)


def frame(shown: tuple[int, ...]) -> U8:
    """A picture of these people of the cast, as a recording shows them."""
    return _draw(shown, 3)


@cache
def _draw(shown: tuple[int, ...], phase: int) -> U8:
    picture = _wall().copy()
    for person in shown:  # beside each other, so that each is painted once for all pictures
        part = slice(LEFT + ROOM * person, LEFT + ROOM * (person + 1))
        picture[:, part] = _painted(person, phase)[:, part]
    return portraits.expose(picture, _look(phase), sigma=0.4)


@cache
def _painted(person: int, phase: int) -> F32:
    picture, look = _wall().copy(), _look(phase)
    turn = math.sin(2 * math.pi * phase / SWAY + person)
    moved = dataclasses.replace(look, yaw=0.3 * turn, smile=0.3 + 0.5 * turn)
    portraits.paint(
        picture, Person.from_seed(CAST[person]), moved, (LEFT + ROOM * person + 3 * turn, 40.0, float(TILE))
    )
    return picture


@cache
def _wall() -> F32:
    look = _look(0)
    return scenery.paint(look.background, look.background_seed, WIDTH, blur=0.025)[:HEIGHT]


def _look(phase: int) -> Look:
    return Look(seed=phase, background="wall", background_seed=1)


@dataclass(frozen=True)
class Recorded:
    """A library and the folder of its recordings."""

    folder: Path
    videos: Path

    @classmethod
    def made(cls, folder: Path) -> Recorded:
        """Three people in two recordings."""
        videos = folder / "recordings"
        videos.mkdir(parents=True)
        write_recording(videos / "talk.mp4", TALK, seconds=4)
        write_recording(videos / "pair.mp4", PAIR, seconds=2.5)
        library = Library(folder / "library")
        library.add(videos)
        library.cluster()
        return cls(folder / "library", videos)

    def copied(self, folder: Path) -> Recorded:
        """Another one like it, with recordings of its own."""
        copy = Recorded(folder / "library", folder / "recordings")
        shutil.copytree(self.folder, copy.folder)
        shutil.copytree(self.videos, copy.videos)
        with open_to_write(copy.folder) as store, store.transaction() as connection:
            connection.execute("UPDATE source SET path = ?", (os.fsencode(copy.videos),))
        return copy
