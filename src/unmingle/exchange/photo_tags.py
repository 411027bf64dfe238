"""Sidecars in JSON that say who is in a picture, and not where: Google's Takeout and osxphotos'."""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from unmingle.errors import PictureError
from unmingle.sources.formats import check_file, read_file
from unmingle.sources.metadata import LARGEST_PACKET

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ENDING = ".json"
UNKNOWN = "_UNKNOWN_"  # osxphotos' word for a face that nobody named
# Takeout clips the name of a sidecar to so many characters, without its ending and the number of a namesake.
CLIPPED = 46
SUFFIX = ".supplemental-metadata"
NUMBERED = re.compile(r"^(?P<stem>.+)(?P<number>\(\d+\))(?P<ending>\.[^.]*)$")
# "-edited", in any language.
EDITED = re.compile(r"^(?P<stem>.+)-[^\W\d_]+(?P<number>(?:\(\d+\))?)(?P<ending>\.[^.]*)$")
OF_OSXPHOTOS = ("XMP:PersonInImage", "XMP-iptcExt:PersonInImage", "PersonInImage", "persons")


def read_tags(path: Path) -> tuple[str, ...]:
    """The names that a sidecar says are in its picture; none if it is no such sidecar."""
    try:
        said: Any = json.loads(read_file(path)) if check_file(path) <= LARGEST_PACKET else None
    except (PictureError, OSError, ValueError, RecursionError):
        return ()
    if isinstance(said, list) and len(said) == 1 and isinstance(said[0], dict) and "SourceFile" in said[0]:
        names: Any = next((said[0][key] for key in OF_OSXPHOTOS if key in said[0]), [])
        names = [names] if isinstance(names, str) else names
    elif isinstance(said, dict) and isinstance(said.get("title"), str) and isinstance(said.get("people"), list):
        names = [one.get("name") for one in said["people"] if isinstance(one, dict)]
    else:
        return ()
    texts = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    return tuple(dict.fromkeys(name for name in texts if name.strip() and name != UNKNOWN))


def tagged_files(sidecar: Path) -> tuple[str, ...]:
    """The files beside a sidecar that it is of: the picture, and what it was edited to."""
    folder = sidecar.parent
    return tuple(_by_stem(folder, folder.stat().st_mtime_ns).get(sidecar.name[: -len(ENDING)], ()))


@lru_cache(maxsize=1)
def _by_stem(folder: Path, changed: int) -> dict[str, list[str]]:
    """The files of a folder by what their sidecars are called, without the ending; changed: when the folder was."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for name in sorted(entry.name for entry in os.scandir(folder)):
        if not name.lower().endswith(ENDING):
            for stem in dict.fromkeys(_stems(name)):
                found[stem].append(name)
    return found


def _stems(name: str) -> Iterator[str]:
    yield name
    matches = filter(None, (pattern.match(name) for pattern in (NUMBERED, EDITED)))
    # The number goes to the end.
    for whole, number in [(name, ""), *((one["stem"] + one["ending"], one["number"]) for one in matches)]:
        yield whole[:CLIPPED] + number
        yield f"{whole}{SUFFIX}"[:CLIPPED] + number
