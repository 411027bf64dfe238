"""Workbooks (.xlsx, .xls, .ods, …) as rows of text, through fastexcel (calamine)."""

from __future__ import annotations

import io
import re
import zlib
from typing import IO, TYPE_CHECKING
from zipfile import BadZipFile, ZipFile

from unmingle.errors import LabelsError

if TYPE_CHECKING:
    from collections.abc import Iterator

ZIP = b"PK\x03\x04"  # .xlsx, .xlsm, .xlsb, .ods
OLE2 = bytes.fromhex("D0CF11E0A1B11AE1")  # .xls, and every encrypted .xlsx
# Office puts an encrypted workbook into an OLE2 container, as a stream of this name ([MS-OFFCRYPTO] 2.3.4.4).
ENCRYPTED_STREAM = "EncryptedPackage".encode("utf-16-le")
MAX_CELLS = 20_000_000  # of a sheet: what lies before the last one takes memory, empty or not
_SHEET = re.compile(r"xl/worksheets/[^/]+\.xml", re.I)
_CELL = re.compile(rb"""\sr=["']([A-Z]{1,3})(\d{1,7})["']""")

Rows = tuple[tuple[str, ...], ...]


def open_workbook(data: bytes, name: str) -> Iterator[tuple[str, bool, Rows]]:
    """Each sheet's name, whether it is hidden, and its rows; in order, hidden ones last, each read when its turn comes.

    Numbers are text as the sheet stores them: 1.0 and 1 are both "1". A cell that is empty, or holds an error, is "".

    Args:
        data: the bytes of the file.
        name: what to call it in an error.

    Raises:
        LabelsError: it is protected by a password, damaged, or not a workbook.
    """
    import fastexcel

    if data.startswith(OLE2) and ENCRYPTED_STREAM in data:
        raise protected(name)
    _check_extent(data, name)
    try:
        reader = fastexcel.read_excel(data)
        lazy = [reader.load_sheet(i, header_row=None, n_rows=0) for i in range(len(reader.sheet_names))]
        order = sorted(range(len(lazy)), key=lambda i: (lazy[i].visible != "visible", i))
        for i in order:
            frame = reader.load_sheet(i, header_row=None, dtypes="string").to_polars()
            blank = ("",) * frame.width
            rows = tuple(tuple(cell or "" for cell in row) if any(row) else blank for row in frame.iter_rows())
            yield reader.sheet_names[i], lazy[i].visible != "visible", rows
    except fastexcel.FastExcelError as error:
        if "password" in str(error).lower():
            raise protected(name) from error
        mend = "Open it in a spreadsheet program and save it again as .xlsx."
        raise LabelsError(f"{name} is not a workbook, or a damaged one.", mend) from error


def _check_extent(data: bytes, name: str) -> None:
    """Refuse a sheet with a cell so far out that the reader, which makes room for all before it, ends the process.

    Raises:
        LabelsError: there is one.
    """
    if not data.startswith(ZIP):
        return
    try:
        with ZipFile(io.BytesIO(data)) as archive:
            for part in archive.infolist():
                if _SHEET.fullmatch(part.filename):
                    with archive.open(part) as sheet:
                        cells = _extent(sheet)
                    if cells > MAX_CELLS:
                        problem = f"{name} has a sheet of {cells:,} cells, if all up to its last one are counted."
                        raise LabelsError(problem, "Save a copy that holds the table alone.")
    except (BadZipFile, OSError, NotImplementedError, EOFError, zlib.error):
        return  # what is damaged, the reader finds out


def _extent(sheet: IO[bytes]) -> int:
    """Rows up to the last cell times columns up to the last one."""
    rows = columns = 0
    rest = b""
    while block := sheet.read(1 << 20):
        text = rest + block
        for letters, digits in _CELL.findall(text):
            rows, columns = max(rows, int(digits)), max(columns, _column(letters))
        rest = text[-32:]
    return rows * columns


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - ord("A") + 1
    return number


def protected(name: str) -> LabelsError:
    """The error for a workbook that can't be opened without its password."""
    return LabelsError(f"{name} is protected by a password.", "Save a copy without one and pass that.")
