"""YuNet on made-up people: real model, no one's photograph."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from madeup.cast import CAST
from madeup.portraits import Look, Person, render
from unmingle.faces.detect import find_faces, is_crop
from unmingle.models.yunet import open_yunet, suppress
from unmingle.records import Faces
from unmingle.settings import DetectionSettings, EngineSettings

if TYPE_CHECKING:
    from unmingle.models.runtime import Session
    from unmingle.records import F32, U8


@pytest.fixture(scope="module")
def yunet() -> Session:
    return open_yunet(EngineSettings(precision="f32"))


@pytest.fixture(scope="module")
def portrait() -> U8:
    return render(Person.from_seed(CAST[0]), Look.from_seed(1))


def found(yunet: Session, picture: U8, **settings: object) -> Faces:
    return find_faces(yunet, [picture], DetectionSettings(**settings))[0].faces  # type: ignore[arg-type]


def intersection_over_union(one: F32, other: F32) -> float:
    low = np.maximum(one[:2], other[:2])
    high = np.minimum(one[:2] + one[2:], other[:2] + other[2:])
    common = float(np.prod(np.clip(high - low, 0, None)))
    return common / float(np.prod(one[2:]) + np.prod(other[2:]) - common)


def test_a_portrait_has_one_face_with_its_landmarks_inside(yunet: Session, portrait: U8) -> None:
    faces = found(yunet, portrait)
    assert len(faces) == 1
    left, top, width, height = faces.boxes[0]
    points = faces.points[0]
    assert ((points > [left, top]) & (points < [left + width, top + height])).all()
    right_eye, left_eye, nose, right_mouth, left_mouth = points
    assert right_eye[0] < nose[0] < left_eye[0]
    assert max(right_eye[1], left_eye[1]) < nose[1] < min(right_mouth[1], left_mouth[1])


def test_a_face_that_fills_its_crop_is_found(yunet: Session, portrait: U8) -> None:
    left, top, width, height = found(yunet, portrait).boxes[0].astype(int)
    tight = portrait[max(top, 0) : top + height, max(left, 0) : left + width]
    faces = found(yunet, tight)
    assert len(faces) == 1
    assert intersection_over_union(faces.boxes[0], np.array([0, 0, width, height], np.float32)) > 0.6


def test_faces_are_found_at_many_sizes_in_a_photograph(yunet: Session, portrait: U8) -> None:
    photograph = np.full((900, 1400, 3), 128, np.uint8)
    places = [(20, 20, 40), (200, 40, 80), (500, 60, 160), (900, 100, 460)]
    for x, y, side in places:
        photograph[y : y + side, x : x + side] = cv2.resize(portrait, (side, side), interpolation=cv2.INTER_AREA)
    faces = found(yunet, photograph)
    base = found(yunet, portrait).boxes[0]
    assert len(faces) == len(places)
    for x, y, side in places:
        expected = base * (side / 256) + np.array([x, y, 0, 0])
        assert max(intersection_over_union(box, expected.astype(np.float32)) for box in faces.boxes) > 0.6


def test_a_crop_yields_its_face_and_not_a_neighbour_at_its_edge(yunet: Session, portrait: U8) -> None:
    neighbour = render(Person.from_seed(CAST[1]), Look.from_seed(2))
    left, top, width, height = found(yunet, portrait).boxes[0].astype(int)
    margin = width // 3
    crop = np.full((height + 2 * margin, width + 2 * margin, 3), 90, np.uint8)
    crop[:] = portrait[np.clip(np.arange(top - margin, top + height + margin), 0, 255)][
        :, np.clip(np.arange(left - margin, left + width + margin), 0, 255)
    ]
    small = cv2.resize(neighbour[40:220, 40:220], (44, 44), interpolation=cv2.INTER_AREA)
    crop[2 : 2 + small.shape[0], -small.shape[1] :] = small
    both = found(yunet, crop, crops="never")
    assert len(both) == 2
    one = find_faces(yunet, [crop], DetectionSettings())[0]
    assert len(one.faces) == 1
    assert one.neighbours == 1
    assert one.faces.boxes[0][2] > 0.8 * width
    assert len(found(yunet, crop, crops="always")) == 1


def test_two_people_side_by_side_are_a_photograph(yunet: Session, portrait: U8) -> None:
    other = render(Person.from_seed(CAST[1]), Look.from_seed(2))
    assert len(found(yunet, np.hstack([portrait, other]))) == 2


def test_pictures_are_independent_of_their_company(yunet: Session, portrait: U8) -> None:
    pictures = [portrait, np.zeros((64, 300, 3), np.uint8), portrait[:, ::-1].copy()]
    together = find_faces(yunet, pictures, DetectionSettings())
    for picture, among in zip(pictures, together, strict=True):
        alone = find_faces(yunet, [picture], DetectionSettings())[0]
        np.testing.assert_allclose(alone.faces.boxes, among.faces.boxes, atol=0.01)
    assert len(together[1].faces) == 0


def test_no_pictures_no_faces(yunet: Session) -> None:
    assert find_faces(yunet, [], DetectionSettings()) == []


def faces_at(*boxes: tuple[float, float, float, float]) -> Faces:
    n = len(boxes)
    return Faces(np.array(boxes, np.float32), np.zeros((n, 5, 2), np.float32), np.full(n, 0.9, np.float32))


@pytest.mark.parametrize(
    ("boxes", "crop"),
    [
        ([(25, 25, 50, 50)], True),  # half the side on each side of the face is the widest cut
        ([(30, 30, 40, 40)], False),  # smaller than that
        ([(0, 0, 55, 55)], False),  # not in the middle
        ([(20, 20, 60, 60), (80, 0, 20, 20)], True),  # a small neighbour
        ([(20, 20, 60, 60), (75, 10, 60, 60)], True),  # an equal neighbour, cut off by the border
        ([(22, 22, 56, 56), (0, 0, 42, 42)], False),  # an equal in sight
        ([], False),
    ],
)
def test_a_crop_is_one_large_central_face_without_an_equal(
    boxes: list[tuple[float, float, float, float]], crop: bool
) -> None:
    faces = faces_at(*boxes) if boxes else Faces.none()
    assert is_crop(faces, 100, 100) is crop


box_arrays = hnp.arrays(np.float32, st.tuples(st.integers(0, 12), st.just(4)), elements=st.floats(1, 50, width=32))


@given(box_arrays, st.randoms())
def test_suppression_keeps_the_best_and_covers_the_rest(boxes: F32, random: object) -> None:
    n = len(boxes)
    scores = np.linspace(0.9, 0.3, n, dtype=np.float32)
    random.shuffle(scores)  # type: ignore[attr-defined]
    kept = suppress(Faces(boxes, np.zeros((n, 5, 2), np.float32), scores), 0.3)
    assert (np.diff(scores[kept]) <= 0).all()
    for i in range(n):
        overlaps = [intersection_over_union(boxes[i], boxes[k]) for k in kept if scores[k] >= scores[i]]
        assert i in kept or max(overlaps) > 0.3 - 1e-6
    for i, one in enumerate(kept):
        assert all(intersection_over_union(boxes[one], boxes[other]) <= 0.3 + 1e-6 for other in kept[:i])
