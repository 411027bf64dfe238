"""Whom a number or a name means: the same at every door."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Literal

import numpy as np
import pytest

from unmingle.api import Library
from unmingle.errors import DecisionError, LibraryError, UnmingleError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.command import Command

    Form = Literal["NFC", "NFD"]


def names(album: Path) -> dict[int, str]:
    return dict(Library(album).people.select("person", "name").iter_rows())


def test_a_plain_number_is_an_id_whoever_is_called_so(album: Path, unmingle: Command) -> None:
    Library(album).name(3, "2")
    done = unmingle("merge", album, "1", "2")
    assert (done.code, names(album)) == (0, {1: "", 3: "2", 4: ""})
    assert "Merged Person 2 into Person 1" in done.out


def test_who_is_called_like_a_number_is_meant_by_name(album: Path, unmingle: Command) -> None:
    Library(album).name(3, "2")
    done = unmingle("merge", album, "1", "name:2")
    assert (done.code, sorted(names(album))) == (0, [1, 2, 4])
    assert "Merged 2 (Person 3) into Person 1" in done.out


def test_a_number_that_is_nobodys_id_is_not_taken_for_a_name(album: Path, unmingle: Command) -> None:
    Library(album).name(3, "77")
    done = unmingle("merge", album, "1", "77")
    assert (done.code, names(album)[3]) == (1, "77")
    assert "person 3 is called so" in done.err
    assert "name:77" in done.err


@pytest.mark.parametrize("called", ["007", "2.0", "-2", "٢", "²", "9" * 30])
def test_what_no_id_looks_like_is_a_name(album: Path, called: str) -> None:
    library = Library(album)
    library.name(3, called)
    assert library.person(called).id == 3


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("asked", ["NFC", "NFD"])
def test_a_name_is_the_same_in_every_form(album: Path, unmingle: Command, form: Form, asked: Form) -> None:
    library = Library(album)
    library.name(2, unicodedata.normalize(form, "Zoë  Ångström"))
    wanted = f"  {unicodedata.normalize(asked, 'Zoë Ångström')} "
    assert (library.person(wanted).id, library.show(wanted).person) == (2, 2)
    for words in (("show", album, wanted, "-o", album / "a.jpg"), ("name", album, wanted, "Ada")):
        assert unmingle(*words).code == 0
    with pytest.raises(DecisionError, match=r"There is no person .* called Ada\."):
        library.ignore("ada")


@pytest.mark.parametrize(
    "words", [("show", "77"), ("name", "77", "Ada"), ("merge", "1", "nobody"), ("merge", "1", "1")]
)
def test_nobody_is_a_clear_error(album: Path, unmingle: Command, words: tuple[str, ...]) -> None:
    done = unmingle(words[0], album, *words[1:])
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("Error: ")


def test_python_takes_ids_and_the_same_text(album: Path) -> None:
    library = Library(album)
    library.name(3, "2")
    for two in (2, np.int64(2), "2", " 2 "):
        assert (library.person(two).id, library.show(two).person) == (2, 2)  # type: ignore[arg-type]
    assert library.person("name:2").id == library.show("name:2").person == 3
    for wrong in (2.0, True, None, b"2", 2**64, -1):
        with pytest.raises(UnmingleError):
            library.person(wrong)  # type: ignore[arg-type]
        with pytest.raises(UnmingleError):
            library.merge(1, wrong)  # type: ignore[arg-type]
    with pytest.raises(LibraryError, match="There is no person 9"):
        library.show(9)


def test_a_face_may_be_named_by_itself(album: Path) -> None:
    library = Library(album)
    assert library.split("p0/1.jpg").faces == 1
    assert library.not_a_face(np.int64(2)).faces == 1  # type: ignore[arg-type]
    assert library.reject((one for one in ["p1/1.jpg", "p1/2.jpg"]), 2).faces == 2
    for wrong in (True, 1.5, [1.5], [None]):
        with pytest.raises(UnmingleError, match="face"):
            library.split(wrong)  # type: ignore[arg-type]


def test_the_first_decision_is_number_one(album: Path, unmingle: Command) -> None:
    library = Library(album)
    library.name(1, "Ada")
    assert unmingle("undo", album, "0").code == 2
    for wrong in (0, -1, 1.0, "1"):
        with pytest.raises(UnmingleError, match="decision"):
            library.undo(wrong)  # type: ignore[arg-type]
    assert names(album)[1] == "Ada"
