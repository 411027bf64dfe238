from __future__ import annotations

import csv
import io

import pytest

from unmingle.exchange.exporting import manifest, plan
from unmingle.sources.images import MANIFEST_COLUMNS, PictureFile


def test_names_of_folders_and_files_never_clash() -> None:
    shown = [
        (2, "ada", None, None, PictureFile("/b", "x/a.jpg")),
        (1, "Ada", None, None, PictureFile("/b", "y/A.JPG")),
        (1, "Ada", None, None, PictureFile("/a", "x/a.jpg")),
        (1, "Ada", None, None, PictureFile("/a", "x/a.jpg")),
        (3, "", None, None, PictureFile("/a", "x/a.jpg")),
        (4, "manifest.csv", None, None, PictureFile("/a", "x/a.jpg")),
    ]
    places = plan(shown, by="name")
    assert [(folder, name, one[4].relative) for folder, of in places.items() for name, one in of.items()] == [
        ("Ada", "a.jpg", "x/a.jpg"),
        ("Ada", "A-2.JPG", "y/A.JPG"),
        ("ada-2", "a.jpg", "x/a.jpg"),
        ("person-0003", "a.jpg", "x/a.jpg"),
        ("manifest.csv-2", "a.jpg", "x/a.jpg"),
    ]
    assert plan(reversed(shown), by="name") == places
    assert list(plan(shown, by="id"))[-1] == "person-0004"


@pytest.mark.parametrize("face", [None, 2])
def test_the_manifest_says_whence_each_file_is(face: int | None) -> None:
    places = plan([(1, 'Ada "L", CON', None, face, PictureFile("/a", "x/a.jpg"))], by="name")
    rows = list(csv.reader(io.StringIO(manifest(places).decode())))
    more = [] if face is None else [("frame", ""), ("face", "2")]
    assert rows == [
        [*MANIFEST_COLUMNS, *(title for title, _ in more)],
        ["Ada _L_, CON", "a.jpg", "1", 'Ada "L", CON', "/a", "x/a.jpg", *(value for _, value in more)],
    ]
