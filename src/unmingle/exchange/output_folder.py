"""Putting files into a folder so that nothing there is ever overwritten, and a stopped export can be repeated.

Names are ones that every system can hold: Windows, macOS and Linux, and what syncs between them.
"""

from __future__ import annotations

import errno
import filecmp
import os
import shutil
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal, Self

from unmingle.errors import PictureError, WriteError, reason
from unmingle.files import OWNER, check_inside, hidden_path, make_folder, sync_all
from unmingle.sources.names import distinct
from unmingle.text_layout import shows

How = Literal["copy", "hardlink", "symlink"]
AT_ONCE = 250  # files that get their names together: to have each of them on the disk alone takes many times as long

# What stops one file stops all.
_FOR_ALL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
# No hard links between disks, on this file system, or none further of this file.
_NO_LINK = {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS}

# What Windows takes for devices, whatever the ending. Superscript digits count as digits there.
_RESERVED = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$"}
    | {f"{port}{digit}" for port in ("com", "lpt") for digit in "0123456789¹²³"}
)
_FORBIDDEN = frozenset('<>:"/\\|?*')
LONGEST = 100  # characters: a folder and a file in it leave room in the 260 that a Windows path has
LONGEST_ENDING = 20  # characters with the dot: what is longer behind a dot is no ending
_LONGEST_BYTES = 200  # of UTF-8: Linux allows 255, and a number or a further ending may come behind


@dataclass(slots=True)
class OutputFolder:
    """A folder that files are put into, or only counted for in a dry run.

    What is there already with the same content counts as done; what is there with another is left as it is. A file
    appears under its name only when it is whole and on the disk: within a `with` block, which ends when all are.
    Stopped in between, the same once more gives the same tree.
    """

    folder: Path
    dry_run: bool = False
    written: int = 0  # files that were written, or would be
    there: int = 0
    in_the_way: list[str] = field(default_factory=list)  # names below the folder that something else has
    left_out: list[tuple[str, str]] = field(default_factory=list)  # (file, why) of those that could not be written
    _failed: WriteError | None = None
    _made: set[Path] = field(default_factory=set)
    _nameless: list[tuple[str, Path]] = field(default_factory=list)  # names to be, and where the files are

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._give_names()
        if self.written and not self.dry_run:
            sync_all({self.folder.parent, self.folder, *self._made})  # the names

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
        check_inside(self.folder, target)
        with _clear_errors(target, how):
            there = self.dry_run and os.path.lexists(target)
            if not self.dry_run:
                self._make_folder(target.parent)
                there = not _link(original, target, how)
            if there:
                self._judge(name, same=_alike(target, original))
            else:
                self.written += 1

    def make(self, name: str, write: Callable[[Path], object], *, same: Callable[[Path], bool] | None = None) -> None:
        """Let a file be written to a path beside its own, with the same ending.

        `same` tells whether a file holds just what would be written; without it, it is written to be compared.
        """
        target = self.folder / name
        check_inside(self.folder, target)
        hidden = hidden_path(target)  # so that a killed export leaves nothing behind once it is repeated
        with _clear_errors(target, "copy"):
            there = os.path.lexists(target)
            if there and same is not None:
                self._judge(name, same=target.is_file() and same(target))
                if not self.dry_run:
                    hidden.unlink(missing_ok=True)  # of an export that was killed when the file had just its name
                return
            if self.dry_run:
                # What would have to be written to be compared is taken for done.
                self.written, self.there = self.written + (not there), self.there + there
                return
            self._make_folder(target.parent)
            try:
                hidden.unlink(missing_ok=True)
                hidden.touch(OWNER, exist_ok=False)
                write(hidden)
                if there:
                    self._judge(name, same=_alike(target, hidden))
                    hidden.unlink()
            except BaseException:
                hidden.unlink(missing_ok=True)
                raise
            if not there:
                self._nameless.append((name, hidden))
            if len(self._nameless) == AT_ONCE:
                self._give_names()

    def _give_names(self) -> None:
        if self._nameless:
            sync_all([path for _, path in self._nameless])
        while self._nameless:
            name, path = self._nameless.pop()
            self.attempt(name, partial(self._give_name, name, path))

    def _give_name(self, name: str, path: Path) -> None:
        target = self.folder / name
        with _clear_errors(target, "copy"):
            try:
                if _appear(path, target):
                    self.written += 1
                else:
                    self._judge(name, same=_alike(target, path))
            finally:
                path.unlink(missing_ok=True)

    def _judge(self, name: str, *, same: bool) -> None:
        if same:
            self.there += 1
        else:
            self.in_the_way.append(name)

    def _make_folder(self, folder: Path) -> None:
        if folder not in self._made:
            try:
                make_folder(folder)
            except FileExistsError as error:
                problem = f"{folder} is a file, where a folder is to be."
                raise WriteError(problem, "Choose another folder to export to.") from error
            self._made.add(folder)


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _copy(original: Path, path: Path) -> None:
    shutil.copyfile(original, path)
    stamp = original.stat()
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))


def _link(original: Path, target: Path, how: How) -> bool:
    """Link a file, unless something has that name."""
    try:
        if how == "hardlink":
            os.link(original, target)
        else:
            target.symlink_to(original.absolute())
    except FileExistsError:
        return False
    return True


def _appear(partial: Path, target: Path) -> bool:
    """Give a whole file its name, unless something has it."""
    try:
        os.link(partial, target)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        if os.path.lexists(target):
            return False
        partial.rename(target)
    return True


def _alike(one: Path, other: Path) -> bool:
    """Whether two names are of one file, or of two with the same content."""
    if not (one.is_file() and other.is_file()):
        return False
    return one.samefile(other) or filecmp.cmp(one, other, shallow=False)


@contextmanager
def _clear_errors(target: Path, how: How) -> Iterator[None]:
    """The system's errors as ours, with what to do."""
    try:
        yield
    except OSError as error:
        mend = "Check who may write there, or choose another folder."
        if how == "hardlink" and error.errno in _NO_LINK:
            mend = "Hard links don't work there: pass --how copy, or --how symlink."
        elif how == "symlink" and error.errno in _NO_LINK:
            mend = "Symbolic links don't work there: pass --how copy."
        elif error.errno in (errno.ENOSPC, errno.EDQUOT):
            mend = "Free some space: the same command then goes on from there."
        elif how == "copy" and error.filename and not Path(error.filename).is_relative_to(target.parent):
            raise PictureError(f"can't be opened: {error.strerror}") from error
        raise WriteError(f"{target} can't be written: {error.strerror or error}.", mend) from error


def safe_name(name: str, *, ending: bool = True) -> str:
    """A name like this one that can be a file's or folder's everywhere, the same each time; an ending is kept whole."""
    name = unicodedata.normalize("NFC", name)
    name = "".join("_" if sign in _FORBIDDEN or not shows(sign) else sign for sign in name)
    stem, dot, tail = name.rpartition(".") if ending else (name, "", "")
    if not stem or len(tail) >= LONGEST_ENDING:
        stem, dot, tail = name, "", ""
    # Windows drops dots and spaces at the end, and a dot in front hides a file elsewhere.
    tail = (dot + tail).rstrip(". ")
    stem = stem.strip(" ") if tail else stem.strip(" ").rstrip(". ")
    if stem.startswith("."):
        stem = "_" + stem[1:]
    stem = _cut(stem, LONGEST - len(tail), _LONGEST_BYTES - len(tail.encode())).rstrip(" " if tail else ". ") or "_"
    if stem.partition(".")[0].rstrip(" ").casefold() in _RESERVED:
        stem = f"_{stem}"
    return stem + tail


def _cut(text: str, characters: int, size: int) -> str:
    """The beginning of a text, of at most so many characters and bytes, not cut between a letter and its accent."""
    cut = text[: max(characters, 1)]
    while len(cut.encode()) > size:
        cut = cut[:-1]
    while cut != text and len(cut) > 1 and (unicodedata.combining(cut[-1]) or cut[-1] in "\u200c\u200d"):
        cut = cut[:-1]
    return cut


def name_key(name: str) -> str:
    """What two names share that some file system takes for one: letter case and Unicode form don't tell them apart."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


def safe_names(names: Iterable[str], *taken: str, ending: bool = True) -> list[str]:
    """Safe names like these, all different on every system; those that are taken get a number."""
    return distinct((safe_name(name, ending=ending) for name in names), taken, key=name_key, ending=ending)
