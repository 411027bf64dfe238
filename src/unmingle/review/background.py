"""What goes on beside the requests: questions are worked out, tables are written again after edits, pictures are added.

They are added in a process of its own, whose memory is free afterwards, and which tells how far it is.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Condition, Lock, Thread, get_native_id
from typing import TYPE_CHECKING, Literal

from threadpoolctl import threadpool_limits

from unmingle.errors import LibraryBusyError, UnmingleError
from unmingle.progress import Progress, Stage, silent

if TYPE_CHECKING:
    from unmingle.decisions.asking import Question

THINKING = 2.5  # seconds without an edit before questions are worked out, which would slow down whoever decides
NICE = 10  # how far questions stand back behind requests, as the system counts it
LONGEST_WAIT = 30.0  # seconds that a stream of edits can put it off
PATIENCE = 1.0  # seconds to wait at the end for questions
RETRY = 10.0  # seconds before a failed attempt is repeated
FIRST = 8.0  # seconds of looking at pictures after which those that are there are sorted, for who is waiting
LONGER = 4  # times as long it takes to the next time, so that sorting again and again takes a small share
BREATH = 0.2  # seconds between two lines about progress
TO_STORE = 30.0  # seconds that it may take to store what it has, once it is to end
State = Literal["running", "done", "stopped", "failed"]


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

    def __init__(
        self,
        compute: Callable[[], Sequence[Question]],
        revision: Callable[[], int],
        stands: Callable[[int], bool] = lambda _: True,
    ) -> None:
        """stands: whether a decision, by its number, was not undone."""
        self._compute = compute
        self._revision = revision
        self._stands = stands
        self._lock = Condition()
        self._questions: tuple[Question, ...] = ()
        self._asked: dict[str, Question] = {}  # those, and those before them: somebody may just be answering one
        self._answered: dict[str, tuple[Question, int]] = {}  # by id, and the decision that came of the answer
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
        """Those that were not answered yet; first those whose answer was undone."""
        undone = [one for one, decision in list(self._answered.values()) if not self._stands(decision)]
        return (*undone, *self._questions)

    def find(self, question: str) -> Question | None:
        """A question that was asked and not answered, even if it would not be asked any more."""
        with self._lock:
            asked, decision = self._answered.get(question, (self._asked.get(question), 0))
        return None if decision and self._stands(decision) else asked

    def answered(self, question: Question, decision: int) -> None:
        """Drop a question at once, whatever is being worked out meanwhile."""
        with self._lock:
            self._answered[question.id] = question, decision
            self._questions = tuple(one for one in self._questions if one.id != question.id)
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
            before = self._questions
            self._questions = tuple(one for one in found if one.id not in self._answered)
            self._asked = {one.id: one for one in (*before, *self._questions)}
            self._at = revision


@dataclass(slots=True)
class Run:
    """How far it is. stage: see `Progress`; people: as of the last time that they were sorted."""

    state: State = "running"
    stage: str = "read"
    done: int = 0
    total: int = 0
    people: int = 0
    problem: str = ""
    mend: str = ""


class Adding:
    """At most one run at a time that adds pictures to a library and sorts them."""

    def __init__(self, folder: Path, sorted_: Callable[[], object]) -> None:
        """sorted_: called, in a thread of its own, each time people are there."""
        self.folder, self._sorted = folder.absolute(), sorted_
        self._lock = Lock()
        self._process: subprocess.Popen[str] | None = None
        self._watcher: Thread | None = None
        self.run: Run | None = None  # the last one

    def start(self, sources: Sequence[str], key: str | None) -> None:
        """Begin with new sources, or with none: to look again at those of before."""
        with self._lock:
            if self.run is not None and self.run.state == "running":
                raise LibraryBusyError("Pictures are being added already.", "Wait until that ends, or stop it.")
            # A group of its own: Ctrl+C is for the server, which then ends it.
            words = [sys.executable, "-m", "unmingle.review.background"]
            pipe = subprocess.PIPE
            self._process = subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True, start_new_session=True)
            asked = {"folder": os.fspath(self.folder), "sources": list(sources), "key": key}
            with suppress(BrokenPipeError), self._process.stdin as line:  # type: ignore[union-attr]
                line.write(json.dumps(asked))
            self.run = Run()
            self._watcher = Thread(target=self._watch, args=(self._process, self.run), name="adding", daemon=True)
            self._watcher.start()

    def stop(self) -> None:
        """End what is under way; what was found is kept."""
        with self._lock:
            running = self._process is not None and self._process.poll() is None
            if running and self.run is not None and self.run.state == "running":
                self.run.state = "stopped"
                self._process.send_signal(signal.SIGTERM)  # type: ignore[union-attr]
        if running:
            self._watcher.join(TO_STORE)  # type: ignore[union-attr]

    def _watch(self, process: subprocess.Popen[str], run: Run) -> None:
        assert process.stdout is not None
        with process:
            for line in process.stdout:
                news = json.loads(line)
                if "people" in news:
                    with suppress(UnmingleError):  # whoever looks at the library next is told
                        self._sorted()
                for name, value in news.items():
                    setattr(run, name, value)
        if run.state == "running":
            run.state = "failed"
            run.problem, run.mend = "The work ended by itself.", "Start it again: it goes on where it was."


class _Pause(Exception):  # noqa: N818  # no error: those who wait are shown what is there
    pass


def work(folder: Path, sources: Sequence[str], tell: Callable[..., object]) -> None:
    """Add the sources and sort the faces: for the first time after some seconds, then less and less often."""
    from unmingle.library import Library

    library = Library(folder)
    looking, grouping = library._as_before()
    began, last, due = time.monotonic(), 0.0, FIRST

    def progress(stage: Stage, done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= BREATH or done == total:
            tell(stage=stage, done=done, total=total)
            last = now
        if stage == "analyse" and done < total and now - began > due:
            raise _Pause

    def sort(progress: Progress) -> None:
        tell(people=library.cluster(progress=progress, **grouping).people)

    with library.writing():
        while True:
            try:
                library.add(*sources, progress=progress, **looking)
            except _Pause:
                sort(silent)
                due = LONGER * (time.monotonic() - began)
            else:
                sort(progress)
                return


def main() -> None:
    """Work as told in a line of JSON on standard input, and tell in such lines."""
    from unmingle.store.encryption import unlock

    def tell(**news: object) -> None:
        print(json.dumps(news), flush=True)

    asked = json.loads(sys.stdin.readline())
    folder = Path(asked["folder"])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what is under way is rolled back, or done
    if asked["key"] is not None:
        unlock(folder, asked["key"])
    try:
        work(folder, asked["sources"], tell)
    except UnmingleError as error:
        tell(state="failed", problem=error.problem, mend=error.mend)
    except OSError as error:
        tell(state="failed", problem=f"The work could not go on: {error}.", mend="Start it again once that is mended.")
    else:
        tell(state="done")


if __name__ == "__main__":
    main()
