from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_info

from unmingle.render.figures import (
    BINS,
    HEIGHT,
    HIGH,
    LEAST_ON_MAP,
    LOW,
    WIDTH,
    across,
    embedding_map,
    similarity,
    size_bands,
)
from unmingle.store.result_tables import spread


def faces(people: list[int], *, spread: float = 0.5) -> np.ndarray:
    random = np.random.default_rng(3)
    centres = random.normal(size=(max(people) + 2, 32))
    vectors = centres[people] + spread * random.normal(size=(len(people), 32))
    unit: np.ndarray = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return unit


def test_every_pair_is_counted_once_on_its_side() -> None:
    person_n = np.array([0] * 5 + [1] * 4 + [-1] * 3)
    vectors = faces([0] * 5 + [1] * 4 + [2, 2, 3])
    of_one, of_different = similarity(vectors, person_n, 0.3)
    cosines = vectors @ vectors.T
    same: list[float] = []
    different: list[float] = []
    for i in range(12):
        for j in range(i + 1, 12):
            one = person_n[i] == person_n[j] >= 0
            (same if one else different).append(min(max(cosines[i, j], LOW), HIGH))
    assert of_one.count_b.tolist() == np.histogram(same, BINS, (LOW, HIGH))[0].tolist()
    assert of_different.count_b.sum() == len(different)
    assert of_one.above == pytest.approx(np.mean(np.array(same) >= 0.3))
    assert of_different.above == pytest.approx(np.mean(np.array(different) >= 0.3))
    assert of_one.middle == pytest.approx(np.median(same), abs=0.03)


def test_without_a_threshold_nothing_is_above_it_and_nobody_has_no_pairs() -> None:
    same, different = similarity(faces([0, 1, 2]), np.array([-1, -1, -1]), None)
    assert (same.above, different.above) == (0, 0)
    assert same.count_b.sum() == 0
    assert np.isnan(same.middle)
    assert different.count_b.sum() == 3


def test_large_collections_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unmingle.render.figures.MOST_STRANGERS", 50)
    monkeypatch.setattr("unmingle.render.figures.MOST_OF_ONE", 10)
    people = [i % 4 for i in range(400)]
    same, different = similarity(faces(people), np.array(people), None)
    assert same.count_b.sum() == 4 * 45
    assert 0 < different.count_b.sum() <= 50 * 49 / 2
    assert same.middle > different.middle + 0.4


def test_hills_stay_in_their_frame_and_rise_where_the_pairs_are() -> None:
    vectors = np.eye(4, dtype=np.float32)[[0, 0, 1, 2, 3]]
    hills = [one.outline for one in similarity(vectors, np.array([0, 0, -1, -1, -1]), 0.5)]
    for outline in hills:
        points = [tuple(map(float, pair)) for pair in re.findall(r"([\d.]+) ([\d.]+)", outline)]
        assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in points)
    assert across(0.5) == pytest.approx(WIDTH * (0.5 + 0.4) / 1.4)
    top = min((float(y), float(x)) for x, y in re.findall(r"([\d.]+) ([\d.]+)", hills[1]))
    assert top[1] == pytest.approx(WIDTH * 0.4 / 1.4, abs=12)
    assert similarity(vectors[2:], np.array([-1, -1, -1]), None)[0].outline == ""


def test_bands_hold_everybody_once() -> None:
    sizes = [2, 2, 3, 9, 10, 499, 500, 12345]
    counts = dict(size_bands(sizes))
    assert sum(counts.values()) == len(sizes)
    assert counts["2 faces"] == 2
    assert counts["500 or more faces"] == 2
    assert [title for title, _ in size_bands([2, 6])] == ["2 faces", "3 to 4 faces", "5 to 9 faces"]


def test_alike_faces_lie_together_and_always_at_the_same_place() -> None:
    people = np.repeat(np.arange(4), 15)
    vectors = faces(people.tolist())
    at = embedding_map(vectors)
    assert at.shape == (60, 2)
    assert at.min() >= 0
    assert at.max() <= 1
    assert np.ptp(at, axis=0).max() == pytest.approx(1)
    distance = np.linalg.norm(at[:, None] - at, axis=2) + 9 * np.eye(60)
    assert (people[distance.argmin(axis=1)] == people).all()
    assert np.array_equal(at, embedding_map(vectors))


def test_a_map_keeps_one_core_busy_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []

    def placed(_: TSNE, vectors_nd: np.ndarray) -> np.ndarray:
        threads.extend(one["num_threads"] for one in threadpool_info() if one["user_api"] == "openmp")
        return vectors_nd[:, :2]

    monkeypatch.setattr(TSNE, "fit_transform", placed)
    embedding_map(faces([0] * LEAST_ON_MAP))
    assert set(threads) == {1}


def test_faces_that_are_all_the_same_have_places_too() -> None:
    at = embedding_map(np.tile(faces([0]), (LEAST_ON_MAP, 1)))
    assert np.isfinite(at).all()
    assert np.isfinite(embedding_map(faces([0] * LEAST_ON_MAP))).all()


@given(st.integers(0, 5000), st.integers(1, 200))
def test_a_sample_is_spread_evenly_and_has_both_ends(count: int, most: int) -> None:
    chosen = spread(count, most)
    assert len(chosen) == min(count, most)
    assert sorted(set(chosen)) == chosen
    if 1 < most < count:
        assert (chosen[0], chosen[-1]) == (0, count - 1)
        steps = np.diff(chosen)
        assert steps.max() - steps.min() <= 1
