from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from unmingle.errors import PictureError
from unmingle.faces.align import BACKGROUND, SIDE, open_thumbnail, show_thumbnail, thumbnail


def red_face(left: int, top: int, size: int, *, columns: int = 300, rows: int = 200) -> np.ndarray:
    picture = np.zeros((rows, columns, 3), np.uint8)
    picture[max(top, 0) : top + size, max(left, 0) : left + size, 0] = 255
    return picture


def share_of_red(tile: np.ndarray) -> float:
    return float(((tile[..., 0] > 150) & (tile[..., 1] < 90)).mean())


def test_a_face_stands_in_the_middle_with_its_margin() -> None:
    tile = open_thumbnail(thumbnail(red_face(100, 60, 60), np.array([100, 60, 60, 60], np.float32), margin=0.25))
    assert tile.shape == (SIDE, SIDE, 3)
    assert share_of_red(tile) == pytest.approx((1 / 1.5) ** 2, abs=0.03)
    rows, columns = np.nonzero(tile[..., 0] > 150)
    assert rows.mean() == pytest.approx(SIDE / 2, abs=1.5)
    assert columns.mean() == pytest.approx(SIDE / 2, abs=1.5)


def test_near_the_border_the_margin_gives_way_and_the_face_stays_central() -> None:
    tile = open_thumbnail(thumbnail(red_face(2, 60, 60), np.array([2, 60, 60, 60], np.float32), margin=0.25))
    assert share_of_red(tile) > 0.8
    assert not (np.abs(tile.astype(int) - BACKGROUND).max(axis=2) < 12).any()


def test_what_lies_over_the_border_is_background() -> None:
    tile = open_thumbnail(thumbnail(red_face(-30, 60, 60), np.array([-30, 60, 60, 60], np.float32), margin=0.25))
    background = (np.abs(tile.astype(int) - BACKGROUND).max(axis=2) < 12).mean()
    assert background == pytest.approx(0.5, abs=0.06)
    assert share_of_red(tile) == pytest.approx(0.5, abs=0.06)


def test_a_box_outside_the_picture_is_all_background() -> None:
    tile = open_thumbnail(thumbnail(red_face(0, 0, 9), np.array([900, 900, 20, 20], np.float32), margin=0.25))
    assert np.abs(tile.astype(int) - BACKGROUND).max() < 12


@pytest.mark.parametrize("jpeg", [b"no picture", b"", b"\xff\xd8\xff\xe0 cut off", b"%!PS-Adobe-3.0 EPSF-3.0\n"])
def test_a_damaged_thumbnail_is_a_clear_error_and_shown_as_an_empty_square(jpeg: bytes) -> None:
    with pytest.raises(PictureError, match="damaged"):
        open_thumbnail(jpeg)
    assert show_thumbnail(jpeg).getcolors() == [(SIDE * SIDE, BACKGROUND)]


def encoded(kind: str, side: int, **how: object) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (side, side)).save(buffer, kind, **how)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "jpeg",
    [
        encoded("PNG", SIDE),
        encoded("JPEG", 2000),
        encoded("JPEG", SIDE, progressive=True),
        encoded("JPEG", SIDE) + bytes(10**5),
    ],
    ids=["another format", "larger", "in scans", "long"],
)
def test_a_bomb_in_the_place_of_a_thumbnail_reaches_no_decoder(jpeg: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    assert open_thumbnail(encoded("JPEG", SIDE)).shape == (SIDE, SIDE, 3)
    monkeypatch.setattr("cv2.imdecode", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(PictureError, match="damaged"):
        open_thumbnail(jpeg)
