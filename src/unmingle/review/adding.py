"""Adding pictures from the page: a process of its own, whose memory is free afterwards, tells how far it is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock, Thread
from typing import TYPE_CHECKING, Literal

from unmingle.errors import LibraryBusyError, UnmingleError
from unmingle.progress import silent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from unmingle.progress import Progress, Stage

FIRST = 8.0  # seconds of looking at pictures after which those that are there are sorted, for who is waiting
LONGER = 4  # times as long it takes to the next time, so that sorting again and again takes a small share
BREATH = 0.2  # seconds between two lines about progress
PATIENCE = 30.0  # seconds that it may take to store what it has, once it is to end
State = Literal["running", "done", "stopped", "failed"]


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
            words = [sys.executable, "-m", "unmingle.review.adding"]
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
            self._watcher.join(PATIENCE)  # type: ignore[union-attr]

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
    from pathlib import Path

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
