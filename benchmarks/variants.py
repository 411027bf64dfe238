"""Pictures against themselves: what is lost by changes that no face should mind.

Photographs with several faces are analysed as they are, and mirrored, in other sizes, on their side, and as a part of
larger ones made of noise. Of each way: how many of the faces are found again, and of those that score 0.8 and more; by
cosine, how like itself a face is (median, and what one in twenty is below); and in how many pictures two faces are more
alike than 0.6, which two people are not: one was read as the other. No labels are needed. JSON out.

    python benchmarks/variants.py DATA/lfw_a > benchmarks/results/variants.json
"""

from __future__ import annotations

import argparse
import json
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image

from unmingle.faces.boxes import assigned
from unmingle.faces.recipe import face_recipe
from unmingle.models.registry import SFACE
from unmingle.settings import DetectionSettings, EngineSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from unmingle.records import F32, U8, Analysis

    # A changed picture, and what brings boxes (n, 4) of it back into the picture as it was.
    Change = Callable[[U8], tuple[U8, Callable[[F32], F32]]]

AT_ONCE = 16
SAME = 0.3  # intersection over union, of a face with itself
SURE = 0.8
ONE_PERSON = 0.6  # cosine


def mirrored(picture: U8) -> tuple[U8, Callable[[F32], F32]]:
    width = picture.shape[1]
    return picture[:, ::-1].copy(), lambda boxes: np.column_stack([width - boxes[:, 0] - boxes[:, 2], boxes[:, 1:]])


def resized(factor: float) -> Change:
    way = cv2.INTER_CUBIC if factor > 1 else cv2.INTER_AREA
    return lambda picture: (
        np.asarray(cv2.resize(picture, None, fx=factor, fy=factor, interpolation=way), np.uint8),
        lambda boxes: boxes / np.float32(factor),
    )


def on_its_side(picture: U8) -> tuple[U8, Callable[[F32], F32]]:
    width = picture.shape[1]
    return np.rot90(picture).copy(), lambda boxes: np.column_stack(
        [width - boxes[:, 1] - boxes[:, 3], boxes[:, 0], boxes[:, 3], boxes[:, 2]]
    )


def within(width: int, height: int) -> Change:
    coarse = np.random.default_rng(0).integers(60, 200, (height // 16, width // 16, 3)).astype(np.uint8)
    noise = np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
    left, top = width // 2, height // 2

    def change(picture: U8) -> tuple[U8, Callable[[F32], F32]]:
        large = noise.copy()
        large[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
        return large, lambda boxes: boxes - np.array([left, top, 0, 0], np.float32)

    return change


CHANGES: dict[str, Change] = {
    "mirrored": mirrored,
    "twice as large": resized(2),
    "0.6 times as large": resized(0.6),
    "on its side": on_its_side,
    "within 1200×912": within(1200, 912),
    "within 4000×3008": within(4000, 3008),
}


def main() -> None:
    """Analyse all, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pictures", type=int, default=100)
    args = parser.parse_args()
    runner = face_recipe(DetectionSettings(), EngineSettings(), SFACE)

    def analysed(pictures: Sequence[U8]) -> Iterator[Analysis]:
        for start in range(0, len(pictures), AT_ONCE):
            yield from runner.analyse(pictures[start : start + AT_ONCE])

    files = sorted(args.folder.rglob("*.jpg"))
    files = files[:: max(1, len(files) // (8 * args.pictures))]  # one in six or so shows several faces
    pictures = [np.asarray(Image.open(file).convert("RGB")) for file in files]
    shown = [(picture, one) for picture, one in zip(pictures, analysed(pictures), strict=True) if len(one.faces) > 1]
    shown = shown[: args.pictures]
    as_they_are = [one for _, one in shown]
    result = {
        "pictures": len(shown),
        "faces": sum(len(one.faces) for one in as_they_are),
        "one read as another": doubled(as_they_are),
        "changed": {
            name: compared(as_they_are, [change(picture) for picture, _ in shown], analysed)
            for name, change in CHANGES.items()
        },
    }
    print(json.dumps(result, indent=1))


def compared(
    before: Sequence[Analysis],
    changed: Sequence[tuple[U8, Callable[[F32], F32]]],
    analysed: Callable[[Sequence[U8]], Iterator[Analysis]],
) -> dict[str, float]:
    """How many faces are found again in changed pictures, and how alike they stayed."""
    after = list(analysed([picture for picture, _ in changed]))
    found = sure = sure_found = 0
    cosines = []
    for one, other, (_, back) in zip(before, after, changed, strict=True):
        pairs = assigned(one.faces.boxes, back(other.faces.boxes).astype(np.float32), least=SAME)
        found += len(pairs)
        sure += int((one.faces.scores >= SURE).sum())
        sure_found += sum(bool(one.faces.scores[i] >= SURE) for i, _ in pairs)
        cosines += [cosine(one.vectors[i], other.vectors[j]) for i, j in pairs]
    return {
        "found": found,
        "sure": sure,
        "sure found": sure_found,
        "cosine, median": round(float(np.median(cosines)), 3),
        "cosine, one in twenty": round(float(np.percentile(cosines, 5)), 3),
        "one read as another": doubled(after),
    }


def doubled(analyses: Sequence[Analysis]) -> int:
    """In how many pictures two faces are as alike as two people hardly are."""
    return sum(any(cosine(a, b) > ONE_PERSON for a, b in combinations(one.vectors, 2)) for one in analyses)


def cosine(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Of two vectors."""
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))


if __name__ == "__main__":
    main()
