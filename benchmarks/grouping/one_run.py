"""One method on one collection in a process of its own: side_by_side.py starts it, with a job as JSON on its input.

For each setting one line of JSON: scores, seconds, and memory. Before the clock starts the method is run on a handful
of made-up vectors, so that neither imports nor just-in-time compilation count.
"""

from __future__ import annotations

import contextlib
import json
import resource
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from collection import Collection
from competitors import COMPETITORS

from unmingle.evaluation.metrics import score

if TYPE_CHECKING:
    from competitors import Competitor, Setting

    from unmingle.records import F32

PROCESS = Path("/proc/self")


@dataclass(frozen=True, slots=True)
class Job:
    """What to run.

    path:     an .npz file.
    variant:  the name of one of the collection's variants.
    method:   a name in COMPETITORS.
    settings: each is run in turn. Memory is that of the first; of a later one it holds what others left behind.
    """

    path: str
    variant: str
    method: str
    settings: tuple[dict[str, Any], ...]

    def __str__(self) -> str:
        return json.dumps(asdict(self))


def resident(key: str) -> float:
    """Megabytes of this process: "VmRSS" now, "VmHWM" at the most.

    Linux' `ru_maxrss` of a child begins with its parent's size, hence /proc; elsewhere it is all there is.
    """
    if not (PROCESS / "status").exists():
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / (1e6 if sys.platform == "darwin" else 1e3)
    lines = (PROCESS / "status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key)) * 1024 / 1e6


def forget_peak() -> None:
    """Let the most resident memory count from now on, where the system can."""
    with contextlib.suppress(OSError):
        (PROCESS / "clear_refs").write_text("5")


def resolved(method: Competitor, setting: Setting, people: int) -> Setting:
    """The setting that the method gets."""
    if method.told == "nothing":
        return setting
    return {**setting, "people": max(1, round(setting["share"] * people))}


def unit(vectors_nd: F32) -> F32:
    """Unit vectors: every method gets the same."""
    return np.ascontiguousarray(vectors_nd / np.linalg.norm(vectors_nd, axis=1, keepdims=True), np.float32)


def warm_up(method: Competitor, setting: Setting, dimensions: int) -> None:
    """Import and compile: run on twelve faces of each of ten made-up people."""
    random = np.random.default_rng(0)
    people = np.repeat(random.normal(size=(10, dimensions)), 12, axis=0)
    method.run(
        unit((people + 0.5 * random.normal(size=people.shape)).astype(np.float32)), resolved(method, setting, 10)
    )


def measure(method: Competitor, setting: Setting, collection: Collection) -> dict[str, Any]:
    """Scores, people found (clusters with two scored faces), seconds of processor time, and memory in megabytes.

    `memory_mb` is what the run added to the process at the most, `peak_mb` the whole process.
    """
    vectors_nd = unit(collection.vectors_nd)
    forget_peak()
    before, start = resident("VmRSS"), time.process_time()
    labels_n = np.asarray(method.run(vectors_nd, resolved(method, setting, collection.people)), np.int64)
    seconds, peak = time.process_time() - start, resident("VmHWM")
    scores = score(collection.labels_n[collection.scored_n], labels_n[collection.scored_n])
    return {
        "bcubed_f": round(scores.bcubed.f1, 4),
        "bcubed_precision": round(scores.bcubed.precision, 4),
        "bcubed_recall": round(scores.bcubed.recall, 4),
        "pairwise_f": round(scores.pairwise.f1, 4),
        "people_found": scores.people_found,
        "people_true": scores.people_true,
        "seconds": round(seconds, 3),
        "memory_mb": round(max(peak - before, 0), 1),
        "peak_mb": round(peak, 1),
    }


def main() -> None:
    job = Job(**json.load(sys.stdin))
    variants = Collection.load(Path(job.path)).variants(strangers=True)
    collection = next(each for each in variants if each.name == job.variant)
    method = COMPETITORS[job.method]
    warm_up(method, job.settings[0], collection.vectors_nd.shape[1])
    for setting in job.settings:
        print(json.dumps({"setting": setting, **measure(method, setting, collection)}), flush=True)


if __name__ == "__main__":
    main()
