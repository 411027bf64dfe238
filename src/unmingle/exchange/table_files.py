"""The library's tables as files: csv, a workbook, parquet, json; the same for the same tables."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from unmingle.errors import WriteError
from unmingle.files import replacing
from unmingle.store.result_tables import FACES, intervals_table, recordings_table
from unmingle.store.screen_time import ScreenTime
from unmingle.text_layout import FORMULA

if TYPE_CHECKING:
    import polars as pl


TableKind = Literal["csv", "xlsx", "parquet", "json"]

# The files in which names come back: those of the table of faces.
OUR_TABLES = frozenset({"faces.csv", "faces.json", "faces.parquet", "unmingle.xlsx"})
OUR_SUMMARIES = frozenset({"people", "recordings", "intervals"})  # sheets beside it, made of it
MOST_ROWS = 1_048_576  # of a sheet of a workbook, the header among them


def library_tables(people: pl.DataFrame, recordings: Sequence[ScreenTime]) -> dict[str, pl.DataFrame]:
    """The library's tables by name but that of faces; those of recordings only if there are any."""
    found = {"people": people}
    if recordings:
        names = dict(people.select("person", "name").iter_rows())
        found |= {"recordings": recordings_table(recordings), "intervals": intervals_table(recordings, names)}
    return found


def write_csv(table: pl.DataFrame, destination: Path) -> None:
    """Write a table as UTF-8 csv, in one step."""
    with replacing(destination) as temporary:
        harmless(table).write_csv(temporary)


def patch_csv(faces: pl.DataFrame, destination: Path) -> bool:
    """Write `faces.csv` again with other people in some of its rows, given in its order; False where one isn't there.

    Where a face is, and how good, stays as it is: that finds its row.
    """
    at = list(FACES).index("person")
    rows = harmless(faces.select(list(FACES)))
    texts = (_lines(rows), _lines(rows.select(list(FACES)[:at])))
    before, end = destination.read_bytes(), 0
    uncopied, parts = memoryview(before), list[bytes | memoryview]()
    for row, place in zip(*texts, strict=True):
        start = before.find(b"\n%s," % place, max(0, end - 1)) + 1
        if not start:
            return False
        parts += [uncopied[end:start], row]
        end = before.index(b"\n", start + len(place))
    with replacing(destination) as temporary, temporary.open("wb") as written:
        written.writelines([*parts, uncopied[end:]])
    return True


def _lines(table: pl.DataFrame) -> list[bytes]:
    return table.write_csv(include_header=False).encode().split(b"\n")[:-1]


def harmless(table: pl.DataFrame) -> pl.DataFrame:
    """A table for csv whose texts no spreadsheet program computes, see `text_layout.csv_cell`."""
    import polars as pl

    return table.with_columns(pl.col(pl.String).str.replace(FORMULA, "'${1}"))


def as_files(tables: Mapping[str, pl.DataFrame], kind: TableKind) -> dict[str, bytes]:
    """Tables as the content of files: one file each, or one workbook with a sheet each."""
    if kind == "xlsx":
        buffer = io.BytesIO()
        for name, table in tables.items():
            _check_rows(name, table.height + 1)
        with _plain_workbook(buffer) as book:
            for name, table in tables.items():
                table.write_excel(workbook=book, worksheet=name, autofit=table.height < 10_000, freeze_panes=(1, 0))
        return {"unmingle.xlsx": buffer.getvalue()}
    files = {}
    for name, table in tables.items():
        buffer = io.BytesIO()
        if kind == "csv":
            harmless(table).write_csv(buffer)
        elif kind == "parquet":
            table.write_parquet(buffer)
        else:
            table.write_json(buffer)
            buffer.write(b"\n")
        files[f"{name}.{kind}"] = buffer.getvalue()
    return files


def filled_workbook(rows: Sequence[Sequence[str | float]], *, new: Sequence[int]) -> bytes:
    """A workbook with a sheet of labels: rows of any length, text or numbers, and columns to set off as new."""
    _check_rows("labels", len(rows))
    buffer = io.BytesIO()
    with _plain_workbook(buffer) as book:
        page = book.add_worksheet("labels")
        mark = book.add_format({"bg_color": "#e8f0fe"})
        for column in new:
            page.set_column(column, column, 14, mark)
        for i, row in enumerate(rows):
            for j, cell in enumerate(row):
                if cell != "":
                    (page.write_string if isinstance(cell, str) else page.write_number)(i, j, cell)
    return buffer.getvalue()


def _check_rows(name: str, rows: int) -> None:
    if rows > MOST_ROWS:
        raise WriteError(
            f"The table of {name} has {rows:,} rows, and a sheet of a workbook holds {MOST_ROWS:,}.",
            "Pass --to csv or --to parquet.",
        )


@contextmanager
def _plain_workbook(buffer: io.BytesIO) -> Iterator[Any]:
    """A workbook in which nothing is a formula or a link, whatever its text begins with."""
    import xlsxwriter

    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(buffer, options) as book:
        book.set_properties({"created": datetime(2026, 1, 1)})  # the same tables, the same workbook
        yield book
