"""Libraries side by side, of real files and made-up faces."""

from __future__ import annotations

import json
from dataclasses import astuple
from typing import TYPE_CHECKING

import polars as pl
import pytest
from PIL import Image
from tests.api.conftest import SHOTS
from tests.api.test_recordings import watched
from tests.made_library import Shot, library, take

from unmingle.errors import SourceError
from unmingle.render.comparisons import as_json, lines, side_rows

if TYPE_CHECKING:
    from pathlib import Path

    from tests.api.conftest import Set

    from unmingle.api import Library


def whose(library: Library, file: str, face: int = 0) -> int:
    rows = library.faces.filter((pl.col("file") == file) & (pl.col("face") == face))
    return int(rows["person"][0])


@pytest.fixture
def two(pictures: Set) -> tuple[Library, Library]:
    """A library, and another in which one person is split, two are one, a face is left out, and a person ignored."""
    return pictures.library("one"), pictures.library("other")


def test_a_library_is_what_it_is(two: tuple[Library, Library]) -> None:
    found = two[0].compare(str(two[1].folder), labels="folders")
    assert set(found.faces["fate"]) == {"same"}
    assert (len(found.same), found.split, found.merged, found.gone, found.new) == (3, (), (), (), ())
    assert found.agreement is not None
    assert found.agreement.pairwise == found.agreement.bcubed == found.agreement.ari == found.agreement.ami == 1
    assert found.judged is not None
    assert (found.judged.mended, found.judged.broken) == (0, 0)
    assert found.pictures == len(SHOTS)
    assert found.a.settings == found.b.settings


def test_what_was_split_merged_and_left_out_is_told_from_both_sides(two: tuple[Library, Library]) -> None:
    one, other = two
    other.split(["2020/party1.jpg", "2020/party3.jpg"])
    other.reject(["2020/party5.jpg"], whose(other, "2020/party5.jpg"))
    other.ignore(whose(other, "2020/party1.jpg", 1))
    other.not_a_face(["2020/party0.jpg"])
    other.name(whose(other, "2020/party3.jpg"), "Ada")
    found = one.compare(other)
    (split,) = found.split
    assert split.whole.faces == 8
    assert [(part.name, part.faces) for part in split.parts] == [("", 5), ("Ada", 2), ("", 1)]
    assert [part.person is None for part in split.parts] == [False, False, True]
    assert [one.whole.faces for one in found.gone] == [8]
    fates = dict(found.faces["fate"].value_counts().iter_rows())
    assert fates == {"same": 5 + 7, "moved": 2, "left_out_b": 1 + 8 + 1}
    assert {status for status, _, _ in found.left_out("b")} == {"ignored", "not_a_face", "alone"}
    back = other.compare(one)
    (merged,) = back.merged
    assert merged.whole == split.whole
    assert merged.parts == split.parts
    assert [one.whole.faces for one in back.new] == [8]
    assert back.left_out("a") == found.left_out("b")
    assert found.agreement is not None
    assert back.agreement is not None
    assert astuple(back.agreement) == pytest.approx(astuple(found.agreement))
    text = "\n".join(lines(found))
    assert "1 person of A, split in B:\n  Person " in text
    assert ", Ada (2), nobody (1)" in text
    assert "1 person of A, all of whose faces are nobody's in B:\n  Person " in text
    assert "ignored: a stranger" in text
    document = json.loads(as_json(found))
    assert document["people"]["split"][0]["parts"][1]["name"] == "Ada"
    assert len(document["faces"]) == 2 + 10
    assert side_rows(found, settings="all")[-1][1:] == ("24", "14")


def test_labels_say_who_was_right(tmp_path: Path) -> None:
    shots = [
        Shot(f"{name}/{i}.png", (number,), ((10, 10, 80, 90),)) for number, name in enumerate("xyz") for i in range(4)
    ]
    take(tmp_path / "pictures", shots)
    one, other = (library(tmp_path / name, tmp_path / "pictures", shots) for name in ("one", "other"))
    other.split(["x/0.png", "x/1.png", "x/2.png"])
    one.merge(whose(one, "y/0.png"), whose(one, "z/0.png"))
    found = one.compare(other, labels="folders")
    assert found.judged is not None
    assert (found.judged.right, found.judged.mended, found.judged.broken, found.judged.wrong) == (7, 4, 1, 0)
    split, apart = sorted(found.split, key=lambda change: change.mended)
    assert (split.mended, split.broken) == (0, 1)
    assert (apart.mended, apart.broken) == (4, 0)
    assert found.faces.filter(pl.col("verdict") == "broken")["file"].to_list() == ["x/3.png"]
    text = "\n".join(lines(found))
    assert "By the labels A is right, on 1 picture\n" in text
    assert "By the labels B is right, on 4 pictures\n" in text


def test_pictures_saved_again_are_known_by_their_names(tmp_path: Path) -> None:
    shots = [Shot(f"{i}.png", (i % 2,), ((100, 90, 80, 80),)) for i in range(8)]
    smaller = [Shot(f"{i}.png", (i % 2,), ((50, 45, 40, 40),), size=(200, 150)) for i in range(8)]
    smaller[7] = Shot("7.png", (1,), ((150, 100, 40, 40),), size=(200, 150))
    take(tmp_path / "large", shots)
    take(tmp_path / "small", [*smaller, Shot("new.png", (), ())])
    one = library(tmp_path / "one", tmp_path / "small", [*smaller, Shot("new.png", (), ())])
    for i in range(4):
        Image.new("RGB", (400, 300), (i, 0, 91)).save(tmp_path / "large" / f"{i}.png")
    other = library(tmp_path / "other", tmp_path / "large", shots)
    found = one.compare(other)
    assert (found.pictures, found.by_name, found.only_a, found.only_b) == (8, 8, 1, 0)
    assert found.count("same") == 7
    assert (found.count("missing_a"), found.count("missing_b")) == (1, 1)
    assert found.left_out("b") == [("not_found", "no face was found there", 1)]
    told = lines(found)
    assert told[0] == "Pictures that both have: 8, 8 of them known by their names only"
    assert told[1] == "Only A has 1 picture more, of which nothing is said here"


def test_nothing_in_common(tmp_path: Path) -> None:
    made = []
    for name in ("one", "other"):
        shots = [Shot(f"{name}.png", (0,), ((10, 10, 80, 90),), size=(300 + len(name), 200))]
        take(tmp_path / f"pictures of {name}", shots)
        made.append(library(tmp_path / name, tmp_path / f"pictures of {name}", shots))
    with pytest.raises(SourceError, match="no picture in common"):
        made[0].compare(made[1])


def test_recordings_are_compared_frame_by_frame(tmp_path: Path) -> None:
    one, other = (watched(tmp_path / name, tmp_path / "a.mp4") for name in ("one", "other"))
    first, second = other.people["person"].to_list()
    faces = one.faces.height
    other.merge(first, second)
    found = one.compare(other)
    assert (found.pictures, found.faces.height) == (1, faces)
    assert [(change.whole.faces, len(change.parts)) for change in found.merged] == [(faces, 2)]
    assert found.faces["frame"].n_unique() == one.faces["frame"].n_unique()
    page = one.write_comparison(other, found, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Put together in B" in page
