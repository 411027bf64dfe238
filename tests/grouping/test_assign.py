from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from unmingle.errors import SettingsError
from unmingle.grouping import assign
from unmingle.grouping.assign import Assigner
from unmingle.grouping.cluster import cluster_faces
from unmingle.grouping.impostors import SFACE_CURVE
from unmingle.grouping.stopping import FalseMergeBar
from unmingle.settings import GroupingSettings

if TYPE_CHECKING:
    from unmingle.records import F32, I64

    from .conftest import MakeFaces


def split(vectors_nd: F32, person_n: I64, every: int = 5) -> tuple[F32, I64, F32, I64]:
    held = np.arange(len(person_n)) % every == 0
    return vectors_nd[~held], person_n[~held], vectors_nd[held], person_n[held]


def test_new_faces_go_to_their_people(make_faces: MakeFaces) -> None:
    vectors, person, new, whose = split(*make_faces([20, 15, 12, 9, 9, 8]))
    found = Assigner(vectors, person, SFACE_CURVE).assign_many(new)
    assert [one.label for one in found] == whose.tolist()
    for one in found:
        assert one.nearest == one.label
        assert one.runner_up not in (None, one.label)
        assert 0.95 < one.probability <= 1
        assert one.similarity > 0.5


def test_a_stranger_is_nobody(make_faces: MakeFaces) -> None:
    vectors, person = make_faces([10, 9, 8, 7, 6, 5])
    known = person != 3
    for one in Assigner(vectors[known], person[known], SFACE_CURVE).assign_many(vectors[~known]):
        assert one.label is None
        assert one.nearest in (0, 1, 2, 4, 5)
        assert one.probability < 0.05


def test_a_person_of_many_looks_is_known_by_a_quarter_of_them() -> None:
    random = np.random.default_rng(0)
    start, end, *others = random.normal(size=(12, 128))
    turn = np.linspace(0, 1, 40)[:, None]
    looks = (1 - turn) * start + turn * end + 0.35 * random.normal(size=(40, 128))
    vectors = np.concatenate([looks, np.repeat(others, 4, axis=0) + 0.5 * random.normal(size=(40, 128))])
    labels = np.concatenate([np.zeros(40, np.int64), 1 + np.repeat(np.arange(10), 4)])
    unit = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    profile = end - 0.55 * start
    one = Assigner(unit, labels, SFACE_CURVE, expected=1e-4).assign(profile)
    by_average = FalseMergeBar(curve=SFACE_CURVE, expected=1e-4).cosine(1, 40, clusters=11)
    assert one.similarity < by_average
    assert one.label == 0


def test_agrees_with_grouping_everything_again(make_faces: MakeFaces) -> None:
    vectors, person = make_faces([30, 20, 10, 10, 8, 6, 4, 4, 3, 3, *[1] * 10], noise=0.9)
    kept, _, new, _ = split(vectors, person, every=7)
    settings = GroupingSettings()
    people = cluster_faces(kept, settings, curve=SFACE_CURVE)
    assigner = Assigner(kept, people.labels, SFACE_CURVE, scale=dict(people.notes)["scale"])
    full = cluster_faces(np.concatenate([kept, new]), settings, curve=SFACE_CURVE).labels
    agree = 0
    for one, there in zip(assigner.assign_many(new), full[len(kept) :], strict=True):
        mates = people.labels[full[: len(kept)] == there]
        agree += one.label == (np.bincount(mates).argmax() if len(mates) else None)
    assert agree >= len(new) - 1


def test_one_by_one_is_all_at_once(make_faces: MakeFaces) -> None:
    vectors, person, new, _ = split(*make_faces([9, 5, 3, 2, 1, 1], noise=0.9))
    assigner = Assigner(vectors, person, SFACE_CURVE)
    together, alone = assigner.assign_many(new), [assigner.assign(face) for face in new]
    assert [(a.label, a.nearest, a.runner_up) for a in alone] == [(a.label, a.nearest, a.runner_up) for a in together]
    np.testing.assert_allclose([a.probability for a in alone], [a.probability for a in together], rtol=1e-4)


def test_labels_are_the_callers_and_lengths_do_not_count(make_faces: MakeFaces) -> None:
    vectors, person, new, whose = split(*make_faces([9, 9, 9]))
    lengths = np.linspace(0.1, 30, len(person), dtype=np.float32)[:, None]
    found = Assigner(vectors * lengths, 10 * person + 5, SFACE_CURVE).assign_many(7 * new)
    assert [one.label for one in found] == (10 * whose + 5).tolist()


def test_faces_of_nobody_are_not_asked(make_faces: MakeFaces) -> None:
    vectors, person, new, whose = split(*make_faces([9, 9, 9]))
    found = Assigner(vectors, np.where(person == 1, -1, person), SFACE_CURVE).assign_many(new)
    assert [one.label for one in found] == [None if who == 1 else who for who in whose.tolist()]


def test_nobody_to_compare_with() -> None:
    nobody = Assigner(np.zeros((0, 4), np.float32), np.zeros(0, np.int64), SFACE_CURVE)
    one = nobody.assign(np.ones(4, np.float32))
    assert (one.label, one.nearest, one.runner_up, one.probability) == (None, None, None, 0.0)
    assert nobody.assign_many(np.zeros((0, 4))) == []


def test_one_person_only(make_faces: MakeFaces) -> None:
    vectors, person = make_faces([6])
    one = Assigner(vectors[1:], person[1:], SFACE_CURVE).assign(vectors[0])
    assert (one.label, one.nearest, one.runner_up) == (0, 0, None)


def test_no_new_faces(make_faces: MakeFaces) -> None:
    vectors, person = make_faces([6, 3])
    assert Assigner(vectors, person, SFACE_CURVE).assign_many(vectors[:0]) == []


@pytest.mark.parametrize("vector", [np.zeros(128), np.full(128, np.nan), np.ones(64)])
def test_vectors_that_say_nothing(make_faces: MakeFaces, vector: F32) -> None:
    with pytest.raises(SettingsError):
        Assigner(*make_faces([3, 2]), SFACE_CURVE).assign(vector)


def test_cells_find_the_same_people(monkeypatch: pytest.MonkeyPatch, make_faces: MakeFaces) -> None:
    vectors, person, new, whose = split(*make_faces([4] * 150))
    exact = Assigner(vectors, person, SFACE_CURVE).assign_many(new)
    monkeypatch.setattr(assign, "EXACT_CLUSTERS", 60)
    found = Assigner(vectors, person, SFACE_CURVE).assign_many(new)
    same = [a.label == b.label for a, b in zip(exact, found, strict=True)]
    assert np.mean(same) > 0.9
    assert {one.label for one in found} - {None} <= set(whose.tolist())
