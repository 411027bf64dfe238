"""Text in pictures: any name that a file or a person may have, drawn without a warning and without surprises."""

from __future__ import annotations

import unicodedata
import warnings
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from matplotlib.figure import Figure

# matplotlib's own font has no Han, kana or Hangul; what the machine has of these is asked for them.
FONTS = ("DejaVu Sans",)
MORE_FONTS = (
    *("Noto Sans CJK JP", "Noto Sans JP", "Source Han Sans JP", "Hiragino Sans", "Yu Gothic", "Meiryo", "MS Gothic"),
    *("IPAexGothic", "TakaoGothic", "PingFang SC", "Microsoft YaHei", "WenQuanYi Zen Hei", "Malgun Gothic"),
)


@cache
def fonts() -> tuple[str, ...]:
    """The font that comes with matplotlib and what the machine has beyond it, for the `family` of a text."""
    from matplotlib.font_manager import fontManager

    known = set(fontManager.get_font_names())
    return (*FONTS, *(name for name in MORE_FONTS if name in known))


# Controls, halves of signs, signs that Unicode doesn't know, and line breaks of all sorts.
_UNSEEN = frozenset({"Cc", "Cs", "Cn", "Co", "Zl", "Zp"})
# Marks that turn the direction of writing could make a name lie.
_DIRECTIONS = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def shows(sign: str) -> bool:
    """Whether a sign is one that can be seen, or joins such signs, as Persian and Sinhala need it."""
    return unicodedata.category(sign) not in _UNSEEN and sign not in _DIRECTIONS


def printable(text: str) -> str:
    """The text on one line for a terminal, with what doesn't show escaped; bytes that are no text as such."""
    return text if text.isprintable() else "".join(sign if shows(sign) else _escape(sign) for sign in text)


def _escape(sign: str) -> str:
    code = ord(sign)
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else sign.encode("unicode_escape").decode()


def clean(text: str) -> str:
    """The text on one line, with a visible sign for each that has no shape; joiners have none and need none."""
    shown = text.replace("\u200c", "").replace("\u200d", "")
    return "".join("⏎" if sign == "\n" else sign if sign.isprintable() else "�" for sign in shown)


def shorten(text: str, width: int) -> str:
    """The text in at most `width` columns, its middle left out: both ends of a name tell; wide signs count twice."""
    text = clean(text)
    if columns(text) <= width:
        return text
    head, tail = "", ""
    ends = list(text)
    while ends:
        grow_head = columns(head) <= columns(tail)
        sign = ends.pop(0) if grow_head else ends.pop()
        if columns(head) + columns(tail) + columns(sign) + 1 > width:
            break
        head, tail = (head + sign, tail) if grow_head else (head, sign + tail)
    return f"{head}…{tail}"


def fit(text: str, room: float, *, size: float, weight: str, dpi: float) -> str:
    """The text, its middle left out until it takes at most `room` pixels at `size` points."""
    from matplotlib.backends.backend_agg import RendererAgg
    from matplotlib.font_manager import FontProperties

    renderer = RendererAgg(1, 1, dpi)
    font = FontProperties(family=list(fonts()), size=size, weight=weight)
    width = columns(clean(text))
    with no_glyph_warnings():
        while width > 1:
            wide, _, _ = renderer.get_text_width_height_descent(shorten(text, width), font, ismath=False)
            if wide <= room:
                break
            width = min(width - 1, int(width * room / wide) + 1)
    return shorten(text, width)


def columns(text: str) -> int:
    """Columns that a text takes, roughly: two for a wide sign."""
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)


def save(figure: Figure, path: Path) -> None:
    """Write a figure as png, without a display or global state; a sign that no font has becomes a box."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    with no_glyph_warnings():
        FigureCanvasAgg(figure).print_png(path)


@contextmanager
def no_glyph_warnings() -> Iterator[None]:
    """Silence the warning that a font lacks a sign: the box in its place says so."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        yield
