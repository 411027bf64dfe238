"""When and where a face was seen in a recording, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from unmingle.records import check_shape

if TYPE_CHECKING:
    from collections.abc import Iterable

    from unmingle.records import F32, F64, I64, Bool
    from unmingle.tracking.tracker import Sighting


@dataclass(frozen=True, slots=True, eq=False)
class Sightings:
    """The n times that a face was seen, in the order of time."""

    frames: I64  # (n,) numbers of frames of the recording, from 0
    times: F64  # (n,) seconds since the first frame
    numbers: I64  # (n,) which face of its frame it is: 0 is the surest
    boxes: F32  # (n, 4) pixels of the upright frame: left, top, width, height
    scores: F32  # (n,) the detector's confidence, 0 to 1

    def __post_init__(self) -> None:
        check_shape("frames", self.frames, (None,))
        for name in ("times", "numbers", "scores"):
            check_shape(name, getattr(self, name), (len(self.frames),))
        check_shape("boxes", self.boxes, (len(self.frames), 4))

    @classmethod
    def of(cls, seen: Iterable[Sighting]) -> Self:
        """At least one, as arrays."""
        frames, times, numbers, boxes, scores, *_ = zip(*seen, strict=True)
        return cls(
            np.array(frames, np.int64),
            np.array(times, np.float64),
            np.array(numbers, np.int64),
            np.array(boxes, np.float32),
            np.array(scores, np.float32),
        )

    def __len__(self) -> int:
        return len(self.frames)

    def take(self, kept_n: Bool) -> Sightings:
        """Those of them that are kept."""
        return Sightings(*(getattr(self, name)[kept_n] for name in self.__slots__))


def nearest_keyframes(times_n: F64, sightings_k: I64) -> I64:
    """(n,) for each sighting, by rising time, the position of the keyframe nearest in time, of k by their sightings."""
    at = times_n[sightings_k]
    after = np.clip(np.searchsorted(at, times_n), 0, len(at) - 1)
    before = np.maximum(after - 1, 0)
    nearest: I64 = np.where(np.abs(at[before] - times_n) <= np.abs(at[after] - times_n), before, after)
    return nearest
