from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmingle.faces.align import TEMPLATE_52
from unmingle.faces.quality import MEASURES, MOST_BLUR, Measures, blur_of, measure, quality, turn_of
from unmingle.records import Faces

if TYPE_CHECKING:
    from unmingle.records import U8


def natural(seed: int) -> U8:
    """A square whose detail falls with frequency as that of nature does: amplitude as 1 / f."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(112), np.fft.fftfreq(112)))
    frequency[0, 0] = np.inf
    grey = np.fft.ifft2(np.fft.fft2(rng.normal(size=(112, 112))) / frequency).real
    return np.repeat(np.clip(128 + 45 * grey / grey.std(), 0, 255)[..., None], 3, axis=2).astype(np.uint8)


@pytest.mark.parametrize("made", [2.0, 3.0, 4.0, 6.0])
def test_blur_is_measured_in_pixels(made: float) -> None:
    measured = [blur_of(np.asarray(cv2.GaussianBlur(natural(seed), (0, 0), made), np.uint8)) for seed in range(20)]
    assert np.median(measured) == pytest.approx(made, rel=0.15)


@pytest.mark.parametrize("made", [2.0, 4.0])
def test_noise_and_jpeg_are_not_taken_for_sharpness(made: float) -> None:
    rng = np.random.default_rng(0)
    blurred = [np.asarray(cv2.GaussianBlur(natural(seed), (0, 0), made), np.uint8) for seed in range(20)]
    noisy = [np.clip(face + rng.normal(0, 8, face.shape), 0, 255).astype(np.uint8) for face in blurred]
    squeezed = [
        np.asarray(cv2.imdecode(cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, 30])[1], 1), np.uint8)
        for face in blurred
    ]
    for worn in (noisy, squeezed):
        assert np.median([blur_of(face) for face in worn]) == pytest.approx(made, rel=0.2)


def test_without_detail_a_face_is_as_blurred_as_can_be() -> None:
    assert blur_of(np.full((112, 112, 3), 90, np.uint8)) == MOST_BLUR


@given(st.floats(-np.pi, np.pi), st.floats(0.1, 10), st.floats(-300, 300))
def test_turn_ignores_tilt_scale_and_place(angle: float, scale: float, shift: float) -> None:
    points = TEMPLATE_52.copy()
    points[2, 0] += 9
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    assert turn_of((points @ turn.T + shift).astype(np.float32)) == pytest.approx(
        turn_of(points.astype(np.float32)), rel=1e-3
    )


def test_turn_grows_with_the_nose_beside_the_middle_and_has_no_side() -> None:
    def turned(pixels: float) -> float:
        points = TEMPLATE_52.copy()
        points[2, 0] += pixels
        return turn_of(points.astype(np.float32))

    assert turned(0) < 0.01
    assert turned(5) < turned(10) < turned(15)
    assert turned(12) == pytest.approx(turned(-12), abs=0.02)


def test_landmarks_in_one_place_have_no_turn() -> None:
    assert turn_of(np.full((5, 2), 20, np.float32)) == 0


def measures(**changes: float) -> Measures:
    fine = {"pixels": 112.0, "blur": 1.0, "turn": 0.05, "covered": 0.01, "face": 0.99} | changes
    return Measures(**{name: np.array([fine[name]], np.float32) for name in MEASURES})


ONE = Faces(np.array([[0, 0, 80, 80]], np.float32), TEMPLATE_52[None].astype(np.float32), np.array([0.9], np.float32))


@pytest.mark.parametrize(
    "flaw",
    [{"pixels": 40.0}, {"blur": 3.0}, {"turn": 0.3}, {"covered": 0.99}, {"face": 0.3}],
    ids=lambda flaw: next(iter(flaw)),
)
def test_every_flaw_takes_from_the_quality(flaw: dict[str, float]) -> None:
    (fine,), (poor,) = quality(ONE, measures()), quality(ONE, measures(**flaw))
    assert 0 <= poor < 0.8 * fine < fine <= 1


def test_more_pixels_than_the_network_wants_are_no_better() -> None:
    assert quality(ONE, measures(pixels=112)) == quality(ONE, measures(pixels=800))


def test_faces_are_measured_each_for_itself() -> None:
    points = np.stack([TEMPLATE_52, TEMPLATE_52 / 2]).astype(np.float32)
    aligned = np.stack([natural(0), np.asarray(cv2.GaussianBlur(natural(1), (0, 0), 5), np.uint8)])
    found = measure(points, aligned, np.zeros((2, 512, 5), np.float32))
    np.testing.assert_allclose(found.pixels, [112, 56], rtol=1e-4)
    assert found.blur[0] < 2.5 < found.blur[1]
    parts = Measures.together([found.take(slice(0, 1)), found.take(slice(1, 2))])
    for name in MEASURES:
        np.testing.assert_array_equal(getattr(parts, name), getattr(found, name))
    assert len(Measures.together([])) == 0
