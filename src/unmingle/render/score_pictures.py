"""An evaluation written down: json with everything, csv per person, and two pictures: confusions and mistakes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from PIL import Image, ImageOps

from unmingle.errors import UnmingleError
from unmingle.evaluation.score_files import LEFT_OUT, NOBODYS, as_json, count_confusions, worst_mistakes
from unmingle.exchange.table_files import harmless
from unmingle.files import write_atomically
from unmingle.render.drawing import EDGE, FAINT, INK, PAPER, Canvas, Line, as_png, contact_sheet, text_width
from unmingle.text_layout import columns, shorten

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from unmingle.evaluation.scores import Evaluation
    from unmingle.records import F64, I64, U8

    Row = dict[str, Any]
    Crop = Callable[[Row], U8]

FACE = 144  # pixels, of a face on the sheet of mistakes
RED, RULE = "#b3261e", "#d7dce2"
MOST_NUMBERS = 25  # people in a matrix whose cells are wide enough to hold a number
RIGHT, WRONG, NEITHER = (0.106, 0.420, 0.647), (0.769, 0.231, 0.169), (0.42, 0.45, 0.49)


def write_evaluation(evaluation: Evaluation, folder: Path, *, crop: Crop | None = None) -> tuple[Path, ...]:
    """Write evaluation.json, evaluation.csv, confusion.png and, where there are mistakes, mistakes.png.

    `crop` gives the picture of a row of `Evaluation.faces`, or raises why there is none; without it: no mistakes.png.
    """
    document, table, matrix, sheet = (
        folder / name for name in ("evaluation.json", "evaluation.csv", "confusion.png", "mistakes.png")
    )
    write_atomically(document, as_json(evaluation).encode())
    # Nothing rather than "" for somebody who was confused with nobody.
    people = evaluation.per_person.with_columns(pl.col("confused_with").replace("", None))
    write_atomically(table, harmless(people).write_csv(line_terminator="\r\n").encode())
    write_atomically(matrix, as_png(confusion_matrix(evaluation)))
    mistakes = None if crop is None else mistakes_sheet(evaluation, crop)
    if mistakes is None:
        sheet.unlink(missing_ok=True)  # one of an earlier evaluation would show mistakes that are no more
        return document, table, matrix
    write_atomically(sheet, as_png(mistakes))
    return document, table, matrix, sheet


def mistakes_sheet(evaluation: Evaluation, crop: Crop) -> Image.Image | None:
    """The worst mistakes, to look at: what was taken for whom; None where there is no mistake."""
    mistakes, total = worst_mistakes(evaluation)
    if not mistakes:
        return None
    shown: list[Image.Image | str] = []
    captions: list[tuple[Line, ...]] = []
    for row in mistakes:
        try:
            shown.append(ImageOps.pad(Image.fromarray(crop(row)), (FACE, FACE), color="#eeeeee"))
        except UnmingleError as error:
            shown.append(error.problem)
        person, verdict, colour = row["name"] or f"person {row['person']}", f"→ {row['predicted'] or NOBODYS}", RED
        if row["outcome"] == "left_out":
            person, verdict, colour = "no person", f"left out: {row['status'].replace('_', ' ')}", FAINT
        alike = f", {row['alike']} alike" if row["alike"] > 1 else ""
        texts = (row["label"], 12, INK, True), (verdict, 12, colour, False)
        captions.append((*texts, (f"{person}{alike}", 10, FAINT, False), (row["file"], 10, FAINT, False)))
    every = len(mistakes) == total
    count = f"All {total:,} mistakes" if every else f"{len(mistakes)} of {total:,} mistakes"
    order = "who it is → whom it was taken for; the most numerous confusions first"
    return contact_sheet(
        shown,
        title="The mistakes" if every else "The worst mistakes",
        note=f"{count} among {evaluation.scores.faces:,} faces; {order}",
        captions=captions,
        side=FACE,
    )


def confusion_matrix(evaluation: Evaluation) -> Image.Image:
    """People by the people that they were taken for.

    A cell is blue where right, red where wrong and grey where left out, as deep as its share of the row; small shares
    are lifted (square root), so that a single wrong face can be seen.
    """
    table, scores = count_confusions(evaluation), evaluation.scores
    s = len(table.labels)
    hidden = s < table.people
    ends = [*(["someone else"] if hidden else []), NOBODYS, LEFT_OUT]
    count_sk = table.count_sk if hidden else np.delete(table.count_sk, s, axis=1)
    names = [shorten(label, 22) for label in table.labels]
    rows = [f"{name}  ({size:,})" for name, size in zip(names, table.sizes, strict=True)]
    cell, size = (62, 15) if s <= MOST_NUMBERS else (29, 12)
    upright = s > MOST_NUMBERS or max(map(columns, names)) > 5
    left = EDGE + 34 + int(max(text_width(row, size) for row in rows))
    below = int(max(text_width(name, size) for name in [*(names if upright else []), *ends])) + EDGE
    gap, top = cell * 6 // 10, 140  # the gap is before the columns that are no person
    canvas = Canvas(max(left + cell * len(count_sk[0]) + gap + EDGE, 620), top + cell * s + below)
    canvas.text(EDGE, EDGE - 10, "Who was taken for whom", 24, bold=True)
    told = f"{scores.faces:,} faces · accuracy {scores.accuracy:.1%} · {scores.left_out:,} left out"
    told += f" · the {s} most confused of {table.people:,} people" if hidden else ""
    canvas.text(EDGE, EDGE + 26, told, 15, fill=FAINT)
    canvas.text(left + cell * s / 2, top - 26, "taken for", 15, fill=FAINT, middle=True)
    side = int(text_width("labelled (faces)", 15))
    canvas.upright(EDGE, top + max(0, cell * s - side) // 2, "labelled (faces)", 15, fill=FAINT)
    rgb = cell_colours(count_sk, s)
    for i, row in enumerate(rows):
        y = top + cell * i
        canvas.text(left - 10 - text_width(row, size), y + cell // 2 - size * 0.6, row, size)
        for j, count in enumerate(count_sk[i].tolist()):
            x = left + cell * j + gap * (j >= s)
            colour = tuple(round(255 * value) for value in rgb[i, j].tolist())
            canvas.draw.rectangle((x, y, x + cell, y + cell), fill=colour, outline=RULE)
            if count and s <= MOST_NUMBERS:
                # 0.6: the luminance at which black and white text are equally easy to read, roughly.
                ink = PAPER if float(rgb[i, j] @ (0.299, 0.587, 0.114)) < 0.6 else INK
                small = size if count < 10_000 else 12
                canvas.text(x + cell / 2, y + cell / 2 - small * 0.6, f"{count:,}", small, fill=ink, middle=True)
    for j, name in enumerate([*names, *ends]):
        middle, y = left + cell * (j + 0.5) + gap * (j >= s), top + cell * s + 8
        if upright or j >= s:
            canvas.upright(middle, y, name, size, fill=INK if j < s else FAINT)
        else:
            canvas.text(middle, y, name, size, middle=True)
    return canvas.page


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
