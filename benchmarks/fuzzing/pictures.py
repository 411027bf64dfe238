"""Pictures: damaged bytes, and odd metadata around pixels that are whole, which have to be read all the same."""

from __future__ import annotations

import io
import struct
import zlib
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from fuzzing.exif import entry, exif
from fuzzing.mutants import ODD_NUMBERS, Outcome, chance, check_rows, damage, portrait
from unmingle.api import Library
from unmingle.settings import EngineSettings
from unmingle.sources.images import PictureFile, read_picture

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence
    from pathlib import Path

PEOPLE = 4
FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    ".jpg": ("JPEG", {"quality": 88}),
    ".jpe": ("JPEG", {"quality": 88, "progressive": True}),
    ".mpo": ("MPO", {"save_all": True}),
    ".png": ("PNG", {}),
    ".webp": ("WEBP", {"quality": 85}),
    ".tif": ("TIFF", {"compression": "tiff_lzw"}),
    ".tiff": ("TIFF", {}),
    ".gif": ("GIF", {}),
    ".bmp": ("BMP", {}),
    ".avif": ("AVIF", {"quality": 85, "speed": 10}),
    ".heic": ("HEIF", {"quality": 85}),
    ".jp2": ("JPEG2000", {}),
}
ENDINGS = (*FORMATS, ".jpeg", ".jfif", ".JPG", ".PNG", ".heif", ".HIF", ".HEIC", ".j2k", ".mp4", ".mov")
METADATA = (".jpg", ".jpg", ".jpg", ".jpe", ".mpo", ".png", ".png", ".webp", ".tiff", ".gif", ".avif", ".heic", ".jp2")


@cache
def base(ending: str, person: int) -> bytes:
    """A picture that nothing is wrong with."""
    if ending == ".heic":
        from pillow_heif import register_heif_opener

        register_heif_opener()
    image, second = (Image.fromarray(portrait(person, look)) for look in (person, person + 7))
    form, options = FORMATS[ending]
    more = {"append_images": [second]} if form == "MPO" else {}
    buffer = io.BytesIO()
    image.save(buffer, form, **options, **more)
    return buffer.getvalue()


@cache
def shown(ending: str, person: int) -> np.ndarray[Any, Any]:
    """What Pillow reads of it."""
    with Image.open(io.BytesIO(base(ending, person))) as image:
        return np.asarray(image.convert("RGB"))


class Pictures:
    """Half of them have whole pixels."""

    def run(self, folder: Path, numbers: Sequence[int], seed: int) -> Outcome:
        """See `Kind.run`."""
        source = folder / "pictures"
        source.mkdir()
        made = {}
        whole = {}
        for number in numbers:
            draw = chance(seed, "pictures", number)
            form, ending, content, pixels = mutant(draw)
            name = f"{number:06}{ending}"
            (source / name).write_bytes(content)
            made[name] = number
            if pixels is not None:
                whole[name] = form, pixels
        library = Library(folder / "library", views="on request")
        library.add(source, engine=EngineSettings(threads=1))
        library.cluster(sheets=0)
        outcome = Outcome()
        rows = check_rows(library.faces, made, outcome)
        for name, (form, pixels) in whole.items():
            if rows[name]:  # else it is told of already
                fault, what = _wrong(source, name, pixels, rows[name][0])
                if fault:
                    outcome.blame(made[name], fault, f"{form} named {name[6:]}: {what}")
        return outcome


def _wrong(source: Path, name: str, pixels: np.ndarray[Any, Any], row: dict[str, Any]) -> tuple[str, str]:
    """What is wrong with how whole pixels were read; empty if nothing is."""
    if row["status"] == "unreadable":
        return "whole_but_refused", row["reason"]
    if name.endswith((".mp4", ".mov")):
        return "", ""
    found = read_picture(PictureFile(str(source), name))
    turned = [np.rot90(side, turns) for side in (pixels, pixels[:, ::-1]) for turns in range(4)]
    same = [found.shape == one.shape and np.abs(found.astype(int) - one).max() <= 2 for one in turned]
    if not any(same):
        return "other_pixels", f"read as {found.shape}"
    if same[0] and row["status"] == "not_a_face":
        return "face_not_found", row["reason"]
    return "", ""


def mutant(draw: random.Random) -> tuple[str, str, bytes, np.ndarray[Any, Any] | None]:
    """Which form a file has, its ending and content, and its pixels where they are whole."""
    person = draw.randrange(PEOPLE)
    if draw.random() < 0.5:
        ending = draw.choice(METADATA)
        content = dress(ending, base(ending, person), draw)
        pixels = shown(ending, person)
    else:
        ending = draw.choice(tuple(FORMATS))
        other = base(draw.choice(tuple(FORMATS)), draw.randrange(PEOPLE))
        dressed = draw.random() < 0.3
        content = damage(dress(ending, base(ending, person), draw) if dressed else base(ending, person), draw, other)
        pixels = None
    named = draw.choice(ENDINGS) if draw.random() < 0.2 else ending
    return ending, named, content, pixels


# Metadata: everything around the pixels


def dress(ending: str, content: bytes, draw: random.Random) -> bytes:
    """A picture with odd metadata and the same pixels."""
    way = {".jpg": _jpeg, ".jpe": _jpeg, ".mpo": _jpeg, ".png": _png, ".webp": _webp, ".tiff": _tiff}.get(ending)
    if way is not None:
        return way(content, draw)
    if ending == ".gif":
        blocks = bytes([0x21, draw.choice((0xFE, 0xFF, 0x01, 0x42))]) + _gif_blocks(draw)
        return content[: _gif_header(content)] + blocks + content[_gif_header(content) :]
    if ending in (".avif", ".heic"):
        return _boxes(content, draw)
    if ending == ".jp2":
        at = content.index(b"jp2c") - 4
        return content[:at] + _box(draw.choice((b"xml ", b"uuid", b"uinf", b"free")), draw) + content[at:]
    return content


XMPS = (
    b"",
    b"<x",
    b"\0" * 40,
    b'<?xpacket begin="\xef\xbb\xbf"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF/></x:xmpmeta>',
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/" xmlns:t="http://ns.adobe.com/tiff/1.0/" t:Orientation="6"/>',
    b'<a tiff:Orientation="9"/>',
    b"<tiff:Orientation>6</tiff:Orientation>",
    b'tiff:Orientation="x"',
    b"\xff\xfe<\0x\0",
    b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
)


def xmp(draw: random.Random) -> bytes:
    return draw.choice(XMPS) + draw.choice((b"", b" " * 2000, draw.randbytes(30)))


def profile(draw: random.Random) -> bytes:
    """A colour profile that is none, or nearly one."""
    from PIL import ImageCms

    whole = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return draw.choice((b"", draw.randbytes(40), whole[:100], whole, damage(whole, draw), whole + bytes(70_000)))


def _jpeg(content: bytes, draw: random.Random) -> bytes:
    segments = b"".join(_segment(draw) for _ in range(draw.choice((1, 1, 1, 2, 4))))
    tail = draw.choice((b"", b"", b"", bytes(4096), b"\0\0\0\x18ftypmp42" + draw.randbytes(200), draw.randbytes(50)))
    return content[:2] + segments + content[2:] + tail


def _segment(draw: random.Random) -> bytes:
    kind, data = draw.choice(_SEGMENTS)(draw)
    return (
        draw.choice((b"", b"", b"\xff\xff"))
        + bytes([0xFF, kind])
        + struct.pack(">H", len(data[:65000]) + 2)
        + data[:65000]
    )


_SEGMENTS: tuple[Callable[[random.Random], tuple[int, bytes]], ...] = (
    lambda draw: (0xE1, b"Exif\0\0" * draw.choice((1, 1, 1, 1, 2)) + exif(draw)),
    *[lambda draw: (0xE1, b"Exif\0\0" + exif(draw))] * 10,
    lambda draw: (0xE1, draw.choice((b"Exif", b"Exif\0", b"exif\0\0", b"Exif\0\xff")) + exif(draw)),
    lambda draw: (0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp(draw)),
    lambda draw: (0xE1, b"http://ns.adobe.com/xmp/extension/\0" + draw.randbytes(draw.choice((0, 30, 100)))),
    lambda draw: (0xE2, b"ICC_PROFILE\0" + bytes(draw.choice(((1, 1), (0, 0), (2, 1), (1, 2)))) + profile(draw)),
    lambda draw: (0xE2, b"ICC_PROFILE\0" + draw.randbytes(draw.choice((0, 1, 2)))),
    lambda draw: (0xE2, b"MPF\0" + _mpf(draw)),
    lambda draw: (0xE2, b"MPF\0" + _mpf(draw)),
    lambda draw: (0xE2, b"FPXR\0" + draw.randbytes(draw.choice((0, 20)))),
    lambda draw: (0xED, b"Photoshop 3.0\0" + _photoshop(draw)),
    lambda draw: (0xE0, b"JFIF" + draw.randbytes(draw.choice((0, 1, 5, 10)))),
    lambda draw: (0xE0, b"JFXX\0" + draw.randbytes(20)),
    lambda draw: (0xFE, draw.randbytes(draw.choice((0, 5, 3000)))),
    lambda draw: (draw.choice((0xE3, 0xE5, 0xEC, 0xEF)), draw.randbytes(30)),
)


def _mpf(draw: random.Random) -> bytes:
    """What names the further pictures of an MPO."""
    if draw.random() < 0.3:
        return exif(draw)
    order = draw.choice("<>")
    count = draw.choice((0, 1, 2, 3, 1000, 0xFFFFFFFF))
    listed = draw.choice((0, 16, 32, 0xFFFFFFFF))
    tags = [(0xB000, 7, 4, b"0100"), (0xB001, 4, 1, struct.pack(order + "I", count))]
    tags += [(0xB002, 7, listed, struct.pack(order + "I", draw.choice((50, 8, 0xFFFF))))]
    if draw.random() < 0.3:
        tags.pop(draw.randrange(3))
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "IH", 8, len(tags))
    body = b"".join(struct.pack(order + "HHI", *tag[:3]) + tag[3] for tag in tags)
    places = b"".join(
        struct.pack(
            order + "IIIHH",
            draw.choice((0, 0x30000, 0x20002)),
            draw.choice(ODD_NUMBERS),
            draw.choice(ODD_NUMBERS),
            0,
            0,
        )
        for _ in range(2)
    )
    return head + body + bytes(4) + places


def _photoshop(draw: random.Random) -> bytes:
    found = b""
    for _ in range(draw.choice((0, 1, 3))):
        stated = draw.choice((0, 4, 7, 100, 0xFFFFFFFF))
        found += b"8BIM" + struct.pack(">H", draw.choice((0x404, 0x3ED, 0x40C, 0x422, 0x425)))
        found += (
            draw.choice((b"\0\0", b"\x05abcde", b"\xff"))
            + struct.pack(">I", stated)
            + draw.randbytes(draw.choice((0, 4, 16)))
        )
    return found + draw.choice((b"", b"8BI", b"8BIM"))


def _chunk(kind: bytes, data: bytes, *, crc: bool = True) -> bytes:
    check = zlib.crc32(kind + data) if crc else 0
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)


def _png(content: bytes, draw: random.Random) -> bytes:
    chunks = b""
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        kind, data = draw.choice(_CHUNKS)(draw)
        chunks += _chunk(kind, data, crc=draw.random() < 0.93)
    tail = draw.choice((b"", b"", b"", bytes(100), draw.randbytes(30)))
    if draw.random() < 0.1:
        return content[:33] + chunks + content[33:-12] + tail  # without its end
    if draw.random() < 0.15:
        return content[:33] + content[33:-12] + chunks + content[-12:] + tail
    return content[:33] + chunks + content[33:] + tail


_CHUNKS: tuple[Callable[[random.Random], tuple[bytes, bytes]], ...] = (
    *[lambda draw: (b"eXIf", exif(draw))] * 4,
    lambda draw: (b"eXIf", draw.choice((b"Exif\0\0", b"")) + exif(draw)),
    lambda draw: (b"iCCP", b"a\0\0" + zlib.compress(profile(draw))),
    lambda draw: (
        b"iCCP",
        draw.choice((b"", b"a", b"a\0", b"a\0\1", b"a\0\0abc", b"x" * 90, b"a\0\0" + zlib.compress(bytes(3_000_000)))),
    ),
    lambda draw: (b"tEXt", draw.choice((b"", b"a", b"a\0", b"a\0" + b"b" * 2_000_000, b"\0\0\0", b"\xff\0\xff"))),
    lambda draw: (
        b"zTXt",
        draw.choice((b"", b"a", b"a\0", b"a\0\1", b"a\0\0abc", b"a\0\0" + zlib.compress(bytes(2_000_000)))),
    ),
    lambda draw: (
        b"iTXt",
        draw.choice((b"", b"a\0", b"a\0\1", b"a\0\1\0\0\0abc", b"a\0\0\0\0\0\xff\xfe", b"a\0\2\3\0\0b")),
    ),
    lambda draw: (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp(draw)),
    lambda draw: (
        b"iTXt",
        b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(xmp(draw) + b" " * draw.choice((0, 2_000_000))),
    ),
    lambda draw: (
        draw.choice((b"gAMA", b"cHRM", b"pHYs", b"tIME", b"sRGB", b"bKGD", b"hIST", b"sPLT", b"sBIT", b"oFFs")),
        draw.randbytes(draw.choice((0, 1, 3, 4, 9, 32))),
    ),
    lambda draw: (draw.choice((b"acTL", b"fcTL", b"fdAT")), draw.randbytes(draw.choice((0, 4, 8, 26)))),
    lambda draw: (b"acTL", struct.pack(">II", draw.choice((0, 1, 2, 0x80000000)), draw.choice((0, 1)))),
    lambda draw: (draw.choice((b"prVt", b"caBX", b"orNT", b"zzzz")), draw.randbytes(draw.choice((0, 10)))),
)


def _webp(content: bytes, draw: random.Random) -> bytes:
    width, height = shown(".webp", 0).shape[1::-1]
    parts, flags = b"", 0
    before = b""
    for _ in range(draw.choice((1, 1, 2))):
        kind = draw.choice((b"EXIF", b"EXIF", b"XMP ", b"ICCP", b"abcd"))
        data = {b"EXIF": lambda: draw.choice((b"", b"Exif\0\0")) + exif(draw), b"XMP ": lambda: xmp(draw)}.get(
            kind, lambda: profile(draw)
        )()
        flags |= {b"EXIF": 8, b"XMP ": 4, b"ICCP": 32}.get(kind, 0) if draw.random() < 0.9 else 0
        piece = kind + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)
        before, parts = (before + piece, parts) if kind == b"ICCP" else (before, parts + piece)
    extended = (
        b"VP8X" + struct.pack("<II", 10, flags) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    )
    body = b"WEBP" + extended + before + content[12:] + parts
    return b"RIFF" + struct.pack("<I", len(body)) + body + draw.choice((b"", b"", bytes(20)))


PIXEL_TAGS = frozenset(
    {0x100, 0x101, 0x102, 0x103, 0x106, 0x111, 0x115, 0x116, 0x117, 0x11C, 0x13D, 0x140, 0x142, 0x152, 0x153}
)


def _tiff(content: bytes, draw: random.Random) -> bytes:
    """Further entries in the directory, which is written anew at the end."""
    (start,) = struct.unpack("<I", content[4:8])
    (count,) = struct.unpack("<H", content[start : start + 2])
    entries = [content[start + 2 + 12 * i : start + 14 + 12 * i] for i in range(count)]
    entries = [one for one in entries if struct.unpack("<H", one[:2])[0] in PIXEL_TAGS]
    odd = [entry("<", len(content), draw) for _ in range(draw.choice((1, 1, 2, 5)))]
    # What describes the pixels stays as it is, and what libtiff itself asks of them.
    entries += [
        one
        for one in odd
        if not 0x100 <= struct.unpack("<H", one[:2])[0] < 0x10E and one[:2] not in (b"\x42\x01", b"\x43\x01")
    ]
    entries.sort(key=lambda one: struct.unpack("<H", one[:2])[0])
    tail = struct.pack("<I", draw.choice((0, 0, 0, 8, len(content), 0xFFFFFFFF)))
    directory = struct.pack("<H", len(entries)) + b"".join(entries) + tail
    return content[:4] + struct.pack("<I", len(content)) + content[8:] + directory


def _gif_header(content: bytes) -> int:
    return 13 + (3 << (content[10] & 7) + 1 if content[10] & 0x80 else 0)


def _gif_blocks(draw: random.Random) -> bytes:
    blocks = b""
    for _ in range(draw.choice((0, 1, 3))):
        data = draw.choice((b"NETSCAPE2.0", b"XMP DataXMP", b"\1\0\0", draw.randbytes(40)))
        blocks += bytes([len(data)]) + data
    return blocks + b"\0"


def _box(kind: bytes, draw: random.Random) -> bytes:
    data = draw.choice(
        (b"", xmp(draw), draw.randbytes(16) + xmp(draw), bytes.fromhex("4a706754696666457869662d3e4a5032") + exif(draw))
    )
    return struct.pack(">I", 8 + len(data)) + kind + data


def _boxes(content: bytes, draw: random.Random) -> bytes:
    """AVIF and HEIC, saved with odd metadata, or with boxes behind the picture that nobody asked for."""
    if draw.random() < 0.3:
        return content + _box(draw.choice((b"free", b"uuid", b"skip", b"abcd")), draw)
    ending = ".avif" if b"avif" in content[:32] else ".heic"
    form, options = FORMATS[ending]
    person = next(person for person in range(PEOPLE) if base(ending, person) == content)
    more = draw.choice(
        (lambda: {"exif": b"Exif\0\0" + exif(draw)}, lambda: {"xmp": xmp(draw)}, lambda: {"exif": draw.randbytes(40)})
    )()
    buffer = io.BytesIO()
    try:
        Image.fromarray(portrait(person, person)).save(buffer, form, **options, **more)
    except Exception:  # noqa: BLE001  # whatever the encoder makes of such EXIF: it isn't the program that is asked here
        return content
    return buffer.getvalue()
