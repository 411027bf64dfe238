"""Faces as rows, those that are grouped and whose each is, and as regions of pictures.

The rows come and go: another recipe finds faces anew, a few pixels off. What a decision names is a region, a picture's
digest and a box, which outlives the model that found the face.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields
from itertools import compress
from typing import Any, Literal

import numpy as np

from unmingle.errors import DecisionError
from unmingle.faces.boxes import SAME_FACE, overlap_of_pairs
from unmingle.records import F32, F64, I64, Bool
from unmingle.store.analyses import NEAR_FRAMES
from unmingle.store.facts import adaptation_of
from unmingle.store.schema import damaged
from unmingle.store.sightings import FRAME, tracks
from unmingle.store.sqlite import Store

AT_ONCE = 1 << 14  # vectors read
ALONE = -1  # the person of a face that is nobody's
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


@dataclass(frozen=True, slots=True, eq=False)
class StoredFaces:
    """The n faces that may be grouped, each once, however many files hold its picture; all but `vectors` are (n,)."""

    ids: I64  # of the face
    pictures: I64  # of the analysis: faces with the same one were seen together
    files: I64  # how many hold the picture
    vectors: F32  # (n, d)
    core: Bool  # which of them may found a person; the others, border faces, may only join one
    scores: F32  # the detector's confidence
    quality: F32  # see `faces.quality`

    def take(self, index: I64) -> StoredFaces:
        """The faces at `index`, in that order."""
        return StoredFaces(*(getattr(self, name.name)[index] for name in fields(self)))


def faces_to_group(store: Store, *, raw: bool = False) -> StoredFaces:
    """The faces of the library's recipe, in pictures that are there, that nothing speaks against grouping.

    Ordered by the picture's digest, so that the order doesn't depend on when a picture was added. raw: vectors as the
    model made them, also where the collection told how to compare them.
    """
    # Pictures in order, but faces as they lie on the disk: to look for each of a million takes half as long again.
    query = (
        "SELECT analysis.id, count(*) FROM file CROSS JOIN analysis ON content = file.digest"
        " WHERE present = 1 AND recipe = ? GROUP BY analysis.id ORDER BY content, frame, analysis.id"
    )
    found_p2 = np.array(store.connection.execute(query, (store.recipe,)).fetchall(), np.int64).reshape(-1, 2)
    by_id, columns = np.argsort(found_p2[:, 0]), [np.zeros((6, 0))]
    query = (
        "SELECT face.id, analysis, number, coalesce(mark, standing) != 'join', score, quality FROM face"
        " LEFT JOIN mark ON mark.face = face.id WHERE coalesce(mark, iif(standing = 'aside', '', 'face')) = 'face'"
    )
    rows = store.connection.execute(query)
    while part := rows.fetchmany(AT_ONCE):
        ids, pictures, *rest = zip(*part, strict=True)
        at_r = look_up(found_p2[by_id, 0], by_id, pictures)
        columns.append(np.array([at_r, ids, *rest], np.float64)[:, at_r >= 0])
    all_6n = np.concatenate(columns, axis=1)
    at_n, ids, _, core, scores, quality = all_6n[:, np.lexsort((all_6n[2], all_6n[0]))]
    ids, n = ids.astype(np.int64), len(ids)
    vectors_nd = _vectors(store.connection, ids)
    # Bytes that flipped make numbers whose products aren't finite, of which machine code of others may end the process.
    if not np.isfinite(np.einsum("nd,nd->n", vectors_nd, vectors_nd)).all():
        raise damaged(store.folder, "an embedding isn't finite, or far too long")
    adapted = None if raw or not n else adaptation_of(store)
    vectors_nd = vectors_nd if adapted is None else adapted.apply(vectors_nd)
    pictures, files = found_p2[at_n.astype(np.int64)].T
    measured = scores.astype(np.float32), quality.astype(np.float32)
    return StoredFaces(ids, pictures, files, vectors_nd, core > 0, *measured)


def _vectors(connection: sqlite3.Connection, ids_n: I64) -> F32:
    """(n, d) the vectors of faces: read as they lie on the disk, which is several times as fast as in another order."""
    order, vectors_nd = np.argsort(ids_n, kind="stable"), np.zeros((0, 1), np.float32)
    found = connection.execute("SELECT id, vector FROM face ORDER BY id")
    while part := found.fetchmany(AT_ONCE):
        at_p = look_up(ids_n[order], order, [face for face, _ in part])
        flat = np.frombuffer(b"".join(compress((vector for _, vector in part), at_p >= 0)), "<f4")
        if len(flat):
            rows_pd = flat.reshape(np.count_nonzero(at_p >= 0), -1)
            vectors_nd = vectors_nd if len(vectors_nd) else np.empty((len(ids_n), rows_pd.shape[1]), np.float32)
            vectors_nd[at_p[at_p >= 0]] = rows_pd
    return vectors_nd


def grouped_faces(connection: sqlite3.Connection) -> I64:
    """The faces that the last grouping saw."""
    (text,) = connection.execute("SELECT group_concat(face) FROM grouped").fetchone()
    return np.fromstring(text or "", np.int64, sep=",")


def owners_by_face(connection: sqlite3.Connection, table: Literal["member", "proposal"]) -> tuple[I64, I64]:
    """Faces by rising row, and the person of each."""
    # As text: a Python number for each takes three times as long.
    query = f"SELECT group_concat(face), group_concat(person) FROM {table}"
    faces_n, person_n = (np.fromstring(text or "", np.int64, sep=",") for text in connection.execute(query).fetchone())
    order = np.argsort(faces_n, kind="stable")  # SQLite promises none
    return faces_n[order], person_n[order]


def look_up(faces_n: I64, person_n: I64, wanted: Sequence[int] | I64, other: int = ALONE) -> I64:
    """(m,) the person of each wanted face, or `other` of one that isn't there; faces_n: rising."""
    wanted_m = np.asarray(wanted, np.int64)
    found = np.full(len(wanted_m), other, np.int64)
    at = np.searchsorted(faces_n, wanted_m)
    known = np.flatnonzero(at < len(faces_n))
    known = known[faces_n[at[known]] == wanted_m[known]]
    found[known] = person_n[at[known]]
    return found


def persons_now(connection: sqlite3.Connection, faces: Sequence[int] | I64) -> I64:
    """(m,) the person each of these faces belongs to, or ALONE."""
    return look_up(*owners_by_face(connection, "member"), faces)


def faces_of_people(store: Store, *, raw: bool = False) -> tuple[F32, I64, I64]:
    """The n faces of people: vectors (n, d), labels (n,) from 0 on, and the ids (k,) of the people."""
    faces = faces_to_group(store, raw=raw)
    person_n = persons_now(store.connection, faces.ids)
    member = np.flatnonzero(person_n != ALONE)
    ids, labels = np.unique(person_n[member], return_inverse=True)
    return faces.vectors[member], labels.astype(np.int64), ids


def last_face(connection: sqlite3.Connection) -> int:
    """The number of the face that came last; 0 for none."""
    return int(connection.execute("SELECT coalesce(max(id), 0) FROM face").fetchone()[0])


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
