"""EXIF that is odd: in a field, or in everything."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from fuzzing.mutants import ODD_NUMBERS

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

TAGS = (
    0x100, 0x101, 0x102, 0x103, 0x10E, 0x10F, 0x110, 0x112, 0x112, 0x112, 0x11A, 0x11B, 0x128, 0x131,
    0x132, 0x13B, 0x201, 0x202, 0x213, 0x214, 0x2BC, 0x501B, 0x8298, 0x829A, 0x829D, 0x83BB, 0x8649, 0x8769,
    0x8773, 0x8825, 0x9000, 0x9003, 0x9101, 0x9201, 0x9202, 0x9204, 0x920A, 0x927C, 0x9286, 0xA001, 0xA005, 0xA20B,
    0xA217, 0xA300, 0xA302, 0xA401, 0xA432, 0xC4A5, 0xC634, 0xEA1C, 0, 1, 2, 5, 0xFFFF,
)  # fmt: skip
COUNTS = (0, 1, 1, 1, 2, 3, 4, 5, 8, 100, 65535, 0x7FFFFFFF, 0xFFFFFFFF)


def exif(draw: random.Random) -> bytes:
    """EXIF as a camera writes it, but for something in it; or a TIFF header and next to nothing that is right."""
    return _nearly_right(draw) if draw.random() < 0.6 else _wild(draw)


# What is usual of a camera: the tag, its type, and a value.
Field = tuple[int, int, bytes]
ASCII, SHORT, LONG, RATIONAL, UNDEFINED, SIGNED = 2, 3, 4, 5, 7, 10
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}


def _usual(order: str, draw: random.Random) -> tuple[list[Field], list[Field], list[Field]]:
    def short(*numbers: int) -> bytes:
        return struct.pack(f"{order}{len(numbers)}H", *numbers)

    def ratio(*numbers: int) -> bytes:
        return struct.pack(f"{order}{len(numbers)}I", *numbers)

    main = [(0x10F, ASCII, b"Made\0"), (0x110, ASCII, b"Up 2000\0"), (0x112, SHORT, short(draw.randrange(1, 9)))]
    main += [(0x11A, RATIONAL, ratio(72, 1)), (0x11B, RATIONAL, ratio(72, 1)), (0x128, SHORT, short(2))]
    main += [(0x131, ASCII, b"1.0\0"), (0x132, ASCII, b"2019:01:01 00:00:00\0"), (0x213, SHORT, short(1))]
    camera = [(0x829A, RATIONAL, ratio(1, 60)), (0x829D, RATIONAL, ratio(28, 10)), (0x8827, SHORT, short(100))]
    camera += [
        (0x9000, UNDEFINED, b"0232"),
        (0x9003, ASCII, b"2019:01:01 00:00:00\0"),
        (0x9101, UNDEFINED, b"\1\2\3\0"),
    ]
    camera += [(0x9201, SIGNED, ratio(5, 1)), (0x9204, SIGNED, ratio(0, 1)), (0x927C, UNDEFINED, draw.randbytes(30))]
    camera += [(0x9286, UNDEFINED, b"ASCII\0\0\0made up"), (0xA001, SHORT, short(1)), (0xA002, LONG, ratio(128))]
    place = [(0, 1, bytes([2, 3, 0, 0])), (1, ASCII, b"N\0"), (2, RATIONAL, ratio(52, 1, 30, 1, 0, 1))]
    place += [(5, 1, b"\0"), (6, RATIONAL, ratio(34, 1)), (0x1D, ASCII, b"2019:01:01\0")]
    return main, camera, place


def _nearly_right(draw: random.Random) -> bytes:
    order = draw.choice("<>")
    groups = [sorted(draw.sample(group, draw.randrange(1, len(group) + 1))) for group in _usual(order, draw)]
    for _ in range(draw.choice((1, 1, 2, 3))):
        group = draw.choice(groups)
        at = draw.randrange(len(group))
        group[at] = _spoilt(group[at], draw)
    main, camera, place = groups
    blob = bytearray({"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "I", 8))
    pointers = [(tag, LONG, bytes(4)) for tag, group in ((0x8769, camera), (0x8825, place)) if draw.random() < 0.7]
    start = len(blob)
    _directory(blob, [*main, *pointers], order)
    for at, (tag, _, _) in enumerate(pointers):
        struct.pack_into(order + "I", blob, start + 2 + 12 * (len(main) + at) + 8, len(blob))
        _directory(blob, camera if tag == 0x8769 else place, order)
    return bytes(blob)


def _spoilt(known: Field, draw: random.Random) -> Field:
    """A field with another type, another number of values, or values that it can't have."""
    tag, kind, value = known
    way = draw.randrange(6)
    if way == 0:
        return tag, draw.choice((*SIZES, 0, 14, 255, 65535)), value
    if way == 1:
        return (
            tag,
            draw.choice((SIGNED, RATIONAL)),
            draw.choice(
                (
                    bytes(8),
                    struct.pack("<ii", -1, 0),
                    struct.pack("<ii", -1, -1),
                    struct.pack(">ii", -(2**31), 1),
                    b"\xff" * 8,
                )
            ),
        )
    if way == 2:
        return tag, kind, value * draw.choice((0, 2, 3, 100))
    if way == 3:
        return tag, kind, value[: draw.randrange(len(value) + 1)]
    if way == 4:
        return tag, draw.choice((11, 12)), struct.pack("<d", draw.choice((float("nan"), float("inf"), -1.0, 1e300)))
    return tag, kind, draw.randbytes(len(value))


def _directory(blob: bytearray, fields: Sequence[Field], order: str) -> None:
    """A directory and what does not fit into it, at the end."""
    behind = len(blob) + 2 + 12 * len(fields) + 4
    blob += struct.pack(order + "H", len(fields))
    data = b""
    for tag, kind, value in fields:
        blob += struct.pack(order + "HHI", tag, kind, -(-len(value) // SIZES.get(kind, 1)))
        if len(value) > 4:
            blob += struct.pack(order + "I", behind + len(data))
            data += value
        else:
            blob += value.ljust(4, b"\0")
    blob += bytes(4) + data


def _wild(draw: random.Random) -> bytes:
    order = draw.choice("<>")
    start = draw.choice((8, 8, 8, 8, 8, 8, 8, 0, 7, 0xFFFFFFFF))
    magic = {"<": b"II*\0", ">": b"MM\0*"}[order] if draw.random() < 0.95 else draw.randbytes(4)
    blob = bytearray(magic + struct.pack(order + "I", start))
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        entries = draw.choice((0, 1, 2, 4, 8, 20))
        stated = entries if draw.random() < 0.9 else draw.choice((0, 1, 100, 0xFFFF))
        blob += struct.pack(order + "H", stated)
        for _ in range(entries):
            blob += entry(order, len(blob) + 12 * entries, draw)
        blob += struct.pack(order + "I", draw.choice((0, 0, 0, 8, len(blob) + 4, 0xFFFFFFFF)))
    blob += draw.randbytes(draw.choice((0, 8, 64)))
    if draw.random() < 0.1:
        del blob[draw.randrange(len(blob)) :]
    return bytes(blob)


def entry(order: str, behind: int, draw: random.Random) -> bytes:
    tag = draw.choice(TAGS) if draw.random() < 0.9 else draw.randrange(65536)
    kind = draw.randrange(1, 14) if draw.random() < 0.85 else draw.choice((0, 14, 16, 17, 18, 129, 255, 65535))
    value = draw.choice(
        (
            draw.randbytes(4),
            struct.pack(order + "HH", draw.randrange(12), draw.choice((0, 6))),
            struct.pack(order + "I", draw.choice((0, 4, 8, 10, behind, behind + 4))),
            struct.pack(order + "I", draw.choice(ODD_NUMBERS)),
        )
    )
    return struct.pack(order + "HHI", tag, kind, draw.choice(COUNTS)) + value
