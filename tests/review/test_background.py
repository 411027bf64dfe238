"""Work beside the requests: once for many requests, again after a failure, finished at the end."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from unmingle.errors import WriteError
from unmingle.review import background
from unmingle.review.background import Later, QuestionList

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "THINKING", 0.1)


def until(true: Callable[[], bool]) -> None:
    """Wait for something that is about to happen."""
    last = time.monotonic() + 10
    while not true():
        assert time.monotonic() < last
        time.sleep(0.005)


def test_many_requests_are_done_once() -> None:
    done: list[int] = []
    later = Later(lambda: done.append(1), quiet=0.2, name="test")
    later.start()
    for _ in range(20):
        later.ask()
    assert not done
    until(lambda: bool(done))
    later.stop(finish=True)
    assert done == [1]


def test_a_stream_of_requests_does_not_put_it_off_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "LONGEST_WAIT", 0.2)
    done: list[int] = []
    later = Later(lambda: done.append(1), quiet=60.0, name="test")
    later.start()
    later.ask()
    time.sleep(0.05)
    later.ask()
    until(lambda: bool(done))
    later.stop(finish=False)


def test_what_was_asked_for_is_done_at_the_end_or_dropped() -> None:
    for finish, expected in ((True, [1]), (False, [])):
        done: list[int] = []
        later = Later(partial(done.append, 1), quiet=60.0, name="test")
        later.start()
        later.ask()
        later.stop(finish=finish)
        assert done == expected
    later = Later(lambda: None, quiet=60.0, name="test")
    later.stop(finish=True)  # never started


def test_a_failure_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "RETRY", 0.01)
    tried: list[int] = []

    def work() -> None:
        tried.append(1)
        if len(tried) < 3:
            raise WriteError("The disk is full.")

    later = Later(work, quiet=0.0, name="test")
    later.start()
    later.ask()
    until(lambda: len(tried) == 3)
    later.stop(finish=True)
    assert len(tried) == 3


@dataclass(frozen=True)
class Asked:
    id: str


class Library:
    """Three questions, of which each answer takes one away; working them out can be held up."""

    def __init__(self) -> None:
        self.revision = 1
        self.left = ["a", "b", "c"]
        self.go = threading.Event()
        self.go.set()

    def compute(self) -> Any:
        found = [Asked(one) for one in self.left]
        assert self.go.wait(10)
        return found


def served(questions: QuestionList) -> list[str]:
    return [one.id for one in questions.all()]


def test_questions_are_worked_out_for_the_current_revision() -> None:
    library = Library()
    questions = QuestionList(library.compute, lambda: library.revision)
    assert not questions.ready()
    assert served(questions) == []
    questions.start()
    until(questions.ready)
    assert served(questions) == ["a", "b", "c"]
    library.revision, library.left = 2, ["c"]
    assert not questions.ready()
    until(questions.ready)
    assert served(questions) == ["c"]
    questions.stop()


def test_an_answered_question_is_gone_at_once_and_stays_gone() -> None:
    library = Library()
    questions = QuestionList(library.compute, lambda: library.revision)
    questions.start()
    until(questions.ready)
    library.go.clear()
    library.revision = 2  # somebody names a person; the questions are worked out anew, and take their time
    assert not questions.ready()
    time.sleep(0.05)
    library.revision, library.left = 3, ["b", "c"]
    questions.answered(questions.all()[0], 3)
    assert served(questions) == ["b", "c"]
    library.go.set()
    until(questions.ready)
    assert served(questions) == ["b", "c"]
    questions.stop()


def test_the_end_does_not_wait_for_questions_that_nobody_will_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "PATIENCE", 0.05)
    library = Library()
    library.go.clear()
    questions = QuestionList(library.compute, lambda: library.revision)
    questions.start()
    time.sleep(0.05)
    questions.stop()
    library.go.set()
