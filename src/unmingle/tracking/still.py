"""Faces that are pictures of faces: an avatar, a poster, a slide that is shared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unmingle.records import U8
    from unmingle.tracking.records import Sightings

LEAST_TIME = 3.0  # seconds: nobody sits that still
LEAST_SIGHTINGS = 4
MOST_CHANGE = 2.0  # of 255: what compression leaves of a picture that stands still, averaged over a patch
MOST_MOVE = 0.02  # of the box's size: what the detector's boxes tremble by


def is_still(sightings: Sightings, patches: Sequence[U8]) -> bool:
    """Whether nothing moved in a face for seconds.

    Args:
        sightings: n of a track.
        patches: n, what each box shows, see `tracker.patch_of`.
    """
    if len(sightings) < LEAST_SIGHTINGS or sightings.times[-1] - sightings.times[0] < LEAST_TIME:
        return False
    size = float(np.sqrt(np.prod(np.median(sightings.boxes[:, 2:], axis=0))))
    middles = sightings.boxes[:, :2] + sightings.boxes[:, 2:] / 2
    moved = float(np.abs(middles - np.median(middles, axis=0)).max())
    stack = np.stack([patch[0] for patch in patches]).astype(np.float32)
    changed = float(np.abs(stack - np.median(stack, axis=0)).mean(axis=(1, 2)).max())
    return moved <= MOST_MOVE * max(size, 1.0) + 1 and changed <= MOST_CHANGE
