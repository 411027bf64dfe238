"""Which file a name or a path means: one way for labels, for imports, and for faces that somebody names."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from unmingle.sources.images import FOUND_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    Step = tuple[int, dict[str, list[int]], Callable[[str], str]]

# How sure a match is. A match by the last k parts of a path has rank k.
FULL, RELATIVE, SLASHED, COMPOSED, FOLDED = 10_005, 10_004, 10_003, 10_002, 10_001
WITHOUT_ENDING = 20_000  # less
LONGEST_NUMBER = 100  # digits
# Spaces of zero width, and marks of byte order and direction: they come with copied text. Within a word they may mean
# something (joiners of Persian and Sinhala), around it never.
UNSEEN = "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"


@dataclass(frozen=True, slots=True)
class Found:
    """The files that a name could mean at the first step that found any; astray: only the last part agrees."""

    files: tuple[int, ...] = ()
    rank: int = 0
    astray: bool = False

    def __bool__(self) -> bool:
        return bool(self.files)


def find_all(names: Sequence[str], files: Sequence[tuple[str, str]]) -> list[Found]:
    """What each name could mean, in the order of `match_names`; the exact spelling goes before the folded one.

    Args:
        names: m names or paths.
        files: n files as (source, path relative to it).
    """
    # Whatever step finds a file, its last part agrees: of a million files few are left.
    last = {parts_of(name)[-1] for name in names}
    kept = [i for i, (_, file) in enumerate(files) if parts_of(file)[-1] in last]
    found = _find_among(names, [files[i] for i in kept])
    return [replace(one, files=tuple(kept[i] for i in one.files)) for one in found]


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
        numbers = index_by([PurePosixPath(stem).name for _, stem in among], number_of)
        for i in rest:
            if not wanted[i] and (number := number_of(names[i])):
                wanted[i] = Found(tuple(numbers.get(number, ())), -WITHOUT_ENDING)
    return wanted


def has_ending(name: str) -> bool:
    """Whether a name ends like a picture or a recording."""
    return PurePosixPath(slashed(bare(name))).suffix.lower() in FOUND_SUFFIXES


def stems(files: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Sources and paths without the paths' endings."""
    return [(source, str(PurePosixPath(file).with_suffix(""))) for source, file in files]


def number_of(name: str) -> str:
    """A name that is a number, without zeros before it; empty for others."""
    name = bare(name)
    return str(int(name)) if name.isascii() and name.isdecimal() and len(name) < LONGEST_NUMBER else ""


def bare(text: str) -> str:
    """The text without spaces, and what can't be seen, around it."""
    start, end = 0, len(text)
    while start < end and (text[start].isspace() or text[start] in UNSEEN):
        start += 1
    while end > start and (text[end - 1].isspace() or text[end - 1] in UNSEEN):
        end -= 1
    return text[start:end]


def _find_among(names: Sequence[str], files: Sequence[tuple[str, str]]) -> list[Found]:
    whole = [f"{source.rstrip('/')}/{file}" for source, file in files]
    relative = [file for _, file in files]
    steps: list[Step] = [
        (FULL, index_by(whole, str), str),
        (RELATIVE, index_by(relative, str), str),
        (SLASHED, index_by(relative, slashed), slashed),
        (COMPOSED, index_by(relative, _composed), _composed),
        (FOLDED, index_by(relative, folded), folded),
    ]
    wanted = [first_step(name, steps) for name in names]
    rest = [i for i, found in enumerate(wanted) if not found]
    if rest:
        endings = index_endings(whole)
        for i in rest:
            found = longest_ending(parts_of(names[i]), endings, relative)
            wanted[i] = replace(found, files=_exact(names[i], found, whole))
    return wanted


def _exact(name: str, found: Found, whole: Sequence[str]) -> tuple[int, ...]:
    """Of several files those that are spelled like the name, letter for letter or in another Unicode form."""
    for key in (str, _composed):
        ending = "/".join(slashed(key(name)).split("/")[-found.rank :])
        exact = tuple(i for i in found.files if slashed(key(whole[i])).endswith("/" + ending))
        if exact:
            return exact
    return found.files


def first_step(name: str, steps: list[Step]) -> Found:
    """The first step that knows a name."""
    for rank, index, key in steps:
        if files := index.get(key(name)):
            return Found(tuple(files), rank)
    return Found()


def longest_ending(parts: list[str], endings: dict[tuple[str, ...], list[int]], relative: list[str]) -> Found:
    """The files that agree with the most parts from the end of a path."""
    for length in range(len(parts), 0, -1):
        if files := endings.get(tuple(parts[-length:])):
            astray = length == 1 < min(len(parts), len(parts_of(relative[files[0]])))
            return Found(tuple(files), length, astray)
    return Found()


def index_by(paths: Sequence[str], key: Callable[[str], str]) -> dict[str, list[int]]:
    """Positions of the paths by their key."""
    index: defaultdict[str, list[int]] = defaultdict(list)
    for i, path in enumerate(paths):
        index[key(path)].append(i)
    return dict(index)


def index_endings(paths: Sequence[str]) -> dict[tuple[str, ...], list[int]]:
    """Positions of the paths by each of their endings."""
    index: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for i, path in enumerate(paths):
        parts = parts_of(path)
        for length in range(1, len(parts) + 1):
            index[tuple(parts[-length:])].append(i)
    return dict(index)


def slashed(path: str) -> str:
    """A path with / between folders, and none in front."""
    return path.replace("\\", "/").removeprefix("./")


def _composed(path: str) -> str:
    return unicodedata.normalize("NFC", slashed(path))


def folded(path: str) -> str:
    """A path without letter case, spaces around it, and differences of Unicode form (as between macOS and others)."""
    return unicodedata.normalize("NFC", slashed(bare(path)).casefold())


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
