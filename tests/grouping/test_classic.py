from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmingle.errors import SettingsError
from unmingle.grouping.baselines import classic_clusters

if TYPE_CHECKING:
    from numpy.typing import NDArray

    F32 = NDArray[np.float32]


def blobs(sizes: list[int], d: int = 300, seed: int = 0) -> tuple[F32, NDArray[np.int64]]:
    """Well parted clusters of the sizes given, in mixed order, and the true cluster of each row."""
    rng = np.random.default_rng(seed)
    centres_kd = rng.normal(0, 5, (len(sizes), d))
    truth = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    noise_nd = rng.normal(0, 1, (len(truth), d))
    return (centres_kd[truth] + noise_nd).astype(np.float32), truth


def test_finds_parted_people_largest_first() -> None:
    features_nd, truth = blobs([10, 60, 30, 20])
    labels = classic_clusters(features_nd, 4).labels
    assert labels.dtype == np.int64
    np.testing.assert_array_equal(labels, np.array([3, 0, 1, 2])[truth])


def test_equal_sizes_are_ordered_by_their_first_face() -> None:
    features_nd, truth = blobs([20, 20, 20])
    labels = classic_clusters(features_nd, 3).labels
    assert list(dict.fromkeys(labels.tolist())) == [0, 1, 2]
    assert len(set(zip(labels.tolist(), truth.tolist(), strict=True))) == 3


def test_repeats_itself_and_leaves_its_input_alone() -> None:
    features_nd, _ = blobs([30, 30, 30], d=40)
    before = features_nd.copy()
    first, second = (classic_clusters(features_nd, 7) for _ in range(2))
    np.testing.assert_array_equal(first.labels, second.labels)
    assert first.notes == second.notes
    np.testing.assert_array_equal(features_nd, before)


def test_is_the_notebooks_recipe() -> None:
    from sklearn.cluster import KMeans
    from sklearn.decomposition import PCA

    features_nd = np.random.default_rng(2).normal(size=(400, 250)).astype(np.float32)
    reduced_nc = PCA(n_components=100, random_state=22).fit(features_nd).transform(features_nd)
    inertia = KMeans(n_clusters=4, random_state=22, n_init=10).fit(reduced_nc).inertia_
    assert dict(classic_clusters(features_nd, 4).notes)["inertia"] == pytest.approx(inertia, rel=1e-3)


def test_components_count() -> None:
    features_nd, truth = blobs([25, 15], d=60)
    kept = [dict(classic_clusters(features_nd, 2, components=c).notes)["explained_variance"] for c in (1, 5, 40, 100)]
    assert kept == sorted(kept)
    assert kept[0] < 0.95 < kept[2]
    assert kept[-1] == pytest.approx(1, abs=1e-4)
    np.testing.assert_array_equal(classic_clusters(features_nd, 2, components=1).labels, truth)


@given(n=st.integers(1, 12), d=st.integers(1, 8), data=st.data())
def test_any_small_collection(n: int, d: int, data: st.DataObject) -> None:
    people = data.draw(st.integers(1, n))
    features_nd = np.random.default_rng(n * 100 + d).normal(size=(n, d)).astype(np.float32)
    labels = classic_clusters(features_nd, people).labels
    sizes = np.bincount(labels)
    assert len(labels) == n
    assert len(sizes) == people
    assert (np.diff(sizes) <= 0).all()


def test_fewer_distinct_faces_than_people() -> None:
    same = np.ones((6, 5), np.float32)
    np.testing.assert_array_equal(classic_clusters(same, 2).labels, np.zeros(6))
    two = np.repeat(np.eye(5, dtype=np.float32)[:2], [2, 4], axis=0)
    np.testing.assert_array_equal(classic_clusters(two, 3).labels, [1, 1, 0, 0, 0, 0])


@pytest.mark.parametrize("people", [0, -1, 6])
def test_impossible_numbers_of_people(people: int) -> None:
    with pytest.raises(SettingsError, match=f"{people} people can't be made of 5 faces. Give a number from 1 to 5"):
        classic_clusters(np.eye(5, dtype=np.float32), people)


def test_no_faces() -> None:
    with pytest.raises(SettingsError, match="1 people can't be made of 0 faces"):
        classic_clusters(np.zeros((0, 10), np.float32), 1)


def test_no_components() -> None:
    with pytest.raises(SettingsError, match="components is 0"):
        classic_clusters(np.eye(5, dtype=np.float32), 2, components=0)


def test_wrong_axes() -> None:
    with pytest.raises(ValueError, match="features_nd"):
        classic_clusters(np.zeros(5, np.float32), 1)
