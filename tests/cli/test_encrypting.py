"""Encrypted libraries, as a user types them: no face, name or vector is readable in any of their files."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import pytest

import unmingle as package
from unmingle.errors import LibraryBusyError, LibraryLockedError
from unmingle.store import encryption
from unmingle.store.sqlite import open_to_read
from unmingle.upkeep import backup

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.command import Command

pytest.importorskip("sqlcipher3")
KEY, OTHER = "5" * 64, "7" * 64  # themselves, so that no test waits for what a passphrase comes to


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("unmingle.cli.keys._in_keyring", lambda folder: None)
    yield
    encryption._KEYS.clear()


def secrets_of(album: Path) -> list[bytes]:
    """Names, vectors and thumbnails of a plain library, as bytes."""
    with closing(sqlite3.connect(album / "library.sqlite")) as connection:
        vectors = [row[0] for row in connection.execute("SELECT vector FROM face_row")]
        jpegs = [row[0] for row in connection.execute("SELECT jpeg FROM thumbnail") if row[0]]
    halves = [np.frombuffer(one, "<f4").astype("<f2").tobytes() for one in vectors]
    return [b"Ada Example", *(one[:24] for one in (*vectors, *halves)), *(one[-24:] for one in jpegs)]


def readable(album: Path, secrets: list[bytes]) -> list[str]:
    files = {path: path.read_bytes() for path in album.rglob("*") if path.is_file()}
    return [path.name for path, content in files.items() if any(one in content for one in secrets)]


def test_nothing_is_readable_and_nothing_is_lost(
    unmingle: Command, album: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    unmingle("name", album, "1", "Ada Example")
    secrets = secrets_of(album)
    assert {"library.sqlite", "people.csv", "decisions.jsonl"} <= set(readable(album, secrets))
    faces, people = package.open(album).faces, package.open(album).people
    (tmp_path / "key").write_text(f"{KEY}\n")
    done = unmingle("encrypt", album, "--key-file", tmp_path / "key")
    assert (done.code, done.err) == (0, "")
    assert readable(album, secrets) == []
    encryption._KEYS.clear()
    locked = unmingle("people", album)
    assert (locked.code, "is encrypted" in locked.err, "--key-file" in locked.err) == (1, True, True)
    monkeypatch.setenv("UNMINGLE_KEY", OTHER)
    for words in (("people", album), ("check", album), ("check", album, "--repair")):
        wrong = unmingle(*words)
        encryption._KEYS.clear()
        assert (wrong.code, "This is not the key" in wrong.err, "damaged" in wrong.err) == (1, True, False)
    monkeypatch.setenv("UNMINGLE_KEY", KEY)
    assert unmingle("name", album, "2", "Ada Example 2").code == 0
    assert unmingle("check", album).out == "All is well.\n"
    assert unmingle("undo", album).code == 0
    assert readable(album, secrets) == []
    monkeypatch.setenv("UNMINGLE_NEW_KEY", OTHER)
    assert unmingle("encrypt", album, "--change-key").code == 0
    encryption._KEYS.clear()
    with pytest.raises(LibraryLockedError):
        package.open(album, key=KEY)
    assert package.open(album, key=OTHER).faces.equals(faces)
    assert unmingle("encrypt", album, "--decrypt").code == 0
    assert package.open(album).people.equals(people)
    assert unmingle("check", album).out == "All is well.\n"
    assert not (album / "encryption.json").exists()


def test_decisions_come_back_from_a_sealed_journal(unmingle: Command, album: Path, tmp_path: Path) -> None:
    package.open(album).encrypt(KEY)
    library = package.open(album, key=KEY)
    library.name(1, "Ada Example")
    library.backup(tmp_path / "copy")
    assert readable(tmp_path / "copy", [b"Ada Example"]) == []
    (album / "library.sqlite").unlink()
    assert [one.kind for one in library.check(repair=True).faults] == []
    assert [one.words for one in library.decisions if "Ada" in one.words]
    encryption._KEYS.clear()
    assert package.open(tmp_path / "copy", key=KEY).people["name"][0] == "Ada Example"


@pytest.mark.parametrize("words", [("show", "1"), ("report", "-q"), ("evaluate", "--labels", "folders")])
def test_no_page_is_written_beside_it(unmingle: Command, album: Path, words: tuple[str, ...]) -> None:
    package.open(album).encrypt(KEY)
    before = {path.name for path in album.rglob("*")}
    unmingle(words[0], album, *words[1:])
    assert {path.name for path in album.rglob("*")} - before <= {"library.sqlite-wal", "library.sqlite-shm"}


def test_tables_are_written_in_python_only_if_asked_for(album: Path) -> None:
    package.open(album).encrypt(KEY)
    library = package.open(album, key=KEY)
    library.write_views()
    library.cluster()
    assert not [path for path in album.rglob("*") if path.suffix in (".csv", ".jpg", ".png")]
    library.cluster(tables=True)
    library.name(1, "Ada Example")
    assert "Ada Example" in (album / "people.csv").read_text()


TAKES_IT = """
import sys
if sys.argv[2]:
    import sqlcipher3 as sqlite
else:
    import sqlite3 as sqlite
for does in ("BEGIN IMMEDIATE", "PRAGMA journal_mode = DELETE"):  # of which the second needs the file for itself
    connection = sqlite.connect(sys.argv[1], timeout=0, isolation_level=None)
    connection.execute(f"PRAGMA key = \\"x'{sys.argv[2]}'\\"")  # which SQLite itself passes over
    try:
        connection.execute("SELECT * FROM sqlite_master").fetchall()
        print(connection.execute(does).fetchall())
    except sqlite.Error as error:
        print(error)
"""


def taken(album: Path, key: str) -> list[str]:
    words = [sys.executable, "-c", TAKES_IT, str(album / "library.sqlite"), key]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.mark.parametrize("key", ["", KEY])
def test_who_asks_about_a_library_leaves_its_locks(album: Path, key: str, tmp_path: Path) -> None:
    if key:
        package.open(album).encrypt(key)
    library = package.open(album, key=key or None)
    library.name(1, "Ada Example")
    with library.writing() as store:
        assert encryption.is_encrypted(album) == bool(key)
        encryption.check_key(album)
        assert (encryption.sealer(album) is None) == (not key)
        assert package.open(album).privacy.people
        backup(album, tmp_path / "copy")
        assert package.open(album).check().faults == ()
        assert taken(album, key)[1] == "database is locked"  # and whoever was not the last to close it left its log
        with store.transaction():
            assert taken(album, key) == ["database is locked"] * 2


def test_a_librarys_file_is_no_picture(unmingle: Command, album: Path) -> None:
    unmingle("cluster", album / "library.sqlite", "-o", album, "-q")
    rows = package.open(album).faces.filter(file="library.sqlite")
    assert rows["reason"].to_list() == ["a library's own file"]


def test_a_library_without_its_mark_is_opened_with_its_key(album: Path) -> None:
    package.open(album).encrypt(KEY)
    people = package.open(album, key=KEY).people
    encryption._KEYS.clear()
    (album / "encryption.json").unlink()
    (album / "decisions.jsonl").unlink()  # which tells it as well
    for _ in range(2):
        with pytest.raises(LibraryLockedError, match="is encrypted"):
            _ = package.open(album).people
    encryption.unlock(album, OTHER)
    with pytest.raises(LibraryLockedError, match="not the key"):
        _ = package.open(album).people
    library = package.open(album, key=KEY)
    assert library.people.equals(people)
    library.name(1, "Ada Example")
    with pytest.raises(LibraryLockedError, match="not the key"):
        package.open(album, key=OTHER)


def test_nothing_is_written_anew_while_somebody_looks(album: Path) -> None:
    with open_to_read(album), pytest.raises(LibraryBusyError, match="open"):
        package.open(album).encrypt(KEY)
    assert {path.name for path in album.iterdir() if "new" in path.name or "old" in path.name} == set()
    assert package.open(album).check().faults == ()


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.6, 0.9, 1.2])
def test_who_is_killed_while_encrypting_loses_nothing(
    unmingle: Command, album: Path, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    unmingle("name", album, "1", "Ada Example")
    before = unmingle("people", album, "--json").out
    monkeypatch.setenv("UNMINGLE_KEY", KEY)
    running = unmingle.start("encrypt", album)
    time.sleep(seconds)
    running.kill()
    running.communicate()
    assert unmingle("people", album, "--json").out == before
    assert "All is well." in unmingle("check", album).out
