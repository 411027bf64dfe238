from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmingle.errors import SettingsError
from unmingle.grouping.constraints import Constraints, roots
from unmingle.grouping.impostors import SFACE_CURVE, ImpostorModel
from unmingle.grouping.suggestions import SHOWN, Suggestion, suggest

if TYPE_CHECKING:
    from random import Random

    from unmingle.grouping.split_candidates import Branches
    from unmingle.records import F32, I64

    from .conftest import MakeFaces

# What make_faces draws: strangers' cosines have mean 0 and deviation 0.088, whatever their sizes up to noise.
MADE_CURVE = ImpostorModel(mean=0.0, people=0.0042, faces=0.0015, pairs=0.0006)


def ask(
    vectors: F32,
    labels: I64,
    known: Constraints | None = None,
    asked: I64 | None = None,
    *,
    most: int = 20,
    trees: dict[bytes, Branches] | None = None,
) -> tuple[Suggestion, ...]:
    return suggest(vectors, labels, curve=MADE_CURVE, constraints=known, asked_m2=asked, most=most, trees=trees)


def told(question: Suggestion) -> tuple[str, list[int], list[int], float]:
    return question.kind, question.one.tolist(), question.other.tolist(), round(question.probability, 4)


def mixed_up(make_faces: MakeFaces, seed: int = 0) -> tuple[F32, I64, I64]:
    """Faces, who they are, and a clustering with every sort of mistake."""
    vectors, person = make_faces([14, 10, 9, 8, 6, 5, 4, 3, 2, 1, 1, 1], seed=seed)
    labels = person.copy()
    labels[np.flatnonzero(person == 0)[:6]] = 20  # one person in two
    labels[person == 5] = 4  # two people in one
    labels[np.flatnonzero(person == 1)[0]] = 2  # a face with the wrong person
    labels[np.flatnonzero(person == 3)[0]] = -1  # a face alone
    labels[person >= 9] = -1
    return vectors, person, labels


@st.composite
def situations(draw: st.DrawFn) -> tuple[F32, I64, Constraints, I64]:
    """Faces in random clusters, with random decisions that do not contradict each other, frames, and open answers."""
    n = draw(st.integers(0, 40))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    person = random.integers(0, 8, n)
    vectors = random.normal(size=(8, 16))[person] + 0.7 * random.normal(size=(n, 16))
    labels = np.where(random.random(n) < 0.2, random.integers(-1, 8, n), person)
    pairs = random.integers(0, max(1, n), (draw(st.integers(0, 12)) if n else 0, 2))
    same = person[pairs[:, 0]] == person[pairs[:, 1]]
    frames = Constraints.of_frames(np.where(random.random(n) < 0.3, random.integers(0, 9, n), -1)).seen_k2
    known = Constraints(n, frames, pairs[same], pairs[~same])
    asked = random.integers(0, max(1, n), (draw(st.integers(0, 5)) if n else 0, 2))
    return vectors.astype(np.float32), labels, known, asked


def decided(question: Suggestion, known: Constraints) -> bool:
    """Whether the constraints know the answer, said in another way than in the code."""
    one, other = set(question.one.tolist()), set(question.other.tolist())
    root_n = roots(known.same_m2, known.faces)
    if {root_n[row] for row in one} & {root_n[row] for row in other}:
        return True
    if any((a in one and b in other) or (a in other and b in one) for a, b in known.different_m2.tolist()):
        return True
    frames = [{frame for row, frame in known.seen_k2.tolist() if row in side} for side in (one, other)]
    return not question.together and bool(frames[0] & frames[1])


@given(situations())
def test_what_must_always_hold(situation: tuple[F32, I64, Constraints, I64]) -> None:
    vectors, labels, known, asked = situation
    found = ask(vectors, labels, known, asked)
    for question in found:
        one, other = set(question.one.tolist()), set(question.other.tolist())
        assert one
        assert not one & other
        assert len(one) <= len(other)
        assert not decided(question, known)
        clusters = set(labels[question.one].tolist()) | set(labels[question.other].tolist())
        assert question.together == (len(clusters) == 1 and -1 not in clusters)
        assert 0 <= question.probability <= 1
        assert question.gain == pytest.approx(2 * len(one) * len(other) / (len(one) + len(other)))
        assert question.settles == len(one)
        assert set(question.pairs()[:, 0].tolist()) <= one
        assert set(question.pairs()[:, 1].tolist()) <= other
        if question.together:
            assert one | other == set(np.flatnonzero(labels == labels[question.one[0]]).tolist())


@given(situations(), st.randoms(use_true_random=False))
def test_the_order_of_the_faces_does_not_matter(situation: tuple[F32, I64, Constraints, I64], random: Random) -> None:
    vectors, labels, known, asked = situation
    order = list(range(len(labels)))
    random.shuffle(order)
    rows = np.array(order, np.int64)
    found = ask(vectors, labels, known, asked)
    assert [told(one) for one in found] == [told(one) for one in ask(vectors, labels, known, asked)]
    place = np.empty(len(rows), np.int64)
    place[rows] = np.arange(len(rows))
    again = ask(vectors[rows], labels[rows], known.taken(rows), place[asked])
    sides = [{frozenset(rows[one.one].tolist()), frozenset(rows[one.other].tolist())} for one in again]
    assert sides == [{frozenset(one.one.tolist()), frozenset(one.other.tolist())} for one in found]


def test_the_most_useful_come_first_and_each_mistake_is_among_them(make_faces: MakeFaces) -> None:
    vectors, person, labels = mixed_up(make_faces)
    found = ask(vectors, labels)
    useful = [one.gain * (1 - one.probability if one.together else one.probability) for one in found]
    assert useful == sorted(useful, reverse=True)
    mistakes = [one for one in found[:5] if one.together != (person[one.one[0]] == person[one.other[0]])]
    assert sorted({one.kind for one in mistakes}) == ["face", "part", "people", "single"]
    part = next(one for one in mistakes if one.kind == "part")
    np.testing.assert_array_equal(part.one, np.flatnonzero(person == 5))
    assert part.settles == 5


def test_a_batch_is_not_about_one_person_only(make_faces: MakeFaces) -> None:
    vectors, person = make_faces([20, 6, 6, 6, 6, 1, 1, 1])
    labels = person.copy()
    labels[np.flatnonzero(person == 0)[:8]] = np.arange(30, 38)  # many loose ends of one person
    labels[np.flatnonzero(person == 1)[:2]] = 40
    labels[np.flatnonzero(person == 2)[:2]] = 41
    about = [{int(person[one.one[0]]), int(person[one.other[0]])} for one in ask(vectors, labels, most=4)]
    assert {1} in about
    assert {2} in about


def test_what_nobody_knew_is_asked_last(make_faces: MakeFaces) -> None:
    vectors, _, labels = mixed_up(make_faces)
    everything = ask(vectors, labels, most=500)
    unsure = np.concatenate([question.pairs() for question in everything[:2]])
    again = [told(question) for question in ask(vectors, labels, asked=unsure, most=500)]
    for question in everything[:2]:
        assert again.index(told(question)) > len(again) // 2


def test_answers_are_not_asked_again_in_another_guise(make_faces: MakeFaces) -> None:
    vectors, _, labels = mixed_up(make_faces)
    part = next(one for one in ask(vectors, labels) if one.kind == "part")
    known = Constraints(len(labels), same_m2=part.pairs())
    for question in ask(vectors, labels, known, most=500):
        if question.together:
            assert not np.isin(part.one, question.one).any()


def test_a_large_side_is_tied_by_as_many_faces_as_are_shown() -> None:
    question = Suggestion("people", np.arange(40), np.arange(40, 90), 0.5, 40.0, 40)
    pairs = question.pairs()
    assert len(pairs) == SHOWN
    assert len(np.unique(pairs[:, 0])) == SHOWN
    assert set(pairs[:, 1].tolist()) == {40}


@pytest.mark.parametrize("n", [0, 1])
def test_nobody_to_ask_about(n: int) -> None:
    assert ask(np.eye(n, 16, dtype=np.float32), np.zeros(n, np.int64)) == ()


def test_one_person(make_faces: MakeFaces) -> None:
    vectors, person = make_faces([12])
    assert all(question.together for question in ask(vectors, person))


@pytest.mark.parametrize("label", [-1, 0])
def test_all_alone(label: int, make_faces: MakeFaces) -> None:
    vectors, person = make_faces([3, 2, 1, 1])
    labels = np.full(7, -1) if label < 0 else np.arange(7)
    first = ask(vectors, labels)[0]
    assert first.kind == "single"
    assert person[first.one[0]] == person[first.other[0]]


def test_equal_faces_are_no_question() -> None:
    vectors = np.repeat(np.eye(2, 16, dtype=np.float32), 3, axis=0)
    found = ask(vectors, np.zeros(6, np.int64))
    assert [question.one.tolist() for question in found] == [[0, 1, 2]] or found[0].one.tolist() == [3, 4, 5]
    assert len(found) == 1


def test_a_vector_without_direction() -> None:
    with pytest.raises(SettingsError, match="rows 1"):
        ask(np.array([[1.0, 0], [0, 0]], np.float32), np.zeros(2, np.int64))


def test_trees_are_kept_for_people_who_did_not_change(make_faces: MakeFaces, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, _, labels = mixed_up(make_faces)
    trees: dict[bytes, Branches] = {}
    first = ask(vectors, labels, trees=trees)
    kept = set(trees)
    again = ask(vectors, labels, trees=trees)
    assert [told(one) for one in again] == [told(one) for one in first]
    labels[labels == 20] = 0
    assert [told(one) for one in ask(vectors, labels, trees=trees)] == [told(one) for one in ask(vectors, labels)]
    assert len(set(trees) - kept) == 1


def same_partition(labels: I64, person: I64) -> bool:
    both = np.unique(np.stack([labels, person]), axis=1).shape[1]
    return bool(both == len(np.unique(person)) == len(np.unique(labels)))


@pytest.mark.parametrize("seed", range(3))
def test_a_reviewer_who_knows_mends_everything(make_faces: MakeFaces, seed: int) -> None:
    vectors, person, labels = mixed_up(make_faces, seed)
    n = len(labels)
    labels = np.where(labels < 0, 100 + np.arange(n), labels)
    known = Constraints(n)
    for answers in range(40):
        if same_partition(labels, person):
            break
        question = ask(vectors, labels, known, most=1)[0]
        if person[question.one[0]] == person[question.other[0]]:
            known = known.with_same(question.pairs())
            labels[question.one] = labels[question.other[0]]
        else:
            different = np.concatenate([known.different_m2, question.pairs()])
            known = Constraints(n, same_m2=known.same_m2, different_m2=different)
            if question.together:
                labels[question.one] = 1000 + answers
    assert same_partition(labels, person)


@pytest.mark.parametrize("seed", range(2))
def test_questions_come_to_an_end(make_faces: MakeFaces, seed: int) -> None:
    vectors, person = make_faces([6, 5, 3, 1], seed=seed)
    known, asked = Constraints(len(person)), 0
    while found := ask(vectors, person, known, most=1):
        known = known.with_same(found[0].pairs()) if found[0].together else known
        if not found[0].together:
            different = np.concatenate([known.different_m2, found[0].pairs()])
            known = Constraints(len(person), same_m2=known.same_m2, different_m2=different)
        asked += 1
    assert asked < 2 * len(person)


def test_the_curve_of_the_model_counts(make_faces: MakeFaces) -> None:
    vectors, _, labels = mixed_up(make_faces)
    usual, wide = (suggest(vectors, labels, curve=SFACE_CURVE, scale=scale)[0] for scale in (1.0, 1.6))
    assert usual.probability != wide.probability
