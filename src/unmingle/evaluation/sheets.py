"""From a file to rows of text: the sheets of a workbook, a delimited text file, Parquet, or JSON.

What a file is, is read from its first bytes and not from its ending. What a table of somebody else may take, its cells
and their text, is counted before they are made.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import reduce
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from unmingle.errors import LabelsError, PictureError
from unmingle.files import DAMAGE
from unmingle.records import I64
from unmingle.sources.formats import HEAD, read_file
from unmingle.text_layout import csv_text

if TYPE_CHECKING:
    import polars as pl

    from unmingle.evaluation.columns import Row

    Extent = tuple[int, int, int]  # the last row and column with something in it, and the bytes of text that it shows

WORKBOOK_ENDINGS = frozenset({".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"})
PARQUET = b"PAR1"
ZIP = b"PK\x03\x04"  # .xlsx, .xlsm, .xlsb, .ods
OLE2 = bytes.fromhex("D0CF11E0A1B11AE1")  # .xls, and every encrypted .xlsx
# Office puts an encrypted workbook into an OLE2 container, as a stream of this name ([MS-OFFCRYPTO] 2.3.4.4).
ENCRYPTED_STREAM = "EncryptedPackage".encode("utf-16-le")
DELIMITERS = ",;\t|"
FIRST = 10  # lines that tell the delimiter
BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
MOST_BLANK = 1000  # rows or columns in a row that are kept
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


@dataclass(frozen=True, slots=True)
class TextTable:
    """One table as text, header and all; rows may differ in length, an empty cell is "". Note: how it was read."""

    rows: tuple[Row, ...]
    note: str
    title: str = ""
    hidden: bool = False


def read_sheets(path: Path) -> Iterable[TextTable]:
    """The sheets of a workbook in order, visible ones first, or the single one of another file."""
    try:
        size = path.stat().st_size
        if path.is_dir():
            mend = "Name a workbook or csv, or pass --labels folders."
            raise LabelsError(f"{path} is a folder, not a labels file.", mend)
        data = read_file(path, MAX_BYTES) if size or not path.is_file() else b""
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
    records = _records(data, path.name)
    if records is None and path.suffix.lower() in WORKBOOK_ENDINGS:
        raise LabelsError(f"{path.name} is not a workbook.", "Open it in a spreadsheet program and save it as .xlsx.")
    return [records or _delimited(data, path.name)]


def _parquet(data: bytes, name: str) -> TextTable:
    """The columns of numbers and text; of lists, records and bytes a few stored ones may stand for very many."""
    import polars as pl

    try:
        with panics_are_errors():
            lazy = pl.scan_parquet(io.BytesIO(data))
            plain = [key for key, kind in lazy.collect_schema().items() if not kind.is_nested() and kind != pl.Binary]
            check_cells(name, len(plain) * int(lazy.select(pl.len()).collect().item()))
            table = lazy.select(plain).collect()
            lengths = table.select(pl.col(pl.String).str.len_bytes(), pl.col(pl.Categorical, pl.Enum).cat.len_bytes())
        check_cells(name, 0, sum(int(column.sum()) for column in lengths))
    except LabelsError:
        raise
    except Exception as error:  # whatever a broken file raises, it is that file's
        raise LabelsError(f"{name} can't be read: {error}.", "Write the file anew.") from error
    return TextTable((tuple(table.columns), *map(_as_text, table.iter_rows())), "Parquet")


def _records(data: bytes, name: str) -> TextTable | None:
    """The table of JSON that is a list of objects, or one on each line; None for what is no JSON."""
    if not data[:HEAD].lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"[", b"{")):
        return None
    check_cells(name, sum(map(data.count, (b"{", b"[", b","))))
    rows: Any = None
    with suppress(ValueError, RecursionError):
        rows = json.loads(data)
    if rows is None:
        with suppress(ValueError, RecursionError):
            rows = list(map(json.loads, filter(bytes.strip, data.splitlines())))
    if rows is None:
        return None
    if not (isinstance(rows, list) and rows and all(isinstance(row, dict) for row in rows)):
        mend = "Write a list of objects, one for each file, whose keys are the columns."
        raise LabelsError(f"{name} is JSON, but no table.", mend)
    header = tuple(dict.fromkeys(key for row in rows for key in row))
    check_cells(name, len(rows) * len(header))
    return TextTable((header, *(_as_text([row.get(key) for key in header]) for row in rows)), "JSON")


def _as_text(row: Sequence[object]) -> Row:
    return tuple("" if value is None else str(value) for value in row)


def _delimited(data: bytes, name: str) -> TextTable:
    """Text, whatever its encoding and delimiter."""
    encoding, signs = _guess_encoding(data)
    # File names may hold control signs; of bytes whose encoding is only guessed they say that it is no text.
    surely = encoding in {"utf-8", "utf-8-sig"}
    if signs is None or any(sign < " " and sign not in "\t\n\r\f\v" and (sign == "\0" or not surely) for sign in signs):
        mend = "Save it as UTF-8 (in a spreadsheet program: 'CSV UTF-8') and pass that."
        raise LabelsError(f"{name} is not text in a known encoding.", mend)
    with _text(data, encoding) as text:
        hint = text.readline().rstrip("\r\n")  # Excel's first line "sep=;"
        if len(hint) == len("sep=") + 1 and hint.lower().startswith("sep="):
            delimiter = hint[-1]
        else:  # the sign that most of the first lines have outside quotes, for a title may have others
            text.seek(0)
            first = ["".join(line.split('"')[::2]) for line in islice(filter(str.strip, text), FIRST)] or [""]
            delimiter = max(DELIMITERS, key=lambda sign: (sum(sign in line for line in first), first[0].count(sign)))
            text.seek(0)
        lines = max(data.count(b"\n"), data.count(b"\r"))
        check_cells(name, lines + data.count(delimiter.encode()))
        start, rows = text.tell(), list[tuple[str, ...]]()
        try:
            for strict in (False, True):
                text.seek(start)
                rows.clear()
                table = csv.reader(text, delimiter=delimiter, strict=strict)
                rows.extend(tuple(map(csv_text, row)) for row in table)
                if table.line_num == len(rows):
                    break  # else a cell has several lines, or a quote that is not closed takes rows with it
        except csv.Error as error:
            problem = f"{name} is not a table of text: {error}, in row {len(rows) + 1:,}."
            raise LabelsError(problem, "Check the quotes there, or save it again.") from error
    return TextTable(tuple(rows), f"{'utf-8' if surely else encoding}, separated by {delimiter!r}")


def _text(data: bytes, encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(data), encoding, newline="")


def _signs(data: bytes, encoding: str) -> set[str] | None:
    """The different signs of a text, read piece by piece; None if it is in another encoding."""
    found: set[str] = set()
    try:
        with _text(data, encoding) as text:
            while piece := text.read(1 << 20):
                found.update(piece)
    except UnicodeDecodeError:
        return None
    return found


def _guess_encoding(data: bytes) -> tuple[str, set[str] | None]:
    """The likeliest encoding, and the signs in it if it fits."""
    for mark, encoding in BOMS:
        if data.startswith(mark):
            return encoding, _signs(data, encoding)
    # Every ASCII sign of UTF-16 has one zero byte, on the same side; no other text has any.
    if len(data) % 2 == 0 and data.count(0) > len(data) // 4:
        encoding = "utf-16-le" if data[1::2].count(0) > data[::2].count(0) else "utf-16-be"
        return encoding, _signs(data, encoding)
    if (signs := _signs(data, "utf-8")) is not None:
        return "utf-8", signs
    western, japanese = _signs(data, "cp1252"), _signs(data, "cp932")
    if japanese is None:
        return "cp1252", western
    # Both accept nearly everything. But kana and the common kanji start with a byte of 0x81 to 0x9F, which the western
    # encodings leave to rare punctuation, and western letters with accents are 0xC0 to 0xFF.
    letters = [sign.encode("cp932") for sign in japanese if sign > "\x7f"]
    common = sum(0x81 <= sign[0] <= 0x9F for sign in letters)
    return ("cp932", japanese) if common * 2 >= len(letters) else ("cp1252", western)


def _workbook(data: bytes, name: str) -> Iterator[TextTable]:
    """The sheets, through fastexcel (calamine): 1.0 and 1 are both "1", a cell with an error is ""."""
    import fastexcel

    protected = LabelsError(f"{name} is protected by a password.", "Save a copy without one and pass that.")
    if data.startswith(OLE2) and ENCRYPTED_STREAM in data:
        raise protected
    if data.startswith(ZIP):
        check_workbook(data, name)
    try:
        with panics_are_errors():
            reader = fastexcel.read_excel(data)
            sheets = [reader.load_sheet(i, header_row=None, dtypes="string") for i in range(len(reader.sheet_names))]
        for sheet in sorted(sheets, key=lambda sheet: sheet.visible != "visible"):
            with panics_are_errors():
                rows = _rows(sheet.to_polars())
            yield TextTable(rows, f"sheet {sheet.name!r}", sheet.name, sheet.visible != "visible")
    except (fastexcel.FastExcelError, RuntimeError) as error:
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
    return reduce(lambda number, letter: number * 26 + letter - ord("A") + 1, letters.upper(), 0)


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
