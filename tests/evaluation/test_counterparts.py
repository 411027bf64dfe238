import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics as reference

from unmingle.evaluation.comparison import NOBODY, agreement, counterparts
from unmingle.evaluation.metrics import score

Pairs = list[tuple[int, int]]
faces = st.lists(st.tuples(st.integers(-1, 5), st.integers(-1, 5)), min_size=1, max_size=40)


def split(pairs: Pairs) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    a_n, b_n = np.array(pairs, np.int64).reshape(-1, 2).T
    return a_n, b_n


def who(pairs: Pairs) -> dict[int, int]:
    return counterparts(*split(pairs))


@given(faces)
def test_everybody_is_who_they_are(pairs: Pairs) -> None:
    assert who([(a, a) for a, _ in pairs]) == {a: a for a, _ in pairs if a != NOBODY}


@given(faces)
def test_which_comes_first_does_not_matter(pairs: Pairs) -> None:
    assert who(pairs) == {a: b for b, a in who([(b, a) for a, b in pairs]).items()}


@given(faces, st.permutations(range(6)), st.permutations(range(6)))
def test_ids_do_not_matter(pairs: Pairs, one: list[int], other: list[int]) -> None:
    one, other = [*one, NOBODY], [*other, NOBODY]  # of nobody, at -1
    assert {one[a]: other[b] for a, b in who(pairs).items()} == who([(one[a], other[b]) for a, b in pairs])


@given(faces)
def test_as_many_faces_agree_as_in_the_best_matching(pairs: Pairs) -> None:
    inside = [(a, b) for a, b in pairs if a >= 0]
    assume(inside)
    best, b_of = score([a for a, _ in inside], np.array([b for _, b in inside])), who(pairs)
    assert sum(b_of.get(a) == b for a, b in inside) == round(best.accuracy * best.faces)


@given(faces)
def test_agreement_is_that_of_scikit_learn(pairs: Pairs) -> None:
    a_n, b_n = split(pairs)
    alone_a, alone_b = (np.where(whose < 0, 10**6 + np.arange(len(whose)), whose) for whose in (a_n, b_n))
    assert agreement(a_n, b_n).ari == pytest.approx(reference.adjusted_rand_score(alone_a, alone_b), abs=1e-9)


def test_of_two_equal_parts_the_one_with_the_first_face_goes_on() -> None:
    """A tie of agreement and of F1: whatever the ids, and from either side."""
    for first, second in ((3, 4), (4, 3)):
        assert who([(1, first), (1, second), (1, second), (1, first)]) == {1: first}
        assert who([(first, 1), (second, 1), (second, 1), (first, 1)]) == {first: 1}


def test_nobody_has_no_counterpart() -> None:
    assert who([]) == {}
    assert who([(NOBODY, 1), (2, NOBODY)]) == {}
