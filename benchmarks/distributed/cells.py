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
    sent = cells.placed(rows, plan.index(turn), copies=copies)
    cell = sent["cell"].to_numpy()
    return pa.concat_tables([work(sent.filter(pa.array(cell == one))) for one in np.unique(cell)]).combine_chunks()


def grouped(vectors_nd: F32, key_n: I64) -> tuple[I64, int]:
    """The cluster of each face, and the number of rounds."""
    half = pa.array(vectors_nd.astype(np.float16).ravel())
    vectors = pa.FixedSizeListArray.from_arrays(half, vectors_nd.shape[1]).cast(pa.list_(pa.float16()))
    core = np.ones(len(key_n), np.bool_)
    faces = pa.table({"face": key_n, "picture": key_n, "core": core, "vector": vectors})
    sample = np.argsort(key_n)[: cells.SAMPLE]
    plan = cells.Plan.of(vectors_nd[sample].astype(np.float16), len(key_n), GroupingSettings(), SFACE_CURVE)
    rows = cells.singles(faces, plan)
    for turn in range(cells.WHOLE_ROUNDS):
        rows = in_cells(rows, plan, turn, lambda cell: cells.link(cell, plan), 1)
    while True:
        turn, count = turn + 1, len(rows)
        found = in_cells(rows, plan, turn, lambda cell: cells.pairs(cell, plan, count), cells.COPIES)  # noqa: B023
        first, second = cells.surest(found)
        if not len(first):
            break
        of = cells.lookup(rows["cluster"].to_numpy(), np.append(first, second), np.append(first, first), -1)
        rows = cells.merged(rows.append_column("group", pa.array(of))).combine_chunks()
    moved = in_cells(rows, plan, turn, lambda cell: cells.attach(cell, plan, count), cells.COPIES)
    face, cluster, _ = cells.members(rows, moved)
    return cells.lookup(key_n, face, cluster, -1), turn + 1


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
    label_n, rounds = grouped(vectors_nd, key_n)
    of_cells = scores(person_n, label_n, time.process_time() - start)
    start = time.process_time()
    label_n = cluster_faces(vectors_nd, GroupingSettings(), curve=SFACE_CURVE).labels
    alone = scores(person_n, label_n, time.process_time() - start)
    print(json.dumps({"faces": size, "rounds": rounds, "in_cells": of_cells, "one_machine": alone}, indent=2))


if __name__ == "__main__":
    main()
