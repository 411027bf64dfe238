import os
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.evaluation.tables import face, table

from unmingle.errors import LabelsError
from unmingle.evaluation.labels import Contradiction, Dropped, LabelOptions, Labels, folder_labels, read_labels
from unmingle.evaluation.scores import evaluate


def labelled(**files: str) -> Labels:
    return Labels("x.csv", tuple(f"{name}.jpg" for name in files), tuple(files.values()))


def test_perfect_is_one_everywhere() -> None:
    faces = table(*(face(f"m_{i:04d}_0.jpg", i % 3, meeting="m") for i in range(12)))
    labels = Labels("x", tuple(f"m_{i:04d}_0.jpg" for i in range(12)), tuple("pqr"[i % 3] for i in range(12)))
    found = evaluate(faces, labels)
    scores = found.scores
    ones = [scores.accuracy, scores.weighted_f1, scores.macro_f1, scores.pairwise.f1, scores.bcubed.f1]
    assert [*ones, scores.ari, scores.ami, scores.v_measure, scores.coverage] == pytest.approx([1.0] * 9)
    assert (scores.people_found, scores.people_true, found.people_in_library) == (3, 3, 3)
    assert found.join.rows_without_file == found.join.files_without_row == ()
    assert set(found.faces["outcome"]) == {"right"}
    assert found.meetings == (("m", scores),)


@given(st.permutations(range(6)), st.permutations(range(6)))
def test_neither_the_order_of_faces_nor_of_rows_matters(of_faces: list[int], of_rows: list[int]) -> None:
    people, names = [4, 4, 4, 1, 1, None], "aaabbb"
    faces = table(*(face(f"{i}.jpg", people[i]) for i in of_faces))
    labels = Labels("x", tuple(f"{i}.jpg" for i in of_rows), tuple(names[i] for i in of_rows))
    scores = evaluate(faces, labels).scores
    assert (scores.accuracy, dict(scores.mapping)) == (5 / 6, {4: "a", 1: "b"})


def test_every_outcome() -> None:
    faces = table(
        *(face(f"a{i}.jpg", 0) for i in range(3)),
        *(face("b0.jpg", 1), face("b1.jpg", 1), face("b2.jpg", 0), face("b3.jpg", 2), face("b4.jpg", None)),
    )
    found = evaluate(faces, labelled(a0="a", a1="a", a2="a", b0="b", b1="b", b2="b", b3="b", b4="b"))
    assert dict(zip(found.faces["file"], found.faces["outcome"], strict=True)) == {
        **dict.fromkeys(["a0.jpg", "a1.jpg", "a2.jpg", "b0.jpg", "b1.jpg"], "right"),
        "b2.jpg": "confused",
        "b3.jpg": "elsewhere",
        "b4.jpg": "left_out",
    }
    assert found.scores.accuracy == 5 / 8
    assert (found.scores.people_found, found.people_in_library) == (2, 2)


def our_table(path: Path, *rows: dict[str, Any]) -> Path:
    """A `faces.csv` with such rows."""
    table(*rows).drop("meeting").write_csv(path)
    return path


def spot(file: str, number: int | None, person: int | None, left: float, **more: Any) -> dict[str, Any]:
    return face(file, person, face=number, left=left, top=0.0, **more)


PARTY = (
    *(spot("a.jpg", number, person, 20.0 * number) for number, person in enumerate((1, 2, None))),
    *(spot("b.jpg", number, person, 20.0 * number) for number, person in enumerate((1, 3))),
    spot("c.jpg", None, None, 0.0),
    *(spot("m.mp4", 0, person, 0.0, frame=frame) for frame, person in ((0, 2), (30, 1))),
)


def test_our_own_table_corrected_by_hand_is_scored_face_by_face(tmp_path: Path) -> None:
    names = ("Ada", "Bob", "Cy", "Ada", "Bob", "Ada", "Bob", "Ada")
    rows = [row | {"name": name} for row, name in zip(PARTY, names, strict=True)]
    labels = read_labels(our_table(tmp_path / "faces.csv", *rows[:-1]), LabelOptions(label_column="name"))
    assert labels.files[:2] == ("/s/a.jpg, face 0", "/s/a.jpg, face 1")
    assert labels.files[-1] == "/s/m.mp4, frame 0, face 0"
    found = evaluate(table(*PARTY), labels)
    assert found.faces.select("file", "frame", "face", "label", "outcome").rows() == [
        ("a.jpg", None, 0, "Ada", "right"),
        ("a.jpg", None, 1, "Bob", "right"),
        ("a.jpg", None, 2, "Cy", "left_out"),
        ("b.jpg", None, 0, "Ada", "right"),
        ("b.jpg", None, 1, "Bob", "elsewhere"),
        ("c.jpg", None, None, "Ada", "left_out"),
        ("m.mp4", 0, 0, "Bob", "right"),
    ]
    assert (found.join.other_faces, found.join.files_without_row, found.join.rows_without_file) == (1, (), ())
    with pytest.raises(LabelsError, match="could hold people: person"):  # which of them is what was corrected?
        read_labels(tmp_path / "faces.csv", LabelOptions())


def test_labels_of_faces_are_of_those_that_are_there_whatever_their_numbers(tmp_path: Path) -> None:
    renumbered = [row | {"face": (row["face"] + 1) % 3, "name": str(row["person"])} for row in PARTY[:2]]
    gone = spot("a.jpg", 0, 9, 500.0, name="9"), spot("d.jpg", 0, 9, 0.0, name="9")
    labels = read_labels(our_table(tmp_path / "faces.csv", *renumbered, *gone), LabelOptions(label_column="name"))
    found = evaluate(table(*PARTY), labels)
    assert found.faces.select("file", "face", "label").rows() == [("a.jpg", 0, "1"), ("a.jpg", 1, "2")]
    assert found.join.rows_without_file == ("/s/a.jpg, face 0", "/s/d.jpg, face 0")


def test_a_face_of_another_frame_or_in_shares_of_its_picture(tmp_path: Path) -> None:
    rows = PARTY[0] | {"left": 0.1, "width": 0.2, "height": 0.2}, PARTY[-2], PARTY[-2] | {"frame": 60}
    named = [row | {"name": str(row["person"])} for row in rows]
    labels = read_labels(our_table(tmp_path / "faces.csv", *named), LabelOptions(label_column="name"))
    found = evaluate(table(*PARTY[:-1]), labels)
    assert found.faces.select("file", "frame", "face").rows() == [("a.jpg", None, 0), ("m.mp4", 0, 0)]
    assert found.join.rows_without_file == ("/s/m.mp4, frame 60, face 0",)


def test_a_column_of_faces_tells_them_apart_where_a_picture_has_several(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("file,face,who,ID\na.jpg,1,x,Bob\na.jpg,0,y,Ada\na.jpg,7,y,Cy\nb.jpg,1,x,Bob\n")
    found = evaluate(table(*PARTY), read_labels(tmp_path / "a.csv", LabelOptions()))
    told = [("a.jpg", 1, "Bob"), ("a.jpg", 0, "Ada"), ("b.jpg", 1, "Bob")]
    assert found.faces.select("file", "face", "label").rows() == told
    assert found.join.rows_without_file == ("a.jpg, face 7",)
    assert found.join.files_without_row == ("c.jpg", "m.mp4")
    (tmp_path / "a.csv").write_text("file,face,ID\na.jpg,1,Ada\nb.jpg,7,Ada\n")  # of crops, their number in a frame
    found = evaluate(table(*PARTY), read_labels(tmp_path / "a.csv", LabelOptions()))
    assert found.faces.select("file", "face").rows() == [("a.jpg", 0), ("b.jpg", 0)]


@pytest.mark.parametrize(
    ("numbers", "missed"),
    [
        ("1234567", ()),  # over all crops, one of which is there twice: from 1
        ("0123456", ()),  # from 0
        ("1111110", ("5.jpg, face 1",)),  # whether it is a face
        ("0120129", ("5.jpg, face 2", "5.jpg, face 9")),  # in a frame
    ],
)
def test_a_column_of_faces_that_means_something_else_loses_no_crop(
    tmp_path: Path, numbers: str, missed: tuple[str, ...]
) -> None:
    crops = table(*(face(f"{i}.jpg", i % 2) for i in range(6)))
    rows = [f"{i}.jpg,{number},{'xy'[i % 2]}" for i, number in zip((*range(6), 5), numbers, strict=True)]
    (tmp_path / "a.csv").write_text("\n".join(["file,face,ID", *rows]))
    found = evaluate(crops, read_labels(tmp_path / "a.csv", LabelOptions()))
    assert found.faces["file"].to_list()[:5] == [f"{i}.jpg" for i in range(5)]
    assert found.join.rows_without_file == missed


@pytest.mark.parametrize("first", [(1, 1), (0, 3)])
def test_faces_that_are_counted_from_one_or_over_all_pictures_are_not_taken_for_ours(
    tmp_path: Path, first: tuple[int, int]
) -> None:
    rows = [f"{file}.jpg,{at + i},{'xyz'[i]}" for file, at in zip("ab", first, strict=True) for i in range(2)]
    (tmp_path / "a.csv").write_text("\n".join(["file,face,ID", *rows]))
    with pytest.raises(LabelsError, match="disagree about each of 2 files"):
        read_labels(tmp_path / "a.csv", LabelOptions())


def test_what_does_not_join_is_counted_and_listed() -> None:
    labels = Labels(
        "x",
        files=("a.jpg", "gone.jpg", "1.jpg"),
        labels=("p", "p", "q"),
        dropped=(
            Dropped("mask.jpg", "p", "Mask=Y", by_label=False),
            Dropped("away.jpg", "p", "Mask=Y", by_label=False),
        ),
        contradictions=(Contradiction("two.jpg", ("p", "q")),),
        unlabelled=("none.jpg",),
        duplicates=("a.jpg",),
        empty_rows=3,
        nameless_rows=2,
        rules=("ID=0", "Mask=Y"),
    )
    files = ["a.jpg", "mask.jpg", "two.jpg", "none.jpg", "unnamed.jpg", "x/1.jpg", "y/1.jpg"]
    join = evaluate(table(*(face(file, 0) for file in files)), labels).join
    assert join.rows_without_file == ("gone.jpg", "away.jpg")
    assert join.ambiguous == ("1.jpg",)
    assert join.files_without_row == ("unnamed.jpg", "x/1.jpg", "y/1.jpg")
    assert join.contradictions == (("two.jpg", ("p", "q")),)
    assert (join.unlabelled, join.duplicates, join.empty_rows, join.nameless_rows) == (("none.jpg",), ("a.jpg",), 3, 2)
    assert [(one.rule, one.files, one.joined, one.statuses) for one in join.dropped] == [
        ("ID=0", 0, 0, ()),
        ("Mask=Y", 2, 1, (("clustered", 1),)),
    ]


def test_non_faces_and_faces_set_aside() -> None:
    dropped = tuple(Dropped(f"n{i}.jpg", "0", "ID=0", by_label=True) for i in range(4))
    masked = Dropped("mask.jpg", "1", "Mask=Y", by_label=False)
    labels = Labels("x", ("a.jpg", "b.jpg"), ("p", "p"), dropped=(*dropped, masked), rules=("ID=0", "Mask=Y"))
    faces = table(
        *(face("n0.jpg", None), face("n1.jpg", None), face("n2.jpg", 5), face("n3.jpg", None, status="unreadable")),
        *(face("mask.jpg", None), face("a.jpg", 1), face("b.jpg", None)),
    )
    aside = evaluate(faces, labels).set_aside
    assert (aside.nonfaces, aside.nonfaces_set_aside, aside.nonface_recall) == (4, 2, 0.5)
    assert (aside.faces, aside.faces_set_aside, aside.face_loss) == (2, 1, 0.5)
    assert evaluate(faces, labelled(a="p")).set_aside.nonface_recall is None


def test_the_label_belongs_to_the_main_face_of_its_file() -> None:
    faces = table(
        face("a.jpg", 1, face=1, width=20.0, height=10.0, score=0.9),
        face("a.jpg", 2, face=0, width=10.0, height=10.0, score=0.6),  # what the picture is about, not what is sure
        face("a.jpg", 3, face=2, width=None, height=None, score=None),
        face("b.jpg", 2),
        face("b.jpg", 7, face=1),
    )
    found = evaluate(faces, labelled(a="p", b="p"))
    assert found.faces["person"].to_list() == [2, 2]
    assert found.join.other_faces == 3


def test_folders_of_several_sources() -> None:
    faces = table(
        face("1.jpg", 0, source="/d/anna"), face("1.jpg", 1, source="/d/ben"), face("2.jpg", 1, source="/d/ben")
    )
    labels = folder_labels(faces["file"].to_list(), sources=faces["source"].to_list())
    found = evaluate(faces, labels)
    assert found.scores.accuracy == 1.0
    assert dict(found.scores.mapping) == {0: "anna", 1: "ben"}


def test_files_of_one_name_are_listed_with_their_source() -> None:
    faces = table(face("1.jpg", 0, source="/d/anna"), face("1.jpg", 1, source="/d/ben"), face("2.jpg", 1))
    join = evaluate(faces, Labels("x", ("2.jpg",), ("p",))).join
    assert join.files_without_row == ("/d/anna/1.jpg", "/d/ben/1.jpg")


def test_meetings_are_scored_on_their_own() -> None:
    # One person is cluster 0 in the first meeting and cluster 1 in the second: whole in each, broken over both.
    faces = table(
        *(face(f"m{m}_000{i}_0.jpg", m, meeting=f"m{m}") for m in (2, 10) for i in range(3)), face("m3_0001_0.jpg", 2)
    )
    labels = Labels("x", tuple(faces["file"].to_list()), ("p",) * 7)
    found = evaluate(faces, labels)
    assert [(name, scores.accuracy) for name, scores in found.meetings] == [("m2", 1.0), ("m10", 1.0)]
    assert found.scores.accuracy == 4 / 7
    assert evaluate(faces.drop("meeting"), labels).meetings == ()


def test_nothing_that_joins_is_an_error_that_shows_both_sides() -> None:
    with pytest.raises(LabelsError) as caught:
        evaluate(table(face("a/b.png", 0)), Labels("x.csv", ("a/b.jpg",), ("p",), file_column="File"))
    assert caught.value.problem == "None of the 1 labelled names in x.csv is a file of the library."
    assert caught.value.mend == "The labels of 'File' have 'a/b.jpg', the library 'a/b.png': compare the names."
    with pytest.raises(LabelsError, match="the library nothing"):
        evaluate(table(), Labels("x.csv", ("a/b.jpg",), ("p",)))
    dropped = (Dropped("a", "0", "ID=0", by_label=True),)
    with pytest.raises(LabelsError, match="Every row of x is dropped by a rule"):
        evaluate(table(face("a", 0)), Labels("x", (), (), dropped=dropped))


def test_the_table_as_csv_brings_it_back(tmp_path: Path) -> None:
    faces = table(face("a.jpg", None), face("b.jpg", None))
    faces.write_csv(tmp_path / "faces.csv")  # a column without a value comes back as text
    found = evaluate(pl.read_csv(tmp_path / "faces.csv"), labelled(a="p", b="p"))
    assert found.scores.left_out == 2


@pytest.mark.skipif("UNMINGLE_DATA" not in os.environ, reason="UNMINGLE_DATA does not point to the development data")
def test_the_development_data_joins() -> None:
    folder = Path(os.environ["UNMINGLE_DATA"]) / "meeting"
    labels = read_labels(folder / "annotations.xlsx", LabelOptions())
    truth = dict(zip(labels.files, labels.labels, strict=True))

    def person(name: str) -> int | None:
        return int(truth[name]) if name in truth else None

    names = sorted(path.name for path in (folder / "faces").iterdir())
    found = evaluate(table(*(face(name, person(name), meeting=name.partition("_")[0]) for name in names)), labels)
    assert found.scores.accuracy == 1.0
    assert len(found.meetings) == 2
    assert (len(found.join.rows_without_file), len(found.join.files_without_row)) == (6, 12)
    assert (found.set_aside.nonfaces, found.set_aside.nonface_recall) == (110, 1.0)
