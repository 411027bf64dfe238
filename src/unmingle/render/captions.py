"""Who is on screen when: a picture of a recording, and captions that name them in any player."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from unmingle.render.gallery import EDGE, FAINT, INK, LINE, PAPER, font, paste
from unmingle.text_layout import clean, shorten

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ROW, FACE = 56, 44  # pixels, of a person and of their face
NAMES, BARS = 320, 1040  # pixels, the widths of the two columns
LETTERS = 24  # of a name
COLOURS = ("#2f6f8f", "#b4632f", "#5d7f3a", "#8a4f7d", "#a8862b", "#4a5a9a", "#a04545", "#3f8a7a")
STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)  # seconds between two ticks
MOST_TICKS = 10


@dataclass(frozen=True, slots=True)
class Row:
    """A person in a recording: what to call them, a JPEG of a face, and from when to when they are on screen."""

    title: str
    face: bytes
    spans: tuple[tuple[float, float], ...]


def timeline(rows: Sequence[Row], duration: float, *, title: str) -> bytes:
    """A PNG: a row for each person, a bar for each time on screen.

    Args:
        rows: in the order to show them.
        duration: of the recording, in seconds.
        title: of the page.
    """
    duration = max([duration, *(end for row in rows for _, end in row.spans)])
    page = Image.new("RGB", (2 * EDGE + NAMES + BARS, 2 * EDGE + 90 + ROW * max(1, len(rows))), PAPER)
    draw = ImageDraw.Draw(page)
    draw.text((EDGE, EDGE - 10), clean(shorten(title, 70)), font=font(30, bold=True), fill=INK)
    left, top = EDGE + NAMES, EDGE + 56
    bottom = top + 22 + ROW * max(1, len(rows))
    for at in ticks(duration):
        x = left + BARS * at / duration
        draw.line((x, top + 20, x, bottom), fill=LINE, width=1)
        draw.text((x, top), clock(at), font=font(14), fill=FAINT, anchor="ma")
    for i, row in enumerate(rows):
        y = top + 22 + ROW * i
        draw.line((EDGE, y + ROW, left + BARS, y + ROW), fill=LINE, width=1)
        paste(page, row.face, EDGE, y + (ROW - FACE) // 2, side=FACE)
        name = clean(shorten(row.title, LETTERS))
        draw.text((EDGE + FACE + 14, y + 10), name, font=font(17, bold=True), fill=INK)
        seen = clock(sum(end - start for start, end in row.spans))
        draw.text((EDGE + FACE + 14, y + 32), f"{seen} on screen", font=font(13), fill=FAINT)
        for start, end in row.spans:
            box = (left + BARS * start / duration, y + 18, left + BARS * end / duration, y + ROW - 18)
            draw.rounded_rectangle((box[0], box[1], max(box[2], box[0] + 2), box[3]), 4, fill=COLOURS[i % len(COLOURS)])
    if not rows:
        draw.text((EDGE, top + 40), "Nobody is on screen.", font=font(17), fill=FAINT)
    buffer = io.BytesIO()
    page.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def ticks(duration: float) -> list[float]:
    """Instants to mark on an axis of so many seconds, from 0 on."""
    longest = STEPS[-1] * max(1, math.ceil(duration / MOST_TICKS / STEPS[-1]))
    step = next((step for step in STEPS if duration / step <= MOST_TICKS), longest)
    return [float(at) for at in range(0, int(duration) + 1, step)]


def clock(seconds: float) -> str:
    """`0:04`, `12:30`, `1:02:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def captions(spans: Iterable[tuple[float, float, str]]) -> str:
    """WebVTT (W3C, 2019): a cue for each time on screen.

    Args:
        spans: start and end in seconds, and who, in the order of time.
    """
    cues = [f"{_stamp(start)} --> {_stamp(end)}\n{_escaped(who)}\n" for start, end, who in spans]
    return "\n".join(["WEBVTT\n", *cues])


def _stamp(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}.{rest % 1000:03}"


def _escaped(text: str) -> str:
    """A cue's text on one line, without what would be read as a tag or an arrow."""
    line = " ".join(text.split())
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
