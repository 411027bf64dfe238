"""What a table of somebody else may take: its cells and their text are counted before they are made."""

from __future__ import annotations

import io
import re
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING
from zipfile import ZipFile

import numpy as np

from unmingle.errors import LabelsError
from unmingle.files import DAMAGE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unmingle.records import I64

    Extent = tuple[int, int, int]  # the last row and column with something in it, and the bytes of text that it shows

MAX_BYTES = 300_000_000  # of a file: the table of a million faces has 200 million
MAX_CELLS = 20_000_000  # of a table: what lies before the last one takes memory, empty or not
MAX_TEXT = 300_000_000  # bytes in all cells of a table together: a stored text may stand in many
BLOCK = 1 << 20  # bytes of a part that are looked at together
BESIDE = 25  # bytes that a text takes beside its signs
LONGEST = 10_000_000  # bytes of one text with its markup; a cell holds 32,767 signs
MAX_ROWS, MAX_COLUMNS = 1_048_576, 16_384  # that a spreadsheet program has
# A cell of .xlsx with something in it, and where it says it is; a row, and which.
_CELL = re.compile(
    rb"""<(?:\w+:)?c(?=[\s>])(?:[^<>]*?\sr\s*=\s*["']([A-Za-z]{0,9})(\d{0,12}))?[^<>]*(?<!/)>[^<]*<(?!/)"""
)
_ROW = re.compile(rb"""<(?:\w+:)?row\s[^<>]*?\br\s*=\s*["'](\d{1,12})""")
_SHARED = re.compile(rb"</(?:\w+:)?si\s*>")
_TAG = re.compile(rb"<[^<>]*>")
# A table, row, or cell of .ods.
_ODS = re.compile(rb"""<table:(table|table-row|table-cell|covered-table-cell)(?=[\s/>])([^<>]*)""")
_REPEATED = re.compile(rb"""table:number-(?:rows|columns)-repeated\s*=\s*["']\+?(\d{1,12})""")
# The number that a cell of .xlsx shows: of a shared text, which.
_SHOWN = re.compile(rb"""<(?:\w+:)?v(?:\s[^<>]*)?>\s*(\d{1,9})\s*<""")
_VALUE = re.compile(rb"office:[a-z-]*value|table:formula")


def check_cells(name: str, cells: int, text: int = 0) -> None:
    """Refuse a table of so many cells, or with so many bytes of text in them."""
    mend = "Save a copy that holds the table alone."
    if cells > MAX_CELLS:
        raise LabelsError(f"{name} has a sheet of {cells:,} cells, and {MAX_CELLS:,} is the most.", mend)
    if text > MAX_TEXT:
        raise LabelsError(f"{name} has {text:,} bytes of text in its cells, and {MAX_TEXT:,} is the most.", mend)


@contextmanager
def panics_are_errors() -> Iterator[None]:
    """Let what a reader in Rust raises where it panics be an error as others are; it is no `Exception` there."""
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise RuntimeError(str(error)) from error


def check_workbook(data: bytes, name: str) -> None:
    """Refuse a sheet with a cell so far out that the reader, which makes room for all before it, ends the process.

    It copies the text of each cell, too, where a file holds it once for many.
    """
    # What is damaged or locked, the reader finds out.
    with suppress(*DAMAGE), ZipFile(io.BytesIO(data)) as archive:
        lengths_n = np.zeros(0, np.int64)
        with suppress(*DAMAGE, KeyError), archive.open("xl/sharedStrings.xml") as shared:
            lengths_n = np.fromiter(_lengths(shared, name), np.int64)
        for part in archive.infolist():
            binary = "worksheets/" in part.filename and part.filename.endswith(".bin")
            extent_of = _extent_ods if part.filename == "content.xml" else _extent_xlsb if binary else _extent
            rows = columns = text = 0
            with suppress(*DAMAGE), archive.open(part) as sheet:
                rows, columns, text = extent_of(sheet, lengths_n)
            if rows > MAX_ROWS or columns > MAX_COLUMNS:
                problem = f"{name} has a sheet with a cell outside of what a sheet can hold."
                raise LabelsError(problem, "Save a copy that holds the table alone.")
            check_cells(name, rows * columns, text)


def _lengths(shared: IO[bytes], name: str) -> Iterator[int]:
    """Of each text that cells of an .xlsx share, markup and all."""
    rest, size = b"", 0
    while block := shared.read(BLOCK):
        *whole, rest = _SHARED.split(rest + block)
        yield from map(len, whole)
        size += len(block) + BESIDE * len(whole)
        check_cells(name, 0, size if len(rest) <= LONGEST else MAX_TEXT + len(rest))


def _extent(sheet: IO[bytes], lengths_n: I64) -> Extent:
    """Of a part of an .xlsx; zeros of other parts."""
    rows = columns = size = 0
    rest = b""
    while block := sheet.read(BLOCK):
        text = rest + block
        if found := _CELL.findall(text):
            letters, digits = (set(one) for one in zip(*found, strict=True))
            columns = max(columns, 1, *map(_column, letters))
            rows = max(rows, *(int(number or 0) for number in digits))
            if b"" in digits:  # a cell that doesn't say where it is, is in the row that it stands in
                rows = max([rows, *map(int, _ROW.findall(text))])
        shown_n = np.array(_SHOWN.findall(text), np.int64)
        size += len(_TAG.sub(b"", block)) + int(lengths_n[shown_n[shown_n < len(lengths_n)]].sum())
        # From the last tag but one: the cell that may go on in the next block.
        rest = text[max(text.rfind(b"<", 0, max(text.rfind(b"<"), 0)), 0) :][-BLOCK:]
    return rows, columns, size


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - ord("A") + 1
    return number


def _extent_ods(sheet: IO[bytes], _: I64) -> Extent:
    """Of an .ods, where one row or cell may stand for many."""
    rows = columns = above = here = across = size = 0
    for kind, attributes, length in _tags_ods(sheet):
        repeated = _REPEATED.search(attributes)
        times = int(repeated[1]) if repeated else 1
        if kind == b"table":
            above = here = 0
        elif kind == b"table-row":
            above, here, across = above + here, times, 0
        else:
            across += times
            if _VALUE.search(attributes):
                rows, columns, size = max(rows, above + here), max(columns, across), size + here * times * length
    return rows, columns, size


def _tags_ods(sheet: IO[bytes]) -> Iterator[tuple[bytes, bytes, int]]:
    """The tables, rows and cells: what it is, its attributes, and the bytes up to the next one."""
    rest, more = b"", True
    while more:
        block = sheet.read(BLOCK)
        text, more = rest + block, bool(block) and len(rest) <= LONGEST
        found = list(_ODS.finditer(text))
        starts = [one.start() for one in found]
        if more:  # what stands behind the last tag may go on in the next block
            rest = text[starts[-1] :] if starts else text[-BLOCK:]
            del found[-1:]
        for one, end in zip(found, [*starts[1:], len(text)], strict=False):
            yield one[1], one[2], end - one.start()
    if block:
        yield b"table-cell", b"table:formula", MAX_TEXT + 1


def _extent_xlsb(sheet: IO[bytes], _: I64) -> Extent:
    """Of a sheet of an .xlsb: records of a number, a length, and content ([MS-XLSB] 2.1.4)."""
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
    return rows, columns, 0
