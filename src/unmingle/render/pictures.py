"""Faces as a page holds them: the stored thumbnails one by one, or many small ones on one sheet."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from unmingle.errors import PictureError
from unmingle.faces.thumbnail import show_thumbnail
from unmingle.html import address
from unmingle.sources.images import quiet_decoders, read_picture
from unmingle.store.tables import thumbnail_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unmingle.sources.images import PictureFile
    from unmingle.store.sqlite import Store

SMALL = 56  # pixels, of a face on a sheet
ACROSS = 24  # faces in a row of a sheet
DOWN = 24  # rows of a sheet
SMALL_QUALITY = 72
PICTURE = 160  # pixels, the longer side of a whole picture


@dataclass(frozen=True, slots=True)
class Sheets:
    """Many faces in few pictures. Face i is on sheet i // (across · down), row by row.

    sheets: data addresses of JPEGs.
    side:   of a face, in pixels.
    """

    sheets: tuple[str, ...]
    side: int
    across: int
    down: int


class Pictures:
    """The pictures of a library as data addresses, so that a page needs no other file."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def face(self, face: int) -> str:
        """The stored thumbnail of a face; empty if there is none."""
        jpeg = thumbnail_of(self._store, face)
        return "" if jpeg is None else address(jpeg)

    def whole(self, file: PictureFile) -> str:
        """A whole picture, small; empty if it can't be read any more."""
        try:
            with quiet_decoders():
                picture = Image.fromarray(read_picture(file))
        except PictureError:
            return ""
        picture.thumbnail((PICTURE, PICTURE))
        return address(_jpeg(picture, 80))

    def sheets(self, faces: Sequence[int]) -> Sheets:
        """Many faces, small."""
        each = ACROSS * DOWN
        found = []
        for start in range(0, len(faces), each):
            part = faces[start : start + each]
            rows = -(-len(part) // ACROSS)
            page = Image.new("RGB", (ACROSS * SMALL, rows * SMALL), "#ececec")
            for i, face in enumerate(part):
                jpeg = thumbnail_of(self._store, face)
                if jpeg is None:
                    continue
                small = show_thumbnail(jpeg).resize((SMALL, SMALL))
                page.paste(small, (i % ACROSS * SMALL, i // ACROSS * SMALL))
            found.append(address(_jpeg(page, SMALL_QUALITY)))
        return Sheets(tuple(found), SMALL, ACROSS, DOWN)


def _jpeg(picture: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality, optimize=True)
    return buffer.getvalue()
