from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from unmingle.grouping import confidence, index
from unmingle.grouping.confidence import evidence, face_probabilities, label_means, likely_pairs, pair_probabilities
from unmingle.grouping.impostors import SFACE_CURVE, ImpostorModel

if TYPE_CHECKING:
    from unmingle.records import F32, I64

    from .conftest import MakeFaces

# What make_faces draws: strangers' cosines have mean 0 and deviation 0.088, whatever their sizes up to noise.
MADE_CURVE = ImpostorModel(mean=0.0, people=0.0042, faces=0.0015, pairs=0.0006)


def at_cosine(base_d: F32, cosine: float) -> F32:
    """A unit vector at this cosine to another."""
    other = np.random.default_rng(9).normal(size=len(base_d))
    other -= (other @ base_d) * base_d
    other /= np.linalg.norm(other)
    result: F32 = (cosine * base_d + np.sqrt(1 - cosine**2) * other).astype(np.float32)
    return result


def test_faces_with_their_people_are_sure_and_a_planted_one_is_not(make_faces: MakeFaces) -> None:
    vectors, person = make_faces([12, 12, 12, 8, 5, 3])
    labels = person.copy()
    planted = np.flatnonzero(person == 1)[0]
    labels[planted] = 0
    chance = face_probabilities(vectors, labels, MADE_CURVE)
    assert chance[planted] < 0.05
    assert np.delete(chance, planted).min() > 0.9


def test_two_strangers_in_one_cluster_are_both_doubted(make_faces: MakeFaces) -> None:
    vectors, person = make_faces([6, 6, 1, 1])
    labels = np.where(person == 3, 2, person)
    assert (face_probabilities(vectors, labels, MADE_CURVE)[labels == 2] < 0.2).all()


def test_the_more_alike_the_surer(make_faces: MakeFaces) -> None:
    vectors, person = make_faces([8, 8, 8, 8])
    mean = vectors[person == 0].mean(axis=0)
    base = (mean / np.linalg.norm(mean)).astype(np.float32)
    chances = []
    for cosine in np.arange(-0.2, 1.0, 0.05):
        everyone = np.concatenate([vectors, at_cosine(base, float(cosine))[None]])
        chances.append(face_probabilities(everyone, np.append(person, 0), SFACE_CURVE)[-1])
    assert (np.diff(chances) >= 0).all()
    assert chances[0] < 0.01
    assert chances[-1] > 0.99


def test_where_many_hardly_are_with_their_own_a_new_face_need_not_be_as_alike(make_faces: MakeFaces) -> None:
    loose = []
    for noise in (0.6, 1.6):
        vectors, person = make_faces([8] * 30, noise=noise)
        mean, size = label_means(vectors, person)
        loose.append(confidence.looseness(vectors, person, mean, size, np.zeros(30), MADE_CURVE, scale=1.0))
    assert loose[0] < loose[1] <= 0
    less, more = (
        confidence.probability(confidence.new_features(np.array([1.0, 5.0, 30.0]), one), confidence.FITTED["new"])
        for one in loose
    )
    assert less[0] < more[0] < 0.5 < more[2] <= less[2]


def test_the_same_similarity_says_less_among_more_clusters() -> None:
    z = np.full(1, 4.0)
    assert np.all(np.diff([evidence(z, clusters)[0] for clusters in (2, 10, 1000, 200_000)]) < 0)


def test_wider_strangers_make_less_sure(make_faces: MakeFaces) -> None:
    vectors, person = make_faces([4, 4, 4], noise=1.0)
    narrow, wide = (face_probabilities(vectors, person, SFACE_CURVE, scale=scale) for scale in (1.0, 1.3))
    assert (wide < narrow).all()


def test_order_and_length_of_vectors_do_not_matter(make_faces: MakeFaces) -> None:
    vectors, person = make_faces([9, 4, 2, 1, 1, 1])
    chance = face_probabilities(vectors, person, SFACE_CURVE)
    shuffled = np.random.default_rng(1).permutation(len(person))
    longer = vectors[shuffled] * np.linspace(0.5, 9, len(person), dtype=np.float32)[:, None]
    renamed = 7 * person[shuffled] + 3
    np.testing.assert_allclose(face_probabilities(longer, renamed, SFACE_CURVE), chance[shuffled], atol=1e-4)


def test_a_single_face_is_rightly_alone_unless_someone_is_like_it(make_faces: MakeFaces) -> None:
    vectors, person = make_faces([10, 10, 10, 1, 1, 1, 1, 1, 1])
    stray = np.flatnonzero(person == 0)[0]
    labels = person.copy()
    labels[stray] = 99
    chance = face_probabilities(vectors, labels, MADE_CURVE)
    assert chance[stray] < 0.3
    assert chance[person >= 3].min() > 0.8


def test_no_cluster_no_probability(make_faces: MakeFaces) -> None:
    vectors, person = make_faces([3, 3])
    labels = np.where(person == 1, -1, person)
    np.testing.assert_array_equal(np.isnan(face_probabilities(vectors, labels, SFACE_CURVE)), person == 1)


def test_nobody_at_all() -> None:
    none = np.zeros((0, 128), np.float32), np.zeros(0, np.int64)
    assert face_probabilities(*none, SFACE_CURVE).shape == (0,)
    pairs, chance = likely_pairs(*none, SFACE_CURVE)
    assert pairs.shape == (0, 2)
    assert chance.shape == (0,)
    assert pair_probabilities(*none, pairs, SFACE_CURVE).shape == (0,)


def test_one_face_in_the_world() -> None:
    vector = np.eye(1, 128, dtype=np.float32)
    chance = face_probabilities(vector, np.zeros(1, np.int64), SFACE_CURVE)
    assert 0.5 < chance[0] <= 1


def test_fragments_of_one_person_stand_out(make_faces: MakeFaces) -> None:
    vectors, person = make_faces([12, 7, 6, 5, 4, 3, 2, 1])
    labels = person.copy()
    labels[np.flatnonzero(person == 0)[:5]] = 8  # the first person in two parts
    pairs, chance = likely_pairs(*label_means(vectors, labels), MADE_CURVE)
    np.testing.assert_array_equal(pairs[0], [0, 8])
    assert chance[0] > 0.9
    assert (chance[1:] < 0.2).all()


def test_pairs_are_between_0_and_1_and_do_not_care_who_is_first(make_faces: MakeFaces) -> None:
    mean, size = label_means(*make_faces([5, 4, 3, 2, 1, 1]))
    pairs = np.argwhere(np.triu(np.ones((6, 6)), 1))
    chance = pair_probabilities(mean, size, pairs, SFACE_CURVE)
    assert ((chance >= 0) & (chance <= 1)).all()
    np.testing.assert_allclose(pair_probabilities(mean, size, pairs[:, ::-1], SFACE_CURVE), chance, rtol=1e-5)


def some_clusters() -> tuple[F32, I64]:
    """Clusters of many sizes, some pairs of them alike."""
    random = np.random.default_rng(3)
    mean = random.normal(size=(300, 128)) + np.repeat(random.normal(size=(100, 128)), 3, axis=0) * 0.8
    size = random.integers(1, 9, 300) ** 2
    return (0.8 * mean / np.linalg.norm(mean, axis=1, keepdims=True)).astype(np.float32), size


@pytest.mark.parametrize("least", [1e-3, 0.01, 0.5])
@pytest.mark.parametrize("cells", [2000, 1 << 24])
def test_the_search_misses_no_pair(monkeypatch: pytest.MonkeyPatch, least: float, cells: int) -> None:
    monkeypatch.setattr(index, "BLOCK_CELLS", cells)
    mean, size = some_clusters()
    pairs, chance = likely_pairs(mean, size, SFACE_CURVE, most=10**6, least=least)
    every = np.argwhere(np.triu(np.ones((len(size), len(size))), 1))
    expected = pair_probabilities(mean, size, every, SFACE_CURVE)
    np.testing.assert_array_equal(np.unique(pairs, axis=0), every[expected >= least])
    np.testing.assert_allclose(chance, np.sort(expected[expected >= least])[::-1], rtol=1e-4)


def test_the_best_few_are_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "BLOCK_CELLS", 2000)
    monkeypatch.setattr(confidence, "KEPT", 3)
    mean, size = some_clusters()
    every, chances = likely_pairs(mean, size, SFACE_CURVE, most=10**6)
    few, chance = likely_pairs(mean, size, SFACE_CURVE, most=5)
    np.testing.assert_array_equal(few, every[:5])
    np.testing.assert_array_equal(chance, chances[:5])


def test_an_index_takes_over_for_many_clusters(monkeypatch: pytest.MonkeyPatch, make_faces: MakeFaces) -> None:
    vectors, person = make_faces([10, 8, 6, 4] + [1] * 60)
    labels = person.copy()
    labels[np.flatnonzero(person == 0)[:4]] = 64
    exact = face_probabilities(vectors, labels, SFACE_CURVE), likely_pairs(*label_means(vectors, labels), SFACE_CURVE)
    monkeypatch.setattr(index, "EXACT_PAIRS", 100)
    np.testing.assert_allclose(face_probabilities(vectors, labels, SFACE_CURVE), exact[0], atol=1e-5)
    np.testing.assert_array_equal(likely_pairs(*label_means(vectors, labels), SFACE_CURVE)[0][0], exact[1][0][0])
