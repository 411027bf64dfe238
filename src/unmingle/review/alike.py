"""Who is most like a person or a few faces, by the means of everybody's faces; and which faces are most like one."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unmingle.grouping.clusters import unit_rows
from unmingle.grouping.confidence import pair_probabilities
from unmingle.grouping.impostors import ImpostorModel
from unmingle.grouping.index import spaced
from unmingle.grouping.split_candidates import SAMPLE, parts
from unmingle.records import F32, I64, Bool
from unmingle.store.facts import adaptation_of

if TYPE_CHECKING:
    from unmingle.store.sqlite import Store


MOST = 500  # faces like one that are told
BLOCK = 8192  # faces compared at a time: a million of them would not stay in memory


class Likeness(NamedTuple):
    """How alike two people are. similarity: mean cosine of their faces, which orders those who all but can't be one."""

    probability: float | None
    similarity: float

    @property
    def order(self) -> tuple[float, float]:
        """Falls from the most alike on."""
        return (-(self.probability or 0.0), -self.similarity)


@dataclass(frozen=True, slots=True, eq=False)
class Appearances:
    """What c people look like."""

    ids_c: I64  # rising
    mean_cd: F32  # of unit vectors
    size_c: I64  # faces of each

    @classmethod
    def of_people(cls, store: Store, only: Collection[int] | None = None) -> Appearances:
        """Of everybody, or of some."""
        query = (
            "SELECT member.person, face.vector FROM member JOIN face ON face.id = member.face"
            " WHERE ?1 IS NULL OR member.person IN (SELECT value FROM json_each(?1)) ORDER BY member.person"
        )
        return cls._of(store, store.connection.execute(query, (None if only is None else json.dumps(sorted(only)),)))

    @classmethod
    def of_faces(cls, store: Store, faces: Iterable[int]) -> Appearances:
        """Of some faces, which are taken to be of one person."""
        query = "SELECT 0, vector FROM face WHERE id IN (SELECT value FROM json_each(?))"
        return cls._of(store, store.connection.execute(query, (json.dumps(list(faces)),)))

    @classmethod
    def _of(cls, store: Store, rows: Iterable[tuple[int, bytes]]) -> Appearances:
        adapted = adaptation_of(store)
        people, means, sizes = [], [], []
        for person, faces in groupby(rows, itemgetter(0)):
            vectors = (np.frombuffer(blob, "<f4") for _, blob in faces)
            unit_kd = np.array([vector / np.sqrt(vector @ vector) for vector in vectors])
            unit_kd = unit_kd if adapted is None else adapted.apply(unit_kd)
            people.append(person)
            means.append(unit_kd.sum(axis=0) / np.float32(len(unit_kd)))
            sizes.append(len(unit_kd))
        mean_cd = np.array(means) if means else np.zeros((0, 1), np.float32)
        return cls(np.array(people, np.int64), mean_cd, np.array(sizes, np.int64))

    def renewed(self, store: Store, touched: Collection[int]) -> Appearances:
        """The same people later, of whom only these have changed."""
        both = self.some(~np.isin(self.ids_c, list(touched))).beside(Appearances.of_people(store, touched))
        return both.some(np.argsort(both.ids_c))

    def beside(self, others: Appearances) -> Appearances:
        """These and others."""
        width = max(self.mean_cd.shape[1], others.mean_cd.shape[1])  # of nobody it isn't known
        mean_cd = np.concatenate([of.mean_cd.reshape(-1, width) for of in (self, others)])
        ids_c, size_c = np.concatenate([self.ids_c, others.ids_c]), np.concatenate([self.size_c, others.size_c])
        return Appearances(ids_c, mean_cd, size_c)

    def some(self, which_c: Bool | I64) -> Appearances:
        return Appearances(self.ids_c[which_c], self.mean_cd[which_c], self.size_c[which_c])

    def like(
        self, asked: Appearances, curve: ImpostorModel, scale: float | None, weak: float | None = None
    ) -> dict[int, Likeness]:
        """How alike everybody is to one person who is asked for; to nobody, nobody is known to be. weak: `weakness`."""
        if not len(asked.ids_c) or not len(self.ids_c):
            return {}
        count = len(self.ids_c)
        chance: list[float | None] = [None] * count
        if scale is not None:
            mean_cd = np.concatenate([self.mean_cd, asked.mean_cd])
            size_c = np.concatenate([self.size_c, asked.size_c])
            pairs_m2 = np.stack([np.arange(count), np.full(count, count)], axis=1)
            chance = pair_probabilities(mean_cd, size_c, pairs_m2, curve, scale=scale, weak=weak).tolist()
        known = map(Likeness, chance, (self.mean_cd @ asked.mean_cd[0]).tolist())
        return dict(zip(self.ids_c.tolist(), known, strict=True))


@dataclass(frozen=True, slots=True, eq=False)
class FaceVectors:
    """All faces of pictures that are there, roughly: who is most like one is looked at exactly."""

    ids_n: I64
    unit_nd: NDArray[np.float16]  # unit vectors; a million take a quarter of a gigabyte

    @classmethod
    def of(cls, store: Store) -> FaceVectors:
        adapted, ids, parts = adaptation_of(store), list[int](), [np.zeros((0, 1), np.float16)]
        query = (
            "SELECT face.id, vector FROM face JOIN analysis ON analysis.id = face.analysis WHERE recipe = ?"
            " AND content IN (SELECT digest FROM file WHERE present = 1)"
        )
        rows = store.connection.execute(query, (store.recipe,))
        while block := rows.fetchmany(BLOCK):
            unit_kd = unit_rows(np.frombuffer(b"".join(vector for _, vector in block), "<f4").reshape(len(block), -1))
            parts.append((unit_kd if adapted is None else adapted.apply(unit_kd)).astype(np.float16))
            ids.extend(face for face, _ in block)
        return cls(np.array(ids, np.int64), np.concatenate(parts[1:] or parts))

    def nearest(self, store: Store, face: int) -> Appearances:
        """Up to `MOST` faces that are most like one, as people of one face; none of its person's."""
        others = (
            "SELECT ?1 UNION SELECT face FROM mark WHERE mark = 'not_a_face'"
            " UNION SELECT face FROM member WHERE person = (SELECT person FROM member WHERE face = ?1)"
        )
        left_out = [one for (one,) in store.connection.execute(others, (face,))]
        asked = Appearances.of_faces(store, [face])
        blocks = range(0, len(self.ids_n) if len(asked.ids_c) else 0, BLOCK)
        like = (self.unit_nd[at : at + BLOCK].astype(np.float32) @ asked.mean_cd[0] for at in blocks)
        similarity_n = np.concatenate([np.zeros(0, np.float32), *like])
        similarity_n[np.isin(self.ids_n[: len(similarity_n)], left_out)] = -np.inf
        best = np.argsort(-similarity_n, kind="stable")[:MOST]
        query = (
            "SELECT face.id, vector FROM face JOIN analysis ON analysis.id = face.analysis"
            " WHERE face.id IN (SELECT value FROM json_each(?))"
            " AND EXISTS (SELECT 1 FROM file WHERE digest = content AND present = 1) ORDER BY face.id"
        )
        ids = json.dumps(self.ids_n[best[np.isfinite(similarity_n[best])]].tolist())
        return Appearances._of(store, store.connection.execute(query, (ids,)))


def parts_of(store: Store, person: int, count: int | None) -> list[list[int]]:
    """The faces of a person in so many parts, or as they fall apart, the largest first; tracks stay whole."""
    query = (
        "SELECT face.id, vector, track FROM member JOIN face ON face.id = member.face WHERE person = ? ORDER BY face.id"
    )
    rows, adapted = store.connection.execute(query, (person,)).fetchall(), adaptation_of(store)
    if len(rows) < 2:
        return [[face for face, *_ in rows]] if rows else []
    unit_nd = unit_rows(np.array([np.frombuffer(vector, "<f4") for _, vector, _ in rows]))
    unit_nd = unit_nd if adapted is None else adapted.apply(unit_nd)
    root_n = np.array([-face if track is None else track for face, _, track in rows])
    sample = spaced(len(rows), SAMPLE)
    part_s = parts(unit_nd[sample], root_n[sample], count)
    # Of larger people, whoever was not looked at goes to the part they are most like.
    mean_pd = np.array([unit_nd[sample[part_s == part]].mean(axis=0) for part in range(part_s.max() + 1)])
    part_n = (unit_nd @ mean_pd.T).argmax(axis=1)
    part_n[sample] = part_s
    ids_n = np.array([face for face, *_ in rows])
    return [ids_n[part_n == part].tolist() for part in range(len(mean_pd))]
