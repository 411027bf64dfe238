from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest

from unmingle import pipeline
from unmingle.api import Library
from unmingle.records import Analysis, Faces, Triage
from unmingle.settings import GroupingSettings
from unmingle.store import pictures
from unmingle.store.sqlite import open_to_write

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from unmingle.records import F32

RECIPE = "faces-test"


class Album:
    """A library of made-up people: faces by file name, true people by the name's first letter."""

    def __init__(self, folder: Path, *, people: int = 6, each: int = 8, spread: float = 0.6, seed: int = 0) -> None:
        self.random = np.random.default_rng(seed)
        self.centres = self.random.normal(size=(26, 64))
        self.spread = spread
        self.library = Library(folder, views="on request")
        self.count = 0
        with open_to_write(folder) as store:
            store.set_fact(pipeline.CURRENT, RECIPE)
            with store.transaction() as connection:
                connection.execute("INSERT INTO source (id, path) VALUES (1, X'2F')")
        self.add([person for person in range(people) for _ in range(each)])
        self.cluster()

    def add(self, persons: Sequence[int], *, reason: str = "") -> list[str]:
        """Add a picture of each of these true people; the names of their files."""
        files = []
        with open_to_write(self.library.folder) as store, store.transaction() as connection:
            for person in persons:
                name = f"{chr(97 + person)}{self.count:04}.jpg"
                self.count += 1
                vector = self.centres[person] + self.spread * self.random.normal(size=64)
                put(connection, name, vector.astype(np.float32)[None], reason=reason)
                files.append(name)
        return files

    def remove(self, files: Sequence[str]) -> None:
        """The files are gone at the next scan."""
        with open_to_write(self.library.folder) as store, store.transaction() as connection:
            connection.executemany("UPDATE file SET present = 0 WHERE name = ?", [(name,) for name in files])

    def cluster(self, recipe: str = RECIPE, **settings: float) -> None:
        """Group the faces anew."""
        group = partial(pipeline.group_faces, settings=GroupingSettings(**settings))  # type: ignore[arg-type]
        with open_to_write(self.library.folder) as store:
            pipeline.cluster(store, recipe, group, whole_clusters=False)

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


def put(connection: object, name: str, vectors_nd: F32, *, reason: str = "", recipe: str = RECIPE) -> None:
    """A picture with faces side by side, and its file."""
    n = len(vectors_nd)
    boxes = np.array([(100 * i, 0, 80, 90) for i in range(n)], np.float32)
    faces = Faces(boxes, np.ones((n, 5, 2), np.float32), np.ones(n, np.float32))
    triage = Triage.alike(n, "aside", "low_quality", reason) if reason else Triage.alike(n)
    analysis = Analysis(100 * n, 100, faces, vectors_nd, np.ones(n, np.float32), (b"",) * n, triage)
    pictures.add_analysis(connection, name, recipe, "f32", analysis)  # type: ignore[arg-type]
    connection.execute(  # type: ignore[attr-defined]
        "INSERT OR IGNORE INTO file (source, path, name, digest) VALUES (1, ?, ?, ?)", (name.encode(), name, name)
    )


@pytest.fixture
def album(tmp_path: Path) -> Album:
    return Album(tmp_path / "library")
