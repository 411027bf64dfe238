"""Recordings that do odd things: each is a row with a reason, and the others are watched."""

from __future__ import annotations

import shutil
import sqlite3
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from tests.made_library import analysis
from tests.made_library import faces as face_in
from tests.videos import number_in, write_streams, write_video

from unmingle import ingest
from unmingle.errors import SourceError, WriteError
from unmingle.exchange.exporting import save_crops
from unmingle.models.registry import SFACE
from unmingle.progress import silent
from unmingle.sources.images import scan
from unmingle.sources.pyramid import Pyramid
from unmingle.sources.recordings import Frame, Recording
from unmingle.store import sightings
from unmingle.store.face_query import faceless_files
from unmingle.store.result_tables import faces_table
from unmingle.store.screen_time import screen_times
from unmingle.store.sqlite import open_to_write
from unmingle.summary import Summary, summary_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from unmingle.models.registry import Calibration
    from unmingle.records import U8, Added, Analysis, Faces

EVERY = 2.0
FRAMES = 50  # one in two seconds: a whole segment of a minute, and 40 seconds


class Sight:
    """A recipe that sees one face in every frame."""

    key, precision, min_score = "faces-test", "f32", 0.6
    calibration: Calibration | None = SFACE.calibration

    def analyse(self, pictures: Sequence[U8 | Pyramid]) -> list[Analysis]:
        frames = [Pyramid.of(picture).full() for picture in pictures]
        return self.describe_faces(frames, self.detect_each(frames, []))

    def detect_each(self, pictures: Sequence[U8], sides: Sequence[int]) -> list[Faces]:
        del sides
        return [face_in((5, 5, 30, 30)) for _ in pictures]

    def describe_faces(self, pictures: Sequence[U8], faces: Sequence[Faces]) -> list[Analysis]:
        vectors = np.eye(1, 128)
        return [analysis(vectors, one.boxes, size=(64, 48), quality=0.5, thumbnail=b"jpeg") for one in faces]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Three recordings, of which the one in the middle will do something odd."""
    (tmp_path / "source").mkdir()
    for number, name in enumerate(("a", "odd", "z")):
        times = [round(1000 * EVERY) * frame + number for frame in range(FRAMES)]
        # The same coded frames would be one recording.
        write_video(tmp_path / "source" / f"{name}.mkv", FRAMES, milliseconds=times, keyframe_every=10 + number)
    return tmp_path / "source"


def add(source: Path, every: float = EVERY) -> Added:
    with open_to_write(source.parent / "out") as store:
        return ingest.add(store, scan([source]), Sight(), every=every)


def reasons(source: Path) -> dict[str, str]:
    """The reason of each file that has a row of its own."""
    with open_to_write(source.parent / "out") as store:
        told = {row.file: row.reason for row in faceless_files(store)}
        table = faces_table(store)
        alone = table.filter(table["face"].is_null()).select("file", "reason").rows()
        assert told.items() <= dict(alone).items()
        return dict(alone)


def seen(source: Path) -> dict[str, int]:
    """How many faces each file has."""
    with open_to_write(source.parent / "out") as store:
        table = faces_table(store)
        assert len(screen_times(store)) == table.filter(table["face"].is_not_null())["file"].n_unique()
        return dict(table.filter(table["face"].is_not_null()).group_by("file").len().rows())


def odd(call: Callable[..., object], where: Callable[..., bool], error: Exception) -> Callable[..., object]:
    """What does as it did, but fails where it is told to."""

    def failing(*given: object, **more: object) -> object:
        if where(*given):
            raise error
        return call(*given, **more)

    return failing


def fail_to_open(patch: pytest.MonkeyPatch) -> None:
    opened = odd(Recording, lambda path: path.stem == "odd", RuntimeError("odd"))
    patch.setattr(ingest, "Recording", opened)


def fail_to_decode(patch: pytest.MonkeyPatch) -> None:
    frames = Recording.frames

    def failing(self: Recording, *, every: float, start: float) -> Iterator[Frame]:
        for frame in frames(self, every=every, start=start):
            if self._path.stem == "odd" and frame.time > 65:
                raise RuntimeError("odd")
            yield frame

    patch.setattr(Recording, "frames", failing)


def fail_to_detect(patch: pytest.MonkeyPatch) -> None:
    turn = iter(range(1000))

    def of_the_second(_: Sight, pictures: Sequence[U8], sides: Sequence[int]) -> bool:
        del sides
        return any(number_in(picture) == 35 for picture in pictures) and next(turn) == 1

    patch.setattr(Sight, "detect_each", odd(Sight.detect_each, of_the_second, RuntimeError("odd")))


def fail_to_describe(patch: pytest.MonkeyPatch) -> None:
    turn = iter(range(1000))

    def of_the_second(_: Sight, pictures: Sequence[U8], faces: object) -> bool:
        del faces
        return any(number_in(picture) == 35 for picture in pictures) and next(turn) == 1

    patch.setattr(Sight, "describe_faces", odd(Sight.describe_faces, of_the_second, RuntimeError("odd")))


def fail_to_store(patch: pytest.MonkeyPatch) -> None:
    turn = iter(range(1000))
    stored = odd(sightings.add_segment, lambda *_: next(turn) == 3, sqlite3.IntegrityError("odd"))
    patch.setattr(sightings, "add_segment", stored)


@pytest.mark.parametrize(
    ("fault", "reason", "kept"),
    [
        (fail_to_open, "not watched: RuntimeError: odd", 0),
        (fail_to_decode, "not watched: RuntimeError: odd, after 60 seconds that were", 30),
        (fail_to_detect, "not watched: RuntimeError: odd, after 60 seconds that were", 30),
        (fail_to_describe, "not watched: RuntimeError: odd, after 60 seconds that were", 30),
        (fail_to_store, "not watched: IntegrityError: odd, after 60 seconds that were", 30),
    ],
)
def test_whatever_one_recording_does_the_others_are_watched(
    source: Path, fault: Callable[[pytest.MonkeyPatch], None], reason: str, kept: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        fault(patch)
        added = add(source)
    assert (added.analysed, added.unreadable) == (2, 1)
    assert reasons(source) == {"odd.mkv": reason}
    assert seen(source) == {"a.mkv": FRAMES, "z.mkv": FRAMES} | ({"odd.mkv": kept} if kept else {})
    again = add(source)
    assert (again.analysed, again.known, again.unreadable) == (1, 2, 0)
    assert reasons(source) == {}
    assert set(seen(source).values()) == {FRAMES}


def test_what_is_wrong_with_the_disk_ends_the_job(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = odd(sightings.add_segment, lambda *_: True, WriteError("The disk is full."))
    monkeypatch.setattr(sightings, "add_segment", full)
    with pytest.raises(WriteError):
        add(source)


def test_what_a_frame_shows_lasts_until_the_next(source: Path) -> None:
    add(source)
    with open_to_write(source.parent / "out") as store:
        for one in screen_times(store):
            times, ends = sightings.frame_times(store.connection, one.row)
            assert times.tolist() == pytest.approx([EVERY * frame for frame in range(FRAMES)])
            assert ends.tolist() == pytest.approx([*times[1:].tolist(), one.duration])


def test_a_recording_by_another_name_and_a_picture_by_a_recording_s(source: Path) -> None:
    (source / "a.mkv").rename(source / "a.jpg")
    (source / "odd.mkv").unlink()
    with open_to_write(source.parent / "out") as store:
        added = ingest.add(store, scan([source]), Sight(), every=EVERY)
    assert (added.analysed, added.unreadable, added.unwatched) == (2, 0, ())
    assert seen(source) == {"a.jpg": FRAMES, "z.mkv": FRAMES}


def test_a_second_stream_is_told_of_once_with_a_count(source: Path) -> None:
    for name in ("two.mkv", "too.mkv"):
        write_streams(source / name, (64, 48), (128, 96) if name == "two.mkv" else (160, 96))
    shutil.copy(source / "two.mkv", source / "copy.mkv")
    for _ in range(2):
        added = add(source)
        assert added.unwatched == (
            ("2 streams of pictures: the largest, 128×96, is watched, and not 64×48", 2, "copy.mkv"),
            ("2 streams of pictures: the largest, 160×96, is watched, and not 64×48", 1, "too.mkv"),
        )
    summary = Summary(6, 0, 0, 0, (), {}, {})
    assert summary_lines(added, summary)[2:4] == [
        "Not looked at, of recordings:",
        "        2  2 streams of pictures: the largest, 128×96, is watched, and not 64×48 (copy.mkv)",
    ]


def test_crops_of_the_others_are_saved_if_one_can_not_be_read_any_more(source: Path) -> None:
    add(source)
    (source / "odd.mkv").write_bytes(b"\x1aE\xdf\xa3 no more")
    folder = source.parent / "crops"
    with open_to_write(source.parent / "out") as store, pytest.raises(SourceError) as caught:
        save_crops(store, folder, silent)
    assert f"{2 * FRAMES} crops were saved, and none, or not all, of odd.mkv (not a recording" in caught.value.problem
    assert {path.name[0] for path in folder.iterdir()} == {"a", "z"}
    assert len(list(folder.iterdir())) == 2 * FRAMES


def test_crops_are_of_the_frames_and_places_that_were_seen_however_the_recording_is_read_now(source: Path) -> None:
    add(source)
    with open_to_write(source.parent / "out") as store:
        store.connection.execute("UPDATE recording SET every = 3.1, width = width / 2, height = height / 2")
        assert save_crops(store, source.parent / "crops", silent) == 3 * FRAMES
    (first, *_) = sorted((source.parent / "crops").iterdir())
    with Image.open(first) as crop:
        assert crop.size == (64, 48)  # 60 of them are the face, and its margin


def test_who_is_on_screen_is_told_by_a_players_clock_where_sound_comes_first(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    write_video(tmp_path / "source" / "talk.mkv", 40, sound=True, sound_alone=90.5)
    add(tmp_path / "source", every=0.1)
    with open_to_write(tmp_path / "out") as store:
        (times,) = screen_times(store)
    assert times.complete
    assert times.begins == pytest.approx(90.5)
    assert times.duration == pytest.approx(92.5, abs=0.06)


def test_crops_are_as_wide_as_a_player_shows_them(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    write_video(tmp_path / "source" / "tape.mkv", 3, pixel_aspect=Fraction(4, 3))
    add(tmp_path / "source")
    with open_to_write(tmp_path / "out") as store:
        save_crops(store, tmp_path / "crops", silent)
    (first, *_) = sorted((tmp_path / "crops").iterdir())
    with Image.open(first) as crop:
        assert crop.width / crop.height == pytest.approx(4 / 3, abs=0.03)


def test_a_frame_that_comes_a_moment_before_its_instant_is_watched_once(source: Path) -> None:
    times = [1_000 * frame - (frame == 60) for frame in range(70)]
    write_video(source / "odd.mkv", 70, milliseconds=times)
    with pytest.MonkeyPatch.context() as patch:
        fail_to_decode(patch)
        assert add(source, every=1.0).unreadable == 1
    assert add(source, every=1.0).unreadable == 0
    assert seen(source)["odd.mkv"] == 70
