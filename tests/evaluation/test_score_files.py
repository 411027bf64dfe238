import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from tests.evaluation.tables import evaluated, face, table

from unmingle.cli.evaluating import print_evaluation
from unmingle.errors import WriteError
from unmingle.evaluation.labels import Contradiction, Dropped, Labels
from unmingle.evaluation.score_files import WORST, as_json, as_table, some
from unmingle.evaluation.scores import Evaluation, evaluate
from unmingle.render.figures import write_evaluation


def evaluation(*, perfect: bool = False) -> Evaluation:
    people = [0, 0, 0, 1, 1, 1] if perfect else [0, 0, 1, 1, 1, None]
    files = [f"m{i % 2}_000{i}_0.jpg" for i in range(6)]
    rows = [face(file, person, meeting=file[:2]) for file, person in zip(files, people, strict=True)]
    faces = table(*rows, face("none.jpg", None), face("new\nline.jpg", None))
    labels = Labels(
        "labels.csv",
        (*files, "gone.jpg"),
        ("ö", "ö", "ö", "b", "b", "b", "b"),
        dropped=(Dropped("none.jpg", "0", "ID=0", by_label=True),),
        contradictions=(Contradiction("two.jpg", ("1", "2")),),
        empty_rows=8,
        file_column="File",
        label_column="ID",
        rules=("ID=0", "Mask=Y"),
        note="utf-8",
    )
    return evaluate(faces, labels)


def grey(row: dict[str, Any]) -> NDArray[np.uint8]:
    return np.full((10, 10, 3), 90, np.uint8)


def test_everything_is_written(tmp_path: Path) -> None:
    files = write_evaluation(evaluation(), tmp_path / "deep" / "report", crop=grey)
    assert [file.name for file in files] == ["evaluation.json", "evaluation.csv", "confusion.png", "mistakes.png"]
    assert all(file.stat().st_size for file in files)


def test_a_perfect_result_has_no_sheet_of_mistakes(tmp_path: Path) -> None:
    write_evaluation(evaluation(), tmp_path, crop=grey)
    files = write_evaluation(evaluation(perfect=True), tmp_path, crop=grey)
    assert len(files) == 3
    assert not (tmp_path / "mistakes.png").exists(), "the sheet of the run before is still there"


def test_the_json_holds_scores_counts_and_lists() -> None:
    document = json.loads(as_json(evaluation()))
    assert list(document) == [
        *("format", "versions", "left_out_rule", "labels", "scores", "people_in_library", "set_aside", "join"),
        *("people", "meetings"),
    ]
    assert document["scores"]["accuracy"] == pytest.approx(4 / 6)
    assert document["scores"]["bcubed"].keys() == {"precision", "recall", "f1"}
    assert document["scores"]["mapping"] == [{"cluster": 0, "label": "ö"}, {"cluster": 1, "label": "b"}]
    assert document["set_aside"]["nonface_recall"] == 1.0
    assert document["join"]["rows_without_file"] == {"count": 2, "names": ["gone.jpg", "two.jpg"]}
    assert document["join"]["files_without_row"] == {"count": 1, "names": ["new\nline.jpg"]}
    assert document["join"]["contradictions"] == {"count": 1, "names": [{"file": "two.jpg", "says": ["1", "2"]}]}
    assert document["join"]["dropped"][0] == {"rule": "ID=0", "files": 1, "joined": 1, "statuses": {"not_a_face": 1}}
    assert document["join"]["empty_rows"] == 8
    assert [meeting["meeting"] for meeting in document["meetings"]] == ["m0", "m1"]
    assert document["people"][0]["confused_with"] == [{"label": "ö", "faces": 1}]
    assert document["versions"]["unmingle"]


def test_the_csv_has_one_row_per_person(tmp_path: Path) -> None:
    write_evaluation(evaluation(), tmp_path)
    with (tmp_path / "evaluation.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["label"], row["size"], row["cluster"], row["confused_with"]) for row in rows] == [
        ("b", "3", "1", "ö (1)"),
        ("ö", "3", "0", "b (1)"),
    ]


def test_the_table_for_the_terminal() -> None:
    rows = dict(as_table(evaluation()))
    assert rows["Accuracy"] == "0.6667; 0.8000 without the left-out faces"
    assert rows["People"] == "2 found, 2 true; 2 in the library"
    assert rows["Dropped, ID=0"] == "1 (1 not a face)"
    assert rows["Dropped, Mask=Y"] == "0"
    assert rows["Non-faces set aside"] == "1 of 1 (100.0%)"
    assert rows["Rows without a file"] == "2: gone.jpg, two.jpg"
    assert rows["Files without a row"] == r"1: 'new\nline.jpg'"
    assert rows["Contradictory rows"] == "1: two.jpg (1, 2)"
    assert rows["Duplicate rows"] == "0"
    assert "Ambiguous names" not in rows
    assert rows["Meeting m0"].startswith("accuracy 0.6667")
    assert "wrong in accuracy" in rows["Left-out faces"]


def test_a_rule_that_dropped_nothing_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    print_evaluation(evaluation())
    shown = capsys.readouterr().out
    assert "Dropped, Mask=Y" in shown
    assert "Duplicate rows" not in shown


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "report").write_text("a file is in the way")
    with pytest.raises(WriteError, match="can't be written"):
        write_evaluation(evaluation(), tmp_path / "report")


def test_it_shows_itself_in_a_notebook_and_in_a_terminal() -> None:
    found = evaluation()
    page = found._repr_html_()
    assert f"Accuracy {found.scores.accuracy:.4f}" in page
    assert "confused with" in page
    assert "ö (1)" in page
    assert repr(found).startswith("Evaluation(faces=6, people_found=2, people_true=2, accuracy=")
    assert len(repr(found)) < 200


def test_the_same_numbers_as_tables(tmp_path: Path) -> None:
    found = evaluation()
    write_evaluation(found, tmp_path)
    written = pl.read_csv(tmp_path / "evaluation.csv", schema_overrides=found.per_person.schema)
    assert found.per_person.with_columns(pl.col("confused_with").replace("", None)).equals(written)
    shown = found.confusion
    assert shown.columns == ["label", "b", "ö", "nobody's cluster", "left out"]
    assert shown["label"].to_list() == ["b", "ö"]
    counts = dict(zip(shown["label"], shown.drop("label").iter_rows(), strict=True))
    assert counts == {"b": (2, 0, 0, 1), "ö": (1, 2, 0, 0)}


def test_people_may_be_called_like_the_columns() -> None:
    names = ("left out", "nobody's cluster", "label")
    found = evaluated(*zip(names, (1, 2, None), (0.5,) * 3, strict=True))
    shown = found.confusion
    assert shown.columns[-2:] == ["nobody's cluster", "left out"]
    assert sorted(shown["label"]) == sorted(names)
    assert shown["left out"].sum() == 1


def test_only_the_worst_people_are_shown() -> None:
    count = 60
    found = evaluated(*((str(i), i, 0.5) for i in range(count)))
    assert f"The worst {WORST} of {count} people." in found._repr_html_()


def test_names_that_can_be_seen_are_shown_as_they_are() -> None:
    assert some(["نیم\u200cفاصله.jpg", "a\u3000b"]) == "2: نیم\u200cفاصله.jpg, a\u3000b"
    assert some(["a\u202eb"]) == r"1: 'a\u202eb'"
