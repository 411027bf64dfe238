"""An evaluation's files: the scores, the confusion matrix as a picture, and a sheet of the worst mistakes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from unmingle.errors import UnmingleError, WriteError
from unmingle.evaluation.mistakes import LEFT_OUT, NOBODYS, count_confusions, worst_mistakes
from unmingle.evaluation.report import as_json, write_people
from unmingle.files import no_empty_folder
from unmingle.text_layout import clean, columns, fit, fonts, save, shorten

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from unmingle.evaluation.mistakes import Mistake
    from unmingle.evaluation.scores import Evaluation
    from unmingle.records import F64, I64, U8

    Row = dict[str, Any]
    Crop = Callable[[Row], U8]

INK, GREY, RULE, RED = "#22272e", "#57606a", "#d7dce2", "#b3261e"
MOST_NUMBERS = 25  # people whose cells are wide enough to hold a number
GAP = 0.6  # of a cell, before the columns that are no person
RIGHT, WRONG, NEITHER = (0.106, 0.420, 0.647), (0.769, 0.231, 0.169), (0.42, 0.45, 0.49)
COLUMNS = 10  # of the sheet
FACE, MARGIN, CAPTION, HEAD = 144, 16, 62, 76  # pixels
PAPER, MAT = 255, 238


def write_evaluation(evaluation: Evaluation, folder: Path, *, crop: Crop | None = None) -> tuple[Path, ...]:
    """Write evaluation.json, evaluation.csv, confusion.png and, where there are mistakes, mistakes.png.

    Args:
        evaluation: the scores.
        folder: where to; made if it is not there. Files of these names are replaced.
        crop: gives the picture of a row of `Evaluation.faces` as (h, w, 3) uint8 RGB, for mistakes.png; None leaves
            that sheet out.

    Returns:
        The files written.

    Raises:
        WriteError: the folder can't be written.
    """
    files = [folder / name for name in ("evaluation.json", "evaluation.csv", "confusion.png", "mistakes.png")]
    document, table, matrix, sheet = files
    try:
        with no_empty_folder(folder):
            folder.mkdir(parents=True, exist_ok=True)
            document.write_text(as_json(evaluation), encoding="utf-8")
        write_people(evaluation, table)
        draw_confusion(evaluation, matrix)
        sheet.unlink(missing_ok=True)  # one of an earlier evaluation would show mistakes that are no more
        drawn = crop is not None and draw_mistakes(evaluation, crop, sheet)
    except OSError as error:
        problem = f"The report can't be written to {folder}: {error.strerror or error}."
        raise WriteError(problem, "Check the disk and its permissions.") from error
    return tuple(files if drawn else files[:-1])


def draw_confusion(evaluation: Evaluation, path: Path) -> None:
    """Draw the matrix as png.

    A cell is blue where right, red where wrong and grey where left out, as deep as its share of the row; small shares
    are lifted (square root), so that a single wrong face can be seen.
    """
    from matplotlib.figure import Figure

    table = count_confusions(evaluation)
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
    figure = Figure(figsize=(width, height), dpi=120, facecolor="white")
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
                axes.text(x + 0.5, i + 0.52, text, ha="center", va="center", size=size, color="white" if dark else INK)
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
    width, height = across * (FACE + MARGIN) + MARGIN, HEAD + down * (FACE + CAPTION + MARGIN)
    canvas = np.full((height, width, 3), PAPER, np.uint8)
    figure = Figure(figsize=(width / 100, height / 100), dpi=100)
    for i, mistake in enumerate(mistakes):
        x, y = MARGIN + i % across * (FACE + MARGIN), HEAD + i // across * (FACE + CAPTION + MARGIN)
        problem = paste(canvas, crop, mistake.row, x, y)
        if problem:
            write(figure, problem, x + 6, y + FACE / 2, size=7, colour=GREY, room=FACE - 12)
        caption(figure, mistake, x, y + FACE)
    figure.figimage(canvas, zorder=-1)
    shown = f"{len(mistakes)} of {total:,} mistakes" if len(mistakes) < total else f"All {total:,} mistakes"
    write(figure, "The worst mistakes" if len(mistakes) < total else "The mistakes", MARGIN, 34, size=15, bold=True)
    order = "who it is → whom it was taken for; the most numerous confusions first"
    write(figure, f"{shown} among {evaluation.scores.faces:,} faces; {order}", MARGIN, 56, size=9, colour=GREY)
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
