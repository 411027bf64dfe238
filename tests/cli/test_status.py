"""What a library holds, and commands inside of its folder."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.cli.conftest import SHOTS
from tests.command import WIDE, Command
from tests.made_library import library

from unmingle.api import Library
from unmingle.cli.commands import PANELS

if TYPE_CHECKING:
    from pathlib import Path


def test_status_says_what_is_there_and_what_comes_next(album: Path, made: Path, unmingle: Command) -> None:
    said = unmingle("status", album).out
    assert "26 faces in 26 files; 26 of them are of 4 people, 0 with a name" in said
    assert f"  {made / 'pictures'}\n" in said
    assert "To name them: unmingle review" in said
    for person in range(1, 5):
        Library(album).name(person, f"Name {person}")
    (made / "pictures").rename(made / "elsewhere")
    try:
        said = unmingle("status", album).out
        told = json.loads(unmingle("status", album, "--json").out)
    finally:
        (made / "elsewhere").rename(made / "pictures")
    assert "pictures (not there now)" in said
    assert "To hand them on: unmingle export" in said
    assert (told["named"], told["sources"]) == (4, [{"source": str(made / "pictures"), "there": False}])


def test_a_source_that_may_not_be_looked_at_is_not_there(album: Path, made: Path, unmingle: Command) -> None:
    pictures = made / "pictures"
    pictures.rename(made / "elsewhere")
    pictures.symlink_to("n" * 300)  # an error to whoever looks, as in a folder of somebody else, but to root too
    try:
        said, again = unmingle("status", album), unmingle("cluster", "-o", album)
        faults = Library(album).check().faults
    finally:
        pictures.unlink()
        (made / "elsewhere").rename(pictures)
    assert "pictures (not there now)" in said.out
    assert "remembers no source that is there" in again.err
    assert [fault.problem for fault in faults] == [f"26 files are not there in {pictures}, the first p0/0.jpg."]


def test_after_a_run_that_was_stopped_the_same_comes_next(
    made: Path, tmp_path: Path, unmingle: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unmingle.jobs.cluster", lambda *_: None)
    library(tmp_path / "new", made / "pictures", SHOTS)
    assert "26 faces in 26 files; 0 of them" in unmingle("status", tmp_path / "new").out
    assert f"To go on: unmingle cluster -o {tmp_path / 'new'}\n" in unmingle("status", tmp_path / "new").out


@pytest.mark.parametrize(
    ("words", "who"),
    [
        ("name 2 Zoë", {2: "Zoë"}),
        ("name . 2 Zoë", {2: "Zoë"}),
        ("import names.csv", {1: "Ada"}),
        ("import ../names.csv", {1: "Ada"}),
    ],
)
def test_inside_of_a_library_it_need_not_be_named(words: str, who: dict[int, str], album: Path) -> None:
    for folder in (album, album.parent):
        (folder / "names.csv").write_text("file,name\np0/1.jpg,Ada\n")
    done = Command(album)(*words.split())
    assert done.code == 0, done.err
    named = {person: name for person, name in Library(album).people.select("person", "name").iter_rows() if name}
    assert named == who


def test_inside_of_a_library_cluster_is_about_it(album: Path) -> None:
    assert "no labels file none.csv" in Command(album)("cluster", "--labels", "none.csv").err
    assert "no library in new" in Command(album)("cluster", "-o", "new").err
    assert Command(album.parent)("cluster").code == Command(album)("cluster", "--ray", "local").code == 2


@pytest.mark.parametrize("words", ["name ../other 2 Zoë", "name sheets 2 Zoë", "import ../pictures names.csv"])
def test_another_folder_is_never_passed_over_for_this_library(words: str, album: Path) -> None:
    (album.parent / "pictures").mkdir()
    (album / "sheets").mkdir(exist_ok=True)
    (album / "names.csv").write_text("file,name\np0/1.jpg,Ada\n")
    done = Command(album)(*words.split())
    assert done.code
    assert "There is no library" in done.err
    assert not any(Library(album).people["name"])


def test_help_has_a_line_a_command_on_a_usual_terminal(unmingle: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(WIDE, "COLUMNS", "80")
    shown = unmingle("--help").out.splitlines()
    for panel in PANELS:
        start = next(at for at, line in enumerate(shown) if f" {panel} " in line)
        names = [one.__name__.rstrip("_").replace("_", "-") for one in PANELS[panel]]
        assert [line.split()[1] for line in shown[start + 1 : start + 1 + len(names)]] == names
    assert all(f"unmingle {word}" in " ".join(shown) for word in ("cluster", "review", "export"))
