from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from unmingle.errors import SettingsError
from unmingle.grouping.attach import Assigned, Assigner, attach_outliers, fill_gaps, split_by_gaps
from unmingle.grouping.cluster import cluster_faces, cluster_with_quality
from unmingle.grouping.constraints import Constraints
from unmingle.grouping.impostors import SFACE_CURVE
from unmingle.grouping.linkage import Linkage
from unmingle.grouping.threshold import FalseMergeThreshold, surest
from unmingle.settings import GroupingSettings

from .conftest import Flat

if TYPE_CHECKING:
    from unmingle.records import F32, I64

    from .conftest import MakeFaces

THRESHOLD = FalseMergeThreshold(curve=SFACE_CURVE, expected=0.02)


def blurred(vectors: F32, share: float, seed: int) -> F32:
    """Faces of which only a share is left."""
    noise = np.random.default_rng(seed).normal(size=vectors.shape) / np.sqrt(vectors.shape[1])
    mixed = share * vectors + (1 - share) * noise
    rows: F32 = (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float32)
    return rows


def test_where_all_belong_to_somebody_a_fair_resemblance_is_enough(make_faces: MakeFaces) -> None:
    vectors, person = make_faces([30, 30, 30])
    firsts = np.array([np.flatnonzero(person == who)[0] for who in range(3)])
    weak = blurred(vectors[firsts], 0.36, 1)
    clusters = Linkage(np.concatenate([vectors, weak])).run(Flat(least=0.5))
    assert clusters.count == 6
    assert attach_outliers(clusters, THRESHOLD) == 3
    assert (clusters.slot_n[-3:] == clusters.slot_n[firsts]).all()
    assert {merge.how for merge in list(clusters.records(np.arange(93)))[-3:]} == {"straggler"}


def test_among_passers_by_the_same_resemblance_means_nothing(make_faces: MakeFaces) -> None:
    vectors, _ = make_faces([30, 30, 30] + [1] * 400)
    assert attach_outliers(Linkage(vectors).run(Flat(least=0.5)), THRESHOLD) <= 2


def test_two_faces_that_are_alike_are_a_person_of_their_own(make_faces: MakeFaces) -> None:
    vectors, person = make_faces([30, 30, 30])
    firsts = np.array([np.flatnonzero(person == who)[0] for who in range(3)])
    weak = blurred(vectors[firsts], 0.36, 1)
    clusters = Linkage(np.concatenate([vectors, weak, blurred(weak[:1], 0.9, 2)])).run(Flat(least=0.5))
    assert attach_outliers(clusters, THRESHOLD) == 2
    labels = clusters.slot_n
    assert labels[-1] == labels[-4] != labels[firsts[0]]


def test_nothing_to_attach_and_nobody_to_attach_to(make_faces: MakeFaces) -> None:
    for sizes in ([1, 1, 1], [20, 20]):
        clusters = Linkage(make_faces(sizes)[0]).run(Flat(least=0.5))
        assert attach_outliers(clusters, THRESHOLD) == 0
        assert clusters.count == len(sizes)


def test_so_few_of_the_surest_are_expected_to_be_wrong() -> None:
    random = np.random.default_rng(0)
    strangers = random.random(1000)
    assert len(surest(strangers, 0.1)) <= 1
    few = np.concatenate([strangers, np.full(4, 1e-6)])
    assert len(surest(few, 0.1)) >= 4
    taken = surest(np.concatenate([strangers, np.full(100, 1e-6)]), 0.1)
    assert set(range(1000, 1100)) <= set(taken.tolist())
    assert len(taken) <= 112
    assert surest(np.zeros(0), 0.1).tolist() == []


def meeting(make_faces: MakeFaces, frames: int = 20) -> tuple[F32, I64, I64]:
    """Two people in each frame; who each face is, and its frame."""
    vectors, person = make_faces([frames, frames])
    seen = np.empty(2 * frames, np.int64)
    seen[np.argsort(person, kind="stable")] = np.tile(np.arange(frames), 2)
    return vectors, person, seen


def test_a_face_that_looks_like_nobody_fills_the_gap(make_faces: MakeFaces) -> None:
    vectors, person, frame = meeting(make_faces)
    lost = int(np.flatnonzero((person == 1) & (frame == 7))[0])
    vectors[lost] = blurred(vectors[lost : lost + 1], 0.0, 3)[0]
    seen = Constraints(len(vectors), np.stack([np.arange(len(vectors)), frame], axis=1))
    clustering = cluster_faces(vectors, GroupingSettings(), curve=SFACE_CURVE, constraints=seen)
    assert clustering.labels[lost] == clustering.labels[np.flatnonzero(person == 1)[0]]
    assert dict(clustering.notes)["stragglers"] == 1
    unordered = Constraints.of_frames(frame)
    alone = cluster_faces(vectors, GroupingSettings(), curve=SFACE_CURVE, constraints=unordered).labels
    assert np.bincount(alone)[alone[lost]] == 1


def in_order(vectors: F32, frame: I64) -> I64:
    """Labels where the frames follow each other."""
    seen = Constraints(len(vectors), np.stack([np.arange(len(vectors)), frame], axis=1))
    return cluster_faces(vectors, GroupingSettings(), curve=SFACE_CURVE, constraints=seen).labels


def visitor(who: F32, frames: int) -> F32:
    """Somebody else, as many times."""
    return blurred(np.repeat(blurred(who, 0.0, 3), frames, axis=0), 0.9, 4)


@pytest.mark.parametrize("frames", [[7, 8], [7, 8, 9], [7, 9], [4, 5, 12]])
def test_odd_faces_of_a_few_frames_are_whoever_is_there_before_and_after(
    make_faces: MakeFaces, frames: list[int]
) -> None:
    vectors, person, frame = meeting(make_faces)
    gone = np.flatnonzero((person == 1) & np.isin(frame, frames))
    vectors[gone] = visitor(vectors[gone[:1]], len(frames))
    assert np.bincount(in_order(vectors, frame)).tolist() == [20, 20]


def test_a_visitor_beside_the_others_is_a_person(make_faces: MakeFaces) -> None:
    vectors, _, frame = meeting(make_faces)
    labels = in_order(np.concatenate([vectors, visitor(vectors[:1], 3)]), np.concatenate([frame, [7, 8, 9]]))
    assert np.bincount(labels).tolist() == [20, 20, 3]


def test_a_visitor_who_stays_is_a_person(make_faces: MakeFaces) -> None:
    vectors, person, frame = meeting(make_faces)
    gone = np.flatnonzero((person == 1) & (frame >= 7) & (frame < 12))
    vectors[gone] = visitor(vectors[gone[:1]], 5)
    assert np.bincount(in_order(vectors, frame)).tolist() == [20, 15, 5]


def test_a_visitor_while_somebody_is_away_is_a_person(make_faces: MakeFaces) -> None:
    vectors, person, frame = meeting(make_faces)
    kept = (person == 0) | (frame < 4) | (frame >= 12)
    labels = in_order(np.concatenate([vectors[kept], visitor(vectors[:1], 3)]), np.append(frame[kept], [7, 8, 9]))
    assert np.bincount(labels).tolist() == [20, 12, 3]


@pytest.mark.parametrize(("left", "elsewhere", "joins"), [(0.0, 0, True), (0.0, 5, False), (0.36, 5, True)])
def test_what_may_be_no_face_fills_a_gap_if_it_is_like_who_left_it_or_such_comes_in_gaps_only(
    make_faces: MakeFaces, left: float, elsewhere: int, joins: bool
) -> None:
    vectors, person, frame = meeting(make_faces)
    lost = int(np.flatnonzero((person == 1) & (frame == 7))[0])
    vectors[lost] = blurred(vectors[lost : lost + 1], left, 3)[0]
    nobody = blurred(vectors[:elsewhere], 0.0, 5)
    vectors, frame = np.concatenate([vectors, nobody]), np.append(frame, np.arange(10, 10 + elsewhere))
    doubtful = np.arange(len(vectors)) >= len(person)
    doubtful[lost] = True
    seen = Constraints(len(vectors), np.stack([np.arange(len(vectors)), frame], axis=1))
    labels = cluster_with_quality(
        vectors, GroupingSettings(), curve=SFACE_CURVE, constraints=seen, core_n=~doubtful, doubtful_n=doubtful
    ).labels
    assert (labels[lost] == labels[np.flatnonzero(person == 1)[0]]) == joins
    assert not np.isin(labels[len(person) :], labels[: len(person)]).any()


def test_two_gaps_at_once_say_nothing(make_faces: MakeFaces) -> None:
    vectors, person, frame = meeting(make_faces)
    both = np.flatnonzero(frame == 7)
    kept = np.delete(np.arange(len(vectors)), both[1:])
    vectors, person, frame = vectors[kept], person[kept], frame[kept]
    lost = int(np.flatnonzero(frame == 7)[0])
    vectors[lost] = blurred(vectors[lost : lost + 1], 0.0, 3)[0]
    seen = Constraints(len(vectors), np.stack([np.arange(len(vectors)), frame], axis=1))
    assert fill_gaps(Linkage(vectors, seen).run(Flat(least=0.5)), THRESHOLD) == 0


def two_bad_faces(make_faces: MakeFaces, frames: tuple[int, int]) -> tuple[F32, I64, Constraints]:
    """One bad face of each of two people, in these frames, that are like each other and nobody; their rows."""
    vectors, person, frame = meeting(make_faces)
    bad = np.array([np.flatnonzero((person == who) & (frame == at))[0] for who, at in enumerate(frames)])
    vectors[bad] = blurred(np.repeat(blurred(vectors[bad[:1]], 0.0, 3), 2, axis=0), 0.9, 4)
    return vectors, bad, Constraints(len(vectors), np.stack([np.arange(len(vectors)), frame], axis=1))


def test_two_bad_faces_that_fill_the_gaps_of_two_people_are_taken_apart(make_faces: MakeFaces) -> None:
    vectors, bad, seen = two_bad_faces(make_faces, (4, 9))
    linked = Linkage(vectors, seen).run(Flat(least=0.5)).slot_n
    assert linked[bad[0]] == linked[bad[1]]
    labels = cluster_faces(vectors, GroupingSettings(), curve=SFACE_CURVE, constraints=seen).labels
    assert np.bincount(labels).tolist() == [20, 20]
    assert labels[bad[0]] != labels[bad[1]]


def test_who_must_be_one_is_never_taken_apart(make_faces: MakeFaces) -> None:
    vectors, bad, seen = two_bad_faces(make_faces, (4, 9))
    tied = Constraints(len(vectors), seen.seen_k2, same_m2=bad[None])
    labels = cluster_faces(vectors, GroupingSettings(), curve=SFACE_CURVE, constraints=tied).labels
    assert labels[bad[0]] == labels[bad[1]]


def test_faces_that_could_fill_the_gaps_of_one_person_stay_together(make_faces: MakeFaces) -> None:
    vectors, person, frame = meeting(make_faces)
    bad = np.flatnonzero((person == 1) & np.isin(frame, [4, 9]))
    vectors[bad] = blurred(np.repeat(blurred(vectors[bad[:1]], 0.0, 3), 2, axis=0), 0.9, 4)
    seen = Constraints(len(vectors), np.stack([np.arange(len(vectors)), frame], axis=1))
    clusters = Linkage(vectors, seen).run(Flat(least=0.5))
    before = clusters.slot_n
    split_by_gaps(clusters)
    assert np.array_equal(clusters.slot_n, before)


def assign(assigner: Assigner, vector: F32) -> Assigned:
    return assigner.assign_many(vector[None])[0]


def split(vectors_nd: F32, person_n: I64, every: int = 5) -> tuple[F32, I64, F32, I64]:
    held = np.arange(len(person_n)) % every == 0
    return vectors_nd[~held], person_n[~held], vectors_nd[held], person_n[held]


def test_new_faces_go_to_their_people(make_faces: MakeFaces) -> None:
    vectors, person, new, whose = split(*make_faces([20, 15, 12, 9, 9, 8]))
    found = Assigner(vectors, person, SFACE_CURVE).assign_many(new)
    assert [one.label for one in found] == whose.tolist()
    for one in found:
        assert one.nearest == one.label
        assert 0.95 < one.probability <= 1
        assert one.similarity > 0.5


def test_a_stranger_is_nobody(make_faces: MakeFaces) -> None:
    vectors, person = make_faces([10, 9, 8, 7, 6, 5])
    known = person != 3
    for one in Assigner(vectors[known], person[known], SFACE_CURVE).assign_many(vectors[~known]):
        assert one.label is None
        assert one.nearest in (0, 1, 2, 4, 5)
        assert one.probability < 0.05


def test_a_person_of_many_appearances_is_known_by_a_quarter_of_them() -> None:
    random = np.random.default_rng(0)
    start, end, *others = random.normal(size=(12, 128))
    turn = np.linspace(0, 1, 40)[:, None]
    appearances = (1 - turn) * start + turn * end + 0.35 * random.normal(size=(40, 128))
    vectors = np.concatenate([appearances, np.repeat(others, 4, axis=0) + 0.5 * random.normal(size=(40, 128))])
    labels = np.concatenate([np.zeros(40, np.int64), 1 + np.repeat(np.arange(10), 4)])
    unit = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    profile = end - 0.55 * start
    one = assign(Assigner(unit, labels, SFACE_CURVE, expected=1e-4), profile)
    by_average = FalseMergeThreshold(curve=SFACE_CURVE, expected=1e-4).cosine(1, 40, clusters=11)
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
    together, alone = assigner.assign_many(new), [assign(assigner, face) for face in new]
    assert [(a.label, a.nearest) for a in alone] == [(a.label, a.nearest) for a in together]
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
    one = assign(nobody, np.ones(4, np.float32))
    assert (one.label, one.nearest, one.probability) == (None, None, 0.0)
    assert nobody.assign_many(np.zeros((0, 4))) == []


def test_one_person_only(make_faces: MakeFaces) -> None:
    vectors, person = make_faces([6])
    one = assign(Assigner(vectors[1:], person[1:], SFACE_CURVE), vectors[0])
    assert (one.label, one.nearest) == (0, 0)


def test_no_new_faces(make_faces: MakeFaces) -> None:
    vectors, person = make_faces([6, 3])
    assert Assigner(vectors, person, SFACE_CURVE).assign_many(vectors[:0]) == []


@pytest.mark.parametrize("vector", [np.zeros(128), np.full(128, np.nan), np.ones(64)])
def test_vectors_that_say_nothing(make_faces: MakeFaces, vector: F32) -> None:
    with pytest.raises(SettingsError):
        assign(Assigner(*make_faces([3, 2]), SFACE_CURVE), vector)
