from dataclasses import astuple
from itertools import combinations
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics as reference

from unmingle.evaluation.metrics import Scores, score

faces = st.lists(st.tuples(st.integers(0, 5), st.integers(-1, 5)), min_size=1, max_size=40)


def split(pairs: list[tuple[int, int]]) -> tuple[list[str], NDArray[np.int64]]:
    return [str(t) for t, _ in pairs], np.array([p for _, p in pairs], dtype=np.int64)


def alone(predicted: NDArray[np.int64]) -> NDArray[np.int64]:
    """Each left-out face as a cluster of its own."""
    return np.where(predicted < 0, 10**6 + np.arange(len(predicted)), predicted)


def numbers(scores: Scores) -> list[float]:
    flat: list[float] = []
    for value in astuple(scores)[:-1]:
        flat.extend(value) if isinstance(value, tuple) else flat.append(value)
    return flat


@settings(max_examples=settings().max_examples * 2 // 5)
@given(faces)
def test_the_same_as_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    true, predicted = split(pairs)
    found, singles = score(true, predicted), alone(predicted)
    assert found.ari == pytest.approx(reference.adjusted_rand_score(true, singles), abs=1e-9)
    assert found.homogeneity == pytest.approx(reference.homogeneity_score(true, singles), abs=1e-9)
    assert found.completeness == pytest.approx(reference.completeness_score(true, singles), abs=1e-9)
    assert found.v_measure == pytest.approx(reference.v_measure_score(true, singles), abs=1e-9)
    # Where chance alone reaches the maximum, scikit-learn divides rounding errors: 0 and 1 are both seen there.
    if len(set(singles.tolist())) < len(true) and len(set(true)) < len(true):
        assert found.ami == pytest.approx(reference.adjusted_mutual_info_score(true, singles), abs=1e-7)


@given(faces)
def test_accuracy_and_f1_are_those_of_the_mapped_labels(pairs: list[tuple[int, int]]) -> None:
    true, predicted = split(pairs)
    found = score(true, predicted)
    name = dict(found.mapping)
    mapped = [name.get(int(p), "nobody") for p in predicted]
    people = sorted(set(true))
    assert found.accuracy == pytest.approx(reference.accuracy_score(true, mapped))
    for average, value in (("weighted", found.weighted_f1), ("macro", found.macro_f1)):
        wanted = reference.f1_score(true, mapped, labels=people, average=average, zero_division=0)
        assert value == pytest.approx(wanted)
    covered = predicted >= 0
    assert found.coverage == pytest.approx(covered.mean())
    if covered.any():
        assert found.accuracy_covered == pytest.approx((np.array(true) == mapped)[covered].mean())


@given(faces)
def test_pairwise_by_looking_at_every_pair(pairs: list[tuple[int, int]]) -> None:
    true, predicted = split(pairs)
    singles = alone(predicted)
    couples = list(combinations(range(len(true)), 2))
    same_true = {(i, j) for i, j in couples if true[i] == true[j]}
    same_cluster = {(i, j) for i, j in couples if singles[i] == singles[j]}
    found = score(true, predicted).pairwise
    both = len(same_true & same_cluster)
    assert found.precision == pytest.approx(both / len(same_cluster) if same_cluster else 1.0)
    assert found.recall == pytest.approx(both / len(same_true) if same_true else 1.0)


@given(faces)
def test_bcubed_by_looking_at_every_face(pairs: list[tuple[int, int]]) -> None:
    true, predicted = split(pairs)
    singles, labels = alone(predicted), np.array(true)
    precision, recall = [], []
    for i in range(len(true)):
        cluster, person = singles == singles[i], labels == labels[i]
        precision.append((cluster & person).sum() / cluster.sum())
        recall.append((cluster & person).sum() / person.sum())
    p, r = np.mean(precision), np.mean(recall)
    found = score(true, predicted).bcubed
    assert (found.precision, found.recall, found.f1) == pytest.approx((p, r, 2 * p * r / (p + r)))


@given(faces, st.permutations(range(6)), st.permutations(range(6)), st.randoms(use_true_random=False))
def test_neither_ids_nor_names_nor_order_change_a_score(
    pairs: list[tuple[int, int]], ids: list[int], names: list[int], chance: Random
) -> None:
    renamed = [(names[t], ids[p] if p >= 0 else -1) for t, p in pairs]
    chance.shuffle(renamed)
    assert numbers(score(*split(renamed))) == pytest.approx(numbers(score(*split(pairs))), abs=1e-9)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40))
def test_perfect_is_one_everywhere(people: list[int]) -> None:
    scores = score([f"person {p}" for p in people], np.array(people))
    values = numbers(scores)
    assert values[:2] == [len(people), len(set(people))]
    assert values[4:] == pytest.approx([1.0] * (len(values) - 4))
    assert scores.left_out == 0


@given(faces)
def test_every_score_is_at_most_one_and_finite(pairs: list[tuple[int, int]]) -> None:
    values = np.array(numbers(score(*split(pairs)))[4:])
    assert np.isfinite(values).all()
    assert (values <= 1 + 1e-12).all()


def test_a_left_out_face_is_wrong_in_accuracy_and_single_elsewhere() -> None:
    scores = score(["a", "a", "a", "b"], np.array([0, 0, -1, -1]))
    assert (scores.left_out, scores.coverage, scores.accuracy, scores.accuracy_covered) == (2, 0.5, 0.5, 1.0)
    assert scores.macro_f1 == pytest.approx((4 / 5 + 0) / 2)
    assert scores.pairwise.precision == 1.0
    assert scores.pairwise.recall == pytest.approx(1 / 3)
    assert scores.bcubed.precision == 1.0
    assert scores.bcubed.recall == pytest.approx((2 / 3 + 2 / 3 + 1 / 3 + 1) / 4)
    assert scores.people_found == 1


def test_a_cluster_of_one_is_not_a_person_found() -> None:
    assert score(["a", "a", "b"], np.array([3, 3, 9])).people_found == 1


def test_all_left_out() -> None:
    scores = score(["a", "a"], np.array([-1, -1]))
    assert (scores.accuracy, scores.accuracy_covered, scores.coverage, scores.mapping) == (0, 0, 0, ())
    assert scores.pairwise.precision == 1.0


def test_many_faces_of_many_people() -> None:
    random = np.random.default_rng(0)
    true = random.integers(0, 10_000, 100_000)
    predicted = np.where(random.random(len(true)) < 0.2, random.integers(0, 12_000, len(true)), true)
    predicted[random.random(len(true)) < 0.1] = -1
    scores = score(true.astype(str), predicted)
    singles = alone(predicted)
    assert scores.ari == pytest.approx(reference.adjusted_rand_score(true, singles), abs=1e-9)
    assert scores.v_measure == pytest.approx(reference.v_measure_score(true, singles), abs=1e-9)
    assert 0.70 < scores.accuracy < 0.74
    assert 0.5 < scores.ami < scores.v_measure
