"""Names of faces from a table: a workbook or delimited text with a file, and a name for its face."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unmingle.evaluation.cells import cell, label_of, plain_number
from unmingle.evaluation.columns import find_names, place
from unmingle.evaluation.sheets import read_table
from unmingle.sources.paths import bare

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from unmingle.evaluation.columns import Columns, Row


@dataclass(frozen=True, slots=True)
class NamedFace:
    """A row.

    source:      empty if the table has none.
    frame, face: numbers as text, empty for the main face.
    box:         left, top, width, height of the face in pixels; None if the table doesn't say.
    """

    file: str
    source: str
    frame: str
    face: str
    name: str
    box: tuple[float, float, float, float] | None = None


def read_names(path: Path) -> tuple[tuple[NamedFace, ...], tuple[str, ...]]:
    """Read a workbook or delimited text with a header, see `sheets.read_table`; also the sheets that were not read.

    Columns are a file and a name, and where these don't tell faces apart `face`, `frame` of recordings, and `source`.
    `faces.csv` is such a table, and so is the manifest of exported folders, whose files are the originals.

    Raises:
        LabelsError: it can't be read, has no such columns, or several that could be meant.
    """
    table = read_table(path, lambda rows: find_names(rows, path.name))
    return tuple(_rows(table.columns)), table.unread


def _rows(columns: Columns) -> Iterator[NamedFace]:
    def column(wanted: str) -> int | None:
        return place(columns.header, None, (wanted,))

    # A manifest names the copies, too, by the folders that they are in.
    original = column("original") if column("folder") is not None else None
    source, frame, face = map(column, ("source", "frame", "face"))
    box = tuple(map(column, ("left", "top", "width", "height")))
    for row in columns.body:
        called = cell(row, columns.file if original is None else original)  # spaces around it may be part of it
        if bare(called):
            origin = "" if source is None else cell(row, source)
            at, number = ("" if i is None else plain_number(cell(row, i)) for i in (frame, face))
            yield NamedFace(called, origin, at, number, label_of(cell(row, columns.label)), _box(row, box))


def _box(row: Row, columns: tuple[int | None, ...]) -> tuple[float, float, float, float] | None:
    try:
        left, top, width, height = (float(cell(row, column)) for column in columns if column is not None)
    except ValueError:  # not all of them are there, or numbers
        return None
    whole = all(map(math.isfinite, (left, top, width, height))) and min(width, height) > 0
    return (left, top, width, height) if whole else None
