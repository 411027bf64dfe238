"""Which file of the library a name in the labels means. By name, never by order."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unmingle.sources.paths import find_named

if TYPE_CHECKING:
    from collections.abc import Sequence


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
    4. the relative path, whatever its Unicode form, then also whatever its letter case;
    5. as many parts from the end of the path as agree with some file: at least the file name, whatever its letter case;
    6. for a name without an ending the same, of files without theirs; a number also without the zeros before it.

    Two files at the same step leave the name ambiguous. Of several names that want one file, the surest has it.

    Args:
        names: m names or paths, all different.
        files: n files as (source, path relative to it), all different.
    """
    wanted = find_named(names, files)
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
    by_name = tuple(i for i, file in enumerate(result) if file is not None and wanted[i].astray)
    return Matches(tuple(result), tuple(sorted(ambiguous)), by_name)
