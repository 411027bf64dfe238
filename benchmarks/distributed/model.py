"""What a large collection would take on a cluster, by what was measured here.

    python benchmarks/distributed/model.py > benchmarks/results/distributed_model.json

Figures of ../results/distributed_cells.json were measured with cells.py, without Ray; those of `ONCE` by hand on Ray,
two cores, 100,000 faces; those of `ASSUMED` by nobody. What the driver does for ids and tables is not in it.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from unmingle.distributed.cells import CELL_FACES, COPIES, WHOLE_ROUNDS

MEASURED = Path(__file__).parents[1] / "results" / "distributed_cells.json"
VECTOR, REST, THUMBNAIL = 256, 36, 2_500  # bytes: 128 numbers of half precision; keys and flags; a JPEG
ONCE = {"ray_factor": 2.2, "worker_bytes": 0.81e9}  # before workers were kept between rounds
ASSUMED: dict[str, Any] = {
    "faces_a_picture": 1.0,
    "analysis_core_seconds_a_picture": 0.25,  # photographs; crops take a tenth. A dry run tells it of your own
    "cores_a_node": 32,
    "network_bytes_a_second_a_node": 1.25e9,
    "efficiency": 0.7,  # of the cores while cells of uneven size are worked on
    "clusters_a_face": 0.23,  # as in the generated faces
    "expected_false_merges_a_cluster": 0.02,
}


def model(faces: float, nodes: int, measured: dict[str, Any]) -> dict[str, Any]:
    """Hours, bytes and mistakes of so many faces."""
    small = measured["in_cells"]
    # Every face is compared with those of its cell, whose size is fixed: the work grows as the number of faces does.
    # The plan, made of a sample, does not grow.
    plan = min(measured.get("plan_seconds", 0.0), small["processor_seconds"])
    linear = (small["processor_seconds"] - plan) / measured["faces"]
    core_seconds = ONCE["ray_factor"] * (linear * faces + plan)
    cores = nodes * ASSUMED["cores_a_node"] * ASSUMED["efficiency"]
    row = VECTOR + REST
    # In the rounds in which a cluster is in one cell its faces travel once, later their copies do, with what is named.
    shuffled = faces * row * (WHOLE_ROUNDS + COPIES * 2)  # once fresh clusters are all, once to attach single faces
    analysis = faces / ASSUMED["faces_a_picture"] * ASSUMED["analysis_core_seconds_a_picture"]
    clusters = faces * ASSUMED["clusters_a_face"]
    return {
        "faces": int(faces),
        "nodes": nodes,
        "analysis_hours": analysis / cores / 3600,
        "grouping_hours_of_processors": core_seconds / cores / 3600,
        "grouping_hours_in_one_place": (plan + measured.get("surest_seconds", 0.0) * faces / measured["faces"]) / 3600,
        "grouping_hours_of_network": shuffled / nodes / ASSUMED["network_bytes_a_second_a_node"] / 3600,
        "shuffled_bytes": shuffled,
        "bytes_on_disk": faces * (2 * row + THUMBNAIL),  # faces, and clusters kept for what comes later
        "memory_a_worker": ONCE["worker_bytes"],  # cells are of one size
        "memory_of_a_node": ASSUMED["cores_a_node"] * ONCE["worker_bytes"] + faces * row * (1 + COPIES) / nodes,
        "memory_of_the_driver": faces * 4 * 16 + clusters * 100,
        "cells": round(faces / CELL_FACES),
        "expected_false_merges": clusters * ASSUMED["expected_false_merges_a_cluster"],
    }


def main() -> None:
    """Compute, and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=float, default=1e8)
    parser.add_argument("--nodes", type=int, default=32)
    options = parser.parse_args()
    measured = json.loads(MEASURED.read_text())
    found = model(options.faces, options.nodes, measured)
    rounded = {name: float(f"{value:.3g}") for name, value in found.items()}
    print(json.dumps({"model": rounded, "measured": measured, "once": ONCE, "assumed": ASSUMED}, indent=2))


if __name__ == "__main__":
    main()
