"""What is measured of a face, and what it is therefore fit for: founding a person, joining one, or neither.

Each rule has a threshold with a meaning, all in `DetectionSettings`; benchmarks/triage.py measures what they cost
and save. How far a face is turned is no reason: a turned face is like one that is turned a little less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files

import cv2
import numpy as np

from unmingle.faces.align import SIDE, scale_of, similarity_transform
from unmingle.records import F32, F64, U8, Faces, Flag, Standing, Triage, check_shape
from unmingle.settings import DetectionSettings

# Blurs, in pixels of the aligned face, whose gradients are compared. The finer one is wide enough to take away the
# noise of cameras and the blocks of JPEG.
FINE, COARSE = 2.0, 4.0
INNER = slice(14, 98)  # of the aligned face: further out is background
AVERAGE_13 = np.full((1, 3), 1 / 3, np.float32)  # of the channels
MOST_BLUR = 20.0  # pixels; a sixth of the face: nothing is left to measure

# Two logistic regressions on 512 channels of the embedding's twelfth block, averaged over five bands across the aligned
# face: `covered` and `face`, a weight for each channel and band, and the constant (benchmarks/fit_probes.py).
WEIGHTS = "probes.npz"
CHANNELS, BANDS = 512, 5


@dataclass(frozen=True, slots=True, eq=False)
class Measures:
    """What is measured of n faces, each (n,)."""

    pixels: F32  # of the picture, that a side of the aligned face (of 112) has
    blur: F32  # as `blur_of`
    turn: F32  # as `turn_of`
    covered: F32  # 0 to 1: the probability that the lower face is covered, were half of all faces
    face: F32  # 0 to 1: the probability that it is a face, were half of all squares faces

    def __post_init__(self) -> None:
        for name in MEASURES:
            check_shape(name, getattr(self, name), (len(self.pixels),))

    def __len__(self) -> int:
        return len(self.pixels)

    def take(self, index: slice) -> Measures:
        """The faces of a slice."""
        return Measures(*(getattr(self, name)[index] for name in MEASURES))

    @classmethod
    def together(cls, parts: Sequence[Measures]) -> Measures:
        """The faces of all parts, one after the other."""
        none = np.zeros(0, np.float32)
        return cls(*(np.concatenate([none, *(getattr(part, name) for part in parts)]) for name in MEASURES))


MEASURES = tuple(field.name for field in fields(Measures))


def measure(points_n52: F32, aligned_nhwc: U8, bands_ncb: F32) -> Measures:
    """Measure n faces by their landmarks in pixels, aligned pictures, and what `embedding.describe` saw of them."""
    check_shape("bands_ncb", bands_ncb, (None, CHANNELS, BANDS))
    flat_nd = bands_ncb.reshape(len(bands_ncb), CHANNELS * BANDS)
    return Measures(
        pixels=np.array([SIDE / max(scale_of(points), 1e-6) for points in points_n52], np.float32),
        blur=np.array([blur_of(aligned) for aligned in aligned_nhwc], np.float32),
        turn=np.array([turn_of(points) for points in points_n52], np.float32),
        covered=_probability(flat_nd, _weights("covered")),
        face=_probability(flat_nd, _weights("face")),
    )


def _probability(flat_nd: F32, weights: F32) -> F32:
    odds_n = flat_nd @ weights[:-1] + weights[-1]
    return np.asarray(1 / (1 + np.exp(-np.clip(odds_n, -30, 30))), np.float32)


@cache
def _weights(name: str) -> F32:
    with files("unmingle.faces").joinpath(WEIGHTS).open("rb") as file, np.load(file) as kept:
        return np.asarray(kept[name], np.float32)


def blur_of(aligned_hwc: U8) -> float:
    """The Gaussian blur that an aligned face seems to have, its deviation in pixels of the 112 a side.

    In a picture of nature the power of detail falls with the square of its frequency (Field, "Relations between the
    statistics of natural images and the response properties of cortical cells", 1987). Blurred by b it keeps gradients
    of mean square in proportion to 1 / b², and blurred once more by s, to 1 / (b² + s²): so the ratio of what two
    further blurs leave tells b. Sharp faces measure 1 to 2.5, their own smoothness; made blurred by 4, they measure 4.
    """
    grey = np.asarray(cv2.transform(aligned_hwc[INNER, INNER].astype(np.float32), AVERAGE_13), np.float32)
    fine, coarse = (_gradients(cv2.GaussianBlur(grey, (0, 0), deviation)) for deviation in (FINE, COARSE))
    ratio = fine / coarse if coarse > 1e-6 else 1.0
    if ratio <= 1:
        return MOST_BLUR
    return float(np.clip((COARSE**2 - ratio * FINE**2) / (ratio - 1), 0, MOST_BLUR**2) ** 0.5)


def _gradients(grey_hw: F32) -> float:
    return float(np.mean(np.diff(grey_hw, axis=0) ** 2) + np.mean(np.diff(grey_hw, axis=1) ** 2))


def turn_of(points_52: F32) -> float:
    """How far a face is turned to the side: how far the tip of its nose lies beside the line from eyes to mouth.

    In lengths of that line: 0 from the front, about 0.35 where the far eye goes out of sight; the landmarks of a full
    profile are a guess of the detector and say no more than that.
    """
    matrix_23 = similarity_transform(points_52)
    upright_52: F64 = points_52 @ matrix_23[:, :2].T + matrix_23[:, 2]
    eyes, nose, mouth = upright_52[:2].mean(axis=0), upright_52[2], upright_52[3:].mean(axis=0)
    line, beside = mouth - eyes, nose - eyes
    square = float(line @ line)
    return abs(float(line[0] * beside[1] - line[1] * beside[0])) / square if square > 0 else 0.0


def quality(faces: Faces, measures: Measures) -> F32:
    """(n,) 0 to 1, to show the best first: a product of what each flaw leaves.

    The detector's confidence, the share of the 112 pixels a side that the face really has, the share of its detail
    that blur leaves, the share of its width that is turned here, half where the lower half is covered, and the
    probability that it is a face.
    """
    resolution = np.minimum(measures.pixels / SIDE, 1)
    sharpness = 1 / (1 + (measures.blur / COARSE) ** 2)
    seen = np.clip(1 - measures.turn, 0, 1) * (1 - measures.covered / 2)
    return np.asarray(faces.scores * resolution * sharpness * seen * measures.face, np.float32)


def triage(measures: Measures, scores_n: F32, settings: DetectionSettings) -> Triage:
    """Judge each face, also by the detector's confidence; of several reasons the gravest counts."""
    columns = (measures.pixels, measures.blur, measures.covered, measures.face, scores_n)
    verdicts = [_verdict(*face, settings) for face in zip(*columns, strict=True)]
    return Triage(*zip(*verdicts, strict=True)) if verdicts else Triage.alike(0)


def _verdict(
    pixels: float, blur: float, covered: float, sure: float, score: float, settings: DetectionSettings
) -> tuple[Standing, Flag, str]:
    none = 1 - sure  # the probability that it is no face
    if pixels < settings.min_pixels:
        return "aside", "low_quality", f"too small: {pixels:.0f} pixels a side, under {settings.min_pixels:g}"
    if sure < settings.min_face:
        return "aside", "not_a_face", f"not a face: sure to {none:.0%}, over {1 - settings.min_face:.0%}"
    if score < settings.min_score:
        reason = f"hardly a face: the detector gives {score:.2f}, {settings.min_score:.2f} is needed"
        return "join", "not_a_face", reason
    if sure < settings.founder_face:
        reason = f"hardly a face: sure to {none:.0%} that it is none, over {1 - settings.founder_face:.0%}"
        return "join", "not_a_face", reason
    if covered > settings.founder_covered:
        reason = f"lower face covered: sure to {covered:.0%}, over {settings.founder_covered:.0%}"
        return "join", "masked", reason
    if pixels < settings.founder_pixels:
        return "join", "low_quality", f"small: {pixels:.0f} pixels a side, under {settings.founder_pixels:g}"
    if blur > settings.founder_blur:
        return "join", "low_quality", f"too blurred: by {blur:.1f} of 112 pixels, over {settings.founder_blur:g}"
    return "found", "", ""
