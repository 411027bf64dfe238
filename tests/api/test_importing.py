from __future__ import annotations

import importlib
import json
import os
import re
import shutil
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from PIL import Image
from tests.api.conftest import SHOTS
from tests.made_library import Shot, library, take

from unmingle.api import ExportOptions, Library
from unmingle.errors import LabelsError, SourceError
from unmingle.exchange.importing import NO_PLACE, OTHER_LIST, OWN_SIDECARS, Left, assign
from unmingle.exchange.named_faces import NO_FACE, NOT_THERE, OTHER_FOLDER, SEVERAL, SEVERAL_PEOPLE, UNREAD, WHICH_FACE
from unmingle.exchange.region_sources import WHICH_WAY_UP
from unmingle.exchange.xmp import packet
from unmingle.sources.regions import (
    FACE,
    NAMESPACES,
    SCHEMAS,
    Region,
    read_packet,
    read_stored,
    to_stored,
    to_upright,
)
from unmingle.store.face_query import pictures as query_pictures
from unmingle.store.sqlite import open_to_write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.api.conftest import Set

RDF, IPTC = NAMESPACES["rdf"], NAMESPACES["iptc"]
MICROSOFT, MICROSOFT_INFO, MICROSOFT_REGION = (NAMESPACES[prefix] for prefix in ("MP", "MPRI", "MPReg"))
needs_exiftool = pytest.mark.debian("exiftool")


def names(one: Library) -> dict[tuple[str, int], str]:
    return {(file, face): name for file, face, name in one.faces.select("file", "face", "name").iter_rows() if name}


def draw(sidecar: Path, *regions: Region, size: tuple[int, int] = (400, 300)) -> None:
    sidecar.parent.mkdir(parents=True, exist_ok=True)
    """As most programs do: in one schema."""
    sidecar.write_bytes(packet(regions, width=size[0], height=size[1], orientation=1, schemas=("MWG",)))


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
        for region, box in zip(read.regions, [*shot.boxes] * len(SCHEMAS), strict=True):
            assert region.area is not None
            x, y, width, height = to_upright(region.area, shot.orientation)
            found = np.array([x - width / 2, y - height / 2, x + width / 2, y + height / 2]) * np.tile(shot.size, 2)
            left, top = max(box[0], 0), max(box[1], 0)
            right, bottom = min(box[0] + box[2], shot.size[0]), min(box[1] + box[3], shot.size[1])
            assert np.abs(found - [left, top, right, bottom]).max() < 0.01
    # A face without a name counts once, though each schema has it.
    unnamed = sum(len(shot.boxes) for shot in SHOTS) - len(names(first))
    assert pictures.library("second").import_names(out).nameless == unnamed


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
    # Party2 is turned (orientation 3), the face near its middle; two regions name it, and neither is taken.
    assert {name for where, name in left if "party2" in where} == {"Ada", "Eve"}
    assert left["2020/party2.jpg.xmp", "Ada"] == "also called Eve by 2020/party2.jpg.xmp"
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


@pytest.mark.parametrize(
    ("orientation", "size", "named"),
    [
        (1, (400, 300), True),
        (6, (400, 300), True),
        (6, (300, 400), True),
        (3, (400, 300), False),
        (6, (400, 400), False),
    ],
)
def test_acdsees_regions_are_taken_where_their_dimensions_tell_which_way_up(
    orientation: int, size: tuple[int, int], named: bool, tmp_path: Path
) -> None:
    shot = Shot("a.jpg", (0,), ((150, 90, 90, 100),), size=size, orientation=orientation)
    take(tmp_path / "pictures", [shot])
    one = library(tmp_path / "one", tmp_path / "pictures", [shot])
    area = f't:x="{195 / size[0]}" t:y="{140 / size[1]}" t:w="{90 / size[0]}" t:h="{100 / size[1]}"'
    (tmp_path / "pictures" / "a.xmp").write_text(
        f"""<rdf:RDF xmlns:rdf="{RDF}" xmlns:a="http://ns.acdsee.com/regions/" xmlns:t="http://ns.acdsee.com/sType/Area#">
        <rdf:Description><a:Regions rdf:parseType="Resource"><a:AppliedToDimensions
        xmlns:m="http://ns.acdsee.com/sType/Dimensions#" m:w="{size[0]}" m:h="{size[1]}"/><a:RegionList><rdf:Bag>
        <rdf:li><rdf:Description a:Name="Ada" a:Type="Face"><a:DLYArea {area}/></rdf:Description></rdf:li>
        </rdf:Bag></a:RegionList></a:Regions></rdf:Description></rdf:RDF>"""
    )
    if named:  # what is inside of the picture is not hidden by it
        inside(tmp_path / "pictures" / "a.jpg", Region("Rex", "Pet", ON_FACE))
    done = one.import_names(tmp_path / "pictures")
    left = done.left
    assert done.others == named
    assert left == (() if named else (Left("a.xmp", "Ada", WHICH_WAY_UP),))
    assert bool(names(one)) == named


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
    assert second.import_names(pictures.folder / "out" / "unmingle.xlsx").left == ()  # not even the sheet of people
    assert names(second) == names(first)
    assert second.people.filter(pl.col("name") != "").height == 2


ON_FACE = (0.49, 0.47, 0.22, 0.33)  # of a picture that is 400 by 300: where the face of `one_face` is


def one_face(folder: Path, *names: str) -> Library:
    """A library of pictures in `folder`/pictures, with one face each, none of them a person."""
    shots = [Shot(name, (number,), ((150, 90, 90, 100),)) for number, name in enumerate(names)]
    take(folder / "pictures", shots)
    return library(folder / "one", folder / "pictures", shots)


def inside(picture: Path, *regions: Region) -> None:
    """Put regions into a JPEG."""
    written = packet(regions, width=400, height=300, orientation=1, schemas=("MWG",))
    content = b"http://ns.adobe.com/xap/1.0/\0" + written
    jpeg = picture.read_bytes()
    picture.write_bytes(jpeg[:2] + b"\xff\xe1" + (len(content) + 2).to_bytes(2, "big") + content + jpeg[2:])


ADA, OLD = Region("Ada", FACE, ON_FACE), Region("Old", FACE, ON_FACE)


@pytest.mark.parametrize("sidecar", ["a.jpg.xmp", "a.xmp", "A.JPG.XMP", "A.xmp", "a.jpg.XMP"])
@pytest.mark.parametrize("named", [".", "a.jpg"])
def test_a_sidecar_wins_over_what_is_inside_of_its_picture(sidecar: str, named: str, tmp_path: Path) -> None:
    one = one_face(tmp_path, "a.jpg")
    pictures = tmp_path / "pictures"
    inside(pictures / "a.jpg", OLD)
    draw(pictures / sidecar, ADA)
    assert one.import_names(pictures / named).left == ()
    assert names(one) == {("a.jpg", 0): "Ada"}


def test_a_sidecar_that_says_nothing_of_regions_leaves_it_to_the_picture_and_an_empty_list_is_the_last_word(
    tmp_path: Path,
) -> None:
    one = one_face(tmp_path, "a.jpg", "b.jpg", "c.jpg")
    pictures = tmp_path / "pictures"
    for name in "abc":
        inside(pictures / f"{name}.jpg", OLD)
    nothing = packet([], width=400, height=300, orientation=1, schemas=())
    (pictures / "a.jpg.xmp").write_bytes(nothing)
    draw(pictures / "b.jpg.xmp")
    (pictures / "c.jpg.xmp").write_bytes(b"cut")
    done = one.import_names(pictures)
    assert names(one) == {("a.jpg", 0): "Old"}
    assert [left.where for left in done.left] == ["c.jpg.xmp"]


def test_a_shared_sidecar_is_of_the_picture_that_has_none_of_its_own(tmp_path: Path) -> None:
    one = one_face(tmp_path, "a.jpg", "a.png", "b.jpg")
    pictures = tmp_path / "pictures"
    draw(pictures / "a.xmp", ADA)
    draw(pictures / "a.png.xmp", Region("Eve", FACE, ON_FACE))
    draw(pictures / "b.xmp", OLD)
    draw(pictures / "b.jpg.xmp", Region("Ben", FACE, ON_FACE))
    done = one.import_names(pictures)
    assert names(one) == {("a.jpg", 0): "Ada", ("a.png", 0): "Eve", ("b.jpg", 0): "Ben"}
    assert [(left.where, left.why) for left in done.left] == [("b.xmp", OWN_SIDECARS)]


def test_a_shared_sidecar_is_of_one_picture_that_is_there_in_several_formats(tmp_path: Path) -> None:
    one = one_face(tmp_path, "a.jpg", "a.tif", "b.jpg", "b.tif")
    with open_to_write(one.folder) as store, store.transaction() as connection:
        face = {picture.held.file.name: picture.faces[0].face for picture in query_pictures(store)}
        copies = [(face["a.tif"], face["a.jpg"]), (face["a.jpg"], face["a.jpg"])]
        connection.executemany('INSERT INTO copy (face, "of") VALUES (?, ?)', copies)
    for name in "ab":
        draw(tmp_path / "pictures" / f"{name}.xmp", ADA)
    assert one.import_names(tmp_path / "pictures").left == (Left("b.xmp", "", SEVERAL),)
    assert names(one) == {("a.jpg", 0): "Ada"}


def test_a_raw_pictures_sidecar_speaks_where_nothing_else_does_and_knows_which_way_up_it_is(tmp_path: Path) -> None:
    pictures, centre, side = tmp_path / "pictures", (80 / 400, 80 / 300), (0.2, 80 / 300)
    shot = Shot("a.jpg", (0, 1), ((40, 40, 80, 80), (280, 180, 80, 80)))  # mirrored by half a turn
    take(pictures, [shot])
    raw = Region("Ada", FACE, (1 - centre[0], 1 - centre[1], *side))
    (pictures / "a.CR3.xmp").write_bytes(packet([raw], width=400, height=300, orientation=3, schemas=("MWG",)))
    for number, said in enumerate(({}, {"a.xmp": "Bob"}, {"a.jpg": "Cid"})):
        for file, name in said.items():
            how = inside if file == "a.jpg" else draw
            how(pictures / file, Region(name, FACE, (*centre, *side)))
        one = library(tmp_path / str(number), pictures, [shot])
        assert one.import_names(pictures).left == ()
        assert names(one) == {("a.jpg", 0): next(iter(said.values()), "Ada")}
        (pictures / "a.xmp").unlink(missing_ok=True)


def test_acdsees_list_is_not_taken_where_there_is_another(tmp_path: Path) -> None:
    one = one_face(tmp_path, "a.jpg")
    inside(tmp_path / "pictures" / "a.jpg", OLD)
    sides = " ".join(f't:{side}="{share}"' for side, share in zip("xywh", ON_FACE, strict=True))
    (tmp_path / "pictures" / "a.jpg.xmp").write_text(
        f"""<rdf:RDF xmlns:rdf="{RDF}" xmlns:a="http://ns.acdsee.com/regions/" xmlns:t="http://ns.acdsee.com/sType/Area#">
        <rdf:Description><a:Regions rdf:parseType="Resource"><a:RegionList><rdf:Bag><rdf:li><rdf:Description
        a:Name="Ada" a:Type="Face"><a:DLYArea {sides}/></rdf:Description></rdf:li></rdf:Bag></a:RegionList></a:Regions>
        </rdf:Description></rdf:RDF>"""
    )
    assert one.import_names(tmp_path / "pictures").left == (Left("a.jpg.xmp", "Ada", OTHER_LIST),)
    assert names(one) == {("a.jpg", 0): "Old"}


@pytest.mark.parametrize("named", [".", "x", "x/a.jpg"])
@pytest.mark.parametrize("sidecar", ["a.xmp", "a.CR3.xmp", "a.NEF.xmp"])
def test_a_raw_pictures_sidecar_is_of_what_lies_beside_it_without_its_ending(
    sidecar: str, named: str, tmp_path: Path
) -> None:
    one = one_face(tmp_path, "x/a.jpg", "y/a.jpg", "y/b.NEF.jpg")
    pictures = tmp_path / "pictures"
    Image.new("RGB", (16, 9)).save(pictures / "x" / "a.NEF", format="TIFF")  # the small copy of another shape
    draw(pictures / "x" / sidecar, ADA)
    draw(pictures / "y" / "b.NEF.xmp", OLD)
    assert one.import_names(pictures / named).left == ()
    assert names(one)["x/a.jpg", 0] == "Ada"
    assert one.import_names(pictures / "y").left == ()
    assert [decision.words for decision in one.decisions if "Old" in decision.words]


def test_of_two_schemas_that_name_one_face_the_standard_is_believed(tmp_path: Path) -> None:
    one = one_face(tmp_path, "a.jpg", "b.jpg", "c.jpg")
    left, top = ON_FACE[0] - ON_FACE[2] / 2, ON_FACE[1] - ON_FACE[3] / 2
    for name, microsofts, far in (("a", "Ada", False), ("b", "Eve", False), ("c", "Ada", True)):
        rectangle = f"{left + far * 0.3}, {top}, {ON_FACE[2]}, {ON_FACE[3]}"
        tagged = (
            f'<MP:RegionInfo xmlns:MP="{MICROSOFT}" xmlns:I="{MICROSOFT_INFO}" xmlns:R="{MICROSOFT_REGION}"'
            f' rdf:parseType="Resource"><I:Regions><rdf:Bag><rdf:li R:Rectangle="{rectangle}"'
            f' R:PersonDisplayName="{microsofts}"/></rdf:Bag></I:Regions></MP:RegionInfo></rdf:Description>'
        )
        whole = packet([ADA], width=400, height=300, orientation=1, schemas=("MWG",)).decode()
        path = tmp_path / "sidecars" / f"{name}.jpg.xmp"
        path.parent.mkdir(exist_ok=True)
        path.write_text(whole.replace("</rdf:Description>", tagged))
    done = one.import_names(tmp_path / "sidecars")
    assert names(one) == {(f"{name}.jpg", 0): "Ada" for name in "abc"}
    assert [(left.where, left.name) for left in done.left] == [("b.jpg.xmp", "Eve")]
    assert "calls this face Ada" in done.left[0].why


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("schema", ["MP", "relative", "pixel"])
def test_the_other_schemas_are_of_the_stored_picture_too(schema: str, orientation: int, tmp_path: Path) -> None:
    boxes = ((20, 30, 90, 100), (280, 180, 90, 100))
    shot = Shot("a.jpg", (0, 1), boxes, orientation=orientation)
    take(tmp_path / "pictures", [shot])
    one = library(tmp_path / "one", tmp_path / "pictures", [shot])
    size = (400, 300) if orientation < 5 else (300, 400)
    items = []
    for name, box in zip(("Ada", "Eve"), boxes, strict=True):
        area = to_stored(((box[0] + 45) / 400, (box[1] + 50) / 300, 90 / 400, 100 / 300), orientation)
        scale = size if schema == "pixel" else (1, 1)
        x, y, width, height = (value * scale[i % 2] for i, value in enumerate(area))
        corner = (x - width / 2, y - height / 2, width, height)
        if schema == "MP":
            items.append(f'<rdf:li R:Rectangle="{", ".join(map(str, corner))}" R:PersonDisplayName="{name}"/>')
        else:
            sides = "".join(f"<e:rb{side}>{value}</e:rb{side}>" for side, value in zip("XYWH", corner, strict=True))
            boundary = f"<e:rbShape>rectangle</e:rbShape><e:rbUnit>{schema}</e:rbUnit>{sides}"
            items.append(
                f'<rdf:li rdf:parseType="Resource"><e:RegionBoundary rdf:parseType="Resource">{boundary}'
                f"</e:RegionBoundary><e:PersonInImage><rdf:Bag><rdf:li>{name}</rdf:li></rdf:Bag></e:PersonInImage></rdf:li>"
            )
    bag = f"<rdf:Bag>{''.join(items)}</rdf:Bag>"
    body = f"<m:RegionInfo rdf:parseType='Resource'><I:Regions>{bag}</I:Regions></m:RegionInfo>"
    body = body if schema == "MP" else f"<e:ImageRegion>{bag}</e:ImageRegion>"
    spaces = f'xmlns:m="{MICROSOFT}" xmlns:I="{MICROSOFT_INFO}" xmlns:R="{MICROSOFT_REGION}" xmlns:e="{IPTC}"'
    (tmp_path / "a.jpg.xmp").write_text(
        f'<rdf:RDF xmlns:rdf="{RDF}"><rdf:Description {spaces}>{body}</rdf:Description></rdf:RDF>'
    )
    assert one.import_names(tmp_path / "a.jpg.xmp").left == ()
    assert names(one) == {("a.jpg", 0): "Ada", ("a.jpg", 1): "Eve"}


@pytest.mark.parametrize(
    "error", [OSError("odd"), RecursionError("deep"), MemoryError(), ValueError("no"), KeyError(1)]
)
@pytest.mark.parametrize("bad", ["a.jpg.xmp", "b.jpg", "n.csv"])
def test_whatever_one_file_does_the_other_names_are_taken(
    bad: str, error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = one_face(tmp_path, "a.jpg", "b.jpg", "c.jpg", "d.jpg")
    pictures = tmp_path / "pictures"
    draw(pictures / "a.jpg.xmp", ADA)
    inside(pictures / "b.jpg", OLD)
    draw(pictures / "c.jpg.xmp", Region("Ben", FACE, ON_FACE))
    (tmp_path / "n.csv").write_text("file,name\nd.jpg,Dan\n")
    for place in ("unmingle.exchange.importing.read_drawn", "unmingle.exchange.named_faces.read_names"):
        module, _, name = place.rpartition(".")
        real = getattr(importlib.import_module(module), name)

        def fails(*given: Any, real: Any = real, **more: Any) -> Any:
            if str(getattr(given[-1], "path", given[-1])).endswith(bad):
                raise error
            return real(*given, **more)

        monkeypatch.setattr(place, fails)
    done = one.import_names(pictures, tmp_path / "n.csv")
    assert [(left.where, left.name) for left in done.left] == [(bad, "")]
    assert type(error).__name__ in done.left[0].why
    every = {"a.jpg": "Ada", "b.jpg": "Old", "c.jpg": "Ben", "d.jpg": "Dan"}
    missing = {"a.jpg.xmp": "a.jpg", "b.jpg": "b.jpg", "n.csv": "d.jpg"}[bad]
    assert names(one) == {(file, 0): name for file, name in every.items() if file != missing}


def test_what_is_not_understood_is_told_with_how_many_it_are(tmp_path: Path) -> None:
    one = one_face(tmp_path, "a.jpg", "b.jpg", "c.jpg")
    pictures = tmp_path / "pictures"
    draw(
        pictures / "a.jpg.xmp",
        ADA,
        Region("Rex", "Pet", ON_FACE),
        Region("", "Focus", ON_FACE),
        Region("", FACE, ON_FACE),
    )
    others = '<o:Faces xmlns:o="http://o.org/"><rdf:Bag><rdf:li>1</rdf:li><rdf:li>2</rdf:li></rdf:Bag></o:Faces>'
    people = f'<e:PersonInImage xmlns:e="{IPTC}"><rdf:Bag><rdf:li>Zed</rdf:li></rdf:Bag></e:PersonInImage>'
    (pictures / "b.jpg.xmp").write_text(
        f'<rdf:RDF xmlns:rdf="{RDF}"><rdf:Description>{others}{people}</rdf:Description></rdf:RDF>'
    )
    (pictures / ".picasa.ini").write_text("[c.jpg]\nfaces=rect64(3f845bcb59418507),8e62398ebda8c1a5\n")
    done = one.import_names(pictures)
    assert (done.faces, done.nameless, done.others) == (1, 2, 2)
    assert dict(done.kinds) == {"Pet": 1, "Focus": 1}
    assert {(left.where, left.name, left.why) for left in done.left} == {
        (".picasa.ini: c.jpg", "", "a region of people in Picasa's contacts.xml: name that file, too"),
        ("b.jpg.xmp", "", "2 regions of another schema, which is not read: http://o.org/"),
        ("b.jpg.xmp", "Zed", NO_PLACE),
    }


def test_picasa_keeps_names_in_a_file_of_each_folder(tmp_path: Path) -> None:
    one = one_face(tmp_path, "a.jpg", "sub/b.jpg", "sub/c.jpg")
    x, y, width, height = ON_FACE
    corners = x - width / 2, y - height / 2, x + width / 2, y + height / 2
    place = "".join(f"{round(side * 0xFFFF):04x}" for side in corners)
    (tmp_path / "pictures" / "sub" / ".picasa.ini").write_text(
        "[Picasa]\nname=Sub\n[Contacts2]\n8e62398ebda8c1a5=Müller, Ada;;\n"
        f"[b.jpg]\nstar=yes\nfaces=rect64(1),ffffffffffffffff;rect64({place}),8e62398ebda8c1a5\n"
        f"[c.jpg]\nfaces=rect64({place}),ffffffffffffffff\n[gone.jpg]\nfaces=rect64({place}),8e62398ebda8c1a5\n",
        encoding="utf-8",
    )
    done = one.import_names(tmp_path / "pictures")
    assert names(one) == {("sub/b.jpg", 0): "Müller, Ada"}
    assert done.nameless == 2
    assert done.left == (Left("sub/.picasa.ini: sub/gone.jpg", "", NOT_THERE),)


@pytest.mark.parametrize(
    ("written", "kept"),
    [("\u2068Ada\u2069", "Ada"), ("\u202bعدا\u202c", "عدا"), ("Unknown", ""), ("?", ""), ("_UNKNOWN_", "")],
)
def test_names_come_without_marks_and_words_for_nobody_are_none(written: str, kept: str, tmp_path: Path) -> None:
    one = one_face(tmp_path, "a.jpg", "b.jpg")
    for name in "ab":
        draw(tmp_path / "sidecars" / f"{name}.jpg.xmp", Region(written, FACE, ON_FACE))
    done = one.import_names(tmp_path / "sidecars")
    assert (sorted(names(one).values()), done.left, done.nameless) == ([kept] * 2 * bool(kept), (), 2 * (not kept))


@pytest.mark.parametrize(
    ("headings", "place"),
    [
        ("left,top,width,height", "280,180,90,100"),
        ("x,y,w,h", "280,180,90,100"),
        ("x_min,y_min,x_max,y_max", "280,180,370,280"),
        ("X1,Y1,X2,Y2", "280,180,370,280"),
        ("left,top,right,bottom", "280,180,370,280"),
        ("x0,y0,x1,y1", "280,180,370,280"),
        ("x_center,y_center,width,height", "0.8125,0.7667,0.225,0.3333"),
        ("bbox_cx,bbox_cy,bbox_w,bbox_h", "325,230,90,100"),
        ("left,top,width,height", "0.7,0.6,0.225,0.3333"),
        ("width,height,xmin,ymin,xmax,ymax", "400,300,280,180,370,280"),
        ("width,height,left,top,right,bottom", "400,300,280,180,370,280"),
        ("width,height,x,y,w,h", "400,300,280,180,90,100"),
        ("width,height,bbox_x,bbox_y,bbox_width,bbox_height", "400,300,280,180,90,100"),
        ("BoundingBox.Left,BoundingBox.Top,BoundingBox.Width,BoundingBox.Height", "0.7,0.6,0.225,0.3333"),
        ("left;top;width;height", "280,0;180,5;90;100,25"),
        ("left;top;width;height", "0,7;0,6;0,225;0,3333"),
    ],
)
def test_a_table_tells_which_face_by_its_place(headings: str, place: str, tmp_path: Path) -> None:
    shots = [Shot("a.jpg", (0, 1), ((20, 30, 90, 100), (280, 180, 90, 100)))]
    take(tmp_path / "pictures", shots)
    one = library(tmp_path / "one", tmp_path / "pictures", shots)
    sign = ";" if ";" in headings else ","
    (tmp_path / "names.csv").write_text(f"file{sign}name{sign}{headings}\na.jpg{sign}Eve{sign}{place}\n")
    assert one.import_names(tmp_path / "names.csv").left == ()
    assert names(one) == {("a.jpg", 1): "Eve"}


def test_names_in_picasas_own_folder_are_read_where_it_is_named_too(tmp_path: Path) -> None:
    one = one_face(tmp_path, "a.jpg")
    contacts = tmp_path / "contacts.xml"
    contacts.write_text(
        '<contacts>\n <contact id="0b7e3f1d6ed23a1b" name="Zoë &amp; A" display=""/>\n</contacts>', "utf-8"
    )
    x, y, width, height = ON_FACE
    corners = x - width / 2, y - height / 2, x + width / 2, y + height / 2
    place = "".join(f"{round(side * 0xFFFF):04x}" for side in corners)
    (tmp_path / "pictures" / ".picasa.ini").write_text(f"[a.jpg]\nfaces=rect64({place}),b7e3f1d6ed23a1b\n")
    assert one.import_names(tmp_path / "pictures").faces == 0
    (left,) = one.import_names(contacts).left
    assert (left.where, left.why.partition(":")[0]) == ("contacts.xml", "only says how people are called")
    done = one.import_names(tmp_path / "pictures", contacts)
    assert (names(one), done.left) == ({("a.jpg", 0): "Zoë & A"}, ())


def test_boxes_as_coco_has_them_come_back(pictures: Set) -> None:
    first = pictures.named()
    first.export("coco", pictures.folder / "out", ExportOptions(faces="all"))
    coco = pictures.folder / "out" / "coco.json"
    second, third = pictures.library("second"), pictures.library("third")
    done = second.import_names(pictures.folder / "out")
    assert (names(second), done.left, done.nameless) == (names(first), (), len(first.faces) - 16)
    said = json.loads(coco.read_bytes())
    for one in said["images"]:  # drawn on smaller copies
        one["width"], one["height"] = one["width"] // 2, one["height"] // 2
    for one in said["annotations"]:
        one["bbox"] = [side / 2 for side in one["bbox"]]
    coco.write_text(json.dumps(said))
    third.import_names(coco)
    assert names(third) == names(first)
    said["annotations"][0]["bbox"][2] = 0
    coco.write_text(json.dumps(said))
    fourth = pictures.library("fourth")
    assert [left.why for left in fourth.import_names(coco).left] == []  # the other pictures tell who it is
    assert names(fourth) == names(first)
    del said["annotations"][0]["bbox"]
    coco.write_text(json.dumps(said))
    whole = third.import_names(coco)
    assert (whole.left, names(third)) == ((), names(first))
    said["annotations"][0]["category_id"] = -1  # which is not listed
    coco.write_text(json.dumps(said))
    done = third.import_names(coco)
    assert (done.left, done.nameless) == ((), whole.nameless + 1)
    said["images"].append(said["images"][0])  # which is one picture all the same
    coco.write_text(json.dumps(said))
    assert third.import_names(coco).left == ()
    said["images"].pop()
    gone = said["images"].pop()
    coco.write_text(json.dumps(said))
    (left,) = third.import_names(coco).left
    assert (left.where, left.why) == (f"coco.json: image {gone['id']}, which is not listed", "not in the library")
    del said["images"]
    coco.write_text(json.dumps(said))
    (left,) = third.import_names(coco).left
    assert left.why.startswith("JSON, but neither a table nor as COCO has it")


def test_rows_with_columns_called_as_in_coco_are_a_table(tmp_path: Path) -> None:
    one = one_face(tmp_path, "a.jpg", "b.jpg")
    rows = ({"info": "", "file": "a.jpg", "name": "Ada"}, {"info": "x", "file": "b.jpg", "name": "Ben"})
    (tmp_path / "n.json").write_text("\n".join(map(json.dumps, rows)))
    assert one.import_names(tmp_path / "n.json").left == ()
    assert names(one) == {("a.jpg", 0): "Ada", ("b.jpg", 0): "Ben"}
    (tmp_path / "pictures" / "coco.json").write_text('{"epochs": 12}')  # of whatever else is called so
    assert one.import_names(tmp_path / "pictures").left == ()


def test_who_is_in_a_picture_twice_is_taken_and_told(tmp_path: Path) -> None:
    shots = [Shot(name, (0, 1), ((20, 30, 90, 100), (280, 180, 90, 100))) for name in ("a.jpg", "b.jpg")]
    take(tmp_path / "pictures", shots)
    one = library(tmp_path / "one", tmp_path / "pictures", shots)
    (tmp_path / "n.csv").write_text("file,face,name\na.jpg,0,Ada\na.jpg,1,Ada\nb.jpg,0,Ada\nb.jpg,1,Ben\n")
    done = one.import_names(tmp_path / "n.csv")
    assert (done.faces, done.left, done.twice) == (4, (), (Left("n.csv: a.jpg", "Ada", "2 faces"),))


def test_who_is_in_two_pictures_of_one_name_is_in_neither_twice(tmp_path: Path) -> None:
    shots = [Shot("a.jpg", (0,), ((20, 30, 90, 100),))]
    sources = tmp_path / "phone", tmp_path / "camera"
    for number, source in enumerate(sources):
        take(source, shots, first=number)
    one = library(tmp_path / "one", sources[0], shots, (sources[1], shots))
    rows = "".join(f"{source},a.jpg,0,Ada\n" for source in sources)
    (tmp_path / "n.csv").write_text(f"source,file,face,name\n{rows}")
    done = one.import_names(tmp_path / "n.csv")
    assert (done.faces, done.twice) == (2, ())
    for source in sources:
        draw(source / "a.jpg.xmp", Region("Ada", FACE, ON_FACE))
    assert one.import_names(*sources).twice == ()


@pytest.mark.parametrize(
    ("headings", "place"),
    [("left,top,width,height", "?,180,90,100"), ("bbox", '"[280, 180, 90, 100]"'), ("left,top,width", "280,180,90")],
)
def test_a_place_that_cant_be_read_is_told_and_not_taken_for_the_main_face(
    headings: str, place: str, tmp_path: Path
) -> None:
    one = one_face(tmp_path, "a.jpg", "b.jpg")
    table = tmp_path / "names.csv"
    table.write_text(f"file,face,name,{headings}\na.jpg,,Ada,{place}\nb.jpg,0,Ben,{place}\n")
    assert [(left.name, left.why) for left in one.import_names(table).left] == [("Ada", UNREAD)]
    assert names(one) == {("b.jpg", 0): "Ben"}


def test_a_table_of_several_people_in_a_picture_has_to_say_who_is_where(tmp_path: Path) -> None:
    one = one_face(tmp_path, "a.jpg", "b.jpg")
    (tmp_path / "names.csv").write_text("file,name,face\na.jpg,Ada,\na.jpg,Eve,\nb.jpg,Ben,\nb.jpg,Ben,0\n")
    done = one.import_names(tmp_path / "names.csv")
    assert [(left.name, left.why) for left in done.left] == [("Ada", WHICH_FACE), ("Eve", WHICH_FACE)]
    assert names(one) == {("b.jpg", 0): "Ben"}


def test_a_cell_with_several_people_is_of_none(tmp_path: Path) -> None:
    one = one_face(tmp_path, "a.jpg", "b.jpg", "c.jpg", "d.jpg")
    (tmp_path / "n.csv").write_text("file;name\na.jpg;Ada, Ben\nb.jpg;Ada\nc.jpg;Ben\nd.jpg;Doe, Jane\n")
    done = one.import_names(tmp_path / "n.csv")
    assert [(left.name, left.why) for left in done.left] == [("Ada, Ben", SEVERAL_PEOPLE)]
    assert sorted(names(one).values()) == ["Ada", "Ben", "Doe, Jane"]


def test_names_that_differ_in_letter_case_are_one_person(tmp_path: Path) -> None:
    one = one_face(tmp_path, "a.jpg", "b.jpg", "c.jpg")
    for name, called in zip("abc", ("ADA", "Ada", "Ada"), strict=True):
        draw(tmp_path / "sidecars" / f"{name}.jpg.xmp", Region(called, FACE, ON_FACE))
    one.import_names(tmp_path / "sidecars")
    assert one.people.select("name", "faces").rows() == [("Ada", 3)]
    one.name("Ada", "ada")
    assert one.import_names(tmp_path / "sidecars").known == 3  # as the library calls her


@pytest.mark.parametrize("unit", ["pixel", ""])
@pytest.mark.parametrize("size", [(400, 300), (800, 600), None])
def test_regions_of_the_standard_may_be_in_pixels(unit: str, size: tuple[int, int] | None, tmp_path: Path) -> None:
    one = one_face(tmp_path, "a.jpg")
    shown = size or (400, 300)
    sidecar = tmp_path / "a.jpg.xmp"
    draw(sidecar, ADA, size=shown)
    text = sidecar.read_text()
    for side, share, scale in zip("xywh", ON_FACE, shown * 2, strict=True):
        text = text.replace(f'stArea:{side}="{share:.8f}"', f'stArea:{side}="{share * scale:.1f}"')
    text = text.replace('stArea:unit="normalized"', f'stArea:unit="{unit}"' * bool(unit))
    sidecar.write_text(text if size else re.sub("<mwg-rs:AppliedToDimensions.*/>", "", text))
    assert one.import_names(sidecar).left == ()
    assert names(one) == {("a.jpg", 0): "Ada"}


def test_a_sidecar_of_a_picture_that_is_there_twice_is_of_that_picture(tmp_path: Path) -> None:
    shots = [Shot("a.jpg", (0,), ((150, 90, 90, 100),))]
    for folder in ("x", "y"):
        take(tmp_path / folder, shots)
    one = library(tmp_path / "one", tmp_path / "x", shots, (tmp_path / "y", shots))
    draw(tmp_path / "sidecars" / "a.jpg.xmp", ADA)
    assert one.import_names(tmp_path / "sidecars").left == ()
    assert set(names(one).values()) == {"Ada"}


def test_a_folder_that_cant_be_opened_is_told_and_the_others_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = one_face(tmp_path, "a.jpg", "sub/b.jpg")
    draw(tmp_path / "pictures" / "a.jpg.xmp", ADA)
    real = os.scandir

    def fails(folder: Any) -> Any:
        if str(folder).endswith("sub"):
            raise PermissionError(13, "Permission denied")
        return real(folder)

    monkeypatch.setattr(os, "scandir", fails)
    done = one.import_names(tmp_path / "pictures")
    assert [(left.where, "can't be opened" in left.why) for left in done.left] == [("sub", True)]
    assert names(one) == {("a.jpg", 0): "Ada"}


def takeout(folder: Path, name: str, *people: str) -> None:
    """What Google's Takeout writes beside a picture."""
    said = {"title": name, "people": [{"name": one} for one in people], "photoTakenTime": {"timestamp": "1"}}
    (folder / f"{f'{name}.supplemental-metadata'[:46]}.json").write_text(json.dumps(said))


def test_names_of_pictures_as_wholes_are_given_where_all_of_them_tell_who_is_who(pictures: Set) -> None:
    """In every second picture two people are together, whom only names in other pictures tell apart."""
    one = pictures.library("one")
    folder = pictures.source / "2020"
    for i in range(16):
        takeout(folder, f"party{i}.jpg", *(["Ada", "Zoë"] if i % 2 else ["Ben"]))
    done = one.import_names(pictures.source)
    assert (done.files, done.faces, len(done.left)) == (16, 8, 16)
    assert set(names(one).values()) == {"Ben"}
    assert {left.name for left in done.left} == {"Ada", "Zoë"}
    assert all(left.why.startswith(f"{NO_PLACE}; perhaps Person ") for left in done.left)
    person = dict(one.faces.filter(one.faces["face"] == 0).select("file", "person").iter_rows())["2020/party1.jpg"]
    one.name(person, "Zoë")
    done = one.import_names(pictures.source)
    assert done.left == ()
    assert Counter(names(one).values()) == {"Ben": 8, "Zoë": 8, "Ada": 8}
    assert names(one)["2020/party3.jpg", 1] == "Ada"
    assert one.import_names(pictures.source).decisions == ()


def test_a_people_tag_of_microsofts_without_a_rectangle_is_of_the_picture_as_a_whole(pictures: Set) -> None:
    one = pictures.library("one")
    tag = f"""<rdf:RDF xmlns:rdf="{RDF}"><rdf:Description xmlns:m="{MICROSOFT}" xmlns:i="{MICROSOFT_INFO}"
        xmlns:g="{MICROSOFT_REGION}"><m:RegionInfo rdf:parseType="Resource"><i:Regions><rdf:Bag><rdf:li
        rdf:parseType="Resource"><g:PersonDisplayName>{{}}</g:PersonDisplayName></rdf:li></rdf:Bag></i:Regions>
        </m:RegionInfo></rdf:Description></rdf:RDF>"""
    for i in range(16):
        name = "Eve" if i % 2 else "Ben"
        (pictures.source / "2020" / f"party{i}.xmp").write_text(tag.format(name))
    done = one.import_names(pictures.source)
    assert Counter(names(one).values()) == {"Ben": 8}
    assert {(left.name, left.why[: len(NO_PLACE)]) for left in done.left} == {("Eve", NO_PLACE)}  # one of the two is


def test_a_picture_with_a_tag_and_a_region_has_its_region(pictures: Set) -> None:
    one = pictures.library("one")
    folder = pictures.source / "2020"
    for i in range(0, 16, 2):
        takeout(folder, f"party{i}.jpg", "Ben", "Old")
    draw(folder / "party0.jpg.xmp", Region("Ben", FACE, (0.49, 0.47, 0.22, 0.33)))
    takeout(pictures.source, "gone.jpg", "Ada")
    done = one.import_names(pictures.source)
    assert set(names(one).values()) == {"Ben"}
    assert {(left.name, left.why) for left in done.left} == {("Old", NO_PLACE), ("", NOT_THERE)}
    assert Counter(names(one).values()) == {"Ben": 8}
