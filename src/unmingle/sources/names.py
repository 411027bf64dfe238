"""Names of files: what they say of a recording, and which file a name or a path means."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from unmingle.errors import SettingsError
from unmingle.sources.formats import FOUND_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

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


def distinct(names: Iterable[str]) -> list[str]:
    """The names, those that came before (also in other capitals) with a number behind them."""
    found: list[str] = []
    taken: set[str] = set()
    for plain in names:
        name, number = plain, 2
        while name.casefold() in taken:
            name, number = f"{plain}-{number}", number + 1
        taken.add(name.casefold())
        found.append(name)
    return found


@dataclass(frozen=True, slots=True)
class Found:
    """The files that a name could mean at the first step that found any."""

    files: tuple[int, ...] = ()
    rank: int = 0
    astray: bool = False  # only the last part agrees

    def __bool__(self) -> bool:
        return bool(self.files)


def find_all(names: Sequence[str], files: Sequence[tuple[str, str]]) -> list[Found]:
    """What each name or path could mean of files given as (source, path relative to it).

    The exact spelling goes before the folded one, and more parts of a path before fewer.
    """
    # Whatever step finds a file, its last part agrees: of a million files few are left.
    last = {parts_of(name)[-1] for name in names}
    kept = [i for i, (_, file) in enumerate(files) if parts_of(file)[-1] in last]
    whole = [f"{files[i][0].rstrip('/')}/{files[i][1]}" for i in kept]
    relative = [files[i][1] for i in kept]
    keys = ((RELATIVE, str), (SLASHED, _slashed), (COMPOSED, _composed), (FOLDED, folded))
    steps = [(rank, key, _index_by(relative, key)) for rank, key in keys]
    steps.insert(0, (FULL, str, _index_by(whole, str)))
    endings: dict[tuple[str, ...], list[int]] = {}
    result = []
    for name in names:
        hits = ((rank, index.get(key(name))) for rank, key, index in steps)
        found = next((Found(tuple(among), rank) for rank, among in hits if among), None)
        if found is None:
            endings = endings or _index_endings(whole)
            found = _by_ending(name, endings, whole, relative)
        result.append(replace(found, files=tuple(kept[i] for i in found.files)))
    return result


def _index_endings(paths: Sequence[str]) -> dict[tuple[str, ...], list[int]]:
    index: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for i, parts in enumerate(map(parts_of, paths)):
        for length in range(1, len(parts) + 1):
            index[tuple(parts[-length:])].append(i)
    return dict(index)


def _by_ending(
    name: str, endings: dict[tuple[str, ...], list[int]], whole: Sequence[str], relative: Sequence[str]
) -> Found:
    """The files that agree with the most parts from the end of a path; of several those that are spelled like it."""
    parts = parts_of(name)
    for length in range(len(parts), 0, -1):
        if files := endings.get(tuple(parts[-length:])):
            astray = length == 1 < min(len(parts), len(parts_of(relative[files[0]])))
            for key in (_slashed, _composed):  # letter for letter, or in another Unicode form
                ending = "/".join(key(name).split("/")[-length:])
                if exact := [i for i in files if key(whole[i]).endswith("/" + ending)]:
                    return Found(tuple(exact), length, astray)
            return Found(tuple(files), length, astray)
    return Found()


def find_named(names: Sequence[str], files: Sequence[tuple[str, str]]) -> list[Found]:
    """What each name in a table could mean.

    As `find_all`; and a name without the ending of a picture or a recording, if it is no file's, means the file that
    has the same name before its ending, and a number the one with the same number: spreadsheets make 7 of 007.
    """
    wanted = find_all(names, files)
    rest = [i for i, found in enumerate(wanted) if not found and not has_ending(names[i])]
    if rest:
        among = stems(files)
        for i, found in zip(rest, find_all([names[i] for i in rest], among), strict=True):
            wanted[i] = replace(found, rank=found.rank - WITHOUT_ENDING)
        numbers = _index_by([PurePosixPath(stem).name for _, stem in among], _number_of)
        for i in rest:
            if not wanted[i] and (number := _number_of(names[i])):
                wanted[i] = Found(tuple(numbers.get(number, ())), -WITHOUT_ENDING)
    return wanted


def has_ending(name: str) -> bool:
    """Whether a name ends like a picture or a recording."""
    return PurePosixPath(_slashed(bare(name))).suffix.lower() in FOUND_SUFFIXES


def stems(files: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Sources and paths without the paths' endings."""
    return [(source, str(PurePosixPath(file).with_suffix(""))) for source, file in files]


def _number_of(name: str) -> str:
    """A name that is a number, without zeros before it; empty for others."""
    name = bare(name)
    return str(int(name)) if name.isascii() and name.isdecimal() and len(name) < LONGEST_NUMBER else ""


def bare(text: str) -> str:
    """The text without spaces, and what can't be seen, around it."""
    return text.strip(_AROUND)


def _index_by(paths: Sequence[str], key: Callable[[str], str]) -> dict[str, list[int]]:
    index: defaultdict[str, list[int]] = defaultdict(list)
    for i, path in enumerate(paths):
        index[key(path)].append(i)
    return index


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
