"""Whether faces bear out what their file names seem to say: that these are the frames of a recording.

`IMG_1234_5.jpg` is the fifth face of frame 1234, the fifth picture of a burst, or the fifth of an album. Names can't
tell, faces can: those of one frame are different people, and a face in the next frame of a recording is more like
itself than one some frames later.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence, Set

    from unmingle.grouping.impostors import ImpostorModel
    from unmingle.records import F32, F64, I64

    Verdict = Literal["nothing", "frames", "recording"]

FEWEST_FRAMES = 5
# Of the indices that frames could have up to their largest one: fewer are there if it is a serial number.
LEAST_FILLED = 0.5
# Pictures of which more than this share hold several faces are photographs, not faces cut out of a frame.
MOST_WITH_SEVERAL = 0.2
# Shares of the most similar pairs that are looked at. Among few people many pairs are of one person, among many few.
SHARES = (0.3, 0.2, 0.1, 0.05)
# Pairs within frames that are among them: at most this part of what chance would give, and so many deviations fewer.
MOST_BY_CHANCE, DEVIATIONS = 0.25, 3.0
FACES = 1500  # whose pairs say what chance would give

# Of a recording's frames in order.
FEWEST_IN_ORDER = 10
USUAL_STEPS = 2.0  # frames this many times further apart than usual do not follow each other
LEAST_FOLLOWING = 0.7
LATER = (4, 5, 6, 7, 8)  # frames later
STARTS = 500  # frames from which is looked ahead
ALIKE = 3.1  # deviations of strangers: one pair of a thousand


def follows(numbers: Sequence[int]) -> list[bool]:
    """Whether each of the rising numbers follows the one before it at the usual step."""
    steps = np.diff(numbers)
    usual = float(np.median(steps)) if len(steps) else 0.0
    return [False, *(steps <= USUAL_STEPS * usual).tolist()]


def counts_anew(indices: Sequence[Set[int]]) -> bool:
    """Whether the indices of frames start over in each, from 0 or 1 and without many gaps."""
    first = min(map(min, indices))
    could_be = sum(max(of) - first + 1 for of in indices)
    return first <= 1 and sum(map(len, indices)) >= LEAST_FILLED * could_be


def judge(numbers: Sequence[int], faces: Sequence[I64], unit_nd: F32, curve: ImpostorModel) -> Verdict:
    """What the faces of supposed frames say: nothing, that they are frames, or that they are a recording's, in order.

    Args:
        numbers: of the frames, rising.
        faces: the rows of the faces of each frame.
        unit_nd: (n, d) unit vectors of all faces.
        curve: how similar strangers are.
    """
    if len(numbers) < FEWEST_FRAMES:
        return "nothing"
    apart = _apart(faces, unit_nd)
    if apart is False:
        return "nothing"
    in_order = _in_order(follows(numbers), faces, unit_nd, curve, alone=apart is None)
    return "recording" if in_order else "frames" if apart else "nothing"


def _apart(faces: Sequence[I64], unit_nd: F32) -> bool | None:
    """Whether faces of one frame are strangers; None where too few are in one frame to tell."""
    within = [unit_nd[rows] @ unit_nd[rows].T for rows in faces if len(rows) > 1]
    cosines = np.concatenate([matrix[np.triu_indices(len(matrix), 1)] for matrix in within] or [np.zeros(0)])
    across = _across(faces, unit_nd)
    if not len(cosines) or not len(across):
        return None
    by_chance = len(cosines) * np.array(SHARES)
    found = (cosines[:, None] >= np.quantile(across, 1 - np.array(SHARES))).sum(axis=0)
    few = found <= MOST_BY_CHANCE * by_chance
    if (few & (by_chance - found >= DEVIATIONS * np.sqrt(by_chance))).any():
        return True
    return None if few.any() else False


def _across(faces: Sequence[I64], unit_nd: F32) -> F32:
    """The cosines of pairs of different frames, of a sample of the faces."""
    frame = np.repeat(np.arange(len(faces)), [len(rows) for rows in faces])
    chosen = np.unique(np.linspace(0, len(frame) - 1, FACES).astype(np.int64)) if len(frame) > FACES else slice(None)
    rows, frame = np.concatenate(faces)[chosen], frame[chosen]
    one, other = np.triu_indices(len(rows), 1)
    different = frame[one] != frame[other]
    cosines: F32 = (unit_nd[rows] @ unit_nd[rows].T)[one[different], other[different]]
    return cosines


def _in_order(
    following: Sequence[bool], faces: Sequence[I64], unit_nd: F32, curve: ImpostorModel, *, alone: bool
) -> bool:
    """Whether nearly every face is there again in the next frame, and there more alike than some frames later.

    alone: nothing else says that these are frames, so it has to be clearer.
    """
    if len(faces) < FEWEST_IN_ORDER or np.mean(following[1:]) < LEAST_FOLLOWING:
        return False
    one = np.ones(1, np.int64)
    least = curve.mean + ALIKE * float(curve.deviation(one, one)[0])
    next_pairs = [(i, i + 1) for i, (_, near) in enumerate(pairwise(following)) if near]
    next_m = _most_alike(_spread(next_pairs), faces, unit_nd)
    later_m = _most_alike(_spread([(i, i + k) for k in LATER for i in range(len(faces) - k)]), faces, unit_nd)
    again, later = next_m[next_m >= least], later_m[later_m >= least]
    if not len(later) or len(again) < (0.95 if alone else 0.75) * len(next_m):
        return False
    more_alike = _chance_above(again, later)
    deviation = np.sqrt((1 / len(again) + 1 / len(later)) / 12)
    return bool(more_alike >= (0.75 if alone else 0.67) and more_alike - 0.5 >= DEVIATIONS * deviation)


def _spread(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """At most so many pairs, evenly chosen."""
    return pairs[:: -(-len(pairs) // STARTS) or 1]


def _most_alike(pairs: Sequence[tuple[int, int]], faces: Sequence[I64], unit_nd: F32) -> F64:
    """For each face of the first frame of each pair, the cosine of the most similar face of the second."""
    found = [(unit_nd[faces[i]] @ unit_nd[faces[j]].T).max(axis=1) for i, j in pairs]
    return np.concatenate(found or [np.zeros(0)]).astype(np.float64)


def _chance_above(one_m: F64, other_k: F64) -> float:
    """The chance that one of the first is larger than one of the second (the area under the ROC curve)."""
    ranked = np.sort(other_k)
    places = np.searchsorted(ranked, one_m, "left") + np.searchsorted(ranked, one_m, "right")
    return float(places.mean() / 2 / len(ranked))
