"""What bf16 and int8 cost and bring, for the embedding and for the detector.

The main face of each picture is found, aligned and embedded in four ways. `tpr`: the share of pairs of one person that
are more alike than strangers are once in so many; strangers are pairs of two people of all sets together, since one
set has too few for so rare a chance. `bcubed_f`: of the default grouping. `cosine`: with the first way, on average.
Speeds are faces and pictures in a second of one core's time. `--processors`: only SFace's milliseconds of processor
time a face, as on processors that lack some of this one's instructions (oneDNN is told to leave them). JSON out.

    python benchmarks/precision.py --data DATA umist pins_a lfw_a > benchmarks/results/precision.json
    python benchmarks/precision.py --processors > benchmarks/results/processors.json
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from degradation import AT_ONCE, owner_of
from unmingle.evaluation.metrics import score
from unmingle.faces.align import align
from unmingle.faces.detect import find_faces
from unmingle.grouping.cluster import cluster_faces
from unmingle.grouping.impostors import SFACE_CURVE
from unmingle.models import embedding, runtime, yunet
from unmingle.models.runtime import import_openvino
from unmingle.settings import DetectionSettings, EngineSettings, GroupingSettings
from unmingle.sources.decoding import decode
from unmingle.sources.images import read_bytes, scan

if TYPE_CHECKING:
    from unmingle.records import F32, I64, Bool
    from unmingle.settings import Precision

ONCE_IN = (1_000, 10_000, 100_000)
# SFace's, YuNet's
WAYS: tuple[tuple[Precision, Precision], ...] = (("f32", "f32"), ("bf16", "f32"), ("int8", "f32"), ("f32", "bf16"))
# What oneDNN may use, and what such a processor computes fast.
PROCESSORS: dict[str, tuple[Precision, ...]] = {
    "AVX2": ("f32", "int8"),
    "AVX2_VNNI": ("f32", "int8"),
    "AVX512_CORE_VNNI": ("f32", "int8"),
    "AVX512_CORE_BF16": ("f32", "bf16", "int8"),
}
ROUNDS = 12


def milliseconds(precisions: tuple[Precision, ...]) -> dict[str, float]:
    """Of processor time a face by SFace in each precision; they take turns."""
    runtime.bf16_speed = lambda _: float("bf16" in precisions) * runtime.NATIVE  # type: ignore[assignment]
    sessions = {
        precision: embedding.open_sface(EngineSettings(engine="openvino", precision=precision, threads=1))
        for precision in precisions
    }
    faces = np.random.default_rng(0).integers(0, 256, (runtime.MOST_AT_ONCE, 112, 112, 3), np.uint8)
    times: dict[str, list[float]] = defaultdict(list)
    for _ in range(ROUNDS):
        for precision, session in sessions.items():
            start = time.process_time()
            session(faces)
            times[precision].append((time.process_time() - start) / len(faces))
    return {precision: round(1000 * min(took), 2) for precision, took in times.items()}


def on_processors() -> dict[str, dict[str, float]]:
    """The same on processors with fewer instructions, each in a process of its own."""
    found = {}
    for name in PROCESSORS:
        words = [sys.executable, __file__, "--processors", name]
        done = subprocess.run(words, check=True, capture_output=True, env=os.environ | {"ONEDNN_MAX_CPU_ISA": name})
        found[name] = json.loads(done.stdout)
    return found


def embeddings(data: Path, name: str, spent: dict[str, list[float]]) -> tuple[list[F32], I64]:
    """(n, d) for each way, of the pictures in which each way finds a face, and whose each is."""
    detectors = {precision: yunet.open_yunet(EngineSettings(precision=precision, threads=1)) for _, precision in WAYS}
    embedders = {
        precision: embedding.open_sface(EngineSettings(precision=precision, threads=1)) for precision, _ in WAYS
    }
    files = scan([data / name]).files
    vectors: list[list[F32]] = [[] for _ in WAYS]
    people = []
    for start in range(0, len(files), AT_ONCE):
        part = files[start : start + AT_ONCE]
        pictures = [decode(read_bytes(file)) for file in part]
        found = {}
        for precision, detector in detectors.items():
            before = time.process_time()
            found[precision] = [one.faces for one in find_faces(detector, pictures, DetectionSettings(crops="always"))]
            spent[f"pictures {precision}"] += [len(pictures), time.process_time() - before]
        here = [i for i in range(len(part)) if all(len(faces[i]) for faces in found.values())]
        for way, (embedded, detected) in enumerate(WAYS if here else ()):
            aligned = np.stack([align(pictures[i], found[detected][i].points[0]) for i in here])
            before = time.process_time()
            vectors[way].append(embedding.embed(embedders[embedded], aligned))
            spent[f"faces {embedded}"] += [len(here), time.process_time() - before]
        people += [owner_of(part[i]) for i in here]
    return [np.concatenate(parts) for parts in vectors], np.unique(people, return_inverse=True)[1]


def cosines(vectors: list[F32], people: list[I64]) -> tuple[F32, list[F32]]:
    """Of all pairs of two people; and for each set of all pairs of one."""
    different, same = [], []
    for one, (vectors_nd, people_n) in enumerate(zip(vectors, people, strict=True)):
        rows, columns = np.triu_indices(len(people_n), 1)
        own: Bool = people_n[rows] == people_n[columns]
        cosine_p = (vectors_nd @ vectors_nd.T)[rows, columns]
        different += [cosine_p[~own], *((vectors_nd @ other.T).ravel() for other in vectors[one + 1 :])]
        same.append(cosine_p[own])
    return np.concatenate(different), same


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", help="folders in DATA, of a folder for each person")
    parser.add_argument("--processors", nargs="?", const="all", choices=["all", *PROCESSORS])
    parser.add_argument("--data", type=Path, default=os.environ.get("UNMINGLE_DATA"))
    options = parser.parse_args()
    if options.processors:
        one = options.processors
        print(json.dumps(on_processors() if one == "all" else milliseconds(PROCESSORS[one]), indent=2))
        return
    spent: dict[str, list[float]] = defaultdict(list)
    read = [embeddings(options.data, name, spent) for name in options.sets]
    people = [people_n for _, people_n in read]
    result: dict[str, Any] = {"processor": import_openvino().Core().get_property("CPU", "FULL_DEVICE_NAME")}
    result["a_second_of_one_core"] = {
        key: round(sum(values[::2]) / sum(values[1::2]), 1) for key, values in spent.items()
    }
    for way, (embedded, detected) in enumerate(WAYS):
        vectors = [ways[way] for ways, _ in read]
        different, same = cosines(vectors, people)
        rare = {once: np.partition(different, -(len(different) // once))[-(len(different) // once)] for once in ONCE_IN}
        result[f"SFace {embedded}, YuNet {detected}"] = {
            name: {
                "faces": len(people_n),
                "cosine": round(float(np.mean(np.sum(vectors_nd * first[0], axis=1))), 5),
                "tpr": {f"{once:,}": round(float(np.mean(own >= bar)), 4) for once, bar in rare.items()},
                "bcubed_f": round(score(people_n, grouped(vectors_nd)).bcubed.f1, 4),
            }
            for name, vectors_nd, people_n, own, (first, _) in zip(
                options.sets, vectors, people, same, read, strict=True
            )
        }
    print(json.dumps(result, indent=2))


def grouped(vectors_nd: F32) -> I64:
    """Labels by the default settings; who is alone is a cluster of their own."""
    labels_n = cluster_faces(vectors_nd, GroupingSettings(), curve=SFACE_CURVE).labels
    return np.where(labels_n < 0, labels_n.max() + 1 + np.arange(len(labels_n)), labels_n)


if __name__ == "__main__":
    main()
