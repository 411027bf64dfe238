from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmingle.errors import SettingsError
from unmingle.evaluation.metrics import score
from unmingle.grouping import cluster
from unmingle.grouping.cluster import cluster_faces
from unmingle.grouping.constraints import Constraints, roots
from unmingle.grouping.impostors import SFACE_CURVE
from unmingle.settings import GroupingSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from unmingle.records import F32, F64, I64, Clustering

    MakeFaces = Callable[..., tuple[F32, I64]]

SIZES = [40, 25, 12, 8, 8, 5, 3, 2, 2, 1, 1, 1, 1, 1]


def run(vectors: F32 | F64, *, people: int | None = None, groups: I64 | None = None) -> Clustering:
    constraints = None if groups is None else Constraints.of_frames(groups)
    return cluster_faces(vectors, GroupingSettings(people=people), curve=SFACE_CURVE, constraints=constraints)


def test_people_are_found_untuned(make_faces: MakeFaces) -> None:
    vectors, person = make_faces(SIZES)
    labels = run(vectors).labels
    assert len(np.unique(labels)) == len(SIZES)
    assert np.unique(np.stack([labels, person]), axis=1).shape[1] == len(SIZES)
    assert np.bincount(labels).tolist() == SIZES


def test_the_stop_holds_with_a_thousand_strangers(make_faces: MakeFaces) -> None:
    vectors, _ = make_faces([1] * 1000)
    assert len(np.unique(run(vectors).labels)) >= 999


def test_one_person_only_is_one_person(make_faces: MakeFaces) -> None:
    vectors, _ = make_faces([30])
    assert run(vectors).labels.max() == 0


@settings(max_examples=settings().max_examples * 2 // 5)
@given(st.integers(1, 60), st.integers(2, 9), st.integers(0, 10**6), st.sampled_from([None, 1, 3]))
def test_the_order_of_the_faces_does_not_matter(n: int, d: int, seed: int, people: int | None) -> None:
    random = np.random.default_rng(seed)
    # Few dimensions, coarse values, groups: equal faces and equal similarities everywhere.
    vectors = (random.integers(-2, 3, size=(n, d)) + 0.5).astype(np.float32)
    groups = random.integers(-1, 1 + n // 2, n)
    order = random.permutation(n)
    people = None if people is None else min(n, people)
    one, other = run(vectors, people=people, groups=groups), run(vectors[order], people=people, groups=groups[order])
    content = np.concatenate([vectors, groups[:, None]], axis=1)
    if len(np.unique(content, axis=0)) == n:
        assert np.array_equal(one.labels[order], other.labels)
    else:  # rows that are equal in all can't be told apart, so compare the clusters' contents
        assert contents(one.labels, content) == contents(other.labels, content[order])
    assert one.notes == other.notes


def contents(labels: I64, content: F32) -> list[list[tuple[float, ...]]]:
    return [sorted(map(tuple, content[labels == label].tolist())) for label in range(labels.max() + 1)]


def test_the_order_does_not_matter_at_size(make_faces: MakeFaces) -> None:
    vectors, _ = make_faces(SIZES * 3, noise=1.1)
    one = run(vectors)
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(vectors))
        assert np.array_equal(run(vectors[order]).labels, one.labels[order])


@settings(max_examples=settings().max_examples * 2 // 5)
@given(st.integers(2, 40), st.integers(0, 10**6))
def test_decisions_always_hold(n: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    vectors = (random.normal(size=(n, 6)) + 2).astype(np.float32)  # all alike: only the decisions keep them apart
    different = random.integers(0, n, (n // 2, 2))
    same = random.integers(0, n // 2 + 1, (n // 4, 2))
    tied = roots(same, n)
    different = different[tied[different[:, 0]] != tied[different[:, 1]]]
    constraints = Constraints(n, same_m2=same, different_m2=different)
    labels = cluster_faces(vectors, GroupingSettings(), curve=SFACE_CURVE, constraints=constraints).labels
    assert (labels[different[:, 0]] != labels[different[:, 1]]).all()
    assert (labels[same[:, 0]] == labels[same[:, 1]]).all()


def test_two_faces_of_a_picture_are_two_people_though_they_look_alike(make_faces: MakeFaces) -> None:
    vectors, person = make_faces([20, 20])
    twins = vectors + 2.5 * vectors.mean(axis=0)  # two people who look much alike
    assert run(twins).labels.max() == 0
    together = np.empty(40, np.int64)
    together[np.argsort(person, kind="stable")] = np.tile(np.arange(20), 2)  # each frame shows both
    found = run(twins, groups=together)
    assert np.unique(np.stack([found.labels, person]), axis=1).shape[1] == 2
    notes = dict(found.notes)
    assert notes["same_frame_pairs"] == 20
    assert notes["same_frame_pairs_in_one_person"] == 0
    assert notes["kept_apart_since_seen_together"] == 1
    ignored = cluster_faces(
        twins,
        GroupingSettings(co_occurrence=False),
        curve=SFACE_CURVE,
        constraints=Constraints.of_frames(together),
    )
    assert ignored.labels.max() == 0
    assert dict(ignored.notes)["same_frame_pairs_in_one_person"] == 20


def test_a_mirror_shows_the_same_person_twice(make_faces: MakeFaces) -> None:
    vectors, person = make_faces([40, 20])
    frames = np.full(60, -1)
    frames[np.flatnonzero(person == 0)] = np.arange(40) // 2  # twenty pictures, each with a person and a mirror
    found = run(vectors, groups=frames)
    notes = dict(found.notes)
    assert notes["merged_though_seen_together"] >= 1
    assert notes["same_frame_pairs_in_one_person"] >= 16  # a face that is less like them than most stays apart
    assert "seen together" in {merge.how for merge in found.merges}
    assert all(len(np.unique(person[found.labels == label])) == 1 for label in np.unique(found.labels))


def test_a_clique_larger_than_the_number_of_people_is_as_many_people(make_faces: MakeFaces) -> None:
    vectors, _ = make_faces([4, 4])
    labels = run(vectors, groups=np.zeros(8, np.int64)).labels  # eight faces of two people in one frame
    assert labels.max() + 1 == 8


def test_pictures_of_one_face_forbid_nothing(make_faces: MakeFaces) -> None:
    vectors, _ = make_faces(SIZES)
    assert np.array_equal(run(vectors, groups=np.arange(len(vectors))).labels, run(vectors).labels)


def test_merges_rebuild_the_labels_in_the_readers_rows(make_faces: MakeFaces) -> None:
    vectors, _ = make_faces(SIZES)
    clustering = run(vectors)
    members = {face: [face] for face in range(len(vectors))}
    for made, merge in enumerate(clustering.merges, start=len(vectors)):
        one, other = members.pop(merge.first), members.pop(merge.second)
        assert merge.similarity == pytest.approx(float((vectors[one] @ vectors[other].T).mean()), abs=1e-4)
        assert merge.size == len(one + other)
        members[made] = one + other
    assert len(members) == clustering.labels.max() + 1
    assert all(len(np.unique(clustering.labels[faces])) == 1 for faces in members.values())


def test_notes_say_what_was_found(make_faces: MakeFaces) -> None:
    vectors, _ = make_faces(SIZES)
    notes = dict(run(vectors).notes)
    assert notes["strangers_mean"] == SFACE_CURVE.mean
    assert 0.5 < notes["scale"] < 1.5
    assert notes["strangers_mean"] + 2 * notes["strangers_deviation"] < notes["bar_single"] < 0.6


def test_only_directions_count(make_faces: MakeFaces) -> None:
    vectors, _ = make_faces(SIZES)
    scale = np.float64(2.0) ** np.random.default_rng(0).integers(-500, 500, len(vectors))
    assert np.array_equal(run(vectors * scale[:, None]).labels, run(vectors).labels)
    assert np.array_equal(run(np.asfortranarray(vectors)).labels, run(vectors).labels)


@pytest.mark.parametrize("people", [None, 1])
def test_one_face_is_one_person(people: int | None) -> None:
    clustering = run(np.ones((1, 4), np.float32), people=people)
    assert clustering.labels.tolist() == [0]
    assert len(clustering.merges) == 0


def test_no_faces_are_no_people() -> None:
    nobody = np.zeros((0, 4), np.float32)
    assert run(nobody).labels.tolist() == []
    with pytest.raises(SettingsError, match="Add pictures first"):
        run(nobody, people=1)


def test_a_thousand_times_the_same_face_is_one_person() -> None:
    same = np.repeat(np.random.default_rng(0).normal(size=(1, 128)), 1000, axis=0).astype(np.float32)
    assert run(same).labels.max() == 0
    assert np.bincount(run(same, people=3).labels).tolist()[1:] == [1, 1]


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf])
def test_faces_without_a_direction_are_named(bad: float) -> None:
    vectors = np.ones((20, 4), np.float32)
    vectors[[3, 7]] = bad
    with pytest.raises(SettingsError, match="rows 3, 7"):
        run(vectors)
    vectors[5:] = bad
    with pytest.raises(SettingsError, match="rows 3, 5, 6, 7, 8 and 11 more"):
        run(vectors)


def test_shapes_must_fit() -> None:
    with pytest.raises(SettingsError, match=r"shape \(3,\)"):
        run(np.ones(3, np.float32))
    with pytest.raises(SettingsError, match="Constraints of 2 faces for 3 vectors"):
        run(np.ones((3, 2), np.float32), groups=np.zeros(2, np.int64))


def test_an_unknown_model_is_measured(make_faces: MakeFaces) -> None:
    vectors, person = make_faces(SIZES)
    common = np.zeros(128)
    common[0] = 1.5  # a model to which all people look alike
    shifted = vectors + common
    labels = cluster_faces(shifted, GroupingSettings(), curve=None).labels
    assert np.unique(np.stack([labels, person]), axis=1).shape[1] == len(SIZES) == labels.max() + 1
    assert run(shifted.astype(np.float32)).labels.max() + 1 < len(SIZES)


def test_the_index_gives_nearly_what_comparing_all_gives(
    make_faces: MakeFaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors, person = make_faces([60, 40, 30, 20, 10, 5, 3, 2] * 12 + [1] * 400, noise=0.8)
    exact = run(vectors)
    monkeypatch.setattr(cluster, "SCALE_SAMPLE", 500)
    for limit, value in (
        ("index.EXACT_PAIRS", 500**2),
        ("linkage.PLENTY", 1 << 14),
        ("inverted_index.PLENTY", 1 << 14),
    ):
        monkeypatch.setattr(f"unmingle.grouping.{limit}", value)
    found = run(vectors)
    assert pairwise_f(exact.labels, person) > 0.99
    assert pairwise_f(found.labels, person) > 0.98
    assert pairwise_f(found.labels, exact.labels) > 0.98
    order = np.random.default_rng(1).permutation(len(vectors))
    assert np.array_equal(run(vectors[order]).labels, found.labels[order])


def pairwise_f(one: I64, other: I64) -> float:
    return float(score(one.astype(str), other).pairwise.f1)
