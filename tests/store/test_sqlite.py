from __future__ import annotations

import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING

import pytest

from unmingle.errors import LibraryError, LibraryNewerError, WriteError
from unmingle.store import sqlite
from unmingle.store.schema import migrations, version_of
from unmingle.store.sqlite import open_to_read, open_to_write, opened

if TYPE_CHECKING:
    from pathlib import Path

    from unmingle.store.sqlite import Store

READERS = 8


def test_a_fact_survives_closing(tmp_path: Path) -> None:
    with open_to_write(tmp_path / "new" / "library") as store:
        store.set_fact("recipe", "one")
        store.set_fact("recipe", "two")
    with open_to_read(tmp_path / "new" / "library") as store:
        assert store.fact("recipe") == "two"
        assert store.fact("nothing") is None


def test_several_who_open_a_new_library_at_once_make_its_tables_once(tmp_path: Path) -> None:
    begin = Barrier(READERS)

    def use(folder: Path) -> int:
        begin.wait()
        with opened(folder) as store:
            return version_of(store.connection)

    with ThreadPoolExecutor(READERS) as pool:
        for number in range(20):
            folder = tmp_path / str(number)
            folder.mkdir()
            assert set(pool.map(use, [folder] * READERS)) == {migrations()[-1][0]}


def insert_and_fail(store: Store) -> None:
    with store.transaction() as connection:
        connection.execute("INSERT INTO fact VALUES ('a', 'b')")
        connection.execute("INSERT INTO nowhere VALUES (1)")


def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    with open_to_write(tmp_path) as store:
        with pytest.raises(sqlite3.OperationalError):
            insert_and_fail(store)
        assert store.fact("a") is None


def test_the_second_writer_is_refused_and_readers_are_not(tmp_path: Path) -> None:
    with open_to_write(tmp_path) as store:
        store.set_fact("a", "b")
        script = textwrap.dedent("""
            import sys
            from pathlib import Path
            from unmingle.errors import LibraryBusyError
            from unmingle.store.sqlite import open_to_read, open_to_write
            with open_to_read(Path(sys.argv[1])) as store:
                assert store.fact("a") == "b"
            try:
                with open_to_write(Path(sys.argv[1])):
                    sys.exit(3)
            except LibraryBusyError:
                sys.exit(7)
        """)
        assert subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False).returncode == 7
    with open_to_write(tmp_path):
        pass  # the lock is free again


def test_a_library_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    with open_to_write(tmp_path) as store:
        store.connection.execute("PRAGMA user_version = 999")
    before = (tmp_path / "library.sqlite").read_bytes()
    for way in (open_to_write, open_to_read):
        with pytest.raises(LibraryNewerError, match="999") as caught, way(tmp_path):
            pass
        assert "upgrade" in caught.value.mend
    assert (tmp_path / "library.sqlite").read_bytes() == before


def test_a_missing_library_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="no library") as caught, open_to_read(tmp_path):
        pass
    assert "unmingle cluster" in caught.value.mend


def test_a_damaged_library_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "library.sqlite").write_bytes(b"this is no database, whatever its name says" * 100)
    for way in (open_to_write, open_to_read):
        with pytest.raises(LibraryError, match="damaged"), way(tmp_path):
            pass


def test_a_library_where_a_file_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LibraryError, match="is a file"), open_to_write(tmp_path / "file"):
        pass
    with pytest.raises(WriteError, match="can't be made"), open_to_write(tmp_path / "file" / "below"):
        pass


def test_a_full_disk_is_told_and_keeps_what_was_stored(tmp_path: Path) -> None:
    with open_to_write(tmp_path) as store:
        store.set_fact("kept", "yes")
        # SQLite's own limit gives its real error for a disk without room.
        (pages,) = store.connection.execute("PRAGMA page_count").fetchone()
        store.connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(WriteError, match="full") as caught:
            store.set_fact("large", "x" * 1_000_000)
        assert "Free some space" in caught.value.mend
        assert store.fact("kept") == "yes"
    with open_to_write(tmp_path) as store:
        store.set_fact("large", "x" * 1_000_000)
        assert store.fact("kept") == "yes"


def test_ids_of_people_are_never_given_twice(tmp_path: Path) -> None:
    with open_to_write(tmp_path) as store, store.transaction() as connection:
        first = connection.execute("INSERT INTO person DEFAULT VALUES").lastrowid
        connection.execute("DELETE FROM person")
        assert connection.execute("INSERT INTO person DEFAULT VALUES").lastrowid != first


def read_only(folder: Path, request: pytest.FixtureRequest) -> None:
    """From here on somebody runs the test who may read a folder's files and write none of them."""
    for path in folder.iterdir():
        path.chmod(0o444)
    folder.chmod(0o555)
    request.getfixturevalue("ordinary_user")


def test_a_read_only_library_can_be_read_and_not_written(open_folder: Path, request: pytest.FixtureRequest) -> None:
    library = open_folder / "library"
    with open_to_write(library) as store:
        store.set_fact("a", "b")
    read_only(library, request)
    with open_to_read(library) as store:
        assert store.fact("a") == "b"
    with pytest.raises(WriteError, match="can't be written") as caught, open_to_write(library):
        pass
    assert caught.value.mend
    with pytest.raises(WriteError, match="can't be made"), open_to_write(library / "below"):
        pass


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on the size of files")
def test_on_a_drive_that_can_not_have_a_log_nothing_is_left(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16_000, before[1]))  # room for an empty database, not for a log's index
    try:
        with pytest.raises(WriteError, match="disk I/O error"), open_to_write(tmp_path / "library"):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not (tmp_path / "library").exists()


@pytest.mark.parametrize("index", [True, False])
def test_a_reader_who_may_not_write_sees_the_last_changes_or_says_that_it_can_t(
    open_folder: Path, request: pytest.FixtureRequest, index: bool
) -> None:
    copy = open_folder / "copy"
    with open_to_write(open_folder / "library") as store:
        store.set_fact("season", "autumn")
        shutil.copytree(store.folder, copy)  # as a backup does, with the log that nobody has closed
    if not index:
        (copy / "library.sqlite-shm").unlink()
    read_only(copy, request)
    if index:
        with open_to_read(copy) as store:
            assert store.fact("season") == "autumn"
    else:
        with pytest.raises(LibraryError, match="last changes") as caught, open_to_read(copy):
            pass
        assert caught.value.mend


@pytest.mark.skipif(os.getuid() != 0, reason="it is about two users of the machine")
def test_a_reader_for_whom_the_file_is_frozen_says_so_when_it_is_not(
    open_folder: Path, request: pytest.FixtureRequest
) -> None:
    library = open_folder / "library"
    with open_to_write(library) as store:
        store.set_fact("season", "spring")
    read_only(library, request)
    with open_to_read(library) as store:
        with store.snapshot():
            assert store.fact("season") == "spring"
        user = os.geteuid()
        os.seteuid(os.getuid())  # the owner decides something
        with open_to_write(library) as writer:
            writer.set_fact("season", "autumn")
            os.seteuid(user)
            with pytest.raises(LibraryError, match="changed since"), store.snapshot():
                pass
            os.seteuid(os.getuid())


def test_a_reader_through_a_link_sees_the_last_changes(tmp_path: Path) -> None:
    with open_to_write(tmp_path / "library") as store:
        store.set_fact("season", "autumn")
        (tmp_path / "link").mkdir()
        (tmp_path / "link" / "library.sqlite").symlink_to(tmp_path / "library" / "library.sqlite")
        with open_to_read(tmp_path / "link") as reader:
            assert reader.fact("season") == "autumn"


@pytest.mark.skipif(os.name != "posix", reason="the limit is POSIX'")
def test_a_full_disk_can_be_read(tmp_path: Path) -> None:
    with open_to_write(tmp_path) as store:
        store.set_fact("season", "autumn")
    script = textwrap.dedent("""
        import resource, sys
        from pathlib import Path
        from unmingle.store.sqlite import open_to_read
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        with open_to_read(Path(sys.argv[1])) as store, store.snapshot():
            assert store.fact("season") == "autumn"
    """)
    assert subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False).returncode == 0


def test_the_file_is_durable_by_its_settings(tmp_path: Path) -> None:
    with open_to_write(tmp_path) as store:
        assert store.connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert store.connection.execute("PRAGMA synchronous").fetchone() == (2,)
    connection = sqlite3.connect(tmp_path / "library.sqlite")
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_a_snapshot_does_not_see_what_is_written_meanwhile(tmp_path: Path) -> None:
    with open_to_write(tmp_path) as writer, open_to_read(tmp_path) as reader:
        with reader.snapshot():
            assert reader.fact("season") is None
            writer.set_fact("season", "autumn")
            assert reader.fact("season") is None
        assert reader.fact("season") == "autumn"
        with writer.transaction(), writer.snapshot():
            assert writer.fact("season") == "autumn"


def test_a_reader_looks_again_where_a_writer_ends_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logged = iter([True, True, False, False])  # a log, and then none
    monkeypatch.setattr(sqlite, "_logged", lambda _: next(logged))
    with pytest.raises(LibraryError, match="There is no library"):
        sqlite._connect_to_read(tmp_path / "taken away")
    with open_to_write(tmp_path / "kept") as store:
        store.set_fact("x", "1")
    kept = tmp_path / "kept" / "library.sqlite"
    shutil.move(kept, tmp_path / "whole")
    kept.mkdir()  # SQLite can't open it now, as little as a log that goes meanwhile

    def back(_: Path) -> None:
        kept.rmdir()
        shutil.move(tmp_path / "whole", kept)

    monkeypatch.setattr(sqlite, "_check_there", back)
    connection, frozen = sqlite._connect_to_read(tmp_path / "kept")
    assert (connection.execute("SELECT value FROM fact WHERE key = 'x'").fetchone(), frozen) == (("1",), False)
    connection.close()
