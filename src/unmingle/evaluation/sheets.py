"""From a file to rows of text: the sheets of a workbook, a delimited text file, Parquet, or JSON.

What a file is, is read from its first bytes and not from its ending.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
import zlib
from contextlib import suppress
from dataclasses import dataclass, replace
from lzma import LZMAError
from typing import IO, TYPE_CHECKING
from zipfile import BadZipFile, ZipFile

import numpy as np

from unmingle.errors import LabelsError, PictureError
from unmingle.sources.formats import read_file
from unmingle.sources.names import has_ending
from unmingle.text_layout import csv_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    import polars as pl
    from numpy.typing import NDArray

    from unmingle.evaluation.columns import Columns, Row
    from unmingle.records import I64

    Find = Callable[[tuple[Row, ...]], Columns | LabelsError]
    Extent = tuple[int, int]  # the last row and the last column with something in it

LOOKED_AT = 100  # rows of a sheet without the columns, for names of files
WORKBOOK_ENDINGS = frozenset({".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"})
PARQUET = b"PAR1"
ZIP = b"PK\x03\x04"  # .xlsx, .xlsm, .xlsb, .ods
OLE2 = bytes.fromhex("D0CF11E0A1B11AE1")  # .xls, and every encrypted .xlsx
# Office puts an encrypted workbook into an OLE2 container, as a stream of this name ([MS-OFFCRYPTO] 2.3.4.4).
ENCRYPTED_STREAM = "EncryptedPackage".encode("utf-16-le")
DELIMITERS = ",;\t|"
BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
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


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table as text, header and all; rows may differ in length, an empty cell is "". Note: how it was read."""

    rows: tuple[Row, ...]
    note: str
    title: str = ""
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """What is read of a file: a sheet that has the columns, and below it the rows of others with the same headings."""

    above: tuple[Row, ...]  # rows above the header
    columns: Columns
    note: str
    unread: tuple[str, ...]  # sheets that have such columns or name files, too


def read_table(path: Path, find: Find, *, titles: tuple[str, ...] = ()) -> Table:
    """Read the first sheet in which `find` finds columns, and all with the same headings as that one.

    A hidden sheet is read where no other has the columns, or where it is asked for by its title.
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
            if any(has_ending(cell) for row in sheet.rows[:LOOKED_AT] for cell in row):
                unread.append(sheet.title)
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


def _wanted(sheets: list[Sheet], name: str, titles: tuple[str, ...]) -> list[Sheet]:
    by_title = {sheet.title.strip().casefold(): sheet for sheet in sheets}
    for title in titles:
        if title.strip().casefold() not in by_title:
            has = ", ".join(repr(sheet.title) for sheet in sheets if sheet.title) or "none: it is no workbook"
            raise LabelsError(f"There is no sheet {title!r} in {name}.", f"It has {has}.")
    return [by_title[title.strip().casefold()] for title in titles] or sheets


def read_sheets(path: Path) -> Iterable[Sheet]:
    """The sheets of a workbook in order, visible ones first, or the single one of another file."""
    try:
        size = path.stat().st_size
        if path.is_dir():
            mend = "Name a workbook or csv, or pass --labels folders."
            raise LabelsError(f"{path} is a folder, not a labels file.", mend)
        data = read_file(path) if size or not path.is_file() else b""
    except FileNotFoundError as error:
        raise LabelsError(f"There is no labels file {path}.", "Check the path.") from error
    except OSError as error:
        raise LabelsError(f"{path} can't be read: {error.strerror}.", "Check its permissions.") from error
    except PictureError as error:
        raise LabelsError(f"{path} can't be read: {error.problem}.", "Name another file.") from error
    if not data.strip():
        raise LabelsError(f"{path.name} is empty.", "It needs a header and one row per file.")
    if data.startswith((ZIP, OLE2)):
        return _workbook(data, path.name)
    if data.startswith(PARQUET):
        return [_parquet(data, path.name)]
    records = _records(data)
    if records is None and path.suffix.lower() in WORKBOOK_ENDINGS:
        raise LabelsError(f"{path.name} is not a workbook.", "Open it in a spreadsheet program and save it as .xlsx.")
    return [records or _delimited(data, path.name)]


def _parquet(data: bytes, name: str) -> Sheet:
    import polars as pl

    try:
        table = pl.read_parquet(io.BytesIO(data))
    except Exception as error:  # whatever a broken file raises, it is that file's
        raise LabelsError(f"{name} can't be read: {error}.", "Write the file anew.") from error
    return Sheet((tuple(table.columns), *map(_as_text, table.iter_rows())), "Parquet")


def _records(data: bytes) -> Sheet | None:
    """The table of JSON that is a list of objects; None for other content."""
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


def _as_text(row: Sequence[object]) -> Row:
    return tuple("" if value is None else str(value) for value in row)


def _delimited(data: bytes, name: str) -> Sheet:
    """Text, whatever its encoding and delimiter."""
    encoding = _guess_encoding(data)
    text = data.decode(encoding) if _fits(data, encoding) else "\0"
    # File names may hold control signs; of bytes whose encoding is only guessed they say that it is no text.
    surely = encoding in {"utf-8", "utf-8-sig"}
    if any(sign < " " and sign not in "\t\n\r\f\v" and (sign == "\0" or not surely) for sign in set(text)):
        mend = "Save it as UTF-8 (in a spreadsheet program: 'CSV UTF-8') and pass that."
        raise LabelsError(f"{name} is not text in a known encoding.", mend)
    first, _, rest = text.partition("\n")
    hint = first.rstrip("\r")  # Excel's first line "sep=;"
    if len(hint) == len("sep=") + 1 and hint.lower().startswith("sep="):
        text, delimiter = rest, hint[-1]
    else:  # the sign that is most frequent in the header, outside quotes; a comma when there is none
        header = next((line for line in text.splitlines() if line.strip()), "")
        delimiter = max(DELIMITERS, key="".join(header.split('"')[::2]).count)
    try:
        rows = tuple(
            tuple(map(csv_text, row)) for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        )
    except csv.Error as error:
        raise LabelsError(f"{name} is not a table of text: {error}.", "Check its quotes, or save it again.") from error
    return Sheet(rows, f"{'utf-8' if surely else encoding}, separated by {delimiter!r}")


def _guess_encoding(data: bytes) -> str:
    """The likeliest encoding; whether it fits shows when it is used."""
    for mark, encoding in BOMS:
        if data.startswith(mark):
            return encoding
    # Every ASCII sign of UTF-16 has one zero byte, on the same side; no other text has any.
    if len(data) % 2 == 0 and data.count(0) > len(data) // 4:
        return "utf-16-le" if data[1::2].count(0) > data[::2].count(0) else "utf-16-be"
    if _fits(data, "utf-8"):
        return "utf-8"
    if not _fits(data, "cp932"):
        return "cp1252"
    # Both accept nearly everything. But kana and the common kanji start with a byte of 0x81 to 0x9F, which the western
    # encodings leave to rare punctuation, and western letters with accents are 0xC0 to 0xFF.
    signs = [sign.encode("cp932") for sign in set(data.decode("cp932")) if sign > "\x7f"]
    common = sum(0x81 <= sign[0] <= 0x9F for sign in signs)
    return "cp932" if common * 2 >= len(signs) else "cp1252"


def _fits(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _workbook(data: bytes, name: str) -> Iterator[Sheet]:
    """The sheets, through fastexcel (calamine).

    Numbers are text as the sheet stores them: 1.0 and 1 are both "1". A cell that is empty, or holds an error, is "".
    """
    import fastexcel

    protected = LabelsError(f"{name} is protected by a password.", "Save a copy without one and pass that.")
    if data.startswith(OLE2) and ENCRYPTED_STREAM in data:
        raise protected
    if data.startswith(ZIP):
        _check_extent(data, name)
    try:
        reader = fastexcel.read_excel(data)
        sheets = [reader.load_sheet(i, header_row=None, dtypes="string") for i in range(len(reader.sheet_names))]
        for sheet in sorted(sheets, key=lambda sheet: sheet.visible != "visible"):
            yield Sheet(_rows(sheet.to_polars()), f"sheet {sheet.name!r}", sheet.name, sheet.visible != "visible")
    except fastexcel.FastExcelError as error:
        if "password" in str(error).lower():
            raise protected from error
        mend = "Open it in a spreadsheet program and save it again as .xlsx."
        raise LabelsError(f"{name} is not a workbook, or a damaged one.", mend) from error


def _rows(frame: pl.DataFrame) -> tuple[Row, ...]:
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


def _kept(filled_n: NDArray[np.bool_]) -> I64:
    at_n = np.arange(len(filled_n))
    last_n = np.maximum.accumulate(np.where(filled_n, at_n, -1))
    return np.flatnonzero(at_n - last_n <= MOST_BLANK)


def _check_extent(data: bytes, name: str) -> None:
    """Refuse a sheet with a cell so far out that the reader, which makes room for all before it, ends the process."""
    # What is damaged or locked, the reader finds out.
    with suppress(*DAMAGE), ZipFile(io.BytesIO(data)) as archive:
        for part in archive.infolist():
            binary = "worksheets/" in part.filename and part.filename.endswith(".bin")
            extent_of = _extent_ods if part.filename == "content.xml" else _extent_xlsb if binary else _extent
            rows = columns = 0
            with suppress(*DAMAGE), archive.open(part) as sheet:
                rows, columns = extent_of(sheet)
            problem = f"{name} has a sheet of {rows * columns:,} cells, if all up to its last one are counted."
            if rows > MAX_ROWS or columns > MAX_COLUMNS:
                problem = f"{name} has a sheet with a cell outside of what a sheet can hold."
            elif rows * columns <= MAX_CELLS:
                continue
            raise LabelsError(problem, "Save a copy that holds the table alone.")


def _extent(sheet: IO[bytes]) -> Extent:
    """Of a part of an .xlsx; (0, 0) of other parts."""
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


def _extent_ods(sheet: IO[bytes]) -> Extent:
    """Of an .ods, where one row or cell may stand for many."""
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


def _extent_xlsb(sheet: IO[bytes]) -> Extent:
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
    return rows, columns
