"""A picture from the bytes of its file: upright, RGB, 8 bits. The bytes, not the name, say what it is."""

from __future__ import annotations

import hashlib
import io
import struct
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, UnidentifiedImageError

from unmingle.errors import PictureError, reason
from unmingle.records import U8
from unmingle.sources.formats import BOXED, picture_format
from unmingle.sources.limits import MAX_PIXELS, MOST_MEMORY, VAST, check_opened, check_size, check_unopened
from unmingle.sources.metadata import NORMAL, ORIENTATION, Plain, hide_items, without_metadata
from unmingle.sources.pyramid import LARGE, Pyramid, upright, upright_part

FRAMES_TRIED = 20  # of an animation that begins with nothing
BAND = 64  # rows that are converted at a time, so that they stay in the processor's cache
DEPTHS = (8, 10, 12, 14, 16)  # bits of a sample, as cameras and scanners have them
OVERSHOOT = 1.02  # of the largest sample: lossy compression may exceed it
DEEP = 16  # bytes a pixel that deep colour takes; of a picture too large for that, the upper 8 bits do
BITS, PHOTOMETRIC = 258, 262  # tags of TIFF
FILLER = b"\x5a\xa5" * 64  # any bits will do: behind a scan that is whole they change nothing


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


def open_picture(content: bytes) -> tuple[Image.Image, Plain]:
    """A picture file without its metadata, as Pillow opens it, not decoded; and what the metadata said.

    PictureError if it is no picture that is read; UnidentifiedImageError if it looks like one that Pillow can't open.
    """
    kind = picture_format(content)
    if not kind:
        raise PictureError("not a picture in a format that is read")
    plain = without_metadata(content, kind)
    picture = _open(plain.content, kind)
    if kind == "AVIF":  # which hands the boxes that turn it on as EXIF
        plain = replace(plain, orientation=int(picture.getexif().get(ORIENTATION, NORMAL)))
    return picture, plain


def xmp_packets(content: bytes, plain: Plain) -> tuple[bytes, ...]:
    """The XMP packets of a file that was opened, also of one whose boxes only its decoder can follow."""
    kind = picture_format(content)
    if kind not in BOXED:
        return plain.packets
    with _open(hide_items(content, (b"Exif",)), kind) as picture:
        found = picture.info.get("xmp")
    return (found,) if found else ()


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
        if picture.format == "JPEG":
            even = not any(side % 2 for side in picture.size)
            if half and even and max(picture.size) >= LARGE and picture.mode in {"RGB", "L"}:
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
        cv2.resize(
            band[: 2 * rows, : 2 * width],
            (width, rows),
            dst=base[top // 2 : top // 2 + rows],
            interpolation=cv2.INTER_AREA,
        )
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
        return Pyramid(upright(_whole(_open(plain.content, "JPEG"), plain), plain.orientation))
    opened: list[Image.Image] = []

    def part(left: int, top: int, right: int, bottom: int) -> U8:
        if not opened:
            opened.append(_open(plain.content, "JPEG"))
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
        depths = tags.get(BITS, ())
        return len(depths) > 1 and max(depths) > 8 and bool(tags.get(PHOTOMETRIC) in {1, 2})
    if picture.format == "JPEG2000":
        size = content.find(b"\xff\x4f\xff\x51")
        many, depth = struct.unpack_from(">HB", content, size + 40)
        return bool(many > 1 and depth & 0x7F > 7)
    return False


def _open(content: bytes, kind: str) -> Image.Image:
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


def _jpeg_without_end(content: bytes) -> Image.Image:
    """A JPEG whose last marker is lost but whose pixels are all there: whatever follows then, they are the same."""
    first, second = (_open(content + more, "JPEG") for more in (b"\xff\xd9", FILLER + b"\xff\xd9"))
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
