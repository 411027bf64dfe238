"""Putting files into a folder so that nothing there is ever overwritten, and a stopped export can be repeated."""

from __future__ import annotations

import errno
import filecmp
import hashlib
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from unmingle.errors import PictureError, WriteError, reason

if TYPE_CHECKING:
    from collections.abc import Callable

How = Literal["copy", "hardlink", "symlink"]

# What stops one file stops all.
_FOR_ALL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
# No hard links between disks, on this file system, or none further of this file.
_NO_LINK = {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS}


@dataclass(slots=True)
class Placer:
    """Puts files below a folder, or only counts them in a dry run.

    What is there already with the same content counts as done; what is there with another is left as it is. A file
    appears under its name only when it is whole. Stopped in between, the same once more gives the same tree.

    written, there: how many files were written, or would be, and how many were there.
    in_the_way:     names below the folder that something else has.
    left_out:       (file, why) of files that could not be written.
    """

    folder: Path
    dry_run: bool = False
    written: int = 0
    there: int = 0
    in_the_way: list[str] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    _failed: WriteError | None = None
    _made: set[Path] = field(default_factory=set)

    def attempt(self, file: str, write: Callable[[], object]) -> None:
        """Let one of many files be written: what stops it, but not all, is told of `file`; the next has its turn."""
        try:
            write()
        except Exception as error:  # whatever one file can do, the others are exported
            if isinstance(error, WriteError):
                if isinstance(error.__cause__, OSError) and error.__cause__.errno in _FOR_ALL:
                    raise
                self._failed = self._failed or error
            self.left_out.append((file, reason(error)))

    def check(self) -> None:
        """Say so if nothing at all could be written there."""
        if self._failed and not (self.written or self.there or self.in_the_way):
            raise self._failed

    def put(self, name: str, content: bytes) -> None:
        """Write a file."""
        self.make(name, lambda path: _write(path, content), same=lambda there: there.read_bytes() == content)

    def bring(self, name: str, original: Path, how: How) -> None:
        """Put a file of elsewhere there too, as a copy or a link."""
        original = original.resolve() if original.is_symlink() else original
        if how == "copy":
            self.make(name, lambda path: _copy(original, path), same=lambda there: _alike(there, original))
            return
        target = self.folder / name
        with _clear_errors(target, how):
            if self.dry_run and os.path.lexists(target):
                self._judge(name, same=_alike(target, original))
                return
            try:
                if not self.dry_run:
                    self._make_folder(target)
                    _link(original, target, how)
                self.written += 1
            except FileExistsError:
                self._judge(name, same=_alike(target, original))

    def make(self, name: str, write: Callable[[Path], object], *, same: Callable[[Path], bool] | None = None) -> None:
        """Let a file be written to a path beside its own, with the same ending.

        `same` tells whether a file holds just what would be written; without it, it is written to be compared.
        """
        target = self.folder / name
        partial = _partial(target)
        with _clear_errors(target, "copy"):
            there = os.path.lexists(target)
            if there and same is not None:
                self._judge(name, same=target.is_file() and same(target))
                if not self.dry_run:
                    partial.unlink(missing_ok=True)  # of an export that was killed when the file had just its name
                return
            if self.dry_run:
                # What would have to be written to be compared is taken for done.
                self.written, self.there = self.written + (not there), self.there + there
                return
            self._make_folder(target)
            try:
                # A partial file is left by an export that was killed: this very one, and it begins anew.
                partial.unlink(missing_ok=True)
                write(partial)
                partial.chmod(0o644)
                if there:
                    self._judge(name, same=_alike(target, partial))
                else:
                    _appear(partial, target)
                    self.written += 1
            except FileExistsError:
                self._judge(name, same=_alike(target, partial))
            finally:
                partial.unlink(missing_ok=True)

    def _judge(self, name: str, *, same: bool) -> None:
        if same:
            self.there += 1
        else:
            self.in_the_way.append(name)

    def _make_folder(self, target: Path) -> None:
        if target.parent not in self._made:
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
            except FileExistsError as error:
                raise WriteError(
                    f"{target.parent} is a file, where a folder is to be.", "Choose another folder to export to."
                ) from error
            self._made.add(target.parent)


def _partial(target: Path) -> Path:
    """Always the same for a file, so that a killed export leaves nothing behind once it is repeated."""
    digest = hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]
    return target.with_name(f".unmingle-{digest}{target.suffix}")


def _write(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)


def _copy(original: Path, path: Path) -> None:
    shutil.copyfile(original, path)
    stamp = original.stat()
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))


def _link(original: Path, target: Path, how: How) -> None:
    if how == "hardlink":
        os.link(original, target)
    else:
        target.symlink_to(original.absolute())


def _appear(partial: Path, target: Path) -> None:
    """Give a whole file its name, unless somebody has it."""
    try:
        os.link(partial, target)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from error
        partial.rename(target)


def _alike(one: Path, other: Path) -> bool:
    """Whether two names are of one file, or of two with the same content."""
    if not (one.is_file() and other.is_file()):
        return False
    return one.samefile(other) or filecmp.cmp(one, other, shallow=False)


class _clear_errors:  # noqa: N801  # used as a with block only
    """The system's errors as ours, with what to do; lighter than a generator, since there may be a million files."""

    def __init__(self, target: Path, how: How) -> None:
        self._target, self._how = target, how

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, OSError):
            return
        problem = f"{self._target} can't be written: {error.strerror or error}."
        if self._how == "hardlink" and error.errno in _NO_LINK:
            raise WriteError(problem, "Hard links don't work there: pass --how copy, or --how symlink.") from error
        if self._how == "symlink" and error.errno in _NO_LINK:
            raise WriteError(problem, "Symbolic links don't work there: pass --how copy.") from error
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise WriteError(problem, "Free some space: the same command then goes on from there.") from error
        if self._how == "copy" and error.filename and not Path(error.filename).is_relative_to(self._target.parent):
            raise PictureError(f"can't be opened: {error.strerror}") from error
        raise WriteError(problem, "Check who may write there, or choose another folder.") from error
