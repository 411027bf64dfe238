from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from unmingle.sources.decoding import decode
from unmingle.sources.metadata import ORIENTATION
from unmingle.sources.orientation import lies, to_stored, to_upright

ALL = range(1, 9)
share = st.floats(0, 1)


@pytest.mark.parametrize("orientation", ALL)
def test_an_area_of_the_file_is_where_the_upright_picture_shows_it(orientation: int) -> None:
    """Against the program's own reading of pictures: a red block, far from every axis of symmetry."""
    pixels = np.zeros((60, 100, 3), np.uint8)
    pixels[8:20, 70:90, 0] = 255
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", exif=exif)
    upright = decode(buffer.getvalue())
    height, width = upright.shape[:2]
    assert (width, height) == ((60, 100) if lies(orientation) else (100, 60))
    rows, columns = np.nonzero(upright[..., 0])
    x, y, w, h = to_upright((0.8, 14 / 60, 0.2, 0.2), orientation)
    assert np.allclose(
        [(x - w / 2) * width, (x + w / 2) * width, (y - h / 2) * height, (y + h / 2) * height],
        [columns.min(), columns.max() + 1, rows.min(), rows.max() + 1],
    )


@given(share, share, share, share, st.sampled_from(ALL))
def test_there_and_back_is_the_same(x: float, y: float, width: float, height: float, orientation: int) -> None:
    area = (x, y, width, height)
    assert np.allclose(to_stored(to_upright(area, orientation), orientation), area)
    assert np.allclose(to_upright(to_stored(area, orientation), orientation), area)


def test_what_is_no_orientation_turns_nothing() -> None:
    assert to_upright((0.1, 0.2, 0.3, 0.4), 0) == (0.1, 0.2, 0.3, 0.4)
    assert to_upright((0.1, 0.2, 0.3, 0.4), 9) == (0.1, 0.2, 0.3, 0.4)
