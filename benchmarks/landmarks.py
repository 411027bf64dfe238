"""What the second reading of landmarks is worth: how far same-person and stranger similarities lie apart.

For each data set the distance between the two in standard deviations (d'), and the best BCubed F that plain average
linkage reaches at any threshold (chosen with the labels), with and without the second reading. JSON out.

Run it as: python benchmarks/landmarks.py --data DATA umist sitcom pins_a
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage

from unmingle.evaluation.metrics import score
from unmingle.faces import detect
from unmingle.faces.recipe import FaceRecipe
from unmingle.settings import DetectionSettings, EngineSettings
from unmingle.sources.decoding import decode
from unmingle.sources.images import read_bytes, scan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unmingle.models.runtime import Session
    from unmingle.records import F32, U8, Faces


def first_reading(session: Session, pictures: Sequence[U8], found: Sequence[Faces]) -> list[Faces]:
    """In place of the second reading: what the first look said."""
    del session, pictures
    return list(found)


def embed(folder: Path) -> tuple[F32, list[str]]:
    """The best face of each picture, labelled by its folder."""
    recipe = FaceRecipe(DetectionSettings(crops="always"), EngineSettings())
    vectors, people = [], []
    files = scan([folder]).files
    for start in range(0, len(files), 32):
        part = files[start : start + 32]
        for file, analysis in zip(part, recipe.analyse([decode(read_bytes(one)) for one in part]), strict=True):
            if len(analysis.faces):
                vectors.append(analysis.vectors[0])
                people.append(file.name.split("/")[0])
    return np.array(vectors), people


def quality(vectors_nd: F32, people: list[str]) -> dict[str, float]:
    """The two figures."""
    person = np.unique(people, return_inverse=True)[1]
    upper = np.triu(np.ones((len(person), len(person)), bool), 1)
    similarity = vectors_nd.astype(np.float64) @ vectors_nd.T
    same, other = similarity[upper & (person[:, None] == person)], similarity[upper & (person[:, None] != person)]
    tree = linkage(vectors_nd.astype(np.float64), "average", metric="cosine")
    best = max(score(person, fcluster(tree, 1 - bar, "distance")).bcubed.f1 for bar in np.arange(0.2, 0.5, 0.02))
    distance = (same.mean() - other.mean()) / np.sqrt((same.var() + other.var()) / 2)
    return {"d'": round(float(distance), 3), "best BCubed F": round(best, 4)}


def main() -> None:
    """Both ways, set by set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("sets", nargs="+")
    arguments = parser.parse_args()
    twice = detect.read_again
    result = {}
    for name in arguments.sets:
        for way, reading in (("first reading", first_reading), ("second reading", twice)):
            detect.read_again = reading
            result[f"{name}, {way}"] = quality(*embed(arguments.data / name))
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
