"""Embeddings of another model: dlib's, which are not centred, grouped without a curve, beside dlib's own recipe.

dlib finds the largest face of each picture and embeds it; it needs an interpreter of its own, as peers.py says.
Chinese whispers at the documented distance of 0.5, and at the best of all for each collection, chosen with the labels.
JSON out.

    python benchmarks/any_model.py PEERS/bin/python --keep FOLDER --data DATA > benchmarks/results/any_model.json
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np

# How many pictures, every how many-th, from where. Nothing was chosen on the last.
PARTS = {
    "pins_a": (600, 2, 0),
    "lfw_a": (1000, 6, 0),
    "pins_a, the others": (600, 2, 1),
    "lfw_a, others": (1000, 6, 3),
    "families_a": (1000, 1, 0),
}
DISTANCES = (0.35, 0.4, 0.44, 0.46, 0.48, 0.5, 0.52, 0.55, 0.6)


def embed(listing: Path, out: Path) -> None:
    """In dlib's interpreter: the vectors of the pictures that are listed, and the clusters at each distance."""
    import cv2
    import dlib
    import face_recognition_models as published

    detector = dlib.get_frontal_face_detector()
    landmarks = dlib.shape_predictor(published.pose_predictor_five_point_model_location())
    network = dlib.face_recognition_model_v1(published.face_recognition_model_location())
    vectors, people = [], []
    for line in listing.read_text(encoding="utf-8").splitlines():
        picture = cv2.cvtColor(cv2.imread(line), cv2.COLOR_BGR2RGB)
        boxes = sorted(detector(picture, 1), key=lambda box: -box.area())
        if boxes:
            vectors.append(network.compute_face_descriptor(picture, landmarks(picture, boxes[0])))
            people.append(Path(line).parent.name)
    clusters = [dlib.chinese_whispers_clustering(vectors, distance) for distance in DISTANCES]
    np.savez(out, vectors=np.array(vectors), people=np.array(people), clusters=np.array(clusters))


def measure(peers: str, files: list[Path], kept: Path) -> dict[str, Any]:
    from unmingle import FaceClusterer
    from unmingle.evaluation.metrics import score
    from unmingle.grouping.cluster import cluster_faces
    from unmingle.settings import GroupingSettings

    if not kept.is_file():
        with tempfile.TemporaryDirectory() as temporary:
            listing = Path(temporary, "files.txt")
            listing.write_text("\n".join(map(str, files)), encoding="utf-8")
            subprocess.run([peers, __file__, "--embed", str(listing), str(kept)], check=True)
    faces = dict(np.load(kept))
    vectors, people = faces["vectors"].astype(np.float32), faces["people"].tolist()
    ours = FaceClusterer(singletons="clusters").fit(vectors).labels_
    cosine = cluster_faces(vectors, GroupingSettings(), curve=None).labels
    theirs = {
        distance: score(people, one).bcubed.f1 for distance, one in zip(DISTANCES, faces["clusters"], strict=True)
    }
    found = score(people, ours)
    return {
        "faces": len(people),
        "people": len(set(people)),
        "bcubed_f": round(found.bcubed.f1, 4),
        "bcubed_precision": round(found.bcubed.precision, 4),
        "plain_cosine": round(score(people, cosine).bcubed.f1, 4),
        "chinese_whispers": round(theirs[0.5], 4),
        "chinese_whispers_best": round(max(theirs.values()), 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peers", help="the interpreter that has dlib")
    parser.add_argument("--keep", type=Path, required=True, help="the folder for dlib's embeddings, found or made")
    parser.add_argument("--data", type=Path, default=os.environ.get("UNMINGLE_DATA"))
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    result = {}
    for name, (count, step, start) in PARTS.items():
        pictures = sorted(Path(options.data, name.partition(",")[0]).rglob("*.jpg"))
        result[name] = measure(options.peers, pictures[start::step][:count], options.keep / f"{name}.npz")
        sys.stderr.write(f"{name}: {result[name]}\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--embed"]:
        embed(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        main()
