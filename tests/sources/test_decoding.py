from __future__ import annotations

import io
import random
import struct
import warnings
import zlib
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from unmingle.errors import PictureError
from unmingle.sources import decoding, images
from unmingle.sources.decoding import decode
from unmingle.sources.formats import picture_format
from unmingle.sources.metadata import ORIENTATION, hide_items, open_picture, xmp_packets

RED_LEFT = np.zeros((20, 40, 3), np.uint8)
RED_LEFT[:, :20, 0] = 200


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "GIF", "WEBP", "JPEG"])
def test_common_formats_decode_to_the_same_picture(kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    pixels = decode(encoded(Image.fromarray(RED_LEFT), kind, **options))
    assert pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - RED_LEFT).mean() < (6 if kind == "JPEG" else 1)


def test_heic_decodes() -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    content = encoded(Image.fromarray(np.repeat(np.repeat(RED_LEFT, 4, 0), 4, 1)), "HEIF", quality=95)
    pixels = decode(content)
    assert pixels.shape == (80, 160, 3)
    assert pixels[40, 20, 0] > 150
    assert pixels[40, 140, 0] < 50


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_turns_the_picture_upright(orientation: int) -> None:
    # How a camera held that way would have stored the upright picture.
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = Image.fromarray(RED_LEFT)
    if orientation in undo:
        stored = stored.transpose(undo[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    np.testing.assert_array_equal(decode(encoded(stored, "PNG", exif=exif)), RED_LEFT)


def test_grey_becomes_three_equal_channels() -> None:
    pixels = decode(encoded(Image.fromarray(RED_LEFT[..., 0]), "PNG"))
    np.testing.assert_array_equal(pixels, np.repeat(RED_LEFT[..., :1], 3, axis=2))


def test_sixteen_bits_keep_their_top_byte() -> None:
    deep = np.linspace(0, 65535, 400).astype(np.uint16).reshape(20, 20)
    pixels = decode(encoded(Image.fromarray(deep), "PNG"))
    np.testing.assert_allclose(pixels[..., 0], deep / 257, atol=0.51)


def test_twelve_bits_in_a_tiff_of_floats_use_their_own_range() -> None:
    values = np.linspace(0, 0.25, 400, dtype=np.float32).reshape(20, 20)
    pixels = decode(encoded(Image.fromarray(values), "TIFF"))
    assert pixels.min() == 0
    assert pixels.max() == 255


def test_transparency_falls_on_white() -> None:
    clear = np.zeros((20, 20, 4), np.uint8)
    clear[:10] = [10, 20, 30, 255]
    pixels = decode(encoded(Image.fromarray(clear), "PNG"))
    assert pixels[0, 0].tolist() == [10, 20, 30]
    assert pixels[19, 0].tolist() == [255, 255, 255]


def test_cmyk_jpeg_has_its_colours() -> None:
    pixels = decode(encoded(Image.fromarray(RED_LEFT).convert("CMYK"), "JPEG", quality=95))
    assert pixels[10, 5, 0] > 150
    assert pixels[10, 5, 1] < 60


def test_animation_gives_its_first_frame() -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
    pixels = decode(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert pixels[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"just some text", "not a picture"),
        (b"PK\3\4\x14\0\0\0", "an archive"),
        (b"\0\0\0\x1cftypmp42" + bytes(99), "a recording, and only pictures"),
        (b"\0\0\0\x18ftypcrx " + bytes(99), "a raw picture, which is not read: save it as JPEG"),
        (b"FUJIFILMCCD-RAW 0201" + bytes(99), "a raw picture, which is not read: save it as JPEG"),
        (encoded(Image.fromarray(RED_LEFT), "JPEG")[:-200], "truncated"),
        (encoded(Image.fromarray(RED_LEFT), "PNG")[:60], "truncated"),
        (encoded(Image.new("RGB", (3, 300)), "PNG"), "too small: 3×300"),
    ],
)
def test_a_picture_that_cannot_be_used_says_why(content: bytes, reason: str) -> None:
    with pytest.raises(PictureError, match=reason):
        decode(content)


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_header(width: int, height: int) -> bytes:
    """A PNG file that claims a size and holds next to no pixels: what it says must be enough to refuse it."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(b"\0" * 99))


def test_an_enormous_picture_is_refused_by_its_size_before_it_is_decoded() -> None:
    with pytest.raises(PictureError, match="too large"):
        decode(png_header(30_000, 30_000))


def test_a_large_picture_below_the_limit_is_read_without_a_warning() -> None:
    content = encoded(Image.new("L", (10_000, 9_000)), "PNG")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with images.quiet_decoders():
            assert decode(content).shape == (9_000, 10_000, 3)


def busy(seed: int = 0, side: int = 48) -> Image.Image:
    """A picture in which every part differs from every other."""
    noise = np.random.default_rng(seed).integers(0, 256, (side // 8, side // 8, 3), np.uint8)
    return Image.fromarray(np.repeat(np.repeat(noise, 8, 0), 8, 1))


def with_metadata(kind: str) -> bytes:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    exif[0x010F] = "Some camera"
    exif.get_ifd(0x8769)[0x9003] = "2019:01:02 03:04:05"
    options: dict[str, Any] = {"exif": exif, "icc_profile": b"p" * 300}
    if kind in {"JPEG", "WEBP"}:
        options["xmp"] = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
    return encoded(busy(), kind, **options)


def broken_metadata(content: bytes, seed: int) -> bytes:
    """Bytes of EXIF, profile and XMP and of their headings changed at random; the picture's own are left alone."""
    rnd = random.Random(seed)
    found = bytearray(content)
    start = {b"RIFF": 30, b"\x89PNG": 33}.get(content[:4], 20)
    for part in (b"Some camera", b"2019:01:02", b"p" * 300, b"x:xmpmeta"):
        at = content.find(part)
        for _ in range(8 if at >= 0 else 0):
            found[rnd.randrange(max(start, at - 60), at + len(part))] = rnd.randrange(256)
    return bytes(found)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_broken_metadata_costs_no_pixel(kind: str) -> None:
    content = with_metadata(kind)
    pixels = decode(content)
    assert open_picture(content)[1].orientation == 6
    stored = np.rot90(pixels)
    for seed in range(60):
        shown = decode(broken_metadata(content, seed))
        assert any(np.array_equal(np.rot90(stored, turn), shown) for turn in range(4)), seed


def test_orientation_survives_what_stops_a_parser_of_exif() -> None:
    def jpeg(exif: bytes) -> bytes:
        content = encoded(busy(), "JPEG")
        return content[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + content[2:]

    def tiff(order: str, *entries: tuple[int, int, int, bytes]) -> bytes:
        body = b"".join(struct.pack(order + "HHI", *entry[:3]) + entry[3] for entry in entries)
        head = b"II*\0" if order == "<" else b"MM\0*"
        return b"Exif\0\0" + head + struct.pack(order + "IH", 8, len(entries)) + body + b"\0\0\0\0"

    turned = tiff("<", (ORIENTATION, 3, 1, b"\6\0\0\0"))
    for exif, expected in (
        (turned, 6),
        (b"Exif\0\0" + turned, 6),  # the heading twice
        (tiff(">", (ORIENTATION, 3, 1, b"\0\6\0\0")), 6),
        (tiff(">", (ORIENTATION, 4, 1, b"\0\0\0\6")), 6),
        (tiff("<", (ORIENTATION, 3, 2, b"\6\0\6\0")), 6),
        (tiff("<", (ORIENTATION, 2, 2, b"6\0\0\0")), 6),
        (tiff("<", (0x11A, 10, 1, b"\xff\xff\xff\xff"), (ORIENTATION, 3, 1, b"\6\0\0\0")), 6),
        (tiff("<", (ORIENTATION, 3, 1, b"\x2a\0\0\0")), 1),
        (tiff("<", (ORIENTATION, 3, 1, b"\6\0\0\0"))[:14], 1),
        (b"Exif\0\0garbage that is no TIFF", 1),
        (b"Exif\0\0", 1),
    ):
        assert open_picture(jpeg(exif))[1].orientation == expected
        assert decode(jpeg(exif)).shape == (48, 48, 3)


def test_lost_end_of_a_whole_picture_costs_nothing() -> None:
    for options in ({}, {"progressive": True}):
        content = encoded(busy(), "JPEG", **options)
        assert np.array_equal(decode(content[:-2]), decode(content))
    content = encoded(busy(), "PNG")
    assert np.array_equal(decode(content[:-12]), decode(content))


def test_length_of_a_segment_that_is_wrong_hides_no_picture() -> None:
    content = bytearray(with_metadata("JPEG"))
    at = content.find(b"\xff\xe1") + 2
    for length in (2, 20, 0x3000, 0xFFFF):
        content[at : at + 2] = struct.pack(">H", length)
        assert decode(bytes(content)).shape == (48, 48, 3)


def test_megabytes_of_text_and_profile_are_passed_over() -> None:
    content = encoded(busy(), "PNG")
    text = png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b"x" * 70_000_000))
    profile = png_chunk(b"iCCP", b"big\0\0" + zlib.compress(b"\0" * 2_000_000))
    assert np.array_equal(decode(content[:33] + text + profile + content[33:]), decode(content))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "PPM", "AVIF", "JPEG2000", "HEIF"])
def test_first_bytes_tell_the_format(kind: str) -> None:
    if kind == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    assert picture_format(encoded(busy(), kind)) == kind


def test_jpeg_of_thousands_of_scans_is_refused_at_once() -> None:
    content = encoded(busy(), "JPEG", progressive=True)
    assert decode(content).shape == (48, 48, 3)
    scan = content[content.rfind(b"\xff\xda") : -2]
    with pytest.raises(PictureError, match="scans"):
        decode(content[:-2] + scan * 3000 + b"\xff\xd9")


def test_nothing_but_pictures_is_opened() -> None:
    for content in (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 20 20\n", b"GIMP", b"II"):
        with pytest.raises(PictureError, match="not a picture"):
            decode(content)
    with pytest.raises(PictureError, match="a recording"):
        decode(b"\0\0\0\x18ftypmp42")


@pytest.mark.parametrize("error", [RuntimeError, AssertionError, RecursionError, struct.error, ZeroDivisionError])
def test_whatever_a_decoder_raises_is_about_its_file(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    def fail(*_: object) -> None:
        raise error("so it is")

    monkeypatch.setattr(decoding, "_rgb", fail)
    with pytest.raises(PictureError, match="so it is"):
        decode(encoded(busy(), "PNG"))


def test_animation_that_begins_with_nothing_gives_what_it_shows_first() -> None:
    frames = [Image.new("RGB", (48, 48), "white"), busy(), busy(1)]
    content = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    assert np.array_equal(decode(content), np.asarray(frames[1]))


def test_twelve_bits_of_sixteen_are_no_night() -> None:
    deep = np.linspace(0, 4095, 400).astype(np.uint16).reshape(20, 20)
    assert decode(encoded(Image.fromarray(deep), "PNG")).max() == 255


@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize("ending", [".png", ".tif", ".jp2"])
def test_colours_of_fewer_bits_than_their_samples_are_no_night(bits: int, ending: str) -> None:
    shown = np.asarray(busy().resize((96, 96)))
    deep = (shown[..., ::-1].astype(np.uint32) * (2**bits - 1) // 255).astype(np.uint16)
    _, content = cv2.imencode(ending, deep)
    assert np.abs(decode(content.tobytes()).astype(int) - shown).mean() < 2


def test_transparency_of_deep_colours_falls_on_white() -> None:
    deep = np.zeros((20, 20, 4), np.uint16)
    deep[:10] = [3000, 2000, 1000, 65535]
    _, content = cv2.imencode(".png", deep)
    pixels = decode(content.tobytes())
    assert pixels[0, 0].tolist() == [round(one * 255 / 4095) for one in (1000, 2000, 3000)]
    assert pixels[19, 0].tolist() == [255, 255, 255]


def test_a_cut_picture_of_deep_colours_is_damaged() -> None:
    deep = np.random.default_rng(0).integers(0, 4096, (200, 200, 3)).astype(np.uint16)
    for ending in (".png", ".tif"):
        _, content = cv2.imencode(ending, deep)
        with pytest.raises(PictureError, match="damaged"):
            decode(content.tobytes()[: len(content) // 2])


def test_exif_that_says_upright_outweighs_xmp() -> None:
    packet = b'<x xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/>'
    exif = Image.Exif()
    assert open_picture(encoded(busy(), "JPEG", xmp=packet))[1].orientation == 6
    exif[ORIENTATION] = 1
    assert open_picture(encoded(busy(), "JPEG", xmp=packet, exif=exif))[1].orientation == 1


def test_only_the_items_of_a_file_of_boxes_are_hidden() -> None:
    entries = b"infe\2\0\0\0\0\1\0\0Exif\0" + b"infe\3\0\0\0\0\0\0\2\0\0mimeapplication/rdf+xml\0"
    pixels = b"pixels that happen to read Exif and mime"
    assert hide_items(entries + pixels) == entries.replace(b"Exif", b"free").replace(b"mime", b"free") + pixels


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_packets_are_read_beside_metadata_that_no_parser_takes(kind: str) -> None:
    if kind == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    packet = b"<x/>" + b" " * 3000
    options = {"tiffinfo": {700: packet}} if kind == "TIFF" else {"xmp": packet}
    if kind == "PNG":
        chunk = png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(packet + b" " * 2_000_000))
        content = encoded(busy(), "PNG")
        content = content[:33] + png_chunk(b"tEXt", b"wrong")[:-4] + b"\0\0\0\0" + chunk + content[33:]
    else:
        exif = b"Exif\0\0II*\0\xff\xff" if kind not in {"TIFF", "AVIF"} else Image.Exif().tobytes()
        content = encoded(busy(), kind, exif=exif, **options)
    found = xmp_packets(content, open_picture(content)[1])
    assert [one.strip() for one in found] == [b"<x/>"]


def test_negative_numbers_fill_their_own_range() -> None:
    values = np.linspace(-32768, 32767, 400).astype(np.int32).reshape(20, 20)
    pixels = decode(encoded(Image.fromarray(values), "TIFF"))
    assert (pixels.min(), pixels.max()) == (0, 255)


def test_large_picture_is_in_memory_once() -> None:
    bands = {decoding.BAND}
    tall = Image.fromarray(np.random.default_rng(0).integers(0, 256, (1300, 16, 3), np.uint8))
    assert np.array_equal(decode(encoded(tall, "PNG")), np.asarray(tall)), bands


def test_broken_marks_of_jfif_and_adobe_tell_nothing() -> None:
    content = encoded(busy(), "JPEG")
    pixels = decode(content)
    for short in (b"", b"JF", b"JFIF", b"JFIF\0\1"):
        segment = b"\xff\xe0" + struct.pack(">H", len(short) + 2) + short
        assert np.array_equal(decode(content[:2] + segment + content[20:]), pixels)


def test_the_small_copy_in_a_raw_picture_is_not_taken_for_the_picture() -> None:
    tags = ImageFileDirectory_v2()
    tags[254], tags[330] = 1, 8
    tags.tagtype[330] = 4
    small, large = (Image.new("RGB", size, "grey") for size in ((160, 120), (1616, 1080)))
    with pytest.raises(PictureError, match="a raw picture"):
        decode(encoded(small, "TIFF", tiffinfo=tags))
    assert decode(encoded(large, "TIFF", tiffinfo=tags)).shape == (1080, 1616, 3)
    del tags[330]  # a page of its own
    assert decode(encoded(small, "TIFF", tiffinfo=tags)).shape == (120, 160, 3)
