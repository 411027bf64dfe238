from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmingle.grouping.clusters import Clusters, top_quartile
from unmingle.grouping.constraints import Constraints
from unmingle.grouping.linkage import Linkage

from .conftest import Flat

if TYPE_CHECKING:
    from unmingle.records import F32, I64


def unit(n: int, d: int, seed: int = 0) -> F32:
    vectors = np.random.default_rng(seed).normal(size=(n, d))
    rows: F32 = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return rows


def pairs(*of: int) -> I64:
    return np.array(of, np.int64)


def partition(labels: I64) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(labels == name).tolist()) for name in np.unique(labels)}


def consistent(clusters: Clusters) -> None:
    """Means and sizes are those of the faces, and the slot of each cluster is one of its faces."""
    alive = clusters.alive
    assert np.array_equal(alive, np.unique(clusters.slot_n))
    assert np.array_equal(clusters.slot_n[alive], alive)
    for slot in alive.tolist():
        faces = np.flatnonzero(clusters.slot_n == slot)
        assert clusters.size_n[slot] == len(faces)
        assert np.array_equal(clusters.faces(pairs(slot)), faces)
        np.testing.assert_allclose(clusters.mean_nd[slot], clusters.vectors_nd[faces].mean(axis=0), atol=1e-6)


def test_merging_keeps_means_sizes_faces_and_history() -> None:
    clusters = Clusters(unit(6, 4), np.array([0, 1, 2, 1, 4, 5]))
    clusters.merge(pairs(0, 4), pairs(2, 5), how="average")
    clusters.merge(pairs(4), pairs(1), how="best quarter")
    consistent(clusters)
    assert partition(clusters.slot_n) == {frozenset({0, 2}), frozenset({1, 3, 4, 5})}
    merges = clusters.records(np.array([10, 11, 12, 13, 14, 15]))
    assert [(one.first, one.second, one.size, one.how) for one in merges] == [
        (11, 13, 2, "given"),
        (10, 12, 2, "average"),
        (14, 15, 2, "average"),
        (8, 6, 4, "best quarter"),
    ]
    v = clusters.vectors_nd
    assert merges[3].similarity == pytest.approx(float((v[[4, 5]] @ v[[1, 3]].T).mean()), abs=1e-6)


def test_in_turn_whoever_comes_first_keeps_others_out() -> None:
    apart = Constraints(5, different_m2=np.array([[1, 2]]))
    clusters = Clusters(unit(5, 4), np.arange(5), apart)
    assert clusters.merge_in_turn(pairs(0, 0, 0, 3), pairs(1, 2, 3, 0), how="straggler") == 2
    consistent(clusters)
    assert partition(clusters.slot_n) == {frozenset({0, 1, 3}), frozenset({2}), frozenset({4})}


@given(st.data())
def test_taking_out_is_the_partition_with_these_faces_alone(data: st.DataObject) -> None:
    n = data.draw(st.integers(2, 14))
    vectors = unit(n, 5, data.draw(st.integers(0, 1000)))
    clusters = Linkage(vectors).run(Flat() if data.draw(st.booleans()) else Flat(least=0.3))
    before = partition(clusters.slot_n)
    out = np.array(sorted(data.draw(st.sets(st.integers(0, n - 1), min_size=1))))
    clusters.take_out(out)
    consistent(clusters)
    expected = {group - set(out.tolist()) for group in before} - {frozenset()}
    assert partition(clusters.slot_n) == expected | {frozenset([face]) for face in out.tolist()}
    merges = clusters.records(np.arange(n))
    sizes = np.concatenate([np.ones(n, np.int64), merges.size])
    assert (sizes[merges.first] + sizes[merges.second] == merges.size).all()
    parts = np.concatenate([merges.first, merges.second])
    assert len(np.unique(parts)) == len(parts)
    assert (np.maximum(merges.first, merges.second) < n + np.arange(len(merges))).all()


def test_the_least_similar_merges_are_undone() -> None:
    clusters = Clusters(np.array([[1, 0], [0.96, 0.28], [0, 1], [0.6, 0.8]], np.float32), np.arange(4))
    clusters.merge(pairs(2), pairs(3), how="average")
    clusters.merge(pairs(0), pairs(1), how="average")
    clusters.merge(pairs(0), pairs(2), how="average")
    clusters.undo_least_similar(3)
    assert partition(clusters.slot_n) == {frozenset({0, 1}), frozenset({2}), frozenset({3})}
    assert [merge.size for merge in clusters.records(np.arange(4))] == [2]


def test_the_top_quartile_is_at_least_one_pair() -> None:
    one = np.eye(4, dtype=np.float32)
    assert top_quartile(one[None, :1], one[None, :1]) == 1
    assert top_quartile(one[None], one[None]) == 1
    assert top_quartile(one[None, :1], one[None]) == 1
    assert top_quartile(one[None, :1], np.concatenate([one, one[1:2]])[None]) == 0.5  # two of five
