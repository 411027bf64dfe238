"""How well do we do on collections of every size? Random parts of the collections, our method at its default.

    python benchmarks/grouping/subcollections.py FOLDER [--number 240] [--seed 0] [--sets NAME ...]

FOLDER holds the .npz files of embed.py. The collections take turns. For a part, the number of people is drawn
log-uniformly from 3 to 500 (or as many as have two scored faces), then for each of them a number of faces uniformly
from 2 to 50 (or as many as they have). A draw depends on the seed, the collection's name and its turn only: with other
collections beside it, or after a change of the method, it is the same. Progress on stderr, JSON on stdout: mean and 5th
percentile of BCubed F, over all parts, by collection and by number of people, and the worst parts.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import zlib
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from collection import Collection, load_folder

from unmingle.evaluation.metrics import score
from unmingle.grouping.cluster import cluster_faces
from unmingle.grouping.impostors import SFACE_CURVE
from unmingle.settings import GroupingSettings

if TYPE_CHECKING:
    from collections.abc import Iterable

PEOPLE = (3, 500)
FACES = (2, 50)
BANDS = (3, 6, 20, 60, 501)  # numbers of people: from each up to, not with, the next
WORST = 12


def draw(collection: Collection, seed: int, turn: int) -> Collection:
    """A random part of the scored faces of a collection with at least three people who have two of them."""
    random = np.random.default_rng([seed, zlib.crc32(collection.name.encode()), turn])
    rows = np.flatnonzero(collection.scored_n)
    _, person, sizes = np.unique(collection.labels_n[rows], return_inverse=True, return_counts=True)
    enough = np.flatnonzero(sizes >= FACES[0])
    most = min(PEOPLE[1], len(enough))
    # From just under the least to just over the most, so that rounding gives the ends their share.
    people = round(np.exp(random.uniform(np.log(PEOPLE[0] - 0.5), np.log(most + 0.5))))
    parts = []
    for chosen in random.choice(enough, min(max(people, PEOPLE[0]), most), replace=False):
        faces = random.integers(FACES[0], min(FACES[1], sizes[chosen]) + 1)
        parts.append(random.choice(rows[person == chosen], faces, replace=False))
    return collection.only(np.sort(np.concatenate(parts)), f"{collection.name}/{turn}")


def can_be_drawn(collection: Collection) -> bool:
    """Whether there are people enough."""
    _, sizes = np.unique(collection.labels_n[collection.scored_n], return_counts=True)
    return int((sizes >= FACES[0]).sum()) >= PEOPLE[0]


def measure(part: Collection) -> dict[str, Any]:
    """Scores of our method at its default."""
    start = time.perf_counter()
    labels = cluster_faces(part.vectors_nd, GroupingSettings(), curve=SFACE_CURVE).labels
    seconds = time.perf_counter() - start
    scores = score(part.labels_n, labels)
    return {
        "part": part.name,
        "people": scores.people_true,
        "people_found": scores.people_found,
        "faces": scores.faces,
        "bcubed_f": round(scores.bcubed.f1, 4),
        "bcubed_precision": round(scores.bcubed.precision, 4),
        "bcubed_recall": round(scores.bcubed.recall, 4),
        "pairwise_f": round(scores.pairwise.f1, 4),
        "seconds": round(seconds, 3),
    }


def summary(rows: Iterable[dict[str, Any]]) -> dict[str, float]:
    """Mean and 5th percentile over parts."""
    rows = list(rows)
    bcubed = np.array([row["bcubed_f"] for row in rows])
    return {
        "parts": len(rows),
        "mean_bcubed_f": round(float(bcubed.mean()), 4),
        "p5_bcubed_f": round(float(np.percentile(bcubed, 5)), 4),
        "least_bcubed_f": float(bcubed.min()),
        "mean_pairwise_f": round(float(np.mean([row["pairwise_f"] for row in rows])), 4),
        "mean_bcubed_precision": round(float(np.mean([row["bcubed_precision"] for row in rows])), 4),
        "mean_bcubed_recall": round(float(np.mean([row["bcubed_recall"] for row in rows])), 4),
    }


def by_people(rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """The summary of each band of numbers of people."""
    result = {}
    for least, end in pairwise(BANDS):
        band = [row for row in rows if least <= row["people"] < end]
        if band:
            result[f"{least} to {end - 1}"] = summary(band)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--number", type=int, default=240, help="how many parts")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sets", nargs="+", default=[], help="only these collections")
    options = parser.parse_args()
    collections = [each for each in load_folder(options.folder, options.sets) if can_be_drawn(each)]
    rows = []
    for number in range(options.number):
        turn, which = divmod(number, len(collections))
        row = measure(draw(collections[which], options.seed, turn))
        rows.append(row)
        sys.stderr.write(
            f"{row['part']:20} {row['people']:4} people {row['faces']:5} faces  BCubed {row['bcubed_f']:.4f}  "
            f"{row['people_found']:4} found  {row['seconds']:6.2f} s\n"
        )
    result = {
        "seed": options.seed,
        "all": summary(rows),
        "by_collection": {
            each.name: summary(row for row in rows if row["part"].rpartition("/")[0] == each.name)
            for each in collections
        },
        "by_people": by_people(rows),
        "seconds": round(sum(row["seconds"] for row in rows), 1),
        "worst": sorted(rows, key=lambda row: row["bcubed_f"])[:WORST],
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
