"""What pictures that we draw are made of: faces with round corners, and any text that a name may be, in Pillow."""

from __future__ import annotations

import io
from functools import cache, lru_cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

from unmingle.text_layout import clean, columns, shorten

if TYPE_CHECKING:
    from collections.abc import Iterator

TILE = 112  # pixels, the side of a stored thumbnail
GAP = 8
EDGE = 40
CORNER = 10  # radius of a tile's corners
HEAD = 84  # pixels, of a title and the note below it
PAPER, INK, FAINT, LINE, MAT = "#fbfaf8", "#1f2328", "#6b7280", "#e7e5e0", "#eeeeee"
# The font that comes with matplotlib has no Han, kana or Hangul; what the machine has of these is asked for them.
MORE_FONTS = (
    *("Noto Sans CJK JP", "Noto Sans JP", "Source Han Sans JP", "Hiragino Sans", "Yu Gothic", "Meiryo", "MS Gothic"),
    *("IPAexGothic", "TakaoGothic", "PingFang SC", "Microsoft YaHei", "WenQuanYi Zen Hei", "Malgun Gothic"),
)


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


def as_jpeg(page: Image.Image) -> bytes:
    """The page as a JPEG file."""
    buffer = io.BytesIO()
    page.save(buffer, "JPEG", quality=90, subsampling=0)
    return buffer.getvalue()


def as_png(page: Image.Image) -> bytes:
    """The page as a PNG file."""
    buffer = io.BytesIO()
    page.save(buffer, "PNG", optimize=True)
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
    if ord(sign) in _signs(own):
        return own
    return next((path for path in _machine_fonts() if ord(sign) in _signs(path)), own)


def _own_font(bold: bool) -> str:  # noqa: FBT001
    """DejaVu Sans: the same on every machine, and most alphabets in it."""
    from matplotlib import get_data_path

    return str(Path(get_data_path(), "fonts", "ttf", "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"))


@cache
def _machine_fonts() -> tuple[str, ...]:
    from matplotlib.font_manager import fontManager

    known = {font.name: font.fname for font in fontManager.ttflist}
    return tuple(known[name] for name in MORE_FONTS if name in known)


@cache
def _signs(path: str) -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    return frozenset(FT2Font(path).get_charmap())


@lru_cache(maxsize=32)
def _font(path: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, size)


@lru_cache(maxsize=4)
def _rounded(side: int) -> Image.Image:
    """The mask of a tile, drawn four times too large and shrunk, so that its corners are smooth."""
    mask = Image.new("L", (side * 4, side * 4), 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, side * 4 - 1, side * 4 - 1), CORNER * 4 * side // TILE, fill=255)
    return mask.resize((side, side), Image.Resampling.LANCZOS)
