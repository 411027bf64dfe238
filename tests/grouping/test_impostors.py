from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from unmingle.errors import ModelError, SettingsError
from unmingle.grouping.impostors import (
    SFACE_CURVE,
    ImpostorModel,
    compared_curve,
    estimate_curve,
    measure_curve,
    separation,
)

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
        ImpostorModel(mean=0.1, people=0.0, faces=0.1, pairs=0.1)


def faces(people: int, each: int, *, common: float = 0.5, spread: float = 0.5, seed: int = 0) -> tuple[F32, I64]:
    """Unit vectors of people who all lean one way."""
    random = np.random.default_rng(seed)
    direction = random.normal(size=64)
    centres = random.normal(size=(people, 64)) + common * direction
    labels = np.repeat(np.arange(people), each)
    vectors = centres[labels] + spread * random.normal(size=(people * each, 64))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), labels


def test_the_curve_says_how_averages_of_strangers_spread() -> None:
    vectors, labels = faces(120, 4)
    curve = measure_curve(vectors, labels)
    means = vectors.reshape(120, 4, 64).mean(axis=1)
    averages = (means @ means.T)[np.triu_indices(120, 1)]
    assert curve.mean == pytest.approx(averages.mean(), abs=1e-4)
    four = np.full(1, 4)
    assert curve.deviation(four, four)[0] == pytest.approx(averages.std(), rel=0.02)
    single = (vectors @ vectors.T)[labels[:, None] != labels[None]]
    one = np.ones(1, np.int64)
    assert curve.deviation(one, one)[0] == pytest.approx(single.std(), rel=0.02)


def test_the_curve_knows_neither_order_nor_names_nor_lengths_nor_single_faces() -> None:
    vectors, labels = faces(20, 3)
    order = np.random.default_rng(1).permutation(60)
    lengths = np.random.default_rng(2).uniform(1, 5, (60, 1)).astype(np.float32)
    more = np.concatenate([vectors[order] * lengths, vectors[:1]])
    again = measure_curve(more, np.append(np.array(list("abcdefghijklmnopqrst"))[labels[order]], "z"))
    plain = measure_curve(vectors, labels)
    for name in ("mean", "people", "faces", "pairs"):
        assert getattr(again, name) == pytest.approx(getattr(plain, name), rel=1e-4)


def test_too_few_people_are_refused() -> None:
    with pytest.raises(ModelError, match="There are 2 people with two faces or more") as caught:
        measure_curve(*faces(2, 9))
    assert "hundreds" in caught.value.mend
    alike = np.tile(np.eye(4, dtype=np.float32)[:2], (6, 1))
    with pytest.raises(ModelError, match="too alike"):
        measure_curve(alike, np.repeat(np.arange(3), 4))


def test_sface_turned_round_has_the_curve_of_sface_however_few_people() -> None:
    vectors, labels = faces(5, 4)
    turn, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(64, 64)))
    found = compared_curve((vectors @ turn).astype(np.float32), vectors, labels)
    for name in ("mean", "people", "faces", "pairs"):
        assert getattr(found, name) == pytest.approx(getattr(SFACE_CURVE, name), rel=1e-3)


def test_strangers_who_spread_half_as_wide_to_a_model_do_so_on_its_curve() -> None:
    """Beside 64 dimensions of people, 64 in which all are alike: every cosine moves half way towards 1."""
    vectors, labels = faces(5, 4)
    half = np.concatenate([vectors, np.tile(np.eye(1, 64, dtype=np.float32), (20, 1))], axis=1) / np.sqrt(2)
    found = compared_curve(half.astype(np.float32), vectors, labels)
    one = np.ones(1, np.int64)
    assert found.mean == pytest.approx((1 + SFACE_CURVE.mean) / 2, abs=1e-3)
    assert found.deviation(one, one)[0] == pytest.approx(SFACE_CURVE.deviation(one, one)[0] / 2, rel=1e-3)


def test_comparing_needs_people_who_differ() -> None:
    vectors, _ = faces(1, 4)
    with pytest.raises(ModelError, match="no two people"):
        compared_curve(vectors, vectors, np.zeros(4, np.int64))


def test_separation_is_larger_where_people_are_told_apart_better() -> None:
    near, far = (separation(*faces(6, 5, spread=spread)) for spread in (1.5, 0.3))
    assert far > near > 0
    vectors, labels = faces(6, 5)
    shuffled = np.random.default_rng(0).permutation(labels)
    assert abs(separation(vectors, shuffled)) < 1
