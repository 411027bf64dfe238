"""Made-up face embeddings as like real ones as aggregate statistics allow, in any number.

    python benchmarks/grouping/generator.py fit lfw.npz --plot curves.png     (writes moments.npz, JSON on stdout)
    python benchmarks/grouping/generator.py draw 100000 faces.npz

A face is the direction of mean + person + noise. The covariances of person and noise come from labelled embeddings by
the method of moments: within people over those with two faces or more, between people over all, less what few faces
explain of it. Gaussians alone leave three differences to the curves of real cosines, and four numbers mend them:

- pairs of one person spread further than one Gaussian's: some pictures are sharp and frontal, others are not. The noise
  of each face has a scale of its own, log-normal (`spread`);
- making a unit vector of a face with much noise draws its noise in: all noise is a little larger (`stretch`);
- the most similar strangers are more similar: there are kinds of people (`kinds`), and people of a kind share a part
  (`alike`) of what sets people apart.

The statistics of Labeled Faces in the Wild to the eyes of SFace lie beside this script in moments.npz: no picture and
no embedding, but two 128 × 128 covariances, so that tests and large runs need no data.
"""

from __future__ import annotations

import argparse
import itertools
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmingle.records import F32, F64, I64

MOMENTS = Path(__file__).with_name("moments.npz")
BLOCK = 1 << 16
# The fit compares these quantiles of cosines of one person; beyond them wrong labels weigh too much.
INNER = np.linspace(0.02, 0.98, 49)
QUANTILES = (0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99)
BARS: tuple[float, ...] = (0.0, 0.1, 0.2, 0.3, 0.363, 0.4, 0.45, 0.5)
TAIL = slice(4, 7)  # 0.363 is the bar that SFace's authors recommend; above 0.45 are a few dozen pairs of LFW
SPREADS = (0.2, 0.25, 0.3, 0.35, 0.4)
STRETCHES = (1.0, 1.02, 1.04, 1.06, 1.08)
KINDS, ALIKES = 200, (0.0, 0.1, 0.15, 0.2, 0.25, 0.3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What Gaussians do not say; see above."""

    spread: float = 0.0
    stretch: float = 1.0
    kinds: int = KINDS
    alike: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Statistics of a collection of unit vectors.

    mean_d:     (d,) mean over people.
    between_dd: (d, d) covariance of people.
    within_dd:  (d, d) covariance of the faces of one person.
    """

    mean_d: F64
    between_dd: F64
    within_dd: F64
    shape: Shape

    @classmethod
    def of(cls, vectors_nd: F64, person_n: I64) -> Moments:
        """By the method of moments, from unit vectors and persons 0 … p-1."""
        size_p = np.bincount(person_n)
        mean_pd = np.zeros((len(size_p), vectors_nd.shape[1]))
        np.add.at(mean_pd, person_n, vectors_nd)
        mean_pd /= size_p[:, None]
        rest_nd = vectors_nd - mean_pd[person_n]
        within_dd = rest_nd.T @ rest_nd / (len(vectors_nd) - len(size_p))
        between_dd = np.cov(mean_pd.T) - within_dd * (1 / size_p).mean()
        return cls(mean_pd.mean(axis=0), between_dd, within_dd, Shape())

    @classmethod
    def load(cls, path: Path = MOMENTS) -> Moments:
        """Of a file that `save` wrote."""
        loaded = np.load(path)
        d = len(loaded["mean"])
        spread, stretch, kinds, alike = loaded["shape"].tolist()
        return cls(
            loaded["mean"].astype(np.float64),
            _square(loaded["between"], d),
            _square(loaded["within"], d),
            Shape(spread=spread, stretch=stretch, kinds=round(kinds), alike=alike),
        )

    def save(self, path: Path) -> None:
        """The upper triangles, in float32."""
        upper = np.triu_indices(len(self.mean_d))
        np.savez(
            path,
            mean=self.mean_d.astype(np.float32),
            between=self.between_dd[upper].astype(np.float32),
            within=self.within_dd[upper].astype(np.float32),
            shape=np.array([self.shape.spread, self.shape.stretch, self.shape.kinds, self.shape.alike]),
        )

    def faces(self, person_n: I64, random: np.random.Generator) -> F32:
        """(n, d) float32 unit vectors, one for each entry: which person it shows, 0 … p-1."""
        shape, d = self.shape, len(self.mean_d)
        between_dd, noise_dd = _root(self.between_dd), _root(self.within_dd) * np.float32(shape.stretch)
        people = int(person_n.max()) + 1
        kind_kd = _normal(random, shape.kinds, d)
        kind_p = random.integers(0, shape.kinds, people)
        person_pd = np.empty((people, d), np.float32)
        for part in _parts(people):
            own_pd = _normal(random, part.stop - part.start, d)
            mixed_pd = np.float32((1 - shape.alike) ** 0.5) * own_pd
            mixed_pd += np.float32(shape.alike**0.5) * kind_kd[kind_p[part]]
            person_pd[part] = self.mean_d.astype(np.float32) + mixed_pd @ between_dd
        faces_nd = np.empty((len(person_n), d), np.float32)
        for part in _parts(len(person_n)):
            # Its mean square is 1, so that the covariance stays what it is.
            scale = np.exp(shape.spread * random.standard_normal(part.stop - part.start) - shape.spread**2)
            noise = _normal(random, part.stop - part.start, d) @ noise_dd
            faces = person_pd[person_n[part]] + scale.astype(np.float32)[:, None] * noise
            faces_nd[part] = faces / np.linalg.norm(faces, axis=1, keepdims=True)
        return faces_nd


def zipf_people(n: int, random: np.random.Generator, *, exponent: float = 2.0, largest: int = 1000) -> I64:
    """(n,) the person of each face, in random order: a share of people that falls as s to -exponent has s faces.

    With the exponent 2 this is Zipf's law: the r-th largest person has 1/r of the faces of the largest.
    """
    share = np.arange(1, largest + 1) ** -exponent
    size = random.choice(np.arange(1, largest + 1), size=n, p=share / share.sum())
    person = np.repeat(np.arange(n), size)[:n] if n else np.zeros(0, np.int64)
    return random.permutation(person)


def generate(n: int, *, seed: int = 0, moments: Moments | None = None) -> tuple[F32, I64]:
    """So many faces and the person of each. The same n and seed give the same faces."""
    random = np.random.default_rng([seed, n])
    person_n = zipf_people(n, random)
    return (Moments.load() if moments is None else moments).faces(person_n, random), person_n


def fit(vectors_nd: F64, person_n: I64) -> Moments:
    """Moments, and the shape whose curves come nearest to the real ones, by trying a grid."""
    moments = Moments.of(vectors_nd, person_n)
    real, strangers = same_person(vectors_nd, person_n, INNER), above(vectors_nd, person_n, BARS)

    def miss(shape: Shape) -> float:
        drawn = replace(moments, shape=shape).faces(person_n, np.random.default_rng(1))
        return float(np.abs(same_person(drawn, person_n, INNER) - real).mean())

    def tail_miss(shape: Shape) -> float:
        """Of the logarithms of the shares of strangers above high bars."""
        drawn = [replace(moments, shape=shape).faces(person_n, np.random.default_rng(seed)) for seed in range(3)]
        share = np.mean([above(faces, person_n, BARS[TAIL]) for faces in drawn], axis=0)
        return float(np.abs(np.log(share + 1e-9) - np.log(strangers[TAIL] + 1e-9)).mean())

    grid = [Shape(spread=spread, stretch=stretch) for spread, stretch in itertools.product(SPREADS, STRETCHES)]
    best = min(grid, key=miss)
    best = min((replace(best, alike=alike) for alike in ALIKES), key=tail_miss)
    return replace(moments, shape=best)


def same_person(vectors_nd: NDArray[Any], person_n: I64, quantiles: NDArray[Any]) -> F64:
    """Quantiles of the cosines of two faces of one person; every person with two faces or more weighs the same."""
    order = np.argsort(person_n, kind="stable")
    groups = np.split(vectors_nd[order], np.flatnonzero(np.diff(person_n[order])) + 1)
    cosines = [(group @ group.T)[np.triu_indices(len(group), 1)] for group in groups if len(group) > 1]
    weight = np.concatenate([np.full(len(part), 1 / len(part)) for part in cosines])
    cosine = np.concatenate(cosines)
    rising = np.argsort(cosine)
    result: F64 = np.interp(quantiles, np.cumsum(weight[rising]) / weight.sum(), cosine[rising])
    return result


def above(vectors_nd: NDArray[Any], person_n: I64, bars: tuple[float, ...]) -> F64:
    """Share of pairs of faces of different people above each cosine."""
    count, total = np.zeros(len(bars)), 0
    for start in range(0, len(vectors_nd), 1024):
        cosines = vectors_nd[start : start + 1024] @ vectors_nd.T
        strangers = np.sort(cosines[person_n[start : start + 1024, None] != person_n])
        count += len(strangers) - np.searchsorted(strangers, bars, side="right")
        total += len(strangers)
    return count / total


def curves(vectors_nd: NDArray[Any], person_n: I64) -> dict[str, Any]:
    return {
        "one_person_quantiles": dict(
            zip(map(str, QUANTILES), same_person(vectors_nd, person_n, np.array(QUANTILES)).round(4), strict=True)
        ),
        "strangers_above": {
            str(bar): float(f"{share:.4g}") for bar, share in zip(BARS, above(vectors_nd, person_n, BARS), strict=True)
        },
    }


def check(moments: Moments, vectors_nd: F64, person_n: I64) -> dict[str, Any]:
    """The curves of the real faces and of as many drawn ones with the same people, and how far they lie apart."""
    drawn = moments.faces(person_n, np.random.default_rng(2))
    fine = tuple(np.linspace(-0.2, 0.6, 161))
    one_person = np.abs(same_person(drawn, person_n, INNER) - same_person(vectors_nd, person_n, INNER))
    strangers = np.abs(above(drawn, person_n, fine) - above(vectors_nd, person_n, fine))
    return {
        "faces": len(person_n),
        "people": int(person_n.max()) + 1,
        "shape": asdict(moments.shape),
        "real": curves(vectors_nd, person_n),
        "drawn": curves(drawn, person_n),
        "largest_gap_of_quantiles_2_to_98_percent": round(float(one_person.max()), 4),
        "largest_gap_of_shares_of_strangers": round(float(strangers.max()), 4),
    }


def plot(path: Path, moments: Moments, vectors_nd: F64, person_n: I64) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    drawn = moments.faces(person_n, np.random.default_rng(2))
    levels, bars = np.linspace(0.002, 0.998, 499), np.linspace(-0.2, 0.55, 151)
    for name, vectors, style in (("real", vectors_nd, "-"), ("drawn", drawn, "--")):
        left.plot(same_person(vectors, person_n, levels), levels, style, label=name)
        right.semilogy(bars, above(vectors, person_n, tuple(bars)), style, label=name)
    left.set(xlabel="cosine of two faces of one person", ylabel="share below")
    right.set(xlabel="cosine of two strangers", ylabel="share above", ylim=(1e-7, 1))
    left.legend()
    figure.savefig(path, dpi=120)


def labelled(path: Path) -> tuple[F64, I64]:
    """Unit vectors and persons 0 … p-1 of an .npz with `vectors` and `labels`; faces of unknown people are left out."""
    loaded = np.load(path)
    labels = loaded["labels"].astype(str)
    known = labels != "?"
    vectors_nd = loaded["vectors"][known].astype(np.float64)
    vectors_nd /= np.linalg.norm(vectors_nd, axis=1, keepdims=True)
    return vectors_nd, np.unique(labels[known], return_inverse=True)[1].astype(np.int64)


def _normal(random: np.random.Generator, n: int, d: int) -> F32:
    return random.standard_normal((n, d), dtype=np.float32)


def _parts(n: int) -> list[slice]:
    return [slice(start, min(start + BLOCK, n)) for start in range(0, n, BLOCK)]


def _square(upper: NDArray[Any], d: int) -> F64:
    square = np.zeros((d, d))
    square[np.triu_indices(d)] = upper
    return square + np.triu(square, 1).T


def _root(covariance_dd: F64) -> F32:
    """A matrix that turns independent normal rows into rows of this covariance; what few faces made negative is 0."""
    values, axes_dd = np.linalg.eigh(covariance_dd)
    root: F32 = (np.sqrt(np.maximum(values, 0))[:, None] * axes_dd.T).astype(np.float32)
    return root


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    commands = parser.add_subparsers(dest="command", required=True)
    fitting = commands.add_parser("fit", help="the statistics of labelled embeddings")
    fitting.add_argument("embeddings", type=Path, help=".npz with vectors and labels")
    fitting.add_argument("--output", type=Path, default=MOMENTS)
    fitting.add_argument("--plot", type=Path, help="a picture of both curves")
    drawing = commands.add_parser("draw", help="made-up faces")
    drawing.add_argument("faces", type=int)
    drawing.add_argument("output", type=Path)
    drawing.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.command == "draw":
        vectors_nd, person_n = generate(options.faces, seed=options.seed)
        np.savez(options.output, vectors=vectors_nd, labels=person_n.astype(str))
        return
    vectors, person = labelled(options.embeddings)
    fit(vectors, person).save(options.output)
    moments = Moments.load(options.output)
    print(json.dumps(check(moments, vectors, person), indent=2))
    if options.plot:
        plot(options.plot, moments, vectors, person)


if __name__ == "__main__":
    main()
