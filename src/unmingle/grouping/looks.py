"""What counts in a clustering of founders, joiners and copies: which clusters are people, and which faces say so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from unmingle.grouping.cluster import BLOCK, likeness
from unmingle.grouping.confidence import Means
from unmingle.grouping.constraints import roots
from unmingle.grouping.founding import TOO_FEW

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmingle.records import F64, I64, Bool, Clustering


@dataclass(frozen=True, slots=True, eq=False)
class Looks:
    """What counts of n faces in k clusters. Copies of one picture in one cluster are one look.

    look_n:    (n,) int64, the row that shows each face's look: the first of its picture in its cluster.
    founded_n: (n,) bool, whether the cluster of each face has a founder.
    people_n:  (n,) bool, whether it is a person: founded, and of different looks.
    telling_n: (n,) bool, the faces that tell how alike the faces of a cluster are: its founders, each picture once, or
               all looks where only one founds. That a poor face is less like its person says nothing of the person.
    """

    look_n: I64
    founded_n: Bool
    people_n: Bool
    telling_n: Bool

    @classmethod
    def of(cls, clustering: Clustering, founders_n: Bool, copy_of_n: I64 | None = None, *, least: int = 2) -> Looks:
        """Count looks.

        Args:
            clustering: from `cluster_by_standing`; or from another method, then each cluster should have a founder.
            founders_n: as they were given to it.
            copy_of_n: as they were given to it.
            least: how many different looks make a person; 1 where the number of people was given.
        """
        labels_n, k = clustering.labels, int(clustering.labels.max(initial=-1)) + 1
        rows = np.arange(len(labels_n))
        look_n = rows if copy_of_n is None else _first_of_picture(labels_n, copy_of_n)
        founding_n = np.asarray(founders_n, np.bool_) | (TOO_FEW in dict(clustering.notes))
        is_look_n = look_n == rows
        looks_k = np.bincount(labels_n[is_look_n], minlength=k)
        founded_k = np.bincount(labels_n[founding_n], minlength=k) > 0
        several_k = np.bincount(labels_n[founding_n & is_look_n], minlength=k) > 1
        telling_n = is_look_n & (founding_n | ~several_k[labels_n])
        return cls(look_n, founded_k[labels_n], (founded_k & (looks_k >= least))[labels_n], telling_n)

    def shown(self, labels_n: I64) -> I64:
        """(n,) the labels with one face of each look, and -1 for other copies and for faces without a founder."""
        is_look_n = self.look_n == np.arange(len(labels_n))
        shown: I64 = np.where(is_look_n & self.founded_n, labels_n, -1)
        return shown

    def likeness(self, vectors_nd: NDArray[Any], labels_n: I64) -> tuple[F64, F64]:
        """As `cluster.likeness`, to the mean direction of those faces of each cluster that tell; (n,) and (k,)."""
        if self.telling_n.all():
            return likeness(vectors_nd, labels_n)
        people = Means.of(vectors_nd, np.where(self.telling_n, labels_n, -1))
        cohesion_k: F64 = np.linalg.norm(people.mean_cd, axis=1).astype(np.float64)
        length_k = np.maximum(cohesion_k, np.finfo(np.float64).tiny)
        likeness_n = np.zeros(len(labels_n))
        for start in range(0, len(labels_n), BLOCK):
            part = slice(start, start + BLOCK)
            label = labels_n[part]
            cosine = np.einsum("nd,nd->n", vectors_nd[part], people.mean_cd[label], dtype=np.float64)
            likeness_n[part] = cosine / (people.norm_n[part] * length_k[label])
        return likeness_n, cohesion_k


def _first_of_picture(labels_n: I64, copy_of_n: I64) -> I64:
    n = len(labels_n)
    picture_n = roots(np.stack([np.arange(n), copy_of_n], axis=1), n)
    _, first, look = np.unique(labels_n * n + picture_n, return_index=True, return_inverse=True)
    look_n: I64 = first[look].astype(np.int64)
    return look_n
