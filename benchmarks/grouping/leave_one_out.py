"""Is the default fitted to the development sets? Choose its settings on all sets but one, and score that one.

    python benchmarks/grouping/leave_one_out.py FOLDER

FOLDER holds one .npz a collection, see `collection`. The settings: how many false merges each cluster may expect, how
many of the outliers that are attached may be wrong, and whether fragments are joined by their top quartile.
For each left-out set: the setting with the best mean BCubed F on the others, what it scores there, what the default
scores there, and what the best setting in hindsight scores. JSON on stdout, progress on stderr.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from collection import load_folder

from unmingle.evaluation.metrics import score
from unmingle.grouping import attach, cluster
from unmingle.grouping.impostors import SFACE_CURVE
from unmingle.settings import GroupingSettings

if TYPE_CHECKING:
    from collection import Collection

    Setting = tuple[float, float, bool]

FALSE_MERGES = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
MISTAKES = (0.0, 0.05, 0.1, 0.2)
DEFAULT: Setting = (0.02, 0.1, True)


def bcubed(collection: Collection, setting: Setting) -> float:
    """BCubed F of our method with a setting, which is undone afterwards."""
    expected, mistakes, join = setting
    before = attach.MISTAKES, cluster.join_fragments, cluster.join_likely
    attach.MISTAKES = mistakes
    if not join:
        cluster.join_fragments = cluster.join_likely = lambda _, __: None
    try:
        chosen = GroupingSettings(expected_false_merges=expected)
        labels = cluster.cluster_faces(collection.vectors_nd, chosen, curve=SFACE_CURVE).labels
    finally:
        attach.MISTAKES, cluster.join_fragments, cluster.join_likely = before
    scored = collection.scored_n
    return float(score(collection.labels_n[scored], labels[scored]).bcubed.f1)


def main() -> None:
    """Score all settings on all sets, then leave out one set at a time."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("folder", type=Path)
    sets = [one.clean() for one in load_folder(parser.parse_args().folder)]
    settings = list(itertools.product(FALSE_MERGES, MISTAKES, (True, False)))
    table = np.array([[bcubed(one, setting) for one in sets] for setting in settings])
    default = table[settings.index(DEFAULT)]
    rows = {}
    for left_out, one in enumerate(sets):
        others = np.delete(np.arange(len(sets)), left_out)
        chosen = int(np.argmax(table[:, others].mean(axis=1)))
        rows[one.name] = {
            "chosen_on_the_others": settings[chosen],
            "chosen": round(float(table[chosen, left_out]), 4),
            "default": round(float(default[left_out]), 4),
            "best_in_hindsight": round(float(table[:, left_out].max()), 4),
        }
        sys.stderr.write(f"{one.name:15} {rows[one.name]}\n")
    every = {" ".join(map(str, setting)): table[i].round(4).tolist() for i, setting in enumerate(settings)}
    print(json.dumps({"sets": [one.name for one in sets], "left_out": rows, "all": every}, indent=1))


if __name__ == "__main__":
    main()
