"""Following faces from frame to frame by where they are: pieces of tracks in which nobody can have changed.

A face goes on where its box overlaps the one before (Hungarian assignment on intersection over union, as in SORT:
Bewley et al., "Simple online and realtime tracking", 2016), and what the box shows hardly changed. Where it changed, or
the face was gone for a moment, a new piece begins that only knows which one it may continue. Whether two pieces are one
person is for embeddings to say (`tracking.tracks`). What the detector is not sure of only goes on with what was there
(as in ByteTrack: Zhang et al., 2022).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import cv2
import numpy as np

from unmingle.faces.boxes import assigned
from unmingle.records import F32, U8, Analysis, Faces
from unmingle.sources.pyramid import shrunk

LEAST_OVERLAP = 0.3  # intersection over union of a face's boxes in two frames that follow each other
# Seconds after which a face in the same place isn't thought to be the same any more; from one frame to the next it may
# be, however long that takes.
LONGEST_GAP = 1.0
GREY_SIDE = 640  # pixels, the longer side of the grey picture that patches are cut from, if the frame is larger
PATCH = 16  # pixels a side of what is kept of a box, to tell whether it changed
AROUND = (0.2, 1.0)  # of the box, on each side: the head, and what is behind it
SAME_SCENE = 0.8  # correlation of two patches, on average: above it nobody took anybody's place


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
    place: F32  # the box of its first sighting, or of the piece's before it: where it is looked at for whether it moves
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
                piece = Piece(piece, box if piece is None else piece.place)
                self._open.append(piece)
                self.pieces.append(piece)
            there = grey.patch(piece.place, AROUND[0])
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
