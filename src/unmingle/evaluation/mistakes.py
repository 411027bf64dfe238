"""A sheet of the worst mistakes: what was taken for whom, to look at."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from unmingle.errors import UnmingleError
from unmingle.text_layout import clean, fit, fonts, save

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from matplotlib.figure import Figure

    from unmingle.evaluation.score import Evaluation
    from unmingle.records import U8

    Row = dict[str, Any]
    Crop = Callable[[Row], U8]

MOST = 60
COLUMNS = 10
FACE, GAP, CAPTION, HEAD = 144, 16, 62, 76  # pixels
INK, GREY, RED = "#22272e", "#6b7480", "#b3261e"
PAPER, MAT = 255, 238


@dataclass(frozen=True, slots=True)
class Mistake:
    """One face that is not with its person.

    row:   its row of `Evaluation.faces`.
    alike: how many faces made the same mistake: the same person taken for the same other.
    """

    row: Row
    alike: int


def worst_mistakes(evaluation: Evaluation, *, most: int = MOST) -> tuple[list[Mistake], int]:
    """The worst mistakes, and how many there are.

    Faces in another's cluster come first, then those in a cluster of nobody, then those left out. Within each the most
    numerous confusion comes first, and within it the clearest faces (quality, then score): these have no excuse. No
    confusion takes more than its fair share of the sheet while others wait.
    """
    wrong = evaluation.faces.filter(pl.col("outcome") != "right")
    rows = wrong.sort(["quality", "score"], descending=True, nulls_last=True, maintain_order=True).to_dicts()
    alike = Counter(kind(row) for row in rows)
    groups: dict[tuple[int, str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault(kind(row), []).append(row)
    ordered = sorted(groups, key=lambda key: (key[0], -alike[key], key))
    share = max(6, most // max(len(groups), 1))
    chosen = fair(ordered, groups, share, most)
    return [Mistake(row, alike[key]) for key in ordered for row in groups[key][: chosen[key]]], len(rows)


def fair(ordered: list[tuple[int, str, str]], groups: dict[Any, list[Row]], share: int, most: int) -> Counter[Any]:
    """How many of each group to show: at most `share` each, then what is left in the same order."""
    chosen: Counter[Any] = Counter()
    for limit in (share, most):
        for key in ordered:
            room = most - chosen.total()
            chosen[key] += max(min(limit, len(groups[key])) - chosen[key], 0) if room > 0 else 0
            chosen[key] -= max(chosen.total() - most, 0)
    return chosen


def kind(row: Row) -> tuple[int, str, str]:
    """What sort of mistake a row is: order of gravity, the person, and what they were taken for."""
    if row["outcome"] == "confused":
        return 0, row["label"], row["predicted"]
    if row["outcome"] == "elsewhere":
        return 1, row["label"], str(row["person"])
    return 2, row["label"], row["status"]


def draw_mistakes(evaluation: Evaluation, crop: Crop, path: Path) -> bool:
    """Draw the sheet as png; False, and no file, where there is no mistake.

    Args:
        evaluation: the scores.
        crop: gives the picture of a row of `Evaluation.faces` as (h, w, 3) uint8 RGB. If it raises an error of
            unmingle, the sheet shows the problem in place of the face.
        path: the file to write.
    """
    from matplotlib.figure import Figure

    mistakes, total = worst_mistakes(evaluation)
    if not mistakes:
        return False
    across = max(min(COLUMNS, len(mistakes)), 5)
    down = -(-len(mistakes) // across)
    width, height = across * (FACE + GAP) + GAP, HEAD + down * (FACE + CAPTION + GAP)
    canvas = np.full((height, width, 3), PAPER, np.uint8)
    figure = Figure(figsize=(width / 100, height / 100), dpi=100)
    for i, mistake in enumerate(mistakes):
        x, y = GAP + i % across * (FACE + GAP), HEAD + i // across * (FACE + CAPTION + GAP)
        problem = paste(canvas, crop, mistake.row, x, y)
        if problem:
            write(figure, problem, x + 6, y + FACE / 2, size=7, colour=GREY, room=FACE - 12)
        caption(figure, mistake, x, y + FACE)
    figure.figimage(canvas, zorder=-1)
    shown = f"{len(mistakes)} of {total:,} mistakes" if len(mistakes) < total else f"All {total:,} mistakes"
    write(figure, "The worst mistakes" if len(mistakes) < total else "The mistakes", GAP, 34, size=15, bold=True)
    order = "who it is → whom it was taken for; the most numerous confusions first"
    write(figure, f"{shown} among {evaluation.scores.faces:,} faces; {order}", GAP, 56, size=9, colour=GREY)
    save(figure, path)
    return True


def paste(canvas: U8, crop: Crop, row: Row, x: int, y: int) -> str:
    """Put a face on the canvas, whole and in proportion; returns the problem if there is no picture."""
    from PIL import Image

    canvas[y : y + FACE, x : x + FACE] = MAT
    try:
        picture = Image.fromarray(crop(row))
    except UnmingleError as error:
        return error.problem
    scale = FACE / max(picture.size)
    w, h = (max(round(side * scale), 1) for side in picture.size)
    left, top = x + (FACE - w) // 2, y + (FACE - h) // 2
    canvas[top : top + h, left : left + w] = np.asarray(picture.resize((w, h), Image.Resampling.LANCZOS))
    return ""


def caption(figure: Figure, mistake: Mistake, x: float, y: float) -> None:
    """Four lines under a face: who it is, whom it was taken for, the person in the library, the file."""
    row = mistake.row
    left_out = row["outcome"] == "left_out"
    person = "no person" if left_out else row["name"] or f"person {row['person']}"
    alike = f", {mistake.alike} alike" if mistake.alike > 1 else ""
    write(figure, row["label"], x, y + 15, size=8, bold=True, room=FACE)
    write(figure, taken_for(row), x, y + 29, size=8, colour=GREY if left_out else RED, room=FACE)
    write(figure, f"{person}{alike}", x, y + 42, size=6.5, colour=GREY, room=FACE)
    write(figure, row["file"], x, y + 54, size=6.5, colour=GREY, room=FACE)


def taken_for(row: Row) -> str:
    """What became of a face, in a few words."""
    if row["outcome"] == "left_out":
        return f"left out: {row['status'].replace('_', ' ')}"
    return "→ nobody's cluster" if row["predicted"] is None else f"→ {row['predicted']}"


def write(
    figure: Figure,
    text: str,
    x: float,
    y: float,
    *,
    size: float,
    colour: str = INK,
    bold: bool = False,
    room: float | None = None,
) -> None:
    """One line of text with its foot at y pixels from the top, in at most `room` pixels."""
    width, height = figure.get_size_inches() * figure.dpi
    weight = "bold" if bold else "normal"
    shown = clean(text) if room is None else fit(text, room, size=size, weight=weight, dpi=figure.dpi)
    artist = figure.text(x / width, 1 - y / height, shown, size=size, color=colour, weight=weight)
    artist.set(family=list(fonts()), parse_math=False)
