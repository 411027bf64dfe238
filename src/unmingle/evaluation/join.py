"""Which file of the library a name in the labels means. By name, never by order."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Step = tuple[int, dict[str, list[int]], Callable[[str], str]]

# How sure a match is. A match by the last k parts of a path has rank k.
FULL, RELATIVE, SLASHED, FOLDED = 10_004, 10_003, 10_002, 10_001


@dataclass(frozen=True, slots=True)
class Matches:
    """What the m names mean.

    files:     per name the position of its file, None if it has none.
    ambiguous: positions of names that could mean several files, or that want a file which another name wants as much.
    by_name:   positions of names matched by their last part alone although the folders differ.
    """

    files: tuple[int | None, ...]
    ambiguous: tuple[int, ...]
    by_name: tuple[int, ...]


def match_names(names: Sequence[str], files: Sequence[tuple[str, str]]) -> Matches:
    """Find the file that each name means.

    Tried in this order; the first that finds something decides:

    1. source and relative path, exactly;
    2. the relative path, exactly;
    3. the relative path, with / for backslashes;
    4. the relative path, whatever its letter case and Unicode form;
    5. as many parts from the end of the path as agree with some file: at least the file name, whatever its letter case.

    Two files at the same step leave the name ambiguous. Of several names that want one file, the surest has it.

    Args:
        names: m names or paths, all different.
        files: n files as (source, path relative to it), all different.
    """
    wanted = find_all(names, files)
    ambiguous = {i for i, found in enumerate(wanted) if found and len(found.files) > 1}
    claims: defaultdict[int, list[int]] = defaultdict(list)
    for i, found in enumerate(wanted):
        if found and i not in ambiguous:
            claims[found.files[0]].append(i)
    result: list[int | None] = [None] * len(names)
    for file, claimants in claims.items():
        best = max(wanted[i].rank for i in claimants)
        surest = [i for i in claimants if wanted[i].rank == best]
        if len(surest) == 1:
            result[surest[0]] = file
        else:
            ambiguous.update(surest)
    by_name = tuple(i for i, file in enumerate(result) if file is not None and wanted[i].rank == 1 and wanted[i].astray)
    return Matches(tuple(result), tuple(sorted(ambiguous)), by_name)


@dataclass(frozen=True, slots=True)
class Found:
    """The files that a name could mean at the first step that found any; astray: their folders say otherwise."""

    files: tuple[int, ...] = ()
    rank: int = 0
    astray: bool = False

    def __bool__(self) -> bool:
        return bool(self.files)


def find_all(names: Sequence[str], files: Sequence[tuple[str, str]]) -> list[Found]:
    """What each name could mean."""
    whole = [f"{source.rstrip('/')}/{file}" for source, file in files]
    relative = [file for _, file in files]
    steps: list[Step] = [
        (FULL, index_by(whole, str), str),
        (RELATIVE, index_by(relative, str), str),
        (SLASHED, index_by(relative, slashed), slashed),
        (FOLDED, index_by(relative, folded), folded),
    ]
    wanted = [first_step(name, steps) for name in names]
    rest = [i for i, found in enumerate(wanted) if not found]
    if rest:
        endings = index_endings(whole, {parts_of(names[i])[-1] for i in rest})
        for i in rest:
            wanted[i] = longest_ending(parts_of(names[i]), endings, relative)
    return wanted


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
            astray = length < len(parts) and length < len(parts_of(relative[files[0]]))
            return Found(tuple(files), length, astray)
    return Found()


def index_by(paths: Sequence[str], key: Callable[[str], str]) -> dict[str, list[int]]:
    """Positions of the paths by their key."""
    index: defaultdict[str, list[int]] = defaultdict(list)
    for i, path in enumerate(paths):
        index[key(path)].append(i)
    return dict(index)


def index_endings(paths: Sequence[str], last_parts: set[str]) -> dict[tuple[str, ...], list[int]]:
    """Positions of the paths that end in one of `last_parts`, by each of their endings."""
    index: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for i, path in enumerate(paths):
        parts = parts_of(path)
        if parts[-1] in last_parts:
            for length in range(1, len(parts) + 1):
                index[tuple(parts[-length:])].append(i)
    return dict(index)


def slashed(path: str) -> str:
    """A path with / between folders, and none in front."""
    return path.replace("\\", "/").removeprefix("./")


def folded(path: str) -> str:
    """A path without letter case, spaces around it, and differences of Unicode form (as between macOS and others)."""
    return unicodedata.normalize("NFC", slashed(path.strip()).casefold())


def parts_of(path: str) -> list[str]:
    """The folded parts of a path; at least one."""
    return [part for part in folded(path).split("/") if part not in ("", ".")] or [""]
