"""After decisions, tables and sheets are what they would be if all were made anew."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.made_library import Shot, library, take

from unmingle.api import Library
from unmingle.errors import DecisionError, WriteError
from unmingle.render import views

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("Zoë", 'a "b", c', "=1+1", "", "7", "-x")
SIDE = (0.0, 0.0, 80.0, 90.0)


@pytest.fixture
def album(tmp_path: Path) -> Library:
    """Six people of eight pictures, some of which show two of them, and names of files that csv has to quote."""
    shots = [
        Shot(f'{person}, "{shot}".png', (person, person + 10), (SIDE, (100.0, 0.0, 80.0, 90.0)))
        for person in range(6)
        for shot in range(8)
    ]
    take(tmp_path / "pictures", shots)
    return library(tmp_path / "library", tmp_path / "pictures", shots)


def shown(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.[cj][sp][vg]")}


def test_views_mended_after_each_decision_are_those_made_anew(album: Library, tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    album.cluster(sheets=4)
    taken = 0
    for turn in range(24):
        people = album.people["person"].to_list()
        one, other = random.choice(people, 2, replace=False).tolist()
        faces = random.choice(96, 3, replace=False).tolist()
        some = [face + 1 for face in faces]
        act, words = (
            (album.name, (one, NAMES[turn % len(NAMES)])),
            (album.merge, (one, other)),
            (album.assign, (some, one)),
            (album.reject, (some, one)),
            (album.split, (some,)),
            (album.not_a_face, (some[:1],)),
            (album.face, (some[:1],)),
            (album.ignore, (one,)),
            (album.restore, (one,)),
            (album.undo, ()),
            (album.undo, (int(random.integers(2, album.revision + 1)),)),
            (album.redo, ()),
        )[random.integers(12)]
        try:
            act(*words)
        except DecisionError:
            continue
        taken += 1
        if taken % 4 == 0:  # several decisions, then a look
            assert_made_anew(album, tmp_path / "anew")
    assert taken > 15


def test_only_pages_that_show_others_now_are_drawn_again(album: Library, tmp_path: Path) -> None:
    album.cluster(sheets=6)
    _, other, *_ = album.people["person"].to_list()
    (album.folder / "sheets" / f"person-{other:04}.jpg").write_bytes(b"of somebody else")
    Library(album.folder, views="on request").name(1, "Zoë")
    before = {file.name: file.stat().st_ino for file in (album.folder / "sheets").iterdir()}
    album.cluster(sheets=6)
    after = {file.name: file.stat().st_ino for file in (album.folder / "sheets").iterdir()}
    drawn = {name for name in before if after[name] != before[name]}
    assert drawn == {"overview.jpg", "person-0001.jpg", f"person-{other:04}.jpg"}
    assert_made_anew(album, tmp_path / "anew")


def assert_made_anew(album: Library, copy: Path) -> None:
    shutil.copytree(album.folder, copy, ignore=shutil.ignore_patterns("*.csv", "sheets"))
    Library(copy).write_views()
    mended, anew = shown(album.folder), shown(copy)
    assert mended.keys() == anew.keys()
    assert [name for name in anew if anew[name] != mended[name]] == []
    shutil.rmtree(copy)


def test_a_table_that_somebody_changed_is_made_anew(album: Library) -> None:
    table = album.folder / "faces.csv"
    album.name(1, "Ann")
    table.write_text(table.read_text().replace("Ann", "Eve"))
    album.name(2, "Ben")
    assert "Eve" not in table.read_text()
    assert table.read_text().count("Ann") == len(album.faces.filter(album.faces["name"] == "Ann"))


def test_decisions_that_were_not_shown_are_shown_with_the_next(album: Library) -> None:
    album.name(1, "Ann")
    Library(album.folder, views="on request").name(2, "Ben")
    album.name(3, "Cem")
    text = (album.folder / "faces.csv").read_text()
    assert all(name in text for name in ("Ann", "Ben", "Cem"))


def test_a_sheet_that_could_not_be_drawn_is_drawn_with_the_next_decision(
    album: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    album.cluster(sheets=4)
    one, other = album.people["person"].to_list()[:2]

    def full(file: Path, *_: object) -> None:
        raise WriteError(f"{file} can't be written: No space left on device.", "Free some space.")

    with monkeypatch.context() as patch:
        patch.setattr(views, "write_atomically", full)
        with pytest.raises(WriteError, match=r"No space left on device. All the same, .* is done: don't repeat it"):
            album.name(one, "Ada")
    assert album.decisions[-1].words == f"Called Person {one} Ada"
    album.name(other, "Bob")
    assert_made_anew(album, tmp_path / "anew")


def test_what_was_forgotten_without_a_look_leaves_the_table_at_the_next_decision(album: Library) -> None:
    album.name(1, "Ann")
    file = album.faces["file"][0]
    quiet = Library(album.folder, views="on request")
    with quiet.writing():
        quiet.write_views()
        quiet.forget(f"{album.faces['source'][0]}/{file}")
    album.name(2, "Ben")
    assert file not in (album.folder / "faces.csv").read_text()
