"""The command line: in this process, or as a process of its own where a signal or a pipe is meant."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import chdir
from dataclasses import dataclass
from typing import TYPE_CHECKING

from typer.testing import CliRunner

from unmingle.cli.commands import app_for

if TYPE_CHECKING:
    from pathlib import Path

WIDE = {"COLUMNS": "120"}
# Sends a signal to itself at a call of a function; batches are small, so that some are stored by then.
ENDED = """
import importlib, os, sys
from unmingle import ingest
from unmingle.cli import main
ingest.BATCH_PICTURES = 4
module, name, call, number = sys.argv.pop(1).split()
module, left = importlib.import_module(module), [None] * int(call)
real = getattr(module, name)
def counted(*words, **more):
    left.pop()
    if not left:
        os.kill(os.getpid(), int(number))
    return real(*words, **more)
setattr(module, name, counted)
main()
"""


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


class Command:
    """`unmingle …`, run in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *words: str | Path) -> Result:
        said = [str(word) for word in words]
        with chdir(self.folder):
            done = CliRunner(env=WIDE).invoke(app_for(said), said)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception  # a traceback on somebody's terminal
        return Result(done.exit_code, done.stdout, done.stderr)

    def start(self, *words: str | Path) -> subprocess.Popen[str]:
        """A process, to be ended by whoever starts it."""
        return self._process("-m", "unmingle", *words)

    def ended(self, number: signal.Signals, module: str, function: str, call: int, *words: str | Path) -> Result:
        """What a process says that gets a signal at a call of a function, the first of which is 1."""
        process = self._process("-c", ENDED, f"{module} {function} {call} {number:d}", *words)
        out, err = process.communicate()
        return Result(process.returncode, out, err)

    def _process(self, *words: str | Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, *map(str, words)],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **WIDE},
        )
