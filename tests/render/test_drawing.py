from __future__ import annotations

import re

import numpy as np
import pytest

from unmingle.render.drawing import HEIGHT, WIDTH, axis, bars, hills, size_bands
from unmingle.render.page import counted, percent
from unmingle.render.similarity import similarity


def test_hills_stay_in_their_frame_and_rise_where_the_pairs_are() -> None:
    vectors = np.eye(4, dtype=np.float32)[[0, 0, 1, 2, 3]]
    found = hills(similarity(vectors, np.array([0, 0, -1, -1, -1]), 0.5))
    for outline in (found.same, found.different):
        points = [tuple(map(float, pair)) for pair in re.findall(r"([\d.]+) ([\d.]+)", outline)]
        assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in points)
    assert found.line == pytest.approx(WIDTH * (0.5 + 0.4) / 1.4)
    top = min((float(y), float(x)) for x, y in re.findall(r"([\d.]+) ([\d.]+)", found.different))
    assert top[1] == pytest.approx(WIDTH * 0.4 / 1.4, abs=12)
    assert hills(similarity(vectors[2:], np.array([-1, -1, -1]), None)).same == ""


def test_bands_hold_everybody_once() -> None:
    sizes = [2, 2, 3, 9, 10, 499, 500, 12345]
    counts = dict(size_bands(sizes))
    assert sum(counts.values()) == len(sizes)
    assert counts["2 faces"] == 2
    assert counts["500 or more faces"] == 2
    assert [title for title, _ in size_bands([2, 6])] == ["2 faces", "3 to 4 faces", "5 to 9 faces"]


def test_bars_are_as_long_as_their_share_of_the_longest() -> None:
    assert [bar.share for bar in bars([("a", 4), ("b", 1)])] == [1, 0.25]
    assert bars([]) == ()


def test_an_axis_ends_within_the_recording() -> None:
    assert all(0 <= at <= 1 for at, _ in axis(125.5).marks)
    assert axis(125.5).marks[1][1] == "0:15"


@pytest.mark.parametrize(
    ("share", "shown"), [(1, "100 %"), (0.99996, "over 99.9 %"), (0, "0 %"), (0.0001, "under 0.1 %"), (0.973, "97.3 %")]
)
def test_a_share_is_never_rounded_to_all_or_nothing(share: float, shown: str) -> None:
    assert percent(share) == shown


def test_numbers_agree_with_their_nouns() -> None:
    assert counted(1, "face") == "1 face"
    assert counted(2400, "person", "people") == "2,400 people"
