"""Pages drawn with Pillow: a person's faces, all people, who is on screen when; with any text that a name may be."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache, lru_cache
from itertools import groupby
from math import sqrt
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from unmingle.faces.align import show_thumbnail
from unmingle.text_layout import clean, clock, columns, shorten, ticks

TILE = 112  # pixels, the side of a stored thumbnail
GAP = 8
EDGE = 40
CORNER = 10  # radius of a tile's corners
HEAD = 84  # pixels, of a title and the note below it
PAPER, INK, FAINT, LINE, MAT = "#fbfaf8", "#1f2328", "#6b7280", "#e7e5e0", "#eeeeee"
LATIN, MARKS = "\u024f", "–—‘’“”…"  # up to which sign, and what else, the own font is known to have all
FONTS = Path(__file__).with_name("fonts")
# DejaVu Sans, which lies there, has most alphabets, but no Han, kana or Hangul: for these, what the machine has.
MORE_FONTS = (
    *("NotoSansCJK-Regular", "NotoSansJP-Regular", "SourceHanSans-Regular", "YuGothM", "meiryo", "msgothic", "ipaexg"),
    *("ヒラギノ角ゴシック W3", "TakaoGothic", "PingFang", "msyh", "wqy-zenhei", "malgun", "AppleSDGothicNeo"),
)

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


class Canvas:
    """A page to draw on."""

    def __init__(self, width: int, height: int) -> None:
        self.page = Image.new("RGB", (width, height), PAPER)
        self.draw = ImageDraw.Draw(self.page)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: int,
        *,
        bold: bool = False,
        fill: str = INK,
        middle: bool = False,
        room: float | None = None,
    ) -> float:
        """Write any text on a line from its left end, or around its middle; in at most `room` pixels. Where it ends."""
        text = clean(text) if room is None else fit(text, room, size, bold=bold)
        x -= text_width(text, size, bold=bold) / 2 if middle else 0
        foot = y + _font(_own_font(bold), size).getmetrics()[0]
        for font, run in _runs(text, size, bold=bold):
            self.draw.text((x, foot), run, font=font, fill=fill, anchor="ls")
            x += font.getlength(run)
        return x

    def upright(self, x: float, y: float, text: str, size: int, *, fill: str = INK) -> None:
        """Write a line that is read from below; x, y: the middle of its right end, which is at the top."""
        line = Canvas(int(text_width(text, size)) + 2, int(size * 1.5))
        line.page.paste("black", (0, 0, *line.page.size))
        line.text(1, 0, text, size, fill="white")
        mask = line.page.convert("L").rotate(90, expand=True)
        self.page.paste(Image.new("RGB", mask.size, fill), (round(x - mask.width / 2), round(y)), mask)

    def face(self, face: Image.Image, x: int, y: int, side: int = TILE) -> None:
        """Put a face there, as a square of `side` pixels with round corners."""
        self.page.paste(face.resize((side, side)), (x, y), _rounded(side))

    def heading(self, title: str, note: str) -> None:
        """Write what the page shows."""
        self.text(EDGE, EDGE - 10, title, 30, bold=True)
        self.text(EDGE, EDGE + 34, note, 16, fill=FAINT)


def heading_width(title: str, note: str) -> int:
    """Pixels that a page needs for its heading."""
    return 2 * EDGE + int(max(text_width(title, 30, bold=True), text_width(note, 16)))


def as_jpeg(page: Image.Image, comment: bytes = b"") -> bytes:
    """The page as a JPEG file."""
    return encoded(page, "JPEG", quality=90, subsampling=0, comment=comment)


def as_png(page: Image.Image) -> bytes:
    """The page as a PNG file."""
    return encoded(page, "PNG", optimize=True)


def encoded(page: Image.Image, kind: str, **how: Any) -> bytes:
    """The page as a file of that kind."""
    buffer = io.BytesIO()
    page.save(buffer, kind, **how)
    return buffer.getvalue()


def text_width(text: str, size: int, *, bold: bool = False) -> float:
    """Pixels that a line takes."""
    return sum(font.getlength(run) for font, run in _runs(clean(text), size, bold=bold))


def fit(text: str, room: float, size: int, *, bold: bool = False) -> str:
    """The text, its middle left out until it takes at most `room` pixels."""
    width = columns(clean(text))
    while width > 1 and (wide := text_width(shorten(text, width), size, bold=bold)) > room:
        width = min(width - 1, int(width * room / wide) + 1)
    return shorten(text, width)


def _runs(text: str, size: int, *, bold: bool) -> Iterator[tuple[ImageFont.FreeTypeFont, str]]:
    """The parts of a text, each with a font that has its signs."""
    for path, signs in groupby(text, key=lambda sign: _font_of(sign, bold)):
        yield _font(path, size), "".join(signs)


@lru_cache(maxsize=4096)
def _font_of(sign: str, bold: bool) -> str:  # noqa: FBT001
    own = _own_font(bold)
    if sign <= LATIN or sign in MARKS or _has(own, sign):
        return own
    return next((path for path in _machine_fonts() if _has(path, sign)), own)


def _own_font(bold: bool) -> str:  # noqa: FBT001
    return str(FONTS / ("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"))


@cache
def _machine_fonts() -> tuple[str, ...]:
    found = []
    for name in MORE_FONTS:
        with suppress(OSError):
            found.append(str(ImageFont.truetype(str(FONTS / name)).path))  # not there: searched among the machine's
    return tuple(found)


def _has(path: str, sign: str) -> bool:
    """Whether a font draws anything else for a sign than for one that nobody has."""
    font = ImageFont.truetype(path, 20, layout_engine=ImageFont.Layout.BASIC)
    there, none = (font.getmask(one) for one in (sign, "\U0010ffff"))
    return there.size != none.size or bytes(there) != bytes(none)


@lru_cache(maxsize=32)
def _font(path: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, size)


@lru_cache(maxsize=4)
def _rounded(side: int) -> Image.Image:
    """The mask of a tile, drawn four times too large and shrunk, so that its corners are smooth."""
    mask = Image.new("L", (side * 4, side * 4), 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, side * 4 - 1, side * 4 - 1), CORNER * 4 * side // TILE, fill=255)
    return mask.resize((side, side), Image.Resampling.LANCZOS)


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
