"""Comparisons of made-up tables: what tests with real files don't reach."""

from dataclasses import astuple
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmingle.evaluation.comparison import Change, Comparison, Side, compare
from unmingle.render.comparisons import lines

SCHEMA = {
    **dict.fromkeys(("file", "source", "content", "name", "status", "reason"), pl.String),
    **dict.fromkeys(("frame", "instant", "face", "id", "person"), pl.Int64),
    **dict.fromkeys(("left", "top", "width", "height", "quality", "every"), pl.Float64),
}


def face(content: str, person: int | None, number: int = 0, **more: Any) -> dict[str, Any]:
    """A face at a place that its number gives."""
    row: dict[str, Any] = {
        "file": content,
        "source": "s",
        "content": content,
        "name": "",
        "status": "clustered",
        "reason": "",
    }
    row |= {"frame": None, "instant": -1, "face": number, "id": 1, "person": person, "quality": 1.0, "every": None}
    return {**row, "left": 0.2 * number, "top": 0.1, "width": 0.15, "height": 0.2, **more}


def seen(frame: int, person: int | None, every: float, number: int = 0) -> dict[str, Any]:
    """A face in a frame of a recording."""
    return face("meeting.mp4", person, number, frame=frame, instant=frame, every=every)


def empty(content: str, status: str, reason: str, **more: Any) -> dict[str, Any]:
    """A file without a face."""
    nothing = dict.fromkeys(("face", "id", "left", "top", "width", "height", "quality"))
    return face(content, None, status=status, reason=reason, **{**nothing, **more})


def compared(a: list[dict[str, Any]], b: list[dict[str, Any]]) -> Comparison:
    first, second = (
        (Side(title, (), 0, 0, 0, 0), pl.DataFrame(rows, schema=SCHEMA)) for title, rows in (("a", a), ("b", b))
    )
    return compare(first, second, least=0.4)


def test_faces_of_a_recording_are_compared_frame_by_frame() -> None:
    one = [seen(frame, 1, 0.1) for frame in range(6)] + [seen(frame, 2, 0.1, 1) for frame in range(6)]
    other = [seen(frame, 5, 0.1) for frame in range(6)] + [
        seen(frame, 5 if frame else None, 0.1, 1) for frame in range(6)
    ]
    found = compared(one, other)
    assert found.faces.height == 12
    assert [[part.faces for part in change.parts] for change in found.merged] == [[6, 5]]
    assert (found.count("same"), found.count("moved"), found.count("left_out_b")) == (6, 5, 1)


def test_of_frames_that_only_one_looked_at_nothing_is_said() -> None:
    one = [seen(frame, 1, 0.1) for frame in range(6)]
    other = [seen(frame, 1, 0.2) for frame in range(0, 6, 2)]
    found = compared(one, other)
    assert (found.faces.height, found.count("same"), found.unseen) == (3, 3, 3)
    assert compared(other, one).unseen == 3
    # Looked at in the same steps, a frame without a face was looked at all the same.
    assert compared(one, [seen(frame, 1, 0.1) for frame in range(0, 6, 2)]).count("missing_b") == 3


def test_the_reason_of_a_missing_face_is_that_of_its_file() -> None:
    one = [face("x", 1), face("y", 1), face("z", 1), face("z", 1, 1)]
    other = [empty("x", "unreadable", "can't be opened: no"), empty("y", "not_a_face", "no face found"), face("z", 1)]
    found = compared(one, other)
    assert found.left_out("b") == [
        ("not_a_face", "no face found", 1),
        ("not_found", "no face was found there", 1),
        ("unreadable", "can't be opened", 1),
    ]
    assert compared(other, one).left_out("a") == found.left_out("b")
    assert found.faces["fate"].to_list() == ["missing_b", "missing_b", "same", "missing_b"]


def test_copies_count_once() -> None:
    one = [face("x", 1), face("x", 1, file="copy"), face("y", 1)]
    found = compared(one, [face("x", 3, file="moved"), face("y", 4)])
    assert (found.pictures, found.by_name, found.faces.height) == (2, 0, 2)
    assert found.faces["fate"].to_list() == ["same", "moved"]


def test_no_face_at_all() -> None:
    found = compared([empty("x", "not_a_face", "none")], [empty("x", "not_a_face", "none")])
    assert (found.agreement, found.same, found.faces.height) == (None, (), 0)
    assert lines(found) == ["Pictures that both have: 1", "0 faces", "0 people have the same faces in both"]


@pytest.mark.parametrize("people", [(1, 1, 2, 2, 3), (4, 4, 4, 4, 4), (None, None, 7, 7, None)])
def test_a_library_compared_with_itself(people: tuple[int | None, ...]) -> None:
    rows = [face("x", person, i) for i, person in enumerate(people)]
    found = compared(rows, rows)
    assert {*found.faces["fate"]} <= {"same", "neither"}
    assert len(found.same) == len({*people} - {None})


def test_a_person_in_very_many_parts_fits_on_a_terminal() -> None:
    found = compared([face(str(i), 1) for i in range(20)], [face(str(i), i % 11) for i in range(20)])
    (line,) = (line for line in lines(found) if line.startswith("  Person 1 (20)"))
    assert line.endswith(", Person 7 (2) and 3 more (4)")
    assert line.count("Person") == 1 + 8


Whose = list[tuple[int | None, int | None]]
whose = st.one_of(st.none(), st.integers(0, 5))


def grouped(pairs: Whose) -> Comparison:
    """The same faces in two libraries, given whose each is."""
    first, second = ([face(f"{i:02}", pair[side]) for i, pair in enumerate(pairs)] for side in (0, 1))
    return compared(first, second)


def told(changes: tuple[Change, ...]) -> list[tuple[int | None, list[tuple[int | None, int]]]]:
    return [(one.whole.person, [(part.person, part.faces) for part in one.parts]) for one in changes]


@settings(max_examples=settings().max_examples * 2 // 5)
@given(st.lists(st.tuples(whose, whose), min_size=1, max_size=20))
def test_which_comes_first_does_not_matter(pairs: Whose) -> None:
    found, turned = grouped(pairs), grouped([(b, a) for a, b in pairs])
    assert (found.split, found.gone) == (turned.merged, turned.new)
    assert found.agreement is not None
    assert turned.agreement is not None
    assert astuple(found.agreement) == pytest.approx(astuple(turned.agreement))
    assert {(a.person, b.person) for a, b in found.same} == {(a.person, b.person) for b, a in turned.same}
    swapped = {"left_out_a": "left_out_b", "left_out_b": "left_out_a"}
    assert found.faces["fate"].to_list() == [swapped.get(fate, fate) for fate in turned.faces["fate"]]


@settings(max_examples=settings().max_examples * 2 // 5)
@given(st.lists(st.tuples(whose, whose), min_size=1, max_size=20))
def test_everybody_is_counted_once(pairs: Whose) -> None:
    found = grouped(pairs)
    for person, parts in told((*found.split, *found.gone)):
        assert {other: pairs.count((person, other)) for _, other in pairs if (person, other) in pairs} == dict(parts)
    people = {a: {b for one, b in pairs if one == a} for a, _ in pairs if a is not None}
    assert {one.whole.person for one in found.split} == {a for a, others in people.items() if len(others - {None}) > 1}
    assert {one.whole.person for one in found.gone} == {a for a, others in people.items() if others == {None}}


def test_a_person_in_two_parts_is_the_larger_one() -> None:
    found = grouped([(1, 7), (1, 8), (1, 8), (1, None), (2, 9), (None, 9), (3, None), (None, 4)])
    assert told(found.split) == [(1, [(8, 2), (7, 1), (None, 1)])]
    assert (told(found.merged), told(found.gone), told(found.new), found.same) == (
        *([], [(3, [(None, 1)])], [(4, [(None, 1)])], ()),
    )
    fates = ["moved", "same", "same", "left_out_b", "same", "left_out_a", "left_out_b", "left_out_a"]
    assert found.faces["fate"].to_list() == fates
