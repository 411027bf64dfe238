"""Paths as people give them, and folders that are left as they were."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from unmingle.errors import SettingsError, WriteError
from unmingle.files import SCRATCH, no_empty_folder, replacing, scratch_folder, user_path
from unmingle.sources.images import scan


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    return tmp_path


def test_an_empty_path_is_no_path() -> None:
    with pytest.raises(SettingsError, match="A path is empty"):
        user_path("")


def test_what_is_called_so_comes_before_a_home_folder(here: Path) -> None:
    assert user_path("~/lib") == here / "home" / "lib"
    assert user_path("~nobody-is-called-so") == Path("~nobody-is-called-so")
    (here / "~").mkdir()
    assert user_path("~") == Path("~")
    assert user_path("~/lib") == here / "home" / "lib"
    (here / "~" / "lib").mkdir()
    assert user_path("~/lib") == Path("~/lib")


def test_sources_and_lists_may_begin_with_it(here: Path) -> None:
    (here / "~photos").mkdir()
    for name in ("~photos/a.jpg", "~a.jpg", "home/b.jpg"):
        (here / name).write_bytes(b"x")
    (here / "list.txt").write_text("~a.jpg\n~photos\n~/b.jpg\n")
    (here / "elsewhere").mkdir()
    assert [file.relative for file in scan(["~photos", "~a.jpg", "~/b.jpg"]).files] == ["~a.jpg", "b.jpg", "a.jpg"]
    assert scan([here / "list.txt"]).files == scan(["~photos", "~a.jpg", "~/b.jpg"]).files


def test_only_folders_that_were_made_and_are_empty_go(tmp_path: Path) -> None:
    deep = tmp_path / "new" / "deep"

    def fail(*kept: Path) -> None:
        deep.mkdir(parents=True)
        for path in kept:
            path.write_text("here")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"), no_empty_folder(deep):
        fail()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="no"), no_empty_folder(deep):
        fail(tmp_path / "new" / "file")
    assert list((tmp_path / "new").iterdir()) == [tmp_path / "new" / "file"]


def test_what_could_not_be_written_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no"), replacing(tmp_path / "new" / "a.csv"):
        raise ValueError("no")
    assert not (tmp_path / "new").exists()


KILLED = """
import os, sys
from pathlib import Path
from unmingle.files import replacing, scratch_folder
with scratch_folder() as folder, replacing(Path(sys.argv[1])) as path:
    path.write_text("Ada")
    (folder / "regions.xmp").write_text("Ada")
    os._exit(9)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="files are held by flock")
def test_what_a_killed_process_left_goes_and_what_others_are_at_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary, page = tmp_path / "temporary", tmp_path / "a.csv"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    assert subprocess.run([sys.executable, "-c", KILLED, str(page)], check=False).returncode == 9
    assert sum("Ada" in path.read_text() for path in tmp_path.rglob("*") if path.is_file()) == 2
    with scratch_folder() as mine, replacing(page) as one, scratch_folder(), replacing(page) as other:
        assert [path for path in temporary.iterdir() if path == mine] == [mine]
        assert len(list(temporary.glob(f"{SCRATCH}*"))) == 2
        assert one != other
        assert all(path.read_text() == "" for path in tmp_path.glob(".*.csv"))
        other.write_text("second")
        one.write_text("first")
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["a.csv", "temporary"]
    assert (page.read_text(), list(temporary.iterdir())) == ("first", [])


@pytest.mark.parametrize(("number", "mend"), [(errno.EROFS, "who may write"), (errno.ENOSPC, "Free some space")])
def test_what_to_do_is_about_what_is_wrong(tmp_path: Path, number: int, mend: str) -> None:
    with pytest.raises(WriteError, match=mend), replacing(tmp_path / "a.csv"):
        raise OSError(number, "so it is")
