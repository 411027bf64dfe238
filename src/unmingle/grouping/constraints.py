"""Cannot-links: faces of one group (one picture, one frame) are different people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from unmingle.records import I64, Bool


class CannotLinks:
    """Which clusters share a group and so may not be merged.

    A sparse slot × group table stands behind it: its size is the number of faces, whatever the number of pairs that it
    forbids.

    Args:
        groups_n: (n,) group of each face; negative for none.
        slots_n: (n,) the cluster, a slot from 0 on, in which each face is.
    """

    def __init__(self, groups_n: I64, slots_n: I64) -> None:
        from scipy.sparse import csr_array

        grouped = np.flatnonzero(groups_n >= 0)
        names, group = np.unique(groups_n[grouped], return_inverse=True)
        ones = np.ones(len(grouped), np.float32)
        # A group of one face forbids nothing, but dropping it would save little and cost a step to explain.
        self._table: Any = csr_array((ones, (slots_n[grouped], group)), shape=(len(groups_n), len(names)))

    def block(self, rows: I64, columns: I64) -> Bool:
        """Which of rows × columns (slots) may not be merged: a (rows, columns) mask."""
        shared: Bool = (self._table[rows] @ self._table[columns].T).toarray() > 0
        return shared

    def pairs(self, first_m: I64, second_m: I64) -> Bool:
        """Which of the m pairs of slots may not be merged."""
        shared: Bool = np.asarray(self._table[first_m].multiply(self._table[second_m]).sum(axis=1)).ravel() > 0
        return shared

    def merge(self, kept_m: I64, gone_m: I64) -> None:
        """Slot kept_m takes over the groups of gone_m, for each of m disjoint pairs."""
        from scipy.sparse import csr_array

        slots = self._table.shape[0]
        into = np.arange(slots)
        into[gone_m] = kept_m
        ones = np.ones(slots, np.float32)
        self._table = csr_array((ones, (into, np.arange(slots))), shape=(slots, slots)) @ self._table
