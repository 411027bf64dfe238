"""Names out of digiKam's database. The tables are those of its schema 16, with the columns that matter here."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from tests.made_library import Shot, library, take

if TYPE_CHECKING:
    from pathlib import Path

    from unmingle.api import Library

SCHEMA = """
CREATE TABLE AlbumRoots (id INTEGER PRIMARY KEY, label TEXT, status INTEGER NOT NULL, type INTEGER NOT NULL,
    identifier TEXT, specificPath TEXT, UNIQUE (identifier, specificPath));
CREATE TABLE Albums (id INTEGER PRIMARY KEY, albumRoot INTEGER NOT NULL, relativePath TEXT NOT NULL, date DATE);
CREATE TABLE Images (id INTEGER PRIMARY KEY, album INTEGER, name TEXT NOT NULL, status INTEGER NOT NULL);
CREATE TABLE ImageInformation (imageid INTEGER PRIMARY KEY, orientation INTEGER, width INTEGER, height INTEGER);
CREATE TABLE Tags (id INTEGER PRIMARY KEY, pid INTEGER, name TEXT NOT NULL, UNIQUE (name, pid));
CREATE TABLE TagProperties (tagid INTEGER, property TEXT, value TEXT);
CREATE TABLE ImageTags (imageid INTEGER NOT NULL, tagid INTEGER NOT NULL, UNIQUE (imageid, tagid));
CREATE TABLE ImageTagProperties (imageid INTEGER, tagid INTEGER, property TEXT, value TEXT);
CREATE TRIGGER delete_tag AFTER DELETE ON Tags BEGIN DELETE FROM ImageTags WHERE tagid = OLD.id; END;
INSERT INTO Tags VALUES (1, 0, 'People'), (2, 1, 'Ada'), (3, 1, 'Zoë Ö'), (4, 1, 'Unknown'), (5, 0, 'garden');
INSERT INTO TagProperties VALUES (2, 'person', 'Ada'), (3, 'person', 'Zoë Ö');
INSERT INTO TagProperties VALUES (4, 'person', 'Unknown'), (4, 'unknownPerson', NULL);
INSERT INTO Albums VALUES (1, 1, '/', NULL), (2, 1, '/2020/My Trip', NULL);
"""
BOXES = ((20, 30, 100, 120), (230, 40, 120, 110))
SHOTS = [Shot(f"2020/My Trip/a{i}.jpg", (0, 1), BOXES, orientation=i) for i in (1, 6)]
SHOTS += [Shot("b.jpg", (2,), BOXES[:1]), Shot("c.jpg", (3,), BOXES[:1])]


def rectangle(box: tuple[float, ...]) -> str:
    return '<rect x="{}" y="{}" width="{}" height="{}"/>'.format(*map(int, box))


def digikam(folder: Path, *, size: tuple[int, int] = (400, 300), wal: bool = False) -> Path:
    """The database of what was named in the pictures of `folder`."""
    database = folder / "digikam4.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute(f"PRAGMA journal_mode = {'wal' if wal else 'delete'}")
        connection.executescript(SCHEMA)
        where = "volumeid:?path=" + str(folder / "pictures").replace(" ", "%20")
        connection.execute("INSERT INTO AlbumRoots VALUES (1, 'Photos', 0, 1, ?, '/')", (where,))
        for row, shot in enumerate(SHOTS, 1):
            album, name = (2 if "/" in shot.name else 1), shot.name.rpartition("/")[2]
            connection.execute("INSERT INTO Images VALUES (?, ?, ?, 1)", (row, album, name))
            connection.execute("INSERT INTO ImageInformation VALUES (?, ?, ?, ?)", (row, shot.orientation, *size))
            for tag, box in zip((2, 3) if len(shot.boxes) > 1 else (4,), shot.boxes, strict=False):
                what = "autodetectedFace" if tag == 4 else "tagRegion"
                connection.execute("INSERT INTO ImageTags VALUES (?, ?)", (row, tag))
                connection.execute(
                    "INSERT INTO ImageTagProperties VALUES (?, ?, ?, ?)", (row, tag, what, rectangle(box))
                )
        connection.execute("INSERT INTO ImageTags VALUES (3, 5), (4, 3)")  # in the garden; and somewhere in c.jpg
        connection.execute("INSERT INTO Images VALUES (9, 1, 'gone.jpg', 1), (10, 1, 'b.jpg', 3)")  # 3: in the trash
        connection.execute("INSERT INTO ImageTags VALUES (9, 2), (10, 2)")
        connection.commit()
    return database


@pytest.fixture
def one(tmp_path: Path) -> Library:
    take(tmp_path / "pictures", SHOTS)
    return library(tmp_path / "one", tmp_path / "pictures", SHOTS)


def names(one: Library) -> dict[tuple[str, int], str]:
    return {(file, face): name for file, face, name in one.faces.select("file", "face", "name").iter_rows() if name}


@pytest.mark.parametrize("size", [(400, 300), (300, 400), (800, 600)])
@pytest.mark.parametrize("named", ["digikam4.db", "."])
def test_confirmed_faces_come_in_with_their_places(
    named: str, size: tuple[int, int], one: Library, tmp_path: Path
) -> None:
    """Places are of the picture as it is shown; its size may be told as it is stored."""
    database = digikam(tmp_path, size=size, wal=True)
    if size == (800, 600):  # as if they had been drawn before the pictures were made smaller
        twice = [(rectangle(tuple(2 * side for side in box)), rectangle(box)) for box in BOXES]
        with closing(sqlite3.connect(database)) as connection, connection:
            connection.executemany("UPDATE ImageTagProperties SET value = ? WHERE value = ?", twice)
    done = one.import_names(tmp_path / named)
    faces = {(shot.name, face): ("Ada", "Zoë Ö")[face] for shot in SHOTS[:2] for face in (0, 1)}
    assert names(one) == faces
    assert {(left.where, left.name) for left in done.left} == {
        ("digikam4.db: gone.jpg", ""),
        ("digikam4.db: c.jpg", "Zoë Ö"),
    }
    again = one.import_names(tmp_path / named)
    assert (again.faces, again.known, again.decisions) == (0, 4, ())


def test_what_was_drawn_on_another_picture_is_told(one: Library, tmp_path: Path) -> None:
    done = one.import_names(digikam(tmp_path, size=(500, 300)))
    assert names(one) == {}
    assert "another shape, 500×300" in {left.name: left.why for left in done.left}["Ada"]


def test_what_is_no_database_of_digikam_is_told(one: Library, tmp_path: Path) -> None:
    other = tmp_path / "digikam4.db"
    with closing(sqlite3.connect(other)) as connection:
        connection.executescript(SCHEMA)
        connection.execute("DROP TABLE Images")
        connection.execute("CREATE VIEW Images AS SELECT 1 AS id, 1 AS album, 'b.jpg' AS name, 1 AS status")
    (left,) = one.import_names(other).left
    assert left.why == "a database, but not digiKam's"
    digikam(tmp_path / "pictures")
    whole = (tmp_path / "pictures" / "digikam4.db").read_bytes()
    other.write_bytes(whole[:100] + b"\xff" * 4000 + whole[4100:])
    (left,) = one.import_names(other).left
    assert left.why.startswith("digiKam's database can't be read: ")
    assert names(one) == {}
