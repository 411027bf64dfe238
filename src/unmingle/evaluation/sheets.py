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

from unmingle.errors import LabelsError
from unmingle.evaluation.workbook import OLE2, ZIP, open_workbook
from unmingle.sources.names import has_ending

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from unmingle.evaluation.columns import Columns, Row
    from unmingle.evaluation.workbook import Rows

    Find = Callable[[tuple[Row, ...]], Columns | LabelsError]

PARQUET = b"PAR1"
LOOKED_AT = 100  # rows of a sheet without the columns, for names of files
WORKBOOK_ENDINGS = frozenset({".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"})
DELIMITERS = ",;\t|"
BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table as text, header and all.

    rows: one tuple of cells per row, in order; rows may differ in length, an empty cell is "".
    note: how it was read, for the reader.
    title: of the sheet; empty for text.
    hidden: whether a spreadsheet program would show it.
    """

    rows: Rows
    note: str
    title: str = ""
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """What is read of a file: one sheet that has the columns, and below it the rows of others with the same headings.

    above:   rows above the header.
    unread:  titles of sheets that have such columns or name files, too, and were not read.
    """

    above: tuple[Row, ...]
    columns: Columns
    note: str
    unread: tuple[str, ...]


def read_table(path: Path, find: Find, *, titles: tuple[str, ...] = ()) -> Table:
    """Read the first sheet in which `find` finds columns, and all with the same headings as that one.

    A hidden sheet is read where no other has the columns, or where it is asked for.

    Args:
        path: workbook or delimited text.
        find: gives the columns of rows, or says what is not there; it raises where several could be meant.
        titles: of the sheets to read; empty: all.

    Raises:
        LabelsError: the file can't be read, has no such sheet, or none with the columns; or several could be meant.
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


def read_sheets(path: Path) -> Iterator[Sheet]:
    """The sheets of a workbook in order, visible ones first, or the single one of another file.

    Raises:
        LabelsError: the file is missing, not readable, empty, protected, or neither workbook nor text.
    """
    data = _read(path)
    if data.startswith((ZIP, OLE2)):
        for name, hidden, rows in open_workbook(data, path.name):
            yield Sheet(rows, f"sheet {name!r}", name, hidden)
        return
    records = _records(data, path.name)
    if records is not None:
        yield records
        return
    if path.suffix.lower() in WORKBOOK_ENDINGS:
        raise LabelsError(f"{path.name} is not a workbook.", "Open it in a spreadsheet program and save it as .xlsx.")
    yield _delimited(data, path.name)


def _read(path: Path) -> bytes:
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
        rows = tuple(tuple(row) for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
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
