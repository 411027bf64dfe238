"""Watching a call of made-up people: real networks, a real recording, a truth that is known."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.gallery import Call, people, record, record_speakers
from tests.made_library import analysis, faces
from tests.videos import numbered, write_video

from unmingle.faces.recipe import FaceRecipe
from unmingle.models.registry import SFACE, card
from unmingle.settings import DetectionSettings, EngineSettings
from unmingle.sources.recordings import Frame, Recording
from unmingle.tracking import video
from unmingle.tracking.video import find, track_video

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from unmingle.models.registry import Calibration
    from unmingle.records import U8, Analysis, Faces
    from unmingle.tracking.tracks import Segment, Track


@pytest.fixture(scope="module")
def recipe() -> FaceRecipe:
    return FaceRecipe(DetectionSettings(), EngineSettings())


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory) -> Call:
    return record(tmp_path_factory.mktemp("call") / "call.mp4", still=True)


def watched(call: Call, recipe: FaceRecipe, **options: float) -> list[Segment]:
    with Recording(call.path) as recording:
        return list(track_video(recording, recipe, **{"every": 0.1, **options}))


def who(call: Call, track: Track) -> list[int]:
    middles = track.sightings.boxes[:, :2] + track.sightings.boxes[:, 2:] / 2
    frames = track.sightings.frames.tolist()
    return [call.shown(frame, (x, y)) for frame, (x, y) in zip(frames, middles.tolist(), strict=True)]


def test_everybody_is_followed_and_nobody_taken_for_another(call: Call, recipe: FaceRecipe) -> None:
    (segment,) = watched(call, recipe)
    assert (segment.start, segment.stop, len(segment.times), segment.skipped) == (0, 60, 60, 0)
    shown = [who(call, track) for track in segment.tracks]
    assert all(len(set(persons)) == 1 for persons in shown)
    found = {
        (frame, person)
        for track, persons in zip(segment.tracks, shown, strict=True)
        for frame, person in zip(track.sightings.frames.tolist(), persons, strict=True)
    }
    assert len(found & set(people(call))) >= 0.97 * len(list(people(call)))
    assert len(segment.tracks) <= 10  # two each for those who swap or leave, one for the other, and a few spare


def test_the_still_tile_is_known_as_such(call: Call, recipe: FaceRecipe) -> None:
    (segment,) = watched(call, recipe)
    assert [track.still for track in segment.tracks].count(True) == 1
    (still,) = [track for track in segment.tracks if track.still]
    assert set(who(call, still)) == {3}
    assert {one.analysis.triage.standings for one in still.keyframes} == {("join",)}


def test_speakers_who_take_turns_in_one_tile_are_kept_apart(tmp_path: Path, recipe: FaceRecipe) -> None:
    call = record_speakers(tmp_path / "speakers.mp4")
    (segment,) = watched(call, recipe)
    shown = [who(call, track) for track in segment.tracks]
    assert all(len(set(persons)) == 1 for persons in shown)
    assert sum(map(len, shown)) >= 0.95 * len(call.tiles)
    assert len(shown) >= 8  # nobody's turn goes on into the next


def test_a_run_that_goes_on_in_the_middle_finds_the_same(
    call: Call, recipe: FaceRecipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video, "SEGMENT", 2.0)
    whole = watched(call, recipe)
    rest = watched(call, recipe, start=2.0)
    assert [(one.start, len(one.times)) for one in whole] == [(0, 20), (2, 20), (4, 20)]
    assert [one.start for one in rest] == [2, 4]
    for one, other in zip(whole[1:], rest, strict=True):
        assert len(one.tracks) == len(other.tracks)
        for track, again in zip(one.tracks, other.tracks, strict=True):
            np.testing.assert_array_equal(track.sightings.boxes, again.sightings.boxes)
            assert [one.sighting for one in track.keyframes] == [one.sighting for one in again.keyframes]
            np.testing.assert_allclose(track.keyframes[0].vector, again.keyframes[0].vector, atol=1e-5)


def test_fewer_frames_are_looked_at_if_asked(call: Call, recipe: FaceRecipe) -> None:
    (segment,) = watched(call, recipe, every=0.5)
    assert len(segment.times) == 12
    frames = {int(frame) for track in segment.tracks for frame in track.sightings.frames}
    assert frames <= set(range(0, 60, 5))


class Asked:
    """A sight that notes how closely it was asked to look, and sees one face of a given size."""

    calibration: Calibration | None = None
    min_score = 0.6

    def __init__(self, face: float) -> None:
        self.face = face
        self.sides: list[int] = []

    def detect_each(self, pictures: Sequence[U8], sides: Sequence[int]) -> list[Faces]:

        self.sides.extend(sides)
        return [faces((5, 5, self.face, self.face * 1.3)) for _ in pictures]

    def describe_faces(self, pictures: Sequence[U8], faces: Sequence[Faces]) -> list[Analysis]:
        raise AssertionError


def test_calm_frames_are_passed_over_and_changes_looked_at(call: Call, recipe: FaceRecipe) -> None:
    with Recording(call.path) as recording:
        some = list(recording.frames(every=0.1))[:40]
    looked_at = [
        i for i in range(0, 40, 10) for i, one in enumerate(find(recipe, some[i : i + 10]), i) if one.looked_at
    ]
    assert {0, 9, 10, 19, 20, 29, 30, 39} <= set(looked_at)
    assert len(looked_at) < 30


def frames(*pictures: U8) -> list[Frame]:
    """A tenth of a second apart."""
    return [Frame(i, i / 10, (i + 1) / 10, picture) for i, picture in enumerate(pictures)]


@pytest.mark.parametrize(("face", "coarse"), [(30, 960), (40, 720), (60, 480), (100, 384)])
def test_large_faces_are_looked_at_coarsely(face: float, coarse: int) -> None:
    asked = Asked(face)
    find(asked, frames(*[np.full((480, 960, 3), 90, np.uint8)] * 3))
    assert asked.sides == [960, coarse]  # what is between them is told


def test_what_changes_is_looked_at_closely() -> None:
    asked = Asked(200)
    dark, bright = np.full((480, 960, 3), 20, np.uint8), np.full((480, 960, 3), 200, np.uint8)
    find(asked, frames(dark, dark, bright, bright))
    assert asked.sides == [960, 960, 384, 384]


def test_large_frames_are_not_looked_at_in_full() -> None:
    asked = Asked(200)
    find(asked, frames(np.zeros((1080, 1920, 3), np.uint8)))
    assert asked.sides == [1280]


def test_faces_are_described_as_they_are_shown_where_pixels_are_not_square(tmp_path: Path) -> None:
    sizes: list[tuple[int, ...]] = []
    boxes: list[list[float]] = []

    class Described(Asked):
        calibration = card(SFACE.name).calibration

        def describe_faces(self, pictures: Sequence[U8], faces: Sequence[Faces]) -> list[Analysis]:
            sizes.extend(one.shape for one in pictures)
            boxes.extend(some.boxes[0].tolist() for some in faces)
            return [replace(analysis(np.ones((1, 128)), thumbnail=b"as shown"), faces=some) for some in faces]

    path = write_video(tmp_path / "tape.mkv", [numbered(5, (240, 120))] * 5, pixel_aspect=Fraction(4, 3))
    with Recording(path) as recording:
        (segment,) = track_video(recording, Described(30), every=0)
    assert sizes == [(120, 320, 3)]
    assert boxes == [pytest.approx([5 * 4 / 3, 5, 40, 39])]
    (track,) = segment.tracks
    (keyframe,) = track.keyframes
    assert keyframe.analysis.faces.boxes == pytest.approx(track.sightings.boxes[[keyframe.sighting]])
    assert keyframe.analysis.thumbnails == (b"as shown",)
