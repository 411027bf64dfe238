"""The library's tables as files: csv, a workbook, parquet, json."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from unmingle.errors import WriteError
from unmingle.files import replacing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import polars as pl

TableKind = Literal["csv", "xlsx", "parquet", "json"]

# The files in which names come back: those of the table of faces.
OUR_TABLES = frozenset({"faces.csv", "faces.json", "faces.parquet", "unmingle.xlsx"})
OUR_SUMMARIES = frozenset({"people", "recordings", "intervals"})  # sheets beside it, made of it
MOST_ROWS = 1_048_576  # of a sheet of a workbook, the header among them
# The same tables give the same workbook, so it must not say when it was made.
_MADE = datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None)


def write_csv(table: pl.DataFrame, destination: Path) -> None:
    """Write a table as UTF-8 csv, in one step.

    Raises:
        WriteError: the folder can't be written, or the disk is full.
    """
    with replacing(destination) as temporary:
        table.write_csv(temporary)


def as_files(tables: Mapping[str, pl.DataFrame], kind: TableKind) -> dict[str, bytes]:
    """Tables as the content of files, the same for the same tables: one file each, or one workbook with a sheet each.

    Args:
        tables: by name, such as "faces".
        kind: of the files.

    Raises:
        WriteError: a table has more rows than a workbook can hold.
    """
    if kind == "xlsx":
        return {"unmingle.xlsx": workbook(tables)}
    return {f"{name}.{kind}": _as_file(table, kind) for name, table in tables.items()}


def _as_file(table: pl.DataFrame, kind: TableKind) -> bytes:
    buffer = io.BytesIO()
    if kind == "csv":
        table.write_csv(buffer)
    elif kind == "parquet":
        table.write_parquet(buffer)
    else:
        table.write_json(buffer)
        buffer.write(b"\n")
    return buffer.getvalue()


def workbook(tables: Mapping[str, pl.DataFrame]) -> bytes:
    """A workbook with a sheet for each table.

    Raises:
        WriteError: a table has more rows than a sheet can hold.
    """
    for name, table in tables.items():
        _check_rows(name, table.height + 1)
    with _Book() as book:
        for name, table in tables.items():
            table.write_excel(workbook=book.book, worksheet=name, autofit=table.height < 10_000, freeze_panes=(1, 0))
    return book.content


def filled_workbook(sheet: str, rows: Sequence[Sequence[str | float]], *, new: Sequence[int]) -> bytes:
    """A workbook of one sheet.

    Args:
        sheet: its name.
        rows: as they are to stand there, text or numbers; may differ in length.
        new: columns to set off.

    Raises:
        WriteError: there are more rows than a sheet can hold.
    """
    _check_rows(sheet, len(rows))
    with _Book() as book:
        page = book.book.add_worksheet(sheet)
        mark = book.book.add_format({"bg_color": "#e8f0fe"})
        for column in new:
            page.set_column(column, column, 14, mark)
        for i, row in enumerate(rows):
            for j, cell in enumerate(row):
                if cell == "":
                    continue
                write: Any = page.write_string if isinstance(cell, str) else page.write_number
                write(i, j, cell)
    return book.content


def _check_rows(name: str, rows: int) -> None:
    if rows > MOST_ROWS:
        raise WriteError(
            f"The table of {name} has {rows:,} rows, and a sheet of a workbook holds {MOST_ROWS:,}.",
            "Pass --to csv or --to parquet.",
        )


class _Book:
    """A workbook in memory, in which nothing is a formula or a link, whatever its text begins with."""

    def __init__(self) -> None:
        import xlsxwriter

        self._buffer = io.BytesIO()
        options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
        self.book = xlsxwriter.Workbook(self._buffer, options)
        self.book.set_properties({"created": _MADE})

    def __enter__(self) -> _Book:
        return self

    def __exit__(self, *_: object) -> None:
        self.book.close()
        self.content = self._buffer.getvalue()
