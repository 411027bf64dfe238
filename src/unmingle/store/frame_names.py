"""In which frames faces were seen: frames of recordings, as file names tell, or else the pictures themselves.

Whether file names are believed is judged once, when faces are grouped, and stored; whatever shows or uses a frame of a
file name asks here.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unmingle.grouping.clusters import unit_rows
from unmingle.sources.names import AUTO, MEETING_PATTERN, parse_name
from unmingle.store.name_evidence import MOST_WITH_SEVERAL, counts_anew, follows, judge

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from unmingle.grouping.impostors import ImpostorModel
    from unmingle.records import F32, I64
    from unmingle.sources.names import NameParts
    from unmingle.store.face_rows import StoredFaces
    from unmingle.store.name_evidence import Verdict
    from unmingle.store.sqlite import Store

    Meeting = tuple[int, str, str]  # row of the source, folder, meeting

FACT = "frame_names"
OLD_FACT = "name_pattern"  # of versions that believed all names of the pattern


@dataclass(frozen=True, slots=True)
class FrameNames:
    """What file names say.

    pattern:    how they are read, see `sources.names.parse_name`; None: they say nothing.
    recordings: those that are believed, and whether their frames follow each other; None: all, in order.
    files:      how many files have a name of the pattern. believed: how many of these are believed.
    frames:     in how many frames they are.
    """

    pattern: str | None = None
    recordings: Mapping[Meeting, bool] | None = None
    files: int = 0
    believed: int = 0
    frames: int = 0

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
        counts = {"files": self.files, "believed": self.believed, "frames": self.frames}
        store.set_fact(FACT, json.dumps({"pattern": self.pattern, "recordings": listed, **counts}))

    def parts(self, source: int, name: str) -> NameParts | None:
        """Meeting, frame and index of a file, by the row of its source and its name; None where it says nothing."""
        if self.pattern is None or self.recordings == {}:
            return None
        parts = parse_name(name, pattern=self.pattern)
        if parts is None or self.recordings is None or _meeting(source, name, parts) in self.recordings:
            return parts
        return None

    def frame(self, source: int, name: str) -> int | None:
        """The frame of a file; None where its name says nothing, and for numbers past what a table holds."""
        parts = self.parts(source, name)
        return parts.frame if parts is not None and parts.frame < 2**63 else None

    def meeting(self, source: int, name: str) -> str | None:
        """The meeting of a file; None where its name says nothing."""
        parts = self.parts(source, name)
        return None if parts is None else parts.meeting

    def in_order(self, recording: Meeting) -> bool:
        """Whether the frames of a recording that is believed follow each other."""
        return self.recordings is None or self.recordings[recording]

    def pictures(self, store: Store, held: Mapping[int, I64]) -> dict[Meeting, dict[int, list[int]]]:
        """Those of the pictures in `held` that are in each frame of each recording; one may be in several."""
        found: defaultdict[Meeting, defaultdict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        if self.pattern is not None and self.recordings != {}:
            for source, name, picture in _files(store):
                if picture is not None and picture in held and (parts := self.parts(source, name)) is not None:
                    found[_meeting(source, name, parts)][parts.frame].append(picture)
        return {recording: dict(frames) for recording, frames in found.items()}

    @property
    def notes(self) -> tuple[tuple[str, float], ...]:
        """The counts, for a summary; none where no file has such a name."""
        if not self.files:
            return ()
        recordings = -1 if self.recordings is None else len(self.recordings)
        counts = {"files": self.files, "believed": self.believed, "recordings": recordings, "frames": self.frames}
        return tuple((f"named_{what}", float(count)) for what, count in counts.items())


def conclude(
    store: Store, faces: StoredFaces, held: Mapping[int, I64], pattern: str | None, curve: ImpostorModel
) -> FrameNames:
    """What file names are to be taken for: all of a pattern that somebody gave, else what the faces bear out.

    Args:
        store: the library.
        faces: the n faces to group.
        held: the rows of the faces of each picture.
        pattern: how a name carries meeting, frame and index; `AUTO`; or None: names say nothing.
        curve: how similar strangers are to the model whose faces they are.
    """
    if pattern is None:
        return FrameNames()
    given = pattern != AUTO
    read = FrameNames(pattern if given else MEETING_PATTERN)
    candidates: defaultdict[Meeting, _Candidate] = defaultdict(_Candidate)
    for source, name, picture in _files(store):
        if (parts := read.parts(source, name)) is not None:
            candidates[_meeting(source, name, parts)].add(name, parts, picture)
    unit_nd = unit_rows(faces.vectors) if len(faces.ids) and candidates and not given else faces.vectors
    recordings: dict[Meeting, bool] = {}
    for key, candidate in candidates.items():
        verdict = "recording" if given else candidate.verdict(held, unit_nd, curve)
        if verdict != "nothing":
            recordings[key] = verdict == "recording"
    return FrameNames(
        read.pattern,
        None if given else recordings,
        files=sum(len(candidate.files) for candidate in candidates.values()),
        believed=sum(len(candidates[key].files) for key in recordings),
        frames=sum(len(candidates[key].indices) for key in recordings),
    )


class _Candidate:
    """Files whose names read as frames of one meeting; the indices and the pictures in each frame.

    Indices also of files in which no face was found.
    """

    def __init__(self) -> None:
        self.files: set[str] = set()
        self.indices: defaultdict[int, set[int]] = defaultdict(set)
        self.pictures: defaultdict[int, set[int]] = defaultdict(set)

    def add(self, name: str, parts: NameParts, picture: int | None) -> None:
        self.files.add(name)
        self.indices[parts.frame].add(parts.index)
        if picture is not None:
            self.pictures[parts.frame].add(picture)

    def verdict(self, held: Mapping[int, I64], unit_nd: F32, curve: ImpostorModel) -> Verdict:
        """What the faces say of the names."""
        rows = {frame: [held[one] for one in of if one in held] for frame, of in sorted(self.pictures.items())}
        faces = {frame: np.unique(np.concatenate(of)) for frame, of in rows.items() if of}
        sizes = [len(one) for of in rows.values() for one in of]
        several = sum(size > 1 for size in sizes)
        if several > MOST_WITH_SEVERAL * len(sizes) or not counts_anew(list(self.indices.values())):
            return "nothing"
        return judge(list(faces), list(faces.values()), unit_nd, curve)


def _meeting(source: int, name: str, parts: NameParts) -> Meeting:
    return source, name.rpartition("/")[0], parts.meeting


def _files(store: Store) -> Iterator[tuple[int, str, int | None]]:
    """Source and name of each file, with each analysis of its picture, or None where there is none."""
    return store.connection.execute(
        "SELECT file.source, file.name, analysis.id FROM file LEFT JOIN analysis ON analysis.digest = file.digest"
        " WHERE file.present = 1 ORDER BY file.source, file.name"
    )


def seen_frames(store: Store, faces: StoredFaces, names: FrameNames, recorded_k2: I64 | None = None) -> I64:
    """(k, 2) a face, by its position in `faces`, and the number of a frame in which it was seen.

    Faces of one picture were seen together. Crops whose names carry meeting and frame were seen together if both agree;
    a picture that is there under several names may be of several frames. Frames that follow each other in a meeting
    get consecutive numbers, others don't.
    """
    held = rows_of_pictures(store, faces)
    recordings = names.pictures(store, held)
    recorded_k2 = np.zeros((0, 2), np.int64) if recorded_k2 is None else recorded_k2
    seen: set[tuple[int, int]] = {(row, frame) for row, frame in recorded_k2.tolist()}
    number = int(recorded_k2[:, 1].max(initial=0))
    for recording, frames in sorted(recordings.items()):
        numbers, in_order = sorted(frames), names.in_order(recording)
        for frame, near in zip(numbers, follows(numbers), strict=True):
            number += 1 if near and in_order else 2
            seen.update((row, number) for picture in frames[frame] for row in held[picture].tolist())
    named = {picture for frames in recordings.values() for pictures in frames.values() for picture in pictures}
    for picture, rows in held.items():
        # One face of a picture is of its frame; several are of their picture in any case.
        if picture not in named or len(rows) > 1:
            number += 2
            seen.update((row, number) for row in rows.tolist())
    return np.array(sorted(seen), np.int64).reshape(-1, 2)


def recording_of(store: Store, faces: StoredFaces, names: FrameNames) -> I64:
    """(n,) the recording of which each face shows a frame, numbered from 0, or -1.

    A picture that is there under several names may be of several recordings: then it is of the last of them.
    """
    held = rows_of_pictures(store, faces)
    found = np.full(len(faces.pictures), -1, np.int64)
    for number, (recording, frames) in enumerate(sorted(names.pictures(store, held).items())):
        if names.in_order(recording):
            found[[row for pictures in frames.values() for picture in pictures for row in held[picture]]] = number
    return found


def rows_of_pictures(store: Store, faces: StoredFaces) -> dict[int, I64]:
    """The rows of the faces of each picture that is no frame of a recording."""
    frames = [row for (row,) in store.connection.execute("SELECT id FROM analysis WHERE frame IS NOT NULL")]
    rows = np.flatnonzero(~np.isin(faces.pictures, frames))
    rows = rows[np.argsort(faces.pictures[rows], kind="stable")]
    pictures, first = np.unique(faces.pictures[rows], return_index=True)
    return dict(zip(pictures.tolist(), np.split(rows, first)[1:], strict=True))
