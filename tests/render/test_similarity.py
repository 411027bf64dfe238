from __future__ import annotations

import numpy as np
import pytest

from unmingle.render.similarity import BINS, HIGH, LOW, similarity


def faces(people: list[int], *, spread: float = 0.5) -> np.ndarray:
    random = np.random.default_rng(3)
    centres = random.normal(size=(max(people) + 2, 32))
    vectors = centres[people] + spread * random.normal(size=(len(people), 32))
    unit: np.ndarray = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return unit


def test_every_pair_is_counted_once_on_its_side() -> None:
    person_n = np.array([0] * 5 + [1] * 4 + [-1] * 3)
    vectors = faces([0] * 5 + [1] * 4 + [2, 2, 3])
    found = similarity(vectors, person_n, 0.3)
    cosines = vectors @ vectors.T
    same: list[float] = []
    different: list[float] = []
    for i in range(12):
        for j in range(i + 1, 12):
            one = person_n[i] == person_n[j] >= 0
            (same if one else different).append(min(max(cosines[i, j], LOW), HIGH))
    assert found.same_b.tolist() == np.histogram(same, BINS, (LOW, HIGH))[0].tolist()
    assert found.different_b.sum() == len(different)
    assert found.same_above == pytest.approx(np.mean(np.array(same) >= 0.3))
    assert found.different_above == pytest.approx(np.mean(np.array(different) >= 0.3))
    assert found.same_middle == pytest.approx(np.median(same), abs=0.03)


def test_without_a_line_nothing_is_above_it_and_nobody_has_no_pairs() -> None:
    found = similarity(faces([0, 1, 2]), np.array([-1, -1, -1]), None)
    assert (found.same_above, found.different_above) == (0, 0)
    assert found.same_b.sum() == 0
    assert np.isnan(found.same_middle)
    assert found.different_b.sum() == 3


def test_large_collections_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unmingle.render.similarity.MOST_STRANGERS", 50)
    monkeypatch.setattr("unmingle.render.similarity.MOST_OF_ONE", 10)
    people = [i % 4 for i in range(400)]
    whole = similarity(faces(people), np.array(people), None)
    assert whole.same_b.sum() == 4 * 45
    assert 0 < whole.different_b.sum() <= 50 * 49 / 2
    assert whole.same_middle > whole.different_middle + 0.4
