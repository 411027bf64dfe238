"""How similar are strangers? Measures a model's impostor curve (unmingle.grouping.impostors) on labelled embeddings.

    python benchmarks/impostor_curve.py lfw.npz

The .npz holds `vectors` (n, d) and `labels` (n,). Use a collection with many hundreds of people that differ as people
in the world do: constants from a small or narrow set don't carry over. JSON on stdout.

The last lines of the output check the normal model against the pairs themselves.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

from unmingle.grouping.impostors import by_person, measure_curve

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmingle.grouping.impostors import ImpostorModel

    F64 = NDArray[np.float64]


def check(vectors_nd: F64, sizes_p: NDArray[np.int64], curve: ImpostorModel) -> list[dict[str, float]]:
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
    _, sizes = by_person(vectors, labels, 2)
    curve = measure_curve(vectors, labels)
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
