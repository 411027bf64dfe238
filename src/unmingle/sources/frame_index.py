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

    from unmingle.records import F64, I64

TOLERANCE = 0.001  # seconds that a frame may come before its instant: some containers round times to milliseconds
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
    stamps, keys, sizes, lengths = [], [], [], []
    for packet in packets_of(container, stream):
        if not shows(packet):
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
        return FrameIndex(places / rate, places, none, none, duration, stamped=False, counted=reordered)
    order = np.argsort(given, kind="stable")
    ticks = given[order] - given[order[0]]
    tick = float(stream.time_base or 1 / rate)
    last = (
        lengths[order[-1]] * tick or _rest(container, stream, int(given[order[-1]])) or _usual(ticks) * tick or 1 / rate
    )
    key = key[order]
    return FrameIndex(
        ticks * tick, given[order], np.flatnonzero(key), np.array(sizes)[order][key], ticks[-1] * tick + last
    )


def _usual(ticks: I64) -> float:
    """How long a frame usually lasts."""
    return float(np.median(np.diff(ticks))) if len(ticks) > 1 else 0.0


def _rest(container: InputContainer, stream: VideoStream, stamp: int) -> float:
    """Seconds from a stamp to where the stream ends, or else the container, as far as they tell; or 0."""
    import av

    if stream.duration and stream.time_base:
        return max(0.0, float((stream.start_time or 0) + stream.duration - stamp) * float(stream.time_base))
    if container.duration and stream.time_base:
        end = ((container.start_time or 0) + container.duration) / av.time_base
        return max(0.0, end - stamp * float(stream.time_base))
    return 0.0


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
