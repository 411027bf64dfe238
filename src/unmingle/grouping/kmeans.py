"""The classic recipe's grouping: principal components, then k-means. The number of people must be known."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from unmingle.errors import SettingsError
from unmingle.records import Clustering, check_shape

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmingle.records import F32, I64

# Each start is cheap beside the features; the notebook ran scikit-learn of its day, whose default was 10 starts too.
STARTS = 10


def classic_clusters(features_nd: F32, people: int, *, components: int = 100, seed: int = 22) -> Clustering:
    """Group faces as the notebook did that unmingle began as: PCA, then k-means with k-means++ starts.

    The features are neither scaled nor whitened. The same features, number, seed and thread count give the same labels.

    Args:
        features_nd: (n, d) float32, as VGG16 gives them.
        people: how many clusters to make, 1 to n.
        components: principal components to keep; fewer if there are fewer faces or features.
        seed: of both steps; the default is the notebook's.

    Returns:
        labels with the largest cluster first. Notes: the share of the variance that the components keep
        ("explained_variance"), and k-means' sum of squared distances ("inertia"). If fewer than `people` distinct
        faces exist, there are fewer clusters.

    Raises:
        SettingsError: `people` is below 1 or above n, or `components` is below 1.
    """
    check_shape("features_nd", features_nd, (None, None))
    n = len(features_nd)
    if not 1 <= people <= n:
        mend = f"Give a number from 1 to {n}." if n else "Add pictures first."
        raise SettingsError(f"{people} people can't be made of {n} faces.", mend)
    if components < 1:
        raise SettingsError(f"components is {components}.", "Give 1 or more.")
    if (features_nd == features_nd[0]).all():  # one face, or copies of it: there is no variance to find
        return Clustering(np.zeros(n, np.int64), notes=(("explained_variance", 1.0), ("inertia", 0.0)))
    return _reduce_and_cluster(features_nd, people, components=min(components, *features_nd.shape), seed=seed)


def _reduce_and_cluster(features_nd: F32, people: int, *, components: int, seed: int) -> Clustering:
    from sklearn.cluster import KMeans
    from sklearn.decomposition import PCA
    from sklearn.exceptions import ConvergenceWarning

    pca = PCA(n_components=components, random_state=seed)
    reduced_nc = pca.fit_transform(features_nd)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct faces than people: our labels show it
        kmeans = KMeans(n_clusters=people, n_init=STARTS, random_state=seed).fit(reduced_nc)
    notes = (("explained_variance", float(pca.explained_variance_ratio_.sum())), ("inertia", float(kmeans.inertia_)))
    return Clustering(_largest_first(kmeans.labels_), notes=notes)


def _largest_first(labels: NDArray[np.int32]) -> I64:
    """Labels 0 … k-1 without gaps, by falling size; clusters of one size by their first face."""
    _, first, index, sizes = np.unique(labels, return_index=True, return_inverse=True, return_counts=True)
    order = np.lexsort((first, -sizes))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return rank[index]
