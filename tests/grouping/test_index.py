from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmingle.grouping.index import exact_nearest, find_nearest, similarity_blocks

if TYPE_CHECKING:
    from unmingle.records import I64, Bool


@given(st.integers(1, 120), st.integers(1, 6), st.integers(1, 500), st.integers(0, 10**6))
def test_the_nearest_are_those_of_a_full_sort(n: int, k: int, cells: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    # Small integers: products are exact, and there are ties, which go to the smaller position.
    vectors = random.integers(-3, 4, size=(n, 3)).astype(np.float32)
    found = exact_nearest(vectors, vectors, k, own_q=np.arange(n), cells=cells)
    similarity = (vectors @ vectors.T).astype(np.float64)
    np.fill_diagonal(similarity, -np.inf)
    order = np.argsort(-similarity, axis=1, kind="stable")[:, : min(k, n - 1)]
    assert np.array_equal(found.index_qk[:, : n - 1], order)
    assert np.array_equal(found.similarity_qk[:, : n - 1], np.take_along_axis(similarity, order, 1))
    assert (found.index_qk[:, n - 1 :] == -1).all()
    assert np.isneginf(found.similarity_qk[:, n - 1 :]).all()


def one_parity(row: I64, column: I64) -> Bool:
    forbidden: Bool = (row[:, None] + column) % 2 == 0
    return forbidden


def test_forbidden_pairs_are_no_neighbours() -> None:
    random = np.random.default_rng(1)
    vectors = random.normal(size=(90, 8)).astype(np.float32)
    found = exact_nearest(vectors[:20], vectors, 3, forbidden=one_parity, cells=400)
    assert ((np.arange(20)[:, None] + found.index_qk) % 2 == 1).all()


def test_blocks_hold_no_more_cells_than_asked() -> None:
    base = np.zeros((50, 4), np.float32)
    blocks = [similarity.shape for _, similarity in similarity_blocks(np.zeros((33, 4), np.float32), base, cells=500)]
    assert blocks == [(10, 50), (10, 50), (10, 50), (3, 50)]


def test_nobody_has_no_neighbours() -> None:
    nobody = np.zeros((0, 4), np.float32)
    assert exact_nearest(nobody, nobody, 2).index_qk.shape == (0, 2)


def test_a_base_that_is_read_in_parts_has_the_same_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unmingle.grouping.index.TILE", 7)
    vectors = np.random.default_rng(0).integers(-3, 4, size=(40, 3)).astype(np.float32)  # with ties
    parts, whole = find_nearest(vectors[:9], vectors, 8), exact_nearest(vectors[:9], vectors, 8)
    assert np.array_equal(parts.index_qk, whole.index_qk)
    assert np.array_equal(parts.similarity_qk, whole.similarity_qk)


@pytest.mark.parametrize("pairs", [0, 10**9])
def test_a_query_need_not_be_in_the_base(monkeypatch: pytest.MonkeyPatch, pairs: int) -> None:
    monkeypatch.setattr("unmingle.grouping.index.EXACT_PAIRS", pairs)
    base = np.eye(6, dtype=np.float32)
    found = find_nearest(base[:3], base, 2)
    assert found.index_qk[:, 0].tolist() == [0, 1, 2]
    found = find_nearest(base[:3], base, 2, own_q=np.arange(3))
    assert found.index_qk.shape == (3, 2)
    assert not (found.index_qk == np.arange(3)[:, None]).any()
