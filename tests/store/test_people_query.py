"""Looking at people a page at a time, what was left out, and one face closely."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
from tests.store.conftest import Album

from unmingle.store.face_query import count_faces, face_detail, faceless_files, left_out_groups, lone_faces, original
from unmingle.store.people_query import (
    COVERS,
    covers_of,
    face_cards,
    faces_of,
    last_clustering,
    member_rows,
    owners,
    people,
)
from unmingle.store.result_tables import faces_table, spread_faces, thumbnail_of
from unmingle.store.sqlite import open_to_read, open_to_write

if TYPE_CHECKING:
    from pathlib import Path

RECIPE = "faces-test"  # of the albums


def test_people_are_counted_as_the_table_counts_them(album: Album) -> None:
    with open_to_read(album.library.folder) as store:
        found = {one.person: one.faces for one in people(store)}
        assert people(store, [1, 999]) == [one for one in people(store) if one.person == 1]
        assert people(store, []) == []
    assert found == dict(album.library.people.select("person", "faces").iter_rows())


def test_unsure_and_new_faces_are_counted(album: Album) -> None:
    ada = album.person("a")
    with open_to_write(album.library.folder) as store, store.transaction() as connection:
        connection.execute("UPDATE member SET probability = 1")
        connection.execute("UPDATE member SET probability = 0.5 WHERE person = ? AND face % 2 = 0", (ada,))
        connection.execute("UPDATE member SET probability = NULL WHERE person = ? AND face % 2 = 1", (ada,))
    with open_to_read(album.library.folder) as store:
        (one,) = people(store, [ada])
        assert last_clustering(store) == -1  # all are new, so none is
    assert (one.unsure, one.new, one.ignored, one.name) == (4, 0, False, "")
    album.library.name(ada, "Ada")
    album.library.assign([f"a{number:04}.jpg" for number in (0, 1, 2, 3)], ada)
    with open_to_read(album.library.folder) as store:
        (one,) = people(store, [ada])
    assert (one.unsure, one.name) == (2, "Ada")
    album.add([0, 0])
    album.cluster()
    album.library.ignore(ada)
    with open_to_read(album.library.folder) as store:
        (one,) = people(store, [ada])
        cards = face_cards(store, [face for face, who in owners(store, range(1, 99)).items() if who == ada])
    assert (one.new, one.ignored) == (2, True)
    assert sum(card.new for card in cards) == 2


def test_the_faces_of_a_person_in_each_order(album: Album) -> None:
    ada = album.person("a")
    with open_to_write(album.library.folder) as store, store.transaction() as connection:
        connection.execute("UPDATE face SET quality = (id * 7 % 11) / 11.0")
        connection.execute("UPDATE member SET probability = (face * 5 % 13) / 13.0")
        connection.execute("UPDATE member SET probability = NULL WHERE face = 3")
        connection.execute("UPDATE member SET decided = 1 WHERE face = 1")
    with open_to_read(album.library.folder) as store:
        timed = face_cards(store, faces_of(store, ada, "time").tolist())
        best = face_cards(store, faces_of(store, ada, "quality").tolist())
        doubted = face_cards(store, faces_of(store, ada, "unsure").tolist())
        assert faces_of(store, 999, "time").tolist() == []
    assert [card.file for card in timed] == album.files(ada)
    assert [card.quality for card in best] == sorted((card.quality for card in best), reverse=True)
    assert [card.face for card in doubted[-2:]] == [3, 1]
    chances = [card.probability for card in doubted[:-2]]
    assert chances == sorted(chances, key=lambda chance: chance or 0.0)
    assert {card.face for card in timed} == {card.face for card in best} == {card.face for card in doubted}


def test_numbers_in_names_count_by_their_value(album: Album) -> None:
    names = ["m_9_1.jpg", "m_10_1.jpg", "m_100_1.jpg", "x.jpg", "x01.jpg", "x1.jpg", f"y{'9' * 30}.jpg"]
    with open_to_write(album.library.folder) as store, store.transaction() as connection:
        faces = [face for (face,) in connection.execute("SELECT id FROM face ORDER BY id LIMIT ?", (len(names),))]
        for face, name in zip(faces, reversed(names), strict=True):
            connection.execute(
                "UPDATE file SET name = ? WHERE digest ="
                " (SELECT digest FROM analysis JOIN face ON face.analysis = analysis.id WHERE face.id = ?)",
                (name, face),
            )
        connection.execute("DELETE FROM member WHERE person = 1")
        connection.executemany("INSERT OR REPLACE INTO member (face, person) VALUES (?, 1)", [(one,) for one in faces])
    with open_to_read(album.library.folder) as store:
        assert [card.file for card in face_cards(store, faces_of(store, 1, "time").tolist())] == names


def test_covers_are_few_good_and_spread(album: Album) -> None:
    with open_to_read(album.library.folder) as store:
        everyone = [one.person for one in people(store)]
        covers = covers_of(store, everyone)
        whose = owners(store, [face for faces in covers.values() for face in faces])
        assert covers_of(store, [999]) == {999: []}
    for person, faces in covers.items():
        assert len(set(faces)) == len(faces) == COVERS
        assert {whose[face] for face in faces} == {person}


def test_what_is_left_out_is_what_the_table_says(album: Album) -> None:
    album.add([20, 21])
    album.add([0, 1, 2], reason="too small: 12 pixels, 20 are needed")
    ada = album.person("a")
    album.library.reject(album.files(ada)[:2], ada)
    album.library.not_a_face(album.files(ada)[:1])
    with open_to_write(album.library.folder) as store, store.transaction() as connection:
        connection.execute(
            "INSERT INTO analysis (digest, recipe, precision, width, height, reason) VALUES ('n', ?, 'f32', 9, 9, '')",
            (RECIPE,),
        )
        for name, digest, problem in (("none.jpg", "n", ""), ("bad.jpg", None, "damaged"), ("new.jpg", "z", "")):
            connection.execute(
                "INSERT INTO file (source, path, name, digest, problem) VALUES (1, ?, ?, ?, ?)",
                (name.encode(), name, digest, problem),
            )
        # A second file with the same content is no second face.
        connection.execute(
            "INSERT INTO file (source, path, name, digest)"
            " SELECT 1, X'7A', 'zz.jpg', digest FROM file WHERE name LIKE 'u%'"
        )
    with open_to_read(album.library.folder) as store:
        faces, files = lone_faces(store), faceless_files(store)
        assert count_faces(store) == len(faces) + sum(one.faces for one in people(store))
    table = album.library.faces.filter(album.library.faces["status"] != "clustered")
    expected = {(row["file"], row["status"], row["reason"]) for row in table.iter_rows(named=True)}
    assert {(row.file, row.status, row.reason) for row in (*faces, *files)} == expected - {
        row for row in expected if row[0] == "zz.jpg"
    }
    assert all(row.face is not None for row in faces)
    assert all(row.face is None for row in files)
    groups = left_out_groups([*faces, *files])
    assert sum(group.faces for group in groups) == len(faces) + len(files)
    assert ("low_quality", "too small", 3) in [(group.status, group.reason, group.faces) for group in groups]


def test_files_that_are_gone_are_no_longer_left_out(album: Album) -> None:
    files = album.add([20, 21])
    album.remove(files[:1])
    with open_to_read(album.library.folder) as store:
        assert [row.file for row in lone_faces(store)] == files[1:]
        assert count_faces(store) == 49


def test_one_face_with_others_in_its_picture(album: Album) -> None:
    with open_to_write(album.library.folder) as store, store.transaction() as connection:
        connection.execute("UPDATE face SET analysis = 1, number = id WHERE id IN (2, 3)")
        connection.execute("DELETE FROM member WHERE face = 3")
    with open_to_read(album.library.folder) as store:
        found = face_detail(store, 1)
        assert face_detail(store, 999) is None
        assert thumbnail_of(store, 1) == b""
        assert thumbnail_of(store, 999) is None
        assert original(store, 999) is None
        where = original(store, 1)
    assert found is not None
    assert (found.file, found.files, found.frame) == ("a0000.jpg", ["a0000.jpg"], None)
    assert (found.box, found.picture.width, found.picture.height) == ((0, 0, 80, 90), 100, 100)
    assert (found.status, found.person) == ("clustered", album.person("a"))
    assert [(other.face, other.person) for other in found.others] == [(2, album.person("a")), (3, None)]
    assert where is not None
    assert (where.digest, where.frame, [str(held.file.path) for held in where.files]) == (
        "a0000.jpg",
        None,
        ["/a0000.jpg"],
    )
    album.library.not_a_face(["a0000.jpg"])
    with open_to_read(album.library.folder) as store:
        found = face_detail(store, 1)
    assert found is not None
    assert (found.status, found.reason, found.person) == ("not_a_face", "a person said so", None)


def test_people_are_counted_anew_where_faces_or_files_came_or_went(tmp_path: Path) -> None:
    album = Album(tmp_path / "library", people=3)
    library = album.library

    def check() -> None:
        with open_to_read(library.folder) as store:
            own = faces_table(store).drop_nulls("person").group_by("person")
            cohesion = dict(store.connection.execute("SELECT id, round(cohesion, 4) FROM person"))
        counts = (
            pl.col("name").first(),
            pl.len().cast(pl.Int64).alias("faces"),
            pl.col("file").min().alias("first_file"),
        )
        expected = own.agg(*counts).sort("faces", "person", descending=[True, False])
        assert library.people.drop("cohesion").equals(expected)
        assert dict(library.people.select("person", "cohesion").rows()) == {
            person: cohesion[person] for person in expected["person"]
        }
        assert expected.height

    check()
    library.merge(1, 2)
    check()
    library.undo()
    check()
    library.reject("b0008.jpg", 2)
    album.remove(["a0000.jpg", "c0017.jpg"])
    check()
    with open_to_write(library.folder) as store:
        store.connection.execute(
            "INSERT INTO file (source, path, name, digest) SELECT source, id, 'a', digest FROM file"
        )
    check()
    library.ignore(3)
    check()
    album.cluster()
    check()
    with open_to_write(library.folder) as store:
        store.connection.execute("UPDATE file SET name = 'b' WHERE name = 'a'")
        check()
        store.connection.execute("DELETE FROM file WHERE name = 'b'")
    check()


def test_faces_of_a_sheet_are_spread_over_those_that_are_there(tmp_path: Path) -> None:
    album = Album(tmp_path / "library", people=1)
    with open_to_read(album.library.folder) as store:
        faces, count = spread_faces(store, 1, 3)
        assert (faces, count) == ([1, member_rows(store, 1)[4], 8], 8)
    album.remove(["a0000.jpg", "a0001.jpg"])
    with open_to_read(album.library.folder) as store:
        faces, count = spread_faces(store, 1, 3)
        assert (len(faces), faces[0], count) == (3, 3, 6)
