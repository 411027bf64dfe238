"""What a workbook holds, by its parts: how far out its cells are, how much text is in them, and which are merged.

It is counted before the reader makes room for it, and the reader doesn't tell which cells are merged.
"""

from __future__ import annotations

import io
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from functools import reduce
from typing import IO
from zipfile import ZipFile

import numpy as np

from unmingle.errors import LabelsError
from unmingle.files import DAMAGE
from unmingle.records import I64

Extent = tuple[int, int, int]  # the last row and column with something in it, and the bytes of text that it shows
Merged = tuple[int, int, int]  # cells that are one: their first column, first row and last row, from 0

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
# Cells that are merged; in .ods, over how many rows.
_MERGED = re.compile(rb"""<(?:\w+:)?mergeCell\s[^<>]*?\bref\s*=\s*["']([A-Z]{1,3})(\d{1,7}):[A-Z]{1,3}(\d{1,7})""")
_SPANNED = re.compile(rb"""table:number-rows-spanned\s*=\s*["'](\d{1,7})""")
_SHEET = re.compile(rb"""<(?:\w+:)?sheet\s[^<]*?\w:id\s*=\s*["']([^"']*)""")
_RELATION = re.compile(rb"""<(?:\w+:)?Relationship\s([^<>]*)""")
_ATTRIBUTE = re.compile(rb"""\b(Id|Target)\s*=\s*["']([^"']*)""")


def check_cells(name: str, cells: int, text: int = 0) -> None:
    """Refuse a table of so many cells, or with so many bytes of text in them."""
    mend = "Save a copy that holds the table alone."
    if cells > MAX_CELLS:
        raise LabelsError(f"{name} has a sheet of {cells:,} cells, and {MAX_CELLS:,} is the most.", mend)
    if text > MAX_TEXT:
        raise LabelsError(f"{name} has {text:,} bytes of text in its cells, and {MAX_TEXT:,} is the most.", mend)


def check_workbook(data: bytes, name: str) -> dict[int, list[Merged]]:
    """Which cells are merged over several rows, by the sheet's position.

    Refuses a sheet with a cell so far out that the reader, which makes room for all before it, ends the process. It
    copies the text of each cell, too, where a file holds it once for many.
    """
    found: dict[str, list[tuple[int, Merged]]] = {}
    order: list[str] = []
    # What is damaged or locked, the reader finds out.
    with suppress(*DAMAGE), ZipFile(io.BytesIO(data)) as archive:
        lengths_n = np.zeros(0, np.int64)
        with suppress(*DAMAGE, KeyError), archive.open("xl/sharedStrings.xml") as shared:
            lengths_n = np.fromiter(_lengths(shared, name), np.int64)
        for part in archive.infolist():
            binary = "worksheets/" in part.filename and part.filename.endswith(".bin")
            extent_of = _extent_ods if part.filename == "content.xml" else _extent_xlsb if binary else _extent
            rows = columns = text = 0
            merged = found.setdefault(part.filename, [])
            with suppress(*DAMAGE), archive.open(part) as sheet:
                rows, columns, text = extent_of(sheet, lengths_n, merged)
            if rows > MAX_ROWS or columns > MAX_COLUMNS:
                problem = f"{name} has a sheet with a cell outside of what a sheet can hold."
                raise LabelsError(problem, "Save a copy that holds the table alone.")
            check_cells(name, rows * columns, text)
        with suppress(*DAMAGE, KeyError):
            order = _sheet_parts(archive)
    by_sheet: defaultdict[int, list[Merged]] = defaultdict(list)
    for i, sheet_part in enumerate(order or ["content.xml"]):
        for table, one in found.get(sheet_part, ()):
            by_sheet[i + table].append(one)
    return {i: down for i, ones in by_sheet.items() if (down := [one for one in ones if one[1] < one[2]])}


def _sheet_parts(archive: ZipFile) -> list[str]:
    """The parts of an .xlsx that are its sheets, in their order; KeyError of others."""
    sheets = archive.open("xl/workbook.xml").read(LONGEST)
    relations = archive.open("xl/_rels/workbook.xml.rels").read(LONGEST)
    said = [dict(_ATTRIBUTE.findall(tag)) for tag in _RELATION.findall(relations)]
    targets = {one[b"Id"]: f"xl/{one[b'Target'].decode().removeprefix('/xl/')}" for one in said}
    return [targets[one] for one in _SHEET.findall(sheets)]


def _lengths(shared: IO[bytes], name: str) -> Iterator[int]:
    """Of each text that cells of an .xlsx share, markup and all."""
    rest, size = b"", 0
    while block := shared.read(BLOCK):
        *whole, rest = _SHARED.split(rest + block)
        yield from map(len, whole)
        size += len(block) + BESIDE * len(whole)
        check_cells(name, 0, size if len(rest) <= LONGEST else MAX_TEXT + len(rest))


def _extent(sheet: IO[bytes], lengths_n: I64, merged: list[tuple[int, Merged]]) -> Extent:
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
        merged += ((0, (_column(at) - 1, int(first) - 1, int(last) - 1)) for at, first, last in _MERGED.findall(text))
        shown_n = np.array(_SHOWN.findall(text), np.int64)
        size += len(_TAG.sub(b"", block)) + int(lengths_n[shown_n[shown_n < len(lengths_n)]].sum())
        # From the last tag but one: the cell that may go on in the next block.
        rest = text[max(text.rfind(b"<", 0, max(text.rfind(b"<"), 0)), 0) :][-BLOCK:]
    return rows, columns, size


def _column(letters: bytes) -> int:
    return reduce(lambda number, letter: number * 26 + letter - ord("A") + 1, letters.upper(), 0)


def _extent_ods(sheet: IO[bytes], _: I64, merged: list[tuple[int, Merged]]) -> Extent:
    """Of an .ods, where one row or cell may stand for many."""
    rows = columns = above = here = across = size = 0
    table = -1
    for kind, attributes, length in _tags_ods(sheet):
        repeated = _REPEATED.search(attributes)
        times = int(repeated[1]) if repeated else 1
        if kind == b"table":
            table, above, here = table + 1, 0, 0
        elif kind == b"table-row":
            above, here, across = above + here, times, 0
        else:
            if spanned := _SPANNED.search(attributes):
                merged.append((table, (across, above, above + int(spanned[1]) - 1)))
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


def _extent_xlsb(sheet: IO[bytes], *_: object) -> Extent:
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
