"""The merge tree: what was merged, in which order, at which similarity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unmingle.records import Merges, check_shape

if TYPE_CHECKING:
    from unmingle.records import F64, I64, U8

# Why a merge was made, by its position in HOW.
HOW = ("given", "average", "best quarter", "track", "straggler", "seen together", "number given")
HOW_GIVEN, HOW_AVERAGE, HOW_QUARTER, HOW_TRACK, HOW_STRAGGLER, HOW_TOGETHER, HOW_NUMBER = range(len(HOW))


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """Merges in the order in which they were made; clusters 0 … n-1 are single faces, merge i makes cluster n + i.

    leaves: n.
    first_m, second_m: (m,) int64, what was merged.
    similarity_m: (m,) float64, their average cosine.
    size_m: (m,) int64, faces of the new cluster.
    how_m: (m,) uint8, why, as a position in HOW.
    """

    leaves: int
    first_m: I64
    second_m: I64
    similarity_m: F64
    size_m: I64
    how_m: U8

    def __post_init__(self) -> None:
        for name in ("first_m", "second_m", "similarity_m", "size_m", "how_m"):
            check_shape(name, getattr(self, name), (len(self.first_m),))

    @classmethod
    def leaves_only(cls, leaves: int) -> Tree:
        """Nothing is merged yet."""
        none = np.zeros(0, np.int64)
        return cls(leaves, none, none, np.zeros(0), none, np.zeros(0, np.uint8))

    def cut(self, merges: int | None = None) -> I64:
        """The (n,) cluster of each face after the first so many merges (None: all), by its number in the tree."""
        merges = len(self.first_m) if merges is None else merges
        root = np.arange(self.leaves + merges, dtype=np.int64)
        made = np.arange(self.leaves, self.leaves + merges)
        root[self.first_m[:merges]] = made
        root[self.second_m[:merges]] = made
        # A merge is always newer than its parts, so pointers only rise and halve in length each time.
        while not np.array_equal(root, root[root]):
            root = root[root]
        return root[: self.leaves]

    def first(self, merges: int) -> Tree:
        """The tree after its first so many merges."""
        return self._in_order(np.arange(merges))

    def records(self, rows_n: I64) -> Merges:
        """The merges for a reader whose row of leaf i is rows_n[i]."""
        node = np.concatenate([rows_n, np.arange(self.leaves, self.leaves + len(self.first_m))])
        return Merges(
            self.leaves, node[self.first_m], node[self.second_m], self.similarity_m, self.size_m, self.how_m, HOW
        )

    def grown(self, first_m: I64, second_m: I64, similarity_m: F64, size_m: I64, *, how: int) -> Tree:
        """The tree with further merges at its end, all made for one reason."""
        return Tree(
            self.leaves,
            np.concatenate([self.first_m, first_m]),
            np.concatenate([self.second_m, second_m]),
            np.concatenate([self.similarity_m, similarity_m]),
            np.concatenate([self.size_m, size_m]),
            np.concatenate([self.how_m, np.full(len(first_m), how, np.uint8)]),
        )

    def _in_order(self, order_k: I64) -> Tree:
        """Some merges, in that order, by the names that they have."""
        return Tree(
            self.leaves,
            self.first_m[order_k],
            self.second_m[order_k],
            self.similarity_m[order_k],
            self.size_m[order_k],
            self.how_m[order_k],
        )

    def by_similarity(self) -> Tree:
        """The same tree, most similar merges first, as if the nearest pair had been merged step by step.

        A merge is never placed before one of its parts, even where rounding makes it a hair more similar.
        """
        level = self.similarity_m.copy()
        for merge, parts in enumerate(zip(self.first_m, self.second_m, strict=True)):
            for part in parts:
                if part >= self.leaves:
                    level[merge] = min(level[merge], level[part - self.leaves])
        order = np.argsort(-level, kind="stable")
        renamed = np.arange(self.leaves + len(order), dtype=np.int64)
        renamed[self.leaves + order] = np.arange(self.leaves, self.leaves + len(order))
        tree = self._in_order(order)
        return Tree(
            self.leaves,
            renamed[tree.first_m],
            renamed[tree.second_m],
            tree.similarity_m,
            tree.size_m,
            tree.how_m,
        )

    def without(self, face_k: I64) -> Tree:
        """The tree in which some faces were never merged: what each of them was merged with takes the place of the two.

        The merges above are told with the similarity that they had.
        """
        n, merges = self.leaves, len(self.first_m)
        stands = np.arange(n + merges)  # what has taken the place of each cluster; -1: nothing
        lost = np.zeros(n + merges, np.int64)
        stands[face_k], lost[face_k] = -1, 1
        for node in _above(self, face_k).tolist():
            parts = [int(self.first_m[node - n]), int(self.second_m[node - n])]
            lost[node] = lost[parts].sum()
            if stands[parts].min() < 0:
                stands[node] = stands[parts].max()
        kept = np.flatnonzero(stands[n:] == np.arange(n, n + merges))
        name = np.arange(n + merges)
        name[n + kept] = n + np.arange(len(kept))
        first, second = (name[stands[part_m[kept]]] for part_m in (self.first_m, self.second_m))
        return Tree(n, first, second, self.similarity_m[kept], self.size_m[kept] - lost[n + kept], self.how_m[kept])


def _above(tree: Tree, face_k: I64) -> I64:
    """The clusters of several faces that some faces became part of, oldest first."""
    made = np.arange(tree.leaves, tree.leaves + len(tree.first_m))
    parent = np.full(tree.leaves + len(tree.first_m), -1, np.int64)
    parent[tree.first_m], parent[tree.second_m] = made, made
    inside = np.zeros(len(parent), np.bool_)
    level = np.unique(parent[face_k])
    while len(level := level[level >= 0]):
        inside[level] = True
        level = parent[level]
        level = np.unique(level[(level >= 0) & ~inside[level]])
    return np.flatnonzero(inside)
