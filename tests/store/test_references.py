from __future__ import annotations

import unicodedata
from pathlib import Path

import polars as pl
import pytest
from tests.made_library import Shot, library, take

from unmingle.decisions.references import faces_named
from unmingle.errors import DecisionError
from unmingle.records import Added
from unmingle.store.sqlite import open_to_read, open_to_write
from unmingle.summary import Summary, summary_lines

from .conftest import Album

BOX = ((150.0, 90.0, 90.0, 100.0),)
NAMES = ("IMG_0001.jpg", "u\u0308.jpg", "\u00fc.jpg", "new\nline.jpg", "a#1.jpg", "at@150.jpg", "deep/er/x.jpg")


@pytest.fixture
def two_phones(tmp_path: Path) -> Path:
    """A library of two folders that hold files of the same names."""
    shots = {phone: [Shot(name, (0,), BOX) for name in NAMES] for phone in ("phone1", "phone2")}
    for number, (phone, of_phone) in enumerate(shots.items()):
        take(tmp_path / phone, of_phone, first=100 * number)
    first, second = ((tmp_path / phone, of_phone) for phone, of_phone in shots.items())
    return library(tmp_path / "library", *first, second).folder


def whose(folder: Path, text: str) -> str:
    """The path of the file whose face is named."""
    with open_to_read(folder) as store:
        (face,) = faces_named(store, [text])
        query = (
            "SELECT source.path, file.name FROM face JOIN analysis ON analysis.id = face.analysis"
            " JOIN file ON file.digest = analysis.digest JOIN source ON source.id = file.source WHERE face.id = ?"
        )
        source, name = store.connection.execute(query, (face,)).fetchone()
    return str(Path(source.decode()).relative_to(folder.parent) / name)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("phone", ["phone1", "phone2"])
@pytest.mark.parametrize("number", ["", "#0"])
def test_a_file_of_two_phones_is_named_by_any_of_its_paths(
    name: str, phone: str, number: str, two_phones: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = f"{phone}/{name}"
    for text in (f"{phone}/{name}", str(two_phones.parent / phone / name)):
        assert whose(two_phones, text + number) == wanted
    (two_phones.parent / "link").symlink_to(two_phones.parent / phone)
    monkeypatch.chdir(two_phones.parent)
    for text in (f"./{phone}/{name}", f"library/../{phone}/{name}", f"link/{name}"):
        assert whose(two_phones, text + number) == wanted
    monkeypatch.chdir(phone)
    assert whose(two_phones, name + number) == wanted


def test_an_ambiguous_name_is_an_error_that_lists_the_paths_to_name(two_phones: Path) -> None:
    with open_to_read(two_phones) as store:
        with pytest.raises(DecisionError) as caught:
            faces_named(store, ["IMG_0001.jpg"])
        for phone in ("phone1", "phone2"):
            assert str(two_phones.parent / phone / "IMG_0001.jpg") in caught.value.problem
        for missing in (
            "phone3/IMG_0001.jpg",
            "/elsewhere/phone1/IMG_0001.jpg",
            "no.jpg",
            "a\0b",
            "#",
            "@",
            "x#" + "9" * 5000,
        ):
            with pytest.raises(DecisionError, match="There is no picture"):
                faces_named(store, [missing])


def test_the_exact_spelling_goes_before_another_unicode_form_and_another_case(tmp_path: Path) -> None:
    shots = [Shot(name, (0,), BOX) for name in ("x/u\u0308.jpg", "x/\u00fc.jpg", "y/e\u0301.jpg", "IMG.JPG", "img.jpg")]
    take(tmp_path / "s", shots)
    folder = library(tmp_path / "library", tmp_path / "s", shots).folder
    for shot in shots[:2]:
        assert whose(folder, shot.name) == f"s/{shot.name}"
        assert whose(folder, shot.name.removeprefix("x/")) == f"s/{shot.name}"
    assert whose(folder, unicodedata.normalize("NFC", "y/e\u0301.jpg")) == "s/y/e\u0301.jpg"
    assert whose(folder, unicodedata.normalize("NFC", "e\u0301.jpg#0")) == "s/y/e\u0301.jpg"
    assert (whose(folder, "IMG.JPG"), whose(folder, "img.jpg")) == ("s/IMG.JPG", "s/img.jpg")
    with open_to_read(folder) as store, pytest.raises(DecisionError, match="Several pictures"):
        faces_named(store, ["Img.jpg"])


def test_a_mark_may_be_part_of_a_name(tmp_path: Path) -> None:
    shots = [Shot(name, (0,), BOX) for name in ("hash#2.jpg", "at@150.jpg", "f#1/in.jpg")]
    take(tmp_path / "s", shots)
    folder = library(tmp_path / "library", tmp_path / "s", shots).folder
    for shot in shots:
        assert whose(folder, shot.name) == whose(folder, f"{shot.name}#0") == f"s/{shot.name}"


def test_a_name_that_two_people_have_means_neither_and_is_told(album: Album) -> None:
    """While somebody's pictures are away, another may be given the name; then they come back."""
    library, ada, other = album.library, album.person("a"), album.person("b")
    library.name(ada, "Ada")
    album.remove(album.files(ada))
    album.cluster()
    library.name(other, "Ada")
    with open_to_write(library.folder) as store, store.transaction() as connection:
        connection.execute("UPDATE file SET present = 1")
    album.cluster()
    assert library.people.filter(pl.col("name") == "Ada").height == 2
    for deed in (lambda: library.ignore("Ada"), lambda: library.erase("Ada", dry_run=True)):
        with pytest.raises(DecisionError, match=r"Several people are called Ada: 1, 2\."):
            deed()
    told = Summary.of(library.faces, {}, {})
    assert told.shared_names == ("Ada",)
    assert "Several people are called Ada" in "\n".join(summary_lines(Added(1, 1, 0, 0, 0, 0, 0), told))
    library.merge(ada, other)
    assert library.person("Ada").id == ada
    assert Summary.of(library.faces, {}, {}).shared_names == ()
