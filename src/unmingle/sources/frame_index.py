"""The packets of a recording's stream, and what they tell, without decoding: which frames there are, and when."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unmingle.errors import PictureError
from unmingle.records import F64, I64, Bool

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream


PATIENCE = 16  # unreadable places in a row, after which nothing more is expected of a file
TOLERANCE = 0.001  # seconds that a frame may come before its instant: some containers round times to milliseconds
LONGEST_FRAME = 30 * 3600.0  # seconds: a clock that goes on by more was set anew, as FFmpeg has it
USUAL_RATE = 25.0  # frames a second, of a file that tells neither times nor a rate


@dataclass(frozen=True, slots=True, eq=False)
class FrameIndex:
    """What the packets tell of the n frames, in the order of showing."""

    times: F64  # (n,) seconds since the recording begins, be it with sound alone; ascending
    stamps: I64  # (n,) ascending: what a decoded frame is recognised by
    keys: I64  # (k,) ascending: numbers of the frames that decoding can begin at, where the file can be searched
    sizes: I64  # (k,) bytes of the packets of those frames
    duration: float  # seconds, to the end of the last frame
    stamped: bool = True  # the stamps are the file's own; else they are the place in the order of decoding
    counted: bool = False  # not even that order tells the number, so that frames are counted as they come

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

    def wanted(self, every: float, start: float) -> I64:
        """Numbers of the frames that a grid wants: the first at or after each instant from `start` on."""
        gaps = np.diff(self.times)
        early = min(TOLERANCE, float(gaps[gaps > 0].min(initial=np.inf)) / 2)
        reached = self.times + early
        if every == 0:
            return np.flatnonzero(reached >= start)
        slots = np.floor(reached / every)  # the last instant that each frame has reached
        before = np.concatenate(([-1.0], slots[:-1]))
        return np.flatnonzero(np.maximum(before + 1, math.ceil((start - early) / every)) <= slots)

    def seek(
        self, container: InputContainer, stream: VideoStream, target: int
    ) -> tuple[int, Iterable[Packet[VideoStream]]] | None:
        """Go to a keyframe at or before a frame: its number and the packets from it; None: it must be read anew.

        Where a container lands is not to be relied on, so it is looked at, and an earlier keyframe tried: it may be
        past the one that was asked for, or, in an MPEG program stream, in the middle of another's picture.
        """
        import av

        nearest = int(np.searchsorted(self.keys, target, side="right")) - 1
        if nearest <= 0:
            return 0, packets_of(container, stream)
        for back in (0, 1, 2, 4, 8):
            if nearest - back <= 0:
                return None
            try:
                container.seek(int(self.stamps[self.keys[nearest - back]]), stream=stream)
            except av.error.FFmpegError:
                return None
            packets = packets_of(container, stream)
            for packet in packets:
                if (key := self.key(packet)) is not None:
                    if key <= target:
                        return key, itertools.chain([packet], packets)
                    break
        return None


def packets_of(container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream]]:
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


def decoded(
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


def read_index(container: InputContainer, stream: VideoStream) -> FrameIndex:
    """Learn every frame's time from the packets."""
    shown = [
        (packet.pts, packet.is_keyframe, packet.size, packet.duration or 0)
        for packet in packets_of(container, stream)
        if _shows(packet)
    ]
    if not shown:
        raise PictureError("damaged or truncated: no picture in it can be reached")
    given, keys, sizes, lengths = zip(*shown, strict=True)
    rate = float(stream.average_rate or stream.guessed_rate or USUAL_RATE)
    tick = float(stream.time_base or 1 / rate)
    n, key_n, reordered = len(shown), np.array(keys), bool(stream.codec_context.has_b_frames)
    stamps_n = np.array([-1 if stamp is None else stamp for stamp in given], np.int64)
    running_n = _running(stamps_n, key_n, tick)
    # Frames that are told by their place have no keys: decoding begins at the first.
    places, none = np.arange(n), np.empty(0, np.int64)
    # Stamps of frames that come out of order may be libavformat's guesses: then two have the same one, as in MPEG
    # program streams; or they seem to be in order, as of H.264 in AVI.
    in_order = container.format.name == "avi" and bool(np.all(np.diff(running_n) >= 0))
    if None in given or (reordered and (in_order or len(np.unique(running_n)) < n)):
        # Of a bare stream the container tells a usual rate, and its own frames how long they last: those of films on
        # DVDs two fields and three by turns.
        lasting = float(np.mean([length for length in lengths if length > 0] or [0])) * tick
        rate = 1 / lasting if lasting else rate
        return FrameIndex(places / rate, places, none, none, n / rate, stamped=False, counted=reordered)
    order = np.argsort(running_n, kind="stable")
    ticks_n = running_n[order] - running_n[order[0]]
    told = lengths[order[-1]] * tick, _rest(container, stream, int(running_n[order[-1]])), _usual(ticks_n) * tick
    last = next((seconds for seconds in told if 0 < seconds <= LONGEST_FRAME), 1 / rate)
    # Sound may come first, and players count from there.
    first = float(running_n[order[0]]) * tick
    sounds = [(one.start_time, one.time_base) for one in container.streams.audio]
    heard = [max(0.0, float(start * unit)) for start, unit in sounds if start is not None and unit is not None]
    lead = first - min(heard, default=first)
    times_n = ticks_n * tick + (lead if 0 < lead <= LONGEST_FRAME else 0.0)
    duration = float(times_n[-1]) + last
    if running_n is not stamps_n:
        return FrameIndex(times_n, places, none, none, duration, stamped=False, counted=reordered)
    first_n = key_n[order]
    keys_k, sizes_k = np.flatnonzero(first_n), np.array(sizes)[order][first_n]
    return FrameIndex(times_n, stamps_n[order], keys_k, sizes_k, duration)


def _running(stamps_n: I64, key_n: Bool, tick: float) -> I64:
    """Stamps of a clock that runs on where the file's was set anew, as where files were joined; or the same."""
    # A keyframe is shown after all that came before it, unless the clock was set back; and nobody waits for days.
    before_n = np.maximum.accumulate(stamps_n)
    leaps_n = np.diff(before_n.astype(np.float64), prepend=before_n[0]) * tick > LONGEST_FRAME
    anew = np.flatnonzero((key_n & (stamps_n < before_n)) | leaps_n)
    if not len(anew):
        return stamps_n
    usual = max(1, round(_usual(stamps_n)))
    running, end = [], 0
    for part_n in np.split(stamps_n, anew):
        running.append(part_n - part_n.min() + end)
        end = int(running[-1].max()) + usual
    return np.concatenate(running)


def _usual(ticks_n: I64) -> float:
    """How long a frame usually lasts, where they are in order."""
    steps = np.diff(ticks_n)
    return float(np.median(steps[steps > 0])) if np.any(steps > 0) else 0.0


def _rest(container: InputContainer, stream: VideoStream, stamp: int) -> float:
    """Seconds from a stamp to where the stream ends, or else the container, as far as they tell; or 0."""
    import av

    tick = float(stream.time_base or 0)
    if stream.duration:
        return max(0.0, ((stream.start_time or 0) + stream.duration - stamp) * tick)
    end = ((container.start_time or 0) + (container.duration or 0)) / av.time_base
    return max(0.0, end - stamp * tick)
