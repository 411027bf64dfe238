"""Who is on screen when, with a face to show for each time: what a page draws of recordings."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

from unmingle.store.intervals import watched

if TYPE_CHECKING:
    from collections.abc import Iterable

    from unmingle.store.intervals import Interval, Watched
    from unmingle.store.sqlite import Store

    Look = tuple[float, float, int]  # seconds since the first frame, quality, face


@dataclass(frozen=True, slots=True)
class TimeOnScreen:
    """A time without a break in which somebody is on screen.

    start, end: seconds since the first frame.
    faces:      how often the face was seen.
    face:       the best of those that stand for it, or the one nearest in time.
    """

    start: float
    end: float
    faces: int
    face: int


@dataclass(frozen=True, slots=True)
class OnScreen:
    """A person in a recording.

    face:      their best one there.
    seconds:   on screen, all in all.
    intervals: in the order of time.
    """

    person: int
    name: str
    face: int
    seconds: float
    intervals: list[TimeOnScreen]


@dataclass(frozen=True, slots=True)
class Timeline:
    """A recording and who is in it.

    file:                 one of the files that hold it, as its source names it; `files` are all of them.
    width, height:        pixels of an upright frame.
    frames:               how many it has. looked_at, skipped: of these, and those that could not be decoded.
    duration, every:      seconds, all in all and between the frames that are looked at.
    complete:             whether it was seen to its end.
    people:               those who are longest on screen first.
    """

    recording: int
    file: str
    files: list[str]
    width: int
    height: int
    frames: int
    looked_at: int
    skipped: int
    duration: float
    every: float
    complete: bool
    people: list[OnScreen]

    def only(self, person: int) -> Timeline | None:
        """The same with nobody else in it; None if they are not in it."""
        there = [one for one in self.people if one.person == person]
        return replace(self, people=there) if there else None


def timelines(store: Store, recipe: str) -> list[Timeline]:
    """The recordings that are there, by source and name; one that several files hold is there once."""
    names = dict(store.connection.execute("SELECT id, name FROM person"))
    looks = _looks(store, recipe)
    by_row: defaultdict[int, list[Watched]] = defaultdict(list)
    for one in watched(store, recipe):
        by_row[one.row].append(one)
    return [_timeline(copies, names, looks) for copies in by_row.values()]


def count_recordings(store: Store, recipe: str) -> int:
    """How many recordings are there."""
    query = (
        "SELECT count(*) FROM recording WHERE recipe = ?"
        " AND EXISTS (SELECT 1 FROM file WHERE file.digest = recording.content AND file.present = 1)"
    )
    return int(store.connection.execute(query, (recipe,)).fetchone()[0])


def _looks(store: Store, recipe: str) -> dict[tuple[int, int], list[Look]]:
    """The faces that stand for each person in each recording, in the order of time."""
    query = (
        "SELECT track.recording, member.person, analysis.time, face.quality, face.id FROM recording"
        " JOIN track ON track.recording = recording.id JOIN face ON face.track = track.id"
        " JOIN analysis ON analysis.id = face.analysis JOIN member ON member.face = face.id"
        " WHERE recording.recipe = ? AND NOT track.still ORDER BY 1, 2, 3, 5"
    )
    rows = store.connection.execute(query, (recipe,))
    return {key: [row[2:] for row in found] for key, found in groupby(rows, key=lambda row: row[:2])}


def _timeline(copies: list[Watched], names: dict[int, str], looks: dict[tuple[int, int], list[Look]]) -> Timeline:
    first = copies[0]
    by_person: defaultdict[int, list[Interval]] = defaultdict(list)
    for interval in first.intervals:
        by_person[interval.person].append(interval)
    people = [_on_screen(person, names[person], times, looks[first.row, person]) for person, times in by_person.items()]
    return Timeline(
        recording=first.row,
        file=first.file,
        files=[one.file for one in copies],
        width=first.width,
        height=first.height,
        frames=first.frames,
        looked_at=first.looked_at,
        skipped=first.skipped,
        duration=round(first.duration, 3),
        every=first.every,
        complete=first.complete,
        people=sorted(people, key=lambda one: (-one.seconds, one.person)),
    )


def _on_screen(person: int, name: str, times: Iterable[Interval], looks: list[Look]) -> OnScreen:
    at = [time for time, _, _ in looks]
    intervals = [
        TimeOnScreen(round(one.start, 3), round(one.end, 3), one.faces, _shown(looks, at, one.start, one.end))
        for one in times
    ]
    seconds = round(sum(one.end - one.start for one in intervals), 3)
    return OnScreen(person, name, _best(looks), seconds, intervals)


def _shown(looks: list[Look], at: list[float], start: float, end: float) -> int:
    """The best look within these seconds; where the nearest one stands for all of them, that one."""
    first, last = bisect_left(at, start), bisect_left(at, end)
    if first < last:
        return _best(looks[first:last])
    beside = looks[max(0, first - 1) : first + 1]
    return min(beside, key=lambda look: max(start - look[0], look[0] - end))[2]


def _best(looks: list[Look]) -> int:
    return max(looks, key=lambda look: look[1])[2]
