"""Exports and imports as a user makes them, on the command line, with the real models."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import fastexcel
import polars as pl
import pytest
from tests.command import Command

if TYPE_CHECKING:
    from pathlib import Path

    from unmingle.demo import Meeting


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def names(folder: Path) -> dict[str, str]:
    faces = pl.read_csv(folder / "faces.csv", schema_overrides={"name": pl.String})
    return {file: name for file, name in faces.select("file", "name").iter_rows() if name}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, meeting: Meeting) -> Path:
    unmingle = Command(tmp_path_factory.mktemp("made"))
    assert unmingle("cluster", meeting.faces, "-o", "out", "--quiet").code == 0
    nobody = unmingle("export", "out", "-o", "x", "--to", "xmp")
    assert "Nobody on a picture has a name yet" in nobody.out
    for person, name in ((1, "Zoë"), (2, 'Ada / "CON"')):
        assert unmingle("name", "out", str(person), name).code == 0
    return unmingle.folder / "out"


@pytest.fixture
def named(unmingle: Command, made: Path) -> Command:
    shutil.copytree(made, unmingle.folder / "out")
    return unmingle


def test_named_people_go_out_and_come_into_another_library(named: Command, meeting: Meeting) -> None:
    unmingle, folder = named, named.folder
    done = unmingle("export", "out", "-o", "sidecars", "--to", "xmp", "--json", "--quiet")
    told = json.loads(done.out)
    assert (done.code, told["written"], told["in_the_way"]) == (0, len(names(folder / "out")), [])
    assert unmingle("cluster", meeting.faces, "-o", "again", "--quiet", "--strictness", "strict").code == 0
    done = unmingle("import", "again", "sidecars", "--json", "--quiet")
    told = json.loads(done.out)
    assert (done.code, told["faces"], told["left"]) == (0, len(names(folder / "out")), [])
    assert names(folder / "out").items() <= names(folder / "again").items()
    said = unmingle("import", "again", "sidecars", "out/faces.csv")
    assert said.out.startswith("0 faces named")
    assert "import" in unmingle("log", "again").out
    if shutil.which("exiftool"):
        words = ["exiftool", "-r", "-ext", "xmp", "-s3", "-RegionName", str(folder / "sidecars")]
        read = subprocess.run(words, capture_output=True, check=True, text=True).stdout
        assert {'Ada / "CON"', "Zoë"} <= set(read.splitlines())


@pytest.mark.slow
def test_killed_and_repeated_an_export_gives_the_same_tree(named: Command) -> None:
    folder = named.folder
    for target in ("folders", "xmp"):
        assert named("export", "out", "-o", f"whole-{target}", "--to", target).code == 0
        killed = named.start("export", "out", "-o", f"killed-{target}", "--to", target)
        while not (folder / f"killed-{target}").exists() and killed.poll() is None:
            time.sleep(0.0005)
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        assert named("export", "out", "-o", f"killed-{target}", "--to", target).code == 0
        assert tree(folder / f"killed-{target}") == tree(folder / f"whole-{target}")


def test_the_labels_come_back_with_what_was_found(named: Command, meeting: Meeting) -> None:
    done = named("export", "out", "-o", "filled", "--to", "xlsx", "--labels", meeting.labels)
    assert done.code == 0, done.err
    read = fastexcel.read_excel(named.folder / "filled" / meeting.labels.name).load_sheet(0, header_row=0).to_polars()
    assert read.columns[read.columns.index("ID") + 1 :][:2] == ["Found ID", "Found person"]
    both = read.filter(pl.col("Found ID").is_not_null())
    assert both.height > 20
    assert (both["Found ID"] == both["ID"]).all()


def test_what_cant_be_done_is_an_error_with_the_mend(named: Command, meeting: Meeting) -> None:
    folder = named.folder
    for words, problem in (
        (("export", "nowhere", "-o", "x", "--to", "csv"), "There is no library in nowhere."),
        (("export", "out", "-o", "out/x", "--to", "csv"), "is inside the library."),
        (("export", "out", "-o", str(meeting.faces / "x"), "--to", "csv"), "where the library's pictures are."),
        (("export", "out", "-o", "out/faces.csv", "--to", "csv"), "is inside the library."),
        (("export", "out", "-o", "x", "--to", "xlsx", "--labels", "none.xlsx"), "There is no labels file none.xlsx."),
        (("import", "out", "missing"), "There is no "),
        (("import", "out", "out/people.csv"), "people.csv has no column with files and one with names."),
    ):
        done = named(*words)
        assert (done.code, done.out) == (1, ""), words
        assert problem in done.err
        assert len(done.err.splitlines()) == 2
    for wrong in (
        ("export", "out", "-o", "x"),
        ("export", "out", "-o", "x", "--to", "pdf"),
        ("export", "out", "-o", "x", "--to", "csv", "--embed"),
        ("export", "out", "-o", "x", "--to", "xlsx", "--label-column", "ID"),
        ("import", "out"),
    ):
        assert named(*wrong).code == 2, wrong
    assert not (folder / "x").exists()
    (folder / "y").mkdir()
    (folder / "y" / "people.csv").write_text("mine")
    done = named("export", "out", "-o", "y", "--to", "csv", "--quiet")
    assert (done.code, done.out) == (1, "")
    assert "1 file of other content is in the way: people.csv." in done.err
    assert (folder / "y" / "people.csv").read_text() == "mine"
