from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from unmingle.errors import WriteError
from unmingle.exchange.output_folder import AT_ONCE, How, OutputFolder


@pytest.fixture
def original(tmp_path: Path) -> Path:
    path = tmp_path / "original.jpg"
    path.write_bytes(b"picture")
    return path


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("how", ["copy", "hardlink", "symlink"])
def test_a_file_is_brought_once_and_known_the_next_time(how: How, original: Path, tmp_path: Path) -> None:
    for written, there in ((1, 0), (0, 1)):
        with OutputFolder(tmp_path / "out") as out_folder:
            out_folder.bring("Ada/a.jpg", original, how)
        assert (out_folder.written, out_folder.there, out_folder.in_the_way) == (written, there, [])
    brought = tmp_path / "out" / "Ada" / "a.jpg"
    assert tree(tmp_path / "out") == {"Ada/a.jpg": b"picture"}
    assert brought.is_symlink() == (how == "symlink")
    assert (brought.stat().st_ino == original.stat().st_ino) == (how != "copy")
    assert brought.stat().st_mtime_ns == original.stat().st_mtime_ns


@pytest.mark.parametrize("how", ["copy", "hardlink", "symlink"])
def test_what_is_there_is_never_overwritten(how: How, original: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.jpg").write_bytes(b"another")
    (out / "b.jpg").symlink_to(tmp_path / "nowhere")
    out_folder = OutputFolder(out)
    out_folder.bring("a.jpg", original, how)
    out_folder.bring("b.jpg", original, how)
    out_folder.put("a.jpg", b"text")
    assert (out_folder.written, out_folder.in_the_way) == (0, ["a.jpg", "b.jpg", "a.jpg"])
    assert (out / "a.jpg").read_bytes() == b"another"
    assert not (tmp_path / "nowhere").exists()


def test_a_dry_run_tells_the_same_and_writes_nothing(original: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.jpg").write_bytes(b"another")
    (out / "b.jpg").write_bytes(b"picture")
    before = tree(out)
    out_folder = OutputFolder(out, dry_run=True)
    for name in ("a.jpg", "b.jpg", "Ada/c.jpg"):
        out_folder.bring(name, original, "hardlink")
    out_folder.put("d.csv", b"text")
    assert (out_folder.written, out_folder.there, out_folder.in_the_way) == (2, 1, ["a.jpg"])
    assert tree(out) == before
    assert not (out / "Ada").exists()


KILL = """
import os, signal, sys
from pathlib import Path
from unmingle.exchange.output_folder import OutputFolder

def half(path):
    path.write_bytes(b"ha")
    os.kill(os.getpid(), signal.SIGKILL)

OutputFolder(Path(sys.argv[1])).make("Ada/a.jpg", half)
"""


def test_killed_while_it_wrote_it_leaves_nothing_once_it_is_repeated(tmp_path: Path) -> None:
    out = tmp_path / "out"
    killed = subprocess.run([sys.executable, "-c", KILL, str(out)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert list(tree(out).values()) == [b"ha"]
    assert not (out / "Ada" / "a.jpg").exists()  # what is not whole has no name
    with OutputFolder(out) as out_folder:
        out_folder.put("Ada/a.jpg", b"whole")
        assert not (out / "Ada" / "a.jpg").exists()  # it may not be on the disk yet
    assert tree(out) == {"Ada/a.jpg": b"whole"}


def test_many_files_get_their_names_together(tmp_path: Path) -> None:
    with OutputFolder(tmp_path) as out:
        for number in range(AT_ONCE + 1):
            out.put(f"{number}.txt", b"text")
        (tmp_path / f"{AT_ONCE}.txt").write_bytes(b"another, since")
    assert (out.written, out.in_the_way) == (AT_ONCE, [f"{AT_ONCE}.txt"])
    assert len(tree(tmp_path)) == AT_ONCE + 1


def test_a_folder_that_cant_be_is_an_error_with_the_mend(original: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "Ada").write_bytes(b"a file")
    with pytest.raises(WriteError, match="where a folder is to be"):
        OutputFolder(tmp_path / "out").bring("Ada/a.jpg", original, "copy")


def test_a_folder_that_may_not_be_written(open_folder: Path, original: Path, ordinary_user: None) -> None:
    with pytest.raises(WriteError, match="Check who may write there"):
        OutputFolder(open_folder / "out").put("a.csv", b"text")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full disk here")
def test_a_full_disk_says_so(tmp_path: Path) -> None:
    def fill(path: Path) -> None:
        path.touch()
        with Path("/dev/full").open("wb") as full:
            full.write(b"much")

    with pytest.raises(WriteError, match="Free some space: the same command then goes on"):
        OutputFolder(tmp_path / "out").make("a.jpg", fill)
    assert tree(tmp_path / "out") == {}


@pytest.mark.skipif(
    not Path("/dev/shm").is_dir() or Path("/dev/shm").stat().st_dev == Path("/tmp").stat().st_dev,
    reason="there is no second disk here",
)
def test_a_hard_link_to_another_disk_names_the_other_ways(original: Path) -> None:
    disks = Path("/dev/shm"), Path("/tmp")  # the tests may run on either
    (other,) = (disk for disk in disks if disk.stat().st_dev != original.stat().st_dev)
    folder = other / f"unmingle-test-{os.getpid()}"
    try:
        with pytest.raises(WriteError, match="pass --how copy, or --how symlink"):
            OutputFolder(folder).bring("a.jpg", original, "hardlink")
    finally:
        folder.rmdir()


@pytest.mark.parametrize("how", ["copy", "hardlink", "symlink"])
def test_a_link_below_the_folder_is_not_followed(how: How, original: Path, tmp_path: Path) -> None:
    elsewhere, out = tmp_path / "elsewhere", tmp_path / "out"
    elsewhere.mkdir()
    (tmp_path / "real").mkdir()
    out.symlink_to(tmp_path / "real")  # what is named itself may be one
    (out / "Ada").symlink_to(elsewhere)
    with OutputFolder(out) as folder:
        folder.attempt("a.jpg", lambda: folder.bring("Ada/deep/a.jpg", original, how))
        folder.attempt("b.jpg", lambda: folder.put("Ada/b.jpg", b"text"))
        folder.bring("Bob/a.jpg", original, how)
    assert not list(elsewhere.iterdir())
    assert [why for _, why in folder.left_out] == [
        f"{out / 'Ada'} is a link to another place. {mend}" for mend in ["Take it away, or choose another folder."] * 2
    ]
    assert folder.written == 1
