"""What a file name says: which meeting a face was cut from, at which frame, as the how-manieth face."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from unmingle.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable

MEETING_PATTERN = r"(?P<meeting>.+)_(?P<frame>\d{4,})_(?P<index>\d{1,3})"
AUTO = "auto"  # in place of a pattern: MEETING_PATTERN, as far as the faces of a collection bear it out
GROUPS = frozenset({"meeting", "frame", "index"})


@dataclass(frozen=True, slots=True)
class NameParts:
    """The three things that a name like `weekly_00000290_3.jpg` carries.

    meeting: the recording, as written in the name.
    frame:   number of the frame, as counted by whoever cut the face.
    index:   which face of that frame.
    """

    meeting: str
    frame: int
    index: int


def parse_name(file: str, *, pattern: str = MEETING_PATTERN) -> NameParts | None:
    r"""Read meeting, frame and index from the name of a file.

    Args:
        file: a name or a path, with / or \ between folders. Only the last part without its ending is looked at.
        pattern: a regular expression for the whole of that part, with the groups meeting, frame and index.

    Returns:
        The parts, or None when the name is not of that form.

    Raises:
        SettingsError: the pattern is no regular expression, or lacks one of the groups.
    """
    found = compile_pattern(pattern).fullmatch(stem(file))
    if found is None:
        return None
    try:
        return NameParts(found["meeting"], int(found["frame"]), int(found["index"]))
    except (TypeError, ValueError):  # a pattern of the user's own may let letters, or nothing, into frame or index
        return None


@cache
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """The compiled pattern, checked; digits are 0 to 9 only, and a name may hold a newline."""
    try:
        compiled = re.compile(pattern, re.ASCII | re.DOTALL)
    except re.error as error:
        raise SettingsError(f"The name pattern {pattern!r} is not a regular expression: {error}.") from error
    missing = sorted(GROUPS - compiled.groupindex.keys())
    if missing:
        mend = f"Write them as named groups, as in {MEETING_PATTERN}"
        raise SettingsError(f"The name pattern {pattern!r} has no group {', '.join(missing)}.", mend)
    return compiled


def stem(file: str) -> str:
    """The last part of a path, without its ending; `.hidden` keeps its only part."""
    name = file.replace("\\", "/").rpartition("/")[2]
    head, dot, _ = name.rpartition(".")
    return head if dot and head else name


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
