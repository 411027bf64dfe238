"""Read recordings: how many frames they hold, at what times, and their pictures: upright, RGB, 8 bits.

A first pass over the packets, without decoding, learns the time of every frame. It gives each frame its number, the
same wherever decoding begins, and tells which frames a grid of instants wants before any of them is decoded.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from unmingle.errors import PictureError, SettingsError
from unmingle.sources.decoding import MIN_SIDE
from unmingle.sources.images import RECORDING_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.reformatter import VideoReformatter
    from av.video.stream import VideoStream

    from unmingle.records import F64, I64, U8

MAX_PIXELS = 178_956_970  # of a frame
THREADS = 2  # of the decoder: each holds frames of its own, and finding faces takes longer than decoding
TOLERANCE = 0.001  # seconds that a frame may come before its instant: some containers round times to milliseconds
USUAL_RATE = 25.0  # frames a second, of a file that tells neither times nor a rate
PATIENCE = 16  # unreadable places in a row, after which nothing more is expected of a file
SPOILT = 10.0  # seconds at most that a picture which could not be decoded spoils those after it, up to a keyframe
BLOCK = 1 << 20  # bytes

# What holds pictures that move, or sound, which is told apart. Without playlists, which name other files and addresses.
_FORMATS = (
    "mov,matroska,webm,avi,asf,flv,live_flv,mpeg,mpegts,mpegvideo,ogg,mxf,dv,rm,nut,ivf,gxf,wtv,nsv,h264,hevc,m4v,"
    "mp3,wav,aac,flac,aiff,amr"
)
_QUICKTIME_BOXES = frozenset({b"ftyp", b"mdat", b"wide", b"free", b"skip"})  # one of which begins an MP4 or MOV file
_UNTURNED = (1, 0, 0, 1)


@dataclass(frozen=True, slots=True)
class RecordingInfo:
    """What a recording is, as far as its packets tell.

    width, height: pixels of an upright frame; pixels that are not square stay as they are stored.
    frames:        how many pictures it carries, whether or not all can be decoded.
    duration:      seconds, from the beginning of the first frame to the end of the last.
    rate:          frames a second, on average.
    """

    width: int
    height: int
    frames: int
    duration: float
    rate: float


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of a recording.

    number: place in the order of showing, from 0; lost frames keep theirs.
    time:   seconds since the first frame.
    pixels: (h, w, 3) uint8, RGB, upright.
    """

    number: int
    time: float
    pixels: U8


@dataclass(frozen=True, slots=True, eq=False)
class _Index:
    """What the packets tell of the n frames, in the order of showing.

    times:    (n,) float64, seconds since the first frame, ascending.
    stamps:   (n,) int64, ascending: what a decoded frame is recognised by.
    keys:     (k,) int64, ascending: numbers of the frames that decoding can begin at, where the file can be searched.
    sizes:    (k,) int64, bytes of the packets of those frames.
    duration: seconds, to the end of the last frame.
    stamped:  whether the stamps are the file's own; else they are the place in the order of decoding.
    counted:  whether not even that order tells the number, so that frames are counted as they come.
    """

    times: F64
    stamps: I64
    keys: I64
    sizes: I64
    duration: float
    stamped: bool = True
    counted: bool = False

    def number(self, stamp: int | None, last: int) -> int | None:
        """The number of a decoded frame, which comes after frame `last`; None when it can't be one of ours."""
        if self.counted:
            return last + 1 if last + 1 < len(self.stamps) else None
        if stamp is None:
            return None
        number = max(int(np.searchsorted(self.stamps, stamp)), last + 1)
        return number if number < len(self.stamps) and self.stamps[number] == stamp else None

    def key(self, packet: Packet[VideoStream]) -> int | None:
        """The number of the keyframe that a packet carries; None when it carries none."""
        number = self.number(packet.pts, -1) if packet.is_keyframe else None
        place = int(np.searchsorted(self.keys, number)) if number is not None else len(self.keys)
        known = place < len(self.keys) and self.keys[place] == number and self.sizes[place] == packet.size
        return number if known else None

    def wanted(self, every: float, start: float, stop: float) -> I64:
        """Numbers of the frames that a grid wants: the first at or after each instant in [start, stop)."""
        gaps = np.diff(self.times)
        early = min(TOLERANCE, float(gaps[gaps > 0].min(initial=np.inf)) / 2)
        reached = self.times + early
        if every == 0:
            return np.flatnonzero((reached >= start) & (reached < stop))
        slots = np.floor(reached / every)  # the last instant that each frame has reached
        first, end = math.ceil((start - early) / every), (stop - early) / every
        before = np.concatenate(([-1.0], slots[:-1]))
        first_new = np.maximum(before + 1, first)
        return np.flatnonzero((first_new <= slots) & (first_new < end))


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
        with _open(path) as (container, stream):
            self._index = _read_index(container, stream)
        first = next(self._decoded(0), None)
        if first is None:
            raise PictureError(f"damaged or truncated: none of its {len(self._index.times):,} pictures can be decoded")
        self._stored = first[1].width, first[1].height
        self._turn = _turn(first[1])
        width, height = self._stored if self._turn[0] else self._stored[::-1]
        if min(width, height) < MIN_SIDE:
            raise PictureError(f"too small: {width}×{height} pixels can't hold a face")
        frames = len(self._index.times)
        self.info = RecordingInfo(width, height, frames, self._index.duration, frames / self._index.duration)

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
        wanted = self._index.wanted(every, start, stop)
        done = 0
        for number, picture in self._decoded(int(wanted[0])) if len(wanted) else ():
            if number >= wanted[done]:
                pixels = self._pixels(number, picture, converter)
                if pixels is None:
                    continue
                yield Frame(number, float(self._index.times[number]), pixels)
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
                    return Frame(number, float(self._index.times[number]), pixels)
                break
        raise PictureError(f"frame {number} can't be decoded")

    def _decoded(self, target: int) -> Iterator[tuple[int, VideoFrame]]:
        """Numbers and pictures, ascending, from the keyframe before frame `target` or earlier."""
        with ExitStack() as files:
            container, stream = files.enter_context(self._opened())
            found = _seek(container, stream, self._index, target)
            if found is None:
                files.close()
                container, stream = files.enter_context(self._opened())
                found = 0, _packets(container, stream)
            begin, packets = found
            last = begin - 1
            spoilt_until = -math.inf
            for picture in _pictures(stream, packets, numbered=not self._index.stamped):
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
        with _open(self._path) as (container, stream):
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


def is_recording(path: Path) -> bool:
    """Whether a file's ending is one of a recording's."""
    return path.suffix.lower() in RECORDING_SUFFIXES


def recording_digest(path: Path) -> str:
    """What names a recording's content, as `images.digest` does for a picture, without holding it in memory.

    Raises:
        PictureError: it can't be read.
    """
    found = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                found.update(block)
    except OSError as error:
        raise PictureError(f"can't be opened: {error.strerror or error}") from error
    return found.hexdigest()


def _check_file(path: Path) -> None:
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise PictureError("can't be opened: not a file")
        path.open("rb").close()
    except OSError as error:
        raise PictureError(f"can't be opened: {error.strerror or error}") from error
    if not size:
        raise PictureError("the file is empty (0 bytes)")


@contextmanager
def _open(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container and its stream of pictures, ready to decode. Only local files are ever opened by it."""
    import av

    _check_file(path)
    guards = {"protocol_whitelist": "file", "format_whitelist": _FORMATS}
    try:
        container = av.open(path.absolute(), "r", container_options=guards, metadata_errors="replace")
    except av.error.FFmpegError as error:
        raise PictureError(_not_opened(path)) from error
    with container:
        stream = _stream(container)
        context = stream.codec_context
        if _area(stream) > MAX_PIXELS:
            raise PictureError(f"too large: {context.width}×{context.height}, over {MAX_PIXELS:,} pixels")
        context.options = {"max_pixels": str(MAX_PIXELS)}  # a stream may grow later
        context.thread_type = "AUTO"
        context.thread_count = THREADS
        yield container, stream


def _not_opened(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(8)
    if head[4:] in _QUICKTIME_BOXES:
        return "cut short: its index is missing, so copy it again or have it repaired"
    return "not a recording in a format that is read"


def _stream(container: InputContainer) -> VideoStream:
    """The pictures that move: those of the default stream, then the largest; a cover is none."""
    from av.stream import Disposition

    streams = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    if not streams:
        raise PictureError("no pictures in it: sound only" if container.streams.audio else "no pictures in it")
    readable = [stream for stream in streams if stream.codec_context is not None]
    if not readable:
        raise PictureError("its pictures are in a format that is not read")
    return max(readable, key=lambda stream: (bool(stream.disposition & Disposition.default), _area(stream)))


def _area(stream: VideoStream) -> int:
    return stream.codec_context.width * stream.codec_context.height


def _packets(container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream]]:
    """The packets that carry a picture, in the order of decoding; unreadable places are passed over."""
    import av

    failures = 0
    while failures < PATIENCE:
        try:
            for packet in container.demux(stream):
                if packet.size:
                    failures = 0
                    yield packet
        except av.error.FFmpegError:
            failures += 1
        except IndexError:  # how PyAV may end a damaged file in which another stream turns up late
            return
        else:
            return


def _shows(packet: Packet[VideoStream]) -> bool:
    """Whether a packet's picture is to be seen; if not, it is there for others to be decoded from."""
    hidden = packet.stream.codec_context.name == "vp8" and not memoryview(packet)[0] & 0x10  # RFC 6386, 9.1
    return not packet.is_discard and not hidden


def _pictures(
    stream: VideoStream, packets: Iterable[Packet[VideoStream]], *, numbered: bool
) -> Iterator[VideoFrame | None]:
    """Decode packets; None where one can't be. numbered: stamp packets with their place."""
    import av

    context = stream.codec_context
    place = 0
    for packet in packets:
        if numbered:
            packet.pts = packet.dts = place
        place += _shows(packet)
        try:
            yield from context.decode(packet)
        except av.error.FFmpegError:  # the decoder goes on with the next packet by itself
            yield None
    for _ in range(PATIENCE):  # the frames that the decoder still holds; a damaged one must not hide the rest
        try:
            yield from context.decode(None)
        except av.error.EOFError:
            return
        except av.error.FFmpegError:
            yield None


def _seek(
    container: InputContainer, stream: VideoStream, index: _Index, target: int
) -> tuple[int, Iterable[Packet[VideoStream]]] | None:
    """Go to a keyframe at or before frame `target`: its number and the packets from it; None: it must be read anew.

    Where a container lands is not to be relied on, so it is looked at, and an earlier keyframe tried: it may be past
    the one that was asked for, or, in an MPEG program stream, in the middle of a picture that has another's time.
    """
    import av

    nearest = int(np.searchsorted(index.keys, target, side="right")) - 1
    if nearest <= 0:
        return 0, _packets(container, stream)
    for back in (0, 1, 2, 4, 8):
        if nearest - back <= 0:
            return None
        try:
            container.seek(int(index.stamps[index.keys[nearest - back]]), stream=stream)
        except av.error.FFmpegError:
            return None
        packets = _packets(container, stream)
        key, first = next(
            ((key, packet) for packet in packets if (key := index.key(packet)) is not None), (target, None)
        )
        if first is not None and key <= target:
            return key, itertools.chain([first], packets)
    return None


def _read_index(container: InputContainer, stream: VideoStream) -> _Index:
    """Learn every frame's time from the packets."""
    stamps, keys, sizes, lengths = [], [], [], []
    for packet in _packets(container, stream):
        if not _shows(packet):
            continue
        stamps.append(packet.pts)
        keys.append(packet.is_keyframe)
        sizes.append(packet.size)
        lengths.append(packet.duration or 0)
    if not stamps:
        raise PictureError("damaged or truncated: no picture in it can be reached")
    rate = float(stream.average_rate or stream.guessed_rate or USUAL_RATE)
    reordered = stream.codec_context.has_b_frames
    given = np.array([stamp for stamp in stamps if stamp is not None], np.int64)
    key = np.array(keys)
    if len(given) < len(stamps) or not _believable(given, key, reordered=reordered, container=container):
        places, none = np.arange(len(stamps)), np.empty(0, np.int64)
        duration = len(stamps) / rate
        return _Index(places / rate, places, none, none, duration, stamped=False, counted=reordered)
    order = np.argsort(given, kind="stable")
    ticks = given[order] - given[order[0]]
    tick = float(stream.time_base or 1 / rate)
    last = lengths[order[-1]] or (float(np.median(np.diff(ticks))) if len(ticks) > 1 else 0) or 1 / rate / tick
    duration = float(ticks[-1] + last) * tick
    return _Index(ticks * tick, given[order], np.flatnonzero(key[order]), np.array(sizes)[order][key[order]], duration)


def _believable(stamps: I64, keys: np.ndarray, *, reordered: bool, container: InputContainer) -> bool:
    """Whether the stamps, in the order of decoding, can be the order of showing.

    A keyframe is shown after all that came before it, unless clocks were set back, as where files were joined. Where
    frames are reordered no two may have one stamp, as libavformat's guesses for MPEG program streams do; and AVI,
    which has no stamps, must not seem to be in order, as its guesses for H.264 do.
    """
    before = np.maximum.accumulate(stamps)
    if not np.all(stamps[keys] >= before[keys]):
        return False
    guessed = container.format.name == "avi" and np.all(stamps == before)
    return not (reordered and (guessed or len(np.unique(stamps)) < len(stamps)))


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
