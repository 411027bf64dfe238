"""Tracking the faces of a recording: frames to faces to tracks, a segment at a time, in memory that stays flat."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from itertools import dropwhile, pairwise
from typing import NamedTuple, Protocol, TypeVar, runtime_checkable

import cv2
import numpy as np

from unmingle.faces.boxes import assigned
from unmingle.grouping.impostors import curve_of
from unmingle.models.registry import Calibration
from unmingle.records import F32, U8, Analysis, Faces
from unmingle.sources.pyramid import shrunk
from unmingle.sources.recordings import Frame, Recording, as_shown
from unmingle.tracking.tracks import SAME_SCENE, Grey, Piece, Segment, Tracker, correlation, tracks_of

SEGMENT = 60.0  # seconds between two instants at which work is stored: what a killed run loses at most
CHUNK = 1.0  # seconds of frames that are looked at together, the first of them closely
CHUNK_PIXELS = 24_000_000  # of its frames; those of three chunks are in memory at once
WIDE = 1280  # pixels: a frame's longer side when it is looked at closely; a face of 16 pixels there is found
NARROWER = (1.0, 0.75, 0.5, 0.4)  # of the close look
LEAST_FACE = 28.0  # pixels of a box's shorter side at which nothing is lost by a coarser look
CUT = 10.0  # of 255: a frame that differs by more from the one before, on average, may show something else
COMPARED = (32, 18)  # pixels, of the frames that are compared so
PLACE = (3, 3)  # of these pixels: what is as large as a face that matters, or as a tile of many
CUT_THERE = 60.0  # of 255, averaged over a place: there something else is shown
APART = 0.41  # seconds, at most, between two frames that are looked at
TOUCHING = 0.05  # intersection over union of a face in two frames: what lies between shows whether it is the same

T = TypeVar("T")


@runtime_checkable
class VideoRecipe(Protocol):
    """What tracking asks of a recipe."""

    calibration: Calibration | None  # how similar strangers are to its embedding
    min_score: float  # the detector's confidence from which a face counts by itself

    def detect_each(self, pictures: Sequence[U8], sides: Sequence[int]) -> list[Faces]:
        """The faces of frames, each looked at once, with its longer side at so many pixels; also less sure ones."""

    def describe_faces(self, pictures: Sequence[U8], faces: Sequence[Faces]) -> list[Analysis]:
        """Embed and judge these faces of each frame."""


class FrameFaces(NamedTuple):
    """What a frame shows."""

    faces: Faces
    grey: Grey
    looked_at: bool  # else its faces were told from those of the frames before and after


class _Chunk(NamedTuple):
    """About a second of frames, at least one."""

    frames: list[Frame]
    last: bool  # its segment ends with it
    skipped: int  # frames that could not be decoded up to the next chunk


def track_video(recording: Recording, recipe: VideoRecipe, *, every: float, start: float = 0.0) -> Generator[Segment]:
    """Follow the faces of an open recording, in frames `every` so many seconds, from `start`, a multiple of SEGMENT.

    Tracks end where segments end, so each segment is the same whether a run began before it or with it.
    """
    before, tracker, times = 0, Tracker(recipe.min_score), list[tuple[float, float]]()
    # Frames are decoded, and faces looked for, while others are described: that keeps all cores busy.
    # Closed one after the other whatever happens: a file must not be closed while a thread still decodes it.
    with (
        closing(_ahead(_chunks(recording, every, start), "decode")) as chunks,
        closing(_ahead(((chunk, find(recipe, chunk.frames)) for chunk in chunks), "find")) as looked,
    ):
        for chunk, found in looked:
            times.extend((frame.time, frame.until) for frame in chunk.frames)
            _follow(tracker, recipe, chunk.frames, found, recording.info.aspect)
            if chunk.last:
                yield _segment(tracker, recipe, times, chunk.skipped - before)
                before, tracker, times = chunk.skipped, Tracker(recipe.min_score), []


def _ahead(items: Iterator[T], name: str) -> Generator[T]:
    """The same items, the next of which is made in a thread while one is used."""
    with ThreadPoolExecutor(1, thread_name_prefix=name) as pool:
        waiting = pool.submit(next, items, None)
        while (item := waiting.result()) is not None:
            waiting = pool.submit(next, items, None)
            yield item


def _chunks(recording: Recording, every: float, start: float) -> Iterator[_Chunk]:
    """Frames by seconds, none of which reaches from one segment to the next."""
    # One that comes a moment before its instant, as times are rounded, is of the segment before.
    frames = dropwhile(lambda frame: frame.time < start, recording.frames(every=every, start=start))
    frame = next(frames, None)
    while frame is not None:
        stop = frame.time // SEGMENT * SEGMENT + SEGMENT
        chunk = [frame]
        while (frame := next(frames, None)) is not None and frame.time < stop and not _is_full(chunk, frame):
            chunk.append(frame)
        yield _Chunk(chunk, frame is None or frame.time >= stop, recording.skipped)


def _is_full(chunk: Sequence[Frame], following: Frame) -> bool:
    """Whether a chunk takes no further frame: it is a second long, or much, or the next one comes long after."""
    height, width = following.pixels.shape[:2]
    most = max(1, CHUNK_PIXELS // int(height * width))
    return len(chunk) >= most or chunk[-1].time - chunk[0].time >= CHUNK or following.time - chunk[-1].time > CHUNK


def _follow(
    tracker: Tracker, recipe: VideoRecipe, chunk: Sequence[Frame], found: Sequence[FrameFaces], aspect: float
) -> None:
    """Take in the frames of about a second, and their faces: each is described once, if it is time for that."""
    best: dict[Piece, tuple[float, int, int, int]] = {}  # score, frame, face, and its position in the piece
    for i, (frame, (faces, grey, looked_at)) in enumerate(zip(chunk, found, strict=True)):
        for face, piece in tracker.add(frame.number, frame.time, grey, faces).items():
            score = float(faces.scores[face]) - (not looked_at)  # landmarks that were seen before those that were told
            if frame.time >= piece.due and (piece not in best or score > best[piece][0]):
                best[piece] = score, i, face, len(piece.seen) - 1
    wanted = [[face for _, at, face, _ in best.values() if at == i] for i in range(len(chunk))]
    shown = [i for i, index in enumerate(wanted) if index]
    some = [found[i].faces.take(np.array(wanted[i], np.int64)) for i in shown]
    analyses = dict(zip(shown, _described(recipe, [chunk[i].pixels for i in shown], some, aspect), strict=True))
    for piece, (_, i, face, at) in best.items():
        piece.analyses[at] = analyses[i].one(wanted[i].index(face))
        # Two keyframes make a person, so the second comes soon; and the longer a face is followed without a doubt,
        # the less a further one tells. Each comes a second later after the one before than that one did.
        wait = len(piece.analyses) + (piece.before is not None) - 0.5
        piece.due = chunk[i].time + wait * CHUNK


def _described(recipe: VideoRecipe, pictures: Sequence[U8], faces: Sequence[Faces], aspect: float) -> list[Analysis]:
    """Embed, judge and cut out faces as they are shown: an embedding suffers where pixels are not square.

    Places are of the frame as it is stored.
    """
    if aspect == 1.0:
        return recipe.describe_faces(pictures, faces)
    described = recipe.describe_faces(
        [as_shown(picture, aspect) for picture in pictures], [one.widened(aspect) for one in faces]
    )
    return [
        replace(one, width=picture.shape[1], faces=one.faces.widened(1 / aspect))
        for one, picture in zip(described, pictures, strict=True)
    ]


def _segment(tracker: Tracker, recipe: VideoRecipe, times: Sequence[tuple[float, float]], skipped: int) -> Segment:
    times_n, ends_n = np.array(times).T
    start = times_n[0] // SEGMENT * SEGMENT
    assert recipe.calibration is not None  # a recipe that tracks has one
    tracks = tracks_of(tracker.pieces, curve_of(recipe.calibration))
    return Segment(start, start + SEGMENT, times_n, ends_n, skipped, tracks)


def find(recipe: VideoRecipe, frames: Sequence[Frame]) -> list[FrameFaces]:
    """The faces of frames that follow each other within about a second.

    The first is looked at closely, and so is one that shows something else than the one before it; others as coarsely
    as the smallest face of the last close look allows. Where nothing changes much, some are passed over.
    """
    pictures = [frame.pixels for frame in frames]
    greys = [Grey.of(picture) for picture in pictures]
    steps = [np.abs(one - other) for one, other in pairwise([_small(grey) for grey in greys])]
    close = [0, *(i for i, step in enumerate(steps, 1) if step.mean() > CUT)]
    changed = [i for i, step in enumerate(steps, 1) if cv2.blur(step, PLACE).max() > CUT_THERE]
    sides = [min(WIDE, max(picture.shape[:2])) for picture in pictures]
    faces = dict(zip(close, recipe.detect_each([pictures[i] for i in close], [sides[i] for i in close]), strict=True))
    told: dict[int, Faces] = {}
    anchors = {*_at_most_apart([frame.time for frame in frames]), *changed, *(i - 1 for i in (*changed, *close[1:]))}
    wanted = sorted(anchors - {*close})
    while wanted:
        governing = [faces[max(at for at in close if at < i)] for i in wanted]
        governing = [one.take(one.scores >= recipe.min_score) for one in governing]
        coarse = [_coarser(one, pictures[i], sides[i]) for i, one in zip(wanted, governing, strict=True)]
        faces.update(zip(wanted, recipe.detect_each([pictures[i] for i in wanted], coarse), strict=True))
        wanted = []
        for before, after in pairwise(sorted(faces)):
            if after - before > 1 and before + 1 not in told:
                others = between(faces[before], faces[after], greys[before : after + 1], sure=recipe.min_score)
                if others is None:
                    wanted.append((before + after) // 2)
                else:
                    told.update(enumerate(others, before + 1))
    return [FrameFaces(faces[i] if i in faces else told[i], grey, i in faces) for i, grey in enumerate(greys)]


def between(first: Faces, last: Faces, greys: Sequence[Grey], *, sure: float = 0.0) -> list[Faces] | None:
    """The faces of the frames between the first and the last of `greys`; None where they must be looked at.

    A box moves on a straight line from where it was to where it is found next: a face hardly moves in half a second.
    That counts only where the two frames have the same faces of a score of `sure`, and where each box shows the same
    all the way.
    """
    pairs = assigned(first.boxes, last.boxes, least=TOUCHING)
    known = [(i, j) for i, j in pairs if (first.scores[i] >= sure) == (last.scores[j] >= sure)]
    order = np.array(known, np.int64).reshape(-1, 2)
    one, other = first.take(order[:, 0]), last.take(order[:, 1])
    if len({np.count_nonzero(faces.scores >= sure) for faces in (first, last, one, other)}) > 1:
        return None
    there = [greys[0].patches(box) for box in one.boxes]
    found = []
    for grey, share in zip(greys[1:], np.linspace(0, 1, len(greys), dtype=np.float32)[1:], strict=True):
        parts = ((getattr(one, name), getattr(other, name)) for name in ("boxes", "points", "scores"))
        faces = Faces(*(before + share * (after - before) for before, after in parts))
        here = [grey.patches(box) for box in faces.boxes]
        if any(correlation(before, now) < SAME_SCENE for before, now in zip(there, here, strict=True)):
            return None
        found.append(faces.take(np.argsort(-faces.scores, kind="stable")))
        there = here
    return found[:-1]


def _at_most_apart(times: Sequence[float]) -> list[int]:
    """The first of some frames, the last, and as few between as have no two further apart than that."""
    chosen = [0]
    for i in range(1, len(times)):
        if i == len(times) - 1 or times[i + 1] - times[chosen[-1]] > APART:
            chosen.append(i)
    return chosen


def _coarser(faces: Faces, picture: U8, side: int) -> int:
    smallest = float(faces.boxes[:, 2:].min(initial=np.inf)) * side / max(picture.shape[:2])
    return round(side * min(share for share in NARROWER if share == 1.0 or smallest * share >= LEAST_FACE))


def _small(grey: Grey) -> F32:
    return np.asarray(
        cv2.resize(shrunk(grey.pixels_hw, 2 * max(COMPARED)), COMPARED, interpolation=cv2.INTER_AREA), np.float32
    )
