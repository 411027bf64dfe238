"""Are the probabilities of pairs right, where each pair of people counts once, and how far off would right ones look?

Sub-collections are drawn as in calibration.py, so that one pair of people comes again and again: counted each time, one
mistake becomes an error of its own. Here all cases of one pair of people weigh as much as one case. And with few cases
even right probabilities miss the shares: `by_chance` is the error that the same cases give, on average and in the worst
of twenty tries, if people are drawn by these very probabilities. Only people outside the fit; pairs of a probability of
at least 0.05, at the default strictness. JSON on stdout.

    python benchmarks/grouping/pair_calibration.py FOLDER [--sets lfw_a families_a]   (FOLDER as of embed.py)
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from calibration import BINS, DEFAULT, LEAST_SHOWN, all_pairs, draws, majority, split_people
from collection import Collection

from unmingle.grouping import confidence
from unmingle.grouping.cluster import cluster_faces
from unmingle.grouping.impostors import SFACE_CURVE
from unmingle.grouping.threshold import cluster_excess
from unmingle.settings import GroupingSettings

if TYPE_CHECKING:
    from unmingle.records import F64

TRIES = 500
Case = tuple[str, float, bool]  # the two people, the probability, whether they are one


def pairs(collection: Collection) -> list[Case]:
    """The pairs of clusters that a reader would be shown."""
    names, person = np.unique(collection.labels_n, return_inverse=True)
    settings = GroupingSettings(expected_false_merges=DEFAULT)
    found = cluster_faces(collection.vectors_nd, settings, curve=SFACE_CURVE)
    mean, size = confidence.label_means(collection.vectors_nd, found.labels)
    chief, excess = majority(person, found.labels, len(size)), cluster_excess(mean, size, SFACE_CURVE)
    index, features = all_pairs(mean, size, excess, chief, dict(found.notes)["scale"])
    chance = confidence.probability(features, confidence.FITTED["pair"])
    shown = np.flatnonzero(chance >= LEAST_SHOWN)
    who = np.sort(chief[index[shown]], axis=1).tolist()
    return [(f"{names[a]} {names[b]}", float(p), a == b) for (a, b), p in zip(who, chance[shown].tolist(), strict=True)]


def error(chance_m: F64, right_m: F64, weight_m: F64) -> float:
    """The expected calibration error."""
    index = np.minimum((chance_m * BINS).astype(np.int64), BINS - 1)
    gaps = np.bincount(index, weight_m * (chance_m - right_m), BINS)
    return float(np.abs(gaps).sum() / weight_m.sum())


def judged(cases: list[Case]) -> dict[str, object]:
    """The figures of some cases."""
    random = np.random.default_rng(0)
    who, chance, right = (np.array(column) for column in zip(*cases, strict=True))
    _, pair, times = np.unique(who, return_inverse=True, return_counts=True)
    result: dict[str, object] = {"cases": len(cases), "pairs_of_people": len(times)}
    for name, weight in (("each_case", np.ones(len(cases))), ("once", 1 / times[pair])):
        tries = [
            error(chance, (random.random(len(times))[pair] < chance).astype(np.float64), weight) for _ in range(TRIES)
        ]
        result[name] = {
            "probability": round(float(np.average(chance, weights=weight)), 4),
            "right": round(float(np.average(right, weights=weight)), 4),
            "calibration_error": round(error(chance, right.astype(np.float64), weight), 4),
            "by_chance": [round(float(np.mean(tries)), 4), round(float(np.quantile(tries, 0.95)), 4)],
        }
    return result


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", nargs="*", default=["lfw_a", "families_a"])
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    random, result = np.random.default_rng(options.seed), {}
    for name in options.sets:
        collection = Collection.load(options.folder / f"{name}.npz").clean()
        ours, theirs = split_people(collection, random)
        for _ in draws(collection, ours, random):  # as calibration.py draws them, so that its halves are the same
            pass
        kinds: defaultdict[str, list[Case]] = defaultdict(list)
        for kind, part, _ in draws(collection, theirs, random):
            kinds[kind] += pairs(part)
        result[name] = {kind: judged(cases) for kind, cases in kinds.items()}
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
