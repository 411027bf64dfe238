"""Are the probabilities of unmingle.grouping.confidence right? Fits them, and measures them on other people.

    python benchmarks/grouping/calibration.py FOLDER --fit lfw_a families_a --others pins_a umist [--plot diagram.png]

FOLDER holds the .npz files of embed.py. The people of each `--fit` collection are split in two halves, whole families
where labels are FAMILY_MEMBER. Coefficients are fitted on the one half: on all its faces, and on random sub-collections
of 5 to 400 of its people (any people; people with four faces or more, as in a family album; people drawn by their
number of faces), so that small collections count as much as large ones. What is measured are the coefficients in the
package, on the other half in the same ways, and on the `--others`, none of whose faces was seen in the fit. The fitted
ones are printed to be copied there. Which features there are was decided with an eye on these measures too, so they
are a little kind; the fit itself has not seen them.

Clusters are those of `cluster_faces`, mistakes included. A face is right if its person is the majority of its cluster;
in a tie nobody is. A single face is rightly alone if no other face in the collection is of its person. Two clusters are
one person if their majorities are. New faces are a third of those of seven people in ten, and all of the other three's;
one is right if its person is the majority of the nearest cluster. Since decisions put faces together, too, the fit of
faces knows some that were put with strangers. Faces and pairs are measured at the default strictness; pairs also at two
stricter ones, which leave more fragments behind. The expected calibration error is over ten equal bins; for pairs over
those with a probability of at least 0.05, as most pairs are nothing. JSON on stdout.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from collection import Collection
from scipy.optimize import minimize
from scipy.special import expit, log_expit, logit

from unmingle.grouping import confidence
from unmingle.grouping.attach import Assigner
from unmingle.grouping.cluster import cluster_faces
from unmingle.grouping.impostors import SFACE_CURVE
from unmingle.grouping.threshold import cluster_excess
from unmingle.settings import GroupingSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from unmingle.records import F32, F64, I64, Bool

SIZES = ((5, 40), (20, 20), (100, 10), (400, 3))  # people, and how many sub-collections of each kind
KINDS = ("any", "album", "by faces")
ALBUM = (4, 25)  # faces of people in an album: at least, and at most so many of them
WHOLE = "whole"
FACES_AT = (0.02, 0.05)  # expected_false_merges of the clusterings that faces are fitted on
PAIRS_AT = (0.02, 1e-3, 1e-5)
DEFAULT = GroupingSettings().expected_false_merges
LEAST_Z = 1.0
LEAST_SHOWN = 0.05
BINS = 10
RIDGE = 1e-4
KNOWN, HELD_BACK = 0.7, 1 / 3  # of the people, and of the faces of each of these
FAMILY = "families"  # collections of that name have labels FAMILY_MEMBER
PLANTED = 0.3  # faces put with strangers, for each that the grouping put with somebody


@dataclass(frozen=True, slots=True, eq=False)
class Cases:
    """features_mf: (m, f). right_m: (m,) bool. weight_m: (m,) of a case in the fit."""

    features_mf: F64
    right_m: Bool
    weight_m: F64

    @classmethod
    def joined(cls, parts: Iterable[Cases]) -> Cases:
        """All cases of several."""
        return cls(*map(np.concatenate, zip(*((p.features_mf, p.right_m, p.weight_m) for p in parts), strict=True)))


def majority(person_n: I64, slot_n: I64, clusters: int) -> I64:
    """(c,) the person of most scored faces of each cluster; -1 in a tie or without any. person_n: -1 if not scored."""
    scored = person_n >= 0
    key, count = np.unique(np.stack([slot_n[scored], person_n[scored]], axis=1), axis=0, return_counts=True)
    order = np.lexsort((-count, key[:, 0]))
    slot, who, count = key[order, 0], key[order, 1], count[order]
    first = np.flatnonzero(np.diff(slot, prepend=-1))
    tied = np.zeros(len(slot), np.bool_)
    tied[:-1] = (slot[1:] == slot[:-1]) & (count[1:] == count[:-1])
    result = np.full(clusters, -1, np.int64)
    result[slot[first]] = np.where(tied[first], -1, who[first])
    return result


def cases(collection: Collection, expected: float, weight: float = 1.0) -> dict[str, Cases]:
    """Faces, single faces and pairs of one clustering."""
    vectors = collection.vectors_nd
    person = np.where(collection.scored_n, np.unique(collection.labels_n, return_inverse=True)[1], -1)
    found = cluster_faces(vectors, GroupingSettings(expected_false_merges=expected), curve=SFACE_CURVE)
    scale = dict(found.notes)["scale"]
    slot, (mean, size) = found.labels, confidence.label_means(vectors, found.labels)
    chief = majority(person, slot, len(size))
    faces = np.bincount(person[person >= 0])
    many = np.flatnonzero((size[slot] > 1) & (person >= 0))
    single = np.flatnonzero((size[slot] == 1) & (person >= 0))
    excess = cluster_excess(mean, size, SFACE_CURVE)
    given = mean, size, excess, SFACE_CURVE
    of_faces = confidence.face_features(vectors, many, slot[many], *given, scale=scale)
    weak = int(np.count_nonzero(of_faces[:, 0] < confidence.sure(np.array(confidence.WEAK))))
    of_single = confidence.alone_features(slot[single], *given, scale=scale, weak=weak)
    pairs, of_pairs = all_pairs(mean, size, excess, chief, scale)
    each, every = weight / len(vectors), weight / len(size)
    return {
        "face": Cases(of_faces, person[many] == chief[slot[many]], np.full(len(many), each)),
        "alone": Cases(of_single, faces[person[single]] == 1, np.full(len(single), each)),
        "pair": Cases(of_pairs, chief[pairs[:, 0]] == chief[pairs[:, 1]], np.full(len(pairs), every)),
        "planted": planted(len(many), len(size), each),
        "new": new_faces(collection, expected, weight),
    }


def planted(faces: int, clusters: int, weight: float) -> Cases:
    """Faces that were put with strangers."""
    z = np.random.default_rng(faces).normal(size=round(PLANTED * faces))
    found = confidence.sure(confidence.evidence(z, clusters))
    features = np.stack([found, np.minimum(0, found - confidence.FOUND)], axis=1)
    return Cases(features, np.zeros(len(z), np.bool_), np.full(len(z), weight))


def new_faces(collection: Collection, expected: float, weight: float) -> Cases:
    """Faces looked up among the people of others."""
    random = np.random.default_rng(len(collection.labels_n))
    row = np.flatnonzero(collection.scored_n)
    person = np.unique(collection.labels_n[row], return_inverse=True)[1]
    people = random.permutation(person.max(initial=-1) + 1)
    new = np.isin(person, people[round(KNOWN * len(people)) :]) | (random.random(len(row)) < HELD_BACK)
    vectors, kept = collection.vectors_nd[row], np.flatnonzero(~new)
    nothing = Cases(np.zeros((0, 3)), np.zeros(0, np.bool_), np.zeros(0))
    if not new.any() or not len(kept):
        return nothing
    found = cluster_faces(vectors[kept], GroupingSettings(expected_false_merges=expected), curve=SFACE_CURVE)
    several = np.bincount(found.labels)[found.labels] > 1
    if not several.any():
        return nothing
    kept, (_, slot) = kept[several], np.unique(found.labels[several], return_inverse=True)
    chief = majority(person[kept], slot, int(slot.max()) + 1)
    assigner = Assigner(vectors[kept], slot, SFACE_CURVE, scale=dict(found.notes)["scale"])
    told = assigner.assign_many(vectors[new])
    # What the curve makes of the evidence tells it.
    intercept, slope, by_loose, by_both = confidence.FITTED["new"]
    chance, loose = np.array([one.probability for one in told]), assigner.loose
    found = (logit(chance) - intercept - by_loose * loose) / (slope + by_both * loose)
    features = np.stack([found, np.full(len(found), loose), found * loose], axis=1)
    right = chief[[one.nearest for one in told]] == person[new]
    return Cases(features, right, np.full(len(right), weight / max(1, len(right))))


def all_pairs(mean: F32, size: I64, excess_c: F64, chief_c: I64, scale: float) -> tuple[I64, F64]:
    """Pairs of clusters of known people that are a little more alike than most, and their features."""
    beyond_cc = mean @ mean.T - (excess_c[:, None] + excess_c) / 2 - SFACE_CURVE.mean
    z_cc = beyond_cc / (scale * SFACE_CURVE.deviation(size[:, None], size[None]))
    known = chief_c >= 0
    pairs = np.argwhere(np.triu((z_cc >= LEAST_Z) & known[:, None] & known, 1))
    smaller = np.minimum(size[pairs[:, 0]], size[pairs[:, 1]])
    weak = confidence.weakness(mean, size, SFACE_CURVE, scale=scale)
    return pairs, confidence.pair_features(z_cc[pairs[:, 0], pairs[:, 1]].astype(np.float64), smaller, len(size), weak)


def split_people(collection: Collection, random: np.random.Generator) -> list[I64]:
    """Two halves of the people, by number, and no family in both."""
    people = np.unique(collection.labels_n)
    family = np.unique(
        np.char.partition(people, "_")[:, 0] if FAMILY in collection.name else people, return_inverse=True
    )[1]
    halves = np.array_split(random.permutation(family.max() + 1), 2)
    return [np.flatnonzero(np.isin(family, half)) for half in halves]


def draws(
    collection: Collection, people_p: I64, random: np.random.Generator
) -> Iterator[tuple[str, Collection, float]]:
    """The faces of these people, and random sub-collections of them: kind, faces, weight in the fit."""
    person = np.unique(collection.labels_n, return_inverse=True)[1]
    size_p = np.bincount(person)[people_p]
    yield WHOLE, collection.only(np.flatnonzero(np.isin(person, people_p))), 1.0
    chances = (np.ones(len(people_p)), size_p >= ALBUM[0], np.minimum(size_p, 20))
    for kind, chance in zip(KINDS, chances, strict=True):
        share = chance / chance.sum()
        for people, times in SIZES:
            for _ in range(times):
                count = min(people, np.count_nonzero(share) * 3 // 4)
                row = np.flatnonzero(np.isin(person, random.choice(people_p, count, replace=False, p=share)))
                if kind == "album":
                    row = thinned(row, person, ALBUM[1], random)
                yield kind, collection.only(row), 1 / times


def thinned(row_m: I64, person_n: I64, most: int, random: np.random.Generator) -> I64:
    """At most so many faces of each person, by chance."""
    row = random.permutation(row_m)
    row = row[np.argsort(person_n[row], kind="stable")]
    first = np.searchsorted(person_n[row], person_n[row])
    return np.sort(row[np.arange(len(row)) - first < most])


def fit(cases: Cases, *, mistaken: bool = False) -> list[float]:
    """Intercept and weights of the most likely logistic curve; mistaken: as many labels are wrong as fits best."""
    centre, spread = cases.features_mf.mean(axis=0), np.maximum(cases.features_mf.std(axis=0), 1e-9)
    design = np.concatenate([np.ones((len(cases.right_m), 1)), (cases.features_mf - centre) / spread], axis=1)
    sign, share = np.where(cases.right_m, 1.0, -1.0), cases.weight_m / cases.weight_m.sum()

    def loss(values: F64) -> tuple[float, F64]:
        weights, wrong = values[:-1], float(expit(values[-1])) if mistaken else 0.0
        margin = sign * (design @ weights)
        right, other = np.log1p(-wrong) + log_expit(margin), logit(wrong) + np.log1p(-wrong) + log_expit(-margin)
        log_chance = np.logaddexp(right, other)
        of_margin = share * (1 - 2 * wrong) * np.exp(log_expit(margin) + log_expit(-margin) - log_chance)
        of_wrong = -(share * np.exp(-log_chance) * (1 - 2 * expit(margin))).sum() * wrong * (1 - wrong)
        ridge = RIDGE * np.concatenate([[0], weights[1:]])
        gradient = -design.T @ (sign * of_margin) + 2 * ridge
        return float(-(share * log_chance).sum() + ridge @ weights), np.append(gradient, of_wrong)

    start = np.append(np.zeros(design.shape[1]), -3.0)
    weights = minimize(loss, start, jac=True, method="BFGS").x[:-1]
    slopes = weights[1:] / spread
    return [round(float(value), 3) for value in (weights[0] - slopes @ centre, *slopes)]


def bins(chance_m: F64, right_m: Bool) -> list[dict[str, float]]:
    """For each of ten bins that is not empty: cases, mean probability, share that is right."""
    index = np.minimum((chance_m * BINS).astype(np.int64), BINS - 1)
    return [
        {
            "cases": int((index == one).sum()),
            "probability": round(float(chance_m[index == one].mean()), 4),
            "right": round(float(right_m[index == one].mean()), 4),
        }
        for one in np.unique(index)
    ]


def judged(cases: Cases, coefficients: tuple[float, ...], least: float = 0.0) -> dict[str, Any]:
    """The measures; `least`: only cases of that probability, but for the two sums."""
    chance, right = confidence.probability(cases.features_mf, coefficients), cases.right_m
    shown = chance >= least
    table = bins(chance[shown], right[shown])
    gap = sum(row["cases"] * abs(row["probability"] - row["right"]) for row in table)
    base = float(right[shown].mean()) if shown.any() else float("nan")
    return {
        "cases": int(shown.sum()),
        "right_of_all": int(right.sum()),
        "right_expected": round(float(chance.sum()), 1),
        "share_right": round(base, 4),
        "calibration_error": round(gap / max(1, shown.sum()), 4),
        "brier": round(float(np.square(chance[shown] - right[shown]).mean()), 4) if shown.any() else None,
        "brier_of_base_rate": round(base * (1 - base), 4),
        "bins": table,
    }


def measured(parts: Iterable[tuple[str, dict[float, dict[str, Cases]]]]) -> dict[str, Any]:
    """For each name, over all its clusterings: faces and single faces at the default, pairs at every strictness."""
    pooled: dict[str, list[dict[float, dict[str, Cases]]]] = {}
    for name, by_expected in parts:
        pooled.setdefault(name, []).append(by_expected)
    result: dict[str, Any] = {}
    for name, several in pooled.items():
        own: dict[str, Any] = {}
        for what in ("face", "alone", "new"):
            own[what] = judged(Cases.joined(p[DEFAULT][what] for p in several), confidence.FITTED[what])
        for expected in PAIRS_AT:
            pairs = Cases.joined(p[expected]["pair"] for p in several)
            own[f"pair, expected {expected:g}"] = judged(pairs, confidence.FITTED["pair"], LEAST_SHOWN)
        result[name] = own
    return result


def plot(result: dict[str, Any], path: Path) -> None:
    """Reliability diagrams: mean probability against share right, by bin; the area of a dot follows its cases."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(13, 4.6), constrained_layout=True)
    panels = ("face", "alone", f"pair, expected {PAIRS_AT[-1]:g}")
    for axis, what, title in zip(axes, panels, ("faces", "single faces", "pairs of clusters"), strict=True):
        axis.plot([0, 1], [0, 1], color="0.7", linewidth=1)
        for name, own in result.items():
            table = [row for row in own[what]["bins"] if row["cases"] >= 5]
            x, y = [row["probability"] for row in table], [row["right"] for row in table]
            (line,) = axis.plot(x, y, linewidth=1, label=name)
            axis.scatter(x, y, [6 + 12 * np.log10(row["cases"]) for row in table], color=line.get_color())
        axis.set(title=title, xlabel="probability", ylabel="share right", xlim=(0, 1), ylim=(0, 1))
    axes[0].legend(fontsize="small")
    figure.savefig(path, dpi=120)


def clustered(collection: Collection, settings: Iterable[float], weight: float = 1.0) -> dict[float, dict[str, Cases]]:
    return {expected: cases(collection, expected, weight) for expected in settings}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--fit", nargs="*", default=["lfw_a", "families_a"], help="the collections that are split in two"
    )
    parser.add_argument("--others", nargs="*", default=["pins_a", "umist", "meeting", "sitcom", "johns"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    random = np.random.default_rng(options.seed)
    seen: list[dict[float, dict[str, Cases]]] = []
    parts: list[tuple[str, dict[float, dict[str, Cases]]]] = []
    for name in options.fit:
        split = Collection.load(options.folder / f"{name}.npz").clean()
        ours, theirs = split_people(split, random)
        seen += [clustered(part, {*FACES_AT, *PAIRS_AT}, weight) for _, part, weight in draws(split, ours, random)]
        parts += [
            (f"{name}, other half, {kind}", clustered(part, PAIRS_AT)) for kind, part, _ in draws(split, theirs, random)
        ]
    at = {"face": FACES_AT, "alone": FACES_AT, "pair": (DEFAULT,), "new": (DEFAULT,)}
    of = {what: [p[one][what] for p in seen for one in at[what]] for what in at}
    of["face"] += [p[one]["planted"] for p in seen for one in at["face"]]
    fitted = {what: fit(Cases.joined(parts), mistaken=what == "new") for what, parts in of.items()}
    sys.stderr.write(f"fitted: {fitted}\n")

    others = [Collection.load(options.folder / f"{name}.npz") for name in options.others]
    parts += [(other.name, clustered(other, PAIRS_AT)) for other in others]
    result = measured(parts)
    for name, own in result.items():
        errors = "  ".join(f"{what} {one['calibration_error']:.4f} ({one['cases']})" for what, one in own.items())
        sys.stderr.write(f"{name:24} {errors}\n")
    if options.plot:
        plot(result, options.plot)
    print(json.dumps({"fitted": fitted, "calibration": result}, indent=1))


if __name__ == "__main__":
    main()
