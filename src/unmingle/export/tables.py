"""The library's tables as files: `faces.csv` and `people.csv`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unmingle.files import replacing

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl


def write_csv(table: pl.DataFrame, destination: Path) -> None:
    """Write a table as UTF-8 csv, in one step.

    Raises:
        WriteError: the folder can't be written, or the disk is full.
    """
    with replacing(destination) as temporary:
        table.write_csv(temporary)
