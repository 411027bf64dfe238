"""Names of faces from a table: a workbook or delimited text with a file, and a name for its face."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unmingle.errors import LabelsError
from unmingle.evaluation.columns import FILE_COLUMNS, HEADER_ROWS, place
from unmingle.evaluation.labels import cell, plain_number
from unmingle.evaluation.sheets import read_sheets

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from unmingle.evaluation.columns import Row

NAME_COLUMNS = ("name", "personname", "fullname", "person", "label", "identity", "subject")


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


def read_names(path: Path) -> tuple[NamedFace, ...]:
    """Read a workbook or delimited text with a header; the first sheet that has the columns counts.

    Columns are a file and a name, and where these don't tell faces apart `face`, `frame` of recordings, and `source`.
    `faces.csv` is such a table, and so is the manifest of exported folders, whose files are the originals.

    Raises:
        LabelsError: it can't be read, or has no such columns.
    """
    headings: list[str] = []
    for sheet in read_sheets(path):
        for i, header in enumerate(sheet.rows[:HEADER_ROWS]):
            file, name = place(header, None, FILE_COLUMNS), place(header, None, NAME_COLUMNS)
            if file is not None and name is not None:
                return tuple(_rows(header, sheet.rows[i + 1 :], file, name))
            headings.extend(heading.strip() for heading in header if heading.strip())
    has = ", ".join(headings[:20]) or "nothing"
    raise LabelsError(
        f"{path.name} has no column with files and one with names.", f"It has {has}. Call them file and name."
    )


def _rows(header: Row, body: tuple[Row, ...], file: int, name: int) -> Iterator[NamedFace]:
    def column(wanted: str) -> int | None:
        return place(header, None, (wanted,))

    # A manifest names the copies, too, by the folders that they are in.
    original = column("original") if column("folder") is not None else None
    source, frame, face = map(column, ("source", "frame", "face"))
    box = tuple(map(column, ("left", "top", "width", "height")))
    for row in body:
        called = cell(row, file if original is None else original)  # spaces around it may be part of it
        if called.strip():
            origin = "" if source is None else cell(row, source)
            at, number = ("" if i is None else plain_number(cell(row, i)) for i in (frame, face))
            yield NamedFace(called, origin, at, number, cell(row, name).strip(), _box(row, box))


def _box(row: Row, columns: tuple[int | None, ...]) -> tuple[float, float, float, float] | None:
    try:
        left, top, width, height = (float(cell(row, column)) for column in columns if column is not None)
    except ValueError:  # not all of them are there, or numbers
        return None
    whole = all(map(math.isfinite, (left, top, width, height))) and min(width, height) > 0
    return (left, top, width, height) if whole else None
