"""Founders found people, joiners only join them; and copies of one picture count once.

A collection is not only good faces: masks, blur, a few pixels at the edge. Such faces lean towards each other, and two
of them that agree say little. So only some faces, the founders, make people; then each of the others joins the person
that it is like, if the evidence is strong (`grouping.joining`), or stays alone. No joiner makes one of two people:
joiners are compared with founders only, and don't hear of each other except where a frame shows two of them. In a
recording they do show which place is vacant, and a founder who is alone may fill it.

One picture saved twice, smaller or with a border, is the same look twice: however often, it is one piece of evidence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from unmingle.errors import SettingsError
from unmingle.grouping.cluster import canonical_order, cluster_faces, unit_rows
from unmingle.grouping.co_occurrence import count_seen_together
from unmingle.grouping.constraints import Constraints, roots
from unmingle.grouping.impostors import estimate_curve
from unmingle.grouping.joining import join_in_recordings, join_people
from unmingle.grouping.known_number import check_people
from unmingle.grouping.snapshot import means
from unmingle.grouping.stopping import FalseMergeBar
from unmingle.grouping.tree import HOW, HOW_GIVEN
from unmingle.records import Clustering, Merges, check_shape

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmingle.grouping.impostors import ImpostorCurve
    from unmingle.records import F32, F64, I64, Bool
    from unmingle.settings import GroupingSettings

# Why a merge was made: a joiner found its person, besides the reasons of the tree.
NAMES = (*HOW, "joined")
HOW_JOINED = len(HOW)
# The note that says that there were fewer founders than people, so that all faces founded.
TOO_FEW = "founders_too_few"


def cluster_by_standing(
    vectors_nd: NDArray[Any],
    settings: GroupingSettings,
    *,
    curve: ImpostorCurve | None,
    constraints: Constraints | None = None,
    founders_n: Bool,
    copy_of_n: I64 | None = None,
) -> Clustering:
    """Group faces by person, where only some may found a person. The order of the faces does not matter.

    Where all are founders and none is a copy, the result is that of `cluster_faces`, bit for bit.

    Copies are folded first: one of them, a founder if there is one, stands for all, in the frames of all. Copies that
    decisions hold apart, directly or through others, stand each for themselves. Then founders are grouped by
    `cluster_faces`; joiners that must be one person with a founder go where it goes, and lend it their frames. The
    others join by `grouping.joining`; several that must be one person are one unit.

    Args:
        vectors_nd: (n, d) finite numbers, one embedding a face; only their directions count.
        settings: the number of people if it is known, and how strict to be; founders make that many people. With fewer
            founders than people, all faces found.
        curve: how similar strangers are to the model; None: estimated from the founders.
        constraints: as for `cluster_faces`; rows of `apart_k2` found in any case, as decisions speak of them.
        founders_n: (n,) which faces may found a person.
        copy_of_n: (n,) int64, the row whose picture a row is a copy of, itself if none; None: there are no copies.

    Returns:
        As from `cluster_faces`: a cluster for every face, largest first. One without a founder is nobody's, nor is one
        of a face and its copies, see `grouping.looks`. Merges are those of copies and of must-links of joiners
        ("given"), then the founders' (a similarity there counts each picture once), then "joined". Notes besides those
        of `cluster_faces` for the founders:

        - "joiners": faces that may only join, copies not counted;
        - "joined": how many of them are in a person with a founder;
        - "copies": faces for which another stands;
        - "founders_too_few": 1 where there were fewer founders than people, so that all faces founded.

    Raises:
        SettingsError: as `cluster_faces`; or `founders_n` or `copy_of_n` don't fit the vectors.
        ConstraintError: two faces must be one person and must not be.
    """
    n = len(vectors_nd)
    constraints = Constraints(n) if constraints is None else constraints
    founders_n, copy_of_n = _checked(n, founders_n, copy_of_n, constraints)
    if founders_n.all() and copy_of_n is None:
        return cluster_faces(vectors_nd, settings, curve=curve, constraints=constraints)
    order_n = canonical_order(unit_rows(vectors_nd))
    constraints.components()  # contradictions are told in the reader's rows
    ordered = constraints.taken(order_n)
    copy_n = _folded(ordered, _renamed(copy_of_n, order_n), founders_n[order_n])
    ranks = _Ranks.of(copy_n, founders_n[order_n], ordered, settings.people)
    clustering = _found_and_join(np.asarray(vectors_nd)[order_n], settings, curve, ordered, ranks)
    labels_n = np.empty(n, np.int64)
    labels_n[order_n] = clustering.labels
    merges = clustering.merges
    node = np.concatenate([order_n, np.arange(n, n + len(merges))])
    merges = Merges(n, node[merges.first], node[merges.second], merges.similarity, merges.size, merges.why, NAMES)
    return Clustering(labels_n, merges, (*clustering.notes, *_seen_together(labels_n, constraints)))


def _checked(n: int, founders_n: Bool, copy_of_n: I64 | None, constraints: Constraints) -> tuple[Bool, I64 | None]:
    """Founders with those of whom decisions speak; copies, or None if there are none."""
    if constraints.faces != n:
        raise SettingsError(f"Constraints of {constraints.faces} faces for {n} vectors.", "Give those of these faces.")
    check_shape("founders_n", founders_n, (n,))
    founders_n = np.asarray(founders_n, np.bool_).copy()
    founders_n[constraints.apart_k2[:, 0]] = True
    if copy_of_n is None or np.array_equal(copy_of_n, np.arange(n)):
        return founders_n, None
    check_shape("copy_of_n", copy_of_n, (n,))
    if not 0 <= copy_of_n.min() <= copy_of_n.max() < n:
        raise SettingsError("A face is a copy of one that is not there.", f"Name faces by their row, 0 to {n - 1}.")
    return founders_n, copy_of_n


def _renamed(copy_of_n: I64 | None, order_n: I64) -> I64:
    """(n,) for the faces in another order, the row that each is a copy of."""
    if copy_of_n is None:
        return np.arange(len(order_n))
    place = np.empty(len(order_n), np.int64)
    place[order_n] = np.arange(len(order_n))
    renamed: I64 = place[copy_of_n[order_n]]
    return renamed


def _folded(constraints: Constraints, copy_of_n: I64, founders_n: Bool) -> I64:
    """(n,) the row that stands for each: of its copies a founder if there is one, the one that is nobody's copy."""
    rows = np.arange(len(copy_of_n))
    pairs = np.stack([rows, copy_of_n], axis=1)[copy_of_n != rows]
    torn = constraints.torn_by(pairs)
    group_n = roots(pairs[~torn[pairs[:, 0]]], len(rows))
    order = np.lexsort((rows, copy_of_n != rows, ~founders_n, group_n))
    _, first, member = np.unique(group_n[order], return_index=True, return_inverse=True)
    stands = np.empty(len(rows), np.int64)
    stands[order] = order[first][member]
    return stands


@dataclass(frozen=True, slots=True, eq=False)
class _Ranks:
    """Which of n faces count, and for what.

    An atom is what can't come apart: a founder, the joiners that must be one person with it, and their copies; or a
    joiner, or several that must be one person, and their copies.

    copy_n:    (n,) the row that stands for each.
    atom_n:    (n,) the atom of each: 0 … f-1 those of founders, then those without.
    founder_f: (f,) the rows of founders that stand, rising.
    too_few:   whether all found, since there were fewer founders than people.
    """

    copy_n: I64
    atom_n: I64
    founder_f: I64
    too_few: bool

    @classmethod
    def of(cls, copy_n: I64, founders_n: Bool, constraints: Constraints, people: int | None) -> _Ranks:
        rows = np.arange(len(copy_n))
        stands_n = copy_n == rows
        if people is not None:
            check_people(people, int(stands_n.sum()))
        too_few = people is not None and int((stands_n & founders_n).sum()) < people
        founder_f = np.flatnonzero(stands_n & (founders_n | too_few))
        f = len(founder_f)
        tied_n = roots(copy_n[constraints.same_m2], len(rows))
        atom_of = np.full(len(rows), -1, np.int64)  # by what is tied; of several founders the first has the joiners
        with_founder, first = np.unique(tied_n[founder_f], return_index=True)
        atom_of[with_founder] = first
        loose = np.unique(tied_n[stands_n & (atom_of[tied_n] < 0)])
        atom_of[loose] = f + np.arange(len(loose))
        atom_n = atom_of[tied_n]
        atom_n[founder_f] = np.arange(f)
        return cls(copy_n, atom_n[copy_n], founder_f, too_few)

    @property
    def stands_n(self) -> Bool:
        """(n,) which faces stand for themselves."""
        stands: Bool = self.copy_n == np.arange(len(self.copy_n))
        return stands

    @property
    def joins_n(self) -> Bool:
        """(n,) which of them may only join."""
        joins = self.stands_n
        joins[self.founder_f] = False
        return joins


def _found_and_join(
    vectors_nd: NDArray[Any],
    settings: GroupingSettings,
    curve: ImpostorCurve | None,
    constraints: Constraints,
    ranks: _Ranks,
) -> Clustering:
    """All faces in canonical order: founders make people, then joiners join them."""
    unit_nd, f = unit_rows(vectors_nd), len(ranks.founder_f)
    curve = estimate_curve(unit_nd[ranks.founder_f]) if curve is None else curve
    of_founders = constraints.mapped(np.where(ranks.atom_n < f, ranks.atom_n, -1), f)
    found = cluster_faces(vectors_nd[ranks.founder_f], settings, curve=curve, constraints=of_founders)
    notes = {key: value for key, value in found.notes if not key.startswith("same_frame")}
    people, loose = int(found.labels.max(initial=-1)) + 1, int(ranks.atom_n.max(initial=-1)) + 1 - f
    slot_a = np.concatenate([found.labels, people + np.arange(loose)])
    joined = person = np.zeros(0, np.int64)
    if people and loose:
        bar = FalseMergeBar(curve=curve, expected=settings.expected_false_merges, scale=notes["scale"])
        heeded = constraints if settings.co_occurrence else constraints.without_frames()
        joined, person = _joins(
            unit_nd, slot_a, people, ranks, fixed=settings.people is not None, bar=bar, constraints=heeded
        )
    merges = _all_merges(unit_nd, found, slot_a, joined, person, ranks)
    whose = np.arange(people + loose)
    whose[joined] = person
    labels_n = whose[whose][slot_a[ranks.atom_n]]  # twice: a joiner's person may go to another
    notes["joiners"] = float(np.count_nonzero(ranks.joins_n))
    notes["joined"] = float(np.count_nonzero(labels_n[ranks.joins_n] < people))
    notes["copies"] = float(np.count_nonzero(~ranks.stands_n))
    if ranks.too_few:
        notes[TOO_FEW] = 1.0
    return Clustering(_largest_first(labels_n), merges, tuple(notes.items()))


def _joins(
    unit_nd: F32, slot_a: I64, people: int, ranks: _Ranks, *, fixed: bool, bar: FalseMergeBar, constraints: Constraints
) -> tuple[I64, I64]:
    """The slots that go to another, and the person of each, see `grouping.joining`; each picture is seen once.

    fixed: whether there are as many people as there have to be.
    """
    stands = np.flatnonzero(ranks.stands_n)
    place_n = np.searchsorted(stands, ranks.copy_n)
    slot = slot_a[ranks.atom_n[stands]]
    # A joiner that goes where its founder goes is no evidence of its person's looks.
    judged = (slot >= people) | ~ranks.joins_n[stands]
    known = constraints.mapped(place_n, len(stands))
    looking = unit_nd[stands]
    joined, person = join_people(looking, slot, judged, people, bar=bar, constraints=known)
    whose = np.arange(len(slot_a))
    whose[joined] = person
    stays_p = (np.bincount(slot[judged & (slot < people)], minlength=people) > 1) | fixed
    later, host = join_in_recordings(looking, whose[slot], stays_p, curve=bar.curve, constraints=known)
    return np.concatenate([joined, later]), np.concatenate([person, host])


def _all_merges(unit_nd: F32, found: Clustering, slot_a: I64, joined: I64, person: I64, ranks: _Ranks) -> Merges:
    """The merges of all faces: within atoms, then what founders made of theirs, then joiners."""
    tree = _Tree(len(unit_nd))
    node_a, size_a = _give(tree, unit_nd, ranks)
    f, steps = found.merges.leaves, found.merges
    node, size, label = node_a[:f], size_a[:f], found.labels.tolist()
    of_slot = dict(zip(label, node, strict=True))
    how = zip(steps.first.tolist(), steps.second.tolist(), steps.similarity.tolist(), steps.why.tolist(), strict=True)
    for first, second, similarity, why in how:
        size.append(size[first] + size[second])
        label.append(label[first])
        node.append(tree.add(node[first], node[second], similarity, size[-1], why))
        of_slot[label[-1]] = node[-1]
    of_slot.update(zip(slot_a[f:].tolist(), node_a[f:], strict=True))
    total, many = _totals(unit_nd, slot_a[ranks.atom_n], np.concatenate([joined, person]))
    for slot, who in zip(joined.tolist(), person.tolist(), strict=True):
        similarity = float(total[who] @ total[slot]) / (many[who] * many[slot])
        total[who], many[who] = total[who] + total[slot], many[who] + many[slot]
        of_slot[who] = tree.add(of_slot[who], of_slot[slot], similarity, many[who], HOW_JOINED)
    return tree.merges()


def _give(tree: _Tree, unit_nd: F32, ranks: _Ranks) -> tuple[list[int], list[int]]:
    """Merge what can't come apart; the node and the size of each atom."""
    rows = np.arange(len(unit_nd))
    stands_first = np.lexsort((rows, ~np.isin(rows, ranks.founder_f), ~ranks.stands_n, ranks.atom_n))
    _, start, sizes = np.unique(ranks.atom_n[stands_first], return_index=True, return_counts=True)
    node = stands_first[start]
    for atom in np.flatnonzero(sizes > 1).tolist():
        face = stands_first[start[atom] : start[atom] + sizes[atom]]
        total_sd = np.cumsum(unit_nd[face], axis=0, dtype=np.float64)
        cosines = np.einsum("sd,sd->s", total_sd[:-1], unit_nd[face[1:]]) / np.arange(1, len(face))
        for size, (row, cosine) in enumerate(zip(face[1:].tolist(), cosines.tolist(), strict=True), 2):
            node[atom] = tree.add(int(node[atom]), row, cosine, size, HOW_GIVEN)
    return node.tolist(), sizes.tolist()


def _totals(unit_nd: F32, slot_n: I64, slots: I64) -> tuple[dict[int, F64], dict[int, int]]:
    """The sum of the vectors of these slots, and how many faces they have."""
    wanted = np.unique(slots)
    inside = np.flatnonzero(np.isin(slot_n, wanted))
    order = inside[np.argsort(slot_n[inside], kind="stable")]
    size = np.bincount(np.searchsorted(wanted, slot_n[order]), minlength=len(wanted))
    mean = means(unit_nd, order, np.cumsum(size) - size, size).astype(np.float64) * size[:, None]
    return dict(zip(wanted.tolist(), mean, strict=True)), dict(zip(wanted.tolist(), size.tolist(), strict=True))


class _Tree:
    """Merges while they are made, of so many faces."""

    def __init__(self, leaves: int) -> None:
        self._leaves = leaves
        self._steps: list[tuple[int, int, float, int, int]] = []

    def add(self, first: int, second: int, similarity: float, size: int, how: int) -> int:
        """One more merge; the number of the cluster that it makes."""
        self._steps.append((first, second, similarity, size, how))
        return self._leaves + len(self._steps) - 1

    def merges(self) -> Merges:
        """All of them, in order."""
        first, second, similarity, size, how = zip(*self._steps, strict=True) if self._steps else ((),) * 5
        integers = (np.array(column, np.int64) for column in (first, second, size))
        one, other, sizes = integers
        return Merges(self._leaves, one, other, np.array(similarity, np.float64), sizes, np.array(how, np.uint8), NAMES)


def _largest_first(slot_n: I64) -> I64:
    """Labels 0 … k-1 by falling size, of equal sizes by first face."""
    _, first, index, sizes = np.unique(slot_n, return_index=True, return_inverse=True, return_counts=True)
    rank = np.empty(len(first), np.int64)
    rank[np.lexsort((first, -sizes))] = np.arange(len(first))
    return rank[index]


def _seen_together(labels_n: I64, constraints: Constraints) -> tuple[tuple[str, float], ...]:
    if not len(constraints.seen_k2):
        return ()
    pairs, same = count_seen_together(labels_n, constraints)
    return ("same_frame_pairs", float(pairs)), ("same_frame_pairs_in_one_person", float(same))
