from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from unmingle.grouping.cluster import cluster_faces
from unmingle.grouping.constraints import Constraints
from unmingle.grouping.impostors import SFACE_CURVE
from unmingle.grouping.linkage import average_linkage
from unmingle.grouping.stopping import FalseMergeBar, FlatBar
from unmingle.grouping.stragglers import attach_by_looks, attach_by_vacancy, part_by_vacancy
from unmingle.grouping.tree import HOW_STRAGGLER
from unmingle.settings import GroupingSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from unmingle.records import F32, I64

    MakeFaces = Callable[..., tuple[F32, I64]]

BAR = FalseMergeBar(curve=SFACE_CURVE, expected=0.02)


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
    everyone = np.concatenate([vectors, weak])
    tree = average_linkage(everyone, stop=FlatBar(bar=0.5))
    assert len(np.unique(tree.cut())) == 6
    grown, faces = attach_by_looks(everyone, tree, bar=BAR, constraints=Constraints(len(everyone)))
    labels = grown.cut()
    assert faces == 3
    assert (labels[-3:] == labels[firsts]).all()
    assert (grown.how_m[-3:] == HOW_STRAGGLER).all()


def test_among_passers_by_the_same_resemblance_means_nothing(make_faces: MakeFaces) -> None:
    vectors, _ = make_faces([30, 30, 30] + [1] * 400)
    tree = average_linkage(vectors, stop=FlatBar(bar=0.5))
    _, faces = attach_by_looks(vectors, tree, bar=BAR, constraints=Constraints(len(vectors)))
    assert faces <= 2


def test_two_faces_that_are_alike_are_a_person_of_their_own(make_faces: MakeFaces) -> None:
    vectors, person = make_faces([30, 30, 30])
    firsts = np.array([np.flatnonzero(person == who)[0] for who in range(3)])
    weak = blurred(vectors[firsts], 0.36, 1)
    everyone = np.concatenate([vectors, weak, blurred(weak[:1], 0.9, 2)])
    tree = average_linkage(everyone, stop=FlatBar(bar=0.5))
    grown, faces = attach_by_looks(everyone, tree, bar=BAR, constraints=Constraints(len(everyone)))
    labels = grown.cut()
    assert faces == 2
    assert labels[-1] == labels[-4] != labels[firsts[0]]


def test_nothing_to_attach_and_nobody_to_attach_to(make_faces: MakeFaces) -> None:
    for sizes in ([1, 1, 1], [20, 20]):
        vectors, _ = make_faces(sizes)
        tree = average_linkage(vectors, stop=FlatBar(bar=0.5))
        same, faces = attach_by_looks(vectors, tree, bar=BAR, constraints=Constraints(len(vectors)))
        assert faces == 0
        assert same is tree


def meeting(make_faces: MakeFaces, frames: int = 20) -> tuple[F32, I64, I64]:
    """Two people in each frame; who each face is, and its frame."""
    vectors, person = make_faces([frames, frames])
    seen = np.empty(2 * frames, np.int64)
    seen[np.argsort(person, kind="stable")] = np.tile(np.arange(frames), 2)
    return vectors, person, seen


def test_a_face_that_looks_like_nobody_fills_the_place_that_is_vacant(make_faces: MakeFaces) -> None:
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


def test_a_visitor_who_stays_is_nobody_elses(make_faces: MakeFaces) -> None:
    vectors, person, frame = meeting(make_faces)
    gone = np.flatnonzero((person == 1) & np.isin(frame, [7, 8]))
    visitor = blurred(vectors[gone[:1]], 0.0, 3)
    vectors[gone] = blurred(np.repeat(visitor, 2, axis=0), 0.9, 4)
    seen = Constraints(len(vectors), np.stack([np.arange(len(vectors)), frame], axis=1))
    labels = cluster_faces(vectors, GroupingSettings(), curve=SFACE_CURVE, constraints=seen).labels
    assert labels[gone[0]] == labels[gone[1]]
    assert np.bincount(labels)[labels[gone[0]]] == 2


def test_vacancy_says_nothing_when_two_places_are_free(make_faces: MakeFaces) -> None:
    vectors, person, frame = meeting(make_faces)
    both = np.flatnonzero(frame == 7)
    kept = np.delete(np.arange(len(vectors)), both[1:])
    vectors, person, frame = vectors[kept], person[kept], frame[kept]
    lost = int(np.flatnonzero(frame == 7)[0])
    vectors[lost] = blurred(vectors[lost : lost + 1], 0.0, 3)[0]
    seen = Constraints(len(vectors), np.stack([np.arange(len(vectors)), frame], axis=1))
    tree = average_linkage(vectors, stop=FlatBar(bar=0.5), constraints=seen)
    _, faces = attach_by_vacancy(vectors, tree, constraints=seen)
    assert faces == 0


def two_bad_faces(make_faces: MakeFaces, frames: tuple[int, int]) -> tuple[F32, I64, Constraints]:
    """One bad face of each of two people, in these frames, that are like each other and nobody; their rows."""
    vectors, person, frame = meeting(make_faces)
    bad = np.array([np.flatnonzero((person == who) & (frame == at))[0] for who, at in enumerate(frames)])
    vectors[bad] = blurred(np.repeat(blurred(vectors[bad[:1]], 0.0, 3), 2, axis=0), 0.9, 4)
    return vectors, bad, Constraints(len(vectors), np.stack([np.arange(len(vectors)), frame], axis=1))


def test_two_bad_faces_that_fill_the_places_of_two_people_are_taken_apart(make_faces: MakeFaces) -> None:
    vectors, bad, seen = two_bad_faces(make_faces, (4, 9))
    tree = average_linkage(vectors, stop=FlatBar(bar=0.5), constraints=seen)
    assert tree.cut()[bad[0]] == tree.cut()[bad[1]]
    labels = cluster_faces(vectors, GroupingSettings(), curve=SFACE_CURVE, constraints=seen).labels
    assert np.bincount(labels).tolist() == [20, 20]
    assert labels[bad[0]] != labels[bad[1]]


def test_who_must_be_one_is_never_taken_apart(make_faces: MakeFaces) -> None:
    vectors, bad, seen = two_bad_faces(make_faces, (4, 9))
    tied = Constraints(len(vectors), seen.seen_k2, same_m2=bad[None])
    labels = cluster_faces(vectors, GroupingSettings(), curve=SFACE_CURVE, constraints=tied).labels
    assert labels[bad[0]] == labels[bad[1]]


def test_faces_that_could_fill_the_place_of_one_person_stay_together(make_faces: MakeFaces) -> None:
    vectors, person, frame = meeting(make_faces)
    bad = np.flatnonzero((person == 1) & np.isin(frame, [4, 9]))
    vectors[bad] = blurred(np.repeat(blurred(vectors[bad[:1]], 0.0, 3), 2, axis=0), 0.9, 4)
    seen = Constraints(len(vectors), np.stack([np.arange(len(vectors)), frame], axis=1))
    tree = average_linkage(vectors, stop=FlatBar(bar=0.5), constraints=seen)
    assert part_by_vacancy(vectors, tree, constraints=seen) is tree
