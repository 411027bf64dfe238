from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import polars as pl
import pytest
from PIL import Image

from unmingle.api import ExportOptions
from unmingle.errors import SettingsError, WriteError
from unmingle.library.store import open_to_write
from unmingle.sources.regions import FACE, read_packet, read_stored

if TYPE_CHECKING:
    from pathlib import Path

    from tests.api.conftest import Set

needs_exiftool = pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed")


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


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
    for target in ("folders", "csv", "xmp"):
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
    assert sorted(region.name for region in read.regions) == ["", "Zoë & <Åse>"]


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
