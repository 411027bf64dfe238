"""Pictures that lie on their side and heads that lean: found where they are, as alike as upright ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from madeup.cast import CAST
from madeup.portraits import Look, Person, render
from unmingle.faces.align import align
from unmingle.faces.detect import SECOND, SURE_SCORE, at_scales, find_faces, first_scales
from unmingle.faces.rotation import roll_of, turn_upright, turned_back
from unmingle.models import embedding
from unmingle.models.yunet import open_yunet
from unmingle.records import Faces
from unmingle.settings import DetectionSettings, EngineSettings
from unmingle.sources.pyramid import Pyramid

if TYPE_CHECKING:
    from unmingle.models.runtime import Session
    from unmingle.records import F32, U8

SIDE = 256


@pytest.fixture(scope="module")
def yunet() -> Session:
    return open_yunet(EngineSettings(precision="f32"))


@pytest.fixture(scope="module")
def embedder() -> Session:
    return embedding.open_sface(EngineSettings(precision="f32"))


@pytest.fixture(scope="module")
def portraits() -> list[U8]:
    return [render(Person.from_seed(seed), Look.from_seed(3), SIDE) for seed in CAST[:4]]


def found(yunet: Session, picture: U8) -> Faces:
    return find_faces(yunet, [picture], DetectionSettings())[0].faces


def vector(embedder: Session, picture: U8, faces: Faces) -> F32:
    one = embedding.embed(embedder, align(picture, faces.points[0])[None])[0]
    return np.asarray(one / np.linalg.norm(one), np.float32)


def overlap(one: F32, other: F32) -> float:
    low = np.maximum(one[:2], other[:2])
    high = np.minimum(one[:2] + one[2:], other[:2] + other[2:])
    common = float(np.prod(np.clip(high - low, 0, None)))
    return common / float(np.prod(one[2:]) + np.prod(other[2:]) - common)


@given(
    st.sampled_from([0, 90, 180, 270]),
    st.integers(20, 60),
    st.integers(20, 60),
    st.integers(0, 19),
    st.integers(0, 19),
)
def test_a_point_comes_back_to_its_pixel(turn: int, width: int, height: int, x: int, y: int) -> None:
    picture = np.zeros((height, width, 3), np.uint8)
    picture[y, x] = 255
    there = np.argwhere(Pyramid(picture).turned(turn).full()[..., 0])[0]
    centre = (there[::-1] + 0.5).astype(np.float32)
    faces = Faces(np.array([[*(centre - 0.5), 1, 1]], np.float32), np.tile(centre, (1, 5, 1)), np.ones(1, np.float32))
    back = turned_back(faces, turn, width, height)
    np.testing.assert_allclose(back.boxes[0], [x, y, 1, 1], atol=1e-4)
    np.testing.assert_allclose(back.points[0], np.tile([x + 0.5, y + 0.5], (5, 1)), atol=1e-4)


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_portrait_on_its_side_or_head_is_found_as_if_upright(
    yunet: Session, embedder: Session, portraits: list[U8], turn: int
) -> None:
    for portrait in portraits:
        upright, lying = found(yunet, portrait), Pyramid(portrait).turned(turn).full()
        faces = found(yunet, lying)
        assert len(upright) == len(faces) == 1
        back = turned_back(faces, turn, SIDE, SIDE)
        extent = float(upright.boxes[0, 2:].min())
        assert overlap(back.boxes[0], upright.boxes[0]) > 0.7
        assert np.abs(back.points[0] - upright.points[0]).max() < 0.08 * extent
        away = (roll_of(faces.points[0]) + turn + 180) % 360 - 180
        assert abs(away) < 20
        assert vector(embedder, lying, faces) @ vector(embedder, portrait, upright) > 0.9


def test_what_a_picture_on_its_side_shows_by_chance_does_not_keep_it_there(yunet: Session) -> None:
    lying = Pyramid(render(Person.from_seed(CAST[6]), Look.from_seed(0), SIDE)).turned(270).full()
    (chance,) = at_scales(yunet, [Pyramid(lying)], [[*SECOND]], DetectionSettings())
    assert DetectionSettings().min_score < chance.scores[0] < SURE_SCORE
    (face,) = found(yunet, lying).points
    assert abs((roll_of(face) + 270 + 180) % 360 - 180) < 20


def test_a_photograph_on_its_side_yields_all_its_faces(yunet: Session, portraits: list[U8]) -> None:
    photograph = np.full((700, 1000, 3), 110, np.uint8)
    for number, portrait in enumerate(portraits):
        x, y = 30 + 330 * (number % 3), 40 + 330 * (number // 3)
        photograph[y : y + SIDE, x : x + SIDE] = portrait
    upright = found(yunet, photograph)
    one = find_faces(yunet, [Pyramid(photograph).turned(90)], DetectionSettings())[0]
    back = turned_back(one.faces, 90, 1000, 700)
    assert len(back) == len(upright) == len(portraits)
    assert all(max(overlap(box, other) for other in upright.boxes) > 0.8 for box in back.boxes)


@pytest.mark.parametrize("lean", [-45, 45])
def test_a_leaning_head_is_as_alike_as_an_upright_one(
    yunet: Session, embedder: Session, portraits: list[U8], lean: int
) -> None:
    likeness = []
    for portrait in portraits:
        matrix = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), -lean, 0.8)
        leaning = np.asarray(cv2.warpAffine(portrait, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REFLECT), np.uint8)
        upright, faces = found(yunet, portrait), found(yunet, leaning)
        assert len(faces) == 1
        likeness.append(float(vector(embedder, leaning, faces) @ vector(embedder, portrait, upright)))
        if likeness[-1] > 0.85:
            moved = upright.points[0] @ matrix[:, :2].T + matrix[:, 2]
            assert np.abs(faces.points[0] - moved).max() < 0.15 * upright.boxes[0, 2]
            assert roll_of(faces.points[0]) == pytest.approx(-lean, abs=12)
    # A head that looks as sure as it leans is not looked at again: that may happen to one.
    assert np.median(likeness) > 0.9
    assert sum(cosine > 0.85 for cosine in likeness) >= len(portraits) - 1


def test_upright_faces_stay_as_they_were_found(yunet: Session, portraits: list[U8]) -> None:
    pictures = [Pyramid(portrait) for portrait in portraits]
    seen = at_scales(yunet, pictures, [first_scales(picture) for picture in pictures], DetectionSettings())
    faces = [one.take(np.arange(1)) for one in seen]
    for before, after in zip(faces, turn_upright(yunet, yunet, pictures, faces), strict=True):
        np.testing.assert_array_equal(after.boxes, before.boxes)
        np.testing.assert_array_equal(after.points, before.points)
        np.testing.assert_array_equal(after.scores, before.scores)


@pytest.mark.parametrize("others", [1, 2])
@pytest.mark.parametrize("size", [110, 150])
@pytest.mark.parametrize("down", [-60, 0])
def test_of_two_heads_close_together_each_has_its_own_landmarks(
    yunet: Session, others: int, size: int, down: int
) -> None:
    photograph = np.full((480, 640, 3), 120, np.uint8)
    photograph[110:366, 120:376] = render(Person.from_seed(CAST[others]), Look.from_seed(others), 256)
    front = render(Person.from_seed(CAST[others + 3]), Look.from_seed(others + 1), size)
    y, x = np.mgrid[:size, :size] / size
    oval = ((x - 0.5) / 0.33) ** 2 + ((y - 0.5) / 0.43) ** 2 < 1
    top, left = 238 + down - size // 2, 298 - size // 2
    photograph[top : top + size, left : left + size][oval] = front[oval]
    faces = find_faces(yunet, [photograph], DetectionSettings(crops="never"))[0].faces
    assert len(faces) == 2
    apart = np.linalg.norm(faces.points[0].mean(axis=0) - faces.points[1].mean(axis=0))
    assert apart > 0.4 * faces.boxes[:, 2].min()


def test_two_boxes_on_one_leaning_face_end_as_one(yunet: Session, portraits: list[U8]) -> None:
    for portrait in portraits[:3]:
        photograph = np.full((600, 900, 3), 110, np.uint8)
        for x in (40, 560):
            matrix = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), 60, 1.0)
            matrix[:, 2] += [x, 150]
            cv2.warpAffine(
                portrait, matrix, (900, 600), dst=photograph, borderMode=cv2.BORDER_TRANSPARENT, flags=cv2.INTER_LINEAR
            )
        assert len(found(yunet, photograph)) == 2


def test_noise_and_patterns_have_no_face_however_they_are_turned(yunet: Session) -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (300, 400, 3)).astype(np.uint8)
    stripes = np.repeat((np.arange(400) // 20 % 2 * 200).astype(np.uint8)[None, :, None], 300, axis=0).repeat(3, axis=2)
    blobs = cv2.GaussianBlur(noise, (0, 0), 9)
    blobs = cv2.normalize(blobs, None, 0, 255, cv2.NORM_MINMAX)
    for picture in (noise, np.ascontiguousarray(stripes), np.asarray(blobs, np.uint8)):
        assert len(found(yunet, picture)) == 0
