"""`FaceClusterer`: the grouping as a scikit-learn estimator, for embeddings of any model."""

from __future__ import annotations

import warnings
from numbers import Real
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from unmingle.errors import EmbeddingWarning, SettingsError
from unmingle.grouping.adaptation import Adaptation, adapt, curve_of_others
from unmingle.grouping.attach import Assigner
from unmingle.grouping.cluster import cluster_faces
from unmingle.grouping.confidence import face_probabilities
from unmingle.grouping.constraints import Constraints
from unmingle.grouping.impostors import ImpostorModel
from unmingle.records import F64, I64, MISSING, Merges
from unmingle.settings import GroupingSettings, one_of

NOISE = -1
# Of so few faces one may expect nothing.
ENOUGH = 12


class FaceClusterer(ClusterMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Group face embeddings by person; the number of people need not be known.

    Only the directions of the vectors count. The same vectors in another order give the same partition. Without a
    curve, how the model spreads people is found out from the collection: where their middle is, which directions tell
    them apart, and how alike strangers are. `predict` then sees new vectors in the same way.

    Args:
        people: the number of people if it is known; then exactly so many clusters come out, and no noise.
        expected_false_merges: how many merges with a stranger each person may expect, 0 to 1: smaller is stricter.
        singletons: what a face that nobody else is like becomes: "noise" (label -1, as scikit-learn has it) or
            "clusters" (a label of its own).
        impostor_curve: how similar two strangers are to the model that made the vectors. None estimates it, which needs
            some twenty people if their vectors are not centred at 0, more the further they are off, else two, and more
            than a dozen faces;
            `unmingle.grouping.impostors.SFACE_CURVE` is SFace's, and benchmarks/impostor_curve.py measures others.

    Attributes:
        labels_: (n,) int64, person of each row, largest first.
        n_people_: how many people there are; noise is not counted.
        merges_: the merge tree: records with first, second, similarity, size and how, numbered as SciPy's linkage is.
        probabilities_: (n,) how sure each row's label is, 0 to 1; for a row that is alone, that it is rightly so.
        notes_: what the method found out about the collection, as a dict.
        n_features_in_: d.
    """

    def __init__(
        self,
        *,
        people: int | None = None,
        expected_false_merges: float = 0.02,
        singletons: Literal["noise", "clusters"] = "noise",
        impostor_curve: ImpostorModel | None = None,
    ) -> None:
        self.people = people
        self.expected_false_merges = expected_false_merges
        self.singletons = singletons
        self.impostor_curve = impostor_curve

    def fit(
        self,
        X: ArrayLike,  # noqa: N803  # scikit-learn's name
        y: object = None,
        *,
        frames: ArrayLike | None = None,
        same: ArrayLike | None = None,
        different: ArrayLike | None = None,
        quality: ArrayLike | None = None,
    ) -> Self:
        """Cluster the rows of X.

        Args:
            X: (n, d) finite numbers, no row all zero; or a column of n vectors, as a table holds them.
            y: not used; here for scikit-learn's conventions.
            frames: (n,) the picture or frame of each face, as numbers or names; negative, empty or missing (None, NaN)
                for unknown. Two faces of one frame are two people, unless they are too alike for that.
            same: (m, 2) integers, rows that are one person.
            different: (m, 2) integers, rows that are different people.
            quality: (n,) numbers, how good the pictures are, from 0 to 1. A large cluster of pictures of 0.5 and better
                that are less alike than one person's is taken apart; of worse ones nobody can tell.

        Raises:
            SettingsError: a row is zero, or a setting is out of range.
            ConstraintError: two rows must be one person and must be different people.

        Warns:
            EmbeddingWarning: the collection doesn't tell how alike strangers are to this model.
        """
        one_of("singletons", self.singletons, ("noise", "clusters"))
        if not isinstance(self.impostor_curve, ImpostorModel | None):
            mend = "Give one such as unmingle.grouping.impostors.SFACE_CURVE, or None."
            raise SettingsError(f"impostor_curve is {self.impostor_curve!r}.", mend)
        settings = GroupingSettings(people=self.people, expected_false_merges=self.expected_false_merges)
        vectors_nd: Any = validate_data(self, _rows(X), dtype=[np.float64, np.float32])
        constraints = _constraints(len(vectors_nd), frames, same, different)
        if self.impostor_curve is None:
            self._adaptation = adapt(vectors_nd, settings, constraints)
        else:
            self._adaptation = Adaptation.none(self.impostor_curve, vectors_nd.shape[1])
        raw_nd, vectors_nd = vectors_nd, self._adaptation.apply(vectors_nd)
        curve = self._adaptation.curve
        quality_n = None if quality is None else np.asarray(quality, np.float32)
        if quality_n is not None and quality_n.shape != (len(vectors_nd),):
            raise SettingsError(f"Quality of shape {quality_n.shape} for {len(vectors_nd)} faces.", "Give one a face.")
        if quality_n is not None and not ((quality_n >= 0) & (quality_n <= 1)).all():  # nor what is no number
            raise SettingsError("A quality is no number from 0 to 1.", "Scale them, or leave them out.")
        clustering = cluster_faces(vectors_nd, settings, curve=curve, constraints=constraints, quality_n=quality_n)
        self.labels_: I64 = clustering.labels
        if self.impostor_curve is None and self.people is None:
            _warn(self.labels_)
        if self.singletons == "noise" and self.people is None:
            alone = np.bincount(self.labels_)[self.labels_] == 1
            self.labels_ = np.where(alone, NOISE, self.labels_)
        scale = dict(clustering.notes)["scale"]
        self.probabilities_: F64 = face_probabilities(vectors_nd, clustering.labels, curve, scale=scale)
        others = curve_of_others(raw_nd, clustering.labels, self._adaptation)
        self._assigner = Assigner(vectors_nd, self.labels_, others, scale=scale, expected=self.expected_false_merges)
        self.n_people_: int = int(self.labels_.max()) + 1
        self.merges_: Merges = clustering.merges
        self.notes_: dict[str, float] = dict(clustering.notes)
        return self

    def predict(self, X: ArrayLike) -> I64:  # noqa: N803  # scikit-learn's name
        """The person of each new row, (m, d) finite and not zero, by itself; -1 where it is like nobody."""
        check_is_fitted(self)
        vectors_md: Any = validate_data(self, _rows(X), dtype=[np.float64, np.float32], reset=False)
        found = self._assigner.assign_many(self._adaptation.apply(vectors_md))
        return np.array([NOISE if one.label is None else one.label for one in found], np.int64)


def _rows(given: Any) -> Any:
    """A column of vectors, as pandas, polars and Parquet have it, as rows; others as they are."""
    if not hasattr(given, "shape") and hasattr(given, "__array__"):  # a column of Arrow's
        given = np.asarray(given)
    first: Any = next((one for one in given if one is not None), 0) if len(getattr(given, "shape", ())) == 1 else 0
    if np.ndim(first) != 1:
        return given
    if (cells := np.asarray(given)).ndim > 1:
        return cells
    rows = [np.asarray(one) for one in cells]
    odd = next((row for row, one in enumerate(rows) if one.shape != np.shape(first)), None)
    if odd is not None:
        raise ValueError(f"Row {odd} is no vector of {len(first)} numbers: leave it out, or compute it again.")
    return np.stack(rows)


def _warn(labels_n: I64) -> None:
    people = int(labels_n.max()) + 1
    if len(labels_n) >= ENOUGH and people in {1, len(labels_n)}:
        warnings.warn(
            f"Everybody is {'one person' if people == 1 else 'alone'}: that is so, or this collection doesn't tell how"
            " alike strangers are to the model that made its vectors. Give impostor_curve, or more people; or, if they"
            " are several, vectors without their mean: X - X.mean(axis=0).",
            EmbeddingWarning,
            stacklevel=3,
        )


def _constraints(n: int, frames: ArrayLike | None, same: ArrayLike | None, different: ArrayLike | None) -> Constraints:
    frames_n = np.full(n, -1) if frames is None else np.asarray(frames, object)
    if frames_n.shape != (n,):
        raise SettingsError(f"Frames of shape {frames_n.shape} for {n} faces.", "Give one frame for each face.")
    numbers: dict[Any, int] = {}
    if frames is not None:
        numbered = (-1 if _unknown(one) else numbers.setdefault(one, len(numbers)) for one in frames_n.tolist())
        frames_n = np.fromiter(numbered, np.int64, n)
    return Constraints(n, Constraints.of_frames(frames_n).seen_k2, _pairs("same", same), _pairs("different", different))


def _unknown(frame: object) -> bool:
    return str(frame) in {"", *MISSING} or (isinstance(frame, Real) and frame < 0)


def _pairs(name: str, given: ArrayLike | None) -> I64:
    pairs_m2 = np.atleast_2d(np.asarray([] if given is None else given))
    if not pairs_m2.size:
        return np.zeros((0, 2), np.int64)
    if pairs_m2.dtype.kind not in "iuf" or pairs_m2.shape[1:] != (2,) or (pairs_m2 % 1).any():
        problem = f"{name} is an array of {pairs_m2.dtype} of shape {pairs_m2.shape}."
        raise SettingsError(problem, "Give the two rows of each pair: (m, 2) integers.")
    return pairs_m2.astype(np.int64)
