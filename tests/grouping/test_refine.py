from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmingle.errors import SettingsError
from unmingle.grouping.cluster import cluster_faces
from unmingle.grouping.clusters import Clusters
from unmingle.grouping.constraints import Constraints
from unmingle.grouping.impostors import SFACE_CURVE, ImpostorModel
from unmingle.grouping.linkage import Linkage
from unmingle.grouping.refine import join_fragments, make_people, reassign
from unmingle.grouping.threshold import FalseMergeThreshold
from unmingle.settings import GroupingSettings

from .conftest import Flat

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmingle.records import F32, I64

    from .conftest import MakeFaces

# Directions in 128 dimensions: mean 0, variance 1/128 for single pairs.
CURVE = ImpostorModel(mean=0.0, people=0.0026, faces=0.0018, pairs=0.0016)
STRICT = FalseMergeThreshold(curve=CURVE, expected=0.001)
USUAL = FalseMergeThreshold(curve=SFACE_CURVE, expected=0.02)
SECOND = 12  # the first face of the second person


def unit(vectors: NDArray[Any] | list[list[float]]) -> F32:
    array = np.asarray(vectors, np.float64)
    rows: F32 = (array / np.linalg.norm(array, axis=1, keepdims=True)).astype(np.float32)
    return rows


def turning_head(seed: int) -> F32:
    """One person's right side and left side, 20 faces each: alike where they meet, not on average."""
    random = np.random.default_rng(seed)
    ends = np.linalg.qr(random.normal(size=(128, 2)))[0].T
    angle = np.concatenate([np.linspace(0, 0.8, 20), np.linspace(1.2, 2.0, 20)])
    vectors = np.cos(angle)[:, None] * ends[0] + np.sin(angle)[:, None] * ends[1]
    return unit(vectors + 0.06 * random.normal(size=vectors.shape))


def strangers(n: int, seed: int) -> F32:
    return unit(np.random.default_rng(seed).normal(size=(n, 128)))


def test_two_appearances_of_one_person_are_joined_and_strangers_are_not() -> None:
    vectors = np.concatenate([turning_head(1), strangers(300, 2)])
    clusters = Linkage(vectors).run(STRICT)
    before = clusters.slot_n
    assert [len(np.unique(before[:20])), len(np.unique(before[20:40])), clusters.count] == [1, 1, 302]
    join_fragments(clusters, STRICT)
    assert len(np.unique(clusters.slot_n[:40])) == 1
    assert clusters.count == 301
    # The merge is told with its average cosine, as the others are.
    last = clusters.records(np.arange(len(vectors)))[-1]
    assert last.similarity == pytest.approx(float((vectors[:20] @ vectors[20:40].T).mean()), abs=1e-5)
    assert last.how == "best quarter"


def test_appearances_that_share_a_picture_stay_apart() -> None:
    vectors = np.concatenate([turning_head(1), strangers(300, 2)])
    groups = np.full(len(vectors), -1)
    groups[[0, 39]] = 5
    clusters = Linkage(vectors, Constraints.of_frames(groups)).run(STRICT)
    join_fragments(clusters, STRICT)
    assert clusters.slot_n[0] != clusters.slot_n[39]


@pytest.mark.parametrize(("own", "joined"), [(0.3, True), (0.6, False)])
def test_poor_faces_need_less_to_be_one_person_than_good_ones(own: float, joined: bool) -> None:
    between, random = 0.29, np.random.default_rng(0)
    both, one, other = np.linalg.qr(random.normal(size=(128, 3)))[0].T
    rest = random.normal(size=(30, 128)) / np.sqrt(128)
    pieces = np.repeat([one, other], 10, axis=0) * np.sqrt(own - between) + both * np.sqrt(between)
    vectors = unit(np.concatenate([pieces + rest[:20] * np.sqrt(1 - own), rest[20:]]))
    slots = np.concatenate([np.repeat([0, 10], 10), np.arange(20, 30)])
    clusters = Clusters(vectors, slots)
    assert clusters.similarity(np.array([0]), np.array([10]))[0] == pytest.approx(between, abs=0.02)
    join_fragments(clusters, FalseMergeThreshold(curve=SFACE_CURVE, expected=0.02))
    assert (clusters.slot_n[0] == clusters.slot_n[10]) == joined


def test_a_single_face_needs_as_much_with_a_poor_cluster_as_with_a_good_one() -> None:
    own, between, random = 0.3, 0.36, np.random.default_rng(0)
    person, rest = np.eye(128)[0], random.normal(size=(40, 128)) / np.sqrt(128)
    rest[:, 0] = 0
    pieces = np.sqrt(own) * person + np.sqrt(1 - own) * rest[:10]
    single = between / np.sqrt(own) * person + np.sqrt(1 - between**2 / own) * rest[10]
    clusters = Clusters(
        unit(np.concatenate([pieces, [single], rest[11:]])), np.concatenate([np.zeros(10, int), np.arange(10, 40)])
    )
    join_fragments(clusters, FalseMergeThreshold(curve=SFACE_CURVE, expected=0.02))
    assert clusters.slot_n[0] != clusters.slot_n[10]


def test_single_faces_alone_are_left_alone() -> None:
    clusters = Clusters(strangers(50, 3), np.arange(50))
    join_fragments(clusters, FalseMergeThreshold(curve=CURVE, expected=0.99))
    assert clusters.count == 50


@pytest.fixture
def faces() -> F32:
    """Three people of twelve faces, one after another."""
    random = np.random.default_rng(4)
    people = np.repeat(random.normal(size=(3, 128)), 12, axis=0)
    return unit(people + 0.6 * random.normal(size=people.shape))


def merged(vectors: F32, groups: list[list[int]], constraints: Constraints | None = None) -> Clusters:
    """Each group merged face by face."""
    clusters = Clusters(vectors, np.arange(len(vectors)), constraints)
    for group in groups:
        for face in group[1:]:
            clusters.merge(np.array(group[:1]), np.array([face]), how="average")
    return clusters


def astray(face: int) -> list[list[int]]:
    """Who is who, but for one face of the first person, which went to the second."""
    people = [list(range(start, start + 12)) for start in (0, 12, 24)]
    people[0].remove(face)
    people[1].insert(0, face)
    return people


RIGHT = {frozenset(range(start, start + 12)) for start in (0, 12, 24)}


def moved(vectors: F32, groups: list[list[int]], constraints: Constraints | None = None) -> tuple[Clusters, int]:
    clusters = merged(vectors, groups, constraints)
    return clusters, reassign(clusters, Linkage(vectors, constraints).near_n, USUAL)


def partition(labels: I64) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(labels == name).tolist()) for name in np.unique(labels)}


def test_a_face_that_went_to_the_wrong_person_finds_its_own(faces: F32) -> None:
    clusters, count = moved(faces, astray(3))
    assert count == 1
    assert partition(clusters.slot_n) == RIGHT
    last = clusters.records(np.arange(36))[-1]
    others = np.array([0, 1, 2, *range(4, 12)])
    assert last.similarity == pytest.approx(float((faces[others] @ faces[3]).mean()), abs=1e-5)
    assert (last.how, last.size) == ("straggler", 12)


def test_several_that_went_astray_come_back(faces: F32) -> None:
    near = Linkage(faces).near_n
    other = next(face for face in range(4, 12) if near[face] != 3 and near[3] != face)
    people = astray(3)
    people[0].remove(other)
    people[2].append(other)
    clusters, count = moved(faces, people)
    assert count == 2
    assert partition(clusters.slot_n) == RIGHT


def test_where_all_are_right_nothing_changes(faces: F32) -> None:
    clusters, count = moved(faces, [list(range(start, start + 12)) for start in (0, 12, 24)])
    assert count == 0
    assert partition(clusters.slot_n) == RIGHT


def test_one_pair_that_is_very_alike_moves_nobody(faces: F32) -> None:
    faces[SECOND] = unit((3 * faces[0] + faces[SECOND])[None])[0]
    assert Linkage(faces).near_n[0] == SECOND
    clusters, _ = moved(faces, [list(range(start, start + 12)) for start in (0, 12, 24)])
    assert len(np.unique(clusters.slot_n[:12])) == 1


def test_who_may_not_be_one_person_stays(faces: F32) -> None:
    decided = Constraints(len(faces), different_m2=np.array([[3, 5]]))
    assert moved(faces, astray(3), decided)[1] == 0
    frame = Constraints(len(faces), seen_k2=np.array([[3, 7], [5, 7]]))
    assert moved(faces, astray(3), frame)[1] == 0


def test_who_must_be_one_person_stays(faces: F32) -> None:
    together = Constraints(len(faces), same_m2=np.array([[3, SECOND]]))
    assert Linkage(faces, together).near_n[[3, SECOND]].tolist() == [-1, -1]
    assert moved(faces, astray(3), together)[1] == 0


def test_small_clusters_say_too_little(faces: F32) -> None:
    few = np.concatenate([faces[:4], faces[12:24]])
    assert moved(few, [[0, 1, 2], [3, *range(4, 16)]])[1] == 0


def test_a_cluster_of_which_all_are_in_doubt_stays(faces: F32) -> None:
    people = [[0, 1, 2, 12, 13, 14, 24, 25, 26], [*range(3, 12)], [*range(15, 24)], [*range(27, 36)]]
    near = np.where(np.arange(36) % 12 < 3, np.arange(36) + 5, -1)
    assert reassign(merged(faces, people), near, USUAL) == 0


def test_clustering_tells_how_many_moved_whatever_the_order(faces: F32) -> None:
    order = np.random.default_rng(1).permutation(len(faces))
    one = cluster_faces(faces, GroupingSettings(), curve=SFACE_CURVE)
    other = cluster_faces(faces[order], GroupingSettings(), curve=SFACE_CURVE)
    assert dict(one.notes)["moved"] == dict(other.notes)["moved"] == 0
    assert (one.labels[order] == other.labels).all()


@given(st.integers(1, 50), st.floats(-1, 1), st.data())
def test_exactly_so_many_people_come_out(n: int, least: float, data: st.DataObject) -> None:
    people = data.draw(st.integers(1, n))
    random = np.random.default_rng(n)
    vectors = unit(random.normal(size=(n, 5)))
    groups = random.integers(-1, n, n)
    clusters = Linkage(vectors).run(Flat(least=least))
    clusters = merged_as(clusters, Constraints.of_frames(groups))
    make_people(clusters, people)
    assert clusters.count == len(np.unique(clusters.slot_n)) == people
    members = [{face} for face in range(n)]
    for merge in clusters.records(np.arange(n)):
        members.append(members[merge.first] | members[merge.second])
        assert merge.size == len(members[-1])
    assert len(members) == 2 * n - people


def merged_as(clusters: Clusters, constraints: Constraints) -> Clusters:
    """The same merges, under other constraints."""
    again = Clusters(clusters.vectors_nd, np.arange(len(clusters.slot_n)), constraints)
    kept, gone, *_ = clusters.history()
    for one, other in zip(kept, gone, strict=True):
        again.merge(np.array([one]), np.array([other]), how="average")
    return again


@pytest.mark.parametrize(("people", "n"), [(0, 3), (4, 3), (1, 0)])
def test_a_number_that_can_not_be_is_refused(people: int, n: int) -> None:
    vectors = np.eye(4, dtype=np.float32)[:n]
    with pytest.raises(SettingsError, match=f"{people} people can't be made of {n} faces"):
        make_people(Clusters(vectors, np.arange(n)), people)


def test_outliers_do_not_take_the_place_of_people(make_faces: MakeFaces) -> None:
    vectors, person = make_faces([20, 18, 16, 1, 1, 1])
    clusters = Linkage(vectors).run(Flat(least=0.4))
    assert make_people(clusters, 3) == 0
    assert all(len(np.unique(clusters.slot_n[person == who])) == 1 for who in range(3))
    assert clusters.count == 3


def test_too_few_clusters_are_split_where_they_are_least_alike() -> None:
    clusters = Linkage(unit([[1, 0], [1, 0.1], [0, 1], [0.1, 1]])).run(Flat())
    make_people(clusters, 2)
    labels = clusters.slot_n
    assert labels[0] == labels[1] != labels[2] == labels[3]


def test_a_leftover_goes_where_it_shares_no_picture_and_where_it_must() -> None:
    vectors = unit([[1, 0, 0], [1, 0.1, 0], [0, 1, 0], [0, 1, 0.1], [0.8, 0.4, 0.8]])
    for frames, host, broken in (([-1] * 5, 0, 0), ([6, -1, -1, -1, 6], 2, 0), ([6, -1, 6, -1, 6], 0, 1)):
        clusters = Linkage(vectors, Constraints.of_frames(np.array(frames))).run(Flat(least=0.9))
        assert make_people(clusters, 2) == broken
        assert clusters.slot_n[4] == clusters.slot_n[host]
