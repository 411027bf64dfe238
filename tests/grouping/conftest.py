from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pytest

from unmingle.grouping.impostors import SFACE_CURVE, ImpostorModel
from unmingle.grouping.threshold import FalseMergeThreshold

if TYPE_CHECKING:
    from unmingle.records import F32, F64, I64, Bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Flat(FalseMergeThreshold):
    """Merge at `least` and above (average cosine), whatever the sizes."""

    curve: ImpostorModel = SFACE_CURVE
    expected: float = 0.5
    least: float = -2

    def passes(self, similarity_m: F32, first_m: I64, second_m: I64, *, clusters: int) -> Bool:
        return similarity_m >= self.least

    def floor(self, size_m: I64, *, clusters: int) -> F64:
        return np.full(len(size_m), self.least, np.float64)


class MakeFaces(Protocol):
    def __call__(self, sizes: list[int], *, seed: int = 0, noise: float = 0.6) -> tuple[F32, I64]: ...


@pytest.fixture(scope="session")
def make_faces() -> MakeFaces:
    """Faces of people with these numbers of pictures, shuffled, and who each is.

    Directions in 128 dimensions: strangers' cosines have mean 0 and deviation 0.088, one person's about 0.73.
    """

    def make(sizes: list[int], *, seed: int = 0, noise: float = 0.6) -> tuple[F32, I64]:
        random = np.random.default_rng(seed)
        person = random.permutation(np.repeat(np.arange(len(sizes)), sizes))
        people = random.normal(size=(len(sizes), 128))
        faces = people[person] + noise * random.normal(size=(len(person), 128))
        return (faces / np.linalg.norm(faces, axis=1, keepdims=True)).astype(np.float32), person

    return make
