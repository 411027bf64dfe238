"""Workbooks (.xlsx, .xls, .ods, …) as rows of text, through fastexcel (calamine)."""

from __future__ import annotations

import io
import re
import zlib
from contextlib import suppress
from lzma import LZMAError
from typing import IO, TYPE_CHECKING
from zipfile import BadZipFile, ZipFile

import numpy as np

from unmingle.errors import LabelsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

ZIP = b"PK\x03\x04"  # .xlsx, .xlsm, .xlsb, .ods
OLE2 = bytes.fromhex("D0CF11E0A1B11AE1")  # .xls, and every encrypted .xlsx
# Office puts an encrypted workbook into an OLE2 container, as a stream of this name ([MS-OFFCRYPTO] 2.3.4.4).
ENCRYPTED_STREAM = "EncryptedPackage".encode("utf-16-le")
MAX_CELLS = 20_000_000  # of a sheet: what lies before the last one takes memory, empty or not
MAX_ROWS, MAX_COLUMNS = 1_048_576, 16_384  # that a spreadsheet program has
MOST_BLANK = 1000  # rows or columns in a row that are kept
# What zipfile raises of a file that is no whole zip.
DAMAGE = (BadZipFile, OSError, NotImplementedError, EOFError, RuntimeError, ValueError, zlib.error, LZMAError)
# A cell of .xlsx with something in it, and where it says it is; a row, and which.
_CELL = re.compile(
    rb"""<(?:\w+:)?c(?=[\s>])(?:[^<>]*?\sr\s*=\s*["']([A-Za-z]{0,9})(\d{0,12}))?[^<>]*(?<!/)>[^<]*<(?!/)"""
)
_ROW = re.compile(rb"""<(?:\w+:)?row\s[^<>]*?\br\s*=\s*["'](\d{1,12})""")
# A table, row, or cell of .ods.
_ODS = re.compile(rb"""<table:(table|table-row|table-cell|covered-table-cell)(?=[\s/>])([^<>]*)""")
_REPEATED = re.compile(rb"""table:number-(?:rows|columns)-repeated\s*=\s*["']\+?(\d{1,12})""")
_VALUE = re.compile(rb"office:[a-z-]*value|table:formula")

Rows = tuple[tuple[str, ...], ...]


def open_workbook(data: bytes, name: str) -> Iterator[tuple[str, bool, Rows]]:
    """Each sheet's name, whether it is hidden, and its rows; in order, hidden ones last.

    Numbers are text as the sheet stores them: 1.0 and 1 are both "1". A cell that is empty, or holds an error, is "".
    """
    import fastexcel

    if data.startswith(OLE2) and ENCRYPTED_STREAM in data:
        raise _protected(name)
    if data.startswith(ZIP):
        _check_extent(data, name)
    try:
        reader = fastexcel.read_excel(data)
        sheets = [reader.load_sheet(i, header_row=None, dtypes="string") for i in range(len(reader.sheet_names))]
        for sheet in sorted(sheets, key=lambda sheet: sheet.visible != "visible"):
            yield sheet.name, sheet.visible != "visible", _rows(sheet.to_polars())
    except fastexcel.FastExcelError as error:
        if "password" in str(error).lower():
            raise _protected(name) from error
        mend = "Open it in a spreadsheet program and save it again as .xlsx."
        raise LabelsError(f"{name} is not a workbook, or a damaged one.", mend) from error


def _rows(frame: pl.DataFrame) -> Rows:
    """The rows, of long runs of blank ones or of blank columns the first few: formatting may reach the last row."""
    row_n, column_n = np.zeros(frame.height, bool), np.zeros(frame.width, bool)
    for i, column in enumerate(frame):
        if column.null_count() < len(column):
            filled_n = (column.fill_null("") != "").to_numpy()
            row_n |= filled_n
            column_n[i] = filled_n.any()
    kept = frame[_kept(row_n), _kept(column_n).tolist()]
    blank = ("",) * kept.width
    return tuple(tuple(cell or "" for cell in row) if any(row) else blank for row in kept.iter_rows())


def _kept(filled_n: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    at_n = np.arange(len(filled_n))
    last_n = np.maximum.accumulate(np.where(filled_n, at_n, -1))
    return np.flatnonzero(at_n - last_n <= MOST_BLANK)


def _check_extent(data: bytes, name: str) -> None:
    """Refuse a sheet with a cell so far out that the reader, which makes room for all before it, ends the process."""
    for rows, columns in _extents(data):
        if rows > MAX_ROWS or columns > MAX_COLUMNS:
            problem = f"{name} has a sheet with a cell outside of what a sheet can hold."
        elif rows * columns > MAX_CELLS:
            problem = f"{name} has a sheet of {rows * columns:,} cells, if all up to its last one are counted."
        else:
            continue
        raise LabelsError(problem, "Save a copy that holds the table alone.")


def _extents(data: bytes) -> Iterator[tuple[int, int]]:
    """The last row and the last column of each part of a workbook; what is damaged or locked, the reader finds out."""
    with suppress(*DAMAGE), ZipFile(io.BytesIO(data)) as archive:
        for part in archive.infolist():
            binary = "worksheets/" in part.filename and part.filename.endswith(".bin")
            extent = _extent_ods if part.filename == "content.xml" else _extent_xlsb if binary else _extent
            with suppress(*DAMAGE), archive.open(part) as sheet:
                yield extent(sheet)


def _extent(sheet: IO[bytes]) -> tuple[int, int]:
    """The last row and the last column with something in it, of a part of an .xlsx; (0, 0) of other parts."""
    rows = columns = 0
    rest = b""
    while block := sheet.read(1 << 20):
        text = rest + block
        if found := _CELL.findall(text):
            letters, digits = (set(one) for one in zip(*found, strict=True))
            columns = max(columns, 1, *map(_column, letters))
            rows = max(rows, *(int(number or 0) for number in digits))
            if b"" in digits:  # a cell that doesn't say where it is, is in the row that it stands in
                rows = max([rows, *map(int, _ROW.findall(text))])
        # From the last tag but one: the cell that may go on in the next block.
        rest = text[max(text.rfind(b"<", 0, max(text.rfind(b"<"), 0)), 0) :]
    return rows, columns


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - ord("A") + 1
    return number


def _extent_ods(sheet: IO[bytes]) -> tuple[int, int]:
    """The same of an .ods, where one row or cell may stand for many."""
    rows = columns = above = here = across = 0
    rest = b""
    while block := sheet.read(1 << 20):
        text = rest + block
        rest = text[max(text.rfind(b"<"), 0) :]
        for kind, attributes in _ODS.findall(text[: len(text) - len(rest)]):
            repeated = _REPEATED.search(attributes)
            times = int(repeated[1]) if repeated else 1
            if kind == b"table":
                above = here = 0
            elif kind == b"table-row":
                above, here, across = above + here, times, 0
            else:
                across += times
                if _VALUE.search(attributes):
                    rows, columns = max(rows, above + here), max(columns, across)
    return rows, columns


def _extent_xlsb(sheet: IO[bytes]) -> tuple[int, int]:
    """The same of a sheet of an .xlsb: records of a number, a length, and content ([MS-XLSB] 2.1.4)."""
    data, at = sheet.read(), 0
    rows = columns = row = 0

    def number(most: int) -> int:
        nonlocal at
        value = 0
        for shift in range(0, 7 * most, 7):
            value |= (data[at] & 0x7F) << shift
            at += 1
            if not data[at - 1] & 0x80:
                break
        return value

    with suppress(IndexError):
        while at < len(data):
            kind, length = number(2), number(4)
            place = int.from_bytes(data[at : at + 4], "little")
            at += length
            if kind == 0:  # BrtRowHdr
                row = place + 1
            elif 2 <= kind <= 11:  # BrtCellRk to BrtFmlaError, all with something in them
                rows, columns = max(rows, row), max(columns, place + 1)
    return rows, columns


def _protected(name: str) -> LabelsError:
    return LabelsError(f"{name} is protected by a password.", "Save a copy without one and pass that.")
