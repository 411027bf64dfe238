"""Who is most like a person or a few faces, by the means of everybody's faces."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from unmingle.grouping.confidence import pair_probabilities
from unmingle.store.facts import CURRENT, adaptation_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from unmingle.grouping.impostors import ImpostorModel
    from unmingle.records import F32, I64
    from unmingle.store.sqlite import Store


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
        recipe = store.fact(CURRENT)  # none where nothing was added yet
        adapted = adaptation_of(store, recipe) if recipe else None
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
        now = Appearances.of_people(store, touched)
        stay = ~np.isin(self.ids_c, list(touched))
        ids = np.concatenate([self.ids_c[stay], now.ids_c])
        means = np.concatenate([self.mean_cd[stay], now.mean_cd.reshape(-1, self.mean_cd.shape[1])])
        order = np.argsort(ids)
        return Appearances(ids[order], means[order], np.concatenate([self.size_c[stay], now.size_c])[order])

    def only(self, person: int) -> Appearances:
        row = np.flatnonzero(self.ids_c == person)
        return Appearances(self.ids_c[row], self.mean_cd[row], self.size_c[row])

    def like(self, asked: Appearances, curve: ImpostorModel, scale: float | None) -> dict[int, Likeness]:
        """How alike everybody is to one person who is asked for; to nobody, nobody is known to be."""
        if not len(asked.ids_c) or not len(self.ids_c):
            return {}
        count = len(self.ids_c)
        chance: list[float | None] = [None] * count
        if scale is not None:
            mean_cd = np.concatenate([self.mean_cd, asked.mean_cd])
            size_c = np.concatenate([self.size_c, asked.size_c])
            pairs_m2 = np.stack([np.arange(count), np.full(count, count)], axis=1)
            chance = pair_probabilities(mean_cd, size_c, pairs_m2, curve, scale=scale).tolist()
        known = map(Likeness, chance, (self.mean_cd @ asked.mean_cd[0]).tolist())
        return dict(zip(self.ids_c.tolist(), known, strict=True))
