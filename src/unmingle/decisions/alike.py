"""Who is most like a person or a few faces: means of everybody's faces, renewed for whom a decision touched only."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from unmingle.grouping.confidence import pair_probabilities

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


_OF_PEOPLE = (
    "SELECT member.person, face.vector FROM member JOIN face ON face.id = member.face"
    " WHERE ?1 IS NULL OR member.person IN (SELECT value FROM json_each(?1)) ORDER BY member.person"
)
_OF_FACES = "SELECT 0, vector FROM face WHERE id IN (SELECT value FROM json_each(?))"


@dataclass(frozen=True, slots=True, eq=False)
class Appearances:
    """What c people look like at one revision of the log.

    ids_c rise; mean_cd: of unit vectors; size_c: faces of each; pictures: changes with anything but decisions.
    """

    revision: int
    pictures: int
    ids_c: I64
    mean_cd: F32
    size_c: I64

    @classmethod
    def of(cls, store: Store, revision: int, pictures: int) -> Appearances:
        """Of everybody."""
        return cls(revision, pictures, *_means(store.connection.execute(_OF_PEOPLE, (None,))))

    def now(self, store: Store, revision: int, touched: Collection[int]) -> Appearances:
        """The same people later, of whom only these have changed."""
        ids, mean, size = _means(store.connection.execute(_OF_PEOPLE, (json.dumps(sorted(touched)),)))
        stay = ~np.isin(self.ids_c, list(touched))
        ids = np.concatenate([self.ids_c[stay], ids])
        order = np.argsort(ids)
        mean = np.concatenate([self.mean_cd[stay], mean.reshape(-1, self.mean_cd.shape[1])])[order]
        return Appearances(revision, self.pictures, ids[order], mean, np.concatenate([self.size_c[stay], size])[order])

    def to_person(self, person: int, curve: ImpostorModel, scale: float | None) -> dict[int, Likeness]:
        """How alike everybody else is to this person."""
        at = int(np.searchsorted(self.ids_c, person))
        if at == len(self.ids_c) or self.ids_c[at] != person:
            return {}
        return self._likeness(self.mean_cd, self.size_c, at, curve, scale)

    def to_faces(
        self, store: Store, faces: Iterable[int], curve: ImpostorModel, scale: float | None
    ) -> dict[int, Likeness]:
        """How alike everybody is to some faces, which are taken to be of one person."""
        _, mean, size = _means(store.connection.execute(_OF_FACES, (json.dumps(list(faces)),)))
        if not len(size) or not len(self.ids_c):
            return {}
        means, sizes = np.concatenate([self.mean_cd, mean]), np.concatenate([self.size_c, size])
        return self._likeness(means, sizes, len(self.ids_c), curve, scale)

    def _likeness(
        self, mean_cd: F32, size_c: I64, row: int, curve: ImpostorModel, scale: float | None
    ) -> dict[int, Likeness]:
        others = np.flatnonzero(np.arange(len(self.ids_c)) != row)
        similarity = (mean_cd[others] @ mean_cd[row]).tolist()
        chance: list[float | None] = [None] * len(others)
        if scale is not None:
            pairs_m2 = np.stack([others, np.full(len(others), row)], axis=1)
            chance = pair_probabilities(mean_cd, size_c, pairs_m2, curve, scale=scale).tolist()
        known = map(Likeness, chance, similarity)
        return dict(zip(self.ids_c[others].tolist(), known, strict=True))


def _means(rows: Iterable[tuple[int, bytes]]) -> tuple[I64, F32, I64]:
    """Ids (c,), mean unit vectors (c, d) and numbers of faces (c,) of people whose faces come one after another."""
    people: list[int] = []
    sums: list[F32] = []
    sizes: list[int] = []
    for person, blob in rows:
        vector = np.frombuffer(blob, "<f4")
        unit = vector / np.sqrt(vector @ vector)
        if people and people[-1] == person:
            sums[-1] += unit
            sizes[-1] += 1
        else:
            people.append(person)
            sums.append(unit)
            sizes.append(1)
    size_c = np.array(sizes, np.int64)
    mean_cd = np.stack(sums) / size_c[:, None] if sums else np.zeros((0, 1))
    return np.array(people, np.int64), mean_cd.astype(np.float32), size_c
