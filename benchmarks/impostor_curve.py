"""How similar are strangers? Measures a model's impostor curve (unmingle.grouping.impostors) on labelled embeddings.

    python benchmarks/impostor_curve.py lfw.npz

The .npz holds `vectors` (n, d) and `labels` (n,). Use a collection with many hundreds of people that differ as people
in the world do: constants from a small or narrow set don't carry over. JSON on stdout.

For each pair of people with at least two faces each, the table of cosines (their a faces × the other's b faces) is
split by a two-way analysis of variance into its mean, what rows and columns add, and the rest. Averaged over pairs of
people with equal weights this gives `faces` and `pairs`; the variance of the tables' means, less what few faces explain
of it, gives `people`. The last lines of the output check the normal model against the pairs themselves.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtr

from unmingle.grouping.impostors import ImpostorCurve

if TYPE_CHECKING:
    from numpy.typing import NDArray

    F64 = NDArray[np.float64]


def by_person(vectors_nd: F64, labels_n: NDArray[Any], least: int) -> tuple[F64, NDArray[np.int64]]:
    """Unit vectors of people with at least so many faces, person after person, and the size of each person."""
    _, person, sizes = np.unique(labels_n, return_inverse=True, return_counts=True)
    keep = np.flatnonzero(sizes[person] >= least)
    order = keep[np.argsort(person[keep], kind="stable")]
    unit = vectors_nd[order] / np.linalg.norm(vectors_nd[order], axis=1, keepdims=True)
    return unit, sizes[np.flatnonzero(sizes >= least)]


def moments(vectors_nd: F64, sizes_p: NDArray[np.int64]) -> ImpostorCurve:
    """The curve by the method of moments over all pairs of people."""
    starts = np.concatenate([[0], np.cumsum(sizes_p)[:-1]])
    means_pd = np.add.reduceat(vectors_nd, starts, axis=0) / sizes_p[:, None]
    rest, faces, between = [], [], []
    for first in range(len(sizes_p) - 1):
        a, begin = sizes_p[first], starts[first + 1]
        mine = vectors_nd[starts[first] : starts[first] + a]
        b = sizes_p[first + 1 :]
        cosines = mine @ vectors_nd[begin:].T
        columns = cosines.mean(axis=0)  # my faces' average, for each face of another
        rows = mine @ means_pd[first + 1 :].T  # another's faces' average, for each of mine
        grand = rows.mean(axis=0)
        inner = starts[first + 1 :] - begin
        left = cosines - rows[:, np.repeat(np.arange(len(b)), b)] - columns + grand[np.repeat(np.arange(len(b)), b)]
        c = np.add.reduceat((left**2).sum(axis=0), inner) / ((a - 1) * (b - 1))
        by_rows = rows.var(axis=0, ddof=1) - c / b
        by_columns = np.add.reduceat((columns - grand[np.repeat(np.arange(len(b)), b)]) ** 2, inner) / (b - 1) - c / a
        rest.append(c)
        faces.append((by_rows + by_columns) / 2)
        between.append(np.stack([grand, 1 / a + 1 / b, 1 / (a * b)]))
    pairs, single = float(np.concatenate(rest).mean()), float(np.concatenate(faces).mean())
    grand, per_face, per_pair = np.concatenate(between, axis=1)
    people = float(grand.var() - single * per_face.mean() - pairs * per_pair.mean())
    return ImpostorCurve(mean=float(grand.mean()), people=people, faces=single, pairs=pairs)


def check(vectors_nd: F64, sizes_p: NDArray[np.int64], curve: ImpostorCurve) -> list[dict[str, float]]:
    """Expected and seen share of strangers' single pairs above some bars."""
    person = np.repeat(np.arange(len(sizes_p)), sizes_p)
    one = np.ones(1, np.int64)
    deviation = float(curve.deviation(one, one)[0])
    bars = np.array([0.2, 0.3, 0.363, 0.4, 0.45, 0.5])
    above, total = np.zeros(len(bars)), 0
    for start in range(0, len(person), 1024):
        cosines = vectors_nd[start : start + 1024] @ vectors_nd.T
        strangers = cosines[person[start : start + 1024, None] != person[None]]
        total += len(strangers)
        above += [(strangers >= bar).sum() for bar in bars]
    model = ndtr((curve.mean - bars) / deviation)
    return [
        {"cosine": float(bar), "normal": float(m), "seen": float(s / total)}
        for bar, m, s in zip(bars, model, above, strict=True)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("embeddings", type=Path)
    loaded = np.load(parser.parse_args().embeddings)
    vectors, labels = loaded["vectors"].astype(np.float64), loaded["labels"]
    unit, sizes = by_person(vectors, labels, 2)
    curve = moments(unit, sizes)
    everyone, all_sizes = by_person(vectors, labels, 1)
    result = {
        "people": len(sizes),
        "mean": round(curve.mean, 4),
        "variance_people": round(curve.people, 5),
        "variance_faces": round(curve.faces, 5),
        "variance_pairs": round(curve.pairs, 5),
        "single_pairs": check(everyone, all_sizes, curve),
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
