"""From a file to rows of text: the sheets of a workbook, a delimited text file, Parquet, or JSON.

What a file is, is read from its first bytes and not from its ending. What a table of somebody else may take, its cells
and their text, is counted before they are made.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unmingle.errors import LabelsError, PictureError
from unmingle.evaluation.workbook_parts import check_cells, check_workbook
from unmingle.records import I64
from unmingle.sources.formats import HEAD, read_file
from unmingle.text_layout import csv_text

if TYPE_CHECKING:
    import polars as pl

    from unmingle.evaluation.columns import Row
    from unmingle.evaluation.workbook_parts import Merged

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
    merged_of = check_workbook(data, name) if data.startswith(ZIP) else {}
    try:
        with panics_are_errors():
            reader = fastexcel.read_excel(data)
            sheets = [
                (reader.load_sheet(i, header_row=None, skip_rows=0 if i in merged_of else None, dtypes="string"), i)
                for i in range(len(reader.sheet_names))
            ]
        for sheet, i in sorted(sheets, key=lambda one: one[0].visible != "visible"):
            with panics_are_errors():
                left = min((one.absolute_index for one in sheet.selected_columns), default=0)
                merged = [(column - left, first, last) for column, first, last in merged_of.get(i, ())]
                rows = _rows(sheet.to_polars(), merged, name)
            yield TextTable(rows, f"sheet {sheet.name!r}", sheet.name, sheet.visible != "visible")
    except (fastexcel.FastExcelError, RuntimeError) as error:
        if "password" in str(error).lower():
            raise protected from error
        mend = "Open it in a spreadsheet program and save it again as .xlsx."
        raise LabelsError(f"{name} is not a workbook, or a damaged one.", mend) from error


def _rows(frame: pl.DataFrame, merged: Sequence[Merged], name: str) -> tuple[Row, ...]:
    """The rows, of long runs of blank ones or of blank columns the first few: formatting may reach the last row.

    What stands in cells that are merged over several rows stands in each of these that has something else.
    """
    row_n, column_n = np.zeros(frame.height, bool), np.zeros(frame.width, bool)
    for i, column in enumerate(frame):
        if column.null_count() < len(column):
            filled_n = (column.fill_null("") != "").to_numpy()
            row_n |= filled_n
            column_n[i] = filled_n.any()
    if merged:
        check_cells(name, sum(max(min(last, frame.height) - first, 0) for _, first, last in merged))
        frame = _repeated(frame, merged, row_n)
        check_cells(name, 0, sum(int(column.str.len_bytes().sum()) for column in frame))
    kept = frame[_kept(row_n), _kept(column_n).tolist()]
    blank = ("",) * kept.width
    return tuple(tuple(cell or "" for cell in row) if any(row) else blank for row in kept.iter_rows())


def _repeated(frame: pl.DataFrame, merged: Sequence[Merged], row_n: NDArray[np.bool_]) -> pl.DataFrame:
    at_n = np.arange(frame.height)
    for i, ones in groupby(sorted(merged), key=itemgetter(0)):
        if 0 <= i < frame.width:
            from_n, cells = at_n.copy(), frame[:, i]
            for _, first, last in ones:
                from_n[first : last + 1] = first
            empty_n = (cells.fill_null("") == "").to_numpy()
            frame = frame.with_columns(cells[np.where(empty_n & row_n, from_n, at_n)])
    return frame


def _kept(filled_n: NDArray[np.bool_]) -> I64:
    at_n = np.arange(len(filled_n))
    last_n = np.maximum.accumulate(np.where(filled_n, at_n, -1))
    return np.flatnonzero(at_n - last_n <= MOST_BLANK)


@contextmanager
def panics_are_errors() -> Iterator[None]:
    """Let what a reader in Rust raises where it panics be an error as others are; it is no `Exception` there."""
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise RuntimeError(str(error)) from error
