"""The clusters of a moment: their means, sizes and faces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from unmingle.grouping.tree import Tree
    from unmingle.records import F32, I64


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """The c clusters that a tree has made of n faces, in the order of their first faces.

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
        sum_cd = np.add.reduceat(vectors_nd[order_n].astype(np.float64), start_c, axis=0)
        return cls(node[by_first], slot_n, (sum_cd / size_c[:, None]).astype(np.float32), size_c, order_n, start_c)

    def faces(self, cluster: int, *, most: int) -> I64:
        """The faces of a cluster, or so many of them, evenly spread."""
        size = int(self.size_c[cluster])
        kept = min(size, most)
        chosen: I64 = self.order_n[self.start_c[cluster] + np.arange(kept) * size // kept]
        return chosen
