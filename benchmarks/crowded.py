"""What the local impostor distribution does where strangers are alike: small children, and mixtures with others.

    python benchmarks/crowded.py CHILDREN OTHERS ...

Each is an .npz of labelled embeddings, as grouping/embed.py writes them; labels of CHILDREN are FAMILY_MEMBER. Grouped
are CHILDREN, two halves of its families, the faces that are one cluster without (a crowd and nobody else), each of
OTHERS, and CHILDREN and the crowd with each of these, once with the local excess of strangers and once without; the
halves with other numbers of nearest strangers. `strays`: of clusters of more
than 30 faces, the largest share that is not the majority's, where each collection has a majority of its own: famous
people are in several, under other labels (looked at: the two large clusters of relatives with news photographs or
celebrities that seemed mixed are one person each).

`constants`: mean BCubed F and the most strays over random nine tenths of each, and of made-up crowds alone, with other
constants for crowds; `left_out`: where a constant is chosen without a collection and all mixtures that hold it (the
best mean of those without more than 5 % of strays, where there are such), what it gets on these, beside the default and
the best for them.

`small`: of random 30 to 59 faces of the crowd beside 30 to 599 of another collection, how many draws have a cluster of
more than 30 faces with more than 5 % of strays if pictures are of unknown quality, and if all are good ones. `loose`:
what each collection has, all good, where 20 faces are enough to be taken for a crowd. JSON on stdout.
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
from unmingle.grouping import threshold
from unmingle.grouping.cluster import cluster_faces
from unmingle.grouping.impostors import SFACE_CURVE
from unmingle.settings import GroupingSettings

if TYPE_CHECKING:
    from unmingle.records import I64

NEIGHBOURS = (10, 20, 30, 50, 100)
# Values of constants in `threshold`, which is given last here as it is; and random parts of each collection.
CONSTANTS = {
    "MANY_CLUSTERS": (1, 200, 500, 2000, threshold.MANY_CLUSTERS),
}
DRAWS, SHARE = 3, 0.9
MOST_STRAYS = 0.05
MADE_UP = 40
SMALL_DRAWS = 60


def grouped(collection: Collection, neighbours: int, *, quality: float | None = None) -> I64:
    quality_n = None if quality is None else np.full(len(collection.labels_n), quality)
    with patch("unmingle.grouping.threshold.NEIGHBOURS", neighbours):
        return cluster_faces(collection.vectors_nd, GroupingSettings(), curve=SFACE_CURVE, quality_n=quality_n).labels


def measured(
    collection: Collection,
    *,
    local: bool = True,
    neighbours: int = 20,
    first: int | None = None,
    quality: float | None = None,
) -> dict[str, float]:
    """Scores of one clustering. first: faces of the first of two collections. quality: of all pictures."""
    labels_n = grouped(collection, neighbours if local else 0, quality=quality)
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


def made_up(seed: int) -> Collection:
    """A crowd and nobody else, of people with one to five faces, more or less alike."""
    random = np.random.default_rng(seed)
    strangers = random.uniform(0.2, 0.4)
    own = max(0.5, strangers + 0.15)
    sizes = random.integers(1, 6, random.integers(30, 120))
    person_n = np.repeat(np.arange(len(sizes)), sizes)
    shared, people, rest = (random.normal(size=(n, 128)) for n in (1, person_n.max() + 1, len(person_n)))
    vectors = strangers**0.5 * shared + (own - strangers) ** 0.5 * people[person_n] + (1 - own) ** 0.5 * rest
    return Collection("made up", vectors.astype(np.float32), person_n.astype(str), person_n >= 0, np.arange(len(rest)))


def small_crowds(crowd: Collection, others: list[Collection]) -> dict[str, dict[str, float]]:
    """Mean scores of draws, and how many have a cluster of strangers."""
    drawn: dict[str, list[dict[str, float]]] = {"unknown": [], "good": []}
    for seed in range(SMALL_DRAWS):
        random, other = np.random.default_rng(seed), others[seed % len(others)]
        some, beside = random.integers(30, 60), min(len(other.labels_n), random.integers(30, 600))
        rows, rest = (
            np.sort(random.choice(len(of.labels_n), size, replace=False))
            for of, size in ((crowd, some), (other, beside))
        )
        both = together(crowd.only(rows), other.only(rest))
        for name, quality in (("unknown", None), ("good", 1.0)):
            drawn[name].append(measured(both, first=some, quality=quality))
    return {
        name: {
            "draws": len(each),
            "with_strays": sum(one["strays"] > MOST_STRAYS for one in each),
            "bcubed_f": round(float(np.mean([one["bcubed_f"] for one in each])), 4),
            "pairwise_f": round(float(np.mean([one["pairwise_f"] for one in each])), 4),
        }
        for name, each in drawn.items()
    }


def loose(collections: list[Collection]) -> dict[str, dict[str, dict[str, float]]]:
    found = {}
    for one in collections:
        with patch("unmingle.grouping.refine.CROWD_FACES", 20):
            found[one.name] = {"without": measured(one), "with": measured(one, quality=1.0)}
    return found


def with_constants(sets: dict[str, list[Collection]]) -> dict[str, dict[str, dict[str, dict[str, float]]]]:
    """Per constant, value and name: mean BCubed F and most strays over some collections."""
    found: dict[str, dict[str, dict[str, dict[str, float]]]] = {}
    for constant, values in CONSTANTS.items():
        for value in values:
            for name, parts in sets.items():
                with patch(f"unmingle.grouping.threshold.{constant}", value):
                    each = [measured(part) for part in parts]
                of_value = found.setdefault(constant, {}).setdefault(f"{value:g}", {})
                of_value[name] = {
                    "bcubed_f": round(float(np.mean([one["bcubed_f"] for one in each])), 4),
                    "strays": max(one["strays"] for one in each),
                }
                sys.stderr.write(f"{constant} {value:g} {name}: {of_value[name]}\n")
    return found


def left_out(by_value: dict[str, dict[str, dict[str, float]]], sources: list[str]) -> dict[str, dict[str, object]]:
    """What one constant gets on the collections that hold each source, if chosen on the others."""
    result: dict[str, dict[str, object]] = {}
    default = list(by_value)[-1]

    def mean(value: str, names: list[str]) -> float:
        return float(np.mean([by_value[value][name]["bcubed_f"] for name in names]))

    for source in sources:
        held = [name for name in by_value[default] if source in name.split(" + ")]
        others = [name for name in by_value[default] if name not in held]
        pure = [v for v in by_value if max(by_value[v][name]["strays"] for name in others) <= MOST_STRAYS]
        chosen = max(pure or list(by_value), key=lambda value: mean(value, others))
        best = max(by_value, key=lambda value: mean(value, held))
        scores = {
            way: round(mean(v, held), 4) for way, v in (("bcubed_f", chosen), ("default", default), ("best", best))
        }
        result[source] = {"chosen": float(chosen), **scores}
    return result


def parts(collection: Collection) -> list[Collection]:
    """Random nine tenths of a collection."""
    n = len(collection.labels_n)
    draws = (np.random.default_rng(seed).choice(n, int(SHARE * n), replace=False) for seed in range(DRAWS))
    return [collection.only(np.sort(rows)) for rows in draws]


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
    small, few = small_crowds(crowd, others), loose([children, *others])
    sys.stderr.write(f"small: {small}\nloose: {few}\n")
    alone = [children, crowd, *others]
    sets = {one.name: parts(one) for one in (*alone, *(together(crowd, other) for other in others))}
    sets["made up"] = [made_up(seed) for seed in range(MADE_UP)]
    constants = with_constants(sets)
    chosen = {
        name: left_out(by_value, [*(one.name for one in alone), "made up"]) for name, by_value in constants.items()
    }
    found = {"collections": result, "small": small, "loose": few, "constants": constants, "left_out": chosen}
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
