"""Two readings of what the embedding saw: whether the lower face is covered, and whether it is a face at all.

Each is a logistic regression on 512 channels of the embedding's twelfth block, averaged over five bands across the
aligned face (`sface.describe`); the network runs once for both, and the readings cost as good as nothing. They were
fitted by benchmarks/fit_probes.py on faces of three data sets, on the same faces behind masks that a program drew, on
300 real masks, and on no faces: what the detector half believes in pictures without a face, and backgrounds.

How often the program's bars err on people that no fit saw (benchmarks/results/left_out.json): of 1,380 bare faces of a
meeting one is called covered, with a hand before the mouth; of 155 portraits none; of 81 drawn masks all are. None of
these is called no face. Fitted to one half of the sets of the fit, on the other half 99.3 % of real and 99.0 to 99.4 %
of drawn masks, and 0.2 to 0.7 % of bare faces, are likelier covered than not at even odds
(benchmarks/results/probes.json).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

from unmingle.records import check_shape

if TYPE_CHECKING:
    from unmingle.records import F32

CHANNELS, BANDS = 512, 5
WEIGHTS = "probes.npz"  # `covered` and `face`: a weight for each channel and band, and the constant


@dataclass(frozen=True, slots=True, eq=False)
class Readings:
    """Of n faces.

    covered: (n,) float32, 0 to 1: the probability that the lower face is covered, were half of all faces.
    face:    (n,) float32, 0 to 1: the probability that it is a face, were half of all squares faces.
    """

    covered: F32
    face: F32

    def __post_init__(self) -> None:
        check_shape("covered", self.covered, (None,))
        check_shape("face", self.face, (len(self.covered),))


def read_bands(bands_ncb: F32) -> Readings:
    """Read what the embedding saw.

    Args:
        bands_ncb: (n, 512, 5) float32, from `sface.describe`.
    """
    check_shape("bands_ncb", bands_ncb, (None, CHANNELS, BANDS))
    flat_nd = bands_ncb.reshape(len(bands_ncb), CHANNELS * BANDS)
    return Readings(*(_probability(flat_nd, weights) for weights in (_weights("covered"), _weights("face"))))


def _probability(flat_nd: F32, weights: F32) -> F32:
    odds_n = flat_nd @ weights[:-1] + weights[-1]
    return np.asarray(1 / (1 + np.exp(-np.clip(odds_n, -30, 30))), np.float32)


@cache
def _weights(name: str) -> F32:
    with files("unmingle.faces").joinpath(WEIGHTS).open("rb") as file, np.load(file) as kept:
        return np.asarray(kept[name], np.float32)
