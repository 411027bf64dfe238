from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from unmingle.decisions.references import faces_named
from unmingle.exchange.named_faces import LEFT_OUT, Applied, Given, apply_names
from unmingle.store.sqlite import open_to_decide

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.store.conftest import Album

    from unmingle.exchange.named_faces import Conflicts


def give(album: Album, named: dict[str, str], *, conflicts: Conflicts = "keep") -> Applied:
    with open_to_decide(album.library.folder) as store:
        faces: Sequence[int] = faces_named(store, list(named))
        given = [Given(face, name, "test") for face, name in zip(faces, named.values(), strict=True)]
        return apply_names(store, album.library._service, given, conflicts=conflicts)


def name_of(album: Album, file: str) -> str:
    faces = album.library.faces
    return str(faces.filter(faces["file"] == file)["name"][0] or "")


def test_the_person_whose_faces_are_so_called_gets_the_name(album: Album) -> None:
    a = album.files(album.person("a"))
    applied = give(album, {a[0]: "Ada", a[1]: "Ada"})
    assert (applied.faces, applied.known) == (2, 0)
    assert {name_of(album, file) for file in a} == {"Ada"}
    assert [entry.kind for entry in applied.entries] == ["name", "assign"]
    assert give(album, {a[0]: "Ada", a[1]: "Ada"}).entries == []


def test_one_name_over_several_people_makes_one_person_of_those_faces(album: Album) -> None:
    a, b = album.files(album.person("a")), album.files(album.person("b"))
    give(album, {a[0]: "Ada", a[1]: "Ada", b[0]: "Ada"})
    assert album.person_of(b[0]) == album.person_of(a[0])
    assert name_of(album, b[1]) == ""  # nobody said that of the others
    album.cluster()
    assert name_of(album, b[0]) == "Ada"


def test_two_names_in_one_person_part_them(album: Album) -> None:
    a = album.files(album.person("a"))
    give(album, {a[0]: "Ada", a[1]: "Ada", a[2]: "Bea", a[3]: "Cis"})
    assert [name_of(album, file) for file in a[:4]] == ["Ada", "Ada", "Bea", "Cis"]
    assert name_of(album, a[4]) == "Ada"
    album.cluster()
    assert [name_of(album, file) for file in a[:4]] == ["Ada", "Ada", "Bea", "Cis"]


def test_faces_that_are_alone_become_somebody(album: Album) -> None:
    (lonely,) = album.add([20])
    album.cluster()
    assert album.person_of(lonely) is None
    give(album, {lonely: "Zoe"})
    assert name_of(album, lonely) == "Zoe"


def test_what_the_library_says_is_kept_or_given_up_as_asked(album: Album) -> None:
    person = album.person("a")
    a = album.files(person)
    album.library.name(person, "Ada")
    applied = give(album, {a[0]: "Bea"})
    assert [(one.name, against) for one, against in applied.conflicts] == [("Bea", "Ada in the library")]
    assert name_of(album, a[0]) == "Ada"
    assert give(album, {a[0]: "Bea"}, conflicts="take").faces == 1
    assert (name_of(album, a[0]), name_of(album, a[1])) == ("Bea", "Ada")
    give(album, dict.fromkeys(album.files(person), "Eve"), conflicts="take")
    assert album.library.people.filter(album.library.people["person"] == person)["name"].to_list() == ["Eve"]


@pytest.mark.parametrize("conflicts", ["keep", "take"])
def test_what_somebody_left_out_stays_out(album: Album, conflicts: Conflicts) -> None:
    a, b = album.files(album.person("a")), album.files(album.person("b"))
    album.library.not_a_face([a[0]])
    album.library.ignore(album.person("b"))
    applied = give(album, {a[0]: "Ada", b[0]: "Bob"}, conflicts=conflicts)
    assert [against for _, against in applied.conflicts] == [LEFT_OUT] * 2
    assert applied.entries == []


def test_a_rejected_face_is_not_given_back(album: Album) -> None:
    person = album.person("a")
    a = album.files(person)
    album.library.name(person, "Ada")
    album.library.reject([a[0]], person)
    assert give(album, {a[0]: "Ada"}).conflicts[0][1] == "not Ada: a person said so"
    give(album, {a[0]: "Ada"}, conflicts="take")
    assert name_of(album, a[0]) == "Ada"


def test_who_is_gone_is_known_again_by_name(album: Album) -> None:
    person = album.person("a")
    a = album.files(person)
    album.library.name(person, "Ada")
    album.remove(a)
    album.cluster()
    (b,) = album.files(album.person("b"))[:1]
    give(album, {b: "Ada"})
    assert album.person_of(b) == person
