"""Questions in the library's terms, and what each answer changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from unmingle.decisions.asking import Question, Side, answer_command
from unmingle.decisions.kinds import Assign, Command, Different, Merge, Reject, Split, Unsure

from .conftest import Album

if TYPE_CHECKING:
    from pathlib import Path

    from unmingle.decisions.asking import Answer
    from unmingle.grouping.suggestions import Kind


def side(person: int | None, *faces: int, name: str = "") -> Side:
    return Side(person, name, faces, faces[:9])


@pytest.mark.parametrize(
    ("kind", "one", "other", "answer", "wanted"),
    [
        ("people", side(7, 1, 2), side(3, 4, 5, 6), "same", Merge(3, (7,))),
        ("people", side(7, 1, 2, name="Ada"), side(3, 4, 5, 6), "same", Merge(7, (3,))),
        ("people", side(7, 1, 2), side(3, 4, 5, 6), "different", Different(3, (7,))),
        ("people", side(7, 1, 2), side(3, 4, 5, 6), "unsure", Unsure(3, (7,))),
        ("single", side(None, 1), side(3, 4, 5), "same", Assign(3, faces=(1,))),
        ("single", side(None, 1), side(3, 4, 5), "different", Reject(3, faces=(1,))),
        ("single", side(None, 1), side(3, 4, 5), "unsure", Unsure(3, faces=(1,))),
        ("single", side(None, 1), side(None, 2), "same", Split(faces=(1, 2))),
        ("single", side(None, 1), side(None, 2), "different", Different(faces=(1, 2))),
        ("single", side(None, 1), side(None, 2), "unsure", Unsure(faces=(1, 2))),
        ("part", side(3, 1, 2), side(3, 4, 5), "same", Assign(3, faces=(1, 2))),
        ("part", side(3, 1, 2), side(3, 4, 5), "different", Split(faces=(1, 2))),
        ("part", side(3, 1, 2), side(3, 4, 5), "unsure", Unsure(3, faces=(1, 2))),
        ("face", side(3, 1), side(3, 4, 5), "different", Reject(3, faces=(1,))),
    ],
)
def test_an_answer_is_a_decision(kind: Kind, one: Side, other: Side, answer: Answer, wanted: Command) -> None:
    assert answer_command(Question("id", kind, "", one, other, 0.5, 1), answer) == wanted


@pytest.mark.parametrize("answer", ["same", "different", "unsure"])
def test_no_question_is_asked_twice(tmp_path: Path, answer: Answer) -> None:
    album = Album(tmp_path / "library", people=5, each=5, spread=1.4, seed=2)
    library = album.library
    asked: set[str] = set()
    for _ in range(25):
        questions = library.questions(most=1)
        if not questions or (answer == "unsure" and questions[0].id in asked):
            break  # what somebody was unsure about comes again when there is nothing else
        assert questions[0].id not in asked
        asked.add(questions[0].id)
        library.answer(questions[0], answer)
    assert len(asked) >= 3


def test_named_people_are_not_questioned(tmp_path: Path) -> None:
    album = Album(tmp_path / "library", people=3, each=6, seed=3)
    album.centres[3] = 0.4 * album.centres[0] + 0.9 * album.centres[3]  # a sibling
    album.add([3] * 6)
    album.cluster()
    library = album.library
    pairs = [q for q in library.questions(most=50) if q.kind == "people"]
    assert pairs
    assert all(q.text.startswith("Are Person ") and 0 <= q.probability <= 1 for q in pairs)
    for person in album.people():
        library.name(person, f"Name {person}")
    assert not [q for q in library.questions(most=50) if q.kind == "people"]


def test_a_side_shows_nine_faces_of_many(tmp_path: Path) -> None:
    album = Album(tmp_path / "library", people=2, each=30, spread=1.0, seed=3)
    for question in album.library.questions():
        assert len(question.other.show) == 9
        assert set(question.other.show) <= set(question.other.faces)
        assert not set(question.one.faces) & set(question.other.faces)
