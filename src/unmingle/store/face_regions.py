"""Faces as regions of pictures: what a decision names, so that it outlives the model that found the face.

The rows of faces come and go: another recipe finds them anew, a few pixels off. A picture's digest and a box stay.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np

from unmingle.errors import DecisionError
from unmingle.faces.boxes import SAME_FACE, overlap_of_pairs
from unmingle.records import F64
from unmingle.store.analyses import NEAR_FRAMES
from unmingle.store.sightings import FRAME, tracks
from unmingle.store.sqlite import Store

_BOX = '"left", top, width, height'
_OF_FACES = f"SELECT face AS id, digest, {_BOX} FROM face_row WHERE face IN (SELECT value FROM json_each(?))"
_CANDIDATES = """
SELECT region.id, region."left", region.top, region.width, region.height,
       face.id, face."left", face.top, face.width, face.height
FROM ({regions}) AS region
CROSS JOIN analysis ON analysis.digest = region.digest AND analysis.recipe = ?  -- the regions first
CROSS JOIN face ON face.analysis = analysis.id
WHERE EXISTS (SELECT 1 FROM file WHERE file.digest = analysis.content AND file.present = 1)
"""


def faces_of_regions(store: Store, only: Sequence[int] | None = None) -> dict[int, int]:
    """The face that the recipe found at each region that decisions named; regions where it found none are left out.

    The face of the largest overlap. A recipe that takes the whole picture as one face has that one for every region.
    """
    some = "" if only is None else " WHERE id IN (SELECT value FROM json_each(?))"
    values = () if only is None else (str(list(only)),)
    return _faces_at(store, f"SELECT id, digest, {_BOX} FROM place{some}", values)


def counterparts(store: Store, faces: Sequence[int]) -> dict[int, int]:
    """The faces that a recipe found where another one found these; what it found nowhere is left out."""
    return _faces_at(store, _OF_FACES, (str(list(faces)),))


def _faces_at(store: Store, regions: str, values: tuple[str, ...]) -> dict[int, int]:
    found = _best(store.connection.execute(_CANDIDATES.format(regions=regions), (*values, store.recipe)))
    in_frames = store.connection.execute(f"SELECT * FROM ({regions}) WHERE instr(digest, ?)", (*values, FRAME))
    return found | _on_tracks(store, in_frames, found)


def _best(rows: Iterable[tuple[Any, ...]]) -> dict[int, int]:
    """The face for each region, of the rows of `_CANDIDATES`."""
    table = np.array(list(rows), np.float64).reshape(-1, 10)
    region_m, box_m4, face_m, other_m4 = table[:, 0], table[:, 1:5], table[:, 5], table[:, 6:]
    share_m = overlap_of_pairs(box_m4, other_m4)
    order = np.lexsort((face_m, -share_m, region_m))
    _, first, count = np.unique(region_m[order], return_index=True, return_counts=True)
    best = order[first]
    middle = box_m4[best, :2] + box_m4[best, 2:] / 2 - other_m4[best, :2]
    whole = (count == 1) & ((middle >= 0) & (middle <= other_m4[best, 2:])).all(axis=1)
    best = best[(share_m[best] >= SAME_FACE) | whole]
    return dict(zip(region_m[best].astype(int).tolist(), face_m[best].astype(int).tolist(), strict=True))


def _on_tracks(store: Store, regions: Iterable[tuple[Any, ...]], found: Collection[int]) -> dict[int, int]:
    """For regions in frames without a stored face: the face of the track that runs through, or a moment away."""
    lost: defaultdict[str, list[tuple[int, int, F64]]] = defaultdict(list)
    for region, digest, *box in regions:
        if region not in found:
            content, _, frame = digest.partition(FRAME)
            lost[content].append((region, int(frame), np.array([box])))
    faces: dict[int, int] = {}
    for content, spots in lost.items():
        # By region: whether it is another frame, and how far the boxes are apart. Where a layout changes, the next
        # frame shows somebody else in the place, in a box that fits less.
        best: dict[int, tuple[bool, float]] = {}
        for track in tracks(store, content):
            seen = track.sightings
            for region, frame, box_14 in spots:
                at = int(np.argmin(np.abs(seen.frames - frame)))
                off = abs(int(seen.frames[at]) - frame)
                overlap = float(overlap_of_pairs(box_14, seen.boxes[at : at + 1].astype(np.float64))[0])
                if overlap >= SAME_FACE and off <= NEAR_FRAMES and (off > 0, -overlap) < best.get(region, (True, 0.0)):
                    best[region] = (off > 0, -overlap)
                    faces[region] = int(track.keyframes_k[track.nearest()[at]])
    return faces


def regions_of_faces(store: Store, faces: Sequence[int]) -> list[int]:
    """The region of each face; one that an earlier decision named keeps its region."""
    near = f"SELECT id, digest, {_BOX} FROM place WHERE digest IN (SELECT digest FROM ({_OF_FACES}))"
    there = _best(store.connection.execute(_CANDIDATES.format(regions=near), (str(list(faces)), store.recipe)))
    known = {face: region for region, face in sorted(there.items(), reverse=True)}
    return [known[face] if face in known else _new_region(store.connection, face) for face in faces]


def _new_region(connection: sqlite3.Connection, face: int) -> int:
    row = connection.execute(f"SELECT digest, {_BOX} FROM face_row WHERE face = ?", (face,)).fetchone()
    if row is None:
        raise DecisionError(f"There is no face {face}.", "Look at the library again: its pictures may have changed.")
    connection.execute(f"INSERT OR IGNORE INTO place (digest, {_BOX}) VALUES (?, ?, ?, ?, ?)", row)
    query = 'SELECT id FROM place WHERE digest = ? AND "left" = ? AND top = ? AND width = ? AND height = ?'
    return int(connection.execute(query, row).fetchone()[0])
