"""What grouping in cells, as on a Ray cluster, costs in accuracy and processor time against one machine.

    python benchmarks/distributed/cells.py --size 100000 > benchmarks/results/distributed_cells.json

Faces come from ../grouping/generator.py. The cells are worked on one after another in this process, without Ray: so the
seconds are the work that a cluster shares out, without what it takes to move rows between nodes.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from unmingle.distributed import cells
from unmingle.evaluation import metrics
from unmingle.evaluation.metrics import contingency
from unmingle.grouping.cluster import cluster_faces
from unmingle.grouping.impostors import SFACE_CURVE
from unmingle.progress import peak_memory
from unmingle.settings import GroupingSettings

sys.path.append(str(Path(__file__).parent.parent / "grouping"))
from generator import generate

if TYPE_CHECKING:
    from collections.abc import Callable

    from unmingle.records import F32, I64


def in_cells(
    rows: pa.Table, plan: cells.Plan, turn: int, work: Callable[[pa.Table], pa.Table], copies: int
) -> pa.Table:
    """What is made of each cell of a round, together."""
    sent = cells.placed(rows, plan.centres(turn), copies=copies)
    cell = sent["cell"].to_numpy()
    return pa.concat_tables([work(sent.filter(pa.array(cell == one))) for one in np.unique(cell)]).combine_chunks()


def faces_table(vectors_nd: F32, key_n: I64) -> pa.Table:
    """As the parts of cells take it; each face is of another picture."""
    half = pa.array(vectors_nd.astype(np.float16).ravel())
    vectors = pa.FixedSizeListArray.from_arrays(half, vectors_nd.shape[1]).cast(pa.list_(pa.float16()))
    return pa.table({"face": key_n, "picture": key_n, "core": np.ones(len(key_n), np.bool_), "vector": vectors})


def grouped_rows(vectors_nd: F32, key_n: I64) -> tuple[pa.Table, pa.Table, cells.Plan, dict[str, float]]:
    """Rows of clusters, who moves to which, and by what; the number of rounds, and seconds of what is done once."""
    sample = np.argsort(key_n)[: cells.SAMPLE]
    start = time.process_time()
    plan = cells.Plan.of(vectors_nd[sample].astype(np.float16), len(key_n), GroupingSettings(), SFACE_CURVE)
    notes = {"plan_seconds": time.process_time() - start, "surest_seconds": 0.0}
    rows = cells.singles(faces_table(vectors_nd, key_n), plan)
    for turn in range(cells.WHOLE_ROUNDS):
        rows = in_cells(rows, plan, turn, lambda cell: cells.link(cell, plan), 1)
    while True:
        turn, count = turn + 1, len(rows)
        found = in_cells(rows, plan, turn, lambda cell: cells.pairs(cell, plan, count), cells.COPIES)  # noqa: B023
        start = time.process_time()
        first, second = cells.surest(found)
        notes["surest_seconds"] += time.process_time() - start
        if not len(first):
            break
        of = cells.lookup(rows["cluster"].to_numpy(), np.append(first, second), np.append(first, first), -1)
        rows = cells.merged(rows.append_column("group", pa.array(of))).combine_chunks()
    moved = in_cells(rows, plan, turn, lambda cell: cells.attach(cell, plan, count), cells.COPIES)
    return rows, moved, plan, {"rounds": turn + 1, **{name: round(value, 2) for name, value in notes.items()}}


def scores(person_n: I64, label_n: I64, seconds: float) -> dict[str, Any]:
    """Of one way of grouping."""
    table = contingency(person_n, np.unique(label_n, return_inverse=True)[1])
    pairs = metrics.pairwise(table)
    return {
        "processor_seconds": round(seconds, 1),
        "pairwise_f": round(pairs.f1, 4),
        "pairwise_precision": round(pairs.precision, 4),
        "pairwise_recall": round(pairs.recall, 4),
        "bcubed_f": round(metrics.bcubed(table).f1, 4),
    }


def main() -> None:
    """Measure, and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=100_000)
    size = parser.parse_args().size
    vectors_nd, person_n = generate(size)
    key_n = np.random.default_rng(5).permutation(size).astype(np.int64)
    start = time.process_time()
    rows, moved, _, notes = grouped_rows(vectors_nd, key_n)
    face, cluster, _ = cells.members(rows, moved)
    label_n = cells.lookup(key_n, face, cluster, -1)
    of_cells = scores(person_n, label_n, time.process_time() - start)
    peak = peak_memory()
    start = time.process_time()
    label_n = cluster_faces(vectors_nd, GroupingSettings(), curve=SFACE_CURVE).labels
    alone = scores(person_n, label_n, time.process_time() - start)
    print(
        json.dumps({"faces": size, **notes, "peak_bytes": peak, "in_cells": of_cells, "one_machine": alone}, indent=2)
    )


if __name__ == "__main__":
    main()
