"""Faces as places in pictures: what a decision names, so that it outlives the model that found the face.

The rows of faces come and go: another recipe finds them anew, a few pixels off. A picture's digest and a box stay.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from unmingle.errors import DecisionError
from unmingle.store.recordings import FRAME, tracks

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Sequence

    Box = tuple[float, float, float, float]  # left, top, width, height in pixels

# Two boxes of one face overlap by at least so much, as intersection over union.
SAME_FACE = 0.4
# A face that a track shows so many frames before or after is still in the same place.
NEAR_FRAMES = 30

# Faces of any recipe, as places.
_FACES = """(
    SELECT face.id, analysis.digest, face."left", face.top, face.width, face.height
    FROM json_each(?) JOIN face ON face.id = json_each.value JOIN analysis ON analysis.id = face.analysis
)"""

_CANDIDATES = """
SELECT place.id, place."left", place.top, place.width, place.height,
       face.id, face."left", face.top, face.width, face.height
FROM {places} AS place
JOIN analysis ON analysis.digest = place.digest AND analysis.recipe = ?
JOIN face ON face.analysis = analysis.id
WHERE EXISTS (SELECT 1 FROM file WHERE file.digest = analysis.content AND file.present = 1)
"""


_OF_FACES = """
AND place.digest IN (
    SELECT digest FROM json_each(?) JOIN face ON face.id = json_each.value JOIN analysis ON analysis.id = face.analysis
)
"""


def faces_of_places(
    connection: sqlite3.Connection, recipe: str, *, beside: Sequence[int] | None = None
) -> dict[int, int]:
    """The face that the recipe found at each place; places where it found none are left out.

    The face of the largest overlap. A recipe that takes the whole picture as one face has that one for every place.

    Args:
        connection: of the library.
        recipe: whose faces.
        beside: only places in the pictures of these faces.
    """
    query = _CANDIDATES.format(places="place")
    if beside is not None:
        return _largest_overlap(connection.execute(query + _OF_FACES, (recipe, str(list(beside)))))
    faces = _largest_overlap(connection.execute(query, (recipe,)))
    in_frames = 'SELECT id, digest, "left", top, width, height FROM place WHERE instr(digest, ?)'
    return faces | _on_tracks(connection, recipe, connection.execute(in_frames, (FRAME,)), faces)


def counterparts(connection: sqlite3.Connection, recipe: str, faces: Sequence[int]) -> dict[int, int]:
    """The faces that a recipe found where another one found these; what it found nowhere is left out.

    Args:
        connection: of the library.
        recipe: whose faces are wanted.
        faces: rows of faces of another recipe.
    """
    listed = str(list(faces))
    found = _largest_overlap(connection.execute(_CANDIDATES.format(places=_FACES), (listed, recipe)))
    in_frames = f"SELECT * FROM {_FACES} AS face WHERE instr(face.digest, ?)"
    return found | _on_tracks(connection, recipe, connection.execute(in_frames, (listed, FRAME)), found)


def _largest_overlap(rows: Iterable[tuple[Any, ...]]) -> dict[int, int]:
    """The face for each place, of the rows of `_CANDIDATES`."""
    found: defaultdict[int, list[tuple[float, int]]] = defaultdict(list)
    whole: dict[int, list[int]] = defaultdict(list)
    for place, *rest in rows:
        box, face, other = tuple(rest[:4]), rest[4], tuple(rest[5:])
        overlap = _overlap(box, other)
        if overlap >= SAME_FACE:
            found[place].append((-overlap, face))
        whole[place].append(face if _holds(other, box) else -1)
    faces = {place: min(candidates)[1] for place, candidates in found.items()}
    for place, held in whole.items():
        if place not in faces and len(held) == 1 and held[0] >= 0:
            faces[place] = held[0]
    return faces


def _on_tracks(
    connection: sqlite3.Connection, recipe: str, places: Iterable[tuple[Any, ...]], found: Collection[int]
) -> dict[int, int]:
    """For places in frames of recordings where no face is stored: the face that stands for who is seen there.

    Watched at other instants, a recording has its looks in other frames. Who was seen at a place is on a track through
    it, or through where it was a moment before or after.
    """
    lost: defaultdict[str, list[tuple[int, int, Box]]] = defaultdict(list)
    for place, digest, left, top, width, height in places:
        if place not in found:
            content, _, frame = digest.partition(FRAME)
            lost[content].append((place, int(frame), (left, top, width, height)))
    faces: dict[int, int] = {}
    for content, spots in lost.items():
        best: dict[int, tuple[int, float]] = {}  # by place: how many frames off, and how far the boxes are apart
        for track in tracks(connection, recipe, content):
            seen = track.sightings
            for place, frame, box in spots:
                at = int(np.argmin(np.abs(seen.frames - frame)))
                off = abs(int(seen.frames[at]) - frame)
                overlap = _overlap(box, seen.boxes[at].tolist())
                if overlap >= SAME_FACE and (off, -overlap) < best.get(place, (NEAR_FRAMES + 1, 0.0)):
                    best[place] = (off, -overlap)
                    faces[place] = int(track.looks_k[track.nearest()[at]])
    return faces


def places_of_faces(connection: sqlite3.Connection, recipe: str, faces: Sequence[int]) -> list[int]:
    """The place of each face; one that an earlier decision named keeps its place.

    Raises:
        DecisionError: there is no such face.
    """
    there = faces_of_places(connection, recipe, beside=faces)
    known = {face: place for place, face in sorted(there.items(), reverse=True)}
    return [known[face] if face in known else _new_place(connection, face) for face in faces]


def _new_place(connection: sqlite3.Connection, face: int) -> int:
    row = connection.execute(
        'SELECT digest, "left", top, face.width, face.height FROM face JOIN analysis ON analysis.id = face.analysis'
        " WHERE face.id = ?",
        (face,),
    ).fetchone()
    if row is None:
        raise DecisionError(f"There is no face {face}.", "Look at the library again: its pictures may have changed.")
    connection.execute('INSERT OR IGNORE INTO place (digest, "left", top, width, height) VALUES (?, ?, ?, ?, ?)', row)
    query = 'SELECT id FROM place WHERE digest = ? AND "left" = ? AND top = ? AND width = ? AND height = ?'
    return int(connection.execute(query, row).fetchone()[0])


def _overlap(one: Iterable[float], other: Iterable[float]) -> float:
    """Intersection over union of two boxes."""
    (left, top, width, height), (left2, top2, width2, height2) = one, other
    across = min(left + width, left2 + width2) - max(left, left2)
    down = min(top + height, top2 + height2) - max(top, top2)
    shared = max(across, 0.0) * max(down, 0.0)
    union = width * height + width2 * height2 - shared
    return shared / union if union > 0 else 0.0


def _holds(outer: Iterable[float], inner: Iterable[float]) -> bool:
    """Whether a box holds the middle of another."""
    (left, top, width, height), (left2, top2, width2, height2) = outer, inner
    return left <= left2 + width2 / 2 <= left + width and top <= top2 + height2 / 2 <= top + height
