"""Must-links and cannot-links. Those of decisions always hold; those of frames give way to mirrors and posters."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from unmingle.errors import ConstraintError
from unmingle.records import check_shape

if TYPE_CHECKING:
    from unmingle.records import I64, Bool

MANY = 5_000  # pairs: to look up more of them at once, SciPy's own indexing is faster


def _no_pairs() -> I64:
    return np.zeros((0, 2), np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Constraints:
    """What is known of n faces.

    seen_k2:      a row and a frame in which this face was seen. Frames that follow each other in a recording have
                  consecutive numbers, others have not.
    same_m2:      rows that are one person, by decision or track, whatever their frames say.
    different_m2: rows that are different people, whatever they look like.
    apart_k2:     a row and a group: so are all rows of one group.
    """

    faces: int
    seen_k2: I64 = field(default_factory=_no_pairs)
    same_m2: I64 = field(default_factory=_no_pairs)
    different_m2: I64 = field(default_factory=_no_pairs)
    apart_k2: I64 = field(default_factory=_no_pairs)

    def __post_init__(self) -> None:
        for name in ("seen_k2", "same_m2", "different_m2", "apart_k2"):
            check_shape(name, getattr(self, name), (None, 2))
            rows = getattr(self, name)[:, :1] if name.endswith("k2") else getattr(self, name)
            if len(rows) and not 0 <= rows.min() <= rows.max() < self.faces:
                raise ConstraintError(
                    f"{name[:-3]} names a face that is not there: rows go from 0 to {self.faces - 1}.",
                    "Name faces by their row.",
                )

    @classmethod
    def of_frames(cls, frames_n: I64) -> Constraints:
        """Each face was seen in one frame, or in none where the number is negative; no frame follows another."""
        frames_n = np.asarray(frames_n, np.int64)
        rows = np.flatnonzero(frames_n >= 0)
        return cls(len(frames_n), np.stack([rows, 2 * frames_n[rows]], axis=1))

    @property
    def in_order(self) -> bool:
        """Whether any frame follows another, as in a recording."""
        return bool((np.diff(np.unique(self.seen_k2[:, 1])) == 1).any())

    def recordings(self) -> tuple[I64, I64]:
        """(f,) the frames, rising, and which recording each is of: where one follows another, it is of the same."""
        frames = np.unique(self.seen_k2[:, 1])
        return frames, np.cumsum(np.diff(frames, prepend=frames[:1]) > 1)

    def taken(self, order_n: I64) -> Constraints:
        """The same for the faces in another order: row i is what row order_n[i] was."""
        return self.mapped(np.argsort(order_n), self.faces)

    def mapped(self, place_n: I64, faces: int) -> Constraints:
        """What is known of row i is now known of row place_n[i], or of none for -1; several rows may become one."""
        seen, apart = (
            np.unique(np.stack([place_n[of[:, 0]], of[:, 1]], axis=1)[place_n[of[:, 0]] >= 0], axis=0)
            for of in (self.seen_k2, self.apart_k2)
        )
        same, different = (place_n[of] for of in (self.same_m2, self.different_m2))
        same = same[same[:, 0] != same[:, 1]]
        same, different = (of[(of >= 0).all(axis=1)] for of in (same, different))
        return Constraints(faces, seen, same, different, apart)

    def without_frames(self) -> Constraints:
        """Only what always holds."""
        return replace(self, seen_k2=_no_pairs())

    def with_same(self, pairs_m2: I64) -> Constraints:
        """The same and further must-links."""
        return replace(self, same_m2=np.concatenate([self.same_m2, pairs_m2]))

    def torn_by(self, pairs_m2: I64) -> Bool:
        """(n,) the faces that these further must-links tie to two that must be different people."""
        root_n = roots(np.concatenate([self.same_m2, pairs_m2]), self.faces)
        torn: Bool = np.isin(root_n, root_n[self._broken(root_n)[:, 0]])
        return torn

    def components(self) -> I64:
        """(n,) the first face of those that must be one person with each; ConstraintError for a contradiction."""
        root_n = roots(self.same_m2, self.faces)
        broken = self._broken(root_n)
        if len(broken):
            one, other = broken[0].tolist()
            chain = " – ".join(map(str, _path(self.same_m2, one, other)))
            raise ConstraintError(
                f"Faces {one} and {other} must be different people, and must be one person (must-links {chain}).",
                "Take one of the two back.",
                faces=(one, other),
            )
        return root_n

    def _broken(self, root_n: I64) -> I64:
        """(m, 2) rows that must be different people and have one root: at least one pair of each such root."""
        apart_k2 = np.unique(self.apart_k2, axis=0)
        key = np.stack([apart_k2[:, 1], root_n[apart_k2[:, 0]]], axis=1)
        order = np.lexsort((key[:, 1], key[:, 0]))
        again = np.flatnonzero((key[order[1:]] == key[order[:-1]]).all(axis=1))
        met = np.stack([apart_k2[order[again], 0], apart_k2[order[again + 1], 0]], axis=1)
        pairs_m2 = np.concatenate([self.different_m2, met])
        broken: I64 = pairs_m2[root_n[pairs_m2[:, 0]] == root_n[pairs_m2[:, 1]]]
        return broken


def roots(pairs_m2: I64, n: int) -> I64:
    """(n,) the first row of those that the pairs tie to each row."""
    if not len(pairs_m2):
        return np.arange(n, dtype=np.int64)
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = coo_array((np.ones(len(pairs_m2), np.int8), (pairs_m2[:, 0], pairs_m2[:, 1])), shape=(n, n))
    _, component = connected_components(edges, directed=False)
    _, first = np.unique(component, return_index=True)
    root_n: I64 = first.astype(np.int64)[component]
    return root_n


def _path(pairs_m2: I64, one: int, other: int) -> list[int]:
    """The rows from one to other, pair by pair."""
    before = {one: one}
    edge = [one]
    while other not in before:
        touching = pairs_m2[np.isin(pairs_m2, edge).any(axis=1)].tolist()
        steps = [(a, b) for pair in touching for a, b in (pair, pair[::-1]) if a in before and b not in before]
        before.update({b: a for a, b in steps})
        edge = [b for _, b in steps]
    path = [other]
    while path[-1] != one:
        path.append(before[path[-1]])
    return path[::-1]


class CannotLinks:
    """Which clusters may not be merged: a sparse table of slots and groups (frames, `apart_k2`, pairs) they are in."""

    def __init__(self, constraints: Constraints, slots_n: I64) -> None:
        from scipy.sparse import csr_array

        different = constraints.different_m2
        frames, apart = (np.unique(of, axis=0) for of in (constraints.seen_k2, constraints.apart_k2))
        if len(frames) and len(apart):
            apart[:, 1] += frames[:, 1].max() + 1 - apart[:, 1].min()  # groups of their own
        seen = np.concatenate([frames, apart])
        _, group, sizes = np.unique(seen[:, 1], return_inverse=True, return_counts=True)
        several = sizes[group] > 1  # a frame of one face forbids nothing
        rows = np.concatenate([seen[several, 0], different.ravel()])
        columns = np.concatenate([group[several], len(sizes) + np.repeat(np.arange(len(different)), 2)])
        ones = np.ones(len(rows), np.float32)
        shape = (constraints.faces, len(sizes) + len(different))
        self._table: Any = csr_array((ones, (slots_n[rows], columns)), shape=shape)

    def __bool__(self) -> bool:
        return bool(self._table.nnz)

    def block(self, rows: I64, columns: I64) -> Bool:
        """(rows, columns) which of these slots may not be merged."""
        shared: Bool = (self._table[rows] @ self._table[columns].T).toarray() > 0
        return shared

    def pairs(self, first_m: I64, second_m: I64) -> Bool:
        """(m,) which pairs of slots may not be merged."""
        barred = np.zeros(len(first_m), np.bool_)
        linked = np.flatnonzero(self._linked(first_m) & self._linked(second_m))
        if len(linked) > MANY:
            one, other = self._table[first_m[linked]], self._table[second_m[linked]]
            barred[linked] = np.asarray(one.multiply(other).sum(axis=1)).ravel() > 0
        elif len(linked):
            groups = self._table.shape[1]
            both = np.sort(np.concatenate([self._groups(first_m[linked]), self._groups(second_m[linked])]))
            barred[linked[both[1:][both[1:] == both[:-1]] // groups]] = True
        return barred

    def _linked(self, slots_m: I64) -> Bool:
        """(m,) which of these slots are in any group."""
        begin_n = self._table.indptr
        linked: Bool = begin_n[slots_m + 1] > begin_n[slots_m]
        return linked

    def _groups(self, slots_m: I64) -> I64:
        """All groups of these slots, each as the slot's place among them times the number of groups, plus the group."""
        # SciPy's own indexing takes a millisecond to begin, and small collections ask thousands of times.
        begin_m = self._table.indptr[slots_m].astype(np.int64)
        count_m = self._table.indptr[slots_m + 1] - begin_m
        place = np.repeat(np.arange(len(slots_m)), count_m)
        at = np.arange(len(place)) + np.repeat(begin_m - (np.cumsum(count_m) - count_m), count_m)
        groups: I64 = place * self._table.shape[1] + self._table.indices[at]
        return groups

    def all_pairs(self) -> tuple[I64, I64, I64]:
        """All pairs of slots that share a group, first below second, and how many groups they share."""
        from scipy.sparse import triu

        shared = triu(self._table @ self._table.T, k=1, format="coo")
        order = np.lexsort((shared.col, shared.row))
        counts = np.rint(shared.data[order]).astype(np.int64)
        return shared.row[order].astype(np.int64), shared.col[order].astype(np.int64), counts

    def merge(self, kept_m: I64, gone_m: I64) -> None:
        """Slot kept_m takes over the groups of gone_m, for each of m disjoint pairs."""
        from scipy.sparse import csr_array

        if not self._linked(gone_m).any():
            return
        slots = self._table.shape[0]
        into = np.arange(slots)
        into[gone_m] = kept_m
        ones = np.ones(slots, np.float32)
        self._table = csr_array((ones, (into, np.arange(slots))), shape=(slots, slots)) @ self._table
