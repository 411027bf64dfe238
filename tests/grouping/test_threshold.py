from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmingle.grouping.impostors import SFACE_CURVE, ImpostorModel
from unmingle.grouping.threshold import FalseMergeThreshold, collection_scale, standard_query

if TYPE_CHECKING:
    from unmingle.records import F64

USUAL = FalseMergeThreshold(curve=SFACE_CURVE, expected=0.02)
ONE = np.ones(1, np.int64)


def test_the_threshold_falls_as_clusters_grow_and_as_rivals_vanish() -> None:
    assert USUAL.cosine(1, 1, clusters=1000) > USUAL.cosine(1, 5, clusters=1000) > USUAL.cosine(1, 50, clusters=1000)
    assert USUAL.cosine(1, 1, clusters=5000) > USUAL.cosine(1, 1, clusters=100) > USUAL.cosine(1, 1, clusters=5)


def test_the_threshold_in_standard_deviations_rises_with_the_smaller_cluster() -> None:
    least = USUAL.least_z(np.array([1, 10, 100]), clusters=50)
    assert (np.diff(least) > 0).all()


def test_a_wider_collection_and_a_stricter_user_raise_the_bar() -> None:
    wider = FalseMergeThreshold(curve=SFACE_CURVE, expected=0.02, scale=1.2)
    stricter = FalseMergeThreshold(curve=SFACE_CURVE, expected=0.001)
    assert wider.cosine(3, 4, clusters=50) > USUAL.cosine(3, 4, clusters=50)
    assert stricter.cosine(3, 4, clusters=50) > USUAL.cosine(3, 4, clusters=50)


@pytest.mark.parametrize(("a", "b"), [(1, 1), (1, 6), (4, 4)])
def test_the_rule_lets_exactly_the_expected_share_of_strangers_pass(a: int, b: int) -> None:
    """Draw strangers' tables of cosines as the curve says, and count those whose average passes."""
    curve = ImpostorModel(mean=0.1, people=0.003, faces=0.002, pairs=0.001)
    rule = FalseMergeThreshold(curve=curve, expected=0.5)
    random = np.random.default_rng(1)
    n = 100_000
    rows = random.normal(scale=curve.faces**0.5, size=(n, a)).mean(axis=1)
    columns = random.normal(scale=curve.faces**0.5, size=(n, b)).mean(axis=1)
    rest = random.normal(scale=curve.pairs**0.5, size=(n, a * b)).mean(axis=1)
    average = (curve.mean + random.normal(scale=curve.people**0.5, size=n) + rows + columns + rest).astype(np.float32)
    passed = rule.passes(average, np.full(n, a), np.full(n, b), clusters=11).mean()
    assert passed == pytest.approx(0.5 / (10 * min(a, b)), rel=0.08)


def test_two_clusters_left_still_have_a_bar() -> None:
    assert np.isfinite(USUAL.cosine(1, 1, clusters=1))
    assert USUAL.cosine(1, 1, clusters=1) == USUAL.cosine(1, 1, clusters=2)


def test_one_product_is_how_far_above_strangers_a_single_face_is() -> None:
    random = np.random.default_rng(0)
    query, mean, size = random.normal(size=(5, 8)), 0.1 * random.normal(size=(3, 8)), np.array([1, 4, 90])
    wider = FalseMergeThreshold(curve=SFACE_CURVE, expected=0.02, scale=1.2)
    product = standard_query(query.astype(np.float32)) @ wider.standard_base(mean.astype(np.float32), size).T
    expected = wider.standard((query @ mean.T).astype(np.float32), ONE, size[None])
    np.testing.assert_allclose(product, expected, atol=1e-4)


@pytest.mark.parametrize("wider", [1.0, 1.5])
def test_the_scale_is_how_much_wider_strangers_spread(wider: float) -> None:
    """Clusters of 5 in 128 dimensions: their cosines are normal, so the curve can be set to fit or to be too narrow."""
    random = np.random.default_rng(2)
    means = random.normal(size=(1500, 128))
    means = (means / np.linalg.norm(means, axis=1, keepdims=True)).astype(np.float32)
    curve = ImpostorModel(mean=0.0, people=1 / 128 / wider**2, faces=0.0, pairs=0.0)
    # Values beyond three deviations count as three, which pulls a large scale down a little.
    assert collection_scale(means, np.full(1500, 5), curve) == pytest.approx(wider, rel=0.06)


def test_small_or_no_clusters_say_nothing_about_the_scale() -> None:
    means = np.eye(8, dtype=np.float32)
    assert collection_scale(means, np.full(8, 2), SFACE_CURVE) == 1
    assert collection_scale(means[:0], np.zeros(0, np.int64), SFACE_CURVE) == 1
    assert collection_scale(means[:1], np.full(1, 9), SFACE_CURVE) == 1


def test_one_person_in_two_parts_does_not_stretch_the_scale_far() -> None:
    means = np.concatenate([np.eye(30, dtype=np.float32), np.eye(30, dtype=np.float32)[:1]])
    assert collection_scale(means, np.full(31, 5), SFACE_CURVE) < 3


def test_a_scale_is_laxer_where_all_strangers_are_less_alike_but_hardly_for_two_sorts_of_people() -> None:
    means = np.random.default_rng(3).normal(size=(1200, 400)) / 20
    sort = np.repeat([[0.025**0.5], [-(0.025**0.5)]], 600, axis=0)  # within, strangers score a deviation more

    def scales(vectors: F64, mean: float) -> tuple[float, float]:
        curve, size = ImpostorModel(mean=mean, people=1 / 400, faces=0.0, pairs=0.0), np.full(1200, 5)
        vectors_nd = vectors.astype(np.float32)
        whole = collection_scale(vectors_nd, size, curve)
        return whole, collection_scale(vectors_nd, size, curve, np.zeros(1200), tail=True)

    assert scales(0.8**0.5 * means, 0.0) == pytest.approx((0.8, 0.8), abs=0.02)
    whole, tail = scales(np.hstack([means, sort]), 0.025)
    assert 1 - whole > 2 * (1 - tail)


def test_a_tail_that_nobody_reaches_is_no_tail_of_strangers_as_alike_as_usual() -> None:
    strangers = np.eye(30, dtype=np.float32)
    tail = collection_scale(strangers, np.full(30, 5), SFACE_CURVE, np.zeros(30), tail=True)
    assert tail == pytest.approx(((20 + 30 / 4) / 50) ** 0.5)


@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(2, 10**6), st.floats(0.7, 1.5))
def test_the_floor_lies_below_the_bar_for_every_partner(size: int, partner: int, clusters: int, scale: float) -> None:
    rule = FalseMergeThreshold(curve=SFACE_CURVE, expected=0.02, scale=scale)
    floor = rule.floor(np.array([size]), clusters=clusters)[0]
    bar = rule.cosine(size, partner, clusters=clusters)
    assert floor <= bar
    assert floor >= bar - 0.35  # and not so far below that nobody could ever sleep
