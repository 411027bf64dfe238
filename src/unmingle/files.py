"""Writing files so that a reader sees the old one or the new one, never half of it."""

from __future__ import annotations

import errno
import hashlib
import os
import reprlib
import secrets
import shutil
import tempfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from lzma import LZMAError
from pathlib import Path
from zipfile import BadZipFile

from unmingle.errors import SettingsError, WriteError

try:
    import fcntl
except ImportError:  # Windows, where nothing that a killed process has left is known as such
    fcntl = None  # type: ignore[assignment]


def user_path(path: str | os.PathLike[str], below: Path | None = None) -> Path:
    """A path as somebody gave it, below a folder; a ~ in front is a home folder, unless something is called so."""
    if not isinstance(path, (str, os.PathLike)):
        raise SettingsError(f"{reprlib.repr(path)} is no path.", "Give each path as text, or as a pathlib.Path.")
    if path == "" and below is None:  # a variable that is not set; else it would be the current folder
        raise SettingsError("A path is empty.", "Write . for the current folder.")
    given = Path(path)
    there = given if below is None else below / given
    if not str(given).startswith("~") or os.path.lexists(there):
        return there
    try:
        return given.expanduser()
    except RuntimeError:  # nobody is called so
        return there


@contextmanager
def no_empty_folder(folder: Path) -> Iterator[None]:
    """If the block fails, take away the folder and the parents that it made, where nothing is in them."""
    new = [one for one in (folder, *folder.parents) if not is_there(one)]
    try:
        yield
    except BaseException:
        with suppress(OSError):  # it was never made, or there is something in it
            for one in new:
                one.rmdir()
        raise


# What reading an archive raises that is damaged, or none.
DAMAGE = (BadZipFile, OSError, NotImplementedError, EOFError, RuntimeError, ValueError, zlib.error, LZMAError)
TEMPORARY = ".unmingle-"  # how the name of a file begins that is being written
SCRATCH = ".unmingle-scratch-"  # how a folder of ours for temporary files begins
JOURNAL = "decisions.jsonl"  # of a library, beside its database
FEW = 20  # files that are brought to the disk one by one
OWNER = 0o600  # what shows or names people is for its owner only
EVERYBODY = 0o644  # a model may serve all users of a machine


def stamp(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Size and time of change in nanoseconds, by which it is seen that a file changed; (-1, 0) if it isn't there."""
    try:
        status = os.stat(path)  # noqa: PTH116  # a hundred thousand of them: no Path
    except OSError:
        return -1, 0
    return stamp_of(status)


def stamp_of(status: os.stat_result) -> tuple[int, int]:
    """The same of a file that was looked at already."""
    return status.st_size, in_64_bits(status.st_mtime_ns)


def in_64_bits(nanoseconds: int) -> int:
    """A time, or the nearest that a database holds, in 1677 or 2262: clocks have been further off."""
    return max(-1 << 63, min(nanoseconds, (1 << 63) - 1))


def is_there(path: Path) -> bool:
    """Whether something is at a path, as far as one may look; where one may not, Path.exists raises before 3.14."""
    return os.path.exists(path)  # noqa: PTH110


def is_file(path: Path) -> bool:
    """Likewise whether a file is there."""
    return os.path.isfile(path)  # noqa: PTH113


def real_path(path: str | Path) -> Path:
    """Where links lead; of those that lead round in a circle too, for which Path.resolve raises before 3.13."""
    return Path(os.path.realpath(path))


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it that are missing, for their owner only."""
    for one in (*reversed([above for above in folder.parents if not above.exists()]), folder):
        one.mkdir(mode=0o700, exist_ok=True)


def check_inside(folder: Path, target: Path) -> None:
    """Refuse to write to a path below a folder if a link on the way leads elsewhere; the folder itself may be one."""
    for part in target.relative_to(folder).parents:
        if (folder / part).is_symlink() and part != Path():
            raise WriteError(f"{folder / part} is a link to another place.", "Take it away, or choose another folder.")


def file_hash(path: Path, kind: str = "sha256") -> str:
    """What names the content of a file, which is not held in memory; hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, partial(hashlib.new, kind, usedforsecurity=False)).hexdigest()


def hidden_path(target: Path) -> Path:
    """Where a file is written before it has its name: the same each time, so that it is found after a kill."""
    digest = hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]
    # The suffix stays, since writers of pictures and tables read the format from it.
    return target.with_name(f"{TEMPORARY}{digest}{target.suffix}")


def _hold(path: Path) -> int | None:
    """Hold what is ours until this process ends, however it does; None if another one is at it."""
    assert fcntl
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(handle), path.lstat()):
            return handle
    except (BlockingIOError, FileNotFoundError):
        pass
    except OSError:
        os.close(handle)
        raise
    os.close(handle)  # another one holds it, or has taken it for left
    return None


def _take_away(path: Path) -> None:
    """Delete a temporary file or folder, if its process was killed."""
    with suppress(OSError):
        if fcntl and (handle := _hold(path)) is not None:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            os.close(handle)


def sweep() -> None:
    """Take away the temporary folders of processes that were killed: there may be names and faces in them."""
    with suppress(FileNotFoundError):  # there may be no place for any
        for folder in Path(tempfile.gettempdir()).glob(f"{SCRATCH}*"):
            if fcntl and folder.is_dir() and folder.lstat().st_uid == os.getuid():
                _take_away(folder)


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder for temporary files, for their owner only, for the length of a block."""
    sweep()
    folder = Path(tempfile.mkdtemp(prefix=SCRATCH))
    handle = _hold(folder) if fcntl else None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if handle is not None:
            os.close(handle)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk, where the system knows how."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def sync_all(paths: Collection[Path]) -> None:
    """Have files and folders on the disk; many with all else that was written, which is quicker."""
    if len(paths) > FEW and hasattr(os, "sync"):
        os.sync()
        return
    for path in paths:
        (sync_folder if path.is_dir() else sync_file)(path)


def sync_file(path: Path) -> None:
    """Have the content of a file on the disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


@contextmanager
def replacing(destination: Path, *, mode: int = OWNER, sync: bool = False) -> Iterator[Path]:
    """Give a temporary path beside `destination`; on success it takes its place at once, with these permissions.

    sync: also a power cut afterwards leaves it whole.
    """
    temporary, handle = None, None
    with no_empty_folder(destination.parent):
        try:
            make_folder(destination.parent)
            temporary, handle = _begun(destination, mode)
            yield temporary
            if sync:
                sync_file(temporary)
            temporary.replace(destination)
            temporary = None  # its name may be another one's now
            if sync:
                sync_folder(destination.parent)
        except OSError as error:
            problem = f"{destination} can't be written: {error.strerror or error}."
            if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
                raise WriteError(problem, "Check who may write there, or choose another folder.") from error
            raise WriteError(problem, "Free some space or choose another folder.") from error
        finally:
            if temporary is not None:
                temporary.unlink(missing_ok=True)
            if handle is not None:
                os.close(handle)


def _begun(destination: Path, mode: int) -> tuple[Path, int | None]:
    """An empty file beside a destination, held where that can be; what a killed process has left of it goes."""
    path = hidden_path(destination)
    if os.path.lexists(path):
        _take_away(path)
    with suppress(FileExistsError):
        path.touch(mode, exist_ok=False)
        try:
            handle = _hold(path) if fcntl else None
        except OSError:  # a disk on which nothing can be held
            return path, None
        if handle is not None or not fcntl:
            return path, handle
    path = destination.with_name(f"{TEMPORARY}{secrets.token_hex(8)}{destination.suffix}")  # another one is at it
    path.touch(mode, exist_ok=False)
    return path, None


def write_atomically(destination: Path, content: bytes, *, mode: int = OWNER, sync: bool = False) -> None:
    """Write `content` to `destination` in one step (see `replacing`)."""
    with replacing(destination, mode=mode, sync=sync) as temporary:
        temporary.write_bytes(content)
