from __future__ import annotations

import numpy as np

from unmingle.grouping.tree import HOW_AVERAGE, HOW_QUARTER, Tree
from unmingle.records import Merge


def tree() -> Tree:
    """0 and 1 at 0.5, then 3 and 4 at 0.9, then both."""
    how = np.array([HOW_AVERAGE, HOW_AVERAGE, HOW_QUARTER], np.uint8)
    return Tree(5, np.array([0, 3, 5]), np.array([1, 4, 6]), np.array([0.5, 0.9, 0.2]), np.array([2, 2, 4]), how)


def partition(labels: list[int]) -> set[frozenset[int]]:
    return {frozenset(i for i, label in enumerate(labels) if label == name) for name in set(labels)}


def test_a_cut_follows_the_merges() -> None:
    assert partition(tree().cut(0).tolist()) == partition([0, 1, 2, 3, 4])
    assert partition(tree().cut(1).tolist()) == partition([0, 0, 2, 3, 4])
    assert partition(tree().cut().tolist()) == partition([0, 0, 1, 0, 0])


def test_by_similarity_the_nearest_come_first() -> None:
    ordered = tree().by_similarity()
    assert ordered.similarity_m.tolist() == [0.9, 0.5, 0.2]
    assert partition(ordered.first(1).cut().tolist()) == partition([0, 1, 2, 3, 3])
    assert partition(ordered.cut().tolist()) == partition(tree().cut().tolist())


def test_by_similarity_a_merge_never_precedes_its_parts() -> None:
    upside_down = Tree(
        3, np.array([0, 3]), np.array([1, 2]), np.array([0.1, 0.8]), np.array([2, 3]), np.zeros(2, np.uint8)
    )
    assert upside_down.by_similarity().second_m.tolist() == [1, 2]


def test_records_name_the_readers_rows() -> None:
    first, *_, last = tree().records(np.array([40, 30, 20, 10, 0]))
    assert isinstance(first, Merge)
    assert (first.first, first.second, first.similarity, first.size) == (40, 30, 0.5, 2)
    assert (last.first, last.second, last.size) == (5, 6, 4)


def test_leaves_only_is_everyone_alone() -> None:
    assert Tree.leaves_only(3).cut().tolist() == [0, 1, 2]
