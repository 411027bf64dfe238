"""A new face, without grouping again: does it go where grouping again would put it, and how long does it take?

    python benchmarks/grouping/adding.py FOLDER [--sets NAME ...] [--seeds 5] [--rows 1000000]

FOLDER holds the .npz files of embed.py. A tenth of the faces is held out by chance, the rest is grouped, and each face
held out is assigned by `unmingle.grouping.attach`. Then everything is grouped at once. Each person of the first
grouping is matched with the cluster of the second that holds most of their faces. A face agrees if its cluster in the
second grouping is that of the person it was assigned to; or, with nobody, if no person is matched with its cluster (it
is alone, joined only other held-out faces, or left with a few faces of a person whose others went elsewhere). The
stricter measure wants the one person who gave its cluster the most faces. Over the faces whose person is known:
whether the nearest person is right as often as `probability` says.

Last, time to assign one face among so many made-up ones (five a person, on average; a fifth of the people have one
face only), and how often the answer is the one of a comparison with all people. JSON on stdout.
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
from calibration import bins, majority
from collection import load_folder
from scipy.sparse import csr_array

from unmingle.grouping.attach import Assigner
from unmingle.grouping.cluster import cluster_faces
from unmingle.grouping.impostors import SFACE_CURVE
from unmingle.settings import GroupingSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from collection import Collection

    from unmingle.grouping.attach import Assigned
    from unmingle.records import F32, F64, I64, Bool

NOBODY = -1
ASKED = 500
ROWS_MADE = 50_000
DIMENSIONS = 128
NOISE = 0.9  # two faces of a person then have a cosine of about 0.55


def agreement(full_n: I64, kept_m: I64, people_m: I64, held_h: I64, given_h: I64) -> tuple[Bool, Bool]:
    """For each face held out: whether its person's faces are with it in the full grouping, and the stricter measure.

    Args:
        full_n: (n,) clusters of all faces.
        kept_m: (m,) rows of those that were grouped first.
        people_m: (m,) their people.
        held_h: (h,) rows of the others.
        given_h: (h,) the people they were assigned to, NOBODY for none.
    """
    shared = csr_array((np.ones(len(kept_m)), (people_m, full_n[kept_m]))).tocsr()
    goes_to = np.asarray(shared.argmax(axis=1)).ravel()
    there = full_n[held_h]
    inhabited = np.isin(there, goes_to)
    agrees = np.where(given_h >= 0, goes_to[given_h] == there, ~inhabited)
    from_most = np.full(full_n.max() + 1, NOBODY)
    from_most[: shared.shape[1]] = np.where(shared.sum(axis=0) > 0, np.asarray(shared.argmax(axis=0)).ravel(), NOBODY)
    return agrees, from_most[there] == given_h


def held_out(collection: Collection, full_n: I64, seed: int) -> tuple[Bool, Bool, F64, Bool]:
    """Both measures for a random tenth, and of the known faces among it the probability and whether it was right."""
    vectors, n = collection.vectors_nd, len(full_n)
    shuffled = np.random.default_rng(seed).permutation(n)
    held, kept = np.sort(shuffled[: n // 10]), np.sort(shuffled[n // 10 :])
    settings = GroupingSettings()
    people = cluster_faces(vectors[kept], settings, curve=SFACE_CURVE)
    scale = dict(people.notes)["scale"]
    assigner = Assigner(vectors[kept], people.labels, SFACE_CURVE, scale=scale, expected=settings.expected_false_merges)
    found = assigner.assign_many(vectors[held])
    given = np.array([NOBODY if one.label is None else one.label for one in found])
    loose, strict = agreement(full_n, kept, people.labels, held, given)
    person = np.where(collection.scored_n, np.unique(collection.labels_n, return_inverse=True)[1], -1)
    chief = majority(person[kept], people.labels, int(people.labels.max()) + 1)
    return loose, strict, *known_faces(found, person[held], chief)


def known_faces(found: Sequence[Assigned], person_h: I64, chief_c: I64) -> tuple[F64, Bool]:
    nearest = np.array([one.nearest for one in found])
    known = (person_h >= 0) & (chief_c[nearest] >= 0)
    return np.array([one.probability for one in found])[known], (chief_c[nearest] == person_h)[known]


def judged(collection: Collection, seeds: int) -> dict[str, Any]:
    full = cluster_faces(collection.vectors_nd, GroupingSettings(), curve=SFACE_CURVE).labels
    columns = zip(*(held_out(collection, full, seed) for seed in range(seeds)), strict=True)
    loose, strict, chance, right = map(np.concatenate, columns)
    table = bins(chance, right)
    gap = sum(row["cases"] * abs(row["probability"] - row["right"]) for row in table) / max(1, len(chance))
    return {
        "faces": len(loose),
        "agreement": round(float(loose.mean()), 4),
        "agreement_strict": round(float(strict.mean()), 4),
        "calibration_error": round(gap, 4),
        "bins": table,
    }


def made_up(rows: int) -> tuple[F32, I64, F32]:
    """Faces, their people, and some new faces of some of them."""
    random = np.random.default_rng(0)
    people = max(5, rows // 5)
    person = np.sort(np.concatenate([np.arange(people), random.integers(0, people - people // 5, rows - people)]))
    looks = random.normal(size=(people, DIMENSIONS)).astype(np.float32)
    vectors = np.empty((rows, DIMENSIONS), np.float32)
    for start in range(0, rows, ROWS_MADE):
        part = looks[person[start : start + ROWS_MADE]]
        vectors[start : start + ROWS_MADE] = part + NOISE * random.standard_normal(part.shape, np.float32)
    whose = random.integers(0, people, ASKED)
    return vectors, person, looks[whose] + NOISE * random.standard_normal((ASKED, DIMENSIONS), np.float32)


def timed(rows: int) -> dict[str, float]:
    """Milliseconds a face, one by one."""
    vectors, person, asked = made_up(rows)
    start = time.perf_counter()
    assigner = Assigner(vectors, person, SFACE_CURVE)
    build = time.perf_counter() - start
    assigner.assign_many(asked[:1])
    took, found = [], []
    for face in asked:
        start = time.perf_counter()
        found.append(assigner.assign_many(face[None])[0].label is not None)
        took.append(1000 * (time.perf_counter() - start))
    return {
        "rows": rows,
        "people": int(person.max()) + 1,
        "build_seconds": round(build, 1),
        "milliseconds_median": round(float(np.median(took)), 2),
        "milliseconds_worst": round(max(took), 2),
        "found_somebody": round(float(np.mean(found)), 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", nargs="*", default=["lfw_a", "pins_a", "umist", "meeting", "sitcom"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rows", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    options = parser.parse_args()
    result: dict[str, Any] = {"agreement": {}, "time": []}
    for collection in load_folder(options.folder, options.sets):
        result["agreement"][collection.name] = one = judged(collection, options.seeds)
        sys.stderr.write(f"{collection.name:16} { ({key: value for key, value in one.items() if key != 'bins'}) }\n")
    for rows in options.rows:
        result["time"].append(timed(rows))
        sys.stderr.write(f"{result['time'][-1]}\n")
    result["peak_megabytes"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)  # kilobytes on Linux
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
