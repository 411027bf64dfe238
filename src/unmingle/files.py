"""Writing files so that a reader sees the old one or the new one, never half of it."""

from __future__ import annotations

import os
import reprlib
import secrets
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from lzma import LZMAError
from pathlib import Path
from zipfile import BadZipFile

from unmingle.errors import SettingsError, WriteError


def user_path(path: str | os.PathLike[str], below: Path | None = None) -> Path:
    """A path as somebody gave it, below a folder; a ~ in front is a home folder, unless something is called so."""
    if not isinstance(path, (str, os.PathLike)):
        raise SettingsError(f"{reprlib.repr(path)} is no path.", "Give each path as text, or as a pathlib.Path.")
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
    new = [one for one in (folder, *folder.parents) if not one.exists()]
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
JOURNAL = "decisions.jsonl"  # of a library, beside its database
FEW = 20  # files that are brought to the disk one by one
OWNER = 0o600  # what shows or names people is for its owner only
EVERYBODY = 0o644  # a model may serve all users of a machine


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it that are missing, for their owner only."""
    for one in (*reversed([above for above in folder.parents if not above.exists()]), folder):
        one.mkdir(mode=0o700, exist_ok=True)


def check_inside(folder: Path, target: Path) -> None:
    """Refuse to write to a path below a folder if a link on the way leads elsewhere; the folder itself may be one."""
    for part in target.relative_to(folder).parents:
        if (folder / part).is_symlink() and part != Path():
            raise WriteError(f"{folder / part} is a link to another place.", "Take it away, or choose another folder.")


def make_file(path: Path, mode: int = OWNER) -> None:
    """Make an empty file with these permissions, less what the umask takes; FileExistsError if it is there."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))


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
    temporary: Path | None = None
    with no_empty_folder(destination.parent):
        try:
            make_folder(destination.parent)
            # The suffix stays, since writers of pictures and tables read the format from it.
            temporary = destination.with_name(f"{TEMPORARY}{secrets.token_hex(8)}{destination.suffix}")
            make_file(temporary, mode)
            yield temporary
            if sync:
                sync_file(temporary)
            temporary.replace(destination)
            if sync:
                sync_folder(destination.parent)
        except OSError as error:
            problem = f"{destination} can't be written: {error.strerror or error}."
            raise WriteError(problem, "Free some space or choose another folder.") from error
        finally:
            if temporary is not None:
                temporary.unlink(missing_ok=True)


def write_atomically(destination: Path, content: bytes, *, mode: int = OWNER, sync: bool = False) -> None:
    """Write `content` to `destination` in one step (see `replacing`)."""
    with replacing(destination, mode=mode, sync=sync) as temporary:
        temporary.write_bytes(content)
