"""What one picture may take: bytes while it is decoded, and time, both told by its header before a pixel is read."""

from __future__ import annotations

import io
import re
import struct
from typing import TYPE_CHECKING, Any

from PIL.TiffImagePlugin import ImageFileDirectory_v2

from unmingle.errors import PictureError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from PIL import Image

MAX_PIXELS = 220_000_000  # the largest of telephones have 200 million
MIN_SIDE = 8  # pixels; nothing smaller can hold a face
MOST_MEMORY = 1_000_000_000  # bytes, of the pixels that a decoder holds
VAST = 200_000_000  # bytes: of pictures that take more, one at a time is in memory
MOST_SCANS = 100  # of a JPEG; encoders make some ten, and each goes over all of the picture
FEW_SCANS = 12  # that any picture may have
SCANNED = 2_500_000_000  # pixels in all scans together
MOST_SLOWLY = 16_000_000  # pixels that a decoder in Python may have: half a minute at worst

# Bytes a pixel that decoders hold beside the picture that they make: measured.
_BESIDE = {"WEBP": 12, "AVIF": 8, "HEIF": 12, "JPEG2000": 16}
_NARROW = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2}  # bytes a pixel by mode; others have 4
_SLOW = frozenset({"qoi", "bmp_rle", "ppm", "ppm_plain", "dds_rgb", "SGI16"})  # Pillow's decoders in Python
_JPEGS = frozenset({6, 7})  # TIFF's compressions that are JPEG
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _STRIPS, _ROWS, _LENGTHS = 256, 257, 258, 259, 273, 278, 279  # tags of TIFF
_TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_LENGTHS = 322, 323, 324, 325
_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")  # but for those between the parts of a scan
_PPM = re.compile(rb"P[1-6fF](?:\s|#[^\n]*\n)*(\d{1,9})(?:\s|#[^\n]*\n)+(\d{1,9})")
_PAM = re.compile(rb"\sWIDTH\s+(\d{1,9})\s.*?HEIGHT\s+(\d{1,9})\s", re.DOTALL)


def check_size(width: int, height: int) -> None:
    """Refuse what is too small for a face, or too large."""
    if width * height > MAX_PIXELS:
        raise PictureError(f"too large: {width}×{height}, over {MAX_PIXELS:,} pixels")
    if min(width, height) < MIN_SIDE:
        raise PictureError(f"too small: {width}×{height} pixels can't hold a face")


def check_opened(picture: Image.Image, content: bytes) -> int:
    """The bytes that decoding an opened picture takes; PictureError if they are too many, or it takes too long."""
    check_size(*picture.size)
    pixels, kind, beside = picture.width * picture.height, picture.format or "", 0.0
    tile: Any = getattr(picture, "tile", ())
    if tile and tile[0][0] in _SLOW and pixels > MOST_SLOWLY:
        problem = f"too large: {picture.width}×{picture.height}, over {MOST_SLOWLY:,} pixels in a format that is slow"
        raise PictureError(f"{problem} to read; save it as PNG")
    if kind in _BESIDE:
        beside = _BESIDE[kind] * pixels
    elif kind in {"JPEG", "MPO"}:
        _check_scans(_scans(content), pixels)
        if picture.info.get("progressive"):  # all its coefficients are held
            shares = [across * down for _, across, down, _ in getattr(picture, "layer", ())]
            beside = 2 * pixels * sum(shares) / max(*shares, 1)
    elif kind == "TIFF":
        beside = _largest_block(picture.tag_v2, content, pixels)  # type: ignore[attr-defined]
    memory = int(pixels * _NARROW.get(picture.mode, 4) + beside)
    check_memory(memory, *picture.size)
    return max(memory, 4 * pixels)


def _largest_block(tags: Mapping[int, Any], content: bytes, pixels: int) -> float:
    """The bytes of a strip or tile of a TIFF, which its decoder holds; those that are JPEGs are looked into."""
    across, down = int(tags.get(_TILE_WIDTH, 0)), int(tags.get(_TILE_HEIGHT, 0))
    if not across or not down:
        across, down = int(tags[_WIDTH]), min(int(tags.get(_ROWS, 1 << 32)), int(tags[_HEIGHT]))
    if tags.get(_COMPRESSION) in _JPEGS:
        starts, lengths = tags.get(_TILES, tags.get(_STRIPS, (0,))), tags.get(_TILE_LENGTHS, tags.get(_LENGTHS, ()))
        blocks = set(zip(starts, lengths, strict=False)) if tags[_COMPRESSION] == max(_JPEGS) else {(0, len(content))}
        if sum(length for _, length in blocks) > 2 * len(content):
            raise PictureError("damaged: its strips or tiles overlap")
        for start, length in blocks:
            _check_scans(_scans(content[start : start + length]), pixels)
    return float(across * down * max(sum(tags.get(_BITS, ())), 8) / 8)


def check_unopened(content: bytes, kind: str) -> None:
    """The same of a picture that Pillow has no mode for, by its header: OpenCV reads all that it is told to."""
    tags: Mapping[int, Any] = {}
    found: Any = None
    if kind == "GIF":
        found = struct.unpack_from("<HH", content, 6)
    elif kind == "PPM":
        header = _PPM.match(content) or _PAM.search(content[:1024])
        found = tuple(map(int, header.groups())) if header else None
    else:
        stream = io.BytesIO(content)
        tags = directory = ImageFileDirectory_v2(stream.read(16 if content[2:4] in {b"+\0", b"\0+"} else 8))
        stream.seek(directory.next)
        directory.load(stream)
        found = tags.get(_WIDTH, 0), tags.get(_HEIGHT, 0)
    if not found or min(found) < 1:
        raise PictureError("damaged: its header doesn't say how large it is")
    check_size(*found)
    pixels = found[0] * found[1]
    sample = sum(tags.get(_BITS, (64,))) / 8 + 6  # in OpenCV's picture, and in ours
    check_memory(int(pixels * sample + (_largest_block(tags, content, pixels) if tags else 0)), *found)


def check_memory(memory: int, width: int, height: int) -> None:
    """Refuse a picture that would take so many bytes."""
    if memory > MOST_MEMORY:
        most = f"{memory / 1e9:.1f} GB to decode, and {MOST_MEMORY / 1e9:.0f} GB is the most"
        raise PictureError(f"too large: {width}×{height} pixels of this kind take {most}; save it as a plain JPEG")


def _check_scans(scans: int, pixels: int) -> None:
    """Refuse a JPEG that is small and takes minutes."""
    if scans > min(MOST_SCANS, max(FEW_SCANS, SCANNED // pixels)):
        raise PictureError(f"damaged or made to keep a decoder busy: {scans:,} scans")


def _scans(content: bytes) -> int:
    """How many scans a decoder goes through, up to the end of the picture: what follows may be another one.

    It goes from marker to marker by their lengths, as decoders do: any of these bytes may stand inside a table.
    """
    most = content.count(b"\xff\xda")
    if most <= FEW_SCANS:
        return most
    scans, at = 0, 2
    while found := _MARKER.search(content, at):
        marker, at = found[1][0], found.end()
        if marker == 0xD9:
            break
        scans += marker == 0xDA
        if marker not in {0x01, 0xD8}:
            at += int.from_bytes(content[at : at + 2], "big")
    return scans
