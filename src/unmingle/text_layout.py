"""Text on a line: any name that a file or a person may have, made harmless and short; times and marks of an axis."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence

TICKS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)  # seconds between two marks
MOST_TICKS = 10

# Controls, halves of signs, signs that Unicode doesn't know, and line breaks of all sorts.
_UNSEEN = frozenset({"Cc", "Cs", "Cn", "Co", "Zl", "Zp"})
# Marks that turn the direction of writing could make a name lie.
_DIRECTIONS = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def shows(sign: str) -> bool:
    """Whether a sign is one that can be seen, or joins such signs, as Persian and Sinhala need it."""
    return unicodedata.category(sign) not in _UNSEEN and sign not in _DIRECTIONS


# What spreadsheet programs take for a formula, behind the apostrophes that say that it is none.
FORMULA = r"^('*[=+\-@\t\r])"


def csv_cell(text: str) -> str:
    """The text of a cell, with an apostrophe in front of what a spreadsheet program would compute."""
    return f"'{text}" if re.match(FORMULA, text) else text


def csv_text(cell: str) -> str:
    """The text that `csv_cell` made a cell of."""
    return cell[1:] if cell[:1] == "'" and re.match(FORMULA, cell) else cell


def counted(number: int, one: str, many: str = "") -> str:
    """`1 face`, `2,400 faces`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def listed(lines: Sequence[str], most: int) -> list[str]:
    """At most so many lines, set in, and how many more there are; a single one more is shown instead."""
    more = len(lines) - most
    rest = [f"and {more:,} more; --json has them all"] if more > 1 else lines[most:]
    return [f"  {line}" for line in (*lines[:most], *rest)]


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


def columns(text: str) -> int:
    """Columns that a text takes, roughly: two for a wide sign."""
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)


def ticks(duration: float) -> list[float]:
    """Instants to mark on an axis of so many seconds, from 0 on."""
    longest = TICKS[-1] * max(1, math.ceil(duration / MOST_TICKS / TICKS[-1]))
    step = next((step for step in TICKS if duration / step <= MOST_TICKS), longest)
    return [float(at) for at in range(0, int(duration) + 1, step)]


def clock(seconds: float) -> str:
    """`0:04`, `12:30`, `1:02:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
