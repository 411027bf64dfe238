"""Libraries to run commands on, in this process."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.made_library import Shot, library, take
from typer.testing import CliRunner

from unmingle.cli.commands import app
from unmingle.demo import write_meeting

if TYPE_CHECKING:
    from collections.abc import Callable

    from unmingle.demo import Meeting

PEOPLE = 4
# Four people, one more often than the next, in folders that are called like them.
SHOTS = [
    Shot(f"p{person}/{number}.jpg", (person,), ((10, 10, 90, 90),))
    for person in range(PEOPLE)
    for number in range(8 - person)
]


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


def run(*words: str | Path) -> Result:
    """A command, run in this process."""
    done = CliRunner().invoke(app, [str(word) for word in words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception  # a traceback on somebody's terminal
    return Result(done.exit_code, done.stdout, done.stderr)


@pytest.fixture
def unmingle() -> Callable[..., Result]:
    return run


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pictures of four people, and the library of them."""
    folder = tmp_path_factory.mktemp("made")
    take(folder / "pictures", SHOTS)
    library(folder / "library", folder / "pictures", SHOTS)
    return folder


@pytest.fixture
def album(made: Path, tmp_path: Path) -> Path:
    """A library of four people, 1 to 4, to be changed; its folder has a space in its name."""
    shutil.copytree(made / "library", tmp_path / "my album")
    return tmp_path / "my album"


@pytest.fixture(scope="session")
def meeting(tmp_path_factory: pytest.TempPathFactory) -> Meeting:
    return write_meeting(tmp_path_factory.mktemp("meeting"), people=3, frames=6)
