from collections import Counter
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.evaluation.tables import evaluated

from unmingle.errors import PictureError
from unmingle.evaluation.score_files import worst_mistakes
from unmingle.render.drawing import EDGE, HEAD
from unmingle.render.figures import FACE, mistakes_sheet

RIGHT = [("a", 0, 0.5)] * 20 + [("b", 1, 0.5)] * 20 + [("c", 2, 0.5)] * 20


def red(row: dict[str, Any]) -> NDArray[np.uint8]:
    return np.full((40, 20, 3), (200, 10, 10), np.uint8)


def test_the_most_numerous_and_the_clearest_come_first() -> None:
    wrong = [("a", None, 1.0), ("c", 7, 1.0), ("b", 2, 1.0), ("a", 1, 0.2), ("a", 1, 0.9), ("a", 1, 0.6)]
    found, total = worst_mistakes(evaluated(*RIGHT, *wrong))
    assert total == 6
    assert [(one["label"], one["predicted"], one["quality"], one["alike"]) for one in found] == [
        ("a", "b", 0.9, 3),
        ("a", "b", 0.6, 3),
        ("a", "b", 0.2, 3),
        ("b", "c", 1.0, 1),
        ("c", None, 1.0, 1),
        ("a", None, 1.0, 1),
    ]


def test_no_confusion_crowds_out_the_others() -> None:
    wrong = [("a", 1, 0.5)] * 15 + [("b", 2, 0.5)] * 9 + [("c", None, 0.5)] * 4
    found, total = worst_mistakes(evaluated(*RIGHT, *wrong), most=20)
    assert (len(found), total) == (20, 28)
    assert Counter(one["label"] for one in found) == {"a": 10, "b": 6, "c": 4}


def test_the_sheet_shows_the_faces_in_proportion() -> None:
    wrong = [("a", 1, 0.5)] * 3
    picture = mistakes_sheet(evaluated(*RIGHT, *wrong), red)
    assert picture is not None
    faces = np.asarray(picture).astype(int)[EDGE + HEAD : EDGE + HEAD + FACE]
    is_red = (faces[..., 0] > 180) & (faces[..., 1] < 40)
    # 40 × 20 pixels fill the height and half the width.
    assert is_red.sum() == pytest.approx(3 * FACE * FACE // 2, rel=0.02)
    assert is_red[:, EDGE + FACE // 4 + 1 : EDGE + 3 * FACE // 4 - 1].all()


def test_a_face_that_cannot_be_shown_says_why() -> None:
    def gone(row: dict[str, Any]) -> NDArray[np.uint8]:
        raise PictureError(f"{row['file']} is gone.")

    picture = mistakes_sheet(evaluated(*RIGHT, ("a", 1, 0.5)), gone)
    assert picture is not None
    face = np.asarray(picture.convert("L"))[EDGE + HEAD : EDGE + HEAD + FACE, EDGE : EDGE + FACE]
    assert face.min() < 200, "the reason is not written"


def test_no_sheet_without_a_mistake() -> None:
    assert mistakes_sheet(evaluated(*RIGHT), red) is None
