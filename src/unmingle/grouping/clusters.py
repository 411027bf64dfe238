"""The clusters of faces while they are made: the one state that every pass changes.

A cluster is named by its slot, the row of one of its faces. The average cosine between the faces of two clusters is the
dot product of their means.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from unmingle.errors import SettingsError
from unmingle.grouping.constraints import CannotLinks, Constraints
from unmingle.grouping.index import dot_pairs
from unmingle.grouping.threshold import LEAST_Z
from unmingle.records import Merges

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmingle.grouping.threshold import FalseMergeThreshold
    from unmingle.records import F32, F64, I64, U8

# Why a merge was made, in the words of `records.Merge`.
HOW = ("given", "average", "best quarter", "straggler", "seen together", "number given")
# Coordinates of unit vectors are rounded to multiples of this, so that the same picture twice is the same row, however
# its vector was scaled.
GRID = 2.0**-22
# Rows normalised, or summed, at a time.
BLOCK = 1 << 15
# Faces of a cluster that are compared pair by pair, evenly spread over it: a quarter of 64 × 64 pairs is plenty.
SAMPLE = 64
# Cosines computed at a time.
PAIR_CELLS = 1 << 21


class Clusters:
    """n faces, given as unit vectors and the slot in which each starts, and the clusters that they are in now.

    slot_n:   (n,) int64, the slot of each face.
    mean_nd:  (n, d) float32, mean of the unit vectors of the cluster in each slot that is taken.
    size_n:   (n,) int64, its faces; 0 where a slot is free.
    single_n: (n,) bool, the faces that started alone.
    """

    def __init__(self, vectors_nd: F32, slot_n: I64, constraints: Constraints | None = None) -> None:
        n = len(vectors_nd)
        self.vectors_nd, self.slot_n = vectors_nd, slot_n
        self.constraints = Constraints(n) if constraints is None else constraints
        self.size_n = np.bincount(slot_n, minlength=n)
        self.mean_nd = vectors_nd.copy()
        self.rivals = 1.0  # clusters of the whole collection for each that is here, where this is a part of it
        self.elsewhere = 0  # further ones
        self.face_excess_n: F64 = np.zeros(n)  # see `local_excess`; that of a cluster is the mean of its faces
        self._excess_n: F64 | None = None
        self._order: tuple[I64, I64] | None = None  # see _members
        self.measure(np.flatnonzero(self.size_n > 1))
        self.single_n = self.size_n[slot_n] == 1
        self._start_n = slot_n.copy()  # what merges were recorded from
        self._merges: list[tuple[I64, I64, F64, U8]] = []
        self._links: CannotLinks | None = CannotLinks(self.constraints, slot_n)

    def copy(self) -> Clusters:
        """The same clusters, to be merged further on their own."""
        other = copy(self)
        other.slot_n, other.size_n, other.mean_nd = self.slot_n.copy(), self.size_n.copy(), self.mean_nd.copy()
        other._merges, other._links = list(self._merges), None
        return other

    @property
    def alive(self) -> I64:
        """The slots that are taken, rising."""
        return np.flatnonzero(self.size_n)

    @property
    def count(self) -> int:
        """How many clusters there are, in the whole collection."""
        return round(self.rivals * np.count_nonzero(self.size_n)) + self.elsewhere

    @property
    def links(self) -> CannotLinks:
        """Which clusters may not be merged, by slot."""
        if self._links is None:
            self._links = CannotLinks(self.constraints, self.slot_n)
        return self._links

    def measure(self, slots: I64) -> None:
        """Compute the means of these clusters from their faces."""
        for part in np.array_split(slots, max(1, int(self.size_n[slots].sum()) // BLOCK)):
            if len(part):
                rows, size = self.faces(part), self.size_n[part]
                total = np.add.reduceat(self.vectors_nd[rows], np.cumsum(size) - size, axis=0, dtype=np.float64)
                self.mean_nd[part] = total / size[:, None]

    def faces(self, slots: I64) -> I64:
        """The faces of some clusters, rising within each, one cluster after another."""
        order_n, start_n = self._members()
        size = self.size_n[slots]
        first = np.cumsum(size) - size
        return order_n[np.repeat(start_n[slots] - first, size) + np.arange(int(size.sum()))]

    def spread(self, slot_p: I64, shown: int) -> I64:
        """(p, shown) faces of each cluster, of at least so many, evenly spread over it."""
        order_n, start_n = self._members()
        faces: I64 = order_n[start_n[slot_p, None] + np.arange(shown)[None] * self.size_n[slot_p, None] // shown]
        return faces

    def _members(self) -> tuple[I64, I64]:
        """The faces, cluster after cluster, and where each slot begins."""
        if self._order is None:
            self._order = np.argsort(self.slot_n, kind="stable"), np.cumsum(self.size_n) - self.size_n
        return self._order

    def similarity(self, first_m: I64, second_m: I64) -> F32:
        """(m,) average cosine between the faces of two clusters, for each of m pairs."""
        return dot_pairs(self.mean_nd, first_m, self.mean_nd, second_m)

    def excess(self, first_m: I64, second_m: I64) -> F64:
        """(m,) how much more alike strangers are where two clusters lie than elsewhere, for each of m pairs."""
        if self._excess_n is None:
            total_n = np.bincount(self.slot_n, self.face_excess_n, minlength=len(self.slot_n))
            self._excess_n = total_n / np.maximum(1, self.size_n)
        excess_m: F64 = (self._excess_n[first_m] + self._excess_n[second_m]) / 2
        return excess_m

    def top_quartile(self, first_m: I64, second_m: I64) -> F64:
        """(m,) the mean of the most similar quarter of all pairs of their faces, for each of m pairs."""
        shown_n = np.minimum(self.size_n, SAMPLE)
        quartile = np.empty(len(first_m))
        shape = shown_n[first_m] * (SAMPLE + 1) + shown_n[second_m]
        order = np.argsort(shape, kind="stable")
        for rows in np.split(order, np.flatnonzero(np.diff(shape[order])) + 1) if len(order) else ():
            a, b = int(shown_n[first_m[rows[0]]]), int(shown_n[second_m[rows[0]]])
            step = max(1, PAIR_CELLS // (a * b * 8))
            for start in range(0, len(rows), step):
                part = rows[start : start + step]
                one, other = self.spread(first_m[part], a), self.spread(second_m[part], b)
                quartile[part] = top_quartile(self.vectors_nd[one], self.vectors_nd[other])
        return quartile

    def scores(self, first_m: I64, second_m: I64, threshold: FalseMergeThreshold) -> tuple[F64, F64]:
        """(m,), (m,) the scores of m pairs by average and by top quartile; the latter is -inf where it can't tell."""
        a, b = self.size_n[first_m], self.size_n[second_m]
        excess = self.excess(first_m, second_m)
        average = threshold.standard(self.similarity(first_m, second_m) - excess, a, b)
        quartile = np.full(len(first_m), -np.inf)
        near = np.flatnonzero((average >= LEAST_Z) & (a * b > 1))
        found = self.top_quartile(first_m[near], second_m[near])
        quartile[near] = threshold.quartile_standard(found - excess[near], a[near], b[near])
        return average, quartile

    def merge(self, kept_m: I64, gone_m: I64, *, how: str) -> None:
        """Cluster kept_m takes over gone_m, for each of m disjoint pairs."""
        why = np.full(len(kept_m), HOW.index(how), np.uint8)
        self._merges.append((kept_m, gone_m, self.similarity(kept_m, gone_m).astype(np.float64), why))
        a, b = self.size_n[kept_m, None], self.size_n[gone_m, None]
        self.mean_nd[kept_m] = (a * self.mean_nd[kept_m].astype(np.float64) + b * self.mean_nd[gone_m]) / (a + b)
        self.size_n[kept_m] += self.size_n[gone_m]
        self.size_n[gone_m] = 0
        into = np.arange(len(self.slot_n))
        into[gone_m] = kept_m
        self.slot_n = into[self.slot_n]
        if self._links is not None:
            self._links.merge(kept_m, gone_m)
        self._order = self._excess_n = None

    def merge_in_turn(self, kept_m: I64, gone_m: I64, *, how: str) -> int:
        """Merge pairs in this order, unless what was merged before stands against it; how many faces moved."""
        faces = 0
        while len(kept_m):
            kept, gone = self.slot_n[kept_m], self.slot_n[gone_m]
            free = np.flatnonzero((kept != gone) & ~self.links.pairs(kept, gone))
            now = free[disjoint(kept[free], gone[free], len(self.slot_n))]
            faces += int(self.size_n[gone[now]].sum())
            if len(now):
                self.merge(kept[now], gone[now], how=how)
            later = np.setdiff1d(free, now)
            kept_m, gone_m = kept_m[later], gone_m[later]
        return faces

    def take_out(self, face_k: I64) -> None:
        """Make some faces that started alone single again, as if they had never been merged."""
        into = np.arange(len(self.slot_n))
        slots = np.unique(self.slot_n[face_k])
        for slot, named in self._forget(face_k).items():
            into[slot] = named
        while not np.array_equal(into, into[into]):
            into = into[into]
        self.slot_n = into[self.slot_n]
        self.slot_n[face_k] = face_k
        self.size_n = np.bincount(self.slot_n, minlength=len(self.slot_n))
        self.mean_nd[face_k] = self.vectors_nd[face_k]
        self._order = self._links = self._excess_n = None
        left = np.unique(into[slots])
        self.measure(left[self.size_n[left] > 0])

    def _forget(self, face_k: I64) -> dict[int, int]:
        """Take faces out of the history: what each was merged with first takes its place, and is returned."""
        kept, gone, similarity, how = self.history()
        made = np.ones(len(kept), np.bool_)
        heir: dict[int, int] = {}
        for face in face_k.tolist():
            grew = np.flatnonzero((kept == face) & made)
            if len(grew):
                made[grew[0]] = False
                heir[face] = int(gone[grew[0]])
                kept[grew[1:]] = heir[face]
                gone[(gone == face) & made] = heir[face]
            else:
                made[gone == face] = False
        self._start_n = np.arange(len(self.slot_n))
        self._merges = [(kept[made], gone[made], similarity[made], how[made])]
        return heir

    def undo_least_similar(self, clusters: int) -> None:
        """Keep only the most similar merges, so that this many clusters are left."""
        kept, gone, similarity, _ = self.history()
        level_n = np.full(len(self.slot_n), np.inf)
        level = np.empty(len(kept))
        # A merge never comes before one of its parts, even where rounding makes it a hair more similar.
        for m, (one, other) in enumerate(zip(kept.tolist(), gone.tolist(), strict=True)):
            level[m] = level_n[one] = min(similarity[m], level_n[one], level_n[other])
        self._keep(np.argsort(-level, kind="stable")[: len(self.slot_n) - clusters])

    def dissolve(self, slots: I64) -> None:
        """Undo all merges of some clusters but those that were given."""
        kept, _, _, how = self.history()
        self._keep(np.flatnonzero((how == HOW.index("given")) | ~np.isin(self.slot_n[kept], slots)))

    def _keep(self, order: I64) -> None:
        """Only these merges of the history, in this order, were made."""
        kept, gone, similarity, how = self.history()
        kept, gone = kept[order], gone[order]
        into = np.arange(len(self.slot_n))
        into[gone] = kept
        while not np.array_equal(into, into[into]):
            into = into[into]
        again = Clusters(self.vectors_nd, into, self.constraints)
        self.slot_n, self.size_n, self.mean_nd = again.slot_n, again.size_n, again.mean_nd
        self._links = self._order = self._excess_n = None
        self._start_n = np.arange(len(self.slot_n))
        self._merges = [(kept, gone, similarity[order], how[order])]

    def history(self) -> tuple[I64, I64, F64, U8]:
        """All merges in order: the slot that was kept and the one that went, their average cosine, a place in HOW."""
        kept, gone, similarity, how = map(np.concatenate, zip(self._given(), *self._merges, strict=True))
        return kept, gone, similarity, how

    def _given(self) -> tuple[I64, I64, F64, U8]:
        """The merges that make the clusters of the start, face by face."""
        joining = np.flatnonzero(self._start_n != np.arange(len(self._start_n)))
        joining = joining[np.argsort(self._start_n[joining], kind="stable")]
        kept, similarity = self._start_n[joining], np.empty(len(joining))
        for group in np.split(np.arange(len(joining)), np.flatnonzero(np.diff(kept)) + 1) if len(joining) else ():
            rows = np.append(kept[group[0]], joining[group])
            total = np.cumsum(self.vectors_nd[rows], axis=0, dtype=np.float64)[:-1]
            similarity[group] = np.einsum("md,md->m", total, self.vectors_nd[rows[1:]]) / np.arange(1, len(rows))
        return kept, joining, similarity, np.zeros(len(joining), np.uint8)

    def records(self, rows_n: I64) -> Merges:
        """The history, numbered as SciPy's linkage is, where the row of face i is rows_n[i]."""
        kept, gone, similarity, how = self.history()
        node, size = rows_n.tolist(), [1] * len(rows_n)
        first, second, sizes = [], [], []
        for made, (one, other) in enumerate(zip(kept.tolist(), gone.tolist(), strict=True), len(rows_n)):
            first.append(node[one])
            second.append(node[other])
            size[one] += size[other]
            sizes.append(size[one])
            node[one] = made
        first_m, second_m, size_m = (np.array(column, np.int64) for column in (first, second, sizes))
        return Merges(first_m, second_m, similarity, size_m, how, HOW)


def top_quartile(one_pad: F32, other_pbd: F32) -> F64:
    """(p,) the mean of the most similar quarter of a × b cosines, for p pairs of a and b faces."""
    pairs = one_pad.shape[1] * other_pbd.shape[1]
    cosines = np.matmul(one_pad, other_pbd.transpose(0, 2, 1)).reshape(len(one_pad), pairs)
    count = -(-pairs // 4)
    result: F64 = np.partition(cosines, pairs - count, axis=1)[:, pairs - count :].mean(axis=1, dtype=np.float64)
    return result


def disjoint(first_m: I64, second_m: I64, slots: int) -> I64:
    """The places of the pairs of which no earlier one has one of their slots."""
    rank = np.arange(len(first_m))
    taken = np.full(slots, len(first_m))
    np.minimum.at(taken, first_m, rank)
    np.minimum.at(taken, second_m, rank)
    keep: I64 = np.flatnonzero((taken[first_m] == rank) & (taken[second_m] == rank))
    return keep


def largest_first(slot_n: NDArray[Any]) -> I64:
    """Labels 0 … k-1 by falling size, of equal sizes by first face."""
    _, first, index, sizes = np.unique(slot_n, return_index=True, return_inverse=True, return_counts=True)
    rank = np.empty(len(first), np.int64)
    rank[np.lexsort((first, -sizes))] = np.arange(len(first))
    return rank[index]


def canonical_order(unit_nd: F32) -> I64:
    """(n,) the rows in order of their bytes, equal rows as they came, so that the input order does not matter."""
    n, width = len(unit_nd), unit_nd.shape[1]
    head = np.zeros((n, 4), ">f4")
    head[:, : min(4, width)] = unit_nd[:, :4]
    keys = head.view(">u8").astype(np.uint64)
    order_n: I64 = np.lexsort((keys[:, 1], keys[:, 0]))
    # The first four coordinates tell nearly all faces apart; the whole rows have to be compared for the rest only.
    equal = (keys[order_n[1:]] == keys[order_n[:-1]]).all(axis=1)
    tied = np.flatnonzero(np.append(equal, False) | np.append(False, equal))
    rows = np.sort(order_n[tied])
    if len(rows):
        whole = unit_nd[rows].astype(">f4").view(np.dtype((np.void, 4 * width)))[:, 0]
        order_n[tied] = rows[np.argsort(whole, kind="stable")]
    return order_n


def unit_rows(vectors_nd: NDArray[Any]) -> F32:
    """Unit vectors, or the error that names the rows that have no direction."""
    vectors = np.asarray(vectors_nd)
    if vectors.ndim != 2:
        raise SettingsError(f"The vectors have shape {vectors.shape}.", "Give one row a face: (n, d).")
    unit_nd = np.empty(vectors.shape, np.float32)
    bad: list[int] = []
    for start in range(0, len(vectors), BLOCK):
        block = vectors[start : start + BLOCK].astype(np.float64, order="C")
        largest = np.abs(block).max(axis=1, initial=0)
        lost = ~np.isfinite(largest) | (largest == 0)
        bad.extend((start + np.flatnonzero(lost)).tolist())
        block[lost], largest[lost] = 1, 1
        block /= largest[:, None]  # so that squares neither overflow nor vanish
        block /= np.linalg.norm(block, axis=1, keepdims=True)
        unit_nd[start : start + BLOCK] = np.round(block / GRID) * GRID + 0.0  # + 0.0: minus zero is zero
    if bad:
        rows = ", ".join(map(str, bad[:5])) + (f" and {len(bad) - 5} more" if len(bad) > 5 else "")
        raise SettingsError(f"Vectors that are zero or not finite, in rows {rows}.", "Leave these faces out.")
    return unit_nd
