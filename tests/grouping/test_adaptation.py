from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from unmingle.errors import EmbeddingWarning
from unmingle.estimator import FaceClusterer
from unmingle.evaluation.metrics import score
from unmingle.grouping.adaptation import adapt, curve_of_others
from unmingle.grouping.constraints import Constraints
from unmingle.settings import GroupingSettings


def faces(sizes: list[int], *, seed: int = 0) -> tuple[Any, Any]:
    """Vectors that differ most in a few of 64 directions, and all lean one way: strangers' mean cosine is 0.84."""
    random = np.random.default_rng(seed)
    person = random.permutation(np.repeat(np.arange(len(sizes)), sizes))
    width = 1 / np.arange(1, 65) ** 0.4
    width /= np.linalg.norm(width)
    people = (width * random.normal(size=(len(sizes), 64)))[person]
    return people + 0.07 * random.normal(size=people.shape) + 2.6 * np.eye(64)[3], person


SIZES = [12] * 20 + [5] * 10 + [1] * 20


def fitted(vectors: Any, **settings: Any) -> FaceClusterer:
    return FaceClusterer(singletons="clusters", **settings).fit(vectors)


def test_people_are_found_though_all_vectors_lean_one_way() -> None:
    vectors, person = faces(SIZES)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert np.mean((unit @ unit.T)[person[:, None] != person]) == pytest.approx(0.84, abs=0.02)
    clusterer = fitted(vectors)
    assert score(person, clusterer.labels_).bcubed.f1 > 0.97
    assert np.median(clusterer.probabilities_) > 0.9
    assert np.mean(clusterer.predict(3 * vectors) == clusterer.labels_) > 0.97


def test_people_who_were_not_there_spread_wider() -> None:
    vectors, person = faces([12] * 24)
    found = adapt(vectors, GroupingSettings(), Constraints(len(vectors)))
    one = np.ones(1, np.int64)
    assert len(found.extra_k)
    others = curve_of_others(vectors, person, found)
    assert others.deviation(one, one)[0] > found.curve.deviation(one, one)[0]


def test_neither_order_nor_length_nor_a_common_direction_counts() -> None:
    vectors, person = faces(SIZES)
    plain = fitted(vectors).labels_
    random = np.random.default_rng(1)
    order = random.permutation(len(person))
    shuffled = fitted(vectors[order] * random.uniform(0.5, 2, (len(person), 1))).labels_
    assert score(plain[order], shuffled).bcubed.f1 == 1
    for dtype in (np.float16, np.float32):
        assert score(plain, fitted(vectors.astype(dtype)).labels_).bcubed.f1 > 0.98
    centred = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    moved = fitted(centred - centred.mean(axis=0) + 0.8 * np.eye(64)[7]).labels_
    assert score(person, moved).bcubed.f1 > 0.96


def test_one_large_person_does_not_pull_the_centre() -> None:
    vectors, person = faces([150] + [6] * 30)
    assert score(person, fitted(vectors).labels_).bcubed.f1 > 0.96


def test_what_a_cosine_groups_is_not_touched() -> None:
    random = np.random.default_rng(0)
    person = np.repeat(np.arange(40), 6)
    vectors = random.normal(size=(40, 128))[person] + 0.6 * random.normal(size=(240, 128))
    found = adapt(vectors.astype(np.float32), GroupingSettings(), Constraints(240))
    assert not found.centre_d.any()
    assert not len(found.extra_k)


def test_who_can_not_be_told_apart_is_warned_of() -> None:
    vectors, person = faces([10, 10])
    with pytest.warns(EmbeddingWarning, match=r"Everybody is one person: .* Give impostor_curve.* X - X\.mean"):
        FaceClusterer().fit(vectors)
    assert score(person, fitted(vectors - vectors.mean(axis=0)).labels_).bcubed.f1 == 1


def test_more_dimensions_than_faces() -> None:
    vectors, person = faces(SIZES)
    wide = np.concatenate([vectors, np.zeros((len(vectors), len(vectors)))], axis=1)
    assert score(person, fitted(wide).labels_).bcubed.f1 > 0.97


def test_the_number_of_people_can_be_told() -> None:
    vectors, person = faces([12] * 25)
    assert score(person, FaceClusterer(people=25).fit_predict(vectors)).bcubed.f1 > 0.99
