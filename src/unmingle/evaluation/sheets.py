"""From a file to rows of text: the sheets of a workbook, a delimited text file, Parquet, or JSON.

What a file is, is read from its first bytes and not from its ending.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from unmingle.errors import LabelsError
from unmingle.evaluation.delimited import parse_text
from unmingle.evaluation.workbook import OLE2, ZIP, open_workbook
from unmingle.sources.paths import has_ending

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from unmingle.evaluation.columns import Columns, Row

    Find = Callable[[tuple[Row, ...]], Columns | LabelsError]

PARQUET = b"PAR1"
LOOKED_AT = 100  # rows of a sheet without the columns, for names of files
WORKBOOK_ENDINGS = frozenset({".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"})


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table as text, header and all.

    rows: one tuple of cells per row, in order; rows may differ in length, an empty cell is "".
    note: how it was read, for the reader.
    title: of the sheet; empty for text.
    hidden: whether a spreadsheet program would show it.
    """

    rows: tuple[tuple[str, ...], ...]
    note: str
    title: str = ""
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """What is read of a file: one sheet that has the columns, and below it the rows of others with the same headings.

    above:   rows above the header.
    columns: the table.
    note:    how it was read.
    unread:  titles of sheets that have such columns or name files, too, and were not read.
    """

    above: tuple[Row, ...]
    columns: Columns
    note: str
    unread: tuple[str, ...]


def read_table(path: Path, find: Find, *, titles: tuple[str, ...] = ()) -> Table:
    """Read the first sheet in which `find` finds columns, and all with the same headings as that one.

    A hidden sheet is read where no other has the columns, or where it is asked for.

    Args:
        path: workbook or delimited text.
        find: gives the columns of rows, or says what is not there; it raises where several could be meant.
        titles: of the sheets to read; empty: all.

    Raises:
        LabelsError: the file can't be read, has no such sheet, or none with the columns; or several could be meant.
    """
    found: list[tuple[Sheet, Columns]] = []
    lacking: list[LabelsError] = []
    unread: list[str] = []
    for sheet in _wanted(list(read_sheets(path)), path.name, titles):
        try:
            columns = find(sheet.rows)
        except LabelsError:
            if not found:
                raise
            unread.append(sheet.title)
            continue
        if isinstance(columns, LabelsError):
            lacking.append(columns)
            unread.extend([sheet.title] * _names_files(sheet))
        elif not found or (columns.headings == found[0][1].headings and (titles or sheet.hidden == found[0][0].hidden)):
            found.append((sheet, columns))
        else:
            unread.append(sheet.title)
    if not found or (titles and lacking):
        raise lacking[0] if lacking else LabelsError(f"{path.name} holds no table.", "Name a sheet that has one.")
    main, columns = found[0]
    body = tuple(row for _, other in found for row in other.rows_for(columns))
    above = main.rows[: len(main.rows) - len(columns.body) - 1]
    note = main.note if len(found) == 1 else "sheets " + ", ".join(repr(sheet.title) for sheet, _ in found)
    return Table(above, replace(columns, body=body), note, tuple(unread))


def _names_files(sheet: Sheet) -> bool:
    return any(has_ending(cell) for row in sheet.rows[:LOOKED_AT] for cell in row)


def _wanted(sheets: list[Sheet], name: str, titles: tuple[str, ...]) -> list[Sheet]:
    if not titles:
        return sheets
    by_title = {sheet.title.strip().casefold(): sheet for sheet in sheets}
    for title in titles:
        if title.strip().casefold() not in by_title:
            has = ", ".join(repr(sheet.title) for sheet in sheets if sheet.title) or "none: it is no workbook"
            raise LabelsError(f"There is no sheet {title!r} in {name}.", f"It has {has}.")
    return [by_title[title.strip().casefold()] for title in titles]


def read_sheets(path: Path) -> Iterator[Sheet]:
    """The sheets of a workbook in order, visible ones first, or the single one of another file.

    Raises:
        LabelsError: the file is missing, not readable, empty, protected, or neither workbook nor text.
    """
    data = read_bytes(path)
    if data.startswith((ZIP, OLE2)):
        for name, hidden, rows in open_workbook(data, path.name):
            yield Sheet(rows, f"sheet {name!r}", name, hidden)
        return
    records = _records(data, path.name)
    if records is not None:
        yield records
        return
    if path.suffix.lower() in WORKBOOK_ENDINGS:
        raise LabelsError(f"{path.name} is not a workbook.", "Open it in a spreadsheet program and save it as .xlsx.")
    rows, note = parse_text(data, path.name)
    yield Sheet(rows, note)


def _records(data: bytes, name: str) -> Sheet | None:
    """The table of a Parquet file, or of JSON that is a list of objects; None for other content."""
    if data.startswith(PARQUET):
        import polars as pl

        try:
            table = pl.read_parquet(io.BytesIO(data))
        except Exception as error:  # whatever a broken file raises, it is that file's
            raise LabelsError(f"{name} can't be read: {error}.", "Write the file anew.") from error
        return Sheet((tuple(table.columns), *(_as_text(row) for row in table.iter_rows())), "Parquet")
    if not data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"["):
        return None
    try:
        rows = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not (isinstance(rows, list) and rows and all(isinstance(row, dict) for row in rows)):
        return None
    header = tuple(dict.fromkeys(key for row in rows for key in row))
    return Sheet((header, *(_as_text([row.get(key) for key in header]) for row in rows)), "JSON")


def _as_text(row: Sequence[object]) -> tuple[str, ...]:
    return tuple("" if value is None else str(value) for value in row)


def read_bytes(path: Path) -> bytes:
    """The file's content, never empty.

    Raises:
        LabelsError: there is nothing to read, or no permission.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise LabelsError(f"There is no labels file {path}.", "Check the path.") from error
    except IsADirectoryError as error:
        mend = "Name a workbook or csv, or pass --labels folders."
        raise LabelsError(f"{path} is a folder, not a labels file.", mend) from error
    except OSError as error:
        raise LabelsError(f"{path} can't be read: {error.strerror}.", "Check its permissions.") from error
    if not data.strip():
        raise LabelsError(f"{path.name} is empty.", "It needs a header and one row per file.")
    return data
