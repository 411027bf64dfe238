from __future__ import annotations

import errno
import importlib
import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from PIL import Image
from tests.api.conftest import SHOTS
from tests.made_library import Shot, take
from tests.made_library import library as library_of

from unmingle.api import ExportOptions
from unmingle.errors import SettingsError, WriteError
from unmingle.sources.regions import FACE, read_packet, read_stored
from unmingle.store.sqlite import open_to_write

if TYPE_CHECKING:
    from tests.api.conftest import Set

    from unmingle.exchange.exporting import Target

needs_exiftool = pytest.mark.debian("exiftool")


def tree(folder: Path) -> dict[str, bytes]:
    """The files of a folder, without what SQLite keeps beside a library that is open for looking."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("library.sqlite-"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_a_picture_goes_to_each_of_its_people(pictures: Set) -> None:
    library = pictures.named()
    done = library.export("folders", pictures.folder / "out", ExportOptions(how="hardlink"))
    folders = dict(done.folders)
    (nameless,) = folders.keys() - {"Zoë & _Åse_", "Ben"}
    assert nameless.startswith("person-000")
    assert set(folders.values()) == {8}
    made = tree(pictures.folder / "out")
    assert len(made) == 1 + 3 * 8
    assert {f"{folder}/party1.jpg" for folder, _ in done.folders if folder != "Ben"} <= set(made)
    manifest = pl.read_csv(pictures.folder / "out" / "manifest.csv")
    assert manifest.height == 24
    assert set(manifest["original"]) == {f"2020/party{i}.jpg" for i in range(16)}
    again = library.export("folders", pictures.folder / "out", ExportOptions(how="hardlink"))
    assert (again.written, again.there) == (0, 25)


def test_a_folder_with_another_export_is_refused_before_anything_is_written(pictures: Set) -> None:
    library = pictures.named()
    library.export("folders", pictures.folder / "out")
    before = tree(pictures.folder / "out")
    library.name("Ben", "Bea")
    with pytest.raises(WriteError, match="another state"):
        library.export("folders", pictures.folder / "out")
    assert tree(pictures.folder / "out") == before


def test_files_that_are_gone_or_changed_are_told_and_left_out(pictures: Set) -> None:
    library = pictures.named()
    (pictures.source / "2020" / "party1.jpg").unlink()
    (pictures.source / "2020" / "party3.jpg").write_bytes(b"changed")
    for target in ("folders", "xmp"):
        done = library.export(target, pictures.folder / target)
        assert [file for file, _ in done.left_out] == ["2020/party1.jpg", "2020/party3.jpg"]
        assert "can't be opened" in done.left_out[0][1]
        assert "changed since it was read" in done.left_out[1][1]
        assert not any("party1.jpg" in name or "party3.jpg" in name for name in tree(pictures.folder / target))


@pytest.mark.parametrize("kind", ["csv", "xlsx", "parquet", "json"])
def test_tables_are_those_of_the_library_and_the_same_again(kind: str, pictures: Set) -> None:
    library = pictures.named()
    out = pictures.folder / "out"
    library.export(kind, out)  # type: ignore[arg-type]
    done = library.export(kind, out)  # type: ignore[arg-type]
    assert done.written == 0
    assert done.there == len(tree(out))
    if kind == "csv":
        assert (out / "faces.csv").read_bytes() == (library.folder / "faces.csv").read_bytes()
        assert (out / "people.csv").read_bytes() == (library.folder / "people.csv").read_bytes()
    if kind == "parquet":
        assert pl.read_parquet(out / "faces.parquet").equals(library.faces)
    library.name("Ben", "Bea")
    assert library.export(kind, out).in_the_way  # type: ignore[arg-type]


@pytest.mark.parametrize("below", ["", "deeper/out"])
def test_neither_the_library_nor_its_pictures_take_an_export(below: str, pictures: Set) -> None:
    library = pictures.named()
    (pictures.folder / "link").symlink_to(pictures.source)
    for folder in (library.folder, pictures.source, pictures.folder / "link"):
        before = tree(folder)
        with pytest.raises(SettingsError, match="inside"):
            library.export("csv", folder / below)
        assert tree(folder) == before


def test_a_dry_run_tells_what_a_run_then_does(pictures: Set) -> None:
    library = pictures.named()
    for target in ("folders", "csv", "xmp", "coco"):
        out = pictures.folder / target
        dry = library.export(target, out, dry_run=True)
        assert not out.exists()
        assert dry == library.export(target, out)


def test_named_faces_only_unless_all_are_asked_for(pictures: Set) -> None:
    library = pictures.named()
    named = library.export("xmp", pictures.folder / "named-xmp")
    every = library.export("xmp", pictures.folder / "all-xmp", ExportOptions(faces="all"))
    assert (named.written, every.written) == (16, 16)
    read = read_packet((pictures.folder / "all-xmp" / "2020" / "party1.jpg.xmp").read_bytes())
    assert sorted(region.name for region in read.regions if region.schema == "MWG") == ["", "Zoë & <Åse>"]


def test_coco_has_each_picture_with_its_faces_and_a_category_for_each_person(pictures: Set) -> None:
    library = pictures.named()
    library.export("coco", pictures.folder / "out")
    library.export("coco", pictures.folder / "all", ExportOptions(faces="all"))
    named, every = (json.loads((pictures.folder / out / "coco.json").read_bytes()) for out in ("out", "all"))
    assert {one["name"] for one in named["categories"]} == {"Ben", "Zoë & <Åse>"}
    people = {person: name or f"person-{person:04}" for person, name in library.people.select("person", "name").rows()}
    assert {one["id"]: one["name"] for one in every["categories"]} == people
    files = {one["id"]: one["file_name"] for one in every["images"]}
    assert len(every["images"]) == 16
    assert [one["id"] for one in every["annotations"]] == list(range(1, 25))
    shots = {shot.name: shot for shot in SHOTS}
    for one in every["annotations"]:
        left, top, width, height = one["bbox"]
        across, down = shots[files[one["image_id"]]].size
        assert min(left, top) >= 0
        assert (left + width <= across, top + height <= down) == (True, True)
        assert one["area"] == pytest.approx(width * height, abs=0.01)
    boxes = {files[one["image_id"]]: one["bbox"] for one in named["annotations"]}
    assert boxes["2020/party0.jpg"] == [150, 90, 90, 100]
    assert pictures.library("other").export("coco", pictures.folder / "nobody").written == 0


def test_of_several_sources_each_has_a_folder(pictures: Set) -> None:
    library = pictures.named()
    with open_to_write(library.folder) as store, store.transaction() as connection:
        connection.execute("INSERT INTO source (id, path) VALUES (9, ?)", (os.fsencode(pictures.source / "2020"),))
        moved = "UPDATE file SET source = 9, path = ?, name = 'party1.jpg' WHERE name = '2020/party1.jpg'"
        connection.execute(moved, (b"party1.jpg",))
    library.export("xmp", pictures.folder / "out")
    made = set(tree(pictures.folder / "out"))
    assert "2020/party1.jpg.xmp" in made
    assert "pictures/2020/party3.jpg.xmp" in made


@needs_exiftool
def test_embedded_into_copies_while_originals_stay_as_they_are(pictures: Set) -> None:
    first = pictures.source / "2020" / "party1.jpg"
    words = ["exiftool", "-q", "-overwrite_original", "-P", "-XMP-dc:Subject=garden"]
    old = "{AppliedToDimensions={W=400,H=300,Unit=pixel},RegionList=[{Name=Rex,Type=Pet,Area={X=.5,Y=.5,W=.1,H=.1}}]}"
    subprocess.run([*words, f"-XMP-mwg-rs:RegionInfo={old}", first], check=True)
    library = pictures.named()
    before = tree(pictures.source)
    out = pictures.folder / "out"
    done = library.export("xmp", out, ExportOptions(embed=True))
    assert (done.written, done.left_out) == (16, ())
    assert tree(pictures.source) == before
    copied = read_stored(out / "2020" / "party1.jpg")
    assert b"garden" in copied.packets[0]
    names = {(region.name, region.kind) for region in read_packet(copied.packets[0]).regions}
    assert names == {("Zoë & <Åse>", "Face"), ("Rex", "Pet")}
    assert library.export("xmp", out, ExportOptions(embed=True)).there == 16


@needs_exiftool
def test_exiftool_finds_each_face_in_the_pixels_of_the_file(pictures: Set) -> None:
    """Told apart from our own reading: the region that ExifTool reads, on the pixels as they are stored."""
    library = pictures.named()
    out = pictures.folder / "out"
    library.export("xmp", out)
    told = json.loads(
        subprocess.run(
            ["exiftool", "-struct", "-json", "-n", "-r", "-ext", "xmp", "-RegionInfo", "-Orientation", str(out)],
            capture_output=True,
            check=True,
        ).stdout
    )
    assert len(told) == 16
    for one in told:
        picture = pictures.source / os.path.relpath(one["SourceFile"], out).removesuffix(".xmp")
        with Image.open(picture) as image:
            size = image.size
        info = one["RegionInfo"]
        assert (info["AppliedToDimensions"]["W"], info["AppliedToDimensions"]["H"]) == size
        assert all(0 <= region["Area"][side] <= 1 for region in info["RegionList"] for side in "XYWH")
        assert {region["Type"] for region in info["RegionList"]} == {FACE}


FAULTS: list[Exception] = [
    OSError(errno.EIO, "Input/output error"),
    OSError(errno.ENAMETOOLONG, "File name too long"),
    OSError("odd"),
]
FAULTS += [
    PermissionError(errno.EACCES, "Permission denied"),
    UnicodeEncodeError("ascii", "x", 0, 1, "no"),
    MemoryError(),
]


@pytest.mark.parametrize(
    ("target", "how", "place"),
    [
        ("folders", "copy", "unmingle.exchange.output_folder._copy"),
        ("folders", "hardlink", "unmingle.exchange.output_folder._link"),
        ("folders", "symlink", "unmingle.exchange.output_folder._link"),
        ("xmp", "copy", "unmingle.exchange.exporting.read_stored"),
        ("xmp", "copy", "unmingle.exchange.output_folder._appear"),
        ("csv", "copy", "unmingle.exchange.output_folder._appear"),
        ("json", "copy", "unmingle.exchange.output_folder._write"),
        ("parquet", "copy", "unmingle.exchange.output_folder._appear"),
    ],
)
def test_whatever_one_file_does_the_others_are_exported(
    target: Any, how: Any, place: str, pictures: Set, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = pictures.named()
    module, _, name = place.rpartition(".")
    at = "party1.jpg" if target in ("folders", "xmp") else "faces." if name == "_appear" else ""
    options = ExportOptions(how=how)
    whole = library.export(target, pictures.folder / "whole", options)
    real = getattr(importlib.import_module(module), name)
    for number, error in enumerate(FAULTS):
        failed: list[Exception] = []

        def fails(*args: Any, error: Exception = error, failed: list[Exception] = failed, **more: Any) -> Any:
            if any(at in str(one) for one in args if isinstance(one, Path)) and (at or not failed):
                failed.append(error)
                raise error
            return real(*args, **more)

        monkeypatch.setattr(place, fails)
        done = library.export(target, pictures.folder / f"out{number}", options)
        assert failed, error
        assert done.left_out, error
        assert {file.rpartition("/")[2].partition(".")[0] for file, _ in done.left_out} <= {"party1", "faces"}
        assert all(why for _, why in done.left_out)
        assert done.written + len(done.left_out) == whole.written


def test_a_full_disk_stops_an_export_since_it_stops_every_file(pictures: Set, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    library = pictures.named()
    monkeypatch.setattr("unmingle.exchange.output_folder._write", full)
    with pytest.raises(WriteError, match="Free some space"):
        library.export("xmp", pictures.folder / "out")


def test_where_nothing_at_all_can_be_written_the_export_is_an_error(
    pictures: Set, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    library = pictures.named()
    monkeypatch.setattr("unmingle.exchange.output_folder._write", refused)
    with pytest.raises(WriteError, match="Check who may write there"):
        library.export("xmp", pictures.folder / "out")


@pytest.mark.parametrize("embed", [False, pytest.param(True, marks=needs_exiftool)])
def test_the_longest_names_are_exported_and_come_back(embed: bool, tmp_path: Path) -> None:
    long = "l" * 251 + ".jpg"
    names = [
        "a.jpg",
        long,
        "é" * 125 + ".jpg",
        "m" * 251 + ".jpg",
        "m" * 251 + ".png",
        "x." + "y" * 240 + ".jpg",
        "z.jpg",
    ]
    shots = [Shot(name, (number,), ((150, 90, 90, 100),)) for number, name in enumerate(names)]
    take(tmp_path / "s", shots)
    one = library_of(tmp_path / "one", tmp_path / "s", shots)
    one.views = "on request"
    for number, name in enumerate(names):
        person = one.split([name]).person
        assert person is not None
        one.name(person, f"Person {number}")
    targets: list[Target] = ["folders", "csv", "xlsx", "parquet", "json"]
    for target in targets:
        done = one.export(target, tmp_path / target)
        assert (done.left_out, done.in_the_way) == ((), ())
    done = one.export("xmp", tmp_path / "xmp", ExportOptions(embed=embed))
    # Two that differ by their ending only can't share a sidecar.
    assert [file for file, _ in done.left_out] == ([] if embed else names[3:5])
    two = library_of(tmp_path / "two", tmp_path / "s", shots)
    told = two.import_names(tmp_path / "xmp")
    assert told.left == ()
    assert told.faces == len(names) - len(done.left_out)
