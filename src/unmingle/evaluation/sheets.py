"""From a file to rows of text: the sheets of a workbook, a delimited text file, Parquet, or JSON.

What a file is, is read from its first bytes and not from its ending.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unmingle.errors import LabelsError
from unmingle.evaluation.delimited import parse_text
from unmingle.evaluation.workbook import OLE2, ZIP, open_workbook

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

PARQUET = b"PAR1"
WORKBOOK_ENDINGS = frozenset({".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"})


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table as text, header and all.

    rows: one tuple of cells per row, in order; rows may differ in length, an empty cell is "".
    note: how it was read, for the reader.
    """

    rows: tuple[tuple[str, ...], ...]
    note: str


def read_sheets(path: Path) -> Iterator[Sheet]:
    """The sheets of a workbook in order, visible ones first, or the single one of another file.

    Raises:
        LabelsError: the file is missing, not readable, empty, protected, or neither workbook nor text.
    """
    data = read_bytes(path)
    if data.startswith((ZIP, OLE2)):
        for name, rows in open_workbook(data, path.name):
            yield Sheet(rows, f"sheet {name!r}")
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
