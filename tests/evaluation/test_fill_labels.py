from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import xlsxwriter

from unmingle.evaluation.labels import LabelOptions
from unmingle.evaluation.scores import fill_in
from unmingle.store.result_tables import FACES

if TYPE_CHECKING:
    from pathlib import Path

NEW = ("Found ID", "Found person", "Found name", "Found status", "Found reason")


def faces() -> pl.DataFrame:
    rows = [
        ("m_00000001_0.jpg", 7, "Ada", "clustered", ""),
        ("m_00000001_1.jpg", 7, "Ada", "clustered", ""),
        ("m_00000002_0.jpg", 3, "", "clustered", ""),
        ("m_00000002_1.jpg", None, None, "not_a_face", "no face found"),
        ("m_00000003_0.jpg", 9, "", "clustered", ""),
    ]
    table = [(file, "/faces", 1, 0, 0.0, 0.0, 9.0, 9.0, 1.0, 1.0, *rest) for file, *rest in rows]
    return pl.DataFrame(table, schema=FACES, orient="row")


def seed(path: Path) -> None:
    """The seed's workbook: an empty column, a title above, empty rows, non-faces as 0, a mask, a file that is gone."""
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for i, row in enumerate(
            (
                ("Annotations",),
                ("", "No", "File Name", "ID", "Mask"),
                ("", 1, "m_00000001_0.jpg", 2, "N"),
                ("", 2, "m_00000001_1.jpg", 2, "Y"),
                ("", 3, "m_00000002_0.jpg", 1, "N"),
                (),
                ("", 4, "m_00000002_1.jpg", 0, "N"),
                ("", 5, "gone.jpg", 1, "N"),
                ("", "007", "m_00000003_0.jpg", "", ""),
            )
        ):
            sheet.write_row(i, 0, row)


def test_what_was_found_stands_beside_what_was_given(tmp_path: Path) -> None:
    seed(tmp_path / "annotations.xlsx")
    filled = fill_in(tmp_path / "annotations.xlsx", LabelOptions(), faces())
    assert filled.new == (4, 5, 6, 7, 8)
    assert filled.missing == ("gone.jpg",)
    title, header, *rows = filled.rows
    assert title == ("Annotations", *[""] * 9)
    assert header == ("", "No", "File Name", "ID", *NEW, "Mask")
    assert [row[3:9] for row in rows] == [
        (2, 2, 7, "Ada", "clustered", ""),
        (2, 2, 7, "Ada", "clustered", ""),  # masked: left out of the score, yet found
        (1, 1, 3, "", "clustered", ""),
        ("", *[""] * 5),
        (0, "", "", "", "not_a_face", "no face found"),
        (1, "", "", "", "not in the library", ""),
        ("", "", 9, "", "clustered", ""),
    ]
    assert [row[1] for row in rows] == [1, 2, 3, "", 4, 5, "007"]
    assert [row[9] for row in rows] == ["N", "Y", "N", "", "N", "N", ""]


def test_numbers_stay_numbers(tmp_path: Path) -> None:
    given = ["0.25", "-3", str(1 / 3), "007", "1.50", "1e5", "nan", "1234567890123456", "2024-01-02"]
    lines = ["file,ID,note", *(f"m_00000001_0.jpg,2,{cell}" for cell in given)]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    _, *rows = fill_in(tmp_path / "a.csv", LabelOptions(), faces()).rows
    assert [row[-1] for row in rows] == [0.25, -3, 1 / 3, *given[3:]]


def test_each_face_of_a_picture_is_filled_in(tmp_path: Path) -> None:
    people = faces().with_columns(file=pl.lit("m.jpg"), face=pl.int_range(pl.len()))
    given = people.select("file", "face").head(3).with_columns(ID=pl.Series(["x", "y", "z"]))
    given.write_csv(tmp_path / "a.csv")
    filled = fill_in(tmp_path / "a.csv", LabelOptions(), people)
    assert [row[4:6] for row in filled.rows[1:]] == list(people.select("person", "name").fill_null("").head(3).rows())
