from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image

from unmingle.text_layout import clean, columns, fit, save, shorten


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


def test_a_text_is_measured_as_it_is_drawn() -> None:
    wide, narrow = (fit(sign * 100, 120, size=8, weight="normal", dpi=100) for sign in "Wi")
    assert 5 < len(wide) < len(narrow) < 100
    assert fit("short", 120, size=8, weight="bold", dpi=100) == "short"
    assert fit("W" * 9, 1, size=8, weight="bold", dpi=100) == "…"


def test_any_text_is_drawn_without_a_warning(tmp_path: Path) -> None:
    figure = Figure(figsize=(2, 1), dpi=50)
    figure.text(0.1, 0.5, "田中 📷 \U0010ffff $x_", parse_math=False)
    save(figure, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (100, 50)
