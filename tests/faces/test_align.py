from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from unmingle.faces.align import SIDE, TEMPLATE_52, align, scale_of, similarity_transform

angles = st.floats(-np.pi, np.pi)
scales = st.floats(0.05, 20)
shifts = st.floats(-500, 500)


def moved(points_52: np.ndarray, angle: float, scale: float, x: float, y: float) -> np.ndarray:
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return points_52 @ turn.T + [x, y]


@given(angles, scales, shifts, shifts)
def test_a_turned_scaled_shifted_template_comes_back_exactly(angle: float, scale: float, x: float, y: float) -> None:
    points = moved(TEMPLATE_52, angle, scale, x, y)
    matrix = similarity_transform(points.astype(np.float64))
    np.testing.assert_allclose(points @ matrix[:, :2].T + matrix[:, 2], TEMPLATE_52, atol=1e-6)
    np.testing.assert_allclose(scale_of(points), 1 / scale, rtol=1e-6)


@given(st.lists(st.floats(-3, 3), min_size=10, max_size=10), angles, scales)
def test_no_similarity_fits_noisy_points_better(noise: list[float], angle: float, scale: float) -> None:
    points = moved(TEMPLATE_52 + np.reshape(noise, (5, 2)), angle, scale, 3, 4)
    matrix = similarity_transform(points)

    def error(m: np.ndarray) -> float:
        return float(np.sum((points @ m[:, :2].T + m[:, 2] - TEMPLATE_52) ** 2))

    best = error(matrix)
    for change in (
        matrix + np.array([[0, 0, 0.01], [0, 0, 0]]),
        matrix + np.array([[0, 0, 0], [0, 0, -0.01]]),
        matrix * [[1.001, 1.001, 1], [1.001, 1.001, 1]],
    ):
        assert error(change) >= best - 1e-9


def test_points_in_one_place_do_no_harm() -> None:
    face = align(np.full((50, 50, 3), 9, np.uint8), np.full((5, 2), 20, np.float32))
    assert face.shape == (SIDE, SIDE, 3)


def smooth_picture(size: int) -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 255, (12, 12, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC), np.uint8)


@given(st.floats(-0.6, 0.6), st.floats(0.5, 6))
def test_the_aligned_face_ignores_rotation_and_scale(angle: float, scale: float) -> None:
    base = smooth_picture(112)
    shift = 60 * scale
    matrix = np.hstack([moved(np.eye(2), angle, scale, 0, 0).T, np.full((2, 1), shift)])
    side = int(230 * scale) + 20
    picture = cv2.warpAffine(base, matrix, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    points = TEMPLATE_52 @ matrix[:, :2].T + matrix[:, 2]
    aligned = align(np.asarray(picture, np.uint8), points.astype(np.float32)).astype(int)
    middle = slice(24, 88)
    assert np.abs(aligned[middle, middle] - base[middle, middle]).mean() < 6


def test_a_large_face_is_averaged_and_not_sampled() -> None:
    # Stripes one pixel wide: every tenth pixel would be all black or all white, an average is grey.
    picture = np.zeros((1200, 1200, 3), np.uint8)
    picture[:, ::2] = 255
    aligned = align(picture, (TEMPLATE_52 * 10).astype(np.float32))
    assert np.abs(aligned[20:90, 20:90].astype(int) - 127).max() < 40
