"""What a large collection would take on a cluster, by what was measured here.

    python benchmarks/distributed/model.py > benchmarks/results/distributed_model.json

Figures of ../results/distributed_cells.json were measured with cells.py, of the most faces that were grouped both on
Ray and without it; those of `ASSUMED` by nobody. What the driver does for ids and tables is not in
it, nor that each face is compared with more centres of cells.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from unmingle.distributed import outliers
from unmingle.distributed.cells import CELL_FACES, COPIES, WHOLE_ROUNDS

MEASURED = Path(__file__).parents[1] / "results" / "distributed_cells.json"
VECTOR, REST, THUMBNAIL = 256, 36, 2_500  # bytes: 128 numbers of half precision; keys, quality and flags; a JPEG
ASSUMED: dict[str, Any] = {
    "faces_a_picture": 1.0,
    "analysis_core_seconds_a_picture": 0.25,  # photographs; crops take a tenth. A dry run tells it of your own
    "cores_a_node": 32,
    "network_bytes_a_second_a_node": 1.25e9,
    "efficiency": 0.7,  # of the cores while cells of uneven size are worked on
    "clusters_a_face": 0.23,  # as in the generated faces
    "single_faces_a_face": 0.16,  # of clusters of one, as there
    "expected_false_merges_a_cluster": 0.02,
}


def model(faces: float, nodes: int, measured: dict[str, Any]) -> dict[str, Any]:
    """Hours, bytes and mistakes of so many faces."""
    small, on_ray = measured["in_cells"], measured["on_ray"]
    # Every face is compared with those of its cell, whose size is fixed: the work grows as the number of faces does.
    # The plan, made of a sample, does not grow.
    plan = min(small["plan_seconds"], small["processor_seconds"])
    linear = (small["processor_seconds"] - plan) / measured["faces"]
    ray_factor = on_ray["processor_seconds"] / small["processor_seconds"]
    core_seconds = ray_factor * (linear * faces + plan)
    cores = nodes * ASSUMED["cores_a_node"] * ASSUMED["efficiency"]
    row = VECTOR + REST
    # In the rounds in which a cluster is in one cell its faces travel once, in those that name pairs their copies do,
    # and at last single faces are sent to more cells than others.
    asked = 1 + ASSUMED["single_faces_a_face"] * (outliers.COPIES - 1)
    shuffled = faces * row * (WHOLE_ROUNDS + COPIES * (small["rounds"] - WHOLE_ROUNDS) + asked)
    analysis = faces / ASSUMED["faces_a_picture"] * ASSUMED["analysis_core_seconds_a_picture"]
    clusters = faces * ASSUMED["clusters_a_face"]
    return {
        "faces": int(faces),
        "nodes": nodes,
        "analysis_hours": analysis / cores / 3600,
        "grouping_hours_of_processors": core_seconds / cores / 3600,
        "grouping_hours_in_one_place": (plan + small["surest_seconds"] * faces / measured["faces"]) / 3600,
        "grouping_hours_of_network": shuffled / nodes / ASSUMED["network_bytes_a_second_a_node"] / 3600,
        "shuffled_bytes": shuffled,
        "bytes_on_disk": faces * (2 * row + THUMBNAIL),  # faces, and clusters kept for what comes later
        "ray_factor": ray_factor,
        "memory_a_worker": on_ray["worker_bytes"],  # cells are of one size
        "memory_of_a_node": ASSUMED["cores_a_node"] * on_ray["worker_bytes"]
        + faces * row * (1 + max(COPIES, asked)) / nodes,
        # Whose faces were and are while new ones come; or whose they were, and pairs of a cluster and a person.
        "memory_of_the_driver": max(faces * 44, faces * 16 + clusters * 100),
        "cells": round(faces / CELL_FACES),
        "expected_false_merges": clusters * ASSUMED["expected_false_merges_a_cluster"],
    }


def main() -> None:
    """Compute, and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=float, default=1e8)
    parser.add_argument("--nodes", type=int, default=32)
    options = parser.parse_args()
    sizes = json.loads(MEASURED.read_text())["sizes"].items()
    faces, of_most = max((int(size), of) for size, of in sizes if {"in_cells", "on_ray"} <= of.keys())
    measured = {"faces": faces, **of_most}
    found = model(options.faces, options.nodes, measured)
    rounded = {name: float(f"{value:.3g}") for name, value in found.items()}
    print(json.dumps({"model": rounded, "measured": measured, "assumed": ASSUMED}, indent=2))


if __name__ == "__main__":
    main()
