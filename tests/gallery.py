"""A video call of made-up people in tiles: they move, change places, leave and come back; one tile shows a still."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from tests.videos import write_video

from madeup.cast import CAST
from madeup.portraits import Look, Person, render

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from unmingle.records import U8

TILE = 144  # pixels
LOOKS = 4  # different looks of each person; in between they move
RATE = 10  # frames a second
EMPTY = -1


@dataclass(frozen=True, slots=True)
class Call:
    """A recording of a call, with the truth about it.

    tiles: for each frame who is in each of its four tiles, by position in the cast, or EMPTY.
    still: the tile whose picture never moves, or EMPTY.
    """

    path: Path
    tiles: tuple[tuple[int, ...], ...]
    still: int

    def shown(self, frame: int, middle: tuple[float, float]) -> int:
        """Who is in the tile at a point of a frame."""
        return self.tiles[frame][int(middle[1] // TILE) * 2 + int(middle[0] // TILE)]


def record(path: Path, *, seconds: float = 6.0, still: bool = False, codec: str | None = None, **options: int) -> Call:
    """Record a call of four, or of three and a still picture of the fourth.

    Halfway through, the people in the upper tiles change places; the third is away for the third quarter.
    """
    frames = round(seconds * RATE)
    tiles = tuple(_who(frame, frames) for frame in range(frames))
    pictures = (_draw(frame, who, still=still) for frame, who in enumerate(tiles))
    more = {} if codec is None else {"codec": codec}
    write_video(path, pictures, rate=RATE, **more, **options)  # type: ignore[arg-type]
    return Call(path, tiles, 3 if still else EMPTY)


def record_speakers(path: Path, *, turns: int = 8, frames: int = 6) -> Call:
    """Record a speaker's view: one large tile in which people take turns, cut hard from one to the next."""
    speakers = tuple(turn % 3 for turn in range(turns) for _ in range(frames))
    large = (np.repeat(np.repeat(_moved(one, frame), 2, axis=0), 2, axis=1) for frame, one in enumerate(speakers))
    write_video(path, large, rate=RATE)
    return Call(path, tuple((one,) * 4 for one in speakers), EMPTY)


def _who(frame: int, frames: int) -> tuple[int, ...]:
    upper = (0, 1) if frame < frames // 2 else (1, 0)
    third = EMPTY if frames // 2 <= frame < 3 * frames // 4 else 2
    return (*upper, third, 3)


def _draw(frame: int, who: tuple[int, ...], *, still: bool) -> U8:
    picture = np.zeros((2 * TILE, 2 * TILE, 3), np.uint8)
    for tile, person in enumerate(who):
        top, left = tile // 2 * TILE, tile % 2 * TILE
        if person != EMPTY:
            at = 0 if still and tile == 3 else frame
            picture[top : top + TILE, left : left + TILE] = _moved(person, at)
    return picture


def _moved(person: int, frame: int) -> U8:
    """A person sways a little, and looks elsewhere every second and a half."""
    look = _portrait(person, frame // (3 * RATE // 2) % LOOKS)
    sway = round(3 * np.sin(frame / 3 + person))
    return np.asarray(np.roll(look, sway, axis=1))


@cache
def _portrait(person: int, look: int) -> U8:
    seed = CAST[person]
    looks = replace(Look.from_seed(100 * person + look), background="wall", background_seed=person, noise=0.004)
    return render(Person.from_seed(seed), looks, TILE)


def people(call: Call) -> Iterator[tuple[int, int]]:
    """Frame and person, for everyone who is seen."""
    for frame, tiles in enumerate(call.tiles):
        yield from ((frame, person) for person in tiles if person != EMPTY)
