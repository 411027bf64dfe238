"""What goes out of one library and comes back into it or another, also where folders share the names of their files."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import polars as pl
import pytest
from tests.made_library import Shot, library, take

from unmingle.api import ExportOptions, Library
from unmingle.exchange.exporting import Target
from unmingle.exchange.named_faces import ELSEWHERE, SEVERAL

needs_exiftool = pytest.mark.debian("exiftool")
BOXES = (((20.0, 30.0, 90.0, 100.0), (280.0, 180.0, 90.0, 100.0)), ((150.0, 90.0, 90.0, 100.0),))
NAMES = ("IMG_0001.jpg", "sub/IMG_0001.jpg", " lead.jpg", "new\nline,comma;.jpg", "back\\slash.jpg", "IMG_0002.jpg")


def of_phone(number: int) -> list[Shot]:
    """Of the first phone two people on each picture, of the second one, all of them others."""
    people = ((0, 1), (2,))[number]
    return [Shot(name, people, BOXES[number]) for name in NAMES]


@pytest.fixture(params=["phone1 phone2", "one/DCIM two/DCIM"])
def phones(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path]:
    first, second = (tmp_path / "sources" / name for name in request.param.split())
    take(first, of_phone(0))
    take(second, of_phone(1), first=100)
    return first, second


def make(folder: Path, phones: tuple[Path, Path]) -> Library:
    first, second = phones
    return library(folder, first, of_phone(0), (second, of_phone(1)))


def named(one: Library) -> dict[tuple[str, str, int], str]:
    rows = one.faces.select("source", "file", "face", "name").iter_rows()
    return {(source, file, face): name for source, file, face, name in rows if name}


def name_all(one: Library, phones: tuple[Path, Path]) -> None:
    for path, name in (("IMG_0001.jpg", "Ada"), ("IMG_0001.jpg#1", "Ben")):
        one.name(whose(one, f"{phones[0]}/{path}"), name)
    one.name(whose(one, f"{phones[1]}/IMG_0001.jpg"), "Eve")


def whose(one: Library, face: str) -> int:
    person = one.find_face(face).person
    assert person is not None
    return person


TARGETS = ["csv", "xlsx", "parquet", "json", "folders", "xmp", pytest.param("embed", marks=needs_exiftool)]


@pytest.mark.parametrize("target", TARGETS)
def test_names_of_two_phones_come_back_to_the_right_one_each(
    target: Literal[Target, "embed"],
    phones: tuple[Path, Path],
    tmp_path: Path,
) -> None:
    first = make(tmp_path / "first", phones)
    name_all(first, phones)
    out = tmp_path / "out"
    done = first.export("xmp" if target == "embed" else target, out, ExportOptions(embed=target == "embed"))
    assert (done.left_out, done.in_the_way) == ((), ())
    second = make(tmp_path / "second", phones)
    told = second.import_names(out)
    assert told.left == ()
    assert named(second) == named(first)
    assert len(named(first)) == 18
    assert second.import_names(out).decisions == ()
    (tmp_path / "sources").rename(tmp_path / "moved")
    here = {str(phone): str(phone).replace("/sources/", "/moved/") for phone in phones}
    third = make(tmp_path / "third", (Path(here[str(phones[0])]), Path(here[str(phones[1])])))
    assert third.import_names(out).left == ()
    assert named(third) == {(here[source], file, face): name for (source, file, face), name in named(first).items()}


def test_a_row_of_a_phone_that_is_not_there_takes_no_face_of_another(tmp_path: Path) -> None:
    phones = tmp_path / "phone1", tmp_path / "phone2"
    take(phones[0], of_phone(0))
    take(phones[1], of_phone(1), first=100)
    both = make(tmp_path / "both", phones)
    name_all(both, phones)
    table = both.faces.filter(pl.col("source") == str(phones[0]))
    table.write_csv(tmp_path / "names.csv")
    alone = library(tmp_path / "alone", phones[1], of_phone(1))
    told = alone.import_names(tmp_path / "names.csv")
    assert named(alone) == {}
    assert {one.why for one in told.left} == {ELSEWHERE}
    renamed = tmp_path / "p2"
    phones[1].rename(renamed)
    third = library(tmp_path / "third", renamed, of_phone(1))
    both.faces.write_csv(tmp_path / "all.csv")
    third.import_names(tmp_path / "all.csv")
    assert set(named(third).values()) <= {"Eve"}
    both.faces.filter(pl.col("source") == str(phones[1])).write_csv(tmp_path / "two.csv")
    assert third.import_names(tmp_path / "two.csv").left == ()
    assert set(named(third).values()) == {"Eve"}
    assert len(named(third)) == len(NAMES)


def test_where_a_moved_phone_can_be_either_nothing_is_guessed(tmp_path: Path) -> None:
    phones = tmp_path / "phone1", tmp_path / "phone2"
    take(phones[0], of_phone(0))
    take(phones[1], of_phone(1), first=100)
    one = make(tmp_path / "one", phones)
    (tmp_path / "names.csv").write_text("source,file,name\n/gone/phone3,IMG_0001.jpg,Ada\n")
    told = one.import_names(tmp_path / "names.csv")
    assert [left.why for left in told.left] == [SEVERAL]
    assert named(one) == {}
