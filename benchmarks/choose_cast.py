"""Which made-up people make up the demo's cast: random ones drawn, judged by SFace, the ones far apart kept.

1. Draw `--people` random people twice each; those whose own pictures differ much are out.
2. Choose those who lie farthest from each other by their mean vectors (farthest point, then exchanges), draw the chosen
   in more looks, and choose again with what that showed, until all the chosen have been looked at closely: two pictures
   flatter some people.
3. Draw the cast in looks that the search has not seen, and print how alike they are.

Run: python benchmarks/choose_cast.py > cast.json (about nine minutes on one core)
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from madeup.portraits import Look, Person, encode, render
from unmingle.faces.align import align
from unmingle.faces.detect import find_faces
from unmingle.models.embedding import embed, open_sface
from unmingle.models.yunet import open_yunet
from unmingle.settings import DetectionSettings, EngineSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from unmingle.models.runtime import Session

    F32 = NDArray[np.float32]
    U8 = NDArray[np.uint8]

STEEPNESS = 35.0  # of the penalty on likeness: high, so that the most alike pair counts most
SURE = 0.85  # detector score that every picture must reach
LIKE_THEMSELVES = 0.8  # cosine that two pictures of one person must reach


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What the models say of some people.

    seeds:   (p,) of the people.
    vectors: (p, f, 128) float32 embeddings of their pictures, each of length 1.
    scores:  (p, f) float32, the detector's; 0 where it found no face, or two.
    """

    seeds: NDArray[np.int64]
    vectors: F32
    scores: F32

    def within(self) -> F32:
        """(p,) cosine of the two least alike pictures of each person."""
        return np.asarray((self.vectors @ self.vectors.transpose(0, 2, 1)).min((1, 2)), np.float32)

    def means(self) -> F32:
        """(p, 128) direction of each person's mean vector, of length 1."""
        mean_pd = self.vectors.mean(1)
        return np.asarray(mean_pd / np.linalg.norm(mean_pd, axis=1, keepdims=True), np.float32)

    def fit(self, least: float) -> NDArray[np.bool_]:
        """(p,) who is always found, alone, and never less like themselves than `least`."""
        return np.asarray((self.scores.min(1) > SURE) & (self.within() > least))


class Judge:
    """YuNet and SFace on drawn people."""

    def __init__(self) -> None:
        self._yunet: Session = open_yunet(EngineSettings(precision="f32", threads=1))
        self._sface: Session = open_sface(EngineSettings(precision="f32", threads=1))

    def see(self, seeds: Sequence[int], *, frames: int, first_look: int) -> Judged:
        """Draw each person `frames` times, in looks of their own from `first_look` on, and judge the pictures."""
        vectors, scores = [], []
        for seed in seeds:
            pictures = [_photograph(seed, first_look + seed * frames + frame) for frame in range(frames)]
            aligned, sure = zip(*(self._face(picture) for picture in pictures), strict=True)
            vectors.append(embed(self._sface, np.stack(aligned)))
            scores.append(sure)
        return Judged(np.asarray(seeds, np.int64), np.stack(vectors), np.asarray(scores, np.float32))

    def _face(self, picture: U8) -> tuple[U8, float]:
        faces = find_faces(self._yunet, [picture], DetectionSettings())[0].faces
        if len(faces) != 1:
            return np.zeros((112, 112, 3), np.uint8), 0.0
        return align(picture, faces.points[0]), float(faces.scores[0])


def _photograph(seed: int, look_seed: int) -> U8:
    look = Look.from_seed(look_seed)
    stored = np.frombuffer(encode(render(Person.from_seed(seed), look), look.quality), np.uint8)
    return np.asarray(cv2.imdecode(stored, cv2.IMREAD_COLOR_RGB), np.uint8)


def spread_out(likeness_pp: F32, count: int, *, starts: int = 24) -> list[int]:
    """`count` of p people, as unlike each other as exchanges can make them from several farthest-point starts."""
    penalty_pp = np.exp(STEEPNESS * likeness_pp.astype(np.float64))
    tries = [
        _exchanged(penalty_pp, _farthest(likeness_pp, start, count))
        for start in range(0, len(likeness_pp), max(1, len(likeness_pp) // starts))
    ]
    return min(tries, key=lambda chosen: _cost(penalty_pp, chosen))


def _farthest(likeness_pp: F32, start: int, count: int) -> list[int]:
    chosen = [start]
    while len(chosen) < count:
        nearest = likeness_pp[chosen].max(0)
        nearest[chosen] = np.inf
        chosen.append(int(nearest.argmin()))
    return chosen


def _exchanged(penalty_pp: NDArray[np.float64], chosen: list[int]) -> list[int]:
    """Swap one of the chosen for someone else, the best swap first, until none helps."""
    while True:
        swaps = []
        for leaving in chosen:
            rest = [person for person in chosen if person != leaving]
            added = penalty_pp[:, rest].sum(1)
            added[rest] = np.inf
            coming = int(added.argmin())
            swaps.append((added[leaving] - added[coming], coming, rest))
        gain, coming, rest = max(swaps, key=lambda swap: swap[0])
        if gain <= 1e-9:
            return chosen
        chosen = [*rest, coming]


def _cost(penalty_pp: NDArray[np.float64], chosen: list[int]) -> float:
    part = penalty_pp[np.ix_(chosen, chosen)]
    return float(part.sum() - np.trace(part))


def choose(judge: Judge, first: Judged, count: int) -> list[int]:
    """Seeds of `count` people far apart, each of whom has been looked at closely."""
    known = first.fit(LIKE_THEMSELVES)
    seeds, mean_pd = first.seeds[known], first.means()[known]
    close = np.zeros(len(seeds), np.bool_)
    while True:
        chosen = spread_out(mean_pd @ mean_pd.T, count)
        fresh = [person for person in chosen if not close[person]]
        if not fresh:
            # Farthest first, so that a smaller meeting takes the people who are farthest apart.
            likeness = mean_pd[chosen] @ mean_pd[chosen].T
            return [int(seeds[chosen[i]]) for i in _farthest(likeness, int(likeness.sum(0).argmin()), count)]
        seen = judge.see([int(seeds[person]) for person in fresh], frames=8, first_look=200_000)
        mean_pd[fresh], close[fresh] = seen.means(), True
        stays = np.ones(len(seeds), np.bool_)
        stays[fresh] = seen.fit(LIKE_THEMSELVES - 0.1)  # the least of 28 pairs is lower than one
        seeds, mean_pd, close = seeds[stays], mean_pd[stays], close[stays]


def figures(judged: Judged) -> dict[str, float]:
    """How alike pictures of one person, and of two, are."""
    people, frames, _ = judged.vectors.shape
    vectors_nd = judged.vectors.reshape(people * frames, -1)
    of = np.repeat(np.arange(people), frames)
    row, column = np.triu_indices(len(of), 1)
    cosine, same = (vectors_nd @ vectors_nd.T)[row, column], (of[:, None] == of)[row, column]
    found = {
        "same_median": np.median(cosine[same]),
        "same_p01": np.quantile(cosine[same], 0.01),
        "different_median": np.median(cosine[~same]),
        "different_p99": np.quantile(cosine[~same], 0.99),
        "different_max": cosine[~same].max(),
        "detector_min": judged.scores.min(),
    }
    return {name: round(float(value), 3) for name, value in found.items()}


def main() -> None:
    """Search, and print the cast and its figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=1500, help="how many random people to draw")
    parser.add_argument("--cast", type=int, default=12, help="how many to keep")
    wanted = parser.parse_args()
    judge = Judge()
    first = judge.see(range(wanted.people), frames=2, first_look=100_000)
    cast = choose(judge, first, wanted.cast)
    fresh = judge.see(cast, frames=20, first_look=900_000)
    answer = {"cast": cast, "random people": figures(first), "cast, fresh frames": figures(fresh)}
    json.dump(answer, sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
