import codecs
import io
import tempfile
import zipfile
from pathlib import Path

import polars as pl
import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st
from polars.exceptions import PanicException

from unmingle.errors import LabelsError
from unmingle.evaluation import sheets, workbook_parts
from unmingle.evaluation.columns import Row
from unmingle.evaluation.labels import LabelOptions, read_labels
from unmingle.evaluation.sheets import ENCRYPTED_STREAM, MOST_BLANK, OLE2, read_sheets


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


def workbook(path: Path, **parts: str | bytes) -> Path:
    """A workbook of one sheet; parts: what to put in place of its parts, or beside them, by the ends of their names."""
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer) as book:
        book.add_worksheet().write(0, 0, 1)
    with zipfile.ZipFile(buffer) as whole, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name in whole.namelist():
            out.writestr(name, parts.pop("sheet") if "sheet1" in name and "sheet" in parts else whole.read(name))
        for name, content in parts.items():
            out.writestr(name, content)
    return path


def sheet(rows: str, prefix: str = "") -> str:
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    xmlns = f'xmlns:{prefix[:-1]}="{space}"' if prefix else f'xmlns="{space}"'
    return f"<{prefix}worksheet {xmlns}><{prefix}sheetData>{rows}</{prefix}sheetData></{prefix}worksheet>"


OUTSIDE, MANY = "outside of what a sheet can hold", "a sheet of 17,179,869,184 cells"
TEXT = "bytes of text in its cells"


@pytest.mark.parametrize(
    ("rows", "prefix", "problem"),
    [
        ('<row r="1"><c r="A1"><v>1</v></c></row><row r="2"><c r="XFD1048576"><v>2</v></c></row>', "", MANY),
        ('<row r="1"><c r="A1"><v>1</v></c><c r="A99999999999" t="s"><v>0</v></c></row>', "", OUTSIDE),
        ('<row r="1"><c r="ZZZZ9" t="inlineStr"><is><t>x</t></is></c></row>', "", OUTSIDE),
        ('<row r="99999999"><c><v>1</v></c></row>', "", OUTSIDE),
        ('<x:row r="1"><x:c s="1" r = \'AAAA1\'>\n<x:v>1</x:v></x:c></x:row>', "x:", OUTSIDE),
        (
            '<row r="1"><c r="A1"><v>1</v></c></row>' + "<!-- a block -->" * 80_000 + '<c r="AAAA1"><v>1</v></c>',
            "",
            OUTSIDE,
        ),
    ],
)
def test_cell_far_out_is_refused_before_room_is_made_for_all_before_it(
    tmp_path: Path, rows: str, prefix: str, problem: str
) -> None:
    error = problem_of(workbook(tmp_path / "far.xlsx", sheet=sheet(rows, prefix)))
    assert problem in error.problem
    assert error.mend == "Save a copy that holds the table alone."


def test_open_document_whose_cells_stand_for_many_is_refused(tmp_path: Path) -> None:
    cell = '<table:table-cell table:number-columns-repeated="{}" office:value-type="float" office:value="1"/>'
    table = '<table:table table:name="a"><table:table-row table:number-rows-repeated="{}">{}</table:table-row>'
    for rows, columns, problem in ((1_048_576, 30, "31,457,280 cells"), (1, 99_999, OUTSIDE), (2**40, 1, OUTSIDE)):
        content = table.format(rows, cell.format(columns))
        assert problem in problem_of(workbook(tmp_path / "far.ods", **{"content.xml": content})).problem


def test_text_that_a_workbook_holds_once_and_shows_often_is_counted_each_time(tmp_path: Path) -> None:
    shown = "".join(f'<row r="{row}"><c r="A{row}" t="s"><v>0</v></c></row>' for row in range(1, 12_000))
    shared = f"<sst><si><t>{'x' * 30_000}</t></si></sst>"
    assert (
        TEXT
        in problem_of(workbook(tmp_path / "a.xlsx", sheet=sheet(shown), **{"xl/sharedStrings.xml": shared})).problem
    )
    cell = '<table:table-cell table:number-columns-repeated="1000" office:value-type="string">'
    row = f'<table:table-row table:number-rows-repeated="1000">{cell}<text:p>{"x" * 30_000}</text:p></table:table-cell>'
    content = f'<table:table table:name="a">{row}</table:table-row></table:table>'
    assert TEXT in problem_of(workbook(tmp_path / "a.ods", **{"content.xml": content})).problem


def test_other_tables_of_too_many_cells_are_refused_before_they_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbook_parts, "MAX_CELLS", 1000)
    monkeypatch.setattr(workbook_parts, "MAX_TEXT", 1_000_000)
    for rows, problem in ((["1"] * 1001, "1,001 cells"), (["x" * 100_000] * 11, "1,100,000 bytes of text")):
        pl.DataFrame({"file": rows}).write_parquet(tmp_path / "a.parquet")
        assert problem in problem_of(tmp_path / "a.parquet").problem
    (tmp_path / "a.json").write_text("[" + ",".join(f'{{"{i}":1}}' for i in range(50)) + "]")
    assert "2,500 cells" in problem_of(tmp_path / "a.json").problem
    (tmp_path / "a.csv").write_bytes(b"file,person\n" + b"," * 1000)
    assert "1,002 cells" in problem_of(tmp_path / "a.csv").problem


def test_binary_workbook_with_a_cell_far_out_is_refused(tmp_path: Path) -> None:
    def record(kind: int, *numbers: int) -> bytes:
        content = b"".join(number.to_bytes(4, "little") for number in numbers)
        return bytes([kind, len(content)]) + content

    far = record(0, 7) + record(5, 70_000, 0, 0, 0)
    error = problem_of(workbook(tmp_path / "far.xlsb", **{"xl/worksheets/sheet1.bin": far}))
    assert OUTSIDE in error.problem


def test_what_is_merged_over_rows_stands_in_each_that_has_something_else(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "a.xlsx") as book:
        book.add_worksheet("title").merge_range(0, 0, 1, 2, "labels")
        page = book.add_worksheet()
        page.merge_range(2, 2, 3, 2, "person")
        page.write(2, 3, "of picture")
        page.write_column(3, 3, ["file", "1.jpg", "2.jpg", "", "4.jpg", "5.jpg"])
        page.merge_range(4, 2, 6, 2, "Ada")
    title, found = read_sheets(tmp_path / "a.xlsx")
    assert [row for row in title.rows if any(row)] == [("labels",)]
    assert [row for row in found.rows if any(row)] == [
        *(
            ("person", "of picture"),
            ("person", "file"),
            ("Ada", "1.jpg"),
            ("Ada", "2.jpg"),
            ("", "4.jpg"),
            ("", "5.jpg"),
        ),
    ]


def test_headings_that_are_merged_over_two_rows_are_no_label(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "a.xlsx") as book:
        page = book.add_worksheet()
        for column, heading in enumerate(("file", "ID")):
            page.merge_range(0, column, 1, column, heading)
        page.write_column(0, 2, ["size", "pixels", "9", "8"])
        page.write_row(2, 0, ["1.jpg", "Ada"])
        page.write_row(3, 0, ["2.jpg", "Bob"])
    found = read_labels(tmp_path / "a.xlsx", LabelOptions())
    assert (found.files, found.labels) == (("1.jpg", "2.jpg"), ("Ada", "Bob"))


def test_what_is_merged_below_the_last_row_makes_no_room_for_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook_parts, "MAX_CELLS", 1000)
    frame, over_all = pl.DataFrame({"a": ["x"] + 99 * [""]}), (0, 0, 99)
    assert len(sheets._rows(frame, [over_all] * 10, "a.xlsx"))
    with pytest.raises(LabelsError, match="a sheet of 1,980 cells"):  # a made-up file, where they overlap
        sheets._rows(frame, [over_all] * 20 + [(0, 9000, 9001)], "a.xlsx")


def test_what_is_merged_over_rows_of_open_document(tmp_path: Path) -> None:
    def row(*cells: str) -> str:
        return f"<table:table-row><table:table-cell/>{''.join(cells)}</table:table-row>"

    def cell(text: str, more: str = "") -> str:
        return f'<table:table-cell {more} office:value-type="string"><text:p>{text}</text:p></table:table-cell>'

    merged = (
        row(cell("Ada", 'table:number-rows-spanned="2"'), cell("1.jpg")),
        row("<table:covered-table-cell/>", cell("2.jpg")),
    )
    rows = row(), row(cell("person"), cell("file")), *merged, row("<table:table-cell/>", cell("3.jpg"))
    tables = "".join(
        f'<table:table table:name="{name}">{"".join(of)}</table:table>' for name, of in (("a", ()), ("b", rows))
    )
    spaces = "".join(
        f' xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text")
    )
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    with zipfile.ZipFile(tmp_path / "a.ods", "w") as out:
        out.writestr("mimetype", kind)
        out.writestr("META-INF/manifest.xml", f'<manifest><file-entry full-path="/" media-type="{kind}"/></manifest>')
        body = f"<office:body><office:spreadsheet>{tables}</office:spreadsheet></office:body>"
        out.writestr("content.xml", f"<office:document-content{spaces}>{body}</office:document-content>")
    assert [row for row in list(read_sheets(tmp_path / "a.ods"))[1].rows if any(row)] == [
        *(("person", "file"), ("Ada", "1.jpg"), ("Ada", "2.jpg"), ("", "3.jpg")),
    ]


def test_a_zip_whose_parts_are_elsewhere_is_damaged(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx")
    data = bytearray(path.read_bytes())
    at = data.rfind(b"PK\x05\x06") + 16  # where the list of parts is
    data[at : at + 4] = (int.from_bytes(data[at : at + 4], "little") + 62).to_bytes(4, "little")
    path.write_bytes(data)
    assert "damaged" in problem_of(path).problem


@pytest.mark.parametrize(
    ("name", "inner", "problem"),
    [
        ("a.parquet", "polars.scan_parquet", "can't be read: index out of bounds"),
        ("a.parquet", "polars.LazyFrame.collect", "can't be read: index out of bounds"),
        ("a.xlsx", "fastexcel.read_excel", "a damaged one"),
        ("a.xlsx", "fastexcel.ExcelSheet.to_polars", "a damaged one"),
    ],
)
def test_where_a_reader_in_rust_panics_it_is_an_error_of_that_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, inner: str, problem: str
) -> None:
    def panic(*_: object, **__: object) -> None:
        raise PanicException("index out of bounds")  # no Exception: what hides only these lets it through

    frame = pl.DataFrame({"file": ["a.jpg"], "person": ["Ada"]})
    getattr(frame, "write_excel" if name.endswith("xlsx") else "write_parquet")(tmp_path / name)
    assert not isinstance(PanicException(""), Exception)
    assert len(list(read_sheets(tmp_path / name))) == 1
    monkeypatch.setattr(inner, panic)
    assert problem in problem_of(tmp_path / name).problem


def test_formatting_that_reaches_the_last_row_is_no_rows(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "a.xlsx", {"constant_memory": True}) as book:
        page, bold = book.add_worksheet(), book.add_format({"bold": True})
        page.write_row(0, 0, ["file", "ID"])
        page.write_row(1, 0, ["a.jpg", 1])
        for row in range(5, 1_048_576, 10_000):
            page.write_blank(row, 0, None, bold)
        page.write_blank(1_048_575, 16_383, None, bold)
    (found,) = read_sheets(tmp_path / "a.xlsx")
    assert found.rows == (("file", "ID"), ("a.jpg", "1"))


def test_of_what_lies_far_off_the_rows_between_are_few(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "a.xlsx") as book:
        page = book.add_worksheet()
        page.write_row(0, 0, ["file", "ID"])
        page.write_row(1_048_575, 0, ["a.jpg", 1])
        page.write(1_048_575, 5, "note")
    (found,) = read_sheets(tmp_path / "a.xlsx")
    assert len(found.rows) == MOST_BLANK + 2
    assert found.rows[-1] == ("a.jpg", "1", "", "", "", "note")


def parsed(data: bytes) -> tuple[tuple[Row, ...], str]:
    """Rows of delimited text, and how they were read."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.csv"
        path.write_bytes(data)
        (found,) = read_sheets(path)
    return found.rows, found.note


WESTERN = "Datei;ID\nGrößenwahn.jpg;Jérôme\nñandú.png;Åse\n"
JAPANESE = "ファイル名,ID\n顔_0001.jpg,田中 太郎\nソ表.jpg,鈴木ｶﾅ\n"
ROWS_WESTERN = (("Datei", "ID"), ("Größenwahn.jpg", "Jérôme"), ("ñandú.png", "Åse"))
ROWS_JAPANESE = (("ファイル名", "ID"), ("顔_0001.jpg", "田中 太郎"), ("ソ表.jpg", "鈴木ｶﾅ"))


@pytest.mark.parametrize("text", [WESTERN, JAPANESE])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_unicode_with_and_without_a_mark(text: str, encoding: str) -> None:
    rows, _ = parsed(text.encode(encoding))
    assert rows == (ROWS_WESTERN if text is WESTERN else ROWS_JAPANESE)


def test_utf_16_big_endian_with_a_mark() -> None:
    assert parsed(codecs.BOM_UTF16_BE + JAPANESE.encode("utf-16-be"))[0] == ROWS_JAPANESE


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1"])
def test_western(encoding: str) -> None:
    rows, note = parsed(WESTERN.encode(encoding))
    assert rows == ROWS_WESTERN
    assert note == "cp1252, separated by ';'"


def test_japanese() -> None:
    rows, note = parsed(JAPANESE.encode("shift_jis"))
    assert rows == ROWS_JAPANESE
    assert note == "cp932, separated by ','"


@pytest.mark.parametrize(
    "name", ["Jérôme", "Zoë", "Ægir", "Iñaki", "Ören", "François", "Łukasz".replace("Ł", "L") + "é"]
)
def test_one_western_letter_is_enough(name: str) -> None:
    rows, _ = parsed(f"file,ID\na.jpg,{name}\n".encode("cp1252"))
    assert rows[1] == ("a.jpg", name)


@pytest.mark.parametrize("name", ["田中", "さくら", "ケン", "髙橋"])
def test_one_japanese_name_is_enough(name: str) -> None:
    rows, _ = parsed(f"file,ID\na.jpg,{name}\n".encode("cp932"))
    assert rows[1] == ("a.jpg", name)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(delimiter: str) -> None:
    rows, _ = parsed(f'\n"a,;b"{delimiter}ID\nx,y;z.jpg\n'.encode())
    assert rows[1] == ("a,;b", "ID")


def test_the_hint_of_a_spreadsheet_program() -> None:
    assert parsed(b"sep=;\r\nfile;a,b,c\r\nx;1\r\n")[0] == (("file", "a,b,c"), ("x", "1"))


def test_a_mark_of_byte_order_alone_is_no_table() -> None:
    assert parsed(codecs.BOM_UTF8)[0] == ()


@pytest.mark.parametrize("padding", ["", ";"])
def test_a_title_does_not_tell_the_delimiter(padding: str) -> None:
    title = f"Meeting, Berlin, 3 May{padding}"
    rows, _ = parsed(f"{title}\n\nfile;ID\na.jpg;Lee, Ann\nb.jpg;Bo\n".encode())
    assert rows[2:] == (("file", "ID"), ("a.jpg", "Lee, Ann"), ("b.jpg", "Bo"))


def test_quoted_newlines_and_delimiters_are_kept() -> None:
    assert parsed(b'file,ID\n"a\nb, c.jpg",1\n')[0][1] == ("a\nb, c.jpg", "1")


@pytest.mark.parametrize(
    "data",
    [
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00",
        b"file,ID\na\x00b.jpg,1\n",
        b"file,ID\na\x07\xe4.jpg,1\n",
        b"file,ID\n\x81\x20.jpg,1\n",
        codecs.BOM_UTF16_LE + b"f\x00i",
        codecs.BOM_UTF16_LE + b"f\x00i\x00\x00\xd8",
    ],
)
def test_what_is_no_text_is_refused(data: bytes) -> None:
    if data == codecs.BOM_UTF16_LE + b"f\x00i":
        data += b"\x00l"  # half a sign is missing
    with pytest.raises(LabelsError, match="is not text in a known encoding") as caught:
        parsed(data)
    assert "UTF-8" in caught.value.mend


def test_names_of_files_with_control_signs_are_text() -> None:
    assert parsed(b"file,ID\na\x07.jpg,1\n")[0] == (("file", "ID"), ("a\x07.jpg", "1"))


@pytest.mark.parametrize("last", ["c.jpg,3", 'c.jpg,"3'])
def test_a_quote_that_is_not_closed_takes_no_rows_with_it(last: str) -> None:
    with pytest.raises(LabelsError, match="in row 3"):
        parsed(f'file,ID\na.jpg,1\nb.jpg,"2\n{last}\n'.encode())


def test_a_field_beyond_the_limit_is_an_error_of_ours() -> None:
    with pytest.raises(LabelsError, match="not a table of text"):
        parsed(b'file,ID\n"' + b"x" * 200_000)


cells = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=8)


@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=5), st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
def test_what_was_written_is_read(rows: list[tuple[str, str]], encoding: str) -> None:
    quoted = [tuple('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    text = "file,ID\n" + "".join(f"{first},{second}\n" for first, second in quoted)
    assert parsed(text.encode(encoding))[0][1:] == tuple(rows)


def test_json_is_a_list_of_objects_or_one_a_line(tmp_path: Path) -> None:
    table = tmp_path / "a.json"
    for text in (
        '[{"file": "a.jpg", "ID": 1},\n{"file": "b.jpg"}]',
        '{"file": "a.jpg", "ID": 1}\n\n{"file": "b.jpg"}\n',
    ):
        table.write_text(text)
        (found,) = read_sheets(table)
        assert (found.rows, found.note) == ((("file", "ID"), ("a.jpg", "1"), ("b.jpg", "")), "JSON")
    table.write_text('{"a.jpg": 1, "b.jpg": 2}')
    assert "no table" in problem_of(table).problem
