"""What each rule within the passes earns: collections, random parts and crowds, grouped with one rule off at a time.

    python benchmarks/grouping/rules.py FOLDER [--number 120] [--seed 1]   (FOLDER as of embed.py)

ablation.py switches off whole passes; this, what only shows in a crowd. Parts are those of subcollections.py, crowds
those of crowded.py: made-up ones, and what becomes one cluster of `families_a` if nobody knows of crowds, some of it
beside some faces of the others. For each kind: mean BCubed F with all rules, and for each rule by how much it changes
without, on average, at worst and at best, and for how many. JSON on stdout.
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np
from collection import load_folder
from subcollections import can_be_drawn, draw

sys.path.insert(0, str(Path(__file__).parents[1]))
from crowded import grouped, made_up, together
from unmingle.evaluation.metrics import score
from unmingle.grouping.threshold import collection_scale

if TYPE_CHECKING:
    from collection import Collection

CHILDREN = "families_a"
CROWDS = 20
RULES: dict[str, dict[str, Any]] = {
    "scale: drawn to 1 among many clusters": {"cluster.PRIOR_COHORT": 1e18},
    "scale: what crowds explain counts once": {
        "cluster.collection_scale": lambda *of, tail=False: (
            np.inf if len(of) > 3 and not tail else collection_scale(*of, tail=tail)
        )
    },
    "scale: laxer as the most alike strangers say": {
        "cluster.collection_scale": lambda *of, tail=False: 0.0 if tail else collection_scale(*of)
    },
    "scale: of clusters of three faces or more": {"threshold.LEAST_FACES": 2},
    "scale: pairs far out count less": {"threshold.OUTLIER_Z": np.inf},
    "scale: drawn to 1 for few clusters": {"threshold.PRIOR_CLUSTERS": 1},
    "crowds": {"cluster._cohort": lambda *_: None},
    "crowds: drawn to none for few clusters": {"threshold.PRIOR_COHORT": 0},
    "crowds: pieces as alike as among many": {"threshold.MANY_CLUSTERS": 1},
    "top quartile: spread": {"threshold.QUARTILE_SPREAD": 1.0},
    "reassignment": {"cluster.reassign": lambda *_: 0},
    "outliers": {"cluster.attach_outliers": lambda *_: 0},
    "outliers: in their own scale": {"attach._among_people": lambda *_, **__: (0.0, 1.0)},
}


def crowds(sets: list[Collection]) -> list[Collection]:
    """Parts of the crowd beside parts of the others."""
    children = next(one for one in sets if one.name == CHILDREN)
    others = [one for one in sets if one.name != CHILDREN]
    rows, result = np.flatnonzero(grouped(children, 0) == 0), []
    for seed in range(CROWDS):
        random, other = np.random.default_rng(seed), others[seed % len(others)]
        some, beside = int(random.integers(30, len(rows))), min(len(other.labels_n), int(random.integers(50, 600)))
        crowd = children.only(np.sort(random.choice(rows, some, replace=False)), "crowd")
        part = other.only(np.sort(random.choice(len(other.labels_n), beside, replace=False)))
        result.append(together(crowd, part))
    return result


def measured(of: list[Collection], rule: str | None) -> np.ndarray:
    """BCubed F of each, without a rule."""
    with ExitStack() as stack:
        for name, instead in RULES.get(rule or "", {}).items():
            stack.enter_context(patch(f"unmingle.grouping.{name}", instead))
        return np.array([score(one.labels_n, grouped(one, 20)).bcubed.f1 for one in of])


def main() -> None:
    """Every kind, every rule."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--number", type=int, default=120, help="how many parts")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    sets = [one.clean() for one in load_folder(options.folder)]
    drawn = [one for one in sets if can_be_drawn(one)]
    turns = (divmod(number, len(drawn)) for number in range(options.number))
    kinds = {one.name: [one] for one in sets} | {
        "parts": [draw(drawn[which], options.seed, turn) for turn, which in turns],
        "crowds beside others": crowds(sets),
        "made-up crowds": [made_up(seed) for seed in range(CROWDS)],
    }
    result: dict[str, dict[str, Any]] = {}
    for kind, of in kinds.items():
        all_n = measured(of, None)
        result[kind] = {"collections": len(of), "bcubed_f": round(float(all_n.mean()), 5), "without": {}}
        for rule in RULES:
            change = measured(of, rule) - all_n
            if changed := int(np.count_nonzero(change)):
                mean, least, most = (round(float(one), 5) for one in (change.mean(), change.min(), change.max()))
                result[kind]["without"][rule] = {"change": mean, "worst": least, "best": most, "changed": changed}
        sys.stderr.write(f"{kind}: {result[kind]}\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
