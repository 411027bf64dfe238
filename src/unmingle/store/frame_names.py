"""What file names are taken to say: which meeting and frame a face was cut from.

Whether names are believed is judged once, when faces are grouped, and stored; whatever shows or uses a frame of a file
name asks here.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unmingle.grouping.clusters import unit_rows
from unmingle.sources.names import AUTO, MEETING_PATTERN, parse_name
from unmingle.store.name_evidence import MOST_WITH_SEVERAL, counts_anew, judge

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from unmingle.grouping.impostors import ImpostorModel
    from unmingle.records import F32, I64
    from unmingle.sources.names import NameParts
    from unmingle.store.face_rows import StoredFaces
    from unmingle.store.name_evidence import Verdict
    from unmingle.store.sqlite import Store

    Recording = tuple[int, str, str]  # row of the source, folder, meeting

FACT = "frame_names"
OLD_FACT = "name_pattern"  # of versions that believed all names of the pattern


@dataclass(frozen=True, slots=True)
class FrameNames:
    """What file names say.

    pattern:    how they are read, see `sources.names.parse_name`; None: they say nothing.
    recordings: those that are believed, and whether their frames follow each other; None: all, in order.
    files:      how many files have a name of the pattern.
    believed:   how many of these are believed.
    frames:     in how many frames they are.
    """

    pattern: str | None = None
    recordings: Mapping[Recording, bool] | None = None
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
        if parts is None or self.recordings is None or _recording(source, name, parts) in self.recordings:
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

    def in_order(self, recording: Recording) -> bool:
        """Whether the frames of a recording that is believed follow each other."""
        return self.recordings is None or self.recordings[recording]

    def pictures(self, store: Store, held: Mapping[int, I64]) -> dict[Recording, dict[int, list[int]]]:
        """Those of the pictures in `held` that are in each frame of each recording; one may be in several."""
        found: defaultdict[Recording, defaultdict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        if self.pattern is not None and self.recordings != {}:
            for source, name, picture in _files(store):
                if picture is not None and picture in held and (parts := self.parts(source, name)) is not None:
                    found[_recording(source, name, parts)][parts.frame].append(picture)
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

    Raises:
        SettingsError: the pattern is no regular expression, or lacks a group.
    """
    if pattern is None:
        return FrameNames()
    given = pattern != AUTO
    read = FrameNames(pattern if given else MEETING_PATTERN)
    candidates = _candidates(store, read)
    unit_nd = unit_rows(faces.vectors) if len(faces.ids) and candidates and not given else faces.vectors
    recordings: dict[Recording, bool] = {}
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
    """Files whose names read as frames of one meeting.

    files:    their names.
    indices:  those in each frame, also of files in which no face was found.
    pictures: those in each frame, by their analyses.
    """

    def __init__(self) -> None:
        self.files: set[str] = set()
        self.indices: defaultdict[int, set[int]] = defaultdict(set)
        self.pictures: defaultdict[int, set[int]] = defaultdict(set)

    def verdict(self, held: Mapping[int, I64], unit_nd: F32, curve: ImpostorModel) -> Verdict:
        """What the faces say of the names."""
        rows = {frame: [held[one] for one in of if one in held] for frame, of in sorted(self.pictures.items())}
        faces = {frame: np.unique(np.concatenate(of)) for frame, of in rows.items() if of}
        sizes = [len(one) for of in rows.values() for one in of]
        several = sum(size > 1 for size in sizes)
        if several > MOST_WITH_SEVERAL * len(sizes) or not counts_anew(list(self.indices.values())):
            return "nothing"
        return judge(list(faces), list(faces.values()), unit_nd, curve)


def _candidates(store: Store, read: FrameNames) -> dict[Recording, _Candidate]:
    found: defaultdict[Recording, _Candidate] = defaultdict(_Candidate)
    for source, name, picture in _files(store):
        if (parts := read.parts(source, name)) is not None:
            candidate = found[_recording(source, name, parts)]
            candidate.files.add(name)
            candidate.indices[parts.frame].add(parts.index)
            if picture is not None:
                candidate.pictures[parts.frame].add(picture)
    return dict(found)


def _recording(source: int, name: str, parts: NameParts) -> Recording:
    return source, name.rpartition("/")[0], parts.meeting


def _files(store: Store) -> Iterator[tuple[int, str, int | None]]:
    """Source and name of each file, with each analysis of its picture, or None where there is none."""
    return store.connection.execute(
        "SELECT file.source, file.name, analysis.id FROM file LEFT JOIN analysis ON analysis.digest = file.digest"
        " WHERE file.present = 1 ORDER BY file.source, file.name"
    )
