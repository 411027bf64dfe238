"""What can be measured of a face: how many pixels it has, how blurred it is, how far turned, how much of it shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from unmingle.faces.align import SIDE, scale_of, similarity_transform
from unmingle.faces.probes import read_bands
from unmingle.records import check_shape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unmingle.records import F32, F64, U8, Faces

# Blurs, in pixels of the aligned face, whose gradients are compared. The finer one is wide enough to take away the
# noise of cameras and the blocks of JPEG.
FINE, COARSE = 2.0, 4.0
INNER = slice(14, 98)  # of the aligned face: further out is background
MOST_BLUR = 20.0  # pixels; a sixth of the face: nothing is left to measure

MEASURES = ("pixels", "blur", "turn", "covered", "face")


@dataclass(frozen=True, slots=True, eq=False)
class Measures:
    """Of n faces.

    pixels:  (n,) float32, how many pixels of the picture a side of the aligned face (of 112) has.
    blur:    (n,) float32, as `blur_of`.
    turn:    (n,) float32, as `turn_of`.
    covered: (n,) float32, 0 to 1, as `probes.Readings`.
    face:    (n,) float32, 0 to 1, as `probes.Readings`.
    """

    pixels: F32
    blur: F32
    turn: F32
    covered: F32
    face: F32

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


def measure(points_n52: F32, aligned_nhwc: U8, bands_ncb: F32) -> Measures:
    """Measure n faces.

    Args:
        points_n52: (n, 5, 2) landmarks in pixels of their pictures.
        aligned_nhwc: (n, 112, 112, 3) uint8, RGB.
        bands_ncb: (n, 512, 5) what the embedding saw of them.
    """
    readings = read_bands(bands_ncb)
    return Measures(
        pixels=np.array([SIDE / max(scale_of(points), 1e-6) for points in points_n52], np.float32),
        blur=np.array([blur_of(aligned) for aligned in aligned_nhwc], np.float32),
        turn=np.array([turn_of(points) for points in points_n52], np.float32),
        covered=readings.covered,
        face=readings.face,
    )


def blur_of(aligned_hwc: U8) -> float:
    """The Gaussian blur that a face seems to have, its deviation in pixels of the 112 a side.

    In a picture of nature the power of detail falls with the square of its frequency (Field, "Relations between the
    statistics of natural images and the response properties of cortical cells", 1987). Blurred by b it keeps gradients
    of mean square in proportion to 1 / b², and blurred once more by s, to 1 / (b² + s²): so the ratio of what two
    further blurs leave tells b. Sharp faces measure 1 to 2.5, their own smoothness; made blurred by 4, they measure 4.

    Args:
        aligned_hwc: (112, 112, 3) uint8. Without any detail it is taken as blurred by 20.
    """
    grey = aligned_hwc[INNER, INNER].mean(axis=2, dtype=np.float32)
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
