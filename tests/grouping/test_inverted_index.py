from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmingle.grouping import inverted_index as module
from unmingle.grouping.index import Neighbours, exact_nearest
from unmingle.grouping.inverted_index import InvertedIndex, _Base, _Search

if TYPE_CHECKING:
    from tests.grouping.conftest import MakeFaces

    from unmingle.records import F32, I64


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """No search is small enough to be exact."""
    monkeypatch.setattr(module, "PLENTY", 0)


def search(index: InvertedIndex, vectors: F32, k: int) -> Neighbours:
    return index.nearest(vectors, vectors, index.cell_of(vectors), k, own_q=np.arange(len(vectors)))


def recall(found: Neighbours, exact: Neighbours, least: float) -> float:
    """Share of the true nearest, of those at least so similar, that the lists hold."""
    matters = exact.similarity_qk[:, 0] >= least
    return float((found.index_qk == exact.index_qk[:, :1]).any(axis=1)[matters].mean())


@pytest.mark.usefixtures("busy")
def test_almost_all_of_the_true_nearest_are_found(make_faces: MakeFaces) -> None:
    vectors, _ = make_faces([1] * 3000 + [2] * 1500 + [5] * 600 + [40] * 100, noise=0.8)
    found = search(InvertedIndex(vectors), vectors, 16)
    exact = exact_nearest(vectors, vectors, 16, own_q=np.arange(len(vectors)))
    # Of so few cells, 1.5 % are seven.
    assert recall(found, exact, 0.45) > 0.95


def test_a_search_with_little_to_do_is_exact(make_faces: MakeFaces) -> None:
    vectors, _ = make_faces([3] * 300)
    found = search(InvertedIndex(vectors), vectors, 8)
    exact = exact_nearest(vectors, vectors, 8, own_q=np.arange(len(vectors)))
    assert np.array_equal(found.index_qk, exact.index_qk)
    assert np.array_equal(found.similarity_qk, exact.similarity_qk)


@pytest.mark.usefixtures("busy")
def test_what_is_found_has_its_true_similarity_and_is_never_oneself(make_faces: MakeFaces) -> None:
    vectors, _ = make_faces([4] * 1000)
    found = search(InvertedIndex(vectors), vectors, 6)
    one, place = np.nonzero(found.index_qk >= 0)
    other = found.index_qk[one, place]
    assert (other != one).all()
    true = (vectors[one] * vectors[other]).sum(axis=1)
    assert np.allclose(found.similarity_qk[one, place], true, atol=1e-6)
    assert np.isneginf(found.similarity_qk[found.index_qk < 0]).all()


@given(n=st.integers(1, 150), k=st.integers(1, 8), count=st.integers(3, 40), seed=st.integers(0, 10**6))
def test_looking_into_all_cells_finds_what_a_full_sort_finds(n: int, k: int, count: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    # Small integers: products are exact, and there are ties, which go to the smaller position.
    vectors = random.integers(-3, 4, size=(n, 3)).astype(np.float32)
    index = InvertedIndex(vectors, cells=count)
    cell = index.cell_of(vectors)
    base = _Base.of(vectors, cell, count)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "FIRST_CELLS", 2)
        search = _Search(index.centres_cd, base, k, max(1, len(base.filled_c) - 2))
        found = search.all(vectors, cell, np.arange(n))
    exact = exact_nearest(vectors, vectors, k, own_q=np.arange(n))
    assert np.array_equal(found.index_qk, exact.index_qk)
    assert np.array_equal(found.similarity_qk, exact.similarity_qk)


@given(n=st.integers(1, 150), k=st.integers(1, 8), count=st.integers(1, 40), seed=st.integers(0, 10**6))
def test_lists_are_in_order_and_hold_nobody_twice(n: int, k: int, count: int, seed: int) -> None:
    vectors = np.random.default_rng(seed).integers(-3, 4, size=(n, 3)).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PLENTY", 0)
        patch.setattr(module, "FIRST_CELLS", 2)
        found = search(InvertedIndex(vectors, cells=count), vectors, k)
    position = np.where(found.index_qk < 0, n, found.index_qk)
    assert (np.lexsort((position, -found.similarity_qk), axis=1) == np.arange(k)).all()
    for row, index in enumerate(found.index_qk):
        listed = index[index >= 0]
        assert len(set(listed)) == len(listed)
        assert row not in listed
        assert np.array_equal(found.similarity_qk[row, : len(listed)], vectors[listed] @ vectors[row])


@pytest.mark.usefixtures("busy")
def test_the_number_of_threads_and_the_parts_change_nothing(
    make_faces: MakeFaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors, _ = make_faces([3] * 3000)
    results = []
    for threads in (1, 2, 5):
        monkeypatch.setattr(module, "available_cores", lambda threads=threads: threads)
        index = InvertedIndex(vectors)
        results.append((index.centres_cd, index.cell_of(vectors), search(index, vectors, 5)))
    for centres, cell, found in results[1:]:
        assert np.array_equal(centres, results[0][0])
        assert np.array_equal(cell, results[0][1])
        assert np.array_equal(found.index_qk, results[0][2].index_qk)
        assert np.array_equal(found.similarity_qk, results[0][2].similarity_qk)


@pytest.mark.usefixtures("busy")
def test_a_few_means_are_found_among_means(make_faces: MakeFaces) -> None:
    vectors, person = make_faces([2] * 1500 + [4] * 1500)
    size = np.bincount(person)
    mean = np.zeros((len(size), 128), np.float32)
    np.add.at(mean, person, vectors)
    mean /= size[:, None]
    index = InvertedIndex(vectors)
    own = np.arange(0, len(mean), 7)
    found = index.nearest(mean[own], mean, index.cell_of(mean), 4, own_q=own)
    exact = exact_nearest(mean[own], mean, 4, own_q=own)
    assert (found.index_qk != own[:, None]).all()
    assert np.allclose(found.similarity_qk[:, 0], exact.similarity_qk[:, 0], atol=0.3)
    # Half of a person each: their nearest is the other half, and much nearer than any stranger.
    halves = np.concatenate([mean + 0.02, mean - 0.02]).astype(np.float32)
    found = search(index, halves, 3)
    assert (found.index_qk[:, 0] == (np.arange(len(halves)) + len(mean)) % len(halves)).mean() > 0.99


@pytest.mark.usefixtures("busy")
def test_queries_need_not_be_in_the_base(make_faces: MakeFaces) -> None:
    vectors, _ = make_faces([3] * 2000)
    index = InvertedIndex(vectors)
    found = index.nearest(vectors[:50], vectors, index.cell_of(vectors), 2)
    assert np.array_equal(found.index_qk[:, 0], np.arange(50))


@pytest.mark.usefixtures("busy")
def test_cells_may_be_empty(make_faces: MakeFaces) -> None:
    vectors, _ = make_faces([5] * 1000)
    index = InvertedIndex(vectors)
    cell = index.cell_of(vectors)
    base = np.flatnonzero(np.isin(cell, np.unique(cell)[::3]))
    found = index.nearest(vectors, vectors[base], cell[base], 4)
    assert (found.index_qk < len(base)).all()
    assert np.array_equal(found.index_qk[base, 0], np.arange(len(base)))


@pytest.mark.parametrize("n", [1, 2, 5])
@pytest.mark.usefixtures("busy")
def test_lists_longer_than_the_base_are_filled_up(n: int) -> None:
    vectors = np.eye(n, 8, dtype=np.float32)
    index = InvertedIndex(vectors)
    found = search(index, vectors, 7)
    assert ((found.index_qk >= 0).sum(axis=1) == n - 1).all()
    assert (found.index_qk[:, n - 1 :] == -1).all()
    assert np.isneginf(found.similarity_qk[:, n - 1 :]).all()
    nobody: I64 = np.zeros(0, np.int64)
    assert index.nearest(vectors[:0], vectors, index.cell_of(vectors), 3, own_q=nobody).index_qk.shape == (0, 3)
    assert (index.nearest(vectors, vectors[:0], nobody, 3).index_qk == -1).all()


@pytest.mark.usefixtures("busy")
def test_equal_rows_find_each_other() -> None:
    random = np.random.default_rng(3)
    vectors = random.normal(size=(4000, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[1::2] = vectors[::2]
    found = search(InvertedIndex(vectors), vectors, 3)
    assert np.array_equal(found.index_qk[:, 0], np.arange(4000) ^ 1)
