"""A picture from the bytes of its file: upright, RGB, 8 bits. The bytes, not the name, say what it is.

What it may take, bytes while it is decoded and time, its header tells before a pixel is read.
"""

from __future__ import annotations

import hashlib
import io
import re
import struct
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, UnidentifiedImageError
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from unmingle.errors import PictureError, reason
from unmingle.records import U8
from unmingle.sources.formats import MIN_SIDE, picture_format
from unmingle.sources.metadata import Plain, open_as, open_picture, without_metadata
from unmingle.sources.pyramid import LARGE, Pyramid, upright, upright_part

FRAMES_TRIED = 20  # of an animation that begins with nothing
BAND = 64  # rows that are converted at a time, so that they stay in the processor's cache
DEPTHS = (8, 10, 12, 14, 16)  # bits of a sample, as cameras and scanners have them
OVERSHOOT = 1.02  # of the largest sample: lossy compression may exceed it
DEEP = 16  # bytes a pixel that deep colour takes; of a picture too large for that, the upper 8 bits do
FILLER = b"\x5a\xa5" * 64  # any bits will do: behind a scan that is whole they change nothing
MAX_PIXELS = 220_000_000  # the largest of telephones have 200 million
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
# Tags of TIFF.
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _STRIPS, _ROWS, _LENGTHS = 256, 257, 258, 259, 262, 273, 278, 279
_TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_LENGTHS = 322, 323, 324, 325
_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")  # but for those between the parts of a scan
_PPM = re.compile(rb"P[1-6fF](?:\s|#[^\n]*\n)*(\d{1,9})(?:\s|#[^\n]*\n)+(\d{1,9})")
_PAM = re.compile(rb"\sWIDTH\s+(\d{1,9})\s.*?HEIGHT\s+(\d{1,9})\s", re.DOTALL)


def decode(content: bytes) -> U8:
    """(h, w, 3) uint8 RGB: turned upright, transparency on white, of an animation the first frame that shows anything.

    PictureError if it is none, damaged, truncated, too small or too large; the message says which.
    """
    return open_pyramid(content, half=False).full()


class VastError(Exception):
    """A picture takes more memory than was allowed for now."""


def open_pyramid(content: bytes, *, half: bool = True, vast: bool = True) -> Pyramid:
    """The same picture; with `half`, a large JPEG is decoded at half its size, and in full when somebody asks for it.

    PictureError as from `decode`; VastError if it would take more than `VAST` bytes, and `vast` is not set.
    """
    try:
        return _decode(content, half=half, vast=vast)
    except (VastError, PictureError):
        raise
    except UnidentifiedImageError as error:
        raise PictureError("not a picture in a format that is read, or its beginning is damaged") from error
    except MemoryError as error:
        raise PictureError("too large for the memory of this machine") from error
    except Exception as error:  # whatever a decoder makes of a file, it is about this file alone
        raise PictureError(f"damaged or truncated: {reason(error)}") from error


def name_of(picture: Pyramid) -> bytes:
    """What names what a picture shows: the same pixels, or what its decoder got, whatever else is in its file."""
    return picture.name or pixel_digest(picture.full())


def pixel_digest(picture_hw3: U8) -> bytes:
    """What names pixels."""
    found = hashlib.sha256(str(picture_hw3.shape).encode())
    found.update(np.ascontiguousarray(picture_hw3).data)
    return found.digest()


def _decode(content: bytes, *, half: bool, vast: bool) -> Pyramid:
    try:
        picture, plain = open_picture(content)
    except UnidentifiedImageError:
        kind = picture_format(content)
        if kind not in {"TIFF", "PPM", "GIF"}:  # of which OpenCV reads more
            raise
        check_unopened(content, kind)
        plain = without_metadata(content, kind)
        return Pyramid(upright(_by_opencv(plain.content), plain.orientation))
    with picture:
        memory = check_opened(picture, plain.content)
        deep = _is_deep(picture, plain.content) * DEEP * picture.width * picture.height
        memory = max(memory, deep) if deep < MOST_MEMORY else memory
        if memory > VAST and not vast:
            raise VastError
        even = not any(side % 2 for side in picture.size)
        if half and even and picture.format == "JPEG" and max(picture.size) >= LARGE and picture.mode in {"RGB", "L"}:
            return _half_of_jpeg(picture, plain)
        if memory > VAST and half and not 0 < deep < MOST_MEMORY:
            return _halved(_shown(picture, plain), plain.orientation)
        return Pyramid(upright(_whole(picture, plain), plain.orientation))


def _halved(picture: Image.Image, orientation: int) -> Pyramid:
    """A picture of which what its decoder made is kept, half of it in RGB, and what is asked for in full."""
    picture = _grey(picture)
    size = (picture.height, picture.width) if orientation >= 5 else picture.size
    part = upright_part(lambda *box: _rgb(picture.crop(box)), orientation, size)
    width, height = (side // 2 for side in size)
    base = np.empty((height, width, 3), np.uint8)
    found = hashlib.sha256(str((size[1], size[0], 3)).encode())  # as `pixel_digest` does
    for top in range(0, size[1], BAND):
        band = part(0, top, size[0], min(top + BAND, size[1]))
        found.update(band.data)
        rows = len(band) // 2
        target = base[top // 2 : top // 2 + rows]
        cv2.resize(band[: 2 * rows, : 2 * width], (width, rows), dst=target, interpolation=cv2.INTER_AREA)
    return Pyramid(base, part, size=size, name=found.digest())


def _whole(picture: Image.Image, plain: Plain) -> U8:
    """The pixels of an opened picture, as they are stored."""
    shown = _shown(picture, plain)
    if _is_deep(shown, plain.content) and DEEP * shown.width * shown.height < MOST_MEMORY:
        with suppress(UnidentifiedImageError, cv2.error):
            return _by_opencv(plain.content)
    return _rgb(shown)


def _shown(picture: Image.Image, plain: Plain) -> Image.Image:
    """What an opened picture shows, decoded."""
    try:
        picture.load()
    except OSError:
        if picture.format != "JPEG":
            raise
        picture = _jpeg_without_end(plain.content)
    return _first_shown(picture)


def _half_of_jpeg(picture: Image.Image, plain: Plain) -> Pyramid:
    """A JPEG decoded at half its size; what its decoder gets names the pixels."""
    size = (picture.height, picture.width) if plain.orientation >= 5 else picture.size
    picture.draft(picture.mode, (picture.width // 2, picture.height // 2))
    try:
        picture.load()
    except OSError:  # it may be whole all the same
        return Pyramid(upright(_whole(open_as(plain.content, "JPEG"), plain), plain.orientation))
    opened: list[Image.Image] = []

    def part(left: int, top: int, right: int, bottom: int) -> U8:
        if not opened:
            opened.append(open_as(plain.content, "JPEG"))
        return _rgb(opened[0].crop((left, top, right, bottom)))

    named = hashlib.sha256(f"JPEG {plain.orientation} ".encode())
    named.update(plain.content)
    parts = upright_part(part, plain.orientation, size)
    return Pyramid(upright(_rgb(picture), plain.orientation), parts, size=size, name=named.digest())


def _is_deep(picture: Image.Image, content: bytes) -> bool:
    """Whether its colours have more than 8 bits: Pillow keeps the upper 8, even where only lower ones are used."""
    if picture.format == "PNG":
        return content[24:26] in {b"\x10\x02", b"\x10\x04", b"\x10\x06"}  # colour, or grey with transparency
    if picture.format == "TIFF":
        tags = getattr(picture, "tag_v2", {})
        depths = tags.get(_BITS, ())
        return len(depths) > 1 and max(depths) > 8 and bool(tags.get(_PHOTOMETRIC) in {1, 2})
    if picture.format == "JPEG2000":
        size = content.find(b"\xff\x4f\xff\x51")
        many, depth = struct.unpack_from(">HB", content, size + 40)
        return bool(many > 1 and depth & 0x7F > 7)
    return False


def _jpeg_without_end(content: bytes) -> Image.Image:
    """A JPEG whose last marker is lost but whose pixels are all there: whatever follows then, they are the same."""
    first, second = (open_as(content + more, "JPEG") for more in (b"\xff\xd9", FILLER + b"\xff\xd9"))
    with second:
        first.load()
        second.load()
        if first.tobytes() != second.tobytes():
            raise PictureError("damaged or truncated: a part of the picture is missing")
    return first


def _first_shown(picture: Image.Image) -> Image.Image:
    """The first frame that is not of one colour alone; the first one if all are."""
    frames = getattr(picture, "n_frames", 1)
    for frame in range(1, min(frames, FRAMES_TRIED, MAX_PIXELS // (picture.width * picture.height) + 1)):
        if not _is_plain(picture):
            return picture
        picture.seek(frame)
        picture.load()
    if frames > 1 and _is_plain(picture):
        picture.seek(0)
    return picture


def _is_plain(picture: Image.Image) -> bool:
    found: Any = picture.getextrema()
    return all(low == high for low, high in ([found] if isinstance(found[0], (int, float)) else found))


def _rgb(picture: Image.Image) -> U8:
    """(h, w, 3), band by band."""
    picture = _grey(picture)
    rgb = np.empty((picture.height, picture.width, 3), np.uint8)
    for top in range(0, picture.height, BAND):
        rgb[top : top + BAND] = _plain_band(_band(picture, top))
    return rgb


def _grey(picture: Image.Image) -> Image.Image:
    """Deep grey in 8 bits; others as they are."""
    if picture.mode != "F" and not picture.mode.startswith("I"):
        return picture
    grey = np.empty((picture.height, picture.width, 1), np.uint8)
    return Image.fromarray(_narrow(grey, lambda top: np.asarray(_band(picture, top))[..., None])[..., 0])


def _band(picture: Image.Image, top: int) -> Image.Image:
    return picture.crop((0, top, picture.width, min(top + BAND, picture.height)))


def _plain_band(band: Image.Image) -> U8:
    if band.mode == "LAB":
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        band = ImageCms.profileToProfile(band, lab, srgb, outputMode="RGB") or band
    if band.mode in {"RGBA", "LA", "PA", "La", "RGBa"} or "transparency" in band.info:
        white = Image.new("RGBA", band.size, "white")
        band = Image.alpha_composite(white, band.convert("RGBA"))
    return np.asarray(band if band.mode == "RGB" else band.convert("RGB"))


def _by_opencv(content: bytes) -> U8:
    """Deep and floating-point colour, which Pillow has no mode for."""
    getattr(cv2.utils, "logging", cv2).setLogLevel(0)  # OpenCV 5's and 4's: it prints what it thinks of a damaged file
    pixels: NDArray[Any] | None = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise UnidentifiedImageError
    check_size(pixels.shape[1], pixels.shape[0])
    deep = pixels.reshape(*pixels.shape[:2], -1)
    if deep.dtype == np.uint8:
        narrow: U8 = deep
    else:
        narrow = _narrow(np.empty(deep.shape, np.uint8), lambda top: deep[top : top + BAND])
    if narrow.shape[2] == 1:
        return np.repeat(narrow, 3, axis=2)
    rgb: U8 = np.ascontiguousarray(narrow[..., 2::-1])
    if narrow.shape[2] == 4:
        for top in range(0, len(rgb), BAND):
            band = np.dstack([rgb[top : top + BAND], narrow[top : top + BAND, :, 3]])
            rgb[top : top + BAND] = _plain_band(Image.fromarray(band))
    return rgb


def _narrow(out_hwc: U8, band: Callable[[int], NDArray[Any]]) -> U8:
    """Deep pixels in 8 bits, from bands by their first row; how transparent they are does not tell their range."""
    tops = range(0, len(out_hwc), BAND)
    low, high = _range(band(top)[..., :3] for top in tops)
    for top in tops:
        values = (band(top).astype(np.float32) - np.float32(low)) * np.float32(255 / max(high - low, 1e-12))
        out_hwc[top : top + BAND] = np.clip(np.rint(np.nan_to_num(values)), 0, 255)
    return out_hwc


def _range(bands: Iterable[NDArray[Any]]) -> tuple[float, float]:
    """What becomes 0 and what 255: whole numbers fill one of the usual depths, others their own range."""
    low, high, whole = np.inf, -np.inf, True
    for band in bands:
        finite = band[np.isfinite(band)] if band.dtype.kind == "f" else band
        whole &= band.dtype.kind in "ui"
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    if not low <= high:  # nothing but what is no number
        return 0.0, 1.0
    if not whole or low < 0:
        return low, high
    return 0.0, float(next((2**bits - 1 for bits in DEPTHS if high <= OVERSHOOT * (2**bits - 1)), high))


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
    """How many scans a decoder goes through to the end of the picture, from marker to marker by their lengths."""
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
