from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.made_library import analysis, put

from unmingle import jobs
from unmingle.settings import GroupingSettings
from unmingle.store.sqlite import open_to_write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .conftest import Album


def add_poor(album: Album, persons: Sequence[int], *, share: float = 0.6) -> list[str]:
    """Add pictures of these true people whose faces may only join."""
    files = []
    with open_to_write(album.library.folder) as store, store.transaction() as connection:
        for person in persons:
            name = f"{chr(97 + person)}{album.count:04}.jpg"
            album.count += 1
            vector = share * album.centres[person] + (1 - share) * album.random.normal(size=64)
            put(connection, name, analysis(vector[None]))
            connection.execute(
                "UPDATE face SET standing = 'join' WHERE analysis IN (SELECT id FROM analysis WHERE digest = ?)",
                (name,),
            )
            files.append(name)
    return files


def test_a_poor_face_joins_its_person_and_makes_none(album: Album) -> None:
    cohesion = album.library.people.sort("person")["cohesion"].to_list()
    joining, strangers = add_poor(album, [0, 0, 1]), add_poor(album, [9, 9, 9], share=0.9)
    album.cluster()
    people = album.people()
    assert len(people) == 6
    assert album.person_of(joining[0]) == album.person_of(joining[1]) == album.person("a")
    assert album.person_of(joining[2]) == album.person("b")
    assert [album.person_of(file) for file in strangers] == [None] * 3
    assert album.library.people.sort("person")["cohesion"].to_list() == pytest.approx(cohesion)
    assert album.library.confidence["probability"].is_between(0, 1).all()


def test_a_poor_face_of_which_somebody_spoke_founds(album: Album) -> None:
    strangers = add_poor(album, [9] * 4, share=0.95)
    album.cluster()
    assert album.person_of(strangers[0]) is None
    new = album.library.split(strangers[:1]).person
    album.cluster()
    assert {album.person_of(file) for file in strangers} == {new}


def test_with_a_given_number_a_founder_alone_is_a_person_and_a_joiner_is_not(album: Album) -> None:
    single, stranger = album.add([10])[0], add_poor(album, [11], share=0.9)[0]
    with open_to_write(album.library.folder) as store:
        clustering = jobs.cluster(store, GroupingSettings(people=7))
    assert album.person_of(single) is not None
    assert album.person_of(stranger) is None
    assert len(album.people()) == 7
    assert dict(clustering.notes)["joiners"] == 1
