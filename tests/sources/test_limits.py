"""What one picture may take is told by its header: bombs are refused before a pixel is read, and large ones halved."""

from __future__ import annotations

import io
import struct
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from unmingle.api import Library
from unmingle.errors import PictureError
from unmingle.sources import decoding
from unmingle.sources.decoding import VAST, VastError, decode, name_of, open_pyramid
from unmingle.sources.pyramid import LARGE

if TYPE_CHECKING:
    from pathlib import Path

SIDE = 13376  # pixels: just under what is decoded at all


def saved(mode: str, kind: str, size: tuple[int, int] = (64, 48), **options: Any) -> bytes:
    file = io.BytesIO()
    rng = np.random.default_rng(1)
    if mode in {"F", "I;16"}:
        pixels = rng.integers(0, 4000, size[::-1]).astype({"F": np.float32, "I;16": np.uint16}[mode])
        picture = Image.fromarray(pixels)
    else:
        bands = len(Image.new(mode, (1, 1)).getbands())
        pixels = rng.integers(0, 255, (*size[::-1], bands), np.uint8)
        picture = Image.frombytes(mode, size, pixels.tobytes())
    picture.save(file, kind, **options)
    return file.getvalue()


def tiff(*tags: tuple[int, int], side: int = SIDE) -> bytes:
    """A TIFF of one strip that holds nothing; depths of up to two samples."""
    every = {256: side, 257: side, 259: 8, 262: 2, 273: 8, 278: side, 279: 100} | dict(tags)
    body = b"".join(
        struct.pack("<HHII", tag, 3 if value < 1 << 16 else 4, 1, value) for tag, value in sorted(every.items())
    )
    return b"II*\0" + struct.pack("<IH", 8, len(every)) + body + bytes(104)


def of_size(jpeg: bytes, side: int = SIDE) -> bytes:
    """A progressive JPEG that says it is as large."""
    at = jpeg.index(b"\xff\xc2") + 5
    return jpeg[:at] + struct.pack(">HH", side, side) + jpeg[at + 4 :]


PROGRESSIVE = saved("RGB", "JPEG", progressive=True, subsampling=0)
SCAN = PROGRESSIVE[PROGRESSIVE.rindex(b"\xff\xda") : -2]
# A table of quantisation in which the end of a picture seems to stand.
HIDING = b"\xff\xdb" + struct.pack(">HB", 67, 3) + b"\xff\xd9" * 32
BOMBS = {
    "all coefficients of a progressive JPEG": (of_size(PROGRESSIVE), "take 1.8 GB to decode"),
    "thousands of scans": (PROGRESSIVE[:-2] + SCAN * 3000 + b"\xff\xd9", r"3,0\d\d scans"),
    "scans behind what looks like an end": (PROGRESSIVE[:2] + HIDING + PROGRESSIVE[2:-2] + SCAN * 200, "scans"),
    "some scans of a vast picture": (of_size(PROGRESSIVE[:-2] + SCAN * 30 + b"\xff\xd9"), r"scans"),
    "one strip": (tiff((258, 8), (277, 1), (262, 1), side=14_000), "damaged or truncated"),
    "a strip of deep colour": (tiff((258, 64), (277, 1), (262, 1), side=12_000), "GB to decode"),
    "a tile larger than its picture": (
        tiff((258, 8), (277, 1), (262, 1), (322, 40_000), (323, 40_000), (324, 8), (325, 100), side=64),
        "GB to decode",
    ),
    "a decoder in Python": (b"qoif" + struct.pack(">IIBB", SIDE, SIDE, 3, 0) + b"\xfd" * 99, "slow to read"),
    "many pixels": (tiff((258, 1), (277, 1), (262, 1), side=30_000), "over 220,000,000 pixels"),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs_are_refused_by_their_header(bomb: str) -> None:
    content, problem = BOMBS[bomb]
    began = time.process_time()
    with pytest.raises(PictureError, match=problem):
        open_pyramid(content)
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    ("mode", "kind", "options"),
    [
        ("RGB", "PNG", {}),
        ("RGBA", "PNG", {}),
        ("1", "PNG", {}),
        ("I;16", "PNG", {}),
        ("F", "TIFF", {}),
        ("LA", "PNG", {}),
        ("CMYK", "JPEG", {}),
        ("L", "TIFF", {"tiffinfo": {274: 6}}),
        ("RGB", "TIFF", {"tiffinfo": {274: 3}}),
    ],
)
def test_vast_pictures_are_the_same_halved(
    monkeypatch: pytest.MonkeyPatch, mode: str, kind: str, options: dict[str, Any]
) -> None:
    content = saved(mode, kind, (LARGE + 3, 701), **options)
    whole = open_pyramid(content)
    monkeypatch.setattr(decoding, "VAST", 1000)
    with pytest.raises(VastError):
        open_pyramid(content, vast=False)
    halved = open_pyramid(content)
    assert halved.base.shape[0] == whole.base.shape[0] // 2
    assert np.array_equal(halved.full(), decode(content))
    assert np.array_equal(halved.full(), whole.full())
    assert np.array_equal(halved.level(0.5)[0], whole.level(0.5)[0])
    assert name_of(halved) == name_of(whole)


def test_library_of_vast_pictures_is_as_of_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for number in range(5):
        Image.new("RGB", (LARGE, 48 + number % 4), (50 * number, 0, 0)).save(tmp_path / f"{number}.png")
    (tmp_path / "5.png").write_bytes((tmp_path / "4.png").read_bytes())
    tables = []
    for vast in (VAST, 1000):
        monkeypatch.setattr(decoding, "VAST", vast)
        library = Library(tmp_path / f"library-{vast}")
        assert library.add(tmp_path).analysed == 5
        tables.append(library.faces)
    assert tables[0].equals(tables[1])
    assert tables[0].height == 6
