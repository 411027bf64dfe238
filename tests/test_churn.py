"""People through many rounds of added and removed pictures, with the real store and the real grouping."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.made_library import analysis, empty, put

from unmingle import jobs
from unmingle.settings import GroupingSettings
from unmingle.store import facts
from unmingle.store.sqlite import open_to_write

if TYPE_CHECKING:
    from pathlib import Path

    from unmingle.store.sqlite import Store

SETTINGS = GroupingSettings()


class Album:
    """Pictures of made-up people, one face each, that come and go."""

    def __init__(self, store: Store, people: int, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.store = store
        self.people = self.random.normal(size=(people, 128))
        self.person_of: dict[str, int] = {}

    def add(self, persons: list[int]) -> None:
        with self.store.transaction() as connection:
            for person in persons:
                name = f"{len(self.person_of):04}.jpg"
                self.person_of[name] = person
                vector = self.people[person] + 0.6 * self.random.normal(size=128)
                put(connection, name, analysis(vector[None]))

    def remove(self, count: int) -> None:
        present = sorted(self.present())
        gone = self.random.choice(len(present), min(count, len(present)), replace=False)
        with self.store.transaction() as connection:
            for i in gone.tolist():
                connection.execute("UPDATE file SET present = 0 WHERE name = ?", (present[i],))

    def present(self) -> set[str]:
        return {name for (name,) in self.store.connection.execute("SELECT name FROM file WHERE present = 1")}

    def cluster(self) -> dict[str, int]:
        """The person that each picture shows, by the library."""
        jobs.cluster(self.store, SETTINGS)
        query = (
            "SELECT analysis.digest, member.person FROM member JOIN face ON face.id = member.face"
            " JOIN analysis ON analysis.id = face.analysis"
        )
        return dict(self.store.connection.execute(query))


@pytest.mark.parametrize("seed", range(3))
def test_people_keep_their_ids_while_pictures_come_and_go(tmp_path: Path, seed: int) -> None:
    with open_to_write(empty(tmp_path / "library")) as store:
        album = Album(store, people=12, seed=seed)
        album.add([person for person in range(6) for _ in range(8)])
        named: dict[int, int] = {}  # the id under which each made-up person was first known
        given: set[int] = set()
        for round_ in range(10):
            known = album.cluster()
            assert set(known) <= album.present()
            for name, person in known.items():
                truth = album.person_of[name]
                assert named.setdefault(truth, person) == person, f"round {round_}: person {truth} lost their id"
            assert len(set(named.values())) == len(named)
            given |= set(known.values())
            coming = album.random.integers(0, min(12, 7 + round_), 15)
            album.add(coming.tolist())
            album.remove(8)
        assert len(named) >= 10
        assert given == set(named.values())  # nobody was ever found twice


def test_a_face_says_how_sure_it_is_of_its_person(tmp_path: Path) -> None:
    with open_to_write(empty(tmp_path / "library")) as store:
        album = Album(store, people=3, seed=1)
        album.add([person for person in range(3) for _ in range(8)])
        album.cluster()
        rows = store.connection.execute("SELECT probability FROM member").fetchall()
        assert len(rows) == 24
        assert all(0.5 < probability <= 1 for (probability,) in rows)
        assert float(store.fact(facts.SCALE) or "nan") == pytest.approx(1, abs=0.3)
