"""What shows or names people can be read by its owner only, whatever door it was written at."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest
from tests.cli.conftest import SHOTS
from tests.command import Command
from tests.made_library import library, take

from unmingle.store.schema import migrate
from unmingle.store.sqlite import open_to_read, open_to_write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


# Reads what it can, as somebody else if it may become so, until its input ends; tells each file that it could read.
OTHER = """
import os, sys, time
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
print("begun", flush=True)
os.set_blocking(0, False)
while True:
    time.sleep(0.002)
    for folder in sys.argv[1:]:
        for above, _, names in os.walk(folder):
            for name in names:
                try:
                    with open(os.path.join(above, name), "rb") as file:
                        print(above, name, len(file.read(9)), flush=True)
                except OSError:
                    pass
    try:
        if not os.read(0, 1):
            break
    except BlockingIOError:
        pass
"""


@contextmanager
def somebody_else(*folders: Path) -> Iterator[list[str]]:
    """Another user of the machine, who looks around meanwhile; the names of what they could read."""
    seen: list[str] = []
    words = [sys.executable, "-c", OTHER, *map(str, folders)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        yield seen
        out, _ = process.communicate()
    seen += sorted({line.split()[-2] for line in out.splitlines()})


@pytest.fixture
def _umask() -> Iterator[None]:
    """One that takes nothing away: what it leaves closed, each other does."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
def test_a_library_of_an_earlier_version_is_closed_once(tmp_path: Path) -> None:
    folder = tmp_path / "library"
    (folder / "sheets").mkdir(parents=True)
    with closing(sqlite3.connect(folder / "library.sqlite", isolation_level=None)) as connection:
        migrate(connection, to=12)
    for name in ("faces.csv", "sheets/person-0001.jpg", "mine.txt"):
        (folder / name).write_text("x")
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    with open_to_read(folder):
        assert open_to_others(tmp_path) == ["library", "library/mine.txt"]  # which holds more than ours
    (folder / "faces.csv").chmod(0o640)
    with open_to_write(folder):
        assert "library/faces.csv" in open_to_others(tmp_path)


def open_to_others(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.stat().st_mode & 0o077)


COMMANDS = (
    "name made/album 1 Ada",
    "show made/album 1",
    "show made/album 1 -o out/page/ada.jpg",
    "report made/album -q",
    "evaluate made/album --labels folders",
    "compare made/album made/other -q -o out/page.html",
    *(
        f"export made/album -q --to {kind} -o out/{kind}"
        for kind in ("folders", "csv", "xlsx", "parquet", "json", "xmp", "coco")
    ),
    "backup made/album out/copy",
    "erase made/other 2 --yes",
    "check made/other --repair",
)
EMBED = "export made/album -q --to xmp --embed -o out/embedded"


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
@pytest.mark.usefixtures("_umask")
def test_whatever_is_written_is_for_its_owner_only(open_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    take(open_folder / "pictures", SHOTS)
    made, out = open_folder / "made", open_folder / "out"
    monkeypatch.setattr("tempfile.tempdir", str(out))
    for folder in (made, out, made / "album", made / "other", out / "csv"):
        folder.mkdir()
        folder.chmod(0o755)  # as somebody made it beforehand: there only the files' own permissions count
    (out / "for-all.txt").write_text("x")
    (out / "for-all.txt").chmod(0o644)
    unmingle = Command(open_folder)
    with somebody_else(made, out) as could_read:
        for name in ("made/album", "made/other"):
            library(open_folder / name, open_folder / "pictures", SHOTS)
        for words in (*COMMANDS, *([EMBED] if shutil.which("exiftool") else [])):
            command, *rest = words.split()
            done = unmingle(command, *rest)
            assert done.code == 0, (words, done.err)
        with unmingle.start("review", "made/album", "--no-browser") as review:
            while not (made / "album" / "review.json").exists():
                assert review.poll() is None
            review.terminate()
    assert len(list(out.rglob("*"))) > 40
    assert open_to_others(made) == ["album", "other"]
    assert open_to_others(out) == ["csv", "for-all.txt"]
    if os.geteuid() == 0:  # else they are no other
        assert could_read == ["for-all.txt"]
