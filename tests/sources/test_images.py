from __future__ import annotations

import io
import os
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from unmingle.errors import PictureError, SourceError
from unmingle.sources import images

RED_LEFT = np.zeros((20, 40, 3), np.uint8)
RED_LEFT[:, :20, 0] = 200


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "GIF", "WEBP", "JPEG"])
def test_common_formats_decode_to_the_same_picture(kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    pixels = images.decode(encoded(Image.fromarray(RED_LEFT), kind, **options))
    assert pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - RED_LEFT).mean() < (6 if kind == "JPEG" else 1)


def test_heic_decodes() -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    content = encoded(Image.fromarray(np.repeat(np.repeat(RED_LEFT, 4, 0), 4, 1)), "HEIF", quality=95)
    pixels = images.decode(content, suffix=".HEIC")
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
    np.testing.assert_array_equal(images.decode(encoded(stored, "PNG", exif=exif)), RED_LEFT)


def test_grey_becomes_three_equal_channels() -> None:
    pixels = images.decode(encoded(Image.fromarray(RED_LEFT[..., 0]), "PNG"))
    np.testing.assert_array_equal(pixels, np.repeat(RED_LEFT[..., :1], 3, axis=2))


def test_sixteen_bits_keep_their_top_byte() -> None:
    deep = np.linspace(0, 65535, 400).astype(np.uint16).reshape(20, 20)
    pixels = images.decode(encoded(Image.fromarray(deep), "PNG"))
    np.testing.assert_allclose(pixels[..., 0], deep / 257, atol=0.51)


def test_twelve_bits_in_a_tiff_of_floats_use_their_own_range() -> None:
    values = np.linspace(0, 0.25, 400, dtype=np.float32).reshape(20, 20)
    pixels = images.decode(encoded(Image.fromarray(values), "TIFF"))
    assert pixels.min() == 0
    assert pixels.max() == 255


def test_transparency_falls_on_white() -> None:
    clear = np.zeros((20, 20, 4), np.uint8)
    clear[:10] = [10, 20, 30, 255]
    pixels = images.decode(encoded(Image.fromarray(clear), "PNG"))
    assert pixels[0, 0].tolist() == [10, 20, 30]
    assert pixels[19, 0].tolist() == [255, 255, 255]


def test_cmyk_jpeg_has_its_colours() -> None:
    pixels = images.decode(encoded(Image.fromarray(RED_LEFT).convert("CMYK"), "JPEG", quality=95))
    assert pixels[10, 5, 0] > 150
    assert pixels[10, 5, 1] < 60


def test_an_animation_gives_its_first_frame() -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
    pixels = images.decode(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert pixels[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"just some text", "not a picture"),
        (encoded(Image.fromarray(RED_LEFT), "JPEG")[:-200], "truncated"),
        (encoded(Image.fromarray(RED_LEFT), "PNG")[:60], "truncated"),
        (encoded(Image.new("RGB", (3, 300)), "PNG"), "too small: 3×300"),
    ],
)
def test_a_picture_that_cannot_be_used_says_why(content: bytes, reason: str) -> None:
    with pytest.raises(PictureError, match=reason):
        images.decode(content)


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_header(width: int, height: int) -> bytes:
    """A PNG file that claims a size and holds next to no pixels: what it says must be enough to refuse it."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(b"\0" * 99))


def test_an_enormous_picture_is_refused_by_its_size_before_it_is_decoded() -> None:
    with pytest.raises(PictureError, match="too large"):
        images.decode(png_header(30_000, 30_000))


def test_a_large_picture_below_the_limit_is_read_without_a_warning() -> None:
    content = encoded(Image.new("L", (10_000, 9_000)), "PNG")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with images.quiet_decoders():
            assert images.decode(content).shape == (9_000, 10_000, 3)


def test_reading_tells_an_empty_file_from_a_missing_one(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(PictureError, match="0 bytes"):
        images.read_bytes(images.PictureFile(str(tmp_path), "empty.jpg"))
    with pytest.raises(PictureError, match="can't be opened"):
        images.read_bytes(images.PictureFile(str(tmp_path), "gone.jpg"))


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_scan_finds_pictures_by_their_ending_and_counts_the_rest(tmp_path: Path) -> None:
    touch(tmp_path, "b.JPG", "a.png", "sub/c.webp", "notes.docx", ".hidden.jpg", "sub/deep/d.HEIC")
    found = images.scan([tmp_path])
    assert [file.name for file in found.files] == ["a.png", "b.JPG", "sub/c.webp", "sub/deep/d.HEIC"]
    assert found.folders == (str(tmp_path),)
    assert found.passed_over == 1


def test_scan_finds_recordings_in_folders_by_themselves_and_in_lists(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "talk.MP4", "sub/old.avi", "code.ts", ".hidden.mp4", "out/library.sqlite", "out/clip.mp4")
    found = images.scan([tmp_path])
    assert [(file.name, file.is_recording) for file in found.files] == [
        ("a.jpg", False),
        ("sub/old.avi", True),
        ("talk.MP4", True),
    ]
    assert found.passed_over == 1
    (tmp_path / "list.txt").write_text("sub/old.avi\n", encoding="utf-8")
    alone = images.scan([tmp_path / "talk.MP4", tmp_path / "list.txt"])
    assert [(file.name, file.is_recording) for file in alone.files] == [("talk.MP4", True), ("old.avi", True)]


def test_scan_keeps_names_with_spaces_emoji_and_newlines(tmp_path: Path) -> None:
    names = ["a b.jpg", "😀.jpg", "line\nbreak.jpg"]
    touch(tmp_path, *names)
    assert sorted(file.name for file in images.scan([tmp_path]).files) == sorted(names)


def test_a_name_that_is_no_text_can_be_read_and_shown(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/caf\xe9.jpg"
    Path(os.fsdecode(raw)).write_bytes(b"x")
    (file,) = images.scan([tmp_path]).files
    assert file.name == r"caf\xe9.jpg"
    assert images.read_bytes(file) == b"x"


def test_loops_of_links_end_and_linked_folders_are_read(tmp_path: Path) -> None:
    touch(tmp_path, "here/a.jpg", "elsewhere/b.jpg")
    (tmp_path / "here" / "loop").symlink_to(tmp_path / "here")
    (tmp_path / "here" / "album").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "here" / "self").symlink_to(tmp_path / "here" / "self")
    names = [file.name for file in images.scan([tmp_path / "here"]).files]
    assert names == ["a.jpg", "album/b.jpg"]


def test_a_library_inside_a_source_is_no_source(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "out/library.sqlite", "out/sheets/person-0001.jpg")
    assert [file.name for file in images.scan([tmp_path]).files] == ["a.jpg"]


def test_single_files_and_lists_are_sources(tmp_path: Path) -> None:
    touch(tmp_path, "x/a.jpg", "x/b.jpg", "y/c.jpg", "y/d.jpg")
    (tmp_path / "list.txt").write_text(f"x/b.jpg\n\n{tmp_path / 'y'}\n", encoding="utf-8")
    found = images.scan([tmp_path / "x" / "a.jpg", tmp_path / "list.txt"])
    assert [file.name for file in found.files] == ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]
    assert found.folders == (str(tmp_path / "y"),)


@pytest.mark.parametrize(("name", "problem"), [("missing", "no"), ("loop.txt", "another list")])
def test_a_source_that_cannot_be_read_is_a_clear_error(tmp_path: Path, name: str, problem: str) -> None:
    (tmp_path / "loop.txt").write_text("loop.txt\n", encoding="utf-8")
    with pytest.raises(SourceError, match=problem) as caught:
        images.scan([tmp_path / name])
    assert caught.value.mend


def test_a_folder_without_permission_is_named_and_the_rest_is_read(
    open_folder: Path, request: pytest.FixtureRequest
) -> None:
    touch(open_folder, "a.jpg", "locked/b.jpg")
    (open_folder / "locked").chmod(0)
    request.getfixturevalue("ordinary_user")
    files = images.scan([open_folder]).files
    assert [(file.name, bool(file.problem)) for file in files] == [("a.jpg", False), ("locked", True)]
    with pytest.raises(PictureError, match="Permission denied"):
        images.read_bytes(files[1])
    with pytest.raises(SourceError, match="Permission denied"):
        images.scan([open_folder / "locked"])
