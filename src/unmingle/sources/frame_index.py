"""Which frames a recording has, and when: learned from its packets, without decoding, before any picture is wanted."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unmingle.errors import PictureError
from unmingle.sources.containers import packets_of, shows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

    from unmingle.records import F64, I64, Bool

TOLERANCE = 0.001  # seconds that a frame may come before its instant: some containers round times to milliseconds
LONGEST_FRAME = 30 * 3600.0  # seconds: a clock that goes on by more was set anew, as FFmpeg has it
USUAL_RATE = 25.0  # frames a second, of a file that tells neither times nor a rate


@dataclass(frozen=True, slots=True, eq=False)
class FrameIndex:
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


def seek(
    container: InputContainer, stream: VideoStream, index: FrameIndex, target: int
) -> tuple[int, Iterable[Packet[VideoStream]]] | None:
    """Go to a keyframe at or before frame `target`: its number and the packets from it; None: it must be read anew.

    Where a container lands is not to be relied on, so it is looked at, and an earlier keyframe tried: it may be past
    the one that was asked for, or, in an MPEG program stream, in the middle of a picture that has another's time.
    """
    import av

    nearest = int(np.searchsorted(index.keys, target, side="right")) - 1
    if nearest <= 0:
        return 0, packets_of(container, stream)
    for back in (0, 1, 2, 4, 8):
        if nearest - back <= 0:
            return None
        try:
            container.seek(int(index.stamps[index.keys[nearest - back]]), stream=stream)
        except av.error.FFmpegError:
            return None
        packets = packets_of(container, stream)
        key, first = next(
            ((key, packet) for packet in packets if (key := index.key(packet)) is not None), (target, None)
        )
        if first is not None and key <= target:
            return key, itertools.chain([first], packets)
    return None


def read_index(container: InputContainer, stream: VideoStream) -> FrameIndex:
    """Learn every frame's time from the packets."""
    shown = [packet for packet in map(_told, packets_of(container, stream)) if packet is not None]
    if not shown:
        raise PictureError("damaged or truncated: no picture in it can be reached")
    given, keys, sizes, lengths = zip(*shown, strict=True)
    rate = float(stream.average_rate or stream.guessed_rate or USUAL_RATE)
    tick = float(stream.time_base or 1 / rate)
    n, key_n, reordered = len(shown), np.array(keys), bool(stream.codec_context.has_b_frames)
    stamps_n = np.array([-1 if stamp is None else stamp for stamp in given], np.int64)
    running_n = _running(stamps_n, key_n, tick)
    if None in given or (reordered and _are_guesses(running_n, container)):
        return FrameIndex(np.arange(n) / rate, *_unstamped(n), n / rate, stamped=False, counted=reordered)
    order = np.argsort(running_n, kind="stable")
    ticks_n = running_n[order] - running_n[order[0]]
    told = lengths[order[-1]] * tick, _rest(container, stream, int(running_n[order[-1]])), _usual(ticks_n) * tick
    last = next((seconds for seconds in told if 0 < seconds <= LONGEST_FRAME), 1 / rate)
    duration = float(ticks_n[-1]) * tick + last
    if running_n is not stamps_n:
        return FrameIndex(ticks_n * tick, *_unstamped(n), duration, stamped=False, counted=reordered)
    first_n = key_n[order]
    keys_k, sizes_k = np.flatnonzero(first_n), np.array(sizes)[order][first_n]
    return FrameIndex(ticks_n * tick, stamps_n[order], keys_k, sizes_k, duration)


def _told(packet: Packet[VideoStream]) -> tuple[int | None, bool, int, int] | None:
    """What a packet tells of its picture: stamp, whether decoding can begin there, bytes, ticks; None: not shown."""
    return (packet.pts, packet.is_keyframe, packet.size, packet.duration or 0) if shows(packet) else None


def _unstamped(n: int) -> tuple[I64, I64, I64]:
    """Stamps, keys and sizes of n frames that are told by their place, so that decoding begins at the first."""
    none = np.empty(0, np.int64)
    return np.arange(n), none, none


def _are_guesses(stamps_n: I64, container: InputContainer) -> bool:
    """Whether stamps of frames that are out of order, as they come to be decoded, are libavformat's guesses.

    Then two have the same one, as in MPEG program streams; or they seem to be in order, as of H.264 in AVI.
    """
    in_order = container.format.name == "avi" and bool(np.all(np.diff(stamps_n) >= 0))
    return in_order or len(np.unique(stamps_n)) < len(stamps_n)


def _running(stamps_n: I64, key_n: Bool, tick: float) -> I64:
    """Stamps of a clock that runs on where the file's was set anew, as where files were joined; or the very same.

    A keyframe is shown after all that came before it, unless the clock was set back; and nobody waits for days.
    """
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
