"""Does one untuned stop do as well as the best flat bar of each collection?

    python benchmarks/grouping_stop.py FOLDER [--orders 2]

FOLDER holds one .npz a collection: `vectors` (n, d) from SFace and `labels` (n,); where there is a mask `masked`, these
faces are grouped with the others but not scored, and so are faces with label 0 (no face) or "?" (unknown). Compares
average linkage at flat bars, our default, our default with the curve estimated from the collection, and with the true
number of people given. Each is also run on shuffled rows. A table on stderr, JSON on stdout.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unmingle.evaluation.metrics import score
from unmingle.grouping.cluster import cluster_faces
from unmingle.grouping.impostors import SFACE_CURVE
from unmingle.grouping.stopping import FlatBar
from unmingle.settings import GroupingSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from unmingle.records import Clustering

    Method = Callable[[NDArray[Any]], Clustering]

FLAT_BARS = (0.20, 0.25, 0.30, 0.35, 0.40, 0.45, 0.50)
NOT_SCORED = ("0", "?")


@dataclass(frozen=True, slots=True, eq=False)
class Collection:
    """vectors_nd: (n, d). labels_n: (n,) str. scored_n: (n,) which faces count."""

    name: str
    vectors_nd: NDArray[Any]
    labels_n: NDArray[Any]
    scored_n: NDArray[np.bool_]

    @classmethod
    def load(cls, path: Path) -> Collection:
        """The collection in one .npz file."""
        loaded = np.load(path)
        labels = loaded["labels"].astype(str)
        scored = ~np.isin(labels, NOT_SCORED)
        if "masked" in loaded:
            scored &= ~loaded["masked"]
        return cls(path.stem, loaded["vectors"], labels, scored)

    def clean(self) -> Collection:
        """Only the faces that count."""
        keep = self.scored_n
        return Collection(f"{self.name}, scored only", self.vectors_nd[keep], self.labels_n[keep], keep[keep])


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


def collections(folder: Path) -> Iterator[Collection]:
    for path in sorted(folder.glob("*.npz")):
        collection = Collection.load(path)
        # Strangers all, or nobody: nothing to group.
        if len(np.unique(collection.labels_n)) == len(collection.labels_n):
            continue
        yield collection
        if not collection.scored_n.all():
            yield collection.clean()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--orders", type=int, default=1, help="random orders of the rows to compare with")
    options = parser.parse_args()
    rows = []
    for collection in collections(options.folder):
        people = len(np.unique(collection.labels_n[collection.scored_n]))
        for name, method in methods(people):
            row = measure(collection, name, method, options.orders)
            rows.append(row)
            sys.stderr.write(
                f"{row['collection']:22} {name:25} BCubed {row['bcubed_f']:.4f}  pairwise {row['pairwise_f']:.4f}  "
                f"accuracy {row['accuracy']:.4f}  {row['clusters']:5} clusters of {people:4} people  "
                f"{row['seconds']:6.2f} s  {'same' if row['same_in_other_orders'] else 'NOT THE SAME'} when shuffled\n"
            )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # kilobytes on Linux
    print(json.dumps({"results": rows, "peak_megabytes": round(peak)}, indent=2))


if __name__ == "__main__":
    main()
