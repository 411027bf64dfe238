from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from unmingle.errors import SettingsError
from unmingle.grouping.impostors import SFACE_CURVE, ImpostorCurve, estimate_curve

if TYPE_CHECKING:
    from collections.abc import Callable

    from unmingle.records import F32, I64

ONE = np.ones(1, np.int64)


def test_averages_of_more_faces_vary_less() -> None:
    sizes = np.array([1, 2, 5, 50])
    deviations = SFACE_CURVE.deviation(sizes, sizes)
    assert (np.diff(deviations) < 0).all()
    assert deviations[-1] > np.sqrt(SFACE_CURVE.people)
    assert np.array_equal(SFACE_CURVE.deviation(sizes, ONE), SFACE_CURVE.deviation(ONE, sizes))


def test_average_and_spread_around_it_make_up_the_variance_of_a_single_pair() -> None:
    a, b = np.array([1, 3, 8]), np.array([1, 5, 2])
    total = SFACE_CURVE.deviation(a, b) ** 2 + SFACE_CURVE.spread(a, b) ** 2
    np.testing.assert_allclose(total, SFACE_CURVE.deviation(ONE, ONE)[0] ** 2)


@pytest.mark.parametrize("sizes", [[1] * 1000, [250] * 4, [150] * 2, [60, 3, 1, 1] * 5])
def test_the_curve_of_a_collection_is_found_without_labels(
    make_faces: Callable[[list[int]], tuple[F32, I64]], sizes: list[int]
) -> None:
    vectors, person = make_faces(sizes)
    strangers = (vectors @ vectors.T)[person[:, None] != person]
    curve = estimate_curve(vectors)
    deviation = curve.deviation(ONE, ONE)[0]
    # Half of all pairs may be of one person: strangers then look a little wider, never much.
    assert curve.mean == pytest.approx(strangers.mean(), abs=0.05)
    assert deviation == pytest.approx(strangers.std(), rel=0.25)


def test_few_faces_leave_the_usual_curve() -> None:
    assert estimate_curve(np.eye(128, dtype=np.float32)[:1]) == SFACE_CURVE
    three = estimate_curve(np.eye(128, dtype=np.float32)[:3])
    assert three.mean == pytest.approx(SFACE_CURVE.mean * 20 / 23)


def test_a_curve_without_variance_is_refused() -> None:
    with pytest.raises(SettingsError, match="Measure it again"):
        ImpostorCurve(mean=0.1, people=0.0, faces=0.1, pairs=0.1)
