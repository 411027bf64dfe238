"""Results as HTML for a notebook: whole in itself, without scripts, readable on light and on dark paper."""

from __future__ import annotations

import base64
import html
from typing import TYPE_CHECKING

from unmingle.text_layout import clean, shorten

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SIDE = 64  # pixels of a face; stored thumbnails are larger, so that they are sharp on fine screens
LONGEST = 60  # columns of a text from elsewhere; the middle of a longer one is left out
# Neither paper nor ink is ours: a notebook may be light or dark, and greys that let it through are read on both.
_FAINT = "opacity:.7;font-size:90%"
_CELL = "text-align:left;padding:2px 14px 2px 0;vertical-align:top;background:none;border:0"
_LINE = "border-top:1px solid rgba(128,128,128,.35)"


def text(value: object) -> str:
    """Any text as a part of a page: harmless, on one line, and in one direction of its own."""
    return f"<bdi>{html.escape(shorten(clean(str(value)), LONGEST))}</bdi>"


def block(*parts: str) -> str:
    """Parts one below the other."""
    return f'<div style="margin:4px 0">{"".join(parts)}</div>'


def heading(title: str, note: str = "") -> str:
    """A line that says what follows, and a fainter remark behind it."""
    behind = f'<span style="{_FAINT};margin-left:10px">{text(note)}</span>' if note else ""
    return f'<div style="margin-top:6px"><strong>{text(title)}</strong>{behind}</div>'


def remark(line: str) -> str:
    """A fainter line."""
    return f'<div style="{_FAINT}">{html.escape(clean(line))}</div>'


def table(rows: Iterable[Sequence[object]], head: Sequence[str] = ()) -> str:
    """Rows of texts; without a head, the first column is what the second is about."""
    titles = "".join(f'<th style="{_CELL};font-weight:600">{text(title)}</th>' for title in head)
    body = "".join(
        f'<tr style="background:none;{_LINE}">'
        + "".join(f'<td style="{_CELL}">{text(cell)}</td>' for cell in row)
        + "</tr>"
        for row in rows
    )
    top = f"<thead><tr>{titles}</tr></thead>" if head else ""
    return f'<table style="border-collapse:collapse;margin:4px 0">{top}<tbody>{body}</tbody></table>'


def address(jpeg: bytes) -> str:
    """A JPEG as a data address, so that a page needs no other file."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode('ascii')}"


def faces(jpegs: Iterable[bytes], *, of: str, side: int = SIDE) -> str:
    """A strip of faces, which wraps where the page ends.

    Args:
        jpegs: square pictures.
        of: who or what they show, for those who can't see them.
        side: pixels of each on the page.
    """
    about = html.escape(clean(of), quote=True)
    style = f"display:inline-block;margin:2px;border-radius:6px;width:{side}px;height:{side}px;max-width:none"
    return block(
        *(f'<img alt="{about}" width="{side}" height="{side}" style="{style}" src="{address(jpeg)}">' for jpeg in jpegs)
    )
