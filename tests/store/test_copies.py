"""Copies of one picture in a library: which rows they are, and what the tables say of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from tests.made_library import analysis, empty, put

from madeup.cast import CAST
from madeup.portraits import Look, Person, encode, render
from unmingle import jobs
from unmingle.api import Library
from unmingle.faces.duplicates import fingerprint
from unmingle.settings import GroupingSettings
from unmingle.sources.decoding import decode
from unmingle.sources.names import MEETING_PATTERN
from unmingle.store.copies import copy_of
from unmingle.store.face_rows import faces_to_group
from unmingle.store.frame_names import FrameNames, recording_of
from unmingle.store.sqlite import open_to_read, open_to_write

if TYPE_CHECKING:
    from pathlib import Path

    from unmingle.records import F32, U8

BOX = (0.25, 0.2, 0.5, 0.6)  # of a portrait's face, as shares


class Shelf:
    """A library of pictures, each with one face or several."""

    def __init__(self, folder: Path) -> None:
        self.library = Library(folder, views="on request")
        empty(folder)

    def put(self, name: str, picture: U8, vectors_nd: F32, quality: float = 0.5, *, box: F32 | None = None) -> None:
        height, width = picture.shape[:2]
        n = len(vectors_nd)
        boxes = np.tile(BOX, (n, 1)) if box is None else np.tile(box, (n, 1))
        boxes[:, 0] += 0.3 * np.arange(n)
        found = analysis(vectors_nd, boxes * [width, height, width, height], size=(width, height), quality=quality)
        with open_to_write(self.library.folder) as store, store.transaction() as connection:
            put(connection, name, replace(found, fingerprint=fingerprint(picture)))

    def copies(self) -> dict[str, str]:
        """Of each file with a copy of another, that other."""
        with open_to_read(self.library.folder) as store:
            faces = faces_to_group(store)
            of_n = copy_of(store, faces, recording_of(store, faces, FrameNames(MEETING_PATTERN)))
            names = dict(store.connection.execute("SELECT id, digest FROM analysis").fetchall())
        if of_n is None:
            return {}
        files = [names[picture] for picture in faces.pictures.tolist()]
        return {files[row]: files[of] for row, of in enumerate(of_n.tolist()) if of != row}

    def cluster(self) -> None:
        with open_to_write(self.library.folder) as store:
            jobs.cluster(store, GroupingSettings())


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "library")


def portrait(person: int, look: int = 1) -> U8:
    return render(Person.from_seed(CAST[person]), Look.from_seed(look))


def vector(seed: int, noise: float = 0.0, *, again: int = 0) -> F32:
    one = np.random.default_rng(seed).normal(size=(1, 64))
    return np.asarray(one + noise * np.random.default_rng((seed, again + 1)).normal(size=(1, 64)), np.float32)


def test_the_best_of_copies_is_the_original(shelf: Shelf) -> None:
    picture = portrait(0)
    shelf.put("large.png", picture, vector(0), 0.9)
    shelf.put("poor.jpg", decode(encode(picture, 30)), vector(0, 0.3), 0.5)
    shelf.put("small.png", np.asarray(cv2.resize(picture, (128, 128)), np.uint8), vector(0, 0.3, again=1), 0.4)
    shelf.put("other.png", portrait(0, 2), vector(0, 0.2), 0.9)
    shelf.put("somebody.png", portrait(1), vector(1), 0.9)
    assert shelf.copies() == {"poor.jpg": "large.png", "small.png": "large.png"}


def test_a_picture_is_no_copy_of_its_thumbnail_however_sharp_that_is(shelf: Shelf) -> None:
    picture = portrait(0)
    small = np.asarray(cv2.resize(picture, (128, 128), interpolation=cv2.INTER_AREA), np.uint8)
    shelf.put("large.png", picture, vector(0), 0.87)
    shelf.put("small.png", small, vector(0, 0.1), 0.9)
    assert shelf.copies() == {"small.png": "large.png"}
    shelf.put("blown_up.png", np.asarray(cv2.resize(small, (320, 320)), np.uint8), vector(0, 0.1, again=1), 0.5)
    assert shelf.copies() == {"small.png": "large.png", "blown_up.png": "large.png"}


def test_one_picture_of_two_strangers_is_no_copy(shelf: Shelf) -> None:
    """The face in the middle of a picture is another one, or elsewhere."""
    picture = portrait(0)
    shelf.put("one.png", picture, vector(0))
    shelf.put("stranger.jpg", decode(encode(picture, 50)), vector(1))
    shelf.put("elsewhere.jpg", decode(encode(picture, 40)), vector(0), box=np.array([0, 0, 0.3, 0.3]))
    assert shelf.copies() == {}


def test_a_small_face_must_be_all_but_the_same(shelf: Shelf) -> None:
    picture, small = portrait(0), np.array([0.4, 0.4, 0.1, 0.1])
    shelf.put("one.png", picture, vector(0), box=small)
    shelf.put("same.jpg", decode(encode(picture, 50)), vector(0, 0.1), 0.4, box=small)
    shelf.put("another.jpg", decode(encode(picture, 40)), vector(0, 0.9), 0.4, box=small)
    assert shelf.copies() == {"same.jpg": "one.png"}


def test_faces_of_a_group_are_copies_one_to_one(shelf: Shelf) -> None:
    picture = np.hstack([portrait(0), portrait(1)])
    box = np.array([0.1, 0.2, 0.28, 0.6])
    two = np.concatenate([vector(0), vector(1)])
    shelf.put("group.png", picture, two, 0.9, box=box)
    shelf.put("again.jpg", decode(encode(picture, 40)), two, 0.4, box=box)
    with open_to_read(shelf.library.folder) as store:
        faces = faces_to_group(store)
        of_n = copy_of(store, faces, np.full(4, -1))
    assert of_n is not None
    of = [(int(row), int(other)) for row, other in enumerate(of_n) if row != other]
    assert len(of) == 2
    for row, other in of:
        np.testing.assert_array_equal(faces.vectors[row], faces.vectors[other])


def test_frames_of_one_recording_are_no_copies(shelf: Shelf) -> None:
    picture = portrait(0)
    for frame in range(3):
        shelf.put(f"weekly_{2 * frame:08}_0.jpg", decode(encode(picture, 90 - frame)), vector(0, 0.1, again=frame))
    assert shelf.copies() == {}
    shelf.put("saved.jpg", decode(encode(picture, 60)), vector(0), 0.3)
    assert list(shelf.copies()) == ["saved.jpg"]


def test_pictures_of_an_older_library_have_no_copies(shelf: Shelf) -> None:
    for name, quality in (("one.jpg", 90), ("two.jpg", 60)):
        shelf.put(name, decode(encode(portrait(0), quality)), vector(0))
    assert len(shelf.copies()) == 1
    with open_to_write(shelf.library.folder) as store, store.transaction() as connection:
        connection.execute("UPDATE analysis SET fingerprint = x'' WHERE digest = 'one.jpg'")
    assert shelf.copies() == {}


def test_copies_alone_make_nobody_and_the_tables_say_so(shelf: Shelf) -> None:
    picture = portrait(0)
    for number in range(3):
        shelf.put(f"copy{number}.jpg", decode(encode(picture, 90 - 20 * number)), vector(0, 0.1, again=number), 0.9)
        shelf.put(f"b{number}.jpg", portrait(1, number), vector(1, 0.3, again=number))
    shelf.put("lonely.jpg", portrait(2), vector(2))
    shelf.cluster()
    rows = {row["file"]: row for row in shelf.library.faces.iter_rows(named=True)}
    assert {row["person"] for file, row in rows.items() if file.startswith("b")} == {1}
    assert rows["lonely.jpg"]["reason"] == "no other face is like it"
    told = [rows[f"copy{number}.jpg"] for number in range(3)]
    assert {row["status"] for row in told} == {"alone"}
    assert {row["reason"].partition(":")[0] for row in told} == {"only copies of one picture"}
    shelf.put("a.jpg", portrait(0, 7), vector(0, 0.2, again=9), 0.1)
    shelf.cluster()
    rows = {row["file"]: row for row in shelf.library.faces.iter_rows(named=True)}
    assert rows["a.jpg"]["person"] == rows["copy0.jpg"]["person"] is not None
    reasons = [rows[f"copy{number}.jpg"]["reason"] for number in range(3)]
    assert sorted(bool(reason) for reason in reasons) == [False, True, True]
    assert {reason.partition(":")[0] for reason in reasons if reason} == {"a copy of another picture"}
