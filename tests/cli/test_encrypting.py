"""Encrypted libraries, as a user types them: no face, name or vector is readable in any of their files."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from making.command_line import commands

import unmingle as package
from unmingle.cli.commands import app
from unmingle.decisions import encrypting
from unmingle.errors import LibraryBusyError, LibraryError, LibraryLockedError, MissingExtraError, PictureError
from unmingle.models.registry import cache_folder
from unmingle.sources.formats import file_digest, head_of
from unmingle.store import encryption
from unmingle.store.sqlite import open_to_read
from unmingle.upkeep import backup

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.command import Command

    from unmingle.demo import Meeting

pytest.importorskip("sqlcipher3")
KEY, OTHER = "5" * 64, "7" * 64  # themselves, so that no test waits for what a passphrase comes to


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("unmingle.cli.options.in_keyring", lambda folder: None)
    yield
    encryption._KEYS.clear()


def secrets_of(album: Path) -> list[bytes]:
    """Names, vectors and thumbnails of a plain library, as bytes."""
    with closing(sqlite3.connect(album / "library.sqlite")) as connection:
        vectors = [row[0] for row in connection.execute("SELECT vector FROM face_row")]
        jpegs = [row[0] for row in connection.execute("SELECT jpeg FROM thumbnail") if row[0]]
    halves = [np.frombuffer(one, "<f4").astype("<f2").tobytes() for one in vectors]
    return [b"Ada Example", *(one[:24] for one in (*vectors, *halves)), *(one[-24:] for one in jpegs)]


def readable(album: Path, secrets: list[bytes], since: float = 0.0) -> list[str]:
    paths = [path for path in album.rglob("*") if path.is_file() and path.stat().st_mtime >= since]
    files = {path: path.read_bytes() for path in paths}
    return [path.name for path, content in files.items() if any(one in content for one in secrets)]


def test_without_the_extra_nothing_is_made_and_nothing_changes(
    unmingle: Command, album: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "sqlcipher3", None)
    monkeypatch.setenv("UNMINGLE_KEY", KEY)
    for words in (("cluster", album, "-o", tmp_path / "new", "--encrypt"), ("encrypt", album)):
        done = unmingle(*words)
        assert done.code == 1
        assert "pip install 'unmingle[encrypt]'" in done.err
    assert not (tmp_path / "new").exists()
    with pytest.raises(MissingExtraError):
        package.open(tmp_path / "new", key=KEY)
    assert not (tmp_path / "new").exists()
    assert not list(album.glob("encryption.json"))
    assert unmingle("people", album).code == 0


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
    assert [path for path in album.iterdir() if path.is_dir()] == []
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


def test_no_key_is_thought_to_be_kept_of_a_library_that_is_not_encrypted(unmingle: Command, album: Path) -> None:
    done = unmingle("cluster", "-o", album, "--keyring")
    assert (done.code, "--keyring counts with --encrypt only" in done.err) == (2, True)


def test_a_copy_that_a_cloud_made_is_told_to_be_plain(unmingle: Command, album: Path, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY)
    shutil.copy(album / "library.sqlite", album / "library (1).sqlite")
    done = unmingle("encrypt", album, "--key-file", tmp_path / "key")
    assert f"a copy that unmingle didn't make: {album / 'library (1).sqlite'}" in done.out


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


# Every command that opens a library, in an order in which they work.
WALK = """
status {album}
people {album}
show {album} 1 -o {new}/sheet.jpg
find {album} {pictures}
name {album} 2 Zoë
undo {album}
redo {album}
log {album}
different {album} 1 2
split {album} {face}
assign {album} 1 {face}
reject {album} 1 {face}
not-a-face {album} {other}
is-a-face {album} {other}
ignore {album} {other}
restore {album} {other}
merge {album} 3 4
evaluate {album} --labels {labels} -o {new}/evaluation
report {album} -o {new}/report.html -q
export {album} -o {new}/folders --to folders
export {album} -o {new}/csv --to csv
import {album} {new}/folders
relocate {album} {pictures} {pictures}
backup {album} {new}/copy
compare {album} {new}/copy
check {album}
check {album} --repair
privacy {album}
encrypt {album} --change-key
erase {album} 2 --yes
forget {album} {pictures}
cluster {pictures} -o {album} -q
watch {album} -q
cluster {pictures} -o {album} --ray local
demo -o {made}
cluster {pictures} -o {new}/begun --encrypt -q
bench {people} -o {new}/begun --no-others -q
"""
ENDS = {
    "demo": 1,
    "watch": 130,
    "cluster {pictures} -o {album} --ray local": 1,
}  # refused; stopped


class Once:
    """A clock by which `watch` is stopped where it would wait for its second look."""

    monotonic = time.monotonic

    @staticmethod
    def sleep(_: float) -> None:
        raise KeyboardInterrupt


def test_no_command_leaves_anything_readable(
    unmingle: Command, meeting: Meeting, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("UNMINGLE_KEY", KEY)
    monkeypatch.setenv("UNMINGLE_NEW_KEY", KEY)
    made, new, pictures, people, temporary = (tmp_path / name for name in ("made", "new", "pictures", "people", "temp"))
    album, began = made / "library", time.time()
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    monkeypatch.setenv("TMPDIR", str(temporary))  # of the process that `watch` starts
    monkeypatch.setattr("unmingle.cli.upkeep.time", Once)
    pictures.mkdir()
    for crop in meeting.crops[:16]:
        shutil.copy(meeting.faces / crop.name, pictures)
        (people / str(crop.person)).mkdir(parents=True, exist_ok=True)
        shutil.copy(meeting.faces / crop.name, people / str(crop.person))
    assert unmingle("cluster", pictures, "-o", album).code == 0
    unmingle("name", album, "1", "Ada Example")
    face, other = (crop.name for crop in meeting.crops[:2])
    # With its 0, as four letters stand by chance in one of 800 such journals of letters and digits.
    secrets = [*secrets_of(album), "Zoë".encode(), face.encode(), b"CREATE TABLE", b"JFIF\0"]
    assert set(readable(album, secrets)) >= {"library.sqlite", "people.csv", "overview.jpg", "decisions.jsonl"}
    assert unmingle("encrypt", album).code == 0
    places = {"album": album, "new": new, "pictures": pictures, "labels": meeting.labels, "face": face, "other": other}
    places |= {"made": made, "people": people}
    for line in WALK.strip().splitlines():
        done = unmingle(*(word.format(**places) for word in line.split()))
        assert done.code == ENDS.get(line, ENDS.get(line.split()[0], 0)), (line, done.err)
        for folder in (made, temporary, new / "begun"):
            assert readable(folder, secrets) == [], line
        assert [path for path in album.iterdir() if path.is_dir()] == [], line
    assert readable(cache_folder(), secrets[:-2], since=began) == []
    with open_to_read(album):  # so that the log stays
        assert unmingle("name", album, "1", "Zoë").code == 0
        assert (album / "library.sqlite-wal").stat().st_size
        assert readable(album, secrets) == []
    for name in ("copy", "begun"):
        assert readable(new / name, secrets) == []
    walked = {line.split()[0] for line in WALK.strip().splitlines()}
    assert {name for name, _ in commands(app) if " " not in name} == walked | {"review"}  # see tests/review


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


@pytest.mark.parametrize("link", ["", "a.jpg"])
def test_a_librarys_file_is_no_picture_not_even_through_a_link(album: Path, tmp_path: Path, link: str) -> None:
    file = album / "library.sqlite"
    if link:
        (tmp_path / link).symlink_to(file)
        file = tmp_path / link
    with pytest.raises(PictureError, match="a library's own file"):
        file_digest(file)
    assert head_of(file) == b""


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


KILLED_BEFORE_OVERWRITING = """
import os, sys
import unmingle
from unmingle.decisions import encrypting
encrypting.overwrite = lambda file: os._exit(9)
unmingle.open(sys.argv[1], key=sys.argv[2] or None).encrypt(sys.argv[3] or None)
"""


@pytest.mark.parametrize(("before", "after"), [("", KEY), (KEY, OTHER), (KEY, "")])
def test_killed_between_replacing_and_overwriting_nothing_of_before_is_left(
    album: Path, before: str, after: str
) -> None:
    library = package.open(album)
    library.name(1, "Ada Example")
    people, secrets = library.people, secrets_of(album)
    if before:
        library.encrypt(before)
    encryption._KEYS.clear()
    old = (album / "library.sqlite").read_bytes()[-4096:]
    words = [sys.executable, "-c", KILLED_BEFORE_OVERWRITING, str(album), before, after]
    assert subprocess.run(words, check=False).returncode == 9
    assert [path.name for path in album.glob("*.sqlite") if path.read_bytes().endswith(old)] == ["library-old.sqlite"]
    if before:
        with pytest.raises((LibraryLockedError, LibraryError)):
            package.open(album, key=before)
        encryption._KEYS.clear()
    library = package.open(album, key=after or None)
    assert library.people.equals(people)
    assert library.check().faults == ()
    assert not list(album.glob("*old*")) + list(album.glob(".unmingle-*"))
    assert (readable(album, secrets) == []) == bool(after)


# In Python: the command looks into the library first, and waits for that.
ANOTHER = """
import sys
import unmingle
try:
    unmingle.open(sys.argv[1], key=sys.argv[2] or None).encrypt(sys.argv[3])
except unmingle.errors.LibraryBusyError as error:
    print(error.problem)
"""


@pytest.mark.parametrize("key", ["", KEY])
def test_of_two_conversions_at_once_one_is_refused(album: Path, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    library = package.open(album)
    if key:
        library.encrypt(key)
    people, copy, told = library.people, encrypting._copy, list[str]()

    def beside(*words: Any) -> None:
        second = [sys.executable, "-c", ANOTHER, str(album), key, "9" * 64]
        told.append(subprocess.run(second, capture_output=True, text=True, check=True).stdout)
        copy(*words)

    monkeypatch.setattr(encrypting, "_copy", beside)
    library.encrypt(OTHER)
    assert told[0].startswith("Another run ")
    assert package.open(album, key=OTHER).people.equals(people)
    assert library.check().faults == ()
    assert not list(album.glob("*old*")) + list(album.glob(".unmingle-*"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
def test_a_mark_from_elsewhere_is_neither_waited_for_nor_read_whole(unmingle: Command, album: Path) -> None:
    os.mkfifo(album / "encryption.json")
    assert unmingle("people", album).code == 0
    (album / "encryption.json").unlink()
    (album / "encryption.json").write_text("[" * 10**6)
    assert unmingle("people", album).code == 0


def test_nothing_is_written_anew_while_somebody_looks(album: Path) -> None:
    with open_to_read(album), pytest.raises(LibraryBusyError, match="open"):
        package.open(album).encrypt(KEY)
    assert {path.name for path in album.iterdir() if "new" in path.name or "old" in path.name} == set()
    assert package.open(album).check().faults == ()
