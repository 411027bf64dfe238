from __future__ import annotations

import numpy as np
import pytest
from tests.render.test_similarity import faces

from unmingle.render.plane import LEAST, plane


def test_alike_faces_lie_together_and_always_at_the_same_place() -> None:
    people = np.repeat(np.arange(4), 15)
    vectors = faces(people.tolist())
    at = plane(vectors)
    assert at.shape == (60, 2)
    assert at.min() >= 0
    assert at.max() <= 1
    assert np.ptp(at, axis=0).max() == pytest.approx(1)
    distance = np.linalg.norm(at[:, None] - at, axis=2) + 9 * np.eye(60)
    assert (people[distance.argmin(axis=1)] == people).all()
    assert np.array_equal(at, plane(vectors))


def test_faces_that_are_all_the_same_have_places_too() -> None:
    at = plane(np.tile(faces([0]), (LEAST, 1)))
    assert np.isfinite(at).all()
    assert np.isfinite(plane(faces([0] * LEAST))).all()
