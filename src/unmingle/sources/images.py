"""Find pictures and recordings in folders, single files and lists, and read pictures."""

from __future__ import annotations

import codecs
import hashlib
import os
import warnings
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from unmingle.errors import PictureError, SourceError
from unmingle.files import real_path, user_path
from unmingle.sources import formats
from unmingle.sources.names import has_ending

if TYPE_CHECKING:
    from unmingle.records import U8

BACKUP = "_original"  # how the endings of ExifTool's backups end
MOST_LISTED = 100_000_000  # bytes of a list of paths
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # how PowerShell begins a file
MOVING_PARTS = "moving parts"  # as what clips beside their picture are counted
LONE_RAW = "lone raw"  # as what `formats.lone_raws` finds is counted, beside its ending
MANIFEST = "manifest.csv"  # marks a folder that unmingle export wrote, beginning so
MANIFEST_COLUMNS = ("folder", "file", "person", "name", "source", "original")


@dataclass(frozen=True, slots=True, order=True)
class PictureFile:
    """One file to read; its paths are native and may hold bytes that are no text."""

    source: str  # absolute path of the folder (or of the file's folder) that was named by the user
    relative: str  # path below it
    problem: str = ""  # why it can't even be tried, such as a folder that can't be opened

    @property
    def path(self) -> Path:
        """Where the file is."""
        return Path(self.source, self.relative)

    @property
    def name(self) -> str:
        """The relative path as text for tables: forward slashes, undecodable bytes escaped."""
        return readable(self.relative).replace(os.sep, "/")

    @property
    def is_recording(self) -> bool:
        """Whether it is to be read as a recording, by its first bytes; by its ending where they tell nothing."""
        head = formats.head_of(self.path)
        called_so = self.path.suffix.lower() in formats.RECORDING_SUFFIXES
        return formats.begins_recording(head) or (called_so and not formats.picture_format(head))


@dataclass(frozen=True, slots=True)
class Scan:
    """What was found under the sources."""

    files: tuple[PictureFile, ...]  # pictures and recordings, sorted
    folders: tuple[str, ...]  # that were walked whole: what is not in `files` is no longer in them
    others: tuple[tuple[str, int], ...] = ()  # passed over, most first: endings, folders not looked into/, MOVING_PARTS
    made: tuple[str, ...] = ()  # folders below that unmingle export wrote, whose pictures were passed over
    lone_raws: int = 0  # of the others: raw pictures that lie there in no other format


def readable(path: str) -> str:
    """A native path as text that any table can hold."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def is_ending(kind: str) -> bool:
    """Whether what a scan passed over are files of that ending, and neither folders nor moving parts."""
    return kind != MOVING_PARTS and not kind.endswith("/")


def scan(sources: Sequence[str | Path]) -> Scan:
    """List the pictures and recordings of folders, single files, and text files that list paths.

    A file that is named, itself or in a list, is taken whatever it is called. Links to folders are followed, each real
    folder once, so a loop ends. What is hidden is passed over, and folders that systems keep (`formats.is_kept`), and
    the moving parts of pictures (`formats.moving_parts`).

    SourceError if a source is missing, a library, or may not be opened, or a list names another list.
    """
    found: set[PictureFile] = set()
    folders: list[str] = []
    made: list[str] = []
    others: Counter[str] = Counter()
    for source in sources:
        for entry in _expand(_whole(user_path(source)), folders, made):
            if isinstance(entry, str):
                others[entry] += 1
            else:
                found.add(entry)
    raws, ended = others.pop(LONE_RAW, 0), tuple(others.most_common())
    return Scan(tuple(sorted(found)), tuple(dict.fromkeys(folders)), ended, tuple(dict.fromkeys(made)), raws)


def _whole(path: Path) -> Path:
    """The whole path, without steps back; links stay as they were named where nothing steps back over them."""
    whole = path.absolute()
    return real_path(whole) if ".." in whole.parts else whole


def _expand(path: Path, folders: list[str], made: list[str]) -> Iterator[PictureFile | str]:
    """The files of one source, and the endings of those passed over; walked folders join `folders`, ours `made`."""
    if os.path.isdir(path):  # noqa: PTH112  # unlike Path, no path of a list is too odd for it
        if os.path.isfile(os.path.join(path, formats.LIBRARY_FILE)):  # noqa: PTH113, PTH118
            problem = f"{readable(str(path))} is a library's own folder, where no pictures are looked for."
            raise SourceError(problem, "Name the folder of the pictures, and a new one for the library, maybe in it.")
        folders.append(str(path))
        yield from walk(path, made=made)
    elif not os.path.exists(path):  # noqa: PTH110
        raise SourceError(f"There is no {readable(str(path))}.", "Check the path; quote it if it has spaces.")
    elif path.suffix.lower() == ".txt":
        lines = list(_listed(path))
        # What was said in a meeting, a readme: all that a pattern of the shell found is named. On a disk that is not
        # there now, folders have no endings.
        paths = sum(has_ending(line.name) or not line.is_relative_to(path.parent) for line in lines)
        if 2 * paths < len(lines) and not any(map(os.path.lexists, lines)):
            why = f"no list of paths: none of its {len(lines):,} lines is one of a file that is there"
            lines = []
            yield PictureFile(str(path.parent), path.name, why)
        for listed in lines:
            if listed.suffix.lower() == ".txt":
                mend = "Name that list as a source of its own."
                raise SourceError(f"{path.name} lists another list, {listed.name}.", mend)
            try:
                yield from _expand(listed, folders, made)
            except SourceError as error:  # one line of a list is one row
                yield PictureFile(str(listed.parent), listed.name, error.problem)
    else:
        yield PictureFile(str(path.parent), path.name)


def _listed(path: Path) -> Iterator[Path]:
    """The paths in a text file, one a line, relative to the file's own folder."""
    try:
        empty = path.is_file() and not path.stat().st_size
        data = b"" if empty else formats.read_file(path, MOST_LISTED)
        text = data.decode("utf-16" if data.startswith(UTF_16) else "utf-8-sig")
    except (OSError, PictureError, UnicodeDecodeError):
        text = "\0"
    if "\0" in text:  # which no path has
        raise SourceError(f"{path.name} can't be read as a list of paths.", "Save it as UTF-8 text, one a line.")
    for line in filter(None, map(str.strip, text.splitlines())):
        listed = _whole(user_path(line, below=path.parent))
        if line[0] == line[-1] == '"' and not os.path.lexists(listed):  # as Windows copies a path
            listed = _whole(user_path(line.strip('"'), below=path.parent))
        yield listed


def walk(
    root: Path, endings: frozenset[str] = formats.FOUND_SUFFIXES, *, made: list[str] | None = None
) -> Iterator[PictureFile | str]:
    """The files below a folder that end so, and those of unknown endings that begin like what does.

    Of each other file its ending or MOVING_PARTS, of some LONE_RAW as well, of a folder that a system keeps or that is
    hidden its name and a slash; one that can't be opened is a problem. Folders below that unmingle export wrote join
    `made`, if it is given, and are passed over. SourceError if the folder itself can't be opened.
    """
    seen: set[tuple[int, int]] = set()
    pending = deque([root])
    while pending:
        folder = pending.pop()
        try:
            listing = _new_entries(folder, seen)
        except OSError as error:
            if folder == root:
                problem = f"{readable(str(root))} can't be opened: {error.strerror}."
                raise SourceError(problem, "Check who may read it.") from error
            problem = f"the folder can't be opened: {error.strerror}"
            yield PictureFile(str(root), os.path.relpath(folder, root), problem)
            continue
        ours = any(is_manifest(entry.path) for entry in listing if entry.name == MANIFEST)
        if ours and made is not None and folder != root:
            made.append(str(folder))
            continue
        hidden, listing = ([one for one in listing if _is_hidden(one) is it] for it in (True, False))
        moving = formats.moving_parts(folder, (entry.name for entry in listing))
        yield from (LONE_RAW for _ in formats.lone_raws(entry.name for entry in listing if not _is_folder(entry)))
        for entry in listing:
            ending = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122  # thousands of names: no Path
            if _is_folder(entry):
                if formats.is_kept(folder.name, entry.name):
                    yield f"{readable(entry.name)}/"
                else:
                    # Links come last: what is below the source too is called as it is there.
                    (pending.appendleft if entry.is_symlink() else pending.append)(Path(entry.path))
            elif entry.name in moving:
                yield MOVING_PARTS
            elif _is_wanted(entry, ending, endings):
                yield PictureFile(str(root), os.path.relpath(entry.path, root))
            else:
                yield ending
        yield from _hidden(hidden, endings)


def _new_entries(folder: Path, seen: set[tuple[int, int]]) -> list[os.DirEntry[str]]:
    """What lies in a folder, sorted; nothing if it was seen before, or is a library with sheets."""
    status = folder.stat()
    if (status.st_dev, status.st_ino) in seen:
        return []
    seen.add((status.st_dev, status.st_ino))
    with os.scandir(folder) as entries:
        listing = sorted(entries, key=lambda entry: entry.name)
    return [] if any(entry.name == formats.LIBRARY_FILE and entry.is_file() for entry in listing) else listing


def _is_hidden(entry: os.DirEntry[str]) -> bool:
    name = entry.name
    return name.startswith(".") and not (name.endswith(formats.NOT_DOWNLOADED) and not _is_folder(entry))


def _hidden(entries: Sequence[os.DirEntry[str]], endings: frozenset[str]) -> Iterator[str]:
    """What is told of hidden entries: folders, and what may be pictures; `._a.jpg` is what macOS notes of `a.jpg`."""
    for entry in entries:
        ending = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122
        if _is_folder(entry):
            yield f"{readable(entry.name)}/"
        elif ending in endings and not entry.name.startswith("._"):
            yield f"hidden {ending}"


def _is_wanted(entry: os.DirEntry[str], ending: str, endings: frozenset[str]) -> bool:
    if ending in endings or ending in formats.OTHER_SUFFIXES or ending.endswith(BACKUP):
        return ending in endings
    head, recordings_too = formats.head_of(Path(entry.path)), endings >= formats.RECORDING_SUFFIXES
    return bool(formats.picture_format(head)) or (recordings_too and formats.begins_recording(head))


def is_manifest(path: str | Path) -> bool:
    """Whether a file is what an export of pictures in folders has at its top."""
    return formats.head_of(Path(path)).startswith(",".join(MANIFEST_COLUMNS).encode())


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads round in a circle
        return False


def read_bytes(file: PictureFile) -> bytes:
    """The file's content; PictureError as for `read_file`, or if it was a problem to the scan."""
    if file.problem:
        raise PictureError(file.problem)
    return formats.read_file(file.path)


def digest(content: bytes) -> str:
    """What names a picture's content: the same bytes are the same picture, wherever they lie."""
    return hashlib.sha256(content).hexdigest()


def read_picture(file: PictureFile) -> U8:
    """A picture from its file, (h, w, 3) uint8 RGB; PictureError as for `read_bytes` and `decode`."""
    from unmingle.sources.decoding import decode

    return decode(read_bytes(file))


@contextmanager
def quiet_decoders() -> Iterator[None]:
    """Silence Pillow's warnings of odd files while pictures are read.

    Not inside `decode`, since Python's warning filters belong to the whole process and `decode` runs in threads.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\..*")
        yield
