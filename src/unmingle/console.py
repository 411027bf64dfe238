"""What the command line shows while it works and when it is done: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import json
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from unmingle.sources.images import readable
from unmingle.text_layout import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from unmingle.api import Summary
    from unmingle.progress import Progress
    from unmingle.records import Added

DOING = {
    "draw": "Drawing people",
    "analyse": "Finding faces",
    "watch": "Watching (seconds)",
    "cluster": "Grouping faces",
    "read": "Reading names",
    "write": "Writing",
    "fetch": "Fetching",
}
ENDINGS = 8  # of files passed over that are told one by one
PLAIN_SECONDS = 10.0  # between two plain lines


def say(*lines: str, error: bool = False) -> None:
    """Print lines; whatever a file or a person is called neither breaks them nor commands the terminal."""
    for line in lines:
        print(printable(line), file=sys.stderr if error else sys.stdout)


def say_json(result: Any) -> None:
    """Print a result as JSON."""
    print(json.dumps(result, ensure_ascii=False, indent=2))


@contextmanager
def progress(*, quiet: bool) -> Iterator[Progress]:
    """A `Progress` for the terminal, for a log, or for nobody."""
    if quiet:
        yield lambda stage, done, total: None
    elif sys.stderr.isatty():
        with _bars() as told:
            yield told
    else:
        yield PlainLines()


class PlainLines:
    """Progress as lines of text: one at the start and the end of a stage, and one every ten seconds."""

    def __init__(self) -> None:
        self._stage = ""
        self._began = self._said = 0.0
        self._first = 0

    def __call__(self, stage: str, done: int, total: int) -> None:
        """See `progress.Progress`."""
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._began, self._first = stage, now, done
        elif done < total and now - self._said < PLAIN_SECONDS:
            return
        self._said = now
        rate = (done - self._first) / max(now - self._began, 1e-9)
        if rate > 0 and done < total:
            more = f", {rate:,.0f} a second, {_clock((total - done) / rate)} left"
        else:
            more = f", {rate:,.0f} a second" if rate > 0 else ""
        print(f"{DOING[stage]}: {done:,} of {total:,}{more}", file=sys.stderr, flush=True)


@contextmanager
def _bars() -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:,.0f}/s" if task.speed else "", style="dim")

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks = {}

        def told(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                # Rate and time left are of this run: what was done before it is not counted as speed.
                tasks[stage] = bars.add_task(DOING[stage], total=total, completed=done)
            bars.update(tasks[stage], completed=done, total=total)

        yield told


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"


def _endings(others: Sequence[tuple[str, int]]) -> str:
    shown = [f"{count:,} {ending or 'without an ending'}" for ending, count in others[:ENDINGS]]
    rest = sum(count for _, count in others[ENDINGS:])
    return ", ".join([*shown, f"{rest:,} of {len(others) - ENDINGS:,} more endings"] if rest else shown)


def summary_lines(added: Added, summary: Summary) -> list[str]:
    """The summary after clustering, as lines of text."""
    parts = [
        f"{added.analysed:,} analysed now" if added.analysed else "nothing new to embed",
        f"{added.known:,} known from before" if added.known else "",
        f"{added.moved:,} found again under another name or in another folder" if added.moved else "",
        f"{added.changed:,} changed but showing the same picture" if added.changed else "",
        f"{added.copies:,} copies of another" if added.copies else "",
        f"{added.unreadable:,} unreadable" if added.unreadable else "",
    ]
    lines = [
        f"{summary.files:,} files ({', '.join(filter(None, parts))})",
        f"{summary.faces:,} faces, {summary.clustered:,} of them in {summary.people:,} people",
    ]
    lines += _added_lines(added)
    if "named_files" in summary.notes:
        lines.append(_names_line({key: int(value) for key, value in summary.notes.items() if key.startswith("named_")}))
    if summary.left_out:
        lines.append("Left out:")
        lines.extend(f"  {count:>7,}  {status}: {reason}" for status, reason, count in summary.left_out)
    spent = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in summary.seconds.items())
    return [*lines, f"Time: {spent}"]


def _added_lines(added: Added) -> Iterator[str]:
    """What is to be said of the files."""
    along = [f"  {files:>7,}  {source}" for source, files, there in added.along if there]
    yield from ["Taken along as they were in earlier runs:", *along] if along else ()
    for folder in map(readable, added.out_of_reach):
        yield f"{folder} is not there now, or empty: its files are kept. See unmingle relocate and unmingle forget"
    for folder in map(readable, added.made):
        yield f"{folder} was written by unmingle export and passed over"
    counts = (
        (added.carried, "pictures were saved again, turned or cut: their faces go on as they were"),
        (added.lost, "faces that were decided about are no longer in their changed pictures"),
        (added.gone, "files of earlier runs are no longer there and were left out"),
        (added.passed_over, f"other files passed over, neither pictures nor recordings: {_endings(added.others)}"),
    )
    yield from (f"{count:,} {what}" for count, what in counts if count)
    if added.unwatched:
        yield "Not looked at, of recordings:"
        yield from (f"  {count:>7,}  {note} ({first})" for note, count, first in added.unwatched)


def _names_line(notes: dict[str, int]) -> str:
    """What file names were taken to say, and how to overrule it."""
    files, believed, frames = notes["named_files"], notes["named_believed"], notes["named_frames"]
    if not believed:
        return (
            f"{files:,} files are named like faces of frames, but the faces don't bear it out: nothing was read from"
            " names (--name-pattern REGEX overrules)"
        )
    but = "" if believed == files else f", those of {files - believed:,} not, since the faces don't bear it out"
    return f"Names of {believed:,} files were read as {frames:,} frames{but} (--no-name-pattern overrules)"


def _as_shown(cell: str) -> str:
    """A cell as the terminal will show it, so that columns are as wide as what is in them."""
    encoding, errors = sys.stdout.encoding or "utf-8", sys.stdout.errors or "strict"
    return printable(cell).encode(encoding, errors).decode(encoding)


def show_table(rows: Sequence[Sequence[str]], *, headings: Sequence[str] = ()) -> None:
    """Print a table."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=box.SIMPLE_HEAD, show_header=bool(headings))
    for i in range(len(headings or rows[0])):
        shown.add_column(headings[i] if headings else "", style="bold" if i == 0 and not headings else "")
    for row in rows:
        shown.add_row(*(Text(_as_shown(cell)) for cell in row))  # in a string, brackets would be commands
    terminal = Console()
    with terminal.capture() as drawn:
        terminal.print(shown)
    print(drawn.get(), end="")  # Rich ends the program itself where nobody reads any more
