"""Recordings in exports and imports: linked, never copied; their rows come back by frame and face."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.command import Command
from tests.store.test_sightings import FRAMES, group, segment, store_recording, track

from unmingle.api import ExportOptions, Library
from unmingle.store.file_rows import WALKED
from unmingle.store.sqlite import open_to_write

if TYPE_CHECKING:
    from pathlib import Path


def watched(folder: Path, recording: Path) -> Library:
    """A library of a recording of two people, with real bytes on the disk that nothing here decodes."""
    recording.write_bytes(b"a recording")
    status = recording.stat()
    with open_to_write(folder) as store:
        store.set_fact(WALKED, "[]")
        tracks = (track(0, FRAMES, [4, 40, 90]), track(1, FRAMES, [0, 50, 100], number=1))
        store_recording(store, str(recording)[1:], segment(*tracks))
        with store.transaction() as connection:
            stamp = (status.st_size, status.st_mtime_ns)
            connection.execute("UPDATE file SET size = ?, modified = ?", stamp)
        group(store)
    return Library(folder, views="on request")


@pytest.fixture
def library(tmp_path: Path) -> Library:
    made = watched(tmp_path / "library", tmp_path / "a.mp4")
    first, second = made.people["person"].to_list()
    made.name(first, "Ada")
    made.name(second, "Bea")
    return made


def test_a_recording_is_linked_into_the_folders_of_its_people_and_never_copied(
    library: Library, tmp_path: Path
) -> None:
    copied = library.export("folders", tmp_path / "copied")
    assert [path.name for path in (tmp_path / "copied").rglob("*")] == ["manifest.csv"]
    assert len(copied.left_out) == 1
    assert "pass --how hardlink or symlink" in copied.left_out[0][1]
    linked = library.export("folders", tmp_path / "linked", ExportOptions(how="hardlink"))
    assert (dict(linked.folders), linked.left_out) == ({"Ada": 1, "Bea": 1}, ())
    assert (tmp_path / "linked" / "Ada" / "a.mp4").samefile(tmp_path / "a.mp4")


def test_tables_have_the_rows_of_recordings_and_two_more_tables(library: Library, tmp_path: Path) -> None:
    library.export("csv", tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "faces.csv", "people.csv", "recordings.csv", "intervals.csv",
    }  # fmt: skip
    for path in (tmp_path / "out").iterdir():
        assert path.read_text(encoding="utf-8") == getattr(library, path.stem).write_csv()
    assert library.export("xmp", tmp_path / "xmp").written == 0  # regions are of pictures


def test_status_says_which_faces_of_recordings_it_counts(library: Library, tmp_path: Path) -> None:
    said = Command(tmp_path)("status", library.folder).out
    assert "6 of them are of 2 people, 2 with a name (of recordings, the faces count that stand for others)\n" in said


def test_names_of_sightings_come_back(library: Library, tmp_path: Path) -> None:
    library.export("csv", tmp_path / "out")
    other = watched(tmp_path / "other", tmp_path / "a.mp4")
    done = other.import_names(tmp_path / "out" / "faces.csv")
    assert done.left == ()
    assert other.faces.select("frame", "face", "name").equals(library.faces.select("frame", "face", "name"))
    (tmp_path / "n.csv").write_text("file,name\na.mp4,Cis\n")
    assert "a recording" in other.import_names(tmp_path / "n.csv").left[0].why
