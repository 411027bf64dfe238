"""Small faces in large pictures: tiles cover everything, and no face is lost or found twice at their borders."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from madeup.cast import CAST
from madeup.portraits import Look, Person, render
from unmingle.faces.detect import (
    FINEST,
    FINEST_SHARE,
    LARGEST_TILE,
    TILE_BORDER,
    TILE_OVERLAP,
    TILE_SCALE,
    find_faces,
    in_tiles,
    is_large,
    tiles,
    whole,
)
from unmingle.models.yunet import open_yunet
from unmingle.settings import DetectionSettings, EngineSettings
from unmingle.sources.pyramid import Pyramid

if TYPE_CHECKING:
    from unmingle.models.runtime import Session
    from unmingle.records import F32, U8, Faces


@pytest.fixture(scope="module")
def yunet() -> Session:
    return open_yunet(EngineSettings(precision="f32"))


@pytest.fixture(scope="module")
def portraits() -> list[U8]:
    """All but the first of the cast, whom the detector doesn't take for a face when small."""
    return [render(Person.from_seed(seed), Look.from_seed(1)) for seed in CAST[1:]]


sides = st.integers(64, 20_000)


@given(sides, sides)
def test_tiles_cover_a_picture_and_overlap(width: int, height: int) -> None:
    found = tiles(width, height, TILE_SCALE)
    assert len({(tile.width, tile.height) for tile in found}) == 1
    assert max(found[0].width, found[0].height) <= LARGEST_TILE / TILE_SCALE + 1
    for low, high, length in (("left", "width", width), ("top", "height", height)):
        spans = sorted({(getattr(tile, low), getattr(tile, high)) for tile in found})
        assert spans[0][0] == 0
        assert sum(spans[-1]) == length
        for (start, extent), (following, _) in pairwise(spans):
            assert start < following <= start + extent - TILE_OVERLAP / TILE_SCALE + 1
    for tile in found:
        ends = (tile.left == 0, tile.top == 0, tile.left + tile.width == width, tile.top + tile.height == height)
        assert tile.ends == ends


@given(sides, sides, st.integers(8, TILE_OVERLAP - 2 * TILE_BORDER - 2), st.floats(0, 1), st.floats(0, 1))
def test_a_face_lies_whole_in_some_tile(width: int, height: int, face: int, across: float, down: float) -> None:
    side = min(face / TILE_SCALE, width, height)
    left, top = across * (width - side), down * (height - side)
    seen = [
        whole(
            np.array([[left - tile.left, top - tile.top, side, side]], np.float32) * np.float32(TILE_SCALE),
            tile.ends,
            round(tile.width * TILE_SCALE),
            round(tile.height * TILE_SCALE),
        )[0]
        for tile in tiles(width, height, TILE_SCALE)
        if tile.left - 1 <= left <= tile.left + tile.width - side + 1
        and tile.top - 1 <= top <= tile.top + tile.height - side + 1
    ]
    assert any(seen)


def test_a_face_that_a_border_cuts_is_not_seen_whole() -> None:
    boxes = np.array([[2, 300, 50, 60], [300, 300, 50, 60], [300, 980, 50, 60]], np.float32)
    assert whole(boxes, (False, False, False, False), 1024, 1024).tolist() == [False, True, False]
    assert whole(boxes, (True, False, False, True), 1024, 1024).tolist() == [True, True, True]


def test_pictures_that_a_look_at_the_whole_shows_well_need_no_tiles() -> None:
    longest = int(FINEST / FINEST_SHARE)
    assert not is_large(Pyramid(np.zeros((100, longest, 3), np.uint8)))
    assert is_large(Pyramid(np.zeros((longest + 2, 100, 3), np.uint8)))


def pasted(canvas: U8, portrait: U8, x: int, y: int, side: int) -> None:
    canvas[y : y + side, x : x + side] = cv2.resize(portrait, (side, side), interpolation=cv2.INTER_AREA)


def matches(faces: Faces, expected: F32) -> list[int]:
    """How many boxes have their centre in the middle of each expected box."""
    centres = faces.boxes[:, :2] + faces.boxes[:, 2:] / 2
    middle = expected[:, :2] + expected[:, 2:] / 2
    away = np.abs(centres[None] - middle[:, None]).max(axis=2)
    return [int(count) for count in (away < expected[:, 2:].min(axis=1)[:, None] / 2).sum(axis=1)]


def test_small_faces_of_a_large_photograph_are_found_once_each(yunet: Session, portraits: list[U8]) -> None:
    photograph = np.full((3000, 4000, 3), 120, np.uint8)
    base = find_faces(yunet, portraits, DetectionSettings())
    expected = []
    for number, (x, y) in enumerate((x, y) for y in range(100, 2900, 560) for x in range(60, 3900, 640)):
        side = (72, 80, 110, 260)[number % 4]
        pasted(photograph, portraits[number % len(portraits)], x, y, side)
        box = base[number % len(portraits)].faces.boxes[0] * (side / 256)
        expected.append(box + np.array([x, y, 0, 0]))
    faces = find_faces(yunet, [photograph], DetectionSettings(), finder=open_yunet(EngineSettings(precision="bf16")))[
        0
    ].faces
    assert matches(faces, np.array(expected, np.float32)) == [1] * len(expected)
    assert len(faces) == len(expected)
    assert faces.boxes[:, 2].min() < 32


def test_faces_on_the_borders_of_tiles_are_found_once(yunet: Session, portraits: list[U8]) -> None:
    width, height = 6800, 1900
    photograph = np.full((height, width, 3), 120, np.uint8)
    first, second = sorted({tile.left for tile in tiles(width, height, TILE_SCALE)})[:2]
    right_end = first + tiles(width, height, TILE_SCALE)[0].width
    side, expected = 140, []
    base = find_faces(yunet, portraits, DetectionSettings())
    borders = [second, right_end, (second + right_end) // 2]
    for number, (border, step) in enumerate((border, step) for step in (-60, -20, 20, 60) for border in borders):
        x, y = border - side // 2 + step, 5 + 150 * number
        pasted(photograph, portraits[number % len(portraits)], x, y, side)
        box = base[number % len(portraits)].faces.boxes[0] * (side / 256)
        expected.append(box + np.array([x, y, 0, 0]))
    faces = in_tiles(yunet, Pyramid(photograph), DetectionSettings())
    assert matches(faces, np.array(expected, np.float32)) == [1] * len(expected)
    assert len(faces) == len(expected)
