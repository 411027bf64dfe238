"""How similar strangers are to a model: all that has to be known to tell people apart without labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unmingle.errors import SettingsError
from unmingle.models.cards import SFACE

if TYPE_CHECKING:
    from unmingle.models.cards import Calibration
    from unmingle.records import F32, F64, I64


@dataclass(frozen=True, slots=True, kw_only=True)
class ImpostorCurve:
    """How similar two strangers are to one model's eyes: a fact of its card, measured by `grouping.calibrate`.

    The average cosine between a faces of one person and b faces of another is near normal, with mean `mean` and
    variance `people + faces (1/a + 1/b) + pairs / (ab)`.
    """

    mean: float
    people: float  # variance between pairs of people, however many faces each has
    faces: float  # variance that a face adds, and that averages out over the faces of its cluster
    pairs: float  # variance of single pairs, beyond that of their people and faces

    def __post_init__(self) -> None:
        if self.people <= 0 or self.faces < 0 or self.pairs < 0:
            raise SettingsError("An impostor curve has variances below zero.", "Measure it again on more people.")

    def deviation(self, first_m: I64, second_m: I64) -> F64:
        """Standard deviation of the average cosine for clusters of these sizes."""
        a, b = 1 / np.asarray(first_m, np.float64), 1 / np.asarray(second_m, np.float64)
        return np.sqrt(self.people + self.faces * (a + b) + self.pairs * a * b)

    def spread(self, first_m: I64, second_m: I64) -> F64:
        """Standard deviation of the single cosines of a pair of clusters around their average."""
        a, b = 1 / np.asarray(first_m, np.float64), 1 / np.asarray(second_m, np.float64)
        return np.sqrt(self.faces * (2 - a - b) + self.pairs * (1 - a * b))


def curve_of(calibration: Calibration) -> ImpostorCurve:
    """The curve that stands on a model's card."""
    return ImpostorCurve(
        mean=calibration.mean, people=calibration.people, faces=calibration.faces, pairs=calibration.pairs
    )


def _of_sface() -> ImpostorCurve:
    assert SFACE.calibration is not None  # its card says so
    return curve_of(SFACE.calibration)


SFACE_CURVE = _of_sface()

# Quantiles of all pairs through which the normal curve of strangers is laid: below them there are strangers only, even
# where half of all pairs are of one person.
LOW_TAIL = (0.01, 0.10)
# So many faces weigh as much as what is known of face models in general.
PRIOR_FACES = 20
# Faces whose pairs are looked at: two million pairs.
SAMPLE = 2000


def estimate_curve(vectors_nd: F32) -> ImpostorCurve:
    """The impostor curve of an unknown model, from unlabelled faces.

    Most pairs of a collection are strangers, and all of its least similar pairs are. A normal curve through the 1 % and
    the 10 % quantile of all pairs is theirs, even with only two people. How its variance divides into people, faces and
    pairs is taken from SFace. Few faces tell little: SFace's curve counts as 20 more.

    A collection of one person only is taken for one of strangers; nothing but a measured curve can tell them apart.

    Args:
        vectors_nd: (n, d) float32 unit vectors, in an order that has nothing to do with people; past 2,000 rows an even
            sample is taken.
    """
    from scipy.special import ndtri

    n = len(vectors_nd)
    sample = vectors_nd[np.arange(min(n, SAMPLE)) * n // max(1, min(n, SAMPLE))]
    if len(sample) < 2:
        return SFACE_CURVE
    cosines = (sample @ sample.T)[np.triu_indices(len(sample), 1)]
    low, high = np.quantile(cosines.astype(np.float64), LOW_TAIL)
    deviation = (high - low) / (ndtri(LOW_TAIL[1]) - ndtri(LOW_TAIL[0]))
    mean = low - ndtri(LOW_TAIL[0]) * deviation
    known = n / (n + PRIOR_FACES)
    one = np.ones(1, np.int64)
    usual = float(SFACE_CURVE.deviation(one, one)[0])
    factor = (known * deviation + (1 - known) * usual) ** 2 / usual**2
    return ImpostorCurve(
        mean=float(known * mean + (1 - known) * SFACE_CURVE.mean),
        people=float(SFACE_CURVE.people * factor),
        faces=float(SFACE_CURVE.faces * factor),
        pairs=float(SFACE_CURVE.pairs * factor),
    )
