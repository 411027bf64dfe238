"""Following faces from frame to frame: in pieces by where they are, and these in tracks by what embeddings say.

A face goes on where its box overlaps the one before (Hungarian assignment on intersection over union, as in SORT:
Bewley et al., "Simple online and realtime tracking", 2016), and what the box shows hardly changed. Where it changed, or
the face was gone for a moment, a new piece begins that only knows which one it may continue. What the detector is not
sure of only goes on with what was there (as in ByteTrack: Zhang et al., 2022).

A keyframe is a sighting that was embedded. Two pieces become one track where their keyframes are, on average, as alike
as hardly any strangers are; a piece whose keyframes follow each other like strangers is split.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np

from unmingle.faces.boxes import assigned, overlaps
from unmingle.grouping.impostors import SFACE_CURVE, ImpostorModel
from unmingle.records import F32, F64, U8, Analysis, Faces, Sightings, Triage
from unmingle.sources.pyramid import shrunk

LEAST_OVERLAP = 0.3  # intersection over union of a face's boxes in two frames that follow each other
# Seconds after which a face in the same place isn't thought to be the same any more; from one frame to the next it may
# be, however long that takes.
LONGEST_GAP = 1.0
GREY_SIDE = 640  # pixels, the longer side of the grey picture that patches are cut from, if the frame is larger
PATCH = 16  # pixels a side of what is kept of a box, to tell whether it changed
AROUND = (0.2, 1.0)  # of the box, on each side: the head, and what is behind it
SAME_SCENE = 0.8  # correlation of two patches, on average: above it nobody took anybody's place
LINK = 0.001  # share of strangers who are as alike as two pieces must be to be one track
SPLIT = 0.1  # share of strangers who are more alike than two keyframes that one face in two moments may have
MOST_KEYFRAMES = 8  # of a track: an hour of one person is then some 500 faces to group
ALIKE = 0.9  # cosine: a further keyframe that is so like another one tells nothing new

STILL_TIME = 3.0  # seconds: nobody sits that still
STILL_SIGHTINGS = 4
MOST_CHANGE = 2.0  # of 255, averaged over a patch: what compression makes of a picture that stands still


class Sighting(NamedTuple):
    """A face in a frame: see `Sightings`."""

    frame: int
    time: float
    number: int
    box: F32
    score: float
    patches: F32  # (2, 256), what its own box shows: see `Grey.patches`
    there: U8  # (16, 16), grey, what is to be seen at its piece's `place`


@dataclass(slots=True, eq=False)
class Piece:
    """A face followed without a doubt."""

    before: Piece | None  # the piece that it may continue
    place: F32  # where it is looked at for whether it moves: the first box, of a piece before it if it is there still
    seen: list[Sighting] = field(default_factory=list)
    analyses: dict[int, Analysis] = field(default_factory=dict)  # of some of `seen`, by position
    due: float = 0.0  # seconds, when it is to be analysed again


@dataclass(slots=True, eq=False)
class Tracker:
    """Follows faces through frames that are handed over in the order of time; its pieces are in that of their first."""

    sure: float = 0.0  # the score from which a face may begin a piece
    pieces: list[Piece] = field(default_factory=list)
    _open: list[Piece] = field(default_factory=list)
    _before: float = -math.inf  # the time of the last frame

    def add(self, frame: int, time: float, grey: Grey, faces: Faces) -> dict[int, Piece]:
        """Take in the faces of one more frame: the piece whose last sighting each is now, if there is one.

        The frame is given by its number, its time in seconds, and its upright pixels.
        """
        self._open = [
            piece for piece in self._open if piece.seen[-1].time == self._before or not _long_ago(piece, time)
        ]
        self._before = time
        before = self._continued(faces)
        newest = max((piece.seen[-1].time for piece in self._open), default=time)
        touched: dict[int, Piece] = {}
        for face, box in enumerate(faces.boxes):
            piece, patches = before.get(face), grey.patches(box)
            gone = piece is not None and (piece.seen[-1].time < newest or _long_ago(piece, time))
            if piece is None or gone or correlation(piece.seen[-1].patches, patches) < SAME_SCENE:
                if faces.scores[face] < self.sure:
                    continue
                if piece is not None:
                    self._open.remove(piece)
                place = box if piece is None else piece.place
                # Where the layout moved the face, what is left behind doesn't tell whether it moves.
                stays = overlaps(place[None], box[None])[0, 0] >= LEAST_OVERLAP
                piece = Piece(piece, place if stays else box)
                self._open.append(piece)
                self.pieces.append(piece)
            there = grey.patch(piece.place, 0.0)  # the face alone: behind a poster on a wall somebody moves
            number = len(touched)
            piece.seen.append(Sighting(frame, time, number, box, float(faces.scores[face]), patches, there))
            touched[face] = piece
        return touched

    def _continued(self, faces: Faces) -> dict[int, Piece]:
        """The open piece that each face may go on with: sure ones first."""
        sure_n = faces.scores >= self.sure
        found: dict[int, Piece] = {}
        left = self._open
        for index in (np.flatnonzero(sure_n), np.flatnonzero(~sure_n)):
            last = np.array([piece.seen[-1].box for piece in left], np.float32).reshape(-1, 4)
            pairs = assigned(last, faces.boxes[index], least=LEAST_OVERLAP)
            found |= {int(index[face]): left[piece] for piece, face in pairs}
            left = [piece for piece in left if piece not in found.values()]
        return found


def _long_ago(piece: Piece, time: float) -> bool:
    return time - piece.seen[-1].time > LONGEST_GAP


@dataclass(frozen=True, slots=True, eq=False)
class Grey:
    """A frame in grey and small, quick to cut patches from. scale: its pixels for one of the frame."""

    pixels_hw: U8
    scale: float
    _cut: dict[bytes, F32] = field(default_factory=dict)  # patches by their box, which more than one asks for

    @classmethod
    def of(cls, picture_hw3: U8) -> Grey:
        """Of a frame, RGB."""
        # Colours go first: the sum of three is quicker to shrink than three.
        grey = shrunk(np.asarray(cv2.cvtColor(picture_hw3, cv2.COLOR_RGB2GRAY), np.uint8), GREY_SIDE)
        return cls(grey, grey.shape[1] / picture_hw3.shape[1])

    def patch(self, box: F32, around: float) -> U8:
        """(16, 16) uint8: what a box of the frame shows, and so much of its size around it."""
        left, top, width, height = (value * self.scale for value in box.tolist())
        rows, columns = self.pixels_hw.shape
        x = min(max(int(left - around * width), 0), columns - 1)
        y = min(max(int(top - around * height), 0), rows - 1)
        to_x = min(max(int(left + (1 + around) * width), x + 1), columns)
        to_y = min(max(int(top + (1 + around) * height), y + 1), rows)
        part = self.pixels_hw[y:to_y, x:to_x]
        return np.asarray(cv2.resize(part, (PATCH, PATCH), interpolation=cv2.INTER_AREA), np.uint8)

    def patches(self, box: F32) -> F32:
        """(2, 256) what a box shows, with a little around it, and with much: each less its average, of length 1."""
        key = box.tobytes()
        if key not in self._cut:
            patches = np.stack([self.patch(box, around).ravel() for around in AROUND]).astype(np.float32)
            patches -= patches.mean(axis=1, keepdims=True)
            length = np.sqrt(np.einsum("ij,ij->i", patches, patches))[:, None]
            # What shows nothing is like itself, and like nothing else.
            self._cut[key] = np.where(length > 0, patches / np.maximum(length, 1), np.float32(1 / PATCH))
        return self._cut[key]


def correlation(one: F32, other: F32) -> float:
    """Of two patches, -1 to 1, averaged over the two; 1 where they show nothing."""
    return float(np.vdot(one, other)) / 2


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
    strangers = _exceeded(SPLIT, curve)
    chains: list[list[_Part]] = []
    chain_of: dict[Piece | None, list[_Part]] = {}  # the chain that a piece's last part ends
    for piece in pieces:
        for number, part in enumerate(_split(piece.seen, piece.analyses, strangers)):
            chain = [] if number else chain_of.get(piece.before, [])
            if not chain or not _is_alike(chain[-1], part, curve) or _is_other_sort(chain, part):
                chain = []
                chains.append(chain)
            chain.append(part)
            chain_of[piece] = chain
    tracks = [_track(chain) for chain in chains]
    return tuple(sorted(tracks, key=lambda track: (track.sightings.frames[0], track.sightings.numbers[0])))


def _exceeded(share: float, curve: ImpostorModel, first: int = 1, second: int = 1) -> float:
    """The cosine that this share of pairs of strangers exceeds, on average over so many faces of each."""
    from scipy.special import ndtri

    return curve.mean - float(ndtri(share)) * float(curve.deviation(np.array([first]), np.array([second]))[0])


def _is_alike(earlier: _Part, later: _Part, curve: ImpostorModel) -> bool:
    """Whether all that is known of both speaks for one person: two single looks of strangers may be alike by chance."""
    one, other = (
        np.stack([part.analyses[at].vectors[0] for at in _telling(part.analyses)]) for part in (earlier, later)
    )
    return float(one.mean(axis=0) @ other.mean(axis=0)) >= _exceeded(LINK, curve, len(one), len(other))


def _is_other_sort(chain: Sequence[_Part], part: _Part) -> bool:
    """Whether one is a still picture, and the other goes on with something else: a camera goes off, a slide changes."""
    before = [one for earlier in chain for one in earlier.seen]
    return (_is_still(before) or _is_still(part.seen)) and moves([*before, *part.seen])


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
    moving = moves(seen)
    still = not moving and _lasts(seen)
    if still:
        keyframes = [_of_still(one, seen[-1].time - seen[0].time) for one in keyframes]
    return Track(Sightings.of(seen), still, _chosen(keyframes, moving=moving))


def _is_still(seen: Sequence[Sighting]) -> bool:
    return _lasts(seen) and not moves(seen)


def _lasts(seen: Sequence[Sighting]) -> bool:
    return len(seen) >= STILL_SIGHTINGS and seen[-1].time - seen[0].time >= STILL_TIME


def moves(seen: Sequence[Sighting]) -> bool:
    """Whether anything moved in a face, by what is to be seen at one and the same place.

    A picture that stands still, jumps as the layout changes, and stands still again, didn't.
    """
    there = np.stack([one.there for one in seen]).astype(np.float32)
    jumps = np.flatnonzero(_change(there[1:], there[:-1]) > 2 * MOST_CHANGE) + 1  # more than two that stand still may
    cuts = [0, *jumps.tolist(), len(seen)]
    if any(_change(there[i:j], np.median(there[i:j], axis=0)).max() > MOST_CHANGE for i, j in pairwise(cuts)):
        return True
    seconds = [seen[j - 1].time - seen[i].time for i, j in pairwise(cuts)]
    return len(seconds) > 1 and min(seconds[1:-1], default=max(seconds)) < STILL_TIME


def _change(there: F32, before: F32) -> F32:
    """(n,) by how much patches differ, of 255 on average."""
    return np.asarray(np.abs(there - before).mean(axis=(1, 2)))


def _of_still(keyframe: Keyframe, seconds: float) -> Keyframe:
    """A keyframe of a still picture: it may only join a person, if it is fit for that."""
    if not _is_fit(keyframe.analysis):
        return keyframe
    reason = f"a still picture: nothing in it moved for {seconds:.0f} seconds"
    triage = Triage(("join",), ("",), (reason,))
    return replace(keyframe, analysis=replace(keyframe.analysis, triage=triage))


def _chosen(keyframes: Sequence[Keyframe], *, moving: bool) -> tuple[Keyframe, ...]:
    """The best, then in turn the one least like those taken, until none is new.

    Somebody who moves, and is followed for a while, is more than one picture, however alike two keyframes are; what
    doesn't is one, whatever landmarks the detector gave it.
    """
    # What isn't fit to found stands for a track only where nothing better does.
    fit = [one for one in keyframes if _is_fit(one.analysis)] or list(keyframes)
    best = max(range(len(fit)), key=lambda i: float(fit[i].analysis.quality[0]))
    vectors_nd = np.stack([one.vector for one in fit])
    chosen = [best]
    nearest_n = vectors_nd @ vectors_nd[best]
    while len(chosen) < min(MOST_KEYFRAMES if moving else 1, len(fit)):
        nearest_n[chosen] = np.inf  # repeated frames give keyframes that are no less alike than one is to itself
        next_one = int(np.argmin(nearest_n))
        if len(chosen) > 1 and nearest_n[next_one] > ALIKE:
            break
        chosen.append(next_one)
        nearest_n = np.maximum(nearest_n, vectors_nd @ vectors_nd[next_one])
    return tuple(sorted((fit[i] for i in chosen), key=lambda one: one.sighting))
