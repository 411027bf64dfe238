from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from tests.api.conftest import SHOTS
from tests.made_library import Shot, library, take

from unmingle.api import ExportOptions, Library
from unmingle.api.importing import Left, assign
from unmingle.api.named_rows import NO_FACE, NOT_THERE, OTHER_FOLDER, SEVERAL
from unmingle.errors import LabelsError, SourceError
from unmingle.export.xmp import packet
from unmingle.sources.orientation import to_upright
from unmingle.sources.regions import FACE, Region, read_packet, read_stored

if TYPE_CHECKING:
    from pathlib import Path

    from tests.api.conftest import Set

needs_exiftool = pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed")


def names(one: Library) -> dict[tuple[str, int], str]:
    return {(file, face): name for file, face, name in one.faces.select("file", "face", "name").iter_rows() if name}


def draw(sidecar: Path, *regions: Region, size: tuple[int, int] = (400, 300)) -> None:
    sidecar.parent.mkdir(parents=True, exist_ok=True)
    sidecar.write_bytes(packet(regions, width=size[0], height=size[1], orientation=1))


@pytest.mark.parametrize("embed", [False, pytest.param(True, marks=needs_exiftool)])
def test_names_go_out_and_come_back_in_every_orientation(embed: bool, pictures: Set) -> None:
    first = pictures.named()
    out = pictures.folder / "out"
    first.export("xmp", out, ExportOptions(embed=embed))
    second = pictures.library("second")
    assert names(second) == {}
    done = second.import_names(out)
    assert (done.faces, done.known, done.left) == (16, 0, ())
    assert len(names(first)) == 16
    assert names(second) == names(first)
    assert second.import_names(out).known == 16
    assert second.import_names(out).decisions == ()
    again = pictures.folder / "again"
    second.export("xmp", again)
    for sidecar in again.rglob("*.xmp"):  # out again unchanged
        if not embed:
            assert sidecar.read_bytes() == (out / sidecar.relative_to(again)).read_bytes()
    for decision in done.decisions:
        second.undo(decision.id)
    assert names(second) == {}


def test_regions_keep_their_places_to_a_pixel(pictures: Set) -> None:
    first = pictures.named()
    out = pictures.folder / "out"
    first.export("xmp", out, ExportOptions(faces="all"))
    for shot in SHOTS:
        read = read_packet((out / f"{shot.name}.xmp").read_bytes())
        stored = read_stored(pictures.source / shot.name)
        assert read.size == (stored.width, stored.height)
        for region, box in zip(read.regions, shot.boxes, strict=True):
            assert region.area is not None
            x, y, width, height = to_upright(region.area, shot.orientation)
            found = np.array([x - width / 2, y - height / 2, x + width / 2, y + height / 2]) * np.tile(shot.size, 2)
            left, top = max(box[0], 0), max(box[1], 0)
            right, bottom = min(box[0] + box[2], shot.size[0]), min(box[1] + box[3], shot.size[1])
            assert np.abs(found - [left, top, right, bottom]).max() < 0.01


def test_a_table_of_names_comes_in_and_the_tables_of_a_library_do(pictures: Set) -> None:
    first = pictures.named()
    second = pictures.library("second")
    second.import_names(first.folder / "faces.csv")
    assert names(second) == names(first)
    third = pictures.library("third")
    table = pictures.folder / "names.csv"
    table.write_text(
        "file,face,name\n2020/party1.jpg,1,Eve\n2020/party0.jpg,,Ada\n2020/party0.jpg,5,Bob\nno.jpg,,Bob\n,,\n"
    )
    done = third.import_names(table)
    assert names(third)["2020/party1.jpg", 1] == "Eve"
    assert names(third)["2020/party0.jpg", 0] == "Ada"
    assert len(names(third)) == 16  # whom the face belongs to has the name, and so have the other faces
    assert [(one.name, one.why) for one in done.left] == [("Bob", "there is no face 5"), ("Bob", NOT_THERE)]
    assert [decision.by for decision in done.decisions] == ["import"] * 4


def test_what_is_not_taken_is_told_with_the_reason(pictures: Set) -> None:
    one = pictures.library("one")
    folder = pictures.folder / "sidecars"
    right = Region("Ada", FACE, (0.49, 0.47, 0.22, 0.33))  # about where the face of party0 is
    draw(
        folder / "2020" / "party0.jpg.xmp",
        right,
        Region("Bob", FACE, (0.1, 0.1, 0.05, 0.05)),
        Region("", FACE, right.area),
    )
    draw(folder / "2020" / "party2.jpg.xmp", right, Region("Rex", "Pet", right.area), Region("Eve", FACE, right.area))
    draw(folder / "2020" / "party4.jpg.xmp", Region("Ann", FACE, right.area), size=(400, 100))
    draw(folder / "2021" / "party0.jpg.xmp", right)
    draw(folder / "nobody.jpg.xmp", right)
    (folder / "broken.jpg.xmp").write_bytes(b"<x")
    draw(folder / "2020" / "party6.jpg.xmp", Region("x" * 201, FACE, right.area))
    done = one.import_names(folder)
    left = {(left.where, left.name): left.why for left in done.left}
    # Party2 is turned (orientation 3), the face near its middle; one of two regions has it.
    assert {name for where, name in left if "party2" in where} in ({"Ada"}, {"Eve"})
    assert left["2020/party0.jpg.xmp", "Bob"] == NO_FACE
    assert left["2020/party4.jpg.xmp", "Ann"] == "drawn on a picture of another shape, 400×100"
    assert left["2021/party0.jpg.xmp", ""] == OTHER_FOLDER
    assert left["nobody.jpg.xmp", ""] == NOT_THERE
    assert "not well-formed" in left["broken.jpg.xmp", ""]
    assert "at most 200" in left["2020/party6.jpg.xmp", "x" * 201]
    assert (done.nameless, done.others) == (1, 1)


def test_one_face_with_two_names_gets_neither(pictures: Set) -> None:
    one = pictures.library("one")
    for number, name in enumerate(("Ada", "Bea")):
        (pictures.folder / f"{number}.csv").write_text(f"file,name\n2020/party0.jpg,{name}\n")
    done = one.import_names(pictures.folder / "0.csv", pictures.folder / "1.csv")
    assert names(one) == {}
    assert [one.name for one in done.left] == ["Ada", "Bea"]
    assert "also called Bea by 1.csv" in done.left[0].why


def test_lightrooms_sidecars_have_no_ending_and_mean_the_one_picture_of_that_name(tmp_path: Path) -> None:
    shots = [Shot(name, (0,), ((150, 90, 90, 100),)) for name in ("a.jpg", "b.jpg", "b.png")]
    take(tmp_path / "pictures", shots)
    one = library(tmp_path / "one", tmp_path / "pictures", shots)
    for name in ("a", "b"):
        draw(tmp_path / "sidecars" / f"{name}.xmp", Region("Ada", FACE, (0.49, 0.47, 0.22, 0.33)))
    done = one.import_names(tmp_path / "sidecars")
    assert done.left == (Left("b.xmp", "", SEVERAL),)
    assert names(one)["a.jpg", 0] == "Ada"


def test_regions_drawn_on_the_picture_as_shown_are_known_by_their_dimensions(tmp_path: Path) -> None:
    """Against the standard, yet some do it; the dimensions tell."""
    shot = Shot("a.jpg", (0, 1), ((20, 30, 90, 100), (280, 180, 90, 100)), orientation=6)
    take(tmp_path / "pictures", [shot])
    one = library(tmp_path / "one", tmp_path / "pictures", [shot])
    draw(tmp_path / "a.jpg.xmp", Region("Ada", FACE, (0.16, 0.27, 0.22, 0.33)), size=(400, 300))
    one.import_names(tmp_path / "a.jpg.xmp")
    assert names(one) == {("a.jpg", 0): "Ada"}


def test_sidecars_do_when_the_pictures_are_gone(pictures: Set) -> None:
    first, second = pictures.named(), pictures.library("second")
    first.export("xmp", pictures.folder / "out")
    shutil.rmtree(pictures.source)
    assert second.import_names(pictures.folder / "out").faces == 16
    assert names(second) == names(first)


def test_the_librarys_own_pictures_are_known_by_their_place(tmp_path: Path) -> None:
    shots = [Shot(f"{folder}/a.png", (0,), ((150, 90, 90, 100),)) for folder in ("x", "y")]
    take(tmp_path / "pictures", shots)
    one = library(tmp_path / "one", tmp_path / "pictures", shots)
    draw(tmp_path / "pictures" / "x" / "a.png.xmp", Region("Ada", FACE, (0.49, 0.47, 0.22, 0.33)))
    assert one.import_names(tmp_path / "pictures" / "x").left == ()
    decided = one.decisions[-1]
    assert (decided.words, decided.faces) == ("1 face is Ada", 0)


def test_what_cant_be_read_at_all_is_an_error(pictures: Set) -> None:
    one = pictures.library("one")
    (pictures.folder / "empty").mkdir()
    (pictures.folder / "n.csv").write_text("a,b\n1,2\n")
    for source, kind in (("missing", SourceError), ("empty", SourceError), ("n.csv", LabelsError)):
        with pytest.raises(kind):
            one.import_names(pictures.folder / source)


def test_each_region_finds_the_face_of_the_best_assignment_of_all() -> None:
    faces = [(0.3, 0.5, 0.2, 0.2), (0.4, 0.5, 0.2, 0.2), None]
    assert assign([(0.35, 0.5, 0.2, 0.2), (0.3, 0.5, 0.2, 0.2)], faces) == [1, 0]
    assert assign([(0.9, 0.9, 0.1, 0.1)], faces) == [None]
    assert assign([], faces) == []
    assert assign([(0.5, 0.5, 0.1, 0.1)], []) == [None]


def test_exported_tables_come_back_through_polars_and_sheets(pictures: Set) -> None:
    first, second = pictures.named(), pictures.library("second")
    first.export("xlsx", pictures.folder / "out")
    second.import_names(pictures.folder / "out" / "unmingle.xlsx")
    assert names(second) == names(first)
    assert second.people.filter(pl.col("name") != "").height == 2
