"""A small meeting of made-up people, drawn once, and a way to run the command line as a user does."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from unmingle.demo import write_meeting

if TYPE_CHECKING:
    from unmingle.demo import Meeting


@dataclass(frozen=True)
class Finished:
    code: int
    out: str
    err: str


class Command:
    """`unmingle …` in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def start(self, *words: str | Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "unmingle", *map(str, words)],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "COLUMNS": "120"},
        )

    def __call__(self, *words: str | Path) -> Finished:
        process = self.start(*words)
        out, err = process.communicate(timeout=300)
        return Finished(process.returncode, out, err)


@pytest.fixture
def unmingle(tmp_path: Path) -> Command:
    return Command(tmp_path)


@pytest.fixture(scope="session")
def meeting(tmp_path_factory: pytest.TempPathFactory) -> Meeting:
    return write_meeting(tmp_path_factory.mktemp("meeting"), people=6, frames=12)
