"""The parts of a report: what the templates are given to lay out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unmingle.evaluation.mistakes import Confusion
    from unmingle.evaluation.scores import Evaluation
    from unmingle.records import Status
    from unmingle.render.drawing import Axis, Bar, Hills
    from unmingle.render.pictures import Sheets
    from unmingle.render.similarity import Similarity

# What a status means to somebody who reads it for the first time.
STATUS = {
    "clustered": ("Sorted", "The face belongs to a person."),
    "alone": ("Seen once", "A face like no other here. A second picture of the same person would make it a person."),
    "not_a_face": ("No face", "No face was found in the file, or what looked like one is none."),
    "masked": ("Covered", "A mask, a hand or something else covers the lower face, and it could be several people."),
    "low_quality": ("Too small or blurred", "There is a face, but not enough of it to tell whose."),
    "ignored": ("Ignored", "Somebody said that this face is not wanted."),
    "unreadable": ("Not readable", "The file could not be opened as a picture or a recording."),
}


@dataclass(frozen=True, slots=True)
class Face:
    """A face to show: its picture as a data address, and what to say of it."""

    picture: str
    caption: str


@dataclass(frozen=True, slots=True)
class Person:
    """A person; unsure: faces that want a look."""

    person: int
    title: str
    faces: int
    strip: tuple[Face, ...]
    unsure: int


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something was left out: how often, some of it to see, or the names of files where there is nothing to see."""

    text: str
    count: int
    examples: tuple[Face, ...]
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LeftOutPart:
    """What was left out with one status: what that means, how often, and the reasons."""

    status: Status
    title: str
    meaning: str
    count: int
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Doubt:
    """Two things that may belong together, or not: the probability that they do, in per cent."""

    one: Face
    other: Face
    text: str
    percent: int


@dataclass(frozen=True, slots=True)
class Point:
    """A face on the map: where, 0 to 1000 both ways; its person, if any, and its colour."""

    x: float
    y: float
    person: int | None
    hue: int | None
    caption: str


@dataclass(frozen=True, slots=True)
class Map:
    """Faces on a plane, and their pictures on sheets in the same order; total: of how many faces."""

    points: tuple[Point, ...]
    sheets: Sheets
    total: int


@dataclass(frozen=True, slots=True)
class Span:
    """A time on screen: where its bar begins and how long it is, in per cent; and when, in words."""

    left: float
    width: float
    title: str


@dataclass(frozen=True, slots=True)
class Row:
    """A person in a recording."""

    title: str
    face: str
    seconds: str
    hue: int
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording, and who is on screen when."""

    file: str
    duration: str
    rows: tuple[Row, ...]
    axis: Axis


@dataclass(frozen=True, slots=True)
class Wrong:
    """A face that is not with its person: itself, one of the person it was taken for, and who they are."""

    face: Face
    taken_for: str
    label: str
    verdict: str
    alike: int


@dataclass(frozen=True, slots=True)
class Checked:
    """The library against labels.

    mistakes: the worst; wrong: how many there are in all.
    matrix:   the confusions of all people, if they fit on a page; else of those with the most.
    worst:    (label, faces, precision, recall, confused with) of the people that were found least well.
    notes:    (name, value) of what did not join, and what was set aside.
    """

    evaluation: Evaluation
    mistakes: tuple[Wrong, ...]
    wrong: int
    matrix: Confusion | None
    worst: tuple[tuple[str, int, float, float, str], ...]
    notes: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The figures at the head of the page."""

    files: int
    faces: int
    people: int
    named: int
    sorted: int
    recordings: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that the page shows; see the templates for where."""

    found: Found
    people: tuple[Person, ...]
    singles: tuple[Person, ...]
    more_people: int
    sizes: tuple[Bar, ...]
    by_band: bool
    left_out: tuple[LeftOutPart, ...]
    questions: tuple[Doubt, ...]
    doubts: tuple[Doubt, ...]
    similarity: Similarity | None
    hills: Hills | None
    map: Map | None
    recordings: tuple[Recording, ...]
    checked: Checked | None
