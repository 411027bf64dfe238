"""What the local impostor distribution does where strangers are alike: small children, and mixtures with others.

    python benchmarks/crowded.py CHILDREN OTHERS ...

Each is an .npz of labelled embeddings, as grouping/embed.py writes them; labels of CHILDREN are FAMILY_MEMBER. Grouped
are CHILDREN, two halves of its families, the faces that are one cluster without (a crowd and nobody else), each of
OTHERS, and CHILDREN and the crowd with each of these, once with the local excess of strangers and once without; the
halves with other numbers of nearest strangers. `strays`: of clusters of more
than 30 faces, the largest share that is not the majority's, where each collection has a majority of its own: famous
people are in several, under other labels (looked at: the two large clusters of relatives with news photographs or
celebrities that seemed mixed are one person each). JSON on stdout.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import numpy as np

sys.path.insert(0, str(Path(__file__).parent / "grouping"))
from collection import Collection

from unmingle.evaluation.metrics import score
from unmingle.grouping.cluster import cluster_faces
from unmingle.grouping.impostors import SFACE_CURVE
from unmingle.settings import GroupingSettings

if TYPE_CHECKING:
    from unmingle.records import I64

NEIGHBOURS = (10, 20, 30, 50, 100)


def grouped(collection: Collection, neighbours: int) -> I64:
    with patch("unmingle.grouping.threshold.NEIGHBOURS", neighbours):
        return cluster_faces(collection.vectors_nd, GroupingSettings(), curve=SFACE_CURVE).labels


def measured(
    collection: Collection, *, local: bool = True, neighbours: int = 20, first: int | None = None
) -> dict[str, float]:
    """Scores of one clustering. first: faces of the first of two collections."""
    labels_n = grouped(collection, neighbours if local else 0)
    scores = score(collection.labels_n, labels_n)
    strays = [0.0]
    for label in np.flatnonzero(np.bincount(labels_n) > 30):
        members = np.flatnonzero(labels_n == label)
        parts = np.split(members, np.searchsorted(members, [first or 0]))
        majorities = sum(np.unique(collection.labels_n[part], return_counts=True)[1].max(initial=0) for part in parts)
        strays.append(1 - majorities / len(members))
    return {
        "pairwise_precision": round(scores.pairwise.precision, 4),
        "pairwise_f": round(scores.pairwise.f1, 4),
        "bcubed_f": round(scores.bcubed.f1, 4),
        "strays": round(float(max(strays)), 3),
    }


def together(one: Collection, other: Collection) -> Collection:
    """Two collections as one."""
    columns = ((getattr(each, name) for each in (one, other)) for name in ("vectors_nd", "labels_n", "scored_n"))
    vectors_nd, labels_n, scored_n = (np.concatenate(list(column)) for column in columns)
    return Collection(f"{one.name} + {other.name}", vectors_nd, labels_n, scored_n, np.arange(len(labels_n)))


def main() -> None:
    """Every collection, with and without."""
    children, *others = (Collection.load(Path(path)).clean() for path in sys.argv[1:])
    family_n = np.char.partition(children.labels_n, "_")[:, 0]
    families = np.random.default_rng(0).permutation(np.unique(family_n))
    halves = [
        children.only(np.flatnonzero(np.isin(family_n, families[side::2])), f"{children.name}, half {side + 1}")
        for side in (0, 1)
    ]
    result: dict[str, dict[str, dict[str, float]]] = {}
    crowd = children.only(np.flatnonzero(grouped(children, 0) == 0), "crowd")
    mixed = [(together(one, other), len(one.labels_n)) for one in (children, crowd) for other in others]
    for collection, first in (*((one, None) for one in (children, *halves, crowd, *others)), *mixed):
        result[collection.name] = {
            "without": measured(collection, local=False, first=first),
            "with": measured(collection, first=first),
        }
        if collection in halves:
            result[collection.name] |= {f"{k} nearest": measured(collection, neighbours=k) for k in NEIGHBOURS}
        sys.stderr.write(f"{collection.name}: {result[collection.name]}\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
