"""What the command line shows while it works and when it is done: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from unmingle.progress import Progress, silent
from unmingle.text_layout import printable

DOING = {
    "draw": "Drawing people",
    "analyse": "Finding faces",
    "watch": "Watching (seconds)",
    "cluster": "Grouping faces",
    "read": "Reading names",
    "write": "Writing",
    "fetch": "Fetching",
}
PLAIN_SECONDS = 10.0  # between two plain lines
PIPE = 10_000  # columns of what is no terminal: a name in parts would be found by no other program


def say(*lines: str, error: bool = False) -> None:
    """Print lines; whatever a file or a person is called neither breaks them nor commands the terminal."""
    for line in lines:
        print(printable(line), file=sys.stderr if error else sys.stdout)


def is_asked() -> bool:
    """Whether somebody is there who can answer."""
    return sys.stdin.isatty()


def say_json(result: object) -> None:
    """Print a result as JSON; a text is that already."""
    print(result.rstrip() if isinstance(result, str) else json.dumps(result, ensure_ascii=False, indent=2))


def tell(result: object, *lines: str, as_json: bool, quiet: bool = False) -> None:
    """Print a result: as JSON, or as lines unless nothing is to be said."""
    if as_json:
        say_json(result)
    elif not quiet:
        say(*lines)


@contextmanager
def progress(*, quiet: bool) -> Iterator[Progress]:
    """A `Progress` for the terminal, for a log, or for nobody."""
    if quiet:
        yield silent
    elif sys.stderr.isatty():
        with _bars() as told:
            yield told
    else:
        yield PlainLines()


class PlainLines:
    """Progress as lines of text: one at the start and the end of a stage, and one every ten seconds."""

    def __init__(self) -> None:
        self._stage, self._first = "", 0
        self._began = self._said = 0.0

    def __call__(self, stage: str, done: int, total: int) -> None:
        """See `progress.Progress`."""
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._began, self._first = stage, now, done
        elif done < total and now - self._said < PLAIN_SECONDS:
            return
        self._said = now
        rate = (done - self._first) / max(now - self._began, 1e-9)
        more = f", {rate:,.0f} a second" if rate >= 1 else ""
        if rate > 0 and done < total:
            minutes, seconds = divmod(round((total - done) / rate), 60)
            more += f", {minutes}:{seconds:02} left"
        print(f"{DOING[stage]}: {done:,} of {total:,}{more}", file=sys.stderr, flush=True)


@contextmanager
def _bars() -> Iterator[Progress]:
    from rich import progress as widgets
    from rich.console import Console
    from rich.text import Text

    class Rate(widgets.ProgressColumn):
        def render(self, task: widgets.Task) -> Text:
            return Text(f"{task.speed:,.0f}/s" if task.speed else "", style="dim")

    text, left = widgets.TextColumn("{task.description}"), widgets.TimeRemainingColumn()
    columns = (text, widgets.BarColumn(), widgets.MofNCompleteColumn(), Rate(), left)
    with widgets.Progress(*columns, console=Console(stderr=True)) as bars:
        tasks = {}

        def told(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                # Rate and time left are of this run: what was done before it is not counted as speed.
                tasks[stage] = bars.add_task(DOING[stage], total=total, completed=done)
            bars.update(tasks[stage], completed=done, total=total)

        yield told


def show_table(rows: Sequence[Sequence[str]], *, headings: Sequence[str] = ()) -> None:
    """Print a table; its columns are as wide as the terminal will show what is in them, or in a pipe as they need."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    encoding, errors = sys.stdout.encoding or "utf-8", sys.stdout.errors or "strict"
    shown = Table(box=box.SIMPLE_HEAD, show_header=bool(headings))
    for i in range(len(headings or rows[0])):
        shown.add_column(headings[i] if headings else "", style="bold" if i == 0 and not headings else "")
    for row in rows:
        cells = (printable(cell).encode(encoding, errors).decode(encoding) for cell in row)
        shown.add_row(*map(Text, cells))  # in a string, brackets would be commands
    terminal = Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPE)
    with terminal.capture() as drawn:
        terminal.print(shown)
    print(drawn.get(), end="")  # Rich ends the program itself where nobody reads any more
