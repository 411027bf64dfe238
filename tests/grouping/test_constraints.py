from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmingle.errors import ConstraintError, SettingsError
from unmingle.grouping.constraints import MANY, CannotLinks, Constraints, roots


def test_faces_of_one_group_may_not_be_merged_and_a_cluster_has_the_groups_of_all_its_faces() -> None:
    links = CannotLinks(Constraints.of_frames(np.array([7, 7, 900, 900, -1, -1])), np.arange(6))
    everyone = np.arange(6)
    before = links.block(everyone, everyone)
    assert before[0, 1]
    assert before[2, 3]
    assert not before[0, 2]
    assert not before[4:].any()
    links.merge(np.array([0]), np.array([2]))
    assert links.pairs(np.array([0, 0, 0, 1, 0]), np.array([1, 3, 4, 3, 2])).tolist() == [
        True,
        True,
        False,
        False,
        False,
    ]
    assert np.array_equal(links.block(np.array([0]), everyone)[0], [True, True, False, True, False, False])


@given(st.integers(2, 30), st.integers(0, 10**6))
def test_pairs_are_those_of_the_whole_table(n: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    seen, different, apart = (random.integers(0, n, (random.integers(0, 2 * n), 2)) for _ in range(3))
    links = CannotLinks(Constraints(n, seen, different_m2=different, apart_k2=apart), np.arange(n))
    everyone = np.arange(n)
    for _ in range(3):
        first, second = random.integers(0, n, (2, 50))
        barred = links.block(everyone, everyone)[first, second]
        assert np.array_equal(links.pairs(first, second), barred)
        many = np.tile([first, second], MANY // 10)
        assert np.array_equal(links.pairs(*many), np.tile(barred, MANY // 10))
        kept, gone = random.permutation(n)[: n // 2 * 2].reshape(2, -1)
        links.merge(kept[:3], gone[:3])


def test_faces_can_start_in_clusters() -> None:
    links = CannotLinks(Constraints.of_frames(np.array([1, 2, 1])), np.array([0, 0, 2]))
    assert links.pairs(np.array([0]), np.array([2])).all()


def test_a_face_may_be_of_several_frames_and_decisions_are_groups_of_two() -> None:
    seen = np.array([[0, 10], [1, 10], [0, 20], [2, 20], [3, 30], [0, 10]])
    links = CannotLinks(Constraints(5, seen, different_m2=np.array([[3, 4]])), np.arange(5))
    first, second, shared = links.all_pairs()
    assert [*zip(first.tolist(), second.tolist(), shared.tolist(), strict=True)] == [(0, 1, 1), (0, 2, 1), (3, 4, 1)]
    assert links.pairs(np.array([0, 3]), np.array([1, 1])).tolist() == [True, False]
    assert not CannotLinks(Constraints(5), np.arange(5))


def test_a_contradiction_names_both_faces_and_how_they_are_tied() -> None:
    constraints = Constraints(9, same_m2=np.array([[3, 5], [7, 5], [1, 2]]), different_m2=np.array([[1, 3], [7, 3]]))
    with pytest.raises(ConstraintError, match=r"Faces 7 and 3 .* \(must-links 7 – 5 – 3\)") as caught:
        constraints.components()
    assert caught.value.faces == (7, 3)
    assert isinstance(caught.value, SettingsError)


def test_a_face_that_is_not_there_is_named() -> None:
    with pytest.raises(ConstraintError, match="rows go from 0 to 2"):
        Constraints(3, same_m2=np.array([[0, 3]]))


def test_constraints_follow_the_faces_into_another_order() -> None:
    order = np.array([2, 0, 1])
    moved = Constraints(3, np.array([[0, 8]]), np.array([[0, 1]]), np.array([[1, 2]])).taken(order)
    assert moved.seen_k2.tolist() == [[1, 8]]
    assert moved.same_m2.tolist() == [[1, 2]]
    assert moved.different_m2.tolist() == [[2, 0]]
    assert moved.without_frames().seen_k2.tolist() == []


def test_roots_are_the_first_rows() -> None:
    assert roots(np.array([[4, 2], [2, 1]]), 6).tolist() == [0, 1, 1, 3, 1, 5]


def test_what_is_known_goes_along_to_other_rows() -> None:
    known = Constraints(
        5,
        seen_k2=np.array([[0, 4], [1, 4], [1, 6], [4, 8]]),
        same_m2=np.array([[0, 1], [1, 2], [3, 4]]),
        different_m2=np.array([[1, 3], [2, 4]]),
        apart_k2=np.array([[0, 0], [3, 0], [4, 0]]),
    )
    fewer = known.mapped(np.array([0, 0, 1, 2, -1]), 3)  # 0 and 1 become one, 4 goes
    assert fewer.faces == 3
    assert fewer.seen_k2.tolist() == [[0, 4], [0, 6]]
    assert fewer.same_m2.tolist() == [[0, 1]]
    assert fewer.different_m2.tolist() == [[0, 2]]
    assert fewer.apart_k2.tolist() == [[0, 0], [2, 0]]


def test_further_must_links_that_would_contradict() -> None:
    known = Constraints(
        8, same_m2=np.array([[0, 1], [2, 3]]), different_m2=np.array([[1, 3]]), apart_k2=np.array([[4, 0], [5, 0]])
    )
    assert not known.torn_by(np.zeros((0, 2), np.int64)).any()
    assert np.flatnonzero(known.torn_by(np.array([[0, 2], [6, 7]]))).tolist() == [0, 1, 2, 3]
    assert np.flatnonzero(known.torn_by(np.array([[4, 6], [6, 5]]))).tolist() == [4, 5, 6]
