"""A picture saved again is the same picture; another one is not, and neither is the next moment."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from madeup.cast import CAST
from madeup.portraits import Look, Person, encode, render
from unmingle.faces.duplicates import MAX_BITS, Prints, alike, fingerprint, lay_over
from unmingle.sources.decoding import decode
from unmingle.store.copies import MAX_IN_ONE_PLACE, MAX_LEFT

if TYPE_CHECKING:
    from collections.abc import Callable

    from unmingle.records import U8

LOOK = Look.from_seed(5)


def bordered(picture: U8, pixels: int, grey: int) -> U8:
    sides = (pixels, pixels, pixels, pixels)
    return np.asarray(cv2.copyMakeBorder(picture, *sides, cv2.BORDER_CONSTANT, value=(grey,) * 3), np.uint8)


CHANGES: dict[str, Callable[[U8], U8]] = {
    "half the size": lambda picture: np.asarray(cv2.resize(picture, None, fx=0.5, fy=0.5), np.uint8),
    "a third": lambda picture: np.asarray(cv2.resize(picture, (85, 85), interpolation=cv2.INTER_AREA), np.uint8),
    "stretched": lambda picture: np.asarray(cv2.resize(picture, (300, 256)), np.uint8),
    "quality 30": lambda picture: decode(encode(picture, 30)),
    "darker": lambda picture: np.asarray(255 * (picture / 255) ** 1.5, np.uint8),
    "brighter": lambda picture: np.asarray(255 * (picture / 255) ** 0.7, np.uint8),
    "a white border": lambda picture: bordered(picture, 20, 255),
    "a black frame, small": lambda picture: np.asarray(cv2.resize(bordered(picture, 12, 0), (140, 140)), np.uint8),
    "slightly cut": lambda picture: np.ascontiguousarray(picture[5:-4, 3:-6]),
    "grey": lambda picture: np.repeat(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2),
}


@pytest.fixture(scope="module")
def portraits() -> list[U8]:
    return [render(Person.from_seed(seed), LOOK) for seed in CAST]


def is_copy(one: U8, other: U8) -> bool:
    """Whether a print of the one is explained by one of the other, or the other way round."""
    both = Prints.read([fingerprint(one), fingerprint(other)])
    pairs = np.argwhere(both.owners[:, None] != both.owners)
    fits = lay_over(both.cells[pairs[:, 0]], both.cells[pairs[:, 1]])
    return bool(((fits.left <= MAX_LEFT) & (fits.most <= MAX_IN_ONE_PLACE)).any())


def are_candidates(pictures: list[U8]) -> set[tuple[int, int]]:
    prints = Prints.read([fingerprint(picture) for picture in pictures])
    return {(int(one), int(other)) for one, other in prints.owners[alike(prints.codes(), prints.owners)]}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_a_candidate_and_the_same_picture(portraits: list[U8], change: str) -> None:
    copies = [CHANGES[change](portrait) for portrait in portraits]
    found = are_candidates([*portraits, *copies])
    for number, (portrait, copy) in enumerate(zip(portraits, copies, strict=True)):
        assert (number, number + len(portraits)) in found
        assert is_copy(portrait, copy)


def test_other_people_are_other_pictures(portraits: list[U8]) -> None:
    for number, portrait in enumerate(portraits):
        assert not any(is_copy(portrait, other) for other in portraits[number + 1 :])


@pytest.mark.parametrize(
    "moved", [{"yaw": LOOK.yaw + 0.12}, {"roll": LOOK.roll + 0.1}, {"yaw": LOOK.yaw + 0.09, "talk": 0.9}]
)
def test_the_next_moment_is_another_picture(portraits: list[U8], moved: dict[str, float]) -> None:
    later = [render(Person.from_seed(seed), replace(LOOK, **moved)) for seed in CAST]  # type: ignore[arg-type]
    assert sum(is_copy(*pair) for pair in zip(portraits, later, strict=True)) <= 1


def test_a_fingerprint_says_what_part_it_shows(portraits: list[U8]) -> None:
    plain, framed = Prints.read([fingerprint(portraits[0])]), Prints.read([fingerprint(bordered(portraits[0], 32, 9))])
    np.testing.assert_array_equal(plain.parts, np.array([[0, 0, 1, 1]]))
    np.testing.assert_allclose(framed.parts, np.array([[0, 0, 1, 1], [0.1, 0.1, 0.8, 0.8]]), atol=1e-4)
    assert (framed.cells[1] == plain.cells[0]).all()
    assert len(Prints.read([]).owners) == len(Prints.read([b"", b""]).owners) == 0


def test_flat_pictures_are_nobodys_copy() -> None:
    flat = np.full((90, 90, 3), 100, np.uint8)
    assert not is_copy(flat, flat)


def test_the_fit_finds_shift_and_scale() -> None:
    rng = np.random.default_rng(3)
    scene = cv2.GaussianBlur(rng.integers(0, 256, (400, 400)).astype(np.float32), (0, 0), 20)
    scene = np.asarray(cv2.normalize(scene, None, 0, 255, cv2.NORM_MINMAX), np.uint8)
    one, other = (cv2.resize(part, (32, 32), interpolation=cv2.INTER_AREA) for part in (scene, scene[20:380, 10:390]))
    fits = lay_over(np.asarray(one)[None], np.asarray(other)[None])
    np.testing.assert_allclose(fits.maps[0], [-0.05, 0, -0.1, 0], atol=0.01)
    assert fits.left[0] < 0.05


codes = st.lists(st.integers(0, 2**63 - 1), min_size=2, max_size=40)


@given(codes)
def test_candidates_are_near_and_of_two_pictures(numbers: list[int]) -> None:
    code = np.array([*numbers, *numbers], np.uint64)
    owners = np.arange(len(code)) % (len(numbers) - 1)
    pairs = alike(code, owners)
    assert (pairs[:, 0] < pairs[:, 1]).all()
    assert (owners[pairs[:, 0]] != owners[pairs[:, 1]]).all()
    assert (np.bitwise_count(code[pairs[:, 0]] ^ code[pairs[:, 1]]) <= MAX_BITS).all()


def test_among_many_pictures_a_copy_is_still_found() -> None:
    rng = np.random.default_rng(0)
    code = rng.integers(0, 2**63, 50_000).astype(np.uint64)
    copies = code[:500].copy()
    for bit in range(4):  # of 63 differ
        copies ^= np.uint64(1) << rng.permuted(np.tile(np.arange(63, dtype=np.uint64), (500, 1)), axis=1)[:, bit]
    found = alike(np.concatenate([code, copies]), np.arange(len(code) + len(copies)))
    known = {(int(one), int(other)) for one, other in found}
    assert sum((number, number + len(code)) in known for number in range(500)) >= 495
