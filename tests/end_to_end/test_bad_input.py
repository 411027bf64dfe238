"""Bad input, as a user meets it: a clear sentence, the mend, and nothing lost."""

from __future__ import annotations

import io
import os
import resource
import shutil
import sqlite3
import struct
import subprocess
import sys
import zlib
from random import Random
from typing import TYPE_CHECKING

import polars as pl
import pytest
from PIL import Image

from madeup.cast import CAST
from madeup.portraits import Look, Person, render
from unmingle.errors import SourceError
from unmingle.library import Library
from unmingle.store.sqlite import open_to_write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.command import Command, Result

    from unmingle.demo import Meeting


def portrait(seed: int, size: int = 160) -> Image.Image:
    return Image.fromarray(render(Person.from_seed(CAST[seed % 12]), Look.from_seed(seed), size))


def jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG")
    return buffer.getvalue()


def failed(done: Result, *parts: str) -> None:
    """Exit code 1 and a sentence, never a traceback."""
    assert done.code == 1, (done.out, done.err)
    assert done.err.startswith("Error: ") or "\nError: " in done.err
    assert "Traceback" not in done.err
    for part in parts:
        assert part in done.err


def rows(folder: Path) -> dict[str, tuple[str, str]]:
    faces = pl.read_csv(folder / "faces.csv")
    return {
        file: (status, reason or "") for file, status, reason in faces.select("file", "status", "reason").iter_rows()
    }


def test_empty_and_missing_folders(unmingle: Command) -> None:
    (unmingle.folder / "empty").mkdir()
    failed(unmingle("cluster", "empty", "-o", "out"), "There are no pictures or recordings in", "empty.\nName a folder")
    (unmingle.folder / "zipped").mkdir()
    for name in ("takeout-001.zip", "takeout-002.zip", "IMG_1.CR2", ".IMG_2.HEIC.icloud"):
        (unmingle.folder / "zipped" / name).write_bytes(b"-")
    failed(unmingle("cluster", "zipped", "-o", "out"), "zipped, only 2 .zip, 1 .icloud, 1 .cr2.\nName another")
    for number in range(9):
        (unmingle.folder / "zipped" / f"part.e{number}").write_bytes(b"-")
        if number == 5:
            failed(unmingle("cluster", "zipped", "-o", "out"), "1 .e4, 1 .e5.")
    failed(unmingle("cluster", "zipped", "-o", "out"), "1 .e4, 4 of 4 more endings.")
    failed(unmingle("cluster", "nowhere", "-o", "out"), "There is no", "nowhere", "Check the path")
    (unmingle.folder / "loop").symlink_to("loop")
    for loop in ("loop", "loop/../loop/x"):
        failed(unmingle("cluster", loop, "-o", "out"), "There is no", "Check the path")
    failed(unmingle("status", "loop"), "There is no library in loop")
    failed(unmingle("cluster", "empty", "-o", "loop"), "loop is a file")
    failed(unmingle("cluster", "empty", "-o", "empty"), "empty is a library's own folder", "a new one for the library")
    with pytest.raises(SourceError):
        Library(unmingle.folder / "empty").add(unmingle.folder / "empty")
    assert not list((unmingle.folder / "empty").iterdir())
    failed(unmingle("evaluate", "nowhere", "--labels", "folders"), "There is no library in nowhere")
    failed(unmingle("show", "empty", "1"), "There is no library in empty")


def test_wrong_usage_has_its_own_exit_code(unmingle: Command) -> None:
    assert unmingle("cluster").code == 2
    assert unmingle("cluster", "x", "-o", "y", "--crops", "maybe").code == 2
    assert unmingle("nonsense").code == 2


def test_each_bad_picture_has_its_reason_and_the_good_ones_are_sorted(unmingle: Command) -> None:
    source = unmingle.folder / "source"
    source.mkdir()
    for i in range(4):
        (source / f"good {i}.jpg").write_bytes(jpeg(portrait(12 * i)))
    os.utime(source / "good 0.jpg", (1e10, 1e10))  # of 2286, which are more nanoseconds than a database holds
    whole = jpeg(portrait(1))
    (source / "text.jpg").write_text("not a picture at all", encoding="utf-8")
    (source / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (source / "empty.jpg").touch()
    (source / "huge.png").write_bytes(claims_to_be(30_000, 30_000))
    (source / "tiny.png").write_bytes(claims_to_be(2, 2))
    (source / "emoji 😀 and\nnewline.jpg").write_bytes(whole)
    (source / "grey.png").write_bytes(b"")
    portrait(13).convert("L").save(source / "grey.png")
    frames = [portrait(2), portrait(14)]
    frames[0].save(source / "moving.gif", save_all=True, append_images=frames[1:])
    done = unmingle("cluster", source, "-o", "out")
    assert done.code == 0, done.err
    found = rows(unmingle.folder / "out")
    assert len(found) == 12
    assert found["text.jpg"] == ("unreadable", "not a picture in a format that is read")
    assert found["cut.jpg"][0] == found["empty.jpg"][0] == found["huge.png"][0] == found["tiny.png"][0] == "unreadable"
    assert "truncated" in found["cut.jpg"][1]
    assert "0 bytes" in found["empty.jpg"][1]
    assert "too large" in found["huge.png"][1]
    assert "too small: 2×2" in found["tiny.png"][1]
    assert all(found[f"good {i}.jpg"][0] == "clustered" for i in range(4))
    assert found["emoji 😀 and\nnewline.jpg"][0] in {"clustered", "alone"}
    assert found["moving.gif"][0] in {"clustered", "alone"}
    assert "5 unreadable" in done.out
    # Mended, they are read at the next run, and only they.
    (source / "cut.jpg").write_bytes(whole)
    done = unmingle("cluster", source, "-o", "out")
    assert "nothing new to embed, 7 known from before, 1 copy of another, 4 unreadable" in done.out


def claims_to_be(width: int, height: int) -> bytes:
    """A PNG that says it is so large, with next to no pixels in it."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99))


@pytest.mark.slow
def test_a_picture_with_a_hundred_faces(unmingle: Command) -> None:
    size, columns, lines = 96, 11, 10
    crowd = Image.new("RGB", (columns * size, lines * size), "grey")
    for i in range(columns * lines):
        crowd.paste(portrait(i, size=96), (i % columns * size, i // columns * size))
    (unmingle.folder / "source").mkdir()
    crowd.save(unmingle.folder / "source" / "crowd.png")
    done = unmingle("cluster", "source", "-o", "out")
    assert done.code == 0, done.err
    faces = pl.read_csv(unmingle.folder / "out" / "faces.csv")
    assert faces.height >= 107
    # Two faces of one picture are never the same person, so nobody can have a second face.
    assert faces["person"].null_count() == faces.height
    assert "To see what was left out: unmingle review" in done.out


def test_loops_of_links_and_equal_names(unmingle: Command, meeting: Meeting) -> None:
    files = sorted(meeting.faces.iterdir())
    for folder, file in (("one", files[0]), ("two", files[1])):
        (unmingle.folder / "source" / folder).mkdir(parents=True)
        shutil.copy(file, unmingle.folder / "source" / folder / "same name.jpg")
    (unmingle.folder / "source" / "one" / "loop").symlink_to(unmingle.folder / "source")
    assert unmingle("cluster", "source", "-o", "out").code == 0
    assert set(rows(unmingle.folder / "out")) == {"one/same name.jpg", "two/same name.jpg"}


def test_two_runs_at_once(unmingle: Command, meeting: Meeting) -> None:
    with open_to_write(unmingle.folder / "out"):
        failed(unmingle("cluster", meeting.faces, "-o", "out"), "Another run is writing to", "Wait until it ends")
    assert unmingle("cluster", meeting.faces, "-o", "out").code == 0


def test_a_library_from_a_newer_version(unmingle: Command, meeting: Meeting) -> None:
    (unmingle.folder / "out").mkdir()
    connection = sqlite3.connect(unmingle.folder / "out" / "library.sqlite")
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    failed(unmingle("cluster", meeting.faces, "-o", "out"), "A newer unmingle made this library", "--upgrade")


def test_an_output_that_is_a_file_or_may_not_be_written(unmingle: Command, meeting: Meeting) -> None:
    (unmingle.folder / "file").touch()
    failed(unmingle("cluster", meeting.faces, "-o", "file"), "file is a file", "choose another name")
    failed(unmingle("cluster", meeting.faces, "-o", "/proc/nowhere"), "can't be made")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on the size of files")
def test_a_full_disk_is_told_and_the_next_run_goes_on(unmingle: Command, meeting: Meeting) -> None:
    """The system's limit on file sizes stands for the disk: writing past it fails in the same place."""
    script = (
        "import resource, runpy, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000)); "
        "runpy.run_module('unmingle', run_name='__main__')"
    )
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    done = subprocess.run(
        [sys.executable, "-c", script, "cluster", meeting.faces, "-o", "out", "-q"],
        cwd=unmingle.folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ},
    )
    assert done.returncode == 1, (done.stdout, done.stderr)
    assert "can't be written" in done.stderr
    assert "Traceback" not in done.stderr
    again = unmingle("cluster", meeting.faces, "-o", "out")
    assert again.code == 0, again.err


def test_labels_that_cannot_be_used(unmingle: Command, meeting: Meeting) -> None:
    import unmingle as package

    library = package.open(unmingle.folder / "out")
    library.add(meeting.faces)
    library.cluster(sheets=0)
    pl.DataFrame({"a": [1], "b": [2]}).write_csv(unmingle.folder / "odd.csv")
    failed(unmingle("evaluate", "out", "--labels", "odd.csv"), "odd.csv", "a, b")
    failed(unmingle("evaluate", "out", "--labels", "none.xlsx"), "none.xlsx")
    pl.DataFrame({"file": ["x.jpg"], "id": [2]}).write_csv(unmingle.folder / "other.csv")
    failed(unmingle("evaluate", "out", "--labels", "other.csv"))


def test_classic_without_weights_or_number_says_what_to_do(
    unmingle: Command, meeting: Meeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNMINGLE_CACHE", str(unmingle.folder / "cache"))
    failed(unmingle("cluster", meeting.faces, "-o", "out", "--recipe", "classic"), "--people")
    failed(
        unmingle("cluster", meeting.faces, "-o", "out", "--recipe", "classic", "--people", "3"),
        "unmingle models fetch vgg16",
    )


def test_a_single_face_and_identical_faces(unmingle: Command) -> None:
    source = unmingle.folder / "source"
    source.mkdir()
    (source / "one.jpg").write_bytes(jpeg(portrait(0)))
    assert unmingle("cluster", source, "-o", "out").code == 0
    assert rows(unmingle.folder / "out")["one.jpg"][0] == "alone"
    for i in range(30):
        (source / f"copy {i}.jpg").write_bytes(jpeg(portrait(0)))
    done = unmingle("cluster", source, "-o", "out")
    assert done.code == 0
    # The same picture many times is one look of one person, not evidence that there are several.
    assert {status for status, _ in rows(unmingle.folder / "out").values()} == {"alone"}


def test_faces_are_the_same_whatever_their_order(unmingle: Command, meeting: Meeting) -> None:
    import unmingle as package

    partitions = []
    for turn in range(2):
        library = package.open(unmingle.folder / f"out{turn}")
        files = sorted(meeting.faces.iterdir())
        Random(turn).shuffle(files)
        for part in (files[:20], files[20:]):
            library.add(*part)
        library.cluster(sheets=0)
        partitions.append(library.faces.select("file", "person").sort("file"))
    assert partitions[0].equals(partitions[1])
