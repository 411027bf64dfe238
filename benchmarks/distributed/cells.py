"""What grouping in cells costs in accuracy, processor time and memory against one machine, on Ray and without it.

    python benchmarks/grouping/scale.py --sizes 100000 1000000 > one_machine.json
    python benchmarks/distributed/cells.py --size 100000 --ray 2 --machine one_machine.json out.json

Faces come from ../grouping/generator.py. Without Ray, cells are worked on one after another in this process: so the
seconds are the work that a cluster shares out. On Ray, seconds are those of all its processes, once it has started.
Each run adds its figures to those of other sizes in the file.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from unmingle.distributed import cells, outliers
from unmingle.evaluation import metrics
from unmingle.evaluation.metrics import contingency
from unmingle.grouping.impostors import SFACE_CURVE
from unmingle.settings import GroupingSettings

sys.path.append(str(Path(__file__).parent.parent / "grouping"))
from generator import generate
from scale import peak_megabytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from unmingle.records import F32, I64


def in_cells(
    rows: pa.Table,
    plan: cells.Plan,
    turn: int,
    work: Callable[[pa.Table], pa.Table],
    copies: int,
    single: int | None = None,
) -> pa.Table:
    """What is made of each cell of a round, together."""
    sent = cells.placed(rows, plan.centres(turn), copies=copies, single=single)
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
    rows = cells.parted(rows, plan, len(rows))
    moments = outliers.moments(rows, plan)
    named = in_cells(rows, plan, turn, lambda cell: outliers.attach(cell, plan, moments), 1, outliers.COPIES)
    return (
        rows,
        outliers.attached(named, plan),
        plan,
        {"rounds": turn + 1, **{name: round(value, 2) for name, value in notes.items()}},
    )


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


def without_ray(vectors_nd: F32, person_n: I64, key_n: I64) -> dict[str, Any]:
    """One cell after another."""
    start = time.process_time()
    rows, moved, _, notes = grouped_rows(vectors_nd, key_n)
    face, cluster, _ = cells.members(rows, moved)
    label_n = cells.lookup(key_n, face, cluster, -1)
    found = scores(person_n, label_n, time.process_time() - start)
    return {**found, **notes, "peak_bytes": peak_megabytes() * 1_000_000}


class Processes:
    """Processor seconds and memory of what this process started, also of what has ended since."""

    def __init__(self) -> None:
        self.seconds: Counter[int] = Counter()
        self.bytes: Counter[int] = Counter()  # at most, without what is shared with others: Ray's store of objects
        self.workers: set[int] = set()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            self.look()
            time.sleep(0.5)

    def look(self) -> None:
        """Read what there is now."""
        import psutil

        for process in psutil.Process().children(recursive=True):
            try:
                times, memory = process.cpu_times(), process.memory_info()
                if "ray::" in process.cmdline()[0]:
                    self.workers.add(process.pid)
            except (psutil.Error, IndexError):
                continue
            self.seconds[process.pid] = times.user + times.system
            self.bytes[process.pid] = max(self.bytes[process.pid], memory.rss - memory.shared)


def on_ray(vectors_nd: F32, person_n: I64, key_n: I64, cores: int) -> dict[str, Any]:
    """On a Ray node of so many cores."""
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_num_workers_soft_limit": str(3 * cores)}
    import ray
    import ray.data

    from unmingle.distributed.grouping import group

    ray.init(num_cpus=cores, include_dashboard=False, log_to_driver=False, logging_level="error")
    ray.data.DataContext.get_current().enable_progress_bars = False
    no = pa.array(np.zeros(len(key_n), np.bool_))
    table = faces_table(vectors_nd, key_n * ((1 << 63) // len(key_n))).append_column("doubtful", no)
    step = 1 << 14
    faces = ray.data.from_arrow([table.slice(first, step) for first in range(0, len(table), step)])
    processes = Processes()
    processes.look()
    start, used = processes.seconds.total() + time.process_time(), time.perf_counter()
    grouped = group(faces)
    rows = [
        (part["face"].to_numpy(), part["person"].to_numpy())
        for part in grouped.assignment.iter_batches(batch_format="pyarrow", batch_size=None)
        if len(part)
    ]
    processes.look()
    seconds, wall = processes.seconds.total() + time.process_time() - start, time.perf_counter() - used
    face, person = (np.concatenate(of) for of in zip(*rows, strict=True))
    label_n = cells.lookup(table["face"].to_numpy(), face, person, -1)
    alone = np.flatnonzero(label_n < 0)
    label_n[alone] = -1 - alone
    peak = max(processes.bytes[worker] for worker in processes.workers)
    own = peak_megabytes() * 1_000_000
    ray.shutdown()
    return {**scores(person_n, label_n, seconds), "seconds": round(wall, 1), "worker_bytes": peak, "driver_bytes": own}


def main() -> None:
    """Measure, and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=100_000)
    parser.add_argument("--ray", type=int, default=0, metavar="CORES", help="on Ray; else without")
    parser.add_argument("--machine", type=Path, help="what ../grouping/scale.py printed")
    parser.add_argument("file", type=Path)
    options = parser.parse_args()
    vectors_nd, person_n = generate(options.size)
    key_n = np.random.default_rng(5).permutation(options.size).astype(np.int64)
    if options.ray:
        found = {"on_ray": on_ray(vectors_nd, person_n, key_n, options.ray)}
    else:
        found = {"in_cells": without_ray(vectors_nd, person_n, key_n)}
    known = json.loads(options.file.read_text()) if options.file.exists() else {"sizes": {}}
    of_size = known["sizes"]
    of_size[str(options.size)] = of_size.get(str(options.size), {}) | found
    for row in json.loads(options.machine.read_text())["sizes"] if options.machine else ():
        of_size.setdefault(str(row["faces"]), {})["one_machine"] = row
    for way in ("in_cells", "on_ray", "one_machine"):
        seconds = {int(size): row[way]["processor_seconds"] for size, row in of_size.items() if way in row}
        if len(seconds) > 1:
            small, large = min(seconds), max(seconds)
            growth = math.log(seconds[large] / seconds[small]) / math.log(large / small)
            known.setdefault("growth_exponents", {})[way] = round(growth, 2)
    known["sizes"] = dict(sorted(of_size.items(), key=lambda row: int(row[0])))
    options.file.write_text(json.dumps(known, indent=2) + "\n")


if __name__ == "__main__":
    main()
