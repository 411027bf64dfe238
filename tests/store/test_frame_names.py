"""When file names are believed: only where the faces bear them out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.store.conftest import put_files

from unmingle.grouping.impostors import SFACE_CURVE
from unmingle.sources.names import AUTO
from unmingle.store.face_rows import StoredFaces
from unmingle.store.frame_names import conclude, rows_of_pictures
from unmingle.store.sqlite import open_to_write

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from unmingle.records import F32

PEOPLE = 40


def vectors(people: Sequence[int], *, drift: bool = False, seed: int = 0) -> F32:
    """Faces of people in order; with drift, a face is most like the same person's face before it."""
    made = np.random.default_rng(seed)
    centre_pd = made.normal(size=(PEOPLE, 64))
    state = {person: made.normal(size=64) for person in set(people)}
    rows = []
    for person in people:
        fresh = made.normal(size=64)
        state[person] = 0.95 * state[person] + 0.3 * fresh if drift else fresh
        rows.append(centre_pd[person] + 0.6 * state[person])
    return np.array(rows, np.float32)


def concluded(folder: Path, names: Sequence[str], vectors_nd: F32) -> tuple[int, list[bool]]:
    """How many files are believed, and for each believed recording whether its frames are in order."""
    with open_to_write(folder) as store:
        put_files(store, ((name,) for name in names))
        n = len(names)
        core, scores = np.ones(n, np.bool_), np.ones(n, np.float32)
        faces = StoredFaces(np.arange(n), np.arange(1, n + 1), np.ones(n, np.int64), vectors_nd, core, scores, scores)
        found = conclude(store, faces, rows_of_pictures(store, faces), AUTO, SFACE_CURVE)
    assert found.recordings is not None
    assert found.files == n
    return found.believed, list(found.recordings.values())


def meeting(people: Sequence[int], frames: int, *, first: int = 0) -> tuple[list[str], list[int]]:
    """Names and people of the crops of a meeting in which all are there all the time."""
    names = [f"a6a4_{7 * frame:08}_{first + at}.jpg" for frame in range(frames) for at in range(len(people))]
    return names, list(people) * frames


@pytest.mark.parametrize(("people", "frames", "first"), [((0, 1), 60, 0), ((0, 1, 2, 3, 4), 12, 1), (range(12), 20, 0)])
def test_a_meeting_is_believed(tmp_path: Path, people: Sequence[int], frames: int, first: int) -> None:
    names, who = meeting(people, frames, first=first)
    assert concluded(tmp_path, names, vectors(who, drift=True)) == (len(names), [True])


def test_a_recording_of_one_person_is_believed(tmp_path: Path) -> None:
    names, who = meeting([3], 80)
    assert concluded(tmp_path, names, vectors(who, drift=True)) == (80, [True])


def test_photographs_of_several_people_are_frames_without_an_order(tmp_path: Path) -> None:
    names, who = meeting(range(4), 20)
    assert concluded(tmp_path, names, vectors(who)) == (80, [False])


def albums(kind: str, size: int, made: np.random.Generator) -> tuple[list[str], list[int]]:
    names: list[str] = []
    who: list[int] = []
    for album in range(24):
        pictured = [album % 8] * size if kind == "one" else made.integers(0, 8, size).tolist()
        names += [f"Trip_{1990 + album}_{1 + at}.jpg" for at in range(size)]
        who += pictured
    return names, who


@pytest.mark.parametrize("kind", ["one", "mixed"])
@pytest.mark.parametrize("size", [2, 5, 8])
def test_bursts_and_albums_are_not_believed(tmp_path: Path, kind: str, size: int) -> None:
    names, who = albums(kind, size, np.random.default_rng(size))
    assert concluded(tmp_path, names, vectors(who))[0] == 0


def test_albums_of_strangers_are_not_believed(tmp_path: Path) -> None:
    """Nobody is there twice, so nothing could show that faces of one frame are apart."""
    names = [f"Trip_{1990 + album}_{at}.jpg" for album in range(8) for at in range(5)]
    assert concluded(tmp_path, names, vectors(range(40)))[0] == 0


@pytest.mark.parametrize("drift", [False, True])
def test_photographs_with_one_face_each_are_not_believed(tmp_path: Path, *, drift: bool) -> None:
    """Strangers between pictures of the owner, as a face cropper names them."""
    who = [0 if at % 2 else 1 + at // 2 for at in range(60)]
    names = [f"IMG_{1201 + at}_0.jpg" for at in range(60)]
    assert concluded(tmp_path, names, vectors(who, drift=drift))[0] == 0


@pytest.mark.parametrize("number", ["Scan_2020_{:03}.jpg", "DSC_0001_{}.jpg", "IMG_{:04}_0.jpg", "IMG_{0:04}_{0}.jpg"])
def test_serial_numbers_are_not_believed(tmp_path: Path, number: str) -> None:
    who = np.random.default_rng(1).integers(0, 6, 80).tolist()
    assert concluded(tmp_path, [number.format(at) for at in range(80)], vectors(who))[0] == 0


def test_one_recording_is_believed_and_albums_beside_it_are_not(tmp_path: Path) -> None:
    names, who = meeting(range(5), 20)
    more, others = albums("mixed", 5, np.random.default_rng(2))
    assert concluded(tmp_path, names + more, vectors(who + others, drift=True)) == (len(names), [True])
