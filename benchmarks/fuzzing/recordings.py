"""Recordings: a moment of a made-up face in many containers, damaged, cut short, and with other times."""

from __future__ import annotations

import struct
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tests.videos import write_video

from fuzzing.mutants import ODD_NUMBERS, Outcome, chance, check_rows, damage, portrait
from unmingle.api import Library
from unmingle.settings import EngineSettings, RecordingSettings

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

FRAMES, SIDE = 10, 96
EVERY = 0.25  # seconds between the frames that are looked at
CONTAINERS = {
    ".mp4": {},
    ".mov": {"b_frames": 2},
    ".mkv": {},
    ".avi": {"codec": "mjpeg", "pixel_format": "yuvj420p"},
    ".webm": {"codec": "libvpx"},
    ".mts": {},
    ".3gp": {"sound": True},
    ".flv": {},
    ".mpg": {"codec": "mpeg1video", "rate": 25},
    ".m4v": {"container_options": {"movflags": "frag_keyframe+empty_moov"}},
}


@cache
def base(ending: str, person: int) -> bytes:
    """A recording that nothing is wrong with."""
    face = portrait(person, 70 + person, SIDE)
    frames = [np.roll(face, shift, axis=1) for shift in range(FRAMES)]
    with tempfile.TemporaryDirectory() as folder:
        path = write_video(Path(folder) / f"a{ending}", frames, **CONTAINERS[ending])
        return path.read_bytes()


class Recordings:
    """A sixth is whole, with something odd around it."""

    def run(self, folder: Path, numbers: Sequence[int], seed: int) -> Outcome:
        """See `Kind.run`."""
        source = folder / "recordings"
        source.mkdir()
        made, whole = {}, set()
        for number in numbers:
            ending, content, is_whole = mutant(chance(seed, "recordings", number))
            name = f"{number:06}{ending}"
            (source / name).write_bytes(content)
            made[name] = number
            whole |= {name} if is_whole else set()
        library = Library(folder / "library", views="on request")
        library.add(source, engine=EngineSettings(threads=1), recording=RecordingSettings(every=EVERY))
        library.cluster(sheets=0)
        outcome = Outcome()
        rows = check_rows(library.faces, made, outcome)
        library.recordings  # noqa: B018  # both are asked for as tables
        library.intervals  # noqa: B018
        for name in whole:
            if rows[name] and rows[name][0]["status"] == "unreadable":
                outcome.blame(made[name], "whole_but_refused", f"{name[-5:]}: {rows[name][0]['reason']}")
        return outcome


def mutant(draw: random.Random) -> tuple[str, bytes, bool]:
    """A recording's ending and content, and whether all of its pictures are there."""
    ending, person = draw.choice(tuple(CONTAINERS)), draw.randrange(2)
    content, kind = base(ending, person), draw.random()
    if kind < 0.15:
        tail = draw.choice((b"", bytes(100), struct.pack(">I", 16) + b"free" + bytes(8)))
        return draw.choice((ending, ending, *CONTAINERS)), content + tail, True
    if kind < 0.4 and ending in (".mp4", ".mov", ".3gp", ".m4v"):
        return ending, _other_times(content, draw), False
    if kind < 0.5:
        return ending, content[: int(len(content) * draw.random())], False
    return ending, damage(content, draw, base(draw.choice(tuple(CONTAINERS)), person)), False


def _other_times(content: bytes, draw: random.Random) -> bytes:
    """Numbers in the boxes that tell times and places, replaced."""
    changed = bytearray(content)
    kinds = (
        b"mvhd",
        b"mdhd",
        b"tkhd",
        b"stts",
        b"ctts",
        b"elst",
        b"stsz",
        b"stco",
        b"stsc",
        b"stss",
        b"trun",
        b"tfdt",
        b"tfhd",
    )
    there = [kind for kind in kinds if kind in content]
    for _ in range(draw.choice((1, 1, 2, 3))):
        at = content.index(draw.choice(there)) + 4
        at += 4 * draw.randrange(8)
        struct.pack_into(">I", changed, min(at, len(changed) - 4), draw.choice((*ODD_NUMBERS, 1000, 10**6, 10**9)))
    return bytes(changed)
