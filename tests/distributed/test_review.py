"""People of a Ray cluster in a library of their own, and what was decided there."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.command import Command

    from unmingle.demo import Meeting

pytest.importorskip("ray")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


@pytest.mark.skipif("UNMINGLE_CLUSTER" not in os.environ, reason="takes a minute: UNMINGLE_CLUSTER=yes runs it")
def test_what_is_decided_of_people_counts_in_the_next_run(meeting: Meeting, tmp_path: Path, unmingle: Command) -> None:
    from unmingle.distributed.place import Place, read_all
    from unmingle.library import Library

    folder = tmp_path / "album"
    folder.mkdir()
    crops = sorted(meeting.faces.glob("*.jpg"))[:37]
    for crop in crops[:36]:
        (folder / crop.name).write_bytes(crop.read_bytes())
    run = ("cluster", folder, "-o", "parts", "--ray", "local", "--threads", "1", "--json")
    first = json.loads(unmingle(*run).out)
    place = Place(str(tmp_path / "parts"))
    before = {row["face"]: row["person"] for row in read_all(place, "assignment")}

    done = unmingle("import", "parts", "-o", "some", "--people", "1-3")
    assert done.code == 0, done.err
    library = Library(tmp_path / "some")
    sizes = dict(library.people.select("person", "faces").iter_rows())
    assert sizes == {person: list(before.values()).count(person) for person in (1, 2, 3)}
    library.name(1, "Anna")
    library.merge(1, 2)
    odd = library.faces.filter(library.faces["person"] == 3)["file"].to_list()[0]
    split = library.split([f"{odd}"])
    assert split.person is not None
    assert split.person > max(before.values())
    handed = unmingle("export", "some", "--to", "decisions", "-o", "parts")
    assert handed.code == 0, handed.err

    (folder / crops[36].name).write_bytes(crops[36].read_bytes())
    second = json.loads(unmingle(*run).out)
    assert (second["known"], second["files"]) == (first["files"], first["files"] + 1)
    after = {row["face"]: row["person"] for row in read_all(place, "assignment")}
    people = {row["person"]: row for row in place.read("people.parquet").to_pylist()}
    assert people[1]["name"] == "Anna"
    assert people[1]["faces"] >= sizes[1] + sizes[2]
    assert 2 not in people
    assert people[split.person]["faces"] == 1
    changed = {face for face in before if after.get(face) != {2: 1}.get(before[face], before[face])}
    assert {after[face] for face in changed} == {split.person}  # everybody else kept the number
    again = unmingle("import", "parts", "-o", "anna", "--names", "Anna", "--json")
    assert again.code == 0, again.err
    assert json.loads(again.out)["people"] == 1
    assert Library(tmp_path / "anna").people["name"].to_list() == ["Anna"]
    all_of = unmingle("import", "parts", "-o", "files", "--files", "*")
    assert all_of.code == 0, all_of.err
    assert unmingle("import", "parts", "-o", "anna", "--people", "1").code == 1
    assert unmingle("export", "anna", "--to", "decisions", "-o", "elsewhere").code == 1
