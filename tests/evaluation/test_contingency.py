from itertools import permutations
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmingle.evaluation.metrics import assign, contingency

faces = st.lists(st.tuples(st.integers(0, 4), st.integers(-1, 4)), min_size=1, max_size=30)


def best_by_trying_all(true: list[int], predicted: list[int]) -> int:
    """Most faces in agreement over every one-to-one assignment of clusters to people."""
    people, clusters = sorted(set(true)), sorted(set(predicted) - {-1})
    partners = [*people, *([None] * len(clusters))]
    return max(
        sum(who[clusters.index(p)] == t for t, p in zip(true, predicted, strict=True) if p >= 0)
        for who in permutations(partners, len(clusters))
    )


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-1, 3)), min_size=1, max_size=20))
def test_the_assignment_is_the_best_of_all(pairs: list[tuple[int, int]]) -> None:
    true, predicted = [t for t, _ in pairs], [p for _, p in pairs]
    table = contingency(true, np.array(predicted))
    person_c = assign(table)
    taken = person_c[person_c >= 0]
    assert len(taken) == len(set(taken.tolist())), "a person was given two clusters"
    right = int(table.count_z[person_c[table.column_z] == table.row_z].sum())
    assert right == best_by_trying_all(true, predicted)


@given(faces)
def test_sizes_add_up(pairs: list[tuple[int, int]]) -> None:
    table = contingency([str(t) for t, _ in pairs], np.array([p for _, p in pairs]))
    assert table.faces == len(pairs)
    assert table.left_out == sum(p < 0 for _, p in pairs)
    assert int(table.count_z.sum()) == int(table.size_c.sum()) == len(pairs) - table.left_out
    assert (np.bincount(table.row_z, table.count_z, len(table.people)) + table.left_p == table.size_p).all()


def test_the_permutation_of_the_seed_is_found() -> None:
    # The notebook matched its four k-means ids to people by eye: 0 → 2, 1 → 4, 2 → 1, 3 → 3.
    by_eye = {0: "2", 1: "4", 2: "1", 3: "3"}
    predicted = np.repeat([0, 1, 2, 3], [40, 30, 20, 10])
    true = [by_eye[int(p)] for p in predicted]
    true[0], true[41], true[75] = "4", "3", "2"
    table = contingency(true, predicted)
    assert {int(c): table.people[p] for c, p in zip(table.clusters, assign(table), strict=True)} == by_eye


def test_a_larger_cluster_does_not_always_win() -> None:
    # Greedy would give cluster 0 to a (5) and leave b 1; the best is 4 + 4.
    true = list("aaaaabbbb" + "aaaab")
    table = contingency(true, np.array([0] * 9 + [1] * 5))
    assert assign(table).tolist() == [1, 0]


def test_ids_may_be_any_whole_numbers_and_labels_numbers_or_text() -> None:
    table = contingency(np.array([7, 7, 30]), np.array([10**12, 10**12, 5]))
    assert table.people == ("30", "7")
    assert table.clusters.tolist() == [5, 10**12]


def test_wrong_input() -> None:
    with pytest.raises(ValueError, match="no faces"):
        contingency([], np.array([]))
    with pytest.raises(ValueError, match="predicted_n has shape"):
        contingency(["a"], np.array([1, 2]))
    with pytest.raises(ValueError, match="true_n has shape"):
        contingency(np.array([["a"], ["a"]]), [1, 2])


@pytest.mark.parametrize("labels", [["a", None], ["a", np.nan], np.array([1.0, np.nan]), pl.Series(["a", None])])
def test_a_missing_label_is_no_person(labels: Any) -> None:
    with pytest.raises(ValueError, match="no label at position 1"):
        contingency(labels, [1, 1])
    assert contingency(["None", "nan"], [1, 1]).people == ("None", "nan")  # who are called so


@pytest.mark.parametrize("missing", [None, np.nan, -1])
@pytest.mark.parametrize("kind", [list, np.array, pl.Series])
def test_a_missing_cluster_is_none(missing: Any, kind: Any) -> None:
    table = contingency(["a", "a"], kind([7.0, missing]))
    assert (table.clusters.tolist(), table.left_out) == ([7], 1)


@pytest.mark.parametrize("clusters", [[0.7, 0.2], ["x", "y"], [np.inf, 1.0], [2**64, 1], np.array([0.5, None])])
def test_clusters_are_whole_numbers(clusters: Any) -> None:
    with pytest.raises(ValueError, match="must be whole numbers"):
        contingency(["a", "a"], clusters)
