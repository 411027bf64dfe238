"""Paths as people give them, and folders that are left as they were."""

from __future__ import annotations

from pathlib import Path

import pytest

from unmingle.files import no_empty_folder, replacing, user_path
from unmingle.sources.images import scan


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    return tmp_path


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
