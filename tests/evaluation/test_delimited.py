import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmingle.errors import LabelsError
from unmingle.evaluation.delimited import parse_text

WESTERN = "Datei;ID\nGrößenwahn.jpg;Jérôme\nñandú.png;Åse\n"
JAPANESE = "ファイル名,ID\n顔_0001.jpg,田中 太郎\nソ表.jpg,鈴木ｶﾅ\n"
ROWS_WESTERN = (("Datei", "ID"), ("Größenwahn.jpg", "Jérôme"), ("ñandú.png", "Åse"))
ROWS_JAPANESE = (("ファイル名", "ID"), ("顔_0001.jpg", "田中 太郎"), ("ソ表.jpg", "鈴木ｶﾅ"))


@pytest.mark.parametrize("text", [WESTERN, JAPANESE])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_unicode_with_and_without_a_mark(text: str, encoding: str) -> None:
    rows, _ = parse_text(text.encode(encoding), "x.csv")
    assert rows == (ROWS_WESTERN if text is WESTERN else ROWS_JAPANESE)


def test_utf_16_big_endian_with_a_mark() -> None:
    assert parse_text(codecs.BOM_UTF16_BE + JAPANESE.encode("utf-16-be"), "x.csv")[0] == ROWS_JAPANESE


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1"])
def test_western(encoding: str) -> None:
    rows, note = parse_text(WESTERN.encode(encoding), "x.csv")
    assert rows == ROWS_WESTERN
    assert note == "cp1252, separated by ';'"


def test_japanese() -> None:
    rows, note = parse_text(JAPANESE.encode("shift_jis"), "x.csv")
    assert rows == ROWS_JAPANESE
    assert note == "cp932, separated by ','"


@pytest.mark.parametrize(
    "name", ["Jérôme", "Zoë", "Ægir", "Iñaki", "Ören", "François", "Łukasz".replace("Ł", "L") + "é"]
)
def test_one_western_letter_is_enough(name: str) -> None:
    rows, _ = parse_text(f"file,ID\na.jpg,{name}\n".encode("cp1252"), "x.csv")
    assert rows[1] == ("a.jpg", name)


@pytest.mark.parametrize("name", ["田中", "さくら", "ケン", "髙橋"])
def test_one_japanese_name_is_enough(name: str) -> None:
    rows, _ = parse_text(f"file,ID\na.jpg,{name}\n".encode("cp932"), "x.csv")
    assert rows[1] == ("a.jpg", name)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(delimiter: str) -> None:
    rows, _ = parse_text(f'\n"a,;b"{delimiter}ID\nx,y;z.jpg\n'.encode(), "x.csv")
    assert rows[1] == ("a,;b", "ID")


def test_the_hint_of_a_spreadsheet_program() -> None:
    assert parse_text(b"sep=;\r\nfile;a,b,c\r\nx;1\r\n", "x.csv")[0] == (("file", "a,b,c"), ("x", "1"))


def test_quoted_newlines_and_delimiters_are_kept() -> None:
    assert parse_text(b'file,ID\n"a\nb, c.jpg",1\n', "x.csv")[0][1] == ("a\nb, c.jpg", "1")


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
        parse_text(data, "x.csv")
    assert "UTF-8" in caught.value.mend


def test_names_of_files_with_control_signs_are_text() -> None:
    assert parse_text(b"file,ID\na\x07.jpg,1\n", "x.csv")[0] == (("file", "ID"), ("a\x07.jpg", "1"))


def test_a_field_beyond_the_limit_is_an_error_of_ours() -> None:
    with pytest.raises(LabelsError, match="not a table of text"):
        parse_text(b'file,ID\n"' + b"x" * 200_000, "x.csv")


cells = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=8)


@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=5), st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
def test_what_was_written_is_read(rows: list[tuple[str, str]], encoding: str) -> None:
    quoted = [tuple('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    text = "file,ID\n" + "".join(f"{first},{second}\n" for first, second in quoted)
    assert parse_text(text.encode(encoding), "x.csv")[0][1:] == tuple(rows)
