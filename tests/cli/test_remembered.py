"""`cluster` without a source goes on with those that the library remembers."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from unmingle.api import Library
from unmingle.errors import LibraryError, SourceError
from unmingle.settings import DetectionSettings, GroupingSettings, RecordingSettings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.command import Command

    from unmingle.demo import Meeting


@pytest.fixture
def sources(meeting: Meeting, tmp_path: Path, unmingle: Command) -> tuple[Path, Path]:
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
    sources: tuple[Path, Path], tmp_path: Path, unmingle: Command
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
    assert f"{first} is not there now" in away.out
    assert "Taken along" not in away.out  # a heading without a line
    assert library.faces.height == files
    for path in (tmp_path / "away", second, third.parent):
        shutil.rmtree(path)
    none = unmingle("cluster", "-o", library.folder)
    assert (none.code, none.out) == (1, "")
    assert str(first) in none.err


def test_no_source_and_no_library_is_wrong_usage(tmp_path: Path, unmingle: Command) -> None:
    assert unmingle("cluster", "-o", tmp_path / "new").code == 2
    with pytest.raises(LibraryError, match="There is no library"):
        Library(tmp_path / "new").add()
    with pytest.raises(SourceError, match="no pictures"):
        Library(tmp_path / "new").add(tmp_path)


def test_what_is_asked_of_new_sources_holds_for_remembered_ones(
    sources: tuple[Path, Path], tmp_path: Path, unmingle: Command
) -> None:
    first, second = sources
    folder = tmp_path / "library"
    crops = unmingle("cluster", second, "-o", folder, "--save-crops", first / "crops")
    assert (crops.code, f"is inside {first}" in crops.err) == (1, True)
    assert "Finding faces" not in crops.err  # not after an hour of work
    none = unmingle("cluster", second, "-o", folder, "--save-crops", tmp_path / "crops")
    assert f"0 faces of recordings cut out into {tmp_path / 'crops'}" in none.out
    # Files of three folders are sorted, so that there are three people, whichever of the folders is named.
    done = unmingle("cluster", second, "-o", folder, "--labels", "folders", "--json")
    assert json.loads(done.out)["people"] == 3


def test_a_folder_within_a_source_comes_back_and_that_is_said(
    meeting: Meeting, tmp_path: Path, unmingle: Command
) -> None:
    files = sorted(meeting.faces.iterdir())
    for name in ("a", "b"):
        (tmp_path / "all" / name).mkdir(parents=True)
    for file in files:
        shutil.copy(file, tmp_path / "all" / ("a" if file in files[:6] else "b"))
    unmingle("cluster", tmp_path / "all", "-o", tmp_path / "library")
    done = unmingle("forget", tmp_path / "library", tmp_path / "all" / "a")
    assert f"The next unmingle cluster of {tmp_path / 'all'} finds them again" in done.out
    assert "finds them again" not in unmingle("forget", tmp_path / "library", tmp_path / "all").out


def test_what_no_option_says_is_as_before_where_that_is_asked_for(
    meeting: Meeting, tmp_path: Path, unmingle: Command
) -> None:
    unusual = ("--strictness", "strict", "--no-co-occurrence", "--people", "3", "--sheets", "2", "--no-name-pattern")
    assert unmingle("cluster", meeting.faces, "-o", "out", "--crops", "always", "--every", "1s", *unusual).code == 0
    library = Library(tmp_path / "out")
    before = library._as_before()
    assert unmingle("cluster", "-o", "out", "--as-before").err.startswith("As before: crops always, ")
    assert library._as_before() == before
    assert library.people.height == 3
    usual = (
        "--strictness balanced --people 0 --name-pattern auto --sheets 100 --every 0.1s --crops auto --co-occurrence"
    )
    assert "people" not in unmingle("cluster", "-o", "out", "--as-before", *usual.split()).err
    assert library.people.height > 3
    looking, grouping = library._as_before()
    assert (looking["detection"], looking["recording"]) == (DetectionSettings(), RecordingSettings())
    assert grouping == {"settings": GroupingSettings(), "webvtt": False, "sheets": 100, "name_pattern": "auto"}
    assert unmingle("cluster", "-o", "out", "--people", "3").code == 0
    assert "As before" not in unmingle("cluster", "-o", "out").err
    assert library._as_before()[1]["settings"].people is None
