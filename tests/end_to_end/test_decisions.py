"""Names and corrections as a user makes them, on the command line and in Python, with the real models."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import polars as pl

import unmingle as package
from unmingle.sources.names import MEETING_PATTERN
from unmingle.store.result_tables import FACES

if TYPE_CHECKING:
    from pathlib import Path

    from tests.command import Command

    from unmingle.demo import Meeting


def person_of(folder: Path, file: str) -> int | None:
    faces = pl.read_csv(folder / "faces.csv", schema_overrides=FACES)
    person: int | None = faces.filter(pl.col("file") == file)["person"][0]
    return person


def names(folder: Path) -> dict[int, str]:
    people = pl.read_csv(folder / "people.csv", schema_overrides={"name": pl.String})
    return {person: name for person, name in people.select("person", "name").iter_rows() if name}


def test_names_and_corrections_outlive_a_new_grouping(unmingle: Command, meeting: Meeting) -> None:
    out = unmingle.folder / "out"
    # Four frames a meeting are too few for names to be believed by themselves.
    group = ("cluster", meeting.faces, "-o", "out", "--quiet", "--name-pattern", MEETING_PATTERN)
    assert unmingle(*group).code == 0
    shown = json.loads(unmingle("people", "out", "--json").out)
    one, other, third = (row["person"] for row in shown[:3])
    face = shown[1]["first_file"]
    for words, answer in (
        (("name", "out", str(one), "Ada"), f"#2 Called Person {one} Ada. To take it back: unmingle undo out"),
        (("assign", "out", "Ada", face), "#3 1 face is Ada."),
        (("merge", "out", "Ada", str(third)), f"#4 Merged Person {third} into Ada"),
        (("reject", "out", "Ada", face), "#5 1 face is not Ada."),
        (("undo", "out"), "#6 Undid #5: 1 face is not Ada. To take it back: unmingle redo out"),
        (("undo", "out", "4"), "#7 Undid #4: Merged"),
        (("different", "out", "Ada", str(third)), f"#8 Ada and Person {third} are different people."),
        (("ignore", "out", "--person", str(third)), f"#9 Ignored Person {third}."),
    ):
        done = unmingle(*words)
        assert (done.code, done.err) == (0, "")
        assert done.out.startswith(answer), done.out
    assert names(out) == {one: "Ada"}
    assert person_of(out, face) == one
    assert third not in pl.read_csv(out / "people.csv")["person"].to_list()
    assert unmingle(*group, "--strictness", "strict").code == 0
    assert names(out) == {one: "Ada"}
    assert person_of(out, face) == one
    assert other in pl.read_csv(out / "people.csv")["person"].to_list()
    assert "ignored" in pl.read_csv(out / "faces.csv")["status"].to_list()
    log = unmingle("log", "out")
    assert log.out.index("Grouped the faces") < log.out.index("Ignored Person") < log.out.index("Called Person")
    assert log.out.count("undone") == 2


def test_what_cant_be_done_is_an_error_with_the_mend(unmingle: Command, meeting: Meeting) -> None:
    missing = unmingle("name", "nowhere", "1", "Ada")
    assert (missing.code, missing.out) == (1, "")
    assert "There is no library in nowhere." in missing.err
    assert unmingle("cluster", meeting.faces, "-o", "out", "--quiet").code == 0
    for words, problem in (
        (("name", "out", "99", "Ada"), "There is no person 99."),
        (("merge", "out", "1", "Nobody"), "There is no person 'Nobody'."),
        (("split", "out", "missing.jpg"), "There is no picture missing.jpg in the library."),
        (("undo", "out"), "There is nothing to undo."),
    ):
        done = unmingle(*words)
        assert (done.code, done.out) == (1, "")
        assert f"Error: {problem}" in done.err
        assert len(done.err.splitlines()) == 2
    assert unmingle("merge", "out", "1").code == 2


def test_the_same_in_python(meeting: Meeting, tmp_path: Path) -> None:
    library = package.open(tmp_path / "library")
    library.add(meeting.faces)
    library.cluster()
    largest = library.people["person"][0]
    said = library.name(largest, "Ada")
    assert (said.by, said.person, said.live) == ("person", largest, True)
    assert names(tmp_path / "library") == {largest: "Ada"}  # tables are brought in line at once
    for question in library.questions(most=3):
        library.answer(question, "unsure")
    library.add(meeting.faces)
    library.cluster()
    assert library.people.filter(pl.col("name") == "Ada")["person"].to_list() == [largest]
    assert library.log["words"][1] == f"Called Person {largest} Ada"
