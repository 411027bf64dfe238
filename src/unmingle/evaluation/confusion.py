"""The confusion matrix as a picture: people by the people that they were taken for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unmingle.text_layout import columns, fonts, save, shorten

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl
    from matplotlib.axes import Axes

    from unmingle.evaluation.score import Evaluation
    from unmingle.records import F64, I64

MOST_PEOPLE = 40  # more rows than this can't be read on a screen
MOST_NUMBERS = 25  # cells wide enough to hold a number
NOBODYS, LEFT_OUT = "nobody's cluster", "left out"  # the columns that are no person
GAP = 0.6  # of a cell, before the columns that are no person
INK, GREY, PAPER, RULE = "#22272e", "#57606a", "#ffffff", "#d7dce2"
RIGHT, WRONG, NEITHER = (0.106, 0.420, 0.647), (0.769, 0.231, 0.169), (0.42, 0.45, 0.49)


@dataclass(frozen=True, slots=True, eq=False)
class Confusion:
    """Faces of s shown people by where they ended.

    labels: s people, rows and columns alike.
    sizes:  faces of each.
    count_sk: (s, s + 3) int64: in the cluster of each shown person, then of someone who is not shown, of nobody, and
        in no cluster (left out).
    people: how many people there are in all.
    """

    labels: tuple[str, ...]
    sizes: tuple[int, ...]
    count_sk: I64
    people: int


def confusion(evaluation: Evaluation, *, most: int = MOST_PEOPLE) -> Confusion:
    """Count; with more than `most` people, only those with the most wrong faces, in natural order as before."""
    people = evaluation.people
    place = {person.label: i for i, person in enumerate(people)}
    predicted = evaluation.faces["predicted"].to_list()
    outcomes = evaluation.faces["outcome"].to_list()
    cells = [
        (place[label], end(guess, outcome, place))
        for label, guess, outcome in zip(evaluation.faces["label"], predicted, outcomes, strict=True)
    ]
    wrong = np.zeros(len(people), np.int64)
    for row, column in cells:
        if row != column:
            wrong[row] += 1
            if column >= 0:
                wrong[column] += 1
    shown = sorted(np.argsort(-wrong, kind="stable")[:most].tolist())
    position = {person: i for i, person in enumerate(shown)}
    count_sk = np.zeros((len(shown), len(shown) + 3), np.int64)
    for row, column in cells:
        if row in position:
            k = position.get(column, len(shown)) if column >= 0 else column
            count_sk[position[row], k] += 1
    labels, sizes = (tuple(getattr(people[i], name) for i in shown) for name in ("label", "size"))
    return Confusion(labels, sizes, count_sk, len(people))


def confusion_table(evaluation: Evaluation) -> pl.DataFrame:
    """Everybody by everybody, see `Evaluation.confusion`."""
    import polars as pl

    table = confusion(evaluation, most=len(evaluation.people))
    ours = ("label", NOBODYS, LEFT_OUT)
    people = [f"{label} (person)" if label in ours else label for label in table.labels]
    # Without the column of people who are not shown, of whom there are none.
    count_sk = np.delete(table.count_sk, len(people), axis=1)
    counts = dict(zip([*people, NOBODYS, LEFT_OUT], count_sk.T, strict=True))
    return pl.DataFrame({"label": table.labels, **counts})


def end(predicted: str | None, outcome: str, place: dict[str, int]) -> int:
    """Where a face ended: position of a person, -2 for a cluster of nobody, -1 for left out."""
    if outcome == "left_out":
        return -1
    return -2 if predicted is None else place[predicted]


def draw_confusion(evaluation: Evaluation, path: Path) -> None:
    """Draw the matrix as png.

    A cell is blue where right, red where wrong and grey where left out, as deep as its share of the row; small shares
    are lifted (square root), so that a single wrong face can be seen.
    """
    from matplotlib.figure import Figure

    table = confusion(evaluation)
    hidden = len(table.labels) < table.people
    ends = [*(["someone else"] if hidden else []), NOBODYS, LEFT_OUT]
    count_sk = table.count_sk if hidden else np.delete(table.count_sk, len(table.labels), axis=1)
    s, k = count_sk.shape
    names = [shorten(label, 22) for label in table.labels]
    # Inches: a cell, and a letter of the size that `name_axes` uses.
    cell, letter = (0.52, 0.088) if s <= MOST_NUMBERS else (0.24, 0.07)
    left = 0.75 + letter * (widest(names) + 8)
    right, top, bottom = 0.4, 1.15, 0.2 + letter * max(widest(names) if is_upright(names) else 1, widest(ends))
    width, height = max(left + right + cell * (k + GAP), 5.2), top + bottom + cell * s
    figure = Figure(figsize=(width, height), dpi=120, facecolor=PAPER)
    axes = figure.add_axes((left / width, bottom / height, cell * (k + GAP) / width, cell * s / height))
    draw_cells(axes, count_sk, s)
    name_axes(axes, names, table.sizes, ends)
    figure.text(0.25 / width, 1 - 0.42 / height, "Who was taken for whom", size=13, weight="bold", color=INK)
    scores = evaluation.scores
    below = f"{scores.faces:,} faces · accuracy {scores.accuracy:.1%} · {scores.left_out:,} left out"
    below += f" · the {s} most confused of {table.people:,} people" if hidden else ""
    figure.text(0.25 / width, 1 - 0.7 / height, below, size=9, color=GREY)
    figure.text((left + cell * s / 2) / width, 1 - 1.06 / height, "taken for", size=9, color=GREY, ha="center")
    save(figure, path)


def draw_cells(axes: Axes, count_sk: I64, s: int) -> None:
    """The cells, with a gap before the columns that are no person, and numbers where they fit."""
    from matplotlib.patches import Rectangle

    rgb = cell_colours(count_sk, s)
    extra = count_sk.shape[1] - s
    numbers = s <= MOST_NUMBERS
    for i in range(s):
        for j in range(s + extra):
            x = j + (GAP if j >= s else 0)
            axes.add_patch(
                Rectangle((x, i), 1, 1, facecolor=tuple(rgb[i, j]), edgecolor=RULE, linewidth=0.5, clip_on=False)
            )
            if numbers and count_sk[i, j]:
                # 0.6: the luminance at which black and white text are equally easy to read, roughly.
                dark = float(rgb[i, j] @ (0.299, 0.587, 0.114)) < 0.6
                text = f"{count_sk[i, j]:,}"
                size = 9 if len(text) < 5 else 7
                axes.text(x + 0.5, i + 0.52, text, ha="center", va="center", size=size, color=PAPER if dark else INK)
    axes.set_xlim(0, s + extra + GAP)
    axes.set_ylim(s, 0)


def cell_colours(count_sk: I64, s: int) -> F64:
    """(s, k, 3) float64, 0 to 1: white to the colour of the cell's meaning, by the root of its share of the row."""
    colour = np.empty((*count_sk.shape, 3))
    colour[:] = WRONG
    colour[:, -1] = NEITHER
    colour[np.arange(s), np.arange(s)] = RIGHT
    share = np.sqrt(count_sk / np.maximum(count_sk.sum(axis=1, keepdims=True), 1))[..., None]
    lifted = np.where(share > 0, 0.12 + 0.88 * share, 0)
    rgb: F64 = 1 - lifted * (1 - colour)
    return rgb


def name_axes(axes: Axes, names: list[str], sizes: tuple[int, ...], ends: list[str]) -> None:
    """Names with sizes on the left, names below, and then what is no person."""
    s = len(names)
    axes.set_xticks([*(j + 0.5 for j in range(s)), *(s + j + 0.5 + GAP for j in range(len(ends)))], [*names, *ends])
    rows = [f"{name}  ({size:,})" for name, size in zip(names, sizes, strict=True)]
    axes.set_yticks([i + 0.5 for i in range(s)], rows)
    family = list(fonts())
    for text in [*axes.get_xticklabels(), *axes.get_yticklabels()]:
        text.set(family=family, size=9 if s <= MOST_NUMBERS else 7, color=INK, parse_math=False)
    for j, text in enumerate(axes.get_xticklabels()):
        text.set_rotation(90 if j >= s or is_upright(names) else 0)
    for text in axes.get_xticklabels()[s:]:
        text.set_fontstyle("italic")
    axes.set_ylabel("labelled (faces)", color=GREY, size=9)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def is_upright(names: list[str]) -> bool:
    """Whether the names below the columns need to stand upright to fit."""
    return len(names) > MOST_NUMBERS or widest(names) > 5


def widest(names: list[str]) -> int:
    """Columns of the widest name."""
    return max(columns(name) for name in names)
