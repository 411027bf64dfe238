"""What each face is fit for: to found a person, to join one that others founded, or neither.

Each rule has a threshold with a meaning, all in `DetectionSettings`; benchmarks/triage.py and benchmarks/degradation.py
measure what they cost and save. How far a face is turned is no reason: at no turn that landmarks can tell apart is it
lost, since a turned face is like one that is turned a little less. Closed eyes are none either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from unmingle.records import Triage

if TYPE_CHECKING:
    from unmingle.faces.quality import Measures
    from unmingle.records import Flag, Standing
    from unmingle.settings import DetectionSettings


class Verdict(NamedTuple):
    """On one face."""

    standing: Standing
    flag: Flag
    reason: str


FIT = Verdict("found", "", "")


def triage(measures: Measures, settings: DetectionSettings) -> Triage:
    """Judge each face; of several reasons the gravest counts."""
    verdicts = [_aside(measures, i, settings) or _joins(measures, i, settings) for i in range(len(measures))]
    return Triage(
        standings=tuple(verdict.standing for verdict in verdicts),
        flags=tuple(verdict.flag for verdict in verdicts),
        reasons=tuple(verdict.reason for verdict in verdicts),
    )


def _aside(measures: Measures, face: int, settings: DetectionSettings) -> Verdict | None:
    """Why a face isn't grouped at all, if so."""
    pixels, sure = measures.pixels[face], measures.face[face]
    if pixels < settings.min_pixels:
        reason = f"too small: {pixels:.0f} pixels a side, under {settings.min_pixels:g}"
        return Verdict("aside", "low_quality", reason)
    if sure < settings.min_face:
        return Verdict("aside", "not_a_face", f"not a face: sure to {1 - sure:.0%}, over {1 - settings.min_face:.0%}")
    return None


def _joins(measures: Measures, face: int, settings: DetectionSettings) -> Verdict:
    """Why a face may only join, if so."""
    pixels, blur, covered = measures.pixels[face], measures.blur[face], measures.covered[face]
    sure = measures.face[face]
    if sure < settings.founder_face:
        reason = f"hardly a face: sure to {1 - sure:.0%} that it is none, over {1 - settings.founder_face:.0%}"
        return Verdict("join", "not_a_face", reason)
    if covered > settings.founder_covered:
        reason = f"lower face covered: sure to {covered:.0%}, over {settings.founder_covered:.0%}"
        return Verdict("join", "masked", reason)
    if pixels < settings.founder_pixels:
        reason = f"small: {pixels:.0f} pixels a side, under {settings.founder_pixels:g}"
        return Verdict("join", "low_quality", reason)
    if blur > settings.founder_blur:
        reason = f"too blurred: by {blur:.1f} of 112 pixels, over {settings.founder_blur:g}"
        return Verdict("join", "low_quality", reason)
    return FIT
