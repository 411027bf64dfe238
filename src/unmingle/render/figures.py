"""What is shown besides words: of a library faces, pairs of faces, a map; of an evaluation confusions and mistakes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from PIL import Image, ImageOps

from unmingle.errors import PictureError, UnmingleError
from unmingle.evaluation.score_files import LEFT_OUT, NOBODYS, as_json, count_confusions, worst_mistakes
from unmingle.evaluation.scores import Evaluation
from unmingle.exchange.table_files import harmless
from unmingle.faces.align import show_thumbnail
from unmingle.files import write_atomically
from unmingle.grouping.index import similarity_blocks
from unmingle.html import address
from unmingle.records import F32, F64, I64, U8
from unmingle.render.drawing import EDGE, FAINT, INK, PAPER, Canvas, Line, as_png, contact_sheet, encoded, text_width
from unmingle.sources.images import PictureFile, quiet_decoders, read_picture
from unmingle.store.result_tables import thumbnail_of
from unmingle.store.sqlite import Store
from unmingle.text_layout import columns, shorten

Row = dict[str, Any]
Crop = Callable[[Row], U8]

SMALL = 56  # pixels, of a face on a sheet
ACROSS = 24  # faces in a row of a sheet
EACH = ACROSS * ACROSS  # faces on a sheet
WHOLE = 160  # pixels, the longer side of a whole picture

LOW, HIGH, BINS = -0.4, 1.0, 70  # cosine; what lies below counts in the first bin
EDGES = np.linspace(LOW, HIGH, BINS + 1)
MOST_STRANGERS = 4000  # faces whose pairs with each other are looked at: eight million pairs
MOST_OF_ONE = 200  # faces of one person, likewise
WIDTH, HEIGHT = 900, 240  # of the drawing of similarities

LEAST_ON_MAP = 8  # of fewer faces there is nothing to see on a map
STEPS = 500  # half of them pull neighbours together, and half spread them out; more moves hardly anything
PERPLEXITY = 30.0  # neighbours that each face wants to keep near; the method's usual choice

FACE = 144  # pixels, of a face on the sheet of mistakes
RED, RULE = "#b3261e", "#d7dce2"
MOST_NUMBERS = 25  # people in a matrix whose cells are wide enough to hold a number
RIGHT, WRONG, NEITHER = (0.106, 0.420, 0.647), (0.769, 0.231, 0.169), (0.42, 0.45, 0.49)

SIZES = ((2, 2), (3, 4), (5, 9), (10, 19), (20, 49), (50, 99), (100, 499), (500, None))


@dataclass(frozen=True, slots=True)
class FacePicture:
    """A face to show: its picture as a data address, empty for none, and what to say of it."""

    picture: str
    caption: str


class Pictures:
    """The pictures of a library as data addresses, so that a page needs no other file."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getitem__(self, face: int) -> str:
        """The stored thumbnail of a face; empty if there is none."""
        jpeg = thumbnail_of(self._store, face)
        return "" if jpeg is None else address(jpeg)

    def whole(self, file: PictureFile) -> str:
        """A whole picture, small; empty if it can't be read any more."""
        try:
            with quiet_decoders():
                picture = Image.fromarray(read_picture(file))
        except PictureError:
            return ""
        picture.thumbnail((WHOLE, WHOLE))
        return address(encoded(picture, "JPEG", quality=80, optimize=True))

    def sheets(self, faces: Sequence[int]) -> list[str]:
        """Many faces, small: face i is on sheet i // EACH, ACROSS in a row."""
        found = []
        for start in range(0, len(faces), EACH):
            part = faces[start : start + EACH]
            page = Image.new("RGB", (ACROSS * SMALL, -(-len(part) // ACROSS) * SMALL), "#ececec")
            for i, face in enumerate(part):
                jpeg = thumbnail_of(self._store, face)
                if jpeg is not None:
                    small = show_thumbnail(jpeg).resize((SMALL, SMALL))
                    page.paste(small, (i % ACROSS * SMALL, i // ACROSS * SMALL))
            found.append(address(encoded(page, "JPEG", quality=72, optimize=True)))
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Pairs of faces by similarity: in equal bins from LOW to HIGH, the share above a threshold, and the median."""

    count_b: I64
    above: float
    middle: float

    @classmethod
    def of(cls, cosines: Iterable[F32], threshold: float | None) -> Pairs:
        """Count them, block by block."""
        count_b, above = np.zeros(BINS, np.int64), 0
        for cosine_m in cosines:
            count_b += np.histogram(np.clip(cosine_m, LOW, HIGH), BINS, (LOW, HIGH))[0]
            above += 0 if threshold is None else int(np.count_nonzero(cosine_m >= threshold))
        total = int(count_b.sum())
        at = int(np.searchsorted(np.cumsum(count_b), total / 2))
        return cls(count_b, above / max(1, total), float(EDGES[at : at + 2].mean()) if total else float("nan"))

    @property
    def outline(self) -> str:
        """A hill that is as high as the drawing, for the attribute `d` of an SVG path; empty without pairs."""
        if not self.count_b.any():
            return ""
        # Three bins together: the eye follows the hill, and not the noise of a small collection.
        smooth = np.convolve(self.count_b, (0.25, 0.5, 0.25), mode="same")
        foot = HEIGHT - 12
        tops = foot - (HEIGHT - 24) * smooth / smooth.max()
        middles = (EDGES[1:] + EDGES[:-1]) / 2
        points = [f"{across(x):.1f} {y:.1f}" for x, y in zip(middles.tolist(), tops.tolist(), strict=True)]
        return f"M{across(LOW):.1f} {foot} L{' L'.join(points)} L{across(HIGH):.1f} {foot} Z"


def similarity(vectors_nd: F32, person_n: I64, threshold: float | None) -> tuple[Pairs, Pairs]:
    """Pairs of one person and of different people, as nobody's (-1) are; of very many faces samples tell."""
    same, different = _of_people(vectors_nd, person_n), _of_strangers(vectors_nd, person_n)
    return Pairs.of(same, threshold), Pairs.of(different, threshold)


def _of_people(vectors_nd: F32, person_n: I64) -> Iterator[F32]:
    order = np.argsort(person_n, kind="stable")
    order = order[np.searchsorted(person_n[order], 0) :]
    for rows in np.split(order, np.flatnonzero(np.diff(person_n[order])) + 1):
        chosen = vectors_nd[_sample(rows, MOST_OF_ONE)]
        yield (chosen @ chosen.T)[np.triu_indices(len(chosen), 1)]


def _of_strangers(vectors_nd: F32, person_n: I64) -> Iterator[F32]:
    rows = _sample(np.arange(len(person_n)), MOST_STRANGERS)
    sample_kd, person_k = vectors_nd[rows], person_n[rows]
    for block, similarity_rk in similarity_blocks(sample_kd, sample_kd, cells=1 << 21):
        strangers = (person_k[block, None] != person_k) | (person_k[block, None] < 0)
        later = np.arange(len(rows)) > np.arange(block.start, block.stop)[:, None]
        yield similarity_rk[strangers & later]


def _sample(rows: I64, most: int) -> I64:
    """At most so many of the rows, at random and always the same: faces that follow each other may be in step."""
    return rows if len(rows) <= most else np.sort(np.random.default_rng(0).permutation(rows)[:most])


def across(cosine: float) -> float:
    """How far from the left of the drawing a similarity is."""
    return WIDTH * (min(max(cosine, LOW), HIGH) - LOW) / (HIGH - LOW)


# Below the drawing: how far from the left, and what to write.
MARKS = [(across(at / 5), f"{at / 5:g}".replace("-", "−")) for at in range(-2, 6)]


def embedding_map(vectors_nd: F32) -> F64:
    """(n, 2) from 0 to 1: faces on a plane by t-SNE (van der Maaten and Hinton, 2008), the same each time."""
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    # It begins with the two directions in which faces differ most; where all are alike, there are none.
    start = "pca" if float(np.ptp(vectors_nd, axis=0).max()) > 1e-6 else "random"
    perplexity = min(PERPLEXITY, (len(vectors_nd) - 1) / 3)
    # Distances of unit vectors fall as their cosine rises, so the plain ones will do, which are found faster.
    tsne = TSNE(perplexity=perplexity, init=start, random_state=0, max_iter=STEPS)
    # Its threads wait for each other in every step, which takes several times as long where other programs run, too.
    with threadpool_limits(1, user_api="openmp"):
        at_n2: F64 = tsne.fit_transform(vectors_nd).astype(np.float64)
    low, high = at_n2.min(axis=0), at_n2.max(axis=0)
    # One scale for both axes, so that near stays near whichever way.
    placed: F64 = (at_n2 - (low + high) / 2) / max(float((high - low).max()), 1e-12) + 0.5
    return placed


def size_bands(sizes: Sequence[int]) -> list[tuple[str, int]]:
    """How many people have about so many faces, for more people than can be drawn one by one."""
    found = []
    for low, high in SIZES:
        if low <= max(sizes, default=0):
            title = f"{low}" if high == low else f"{low} to {high}" if high else f"{low} or more"
            found.append((f"{title} faces", sum(low <= size <= (high or size) for size in sizes)))
    return found


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
