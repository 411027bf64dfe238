"""Contact sheets: one person's faces on a page, and all people on another."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageChops, ImageDraw, ImageFont

from unmingle.faces.thumbnail import show_thumbnail
from unmingle.text_layout import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

TILE = 112  # pixels, the side of a stored thumbnail
GAP = 8
EDGE = 40
CORNER = 10  # radius of a tile's corners
COLUMNS = 10
MOST = 100  # faces on a sheet, people on an overview
STRIP = 6  # faces of each person on the overview

PAPER, INK, FAINT, LINE = "#fbfaf8", "#1f2328", "#6b7280", "#e7e5e0"


@dataclass(frozen=True, slots=True)
class PersonCard:
    """A person on the overview: what to call them, a line below, and the JPEGs of a few faces."""

    title: str
    note: str
    faces: tuple[bytes, ...]


def spread(count: int, most: int) -> list[int]:
    """At most `most` of 0 … count-1, evenly spread over them and with both ends."""
    if count <= most:
        return list(range(count))
    if most == 1:
        return [count // 2]
    return [round(i * (count - 1) / (most - 1)) for i in range(most)]


def contact_sheet(faces: Sequence[bytes], *, title: str, note: str) -> Image.Image:
    """One page of faces under a title.

    Args:
        faces: JPEG thumbnails, in the order to show them.
        title: large, such as the person's name.
        note: small, such as how many faces there are and how many are shown.
    """
    columns = _columns(len(faces))
    rows = -(-len(faces) // columns)
    width = max(2 * EDGE + columns * (TILE + GAP) - GAP, _title_width(title, note) + 2 * EDGE)
    page = Image.new("RGB", (width, 2 * EDGE + 84 + rows * (TILE + GAP) - GAP), PAPER)
    _heading(page, title, note)
    for i, face in enumerate(faces):
        row, column = divmod(i, columns)
        paste(page, face, EDGE + column * (TILE + GAP), EDGE + 84 + row * (TILE + GAP))
    return page


def overview(people: Sequence[PersonCard], *, title: str, note: str) -> Image.Image:
    """All people on one page, in the order given: a strip of faces each, with name and count."""
    columns = 1 if len(people) <= 6 else 2
    rows = -(-len(people) // columns)
    card_width, card_height = STRIP * (TILE + GAP) - GAP, TILE + 62
    width = 2 * EDGE + columns * (card_width + EDGE) - EDGE
    page = Image.new(
        "RGB", (max(width, _title_width(title, note) + 2 * EDGE), 2 * EDGE + 84 + rows * card_height), PAPER
    )
    _heading(page, title, note)
    for i, person in enumerate(people):
        # Down the first column, then the second: largest first is read from top to bottom.
        column, row = divmod(i, rows)
        _card(page, person, EDGE + column * (card_width + EDGE), EDGE + 84 + row * card_height)
    return page


def encode(page: Image.Image) -> bytes:
    """The page as a JPEG file."""
    buffer = io.BytesIO()
    page.save(buffer, "JPEG", quality=90, subsampling=0)
    return buffer.getvalue()


def _columns(count: int) -> int:
    """Few faces make a squarer page, many the full width."""
    return max(1, min(COLUMNS, max(5, round(sqrt(count * 1.6)))))


def _title_width(title: str, note: str) -> int:
    return int(max(font(30, bold=True).getlength(clean(title)), font(16).getlength(clean(note))))


def _heading(page: Image.Image, title: str, note: str) -> None:
    draw = ImageDraw.Draw(page)
    draw.text((EDGE, EDGE - 10), clean(title), font=font(30, bold=True), fill=INK)
    draw.text((EDGE, EDGE + 34), clean(note), font=font(16), fill=FAINT)


def _card(page: Image.Image, person: PersonCard, x: int, y: int) -> None:
    draw = ImageDraw.Draw(page)
    title = clean(person.title)
    draw.line((x, y - 8, x + STRIP * (TILE + GAP) - GAP, y - 8), fill=LINE, width=1)
    draw.text((x, y), title, font=font(18, bold=True), fill=INK)
    after = x + font(18, bold=True).getlength(title) + 14
    draw.text((after, y + 3), clean(person.note), font=font(15), fill=FAINT)
    for i, face in enumerate(person.faces):
        paste(page, face, x + i * (TILE + GAP), y + 30)


def paste(page: Image.Image, jpeg: bytes, x: int, y: int, *, side: int = TILE) -> None:
    """Put a face on a page, as a square of `side` pixels with round corners."""
    page.paste(show_thumbnail(jpeg).resize((side, side)), (x, y), _rounded(side))


@lru_cache(maxsize=4)
def _rounded(side: int) -> Image.Image:
    """The mask of a tile, drawn four times too large and shrunk, so that its corners are smooth."""
    mask = Image.new("L", (side * 4, side * 4), 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, side * 4 - 1, side * 4 - 1), CORNER * 4 * side // TILE, fill=255)
    return ImageChops.duplicate(mask.resize((side, side), Image.Resampling.LANCZOS))


@lru_cache(maxsize=8)
def font(size: int, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which comes with matplotlib: the same on every machine, and most alphabets in it."""
    from matplotlib import get_data_path

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(get_data_path(), "fonts", "ttf", name)), size)
