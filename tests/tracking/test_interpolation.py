"""What is told of frames that nobody looked at: no networks, drawn boxes and pictures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from tests.tracking.test_tracker import LEFT, RIGHT, faces, scene

from unmingle.tracking.tracks import Grey
from unmingle.tracking.video import between

CALM = [Grey.of(scene(1, 2))] * 4


def test_faces_are_told_on_a_straight_line() -> None:
    told = between(faces(LEFT, RIGHT), faces(RIGHT, (33, 30, 40, 43)), CALM)  # the surest first, in each frame
    assert told is not None
    np.testing.assert_allclose(
        [one.boxes for one in told],
        [[(31, 30, 40, 41), RIGHT], [RIGHT, (32, 30, 40, 42)]],
        atol=1e-4,
    )
    assert all((np.diff(one.scores) <= 0).all() for one in told)


def test_where_nobody_is_before_and_after_nobody_is_told_between() -> None:
    assert [len(one) for one in between(faces(), faces(), CALM) or ()] == [0, 0]


def test_what_cannot_be_told_is_to_be_looked_at() -> None:
    assert between(faces(LEFT, RIGHT), faces(LEFT), CALM) is None
    assert between(faces(LEFT), faces(RIGHT), CALM) is None
    somebody_else = [CALM[0], Grey.of(scene(3, 2)), *CALM[2:]]
    assert between(faces(LEFT), faces(LEFT), somebody_else) is None
    assert between(faces(RIGHT), faces(RIGHT), somebody_else) is not None


def test_a_face_that_is_not_sure_is_told_where_it_is_before_and_after_and_asks_for_no_look() -> None:
    sure, weak = (replace(faces(LEFT, RIGHT), scores=np.array([0.9, one], np.float32)) for one in (0.7, 0.4))
    assert [len(one) for one in between(weak, weak, CALM, sure=0.6) or ()] == [2, 2]
    assert [len(one) for one in between(weak, faces(LEFT), CALM, sure=0.6) or ()] == [1, 1]
    assert between(weak, sure, CALM, sure=0.6) is None
