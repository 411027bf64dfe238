from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pytest

from unmingle.errors import WriteError
from unmingle.exchange.folders import COLUMNS, MANIFEST, Shown, plan, put_in_folders
from unmingle.exchange.placing import Placer

if TYPE_CHECKING:
    from pathlib import Path


def test_names_of_folders_and_files_never_clash(tmp_path: Path) -> None:
    shown = [
        Shown(2, "ada", "/b", "x/a.jpg"),
        Shown(1, "Ada", "/b", "y/A.JPG"),
        Shown(1, "Ada", "/a", "x/a.jpg"),
        Shown(1, "Ada", "/a", "x/a.jpg"),
        Shown(3, "", "/a", "x/a.jpg"),
        Shown(4, "manifest.csv", "/a", "x/a.jpg"),
    ]
    places = [(one.folder, one.file, one.shown.relative) for one in plan(shown, by="name")]
    assert places == [
        ("Ada", "a.jpg", "x/a.jpg"),
        ("Ada", "A-2.JPG", "y/A.JPG"),
        ("ada-2", "a.jpg", "x/a.jpg"),
        ("person-0003", "a.jpg", "x/a.jpg"),
        ("manifest.csv-2", "a.jpg", "x/a.jpg"),
    ]
    assert plan(reversed(shown), by="name") == plan(shown, by="name")
    assert [one.folder for one in plan(shown, by="id")][-1] == "person-0004"


def test_the_manifest_says_whence_each_file_is_and_guards_the_folder(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "a.jpg").write_bytes(b"picture")
    places = plan([Shown(1, 'Ada "L", CON', str(tmp_path), "x/a.jpg")], by="name")
    out = tmp_path / "out"
    put_in_folders(places, Placer(out), "copy")
    with (out / MANIFEST).open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [
            list(COLUMNS),
            ["Ada _L_, CON", "a.jpg", "1", 'Ada "L", CON', str(tmp_path), "x/a.jpg"],
        ]
    other = plan([Shown(1, "Bea", str(tmp_path), "x/a.jpg")], by="name")
    with pytest.raises(WriteError, match="another state of the library"):
        put_in_folders(other, Placer(out), "copy")
    assert not (out / "Bea").exists()
