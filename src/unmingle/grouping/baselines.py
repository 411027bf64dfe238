"""Usual ways to group faces: k-means that is told the number, as the classic recipe has it, and average linkage."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from unmingle.errors import SettingsError
from unmingle.grouping.clusters import largest_first
from unmingle.records import Clustering, check_shape

if TYPE_CHECKING:
    from unmingle.records import F32, F64, I64

# The cosine from which OpenCV takes two SFace embeddings for one person.
SFACE_COSINE = 0.363
# The notebook that unmingle began as ran scikit-learn of its day, whose default was so many starts.
CLASSIC_STARTS = 10


def k_means(vectors_nd: F32, people: int, *, starts: int | str = "auto", seed: int = 0) -> I64:
    """(n,) scikit-learn's k-means with k-means++ starts."""
    from sklearn.cluster import KMeans

    labels: I64 = KMeans(people, n_init=starts, random_state=seed).fit_predict(vectors_nd).astype(np.int64)
    return labels


def average_linkage(vectors_nd: F32) -> F64:
    """(n - 1, 4) SciPy's tree of average linkage over cosine, of unit vectors; it takes n² / 2 distances."""
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import pdist

    if len(vectors_nd) < 2:
        return np.zeros((0, 4))
    # Rounding takes equal vectors to a little below 0, which the method refuses.
    tree: F64 = linkage(np.maximum(pdist(vectors_nd.astype(np.float64), "cosine"), 0), "average")
    return tree


def cut(tree_m4: F64, cosine: float) -> I64:
    """(n,) clusters of which no two are as alike as `cosine`, on average."""
    from scipy.cluster.hierarchy import fcluster

    if not len(tree_m4):
        return np.zeros(1, np.int64)
    labels: I64 = fcluster(tree_m4, 1 - cosine, "distance").astype(np.int64)
    return labels


def classic_clusters(features_nd: F32, people: int, *, components: int = 100, seed: int = 22) -> Clustering:
    """Group VGG16 features as the notebook did that unmingle began as: PCA, then k-means, neither scaled nor whitened.

    Notes: the share of the variance that the components keep ("explained_variance"), and k-means' "inertia".
    """
    check_shape("features_nd", features_nd, (None, None))
    n = len(features_nd)
    if not 1 <= people <= n:
        mend = f"Give a number from 1 to {n}." if n else "Add pictures first."
        raise SettingsError(f"{people} people can't be made of {n} faces.", mend)
    if components < 1:
        raise SettingsError(f"components is {components}.", "Give 1 or more.")
    if (features_nd == features_nd[0]).all():  # one face, or copies of it: there is no variance to find
        notes = (("explained_variance", 1.0), ("inertia", 0.0))
        return Clustering(np.zeros(n, np.int64), notes=notes)
    from sklearn.cluster import KMeans
    from sklearn.decomposition import PCA
    from sklearn.exceptions import ConvergenceWarning

    pca = PCA(n_components=min(components, *features_nd.shape), random_state=seed)
    reduced_nc = pca.fit_transform(features_nd)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct faces than people: our labels show it
        kmeans = KMeans(n_clusters=people, n_init=CLASSIC_STARTS, random_state=seed).fit(reduced_nc)
    notes = (("explained_variance", float(pca.explained_variance_ratio_.sum())), ("inertia", float(kmeans.inertia_)))
    return Clustering(largest_first(kmeans.labels_), notes=notes)
