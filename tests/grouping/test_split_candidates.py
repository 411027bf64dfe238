from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest

from unmingle.grouping import split_candidates
from unmingle.grouping.split_candidates import SplitCandidates, branches

if TYPE_CHECKING:
    from unmingle.records import F32, I64

    from .conftest import MakeFaces


def all_parts(vectors: F32, labels: I64, root: I64 | None = None) -> SplitCandidates:
    root = np.arange(len(labels)) if root is None else root
    return SplitCandidates.of(vectors, labels, np.bincount(labels), root)


def sides(parts: SplitCandidates) -> list[set[int]]:
    bounds = zip(parts.start_m.tolist(), parts.stop_m.tolist(), strict=True)
    return [set(parts.face_s[start:stop].tolist()) for start, stop in bounds]


def test_two_people_in_one_are_two_branches(make_faces: MakeFaces) -> None:
    vectors, person = make_faces([7, 5])
    parts = all_parts(vectors, np.zeros(12, np.int64))
    seam = sides(parts).index(set(np.flatnonzero(person == 1).tolist()))
    assert parts.cosine_m[seam] == parts.cosine_m.min()
    assert parts.size_m[seam] == 5


def test_cosines_and_means_are_those_of_the_faces(make_faces: MakeFaces) -> None:
    vectors, labels = make_faces([9, 6, 2, 1])
    parts = all_parts(vectors, labels)
    means = parts.means(vectors)
    for i, inside in enumerate(sides(parts)):
        rest = sorted(set(np.flatnonzero(labels == parts.slot_m[i]).tolist()) - inside)
        assert 0 < len(inside) <= len(rest)
        assert parts.cosine_m[i] == pytest.approx((vectors[sorted(inside)] @ vectors[rest].T).mean(), abs=1e-5)
        np.testing.assert_allclose(means[i], vectors[sorted(inside)].mean(axis=0), atol=1e-5)


def test_every_face_is_a_part_and_none_is_there_twice(make_faces: MakeFaces) -> None:
    vectors, labels = make_faces([8, 3, 2])
    found = [
        (slot, frozenset(side))
        for slot, side in zip(all_parts(vectors, labels).slot_m, sides(all_parts(vectors, labels)), strict=True)
    ]
    assert len(set(found)) == len(found)
    single = {next(iter(side)) for _, side in found if len(side) == 1}
    assert single >= set(np.flatnonzero(labels < 2).tolist())
    assert len(single & set(np.flatnonzero(labels == 2).tolist())) == 1  # either of two is the same question


def test_who_is_one_person_by_decision_is_not_divided(make_faces: MakeFaces) -> None:
    vectors, _ = make_faces([4, 4, 4])
    root = np.arange(12)
    root[[1, 5, 9]] = 1
    for side in sides(all_parts(vectors, np.zeros(12, np.int64), root)):
        assert len({1, 5, 9} & side) in (0, 3)


def test_divide(make_faces: MakeFaces) -> None:
    vectors, labels = make_faces([8, 6, 3])
    parts = all_parts(vectors, labels)
    pairs = np.random.default_rng(0).integers(0, len(labels), (10, 2))
    expected = [
        any(labels[a] == labels[b] == slot and (a in side) != (b in side) for a, b in pairs.tolist())
        for slot, side in zip(parts.slot_m, sides(parts), strict=True)
    ]
    np.testing.assert_array_equal(parts.divide(pairs, labels), expected)
    assert not parts.divide(pairs[:0], labels).any()


def test_a_sample_stands_for_a_large_person(make_faces: MakeFaces, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(split_candidates, "SAMPLE", 20)
    vectors, person = make_faces([40, 20])
    labels = np.zeros(60, np.int64)
    parts = all_parts(vectors, labels)
    seam = int(parts.cosine_m.argmin())
    side = parts.side(seam, np.arange(60), vectors)
    np.testing.assert_array_equal(np.sort(side), np.flatnonzero(person == 1))
    assert abs(parts.size_m[seam] - 20) <= 8
    single = int(np.flatnonzero(parts.size_m == 1)[0])
    assert len(parts.side(single, np.arange(60), vectors)) == 1


def test_branches_nest(make_faces: MakeFaces) -> None:
    vectors, _ = make_faces([9])
    tree = branches(vectors, np.arange(9), np.arange(9))
    found = sorted(zip(tree.start_m.tolist(), tree.stop_m.tolist(), strict=True))
    for (start, stop), (later, end) in pairwise(found):
        assert start <= later
        assert later >= stop or end <= stop or start == later
