from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmingle.grouping.cluster import cluster_faces
from unmingle.grouping.constraints import Constraints
from unmingle.grouping.impostors import SFACE_CURVE
from unmingle.grouping.linkage import Start, average_linkage
from unmingle.grouping.moves import move_faces, nearest_faces
from unmingle.grouping.stopping import FalseMergeBar, FlatBar, NoBar
from unmingle.grouping.tree import HOW_AVERAGE, HOW_STRAGGLER, Tree
from unmingle.settings import GroupingSettings

if TYPE_CHECKING:
    from unmingle.grouping.stopping import StopRule
    from unmingle.records import F32, F64, I64

BAR = FalseMergeBar(curve=SFACE_CURVE, expected=0.02)
SIZES = (12, 12, 12)
FIRST, SECOND = 0, 12  # of the first and of the second person


def unit(vectors: F64) -> F32:
    rows: F32 = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return rows


@pytest.fixture
def faces() -> F32:
    """Three people, one after another."""
    random = np.random.default_rng(4)
    people = np.repeat(random.normal(size=(3, 128)), SIZES, axis=0)
    return unit(people + 0.6 * random.normal(size=people.shape))


def merged(groups: list[list[int]], n: int) -> Tree:
    """Each group merged face by face."""
    tree = Tree.leaves_only(n)
    for group in groups:
        node = group[0]
        for size, face in enumerate(group[1:], 2):
            made = n + len(tree.first_m)
            parts = np.array([node]), np.array([face])
            tree = tree.grown(*parts, np.array([0.5]), np.array([size]), how=HOW_AVERAGE)
            node = made
    return tree


def astray(face: int) -> list[list[int]]:
    """Who is who, but for one face of the first person, which went to the second."""
    people = [list(range(start, start + 12)) for start in (0, 12, 24)]
    people[0].remove(face)
    people[1].insert(0, face)
    return people


def moved(vectors: F32, tree: Tree, constraints: Constraints | None = None) -> tuple[Tree, int]:
    constraints = Constraints(len(vectors)) if constraints is None else constraints
    near = nearest_faces(Start.of(vectors, constraints))
    return move_faces(vectors, tree, near_n=near, bar=BAR, constraints=constraints)


def partition(labels: I64) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(labels == name).tolist()) for name in np.unique(labels)}


def test_a_face_that_went_to_the_wrong_person_finds_its_own(faces: F32) -> None:
    tree, count = moved(faces, merged(astray(3), len(faces)))
    assert count == 1
    assert partition(tree.cut()) == {frozenset(range(start, start + 12)) for start in (0, 12, 24)}
    assert tree.how_m[-1] == HOW_STRAGGLER
    others = np.array([0, 1, 2, *range(4, 12)])
    assert tree.similarity_m[-1] == pytest.approx(float((faces[others] @ faces[3]).mean()), abs=1e-5)
    assert tree.size_m[-1] == 12


def test_several_that_went_astray_come_back(faces: F32) -> None:
    near = nearest_faces(Start.of(faces))
    other = next(face for face in range(4, 12) if near[face] != 3 and near[3] != face)
    people = astray(3)
    people[0].remove(other)
    people[2].append(other)
    tree, count = moved(faces, merged(people, len(faces)))
    assert count == 2
    assert partition(tree.cut()) == {frozenset(range(start, start + 12)) for start in (0, 12, 24)}


def test_where_all_are_right_nothing_changes(faces: F32) -> None:
    tree = merged([list(range(start, start + 12)) for start in (0, 12, 24)], len(faces))
    same, count = moved(faces, tree)
    assert count == 0
    assert same is tree


def test_one_pair_that_is_very_alike_moves_nobody(faces: F32) -> None:
    faces[SECOND] = unit((3 * faces[FIRST] + faces[SECOND])[None].astype(np.float64))[0]
    assert nearest_faces(Start.of(faces))[FIRST] == SECOND
    tree, _ = moved(faces, merged([list(range(start, start + 12)) for start in (0, 12, 24)], len(faces)))
    assert len(np.unique(tree.cut()[:12])) == 1


def test_who_may_not_be_one_person_stays(faces: F32) -> None:
    decided = Constraints(len(faces), different_m2=np.array([[3, 5]]))
    _, count = moved(faces, merged(astray(3), len(faces)), decided)
    assert count == 0
    frame = Constraints(len(faces), seen_k2=np.array([[3, 7], [5, 7]]))
    _, count = moved(faces, merged(astray(3), len(faces)), frame)
    assert count == 0


def test_who_must_be_one_person_stays(faces: F32) -> None:
    together = Constraints(len(faces), same_m2=np.array([[3, SECOND]]))
    assert nearest_faces(Start.of(faces, together))[[3, SECOND]].tolist() == [-1, -1]
    _, count = moved(faces, merged(astray(3), len(faces)), together)
    assert count == 0


def test_small_clusters_say_too_little(faces: F32) -> None:
    few = np.concatenate([faces[:4], faces[12:24]])
    tree = merged([[0, 1, 2], [3, *range(4, 16)]], len(few))
    _, count = moved(few, tree)
    assert count == 0


def test_a_cluster_of_which_all_are_in_doubt_stays(faces: F32) -> None:
    people = [[0, 1, 2, 12, 13, 14, 24, 25, 26], [*range(3, 12)], [*range(15, 24)], [*range(27, 36)]]
    near = np.where(np.arange(36) % 12 < 3, np.arange(36) + 5, -1)
    _, count = move_faces(faces, merged(people, len(faces)), near_n=near, bar=BAR, constraints=Constraints(len(faces)))
    assert count == 0


def test_clustering_tells_how_many_moved_whatever_the_order(faces: F32) -> None:
    order = np.random.default_rng(1).permutation(len(faces))
    one = cluster_faces(faces, GroupingSettings(), curve=SFACE_CURVE)
    other = cluster_faces(faces[order], GroupingSettings(), curve=SFACE_CURVE)
    assert dict(one.notes)["moved"] == dict(other.notes)["moved"] == 0
    assert (one.labels[order] == other.labels).all()


@given(st.data())
def test_without_is_the_partition_with_these_faces_alone(data: st.DataObject) -> None:
    n = data.draw(st.integers(2, 14))
    random = np.random.default_rng(data.draw(st.integers(0, 1000)))
    vectors = unit(random.normal(size=(n, 5)))
    stop: StopRule = NoBar() if data.draw(st.booleans()) else FlatBar(bar=0.3)
    tree = average_linkage(vectors, stop=stop)
    out = np.array(sorted(data.draw(st.sets(st.integers(0, n - 1), min_size=1))))
    rest = tree.without(out)
    expected = {group - set(out.tolist()) for group in partition(tree.cut())} - {frozenset()}
    assert partition(rest.cut()) == expected | {frozenset([face]) for face in out.tolist()}
    sizes = np.concatenate([np.ones(n, np.int64), rest.size_m])
    assert (sizes[rest.first_m] + sizes[rest.second_m] == rest.size_m).all()
    parts = np.concatenate([rest.first_m, rest.second_m])
    assert len(np.unique(parts)) == len(parts)
    assert (np.maximum(rest.first_m, rest.second_m) < n + np.arange(len(rest.size_m))).all()
