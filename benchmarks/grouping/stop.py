"""Does one untuned stop do as well as the best flat bar of each collection?

    python benchmarks/grouping/stop.py FOLDER [--orders 2] [--sets NAME ...]

FOLDER holds the .npz files of embed.py. Each collection is grouped twice: its scored faces alone and, where there are
others, all faces, of which the same are scored. Compares average linkage at flat bars, our default, our default with
the curve estimated from the collection, and with the true number of people given. Each is also run on shuffled rows. A
table on stderr, JSON on stdout.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from collection import load_folder

from unmingle.evaluation.metrics import score
from unmingle.grouping.cluster import cluster_faces
from unmingle.grouping.impostors import SFACE_CURVE
from unmingle.grouping.stopping import FlatBar
from unmingle.settings import GroupingSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from collection import Collection
    from numpy.typing import NDArray

    from unmingle.records import Clustering

    Method = Callable[[NDArray[Any]], Clustering]

FLAT_BARS = (0.20, 0.25, 0.30, 0.35, 0.40, 0.45, 0.50)


def methods(people: int) -> Iterator[tuple[str, Method]]:
    """Name and method, each from vectors to a clustering."""
    default, given = GroupingSettings(), GroupingSettings(people=people)
    for bar in FLAT_BARS:
        stop = FlatBar(bar=bar)
        yield f"flat {bar:.2f}", lambda v, stop=stop: cluster_faces(v, default, curve=SFACE_CURVE, stop=stop)  # type: ignore[misc]
    yield "default", lambda v: cluster_faces(v, default, curve=SFACE_CURVE)
    yield "default, curve estimated", lambda v: cluster_faces(v, default, curve=None)
    yield "people given", lambda v: cluster_faces(v, given, curve=SFACE_CURVE)


def measure(collection: Collection, name: str, method: Method, orders: int) -> dict[str, Any]:
    start = time.perf_counter()
    labels = method(collection.vectors_nd).labels
    seconds = time.perf_counter() - start
    random = np.random.default_rng(0)
    same = True
    for _ in range(orders):
        shuffled = random.permutation(len(labels))
        same &= bool((method(collection.vectors_nd[shuffled]).labels == labels[shuffled]).all())
    scores = score(collection.labels_n[collection.scored_n], labels[collection.scored_n])
    return {
        "collection": collection.name,
        "faces": len(labels),
        "method": name,
        "bcubed_f": scores.bcubed.f1,
        "bcubed_precision": scores.bcubed.precision,
        "bcubed_recall": scores.bcubed.recall,
        "pairwise_f": scores.pairwise.f1,
        "accuracy": scores.accuracy,
        "clusters": int(labels.max()) + 1,
        "seconds": seconds,
        "same_in_other_orders": same,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--orders", type=int, default=1, help="random orders of the rows to compare with")
    parser.add_argument("--sets", nargs="+", default=[], help="only these collections")
    options = parser.parse_args()
    rows = []
    loaded = load_folder(options.folder, options.sets)
    for collection in (variant for each in loaded for variant in each.variants(strangers=True)):
        people = collection.people
        for name, method in methods(people):
            row = measure(collection, name, method, options.orders)
            rows.append(row)
            sys.stderr.write(
                f"{row['collection']:28} {name:25} BCubed {row['bcubed_f']:.4f}  pairwise {row['pairwise_f']:.4f}  "
                f"accuracy {row['accuracy']:.4f}  {row['clusters']:5} clusters of {people:4} people  "
                f"{row['seconds']:6.2f} s  {'same' if row['same_in_other_orders'] else 'NOT THE SAME'} when shuffled\n"
            )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # kilobytes on Linux
    print(json.dumps({"results": rows, "peak_megabytes": round(peak)}, indent=2))


if __name__ == "__main__":
    main()
