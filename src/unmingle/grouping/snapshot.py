"""Clusters: their means, sizes and faces."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from unmingle.grouping.tree import Tree
    from unmingle.records import F32, I64


@dataclass(slots=True, eq=False)
class Snapshot:
    """The c clusters that a tree has made of n faces, in the order of their first faces; they may go on merging.

    node_c:  (c,) int64, number of each cluster in the tree.
    slot_n:  (n,) int64, cluster of each face.
    mean_cd: (c, d) float32, mean of its unit vectors.
    size_c:  (c,) int64, its faces.
    order_n: (n,) int64, the faces, cluster after cluster.
    start_c: (c,) int64, where each cluster begins in order_n.
    """

    node_c: I64
    slot_n: I64
    mean_cd: F32
    size_c: I64
    order_n: I64
    start_c: I64
    _joined: dict[int, I64] = field(default_factory=dict)  # the faces of clusters that took over others

    @classmethod
    def of(cls, vectors_nd: F32, tree: Tree) -> Snapshot:
        """The clusters after all merges of `tree`."""
        node, first, slot, size = np.unique(tree.cut(), return_index=True, return_inverse=True, return_counts=True)
        by_first = np.argsort(first)
        rank = np.empty_like(by_first)
        rank[by_first] = np.arange(len(by_first))
        slot_n, size_c = rank[slot], size[by_first]
        order_n = np.argsort(slot_n, kind="stable")
        start_c = np.cumsum(size_c) - size_c
        mean_cd = means(vectors_nd, order_n, start_c, size_c)
        return cls(node[by_first], slot_n, mean_cd, size_c, order_n, start_c)

    def faces(self, cluster: int, *, most: int) -> I64:
        """The faces of a cluster, or so many of them, evenly spread."""
        faces: I64 = self.spread(np.array([cluster]), min(int(self.size_c[cluster]), most))[0]
        return faces

    def spread(self, cluster_p: I64, shown: int) -> I64:
        """(p, shown) faces of each cluster, of at least so many, evenly spread over it."""
        place = np.arange(shown)[None] * self.size_c[cluster_p, None] // shown
        faces: I64 = np.empty(place.shape, np.int64)
        plain = np.array([int(cluster) not in self._joined for cluster in cluster_p], np.bool_)
        faces[plain] = self.order_n[self.start_c[cluster_p[plain], None] + place[plain]]
        for row in np.flatnonzero(~plain):
            faces[row] = self._joined[int(cluster_p[row])][place[row]]
        return faces

    def join(self, tree: Tree, kept_m: I64, gone_m: I64, *, how: int) -> Tree:
        """Cluster kept_m takes over gone_m, for each of m disjoint pairs; gone_m is not to be used any more.

        `slot_n`, `order_n` and `start_c` stay as they were.

        Args:
            tree: the one that these are the clusters of.
            kept_m: the clusters that go on.
            gone_m: the clusters that they take over.
            how: why, as a position in `tree.HOW`.

        Returns:
            The tree with these merges at its end; their similarity is the average cosine.
        """
        for kept, gone in zip(kept_m.tolist(), gone_m.tolist(), strict=True):
            both = [self.faces(cluster, most=int(self.size_c[cluster])) for cluster in (kept, gone)]
            self._joined[kept] = np.sort(np.concatenate(both))
            self._joined.pop(gone, None)
        similarity_m = self.similarity(kept_m, gone_m).astype(np.float64)
        nodes = self.node_c[kept_m], self.node_c[gone_m]
        a, b = self.size_c[kept_m, None], self.size_c[gone_m, None]
        self.mean_cd[kept_m] = (a * self.mean_cd[kept_m].astype(np.float64) + b * self.mean_cd[gone_m]) / (a + b)
        self.size_c[kept_m] += self.size_c[gone_m]
        self.node_c[kept_m] = tree.leaves + len(tree.first_m) + np.arange(len(kept_m))
        return tree.grown(*nodes, similarity_m, self.size_c[kept_m], how=how)

    def similarity(self, first_m: I64, second_m: I64) -> F32:
        """(m,) average cosine between the faces of two clusters, for each of m pairs."""
        cosine: F32 = np.einsum("md,md->m", self.mean_cd[first_m], self.mean_cd[second_m])
        return cosine


# Faces summed at a time.
BLOCK = 1 << 16


def means(vectors_nd: F32, order_n: I64, start_c: I64, size_c: I64) -> F32:
    """(c, d) the mean vector of each cluster, in blocks of clusters, so that memory stays flat.

    Args:
        vectors_nd: (n, d).
        order_n: the faces, cluster after cluster.
        start_c: where each cluster begins in order_n.
        size_c: its faces, at least one.
    """
    mean_cd = np.empty((len(start_c), vectors_nd.shape[1]), np.float32)
    first = 0
    while first < len(start_c):
        last = max(first + 1, int(np.searchsorted(start_c, start_c[first] + BLOCK)))
        faces = order_n[start_c[first] : start_c[last - 1] + size_c[last - 1]]
        total = np.add.reduceat(vectors_nd[faces], start_c[first:last] - start_c[first], axis=0, dtype=np.float64)
        mean_cd[first:last] = total / size_c[first:last, None]
        first = last
    return mean_cd
