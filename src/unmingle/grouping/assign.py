"""Whose face is this? A new face among people that are already grouped, without grouping them again.

The rule is the clustering's own. The face is a cluster of one; how like a person it is, is measured in standard
deviations above strangers, by the average over the person's faces or, for a person of many looks, by the most similar
quarter of them, whichever says more. It goes to the person that it is most like, if that passes the bar of expected
false merges; else it is nobody's. The people stay as they are: what a new face says about them (two of them are one
after all, a single face has got company) only the next grouping hears.

Up to `EXACT_CLUSTERS` people, the face is compared with the means of all. Past that they are divided into cells, and it
is compared with so many from the cells nearest to it: time then grows with the root of their number only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from unmingle.errors import SettingsError
from unmingle.grouping.confidence import FITTED, Means, evidence, probability
from unmingle.grouping.fragments import LEAST_Z, SAMPLE
from unmingle.grouping.neighbours import NOBODY, nearest
from unmingle.grouping.stopping import FalseMergeBar

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmingle.grouping.impostors import ImpostorCurve
    from unmingle.records import F32, F64, I64

# Means compared with each face: all of them up to so many, past that those of the nearest cells.
EXACT_CLUSTERS = 80_000
# People who are judged face by face: the most similar ones by average.
CANDIDATES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned:
    """What was found for one face.

    label:       the person it belongs to; None: nobody here.
    nearest:     the person it is most like, whether enough or not; None if there are no people.
    similarity:  average cosine to the faces of `nearest`; NaN without.
    probability: that it is a face of `nearest`, 0 to 1.
    runner_up:   the person it is most like after that; None if there is none.
    """

    label: int | None
    nearest: int | None
    similarity: float
    probability: float
    runner_up: int | None


class Assigner:
    """People, ready to be asked whose face a new one is.

    Args:
        vectors_nd: (n, d) float32, only their directions count; they are kept, not copied.
        labels_n: (n,) person of each, as `cluster_faces` gives them; negative for faces of nobody.
        curve: how similar strangers are to the model that made the vectors.
        scale: how much wider they spread in this collection; the note "scale" of the clustering.
        expected: merges with a stranger that each cluster may expect; GroupingSettings.expected_false_merges.
    """

    def __init__(
        self, vectors_nd: F32, labels_n: I64, curve: ImpostorCurve, *, scale: float = 1.0, expected: float = 0.02
    ) -> None:
        self._vectors_nd = vectors_nd
        self._people = Means.of(vectors_nd, labels_n)
        self._label_c = np.unique(labels_n[labels_n >= 0])
        self._order_n = np.argsort(self._people.slot_n, kind="stable")[np.count_nonzero(labels_n < 0) :]
        self._start_c = np.cumsum(self._people.size_c) - self._people.size_c
        self._bar = FalseMergeBar(curve=curve, expected=expected, scale=scale)
        self._near = _Near(self._people.mean_cd)

    def assign(self, vector_d: NDArray[Any]) -> Assigned:
        """Whose face it is.

        Raises:
            SettingsError: the vector has no direction, or not as many dimensions as the others.
        """
        return self.assign_many(np.asarray(vector_d)[None])[0]

    def assign_many(self, vectors_md: NDArray[Any]) -> list[Assigned]:
        """Whose face each of m is, by itself: the faces don't hear of each other.

        Raises:
            SettingsError: a vector has no direction, or they have not as many dimensions as the others.
        """
        unit_md = self._unit(vectors_md)
        if not len(self._label_c):
            return [Assigned(label=None, nearest=None, similarity=np.nan, probability=0.0, runner_up=None)] * len(
                unit_md
            )
        index_mk, similarity_mk = self._near.few(unit_md)
        by_average_mk, z_mk = self._standard(unit_md, index_mk, similarity_mk)
        best_mk = np.argsort(-z_mk, axis=1, kind="stable")[:, :2]
        first, second = np.take_along_axis(index_mk, best_mk, 1).T
        row = np.arange(len(first))
        best = best_mk[:, 0]
        columns = (
            self._label_c[first].tolist(),
            (z_mk[row, best] >= self._bar.bar(np.ones(1, np.int64), clusters=len(self._label_c))).tolist(),
            similarity_mk[row, best].tolist(),
            self._probability(by_average_mk[row, best]).tolist(),
            [int(self._label_c[one]) if one >= 0 else None for one in second],
        )
        return [
            Assigned(
                label=label if enough else None,
                nearest=label,
                similarity=similarity,
                probability=chance,
                runner_up=next_best,
            )
            for label, enough, similarity, chance, next_best in zip(*columns, strict=True)
        ]

    def _probability(self, by_average_m: F64) -> F64:
        """That a cluster of one and its most similar person are one; by averages, as it was fitted."""
        clusters = len(self._label_c)
        shape = np.ones(len(by_average_m)), np.full(len(by_average_m), np.log(self._people.size_c.mean()))
        return probability(np.stack([evidence(by_average_m, clusters), *shape], axis=1), FITTED.pair)

    def _unit(self, vectors_md: NDArray[Any]) -> F32:
        vectors = np.asarray(vectors_md, np.float64)
        if vectors.ndim != 2 or vectors.shape[1] != self._vectors_nd.shape[1]:
            raise SettingsError(
                f"New vectors of shape {vectors.shape} for people in {self._vectors_nd.shape[1]} dimensions.",
                "Give vectors of the same model, one row a face.",
            )
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not (np.isfinite(length) & (length > 0)).all():
            raise SettingsError("A new vector is zero or not finite.", "Leave this face out.")
        unit_md: F32 = (vectors / length).astype(np.float32)
        return unit_md

    def _standard(self, unit_md: F32, index_mk: I64, similarity_mk: F32) -> tuple[F64, F64]:
        """(m, k) standard deviations above strangers: by the average, and by that or the best quarter."""
        size_mk, one = self._people.size_c[index_mk], np.ones(1, np.int64)
        by_average = self._bar.standard(similarity_mk, one, size_mk).astype(np.float64)
        quarter = np.full(index_mk.shape, -np.inf)
        for row, column in np.argwhere((index_mk >= 0) & (by_average >= LEAST_Z) & (size_mk > 1)).tolist():
            quarter[row, column] = self._best_quarter(unit_md[row], int(index_mk[row, column]))
        return by_average, np.maximum(by_average, self._bar.quarter_standard(quarter, one, size_mk))

    def _best_quarter(self, unit_d: F32, cluster: int) -> float:
        """The mean cosine to the most similar quarter of a person's faces, or of an even sample of them."""
        size = int(self._people.size_c[cluster])
        shown = min(size, SAMPLE)
        face = self._order_n[self._start_c[cluster] + np.arange(shown) * size // shown]
        cosine = self._vectors_nd[face] @ unit_d / self._people.norm_n[face]
        count = -(-shown // 4)
        return float(np.partition(cosine, shown - count)[shown - count :].mean(dtype=np.float64))


class _Near:
    """The most similar few of c means: compared with all, or with those of the nearest cells."""

    def __init__(self, mean_cd: F32) -> None:
        self._mean_cd, self._centre_jd = mean_cd, mean_cd[:0]
        if len(mean_cd) <= EXACT_CLUSTERS:
            return
        from unmingle.grouping.cells import Cells

        cells = Cells(mean_cd)
        cell_c = cells.of(mean_cd)
        self._centre_jd = cells.centres_cd
        self._order_c = np.argsort(cell_c, kind="stable")
        self._mean_cd = mean_cd[self._order_c]  # cell after cell
        self._start_j = np.concatenate([[0], np.cumsum(np.bincount(cell_c, minlength=len(self._centre_jd)))])

    def few(self, unit_md: F32) -> tuple[I64, F32]:
        """(m, k) rows and similarities, the most similar first; -1 and -inf where there are fewer."""
        if not len(self._centre_jd):
            found = nearest(unit_md, self._mean_cd, CANDIDATES)
            return found.index_qk, found.similarity_qk
        index = np.full((len(unit_md), CANDIDATES), -1, np.int64)
        similarity = np.full((len(unit_md), CANDIDATES), NOBODY, np.float32)
        for row, unit_d in enumerate(unit_md):
            rows, cosine = self._in_cells(unit_d)
            best = np.lexsort((rows, -cosine))[:CANDIDATES] if len(rows) else np.zeros(0, np.int64)
            index[row, : len(best)], similarity[row, : len(best)] = rows[best], cosine[best]
        return index, similarity

    def _in_cells(self, unit_d: F32) -> tuple[I64, F32]:
        """The most similar means of the nearest cells, a few more than asked for."""
        cell = np.argsort(-(self._centre_jd @ unit_d), kind="stable")
        filled = np.cumsum(self._start_j[cell + 1] - self._start_j[cell])
        cell = cell[: max(1, int(np.searchsorted(filled, EXACT_CLUSTERS)))]
        spans = [slice(self._start_j[one], self._start_j[one + 1]) for one in cell]
        cosine = np.concatenate([self._mean_cd[span] @ unit_d for span in spans])
        row = np.concatenate([self._order_c[span] for span in spans])
        few = min(CANDIDATES, len(row))
        best = np.argpartition(-cosine, few - 1)[:few]
        return row[best], cosine[best]
