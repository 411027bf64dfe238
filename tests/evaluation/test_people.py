import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmingle.evaluation.metrics import contingency, score
from unmingle.evaluation.scores import natural, person_scores


def test_one_person_taken_for_another() -> None:
    #            a a a a a  b b b  c c
    predicted = [0, 0, 0, 1, -1, 1, 1, 1, 0, 7]
    a, b, c = person_scores(contingency(list("aaaaabbbcc"), np.array(predicted)))
    assert (a.label, a.size, a.cluster, a.left_out, a.elsewhere) == ("a", 5, 0, 1, 0)
    assert (a.precision, a.recall) == (3 / 4, 3 / 5)
    assert a.f1 == pytest.approx(2 / 3)
    assert a.confused_with == (("b", 1), ("c", 1))
    assert (b.cluster, b.precision, b.recall, b.confused_with) == (1, 3 / 4, 1.0, (("a", 1),))
    assert (c.cluster, c.precision, c.recall, c.elsewhere, c.confused_with) == (7, 1.0, 0.5, 0, (("a", 1),))


def test_a_person_without_a_cluster_and_a_cluster_without_a_person() -> None:
    a, b = person_scores(contingency(list("aaaabb"), np.array([0, 0, 0, 5, 0, -1])))
    assert (a.cluster, a.elsewhere) == (0, 1)
    assert (b.cluster, b.precision, b.recall, b.f1, b.left_out) == (None, 0.0, 0.0, 0.0, 1)
    assert b.confused_with == (("a", 1),)


def test_the_three_most_confused_most_first() -> None:
    true = list("aaaaaaaaaa") + ["b"] * 9 + ["c"] * 9 + ["d"] * 9 + ["e"] * 9
    predicted = [1, 2, 2, 3, 3, 3, 4, 0, 0, 0] + [1] * 9 + [2] * 9 + [3] * 9 + [4] * 9
    assert person_scores(contingency(true, np.array(predicted)))[0].confused_with == (("d", 3), ("c", 2), ("b", 1))


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(-1, 4)), min_size=1, max_size=30))
def test_people_add_up_to_the_scores(pairs: list[tuple[int, int]]) -> None:
    true, predicted = [str(t) for t, _ in pairs], np.array([p for _, p in pairs])
    people, scores = person_scores(contingency(true, predicted)), score(true, predicted)
    assert sum(p.size for p in people) == scores.faces
    assert sum(p.left_out for p in people) == scores.left_out
    assert sum(p.recall * p.size for p in people) == pytest.approx(scores.accuracy * scores.faces)
    assert np.mean([p.f1 for p in people]) == pytest.approx(scores.macro_f1)
    for p in people:
        assert p.f1 == pytest.approx(2 * p.precision * p.recall / (p.precision + p.recall) if p.recall else 0)


def test_numbers_sort_as_numbers() -> None:
    names = ["10", "9", "b2", "B10", "a", "", "007", "7", "9" * 5000, "²", "٣"]
    in_order = sorted(names, key=natural)
    assert in_order.index("9") < in_order.index("10") < in_order.index("9" * 5000)
    assert in_order.index("a") < in_order.index("b2") < in_order.index("B10")
    assert len({natural(name) for name in names}) == len(names)
