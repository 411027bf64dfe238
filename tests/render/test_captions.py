from __future__ import annotations

import pytest

from unmingle.render.captions import MOST_TICKS, ticks


@pytest.mark.parametrize("duration", [0.04, 9.9, 61, 7_201, 144_001, 1e7, 1e13])
def test_an_axis_has_a_few_marks_however_long_it_is(duration: float) -> None:
    marks = ticks(duration)
    assert marks[0] == 0
    assert len(marks) <= MOST_TICKS + 1
    assert marks[-1] <= duration
