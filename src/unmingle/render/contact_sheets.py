"""Faces and people on pages that are pictures: one person, all people, the worst mistakes, who is on screen when."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

from PIL import Image

from unmingle.faces.align import show_thumbnail
from unmingle.render.canvas import EDGE, FAINT, GAP, HEAD, LINE, MAT, TILE, Canvas, heading_width
from unmingle.text_layout import clock, shorten, ticks

if TYPE_CHECKING:
    from collections.abc import Sequence

COLUMNS = 10
MOST = 100  # faces on a sheet, people on an overview
STRIP = 6  # faces of each person on the overview
ROW, FACE = 56, 44  # pixels on a timeline, of a person and of their face
NAMES, BARS = 320, 1040  # pixels on a timeline, the widths of the two columns
LETTERS = 24  # of a name on a timeline
COLOURS = ("#2f6f8f", "#b4632f", "#5d7f3a", "#8a4f7d", "#a8862b", "#4a5a9a", "#a04545", "#3f8a7a")

Line = tuple[str, int, str, bool]  # text, size in pixels, colour, bold


@dataclass(frozen=True, slots=True)
class PersonCard:
    """A person on the overview: what to call them, a line below, and the JPEGs of a few faces."""

    title: str
    note: str
    faces: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class PersonRow:
    """A person on a timeline: what to call them, a JPEG of a face, and from when to when they are on screen."""

    title: str
    face: bytes
    spans: tuple[tuple[float, float], ...]


def contact_sheet(
    faces: Sequence[bytes | Image.Image | str],
    *,
    title: str,
    note: str,
    captions: Sequence[Sequence[Line]] = (),
    side: int = TILE,
) -> Image.Image:
    """One page of faces under a title: thumbnails, pictures, or why there is none, with lines below each."""
    # Few faces make a squarer page, many the full width.
    columns = max(1, min(COLUMNS, max(5, round(sqrt(len(faces) * 1.6)))))
    across, down = (
        side + GAP,
        side + GAP + max((sum(line[1] + 3 for line in lines) + 2 * GAP for lines in captions), default=0),
    )
    width = max(2 * EDGE + columns * across - GAP, heading_width(title, note))
    canvas = Canvas(width, 2 * EDGE + HEAD + -(-len(faces) // columns) * down - GAP)
    canvas.heading(title, note)
    for i, face in enumerate(faces):
        x, y = EDGE + i % columns * across, EDGE + HEAD + i // columns * down
        if isinstance(face, str):
            canvas.face(Image.new("RGB", (side, side), MAT), x, y, side)
            canvas.text(x + 6, y + side // 2 - 6, face, 10, fill=FAINT, room=side - 12)
        else:
            canvas.face(show_thumbnail(face) if isinstance(face, bytes) else face, x, y, side)
        y += side + 4
        for text, size, colour, bold in captions[i] if captions else ():
            canvas.text(x, y, text, size, bold=bold, fill=colour, room=side)
            y += size + 3
    return canvas.page


def overview(people: Sequence[PersonCard], *, title: str, note: str) -> Image.Image:
    """All people on one page, in the order given: a strip of faces each, with name and count."""
    columns = 1 if len(people) <= 6 else 2
    rows = -(-len(people) // columns)
    width, height = STRIP * (TILE + GAP) - GAP, TILE + 62
    canvas = Canvas(max(EDGE + columns * (width + EDGE), heading_width(title, note)), 2 * EDGE + HEAD + rows * height)
    canvas.heading(title, note)
    for i, person in enumerate(people):
        # Down the first column, then the second: largest first is read from top to bottom.
        x, y = EDGE + i // rows * (width + EDGE), EDGE + HEAD + i % rows * height
        canvas.draw.line((x, y - 8, x + width, y - 8), fill=LINE, width=1)
        end = canvas.text(x, y, person.title, 18, bold=True)
        canvas.text(end + 14, y + 3, person.note, 15, fill=FAINT)
        for j, face in enumerate(person.faces):
            canvas.face(show_thumbnail(face), x + j * (TILE + GAP), y + 30)
    return canvas.page


def timeline(rows: Sequence[PersonRow], duration: float, *, title: str) -> Image.Image:
    """A row for each person of a recording of so many seconds, a bar for each time on screen."""
    duration = max([duration, 1e-9, *(end for row in rows for _, end in row.spans)])
    canvas = Canvas(2 * EDGE + NAMES + BARS, 2 * EDGE + 90 + ROW * max(1, len(rows)))
    canvas.heading(shorten(title, 70), "")
    left, top = EDGE + NAMES, EDGE + 56
    bottom = top + 22 + ROW * max(1, len(rows))
    for at in ticks(duration):
        x = left + BARS * at / duration
        canvas.draw.line((x, top + 20, x, bottom), fill=LINE, width=1)
        canvas.text(x, top, clock(at), 14, fill=FAINT, middle=True)
    for i, row in enumerate(rows):
        y = top + 22 + ROW * i
        canvas.draw.line((EDGE, y + ROW, left + BARS, y + ROW), fill=LINE, width=1)
        canvas.face(show_thumbnail(row.face), EDGE, y + (ROW - FACE) // 2, FACE)
        canvas.text(EDGE + FACE + 14, y + 10, shorten(row.title, LETTERS), 17, bold=True)
        seen = clock(sum(end - start for start, end in row.spans))
        canvas.text(EDGE + FACE + 14, y + 32, f"{seen} on screen", 13, fill=FAINT)
        for start, end in row.spans:
            x, until = (left + BARS * at / duration for at in (start, end))
            bar = (x, y + 18, max(until, x + 2), y + ROW - 18)
            canvas.draw.rounded_rectangle(bar, 4, fill=COLOURS[i % len(COLOURS)])
    if not rows:
        canvas.text(EDGE, top + 40, "Nobody is on screen.", 17, fill=FAINT)
    return canvas.page
