"""Pieces to tracks: what embeddings decide, on embeddings that are made up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.made_library import analysis

from unmingle.records import Analysis, Triage
from unmingle.tracking.tracker import Piece
from unmingle.tracking.tracks import ALIKE, MOST_KEYFRAMES, Keyframe, Track, is_still, nearest_keyframes, tracks_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unmingle.records import F32

BOX = np.array([10, 10, 40, 40], np.float32)
STRANGERS = np.linalg.qr(np.random.default_rng(0).normal(size=(16, 16)))[0].astype(np.float32)


def seen(vector: F32, *, quality: float = 0.5, standing: str = "found") -> Analysis:
    triage = Triage.alike(1, standing, "" if standing == "found" else "low_quality", "x")  # type: ignore[arg-type]
    return analysis(vector[None], BOX, size=(100, 100), quality=quality, triage=triage)


def piece(frames: Sequence[int], *, before: Piece | None = None, seed: int = 0, moving: bool = True) -> Piece:
    one = Piece(before, BOX)
    random = np.random.default_rng(seed)
    picture = random.integers(0, 255, (2, 16, 16)).astype(np.uint8)
    for frame in frames:
        there = np.full((16, 16), 9 * frame % 200 if moving else 90, np.uint8)
        one.frames.append(frame)
        one.times.append(frame / 10)
        one.numbers.append(0)
        one.boxes.append(BOX)
        one.scores.append(0.9)
        one.patches.append(picture)
        one.there.append(there)
    return one


def like(vector: F32, cosine: float, other: F32) -> F32:
    return np.asarray(cosine * vector + np.sqrt(1 - cosine**2) * other, np.float32)


def test_pieces_of_one_person_are_one_track() -> None:
    first = piece(range(10))
    second = piece(range(10, 20), before=first)
    looks = [{0: seen(STRANGERS[0]), 9: seen(like(STRANGERS[0], 0.8, STRANGERS[1]))}, {3: seen(STRANGERS[0])}]
    (track,) = tracks_of([first, second], looks)
    assert track.sightings.frames.tolist() == list(range(20))
    assert [one.sighting for one in track.keyframes] == [0, 9] or [one.sighting for one in track.keyframes] == [9, 13]


def test_looks_that_are_the_very_same_are_two() -> None:
    (track,) = tracks_of([piece(range(20))], [{at: seen(STRANGERS[0]) for at in (0, 9, 15)}])
    assert len({one.sighting for one in track.keyframes}) == len(track.keyframes) == 2


def test_a_stranger_in_the_same_place_is_another_track() -> None:
    first = piece(range(10))
    second = piece(range(10, 20), before=first)
    looks = [{0: seen(STRANGERS[0])}, {3: seen(like(STRANGERS[0], 0.3, STRANGERS[1]))}]
    one, other = tracks_of([first, second], looks)
    assert one.sightings.frames.tolist() == list(range(10))
    assert other.sightings.frames.tolist() == list(range(10, 20))


def test_a_piece_whose_looks_are_strangers_is_cut_where_it_changed_most() -> None:
    one = piece(range(20))
    one.patches[13:] = [255 - patch for patch in one.patches[13:]]
    first, second = tracks_of([one], [{4: seen(STRANGERS[0]), 18: seen(STRANGERS[1])}])
    assert first.sightings.frames.tolist() == list(range(13))
    assert second.sightings.frames.tolist() == list(range(13, 20))
    assert [one.sighting for one in second.keyframes] == [5]


def test_a_track_keeps_its_best_and_most_different_looks() -> None:
    looks = {i: seen(like(STRANGERS[0], 0.6, STRANGERS[1 + i % 14]), quality=0.1) for i in range(30)}
    looks[7] = seen(STRANGERS[0], quality=0.9)
    (track,) = tracks_of([piece(range(30))], [looks])
    assert len(track.keyframes) == MOST_KEYFRAMES
    assert 7 in [one.sighting for one in track.keyframes]
    vectors = np.stack([one.vector for one in track.keyframes])
    assert (vectors @ vectors.T - np.eye(MOST_KEYFRAMES)).max() <= ALIKE


@pytest.mark.parametrize(("moving", "kept"), [(False, [29]), (True, [0, 29])])
def test_of_looks_that_are_all_alike_two_stand_for_whoever_moves(moving: bool, kept: list[int]) -> None:
    looks = {i: seen(like(STRANGERS[0], 0.99, STRANGERS[1 + i % 14]), quality=i / 30) for i in range(30)}
    (track,) = tracks_of([piece(range(30), moving=moving)], [looks])
    assert [one.sighting for one in track.keyframes] == kept


def test_poor_looks_stand_for_a_track_only_where_nothing_better_does() -> None:
    poor = {i: seen(STRANGERS[i], quality=0.9, standing="join") for i in range(2)}
    (track,) = tracks_of([piece(range(5))], [{0: poor[0], 3: seen(STRANGERS[0], quality=0.1)}])
    assert [one.sighting for one in track.keyframes] == [3]
    (track,) = tracks_of([piece(range(5))], [{0: poor[0]}])
    assert [one.sighting for one in track.keyframes] == [0]


def test_what_does_not_move_is_still_and_may_only_join() -> None:
    (track,) = tracks_of([piece(range(40), moving=False)], [{0: seen(STRANGERS[0])}])
    assert track.still
    triage = track.keyframes[0].analysis.triage
    assert triage.standings == ("join",)
    assert triage.reasons == ("a still picture: nothing in it moved for 4 seconds",)
    (moving,) = tracks_of([piece(range(40))], [{0: seen(STRANGERS[0])}])
    assert not moving.still
    assert moving.keyframes[0].analysis.triage.standings == ("found",)


def test_three_seconds_tell_that_something_is_still() -> None:
    there = [np.full((16, 16), 90, np.uint8)] * 40
    times = np.arange(40) / 10
    assert not is_still(times[:30], there[:30])
    assert is_still(times[:31], there[:31])
    noisy = [
        (patch + np.random.default_rng(i).integers(-3, 4, patch.shape)).astype(np.uint8)
        for i, patch in enumerate(there)
    ]
    assert is_still(times, noisy)
    assert not is_still(times, [*there[:20], np.full((16, 16), 96, np.uint8), *there[21:]])


def test_the_nearest_look_stands_for_a_sighting() -> None:
    times = np.array([0.0, 1, 2, 3, 10])
    assert nearest_keyframes(times, np.array([1, 4])).tolist() == [0, 0, 0, 0, 1]
    assert nearest_keyframes(times, np.array([2])).tolist() == [0] * 5


def test_a_track_without_keyframes_is_refused() -> None:
    sightings = piece(range(3)).sightings()
    one = seen(STRANGERS[0])
    for keyframes in ((), (Keyframe(3, one),), (Keyframe(1, one), Keyframe(1, one))):
        with pytest.raises(ValueError, match="keyframes"):
            Track(sightings, False, keyframes)
