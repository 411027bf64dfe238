"""How similar strangers are to an embedding model: its impostor distribution, and ways to measure it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unmingle.errors import ModelError, SettingsError
from unmingle.grouping.index import spaced
from unmingle.models.registry import SFACE

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from unmingle.models.registry import Calibration
    from unmingle.records import F32, F64, I64

# So many people are enough to measure strangers on: the deviation comes out to within half a percent.
MANY_PEOPLE = 200
# Quantiles of all pairs through which the normal curve is laid: below them are strangers only, even of two people.
LOW_TAIL = (0.01, 0.10)
# So many faces weigh as much as what is known of face models in general.
PRIOR_FACES = 20
# Faces whose pairs are looked at: two million pairs.
SAMPLE = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class ImpostorModel:
    """The average cosine between a faces of one person and b faces of another is near normal.

    Its mean is `mean`, its variance `people + faces (1/a + 1/b) + pairs / (ab)`.
    """

    mean: float
    people: float  # variance between pairs of people, however many faces each has
    faces: float  # variance that a face adds, and that averages out over the faces of its cluster
    pairs: float  # variance of single pairs, beyond that of their people and faces

    def __post_init__(self) -> None:
        if self.people <= 0 or self.faces < 0 or self.pairs < 0:
            raise SettingsError("An impostor curve has variances below zero.", "Measure it again on more people.")

    def deviation(self, first_m: I64, second_m: I64) -> F64:
        """(m,) of the average cosine of clusters of these sizes."""
        a, b = 1 / np.asarray(first_m, np.float64), 1 / np.asarray(second_m, np.float64)
        return np.sqrt(self.people + self.faces * (a + b) + self.pairs * a * b)

    def spread(self, first_m: I64, second_m: I64) -> F64:
        """(m,) standard deviation of the single cosines of two clusters around their average."""
        a, b = 1 / np.asarray(first_m, np.float64), 1 / np.asarray(second_m, np.float64)
        return np.sqrt(self.faces * (2 - a - b) + self.pairs * (1 - a * b))

    def stretched(self, mean: float, factor: float) -> ImpostorModel:
        """The same shape around another mean, with all deviations times a factor."""
        people, faces, pairs = (variance * factor**2 for variance in (self.people, self.faces, self.pairs))
        return ImpostorModel(mean=mean, people=people, faces=faces, pairs=pairs)


def curve_of(calibration: Calibration) -> ImpostorModel:
    """The impostor model on a model's card."""
    return ImpostorModel(
        mean=calibration.mean, people=calibration.people, faces=calibration.faces, pairs=calibration.pairs
    )


assert SFACE.calibration is not None  # its card says so
SFACE_CURVE = curve_of(SFACE.calibration)
SINGLE = np.ones(1, np.int64)


def estimate_curve(vectors_nd: F32) -> ImpostorModel:
    """The impostor model of an unknown embedding model, from unlabelled unit vectors in canonical order.

    The least similar pairs are strangers, even with two people only; one person alone is taken for strangers. How the
    variance divides into people, faces and pairs is taken from SFace, which counts as a few more faces.
    """
    n = len(vectors_nd)
    sample = vectors_nd[spaced(n, SAMPLE)]
    if len(sample) < 2:
        return SFACE_CURVE
    mean, deviation = normal_through((sample @ sample.T)[np.triu_indices(len(sample), 1)], LOW_TAIL)
    known = n / (n + PRIOR_FACES)
    usual = float(SFACE_CURVE.deviation(SINGLE, SINGLE)[0])
    factor = float((known * deviation + (1 - known) * usual) / usual)
    return SFACE_CURVE.stretched(float(known * mean + (1 - known) * SFACE_CURVE.mean), factor)


def normal_through(score_m: F32 | F64, shares: tuple[float, float]) -> tuple[float, float]:
    """The mean and the deviation of the normal curve below which there are such shares of what so many pairs score."""
    from scipy.special import ndtri

    low, high = np.quantile(score_m.astype(np.float64), shares)
    deviation = float((high - low) / (ndtri(shares[1]) - ndtri(shares[0])))
    return float(low - ndtri(shares[0]) * deviation), deviation


def measure_curve(vectors_nd: NDArray[Any], labels_n: NDArray[Any]) -> ImpostorModel:
    """The impostor model by the method of moments, over all pairs of people with two faces or more.

    A two-way analysis of variance splits each pair's a × b cosines into their mean, what rows and columns add, and the
    rest. Averaged over pairs with equal weights these give `faces` and `pairs`, and the variance of the means `people`.
    """
    unit_nd, sizes_p = by_person(vectors_nd, labels_n, 2)
    if len(sizes_p) < 3:
        raise ModelError(
            f"There are {len(sizes_p)} people with two faces or more, too few to tell how similar strangers are.",
            "Give a folder or a library with many people, best hundreds.",
        )
    starts = np.concatenate([[0], np.cumsum(sizes_p)[:-1]])
    means_pd = np.add.reduceat(unit_nd, starts, axis=0) / sizes_p[:, None]
    rest, faces, between = [], [], []
    for first in range(len(sizes_p) - 1):
        a, begin = sizes_p[first], starts[first + 1]
        mine = unit_nd[starts[first] : starts[first] + a]
        b = sizes_p[first + 1 :]
        cosines = mine @ unit_nd[begin:].T
        columns = cosines.mean(axis=0)  # my faces' average, for each face of another
        rows = mine @ means_pd[first + 1 :].T  # another's faces' average, for each of mine
        grand = rows.mean(axis=0)
        inner = starts[first + 1 :] - begin
        each = np.repeat(np.arange(len(b)), b)
        left = cosines - rows[:, each] - columns + grand[each]
        c = np.add.reduceat((left**2).sum(axis=0), inner) / ((a - 1) * (b - 1))
        by_rows = rows.var(axis=0, ddof=1) - c / b
        by_columns = np.add.reduceat((columns - grand[each]) ** 2, inner) / (b - 1) - c / a
        rest.append(c)
        faces.append((by_rows + by_columns) / 2)
        between.append(np.stack([grand, 1 / a + 1 / b, 1 / (a * b)]))
    pairs, single = float(np.concatenate(rest).mean()), max(0.0, float(np.concatenate(faces).mean()))
    grand, per_face, per_pair = np.concatenate(between, axis=1)
    people = float(grand.var() - single * per_face.mean() - pairs * per_pair.mean())
    if people <= 0:
        raise ModelError(
            f"{len(sizes_p)} people are too few, or too alike, to tell how similar strangers are.",
            "Give a folder or a library with many people, best hundreds.",
        )
    return ImpostorModel(mean=float(grand.mean()), people=people, faces=single, pairs=pairs)


def by_person(vectors_nd: NDArray[Any], labels_n: NDArray[Any], least: int) -> tuple[F64, I64]:
    """Unit vectors of people with at least so many faces, person after person, and how many each has."""
    _, person, sizes = np.unique(labels_n, return_inverse=True, return_counts=True)
    keep = np.flatnonzero(sizes[person] >= least)
    chosen = vectors_nd[keep[np.argsort(person[keep], kind="stable")]].astype(np.float64)
    return chosen / np.linalg.norm(chosen, axis=1, keepdims=True), sizes[sizes >= least]


def compared_curve(vectors_nd: F32, sface_nd: F32, labels_n: NDArray[Any]) -> ImpostorModel:
    """The impostor model from a few people, compared with SFace's vectors of the same faces.

    Strangers in the world are taken to spread as much wider than these few to this model as they do to SFace.
    """
    (_, strangers), (_, sface) = _cosines(vectors_nd, labels_n), _cosines(sface_nd, labels_n)
    if not len(strangers) or not min(strangers.std(), sface.std()) > 0:
        raise ModelError("There are no two people whose faces differ.", "Give faces of several people.")
    stretch = float(strangers.std() / sface.std())
    return SFACE_CURVE.stretched(float(strangers.mean() + (SFACE_CURVE.mean - sface.mean()) * stretch), stretch)


def separation(vectors_nd: F32, labels_n: NDArray[Any]) -> float:
    """How far apart faces of one person and of two are: the gap of their average cosines, in standard deviations."""
    one, two = _cosines(vectors_nd, labels_n)
    spread = np.sqrt((one.var() + two.var()) / 2)
    return float((one.mean() - two.mean()) / spread) if spread > 0 else 0.0


def _cosines(vectors_nd: F32, labels_n: NDArray[Any]) -> tuple[F64, F64]:
    """Of the pairs of faces of one person, and of two."""
    row, column = np.triu_indices(len(labels_n), 1)
    cosines = (vectors_nd @ vectors_nd.T)[row, column].astype(np.float64)
    same = labels_n[row] == labels_n[column]
    return cosines[same], cosines[~same]
