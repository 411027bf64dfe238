from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from unmingle.grouping.cluster import likeness
from unmingle.grouping.looks import Looks
from unmingle.records import Clustering

if TYPE_CHECKING:
    from collections.abc import Callable

    from unmingle.records import F32, I64

    MakeFaces = Callable[..., tuple[F32, I64]]

# Four founders and a joiner; a founder twice; two joiners; a founder and a joiner; a founder; a joiner.
LABELS = np.array([0, 0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 5])
FOUNDERS = np.array([1, 1, 1, 1, 0, 1, 1, 0, 0, 1, 0, 1, 0], np.bool_)
COPIES = np.array([0, 1, 2, 2, 4, 5, 5, 7, 8, 9, 10, 11, 12])


def test_a_person_has_a_founder_and_two_looks() -> None:
    looks = Looks.of(Clustering(LABELS), FOUNDERS, COPIES)
    assert np.unique(LABELS[looks.people_n]).tolist() == [0, 3]
    assert np.unique(LABELS[~looks.people_n]).tolist() == [1, 2, 4, 5]
    assert np.unique(LABELS[Looks.of(Clustering(LABELS), FOUNDERS).people_n]).tolist() == [0, 1, 3]
    given = Looks.of(Clustering(LABELS), FOUNDERS, COPIES, least=1)
    assert np.unique(LABELS[given.people_n]).tolist() == [0, 1, 3, 4]


def test_copies_and_poor_faces_do_not_tell_how_alike_a_person_is() -> None:
    looks = Looks.of(Clustering(LABELS), FOUNDERS, COPIES)
    assert looks.look_n.tolist() == [0, 1, 2, 2, 4, 5, 5, 7, 8, 9, 10, 11, 12]
    assert np.flatnonzero(looks.telling_n[:5]).tolist() == [0, 1, 2]
    assert np.flatnonzero(looks.telling_n[9:11]).tolist() == [0, 1]  # where only one founds, both tell
    shown = looks.shown(LABELS)
    assert shown.tolist() == [0, 0, 0, -1, 0, 1, -1, -1, -1, 3, 3, 4, -1]


def test_a_copy_in_another_cluster_is_a_look_of_its_own() -> None:
    looks = Looks.of(Clustering(np.array([0, 0, 1, 1])), np.ones(4, np.bool_), np.array([0, 1, 0, 3]))
    assert looks.look_n.tolist() == [0, 1, 2, 3]
    assert looks.people_n.all()


def test_with_too_few_founders_all_found() -> None:
    clustering = Clustering(LABELS, notes=(("founders_too_few", 1.0),))
    assert Looks.of(clustering, FOUNDERS, COPIES, least=1).people_n.all()


def test_likeness_is_to_those_who_tell(make_faces: MakeFaces) -> None:
    vectors, person = make_faces([6, 6])
    everyone = Looks.of(Clustering(person), np.ones(12, np.bool_))
    for one, other in zip(everyone.likeness(vectors, person), likeness(vectors, person), strict=True):
        assert np.array_equal(one, other)
    poor = int(np.flatnonzero(person == 0)[0])
    founders = np.arange(12) != poor
    kept = np.flatnonzero(founders)
    vectors[poor] = -vectors[poor]
    like_n, cohesion_k = Looks.of(Clustering(person), founders).likeness(3 * vectors, person)
    like_kept, cohesion_kept = likeness(vectors[kept], person[kept])
    assert np.allclose(cohesion_k, cohesion_kept, atol=1e-6)
    assert np.allclose(like_n[kept], like_kept, atol=1e-6)
    assert like_n[poor] < 0


def test_nothing_is_nobody() -> None:
    looks = Looks.of(Clustering(np.zeros(0, np.int64)), np.zeros(0, np.bool_))
    assert len(looks.people_n) == len(looks.shown(np.zeros(0, np.int64))) == 0
