"""A command that fails before there is anything to keep leaves no folder and no library that were not there."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from unmingle.api import Library
from unmingle.errors import SourceError
from unmingle.sources.images import PictureFile, Scan
from unmingle.store import analyses
from unmingle.store.sqlite import open_to_write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.command import Command

    from unmingle.store.sqlite import Store

FAILING = [
    "cluster MISSING -o NEW/library",
    "cluster EMPTY -o NEW/library",
    "cluster EMPTY/nothing.txt -o NEW/library",
    "cluster PICTURES -o NEW/library --model unknown",
    "cluster PICTURES -o NEW/library --recipe classic",
    "cluster PICTURES -o NEW/library --every never",
    "cluster PICTURES -o NEW/library --labels MISSING",
    "cluster PICTURES -o FILE",
    "cluster PICTURES -o FILE/library",
    "cluster -o NEW/library",
    "people NEW",
    "undo NEW",
    "show NEW 1",
    "show ALBUM nobody -o NEW/sheet.jpg",
    "evaluate ALBUM --labels MISSING -o NEW",
    "report NEW -o NEW/page.html",
    "report ALBUM -o NEW/page.html --labels MISSING",
    "export NEW -o NEW/out --to csv",
    "export ALBUM -o NEW/out --to xlsx --labels MISSING",
    "import NEW PICTURES",
    "import ALBUM MISSING",
    "compare ALBUM NEW -o NEW/page.html",
    "bench MISSING -o NEW",
    "bench PICTURES -o NEW --labels MISSING",
    "demo -o FILE",
    "review NEW --no-browser",
]


def tree(folder: Path) -> dict[str, int]:
    """What is there, but for the time that SQLite's own files have."""
    return {str(path.relative_to(folder)): path.is_file() for path in folder.rglob("*") if ".sqlite-" not in path.name}


@pytest.mark.parametrize("words", FAILING)
def test_what_fails_leaves_nothing(words: str, album: Path, made: Path, tmp_path: Path, unmingle: Command) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("here")
    places = {
        "ALBUM": album,
        "PICTURES": made / "pictures",
        "NEW": tmp_path / "new" / "deep",
        "FILE": tmp_path / "file",
    }
    places |= {"MISSING": tmp_path / "missing", "EMPTY": tmp_path / "empty"}
    before = tree(tmp_path)
    parts = [word.partition("/") for word in words.split()]
    done = unmingle(*(f"{places.get(head, head)}{slash}{rest}" for head, slash, rest in parts))
    assert done.code in (1, 2)
    assert done.err
    assert tree(tmp_path) == before


def test_a_folder_that_was_there_stays(tmp_path: Path) -> None:
    (tmp_path / "library").mkdir()
    with pytest.raises(SourceError):
        Library(tmp_path / "library").add(tmp_path / "missing")
    assert list((tmp_path / "library").iterdir()) == []


@pytest.mark.parametrize("problem", ["", "can't be opened"])
def test_what_was_stored_stays(tmp_path: Path, problem: str) -> None:
    """A file that can't be read is a row that tells so."""
    folder = tmp_path / "new" / "library"
    scan = Scan((PictureFile(str(tmp_path), "a.jpg", problem),), ())

    def stop(store: Store) -> None:
        analyses.register(store, scan, "faces")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), open_to_write(folder) as store:
        stop(store)
    assert folder.exists() == bool(problem)
    assert (tmp_path / "new").exists() == bool(problem)


def test_an_older_library_is_never_taken_away(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "library"
    with open_to_write(folder):
        pass
    with pytest.raises(KeyboardInterrupt), open_to_write(folder):
        raise KeyboardInterrupt
    with closing(sqlite3.connect(folder / "library.sqlite")) as connection, connection:
        assert connection.execute("SELECT count(*) FROM file").fetchone() == (0,)
