import pytest

from unmingle.errors import LabelsError
from unmingle.evaluation.columns import HEADINGS, Columns, find_columns, find_names, rules_for

Header = tuple[str, ...]


def find(*rows: Header, file: str | None = None, label: str | None = None) -> Columns:
    found = find_columns(rows, "labels.csv", file, label)
    if isinstance(found, LabelsError):
        raise found
    return found


@pytest.mark.parametrize(
    "heading", ["File Name", "filename", "file_name", " FILE-NAME ", "file", "Image", "ｆｉｌｅ", "Path"]
)
def test_the_file_column_by_its_usual_names(heading: str) -> None:
    assert find(("No", heading, "ID")).file == 1


@pytest.mark.parametrize("heading", ["ID", " id", "Label", "PERSON", "person_id", "Identity", "name"])
def test_the_label_column_by_its_usual_names(heading: str) -> None:
    assert find(("File Name", "No", heading)).label == 2


def test_the_stated_order_decides() -> None:
    found = find(("name", "person", "ID", "image", "file"))
    assert (found.label, found.file) == (2, 4)


def test_the_header_may_have_a_title_above_and_empty_rows() -> None:
    found = find((), ("", ""), ("Annotations of May",), ("File Name", "ID"), ("a.jpg", "1"))
    assert found.body == (("a.jpg", "1"),)
    assert (found.file_name, found.label_name) == ("File Name", "ID")


def test_columns_may_be_named() -> None:
    header = ("file", "ID", "Crop File", "Who")
    found = find(header, file="crop_file", label="Who")
    assert (found.file, found.label) == (2, 3)


def test_a_column_serves_once() -> None:
    found = find(("name", "person"), file="name")
    assert (found.file, found.label) == (0, 1)


def test_a_heading_as_written_goes_before_a_folded_one() -> None:
    assert find(("file", "id", "ID"), label="ID").label == 2


@pytest.mark.parametrize(
    ("header", "file", "label", "problem", "mend"),
    [
        (("file", "Mask"), None, None, "No column of people in labels.csv.", "It has file, Mask: pass --label-column."),
        (("No", "ID"), None, None, "No column with file names in labels.csv.", "It has No, ID: pass --file-column."),
        (("file", "ID"), "crop", None, "No column 'crop' in labels.csv.", "It has file, ID: pass --file-column."),
        (("file", "ID"), None, "who", "No column 'who' in labels.csv.", "It has file, ID: pass --label-column."),
    ],
)  # fmt: skip
def test_missing_columns_are_named(
    header: Header, file: str | None, label: str | None, problem: str, mend: str
) -> None:
    with pytest.raises(LabelsError) as caught:
        find(header, ("1", "2", "3"), file=file, label=label)
    assert (caught.value.problem, caught.value.mend) == (problem, mend)


def test_a_table_without_cells_is_empty() -> None:
    with pytest.raises(LabelsError, match="is empty"):
        find((), ("", " "))


def test_the_default_rules_apply_where_their_columns_are() -> None:
    with_both = rules_for(find(("File Name", "ID", "Mask")), "x", None)
    assert [(rule.text, rule.column, rule.value, rule.by_label) for rule in with_both] == [
        ("ID=0", 1, "0", True),
        ("Mask=Y", 2, "Y", False),
    ]
    assert rules_for(find(("file", "person")), "x", None) == ()
    assert rules_for(find(("file", "ID", "Mask")), "x", ()) == ()


def test_rules_that_make_no_sense_are_refused() -> None:
    columns = find(("file", "ID"))
    with pytest.raises(LabelsError, match=r"'Mask' is not a rule. Write it as COLUMN=VALUE"):
        rules_for(columns, "x", ("Mask",))
    with pytest.raises(LabelsError, match=r"No column 'Mask' in x, which --drop asks for. It has file, ID."):
        rules_for(columns, "x", ("Mask=Y",))


@pytest.mark.parametrize(
    ("rows", "file", "label"),
    [
        ([("id", "filename", "person"), ("1", "a.jpg", "Ada"), ("2", "b.jpg", "Ada")], "filename", "person"),
        ([("id", "filename", "name"), ("7", "a.jpg", "Ada"), ("7", "b.jpg", "Ada")], "filename", "id"),
        ([("image_id", "file_name", "category_id", "name"), ("1", "a.jpg", "7", "Ada")], "file_name", "name"),
        ([("id", "file", "person"), ("4", "a.jpg", "Ada"), ("4", "b.jpg", "Bob")], "file", "person"),
        ([("name", "image", "label"), ("a.jpg", "1", "Ada"), ("b.jpg", "2", "Ada")], "image", "label"),
        ([("image", "path", "id"), ("1", "x/a.jpg", "4"), ("2", "x/b.jpg", "4")], "path", "id"),
        ([("file", "path", "id"), ("a.jpg", "x/a.jpg", "4"), ("b.jpg", "x/b.jpg", "4")], "file", "id"),
        ([("No", "File", "ID", "Mask"), *((str(i), f"{i}.jpg", str(i), "N") for i in range(9))], "File", "ID"),
    ],
)  # fmt: skip
def test_a_column_is_taken_where_it_is_unmistakable(rows: list[Header], file: str, label: str) -> None:
    found = find(*rows)
    assert (found.file_name, found.label_name) == (file, label)


@pytest.mark.parametrize(
    ("rows", "problem", "mend"),
    [
        (
            [("label", "file", "name"), ("1", "a.jpg", "Ada"), ("1", "b.jpg", "Bob"), ("2", "c.jpg", "Bob")],
            "Several columns of labels.csv could hold people: label (1, 2); name (Ada, Bob).",
            "Say which: pass --label-column.",
        ),
        (
            [("id", "file", "who"), *((str(i), f"{i}.jpg", "AB"[i % 2]) for i in range(6))],
            "Several columns of labels.csv could hold people: id (0, 1, 2); who (A, B).",
            "Say which: pass --label-column.",
        ),
        (
            [("file", "photo", "id"), ("a.jpg", "x.jpg", "4"), ("b.jpg", "x.jpg", "4")],
            "Several columns of labels.csv could hold file names: file (a.jpg, b.jpg); photo (x.jpg).",
            "Say which: pass --file-column.",
        ),
    ],
)
def test_columns_that_contradict_each_other_are_asked_about(rows: list[Header], problem: str, mend: str) -> None:
    with pytest.raises(LabelsError) as caught:
        find(*rows)
    assert (caught.value.problem, caught.value.mend) == (problem, mend)
    assert find(*rows, file="file", label="id" if "id" in rows[0] else "name").file_name == "file"


def test_what_an_error_shows_of_a_table_is_its_header_in_short() -> None:
    rows = (("Our holidays", "", ""), ("picture", "who", "x" * 500), ("a.jpg", "Ann", "y"))
    for found in (find_names(rows, "a.csv"), find_columns(rows, "a.csv", "no such", None)):
        assert isinstance(found, LabelsError)
        assert f"It has picture, who, {'x' * 39}…" in found.mend
        assert "Ann" not in found.mend
    many = tuple(f"c{i}" for i in range(HEADINGS + 1))
    assert isinstance(error := find_names((many,), "a.csv"), LabelsError)
    assert f"c{HEADINGS - 1}, …" in error.mend
