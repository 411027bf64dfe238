"""What exports take along and imports look for: the library's files as they lie on the disk, and their faces."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmingle.sources.images import readable
from unmingle.store.held import HELD, HeldFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unmingle.sources.images import Scan
    from unmingle.store.sqlite import Store

WALKED = "walked"  # the fact that lists the folders that were searched for pictures


@dataclass(frozen=True, slots=True)
class FileFace:
    """A face on a picture file.

    face:   its row.
    number: in its picture.
    box:    left, top, width, height in pixels of the upright picture; may reach over its border.
    person: whose it is, and name, empty if they have none; None for nobody's, or for somebody's who is ignored.
    counts: whether it is a face that anybody wants to see: neither said nor found to be none, and not ignored.
    """

    face: int
    number: int
    box: tuple[float, float, float, float]
    person: int | None
    name: str
    counts: bool


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture file and its faces; width, height: upright, in pixels."""

    held: HeldFile
    width: int
    height: int
    faces: tuple[FileFace, ...]


_PICTURES = f"""
SELECT {HELD}, analysis.width, analysis.height,
       face.id, face.number, face."left", face.top, face.width, face.height,
       person.id, person.name, person.ignored, mark.mark, face.flag
FROM file
JOIN source ON source.id = file.source
JOIN analysis ON analysis.digest = file.digest AND analysis.recipe = ?
LEFT JOIN face ON face.analysis = analysis.id
LEFT JOIN member ON member.face = face.id
LEFT JOIN person ON person.id = member.person
LEFT JOIN mark ON mark.face = face.id
WHERE file.present = 1 AND NOT EXISTS (SELECT 1 FROM recording WHERE recording.content = file.digest)
ORDER BY source.path, file.path, face.number
"""


def pictures(store: Store, recipe: str) -> Iterator[Picture]:
    """The picture files that are there, by source and path."""
    rows = store.connection.execute(_PICTURES, (recipe,))
    for (*held, width, height), of_file in groupby(rows, key=lambda row: row[:6]):
        faces = tuple(_face(row[6:]) for row in of_file if row[6] is not None)
        yield Picture(HeldFile.of(held), width, height, faces)


def _face(row: tuple[Any, ...]) -> FileFace:
    face, number, left, top, width, height, person, name, ignored, mark, flag = row
    counts = mark == "face" or not (mark or ignored or (flag == "not_a_face" and person is None))
    whose = None if ignored else person
    return FileFace(face, number, (left, top, width, height), whose, "" if ignored else name or "", counts)


def files_of_people(store: Store, recipe: str) -> Iterator[tuple[int, str, int | None, int | None, HeldFile]]:
    """Person, name, frame and number of one of their faces, and the file that shows it; ignored people are left out.

    The frame is that of a recording; None for a picture file. The number of a face in a recording may be missing.
    """
    # With min(), SQLite takes the other columns from the row that has the least.
    query = (
        "SELECT person.id, person.name, track.recording IS NOT NULL, analysis.frame, face.number,"
        f" {HELD}, min(face.id) FROM member"
        " JOIN person ON person.id = member.person AND NOT person.ignored"
        " JOIN face ON face.id = member.face"
        " LEFT JOIN track ON track.id = face.track"
        " JOIN analysis ON analysis.id = face.analysis AND analysis.recipe = ?"
        " JOIN file ON file.digest = analysis.content AND file.present = 1"
        " JOIN source ON source.id = file.source GROUP BY person.id, file.id"
    )
    for person, name, moving, frame, number, *held, _ in store.connection.execute(query, (recipe,)):
        yield person, name, frame if moving else None, number, HeldFile.of(held)


def walked_folders(store: Store) -> list[str]:
    """The folders that were searched for pictures, as native paths.

    A library from before that was noted may have searched every folder that its files are below.
    """
    noted = store.fact(WALKED)
    if noted is not None:
        return list(json.loads(noted))
    query = "SELECT path FROM source WHERE EXISTS (SELECT 1 FROM file WHERE file.source = source.id AND present = 1)"
    return sorted(os.fsdecode(path) for (path,) in store.connection.execute(query))


def remembered(store: Store) -> list[Path]:
    """What was named as a source so far: the folders that were searched, and files that were named by themselves."""
    walked = walked_folders(store)
    found = [Path(folder) for folder in walked]
    for row, source in store.connection.execute("SELECT id, path FROM source ORDER BY path"):
        if os.fsdecode(source) not in walked:
            query = "SELECT path FROM file WHERE source = ? AND present = 1 ORDER BY path"
            files = store.connection.execute(query, (row,))
            found.extend(Path(os.fsdecode(source), os.fsdecode(path)) for (path,) in files)
    return found


def taken_along(store: Store, scan: Scan) -> tuple[tuple[str, int, bool], ...]:
    """The sources that a scan did not look through, how many files each still gives, and whether it is there."""
    searched = [os.path.realpath(folder) for folder in scan.folders]
    named = Counter(file.source for file in scan.files)
    query = (
        "SELECT source.path, count(*) FROM file JOIN source ON source.id = file.source WHERE present = 1"
        " GROUP BY source.id ORDER BY source.path"
    )
    along = []
    for path, files in store.connection.execute(query):
        source = os.fsdecode(path)
        if not any(Path(os.path.realpath(source)).is_relative_to(folder) for folder in searched):
            along.append((readable(source), files - named[source], os.path.isdir(source)))  # noqa: PTH112
    return tuple(one for one in along if one[1])
