"""Files that are small and ask a reader for gigabytes or minutes. python -m fuzzing.bombs FOLDER writes them all."""

from __future__ import annotations

import io
import struct
import sys
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable

SIDE = 13_376  # pixels: 178.9 million in a square
CHANNELS = {0: 1, 2: 3, 3: 1, 6: 4}  # by PNG's types of colour


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(side: int, bits: int, colour: int, *more: bytes, says: int = 0) -> bytes:
    """A PNG of zeros, row by row; `says`: the side that its header tells instead."""
    row, packer = bytes(1 + (side * CHANNELS[colour] * bits + 7) // 8), zlib.compressobj(9)
    packed = b"".join([packer.compress(row) for _ in range(side)] + [packer.flush()])
    header = struct.pack(">IIBBBBB", says or side, says or side, bits, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + b"".join(more) + _chunk(b"IDAT", packed) + _chunk(b"IEND", b"")
    )


def saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    """A picture's file."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def _blank(mode: str, side: int = SIDE) -> Image.Image:
    return Image.new(mode, (side, side))


def _scans(side: int, count: int) -> bytes:
    """A progressive JPEG whose last scan comes again and again."""
    jpeg = saved(_blank("RGB", side), "JPEG", quality=1, progressive=True)
    return jpeg[:-2] + jpeg[jpeg.rindex(b"\xff\xda") : -2] * count + b"\xff\xd9"


def _zipped(parts: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as out:
        for name, part in parts.items():
            out.writestr(name, part)
    return buffer.getvalue()


def workbook(*cells: tuple[int, int], strings: int = 0, long: int = 0) -> bytes:
    """A workbook with text in some cells, `long` or short; `strings`: bytes of a text that no cell shows."""
    import xlsxwriter

    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        for row, column in cells:
            sheet.write_string(row, column, "file" if not row else "a" * long + "a.jpg")
    if not strings:
        return buffer.getvalue()
    with zipfile.ZipFile(io.BytesIO(buffer.getvalue())) as whole:
        parts = {name: whole.read(name) for name in whole.namelist()}
    more = b"<si><t>%s</t></si></sst>" % (b"x" * strings)
    return _zipped({name: part.replace(b"</sst>", more) for name, part in parts.items()})


def _parquet(rows: int, value: int | str = 0) -> bytes:
    buffer = io.BytesIO()
    kind = pl.String if isinstance(value, str) else pl.Int8
    pl.DataFrame({"file": pl.repeat(value, rows, dtype=kind, eager=True), "person": 1}).write_parquet(buffer)
    return buffer.getvalue()


def open_document(text: str, rows: int, columns: int) -> bytes:
    """A spreadsheet of OpenDocument in which one cell stands for many."""
    names = " ".join(
        f'xmlns:{one}="urn:oasis:names:tc:opendocument:xmlns:{one}:1.0"' for one in ("office", "table", "text")
    )
    cell = f'<table:table-cell office:value-type="string" table:number-columns-repeated="{columns}">'
    row = f'<table:table-row table:number-rows-repeated="{rows}">{cell}<text:p>{text}</text:p></table:table-cell>'
    body = f"<office:body><office:spreadsheet><table:table>{row}</table:table-row></table:table></office:spreadsheet>"
    whole = f"<office:document-content {names}>{body}</office:body></office:document-content>"
    manifest = '<m:manifest xmlns:m="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>'
    parts = {"mimetype": b"application/vnd.oasis.opendocument.spreadsheet", "content.xml": whole.encode()}
    return _zipped({**parts, "META-INF/manifest.xml": manifest.encode()})


PICTURES: dict[str, Callable[[], bytes]] = {
    "rgba.png": lambda: png(SIDE, 8, 6),
    "grey16.png": lambda: png(SIDE, 16, 0),
    "one_bit.png": lambda: png(SIDE, 1, 0),
    "palette.png": lambda: png(SIDE, 8, 3, _chunk(b"PLTE", bytes(6)), _chunk(b"tRNS", bytes(2))),
    "over.png": lambda: png(30_000, 1, 0),
    "huge.png": lambda: png(8, 8, 2, says=2**31 - 1),
    "text.png": lambda: png(64, 8, 2, *[_chunk(b"zTXt", b"a\0\0" + zlib.compress(b"x" * (60 << 20), 9))] * 8),
    "profile.png": lambda: png(64, 8, 2, _chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(1 << 30), 9))),
    "grey.gif": lambda: saved(_blank("L"), "GIF"),
    "frames.gif": lambda: saved(
        _blank("L", 64), "GIF", save_all=True, append_images=[Image.new("L", (64, 64), i % 255) for i in range(5000)]
    ),
    "group4.tif": lambda: saved(_blank("1"), "TIFF", compression="group4"),
    "rgba.tif": lambda: saved(_blank("RGBA"), "TIFF", compression="tiff_adobe_deflate"),
    "float.tif": lambda: saved(_blank("F"), "TIFF", compression="tiff_adobe_deflate"),
    "pages.tif": lambda: saved(
        _blank("1", 4000), "TIFF", compression="group4", save_all=True, append_images=[_blank("1", 4000)] * 299
    ),
    "plain.webp": lambda: saved(Image.new("RGB", (16_383, 10_900)), "WEBP", quality=1),
    "plain.jpg": lambda: saved(_blank("RGB"), "JPEG", quality=1),
    "progressive.jpg": lambda: saved(_blank("RGB"), "JPEG", quality=1, progressive=True),
    "scans.jpg": lambda: _scans(SIDE, 3000),
    "scans_small.jpg": lambda: _scans(2000, 20_000),
}
TABLES: dict[str, Callable[[], bytes]] = {
    "far.xlsx": lambda: workbook((0, 0), (1_048_575, 16_383)),
    "just_near.xlsx": lambda: workbook((0, 0), (0, 1), (999_999, 18)),
    "one_text.xlsx": lambda: workbook(
        (0, 0), *[(row, column) for row in range(1, 20_000) for column in (0, 1)], long=30_000
    ),
    "strings.xlsx": lambda: workbook((0, 0), (0, 1), strings=2_000_000_000),
    "rows.parquet": lambda: _parquet(100_000_000),
    "one_text.parquet": lambda: _parquet(2_000, "x" * 1_000_000),
    "keys.json": lambda: ("[" + ",".join(f'{{"{i}":1}}' for i in range(30_000)) + "]").encode(),
    "deep.json": lambda: b"[" * 100_000_000,
    "cells.csv": lambda: b"file,person\n" + b"," * 200_000_000,
    "lines.csv": lambda: b"file,person\n" + b"\n" * 200_000_000,
    "repeated.ods": lambda: open_document("a" * 30_000, rows=1000, columns=1000),
}
SIDECARS: dict[str, Callable[[], bytes]] = {
    "entities.jpg.xmp": lambda: b"<!DOCTYPE x [<!ENTITY a '%s'>]><x>%s</x>" % (b"x" * 100_000, b"&a;" * 100_000),
    "deep.jpg.xmp": lambda: b"<a>" * 30_000_000,
    "wide.jpg.xmp": lambda: b"<x>" + b"<a/>" * 1_000_000 + b"</x>",
}


def write_all(folder: Path) -> None:
    """Each door's in a folder of its own."""
    for door, makers in {"pictures": PICTURES, "tables": TABLES, "sidecars": SIDECARS}.items():
        (folder / door).mkdir(parents=True, exist_ok=True)
        for name, make in makers.items():
            (folder / door / name).write_bytes(make())


if __name__ == "__main__":
    Image.MAX_IMAGE_PIXELS = None
    write_all(Path(sys.argv[1]))
