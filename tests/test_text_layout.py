import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmingle.text_layout import MOST_TICKS, clean, clock, columns, shorten, ticks


def test_the_middle_goes_first() -> None:
    assert shorten("6513270e-269e_00000290_3.jpg", 15) == "6513270…0_3.jpg"
    assert shorten("short", 5) == "short"
    assert shorten("田中太郎さん", 7) == "田中…ん"


@given(st.text(max_size=40), st.integers(1, 30))
def test_a_shortened_text_fits_on_one_line(text: str, width: int) -> None:
    short = shorten(text, width)
    assert columns(short) <= width
    assert short.isprintable()
    assert short == clean(text) or "…" in short


def test_signs_without_a_shape_are_shown() -> None:
    assert clean("a\nb\tc\x00") == "a⏎b�c�"
    assert clean("محمد\u200cرضا") == "محمدرضا"


@pytest.mark.parametrize("duration", [0.04, 9.9, 61, 7_201, 144_001, 1e7, 1e13])
def test_an_axis_has_a_few_marks_however_long_it_is(duration: float) -> None:
    marks = ticks(duration)
    assert marks[0] == 0
    assert len(marks) <= MOST_TICKS + 1
    assert marks[-1] <= duration
    assert clock(ticks(125.5)[1]) == "0:15"
