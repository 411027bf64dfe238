from pathlib import Path

import pytest
import xlsxwriter

from unmingle.errors import LabelsError
from unmingle.evaluation.sheets import read_sheets
from unmingle.evaluation.workbook import ENCRYPTED_STREAM, OLE2


def problem_of(path: Path) -> LabelsError:
    with pytest.raises(LabelsError) as caught:
        list(read_sheets(path))
    return caught.value


def test_numbers_are_text_and_errors_are_empty(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "a.xlsx") as book:
        sheet = book.add_worksheet("first")
        sheet.write_row(0, 1, ["file", "ID"])
        sheet.write_row(1, 1, ["a.jpg", 1.0])
        sheet.write_row(3, 1, ["b.jpg", 2.5])
        sheet.write_row(4, 1, ["c.jpg", "001"])
        sheet.write(5, 1, "d.jpg")
        sheet.write_formula(5, 2, "=1/0", None, "#DIV/0!")
    (found,) = read_sheets(tmp_path / "a.xlsx")
    assert found.rows == (
        *(("file", "ID"), ("a.jpg", "1"), ("", ""), ("b.jpg", "2.5"), ("c.jpg", "001"), ("d.jpg", "")),
    )
    assert found.note == "sheet 'first'"


def test_hidden_sheets_come_last(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "a.xlsx") as book:
        for name in ("hidden", "shown", "empty"):
            sheet = book.add_worksheet(name)
            if name != "empty":
                sheet.write(0, 0, name)
        book.worksheets()[1].activate()
        book.worksheets()[1].set_first_sheet()
        book.worksheets()[0].hide()
    assert [sheet.rows for sheet in read_sheets(tmp_path / "a.xlsx")] == [(("shown",),), (), (("hidden",),)]


def test_a_workbook_is_one_whatever_its_ending(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "a.csv") as book:
        book.add_worksheet().write(0, 0, "file")
    assert next(iter(read_sheets(tmp_path / "a.csv"))).rows == (("file",),)


def test_a_protected_workbook_says_so(tmp_path: Path) -> None:
    # What Office writes: an OLE2 container whose directory lists a stream of this name.
    path = tmp_path / "secret.xlsx"
    path.write_bytes(OLE2 + bytes(1016) + ENCRYPTED_STREAM + bytes(512))
    error = problem_of(path)
    assert error.problem == "secret.xlsx is protected by a password."
    assert error.mend == "Save a copy without one and pass that."


@pytest.mark.parametrize(
    ("name", "data", "problem"),
    [
        ("a.xlsx", b"file,ID\na.jpg,1\n", "a.xlsx is not a workbook."),
        ("a.xls", b"<html></html>", "a.xls is not a workbook."),
        ("a.xlsx", b"PK\x03\x04 and then nothing of use", "a.xlsx is not a workbook, or a damaged one."),
        ("a.xls", OLE2 + bytes(2000), "a.xls is not a workbook, or a damaged one."),
        ("a.xlsx", b"", "a.xlsx is empty."),
        ("a.csv", b" \n\n", "a.csv is empty."),
    ],
)
def test_what_is_no_workbook_is_refused(tmp_path: Path, name: str, data: bytes, problem: str) -> None:
    (tmp_path / name).write_bytes(data)
    error = problem_of(tmp_path / name)
    assert error.problem == problem
    assert error.mend


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    assert "There is no labels file" in problem_of(tmp_path / "none.xlsx").problem
    error = problem_of(tmp_path)
    assert "is a folder" in error.problem
    assert "--labels folders" in error.mend


def test_what_may_not_be_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("file,ID\n")
    path.chmod(0)
    try:
        path.read_bytes()
    except PermissionError:
        assert "can't be read" in problem_of(path).problem
    else:
        pytest.skip("permissions do not bind this user")


def test_a_loop_of_links_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "loop.csv"
    path.symlink_to(path)
    assert "can't be read" in problem_of(path).problem


def test_cell_far_out_is_refused_before_room_is_made_for_all_before_it(tmp_path: Path) -> None:
    book = xlsxwriter.Workbook(str(tmp_path / "far.xlsx"))
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, ["file", "person"])
    sheet.write_string(1_048_575, 16_383, "x")
    book.close()
    with pytest.raises(LabelsError, match="17,179,869,184 cells"):
        list(read_sheets(tmp_path / "far.xlsx"))
