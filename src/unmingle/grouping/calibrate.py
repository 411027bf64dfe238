"""How similar strangers are to a model: its impostor curve, measured on faces of known people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from unmingle.errors import ModelError
from unmingle.grouping.impostors import SFACE_CURVE, ImpostorCurve

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from unmingle.records import F32, F64, I64

# So many people are enough to measure strangers on: drawn at random from Labeled Faces in the Wild, with two pictures
# each, 200 give the mean of SFace to within 0.002 and the deviation to within half a percent, 30 to within 0.004 and
# 2.5 percent. Fewer are also rarely as varied as people in the world are.
MANY_PEOPLE = 200


def by_person(vectors_nd: NDArray[Any], labels_n: NDArray[Any], least: int) -> tuple[F64, I64]:
    """Unit vectors of people with at least so many faces, person after person, and the size of each person."""
    _, person, sizes = np.unique(labels_n, return_inverse=True, return_counts=True)
    keep = np.flatnonzero(sizes[person] >= least)
    order = keep[np.argsort(person[keep], kind="stable")]
    chosen = vectors_nd[order].astype(np.float64)
    return chosen / np.linalg.norm(chosen, axis=1, keepdims=True), sizes[np.flatnonzero(sizes >= least)]


def measure_curve(vectors_nd: NDArray[Any], labels_n: NDArray[Any]) -> ImpostorCurve:
    """The curve by the method of moments, over all pairs of people with two faces or more.

    For each such pair the table of cosines (their a faces × the other's b faces) is split by a two-way analysis of
    variance into its mean, what rows and columns add, and the rest. Averaged over pairs of people with equal weights
    this gives `faces` and `pairs`; the variance of the tables' means, less what few faces explain of it, gives
    `people`.

    Args:
        vectors_nd: (n, d) of any lengths above 0.
        labels_n: (n,) whose faces they are.

    Raises:
        ModelError: there are fewer than three such people, or they differ no more than chance explains.
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
    return ImpostorCurve(mean=float(grand.mean()), people=people, faces=single, pairs=pairs)


def compared_curve(vectors_nd: F32, sface_nd: F32, labels_n: NDArray[Any]) -> ImpostorCurve:
    """The curve of a model from a few people, by what SFace, whose curve is known, makes of the same faces.

    A few people are narrower, or farther from each other, than people in the world. To SFace they are so by a known
    measure; strangers in the world are taken to spread as much wider to the model as they do to SFace.

    Args:
        vectors_nd: (n, d) unit vectors of the model.
        sface_nd: (n, 128) unit vectors of SFace, of the same faces.
        labels_n: (n,) whose faces they are.

    Raises:
        ModelError: there are no two people.
    """
    mean, deviation = _strangers(vectors_nd, labels_n)
    sface_mean, sface_deviation = _strangers(sface_nd, labels_n)
    stretch = deviation / sface_deviation
    return ImpostorCurve(
        mean=mean + (SFACE_CURVE.mean - sface_mean) * stretch,
        people=SFACE_CURVE.people * stretch**2,
        faces=SFACE_CURVE.faces * stretch**2,
        pairs=SFACE_CURVE.pairs * stretch**2,
    )


def _strangers(vectors_nd: F32, labels_n: NDArray[Any]) -> tuple[float, float]:
    """Mean and standard deviation of the cosines of two people's faces."""
    cosines = (vectors_nd @ vectors_nd.T).astype(np.float64)
    strangers = cosines[labels_n[:, None] != labels_n[None]]
    if not len(strangers) or not strangers.std() > 0:
        raise ModelError("There are no two people whose faces differ.", "Give faces of several people.")
    return float(strangers.mean()), float(strangers.std())


def separation(vectors_nd: F32, labels_n: NDArray[Any]) -> float:
    """How far apart faces of one person and of two are: the gap of their average cosines, in standard deviations."""
    cosines = (vectors_nd @ vectors_nd.T).astype(np.float64)
    upper = np.triu(np.ones(cosines.shape, np.bool_), 1)
    same = labels_n[:, None] == labels_n[None]
    one, two = cosines[upper & same], cosines[upper & ~same]
    spread = np.sqrt((one.var() + two.var()) / 2)
    return float((one.mean() - two.mean()) / spread) if spread > 0 else 0.0
