"""From a file to rows of text: the sheets of a workbook, a delimited text file, Parquet, or JSON.

What a file is, is read from its first bytes and not from its ending.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from unmingle.errors import LabelsError, PictureError
from unmingle.evaluation.table_limits import MAX_BYTES, check_cells, check_workbook, panics_are_errors
from unmingle.sources.formats import HEAD, read_file
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

LOOKED_AT = 100  # rows of a sheet without the columns, for names of files
WORKBOOK_ENDINGS = frozenset({".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"})
PARQUET = b"PAR1"
ZIP = b"PK\x03\x04"  # .xlsx, .xlsm, .xlsb, .ods
OLE2 = bytes.fromhex("D0CF11E0A1B11AE1")  # .xls, and every encrypted .xlsx
# Office puts an encrypted workbook into an OLE2 container, as a stream of this name ([MS-OFFCRYPTO] 2.3.4.4).
ENCRYPTED_STREAM = "EncryptedPackage".encode("utf-16-le")
DELIMITERS = ",;\t|"
BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
MOST_BLANK = 1000  # rows or columns in a row that are kept


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


def _parquet(data: bytes, name: str) -> Sheet:
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
    return Sheet((tuple(table.columns), *map(_as_text, table.iter_rows())), "Parquet")


def _records(data: bytes, name: str) -> Sheet | None:
    """The table of JSON that is a list of objects; None for other content."""
    if not data[:HEAD].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"["):
        return None
    check_cells(name, sum(map(data.count, (b"{", b"[", b","))))
    try:
        rows = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not (isinstance(rows, list) and rows and all(isinstance(row, dict) for row in rows)):
        return None
    header = tuple(dict.fromkeys(key for row in rows for key in row))
    check_cells(name, len(rows) * len(header))
    return Sheet((header, *(_as_text([row.get(key) for key in header]) for row in rows)), "JSON")


def _as_text(row: Sequence[object]) -> Row:
    return tuple("" if value is None else str(value) for value in row)


def _delimited(data: bytes, name: str) -> Sheet:
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
        else:  # the sign that is most frequent in the header, outside quotes; a comma when there is none
            text.seek(0)
            header = next((line for line in text if line.strip()), "")
            delimiter = max(DELIMITERS, key="".join(header.split('"')[::2]).count)
            text.seek(0)
        lines = max(data.count(b"\n"), data.count(b"\r"))
        check_cells(name, lines + data.count(delimiter.encode()))
        try:
            rows = tuple(tuple(map(csv_text, row)) for row in csv.reader(text, delimiter=delimiter))
        except csv.Error as error:
            raise LabelsError(
                f"{name} is not a table of text: {error}.", "Check its quotes, or save it again."
            ) from error
    return Sheet(rows, f"{'utf-8' if surely else encoding}, separated by {delimiter!r}")


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


def _workbook(data: bytes, name: str) -> Iterator[Sheet]:
    """The sheets, through fastexcel (calamine).

    Numbers are text as the sheet stores them: 1.0 and 1 are both "1". A cell that is empty, or holds an error, is "".
    """
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
            yield Sheet(rows, f"sheet {sheet.name!r}", sheet.name, sheet.visible != "visible")
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
