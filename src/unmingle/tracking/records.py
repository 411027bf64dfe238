"""What comes out of a recording: tracks with their sightings, and the looks that stand for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unmingle.records import check_shape

if TYPE_CHECKING:
    from unmingle.records import F32, F64, I64, Analysis


@dataclass(frozen=True, slots=True, eq=False)
class Sightings:
    """The n times that a face was seen, in the order of time.

    frames:  (n,) int64, numbers of frames of the recording, from 0.
    times:   (n,) float64, seconds since the first frame.
    numbers: (n,) int64, which face of its frame it is: 0 is the surest.
    boxes:   (n, 4) float32, pixels of the upright frame: left, top, width, height.
    scores:  (n,) float32, the detector's confidence, 0 to 1.
    """

    frames: I64
    times: F64
    numbers: I64
    boxes: F32
    scores: F32

    def __post_init__(self) -> None:
        check_shape("frames", self.frames, (None,))
        for name in ("times", "numbers", "scores"):
            check_shape(name, getattr(self, name), (len(self.frames),))
        check_shape("boxes", self.boxes, (len(self.frames), 4))

    def __len__(self) -> int:
        return len(self.frames)


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """A sighting that stands for others of its track.

    sighting: its position among the track's sightings.
    analysis: of this one face in its frame.
    """

    sighting: int
    analysis: Analysis

    @property
    def vector(self) -> F32:
        """(d,) its embedding."""
        vector: F32 = self.analysis.vectors[0]
        return vector

    @property
    def quality(self) -> float:
        """0 to 1."""
        return float(self.analysis.quality[0])


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """One face through time, within a segment.

    still: nothing in it moved for seconds: an avatar, a poster, a slide.
    looks: by rising sighting; at least one.
    """

    sightings: Sightings
    still: bool
    looks: tuple[Look, ...]

    def __post_init__(self) -> None:
        where = [look.sighting for look in self.looks]
        if not where or where != sorted(set(where)) or not 0 <= where[0] <= where[-1] < len(self.sightings):
            raise ValueError("looks must be of different sightings of the track, in their order")


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """What was seen between two instants of a recording: a pure function of its content and these.

    start, stop: seconds; sightings lie in [start, stop).
    times, ends: (n,) float64, seconds, rising: when each frame that was looked at comes, and gives way to the next.
    skipped:     frames that could not be decoded.
    tracks:      in the order of their first sightings.
    """

    start: float
    stop: float
    times: F64
    ends: F64
    skipped: int
    tracks: tuple[Track, ...]


def nearest_looks(times_n: F64, looks_k: I64) -> I64:
    """(n,) for each sighting the position, among the k looks, of the one nearest in time.

    Args:
        times_n: rising.
        looks_k: the sighting of each look, rising.
    """
    at = times_n[looks_k]
    after = np.clip(np.searchsorted(at, times_n), 0, len(at) - 1)
    before = np.maximum(after - 1, 0)
    nearest: I64 = np.where(np.abs(at[before] - times_n) <= np.abs(at[after] - times_n), before, after)
    return nearest
