"""Faces as rows: those that are grouped, and whose each is."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import compress
from typing import Literal

import numpy as np

from unmingle.records import F32, I64, Bool
from unmingle.store.facts import adaptation_of
from unmingle.store.schema import damaged
from unmingle.store.sqlite import Store

AT_ONCE = 1 << 14  # vectors read
ALONE = -1  # the person of a face that is nobody's


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


def keep_previous(store: Store) -> None:
    """Remember whose the faces were that no file shows any more, for when they come back."""
    store.connection.execute(
        "INSERT OR REPLACE INTO former (face, person) SELECT face, person FROM member"
        " WHERE face IN (SELECT face FROM absent_face WHERE recipe = ?)",
        (store.recipe,),
    )
