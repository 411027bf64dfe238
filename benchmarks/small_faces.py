"""Small faces: does the average with the mirror image, or a mean weighted by quality, tell people better apart?

Faces are found at full size, aligned, shrunk to a side of so many pixels and enlarged again. JSON out, by collection
and side: the share of pairs of one person that are more alike than all but 1 in 10,000 and in 100,000 of strangers, and
BCubed F of the grouping, with the card's curve for plain vectors and one measured on lfw_a for averaged ones. `means`:
the same shares for two pictures of one person, of mixed sizes, against a third, weighted by quality or not.

    python benchmarks/small_faces.py --data DATA > benchmarks/results/small_faces.json
"""

from __future__ import annotations

import argparse
import json
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from unmingle.evaluation.metrics import score
from unmingle.faces.align import align
from unmingle.faces.detect import find_faces
from unmingle.faces.quality import measure, quality
from unmingle.grouping.cluster import cluster_faces
from unmingle.grouping.impostors import SFACE_CURVE, measure_curve
from unmingle.models import embedding
from unmingle.models.yunet import open_yunet
from unmingle.records import Faces
from unmingle.settings import DetectionSettings, EngineSettings, GroupingSettings
from unmingle.sources.images import PictureFile, read_picture

SETS = ("lfw_a", "pins_a", "families_a")
SIDES = (16, 24, 32, 48, 64, 112)
RATES = (1e-4, 1e-5)
AT_ONCE = 32


def found(folder: Path, most: int) -> tuple[Any, Any, Any]:
    """Aligned faces, their landmarks, and whose they are: of people with several pictures, some of each."""
    files = []
    for person in sorted(folder.iterdir()):
        pictures = sorted(person.iterdir()) if person.is_dir() else []
        files += pictures[:8] if len(pictures) > 1 else []
    rest = iter(files[:most])
    detector, settings = open_yunet(EngineSettings(precision="f32")), DetectionSettings(crops="always")
    faces, points, people = [], [], []
    while part := list(islice(rest, AT_ONCE)):
        pixels = [read_picture(PictureFile(str(file.parent), file.name)) for file in part]
        for file, picture, one in zip(part, pixels, find_faces(detector, pixels, settings), strict=True):
            if len(one.faces):
                faces.append(align(picture, one.faces.points[0]))
                points.append(one.faces.points[0])
                people.append(file.parent.name)
    return np.stack(faces), np.stack(points), np.unique(people, return_inverse=True)[1]


def shrunk(faces: Any, side: int) -> Any:
    if side == faces.shape[1]:
        return faces
    small = [cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA) for face in faces]
    return np.stack([cv2.resize(face, faces.shape[1:3], interpolation=cv2.INTER_LINEAR) for face in small])


def embedded(session: Any, faces: Any) -> tuple[Any, Any]:
    parts = [embedding.describe(session, faces[i : i + AT_ONCE]) for i in range(0, len(faces), AT_ONCE)]
    return np.concatenate([one for one, _ in parts]), np.concatenate([bands for _, bands in parts])


def unit(vectors: Any) -> Any:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def rates(one: Any, other: Any, same: Any, left_out: Any) -> list[float]:
    """The shares of pairs of one person above each rate of strangers."""
    cosines = one @ other.T
    strangers = cosines[~same & ~left_out]
    return [round(float((cosines[same & ~left_out] > np.quantile(strangers, 1 - rate)).mean()), 4) for rate in RATES]


def means(vectors: Any, weights: Any, people: Any) -> dict[str, Any]:
    """Two pictures of each person against a third."""
    order = np.argsort(people, kind="stable")
    start = np.flatnonzero(np.diff(people[order], prepend=-1))
    whole = start[np.diff(start, append=len(order)) > 2]
    rows = np.stack([order[whole + i] for i in range(3)], axis=1)
    same = np.eye(len(rows), dtype=bool)
    result: dict[str, Any] = {"people": len(rows)}
    for name, of in (("plain", np.ones(len(people))), ("weighted", weights)):
        pair = unit(sum(of[rows[:, i], None] * vectors[rows[:, i]] for i in range(2)))
        result[name] = rates(pair, vectors[rows[:, 2]], same, np.zeros_like(same))
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--faces", type=int, default=900, help="of each collection")
    args = parser.parse_args()
    session, result, curve = embedding.open_sface(), dict[str, Any](), None
    random = np.random.default_rng(0)
    for name in SETS:
        faces, points, people = found(args.data / name, args.faces)
        same, row = people[:, None] == people, np.tri(len(people), dtype=bool)
        table, mixed, quality_n = {}, [], []
        for side in SIDES[::-1]:
            small = shrunk(faces, side)
            plain, bands = embedded(session, small)
            both = unit(plain + embedded(session, np.ascontiguousarray(small[:, :, ::-1]))[0])
            curve = curve or measure_curve(both, people)  # of lfw_a at full size, which comes first
            of = measure(points * np.float32(side / 112), small, bands)
            of = type(of)(np.minimum(of.pixels, side).astype(np.float32), of.blur, of.turn, of.covered, of.face)
            sure = np.ones(len(people), np.float32)
            quality_n.append(quality(Faces(np.zeros((len(people), 4), np.float32), points, sure), of))
            mixed.append(plain)
            table[side] = {
                way: {
                    "rates": rates(vectors, vectors, same, row),
                    "bcubed_f": round(
                        score(people.tolist(), cluster_faces(vectors, GroupingSettings(), curve=used).labels).bcubed.f1,
                        4,
                    ),
                }
                for way, vectors, used in (("plain", plain, SFACE_CURVE), ("mirrored", both, curve))
            }
        chosen = random.integers(0, len(SIDES), len(people)), np.arange(len(people))
        weighted = means(np.stack(mixed)[chosen], np.stack(quality_n)[chosen], people)
        result[name] = {"faces": len(people), "people": int(people.max()) + 1, "sides": table, "means": weighted}
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
