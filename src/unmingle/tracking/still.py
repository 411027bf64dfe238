"""Faces that are pictures of faces: an avatar, a poster, a slide that is shared."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from unmingle.records import Triage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unmingle.records import F64, U8
    from unmingle.tracking.records import Look

LEAST_TIME = 3.0  # seconds: nobody sits that still
LEAST_SIGHTINGS = 4
MOST_CHANGE = 2.0  # of 255, averaged over a patch: what compression makes of a picture that stands still


def is_still(times_n: F64, there: Sequence[U8]) -> bool:
    """Whether nothing moved in a face for seconds.

    Args:
        times_n: seconds, of the n sightings of a track.
        there: n patches of one shape, what is to be seen at one and the same place.
    """
    long = len(times_n) >= LEAST_SIGHTINGS and times_n[-1] - times_n[0] >= LEAST_TIME
    return bool(long) and not moves(there)


def moves(there: Sequence[U8]) -> bool:
    """Whether anything moved in a face, however short it was there; see `is_still`."""
    patches = np.stack(there).astype(np.float32)
    changed_n = np.abs(patches - np.median(patches, axis=0)).mean(axis=(1, 2))
    return float(changed_n.max()) > MOST_CHANGE


def judged(look: Look, times_n: F64) -> Look:
    """A look of a still picture: it may only join a person, if it is fit for that."""
    found = look.analysis.triage
    if found.standings[0] != "found":
        return look
    reason = f"a still picture: nothing in it moved for {times_n[-1] - times_n[0]:.0f} seconds"
    triage = Triage(("join",), ("",), (reason,))
    return replace(look, analysis=replace(look.analysis, triage=triage))
