"""Pieces to tracks: what embeddings decide, on embeddings that are made up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.made_library import analysis

from unmingle.records import Analysis, Triage, nearest_keyframes
from unmingle.tracking.tracks import ALIKE, MOST_KEYFRAMES, Piece, Sighting, tracks_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unmingle.records import F32, nearest_keyframes
from unmingle.tracking.tracks import Track

BOX = np.array([10, 10, 40, 40], np.float32)
STRANGERS = np.linalg.qr(np.random.default_rng(0).normal(size=(16, 16)))[0].astype(np.float32)


def seen(vector: F32, *, quality: float = 0.5, standing: str = "found") -> Analysis:
    triage = Triage.alike(1, standing, "" if standing == "found" else "low_quality", "x")  # type: ignore[arg-type]
    return analysis(vector[None], BOX, size=(100, 100), quality=quality, triage=triage)


def piece(
    frames: Sequence[int], *, before: Piece | None = None, moving: bool = True, jumps: Sequence[int] = ()
) -> Piece:
    """A face that is followed; jumps: frames from which a picture that stands still shows something else."""
    patches = np.linalg.qr(np.random.default_rng(0).normal(size=(256, 2)))[0].T.astype(np.float32)
    shades = [9 * frame % 200 if moving else 90 + 40 * sum(frame >= at for at in jumps) for frame in frames]
    there = [np.full((16, 16), shade, np.uint8) for shade in shades]
    seen = [Sighting(at, at / 10, 0, BOX, 0.9, patches, shown) for at, shown in zip(frames, there, strict=True)]
    return Piece(before, BOX, seen)


def tracked(*analyses: dict[int, Analysis], of: Sequence[Piece]) -> tuple[Track, ...]:
    for one, analysed in zip(of, analyses, strict=True):
        one.analyses = analysed
    return tracks_of(of)


def like(vector: F32, cosine: float, other: F32) -> F32:
    return np.asarray(cosine * vector + np.sqrt(1 - cosine**2) * other, np.float32)


def test_pieces_of_one_person_are_one_track() -> None:
    first = piece(range(10))
    second = piece(range(10, 20), before=first)
    looks = [{0: seen(STRANGERS[0]), 9: seen(like(STRANGERS[0], 0.8, STRANGERS[1]))}, {3: seen(STRANGERS[0])}]
    (track,) = tracked(*looks, of=[first, second])
    assert track.sightings.frames.tolist() == list(range(20))
    assert [one.sighting for one in track.keyframes] == [0, 9] or [one.sighting for one in track.keyframes] == [9, 13]


def test_looks_that_are_the_very_same_are_two() -> None:
    (track,) = tracked({at: seen(STRANGERS[0]) for at in (0, 9, 15)}, of=[piece(range(20))])
    assert len({one.sighting for one in track.keyframes}) == len(track.keyframes) == 2


def test_a_stranger_in_the_same_place_is_another_track() -> None:
    first = piece(range(10))
    second = piece(range(10, 20), before=first)
    looks = [{0: seen(STRANGERS[0])}, {3: seen(like(STRANGERS[0], 0.3, STRANGERS[1]))}]
    one, other = tracked(*looks, of=[first, second])
    assert one.sightings.frames.tolist() == list(range(10))
    assert other.sightings.frames.tolist() == list(range(10, 20))


def test_two_looks_of_strangers_that_are_alike_by_chance_make_no_track() -> None:
    first = piece(range(30))
    second = piece(range(30, 40), before=first)
    turned = like(STRANGERS[0], 0.4, STRANGERS[1])  # a blurred look of the second
    looks = {0: seen(STRANGERS[0]), 15: seen(like(STRANGERS[0], 0.8, STRANGERS[2])), 29: seen(STRANGERS[0])}
    tracks = tracked(looks, {0: seen(turned), 9: seen(STRANGERS[1])}, of=[first, second])
    assert [len(track.sightings) for track in tracks] == [30, 10]


def test_a_piece_whose_looks_are_strangers_is_cut_where_it_changed_most() -> None:
    one = piece(range(20))
    one.seen[13:] = [sighting._replace(patches=-sighting.patches) for sighting in one.seen[13:]]
    first, second = tracked({4: seen(STRANGERS[0]), 18: seen(STRANGERS[1])}, of=[one])
    assert first.sightings.frames.tolist() == list(range(13))
    assert second.sightings.frames.tolist() == list(range(13, 20))
    assert [one.sighting for one in second.keyframes] == [5]


def test_what_is_hardly_a_face_cuts_no_piece() -> None:
    one = piece(range(20))
    looks = {4: seen(STRANGERS[0]), 12: seen(STRANGERS[1], standing="join"), 18: seen(STRANGERS[0])}
    (track,) = tracked(looks, of=[one])
    assert len(track.sightings) == 20
    second = piece(range(20, 30), before=one)
    (track,) = tracked({**looks, 19: seen(STRANGERS[2], standing="join")}, {5: seen(STRANGERS[0])}, of=[one, second])
    assert len(track.sightings) == 30


def test_a_track_keeps_its_best_and_most_different_looks() -> None:
    looks = {i: seen(like(STRANGERS[0], 0.6, STRANGERS[1 + i % 14]), quality=0.1) for i in range(30)}
    looks[7] = seen(STRANGERS[0], quality=0.9)
    (track,) = tracked(looks, of=[piece(range(30))])
    assert len(track.keyframes) == MOST_KEYFRAMES
    assert 7 in [one.sighting for one in track.keyframes]
    vectors = np.stack([one.vector for one in track.keyframes])
    assert (vectors @ vectors.T - np.eye(MOST_KEYFRAMES)).max() <= ALIKE


@pytest.mark.parametrize(("moving", "kept"), [(False, [29]), (True, [0, 29])])
def test_of_looks_that_are_all_alike_two_stand_for_whoever_moves(moving: bool, kept: list[int]) -> None:
    looks = {i: seen(like(STRANGERS[0], 0.99, STRANGERS[1 + i % 14]), quality=i / 30) for i in range(30)}
    (track,) = tracked(looks, of=[piece(range(30), moving=moving)])
    assert [one.sighting for one in track.keyframes] == kept


def test_poor_looks_stand_for_a_track_only_where_nothing_better_does() -> None:
    poor = {i: seen(STRANGERS[i], quality=0.9, standing="join") for i in range(2)}
    (track,) = tracked({0: poor[0], 3: seen(STRANGERS[0], quality=0.1)}, of=[piece(range(5))])
    assert [one.sighting for one in track.keyframes] == [3]
    (track,) = tracked({0: poor[0]}, of=[piece(range(5))])
    assert [one.sighting for one in track.keyframes] == [0]


def test_what_does_not_move_is_still_and_may_only_join() -> None:
    (track,) = tracked({0: seen(STRANGERS[0])}, of=[piece(range(40), moving=False)])
    assert track.still
    triage = track.keyframes[0].analysis.triage
    assert triage.standings == ("join",)
    assert triage.reasons == ("a still picture: nothing in it moved for 4 seconds",)
    (moving,) = tracked({0: seen(STRANGERS[0])}, of=[piece(range(40))])
    assert not moving.still
    assert moving.keyframes[0].analysis.triage.standings == ("found",)


@pytest.mark.parametrize(("frames", "still"), [(30, False), (31, True)])
def test_three_seconds_tell_that_something_is_still(frames: int, still: bool) -> None:
    (track,) = tracked({0: seen(STRANGERS[0])}, of=[piece(range(frames), moving=False)])
    assert track.still == still


def test_a_camera_that_goes_off_and_an_avatar_are_two_tracks() -> None:
    live = piece(range(20))
    avatar = piece(range(20, 60), before=live, moving=False)
    again = piece(range(60, 80), before=avatar)
    tracks = tracked(*[{0: seen(STRANGERS[0])}] * 3, of=[live, avatar, again])
    assert [track.still for track in tracks] == [False, True, False]


@pytest.mark.parametrize(("jumps", "still"), [([40], True), ([70], True), ([20, 60], True), ([40, 50], False)])
def test_a_still_picture_may_jump_with_the_layout(jumps: list[int], still: bool) -> None:
    (track,) = tracked({0: seen(STRANGERS[0])}, of=[piece(range(80), moving=False, jumps=jumps)])
    assert track.still == still


def test_what_jumps_within_seconds_is_not_still() -> None:
    (track,) = tracked({0: seen(STRANGERS[0])}, of=[piece(range(50), moving=False, jumps=[25])])
    assert not track.still


def test_what_does_not_move_is_one_picture_whatever_it_looks_like() -> None:
    looks = {0: seen(STRANGERS[0]), 9: seen(like(STRANGERS[0], 0.8, STRANGERS[1]))}
    assert [len(tracked(looks, of=[piece(range(20), moving=it)])[0].keyframes) for it in (True, False)] == [2, 1]


def test_noise_is_no_movement_and_one_change_is() -> None:
    one = piece(range(40), moving=False)
    random = np.random.default_rng(0)
    noise = [random.integers(-3, 4, (16, 16)) for _ in one.seen]
    one.seen = [
        each._replace(there=(each.there + by).astype(np.uint8)) for each, by in zip(one.seen, noise, strict=True)
    ]
    (track,) = tracked({0: seen(STRANGERS[0])}, of=[one])
    assert track.still
    one.seen[20] = one.seen[20]._replace(there=np.full((16, 16), 96, np.uint8))
    (track,) = tracked({0: seen(STRANGERS[0])}, of=[one])
    assert not track.still


def test_the_nearest_look_stands_for_a_sighting() -> None:
    times = np.array([0.0, 1, 2, 3, 10])
    assert nearest_keyframes(times, np.array([1, 4])).tolist() == [0, 0, 0, 0, 1]
    assert nearest_keyframes(times, np.array([2])).tolist() == [0] * 5
