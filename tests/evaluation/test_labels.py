import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st

from unmingle.errors import LabelsError
from unmingle.evaluation.columns import plain_number
from unmingle.evaluation.labels import (
    Contradiction,
    Dropped,
    LabelOptions,
    Labels,
    folder_labels,
    read_labels,
)

SEED: list[list[Any]] = [
    [None, "No", "File Name", "ID", "Mask"],
    [None, 2, "m_0002_0.jpg", 1.0, "N"],
    [None, 1, "m_0001_0.jpg", 3, "N"],
    [None, None, None, None, None],
    [None, 3, "m_0003_0.jpg", 2, "Y"],
    [None, 4, "m_0004_0.jpg", 0, "N"],
    [None, 5, "m_0005_0.jpg", 0, "Y"],
    [None, 6, None, None, None],
]


def workbook(path: Path, rows: list[list[Any]]) -> Path:
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for i, row in enumerate(rows):
            for j, cell in enumerate(row):
                if cell is not None:
                    sheet.write(i, j, cell)
    return path


def table(path: Path, text: str, **options: Any) -> Labels:
    path.write_text(text, encoding="utf-8")
    return read_labels(path, LabelOptions(**options))


def test_the_workbook_of_the_seed(tmp_path: Path) -> None:
    labels = read_labels(workbook(tmp_path / "annotations.xlsx", SEED), LabelOptions())
    assert labels.files == ("m_0002_0.jpg", "m_0001_0.jpg")
    assert labels.labels == ("1", "3")
    assert labels.people == 2
    assert labels.dropped == (
        Dropped("m_0003_0.jpg", "2", "Mask=Y", by_label=False),
        Dropped("m_0004_0.jpg", "0", "ID=0", by_label=True),
        Dropped("m_0005_0.jpg", "0", "ID=0", by_label=True),  # a masked non-face is a non-face
    )
    assert labels.empty_rows == 2
    assert (labels.file_column, labels.label_column, labels.rules) == ("File Name", "ID", ("ID=0", "Mask=Y"))
    assert (labels.origin, labels.note) == ("annotations.xlsx", "sheet 'Sheet1'")


def test_the_first_sheet_with_the_columns_is_read(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "a.xlsx") as book:
        book.add_worksheet("notes").write(0, 0, "hello")
        book.add_worksheet("labels").write_row(0, 0, ["file", "ID"])
        book.worksheets()[1].write_row(1, 0, ["a.jpg", "anna"])
    labels = read_labels(tmp_path / "a.xlsx", LabelOptions())
    assert (labels.files, labels.note) == (("a.jpg",), "sheet 'labels'")


def test_text_ids_numbers_and_spaces(tmp_path: Path) -> None:
    labels = table(tmp_path / "a.csv", "file,ID\na.jpg,Anna\nb.jpg, 1.0 \nc.jpg,002\nd.jpg,1.50\n")
    assert labels.labels == ("Anna", "1", "002", "1.50")


def test_two_rows_for_one_file(tmp_path: Path) -> None:
    text = "file,ID\na.jpg,1\na.jpg,1.0\n./a.jpg,1\nb.jpg,1\nb.jpg,2\nx\\c.jpg,3\nx/c.jpg,3\n"
    labels = table(tmp_path / "a.csv", text)
    assert labels.files == ("a.jpg", "x\\c.jpg")
    assert labels.duplicates == ("a.jpg", "a.jpg", "x\\c.jpg")
    assert labels.contradictions == (Contradiction("b.jpg", ("1", "2")),)


def test_a_row_kept_and_a_row_dropped_contradict_each_other(tmp_path: Path) -> None:
    labels = table(tmp_path / "a.csv", "file,ID,Mask\na.jpg,1,N\na.jpg,1,Y\nb.jpg,0,N\nb.jpg,,\nc.jpg,1,\n")
    assert labels.contradictions == (Contradiction("a.jpg", ("1", "1 (Mask=Y)")),)
    assert [one.file for one in labels.dropped] == ["b.jpg"]
    assert labels.duplicates == ("b.jpg",)


def test_rows_that_lack_one_of_the_two(tmp_path: Path) -> None:
    labels = table(tmp_path / "a.csv", "file,ID,note\na.jpg,1,\nb.jpg\n,2,\n,,hm\n\n")
    assert (labels.files, labels.unlabelled) == (("a.jpg",), ("b.jpg",))
    assert (labels.nameless_rows, labels.empty_rows) == (1, 2)


def test_rules_of_ones_own_replace_the_defaults(tmp_path: Path) -> None:
    labels = table(tmp_path / "a.csv", "file,ID,Look\na,0,down\nb,1,UP\nc,2,up\n", drops=("look = up",))
    assert labels.files == ("a",)
    assert {one.rule for one in labels.dropped} == {"look = up"}


def test_numbers_match_rules_in_any_form(tmp_path: Path) -> None:
    labels = table(tmp_path / "a.csv", "file;ID\na;0.0\nb;0\nc;00\nd;1\n")
    assert [one.file for one in labels.dropped] == ["a", "b"]


def test_names_of_any_kind(tmp_path: Path) -> None:
    labels = table(tmp_path / "a.csv", 'file,ID\n"a b 📷.jpg",1\n"two\nlines.jpg",1\n"x,""y"".jpg",1\n')
    assert labels.files == ("a b 📷.jpg", "two\nlines.jpg", 'x,"y".jpg')


def test_names_that_several_files_share_are_said_to_disagree(tmp_path: Path) -> None:
    text = "file,person\nIMG_1.jpg,ann\nIMG_1.jpg,ben\nIMG_2.jpg,ann\nIMG_2.jpg,ben\n"
    with pytest.raises(LabelsError, match=r"disagree about each of 2 files, such as IMG_1\.jpg \(ann, ben\).*folder"):
        table(tmp_path / "a.csv", text)


def test_a_table_without_a_single_label(tmp_path: Path) -> None:
    with pytest.raises(LabelsError, match=r"No row of a\.csv has both a file and a label"):
        table(tmp_path / "a.csv", "file,ID\na.jpg,\n")


def test_a_table_without_a_header_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(LabelsError, match=r"a\.csv has no header: a\.jpg, Ada is a row"):
        table(tmp_path / "a.csv", "a.jpg,Ada\nb.jpg,Ben\n")


def test_folders() -> None:
    labels = folder_labels(["anna/1.jpg", "set/ben/1.jpg", "ben/2.jpg", "loose.jpg", "./dot.jpg", "Unknown/3.jpg"])
    assert dict(zip(labels.files, labels.labels, strict=True)) == {
        "anna/1.jpg": "anna",
        "set/ben/1.jpg": "ben",
        "ben/2.jpg": "ben",
    }
    assert labels.unlabelled == ("loose.jpg", "./dot.jpg", "Unknown/3.jpg")
    assert (labels.origin, labels.people) == ("folders", 2)


def test_several_sources_name_their_own_files() -> None:
    labels = folder_labels(["1.jpg", "1.jpg", "x/1.jpg"], sources=["/d/anna/", "/d/ben", "/d/ben"])
    assert labels.files == ("/d/anna/1.jpg", "/d/ben/1.jpg", "/d/ben/x/1.jpg")
    assert labels.labels == ("anna", "ben", "x")


def test_one_source_names_nobody() -> None:
    with pytest.raises(LabelsError, match="No picture lies in a folder"):
        folder_labels(["1.jpg", "2.jpg"], sources=["/d/faces", "/d/faces"])


@given(st.integers())
def test_a_whole_number_is_the_same_with_and_without_decimals(number: int) -> None:
    assert plain_number(f" {number}.000 ") == plain_number(f"{number}.") == plain_number(str(number)) == str(number)


rows = st.lists(st.tuples(st.sampled_from(["", "a", "b", "c"]), st.sampled_from(["", "0", "1", "2"])), max_size=12)


@given(rows)
def test_every_row_is_accounted_for(tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]]) -> None:
    path = tmp_path_factory.getbasetemp() / "rows.csv"
    path.write_text("file,ID\nkept,9\n" + "".join(f"{file},{label}\n" for file, label in pairs), encoding="utf-8")
    labels = read_labels(path, LabelOptions())
    groups = Counter(labels.files) + Counter(one.file for one in labels.dropped)
    groups += Counter(one.file for one in labels.contradictions) + Counter(labels.unlabelled)
    assert set(groups.values()) == {1}, "a file is in one group only"
    assert set(groups) == {"kept", *(file for file, _ in pairs if file)}
    contradicted = {one.file for one in labels.contradictions}
    extra = [file for file, _ in pairs if file not in contradicted]
    assert len(labels.duplicates) == sum(count - 1 for file, count in Counter(extra).items() if file)
    assert labels.empty_rows == sum(pair == ("", "") for pair in pairs)
    assert labels.nameless_rows == sum(file == "" and label != "" for file, label in pairs)


@pytest.mark.skipif("UNMINGLE_DATA" not in os.environ, reason="UNMINGLE_DATA does not point to the development data")
def test_the_workbook_of_the_development_data() -> None:
    path = Path(os.environ["UNMINGLE_DATA"]) / "meeting" / "annotations.xlsx"
    labels = read_labels(path, LabelOptions())
    assert set(labels.labels) == {"1", "2", "3", "4", "5"}
    assert (len(labels.files), labels.empty_rows) == (1386, 8)
    assert Counter(one.rule for one in labels.dropped) == {"ID=0": 110, "Mask=Y": 81}
    assert [labels.duplicates, labels.unlabelled, labels.contradictions] == [(), (), ()]


def book(path: Path, hidden: tuple[str, ...] = (), **sheets: list[tuple[Any, ...]]) -> Path:
    with xlsxwriter.Workbook(path) as made:
        for title, rows in sheets.items():
            sheet = made.add_worksheet(title)
            for i, row in enumerate(rows):
                sheet.write_row(i, 0, row)
            if title in hidden:
                sheet.hide()
            else:
                sheet.activate()
                sheet.set_first_sheet()
    return path


def test_a_sheet_for_each_meeting_is_read(tmp_path: Path) -> None:
    path = book(
        tmp_path / "a.xlsx",
        one=[("Meeting 1",), ("File Name", "ID", "Mask"), ("a.jpg", 1, "N"), ("b.jpg", 2, "N")],
        two=[("mask", "ID", "file_name"), ("N", 3, "c.jpg"), ("N", 1, "a.jpg"), ("N", 9, "b.jpg")],
        people=[("ID", "Name"), (1, "Ada")],
    )
    labels = read_labels(path, LabelOptions())
    assert dict(zip(labels.files, labels.labels, strict=True)) == {"a.jpg": "1", "c.jpg": "3"}
    assert labels.duplicates == ("a.jpg",)
    assert labels.contradictions == (Contradiction("b.jpg", ("2", "9")),)
    assert (labels.note, labels.unread) == ("sheets 'one', 'two'", ())


def test_sheets_that_are_not_read_are_told_and_may_be_asked_for(tmp_path: Path) -> None:
    path = book(
        tmp_path / "a.xlsx",
        ("raw",),
        raw=[("File Name", "ID"), ("old.jpg", 9)],
        final=[("File Name", "ID"), ("a.jpg", 1)],
        other=[("File Name", "Person"), ("b.jpg", "Ada")],
        bare=[("c.jpg", "Ada")],
        people=[("ID", "Name"), (1, "Ada")],
    )
    labels = read_labels(path, LabelOptions())
    assert (labels.files, labels.unread) == (("a.jpg",), ("other", "bare", "raw"))
    assert read_labels(path, LabelOptions(sheets=("Raw ", "final"))).files == ("old.jpg", "a.jpg")
    with pytest.raises(LabelsError, match=r"no sheet 'x' in a.xlsx. It has 'final', 'other', 'bare', 'people', 'raw'"):
        read_labels(path, LabelOptions(sheets=("x",)))
    with pytest.raises(LabelsError, match="No column with file names"):
        read_labels(path, LabelOptions(sheets=("final", "people")))


def test_labels_that_look_the_same_are_one(tmp_path: Path) -> None:
    labels = table(tmp_path / "a.csv", "file,person\na.jpg,Ada\nb.jpg,ada\nc.jpg,Ａda\n\ufeffd.jpg\u200b,Ada\u200b\n")
    assert labels.files == ("a.jpg", "b.jpg", "c.jpg", "d.jpg")
    assert (set(labels.labels), labels.spellings) == ({"Ada"}, ("ada", "Ａda"))
    labels = table(tmp_path / "a.csv", "file,person\na.jpg,07\nb.jpg,7\nc.jpg,Al B\nd.jpg,Al  B\n")
    assert (labels.labels, labels.spellings) == (("07", "07", "Al B", "Al B"), ("7", "Al  B"))
    labels = folder_labels(["Zoë/1.jpg", "Zoe\u0308/2.jpg", "zoë/3.jpg"])
    assert (set(labels.labels), labels.spellings) == ({"Zoë"}, ("Zoe\u0308", "zoë"))


def test_words_for_nobody_name_nobody(tmp_path: Path) -> None:
    labels = table(tmp_path / "a.csv", "file,person\na.jpg,nan\nb.jpg,None\nc.jpg,Unknown\nd.jpg,Na\ne.jpg,-1\n")
    assert (labels.labels, labels.unlabelled) == (("Na",), ("a.jpg", "b.jpg", "c.jpg", "e.jpg"))


def test_a_label_of_several_people_is_of_none(tmp_path: Path) -> None:
    text = 'file,person\na.jpg,"1,2"\nb.jpg,1\nc.jpg,Ada & Bob\nd.jpg,Ada\ne.jpg,Bob\nf.jpg,"Smith, Ada"\n'
    labels = table(tmp_path / "a.csv", text)
    assert labels.files == ("b.jpg", "d.jpg", "e.jpg", "f.jpg")
    assert labels.contradictions == (Contradiction("a.jpg", ("1", "2")), Contradiction("c.jpg", ("Ada", "Bob")))


@pytest.mark.parametrize("yes", ["Y", "y", "Yes", "TRUE", "1", "X", "✓"])
def test_a_mask_is_one_however_yes_is_written(tmp_path: Path, yes: str) -> None:
    labels = table(tmp_path / "a.csv", f"file,ID,Mask\na.jpg,1,{yes}\nb.jpg,1,N\n")
    assert [one.file for one in labels.dropped] == ["a.jpg"]


@pytest.mark.parametrize(("numbers", "dropped"), [("01234", ""), ("00234", "ab")])
def test_the_row_with_number_0_is_a_row(tmp_path: Path, numbers: str, dropped: str) -> None:
    rows = "".join(f"{number},{file}.jpg,Ada\n" for number, file in zip(numbers, "abcde", strict=True))
    labels = table(tmp_path / "a.csv", f"id,file,who\n{rows}", label_column="who")
    assert [one.file for one in labels.dropped] == [f"{file}.jpg" for file in dropped]


def test_x_is_no_y_in_a_column_of_the_user(tmp_path: Path) -> None:
    labels = table(tmp_path / "a.csv", "file,ID,axis\na.jpg,1,x\nb.jpg,1,y\n", drops=("axis=y",))
    assert [one.file for one in labels.dropped] == ["b.jpg"]


def test_a_date_is_a_date_without_a_time() -> None:
    assert plain_number("2024-01-02 00:00:00") == "2024-01-02"
    assert plain_number("2024-01-02 10:00:00") == "2024-01-02 10:00:00"
