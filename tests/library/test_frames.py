from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from unmingle.errors import SettingsError
from unmingle.library.frames import seen_frames
from unmingle.library.pictures import StoredFaces
from unmingle.library.store import open_to_write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from unmingle.library.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_to_write(tmp_path) as opened:
        yield opened


def add(store: Store, *pictures: tuple[str, ...]) -> StoredFaces:
    """One picture for each tuple of the file names that hold it, each with one face."""
    with store.transaction() as connection:
        connection.execute("INSERT INTO source (id, path) VALUES (1, X'2F')")
        for number, names in enumerate(pictures, 1):
            connection.execute(
                "INSERT INTO analysis (id, digest, recipe, precision, width, height, reason)"
                " VALUES (?, ?, '', '', 1, 1, '')",
                (number, str(number)),
            )
            for name in names:
                connection.execute(
                    "INSERT INTO file (source, path, name, digest) VALUES (1, ?, ?, ?)",
                    (name.encode(), name, str(number)),
                )
    rows = np.arange(len(pictures))
    return StoredFaces(
        rows,
        rows + 1,
        np.ones(len(pictures), np.int64),
        np.zeros((len(pictures), 4), np.float32),
        np.ones(len(pictures), np.bool_),
    )


def frames_of(seen: np.ndarray[tuple[int, ...], np.dtype[np.int64]], face: int) -> set[int]:
    return set(seen[seen[:, 0] == face, 1].tolist())


def test_names_tell_the_frame_and_which_frames_follow_each_other(store: Store) -> None:
    faces = add(store, ("m_0010_0.jpg",), ("m_0010_1.jpg",), ("m_0012_0.jpg",), ("m_0014_0.jpg",), ("m_0090_0.jpg",))
    seen = seen_frames(store, faces)
    first, second, third, fourth, last = (frames_of(seen, face) for face in range(5))
    assert first == second
    assert {frame + 1 for frame in first} == third
    assert {frame + 1 for frame in third} == fourth
    assert {frame + 1 for frame in fourth} != last


def test_two_meetings_and_two_folders_are_apart(store: Store) -> None:
    faces = add(store, ("m_0001_0.jpg",), ("n_0001_0.jpg",), ("other/m_0001_0.jpg",), ("n_0002_0.jpg",))
    seen = seen_frames(store, faces)
    numbers = sorted(frame for face in range(4) for frame in frames_of(seen, face))
    assert len(set(numbers)) == 4
    assert frames_of(seen, 3) == {frame + 1 for frame in frames_of(seen, 1)}
    assert np.diff(numbers).tolist().count(1) == 1


def test_a_picture_under_two_names_is_of_two_frames(store: Store) -> None:
    faces = add(store, ("m_0001_0.jpg", "m_0002_0.jpg"), ("m_0002_1.jpg",))
    seen = seen_frames(store, faces)
    assert len(frames_of(seen, 0)) == 2
    assert frames_of(seen, 1) < frames_of(seen, 0)


def test_numbered_scans_are_no_meeting(store: Store) -> None:
    faces = add(store, *[(f"Scan_2020_{number:03}.jpg",) for number in range(6)], ("Scan_2021_001.jpg",))
    seen = seen_frames(store, faces)
    assert len(np.unique(seen[:, 1])) == 7


def test_serial_numbers_in_more_frames_than_faces_are_a_meeting(store: Store) -> None:
    faces = add(store, *[(f"m_{frame:04}_{index:02}.jpg",) for frame in range(5) for index in range(2)])
    assert len(np.unique(seen_frames(store, faces)[:, 1])) == 5


def test_faces_of_one_photograph_were_seen_together(store: Store) -> None:
    faces = add(store, ("a.jpg",), ("b.jpg",))
    twice = StoredFaces(
        np.arange(3), np.array([1, 1, 2]), np.ones(3, np.int64), np.zeros((3, 4), np.float32), np.ones(3, np.bool_)
    )
    seen = seen_frames(store, twice)
    assert frames_of(seen, 0) == frames_of(seen, 1) != frames_of(seen, 2)
    assert not np.isin(seen[:, 1] + 1, seen[:, 1]).any()
    assert len(seen_frames(store, faces)) == 2


def test_a_pattern_of_ones_own(store: Store) -> None:
    faces = add(store, ("0003-zoom-1.jpg",), ("0003-zoom-2.jpg",), ("0004-zoom-1.jpg",))
    pattern = r"(?P<frame>\d+)-(?P<meeting>[a-z]+)-(?P<index>\d)"
    seen = seen_frames(store, faces, pattern=pattern)
    assert frames_of(seen, 0) == frames_of(seen, 1) != frames_of(seen, 2)
    assert len(np.unique(seen_frames(store, faces)[:, 1])) == 3
    with pytest.raises(SettingsError, match="no group"):
        seen_frames(store, faces, pattern=r"(?P<frame>\d+).*")
