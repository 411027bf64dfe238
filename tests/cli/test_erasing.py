"""unmingle erase and privacy, as a user types them."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from unmingle.library import Library

if TYPE_CHECKING:
    from pathlib import Path

    from tests.command import Command


def test_somebody_is_erased_once_it_is_confirmed(
    unmingle: Command, made: Path, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unmingle("name", album, "1", "Ada")
    unmingle("export", album, "--to", "csv", "-o", "out", "-q")
    told = unmingle("erase", album, "Ada", "--dry-run")
    assert told.out.startswith("Would be erased: 1 person and 8 faces, and what 1 entry of the log said.\n")
    asked = unmingle("erase", album, "Ada")
    assert (asked.code, asked.out) == (1, "")
    assert "Pass --yes" in asked.err
    monkeypatch.setattr("unmingle.console.is_asked", lambda: True)
    assert unmingle("erase", album, "Ada").code == 1  # nobody answers
    assert len(json.loads(unmingle("people", album, "--json").out)) == 4
    done = unmingle("erase", album, "Ada", "--yes")
    assert (done.code, done.err) == (0, "")
    assert f"Exports that left before, and may hold them: {unmingle.folder / 'out'} (csv)" in done.out
    assert "Ada" not in unmingle("log", album).out
    again = unmingle("erase", album, "Ada", "--yes")
    assert (again.code, again.err.splitlines()[0]) == (1, "Error: There is no person 'Ada'.")
    for age in ("soon", "365", "1e99d", "3000000d", "0001-01-01"):
        assert "is no age" in unmingle("erase", album, "--older-than", age, "-y").err
    assert "nobody to erase" in unmingle("erase", album, "--older-than", "1600-01-01", "-y").err
    left = json.loads(
        unmingle(
            "erase", album, "2", "--source", made / "pictures" / "p2", "--older-than", "9000-01-01", "-y", "--json"
        ).out
    )
    assert (left["people"], left["faces"]) == ([2, 3, 4], 18)
    assert unmingle("people", album).out == "There are no people yet.\n"


def test_copies_that_a_cloud_made_in_the_folder_are_told(unmingle: Command, album: Path) -> None:
    for name in ("library (1).sqlite", "library.sqlite-conflict-1", "decisions (1).jsonl", "faces (1).csv"):
        shutil.copy(album / "library.sqlite", album / name)
    (album / "library-damaged-1.sqlite").touch()
    stored = {one["kind"]: one["files"] for one in json.loads(unmingle("privacy", album, "--json").out)["stored"]}
    assert stored["copies"] == 4
    left = json.loads(unmingle("erase", album, "1", "--yes", "--json").out)["left"]
    assert {os.path.basename(path) for path in left} == {  # noqa: PTH119
        "library (1).sqlite", "library.sqlite-conflict-1", "decisions (1).jsonl", "faces (1).csv",
    }  # fmt: skip
    assert "Still there, for you to delete" in unmingle("erase", album, "2", "--yes").out


def test_where_there_is_no_place_for_temporary_files_erasing_is_done_to_its_end(
    unmingle: Command, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr("tempfile.gettempdir", none)
    done = unmingle("erase", album, "2", "--yes")
    assert (done.code, done.err) == (0, "")


@pytest.mark.skipif(os.getuid() != 0, reason="it is about two users of the machine")
def test_what_was_written_where_one_may_not_look_is_told_as_gone(
    unmingle: Command, album: Path, open_folder: Path, request: pytest.FixtureRequest
) -> None:
    (open_folder / "theirs").mkdir(mode=0o700)
    unmingle("export", album, "--to", "csv", "-o", open_folder / "theirs" / "out", "-q")
    shutil.copytree(album, open_folder / "library")
    for path in (open_folder / "library", *(open_folder / "library").rglob("*")):
        path.chmod(0o755)
    request.getfixturevalue("ordinary_user")
    assert [one.there for one in Library(open_folder / "library").privacy.outputs] == [False]


def test_what_is_stored_is_told(unmingle: Command, album: Path) -> None:
    album.chmod(0o750)
    unmingle("name", album, "2", "Ada")
    unmingle("report", album, "-o", unmingle.folder / "page.html", "-q")
    told = json.loads(unmingle("privacy", album, "--json").out)
    assert (told["people"], told["named"], told["faces"]) == (4, 1, 26)
    assert [(one["kind"], one["there"]) for one in told["outputs"]] == [("report", True)]
    assert {one["kind"]: one["mode"] for one in told["stored"]}["library"] == "0600"
    assert len(told["warnings"]) == 1
    text = unmingle("privacy", album).out
    assert "People: 4, 1 of them with a name\n" in text
    assert "chmod go-rwx" in text
    synced = unmingle.folder / "Dropbox (work)"
    synced.mkdir()
    album.chmod(0o700)
    album.rename(synced / "album")
    (warning,) = json.loads(unmingle("privacy", synced / "album", "--json").out)["warnings"]
    assert "synced" in warning
