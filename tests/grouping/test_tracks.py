from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from unmingle.grouping.cluster import cluster_faces
from unmingle.grouping.constraints import Constraints
from unmingle.grouping.impostors import SFACE_CURVE
from unmingle.grouping.tracks import join_by_tracks
from unmingle.grouping.tree import HOW_TRACK, Tree
from unmingle.settings import GroupingSettings

if TYPE_CHECKING:
    from unmingle.records import F32


def turning(frames: int, seed: int) -> F32:
    """A head that turns from one direction to another that has nothing in common with it, frame by frame."""
    random = np.random.default_rng(seed)
    ends = np.linalg.qr(random.normal(size=(128, 2)))[0].T
    angle = np.linspace(0, np.pi / 2, frames)[:, None]
    vectors = np.cos(angle) * ends[0] + np.sin(angle) * ends[1] + 0.03 * random.normal(size=(frames, 128))
    rows: F32 = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return rows


def alone(n: int) -> Tree:
    return Tree.leaves_only(n)


def test_a_face_is_followed_from_frame_to_frame() -> None:
    vectors = np.concatenate([turning(12, 1), turning(12, 2)])
    seen = np.stack([np.arange(24), np.tile(np.arange(12), 2)], axis=1)
    tree, joined = join_by_tracks(vectors, alone(24), curve=SFACE_CURVE, constraints=Constraints(24, seen))
    labels = tree.cut()
    assert joined == 22
    assert len(np.unique(labels)) == 2
    assert labels[0] == labels[11] != labels[12] == labels[23]
    assert (tree.how_m == HOW_TRACK).all()
    assert tree.size_m.max() == 12


def test_frames_that_do_not_follow_each_other_say_nothing() -> None:
    vectors = turning(12, 1)
    seen = np.stack([np.arange(12), 2 * np.arange(12)], axis=1)
    tree, joined = join_by_tracks(vectors, alone(12), curve=SFACE_CURVE, constraints=Constraints(12, seen))
    assert joined == 0
    assert len(tree.first_m) == 0


def test_a_step_never_brings_two_faces_of_one_frame_together() -> None:
    vectors = turning(3, 1)
    twins = np.concatenate([vectors, vectors[1:2] + 0.01])  # a second face like the first, in the middle frame
    twins /= np.linalg.norm(twins, axis=1, keepdims=True)
    seen = np.array([[0, 0], [1, 1], [2, 2], [3, 1]])
    tree, _ = join_by_tracks(twins, alone(4), curve=SFACE_CURVE, constraints=Constraints(4, seen))
    labels = tree.cut()
    assert labels[1] != labels[3]


def test_people_who_change_places_are_not_followed_into_each_other() -> None:
    random = np.random.default_rng(0)
    people = np.linalg.qr(random.normal(size=(128, 2)))[0].T
    faces = np.concatenate([people, people[::-1]]) + 0.02 * random.normal(size=(4, 128))
    faces = (faces / np.linalg.norm(faces, axis=1, keepdims=True)).astype(np.float32)
    seen = np.array([[0, 0], [1, 0], [2, 1], [3, 1]])
    clustering = cluster_faces(faces, GroupingSettings(), curve=SFACE_CURVE, constraints=Constraints(4, seen))
    assert clustering.labels[0] == clustering.labels[3] != clustering.labels[1] == clustering.labels[2]
