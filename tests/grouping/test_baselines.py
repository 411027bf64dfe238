import numpy as np
import pytest
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import adjusted_rand_score

from unmingle.grouping.baselines import average_linkage, cut, k_means
from unmingle.models.embedding import unit


@pytest.fixture
def people() -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors of 60 faces of 6 people, one of them twice the same; and whose they are."""
    random = np.random.default_rng(3)
    whose = np.repeat(np.arange(6), 10)
    vectors = random.normal(size=(6, 32))[whose] + 0.4 * random.normal(size=(60, 32))
    vectors[1] = vectors[0]
    return unit(vectors.astype(np.float32)), whose


def test_a_cut_is_what_scikit_learn_gives(people: tuple[np.ndarray, np.ndarray]) -> None:
    vectors, whose = people
    tree = average_linkage(vectors)
    for cosine in (0.1, 0.5, 0.8, 0.95):
        method = AgglomerativeClustering(None, metric="cosine", linkage="average", distance_threshold=1 - cosine)
        assert adjusted_rand_score(method.fit_predict(vectors), cut(tree, cosine)) == 1
    assert adjusted_rand_score(whose, cut(tree, 0.5)) == 1


def test_k_means_finds_people_whose_number_it_knows(people: tuple[np.ndarray, np.ndarray]) -> None:
    assert adjusted_rand_score(people[1], k_means(people[0], 6, starts=10)) == 1


def test_one_face_is_one_cluster() -> None:
    assert cut(average_linkage(np.ones((1, 4), np.float32)), 0.5).tolist() == [0]
    assert unit(np.array([[3.0, 4.0], [0.0, 0.0]], np.float32)).tolist() == [
        [pytest.approx(0.6), pytest.approx(0.8)],
        [0, 0],
    ]
