"""A library's score beside those of usual methods, on the same embeddings and the same labels."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unmingle.evaluation.metrics import bcubed, contingency, score
from unmingle.grouping.baselines import SFACE_COSINE, AverageLinkage, k_means, unit

if TYPE_CHECKING:
    import polars as pl

    from unmingle.evaluation.metrics import Scores
    from unmingle.records import F32, I64

# Distances of all pairs take 8 bytes each, and as much again while they are worked on: 1.2 GB for so many faces.
MOST_ROWS = 12_000
# Starts of k-means, of which it keeps the best: a single one is a matter of luck. And faces times people, above which
# they take more than some minutes.
STARTS = 10
MOST_CENTRES = 20_000_000


@dataclass(frozen=True, slots=True)
class Method:
    """What one method reaches.

    name:    what it is called. told: what it was told that it could not know, or how it was set.
    scores:  None where it was left out.
    seconds: that the grouping took.
    left_out: why it was, empty if it wasn't.
    """

    name: str
    told: str
    scores: Scores | None
    seconds: float | None = None
    left_out: str = ""


class Beside:
    """Runs other methods on the labelled faces, and scores them as the library was scored.

    They get the labelled faces alone, which is easier than what the library had to sort. A cluster of one face counts
    as left out, as it does with us; so does a labelled file in which no face is grouped.

    Args:
        scored: `Evaluation.faces`, with the column `id`.
        ids_n: (n,) the faces of the library that may be grouped.
        vectors_nd: (n, d) their embeddings.
    """

    def __init__(self, scored: pl.DataFrame, ids_n: I64, vectors_nd: F32) -> None:
        self._labels = scored["label"].to_list()
        row_of = {face: row for row, face in enumerate(ids_n.tolist())}
        row_m = np.array([row_of.get(face, -1) for face in scored["id"].to_list()], np.int64).reshape(-1)
        rows_v, at_m = np.unique(row_m, return_inverse=True)
        first = int(len(rows_v) > 0 and rows_v[0] < 0)  # files without such a face
        self._vector_of_m = at_m - first
        self._vectors = unit(vectors_nd[rows_v[first:]])
        self._people = len(set(self._labels))

    def methods(self, *, sface: bool) -> list[Method]:
        """All of them.

        Args:
            sface: whether the embeddings are SFace's, for which there is a documented threshold.
        """
        if not len(self._vectors):
            return []
        return [self._k_means(), *self._average_linkage(sface=sface)]

    def _k_means(self) -> Method:
        name, people = "k-means", min(self._people, len(self._vectors))
        told = f"told the true number, {self._people:,}"
        if len(self._vectors) * people > MOST_CENTRES:
            why = f"{len(self._vectors):,} faces and {people:,} people take k-means too long"
            return Method(name, told, None, left_out=why)
        start = time.perf_counter()
        labels_v = k_means(self._vectors, people, starts=STARTS)
        return Method(name, told, self._score(labels_v), time.perf_counter() - start)

    def _average_linkage(self, *, sface: bool) -> list[Method]:
        name, best = "average linkage", "the best threshold, chosen with the labels"
        fixed = [(f"OpenCV's threshold for SFace, {SFACE_COSINE}", SFACE_COSINE)] if sface else []
        if (faces := len(self._vectors)) > MOST_ROWS:
            why = f"{faces:,} faces need {faces * (faces - 1) * 8 / 1e9:,.1f} GB for the distances of all pairs"
            return [Method(name, told, None, left_out=why) for told in (best, *(told for told, _ in fixed))]
        start = time.perf_counter()
        tree = AverageLinkage.of(self._vectors)
        seconds = time.perf_counter() - start
        threshold, labels_v = max(tree.cuts(), key=lambda cut: self._bcubed(cut[1]))
        return [
            Method(name, f"{best}, {threshold:.2f}", self._score(labels_v), seconds),
            *(Method(name, told, self._score(tree.cut(cosine)), seconds) for told, cosine in fixed),
        ]

    def _bcubed(self, labels_v: I64) -> float:
        return bcubed(contingency(self._labels, self._predicted(labels_v))).f1

    def _score(self, labels_v: I64) -> Scores:
        return score(self._labels, self._predicted(labels_v))

    def _predicted(self, labels_v: I64) -> I64:
        """(m,) the cluster of each labelled file, below 0 for none; of v vectors."""
        several_v = np.bincount(labels_v, minlength=labels_v.max() + 1)[labels_v] > 1
        return np.where(self._vector_of_m < 0, -1, np.where(several_v, labels_v, -1)[self._vector_of_m])
