"""unmingle watch: what comes into the sources of a library is added to it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from unmingle import console
from unmingle.cli import options as opt
from unmingle.cli.running import Stopped, keeping
from unmingle.errors import SourceError, command
from unmingle.text_layout import counted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SHARE = 10  # at least so many times as long as a look took is waited before the next


def watch(
    library: opt.LibraryArgument,
    options: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[-- OPTION...]", help="Options for unmingle cluster, after two dashes.", show_default=False
        ),
    ] = None,
    every: Annotated[str, typer.Option(metavar="TIME", help="Time between two looks, such as 30s.")] = "30s",
    quiet: opt.Quiet = False,
) -> None:
    """Add what comes into the sources of LIBRARY, until Ctrl+C.

    Looks at names, sizes and times, also on network drives, and runs unmingle cluster once two looks see the same. A
    source that is gone is waited for; what failed is tried again at the next look.
    """
    opened, pause = opt.open_library(library), opt.seconds(every)
    if "--recipe" not in (options or ()):
        opened._as_before()  # what can't be gone on with is told at once
    if not opened.sources:
        raise SourceError(f"{library} has no sources.", f"Add one: {command('cluster', 'PICTURES', '-o', library)}")
    if not quiet:
        console.say(f"Watching {counted(len(opened.sources), 'source')}. Ctrl+C ends it.", error=True)
    state: dict[Path, int] = {}
    before, done = None, None
    with keeping("What was found so far is kept; the same command goes on from there."):
        while True:
            began = time.monotonic()
            state |= {source: seen for source in opened.sources if (seen := _seen(source)) is not None}
            now, took = dict(state), time.monotonic() - began
            if now != done and now == (before or now):
                added = _cluster(library, ["--as-before", *(options or ()), *(["--quiet"] if quiet else [])]) == 0
                done = now if added else None
            before = now
            time.sleep(max(pause, SHARE * took))


def _seen(source: Path) -> int | None:
    """What a source holds, as one number; None while it isn't there."""
    from unmingle.sources.images import scan

    try:
        files = scan([source]).files
    except SourceError:
        return None
    return hash(tuple(map(_stamp, (file.path for file in files))))


def _stamp(path: Path) -> tuple[str, int, int]:
    try:
        status = path.stat()
    except OSError:
        return str(path), 0, 0
    return str(path), status.st_size, status.st_mtime_ns


def _cluster(library: Path, options: Sequence[str]) -> int:
    """Run unmingle cluster as a process of its own, whose memory is free again afterwards."""
    from unmingle.cli.keys import VARIABLE
    from unmingle.store.encryption import key_of

    key = key_of(library)
    words = [sys.executable, "-m", "unmingle", "cluster", "-o", str(library), *options]
    env = os.environ | ({} if key is None else {VARIABLE: key})
    with subprocess.Popen(words, env=env, start_new_session=True) as running:  # ourselves
        try:
            return running.wait()
        except Stopped as stop:
            running.send_signal(stop.number)
            running.wait()
            raise
