"""People and faces as objects, and how they show themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

import unmingle
from unmingle.api import Identified, Summary
from unmingle.decisions.asking import Question, Side
from unmingle.errors import LibraryError
from unmingle.store.result_tables import FACES, INTERVALS

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Set


def test_a_person_is_found_by_id_and_by_name(pictures: Set) -> None:
    library = pictures.named()
    ben = library.person("Ben")
    assert ben == library.person(ben.id)
    assert (ben.name, ben.count, ben.unsure) == ("Ben", 8, 0)
    assert repr(ben).startswith(f"Person(id={ben.id}, name='Ben', count=8, cohesion=0.")
    assert ben.faces.columns == list(FACES)
    assert ben.faces.height == 8
    assert set(ben.faces["person"]) == {ben.id}
    assert ben.intervals.columns == list(INTERVALS)
    assert ben.intervals.height == 0
    assert [one.size for one in ben.thumbnails(most=3)] == [(112, 112)] * 3
    assert len(ben.thumbnails()) == 8
    assert ben.sheet.size[0] > 500
    with pytest.raises(LibraryError, match="no person 'Nobody'"):
        library.person("Nobody")
    with pytest.raises(LibraryError, match="no person 99"):
        library.person(99)


def test_a_face_is_found_as_decisions_name_it(pictures: Set) -> None:
    library = pictures.named()
    face = library.find_face("party1.jpg#1")
    row = library.faces.filter((library.faces["file"] == "2020/party1.jpg") & (library.faces["face"] == 1)).row(
        0, named=True
    )
    assert face.file == "2020/party1.jpg"
    assert face.box == (row["left"], row["top"], row["width"], row["height"])
    assert (face.person, face.name, face.status, face.reason) == (row["person"], "", row["status"], row["reason"])
    assert face.probability is not None
    assert face.thumbnail is not None
    assert face.thumbnail.size == (112, 112)
    assert library.find_face(face.id) == face
    library.ignore(faces=["party1.jpg#1"])
    ignored = library.find_face(face.id)
    assert (ignored.person, ignored.status, ignored.reason) == (None, "ignored", "a person said so")
    for wrong in ("party1.jpg#7", "nowhere.jpg", 10**6):
        with pytest.raises(LibraryError):
            library.find_face(wrong)


def test_embeddings_come_with_their_faces(pictures: Set) -> None:
    library = pictures.named()
    table = library.embeddings
    vectors_nd = table["vector"].to_numpy()
    assert vectors_nd.shape == (24, 64)
    assert vectors_nd.dtype == np.float32
    keys = ["source", "file", "frame", "face"]
    joined = library.faces.join(table, on=[*keys, "person"], nulls_equal=True)
    assert joined.height == 24
    # They are as they were put in: alike within a person.
    unit_nd = vectors_nd / np.linalg.norm(vectors_nd, axis=1, keepdims=True)
    person_n = table["person"].to_numpy()
    similarity_nn = np.where(np.eye(24, dtype=bool), -1, unit_nd @ unit_nd.T)
    assert np.array_equal(person_n[similarity_nn.argmax(axis=1)], person_n)


def test_a_library_without_faces_has_no_embeddings(tmp_path: Path) -> None:
    from tests.made_library import Shot, library, take

    shots = [Shot("wall.jpg", (), ())]
    take(tmp_path / "pictures", shots)
    empty = library(tmp_path / "library", tmp_path / "pictures", shots)
    assert empty.embeddings.is_empty()
    assert empty.embeddings.columns[-1] == "vector"
    assert "0 people" in empty._repr_html_()


def test_a_library_shows_its_people(pictures: Set) -> None:
    library = pictures.named()
    library.name("Ben", "<script>alert(1)</script>")
    page = library._repr_html_()
    assert "3 people" in page
    assert "24 faces of theirs in 16 files" in page
    assert page.count("<img") == 24
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "Zoë &amp; &lt;Åse&gt;" in page
    ignored = library.person("Zoë & <Åse>")
    library.ignore(ignored.id)
    assert "2 people" in library._repr_html_()
    assert "16 faces of theirs" in library._repr_html_()


def test_a_person_and_a_face_show_themselves(pictures: Set) -> None:
    library = pictures.named()
    person = library.person("Zoë & <Åse>")
    page = person._repr_html_()
    assert f"person {person.id}, 8 faces, cohesion" in page
    assert page.count("data:image/jpeg;base64,") == 8
    face = library.find_face("party1.jpg")._repr_html_()
    assert "Zoë &amp; &lt;Åse&gt;" in face
    assert face.count("<img") == 1
    assert "clustered" in face
    sheet = library.show(person.id)
    assert sheet._repr_jpeg_().startswith(b"\xff\xd8")


def test_what_there_is_not_is_told(tmp_path: Path) -> None:
    nothing = unmingle.open(tmp_path / "<b>nothing")
    page = nothing._repr_html_()
    assert "&lt;b&gt;nothing" in page
    assert "unmingle cluster" in page


def test_a_page_is_no_longer_for_more_faces(tmp_path: Path) -> None:
    """Ten people and eight faces of each are shown, whoever else is there."""
    from tests.made_library import Shot, library, take

    whose = [*[0] * 50, *[who for who in range(1, 12) for _ in range(9)]]
    shots = [Shot(f"{i}.png", (who,), ((150, 90, 90, 100),)) for i, who in enumerate(whose)]
    take(tmp_path / "pictures", shots)
    many = library(tmp_path / "library", tmp_path / "pictures", shots)
    page = many._repr_html_()
    assert page.count("<img") == 80
    assert "The largest 10 are shown" in page
    largest = many.person(int(many.people["person"][0]))
    assert largest.count > 24
    assert "24 shown" in largest._repr_html_()
    assert largest._repr_html_().count("<img") == 24


def test_a_question_shows_both_sides(pictures: Set) -> None:
    library = pictures.named()
    one, other = library.person("Ben"), library.person("Zoë & <Åse>")
    ids = [tuple(row for (row,) in _members(library.folder, person)) for person in (one.id, other.id)]
    one_side, other_side = (
        Side(who.id, who.name, faces, faces[:3]) for who, faces in zip((one, other), ids, strict=True)
    )
    asked = Question("id", "people", "Are Ben and <Zoë> one person?", one_side, other_side, 0.4, 8, library._jpegs)
    page = asked._repr_html_()
    assert "Are Ben and &lt;Zoë&gt; one person?" in page
    assert page.count("<img") == 6
    assert "probability 0.40, settles 8 faces" in page
    assert "jpegs" not in repr(asked)
    (library.folder / "library.sqlite").unlink()
    assert "<img" not in asked._repr_html_()
    alone = Question("id", "people", "", one_side, other_side, 0.4, 8)
    assert "<img" not in alone._repr_html_()
    assert alone == Question("id", "people", "", one_side, other_side, 0.4, 8, library._jpegs)


def _members(folder: Path, person: int) -> list[tuple[int]]:
    from unmingle.store.sqlite import open_to_read

    with open_to_read(folder) as store:
        rows: list[tuple[int]] = store.connection.execute(
            "SELECT face FROM member WHERE person = ?", (person,)
        ).fetchall()
    return rows


def test_questions_of_a_library_bring_their_pictures(pictures: Set) -> None:
    library = pictures.named()
    for asked in library.questions():
        assert asked.jpegs is not None
        assert "<img" in asked._repr_html_()


def test_whose_face_it_is_is_shown_with_the_face(tmp_path: Path) -> None:
    path = tmp_path / "<i>new.png"
    Image.new("RGB", (200, 100), "teal").save(path)
    known = Identified(path, (20.0, 30.0, 40.0, 50.0), 3, 3, 0.61, 0.99)
    page = known._repr_html_()
    assert "Person 3" in page
    assert "&lt;i&gt;new.png" in page
    assert page.count("<img") == 1
    stranger = Identified(path, (20.0, 30.0, 40.0, 50.0), None, None, 0.1, 0.01)
    path.unlink()
    assert "nobody of the library" in stranger._repr_html_()
    assert "<img" not in stranger._repr_html_()


def test_a_summary_shows_what_was_left_out() -> None:
    left_out = tuple(("low_quality", f"too small {i}", 1000 + i) for i in range(50))
    page = Summary(9000, 8000, 1, 7000, left_out, {"read": 1.25}, {})._repr_html_()
    assert "1 person" in page
    assert "8,000 faces in 9,000 files" in page
    assert page.count("too small") == 12
    assert "1,000" in page
    assert "read 1.2 s" in page
    assert "left out as" not in Summary(1, 1, 1, 1, (), {}, {})._repr_html_()
