"""For whom and when recognition fails: what a change of the picture costs, and how unequal people and pictures are.

Nothing here knows more of the people than who is who: no set has a label of age, sex or origin, and none is guessed.

*changes*: pairs of one person's main faces, one of them changed, and found, aligned and embedded anew by the whole
recipe. Told are the median cosine, the share that is lost (less alike than strangers among the unchanged faces are
once in a thousand), and how many of the changed pictures show no face any more. Masks, dark glasses and darkness are
made by program: real ones differ.

*bands*: faces by a measured property, in five parts of the same size. `lost`: of the pairs of one person of which the
face in the band is one; `strangers`: of the pairs of two people both of whom are in the band, how many in a thousand
are as alike as one in a thousand of all is; `bcubed_f`: mean over the faces of the band, of a grouping of all.

*people*: how the mistakes are spread over people. Each person has a share of lost pairs among their own, and of
strangers above the bar; told is what the tenth of people has who fare worst, of the sum of all shares. JSON out.

    python benchmarks/conditions.py --data DATA lfw_a pins_a umist > benchmarks/results/conditions.json
"""

from __future__ import annotations

import argparse
import json
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from degradation import AT_ONCE, ONCE_IN, owner_of, pairs
from drawn_masks import with_glasses, with_mask
from unmingle.faces.align import align
from unmingle.faces.recipe import FaceRecipe
from unmingle.grouping.cluster import cluster_faces
from unmingle.grouping.impostors import SFACE_CURVE
from unmingle.settings import DetectionSettings, EngineSettings, GroupingSettings
from unmingle.sources.decoding import decode
from unmingle.sources.images import read_bytes, scan

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.random import Generator

    from unmingle.records import F32, F64, U8, Bool

    Change = Callable[[U8, F32, Generator], U8]

BANDS = 5
PAIRS = 300  # for each change
WORST = 0.1  # of people
NO_FACE = -1.0  # in place of a cosine, which never is so low


@dataclass(frozen=True, slots=True, eq=False)
class Portraits:
    """The main face of each of n pictures.

    vectors:    (n, d) float32, unit length.
    people:     (n,) whose each is, as numbers.
    quality:    (n,) float32, as in faces.csv.
    brightness: (n,) float32, mean luminance of the aligned face, 0 to 255.
    pictures, points: what a change needs.
    """

    vectors: F32
    people: Any
    quality: F32
    brightness: F32
    pictures: list[U8]
    points: list[F32]


def read(recipe: FaceRecipe, folder: Path) -> Portraits:
    """Everybody who has at least two pictures."""
    files = scan([folder]).files
    many = Counter(owner_of(file) for file in files)
    wanted = [file for file in files if many[owner_of(file)] > 1]
    vectors, people, quality, brightness, pictures, points = [], [], [], [], [], []
    for start in range(0, len(wanted), AT_ONCE):
        part = wanted[start : start + AT_ONCE]
        decoded = [decode(read_bytes(file)) for file in part]
        for file, picture, found in zip(part, decoded, recipe.analyse(decoded), strict=True):
            if not len(found.faces):
                continue
            face = align(picture, found.faces.points[0])
            vectors.append(found.vectors[0])
            people.append(owner_of(file))
            quality.append(found.quality[0])
            brightness.append(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY).mean())
            pictures.append(picture)
            points.append(found.faces.points[0])
    numbers = np.unique(people, return_inverse=True)[1]
    return Portraits(
        unit(np.array(vectors)), numbers, np.array(quality), np.array(brightness, np.float32), pictures, points
    )


def unit(vectors_nd: F32) -> F32:
    return np.asarray(vectors_nd / np.linalg.norm(vectors_nd, axis=1, keepdims=True), np.float32)


def grey(picture: U8, points: F32, rng: Generator) -> U8:
    del points, rng
    return np.repeat(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)


def darker(share: float) -> Change:
    """So much of the light, with the noise that a camera has then, and no more than eight bits."""

    def change(picture: U8, points: F32, rng: Generator) -> U8:
        del points
        light = picture * share + rng.normal(0, 2.5, picture.shape)
        return np.clip(light + 0.5, 0, 255).astype(np.uint8)

    return change


CHANGES: dict[str, Change] = {
    "unchanged": lambda picture, points, rng: picture,
    "grey": grey,
    "a quarter of the light": darker(0.25),
    "a tenth of the light": darker(0.1),
    "dark glasses, drawn": with_glasses,
    "a mask, drawn": with_mask,
}


def changed(recipe: FaceRecipe, portraits: Portraits, one: Sequence[int], other: Sequence[int], bar: float) -> Any:
    """What each change of the second picture of a pair costs."""
    result = {}
    for name, change in CHANGES.items():
        rng = np.random.default_rng(0)
        cosines = []
        for start in range(0, len(other), AT_ONCE):
            rows = other[start : start + AT_ONCE]
            worse = [change(portraits.pictures[i], portraits.points[i], rng) for i in rows]
            for i, found in zip(one[start : start + AT_ONCE], recipe.analyse(worse), strict=True):
                seen = unit(found.vectors[:1]) @ portraits.vectors[i] if len(found.faces) else [NO_FACE]
                cosines.append(float(seen[0]))
        told = np.array(cosines)
        result[name] = {
            "cosine": round(float(np.median(told[told > NO_FACE])), 3),
            "lost": round(float(np.mean(told < bar)), 4),
            "no face found": round(float(np.mean(told == NO_FACE)), 4),
        }
    return result


def bcubed_by_face(people: Any, clusters: Any) -> F64:
    """(n,) the F score of each face: of its cluster's precision and its person's recall, itself included."""
    both = np.unique(np.stack([people, clusters]), axis=1, return_inverse=True, return_counts=True)
    together = both[2][both[1].ravel()]
    precision, recall = together / np.bincount(clusters)[clusters], together / np.bincount(people)[people]
    return np.asarray(2 * precision * recall / (precision + recall), np.float64)


def bands(portraits: Portraits, measure: F32, lost_nn: Bool, above_nn: Bool, f_n: F64) -> list[dict[str, float]]:
    """Faces by a property, in parts of the same size, the lowest first."""
    same_nn = (portraits.people[:, None] == portraits.people) & ~np.eye(len(portraits.people), dtype=bool)
    other_nn = portraits.people[:, None] != portraits.people
    told = []
    for rows in np.array_split(np.argsort(measure, kind="stable"), BANDS):
        square = np.ix_(rows, rows)
        told.append(
            {
                "from": round(float(measure[rows[0]]), 3),
                "to": round(float(measure[rows[-1]]), 3),
                "lost": round(float(lost_nn[rows].sum() / same_nn[rows].sum()), 4),
                "strangers": round(float(1000 * above_nn[square].sum() / other_nn[square].sum()), 2),
                "bcubed_f": round(float(f_n[rows].mean()), 4),
            }
        )
    return told


def spread(people: Any, cases_nn: Bool, pairs_nn: Bool) -> dict[str, float]:
    """Each person has a share of mistakes among their pairs: what the worst tenth has of the sum, and who has none."""
    cases, possible = (np.bincount(people, kind_nn.sum(axis=1)) for kind_nn in (cases_nn, pairs_nn))
    shares = np.sort(cases / possible)[::-1]
    tenth = shares[: max(1, round(WORST * len(shares)))]
    return {
        "of the worst tenth": round(float(tenth.sum() / max(shares.sum(), 1e-9)), 3),
        "people with none": round(float(np.mean(shares == 0)), 3),
    }


def main() -> None:
    """Set by set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = os.environ.get("UNMINGLE_DATA")
    parser.add_argument("--data", type=Path, default=data and Path(data), required=data is None)
    parser.add_argument("sets", nargs="+")
    options = parser.parse_args()
    recipe = FaceRecipe(DetectionSettings(crops="always"), EngineSettings(precision="f32"))
    result = {}
    for name in options.sets:
        portraits = read(recipe, options.data / name)
        people = portraits.people
        cosine_nn = portraits.vectors @ portraits.vectors.T
        other_nn = people[:, None] != people
        bar = float(np.quantile(cosine_nn[other_nn], 1 - 1 / ONCE_IN))
        same_nn = ~other_nn & ~np.eye(len(people), dtype=bool)
        lost_nn = same_nn & (cosine_nn < bar)
        above_nn = other_nn & (cosine_nn >= bar)
        clusters = cluster_faces(portraits.vectors, GroupingSettings(), curve=SFACE_CURVE).labels
        f_n = bcubed_by_face(people, clusters)
        one, other = (rows[:PAIRS] for rows in pairs([str(person) for person in people], np.random.default_rng(0)))
        result[name] = {
            "faces": len(people),
            "people": int(people.max()) + 1,
            "pairs": PAIRS,
            "bar": round(bar, 3),
            "bcubed_f": round(float(f_n.mean()), 4),
            "changes": changed(recipe, portraits, one, other, bar),
            "by quality": bands(portraits, portraits.quality, lost_nn, above_nn, f_n),
            "by brightness": bands(portraits, portraits.brightness, lost_nn, above_nn, f_n),
            "lost pairs": spread(people, lost_nn, same_nn),
            "strangers alike": spread(people, above_nn, other_nn),
        }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
