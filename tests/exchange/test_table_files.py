from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import fastexcel
import polars as pl
import pytest

from unmingle.errors import WriteError
from unmingle.evaluation.sheets import read_sheets
from unmingle.exchange.table_files import MOST_ROWS, as_files, filled_workbook, write_csv
from unmingle.text_layout import csv_cell, csv_text

if TYPE_CHECKING:
    from pathlib import Path

TABLES = {
    "faces": pl.DataFrame({"file": ["=1+1", "ö.jpg", "http://a.b"], "person": [1, None, 3], "score": [0.5, None, 1.0]}),
    "people": pl.DataFrame({"person": [1], "name": ["Zoë"]}),
}


@pytest.mark.parametrize("kind", ["csv", "xlsx", "parquet", "json"])
def test_the_same_tables_give_the_same_bytes(kind: str) -> None:
    made = as_files(TABLES, kind)  # type: ignore[arg-type]
    assert made == as_files(TABLES, kind)  # type: ignore[arg-type]
    assert set(made) == ({"unmingle.xlsx"} if kind == "xlsx" else {f"faces.{kind}", f"people.{kind}"})


def test_each_kind_holds_the_tables() -> None:
    read = pl.read_csv(as_files(TABLES, "csv")["faces.csv"])
    assert read["file"].to_list() == ["'=1+1", "ö.jpg", "http://a.b"]
    assert read.drop("file").equals(TABLES["faces"].drop("file"))
    assert pl.read_parquet(as_files(TABLES, "parquet")["faces.parquet"]).equals(TABLES["faces"])
    assert json.loads(as_files(TABLES, "json")["faces.json"]) == TABLES["faces"].to_dicts()
    reader = fastexcel.read_excel(as_files(TABLES, "xlsx")["unmingle.xlsx"])
    assert reader.sheet_names == ["faces", "people"]
    read = reader.load_sheet("faces").to_polars()
    assert read["file"].to_list() == ["=1+1", "ö.jpg", "http://a.b"]  # neither reckoned nor linked
    assert read["person"].to_list() == [1, None, 3]


NAMES = ("=HYPERLINK(1)", "+49", "-a.jpg", "@home", "'=1", "''=1", "'Ada'", "", "a=b", "\tx", "|=1", '=é,"2')


def test_csv_holds_no_formula_and_is_read_back_as_it_was(tmp_path: Path) -> None:
    table = pl.DataFrame({"file": NAMES, "person": range(-6, 6)})
    path = tmp_path / "faces.csv"
    write_csv(table, path)
    cells = pl.read_csv(path, infer_schema=False)
    assert not any(cell and cell[0] in "=+-@\t\r" for cell in cells["file"])
    assert cells["person"][0] == "-6"  # numbers are no formulas
    (sheet,) = read_sheets(path)
    assert tuple(row[0] for row in sheet.rows[1:]) == NAMES
    assert [csv_text(csv_cell(name)) for name in NAMES] == list(NAMES)


def test_a_table_too_long_for_a_sheet_names_other_kinds() -> None:
    with pytest.raises(WriteError, match="--to csv"):
        as_files({"faces": pl.DataFrame({"face": range(MOST_ROWS)})}, "xlsx")


def test_a_filled_workbook_keeps_rows_of_any_length() -> None:
    content = filled_workbook([("a", 1.0, "=x"), ("b",), ("", "c")], new=(1,))
    read = (
        fastexcel.read_excel(io.BytesIO(content).getvalue()).load_sheet(0, header_row=None, dtypes="string").to_polars()
    )
    assert read.rows() == [("a", "1", "=x"), ("b", None, None), (None, "c", None)]
