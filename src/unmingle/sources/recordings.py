"""Read recordings: how many frames they hold, at what times, and their pictures: upright, RGB, 8 bits.

A first pass over the packets, without decoding, learns the time of every frame. It gives each frame its number, the
same wherever decoding begins, and tells which frames a grid of instants wants before any of them is decoded.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from unmingle.errors import PictureError, SettingsError, UnmingleError, reason
from unmingle.records import I64, U8
from unmingle.sources.formats import MIN_SIDE, QUICKTIME_BOXES, begins_recording, check_file, head_of
from unmingle.sources.frame_index import decoded, packets_of, read_index

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.reformatter import VideoReformatter
    from av.video.stream import VideoStream


MAX_PIXELS = 8192 * 8192  # of a frame: several are in memory at once, and so are those that others refer to
MOST_AT_ONCE = 400_000_000  # bytes that FFmpeg takes in one piece, of what a file says: the largest frame needs 270 MB
THREADS = 2  # of the decoder: each holds frames of its own, and finding faces takes longer than decoding
SPOILT = 10.0  # seconds at most that a picture which could not be decoded spoils those after it, up to a keyframe
COMBED = 10  # of 255: where something moved, every second row stands out by more from those above and below it
# What holds pictures that move, or sound, which is told apart. Without playlists, which name other files and addresses.
_FORMATS = (
    "mov,matroska,webm,avi,asf,flv,live_flv,mpeg,mpegts,mpegvideo,ogg,mxf,dv,rm,nut,ivf,gxf,wtv,nsv,h264,hevc,m4v,"
    "yuv4mpegpipe,mp3,wav,aac,flac,aiff,amr"
)
_UNTURNED = (1, 0, 0, 1)
NEARLY_SQUARE = 0.02  # by so much a pixel's width and height may differ
MOST_STRETCHED = 2.0  # of a pixel's width by its height, or the other way round; what is more, is a mistake


@dataclass(frozen=True, slots=True)
class RecordingInfo:
    """What a recording is, as far as its packets tell."""

    width: int  # pixels of an upright frame; those that are not square stay as they are stored
    height: int
    frames: int  # how many pictures it carries, whether or not all can be decoded
    duration: float  # seconds, from where it begins, be it with sound alone, to the end of the last frame
    rate: float  # frames a second, on average, from the first on
    note: str = ""  # what of it is not looked at, and why
    aspect: float = 1.0  # a pixel's width by its height, as an upright frame is shown
    begins: float = 0.0  # seconds, when the first frame comes that can be decoded


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of a recording."""

    number: int  # place in the order of showing, from 0; lost frames keep theirs
    time: float  # seconds since the recording begins
    until: float  # seconds, when it gives way to the next frame that the grid wants; the last one at its own end
    pixels: U8  # (h, w, 3) RGB, upright


class Recording:
    """A file of moving pictures, as a context manager: leaving it closes the file, whatever is still being read.

    `info` says what it is. PictureError, here and in all methods: no recording, damaged beyond use, without pictures,
    or no longer what it was; the message says which.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lost: set[int] = set()
        self._reading: set[InputContainer] = set()
        with self._opened() as (container, stream):
            note, aspect = _choose(container)[1], _aspect(stream)
            self._index = read_index(container, stream)
            self._may_grow = "mp4" not in container.format.name  # which says one size for all
        first = next(self._decoded(0), None)
        frames = len(self._index.times)
        if first is None:
            raise PictureError(f"damaged or truncated: none of its {frames:,} pictures can be decoded")
        self._stored = max(self._sizes(first[1]), key=math.prod)
        self._turn = _turn(first[1])
        width, height = self._stored if self._turn[0] else self._stored[::-1]
        if min(width, height) < MIN_SIDE:
            raise PictureError(f"too small: {width}×{height} pixels can't hold a face")
        aspect = aspect if self._turn[0] else 1 / aspect
        duration = self._index.duration
        rate = frames / (duration - float(self._index.times[0]))
        begins = float(self._index.times[first[0]])
        self.info = RecordingInfo(width, height, frames, duration, rate, note, aspect, begins)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for container in self._reading:
            container.close()

    @property
    def skipped(self) -> int:
        """How many frames could not be decoded, among those that were reached so far."""
        return len(self._lost)

    def frames(self, *, every: float, start: float = 0.0) -> Iterator[Frame]:
        """The frames that a grid of instants wants, in order; a lost one is replaced by the next that can be decoded.

        Of the instants 0, every, 2·every, … from `start` on, in seconds, each wants the first frame at or after it; a
        frame that several want comes once. Without `every`, all frames. Decoding begins at the keyframe before.
        """
        if not every >= 0:
            raise SettingsError(f"Frames can't be taken every {every} seconds.", "Give 0 or more.")
        wanted = self._index.wanted(every, start)
        yield from self._frames(wanted, wanted)

    def numbered(self, numbers: I64) -> Iterator[Frame]:
        """The frames of these numbers, rising; in place of a lost one, the next that can be decoded."""
        yield from self._frames(numbers, numbers)

    def frame(self, number: int) -> Frame:
        """One frame; PictureError if there is no such frame, or it can't be decoded."""
        count = len(self._index.times)
        if not 0 <= number < count:
            raise PictureError(f"there is no frame {number} among its {count:,}")
        found = next(self._frames(np.array([number]), np.arange(count)), None)
        if found is None or found.number != number:
            raise PictureError(f"frame {number} can't be decoded")
        return found

    def _frames(self, wanted: I64, on_grid: I64) -> Iterator[Frame]:
        """Frames of a grid by their numbers; each gives way to the next on it."""
        from av.video.reformatter import VideoReformatter

        converter = VideoReformatter()  # one for all: it remembers what it set up for the frame before
        index, done = self._index, 0
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

    def shown(self) -> bytes:
        """What names what it shows, whatever container it is in: SHA-256 of its coded frames and how they turn."""
        found = hashlib.sha256(str((self._stored, self._turn)).encode())
        with self._opened() as (container, stream):
            for packet in packets_of(container, stream):
                found.update(memoryview(packet))
        return found.digest()

    def _sizes(self, first: VideoFrame) -> Iterator[tuple[int, int]]:
        """Width and height as stored of the first frame, and of later ones where a call may have grown meanwhile."""
        yield first.width, first.height
        keys = self._index.keys.tolist() if self._may_grow else []
        for key in {*keys[len(keys) // 2 :][:1], *keys[-1:]} - {0}:
            with suppress(PictureError):
                yield from ((picture.width, picture.height) for _, picture in islice(self._decoded(key), 1))
        self._lost.clear()  # it is told of what is reached from the beginning on

    def _decoded(self, target: int) -> Iterator[tuple[int, VideoFrame]]:
        """Numbers and pictures, ascending, from the keyframe before frame `target` or earlier."""
        with ExitStack() as files:
            container, stream = files.enter_context(self._opened())
            found = self._index.seek(container, stream, target)
            if found is None:
                files.close()
                container, stream = files.enter_context(self._opened())
                found = 0, packets_of(container, stream)
            begin, packets = found
            last = begin - 1
            spoilt_until = -math.inf
            for picture in decoded(stream, packets, numbered=not self._index.stamped):
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
        """The container and the stream to watch, ready to decode. Only local files are ever opened by it."""
        import av

        check_file(self._path)
        _bound_memory()
        guards = {"protocol_whitelist": "file", "format_whitelist": _FORMATS}
        # Titles that are no text; PyAV 19 takes them as they are.
        replaced: Any = {} if int(av.__version__.split(".")[0]) >= 19 else {"metadata_errors": "replace"}
        try:
            container = av.open(self._path.absolute(), "r", container_options=guards, **replaced)
        except MemoryError as error:
            problem = f"damaged or made to fill the memory: it asks for over {MOST_AT_ONCE // 10**6} MB at once"
            raise PictureError(problem) from error
        except av.error.FFmpegError as error:
            head = head_of(self._path)
            if head[4:8] in QUICKTIME_BOXES and begins_recording(head):
                problem = "cut short: its index is missing, so copy it again or have it repaired"
                raise PictureError(problem) from error
            raise PictureError("not a recording in a format that is read") from error
        except Exception as error:
            raise PictureError(f"damaged: {reason(error)}") from error
        self._reading.add(container)
        try:
            with container:
                stream, _ = _choose(container)
                context = stream.codec_context
                context.options = {"max_pixels": str(MAX_PIXELS)}  # a stream may grow later
                context.thread_type = "AUTO"
                context.thread_count = THREADS
                yield container, stream
        except UnmingleError:
            raise
        except Exception as error:  # whatever a file can do: it is an error of that file, at every door
            raise PictureError(f"damaged: {reason(error)}") from error
        finally:
            self._reading.discard(container)

    def _pixels(self, number: int, picture: VideoFrame, converter: VideoReformatter) -> U8 | None:
        """A frame's pixels, in one size for all; None, and lost, where they can't be turned into RGB."""
        import av

        width, height = self._stored
        share = min(width / picture.width, height / picture.height)
        across, down = max(1, round(picture.width * share)), max(1, round(picture.height * share))
        try:
            stored = np.asarray(converter.reformat(picture, across, down, "rgb24").to_ndarray(), np.uint8)
        except (av.error.FFmpegError, ValueError):
            self._lost.add(number)
            return None
        if picture.interlaced_frame and picture.height == down:
            stored = _of_one_instant(stored)
        if (across, down) != self._stored:  # the telephone was turned meanwhile
            stored = np.pad(stored, [(room // 2, room - room // 2) for room in (height - down, width - across, 0)])
        a, b, c, d = self._turn
        return np.ascontiguousarray(stored[::d, ::a] if a else stored.transpose(1, 0, 2)[::b, ::c])


@cache
def _bound_memory() -> None:
    """Let a count in a file of a few bytes not take all memory; PyAV knows no setting for that, but FFmpeg does."""
    import ctypes

    import av

    package = Path(av.__file__).parent
    for library in (*package.parent.glob("av.libs/*avutil*"), *package.glob(".dylibs/*avutil*")):
        with suppress(OSError, AttributeError):
            ctypes.CDLL(str(library)).av_max_alloc(ctypes.c_size_t(MOST_AT_ONCE))


def _of_one_instant(pixels_hw3: U8) -> U8:
    """An interlaced frame without its combs: every second row is of later, and told from those around where it shows.

    Where nothing moves all rows stay, since small faces need them.
    """
    import cv2

    rows = (len(pixels_hw3) - 1) // 2
    above, later, below = (np.ascontiguousarray(pixels_hw3[i : i + 2 * rows : 2]) for i in range(3))
    over, under = cv2.subtract(later, cv2.max(above, below)), cv2.subtract(cv2.min(above, below), later)
    told = pixels_hw3.copy()
    told[1 : 1 + 2 * rows : 2] = np.where(
        cv2.max(over, under) > COMBED, cv2.addWeighted(above, 0.5, below, 0.5, 0), later
    )
    return told


def as_shown(pixels_hw3: U8, aspect: float) -> U8:
    """Pixels that are `aspect` times as wide as they are high, as many square ones as show the same."""
    import cv2

    if aspect == 1.0:
        return pixels_hw3
    height, width = pixels_hw3.shape[:2]
    return np.asarray(cv2.resize(pixels_hw3, (max(1, round(width * aspect)), height)), np.uint8)


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


def _choose(container: InputContainer) -> tuple[VideoStream, str]:
    """The stream to watch: a default one, and of several the largest; and what is said of the others."""
    from av.stream import Disposition

    def is_default(stream: VideoStream) -> bool:
        return bool(stream.disposition & Disposition.default)

    still = Disposition.attached_pic | Disposition.timed_thumbnails
    streams = [stream for stream in container.streams.video if not stream.disposition & still]
    readable = [stream for stream in streams if stream.codec_context is not None]
    if not streams:
        raise PictureError("no pictures in it: sound only" if container.streams.audio else "no pictures in it")
    if not readable:
        raise PictureError("its pictures are in a format that is not read")
    stream = max(readable, key=lambda stream: (is_default(stream), _area(stream)))
    if _area(stream) > MAX_PIXELS:
        raise PictureError(f"too large: {_size(stream)}, over {MAX_PIXELS:,} pixels a frame")
    others = [other for other in streams if other.index != stream.index]
    if not others:
        return stream, ""
    rivals = [other for other in others if is_default(other) or not is_default(stream)]
    why = "the default one"
    if rivals:
        why = "the largest" if all(_size(other) != _size(stream) for other in rivals) else "the first of its size"
    left = ", ".join(map(_size, others))
    return stream, f"{len(streams)} streams of pictures: {why}, {_size(stream)}, is watched, and not {left}"


def _aspect(stream: VideoStream) -> float:
    """A stored pixel's width by its height; 1 where the file doesn't say, or says what can't be."""
    said = float(stream.sample_aspect_ratio or 1)
    odd = abs(said - 1) > NEARLY_SQUARE and 1 / MOST_STRETCHED <= said <= MOST_STRETCHED
    return said if odd else 1.0


def _area(stream: VideoStream) -> int:
    return stream.codec_context.width * stream.codec_context.height


def _size(stream: VideoStream) -> str:
    context = stream.codec_context
    return f"{context.width}×{context.height}" if context else "of a format that is not read"
