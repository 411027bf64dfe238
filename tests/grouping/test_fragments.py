from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from unmingle.grouping.constraints import Constraints
from unmingle.grouping.fragments import best_quarters, join_fragments
from unmingle.grouping.impostors import ImpostorCurve
from unmingle.grouping.linkage import average_linkage
from unmingle.grouping.snapshot import Snapshot
from unmingle.grouping.stopping import FalseMergeBar
from unmingle.grouping.tree import Tree

if TYPE_CHECKING:
    from unmingle.records import F32, F64

# Directions in 128 dimensions: mean 0, variance 1/128 for single pairs.
CURVE = ImpostorCurve(mean=0.0, people=0.0026, faces=0.0018, pairs=0.0016)
BAR = FalseMergeBar(curve=CURVE, expected=0.001)


def turning_head(seed: int) -> F32:
    """One person's right side and left side, 20 faces each: alike where they meet, not on average."""
    random = np.random.default_rng(seed)
    ends = np.linalg.qr(random.normal(size=(128, 2)))[0].T
    angle = np.concatenate([np.linspace(0, 0.8, 20), np.linspace(1.2, 2.0, 20)])
    vectors = np.cos(angle)[:, None] * ends[0] + np.sin(angle)[:, None] * ends[1]
    return unit(vectors + 0.06 * random.normal(size=vectors.shape))


def unit(vectors: F64) -> F32:
    rows: F32 = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return rows


def strangers(n: int, seed: int) -> F32:
    return unit(np.random.default_rng(seed).normal(size=(n, 128)))


def test_two_looks_of_one_person_are_joined_and_strangers_are_not() -> None:
    vectors = np.concatenate([turning_head(1), strangers(300, 2)])
    tree = average_linkage(vectors, stop=BAR)
    before = tree.cut()
    assert [len(np.unique(before[:20])), len(np.unique(before[20:40])), len(np.unique(before))] == [1, 1, 302]
    joined = join_fragments(vectors, tree, bar=BAR)
    after = joined.cut()
    assert len(np.unique(after[:40])) == 1
    assert len(np.unique(after)) == 301
    # The merge is told with its average cosine, as the others are.
    assert joined.similarity_m[-1] == pytest.approx(float((vectors[:20] @ vectors[20:40].T).mean()), abs=1e-5)


def test_looks_that_share_a_picture_stay_apart() -> None:
    vectors = np.concatenate([turning_head(1), strangers(300, 2)])
    groups = np.full(len(vectors), -1)
    groups[[0, 39]] = 5
    apart = Constraints.of_frames(groups)
    tree = average_linkage(vectors, stop=BAR, constraints=apart)
    tree = join_fragments(vectors, tree, bar=BAR, constraints=apart)
    assert tree.cut()[0] != tree.cut()[39]


def test_single_faces_alone_are_left_alone() -> None:
    vectors = strangers(50, 3)
    tree = Tree.leaves_only(50)
    assert len(join_fragments(vectors, tree, bar=FalseMergeBar(curve=CURVE, expected=0.99)).first_m) == 0


def test_the_best_quarter_is_at_least_one_pair() -> None:
    one = np.eye(4, dtype=np.float32)
    assert best_quarter(one[:1], one[:1]) == 1
    assert best_quarter(one, one) == 1
    assert best_quarter(one[:1], one) == 1
    assert best_quarter(one[:1], np.concatenate([one, one[1:2]])) == 0.5  # two of five


def best_quarter(first: F32, second: F32) -> float:
    vectors = np.concatenate([first, second])
    n, a = len(vectors), len(first)
    of = np.repeat([0, 1], [a, n - a])
    sizes = np.array([a, n - a])
    means = np.stack([first.mean(axis=0), second.mean(axis=0)])
    clusters = Snapshot(np.arange(2), of, means, sizes, np.arange(n), np.array([0, a]))
    return float(best_quarters(vectors, clusters, np.array([[0, 1]]))[0])
