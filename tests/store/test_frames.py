from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.store.conftest import put_files

from unmingle.errors import SettingsError
from unmingle.grouping.impostors import SFACE_CURVE
from unmingle.sources.names import AUTO, MEETING_PATTERN
from unmingle.store.face_rows import StoredFaces
from unmingle.store.frame_names import FrameNames, conclude, recording_of, rows_of_pictures, seen_frames
from unmingle.store.sqlite import open_to_write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from unmingle.store.sqlite import Store


READ = FrameNames(MEETING_PATTERN)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_to_write(tmp_path) as opened:
        yield opened


def add(store: Store, *pictures: tuple[str, ...]) -> StoredFaces:
    """One picture for each tuple of the file names that hold it, each with one face."""
    put_files(store, pictures)
    rows = np.arange(len(pictures))
    return StoredFaces(
        rows,
        rows + 1,
        np.ones(len(pictures), np.int64),
        np.zeros((len(pictures), 4), np.float32),
        np.ones(len(pictures), np.bool_),
        np.ones(len(pictures), np.float32),
        np.ones(len(pictures), np.float32),
    )


def frames_of(seen: np.ndarray[tuple[int, ...], np.dtype[np.int64]], face: int) -> set[int]:
    return set(seen[seen[:, 0] == face, 1].tolist())


def test_names_tell_the_frame_and_which_frames_follow_each_other(store: Store) -> None:
    faces = add(store, ("m_0010_0.jpg",), ("m_0010_1.jpg",), ("m_0012_0.jpg",), ("m_0014_0.jpg",), ("m_0090_0.jpg",))
    seen = seen_frames(store, faces, READ)
    first, second, third, fourth, last = (frames_of(seen, face) for face in range(5))
    assert first == second
    assert {frame + 1 for frame in first} == third
    assert {frame + 1 for frame in third} == fourth
    assert {frame + 1 for frame in fourth} != last


def test_two_meetings_and_two_folders_are_apart(store: Store) -> None:
    faces = add(store, ("m_0001_0.jpg",), ("n_0001_0.jpg",), ("other/m_0001_0.jpg",), ("n_0002_0.jpg",))
    seen = seen_frames(store, faces, READ)
    numbers = sorted(frame for face in range(4) for frame in frames_of(seen, face))
    assert len(set(numbers)) == 4
    assert frames_of(seen, 3) == {frame + 1 for frame in frames_of(seen, 1)}
    assert np.diff(numbers).tolist().count(1) == 1


def test_a_picture_under_two_names_is_of_two_frames(store: Store) -> None:
    faces = add(store, ("m_0001_0.jpg", "m_0002_0.jpg"), ("m_0002_1.jpg",))
    seen = seen_frames(store, faces, READ)
    assert len(frames_of(seen, 0)) == 2
    assert frames_of(seen, 1) < frames_of(seen, 0)


def test_faces_of_one_photograph_were_seen_together(store: Store) -> None:
    faces = add(store, ("a.jpg",), ("b.jpg",))
    twice = replace(faces.take(np.array([0, 0, 1])), pictures=np.array([1, 1, 2]))
    seen = seen_frames(store, twice, READ)
    assert frames_of(seen, 0) == frames_of(seen, 1) != frames_of(seen, 2)
    assert not np.isin(seen[:, 1] + 1, seen[:, 1]).any()
    assert len(seen_frames(store, faces, READ)) == 2


def test_a_pattern_of_ones_own(store: Store) -> None:
    faces = add(store, ("0003-zoom-1.jpg",), ("0003-zoom-2.jpg",), ("0004-zoom-1.jpg",))
    held = rows_of_pictures(store, faces)
    names = conclude(store, faces, held, r"(?P<frame>\d+)-(?P<meeting>[a-z]+)-(?P<index>\d)", SFACE_CURVE)
    assert (names.files, names.believed, names.frames) == (3, 3, 2)
    seen = seen_frames(store, faces, names)
    assert frames_of(seen, 0) == frames_of(seen, 1) != frames_of(seen, 2)
    names.keep(store)
    assert FrameNames.of(store) == names
    assert names.meeting(1, "0003-zoom-1.jpg") == "zoom"
    for pattern in (AUTO, None):
        names = conclude(store, faces, held, pattern, SFACE_CURVE)
        assert len(np.unique(seen_frames(store, faces, names)[:, 1])) == 3
    with pytest.raises(SettingsError, match="no group"):
        conclude(store, faces, held, r"(?P<frame>\d+).*", SFACE_CURVE)


def test_frames_that_do_not_follow_each_other_are_no_recording(store: Store) -> None:
    faces = add(store, ("m_0001_0.jpg",), ("m_0001_1.jpg",), ("m_0002_0.jpg",))
    names = FrameNames(MEETING_PATTERN, {(1, "", "m"): False})
    seen = seen_frames(store, faces, names)
    assert frames_of(seen, 0) == frames_of(seen, 1)
    assert not np.isin(seen[:, 1] + 1, seen[:, 1]).any()
    assert recording_of(store, faces, names).tolist() == [-1, -1, -1]
    assert recording_of(store, faces, READ).tolist() == [0, 0, 0]


def test_names_are_read_by_one_rule_wherever_a_frame_is_shown() -> None:
    names = FrameNames(MEETING_PATTERN, {(1, "cut", "m"): True})
    assert (names.frame(1, "cut/m_0012_1.jpg"), names.meeting(1, "cut/m_0012_1.jpg")) == (12, "m")
    for source, name in ((1, "m_0012_1.jpg"), (2, "cut/m_0012_1.jpg"), (1, "cut/n_0012_1.jpg"), (1, "cut/holiday.jpg")):
        assert (names.frame(source, name), names.meeting(source, name)) == (None, None)
    assert names.frame(1, f"cut/m_{2**63}_1.jpg") is None
    assert FrameNames().frame(1, "cut/m_0012_1.jpg") is None


def test_a_library_of_an_older_version_shows_what_it_read(store: Store) -> None:
    assert FrameNames.of(store) == FrameNames()
    store.set_fact("name_pattern", MEETING_PATTERN)
    assert FrameNames.of(store).frame(1, "m_0012_1.jpg") == 12
