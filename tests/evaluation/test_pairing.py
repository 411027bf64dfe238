import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from unmingle.evaluation.comparison import pair_faces, pair_pictures
from unmingle.faces.boxes import overlaps
from unmingle.records import BOX

Box = tuple[float, float, float, float]


def boxes(*faces: tuple[int, Box]) -> pl.DataFrame:
    """Faces as (picture, box), numbered on each picture in their order."""
    pictures = [picture for picture, _ in faces]
    numbers = [pictures[:i].count(picture) for i, picture in enumerate(pictures)]
    schema = {"spot": pl.Int64, "face": pl.Int64, **dict.fromkeys(BOX, pl.Float64)}
    rows = [(spot, number, *box) for (spot, box), number in zip(faces, numbers, strict=True)]
    return pl.DataFrame(rows, schema=schema, orient="row")


def pairs(one: pl.DataFrame, other: pl.DataFrame) -> list[tuple[int, ...]]:
    return [tuple(pair) for pair in pair_faces(one, other, least=0.4).tolist()]


box = st.tuples(*[st.floats(0, 0.5)] * 2, *[st.floats(0.05, 0.5)] * 2)
many = st.lists(st.tuples(st.integers(0, 3), box), max_size=8)


@given(many)
def test_every_face_is_itself(faces: list[tuple[int, Box]]) -> None:
    found = pairs(boxes(*faces), boxes(*faces))
    assert [faces[a] for a, _ in found] == [faces[b] for _, b in found]
    assert len(found) == len(faces)


@given(many, many)
def test_pairs_are_one_to_one_and_overlap_from_either_side(
    one: list[tuple[int, Box]], other: list[tuple[int, Box]]
) -> None:
    found = pairs(boxes(*one), boxes(*other))
    assert len({i for i, _ in found}) == len({j for _, j in found}) == len(found)
    assert len(pairs(boxes(*other), boxes(*one))) == len(found)
    for i, j in found:
        assert one[i][0] == other[j][0]
        assert overlaps(np.array([one[i][1]]), np.array([other[j][1]]))[0, 0] >= 0.4


def test_the_best_assignment_is_not_the_greedy_one() -> None:
    """The first face overlaps both others, and the second only what the first would take."""
    one = boxes((0, (0.10, 0, 0.2, 0.2)), (0, (0.14, 0, 0.2, 0.2)))
    other = boxes((0, (0.11, 0, 0.2, 0.2)), (0, (0.04, 0, 0.2, 0.2)))
    assert pairs(one, other) == [(0, 1), (1, 0)]


def test_a_face_elsewhere_is_another_face() -> None:
    assert pairs(boxes((0, (0, 0, 0.2, 0.2))), boxes((0, (0.5, 0, 0.2, 0.2)))) == []
    assert pairs(boxes((0, (0, 0, 0.2, 0.2))), boxes((1, (0, 0, 0.2, 0.2)))) == []
    assert pairs(boxes(), boxes((0, (0, 0, 0.2, 0.2)))) == []


def test_the_whole_picture_is_its_main_face() -> None:
    whole = boxes((0, (0, 0, 1, 1)))
    faces = boxes((0, (0.4, 0.4, 0.1, 0.1)), (0, (0, 0, 0.6, 0.9)))
    assert pairs(whole, faces) == [(0, 0)]
    assert pairs(faces, whole) == [(0, 0)]


def test_pictures_are_the_same_by_content_then_by_name() -> None:
    first = {"aa": ["x/1.jpg"], "bb": ["x/2.JPG"], "cc": ["3.jpg"], "dd": ["4.jpg"], "ee": ["4.jpg"]}
    second = {"aa": ["moved.jpg"], "ff": ["x/2.jpg"], "gg": ["y/3.jpg"], "hh": ["4.jpg"], "ii": ["x/1.jpg"]}

    def frame(names: dict[str, list[str]]) -> pl.DataFrame:
        rows = [(content, name) for content, files in names.items() for name in files]
        return pl.DataFrame(rows, schema=["content", "file"], orient="row")

    assert pair_pictures(frame(first), frame(second)) == [("aa", "aa"), ("bb", "ff")]
    assert [pair[::-1] for pair in pair_pictures(frame(second), frame(first))] == [("aa", "aa"), ("bb", "ff")]
