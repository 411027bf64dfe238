"""When each person is on screen, recording by recording, with a face to show for each time."""

from __future__ import annotations

import json
import os
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import groupby

import numpy as np

from unmingle.errors import PictureError
from unmingle.files import is_there
from unmingle.records import F64
from unmingle.sources.images import PictureFile
from unmingle.store.sightings import any_recording, frame_times, tracks, tracks_between
from unmingle.store.sqlite import Store

Shot = tuple[float, float, int]  # seconds since the recording begins, quality, face

BRIDGED = 1.0  # seconds out of sight that don't end an interval: a blink, a turned head, a hand before the face
ROUNDING = 1e-6  # seconds


@dataclass(frozen=True, slots=True)
class Interval:
    """A person is on screen."""

    person: int
    start: float  # seconds since the recording begins
    end: float  # when the last one seen gives way to the next
    faces: int  # how often the face was seen


@dataclass(frozen=True, slots=True)
class Footage:
    """A recording, and what was looked at in it."""

    file: str  # as its source names it
    width: int  # pixels of an upright frame
    height: int
    frames: int  # how many it has, as far as it tells
    looked_at: int  # of these
    skipped: int  # that could not be decoded
    duration: float  # seconds
    every: float  # seconds between the frames that are looked at
    complete: bool  # whether it was seen to its end
    begins: float  # seconds of sound alone, until the first frame that was looked at
    note: str  # what of it was not looked at, and why


@dataclass(frozen=True, slots=True)
class ScreenTime(Footage):
    """A recording, and who is on screen when: intervals in the order of time; source as in `faces.csv`."""

    row: int
    source: str
    intervals: tuple[Interval, ...] = ()


def screen_times(store: Store) -> list[ScreenTime]:
    """The recordings that are there, by source and name; one that several files hold is there several times."""
    query = (
        "SELECT name, shown.width, shown.height, frames, looked_at, skipped, duration, every, analysis.id IS NOT NULL,"
        " 0.0, note, shown.id, as_text(folder) FROM shown_recording AS shown"
        " LEFT JOIN analysis ON analysis.digest = shown.content AND analysis.recipe = shown.recipe"
        " WHERE shown.recipe = ? ORDER BY folder, name, path"
    )
    # Of many pictures it takes a while to find that none is of a recording.
    found = (
        [ScreenTime(*row) for row in store.connection.execute(query, (store.recipe,))] if any_recording(store) else []
    )
    if not found:
        return []
    intervals = _intervals(store, {one.row: one for one in found})
    return [
        replace(one, complete=bool(one.complete), begins=begins, intervals=those)
        for one in found
        for begins, those in [intervals[one.row]]
    ]


def _intervals(store: Store, recordings: dict[int, ScreenTime]) -> dict[int, tuple[float, tuple[Interval, ...]]]:
    """When each recording's frames begin, and who is on screen when."""
    # Still pictures of faces are nobody on screen, and neither are strangers whom somebody ignored.
    query = "SELECT face, person FROM face_row WHERE track IS NOT NULL AND person IS NOT NULL AND NOT ignored"
    person_of = dict(store.connection.execute(query))
    seen: defaultdict[int, list[F64]] = defaultdict(list)
    times: defaultdict[int, defaultdict[int, list[F64]]] = defaultdict(lambda: defaultdict(list))
    for track in tracks(store):
        times_n = track.sightings.times
        seen[track.recording].append(times_n)
        person_n = np.array([person_of.get(face, -1) for face in track.keyframes_k.tolist()])[track.nearest()]
        for person in () if track.still else np.unique(person_n[person_n >= 0]).tolist():
            times[track.recording][person].append(times_n[person_n == person])
    found = {}
    for row, one in recordings.items():
        frames = frame_times(store.connection, row)
        begins = float(frames[0][0]) if len(frames[0]) else 0.0
        if len(frames[0]) < one.looked_at:
            frames = _guessed(one, np.unique(np.concatenate([frames[0], *seen[row]])))
        intervals = [
            interval
            for person, parts in times[row].items()
            for interval in spans(person, np.sort(np.concatenate(parts)), frames, every=one.every)
        ]
        found[row] = begins, tuple(sorted(intervals, key=lambda interval: (interval.start, interval.person)))
    return found


def _guessed(recording: ScreenTime, seen_n: F64) -> tuple[F64, F64]:
    """When frames came and went where no version noted it: those with a face, others where there is room."""
    if len(seen_n) < recording.looked_at:
        step = max(recording.every, recording.duration / recording.frames)
        room = np.diff(seen_n, append=recording.duration) > 1.5 * step
        seen_n = np.union1d(seen_n, seen_n[room] + step)
    return seen_n, np.append(seen_n[1:], recording.duration)


def spans(person: int, seen_n: F64, frames: tuple[F64, F64], *, every: float) -> Sequence[Interval]:
    """The intervals in which somebody is on screen: a frame that shows them stands until the next one comes.

    seen_n: seconds, rising: when the frames come that show them. frames: when each frame that was looked at comes, and
    when it gives way to the next. every: seconds between two frames that were to be looked at.
    """
    at_n = np.searchsorted(frames[0], seen_n)
    ends_n = frames[1][at_n]
    # From one frame to the next nobody was away, be it after seconds, or after others that could not be decoded. Else
    # it is from when they were last to be seen; of a frame after `every`, so much counts for the frame itself.
    away_n = np.where(np.diff(at_n) > 1, seen_n[1:] - ends_n[:-1], 0.0)
    breaks = np.flatnonzero(away_n > max(BRIDGED - every, every) + ROUNDING) + 1
    parts = np.split(np.arange(len(seen_n)), breaks)
    return [Interval(person, float(seen_n[part[0]]), float(ends_n[part[-1]]), len(part)) for part in parts]


@dataclass(frozen=True, slots=True)
class Seen:
    """A face of a person, followed. times: seconds since the recording begins, rising.

    boxes: left, top, width, height at each, in pixels of an upright frame.
    """

    person: int
    times: list[float]
    boxes: list[list[float]]


def seen_between(store: Store, recording: int, start: float, stop: float) -> list[Seen]:
    """Where the people of a recording are in its frames from `start` to `stop`; none who are nobody on screen."""
    only = tracks_between(store.connection, recording, start, stop)
    query = (
        "SELECT face, person FROM face_row WHERE track IN (SELECT value FROM json_each(?))"
        " AND person IS NOT NULL AND NOT ignored"
    )
    person_of = dict(store.connection.execute(query, (json.dumps(only),)))
    found = []
    for track in tracks(store, only=only):
        times_n, boxes_n = track.sightings.times, track.sightings.boxes
        person_n = np.array([person_of.get(face, -1) for face in track.keyframes_k.tolist()])[track.nearest()]
        person_n[(times_n < start) | (times_n >= stop) | track.still] = -1
        for person in np.unique(person_n[person_n >= 0]).tolist():
            own_n = person_n == person
            boxes = boxes_n[own_n].astype(float).round(1).tolist()
            found.append(Seen(person, times_n[own_n].round(3).tolist(), boxes))
    return found


def file_of_recording(store: Store, recording: int) -> PictureFile:
    """A file that holds a recording, by its row."""
    query = "SELECT folder, path FROM shown_recording WHERE id = ?"
    for folder, path in store.connection.execute(query, (recording,)):
        file = PictureFile(os.fsdecode(folder), os.fsdecode(path))
        if is_there(file.path):
            return file
    raise PictureError("it is no longer there")


@dataclass(frozen=True, slots=True)
class TimeOnScreen:
    """A time without a break in which somebody is on screen. start, end: seconds since the recording begins.

    faces: how often the face was seen. face: the best of those that stand for it, or the one nearest in time.
    """

    start: float
    end: float
    faces: int
    face: int


@dataclass(frozen=True, slots=True)
class OnScreen:
    """A person in a recording. face: their best one there. seconds: on screen, all in all, in these intervals."""

    person: int
    name: str
    face: int
    seconds: float
    intervals: list[TimeOnScreen]


@dataclass(frozen=True, slots=True)
class Timeline(Footage):
    """A recording, what was looked at in it, and who is in it, longest on screen first.

    Sizes are in pixels of an upright frame, times in seconds. `file` is one of the `files` that hold it.
    """

    recording: int
    files: list[str]
    people: list[OnScreen]

    def only(self, person: int) -> Timeline | None:
        """The same with nobody else in it; None if they are not in it."""
        there = [one for one in self.people if one.person == person]
        return replace(self, people=there) if there else None


def count_recordings(store: Store) -> int:
    """How many recordings are there."""
    query = "SELECT count(DISTINCT id) FROM shown_recording WHERE recipe = ?"
    return int(store.connection.execute(query, (store.recipe,)).fetchone()[0]) if any_recording(store) else 0


def timelines(store: Store) -> list[Timeline]:
    """The recordings that are there, by source and name; one that several files hold is there once."""
    names = dict(store.connection.execute("SELECT id, name FROM person"))
    query = (
        "SELECT recording, person, time, quality, face FROM face_row JOIN track ON track.id = face_row.track"
        " WHERE person IS NOT NULL AND recipe = ? AND NOT still ORDER BY 1, 2, 3, 5"
    )
    rows = store.connection.execute(query, (store.recipe,))
    shots = {key: [row[2:] for row in found] for key, found in groupby(rows, key=lambda row: row[:2])}
    copies: defaultdict[int, list[ScreenTime]] = defaultdict(list)
    for one in screen_times(store):
        copies[one.row].append(one)
    found = []
    for row, (first, *others) in copies.items():
        by_person: defaultdict[int, list[Interval]] = defaultdict(list)
        for interval in first.intervals:
            by_person[interval.person].append(interval)
        people = [_on_screen(who, names[who], times, shots[row, who]) for who, times in by_person.items()]
        people.sort(key=lambda one: (-one.seconds, one.person))
        footage = {one.name: getattr(first, one.name) for one in fields(Footage)}
        footage |= {"duration": round(first.duration, 3), "begins": round(first.begins, 3)}
        files = [first.file, *(one.file for one in others)]
        found.append(Timeline(**footage, recording=row, files=files, people=people))
    return found


def _on_screen(person: int, name: str, times: Sequence[Interval], shots: Sequence[Shot]) -> OnScreen:
    intervals = []
    for one in times:
        first, last = (bisect_left(shots, time, key=lambda shot: shot[0]) for time in (one.start, one.end))
        if first < last:
            face = _best(shots[first:last])
        else:  # the nearest one stands for all of them
            near = shots[max(0, first - 1) : first + 1]
            face = min(near, key=lambda shot: max(one.start - shot[0], shot[0] - one.end))[2]
        intervals.append(TimeOnScreen(round(one.start, 3), round(one.end, 3), one.faces, face))
    return OnScreen(person, name, _best(shots), round(sum(one.end - one.start for one in times), 3), intervals)


def _best(shots: Sequence[Shot]) -> int:
    return max(shots, key=lambda shot: shot[1])[2]
