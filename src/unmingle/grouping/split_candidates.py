"""The ways in which a person may fall into two: the branches of the merge tree (average linkage) of their faces."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from unmingle.grouping.index import spaced

if TYPE_CHECKING:
    from unmingle.records import F32, F64, I64, Bool

# Faces of one person that a tree is made of; of larger people an even sample.
SAMPLE = 2000
# Parts of a person, where nobody says how many.
MOST_PARTS = 12
# Cosines of this and more are of one picture, twice.
ROUNDING = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Branches:
    """The branches of one person: face_s[start_m[i] : stop_m[i]] is the smaller side of branch i."""

    face_s: I64
    start_m: I64
    stop_m: I64
    cosine_m: F64  # average over pairs of faces of two sides


@dataclass(frozen=True, slots=True, eq=False)
class SplitCandidates:
    """m ways to split people, of any number of them."""

    face_s: I64  # the faces of the trees, person after person
    place_n: I64  # where each face is in face_s; -1: nowhere
    slot_m: I64  # the person
    start_m: I64  # the smaller side is face_s[start_m : stop_m]
    stop_m: I64
    size_m: I64  # faces of the smaller side: an estimate where the tree is one of a sample
    cosine_m: F64

    @classmethod
    def of(
        cls, unit_nd: F32, slot_n: I64, size_c: I64, root_n: I64, trees: dict[bytes, Branches] | None = None
    ) -> SplitCandidates:
        """All branches of all people (slots 0 … c-1) of two faces or more; faces with the same root stay together.

        trees: those of earlier calls for the same vectors, which are replaced by these.
        """
        known = {} if trees is None else dict(trees)
        order_n, stop_c = np.argsort(slot_n, kind="stable"), np.cumsum(size_c)
        slots = np.flatnonzero(size_c > 1)
        made: dict[bytes, Branches] = {}
        found: list[Branches] = []
        for slot in slots.tolist():
            face = order_n[stop_c[slot] - size_c[slot] : stop_c[slot]]
            face = face[spaced(len(face), SAMPLE)]
            key = np.stack([face, root_n[face]]).tobytes()
            made[key] = known[key] if key in known else branches(unit_nd[face], face, root_n[face])
            found.append(made[key])
        if trees is not None:
            trees.clear()
            trees.update(made)
        shown = np.array([len(tree.face_s) for tree in found], np.int64)
        count = np.array([len(tree.start_m) for tree in found], np.int64)
        none = np.zeros(0, np.int64)
        face_s = np.concatenate([none, *(tree.face_s for tree in found)])
        place_n = np.full(len(slot_n), -1, np.int64)
        place_n[face_s] = np.arange(len(face_s))
        before = np.repeat(np.cumsum(shown) - shown, count)
        start = np.concatenate([none, *(tree.start_m for tree in found)]) + before
        stop = np.concatenate([none, *(tree.stop_m for tree in found)]) + before
        slot_m, size = np.repeat(slots, count), stop - start
        larger = size * size_c[slot_m] // np.maximum(1, np.repeat(shown, count))
        size = np.where(size > 1, np.maximum(size, larger), size)
        cosine: F64 = np.concatenate([np.zeros(0), *(tree.cosine_m for tree in found)])
        return cls(face_s, place_n, slot_m, start, stop, size, cosine)

    def take(self, index_k: I64) -> SplitCandidates:
        """Some of them."""
        names = ("slot_m", "start_m", "stop_m", "size_m", "cosine_m")
        return replace(self, **{name: getattr(self, name)[index_k] for name in names})

    def side(self, candidate: int, person_p: I64, unit_nd: F32) -> I64:
        """The faces of a smaller side; those of person_p that were not sampled go to the side they are more like."""
        inside = self.face_s[self.start_m[candidate] : self.stop_m[candidate]]
        unseen = person_p[self.place_n[person_p] < 0]
        if not len(unseen) or len(inside) == 1:  # a single face stays one
            return inside
        outside = np.setdiff1d(np.setdiff1d(person_p, unseen), inside)
        towards_d = unit_nd[inside].mean(axis=0) - unit_nd[outside].mean(axis=0)
        return np.concatenate([inside, unseen[unit_nd[unseen] @ towards_d > 0]])

    def means(self, unit_nd: F32) -> F32:
        """(m, d) the mean unit vector of each smaller side, as far as it was sampled."""
        from scipy.sparse import csr_array

        size = self.stop_m - self.start_m
        ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(size)])
        place = np.repeat(self.start_m - ends[:-1], size) + np.arange(ends[-1])
        table = csr_array((np.repeat(1 / size, size), self.face_s[place], ends), shape=(len(size), len(unit_nd)))
        return np.asarray(table @ unit_nd, np.float32)

    def divide(self, pairs_p2: I64, slot_n: I64) -> Bool:
        """(m,) whether any of these pairs of faces is on different sides."""
        result = np.zeros(len(self.slot_m), np.bool_)
        pairs = pairs_p2[slot_n[pairs_p2[:, 0]] == slot_n[pairs_p2[:, 1]]]
        if not len(pairs):
            return result
        order = np.argsort(self.slot_m, kind="stable")
        slot = slot_n[pairs[:, 0]]
        first, last = (np.searchsorted(self.slot_m[order], slot, side=side) for side in ("left", "right"))
        count = last - first
        split = order[np.repeat(first - np.cumsum(count) + count, count) + np.arange(count.sum())]
        one, other = (np.repeat(self.place_n[pairs[:, column]], count) for column in (0, 1))
        start, stop = self.start_m[split], self.stop_m[split]
        result[split[((start <= one) & (one < stop)) != ((start <= other) & (other < stop))]] = True
        return result


def branches(unit_sd: F32, face_s: I64, root_s: I64) -> Branches:
    """The tree of one person of two faces or more; faces with the same root come together first."""
    s = len(face_s)
    if s == 2:
        cosine = float(unit_sd[0] @ unit_sd[1])
        apart = int(root_s[0] != root_s[1] and cosine < 1 - ROUNDING)
        return Branches(face_s, np.zeros(apart, np.int64), np.ones(apart, np.int64), np.full(apart, cosine))
    start, stop, above = _spans(_tree(unit_sd, root_s))
    order_s = np.argsort(start[:s])
    sum_sd = np.concatenate([np.zeros((1, unit_sd.shape[1])), np.cumsum(unit_sd[order_s], axis=0, dtype=np.float64)])
    small = (stop - start <= s // 2) & (above > 0)
    # The two halves of a person are one way to part them.
    small &= (2 * (stop - start) < s) | (start == 0)
    start, stop = start[small], stop[small]
    side = sum_sd[stop] - sum_sd[start]
    size = stop - start
    cosine_m: F64 = np.einsum("md,md->m", side, sum_sd[-1] - side) / (size * (s - size))
    return Branches(face_s[order_s], start, stop, cosine_m)


def parts(unit_sd: F32, root_s: I64, count: int | None = None) -> I64:
    """(s,) the part of each face, 0 the largest, where one person of two faces or more is cut into so many.

    None: where the merges of the tree leave the widest gap.
    """
    from scipy.cluster.hierarchy import fcluster

    tree = _tree(unit_sd, root_s)
    if count is None:
        # Undoing the last merge makes two parts.
        count = 2 + int(np.diff(tree[::-1, 2], append=0.0)[: MOST_PARTS - 1].argmin())
    _, part_s, size = np.unique(fcluster(tree, count, "maxclust"), return_inverse=True, return_counts=True)
    rank = np.empty(len(size), np.int64)
    rank[np.argsort(-size, kind="stable")] = np.arange(len(size))
    return rank[part_s]


def _tree(unit_sd: F32, root_s: I64) -> F64:
    """The merges of scipy's average linkage; faces with the same root, and two of one picture, come together first."""
    from scipy.cluster.hierarchy import linkage

    distance_ss = np.clip(1 - (unit_sd @ unit_sd.T).astype(np.float64), 0, None)
    if len(np.unique(root_s)) < len(root_s):
        distance_ss[root_s[:, None] == root_s] = 0
    distance_ss[distance_ss < ROUNDING] = 0
    merges: F64 = linkage(distance_ss[np.triu_indices(len(root_s), 1)], "average")
    return merges


def _spans(merges: F64) -> tuple[I64, I64, F64]:
    """Where each node but the last begins and ends among the leaves, and at which distance it joins another."""
    s = len(merges) + 1
    size = np.concatenate([np.ones(s), merges[:, 3]]).astype(np.int64)
    child_m2 = merges[:, :2].astype(np.int64)
    start, sizes = [0] * (2 * s - 1), size.tolist()
    # From the root down: the one branch begins where its node begins, the other after it.
    for node, (one, other) in zip(range(2 * s - 2, s - 1, -1), child_m2[::-1].tolist(), strict=True):
        start[one] = start[node]
        start[other] = start[node] + sizes[one]
    first = np.array(start[:-1], np.int64)
    above = np.empty(2 * s - 2)
    above[child_m2] = merges[:, 2:3]
    return first, first + size[:-1], above
