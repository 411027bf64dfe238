import numpy as np
import pytest
from numpy.typing import NDArray
from tests.evaluation.tables import evaluated

from unmingle.evaluation.score_files import count_confusions
from unmingle.evaluation.scores import Evaluation
from unmingle.render.figures import confusion_matrix


def evaluation(true: list[str], predicted: NDArray[np.int64]) -> Evaluation:
    return evaluated(*((who, int(p) if p >= 0 else None, 0.5) for who, p in zip(true, predicted, strict=True)))


def test_counts() -> None:
    found = count_confusions(evaluation(list("aaaaabbb"), np.array([0, 0, 0, 1, -1, 1, 1, 9])))
    assert (found.labels, found.sizes, found.people) == (("a", "b"), (5, 3), 2)
    #                                    a  b  not shown, of nobody, left out
    assert found.count_sk.tolist() == [[3, 1, 0, 0, 1], [0, 2, 0, 1, 0]]


def test_only_the_most_confused_of_many_are_shown() -> None:
    # Persons 0 … 9, in natural order; 3 and 10 are taken for each other, 7 once for 8.
    true = np.repeat(np.arange(12), 4)
    predicted = true.copy()
    predicted[[12, 40]] = [10, 3]
    predicted[28] = 8
    found = count_confusions(evaluation([f"p{t}" for t in true], predicted), most=3)
    assert found.labels == ("p3", "p7", "p10")
    assert found.count_sk.tolist() == [[3, 0, 1, 0, 0, 0], [0, 3, 0, 1, 0, 0], [1, 0, 3, 0, 0, 0]]


@pytest.mark.parametrize("people", [1, 5, 30, 60])
def test_the_picture_can_be_drawn_for_few_and_many(people: int) -> None:
    random = np.random.default_rng(people)
    true = random.integers(0, people, 300)
    predicted = np.where(random.random(300) < 0.8, true, random.integers(-1, people, 300))
    picture = confusion_matrix(evaluation([f"$p_{t}\n田" for t in true], predicted))
    width, height = picture.size
    pixels = np.asarray(picture).reshape(-1, 3).astype(int)
    assert 500 < width < 2200
    assert 300 < height < 2200
    blue, red = pixels[:, 2] - pixels[:, 0] > 80, pixels[:, 0] - pixels[:, 2] > 25
    assert blue.sum() > 200, "no cell is right"
    assert people == 1 or red.sum() > 200, "no cell is wrong"


def test_everything_left_out_can_be_drawn() -> None:
    assert confusion_matrix(evaluation(["a", "b"], np.array([-1, -1]))).size > (500, 200)
