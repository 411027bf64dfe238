from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from unmingle.decisions import assignment
from unmingle.store.face_rows import ALONE

labels = st.lists(st.integers(-1, 5), max_size=40).map(lambda values: np.array(values, np.int64))


def keep_ids(now: np.ndarray, before: np.ndarray) -> dict[int, int]:
    pairs = Counter(pair for pair in zip(now.tolist(), before.tolist(), strict=True) if ALONE not in pair)
    return assignment.keep_ids(pairs, {}, ())


def test_a_person_who_splits_stays_with_the_larger_part() -> None:
    before = np.array([7, 7, 7, 7, 7])
    now = np.array([0, 0, 1, 1, 1])
    assert keep_ids(now, before) == {1: 7}


def test_people_who_merge_take_the_name_of_the_larger() -> None:
    before = np.array([7, 7, 9, 9, 9, ALONE])
    now = np.array([0, 0, 0, 0, 0, 0])
    assert keep_ids(now, before) == {0: 9}


def test_faces_that_were_alone_found_new_people() -> None:
    assert keep_ids(np.array([0, 0, 1, 1]), np.array([ALONE, ALONE, 3, 3])) == {1: 3}


@given(labels, st.data())
def test_each_person_continues_at_most_once(now: np.ndarray, data: st.DataObject) -> None:
    before = np.array(data.draw(st.lists(st.integers(-1, 5), min_size=len(now), max_size=len(now))), np.int64)
    kept = keep_ids(now, before)
    assert len(set(kept.values())) == len(kept)
    for cluster, person in kept.items():
        assert ((now == cluster) & (before == person)).any()


@given(labels)
def test_nothing_changes_when_nothing_changed(now: np.ndarray) -> None:
    kept = keep_ids(now, np.where(now == ALONE, ALONE, now + 100))
    assert kept == {label: label + 100 for label in np.unique(now[now != ALONE]).tolist()}
