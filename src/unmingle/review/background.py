"""What goes on beside the requests: questions are worked out, and the tables on disk are written again after edits."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from threading import Condition, Thread, get_native_id
from typing import TYPE_CHECKING

from threadpoolctl import threadpool_limits

from unmingle.errors import UnmingleError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from unmingle.decisions.asking import Question

THINKING = 2.5  # seconds without an edit before questions are worked out, which would slow down whoever decides
NICE = 10  # how far questions stand back behind requests, as the system counts it
LONGEST_WAIT = 30.0  # seconds that a stream of edits can put it off
PATIENCE = 1.0  # seconds to wait at the end for questions
RETRY = 10.0  # seconds before a failed attempt is repeated


class Later:
    """Does some work in a thread of its own, after `quiet` seconds without a new request for it.

    After an error of ours it is tried again, others end the thread.
    """

    def __init__(self, work: Callable[[], object], *, quiet: float, name: str) -> None:
        self._work = work
        self._quiet = quiet
        self._changed = Condition()
        self._asked: float | None = None  # when first asked for, since it was last done
        self._due = 0.0
        self._stopped = False
        self._thread = Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def ask(self, *, again: bool = True) -> None:
        """Have the work done soon; if it was asked for already, it is put off, unless this was not `again`."""
        now = time.monotonic()
        with self._changed:
            if self._asked is not None and not again:
                return
            self._asked = now if self._asked is None else self._asked
            self._due = min(now + self._quiet, self._asked + LONGEST_WAIT)
            self._changed.notify()

    def stop(self, *, finish: bool, patience: float | None = None) -> None:
        """End the thread; with `finish` what was asked for is done before. Waits `patience` seconds, or to the end."""
        with self._changed:
            self._stopped = True
            if not finish:
                self._asked = None
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(patience)

    def _run(self) -> None:
        while self._wait():
            try:
                self._work()
            except UnmingleError:
                with self._changed:
                    if not self._stopped and self._asked is None:
                        self._asked = time.monotonic()
                        self._due = self._asked + RETRY

    def _wait(self) -> bool:
        """Wait until there is work; False: until the end."""
        with self._changed:
            while not self._stopped and (self._asked is None or time.monotonic() < self._due):
                self._changed.wait(None if self._asked is None else self._due - time.monotonic())
            wanted, self._asked = self._asked is not None, None
            return wanted


class QuestionList:
    """The questions that the page asks, most useful first, worked out in the background for the current revision."""

    def __init__(self, compute: Callable[[], Sequence[Question]], revision: Callable[[], int]) -> None:
        self._compute = compute
        self._revision = revision
        self._lock = Condition()
        self._questions: tuple[Question, ...] = ()
        self._asked: dict[str, Question] = {}  # those, and those before them: somebody may just be answering one
        self._answered: dict[str, int] = {}  # id of a question, and the revision that its answer made
        self._at: int | None = None
        self._later = Later(self._work, quiet=THINKING, name="questions")

    def start(self) -> None:
        self._later.start()
        self._later.ask()

    def stop(self) -> None:
        """End; what is being worked out is not waited for long, since nobody will read it."""
        self._later.stop(finish=False, patience=PATIENCE)

    def ready(self) -> bool:
        """Whether the questions are those of the current revision; if not, they are worked out from now on."""
        fresh = self._at == self._revision()
        if not fresh:
            self._later.ask(again=False)
        return fresh

    def all(self) -> tuple[Question, ...]:
        """Those that were not answered yet."""
        return self._questions

    def find(self, question: str) -> Question | None:
        """A question that was asked and not answered, even if it would not be asked any more."""
        with self._lock:
            return self._asked.get(question)

    def answered(self, question: str, revision: int) -> None:
        """Drop a question at once, whatever is being worked out meanwhile."""
        with self._lock:
            self._answered[question] = revision
            self._asked.pop(question, None)
            self._questions = tuple(one for one in self._questions if one.id != question)
        self._later.ask()

    def _work(self) -> None:
        revision = self._revision()
        if revision == self._at:
            return
        if sys.platform == "linux":  # which knows priorities of threads
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, get_native_id(), NICE)
        with threadpool_limits(1):
            found = self._compute()
        with self._lock:
            # An answer that came while these were worked out is not in them yet.
            self._answered = {one: at for one, at in self._answered.items() if at > revision}
            before = self._questions
            self._questions = tuple(one for one in found if one.id not in self._answered)
            self._asked = {one.id: one for one in (*before, *self._questions)}
            self._at = revision
