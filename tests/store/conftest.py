from __future__ import annotations

import shutil
from copy import copy, deepcopy
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.made_library import analysis, empty, put

from unmingle import jobs
from unmingle.api import Library
from unmingle.records import Triage
from unmingle.settings import GroupingSettings
from unmingle.store.sqlite import open_to_write

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from unmingle.records import Analysis
    from unmingle.store.sqlite import Store


class Album:
    """A library of made-up people: faces by file name, true people by the name's first letter."""

    def __init__(self, folder: Path, *, people: int = 6, each: int = 8, spread: float = 0.6, seed: int = 0) -> None:
        self.random = np.random.default_rng(seed)
        self.centres = self.random.normal(size=(26, 64))
        self.spread = spread
        self.library = Library(folder, views="on request")
        self.count = 0
        empty(folder)
        self.add([person for person in range(people) for _ in range(each)])
        self.cluster()

    def copied(self, folder: Path) -> Album:
        """The same in another folder, to go on from."""
        shutil.copytree(self.library.folder, folder)
        other = copy(self)
        other.random, other.library = deepcopy(self.random), Library(folder, views=self.library.views)
        return other

    def add(self, persons: Sequence[int], *, reason: str = "") -> list[str]:
        """Add a picture of each of these true people; the names of their files."""
        files = []
        with open_to_write(self.library.folder) as store, store.transaction() as connection:
            for person in persons:
                name = f"{chr(97 + person)}{self.count:04}.jpg"
                self.count += 1
                put(connection, name, self.face(person, reason))
                files.append(name)
        return files

    def face(self, person: int, reason: str = "") -> Analysis:
        """A picture with a face of a true person; reason: why it is set aside."""
        vector = self.centres[person] + self.spread * self.random.normal(size=64)
        return analysis(vector[None], triage=Triage.alike(1, "aside", "low_quality", reason) if reason else None)

    def remove(self, files: Sequence[str]) -> None:
        """The files are gone at the next scan."""
        with open_to_write(self.library.folder) as store, store.transaction() as connection:
            connection.executemany("UPDATE file SET present = 0 WHERE name = ?", [(name,) for name in files])

    def cluster(self, **settings: float) -> None:
        """Group the faces anew."""
        with open_to_write(self.library.folder) as store:
            jobs.cluster(store, GroupingSettings(**settings))  # type: ignore[arg-type]

    def people(self) -> dict[int, set[str]]:
        """The files of each person."""
        rows = self.library.faces.select("person", "file").drop_nulls().iter_rows()
        found: dict[int, set[str]] = {}
        for person, file in rows:
            found.setdefault(person, set()).add(file)
        return found

    def person_of(self, file: str) -> int | None:
        """Whose face a file is."""
        return next((person for person, files in self.people().items() if file in files), None)

    def person(self, letter: str) -> int:
        """The person who has most faces of a true one."""
        people = self.people()
        return max(people, key=lambda who: sum(file.startswith(letter) for file in people[who]))

    def files(self, person: int) -> list[str]:
        """The files of one person, by name."""
        return sorted(self.people()[person])


@pytest.fixture(scope="session")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Album:
    return Album(tmp_path_factory.mktemp("album") / "library")


@pytest.fixture
def album(_made: Album, tmp_path: Path) -> Album:
    return _made.copied(tmp_path / "library")


def put_files(store: Store, pictures: Iterable[tuple[str, ...]]) -> None:
    """One picture for each tuple of the file names that hold it, analysed, without anything in it."""
    with store.transaction() as connection:
        connection.execute("INSERT INTO source (id, path) VALUES (1, X'2F')")
        for number, names in enumerate(pictures, 1):
            connection.execute(
                "INSERT INTO analysis (id, digest, recipe, precision, width, height, reason)"
                " VALUES (?, ?, '', '', 1, 1, '')",
                (number, str(number)),
            )
            for name in names:
                connection.execute(
                    "INSERT INTO file (source, path, name, digest) VALUES (1, ?, ?, ?)",
                    (name.encode(), name, str(number)),
                )
