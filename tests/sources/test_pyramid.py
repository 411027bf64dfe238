"""A large JPEG is decoded at half its size: turned as it should be, sharp where asked for, and no damage is lost."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from PIL import Image

from unmingle.errors import PictureError
from unmingle.sources.decoding import decode, name_of, open_pyramid
from unmingle.sources.pyramid import LARGE, Pyramid

if TYPE_CHECKING:
    from unmingle.records import U8

WIDTH, HEIGHT = LARGE + 4, 1000
CORNERS = np.array([[301.0, 250.5], [420.0, 333.0]])


def jpeg(mode: str = "RGB", orientation: int = 1, size: tuple[int, int] = (WIDTH, HEIGHT), **options: Any) -> bytes:
    rng = np.random.default_rng(0)
    small = rng.integers(0, 255, (25, 60, 3), np.uint8)
    picture = Image.fromarray(cv2.resize(small, size, interpolation=cv2.INTER_CUBIC)).convert(mode)
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=90, exif=exif, **options)
    return file.getvalue()


def halved(picture: U8) -> U8:
    return np.asarray(cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_half_and_parts_are_of_the_upright_picture(orientation: int, turn: int) -> None:
    content = jpeg(orientation=orientation)
    picture, whole = open_pyramid(content).turned(turn), Pyramid(decode(content)).turned(turn)
    assert (picture.width, picture.height) == (whole.width, whole.height)
    assert picture.base.shape[:2] == (whole.height // 2, whole.width // 2)
    assert np.abs(halved(whole.full()).astype(int) - picture.base).mean() < 1
    assert np.array_equal(picture.full(), whole.full())
    pixels, factor, (left, top) = picture.around(CORNERS, 0.7)
    assert factor == 1
    assert (left, top) == (299, 248)
    assert np.array_equal(pixels, whole.full()[top : top + pixels.shape[0], left : left + pixels.shape[1]])
    assert pixels.shape[0] < 100


@pytest.mark.parametrize("scale", [0.9, 0.5, 0.3, 0.24, 0.01])
def test_the_smallest_size_with_the_pixels_is_taken(scale: float) -> None:
    large, small = open_pyramid(jpeg()), Pyramid(np.zeros((100, LARGE - 1, 3), np.uint8))
    pixels, factor = large.level(scale)
    assert factor == {0.9: 0.5, 0.5: 0.5, 0.3: 0.5, 0.24: 0.25, 0.01: 1 / 8}[scale]
    assert pixels.shape[:2] == (int(HEIGHT * factor), int(WIDTH * factor))
    assert large.around(CORNERS, scale)[1] == (1.0 if scale > 0.5 else factor)
    assert small.level(scale)[1] == small.around(CORNERS, scale)[1] == 1.0


@pytest.mark.parametrize(
    ("content", "half"),
    [
        (jpeg(progressive=True), True),
        (jpeg("L"), True),
        (jpeg("CMYK"), False),
        (jpeg(size=(WIDTH + 1, HEIGHT)), False),
        (jpeg(size=(LARGE - 2, HEIGHT)), False),
        (jpeg()[:-2], False),
    ],
    ids=["progressive", "grey", "CMYK", "odd", "small", "without its end"],
)
def test_what_is_decoded_at_half_its_size(content: bytes, half: bool) -> None:
    picture = open_pyramid(content)
    whole = decode(content)
    assert (picture.base.shape != whole.shape) == half
    assert np.array_equal(picture.full(), whole)


def test_sixteen_bits_are_decoded_in_full() -> None:
    deep = np.full((HEIGHT, WIDTH, 3), 40_000, np.uint16)
    picture = open_pyramid(cv2.imencode(".png", deep)[1].tobytes())
    assert picture.base.shape == deep.shape
    assert picture.level(0.5)[0].shape == (HEIGHT // 2, WIDTH // 2, 3)


def with_height(content: bytes, height: int) -> bytes:
    at = content.index(b"\xff\xc0") + 5
    return content[:at] + height.to_bytes(2, "big") + content[at + 2 :]


@pytest.mark.parametrize(
    "content",
    [jpeg()[: len(jpeg()) // 2], with_height(jpeg(), HEIGHT + 500)[:-2], b"\xff\xd8" + jpeg()[200:]],
    ids=["truncated", "higher than it is", "without a beginning"],
)
def test_damage_is_told_of_as_of_a_picture_in_full(content: bytes) -> None:
    with pytest.raises(PictureError) as whole:
        decode(content)
    with pytest.raises(PictureError) as half:
        open_pyramid(content)
    assert half.value.problem == whole.value.problem


@pytest.mark.parametrize("height", [HEIGHT - 200, HEIGHT + 500])
def test_a_header_that_lies_about_the_size_is_believed_alike(height: int) -> None:
    content = with_height(jpeg(), height)
    picture = open_pyramid(content)
    assert (picture.width, picture.height) == (WIDTH, height)
    assert np.array_equal(picture.full(), decode(content))


def test_damage_is_not_printed(capfd: pytest.CaptureFixture[str]) -> None:
    content = bytearray(jpeg())
    content[len(content) // 2 : len(content) // 2 + 40] = bytes(range(40))
    open_pyramid(bytes(content)).full()
    assert capfd.readouterr() == ("", "")


def test_name_is_of_the_pixels_and_not_of_the_metadata() -> None:
    assert name_of(open_pyramid(jpeg())) == name_of(open_pyramid(jpeg(comment=b"rated")))
    assert name_of(open_pyramid(jpeg())) != name_of(open_pyramid(jpeg(orientation=3)))
    assert name_of(open_pyramid(jpeg())) != name_of(open_pyramid(jpeg(progressive=True)))


@pytest.mark.parametrize("turn", [0, 90])
def test_narrow_pictures_are_looked_at_in_full(turn: int) -> None:
    picture = open_pyramid(jpeg(size=(LARGE + 4, 40))).turned(turn)
    assert np.array_equal(picture.level(0.5)[0], picture.full())
