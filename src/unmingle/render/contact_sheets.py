"""Faces and people on pages that are pictures: one person, all people, the worst mistakes, who is on screen when."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

from PIL import Image

from unmingle.faces.align import show_thumbnail
from unmingle.render.canvas import EDGE, FAINT, GAP, HEAD, LINE, MAT, TILE, Canvas, heading_width
from unmingle.text_layout import clock, shorten, ticks

COLUMNS = 10
MOST = 100  # faces on a sheet, people on an overview
STRIP = 6  # faces of each person on the overview
ROW, FACE = 56, 44  # pixels on a timeline, of a person and of their face
NAMES, BARS = 320, 1040  # pixels on a timeline, the widths of the two columns
LETTERS = 24  # of a name on a timeline
COLOURS = ("#2f6f8f", "#b4632f", "#5d7f3a", "#8a4f7d", "#a8862b", "#4a5a9a", "#a04545", "#3f8a7a")

Line = tuple[str, int, str, bool]  # text, size in pixels, colour, bold
Card = tuple[str, str, Sequence[bytes]]  # what to call a person, a line below, and the JPEGs of a few faces
# What to call a person, the JPEG of a face, and from when to when they are on screen.
Row = tuple[str, bytes, Sequence[tuple[float, float]]]


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
    across = side + GAP
    down = across + max((sum(line[1] + 3 for line in lines) + 2 * GAP for lines in captions), default=0)
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


def overview(people: Sequence[Card], *, title: str, note: str) -> Image.Image:
    """All people on one page, in the order given: a strip of faces each, with name and count."""
    columns = 1 if len(people) <= 6 else 2
    rows = -(-len(people) // columns)
    width, height = STRIP * (TILE + GAP) - GAP, TILE + 62
    canvas = Canvas(max(EDGE + columns * (width + EDGE), heading_width(title, note)), 2 * EDGE + HEAD + rows * height)
    canvas.heading(title, note)
    for i, (name, below, faces) in enumerate(people):
        # Down the first column, then the second: largest first is read from top to bottom.
        x, y = EDGE + i // rows * (width + EDGE), EDGE + HEAD + i % rows * height
        canvas.draw.line((x, y - 8, x + width, y - 8), fill=LINE, width=1)
        end = canvas.text(x, y, name, 18, bold=True)
        canvas.text(end + 14, y + 3, below, 15, fill=FAINT)
        for j, face in enumerate(faces):
            canvas.face(show_thumbnail(face), x + j * (TILE + GAP), y + 30)
    return canvas.page


def timeline(rows: Sequence[Row], duration: float, *, title: str) -> Image.Image:
    """A row for each person of a recording of so many seconds, a bar for each time on screen."""
    duration = max([duration, 1e-9, *(end for *_, spans in rows for _, end in spans)])
    canvas = Canvas(2 * EDGE + NAMES + BARS, 2 * EDGE + 90 + ROW * max(1, len(rows)))
    canvas.heading(shorten(title, 70), "")
    left, top = EDGE + NAMES, EDGE + 56
    bottom = top + 22 + ROW * max(1, len(rows))
    for at in ticks(duration):
        x = left + BARS * at / duration
        canvas.draw.line((x, top + 20, x, bottom), fill=LINE, width=1)
        canvas.text(x, top, clock(at), 14, fill=FAINT, middle=True)
    for i, (name, face, spans) in enumerate(rows):
        y = top + 22 + ROW * i
        canvas.draw.line((EDGE, y + ROW, left + BARS, y + ROW), fill=LINE, width=1)
        canvas.face(show_thumbnail(face), EDGE, y + (ROW - FACE) // 2, FACE)
        canvas.text(EDGE + FACE + 14, y + 10, shorten(name, LETTERS), 17, bold=True)
        seen = clock(sum(end - start for start, end in spans))
        canvas.text(EDGE + FACE + 14, y + 32, f"{seen} on screen", 13, fill=FAINT)
        for start, end in spans:
            x, until = (left + BARS * at / duration for at in (start, end))
            bar = (x, y + 18, max(until, x + 2), y + ROW - 18)
            canvas.draw.rounded_rectangle(bar, 4, fill=COLOURS[i % len(COLOURS)])
    if not rows:
        canvas.text(EDGE, top + 40, "Nobody is on screen.", 17, fill=FAINT)
    return canvas.page
