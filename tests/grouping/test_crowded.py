"""Crowded places of the face space, where strangers are nearly as alike as one person's faces elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from unmingle.grouping.cluster import cluster_faces
from unmingle.grouping.impostors import SFACE_CURVE, ImpostorModel
from unmingle.grouping.threshold import local_excess
from unmingle.settings import GroupingSettings

if TYPE_CHECKING:
    from unmingle.records import F32, I64

# Cosines of strangers and of one person's faces: of small children to the eyes of SFace, and of everybody.
CHILDREN, EVERYBODY = (0.38, 0.56), (0.09, 0.54)


def draw(sizes: list[int], alike: tuple[float, float], random: np.random.Generator) -> tuple[F32, I64]:
    """Faces of people with so many pictures each, who share a part of what they look like."""
    strangers, own = alike
    person_n = np.repeat(np.arange(len(sizes)), sizes)
    shared, people, rest = (random.normal(size=(n, 128)) for n in (1, len(sizes), len(person_n)))
    vectors = strangers**0.5 * shared + (own - strangers) ** 0.5 * people[person_n] + (1 - own) ** 0.5 * rest
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), person_n


def grouped(vectors_nd: F32) -> I64:
    return cluster_faces(vectors_nd, GroupingSettings(), curve=SFACE_CURVE).labels


def strays(labels_n: I64, person_n: I64) -> float:
    """The largest share of a cluster of more than 30 faces that are not its majority's."""
    shares = [0.0]
    for label in np.flatnonzero(np.bincount(labels_n) > 30):
        shares.append(1 - np.bincount(person_n[labels_n == label]).max() / (labels_n == label).sum())
    return max(shares)


@pytest.mark.parametrize("children", [40, 120])
@pytest.mark.parametrize("others", [200, 800])
def test_no_large_cluster_is_a_crowd(children: int, others: int) -> None:
    random = np.random.default_rng(children + others)
    crowd, child = draw(random.integers(1, 9, children).tolist(), CHILDREN, random)
    rest, other = draw([40, 60, *random.integers(1, 9, others).tolist()], EVERYBODY, random)
    labels = grouped(np.concatenate([crowd, rest]))
    person = np.concatenate([child, children + other])
    assert strays(labels, person) <= 0.05
    assert np.bincount(labels).max() == 60  # who is large stays whole


def test_a_place_is_as_crowded_as_its_people_are_alike() -> None:
    random = np.random.default_rng(0)
    crowd, _ = draw([4] * 60, CHILDREN, random)
    rest, _ = draw([4] * 300, EVERYBODY, random)
    vectors = np.concatenate([crowd, rest])
    means, size = vectors.reshape(-1, 4, 128).mean(axis=1), np.full(360, 4)
    excess = local_excess(vectors, means, size, SFACE_CURVE)
    assert excess[: len(crowd)].min() > 0.05
    assert excess[len(crowd) :].mean() < 0.01


def test_strangers_as_on_the_card_crowd_nowhere() -> None:
    random = np.random.default_rng(1)
    means = random.normal(size=(1500, 64)) / 8
    curve = ImpostorModel(mean=0.0, people=1 / 64 - 2e-9, faces=1e-9, pairs=0.0)
    assert local_excess(means[:200].astype(np.float32), means.astype(np.float32), np.full(1500, 2), curve).mean() < 0.02


def test_too_few_clusters_tell_nothing() -> None:
    vectors = np.eye(128, dtype=np.float32)[:40]
    assert not local_excess(vectors, vectors[:2], np.full(2, 9), SFACE_CURVE).any()
    assert not local_excess(vectors, vectors, np.ones(40, np.int64), SFACE_CURVE).any()
    assert not local_excess(vectors[:0], vectors[:9], np.full(9, 9), SFACE_CURVE).size


def test_one_person_is_no_crowd() -> None:
    vectors, _ = draw([250], EVERYBODY, np.random.default_rng(2))
    assert np.bincount(grouped(vectors)).max() >= 249
