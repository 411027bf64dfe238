"""Frames that file names tell of, and in which frames faces were seen.

`IMG_1234_5.jpg` is the fifth face of frame 1234, the fifth picture of a burst, or the fifth of an album. Names can't
tell, faces can: those of one frame are different people, and a face in the next frame of a recording is more like
itself than one some frames later. Judged once, when faces are grouped, the verdict is stored for whoever shows frames.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from unmingle.grouping.clusters import unit_rows
from unmingle.grouping.impostors import ImpostorModel
from unmingle.records import F32, F64, I64
from unmingle.sources.names import AUTO, MEETING_PATTERN, NameParts, parse_name
from unmingle.store.face_rows import StoredFaces
from unmingle.store.sightings import any_recording
from unmingle.store.sqlite import Store

Meeting = tuple[int, str, str]  # row of the source, folder, meeting
Frames = dict[int, list[int]]  # the pictures in each frame
Verdict = Literal["nothing", "frames", "recording"]

FACT = "frame_names"
OLD_FACT = "name_pattern"  # of versions that believed all names of the pattern

FEWEST_FRAMES = 5
# Of the indices that frames could have up to their largest one: fewer are there if it is a serial number.
LEAST_FILLED = 0.5
# Pictures of which more than this share hold several faces are photographs, not faces cut out of a frame.
MOST_WITH_SEVERAL = 0.2
# Shares of the most similar pairs that are looked at. Among few people many pairs are of one person, among many few.
SHARES = np.array((0.3, 0.2, 0.1, 0.05))
# Pairs within frames that are among them: at most this part of what chance would give, and so many deviations fewer.
MOST_BY_CHANCE, DEVIATIONS = 0.25, 3.0
FACES = 1500  # whose pairs say what chance would give

# Of a recording's frames in order.
FEWEST_IN_ORDER = 10
USUAL_STEPS = 2.0  # frames this many times further apart than usual do not follow each other
LEAST_FOLLOWING = 0.7
LATER = (4, 5, 6, 7, 8)  # frames later
STARTS = 500  # frames from which is looked ahead
ALIKE = 3.1  # deviations of strangers: one pair of a thousand


@dataclass(frozen=True, slots=True)
class FrameNames:
    """What file names say."""

    pattern: str | None = None  # how they are read, see `sources.names.parse_name`; None: they say nothing
    recordings: Mapping[Meeting, bool] | None = None  # believed ones: whether in order; None: all are, and in order
    files: int = 0  # how many have a name of the pattern
    believed: int = 0  # how many of these are believed
    frames: int = 0  # in how many these are

    @classmethod
    def of(cls, store: Store) -> FrameNames:
        """What was concluded when the faces of a library were grouped; nothing before."""
        stored = store.fact(FACT)
        if stored is None:
            return cls(store.fact(OLD_FACT))
        known = json.loads(stored)
        listed = known.pop("recordings")
        recordings = None if listed is None else {(row, *names): order for row, *names, order in listed}
        return cls(recordings=recordings, **known)

    def keep(self, store: Store) -> None:
        """Store the conclusion."""
        listed = None if self.recordings is None else [(*key, order) for key, order in self.recordings.items()]
        store.set_fact(FACT, json.dumps({**asdict(self), "recordings": listed}))

    @property
    def silent(self) -> bool:
        """Whether no name says anything."""
        return self.pattern is None or self.recordings == {}

    def read(self, source: int, name: str) -> tuple[Meeting, NameParts] | None:
        """What a file's name says, by the row of its source; None for nothing."""
        if self.pattern is None or self.silent or not name:
            return None
        parts = parse_name(name, pattern=self.pattern)
        if parts is None:
            return None
        meeting = source, name.rpartition("/")[0], parts.meeting
        return (meeting, parts) if self.recordings is None or meeting in self.recordings else None

    def frame(self, source: int, name: str) -> int | None:
        """The frame of a file; None where its name says nothing, and for numbers past what a table holds."""
        said = self.read(source, name)
        return said[1].frame if said is not None and said[1].frame < 2**63 else None

    def meeting(self, source: int, name: str) -> str | None:
        """The meeting of a file; None where its name says nothing."""
        said = self.read(source, name)
        return None if said is None else said[1].meeting

    def in_order(self, recording: Meeting) -> bool:
        """Whether the frames of a recording that is believed follow each other."""
        return self.recordings is None or self.recordings[recording]

    def pictures(self, store: Store, held: Mapping[int, I64]) -> list[tuple[Meeting, Frames]]:
        """Those of the pictures in `held` that are in each frame of each recording; one may be in several."""
        found: defaultdict[Meeting, defaultdict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        for source, name, picture in () if self.silent else _files(store):
            if picture in held and (said := self.read(source, name)) is not None:
                found[said[0]][said[1].frame].append(picture)
        return sorted(found.items())

    @property
    def notes(self) -> tuple[tuple[str, float], ...]:
        """The counts, for a summary; none where no file has such a name."""
        if not self.files:
            return ()
        recordings = -1 if self.recordings is None else len(self.recordings)
        counts = {"files": self.files, "believed": self.believed, "recordings": recordings, "frames": self.frames}
        return tuple((f"named_{what}", float(count)) for what, count in counts.items())


def read_names(store: Store) -> Store:
    """Let queries ask `frame_of` and `meeting_of`; see `Store`."""
    names = FrameNames.of(store)
    store.frame_of, store.meeting_of = names.frame, names.meeting
    return store


def _files(store: Store, only: Iterable[int] | None = None) -> Iterable[tuple[int, str, int]]:
    """Source and name of each file, with each analysis of its picture, or None where there is none; or of some only."""
    return store.connection.execute(
        "SELECT file.source, file.name, analysis.id FROM file LEFT JOIN analysis ON analysis.digest = file.digest"
        " WHERE file.present = 1 ORDER BY file.source, file.name"
        if only is None
        else "SELECT file.source, file.name, analysis.id FROM json_each(?) CROSS JOIN analysis ON analysis.id = value"
        " CROSS JOIN file ON file.digest = analysis.digest WHERE file.present = 1 ORDER BY file.source, file.name",
        () if only is None else (json.dumps(list(only)),),
    )


def conclude(
    store: Store,
    faces: StoredFaces,
    held: Mapping[int, I64],
    pattern: str | None,
    curve: ImpostorModel,
    *,
    only: Iterable[int] | None = None,
) -> FrameNames:
    """What file names are to be taken for: all of a pattern that somebody gave, else what the faces bear out.

    held: the rows of the faces of each picture. pattern: how a name carries meeting, frame and index; `AUTO`; or None:
    names say nothing. only: the pictures whose names are looked at; None: all.
    """
    if pattern is None:
        return FrameNames()
    given = pattern != AUTO
    names = FrameNames(pattern if given else MEETING_PATTERN)
    candidates: defaultdict[Meeting, _Candidate] = defaultdict(_Candidate)
    for source, name, picture in _files(store, only):
        if (said := names.read(source, name)) is not None:
            candidates[said[0]].add(name, said[1], picture)
    unit_nd = unit_rows(faces.vectors) if len(faces.ids) and candidates and not given else faces.vectors
    recordings: dict[Meeting, bool] = {}
    for key, candidate in candidates.items():
        verdict = "recording" if given else candidate.verdict(held, unit_nd, curve)
        if verdict != "nothing":
            recordings[key] = verdict == "recording"
    return FrameNames(
        names.pattern,
        None if given else recordings,
        files=sum(len(candidate.files) for candidate in candidates.values()),
        believed=sum(len(candidates[key].files) for key in recordings),
        frames=sum(len(candidates[key].indices) for key in recordings),
    )


class _Candidate:
    """Files whose names read as frames of one meeting, also those in which no face was found."""

    def __init__(self) -> None:
        self.files: set[str] = set()
        self.indices: defaultdict[int, set[int]] = defaultdict(set)
        self.pictures: defaultdict[int, set[int]] = defaultdict(set)

    def add(self, name: str, parts: NameParts, picture: int) -> None:
        self.files.add(name)
        self.indices[parts.frame].add(parts.index)
        self.pictures[parts.frame].add(picture)

    def verdict(self, held: Mapping[int, I64], unit_nd: F32, curve: ImpostorModel) -> Verdict:
        """What the faces say of the names: nothing, that they are frames, or that they are a recording's, in order."""
        rows = {frame: [held[one] for one in of if one in held] for frame, of in sorted(self.pictures.items())}
        # The rows of one picture rise.
        frames = {key: np.unique(np.concatenate(of)) if len(of) > 1 else of[0] for key, of in rows.items() if of}
        sizes = [len(one) for of in rows.values() for one in of]
        several = sum(size > 1 for size in sizes)
        if several > MOST_WITH_SEVERAL * len(sizes) or not self._counts_anew() or len(frames) < FEWEST_FRAMES:
            return "nothing"
        faces = list(frames.values())
        apart = _apart(faces, unit_nd)
        if apart is False:
            return "nothing"
        in_order = _in_order(_follows(list(frames)), faces, unit_nd, curve, alone=apart is None)
        return "recording" if in_order else "frames" if apart else "nothing"

    def _counts_anew(self) -> bool:
        """Whether the indices of frames start over in each, from 0 or 1 and without many gaps."""
        indices = self.indices.values()
        first = min(map(min, indices))
        could_be = sum(max(of) - first + 1 for of in indices)
        return first <= 1 and sum(map(len, indices)) >= LEAST_FILLED * could_be


def _follows(numbers: Sequence[int]) -> list[bool]:
    """Whether each of the rising numbers follows the one before it at the usual step."""
    steps = np.diff(numbers)
    usual = float(np.median(steps)) if len(steps) else 0.0
    return [False, *(steps <= USUAL_STEPS * usual).tolist()]


def _apart(faces: Sequence[I64], unit_nd: F32) -> bool | None:
    """Whether faces of one frame are strangers; None where too few are in one frame to tell."""
    within = [unit_nd[rows] @ unit_nd[rows].T for rows in faces if len(rows) > 1]
    cosines = np.concatenate([matrix[np.triu_indices(len(matrix), 1)] for matrix in within] or [np.zeros(0)])
    across = _across(faces, unit_nd)
    if not len(cosines) or not len(across):
        return None
    by_chance = len(cosines) * SHARES
    found = (cosines[:, None] >= np.quantile(across, 1 - SHARES)).sum(axis=0)
    few = found <= MOST_BY_CHANCE * by_chance
    if (few & (by_chance - found >= DEVIATIONS * np.sqrt(by_chance))).any():
        return True
    return None if few.any() else False


def _across(faces: Sequence[I64], unit_nd: F32) -> F32:
    """The cosines of pairs of different frames, of a sample of the faces."""
    frame = np.repeat(np.arange(len(faces)), [len(rows) for rows in faces])
    chosen = np.unique(np.linspace(0, len(frame) - 1, FACES).astype(np.int64)) if len(frame) > FACES else slice(None)
    rows, frame = np.concatenate(faces)[chosen], frame[chosen]
    one, other = np.triu_indices(len(rows), 1)
    different = frame[one] != frame[other]
    return np.asarray((unit_nd[rows] @ unit_nd[rows].T)[one[different], other[different]])


def _in_order(
    following: Sequence[bool], faces: Sequence[I64], unit_nd: F32, curve: ImpostorModel, *, alone: bool
) -> bool:
    """Whether nearly every face is there again in the next frame, and there more alike than some frames later.

    alone: nothing else says that these are frames, so it has to be clearer.
    """
    if len(faces) < FEWEST_IN_ORDER or np.mean(following[1:]) < LEAST_FOLLOWING:
        return False
    one = np.ones(1, np.int64)
    least = curve.mean + ALIKE * float(curve.deviation(one, one)[0])
    next_pairs = [(i, i + 1) for i, (_, near) in enumerate(pairwise(following)) if near]
    next_m = _most_alike(next_pairs, faces, unit_nd)
    later_m = _most_alike([(i, i + k) for k in LATER for i in range(len(faces) - k)], faces, unit_nd)
    again, later = next_m[next_m >= least], np.sort(later_m[later_m >= least])
    if not len(later) or len(again) < (0.95 if alone else 0.75) * len(next_m):
        return False
    # The chance that one of the first is larger than one of the second: the area under the ROC curve.
    places = np.searchsorted(later, again, "left") + np.searchsorted(later, again, "right")
    more_alike = places.mean() / 2 / len(later)
    deviation = np.sqrt((1 / len(again) + 1 / len(later)) / 12)
    return bool(more_alike >= (0.75 if alone else 0.67) and more_alike - 0.5 >= DEVIATIONS * deviation)


def _most_alike(pairs: Sequence[tuple[int, int]], faces: Sequence[I64], unit_nd: F32) -> F64:
    """For each face of the first frame of each pair, the cosine of the most similar face of the second; of a sample."""
    sample = pairs[:: -(-len(pairs) // STARTS) or 1]
    found = [(unit_nd[faces[i]] @ unit_nd[faces[j]].T).max(axis=1) for i, j in sample]
    return np.concatenate(found or [np.zeros(0)]).astype(np.float64)


def seen_frames(store: Store, faces: StoredFaces, names: FrameNames, recorded_k2: I64 | None = None) -> I64:
    """(k, 2) a face, by its position in `faces`, and the number of a frame in which it was seen.

    Faces of one picture were seen together. Crops whose names carry meeting and frame were seen together if both agree;
    a picture that is there under several names may be of several frames. Frames that follow each other in a meeting
    get consecutive numbers, others don't. recorded_k2: the same of recordings, see `sightings.followed`.
    """
    held = rows_of_pictures(store, faces)
    recorded_k2 = np.zeros((0, 2), np.int64) if recorded_k2 is None else recorded_k2
    seen: set[tuple[int, int]] = {(row, frame) for row, frame in recorded_k2.tolist()}
    number = int(recorded_k2[:, 1].max(initial=0))
    named: set[int] = set()
    for recording, frames in names.pictures(store, held):
        numbers, in_order = sorted(frames), names.in_order(recording)
        for frame, near in zip(numbers, _follows(numbers), strict=True):
            number += 1 if near and in_order else 2
            seen.update((row, number) for picture in frames[frame] for row in held[picture].tolist())
            named.update(frames[frame])
    # One face of a picture is of its frame; several are of their picture in any case.
    others = [rows for picture, rows in held.items() if picture not in named or len(rows) > 1]
    of = np.repeat(np.arange(1, len(others) + 1), [len(rows) for rows in others])
    more_k2 = np.stack([np.concatenate([np.zeros(0, np.int64), *others]), number + 2 * of], axis=1)
    seen_k2 = np.concatenate([np.array(list(seen), np.int64).reshape(-1, 2), more_k2])
    return seen_k2[np.lexsort(seen_k2.T[::-1])]


def recording_of(store: Store, faces: StoredFaces, names: FrameNames) -> I64:
    """(n,) the recording of which each face shows a frame, numbered from 0, or -1; of several, the last of them."""
    held = rows_of_pictures(store, faces)
    found = np.full(len(faces.pictures), -1, np.int64)
    for number, (recording, frames) in enumerate(names.pictures(store, held)):
        if names.in_order(recording):
            found[[row for pictures in frames.values() for picture in pictures for row in held[picture]]] = number
    return found


def rows_of_pictures(store: Store, faces: StoredFaces) -> dict[int, I64]:
    """The rows of the faces of each picture that is no frame of a recording."""
    query = "SELECT id FROM analysis WHERE frame IS NOT NULL"
    frames = [row for (row,) in store.connection.execute(query)] if any_recording(store) else []
    rows = np.flatnonzero(~np.isin(faces.pictures, frames))
    rows = rows[np.argsort(faces.pictures[rows], kind="stable")]
    pictures, first = np.unique(faces.pictures[rows], return_index=True)
    ends = pairwise([*first.tolist(), len(rows)])
    return {picture: rows[one:other] for picture, (one, other) in zip(pictures.tolist(), ends, strict=True)}
