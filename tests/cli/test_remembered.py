"""`cluster` without a source goes on with those that the library remembers."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from unmingle.api import Library
from unmingle.errors import LibraryError, SourceError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Result

    from unmingle.demo import Meeting


@pytest.fixture
def sources(meeting: Meeting, tmp_path: Path, unmingle: Callable[..., Result]) -> tuple[Path, Path]:
    """Two folders, in a library, and a picture of a third."""
    files = sorted(meeting.faces.iterdir())
    half = len(files) // 2
    for name, part in (("first", files[:half]), ("second", files[half:-1]), ("third", files[-2:])):
        (tmp_path / name).mkdir()
        for file in part:
            shutil.copy(file, tmp_path / name)
    first, second = tmp_path / "first", tmp_path / "second"
    done = unmingle("cluster", first, tmp_path / "third" / files[-1].name, "-o", tmp_path / "library")
    assert done.code == 0
    assert "Taken along" not in done.out
    return first, second


def test_it_goes_on_with_all_and_says_what_it_takes_along(
    sources: tuple[Path, Path], tmp_path: Path, unmingle: Callable[..., Result]
) -> None:
    first, second = sources
    library = Library(tmp_path / "library")
    third = next(path for path in library.sources if path != first)
    assert third.parent == tmp_path / "third"
    count = len(list(first.iterdir()))
    new = unmingle("cluster", second, "-o", library.folder)
    assert f"Taken along as they were in earlier runs:\n  {count:>7}  {first}\n  {1:>7}  {third.parent}\n" in new.out
    shutil.copy(next(first.iterdir()), first / "one more.jpg")
    again = unmingle("cluster", "-o", library.folder)
    assert (again.code, "Taken along" in again.out) == (0, False)
    assert "one more.jpg" in library.faces["file"].to_list()
    files = library.faces.height
    # A folder that is away, as on a disk that was taken out, is told, and its files stay.
    first.rename(tmp_path / "away")
    away = unmingle("cluster", "-o", library.folder)
    assert away.code == 0
    assert f"{first}, which is not there now" in away.out
    assert library.faces.height == files
    for path in (tmp_path / "away", second, third.parent):
        shutil.rmtree(path)
    none = unmingle("cluster", "-o", library.folder)
    assert (none.code, none.out) == (1, "")
    assert str(first) in none.err


def test_no_source_and_no_library_is_wrong_usage(tmp_path: Path, unmingle: Callable[..., Result]) -> None:
    assert unmingle("cluster", "-o", tmp_path / "new").code == 2
    with pytest.raises(LibraryError, match="There is no library"):
        Library(tmp_path / "new").add()
    with pytest.raises(SourceError, match="no pictures"):
        Library(tmp_path / "new").add(tmp_path)
