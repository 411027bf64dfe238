"""Libraries to run commands on, in this process."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.made_library import Shot, library, take

PEOPLE = 4
# Four people, one more often than the next, in folders that are called like them.
SHOTS = [
    Shot(f"p{person}/{number}.jpg", (person,), ((10, 10, 90, 90),))
    for person in range(PEOPLE)
    for number in range(8 - person)
]


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
