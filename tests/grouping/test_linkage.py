from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage

from unmingle.grouping.constraints import Constraints
from unmingle.grouping.linkage import Linkage

from .conftest import Flat

if TYPE_CHECKING:
    from unmingle.records import F32, I64


def unit(n: int, d: int, seed: int) -> F32:
    vectors = np.random.default_rng(seed).normal(size=(n, d))
    rows: F32 = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return rows


def same_partition(one: I64, other: I64) -> bool:
    pairs = np.unique(np.stack([one, other]), axis=1).shape[1]
    return bool(pairs == len(np.unique(one)) == len(np.unique(other)))


@given(st.integers(2, 90), st.integers(2, 20), st.floats(-0.9, 0.95), st.integers(0, 10**6))
def test_a_flat_bar_gives_scipys_average_linkage(n: int, d: int, bar: float, seed: int) -> None:
    vectors = unit(n, d, seed)
    expected = linkage(vectors.astype(np.float64), "average", metric="cosine")
    if np.abs(1 - expected[:, 2] - bar).min() < 1e-5:
        return  # on the edge: rounding decides
    labels = Linkage(vectors).run(Flat(least=bar)).slot_n
    assert same_partition(labels, fcluster(expected, 1 - bar, "distance"))


@pytest.mark.parametrize("n", [40, 600])
def test_the_full_tree_has_scipys_heights_and_sizes(n: int) -> None:
    vectors = unit(n, 16, 5)
    merges = Linkage(vectors).run(Flat()).records(np.arange(n))
    expected = linkage(vectors.astype(np.float64), "average", metric="cosine")
    np.testing.assert_allclose(np.sort(1 - merges.similarity), expected[:, 2], atol=1e-5)
    assert sorted(merges.size.tolist()) == sorted(expected[:, 3].astype(int).tolist())


@given(st.integers(2, 60), st.integers(2, 8), st.integers(0, 10**6))
def test_faces_of_a_group_never_come_together(n: int, each: int, seed: int) -> None:
    groups = np.random.default_rng(seed).integers(-1, max(1, n // each), n)
    vectors = unit(n, 4, seed)
    labels = Linkage(vectors, Constraints.of_frames(groups)).run(Flat()).slot_n
    pairs = np.stack([labels, groups])[:, groups >= 0]
    assert np.unique(pairs, axis=1).shape == pairs.shape
    # And nothing that might be merged is left apart.
    clusters = [set(groups[labels == label][groups[labels == label] >= 0].tolist()) for label in np.unique(labels)]
    assert all(one & other for i, one in enumerate(clusters) for other in clusters[:i])


def test_constrained_linkage_merges_the_nearest_pair_that_is_allowed() -> None:
    vectors = unit(70, 6, 8)
    groups = np.random.default_rng(8).integers(0, 25, 70)
    similarity = Linkage(vectors, Constraints.of_frames(groups)).run(Flat()).history()[2]
    assert sorted(similarity.tolist()) == pytest.approx(sorted(naive_heights(vectors, groups)), abs=1e-5)


def naive_heights(vectors: F32, groups: I64) -> list[float]:
    """The same by brute force: pair by pair, from all cosines."""
    clusters = [[face] for face in range(len(vectors))]
    cosines = vectors.astype(np.float64) @ vectors.T
    heights: list[float] = []
    while True:
        allowed = [
            (cosines[np.ix_(one, other)].mean(), i, j)
            for i, one in enumerate(clusters)
            for j, other in enumerate(clusters[:i])
            if not set(groups[one]) & set(groups[other])
        ]
        if not allowed:
            return heights
        height, i, j = max(allowed)
        clusters[j] = clusters[j] + clusters.pop(i)
        heights.append(float(height))


def test_a_thousand_equal_faces_are_one_cluster_quickly() -> None:
    vectors = np.concatenate([np.repeat(unit(1, 128, 0), 3000, axis=0), unit(50, 128, 1)])
    groups = np.full(len(vectors), -1)
    groups[3000:] = np.arange(50) // 2
    start = time.perf_counter()
    labels = Linkage(vectors, Constraints.of_frames(groups)).run(Flat(least=0.9)).slot_n
    assert time.perf_counter() - start < 10
    assert np.bincount(np.unique(labels, return_inverse=True)[1]).max() == 3000
    assert len(np.unique(labels)) == 51


def test_equal_faces_are_one_whatever_their_frames_and_only_a_decision_parts_them() -> None:
    vectors = np.repeat(unit(1, 8, 0), 6, axis=0)
    frames = Constraints.of_frames(np.array([-1, -1, 3, 3, 4, 4]))
    assert Linkage(vectors, frames).run(Flat(least=2)).count == 1
    decided = Constraints(6, different_m2=np.array([[2, 3]]))
    labels = Linkage(vectors, decided).run(Flat()).slot_n
    assert labels[2] != labels[3]
    assert len(np.unique(labels)) == 2


def test_must_links_are_one_from_the_start_with_true_similarities() -> None:
    vectors = unit(30, 8, 4)
    same = np.array([[3, 20], [20, 9], [5, 6]])
    clusters = Linkage(vectors, Constraints(30, same_m2=same)).run(Flat(least=2))
    labels, merges = clusters.slot_n, clusters.records(np.arange(30))
    assert labels[3] == labels[9] == labels[20] != labels[5] == labels[6]
    assert merges.size.tolist() == [2, 3, 2]
    expected = [vectors[3] @ vectors[9], (vectors[3] + vectors[9]) @ vectors[20] / 2, vectors[5] @ vectors[6]]
    assert merges.similarity == pytest.approx(expected, abs=1e-6)
    # Later merges see the mean of the whole cluster.
    whole = Linkage(vectors, Constraints(30, same_m2=same)).run(Flat())
    assert whole.records(np.arange(30)).size.max() == 30


@pytest.mark.parametrize("n", [0, 1])
def test_nothing_to_merge(n: int) -> None:
    assert Linkage(unit(n, 4, 0)).run(Flat()).count == n


def test_a_copy_goes_its_own_way() -> None:
    vectors = unit(200, 12, 3)
    start = Linkage(vectors)
    for bar in (0.2, 0.5):
        again = start.copy().run(Flat(least=bar)).slot_n
        assert np.array_equal(again, Linkage(vectors).run(Flat(least=bar)).slot_n)
    assert start.clusters.count == 200


def test_a_laxer_threshold_goes_on_where_a_stricter_one_stopped() -> None:
    vectors = unit(200, 12, 3)
    start = Linkage(vectors)
    start.run(Flat(least=0.5))
    assert same_partition(start.run(Flat(least=0.2)).slot_n, Linkage(vectors).run(Flat(least=0.2)).slot_n)


def test_through_an_index_who_may_not_be_together_hides_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forty alike faces of a frame are each other's nearest; whom each may join, in another frame, lies beyond."""
    crowd, light, own = unit(1, 64, 1), unit(1, 64, 2), unit(40, 64, 3)
    vectors = np.concatenate([crowd + 0.3 * own, crowd + 0.6 * light + 0.3 * own])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    frames = Constraints.of_frames(np.repeat([0, 1], 40))
    exact = Linkage(vectors, frames).run(Flat()).slot_n
    monkeypatch.setattr("unmingle.grouping.index.EXACT_PAIRS", 0)
    found = Linkage(vectors, frames).run(Flat()).slot_n
    assert len(np.unique(exact)) == 40
    assert len(np.unique(found)) == 40
