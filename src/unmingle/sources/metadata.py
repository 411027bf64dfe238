"""Picture files without their metadata, and how the picture has to be turned.

EXIF, XMP, colour profiles and comments are broken in many files whose pixels are whole. So decoders never see them:
they get the segments, chunks or tags that pixels need, and the orientation is read here as far as it can be.
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from unmingle.sources.orientation import NORMAL

if TYPE_CHECKING:
    from collections.abc import Iterator

ORIENTATION = 0x0112  # the tag of EXIF and TIFF, a short of 1 to 8
HEAD = 32  # bytes that tell a format

_BRANDS = {
    "AVIF": (b"avif", b"avis"),
    "HEIF": (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1", b"mif2"),
}
_BEGINNINGS = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG2000"),
    (b"\xff\x4f\xff\x51", "JPEG2000"),
    (b"qoif", "QOI"),
    (b"\x01\xda", "SGI"),
)
# Frames, Huffman and arithmetic tables, quantisation, lines, restarts; JFIF and Adobe, which tell the colours.
_JPEG_KEPT = frozenset({*range(0xC0, 0xC8), *range(0xC9, 0xD0), 0xDB, 0xDC, 0xDD, 0xDE, 0xDF, 0xE0, 0xEE})
_PNG_KEPT = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_PNG_PIXELS = re.compile(rb"PLTE|tRNS|IDAT|IEND")
_WEBP_KEPT = frozenset({b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF"})
_WEBP_CHUNKS = _WEBP_KEPT | {b"ICCP", b"EXIF", b"XMP "}
_WEBP_PIXELS = re.compile(rb"ALPH|VP8 |VP8L|ANIM")
_WEBP_FLAGS = 0x20 | 0x08 | 0x04  # that there is a profile, EXIF, XMP
# Size, depth, compression, layout, palette, transparency: what TIFF's pixels need; names, places and notes are not.
_TIFF_KEPT = frozenset(
    {254, 256, 257, 258, 259, 262, 263, 266, 273, 277, 278, 279, 280, 281, 284, 292, 293, 301, 317, 320, 321}
    | {322, 323, 324, 325, 332, 333, 334, 336, 338, 339, 340, 341, 347, 529, 530, 531, 532}
    | set(range(512, 522))
)
_TIFF_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_XMP_ORIENTATION = re.compile(rb"""tiff:Orientation\s*(?:=\s*["']|>)\s*([1-8])""")


def picture_format(head: bytes) -> str:
    """The format of a picture file that begins so, by Pillow's name for it; empty if it is none that is read."""
    for beginning, name in _BEGINNINGS:
        if head.startswith(beginning):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if re.match(rb"P[1-7fF]\s", head[:3]):
        return "PPM"
    if head[4:8] == b"ftyp":
        brands = {head[8:12], *(head[at : at + 4] for at in range(16, len(head), 4))}
        return next((name for name, known in _BRANDS.items() if brands.intersection(known)), "")
    return ""


def without_metadata(content: bytes, kind: str) -> tuple[bytes, int]:
    """A file that holds the same pixels and nothing else, and the orientation, 1 to 8, that its metadata asked for.

    A file whose structure can't be followed comes back as it is: its decoder says what is wrong with it.
    """
    if kind == "JPEG":
        return _plain_jpeg(content)
    if kind == "PNG":
        return _plain_png(content)
    if kind == "WEBP":
        return _plain_webp(content)
    if kind == "TIFF":
        return _plain_tiff(content)
    if kind in _BRANDS:  # turned by boxes of their own, never by EXIF: the names of such items are written over
        return content.replace(b"Exif", b"free").replace(b"mimeapplication/rdf+xml", b"freeapplication/rdf+xml"), NORMAL
    return content, NORMAL


def exif_orientation(exif: bytes) -> int:
    """The orientation in an EXIF block, with or without its heading; 1 where there is none or it can't be told."""
    while exif.startswith(b"Exif\0\0"):
        exif = exif[6:]
    found = next((values for tag, values in _entries(exif) if tag == ORIENTATION), b"")
    digits = found.strip(b"\0 ")[:1] if exif[:2] == b"II" else found.strip(b"\0 ")[-1:]
    value = digits[0] - (ord("0") if digits.isdigit() else 0) if digits else NORMAL
    return value if 1 <= value <= 8 else NORMAL


def _entries(tiff: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and first value of each entry of the first directory of a TIFF structure, as far as it can be followed."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None or len(tiff) < 8:
        return
    (start,) = struct.unpack_from(order + "I", tiff, 4)
    if start + 2 > len(tiff):
        return
    (count,) = struct.unpack_from(order + "H", tiff, start)
    for at in range(start + 2, min(start + 2 + 12 * count, len(tiff) - 11), 12):
        tag, kind = struct.unpack_from(order + "HH", tiff, at)
        yield tag, tiff[at + 8 : at + 8 + min(4, _TIFF_SIZES.get(kind, 4))]


def _orientation(exif: bytes, xmp: bytes) -> int:
    """By EXIF; by XMP where EXIF says nothing."""
    found = exif_orientation(exif)
    said = _XMP_ORIENTATION.search(xmp) if found == NORMAL else None
    return int(said[1]) if said else found


@dataclass(slots=True)
class _Segments:
    """What a JPEG holds up to its first scan. steady: each segment lay just behind the one before it, and was known."""

    kept: list[bytes] = field(default_factory=list)
    exif: bytes = b""
    xmp: bytes = b""
    pixels: int = 0
    tables: bool = False
    scan: int = -1
    steady: bool = True


def _plain_jpeg(content: bytes) -> tuple[bytes, int]:
    """Without APP1 to APP13, APP15 and comments; what the length of a broken segment hides is found again."""
    first = best = _segments(content, 2)
    if first.scan < 0 or not first.steady:
        # A broken length leads past the tables or into a thumbnail: the largest picture that begins with tables is it.
        found = [one for at in _all(content, b"\xff\xdb") if (one := _segments(content, at)).scan >= 0]
        best = max((first, *found), key=lambda one: (one.scan >= 0 and one.tables, one.steady, one.pixels))
    if best.scan < 0:
        return content, NORMAL
    return b"\xff\xd8" + b"".join(best.kept) + content[best.scan :], _orientation(first.exif, first.xmp)


def _segments(content: bytes, at: int) -> _Segments:
    found = _Segments()
    while at + 4 <= len(content):
        start = content.find(b"\xff", at)
        found.steady &= start == at
        if start < 0 or start + 4 > len(content):
            break
        at, marker = start, content[start + 1]
        if marker in (0x00, 0x01, 0xFF) or 0xD0 <= marker <= 0xD9:
            found.steady &= marker == 0xFF
            at += 1 if marker == 0xFF else 2
            continue
        if marker == 0xDA:
            found.scan = at
            break
        end = at + 2 + int.from_bytes(content[at + 2 : at + 4], "big")
        _note(found, marker, content[at:end])
        at = end
    return found


def _note(found: _Segments, marker: int, segment: bytes) -> None:
    body = segment[4:]
    if marker == 0xE1 and body.startswith(b"Exif"):
        found.exif = found.exif or body
    elif marker == 0xE1 and body.startswith(b"http://ns.adobe.com/xap/1.0/"):
        found.xmp += body
    found.tables |= marker == 0xDB
    found.steady &= marker in _JPEG_KEPT or 0xE0 <= marker <= 0xFE
    if marker in _JPEG_KEPT:
        found.kept.append(segment)
    if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC) and len(body) > 5:
        height, width = struct.unpack_from(">HH", body, 1)
        found.pixels = max(1, height * width)


def _all(content: bytes, part: bytes) -> Iterator[int]:
    at = content.find(part)
    while at >= 0:
        yield at
        at = content.find(part, at + 1)


def _plain_png(content: bytes) -> tuple[bytes, int]:
    kept = [content[:8]]
    exif = xmp = b""
    at = 8
    while at + 8 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, at)
        body = content[at + 8 : at + 8 + length]
        if kind in _PNG_KEPT:
            kept.append(content[at : at + 12 + length])
        elif kind == b"eXIf":
            exif = body
        elif kind == b"zTXt" and body.startswith(b"Raw profile type exif\0"):
            exif = exif or _raw_profile(body)
        elif kind == b"iTXt" and body.startswith(b"XML:com.adobe.xmp\0\0"):
            xmp = body
        if kind == b"IEND":
            break
        at = _next_chunk(content, at, at + 12 + length)
    else:
        kept.append(b"\0\0\0\0IEND\xaeB`\x82")  # a lost end costs no pixel
    return b"".join(kept), _orientation(exif, xmp)


def _next_chunk(content: bytes, at: int, end: int) -> int:
    """Where the chunk behind the one at `at` begins: at its `end`, or where pixels go on if its length is broken."""
    if end == len(content) or (content[at + 4 : at + 8] in _PNG_KEPT or content[end + 4 : end + 8].isalpha()):
        return end
    found = _PNG_PIXELS.search(content, at + 8)
    return len(content) if found is None else found.start() - 4


def _raw_profile(body: bytes) -> bytes:
    """EXIF as ImageMagick writes it into a PNG: packed hexadecimal digits behind a name and a length."""
    try:
        text = zlib.decompressobj().decompress(body.partition(b"\0")[2][1:], 1 << 20)
        return bytes.fromhex("".join(text.decode("ascii", "replace").split("\n")[3:]))
    except (zlib.error, ValueError):
        return b""


def _plain_webp(content: bytes) -> tuple[bytes, int]:
    kept: list[bytes] = []
    exif = xmp = b""
    at = 12
    while at + 8 <= len(content):
        kind, length = struct.unpack_from("<4sI", content, at)
        end = at + 8 + length + length % 2
        body = content[at + 8 : at + 8 + length]
        if kind == b"VP8X" and body:
            kept.append(content[at : at + 8] + bytes([body[0] & ~_WEBP_FLAGS]) + content[at + 9 : end])
        elif kind in _WEBP_KEPT:
            kept.append(content[at:end])
        elif content[end : end + 4] not in _WEBP_CHUNKS and end != len(content):  # a broken length
            found = _WEBP_PIXELS.search(content, at + 8)
            end = len(content) if found is None else found.start()
        exif = body if kind == b"EXIF" else exif
        xmp = body if kind == b"XMP " else xmp
        at = end
    chunks = b"".join(kept)
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks, _orientation(exif, xmp)


def _plain_tiff(content: bytes) -> tuple[bytes, int]:
    """Only the first directory, without the tags that pixels don't need; it stays where it is."""
    big = content[2:4] in (b"+\0", b"\0+")
    order = "<" if content[:2] == b"II" else ">"
    start_at, count_kind, size = (8, "Q", 20) if big else (4, "H", 12)
    wide = struct.calcsize(order + count_kind)
    try:
        (start,) = struct.unpack_from(order + ("Q" if big else "I"), content, start_at)
        (count,) = struct.unpack_from(order + count_kind, content, start)
    except struct.error:
        return content, NORMAL
    entries = [content[at : at + size] for at in range(start + wide, start + wide + size * min(count, 4096), size)]
    tags = [struct.unpack(order + "H", entry[:2])[0] for entry in entries if len(entry) == size]
    kept = [entry for tag, entry in zip(tags, entries, strict=False) if tag in _TIFF_KEPT]
    after = start + wide + size * len(tags)
    directory = struct.pack(order + count_kind, len(kept)) + b"".join(kept)
    plain = content[:start] + directory.ljust(after - start, b"\0") + content[after:]
    end = start + len(directory)  # where the address of a next directory would be: there is none
    wide = 8 if big else 4
    plain = plain[:end] + b"\0" * min(wide, len(plain) - end) + plain[end + wide :]
    value = next((entry[size - wide :] for tag, entry in zip(tags, entries, strict=False) if tag == ORIENTATION), b"")
    code = value[0 if order == "<" else 1] if len(value) > 1 else NORMAL
    return plain, code if 1 <= code <= 8 else NORMAL
