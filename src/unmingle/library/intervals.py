"""When each person is on screen, recording by recording."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from unmingle.library.recordings import tracks
from unmingle.sources.images import readable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unmingle.library.store import Store
    from unmingle.records import F64

# Seconds out of sight that don't end an interval: a blink, a turned head, a hand before the face.
BRIDGED = 1.0


@dataclass(frozen=True, slots=True)
class Interval:
    """A person is on screen.

    start, end: seconds since the first frame; `end` is when the last frame seen gives way to the next.
    faces:      how often the face was seen.
    """

    person: int
    start: float
    end: float
    faces: int


@dataclass(frozen=True, slots=True)
class Watched:
    """A recording, and who is on screen when.

    file, source: as in `faces.csv`.
    width, height: pixels of an upright frame.
    frames:       how many it has, as far as it tells. looked_at, skipped: of these, and those that can't be decoded.
    duration:     seconds. every: seconds between the frames that are looked at.
    complete:     whether it was seen to its end.
    intervals:    in the order of time.
    """

    row: int
    file: str
    source: str
    width: int
    height: int
    frames: int
    looked_at: int
    skipped: int
    duration: float
    every: float
    complete: bool
    intervals: tuple[Interval, ...]


def watched(store: Store, recipe: str) -> list[Watched]:
    """The recordings that are there, by source and name; one that several files hold is there several times.

    Still pictures of faces are nobody on screen, and neither are strangers whom somebody ignored.
    """
    query = (
        "SELECT recording.id, file.name, source.path, recording.width, recording.height, frames, looked_at, skipped,"
        " duration, every, analysis.id IS NOT NULL FROM recording"
        " JOIN file ON file.digest = recording.content AND file.present = 1 JOIN source ON source.id = file.source"
        " LEFT JOIN analysis ON analysis.digest = recording.content AND analysis.recipe = recording.recipe"
        " WHERE recording.recipe = ? ORDER BY source.path, file.name, file.path"
    )
    rows = store.connection.execute(query, (recipe,)).fetchall()
    intervals = _intervals(store, recipe, {row[0]: row[9] for row in rows})
    return [_watched(row, intervals.get(row[0], ())) for row in rows]


def _watched(row: Sequence[Any], intervals: tuple[Interval, ...]) -> Watched:
    number, name, path, width, height, frames, looked_at, skipped, duration, every, complete = row
    return Watched(
        number,
        name,
        readable(os.fsdecode(path)),
        width,
        height,
        frames,
        looked_at,
        skipped,
        duration,
        every,
        bool(complete),
        intervals,
    )


def _intervals(store: Store, recipe: str, every: dict[int, float]) -> dict[int, tuple[Interval, ...]]:
    query = (
        "SELECT member.face, member.person FROM face JOIN member ON member.face = face.id"
        " JOIN person ON person.id = member.person WHERE face.track IS NOT NULL AND NOT person.ignored"
    )
    person_of = dict(store.connection.execute(query))
    times: defaultdict[int, defaultdict[int, list[F64]]] = defaultdict(lambda: defaultdict(list))
    for track in tracks(store.connection, recipe):
        if track.still:
            continue
        persons_k = np.array([person_of.get(face, -1) for face in track.looks_k.tolist()])
        person_n = persons_k[track.nearest()]
        for person in np.unique(person_n[person_n >= 0]).tolist():
            times[track.recording][person].append(track.sightings.times[person_n == person])
    return {
        recording: tuple(
            sorted(
                (
                    interval
                    for person, parts in people.items()
                    for interval in spans(person, np.sort(np.concatenate(parts)), every=every[recording])
                ),
                key=lambda interval: (interval.start, interval.person),
            )
        )
        for recording, people in times.items()
    }


def spans(person: int, times_n: F64, *, every: float) -> Sequence[Interval]:
    """The intervals in which somebody was seen at these instants.

    Args:
        person: who.
        times_n: seconds, rising.
        every: seconds between two frames that were looked at: that much further does the last of an interval last.
    """
    breaks = np.flatnonzero(np.diff(times_n) > max(BRIDGED, 2 * every)) + 1
    return [Interval(person, float(part[0]), float(part[-1]) + every, len(part)) for part in np.split(times_n, breaks)]
