"""What is in nobody's faces, and why: files without a face, faces set aside, faces that nobody else is like."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unmingle.records import Status  # not only for checking types: the review's server reads these records
from unmingle.store.tables import COPY_OF, status_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from unmingle.store.sqlite import Store


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A face without a person, or a file without a face.

    face:    None for a file in which none was found, or that can't be read.
    file:    as its source names it.
    file_id: row of the file.
    quality: 0 to 1, of the face.
    """

    face: int | None
    file: str
    file_id: int
    status: Status
    reason: str
    quality: float | None


@dataclass(frozen=True, slots=True)
class LeftOutGroup:
    """How many were left out for one reason; faces: of these, or files where no face was found."""

    status: Status
    reason: str
    faces: int


_FACES = f"""
WITH lone AS MATERIALIZED (
    SELECT face.id FROM face WHERE NOT EXISTS (SELECT 1 FROM member WHERE member.face = face.id)
)
SELECT analysis.id, analysis.reason, face.id, face.reason, face.flag, mark.mark, file.name, file.id, face.quality,
       {COPY_OF}
FROM lone
JOIN face ON face.id = lone.id
JOIN analysis ON analysis.id = face.analysis AND analysis.recipe = ?
JOIN file ON file.id = (
    SELECT id FROM file WHERE file.digest = analysis.content AND file.present = 1 ORDER BY source, name LIMIT 1
)
LEFT JOIN mark ON mark.face = face.id
ORDER BY file.source, file.name, analysis.frame, face.number
"""
_FILES = """
SELECT file.problem, analysis.id, analysis.reason, file.name, file.id
FROM file
LEFT JOIN analysis ON analysis.digest = file.digest AND analysis.recipe = ?
WHERE file.present = 1 AND NOT EXISTS (
    SELECT 1 FROM analysis AS picture JOIN face ON face.analysis = picture.id
    WHERE picture.content = analysis.content AND picture.recipe = analysis.recipe
)
ORDER BY file.source, file.name
"""


def lone_faces(store: Store, recipe: str) -> list[LeftOut]:
    """The faces without a person, in the order of their files; a face that several files show is there once."""
    found = []
    for analysis, why, face, face_why, flag, mark, name, file, quality, copy in store.connection.execute(
        _FACES, (recipe,)
    ):
        status, reason = status_of("", analysis, why, face, face_why, flag, None, mark, None, copy)
        found.append(LeftOut(face, name, file, status, reason, round(quality, 4)))
    return found


def faceless_files(store: Store, recipe: str) -> list[LeftOut]:
    """The files without a face, and those that can't be read; decisions change nothing about them."""
    found = []
    for problem, analysis, why, name, file in store.connection.execute(_FILES, (recipe,)):
        status, reason = status_of(problem, analysis, why, None, None, None, None, None, None, None)
        found.append(LeftOut(None, name, file, status, reason, None))
    return found


def count_faces(store: Store, recipe: str) -> int:
    """How many faces there are in pictures that are there, each counted once."""
    query = (
        "SELECT count(*) FROM analysis JOIN face ON face.analysis = analysis.id WHERE analysis.recipe = ?"
        " AND EXISTS (SELECT 1 FROM file WHERE file.digest = analysis.content AND file.present = 1)"
    )
    return int(store.connection.execute(query, (recipe,)).fetchone()[0])


def short(reason: str) -> str:
    """A reason without its measures, which would make every row a group of its own."""
    return reason.partition(":")[0]


def left_out_groups(rows: Iterable[LeftOut]) -> list[LeftOutGroup]:
    """How many rows there are of each status and reason, the most frequent first."""
    counts = Counter((row.status, short(row.reason)) for row in rows)
    groups = [LeftOutGroup(status, reason, count) for (status, reason), count in counts.items()]
    return sorted(groups, key=lambda group: (-group.faces, group.status, group.reason))
