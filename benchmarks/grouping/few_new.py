"""How far people differ when only what new faces touch is grouped again: against grouping all.

    python benchmarks/grouping/few_new.py FOLDER [--sets lfw_a pins_a families_a meeting] [--made 100000] [--share 0.05]

FOLDER: embeddings as embed.py writes them; `--made` faces come from generator.py. The last share of the faces, in
random order, are new, three times over. `differ`: faces that are not with whom grouping all puts them, cluster by
cluster in the best one to one assignment by size. Processor seconds. JSON on stdout.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from collection import load_folder
from generator import generate

from unmingle.evaluation.metrics import bcubed, contingency
from unmingle.grouping.additions import touched
from unmingle.grouping.cluster import cluster_faces
from unmingle.grouping.constraints import Constraints
from unmingle.grouping.impostors import SFACE_CURVE
from unmingle.grouping.threshold import FalseMergeThreshold
from unmingle.settings import GroupingSettings

if TYPE_CHECKING:
    from unmingle.records import F32, I64, Bool

SETTINGS = GroupingSettings()


def frames(pictures_n: I64) -> Constraints:
    return Constraints.of_frames(np.unique(pictures_n, return_inverse=True)[1])


def alone_apart(labels_n: I64, number: int) -> I64:
    """Clusters of one as -1, the others from a number."""
    return np.where(np.bincount(labels_n)[labels_n] > 1, labels_n + number, -1)


def added(vectors_nd: F32, pictures_n: I64, new_n: Bool) -> tuple[I64, int, float]:
    """Labels, how many faces were grouped again, and the processor seconds of that."""
    old = np.flatnonzero(~new_n)
    before = cluster_faces(vectors_nd[old], SETTINGS, curve=SFACE_CURVE, constraints=frames(pictures_n[old]))
    labels_n = np.full(len(new_n), -1)
    labels_n[old] = alone_apart(before.labels, 0)
    start = time.process_time()
    threshold = FalseMergeThreshold(
        curve=SFACE_CURVE, expected=SETTINGS.expected_false_merges, scale=dict(before.notes)["scale"]
    )
    rows, tied_m2, collected = touched(vectors_nd, labels_n, new_n, threshold)
    known = frames(pictures_n[rows]).with_same(tied_m2)
    found = cluster_faces(vectors_nd[rows], SETTINGS, curve=SFACE_CURVE, constraints=known, collected=collected)
    labels_n[rows] = alone_apart(found.labels, labels_n.max() + 1)
    took = time.process_time() - start
    alone = labels_n < 0
    return np.where(alone, labels_n.max() + np.cumsum(alone), labels_n), len(rows), took


def differing(one_n: I64, other_n: I64) -> int:
    taken: tuple[set[int], set[int]] = set(), set()
    same = 0
    for (one, other), count in Counter(zip(one_n.tolist(), other_n.tolist(), strict=True)).most_common():
        if one not in taken[0] and other not in taken[1]:
            taken[0].add(one)
            taken[1].add(other)
            same += count
    return len(one_n) - same


def measured(
    vectors_nd: F32, person_n: I64, scored_n: Bool, pictures_n: I64, share: float, times: int
) -> dict[str, Any]:
    start, n = time.process_time(), len(person_n)
    anew = cluster_faces(vectors_nd, SETTINGS, curve=SFACE_CURVE, constraints=frames(pictures_n)).labels
    whole, rows = time.process_time() - start, []
    for seed in range(times):
        new_n = np.zeros(n, np.bool_)
        new_n[np.random.default_rng(seed).permutation(n)[: round(n * share)]] = True
        labels_n, again, took = added(vectors_nd, pictures_n, new_n)
        score = bcubed(contingency(person_n[scored_n], labels_n[scored_n])).f1
        rows.append((score, differing(anew, labels_n), again, took))
    scores, differ, again, took = zip(*rows, strict=True)
    return {
        "faces": n,
        "new": round(n * share),
        "bcubed_f_anew": round(bcubed(contingency(person_n[scored_n], anew[scored_n])).f1, 4),
        "bcubed_f_added": [round(score, 4) for score in scores],
        "differ": list(differ),
        "differ_share": round(statistics.mean(differ) / n, 5),
        "grouped_again": list(again),
        "processor_seconds_anew": round(whole, 1),
        "processor_seconds_added": round(statistics.mean(took), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", nargs="*", default=["lfw_a", "pins_a", "families_a", "meeting"])
    parser.add_argument("--made", type=int, nargs="*", default=[100_000])
    parser.add_argument("--share", type=float, default=0.05)
    options = parser.parse_args()
    result = {}
    for one in load_folder(options.folder, options.sets):
        person_n = np.unique(one.labels_n, return_inverse=True)[1]
        result[one.name] = measured(one.vectors_nd, person_n, one.scored_n, one.pictures_n, options.share, 3)
        sys.stderr.write(f"{one.name} {result[one.name]}\n")
    for n in options.made:
        vectors_nd, person_n = generate(n)
        every = np.ones(n, np.bool_)
        result[f"made {n}"] = measured(vectors_nd, person_n, every, np.arange(n), options.share, 1)
        sys.stderr.write(f"{n} {result[f'made {n}']}\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
