"""A large library that gets few faces: only what these touch is grouped again, and the people are as if all were."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.grouping.test_crowded import small_crowd
from tests.made_library import analysis, empty, put
from tests.test_churn import Album

from unmingle import jobs
from unmingle.records import Triage
from unmingle.settings import GroupingSettings
from unmingle.store.sqlite import open_to_write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from unmingle.records import Clustering
    from unmingle.store.sqlite import Store

PEOPLE, EACH = 30, 12


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "LEAST_FACES", 100)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_to_write(empty(tmp_path / "library")) as store:
        yield store


@pytest.fixture
def album(store: Store) -> Album:
    album = Album(store, people=PEOPLE + 10, seed=1)
    album.add([person for person in range(PEOPLE) for _ in range(EACH)])
    return album


def group(store: Store, *, regroup: bool = False) -> Clustering:
    return jobs.cluster(store, GroupingSettings(), regroup=regroup)


def again(clustering: Clustering) -> int | None:
    """How many faces were grouped again; None for all."""
    found = dict(clustering.notes).get("grouped_again")
    return None if found is None else int(found)


def test_new_faces_go_to_their_people_and_make_new_ones(album: Album, store: Store) -> None:
    before = album.cluster()
    album.add([0, 1, 2, PEOPLE, PEOPLE, PEOPLE])
    assert again(group(store)) is not None
    after = members(store)
    assert {name: after[name] for name in before} == before
    new = {name: person for name, person in after.items() if name not in before}
    known = {album.person_of[name]: person for name, person in before.items()}
    assert [new[name] for name in sorted(new)][:3] == [known[0], known[1], known[2]]
    assert len(set(list(new.values())[3:])) == 1
    assert not set(list(new.values())[3:]) & set(before.values())
    group(store, regroup=True)
    assert members(store) == after


@pytest.mark.parametrize("seed", [2, 3, 4])
def test_new_faces_make_no_person_of_a_crowd(store: Store, seed: int) -> None:
    vectors, person = small_crowd(seed)
    crowd = np.flatnonzero(person < 18)
    for rows in (np.setdiff1d(np.arange(len(vectors)), crowd[::13]), crowd[::13]):
        with store.transaction() as connection:
            for row in rows.tolist():
                put(connection, f"{row}.jpg", analysis(vectors[row][None]))
        found = again(group(store))
    assert found is not None
    children = [who for name, who in members(store).items() if int(name.split(".")[0]) in crowd]
    assert max(children.count(who) for who in children) <= 5


def test_only_what_new_faces_touch_is_grouped_again(store: Store) -> None:
    album = Album(store, people=200, seed=2)
    album.add([person for person in range(200) for _ in range(3)])
    album.cluster()
    album.add([0])
    found = again(group(store))
    assert found is not None
    assert found < 100


def members(store: Store) -> dict[str, int]:
    query = (
        "SELECT analysis.digest, person FROM member JOIN face ON face.id = face JOIN analysis ON analysis.id = analysis"
    )
    return dict(store.connection.execute(query))


def test_all_faces_are_grouped_when_asked_for_or_the_library_has_grown(album: Album, store: Store) -> None:
    assert again(group(store)) is None
    album.add([0])
    assert again(group(store)) is not None
    assert again(group(store, regroup=True)) is None
    album.add([person for person in range(PEOPLE) for _ in range(2)])
    assert again(group(store)) is None


def test_other_settings_group_all(album: Album, store: Store) -> None:
    group(store)
    album.add([0])
    assert again(jobs.cluster(store, GroupingSettings(expected_false_merges=0.1))) is None


def test_a_number_of_people_is_of_all_faces(album: Album, store: Store) -> None:
    told = GroupingSettings(people=PEOPLE)
    for _ in range(2):
        assert again(jobs.cluster(store, told)) is None
        assert len(set(members(store).values())) == PEOPLE
        album.add([0])


def test_with_nothing_new_nothing_changes(album: Album, store: Store) -> None:
    before = album.cluster()
    assert again(group(store)) == 0
    assert members(store) == before


def test_a_copy_that_comes_later_is_known_as_one(album: Album, store: Store) -> None:
    group(store)
    query = "SELECT vector, fingerprint FROM face JOIN analysis ON analysis.id = analysis LIMIT 1"
    vector, _ = store.connection.execute(query).fetchone()
    same = np.frombuffer(vector, "<f4")
    random = np.random.default_rng(3).integers(0, 255, 1024, np.uint8).tobytes()
    fingerprint = np.array([0, 0, 65535, 65535], "<u2").tobytes() + random
    store.connection.execute("UPDATE analysis SET fingerprint = ? WHERE id = 1", (fingerprint,))
    with store.transaction() as connection:
        put(connection, "copy.jpg", analysis(same[None]))
        connection.execute("UPDATE analysis SET fingerprint = ? WHERE digest = 'copy.jpg'", (fingerprint,))
    assert again(group(store)) is not None
    for grouped in (1, 0):
        found = dict(
            store.connection.execute(
                "SELECT digest, count(*) FROM copy JOIN face ON face.id = face"
                " JOIN analysis ON analysis.id = analysis GROUP BY digest"
            )
        )
        assert set(found) == {"copy.jpg", "0000.jpg"}
        if grouped:  # once more, with nothing new
            assert again(group(store)) == 0


def test_a_border_face_joins_and_makes_nobody(album: Album, store: Store) -> None:
    before = album.cluster()
    border = Triage.alike(1, "join", "masked", "covered")
    with store.transaction() as connection:
        for number, person in enumerate((0, PEOPLE, PEOPLE)):
            vector = album.people[person] + 0.5 * album.random.normal(size=128)
            put(connection, f"border{number}.jpg", analysis(vector[None], triage=border))
    assert again(group(store)) is not None
    after = members(store)
    assert after["border0.jpg"] == before["0000.jpg"]
    assert "border1.jpg" not in after
    assert "border2.jpg" not in after


def test_faces_that_come_back_are_whose_they_were(album: Album, store: Store) -> None:
    before = album.cluster()
    for present in (0, 1):
        store.connection.execute("UPDATE file SET present = ? WHERE name = '0003.jpg'", (present,))
        album.add([5])
        assert again(group(store)) is not None
    assert members(store)["0003.jpg"] == before["0003.jpg"]


def test_probabilities_are_those_of_grouping_all(album: Album, store: Store) -> None:
    group(store)
    album.add([0, 1, 2])
    group(store)
    query = "SELECT face, probability, likeness FROM member ORDER BY face"
    few = np.array(store.connection.execute(query).fetchall())
    group(store, regroup=True)
    np.testing.assert_allclose(few, np.array(store.connection.execute(query).fetchall()), atol=0.02)
    assert np.isfinite(few).all()


def test_names_of_frames_group_all(album: Album, store: Store) -> None:
    group(store)
    with store.transaction() as connection:
        for frame in range(12):
            for index, person in enumerate((0, 1, 2)):
                vector = album.people[person] + 0.3 * album.random.normal(size=128)
                put(connection, f"call_{frame:04}_{index}.jpg", analysis(vector[None]))
    assert again(group(store)) is None
