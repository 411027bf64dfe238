"""The command line: in this process, or as a process of its own where a signal or a pipe is meant."""

from __future__ import annotations

import os
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
        return subprocess.Popen(
            [sys.executable, "-m", "unmingle", *map(str, words)],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **WIDE},
        )
