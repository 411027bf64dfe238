"""Read recordings: how many frames they hold, at what times, and their pictures: upright, RGB, 8 bits.

A first pass over the packets, without decoding, learns the time of every frame. It gives each frame its number, the
same wherever decoding begins, and tells which frames a grid of instants wants before any of them is decoded.
"""

from __future__ import annotations

import hashlib
import math
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from unmingle.errors import PictureError, SettingsError
from unmingle.sources.containers import decode, open_stream, packets_of, unwatched
from unmingle.sources.decoding import MIN_SIDE
from unmingle.sources.frame_index import read_index, seek

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.reformatter import VideoReformatter
    from av.video.stream import VideoStream

    from unmingle.records import U8

SPOILT = 10.0  # seconds at most that a picture which could not be decoded spoils those after it, up to a keyframe
_UNTURNED = (1, 0, 0, 1)


@dataclass(frozen=True, slots=True)
class RecordingInfo:
    """What a recording is, as far as its packets tell.

    width, height: pixels of an upright frame; pixels that are not square stay as they are stored.
    frames:        how many pictures it carries, whether or not all can be decoded.
    duration:      seconds, from the beginning of the first frame to the end of the last.
    rate:          frames a second, on average.
    note:          what of it is not looked at, and why; empty where there is nothing to say.
    """

    width: int
    height: int
    frames: int
    duration: float
    rate: float
    note: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of a recording.

    number: place in the order of showing, from 0; lost frames keep theirs.
    time:   seconds since the first frame.
    until:  seconds, when it gives way to the next frame that the grid wants; the last one at its own end.
    pixels: (h, w, 3) uint8, RGB, upright.
    """

    number: int
    time: float
    until: float
    pixels: U8


class Recording:
    """A file of moving pictures, as a context manager: leaving it closes the file, whatever is still being read.

    Args:
        path: the file.

    Attributes:
        info: what it is.

    Raises:
        PictureError: no recording, damaged beyond use, or without pictures; the message says which.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lost: set[int] = set()
        self._reading: set[InputContainer] = set()
        with open_stream(path) as (container, stream):
            note = unwatched(container, stream)
            self._index = read_index(container, stream)
        first = next(self._decoded(0), None)
        if first is None:
            raise PictureError(f"damaged or truncated: none of its {len(self._index.times):,} pictures can be decoded")
        self._stored = first[1].width, first[1].height
        self._turn = _turn(first[1])
        width, height = self._stored if self._turn[0] else self._stored[::-1]
        if min(width, height) < MIN_SIDE:
            raise PictureError(f"too small: {width}×{height} pixels can't hold a face")
        frames = len(self._index.times)
        self.info = RecordingInfo(width, height, frames, self._index.duration, frames / self._index.duration, note)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for container in self._reading:
            container.close()

    @property
    def skipped(self) -> int:
        """How many frames could not be decoded, among those that were reached so far."""
        return len(self._lost)

    def frames(self, *, every: float, start: float = 0.0, stop: float = math.inf) -> Iterator[Frame]:
        """The frames that a grid of instants wants, in order; a lost one is replaced by the next that can be decoded.

        Args:
            every: seconds between the instants 0, every, 2·every, …, of which each wants the first frame at or after
                it; a frame that several want comes once. 0 for all frames.
            start: seconds; earlier instants want nothing. Decoding begins at the keyframe before.
            stop: seconds; this instant and later ones want nothing.

        Raises:
            SettingsError: `every` is negative.
            PictureError: the file is no longer what it was.
        """
        if not every >= 0:
            raise SettingsError(f"Frames can't be taken every {every} seconds.", "Give 0 or more.")
        from av.video.reformatter import VideoReformatter

        converter = VideoReformatter()  # one for all: it remembers what it set up for the frame before
        index = self._index
        on_grid = index.wanted(every, start, math.inf)
        wanted = index.wanted(every, start, stop)
        done = 0
        for number, picture in self._decoded(int(wanted[0])) if len(wanted) else ():
            if number >= wanted[done]:
                pixels = self._pixels(number, picture, converter)
                if pixels is None:
                    continue
                after = on_grid[np.searchsorted(on_grid, number, side="right") :]
                until = index.times[after[0]] if len(after) else index.duration
                yield Frame(number, float(index.times[number]), float(until), pixels)
                done = int(np.searchsorted(wanted, number, side="right"))
                if done == len(wanted):
                    return

    def frame(self, number: int) -> Frame:
        """One frame.

        Raises:
            PictureError: there is no such frame, or it can't be decoded.
        """
        from av.video.reformatter import VideoReformatter

        frames = len(self._index.times)
        if not 0 <= number < frames:
            raise PictureError(f"there is no frame {number} among its {frames:,}")
        for found, picture in self._decoded(number):
            if found >= number:
                pixels = self._pixels(number, picture, VideoReformatter()) if found == number else None
                if pixels is not None:
                    times = self._index.times
                    until = times[number + 1] if number + 1 < frames else self._index.duration
                    return Frame(number, float(times[number]), float(until), pixels)
                break
        raise PictureError(f"frame {number} can't be decoded")

    def shown(self) -> bytes:
        """What names what it shows, whatever container it is in: SHA-256 of its coded frames, and how they are turned.

        Raises:
            PictureError: the file is no longer what it was.
        """
        found = hashlib.sha256(str((self._stored, self._turn)).encode())
        with self._opened() as (container, stream):
            for packet in packets_of(container, stream):
                found.update(memoryview(packet))
        return found.digest()

    def _decoded(self, target: int) -> Iterator[tuple[int, VideoFrame]]:
        """Numbers and pictures, ascending, from the keyframe before frame `target` or earlier."""
        with ExitStack() as files:
            container, stream = files.enter_context(self._opened())
            found = seek(container, stream, self._index, target)
            if found is None:
                files.close()
                container, stream = files.enter_context(self._opened())
                found = 0, packets_of(container, stream)
            begin, packets = found
            last = begin - 1
            spoilt_until = -math.inf
            for picture in decode(stream, packets, numbered=not self._index.stamped):
                if picture is None:
                    spoilt_until = self._index.times[max(last, 0)] + SPOILT
                    continue
                number = self._index.number(picture.pts, last)
                if number is None:
                    continue
                missing = range(last + 1, number)
                if missing and not (picture.interlaced_frame and len(missing) == 1):  # the half of a frame, by itself
                    self._lost.update(missing)
                    spoilt_until = self._index.times[number] + SPOILT
                last = number
                if picture.key_frame and not picture.is_corrupt:
                    spoilt_until = -math.inf
                if picture.is_corrupt or self._index.times[number] < spoilt_until:
                    self._lost.add(number)
                else:
                    yield number, picture
            self._lost.update(range(last + 1, len(self._index.times)))

    @contextmanager
    def _opened(self) -> Iterator[tuple[InputContainer, VideoStream]]:
        with open_stream(self._path) as (container, stream):
            self._reading.add(container)
            try:
                yield container, stream
            finally:
                self._reading.discard(container)

    def _pixels(self, number: int, picture: VideoFrame, converter: VideoReformatter) -> U8 | None:
        """A frame's pixels, in the size of the first frame; None, and lost, where they can't be turned into RGB."""
        import av

        width, height = self._stored
        try:
            stored = converter.reformat(picture, width, height, "rgb24").to_ndarray()
        except (av.error.FFmpegError, ValueError):
            self._lost.add(number)
            return None
        return _turned(np.asarray(stored, np.uint8), self._turn)


def _turn(picture: VideoFrame) -> tuple[int, int, int, int]:
    """How a frame is to be turned or mirrored: a, b, c, d of x' = a·x + c·y, y' = b·x + d·y, each -1, 0 or 1."""
    from av.buffer import Buffer

    matrix = picture.side_data.get("DISPLAYMATRIX")
    if not isinstance(matrix, Buffer):
        return _UNTURNED
    values = np.frombuffer(bytes(matrix), np.int32).reshape(3, 3)[:2, :2] / 65536
    a, b, c, d = (int(value) for value in np.rint(values / max(np.abs(values).max(), 1e-9)).ravel())
    quarter_turns = {abs(a), abs(d)} == {0} and {abs(b), abs(c)} == {1}
    half_turns = {abs(a), abs(d)} == {1} and {abs(b), abs(c)} == {0}
    return (a, b, c, d) if quarter_turns or half_turns else _UNTURNED


def _turned(pixels: U8, turn: tuple[int, int, int, int]) -> U8:
    a, b, c, d = turn
    upright = pixels[::d, ::a] if a else pixels.transpose(1, 0, 2)[::b, ::c]
    return np.ascontiguousarray(upright)
