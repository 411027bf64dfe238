"""A library is checked, mended and backed up; what is damaged says so and loses no decision."""

from __future__ import annotations

import json
import random
import sqlite3
import sys
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import settings
from tests.made_library import Shot, library, take

from unmingle.api import Library
from unmingle.errors import LibraryError, WriteError
from unmingle.files import JOURNAL, TEMPORARY
from unmingle.jobs import retry
from unmingle.store.sqlite import open_to_decide, open_to_write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.command import Command

BOXES = [(10.0, 10.0, 80.0, 90.0), (120.0, 10.0, 80.0, 90.0)]
SHOTS = [Shot(f"{number:02}.png", (number % 4, 4 + number % 3), BOXES) for number in range(24)]


@pytest.fixture
def made(tmp_path: Path) -> Library:
    """A library with decisions of several kinds; 24 pictures of 7 people."""
    take(tmp_path / "pictures", SHOTS)
    made = library(tmp_path / "library", tmp_path / "pictures", SHOTS)
    made.views = "on request"
    decide(made)
    return made


def decide(made: Library) -> None:
    people = made.people["person"].to_list()
    made.name(people[0], "Ada Lovelace")
    made.name(people[1], "Bob")
    made.merge(people[1], people[2])
    made.reject("00.png", made.faces.filter(made.faces["file"] == "00.png")["person"][0])
    made.split(["04.png", "08.png"])
    made.not_a_face("05.png#1")
    made.ignore(people[3])
    made.undo(4)


def log_of(made: Library) -> list[tuple[object, ...]]:
    return made.log.drop("faces").rows()


def names_of(made: Library) -> dict[tuple[str, int], str]:
    """What the people are called, by face."""
    named = made.faces.filter(made.faces["name"].is_not_null() & (made.faces["name"] != ""))
    return {(file, face): name for file, face, name in named.select("file", "face", "name").iter_rows()}


def test_a_library_that_is_whole_is_found_whole(unmingle: Command, made: Library) -> None:
    done = unmingle("check", "library", "--json")
    assert json.loads(done.out) == {"faults": [], "repaired": []}
    assert done.code == 0
    assert made.check().faults == ()
    before = log_of(made), names_of(made)
    assert made.check(repair=True).repaired == ()
    assert (log_of(made), names_of(made)) == before


def test_what_is_wrong_is_told_and_mended(unmingle: Command, made: Library) -> None:
    with open_to_decide(made.folder) as store, store.transaction() as connection:
        connection.execute("UPDATE face SET vector = zeroblob(252) WHERE id = 3")
        connection.execute("UPDATE face SET vector = CAST(substr(vector, 1, 252) || x'0000c07f' AS BLOB) WHERE id = 5")
        connection.execute("UPDATE thumbnail SET jpeg = x'ffd8' WHERE face = 9")
        connection.execute("UPDATE person SET name = 'Eve' WHERE name = 'Bob'")
    (made.folder.parent / "pictures" / "07.png").unlink()
    before = log_of(made)
    done = unmingle("check", "library")
    assert done.code == 1
    for words in ("wrong size", "isn't finite", "thumbnail", "not called as the decisions say", "1 file is not there"):
        assert words in done.out
    assert "unmingle check library --repair" in done.out
    mended = unmingle("check", "library", "--repair")
    assert mended.code == 1
    assert "The faces of 3 files are to be found again" in mended.out
    assert [fault.kind for fault in made.check().faults] == ["file"]
    assert log_of(made) == before
    assert "Bob" in made.people["name"].to_list()


def test_a_bad_thumbnail_stops_no_command(unmingle: Command, made: Library) -> None:
    before = log_of(made)
    for shot in SHOTS[4:]:  # a few are enough to look at
        (made.folder.parent / "pictures" / shot.name).unlink()
    with open_to_decide(made.folder) as store, store.transaction() as connection:
        connection.execute("UPDATE thumbnail SET jpeg = x'ffd8' WHERE face % 2")
        connection.execute("UPDATE thumbnail SET jpeg = 'x' WHERE face % 3 = 1")
    for words in (
        ("report", "library"),
        ("cluster", "pictures", "-o", "library"),
        ("export", "library", "--to", "folders", "-o", "out"),
    ):
        done = unmingle(*words)
        assert done.code == 0, done.err
    assert log_of(made)[: len(before)] == before


def test_an_embedding_too_long_to_reckon_with_is_damage(unmingle: Command, made: Library) -> None:
    """Machine code that draws the map of faces would end the process."""
    with open_to_write(made.folder) as store, store.transaction() as connection:
        ((size,),) = connection.execute("SELECT length(vector) FROM face LIMIT 1").fetchall()
        vector = np.full(size // 4, 1e31, "<f4").tobytes()
        connection.execute("UPDATE face SET vector = ? WHERE id = (SELECT min(id) FROM face)", (vector,))
    done = unmingle("report", made.folder, "--quiet")
    assert done.code == 1
    assert "is damaged: an embedding isn't finite" in done.err
    assert "1 file with an embedding that isn't finite" in str(made.check().faults)
    assert made.check(repair=True).faults == ()


def test_decisions_come_back_when_the_database_is_lost(unmingle: Command, made: Library) -> None:
    before = log_of(made), names_of(made)
    highest = max(made.people["person"])
    for path in made.folder.glob("library.sqlite*"):
        path.unlink()
    for words in (("people", "library"), ("cluster", "pictures", "-o", "library")):
        done = unmingle(*words)
        assert done.code == 1
        assert "unmingle check library --repair" in done.err
    assert unmingle("check", "library").code == 1
    assert "came back" in unmingle("check", "library", "--repair").out
    again = library(made.folder, made.folder.parent / "pictures", SHOTS)
    assert log_of(again)[: len(before[0])] == before[0]
    assert names_of(again) == before[1]
    ours = {person for row in before[0] for person in [row[5]] if person}
    assert all(person > highest or person in ours for person in again.people["person"])
    again.undo(2)
    assert "Ada Lovelace" not in again.people["name"].to_list()


def test_what_was_erased_does_not_come_back_with_the_rest(made: Library) -> None:
    made.erase("Ada Lovelace")
    with open_to_decide(made.folder) as store:
        erased = store.connection.execute("SELECT * FROM erased").fetchall()
    assert "Ada" not in (made.folder / JOURNAL).read_text()
    for path in made.folder.glob("library.sqlite*"):
        path.unlink()
    made.check(repair=True)
    made.check(repair=True)
    with open_to_decide(made.folder) as store:
        assert sorted(store.connection.execute("SELECT * FROM erased")) == sorted(erased) != []


def flip(path: Path, page: int, chance: random.Random) -> None:
    """Other bytes in a page, as a bad disk or cable makes them."""
    with path.open("rb+") as file:
        for _ in range(chance.choice((1, 8, 64))):
            file.seek(page * 4096 + chance.randrange(4096))
            file.write(chance.randbytes(1))


@pytest.mark.parametrize("part", range(5))
def test_flipped_bytes_lose_no_decision(unmingle: Command, made: Library, part: int) -> None:
    with closing(sqlite3.connect(made.folder / "library.sqlite")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    whole = {path.name: path.read_bytes() for path in made.folder.iterdir() if path.is_file()}
    pages, before = len(whole["library.sqlite"]) // 4096, log_of(made)
    for number in range(settings().max_examples // 8):
        chance = random.Random(10 * part + number)
        for path in made.folder.glob("*.*"):
            if path.is_file():
                path.unlink()
        for name, content in whole.items():
            (made.folder / name).write_bytes(content)
        flip(made.folder / "library.sqlite", chance.randrange(pages), chance)
        assert unmingle("people", "library").code in (0, 1)  # anything but a clear error is raised
        with suppress(LibraryError):
            made.name("Bob", "Rob")
        unmingle("check", "library", "--repair")
        kept = log_of(made)
        assert kept[: len(before)] == [(*row[:6], live) for row, (*_, live) in zip(before, kept, strict=False)]
        assert made.check().faults == ()


def test_a_column_that_lost_its_name_is_found_and_mended(unmingle: Command, made: Library) -> None:
    before = log_of(made)
    with closing(sqlite3.connect(made.folder / "library.sqlite")) as connection:
        connection.executescript('ALTER TABLE moved RENAME COLUMN "after" TO agter')
        moved = connection.execute("SELECT * FROM moved").fetchall()
    assert moved
    with pytest.raises(LibraryError, match="moved has other columns") as caught:
        made.name("Bob", "Rob")
    assert "--repair" in caught.value.mend
    assert unmingle("check", "library").code == 1
    assert unmingle("check", "library", "--repair").code == 0
    assert log_of(made) == before
    with open_to_decide(made.folder) as store:
        assert store.connection.execute("SELECT * FROM moved").fetchall() == moved
    made.name("Bob", "Rob")


def test_a_strangers_trigger_is_not_run(unmingle: Command, made: Library) -> None:
    with open_to_decide(made.folder) as store:
        store.connection.executescript(
            "CREATE TRIGGER mine AFTER UPDATE ON person BEGIN UPDATE person SET name = 'Eve'; END"
        )
    for words in (("people", "library"), ("name", "library", "1", "Dan"), ("cluster", "-o", "library")):
        done = unmingle(*words)
        assert done.code == 1
        assert "trigger mine" in done.err
    before = journal_of(made)
    mended = unmingle("check", "library", "--repair")
    assert mended.code == 0, mended.out
    assert "Eve" not in made.people["name"].to_list()
    assert journal_of(made) == before


def journal_of(made: Library) -> list[object]:
    return [json.loads(line)["body"] for line in (made.folder / JOURNAL).read_text().splitlines()]


@pytest.mark.parametrize(
    "sql",
    ["CREATE VIEW v AS SELECT 1", "CREATE VIRTUAL TABLE v USING fts5(a)", "DROP VIEW face_row", "DROP TABLE mark"],
)
def test_a_library_with_another_schema_is_refused(made: Library, sql: str) -> None:
    with open_to_decide(made.folder) as store:
        store.connection.execute(sql)
    with pytest.raises(LibraryError) as caught:
        _ = made.people
    assert "--repair" in caught.value.mend
    made.check(repair=True)
    assert made.check().faults == ()
    assert "Bob" in made.people["name"].to_list()


def test_a_backup_is_a_library_of_one_moment(unmingle: Command, made: Library, tmp_path: Path) -> None:
    with open_to_write(made.folder) as store:
        store.set_fact("season", "autumn")  # in the write-ahead log still
        done = unmingle("backup", "library", "copies/monday")
    assert done.code == 0
    copy = Library(tmp_path / "copies" / "monday", views="on request")
    assert (log_of(copy), names_of(copy)) == (log_of(made), names_of(made))
    assert copy.check().faults == ()
    copy.name("Bob", "Rob")
    assert "Bob" in made.people["name"].to_list()
    with pytest.raises(WriteError, match="there already"):
        made.backup(copy.folder)
    (tmp_path / "killed").mkdir()
    (tmp_path / "killed" / f"{TEMPORARY}12.sqlite-journal").write_bytes(b"half")  # as a killed one leaves it
    made.backup(tmp_path / "killed")
    assert not list((tmp_path / "killed").glob(f"{TEMPORARY}*"))


def test_a_damaged_library_is_not_backed_up_as_if_it_were_whole(made: Library, tmp_path: Path) -> None:
    with open_to_decide(made.folder) as store:
        store.connection.execute("PRAGMA writable_schema = ON")
        store.connection.execute("UPDATE sqlite_master SET rootpage = 3 WHERE name = 'mark'")
    with pytest.raises(LibraryError, match="damaged"):
        made.backup(tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on the size of files")
def test_a_full_disk_is_told(made: Library, tmp_path: Path) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(WriteError, match="copy can't be written"):
            made.backup(tmp_path / "copy")
        (made.folder / "library.sqlite").write_bytes(b"damaged")
        with pytest.raises(WriteError, match="library can't be written"):
            made.check(repair=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not (tmp_path / "copy").exists()
    made.check(repair=True)
    assert made.log.height


def test_a_file_below_a_name_that_is_no_text_is_read_again(tmp_path: Path) -> None:
    folder = tmp_path / "bad\udcff"
    folder.mkdir()
    (folder / "empty.jpg").touch()
    library = Library(tmp_path / "library")
    library.add(folder)
    with library.writing() as store:
        (file,) = store.connection.execute("SELECT id FROM file").fetchone()
        assert retry(store, file)[0] == "unreadable"
