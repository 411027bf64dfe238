"""How good a face is: whether it can be grouped, and which of a person's faces to show first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from unmingle.faces.align import scale_of
from unmingle.records import Triage

if TYPE_CHECKING:
    from unmingle.records import F32, Faces, Flag, Standing
    from unmingle.settings import DetectionSettings


def quality(faces: Faces) -> F32:
    """(n,) 0 to 1: the detector's confidence times the share of the 112 pixels a side that the face really has."""
    resolution = np.array([1 / max(scale_of(points), 1.0) for points in faces.points], np.float32)
    return np.asarray(faces.scores * resolution, np.float32)


def triage(faces: Faces, settings: DetectionSettings) -> Triage:
    """What each face is fit for."""
    reasons = [
        f"too small: {width:.0f}×{height:.0f} pixels, under {settings.min_side:.0f}"
        if min(width, height) < settings.min_side
        else ""
        for _, _, width, height in faces.boxes
    ]
    standings: list[Standing] = ["aside" if reason else "found" for reason in reasons]
    flags: list[Flag] = ["low_quality" if reason else "" for reason in reasons]
    return Triage(tuple(standings), tuple(flags), tuple(reasons))
