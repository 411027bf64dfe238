"""When each person is on screen, recording by recording."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from unmingle.sources.images import readable
from unmingle.store.recordings import frame_times, tracks

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from unmingle.records import F64
    from unmingle.store.sqlite import Store

# Seconds out of sight that don't end an interval: a blink, a turned head, a hand before the face.
BRIDGED = 1.0
ROUNDING = 1e-6  # seconds


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
    found = [_watched(row) for row in rows]
    intervals = _intervals(store, recipe, {one.row: one for one in found}.values())
    return [replace(one, intervals=intervals[one.row]) for one in found]


def _watched(row: Sequence[Any]) -> Watched:
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
        (),
    )


def _intervals(store: Store, recipe: str, recordings: Iterable[Watched]) -> dict[int, tuple[Interval, ...]]:
    query = (
        "SELECT member.face, member.person FROM face JOIN member ON member.face = face.id"
        " JOIN person ON person.id = member.person WHERE face.track IS NOT NULL AND NOT person.ignored"
    )
    person_of = dict(store.connection.execute(query))
    seen: defaultdict[int, list[F64]] = defaultdict(list)
    times: defaultdict[int, defaultdict[int, list[F64]]] = defaultdict(lambda: defaultdict(list))
    for track in tracks(store.connection, recipe):
        seen[track.recording].append(track.sightings.times)
        if track.still:
            continue
        persons_k = np.array([person_of.get(face, -1) for face in track.looks_k.tolist()])
        person_n = persons_k[track.nearest()]
        for person in np.unique(person_n[person_n >= 0]).tolist():
            times[track.recording][person].append(track.sightings.times[person_n == person])
    found = {}
    for one in recordings:
        frames = frame_times(store.connection, one.row)
        if len(frames[0]) < one.looked_at:
            frames = _guessed(one, np.unique(np.concatenate([frames[0], *seen[one.row]])))
        intervals = [
            interval
            for person, parts in times[one.row].items()
            for interval in spans(person, np.sort(np.concatenate(parts)), frames, every=one.every)
        ]
        found[one.row] = tuple(sorted(intervals, key=lambda interval: (interval.start, interval.person)))
    return found


def _guessed(recording: Watched, seen_n: F64) -> tuple[F64, F64]:
    """When the frames of a recording came and gave way, where an earlier version did not note it.

    seen_n: seconds, rising: of the frames that are known of, since they show a face. If these are fewer than were
        looked at, further ones are taken to lie between them wherever there is room for one.
    """
    if len(seen_n) < recording.looked_at:
        step = max(recording.every, recording.duration / recording.frames)
        room = np.diff(seen_n, append=recording.duration) > 1.5 * step
        seen_n = np.union1d(seen_n, seen_n[room] + step)
    return seen_n, np.append(seen_n[1:], recording.duration)


def spans(person: int, seen_n: F64, frames: tuple[F64, F64], *, every: float) -> Sequence[Interval]:
    """The intervals in which somebody is on screen: a frame that shows them stands until the next one comes.

    Args:
        person: who.
        seen_n: seconds, rising: when the frames come that show them.
        frames: when each frame that was looked at comes, and when it gives way to the next: seconds, rising.
        every: seconds between two frames that were to be looked at.
    """
    at_n = np.searchsorted(frames[0], seen_n)
    ends_n = frames[1][at_n]
    # From one frame to the next nobody was away, be it after seconds, or after others that could not be decoded. Else
    # it is from when they were last to be seen; of a frame after `every`, so much counts for the frame itself.
    away_n = np.where(np.diff(at_n) > 1, seen_n[1:] - ends_n[:-1], 0.0)
    breaks = np.flatnonzero(away_n > max(BRIDGED - every, every) + ROUNDING) + 1
    parts = np.split(np.arange(len(seen_n)), breaks)
    return [Interval(person, float(seen_n[part[0]]), float(ends_n[part[-1]]), len(part)) for part in parts]
