"""Tracking the faces of a recording: frames to faces to tracks, a segment at a time, in memory that stays flat."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import dropwhile
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

import cv2
import numpy as np

from unmingle.grouping.impostors import curve_of
from unmingle.tracking.tracker import Tracker
from unmingle.tracking.tracks import Segment, tracks_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from concurrent.futures import Future

    from unmingle.models.cards import Calibration
    from unmingle.records import F32, U8, Analysis, Faces
    from unmingle.sources.recordings import Frame, Recording
    from unmingle.tracking.tracker import Piece

SEGMENT = 60.0  # seconds between two instants at which work is stored: what a killed run loses at most
CHUNK = 1.0  # seconds of frames that are looked at together, the first of them closely
CHUNK_PIXELS = 32_000_000  # of the frames that are in memory at once
FRAMES_AHEAD = 4  # decoded while others are looked at
WIDE = 1280  # pixels: a frame's longer side when it is looked at closely; a face of 16 pixels there is found
NARROWER = (1.0, 0.75, 0.5, 0.4)  # of the close look
LEAST_FACE = 28.0  # pixels of a box's shorter side at which nothing is lost by a coarser look
CUT = 10.0  # of 255: a frame that differs by more from the one before, on average, may show something else
GLANCE = (32, 18)  # pixels, of the frames that are compared so


@runtime_checkable
class VideoRecipe(Protocol):
    """What tracking asks of a recipe."""

    @property
    def calibration(self) -> Calibration | None:
        """How similar strangers are to its embedding."""

    def glance(self, pictures: Sequence[U8], sides: Sequence[int]) -> list[Faces]:
        """The faces of frames, each looked at once, with its longer side at so many pixels."""

    def describe_faces(self, pictures: Sequence[U8], faces: Sequence[Faces]) -> list[Analysis]:
        """Embed and judge these faces of each frame."""


class _Chunk(NamedTuple):
    """About a second of frames, at least one."""

    frames: list[Frame]
    last: bool  # its segment ends with it
    skipped: int  # frames that could not be decoded up to the next chunk


def track_video(recording: Recording, recipe: VideoRecipe, *, every: float, start: float = 0.0) -> Generator[Segment]:
    """Follow the faces of an open recording, in frames `every` so many seconds, from `start`, a multiple of SEGMENT.

    Tracks end where segments end, so each segment is the same whether a run began before it or with it.
    """
    before, tracker, times = 0, Tracker(), list[tuple[float, float]]()
    # Closed one after the other whatever happens: a file must not be closed while a thread still decodes it.
    with (
        closing(_read_ahead(recording, every, start)) as frames,
        closing(_found_ahead(recipe, _chunks(frames))) as chunks,
    ):
        for chunk, found in chunks:
            times.extend((frame.time, frame.until) for frame in chunk.frames)
            _follow(tracker, recipe, chunk.frames, found)
            if chunk.last:
                yield _segment(tracker, recipe, times, chunk.skipped - before)
                before, tracker, times = chunk.skipped, Tracker(), []


def _read_ahead(recording: Recording, every: float, start: float) -> Generator[tuple[Frame | None, int]]:
    """Frames, decoded a few ahead on another core, and how many were skipped until then; at the end None."""
    # One that comes a moment before its instant, as times are rounded, is of the segment before.
    frames = dropwhile(lambda frame: frame.time < start, recording.frames(every=every, start=start))

    def step() -> tuple[Frame | None, int]:
        frame = next(frames, None)
        return frame, recording.skipped

    with ThreadPoolExecutor(1, thread_name_prefix="decode") as pool:
        waiting = deque(pool.submit(step) for _ in range(FRAMES_AHEAD))
        try:
            while True:
                frame, skipped = waiting.popleft().result()
                waiting.append(pool.submit(step))
                yield frame, skipped
        finally:
            pool.shutdown(cancel_futures=True)


def _chunks(frames: Iterator[tuple[Frame | None, int]]) -> Iterator[_Chunk]:
    """Frames by seconds, none of which reaches from one segment to the next."""
    frame, skipped = next(frames)
    while frame is not None:
        stop = frame.time // SEGMENT * SEGMENT + SEGMENT
        chunk = [frame]
        frame, skipped = next(frames)
        while frame is not None and frame.time < stop and not _is_full(chunk, frame):
            chunk.append(frame)
            frame, skipped = next(frames)
        yield _Chunk(chunk, frame is None or frame.time >= stop, skipped)


def _is_full(chunk: Sequence[Frame], following: Frame) -> bool:
    """Whether a chunk takes no further frame: it is a second long, or much, or the next one comes long after."""
    height, width = following.pixels.shape[:2]
    most = max(1, CHUNK_PIXELS // int(height * width))
    return len(chunk) >= most or chunk[-1].time - chunk[0].time >= CHUNK or following.time - chunk[-1].time > CHUNK


def _found_ahead(recipe: VideoRecipe, chunks: Iterator[_Chunk]) -> Generator[tuple[_Chunk, list[Faces]]]:
    """Each chunk with its faces, while those of the next are looked for: that keeps all cores busy."""
    with ThreadPoolExecutor(1, thread_name_prefix="find") as pool:
        waiting: deque[tuple[_Chunk, Future[list[Faces]]]] = deque()
        for chunk in chunks:
            waiting.append((chunk, pool.submit(find, recipe, [frame.pixels for frame in chunk.frames])))
            if len(waiting) > 1:
                before, found = waiting.popleft()
                yield before, found.result()
        for chunk, found in waiting:
            yield chunk, found.result()


def _follow(tracker: Tracker, recipe: VideoRecipe, chunk: Sequence[Frame], found: Sequence[Faces]) -> None:
    """Take in the frames of about a second, and their faces: each is described once, if it is time for that."""
    best: dict[Piece, tuple[float, int, int, int]] = {}  # score, frame, face, and its position in the piece
    for i, (frame, faces) in enumerate(zip(chunk, found, strict=True)):
        for face, piece in enumerate(tracker.add(frame.number, frame.time, frame.pixels, faces)):
            score = float(faces.scores[face])
            if frame.time >= piece.due and (piece not in best or score > best[piece][0]):
                best[piece] = score, i, face, len(piece.seen) - 1
    wanted = [[face for _, at, face, _ in best.values() if at == i] for i in range(len(chunk))]
    shown = [i for i, index in enumerate(wanted) if index]
    some = [found[i].take(np.array(wanted[i], np.int64)) for i in shown]
    analyses = dict(zip(shown, recipe.describe_faces([chunk[i].pixels for i in shown], some), strict=True))
    for piece, (_, i, face, at) in best.items():
        piece.analyses[at] = analyses[i].one(wanted[i].index(face))
        # Two keyframes make a person, so the second comes soon; and the longer a face is followed without a doubt,
        # the less a further one tells. Each comes a second later after the one before than that one did.
        wait = len(piece.analyses) + (piece.before is not None) - 0.5
        piece.due = chunk[i].time + wait * CHUNK


def _segment(tracker: Tracker, recipe: VideoRecipe, times: Sequence[tuple[float, float]], skipped: int) -> Segment:
    times_n, ends_n = np.array(times).T
    start = times_n[0] // SEGMENT * SEGMENT
    assert recipe.calibration is not None  # a recipe that tracks has one
    tracks = tracks_of(tracker.pieces, curve_of(recipe.calibration))
    return Segment(start, start + SEGMENT, times_n, ends_n, skipped, tracks)


def find(recipe: VideoRecipe, pictures: Sequence[U8]) -> list[Faces]:
    """The faces of frames that follow each other within about a second.

    The first is looked at closely, and so is one that shows something else than the one before it; the others as
    coarsely as the smallest face of the last close look allows.
    """
    small = [_small(picture) for picture in pictures]
    close = [i for i in range(len(small)) if i == 0 or float(np.abs(small[i] - small[i - 1]).mean()) > CUT]
    sides = [min(WIDE, max(picture.shape[:2])) for picture in pictures]
    faces = dict(zip(close, recipe.glance([pictures[i] for i in close], [sides[i] for i in close]), strict=True))
    rest = [i for i in range(len(pictures)) if i not in faces]
    governing = {i: faces[max(at for at in close if at < i)] for i in rest}
    coarse = [_coarser(governing[i], pictures[i], sides[i]) for i in rest]
    faces.update(zip(rest, recipe.glance([pictures[i] for i in rest], coarse), strict=True))
    return [faces[i] for i in range(len(pictures))]


def _coarser(faces: Faces, picture: U8, side: int) -> int:
    smallest = float(faces.boxes[:, 2:].min(initial=np.inf)) * side / max(picture.shape[:2])
    return round(side * min(share for share in NARROWER if share == 1.0 or smallest * share >= LEAST_FACE))


def _small(picture: U8) -> F32:
    grey = cv2.cvtColor(cv2.resize(picture, GLANCE, interpolation=cv2.INTER_NEAREST), cv2.COLOR_RGB2GRAY)
    return np.asarray(grey, np.float32)
