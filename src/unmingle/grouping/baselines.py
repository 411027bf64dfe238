"""Usual ways to group faces, to set ours against: k-means that is told the number, and average linkage at a bar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unmingle.records import check_shape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unmingle.records import F32, F64, I64

# The cosine from which OpenCV takes two SFace embeddings for one person.
SFACE_COSINE = 0.363
# Bars to choose the best of, with the labels.
BARS = tuple(round(0.05 + 0.01 * i, 2) for i in range(91))


def unit(vectors_nd: F32) -> F32:
    """The vectors at length 1; one of zeros stays."""
    norm_n1 = np.linalg.norm(vectors_nd, axis=1, keepdims=True)
    return np.ascontiguousarray(vectors_nd / np.where(norm_n1 > 0, norm_n1, 1), np.float32)


def k_means(vectors_nd: F32, people: int, *, starts: int | str = "auto", seed: int = 0) -> I64:
    """(n,) int64: scikit-learn's k-means with k-means++ starts.

    Args:
        vectors_nd: (n, d) unit vectors.
        people: how many clusters, at most n.
        starts: how often to begin anew; "auto" is scikit-learn's choice, once.
        seed: of the starts.
    """
    from sklearn.cluster import KMeans

    labels: I64 = KMeans(people, n_init=starts, random_state=seed).fit_predict(vectors_nd).astype(np.int64)
    return labels


@dataclass(frozen=True, slots=True, eq=False)
class AverageLinkage:
    """The whole tree of average linkage over cosine (SciPy's, which scikit-learn runs as well), to be cut at any bar.

    It holds n² / 2 distances while it is made.

    tree_m4: (n - 1, 4) float64, as `scipy.cluster.hierarchy.linkage` has it.
    """

    tree_m4: F64

    def __post_init__(self) -> None:
        check_shape("tree_m4", self.tree_m4, (None, 4))

    @classmethod
    def of(cls, vectors_nd: F32) -> AverageLinkage:
        """Of unit vectors (n, d)."""
        from scipy.cluster.hierarchy import linkage
        from scipy.spatial.distance import pdist

        if len(vectors_nd) < 2:
            return cls(np.zeros((0, 4)))
        # Rounding takes equal vectors to a little below 0, which the method refuses.
        return cls(linkage(np.maximum(pdist(vectors_nd.astype(np.float64), "cosine"), 0), "average"))

    def cut(self, cosine: float) -> I64:
        """(n,) int64: clusters of which no two are as alike as `cosine`, on average."""
        from scipy.cluster.hierarchy import fcluster

        if not len(self.tree_m4):
            return np.zeros(1, np.int64)
        labels: I64 = fcluster(self.tree_m4, 1 - cosine, "distance").astype(np.int64)
        return labels

    def cuts(self, bars: Sequence[float] = BARS) -> list[tuple[float, I64]]:
        """Each bar with its clusters."""
        return [(bar, self.cut(bar)) for bar in bars]
