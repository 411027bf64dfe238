"""What shows or names people can be read by its owner only, whatever door it was written at."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from tests.cli.conftest import SHOTS
from tests.made_library import library, take

from unmingle.store.schema import migrate
from unmingle.store.sqlite import open_to_read, open_to_write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.command import Command


@pytest.fixture
def _umask() -> Iterator[None]:
    """One that takes nothing away."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
def test_a_library_of_an_earlier_version_is_closed_once(tmp_path: Path) -> None:
    folder = tmp_path / "library"
    (folder / "sheets").mkdir(parents=True)
    with closing(sqlite3.connect(folder / "library.sqlite", isolation_level=None)) as connection:
        migrate(connection, to=12)
    for name in ("faces.csv", "sheets/person-0001.jpg", "mine.txt"):
        (folder / name).write_text("x")
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    with open_to_read(folder):
        assert open_to_others(tmp_path) == [str(folder), str(folder / "mine.txt")]  # which holds more than ours
    (folder / "faces.csv").chmod(0o640)
    with open_to_write(folder):
        assert str(folder / "faces.csv") in open_to_others(tmp_path)


def open_to_others(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.rglob("*") if path.stat().st_mode & 0o077)


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
@pytest.mark.usefixtures("_umask")
def test_whatever_is_written_is_for_its_owner_only(unmingle: Command, tmp_path: Path) -> None:
    take(tmp_path / "pictures", SHOTS)
    for name in ("made/album", "made/other"):
        library(tmp_path / name, tmp_path / "pictures", SHOTS)
    for words in (
        ("name", "album", "1", "Ada"),
        ("show", "album", "1"),
        ("show", "album", "1", "-o", "out/page/ada.jpg"),
        ("report", "album", "-q"),
        ("evaluate", "album", "--labels", "folders"),
        ("compare", "album", "other", "-q", "-o", "out/page.html"),
        *(("export", "album", "-q", "--to", kind, "-o", f"out/{kind}") for kind in ("folders", "csv", "xlsx", "xmp")),
    ):
        done = unmingle(words[0], *(f"made/{word}" if word in ("album", "other") else word for word in words[1:]))
        assert done.code == 0, (words, done.err)
    assert len(list((tmp_path / "out").rglob("*"))) > 40
    assert open_to_others(tmp_path / "made") == open_to_others(tmp_path / "out") == []
