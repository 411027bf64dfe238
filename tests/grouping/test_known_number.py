from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmingle.errors import SettingsError
from unmingle.grouping.constraints import Constraints
from unmingle.grouping.known_number import with_people
from unmingle.grouping.linkage import average_linkage
from unmingle.grouping.stopping import FlatBar

if TYPE_CHECKING:
    from collections.abc import Callable

    from unmingle.records import F32, I64


def unit(vectors: list[list[float]]) -> F32:
    array = np.array(vectors, np.float32)
    rows: F32 = array / np.linalg.norm(array, axis=1, keepdims=True)
    return rows


@given(st.integers(1, 50), st.floats(-1, 1), st.data())
def test_exactly_so_many_people_come_out(n: int, bar: float, data: st.DataObject) -> None:
    people = data.draw(st.integers(1, n))
    random = np.random.default_rng(n)
    vectors = unit(random.normal(size=(n, 5)).tolist())
    groups = random.integers(-1, n, n)
    tree = average_linkage(vectors, stop=FlatBar(bar=bar))
    tree, _ = with_people(vectors, tree, people, constraints=Constraints.of_frames(groups))
    assert len(np.unique(tree.cut())) == people
    assert len(tree.first_m) == n - people
    sizes = [int((tree.first(i + 1).cut() == n + i).sum()) for i in range(n - people)]
    assert tree.size_m.tolist() == sizes


@pytest.mark.parametrize(("people", "n"), [(0, 3), (4, 3), (1, 0)])
def test_a_number_that_can_not_be_is_refused(people: int, n: int) -> None:
    vectors = np.eye(4, dtype=np.float32)[:n]
    with pytest.raises(SettingsError, match=f"{people} people can't be made of {n} faces"):
        with_people(vectors, average_linkage(vectors, stop=FlatBar(bar=0.5)), people)


def test_outliers_do_not_take_the_place_of_people(make_faces: Callable[[list[int]], tuple[F32, I64]]) -> None:
    vectors, person = make_faces([20, 18, 16, 1, 1, 1])
    tree, broken = with_people(vectors, average_linkage(vectors, stop=FlatBar(bar=0.4)), 3)
    labels = tree.cut()
    assert broken == 0
    assert all(len(np.unique(labels[person == who])) == 1 for who in range(3))
    assert len(np.unique(labels)) == 3


def test_too_few_clusters_are_split_where_they_are_least_alike() -> None:
    vectors = unit([[1, 0], [1, 0.1], [0, 1], [0.1, 1]])
    tree, _ = with_people(vectors, average_linkage(vectors, stop=FlatBar(bar=-1)), 2)
    labels = tree.cut()
    assert labels[0] == labels[1] != labels[2] == labels[3]


def test_a_leftover_goes_where_it_shares_no_picture_and_where_it_must() -> None:
    vectors = unit([[1, 0, 0], [1, 0.1, 0], [0, 1, 0], [0, 1, 0.1], [0.8, 0.4, 0.8]])
    tree = average_linkage(vectors, stop=FlatBar(bar=0.9))
    free, broken = with_people(vectors, tree, 2)
    assert free.cut()[4] == free.cut()[0]
    assert broken == 0
    other, broken = with_people(vectors, tree, 2, constraints=Constraints.of_frames(np.array([6, -1, -1, -1, 6])))
    assert other.cut()[4] == other.cut()[2]
    assert broken == 0
    forced, broken = with_people(vectors, tree, 2, constraints=Constraints.of_frames(np.array([6, -1, 6, -1, 6])))
    assert forced.cut()[4] == forced.cut()[0]
    assert broken == 1
