"""What comes out of a recording: tracks, made of pieces by what embeddings say, with the keyframes that stand for them.

A keyframe is a sighting that was embedded. Two pieces become one track where their nearest keyframes are as alike as
hardly any strangers are; a piece whose keyframes follow each other like strangers is split.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from unmingle.grouping.impostors import SFACE_CURVE, ImpostorModel
from unmingle.records import F32, F64, U8, Analysis, Triage
from unmingle.tracking.sightings import Sightings
from unmingle.tracking.tracker import Piece, Sighting, correlation

LINK = 0.001  # share of strangers who are as alike as two pieces must be to be one track
SPLIT = 0.1  # share of strangers who are more alike than two keyframes that one face in two moments may have
MOST_KEYFRAMES = 8  # of a track: an hour of one person is then some 500 faces to group
ALIKE = 0.9  # cosine: a further keyframe that is so like another one tells nothing new

STILL_TIME = 3.0  # seconds: nobody sits that still
STILL_SIGHTINGS = 4
MOST_CHANGE = 2.0  # of 255, averaged over a patch: what compression makes of a picture that stands still


@dataclass(frozen=True, slots=True, eq=False)
class Keyframe:
    """A sighting that stands for others of its track, by its position among them; the analysis is of its face alone."""

    sighting: int
    analysis: Analysis

    @property
    def vector(self) -> F32:
        """(d,) its embedding."""
        vector: F32 = self.analysis.vectors[0]
        return vector


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """One face through time, within a segment."""

    sightings: Sightings
    still: bool  # nothing in it moved for seconds: an avatar, a poster, a slide
    keyframes: tuple[Keyframe, ...]  # at least one; by rising sighting


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """What was seen between two instants of a recording: a pure function of its content and these."""

    start: float  # seconds; sightings lie in [start, stop)
    stop: float
    times: F64  # (n,) seconds, rising: when each frame that was looked at comes, and gives way to the next
    ends: F64
    skipped: int  # frames that could not be decoded
    tracks: tuple[Track, ...]  # in the order of their first sightings


class _Part(NamedTuple):
    """A piece, or what is left of one that was split, with the analysis of at least one sighting by its position."""

    seen: Sequence[Sighting]
    analyses: dict[int, Analysis]


def tracks_of(pieces: Sequence[Piece], curve: ImpostorModel = SFACE_CURVE) -> tuple[Track, ...]:
    """Tracks, in the order of their first sightings; each sighting is in one, and at least one of a piece is analysed.

    `curve` is of the model that the analyses are of.
    """
    strangers, least = _exceeded(SPLIT, curve), _exceeded(LINK, curve)
    chains: list[list[_Part]] = []
    chain_of: dict[Piece | None, list[_Part]] = {}  # the chain that a piece's last part ends
    for piece in pieces:
        for number, part in enumerate(_split(piece.seen, piece.analyses, strangers)):
            chain = [] if number else chain_of.get(piece.before, [])
            if not chain or _cosine(chain[-1], part) < least:
                chain = []
                chains.append(chain)
            chain.append(part)
            chain_of[piece] = chain
    tracks = [_track(chain) for chain in chains]
    return tuple(sorted(tracks, key=lambda track: (track.sightings.frames[0], track.sightings.numbers[0])))


def _exceeded(share: float, curve: ImpostorModel) -> float:
    """The cosine that this share of pairs of strangers exceeds."""
    from scipy.special import ndtri

    one = np.ones(1, np.int64)
    return curve.mean - float(ndtri(share)) * float(curve.deviation(one, one)[0])


def _cosine(earlier: _Part, later: _Part) -> float:
    """How alike the last keyframe of one and the first of the other are."""
    one, other = earlier.analyses[_telling(earlier.analyses)[-1]], later.analyses[_telling(later.analyses)[0]]
    return float(one.vectors[0] @ other.vectors[0])


def _telling(analyses: dict[int, Analysis]) -> list[int]:
    """The keyframes, rising, that tell who it is: hardly a face, or one that is covered, is like nobody."""
    return sorted(at for at in analyses if _is_fit(analyses[at])) or sorted(analyses)


def _is_fit(analysis: Analysis) -> bool:
    return analysis.triage.standings[0] == "found"


def _split(seen: Sequence[Sighting], analyses: dict[int, Analysis], least: float) -> list[_Part]:
    """A piece in parts, cut where its picture changed most between keyframes that are less alike than `least`."""
    cuts = [0]
    for one, other in pairwise(_telling(analyses)):
        if float(analyses[one].vectors[0] @ analyses[other].vectors[0]) < least:
            steps = [correlation(seen[i - 1].patches, seen[i].patches) for i in range(one + 1, other + 1)]
            cuts.append(one + 1 + int(np.argmin(steps)))
    return [
        _Part(seen[start:stop], {at - start: analyses[at] for at in analyses if start <= at < stop})
        for start, stop in pairwise([*cuts, len(seen)])
    ]


def _track(chain: Sequence[_Part]) -> Track:
    seen: list[Sighting] = []
    keyframes: list[Keyframe] = []
    for part in chain:
        keyframes.extend(Keyframe(len(seen) + at, analysis) for at, analysis in sorted(part.analyses.items()))
        seen.extend(part.seen)
    seconds = seen[-1].time - seen[0].time
    moving = moves([one.there for one in seen])
    still = not moving and len(seen) >= STILL_SIGHTINGS and seconds >= STILL_TIME
    if still:
        keyframes = [_of_still(one, seconds) for one in keyframes]
    # Somebody who moves, and is followed for a while, is more than one picture, however alike two keyframes are.
    return Track(Sightings.of(seen), still, _chosen(keyframes, least=2 if moving else 1))


def moves(there: Sequence[U8]) -> bool:
    """Whether anything moved in a face, by patches of one and the same place."""
    patches = np.stack(there).astype(np.float32)
    changed_n = np.abs(patches - np.median(patches, axis=0)).mean(axis=(1, 2))
    return float(changed_n.max()) > MOST_CHANGE


def _of_still(keyframe: Keyframe, seconds: float) -> Keyframe:
    """A keyframe of a still picture: it may only join a person, if it is fit for that."""
    if not _is_fit(keyframe.analysis):
        return keyframe
    reason = f"a still picture: nothing in it moved for {seconds:.0f} seconds"
    triage = Triage(("join",), ("",), (reason,))
    return replace(keyframe, analysis=replace(keyframe.analysis, triage=triage))


def _chosen(keyframes: Sequence[Keyframe], *, least: int) -> tuple[Keyframe, ...]:
    """The best, then one after the other the one least like those that were taken, until none is new.

    least: how many are taken even if none is, where there are so many.
    """
    # What isn't fit to found stands for a track only where nothing better does.
    fit = [one for one in keyframes if _is_fit(one.analysis)] or list(keyframes)
    best = max(range(len(fit)), key=lambda i: float(fit[i].analysis.quality[0]))
    vectors_nd = np.stack([one.vector for one in fit])
    chosen = [best]
    nearest_n = vectors_nd @ vectors_nd[best]
    while len(chosen) < min(MOST_KEYFRAMES, len(fit)):
        nearest_n[chosen] = np.inf  # repeated frames give keyframes that are no less alike than one is to itself
        next_one = int(np.argmin(nearest_n))
        if len(chosen) >= least and nearest_n[next_one] > ALIKE:
            break
        chosen.append(next_one)
        nearest_n = np.maximum(nearest_n, vectors_nd @ vectors_nd[next_one])
    return tuple(sorted((fit[i] for i in chosen), key=lambda one: one.sighting))
