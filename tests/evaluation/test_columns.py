import pytest

from unmingle.errors import LabelsError
from unmingle.evaluation.columns import Columns, find_columns, rules_for

Header = tuple[str, ...]


def find(*rows: Header, file: str | None = None, label: str | None = None) -> Columns:
    return find_columns(rows, "labels.csv", file, label)


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
        (("file", "Mask"), None, None, "No column 'ID' in labels.csv.", "It has file, Mask: pass --label-column."),
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
