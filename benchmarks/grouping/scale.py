"""How time and memory grow with the number of faces, and what the index costs in accuracy.

    python benchmarks/grouping/scale.py --sizes 10000 30000 100000 300000 1000000
    python benchmarks/grouping/scale.py --sizes 10000 --compare 20000

Faces come from generator.py. Each run is a fresh process that loads them and groups them with the default settings:
seconds are those of `cluster_faces` alone, peak memory is that of the whole process, vectors included. Between the
smallest and the largest size, time grows as n to the power of `growth_exponent`; so it does between each size and the
next in `exponents`.

`--compare` groups that many faces twice, once comparing all with all and once through the index, and scores one result
against the other. JSON on stdout, progress on stderr.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from unmingle.evaluation import metrics
from unmingle.evaluation.metrics import contingency

if TYPE_CHECKING:
    from unmingle.records import I64

    Search = Literal["default", "exact", "index"]

SIZES = (10_000, 30_000, 100_000, 300_000, 1_000_000)
STATUS = Path("/proc/self/status")


def peak_megabytes() -> int:
    """Of this process. Linux' ru_maxrss of a child begins with its parent's size, hence /proc where there is one."""
    if STATUS.exists():
        line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
        return round(int(line.split()[1]) * 1024 / 1e6)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1e6 if sys.platform == "darwin" else 1e3))


def group(folder: Path, search: Search) -> dict[str, Any]:
    """Group the faces of a folder, write labels.npy there, and say what it took: run in a process of its own."""
    from unmingle.grouping import index
    from unmingle.grouping.cluster import cluster_faces
    from unmingle.grouping.impostors import SFACE_CURVE
    from unmingle.settings import GroupingSettings

    if search != "default":
        index.EXACT_PAIRS = 0 if search == "index" else sys.maxsize
    vectors_nd = np.load(folder / "vectors.npy")
    # Imports and first calls of compiled code don't count.
    cluster_faces(vectors_nd[:50], GroupingSettings(), curve=SFACE_CURVE)
    start, used = time.perf_counter(), time.process_time()
    labels = cluster_faces(vectors_nd, GroupingSettings(), curve=SFACE_CURVE).labels
    result = {
        "seconds": round(time.perf_counter() - start, 2),
        "processor_seconds": round(time.process_time() - used, 2),
        "peak_megabytes": peak_megabytes(),
    }
    np.save(folder / "labels.npy", labels)
    return result


def run(folder: Path, search: Search = "default") -> tuple[dict[str, Any], I64]:
    """What `group` says in a fresh process, and its labels."""
    command = [sys.executable, str(Path(__file__)), "--group", str(folder), "--search", search]
    process = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    labels: I64 = np.load(folder / "labels.npy")
    return json.loads(process.stdout), labels


def draw(n: int, folder: Path) -> I64:
    """Write n made-up faces to vectors.npy; the person of each."""
    from generator import generate

    vectors_nd, person_n = generate(n)
    np.save(folder / "vectors.npy", vectors_nd)
    return person_n


def scores(true_n: I64, labels_n: I64) -> dict[str, float]:
    table = contingency(true_n, labels_n)
    pairs, bcubed = metrics.pairwise(table), metrics.bcubed(table)
    return {
        "pairwise_f": round(pairs.f1, 4),
        "pairwise_precision": round(pairs.precision, 4),
        "pairwise_recall": round(pairs.recall, 4),
        "bcubed_f": round(bcubed.f1, 4),
        "bcubed_precision": round(bcubed.precision, 4),
        "bcubed_recall": round(bcubed.recall, 4),
    }


def measure(n: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        person_n = draw(n, Path(name))
        used, labels_n = run(Path(name))
    row = {
        "faces": n,
        "people": len(np.unique(person_n)),
        "clusters": int(labels_n.max()) + 1,
        **used,
        **scores(person_n, labels_n),
    }
    report(f"{n:9,} faces", row)
    return row


def compare(n: int) -> dict[str, Any]:
    """All with all against the index, on the same faces."""
    with tempfile.TemporaryDirectory() as name:
        person_n = draw(n, Path(name))
        result: dict[str, Any] = {"faces": n}
        labels: dict[str, I64] = {}
        searches: tuple[Search, ...] = ("exact", "index")
        for search in searches:
            used, labels[search] = run(Path(name), search)
            result[search] = {**used, **scores(person_n, labels[search])}
            report(f"{n:9,} faces, {search}", result[search])
    result["index_against_exact"] = scores(labels["exact"], labels["index"])
    return result


def report(name: str, row: dict[str, Any]) -> None:
    sys.stderr.write(
        f"{name}: {row['seconds']:8.2f} s  {row['peak_megabytes']:6} MB  "
        f"pairwise F {row['pairwise_f']:.4f}  BCubed F {row['bcubed_f']:.4f}\n"
    )


def exponent(small: dict[str, Any], large: dict[str, Any]) -> float:
    return round(math.log(large["seconds"] / small["seconds"]) / math.log(large["faces"] / small["faces"]), 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES, help="numbers of faces; none: only --compare")
    parser.add_argument("--compare", type=int, help="faces to group both exactly and through the index")
    parser.add_argument("--group", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--search", choices=("default", "exact", "index"), default="default", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.group:
        print(json.dumps(group(options.group, options.search)))
        return
    machine = {"processors": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
    rows = [measure(n) for n in sorted(options.sizes)]
    result: dict[str, Any] = {"machine": machine, "sizes": rows}
    if len(rows) > 1:
        result["growth_exponent"] = exponent(rows[0], rows[-1])
        result["exponents"] = [exponent(small, large) for small, large in pairwise(rows)]
    if options.compare:
        result["compare"] = compare(options.compare)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
