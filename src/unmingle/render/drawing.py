"""Figures as shapes for SVG: what a template needs to draw them, in pixels of its own frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unmingle.render.captions import clock, ticks
from unmingle.render.similarity import HIGH, LOW, edges

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from unmingle.records import I64
    from unmingle.render.similarity import Similarity

WIDTH, HEIGHT = 900, 240  # of the drawing of similarities
MARKS = (-0.4, -0.2, 0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
BANDS = ((2, 2), (3, 4), (5, 9), (10, 19), (20, 49), (50, 99), (100, 499), (500, None))


@dataclass(frozen=True, slots=True)
class Hills:
    """Two hills over the similarity of pairs, each as high as its share of its own pairs; the line between them.

    same, different: outlines, for the attribute `d` of a path.
    line:            where the line is, from the left; None without one.
    marks:           (from the left, what to write) below.
    """

    width: int
    height: int
    same: str
    different: str
    line: float | None
    marks: tuple[tuple[float, str], ...]


def hills(found: Similarity) -> Hills:
    """Draw the similarities."""
    line = None if found.line is None else _across(min(max(found.line, LOW), HIGH))
    marks = tuple((_across(at), f"{at:g}".replace("-", "−")) for at in MARKS)
    return Hills(WIDTH, HEIGHT, _outline(found.same_b), _outline(found.different_b), line, marks)


def _outline(count_b: I64) -> str:
    if not count_b.sum():
        return ""
    middles = (edges()[1:] + edges()[:-1]) / 2
    # Three bins together: the eye follows the hill, and not the noise of a small collection.
    smooth = np.convolve(count_b, (0.25, 0.5, 0.25), mode="same")
    tops = HEIGHT - 12 - (HEIGHT - 24) * smooth / smooth.max()
    points = [f"{_across(x):.1f} {y:.1f}" for x, y in zip(middles.tolist(), tops.tolist(), strict=True)]
    foot = HEIGHT - 12
    return f"M{_across(LOW):.1f} {foot} L{' L'.join(points)} L{_across(HIGH):.1f} {foot} Z"


def _across(cosine: float) -> float:
    return WIDTH * (cosine - LOW) / (HIGH - LOW)


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar: what it is of, how much, and how long beside the longest, 0 to 1."""

    title: str
    value: int
    share: float


def bars(counts: Iterable[tuple[str, int]]) -> tuple[Bar, ...]:
    """Bars beside each other."""
    counts = list(counts)
    longest = max((value for _, value in counts), default=1)
    return tuple(Bar(title, value, value / max(1, longest)) for title, value in counts)


def size_bands(sizes: Sequence[int]) -> list[tuple[str, int]]:
    """How many people have about so many faces, for more people than can be drawn one by one."""
    found = []
    for low, high in BANDS:
        title = f"{low}" if high == low else f"{low} to {high}" if high else f"{low} or more"
        found.append((f"{title} faces", sum(low <= size <= (high or size) for size in sizes)))
    while found and not found[-1][1]:
        found.pop()
    return found


@dataclass(frozen=True, slots=True)
class Axis:
    """The time of a recording: (share of its length, what to write) from 0 to 1."""

    marks: tuple[tuple[float, str], ...]


def axis(duration: float) -> Axis:
    """Marks for so many seconds."""
    return Axis(tuple((at / max(duration, 1e-9), clock(at)) for at in ticks(duration)))
