"""Picture files without their metadata, and what the metadata says: how the picture has to be turned, and XMP.

EXIF, XMP, colour profiles and comments are broken in many files whose pixels are whole. So decoders never see them:
they get the segments, chunks or tags that pixels need, and the rest is read here as far as it can be.
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from PIL import Image, UnidentifiedImageError

from unmingle.errors import PictureError
from unmingle.sources.formats import BOXED, HEAD, begins_raw, begins_recording, picture_format

NORMAL = 1  # the orientation of a picture that is stored as it is shown
ORIENTATION = 0x0112  # the tag of EXIF and TIFF, a short of 1 to 8
LARGEST_PACKET = 64 << 20  # bytes of XMP; the regions of a thousand faces take half a million

# Frames, Huffman and arithmetic tables, quantisation, lines, restarts; JFIF and Adobe, which tell the colours.
_JPEG_KEPT = frozenset({*range(0xC0, 0xC8), *range(0xC9, 0xD0), 0xDB, 0xDC, 0xDD, 0xDE, 0xDF, 0xE0, 0xEE})
# Broken ones tell nothing.
_JPEG_MARKS = {0xE0: re.compile(rb"JFIF\0.{9}", re.DOTALL), 0xEE: re.compile(rb"Adobe.{7}", re.DOTALL)}
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
_XMP = 700  # the tag of TIFF
# A TIFF's first picture is a copy made smaller, and the picture is within it: so begin many raw pictures.
_REDUCED, _WITHIN, _SIDES = 254, 330, (256, 257)
_SMALL_COPY = 512  # pixels a side; some raw pictures begin with a copy that is large enough
_XMP_MARK = b"http://ns.adobe.com/xap/1.0/\0"
# A JPEG segment holds 64 kB; what of a packet does not fit stands in further segments behind this mark (XMP, part 3).
_FURTHER_MARK = b"http://ns.adobe.com/xmp/extension/\0"
_PNG_XMP = b"XML:com.adobe.xmp\0"
# An entry of the items in a HEIC or AVIF, up to the item's kind (ISO/IEC 14496-12, 8.11.6).
_ITEM = re.compile(rb"infe(?:\x02.{7}|\x03.{9})(Exif|mime)", re.DOTALL)
_XMP_ORIENTATION = re.compile(rb"""tiff:Orientation\s*(?:=\s*["']|>)\s*([1-8])""")


@dataclass(frozen=True, slots=True)
class Plain:
    """A picture file without its metadata, and what they said."""

    content: bytes  # a file that holds the same pixels and nothing else
    orientation: int = NORMAL  # 1 to 8, as EXIF has it, or XMP where EXIF says nothing
    packets: tuple[bytes, ...] = ()  # of XMP; none of HEIC and AVIF, see `hide_items`


def _plain(content: bytes, orientation: int, packets: Sequence[bytes]) -> Plain:
    """The first packet speaks where EXIF, which gives 0 then, is silent."""
    said = _XMP_ORIENTATION.search(packets[0]) if packets and not orientation else None
    return Plain(content, int(said[1]) if said else orientation or NORMAL, tuple(packets))


def without_metadata(content: bytes, kind: str) -> Plain:
    """What a file of this format holds; where its structure can't be followed, it stays as it is.

    Then its decoder says what is wrong with it.
    """
    readers = {"JPEG": _plain_jpeg, "PNG": _plain_png, "WEBP": _plain_webp, "TIFF": _plain_tiff}
    if kind in readers:
        return readers[kind](content)
    return Plain(hide_items(content) if kind in BOXED else content)


def hide_items(content: bytes, kinds: tuple[bytes, ...] = (b"Exif", b"mime")) -> bytes:
    """A HEIC or AVIF whose decoder does not find its EXIF and XMP: such pictures are turned by boxes of their own."""
    return _ITEM.sub(lambda item: item[0][:-4] + b"free" if item[1] in kinds else item[0], content)


def open_picture(content: bytes) -> tuple[Image.Image, Plain]:
    """A picture file without its metadata, as Pillow opens it, not decoded; and what the metadata said.

    PictureError if it is no picture that is read; UnidentifiedImageError if it looks like one that Pillow can't open.
    """
    kind = picture_format(content)
    if content.startswith(b"PK\3\4"):
        raise PictureError("an archive, to be unpacked first")
    if not kind and begins_recording(content[:HEAD]):
        raise PictureError("a recording, and only pictures are looked at here")
    if not kind and begins_raw(content[:HEAD]):
        raise PictureError("a raw picture, which is not read: save it as JPEG")
    if not kind:
        raise PictureError("not a picture in a format that is read")
    plain = without_metadata(content, kind)
    picture = open_as(plain.content, kind)
    if kind == "AVIF":  # which hands the boxes that turn it on as EXIF
        plain = replace(plain, orientation=int(picture.getexif().get(ORIENTATION, NORMAL)))
    return picture, plain


def xmp_packets(content: bytes, plain: Plain) -> tuple[bytes, ...]:
    """The XMP packets of a file that was opened, also of one whose boxes only its decoder can follow."""
    kind = picture_format(content)
    if kind not in BOXED:
        return plain.packets
    with open_as(hide_items(content, (b"Exif",)), kind) as picture:
        found = picture.info.get("xmp")
    return (found,) if found else ()


def open_as(content: bytes, kind: str) -> Image.Image:
    """Open a picture as what it is, and as nothing else that Pillow could make of it, without Pillow's limit."""
    Image.init()
    if kind == "HEIF":
        from pi_heif import register_heif_opener

        register_heif_opener()
    if kind not in Image.OPEN:
        raise PictureError(f"this Pillow can't read {kind}")
    # As Pillow's plugins refuse; and a GIF that is misread to be of a huge size.
    refused = (SyntaxError, IndexError, TypeError, KeyError, EOFError, struct.error, Image.DecompressionBombError)
    try:
        return Image.OPEN[kind][0](io.BytesIO(content), "")
    except refused as error:
        raise UnidentifiedImageError(str(error)) from error


def _exif_orientation(exif: bytes) -> int:
    """The orientation in an EXIF block, with or without its heading; 0 where there is none or it can't be told."""
    while exif.startswith(b"Exif\0\0"):
        exif = exif[6:]
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None or len(exif) < 8:
        return 0
    (start,) = struct.unpack_from(order + "I", exif, 4)
    if start + 2 > len(exif):
        return 0
    (count,) = struct.unpack_from(order + "H", exif, start)
    for at in range(start + 2, min(start + 2 + 12 * count, len(exif) - 11), 12):
        tag, kind = struct.unpack_from(order + "HH", exif, at)
        if tag == ORIENTATION:
            found = exif[at + 8 : at + 8 + min(4, _TIFF_SIZES.get(kind, 4))].strip(b"\0 ")
            digits = found[:1] if order == "<" else found[-1:]
            value = digits[0] - (ord("0") if digits.isdigit() else 0) if digits else 0
            return value if 1 <= value <= 8 else 0
    return 0


@dataclass(slots=True)
class _Segments:
    """What a JPEG holds up to its first scan. steady: each segment lay just behind the one before it, and was known."""

    kept: list[bytes] = field(default_factory=list)
    exif: bytes = b""
    packets: list[bytes] = field(default_factory=list)
    further: list[bytes] = field(default_factory=list)
    pixels: int = 0
    tables: bool = False
    scan: int = -1
    steady: bool = True

    def note(self, marker: int, segment: bytes) -> None:
        body = segment[4:]
        if marker == 0xE1 and body.startswith(b"Exif"):
            self.exif = self.exif or body
        elif marker == 0xE1 and body.startswith(_XMP_MARK):
            self.packets.append(body[len(_XMP_MARK) :])
        elif marker == 0xE1 and body.startswith(_FURTHER_MARK):
            self.further.append(body[len(_FURTHER_MARK) :])
        self.tables |= marker == 0xDB
        self.steady &= marker in _JPEG_KEPT or 0xE0 <= marker <= 0xFE
        if marker in _JPEG_KEPT and not (marker in _JPEG_MARKS and not _JPEG_MARKS[marker].match(body)):
            self.kept.append(segment)
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC) and len(body) > 5:
            height, width = struct.unpack_from(">HH", body, 1)
            self.pixels = max(1, height * width)


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
        found.note(marker, content[at:end])
        at = end
    return found


def _plain_jpeg(content: bytes) -> Plain:
    """Without APP1 to APP13, APP15 and comments; what the length of a broken segment hides is found again."""
    first = best = _segments(content, 2)
    if first.scan < 0 or not first.steady:
        # A broken length leads past the tables or into a thumbnail: the largest picture that begins with tables is it.
        starts = (table.start() for table in re.finditer(rb"\xff\xdb", content))
        found = [one for at in starts if (one := _segments(content, at)).scan >= 0]
        best = max((first, *found), key=lambda one: (one.scan >= 0 and one.tables, one.steady, one.pixels))
    if best.scan < 0:
        return Plain(content)
    plain = b"\xff\xd8" + b"".join(best.kept) + content[best.scan :]
    return _plain(plain, _exif_orientation(first.exif), [*first.packets, *_joined(first.further)])


def _joined(further: Sequence[bytes]) -> Iterator[bytes]:
    """The packets that were cut into segments: 32 characters that name it, 4 bytes of its length, 4 of the place."""
    packets: defaultdict[bytes, list[tuple[int, bytes]]] = defaultdict(list)
    for part in further:
        packets[part[:32]].append((int.from_bytes(part[36:40], "big"), part[40:]))
    for parts in packets.values():
        yield b"".join(part for _, part in sorted(parts))


def _plain_png(content: bytes) -> Plain:
    kept = [content[:8]]
    exif = b""
    packets: list[bytes] = []
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
        elif kind == b"iTXt" and body.startswith(_PNG_XMP):
            packets.append(_text_of(body))
        if kind == b"IEND":
            break
        end = at + 12 + length
        if end != len(content) and kind not in _PNG_KEPT and not content[end + 4 : end + 8].isalpha():
            pixels = _PNG_PIXELS.search(content, at + 8)  # go on behind a broken length
            end = len(content) if pixels is None else pixels.start() - 4
        at = end
    else:
        kept.append(b"\0\0\0\0IEND\xaeB`\x82")  # a lost end costs no pixel
    return _plain(b"".join(kept), _exif_orientation(exif), packets)


def _text_of(body: bytes) -> bytes:
    """The text of an iTXt chunk, behind its keyword, whether it is packed and how, its language, and a translation."""
    packed, rest = body[len(_PNG_XMP) : len(_PNG_XMP) + 1], body[len(_PNG_XMP) + 2 :]
    text = rest.split(b"\0", 2)[-1]
    if packed != b"\1":
        return text
    try:
        return zlib.decompressobj().decompress(text, LARGEST_PACKET + 1)
    except zlib.error:
        return b""


def _raw_profile(body: bytes) -> bytes:
    """EXIF as ImageMagick writes it into a PNG: packed hexadecimal digits behind a name and a length."""
    try:
        text = zlib.decompressobj().decompress(body.partition(b"\0")[2][1:], 1 << 20)
        return bytes.fromhex("".join(text.decode("ascii", "replace").split("\n")[3:]))
    except (zlib.error, ValueError):
        return b""


def _plain_webp(content: bytes) -> Plain:
    kept: list[bytes] = []
    exif = b""
    packets: list[bytes] = []
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
        packets += [body] if kind == b"XMP " else []
        at = end
    chunks = b"".join(kept)
    plain = b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks
    return _plain(plain, _exif_orientation(exif), packets)


def _plain_tiff(content: bytes) -> Plain:
    """Only the first directory, without the tags that pixels don't need; it stays where it is."""
    order = "<" if content[:2] == b"II" else ">"
    count_kind, address = ("Q", "Q") if content[2:4] in (b"+\0", b"\0+") else ("H", "I")
    wide = struct.calcsize("=" + address)
    size = 4 + 2 * wide  # of an entry: tag, type, count, value or where it is
    try:
        (start,) = struct.unpack_from(order + address, content, wide)
        (count,) = struct.unpack_from(order + count_kind, content, start)
        first = start + struct.calcsize("=" + count_kind)
        ends = range(first, first + size * min(count, 4096), size)
        entries = [struct.unpack_from(f"{order}HH{address}{wide}s", content, at) for at in ends]
    except struct.error:
        return Plain(content)
    kept = b"".join(content[at : at + size] for at, entry in zip(ends, entries, strict=True) if entry[0] in _TIFF_KEPT)
    directory = struct.pack(order + count_kind, len(kept) // size) + kept
    # Behind it would be the address of a next directory: there is none.
    cleared = directory.ljust(first + size * len(entries) + wide - start, b"\0")
    plain = content[:start] + cleared[: len(content) - start] + content[start + len(cleared) :]
    said = {tag: (kind, many, value) for tag, kind, many, value in entries}

    def number(tag: int) -> int:
        kind, _, value = said.get(tag, (0, 0, b""))
        return int.from_bytes(value[: _TIFF_SIZES.get(kind, 4)], "little" if order == "<" else "big")

    if number(_REDUCED) & 1 and _WITHIN in said and max(map(number, _SIDES)) <= _SMALL_COPY:
        raise PictureError("a raw picture, of which only a small copy could be read: save it as JPEG")
    turn = number(ORIENTATION)
    packets = []
    if _XMP in said:
        kind, many, value = said[_XMP]
        (at,) = struct.unpack(order + address, value)
        packets.append(content[at : at + many * _TIFF_SIZES.get(kind, 1)])
    return _plain(plain, turn if 1 <= turn <= 8 else 0, packets)
