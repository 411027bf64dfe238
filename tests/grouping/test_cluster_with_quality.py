from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmingle.errors import ConstraintError, SettingsError
from unmingle.grouping import index
from unmingle.grouping.attach import Assigner
from unmingle.grouping.cluster import Evidence, cluster_faces, cluster_with_quality
from unmingle.grouping.constraints import Constraints, roots
from unmingle.grouping.impostors import SFACE_CURVE, ImpostorModel
from unmingle.grouping.refine import FRAGMENT_FACES
from unmingle.grouping.threshold import FalseMergeThreshold
from unmingle.records import Clustering
from unmingle.settings import GroupingSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from unmingle.records import F32, I64, Bool

    MakeFaces = Callable[..., tuple[F32, I64]]


# Of made-up faces, see `make_faces`: strangers' cosines have mean 0.
MADE_UP = ImpostorModel(mean=0.0, people=0.00423, faces=0.00152, pairs=0.00055)


def run(
    vectors: F32,
    core: Bool,
    *,
    curve: ImpostorModel = SFACE_CURVE,
    copies: I64 | None = None,
    constraints: Constraints | None = None,
    people: int | None = None,
    expected: float = 0.02,
    co_occurrence: bool = True,
) -> Clustering:
    how = GroupingSettings(people=people, expected_false_merges=expected, co_occurrence=co_occurrence)
    return cluster_with_quality(vectors, how, curve=curve, constraints=constraints, core_n=core, copy_of_n=copies)


def unit(vectors: NDArray[Any]) -> F32:
    rows: F32 = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return rows


def poor(vectors: F32, share: float, seed: int = 1) -> F32:
    """Faces of which only a share is left, the rest is chance."""
    noise = np.random.default_rng(seed).normal(size=vectors.shape) / np.sqrt(vectors.shape[1])
    return unit(share * vectors + (1 - share) * noise)


def poor_faces(make_faces: MakeFaces, share: float = 0.5, *, strangers: int = 20) -> tuple[F32, I64, Bool]:
    """Eight people, a few poor faces of each, and poor faces of strangers; who each is, and which may found."""
    vectors, person = make_faces([14] * 8 + [1] * strangers)
    joins = person >= 8
    for who in range(8):
        joins[np.flatnonzero(person == who)[:4]] = True
    vectors[joins] = poor(vectors[joins], share)
    return vectors, person, ~joins


@dataclass(frozen=True)
class Chance:
    """A small collection made by chance: all rows differ, so labels can be compared one by one."""

    vectors: F32
    core: Bool
    copies: I64
    constraints: Constraints

    @classmethod
    def of(cls, n: int, seed: int, *, decisions: bool = True, alike: float = 0.0) -> Chance:
        random = np.random.default_rng(seed)
        vectors = (
            random.normal(size=(n, 6)) + alike + 2 * random.normal(size=(4, 6))[random.integers(0, 4, n)]
        ).astype(np.float32)
        copies = np.arange(n)
        again = random.random(n) < 0.2
        copies[again] = random.integers(0, n, np.count_nonzero(again))
        frames = np.stack([np.arange(n), random.integers(0, 1 + n, n)], axis=1)
        same, different = random.integers(0, n, (n // 5, 2)), random.integers(0, n, (n // 3, 2))
        tied = roots(same, n)
        different = different[tied[different[:, 0]] != tied[different[:, 1]]]
        if not decisions:
            same, different = same[:0], different[:0]
        return cls(vectors, random.random(n) < 0.6, copies, Constraints(n, frames, same, different))

    def run(self, *, people: int | None = None, copies: bool = True) -> Clustering:
        return run(
            self.vectors,
            self.core,
            copies=self.copies if copies else None,
            constraints=self.constraints,
            people=people,
        )


SEEDS = st.integers(0, 10**6)
SOME = settings(max_examples=settings().max_examples * 2 // 5)  # each takes a tenth of a second or more


@settings(max_examples=settings().max_examples // 5)  # of three groupings each
@given(st.integers(1, 40), SEEDS, st.sampled_from([None, 1, 3]))
def test_where_all_found_nothing_changes(n: int, seed: int, people: int | None) -> None:
    made = Chance.of(n, seed)
    how = GroupingSettings(people=None if people is None else min(n, people))
    plain = cluster_faces(made.vectors, how, curve=SFACE_CURVE, constraints=made.constraints)
    for copies in (None, np.arange(n)):
        ranked = cluster_with_quality(
            made.vectors,
            how,
            curve=SFACE_CURVE,
            constraints=made.constraints,
            core_n=np.ones(n, np.bool_),
            copy_of_n=copies,
        )
        assert np.array_equal(ranked.labels, plain.labels)
        assert ranked.notes == plain.notes


@SOME
@given(st.integers(1, 40), SEEDS, st.sampled_from([None, 1, 3]))
def test_the_order_of_the_faces_does_not_matter(n: int, seed: int, people: int | None) -> None:
    made = Chance.of(n, seed)
    stands = len(np.unique(roots(np.stack([np.arange(n), made.copies], axis=1), n)))
    people = None if people is None else min(stands, people)
    order = np.random.default_rng(seed).permutation(n)
    place = np.argsort(order)
    other = Chance(made.vectors[order], made.core[order], place[made.copies[order]], made.constraints.taken(order)).run(
        people=people
    )
    one = made.run(people=people)
    assert np.array_equal(one.labels[order], other.labels)
    assert one.notes == other.notes


@SOME
@given(st.integers(2, 40), SEEDS)
def test_joiners_never_change_who_the_founders_are(n: int, seed: int) -> None:
    made = Chance.of(n, seed, decisions=False, alike=1.0)
    core = np.flatnonzero(made.core)
    place = np.full(n, -1)
    place[core] = np.arange(len(core))
    alone = cluster_faces(
        made.vectors[core],
        GroupingSettings(),
        curve=SFACE_CURVE,
        constraints=made.constraints.mapped(place, len(core)),
    )
    labels = made.run(copies=False).labels
    assert all(len(np.unique(labels[core][alone.labels == one])) == 1 for one in np.unique(alone.labels))
    # In a recording, who else is there may show whose gap a few core faces fill.
    settled = np.bincount(alone.labels)[alone.labels] > (FRAGMENT_FACES if made.constraints.in_order else 0)
    assert same_partition(labels[core][settled], alone.labels[settled])
    for label in np.unique(labels):
        faces = np.flatnonzero(labels == label)
        assert len(faces) == 1 or made.core[faces].any()


def same_partition(one: I64, other: I64) -> bool:
    return bool(np.array_equal(one[:, None] == one, other[:, None] == other))


@SOME
@given(st.integers(2, 40), SEEDS)
def test_decisions_always_hold_and_no_joiner_meets_itself_in_a_frame(n: int, seed: int) -> None:
    made = Chance.of(n, seed, alike=2.0)
    labels = made.run(copies=False).labels
    same, different = made.constraints.same_m2, made.constraints.different_m2
    assert (labels[same[:, 0]] == labels[same[:, 1]]).all()
    assert (labels[different[:, 0]] != labels[different[:, 1]]).all()
    tied = np.isin(np.arange(n), same)
    frame = made.constraints.seen_k2[np.argsort(made.constraints.seen_k2[:, 0]), 1]
    for joiner in np.flatnonzero(~made.core & ~tied):
        beside = np.flatnonzero((frame == frame[joiner]) & (np.arange(n) != joiner) & ~tied)
        assert (labels[beside] != labels[joiner]).all()


@SOME
@given(st.integers(1, 40), SEEDS)
def test_the_largest_clusters_come_first(n: int, seed: int) -> None:
    labels = Chance.of(n, seed, alike=1.0).run().labels
    assert np.array_equal(np.sort(-np.bincount(labels)), -np.bincount(labels))


def test_poor_faces_join_their_people_and_strangers_nobody(make_faces: MakeFaces) -> None:
    vectors, person, core = poor_faces(make_faces)
    clustering = run(vectors, core)
    labels = clustering.labels
    first = first_of(person, core)
    own = person < 8
    assert (labels[own] == labels[first[person[own]]]).all()
    strangers = np.count_nonzero(np.bincount(labels)[labels[~own]] > 1)
    assert strangers <= 1
    assert dict(clustering.notes)["joiners"] == 52
    assert dict(clustering.notes)["joined"] == 32 + strangers
    assert dict(clustering.notes)["copies"] == 0


def test_two_poor_faces_never_make_a_person(make_faces: MakeFaces) -> None:
    vectors, person = make_faces([12, 12, 6])
    core = person != 2
    labels = run(vectors, core).labels
    assert np.bincount(labels)[labels[person == 2]].tolist() == [1] * 6
    assert (np.bincount(labels[core])[:2] == 12).all()
    nobody = run(vectors, np.zeros(len(vectors), np.bool_))
    assert nobody.labels.max() == len(vectors) - 1
    assert dict(nobody.notes) == {"joiners": 30.0, "joined": 0.0, "copies": 0.0}


def test_what_all_poor_faces_share_is_no_evidence(make_faces: MakeFaces) -> None:
    """People whose own pictures are a little blurred are a little like every blurred face."""
    random = np.random.default_rng(5)
    vectors, person = make_faces([10] * 30)
    blur = unit(random.normal(size=(1, 128)))
    vectors[person < 5] = unit(vectors[person < 5] + 0.5 * blur)
    blurred = unit(unit(random.normal(size=(200, 128))) + blur)
    everyone = np.concatenate([vectors, blurred])
    mean = np.stack([vectors[person == who].mean(axis=0) for who in range(30)])
    bar = FalseMergeThreshold(curve=SFACE_CURVE, expected=0.02).cosine(1, 10, clusters=30)
    assert ((blurred @ mean.T).max(axis=1) > bar).mean() > 0.9
    assert dict(run(everyone, np.arange(500) < 300).notes)["joined"] == 0


def test_of_passers_by_hardly_any_joins_however_many_they_are(make_faces: MakeFaces) -> None:
    vectors, person = make_faces([5] * 30 + [1] * 3000)
    core = person < 30
    clustering = run(vectors, core, curve=MADE_UP)
    people = Assigner(
        vectors[core], clustering.labels[core], MADE_UP, scale=dict(clustering.notes)["scale"]
    ).assign_many(vectors[~core])
    assert sum(one.label is not None for one in people) > 20  # one by one, so many would pass the bar
    assert dict(clustering.notes)["joined"] <= 1
    assert dict(run(vectors, core, curve=MADE_UP, expected=0.002).notes)["joined"] == 0


def test_the_bar_is_never_lower_than_for_a_new_face(make_faces: MakeFaces) -> None:
    vectors, person, core = poor_faces(make_faces, 0.33, strangers=0)
    clustering = run(vectors, core)
    labels, joiners = clustering.labels, np.flatnonzero(~core)
    by_bar = Assigner(vectors[core], labels[core], SFACE_CURVE, scale=dict(clustering.notes)["scale"]).assign_many(
        vectors[joiners]
    )
    joined = np.bincount(labels)[labels[joiners]] > 1
    assert 0 < joined.sum() < len(joiners)
    for one, label in zip(np.array(by_bar)[joined], labels[joiners[joined]], strict=True):
        assert one.label == label
    assert (labels[joiners[joined]] == labels[first_of(person, core)[person[joiners[joined]]]]).all()


def first_of(person: I64, core: Bool) -> I64:
    """The first founder of each of the eight people."""
    return np.array([np.flatnonzero((person == who) & core)[0] for who in range(8)])


def test_fewer_join_the_stricter_it_is(make_faces: MakeFaces) -> None:
    vectors, _, core = poor_faces(make_faces, 0.33, strangers=60)
    lenient, balanced, strict = (
        dict(run(vectors, core, expected=expected).notes)["joined"] for expected in (0.1, 0.02, 0.002)
    )
    assert 32 >= lenient > balanced > strict


def test_the_better_of_two_poor_faces_of_one_frame_joins(make_faces: MakeFaces) -> None:
    vectors, person, core = poor_faces(make_faces)
    two = np.flatnonzero((person == 0) & ~core)[:2]
    mean = vectors[(person == 0) & core].mean(axis=0)
    worse, better = two[np.argsort(vectors[two] @ mean)]
    frames = np.full(len(vectors), -1)
    frames[two] = 7
    together = Constraints.of_frames(frames)
    anchor = np.flatnonzero((person == 0) & core)[0]
    labels = run(vectors, core, constraints=together).labels
    assert labels[better] == labels[anchor]
    assert np.bincount(labels)[labels[worse]] == 1
    frames[anchor] = 7
    labels = run(vectors, core, constraints=Constraints.of_frames(frames)).labels
    assert (labels[two] != labels[anchor]).all()
    heedless = run(vectors, core, constraints=Constraints.of_frames(frames), co_occurrence=False)
    assert (heedless.labels[two] == heedless.labels[anchor]).all()
    assert dict(heedless.notes)["same_frame_pairs_in_one_person"] == 3


def test_a_joiner_goes_where_its_track_goes(make_faces: MakeFaces) -> None:
    vectors, person, core = poor_faces(make_faces)
    lost = int(np.flatnonzero(person == 20)[0])
    anchor, other = (int(np.flatnonzero((person == who) & core)[0]) for who in (0, 1))
    tied = Constraints(len(vectors), same_m2=np.array([[anchor, lost]]))
    labels = run(vectors, core, constraints=tied).labels
    assert labels[lost] == labels[anchor] != labels[other]
    # What is said of the joiner is said of the founder, and the joiner is no evidence of anybody's looks.
    bridge = Constraints(len(vectors), same_m2=np.array([[anchor, lost], [lost, other]]))
    labels = run(vectors, core, constraints=bridge).labels
    assert labels[lost] == labels[anchor] == labels[other]
    beside = np.flatnonzero((person == 0) & core)[1]
    apart = Constraints(len(vectors), same_m2=np.array([[anchor, lost]]), different_m2=np.array([[lost, beside]]))
    labels = run(vectors, core, constraints=apart).labels
    assert labels[lost] == labels[anchor] != labels[beside]


def test_joiners_that_are_one_person_look_for_it_together(make_faces: MakeFaces) -> None:
    vectors, person = make_faces([20, 20, 20, 1])
    first = np.flatnonzero(person == 1)[:1]
    weak = poor(np.repeat(vectors[first], 6, axis=0), 0.05)
    weak[:2] = poor(np.repeat(vectors[first], 2, axis=0), 0.5)
    everyone = np.concatenate([vectors, weak])
    core = np.arange(len(everyone)) < len(vectors)
    six = np.arange(len(vectors), len(everyone))
    tied = Constraints(len(everyone), same_m2=np.stack([six[:-1], six[1:]], axis=1))
    labels = run(everyone, core, constraints=tied).labels
    assert (labels[six] == labels[first]).all()
    apart = run(everyone, core).labels
    assert (apart[six] == apart[first]).tolist() == [True] * 2 + [False] * 4
    # Nobody here: they stay together, and are nobody.
    strangers = Constraints(
        len(everyone), same_m2=tied.same_m2, different_m2=np.array([[six[0], f] for f in range(60)])
    )
    alone = run(everyone, core, constraints=strangers)
    assert np.bincount(alone.labels)[alone.labels[six[0]]] == 6
    assert not Evidence.of(alone, core).people_n[six].any()


def test_people_of_whom_decisions_speak_found_whatever_they_look_like(make_faces: MakeFaces) -> None:
    vectors, person = make_faces([6, 6])
    named = np.flatnonzero(person == 1)[:1]
    decided = Constraints(len(vectors), apart_k2=np.array([[named[0], 0]]))
    labels = run(vectors, person == 0, constraints=decided).labels
    assert (labels[person == 1] == labels[named[0]]).all()


def recording(make_faces: MakeFaces) -> tuple[F32, I64, I64]:
    """Two people in each of thirty frames; who each face is, and its frame."""
    vectors, person = make_faces([30, 30])
    frame = np.empty(60, np.int64)
    frame[np.argsort(person, kind="stable")] = np.tile(np.arange(30), 2)
    return vectors, person, frame


def test_in_a_recording_a_joiner_fills_the_place_that_is_vacant(make_faces: MakeFaces) -> None:
    vectors, person, frame = recording(make_faces)
    lost = int(np.flatnonzero((person == 1) & (frame == 7))[0])
    vectors[lost] = unit(np.random.default_rng(3).normal(size=(1, 128)))[0]
    core = np.arange(60) != lost
    seen = Constraints(60, np.stack([np.arange(60), frame], axis=1))
    labels = run(vectors, core, constraints=seen).labels
    assert labels[lost] == labels[np.flatnonzero(person == 1)[0]]
    unordered = run(vectors, core, constraints=Constraints.of_frames(frame)).labels
    assert np.bincount(unordered)[unordered[lost]] == 1


def test_a_joiner_that_is_carried_along_is_no_evidence(make_faces: MakeFaces) -> None:
    vectors, person = make_faces([8, 8, 1, 1])
    anchor, lost = (int(np.flatnonzero(person == who)[0]) for who in (2, 3))
    everyone = np.concatenate([vectors, unit(vectors[[lost]] + 0.02 * vectors[[anchor]])])
    tied = Constraints(19, same_m2=np.array([[anchor, lost]]))
    core = np.isin(np.arange(19), [lost, 18], invert=True)
    labels = run(everyone, core, constraints=tied).labels
    assert labels[lost] == labels[anchor] != labels[18]


def test_copies_count_once(make_faces: MakeFaces) -> None:
    vectors, person = make_faces([5, 4, 3, 2, 1, 1])
    n, single = len(vectors), int(np.flatnonzero(person == 4)[0])
    again = unit(vectors[[single] * 6] + 0.01 * np.random.default_rng(0).normal(size=(6, 128)))
    everyone = np.concatenate([vectors, again])
    core, copies = np.ones(n + 6, np.bool_), np.concatenate([np.arange(n), np.full(6, single)])
    copies[-1] = n  # of a copy
    clustering = run(everyone, core, copies=copies)
    plain = cluster_faces(vectors, GroupingSettings(), curve=SFACE_CURVE)
    assert same_partition(clustering.labels[:n], plain.labels)
    assert (clustering.labels[n:] == clustering.labels[single]).all()
    evidence = Evidence.of(clustering, core, copies)
    assert not evidence.people_n[clustering.labels == clustering.labels[single]].any()
    assert np.bincount(clustering.labels)[clustering.labels[single]] == 7
    assert evidence.people_n[:n].tolist() == (np.bincount(plain.labels)[plain.labels] > 1).tolist()
    assert dict(clustering.notes)["copies"] == 6
    assert dict(clustering.notes)["bar_single"] == dict(plain.notes)["bar_single"]
    # Without knowing better, seven pictures that agree so well are a person.
    assert Evidence.of(run(everyone, core), core).people_n[n:].all()


def test_a_copy_is_in_the_frames_of_all(make_faces: MakeFaces) -> None:
    vectors, person = make_faces([8, 8])
    twins = unit(vectors + 2.5 * vectors.mean(axis=0))
    n = len(twins)
    one, other = (int(np.flatnonzero(person == who)[0]) for who in (0, 1))
    everyone = np.concatenate([twins, twins[[one]]])
    copies = np.append(np.arange(n), one)
    core = np.ones(n + 1, np.bool_)
    assert run(everyone, core, copies=copies).labels.max() == 0
    frames = np.full(n + 1, -1)
    frames[[n, other]] = 3
    labels = run(everyone, core, copies=copies, constraints=Constraints.of_frames(frames)).labels
    assert labels[one] == labels[n] != labels[other]


def test_the_founder_among_copies_stands_for_them(make_faces: MakeFaces) -> None:
    vectors, person = make_faces([6, 6])
    small = int(np.flatnonzero(person == 1)[0])
    vectors[small] = unit(np.random.default_rng(2).normal(size=(1, 128)))[0]
    large = int(np.flatnonzero(person == 1)[1])
    copies = np.arange(12)
    copies[large] = small
    core = np.arange(12) != small
    labels = run(vectors, core, copies=copies).labels
    assert (labels[person == 1] == labels[large]).all()


def test_copies_that_decisions_hold_apart_stand_for_themselves(make_faces: MakeFaces) -> None:
    vectors, _ = make_faces([6, 6])
    vectors = np.concatenate([vectors, unit(vectors[:2] + 0.001)])
    copies = np.append(np.arange(12), [0, 1])
    core = np.ones(14, np.bool_)
    for told in (
        Constraints(14, different_m2=np.array([[0, 12]])),
        Constraints(14, apart_k2=np.array([[0, 5], [12, 5]])),
        Constraints(14, same_m2=np.array([[0, 3], [12, 4]]), different_m2=np.array([[3, 4]])),
    ):
        clustering = run(vectors, core, copies=copies, constraints=told)
        assert clustering.labels[0] != clustering.labels[12]
        assert clustering.labels[1] == clustering.labels[13]
        assert dict(clustering.notes)["copies"] == 1


def test_the_number_of_people_is_what_founders_make(make_faces: MakeFaces) -> None:
    vectors, person, core = poor_faces(make_faces)
    clustering = run(vectors, core, people=3)
    assert len(np.unique(clustering.labels[core])) == 3
    assert not set(clustering.labels[person >= 8]) & set(clustering.labels[core])
    evidence = Evidence.of(clustering, core, least=1)
    assert len(np.unique(clustering.labels[evidence.people_n])) == 3
    few = np.isin(np.arange(len(vectors)), np.flatnonzero(core)[:2])
    fallen_back = run(vectors, few, people=5)
    assert dict(fallen_back.notes)["founders_too_few"] == 1
    assert fallen_back.labels.max() == 4
    assert Evidence.of(fallen_back, few, least=1).people_n.all()
    with pytest.raises(SettingsError, match="13 people can't be made of 12 faces"):
        run(vectors[:13], core[:13], people=13, copies=np.array([0, 0, *range(2, 13)]))


def test_an_index_finds_them_as_well(make_faces: MakeFaces, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, _, core = poor_faces(make_faces)
    exact = run(vectors, core)
    monkeypatch.setattr(index, "EXACT_PAIRS", 0)
    assert np.array_equal(run(vectors, core).labels, exact.labels)


def test_an_unknown_model_is_measured_on_founders(make_faces: MakeFaces) -> None:
    vectors, _, core = poor_faces(make_faces)
    one, other = (
        dict(cluster_with_quality(faces, GroupingSettings(), curve=None, core_n=found).notes)
        for faces, found in ((vectors, core), (vectors[core], core[core]))
    )
    assert one["strangers_mean"] == other["strangers_mean"]


def test_what_does_not_fit_is_told(make_faces: MakeFaces) -> None:
    vectors, _ = make_faces([3, 3])
    core = np.array([True, False] * 3)
    with pytest.raises(SettingsError, match="copy of one that is not there"):
        run(vectors, core, copies=np.array([0, 1, 2, 3, 4, 6]))
    with pytest.raises(SettingsError, match="Constraints of 3 faces"):
        run(vectors, core, constraints=Constraints(3))
    with pytest.raises(ValueError, match="core_n"):
        run(vectors, core[:3])
    with pytest.raises(ConstraintError, match="Faces 1 and 4"):
        run(vectors, core, constraints=Constraints(6, same_m2=np.array([[1, 4]]), different_m2=np.array([[1, 4]])))
    vectors[2] = 0
    with pytest.raises(SettingsError, match="in rows 2"):
        run(vectors, core)
    empty = run(np.zeros((0, 4), np.float32), np.zeros(0, np.bool_))
    assert len(empty.labels) == 0


def test_a_founder_who_is_alone_goes_where_joiners_show_a_place_to_be_vacant(make_faces: MakeFaces) -> None:
    vectors, person, frame = recording(make_faces)
    lost, poor = (int(np.flatnonzero((person == who) & (frame == 7))[0]) for who in (1, 0))
    vectors[lost] = unit(np.random.default_rng(3).normal(size=(1, 128)))[0]
    core = np.arange(60) != poor
    seen = Constraints(60, np.stack([np.arange(60), frame], axis=1))
    labels = run(vectors, core, constraints=seen).labels
    assert np.bincount(labels).tolist() == [30, 30]
    assert labels[lost] != labels[poor]
    # Without the joiner both places are vacant; and where three people are asked for, three there are.
    rest = np.flatnonzero(core)
    unseen = Constraints(59, np.stack([np.arange(59), frame[rest]], axis=1))
    alone = run(vectors[rest], core[rest], constraints=unseen).labels
    assert np.bincount(alone)[alone[np.flatnonzero(rest == lost)[0]]] == 1
    assert len(np.unique(run(vectors, core, constraints=seen, people=3).labels)) == 3


# Four core and a joiner; a founder twice; two joiners; a founder and a joiner; a founder; a joiner.
LABELS = np.array([0, 0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 5])
CORE = np.array([1, 1, 1, 1, 0, 1, 1, 0, 0, 1, 0, 1, 0], np.bool_)
COPIES = np.array([0, 1, 2, 2, 4, 5, 5, 7, 8, 9, 10, 11, 12])


def test_a_person_has_a_founder_and_two_evidence() -> None:
    evidence = Evidence.of(Clustering(LABELS), CORE, COPIES)
    assert np.unique(LABELS[evidence.people_n]).tolist() == [0, 3]
    assert np.unique(LABELS[~evidence.people_n]).tolist() == [1, 2, 4, 5]
    assert np.unique(LABELS[Evidence.of(Clustering(LABELS), CORE).people_n]).tolist() == [0, 1, 3]
    given = Evidence.of(Clustering(LABELS), CORE, COPIES, least=1)
    assert np.unique(LABELS[given.people_n]).tolist() == [0, 1, 3, 4]


def test_copies_and_poor_faces_do_not_tell_how_alike_a_person_is() -> None:
    evidence = Evidence.of(Clustering(LABELS), CORE, COPIES)
    assert evidence.picture_n.tolist() == [0, 1, 2, 2, 4, 5, 5, 7, 8, 9, 10, 11, 12]
    assert np.flatnonzero(evidence.telling_n[:5]).tolist() == [0, 1, 2]
    assert np.flatnonzero(evidence.telling_n[9:11]).tolist() == [0, 1]  # where only one founds, both tell
    shown = evidence.shown(LABELS)
    assert shown.tolist() == [0, 0, 0, -1, 0, 1, -1, -1, -1, 3, 3, 4, -1]


def test_a_copy_in_another_cluster_is_a_look_of_its_own() -> None:
    evidence = Evidence.of(Clustering(np.array([0, 0, 1, 1])), np.ones(4, np.bool_), np.array([0, 1, 0, 3]))
    assert evidence.picture_n.tolist() == [0, 1, 2, 3]
    assert evidence.people_n.all()


def test_with_too_few_core_faces_all_are_core() -> None:
    clustering = Clustering(LABELS, notes=(("founders_too_few", 1.0),))
    assert Evidence.of(clustering, CORE, COPIES, least=1).people_n.all()


def test_cohesion_is_the_mean_cosine_to_the_mean_direction() -> None:
    vectors = np.array([[2, 0], [0, 1], [0, 3], [5, 5], [1, 0]], np.float32)
    labels = np.array([0, 0, 1, 1, 2])
    alike, found = Evidence.of(Clustering(labels), np.ones(5, np.bool_)).likeness(vectors, labels)
    wanted = [np.cos(np.pi / 4)] * 2 + [np.cos(np.pi / 8)] * 2 + [1]
    assert alike.tolist() == pytest.approx(wanted, abs=1e-6)
    assert found.tolist() == pytest.approx([np.cos(np.pi / 4), np.cos(np.pi / 8), 1], abs=1e-6)


def test_likeness_is_to_those_who_tell(make_faces: MakeFaces) -> None:
    vectors, person = make_faces([6, 6])
    lost = int(np.flatnonzero(person == 0)[0])
    core = np.arange(12) != lost
    kept = np.flatnonzero(core)
    vectors[lost] = -vectors[lost]
    like_n, cohesion_k = Evidence.of(Clustering(person), core).likeness(3 * vectors, person)
    plain = Evidence.of(Clustering(person[kept]), core[kept])
    like_kept, cohesion_kept = plain.likeness(vectors[kept], person[kept])
    assert np.allclose(cohesion_k, cohesion_kept, atol=1e-6)
    assert np.allclose(like_n[kept], like_kept, atol=1e-6)
    assert like_n[lost] < 0


def test_nothing_is_nobody() -> None:
    evidence = Evidence.of(Clustering(np.zeros(0, np.int64)), np.zeros(0, np.bool_))
    assert len(evidence.people_n) == len(evidence.shown(np.zeros(0, np.int64))) == 0
