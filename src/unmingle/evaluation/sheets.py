"""From a file to rows of text: the sheets of a workbook, or a delimited text file.

What a file is, is read from its first bytes and not from its ending.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from unmingle.errors import LabelsError
from unmingle.evaluation.delimited import parse_text
from unmingle.evaluation.workbook import OLE2, ZIP, open_workbook

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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
    """The sheets of a workbook in order, visible ones first, or the single one of a text file.

    Raises:
        LabelsError: the file is missing, not readable, empty, protected, or neither workbook nor text.
    """
    data = read_bytes(path)
    if data.startswith((ZIP, OLE2)):
        for name, rows in open_workbook(data, path.name):
            yield Sheet(rows, f"sheet {name!r}")
        return
    if path.suffix.lower() in WORKBOOK_ENDINGS:
        raise LabelsError(f"{path.name} is not a workbook.", "Open it in a spreadsheet program and save it as .xlsx.")
    rows, note = parse_text(data, path.name)
    yield Sheet(rows, note)


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
