from __future__ import annotations

import numpy as np

from unmingle.grouping.constraints import CannotLinks


def test_faces_of_one_group_may_not_be_merged_and_a_cluster_has_the_groups_of_all_its_faces() -> None:
    links = CannotLinks(np.array([7, 7, 900, 900, -1, -1]), np.arange(6))
    everyone = np.arange(6)
    before = links.block(everyone, everyone)
    assert before[0, 1]
    assert before[2, 3]
    assert not before[0, 2]
    assert not before[4:].any()
    links.merge(np.array([0]), np.array([2]))
    assert links.pairs(np.array([0, 0, 0, 1, 0]), np.array([1, 3, 4, 3, 2])).tolist() == [
        True,
        True,
        False,
        False,
        False,
    ]
    assert np.array_equal(links.block(np.array([0]), everyone)[0], [True, True, False, True, False, False])


def test_faces_can_start_in_clusters() -> None:
    links = CannotLinks(np.array([1, 2, 1]), np.array([0, 0, 2]))
    assert links.pairs(np.array([0]), np.array([2])).all()
