from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics as reference

from unmingle.evaluation.changes import (
    MOVED,
    NEITHER,
    NOBODY,
    ONLY_A,
    ONLY_B,
    SAME,
    Agreement,
    Changes,
    compare_groupings,
)
from unmingle.evaluation.metrics import score

faces = st.lists(st.tuples(st.integers(-1, 5), st.integers(-1, 5)), min_size=1, max_size=40)
Pairs = list[tuple[int, int]]


def compared(pairs: Pairs) -> Changes:
    a, b = np.array(pairs, np.int64).reshape(-1, 2).T
    return compare_groupings(a, b)


def agreement(changes: Changes) -> Agreement:
    assert changes.agreement is not None
    return changes.agreement


def alone(whose: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.where(whose < 0, 10**6 + np.arange(len(whose)), whose)


@given(faces)
def test_compared_with_itself_nothing_changed(pairs: Pairs) -> None:
    changes = compared([(a, a) for a, _ in pairs])
    assert set(changes.fate_n.tolist()) <= {SAME, NEITHER}
    assert changes.same == [(a, a) for a in changes.parts_a]
    assert (changes.split, changes.merged, changes.gone, changes.new) == ([], [], [], [])
    assert astuple(agreement(changes)) == (1, 1, 1, 1)


@given(faces)
def test_which_comes_first_does_not_matter(pairs: Pairs) -> None:
    changes, turned = compared(pairs), compared([(b, a) for a, b in pairs])
    assert changes.b_of == {a: b for b, a in turned.b_of.items()}
    assert changes.parts_a == turned.parts_b
    assert sorted(changes.same) == sorted((b, a) for a, b in turned.same)
    assert (changes.split, changes.merged) == (turned.merged, turned.split)
    assert (changes.gone, changes.new) == (turned.new, turned.gone)
    swapped = np.array([SAME, MOVED, ONLY_B, ONLY_A, NEITHER])
    assert changes.fate_n.tolist() == swapped[turned.fate_n].tolist()
    assert astuple(agreement(changes)) == pytest.approx(astuple(agreement(turned)))


@given(faces, st.permutations(range(6)), st.permutations(range(6)))
def test_ids_do_not_matter(pairs: Pairs, one: list[int], other: list[int]) -> None:
    one, other = [*one, NOBODY], [*other, NOBODY]  # of nobody, at -1
    changes, renamed = compared(pairs), compared([(one[a], other[b]) for a, b in pairs])
    assert {one[a]: other[b] for a, b in changes.b_of.items()} == renamed.b_of
    assert changes.fate_n.tolist() == renamed.fate_n.tolist()
    assert {one[a] for a in changes.split} == set(renamed.split)
    assert astuple(agreement(changes)) == pytest.approx(astuple(agreement(renamed)))


@given(faces)
def test_every_face_is_in_one_part(pairs: Pairs) -> None:
    changes = compared(pairs)
    for person, parts in changes.parts_a.items():
        assert sum(count for _, count in parts) == sum(a == person for a, _ in pairs)
        for other, count in parts:
            assert count == sum(pair == (person, other) for pair in pairs)


@given(faces)
def test_as_many_faces_agree_as_in_the_best_matching(pairs: Pairs) -> None:
    changes = compared(pairs)
    inside = [(a, b) for a, b in pairs if a >= 0]
    assume(inside)
    best = score([a for a, _ in inside], np.array([b for _, b in inside]))
    assert (changes.fate_n == SAME).sum() == round(best.accuracy * best.faces)


@given(faces)
def test_agreement_is_that_of_scikit_learn(pairs: Pairs) -> None:
    changes = compared(pairs)
    a, b = (alone(np.array(whose)) for whose in zip(*pairs, strict=True))
    assert agreement(changes).ari == pytest.approx(reference.adjusted_rand_score(a, b), abs=1e-9)


def test_a_person_in_two_parts_is_the_larger_one() -> None:
    changes = compared([(1, 7), (1, 8), (1, 8), (1, NOBODY), (2, 9), (NOBODY, 9), (3, NOBODY), (NOBODY, 4)])
    assert changes.b_of == {1: 8, 2: 9}
    assert changes.split == [1]
    assert changes.parts_a[1] == ((8, 2), (7, 1), (NOBODY, 1))
    assert (changes.merged, changes.gone, changes.new, changes.same) == ([], [3], [4], [])
    assert changes.fate_n.tolist() == [MOVED, SAME, SAME, ONLY_A, SAME, ONLY_B, ONLY_A, ONLY_B]


def test_of_two_equal_parts_the_one_with_the_first_face_goes_on() -> None:
    """A tie of agreement and of F1: whatever the ids, and from either side."""
    for first, second in ((3, 4), (4, 3)):
        changes = compared([(1, first), (1, second), (1, second), (1, first)])
        assert changes.b_of == {1: first}
        assert compared([(first, 1), (second, 1), (second, 1), (first, 1)]).b_of == {first: 1}


def test_nothing_to_compare() -> None:
    changes = compared([])
    assert (changes.same, changes.b_of, changes.fate_n.tolist(), changes.agreement) == ([], {}, [], None)
