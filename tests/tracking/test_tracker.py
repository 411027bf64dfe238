"""Following faces by where they are: no networks, drawn boxes and pictures."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from unmingle.faces.boxes import assigned, overlaps
from unmingle.records import Faces, Sightings
from unmingle.tracking.tracks import LEAST_OVERLAP, Grey, Tracker, correlation, moves

if TYPE_CHECKING:
    from unmingle.records import F32, U8, Sightings
from unmingle.tracking.tracks import Piece

SIDES = st.floats(1, 60, width=32)
BOXES = hnp.arrays(np.float32, st.tuples(st.integers(0, 6), st.just(4)), elements=SIDES)


def faces(*boxes: tuple[float, float, float, float]) -> Faces:
    n = len(boxes)
    boxes_n4 = np.array(boxes, np.float32).reshape(-1, 4)
    return Faces(boxes_n4, np.zeros((n, 5, 2), np.float32), np.linspace(0.95, 0.9, n, dtype=np.float32))


def scene(*seeds: int) -> U8:
    """A picture of 100-pixel tiles side by side, each of its own blotches."""
    tiles = [np.kron(np.random.default_rng(seed).integers(0, 255, (10, 10)), np.ones((10, 10))) for seed in seeds]
    return np.repeat(np.concatenate(tiles, axis=1)[..., None], 3, axis=2).astype(np.uint8)


LEFT, RIGHT = (30, 30, 40, 40), (130, 30, 40, 40)


def follow(tracker: Tracker, frame: int, picture: U8, *boxes: tuple[float, float, float, float]) -> list[Piece]:
    return [*tracker.add(frame, frame / 10, Grey.of(picture), faces(*boxes)).values()]


def test_faces_that_stay_where_they_are_go_on() -> None:
    tracker = Tracker()
    for frame in range(5):
        follow(tracker, frame, scene(1, 2), (30 + frame, 30, 40, 40), RIGHT)
    assert [[one.frame for one in piece.seen] for piece in tracker.pieces] == [[0, 1, 2, 3, 4]] * 2
    assert [[one.number for one in piece.seen] for piece in tracker.pieces] == [[0] * 5, [1] * 5]
    sightings = Sightings.of(tracker.pieces[0].seen)
    assert sightings.boxes[:, 0].tolist() == [30, 31, 32, 33, 34]
    assert sightings.times.tolist() == [0, 0.1, 0.2, 0.3, 0.4]


def test_tiles_that_swap_places_begin_anew() -> None:
    tracker = Tracker()
    before = follow(tracker, 0, scene(1, 2), LEFT, RIGHT)
    after = follow(tracker, 1, scene(2, 1), LEFT, RIGHT)
    assert [piece.before for piece in after] == before
    assert len(tracker.pieces) == 4


def test_what_moves_behind_a_poster_does_not_move_the_poster() -> None:
    tracker = Tracker()
    for frame in range(40):
        picture = scene(1)
        picture[:, 72:] = 5 * frame
        follow(tracker, frame, picture, LEFT)
    assert not any(moves(piece.seen) for piece in tracker.pieces)


def test_a_face_that_wandered_off_moves_also_after_its_layout_changed() -> None:
    tracker = Tracker()
    for frame in range(5):  # to the right, until its first place is empty
        follow(tracker, frame, scene(1, 1), (30 + 15 * frame, 30, 40, 40))
    for frame in range(5, 40):
        picture = scene(2, 3)
        picture[:, 80:] = np.roll(picture[:, 80:], frame % 9, axis=1)
        follow(tracker, frame, picture, (90, 30, 40, 40))
    assert not any(np.array_equal(piece.place, LEFT) and piece.seen[0].frame > 3 for piece in tracker.pieces)
    assert all(moves(piece.seen) for piece in tracker.pieces if len(piece.seen) > 5)


def test_a_face_that_was_gone_for_a_moment_may_be_another() -> None:
    tracker = Tracker()
    first, _ = follow(tracker, 0, scene(1, 2), LEFT, RIGHT)
    follow(tracker, 1, scene(1, 2), RIGHT)
    again, _ = follow(tracker, 2, scene(1, 2), LEFT, RIGHT)
    assert again is not first
    assert again.before is first


def test_from_one_frame_to_the_next_a_face_may_go_on_however_long_that_takes() -> None:
    tracker = Tracker()
    first, _ = tracker.add(0, 0.0, Grey.of(scene(1, 2)), faces(LEFT, RIGHT)).values()
    then, _ = tracker.add(1, 20.0, Grey.of(scene(1, 2)), faces(LEFT, RIGHT)).values()
    assert then is not first  # which is for embeddings to say
    assert then.before is first
    tracker.add(2, 40.0, Grey.of(scene(1, 2)), faces(RIGHT))
    again, _ = tracker.add(3, 60.0, Grey.of(scene(1, 2)), faces(LEFT, RIGHT)).values()
    assert again.before is None


def test_after_a_second_nobody_is_waited_for() -> None:
    tracker = Tracker()
    follow(tracker, 0, scene(1, 2), LEFT, RIGHT)
    for frame in range(1, 12):
        follow(tracker, frame, scene(1, 2), RIGHT)
    again, _ = follow(tracker, 12, scene(1, 2), LEFT, RIGHT)
    assert again.before is None


def test_a_face_that_is_not_sure_goes_on_with_what_was_there_and_begins_nothing() -> None:
    tracker = Tracker(sure=0.6)
    weak = replace(faces(LEFT, RIGHT), scores=np.array([0.9, 0.4], np.float32))
    (left,) = tracker.add(0, 0.0, Grey.of(scene(1, 2)), weak).values()
    weaker = replace(weak, scores=np.array([0.4, 0.4], np.float32))
    assert tracker.add(1, 0.1, Grey.of(scene(1, 2)), weaker) == {0: left}
    assert tracker.add(2, 0.2, Grey.of(scene(3, 2)), weaker) == {}  # somebody else's picture
    assert [one.score for one in left.seen] == pytest.approx([0.9, 0.4])


def test_every_face_is_in_one_piece_whatever_happens() -> None:
    random = np.random.default_rng(0)
    tracker = Tracker()
    seen = set()
    for frame in range(60):
        boxes = [tuple(random.uniform([0, 0, 20, 20], [150, 60, 60, 60])) for _ in range(random.integers(0, 5))]
        follow(tracker, frame, scene(int(random.integers(3)), 2), *boxes)
        seen |= {(frame, number) for number in range(len(boxes))}
    found = [(one.frame, one.number) for piece in tracker.pieces for one in piece.seen]
    assert sorted(found) == sorted(seen)
    for piece in tracker.pieces:
        assert all(one.frame < other.frame for one, other in pairwise(piece.seen))


def test_the_assignment_with_the_most_overlap_wins_over_the_greedy_one() -> None:
    one = np.array([[0, 0, 10, 10], [4, 0, 10, 10]], np.float32)
    other = np.array([[3, 0, 10, 10], [8, 0, 10, 10]], np.float32)
    # Greedily 1 would take 0 (9 of 10 pixels), and 0 would be left with nothing.
    assert assigned(one, other, least=LEAST_OVERLAP) == [(0, 0), (1, 1)]
    assert assigned(one, other + np.float32(500), least=LEAST_OVERLAP) == []
    assert assigned(one[:0], other, least=LEAST_OVERLAP) == []


@given(BOXES, BOXES)
def test_overlaps_are_shares(one: F32, other: F32) -> None:
    shared = overlaps(one, other)
    assert shared.shape == (len(one), len(other))
    assert ((shared >= 0) & (shared <= 1 + 1e-5)).all()
    np.testing.assert_allclose(shared, overlaps(other, one).T, atol=1e-6)
    np.testing.assert_allclose(np.diag(overlaps(one, one)), 1, atol=1e-4)


@pytest.mark.parametrize("box", [(-40, -40, 30, 30), (95, 95, 80, 80), (10, 10, 0.4, 0.4), (500, 500, 10, 10)])
def test_a_box_over_the_border_has_a_patch(box: tuple[float, float, float, float]) -> None:
    assert Grey.of(scene(1)).patches(np.array(box, np.float32)).shape == (2, 256)


def test_correlation_ignores_light_and_tells_scenes_apart() -> None:
    box = np.array([20, 20, 60, 60], np.float32)
    one, darker, other, flat = (
        Grey.of(picture).patches(box) for picture in (scene(1), scene(1) // 2 + 40, scene(2), np.full_like(scene(1), 7))
    )
    assert correlation(one, one) == pytest.approx(1)
    assert correlation(one, darker) > 0.99
    assert correlation(one, other) < 0.5
    assert correlation(flat, flat) == pytest.approx(1)
    assert correlation(flat, one) == pytest.approx(0, abs=1e-6)
