"""Names of files: what they say of a recording, and which file a name or a path means."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import PurePosixPath
from urllib.parse import unquote

from unmingle.errors import SettingsError
from unmingle.sources.formats import FOUND_SUFFIXES, RAW_SUFFIXES

MEETING_PATTERN = r"(?P<meeting>.+)_(?P<frame>\d{4,})_(?P<index>\d{1,3})"
AUTO = "auto"  # in place of a pattern: MEETING_PATTERN, as far as the faces of a collection bear it out
# How sure a match is. A match by the last k parts of a path has rank k.
FULL, RELATIVE, SLASHED, COMPOSED, FOLDED = 10_005, 10_004, 10_003, 10_002, 10_001
WITHOUT_ENDING = 20_000  # less
LONGEST_NUMBER = 100  # digits
# Spaces, also of zero width, and marks of byte order and direction: they come with copied text. Within a word they may
# mean something (joiners of Persian and Sinhala), around it never.
_AROUND = "".join(filter(str.isspace, map(chr, range(0x3001)))) + "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"


@dataclass(frozen=True, slots=True)
class NameParts:
    """What a name like `weekly_00000290_3.jpg` carries: the recording, the frame's number, which face of the frame."""

    meeting: str
    frame: int
    index: int


def parse_name(file: str, *, pattern: str = MEETING_PATTERN) -> NameParts | None:
    r"""Meeting, frame and index in the name of a file; None if it is not of that form.

    Of a path with / or \ between folders only the last part without its ending is looked at. The pattern is a regular
    expression for the whole of it, with the groups meeting, frame and index.
    """
    name = file.replace("\\", "/").rpartition("/")[2]
    head, dot, _ = name.rpartition(".")
    found = compile_pattern(pattern).fullmatch(head if dot and head else name)
    if found is None:
        return None
    try:
        return NameParts(found["meeting"], int(found["frame"]), int(found["index"]))
    except (TypeError, ValueError):  # a pattern of the user's own may let letters, or nothing, into frame or index
        return None


@cache
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """The compiled pattern, or a SettingsError; digits are 0 to 9 only, and a name may hold a newline."""
    try:
        compiled = re.compile(pattern, re.ASCII | re.DOTALL)
    except re.error as error:
        raise SettingsError(f"The name pattern {pattern!r} is not a regular expression: {error}.") from error
    missing = sorted({"meeting", "frame", "index"} - compiled.groupindex.keys())
    if missing:
        hint = f"Write them as named groups, as in {MEETING_PATTERN}"
        raise SettingsError(f"The name pattern {pattern!r} has no group {', '.join(missing)}.", hint)
    return compiled


def distinct(
    names: Iterable[str], taken: Iterable[str] = (), *, key: Callable[[str], str] = str.casefold, ending: bool = False
) -> list[str]:
    """The names, with a number behind those that came before or are taken, by a key; ending: before what ends them."""
    found, known = list[str](), set(map(key, taken))
    for name in names:
        free, number = name, 2
        stem, dot, tail = name.rpartition(".") if ending and "." in name else (name, "", "")
        while key(free) in known:
            free, number = f"{stem}-{number}{dot}{tail}", number + 1
        known.add(key(free))
        found.append(free)
    return found


@dataclass(frozen=True, slots=True)
class NamedFiles:
    """The files that a name could mean at the first step that found any."""

    files: tuple[int, ...] = ()
    rank: int = 0
    astray: bool = False  # only the last part agrees

    def __bool__(self) -> bool:
        return bool(self.files)


def find_all(names: Sequence[str], files: Sequence[tuple[str, str]]) -> list[NamedFiles]:
    """What each name or path could mean of files given as (source, path relative to it).

    The exact spelling goes before the folded one, and more parts of a path before fewer.
    """
    whole = [f"{source.rstrip('/')}/{file}" for source, file in files]
    exact: defaultdict[str, list[int]] = defaultdict(list)
    for i, path in enumerate(whole):
        exact[path].append(i)
    parts_of_names = {name: tuple(parts_of(name)) for name in names if name not in exact}
    wanted = {parts[at:] for parts in parts_of_names.values() for at in range(len(parts))}
    agreeing: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)  # files by each wanted end of their paths
    for i, path in enumerate(whole if wanted else ()):
        parts = tuple(parts_of(path))
        for at in reversed(range(len(parts))):
            if parts[at:] not in wanted:
                break
            agreeing[parts[at:]].append(i)
    found = {}
    for name, parts in parts_of_names.items():
        length = next((n for n in range(len(parts), 0, -1) if parts[-n:] in agreeing), 0)
        among = [(i, whole[i], files[i][1]) for i in agreeing[parts[-length:]]] if length else []
        found[name] = _best_spelled(name, parts, length, among)
    return [found[name] if name in found else NamedFiles(tuple(exact[name]), FULL) for name in names]


def _best_spelled(name: str, parts: Sequence[str], length: int, among: Sequence[tuple[int, str, str]]) -> NamedFiles:
    """Of files that agree in so many parts, as (position, whole path, relative), those spelled most like the name."""
    if length == len(parts):
        for rank, key in ((RELATIVE, str), (SLASHED, _slashed), (COMPOSED, _composed), (FOLDED, folded)):
            wanted = key(name)
            if hits := tuple(i for i, _, path in among if key(path) == wanted):
                return NamedFiles(hits, rank)
    astray = length == 1 < min(len(parts), len(parts_of(among[0][2])))
    for key in (_slashed, _composed):
        end = "/" + "/".join(key(name).split("/")[-length:])
        if hits := tuple(i for i, path, _ in among if key(path).endswith(end)):
            return NamedFiles(hits, length, astray)
    return NamedFiles(tuple(i for i, *_ in among), length, astray)


def find_named(names: Sequence[str], files: Sequence[tuple[str, str]]) -> list[NamedFiles]:
    """What each name in a table could mean.

    As `find_all`; and a name without the ending of a picture or a recording, if it is no file's, means the file that
    has the same name before its ending, a raw picture's likewise, and a number the one with the same number:
    spreadsheets make 7 of 007. %20 of an address is a space, and so on, where more of the path agrees then.
    """
    wanted = find_all(names, files)
    if quoted := [i for i, name in enumerate(names) if "%" in name]:
        for i, found in zip(quoted, find_all([unquote(names[i]) for i in quoted], files), strict=True):
            wanted[i] = max(wanted[i], found, key=lambda one: one.rank)
    rest = [i for i, found in enumerate(wanted) if not found and not has_ending(names[i])]
    if rest:
        among = stems(files)
        for i, found in zip(rest, find_stems([names[i] for i in rest], among), strict=True):
            wanted[i] = replace(found, rank=found.rank - WITHOUT_ENDING)
        numbers: defaultdict[str, list[int]] = defaultdict(list)
        for i, (_, stem) in enumerate(among):
            numbers[_number_of(PurePosixPath(stem).name)].append(i)
        for i in rest:
            if not wanted[i] and (number := _number_of(names[i])):
                wanted[i] = NamedFiles(tuple(numbers.get(number, ())), -WITHOUT_ENDING)
    return wanted


def find_stems(names: Sequence[str], among: Sequence[tuple[str, str]]) -> list[NamedFiles]:
    """As `find_all` among `stems`; what has a raw picture's ending means, if nothing, what has its name before that."""
    found = find_all([*names, *map(developed, names)], among)
    return [one or other for one, other in zip(found[: len(names)], found[len(names) :], strict=True)]


def has_ending(name: str) -> bool:
    """Whether a name ends like a picture or a recording."""
    return PurePosixPath(_slashed(bare(name))).suffix.lower() in FOUND_SUFFIXES


def stems(files: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Sources and paths without the paths' endings."""
    return [(source, str(PurePosixPath(file).with_suffix(""))) for source, file in files]


def developed(name: str) -> str:
    """The name of a raw picture without its ending, as what a camera or a program made of it has it; others' as is."""
    path = PurePosixPath(name)
    return str(path.with_suffix("")) if path.suffix.lower() in RAW_SUFFIXES else name


def _number_of(name: str) -> str:
    """A name that is a number, without zeros before it; empty for others."""
    name = bare(name)
    return str(int(name)) if name.isascii() and name.isdecimal() and len(name) < LONGEST_NUMBER else ""


def bare(text: str) -> str:
    """The text without spaces, and what can't be seen, around it."""
    return text.strip(_AROUND)


def _slashed(path: str) -> str:
    """A path with / between folders, and none in front."""
    return path.replace("\\", "/").removeprefix("./")


def _composed(path: str) -> str:
    return unicodedata.normalize("NFC", _slashed(path))


def folded(path: str) -> str:
    """A path without letter case, spaces around it, and differences of Unicode form (as between macOS and others)."""
    return unicodedata.normalize("NFC", _slashed(bare(path)).casefold())


def parts_of(path: str) -> list[str]:
    """The folded parts of a path, without the spaces that tables add or drop around them; at least one."""
    parts = [bare(part) for part in folded(path).split("/")]
    return [part for part in parts if part not in ("", ".")] or [""]


def tails(paths: Sequence[str]) -> list[str]:
    """Of each path, all different, the shortest end that no other has: what tells it from them, and finds it again."""
    parts = [[part for part in path.split("/") if part] or ["root"] for path in paths]
    folds = [[folded(part) for part in path] for path in parts]
    found = []
    for i, path in enumerate(parts):
        others = [fold for j, fold in enumerate(folds) if j != i]
        lengths = range(1, len(path) + 1)
        length = next((n for n in lengths if all(other[-n:] != folds[i][-n:] for other in others)), len(path))
        found.append("/".join(path[-length:]))
    return found
