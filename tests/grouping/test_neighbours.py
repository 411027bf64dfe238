from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from unmingle.grouping.neighbours import nearest, similarity_blocks


@given(st.integers(1, 120), st.integers(1, 6), st.integers(1, 500), st.integers(0, 10**6))
def test_the_nearest_are_those_of_a_full_sort(n: int, k: int, cells: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    # Small integers: products are exact, and there are ties, which go to the smaller position.
    vectors = random.integers(-3, 4, size=(n, 3)).astype(np.float32)
    found = nearest(vectors, vectors, k, own_q=np.arange(n), cells=cells)
    similarity = (vectors @ vectors.T).astype(np.float64)
    np.fill_diagonal(similarity, -np.inf)
    order = np.argsort(-similarity, axis=1, kind="stable")[:, : min(k, n - 1)]
    assert np.array_equal(found.index_qk[:, : n - 1], order)
    assert np.array_equal(found.similarity_qk[:, : n - 1], np.take_along_axis(similarity, order, 1))
    assert (found.index_qk[:, n - 1 :] == -1).all()
    assert np.isneginf(found.similarity_qk[:, n - 1 :]).all()


def test_forbidden_pairs_are_no_neighbours() -> None:
    random = np.random.default_rng(1)
    vectors = random.normal(size=(90, 8)).astype(np.float32)
    found = nearest(vectors[:20], vectors, 3, forbidden=lambda row, column: (row[:, None] + column) % 2 == 0, cells=400)
    assert ((np.arange(20)[:, None] + found.index_qk) % 2 == 1).all()


def test_blocks_hold_no_more_cells_than_asked() -> None:
    base = np.zeros((50, 4), np.float32)
    blocks = [similarity.shape for _, similarity in similarity_blocks(np.zeros((33, 4), np.float32), base, cells=500)]
    assert blocks == [(10, 50), (10, 50), (10, 50), (3, 50)]


def test_nobody_has_no_neighbours() -> None:
    nobody = np.zeros((0, 4), np.float32)
    assert nearest(nobody, nobody, 2).index_qk.shape == (0, 2)
