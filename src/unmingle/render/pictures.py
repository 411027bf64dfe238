"""Faces as a page holds them: the stored thumbnails one by one, or many small ones on one sheet."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from unmingle.errors import PictureError
from unmingle.faces.align import show_thumbnail
from unmingle.html import address
from unmingle.sources.images import quiet_decoders, read_picture
from unmingle.store.result_tables import thumbnail_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unmingle.sources.images import PictureFile
    from unmingle.store.sqlite import Store

SMALL = 56  # pixels, of a face on a sheet
ACROSS = 24  # faces in a row of a sheet
EACH = ACROSS * ACROSS  # faces on a sheet
WHOLE = 160  # pixels, the longer side of a whole picture


@dataclass(frozen=True, slots=True)
class FacePicture:
    """A face to show: its picture as a data address, empty for none, and what to say of it."""

    picture: str
    caption: str


class Pictures:
    """The pictures of a library as data addresses, so that a page needs no other file."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getitem__(self, face: int) -> str:
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
        picture.thumbnail((WHOLE, WHOLE))
        return _as_address(picture, 80)

    def sheets(self, faces: Sequence[int]) -> list[str]:
        """Many faces, small: face i is on sheet i // EACH, ACROSS in a row."""
        found = []
        for start in range(0, len(faces), EACH):
            part = faces[start : start + EACH]
            page = Image.new("RGB", (ACROSS * SMALL, -(-len(part) // ACROSS) * SMALL), "#ececec")
            for i, face in enumerate(part):
                jpeg = thumbnail_of(self._store, face)
                if jpeg is not None:
                    small = show_thumbnail(jpeg).resize((SMALL, SMALL))
                    page.paste(small, (i % ACROSS * SMALL, i // ACROSS * SMALL))
            found.append(_as_address(page, 72))
        return found


def _as_address(picture: Image.Image, quality: int) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality, optimize=True)
    return address(buffer.getvalue())
