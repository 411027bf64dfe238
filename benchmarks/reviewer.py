"""How fast does a review help? A simulated reviewer answers the questions of unmingle.grouping.suggestions from labels.

    python benchmarks/reviewer.py FOLDER [--sets lfw_a pins_a ...] [--answers 200] [--plot reviewer.png]

FOLDER holds the .npz files of benchmarks/grouping/embed.py. A collection is grouped with the default settings. Then,
one at a time: the best question is asked and answered, and the answer applied. "Same" brings the two sides together,
"different" takes them apart, and neither is asked again; nothing is grouped anew, unless `--regroup` says after how
many answers. A side is whom most of its faces show. If no face of a side has a known person, the answer is "not sure".

Each collection is reviewed twice: the labelled faces only, and, where there are others (people in the background), all
faces, where many a question can't be answered from the labels, and counts as an answer all the same. Scores are over
the labelled faces in any case. The remaining error is 1 - BCubed F.

The other orders have the same questions to choose from, the thousand most useful at each step: by chance (the mean of
several runs), the least certain first, that is the probability next to one half, and, to see what is there to be won,
the one that mends most at each step, by somebody who knows all answers beforehand. JSON on stdout.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

sys.path.insert(0, str(Path(__file__).parent / "grouping"))
from collection import load_folder

from unmingle.evaluation.metrics import score
from unmingle.grouping.cluster import cluster_faces
from unmingle.grouping.constraints import Constraints
from unmingle.grouping.impostors import SFACE_CURVE
from unmingle.grouping.suggestions import suggest
from unmingle.settings import GroupingSettings

if TYPE_CHECKING:
    from collection import Collection

    from unmingle.grouping.suggestions import Suggestion
    from unmingle.records import I64

    Answer = Literal["same", "different", "unsure"]
    Order = Literal["ours", "uncertain first", "random", "knows the answers"]

POOL = 1000
RUNS = 3  # of the random order
AT = (0, 20, 60, 200)
COLOURS = {"random": "0.7", "uncertain first": "tab:blue", "ours": "tab:red", "knows the answers": "0.2"}


class Review:
    """A collection under review.

    Args:
        collection: what is reviewed.
        regroup: after so many answers everything is grouped again; 0: never.
    """

    def __init__(self, collection: Collection, *, regroup: int = 0) -> None:
        self._collection = collection
        self._person_n = np.where(
            collection.scored_n, np.unique(collection.labels_n, return_inverse=True)[1], -1
        ).astype(np.int64)
        self._constraints = Constraints.of_frames(collection.pictures_n)
        self._asked_m2 = np.zeros((0, 2), np.int64)
        self._trees: dict[bytes, Any] = {}
        self._regroup = regroup
        self.answers: list[tuple[str, Answer]] = []
        self._group()

    def _group(self) -> None:
        found = cluster_faces(
            self._collection.vectors_nd, GroupingSettings(), curve=SFACE_CURVE, constraints=self._constraints
        )
        self.labels_n, self._scale = found.labels, dict(found.notes)["scale"]

    def questions(self, most: int) -> tuple[Suggestion, ...]:
        """The best questions now."""
        return suggest(
            self._collection.vectors_nd,
            self.labels_n,
            curve=SFACE_CURVE,
            scale=self._scale,
            constraints=self._constraints,
            asked_m2=self._asked_m2,
            most=most,
            trees=self._trees,
        )

    def truth(self, question: Suggestion) -> Answer:
        """What the labels say."""
        one, other = self._shown(question.one), self._shown(question.other)
        return "unsure" if one < 0 or other < 0 else "same" if one == other else "different"

    def mends(self, question: Suggestion) -> float:
        """Faces that the answer mends."""
        wrong = self.truth(question) == ("different" if question.together else "same")
        return question.gain if wrong else 0.0

    def answer(self, question: Suggestion) -> None:
        """Answer from the labels, and apply the answer."""
        given = self.truth(question)
        pairs, known = question.pairs(), self._constraints
        same, different = known.same_m2, known.different_m2
        if given == "unsure":
            self._asked_m2 = np.concatenate([self._asked_m2, pairs])
        elif given == "same":
            same = np.concatenate([same, pairs])
            self.labels_n[question.one] = self.labels_n[question.other[0]]
        else:
            different = np.concatenate([different, pairs])
            if question.together:
                self.labels_n[question.one] = self.labels_n.max() + 1
        self._constraints = Constraints(known.faces, known.seen_k2, same, different)
        self.answers.append((question.kind, given))
        if self._regroup and len(self.answers) % self._regroup == 0:
            self._group()

    def _shown(self, rows: I64) -> int:
        """The person of most faces; -1 if none of them is known."""
        person = self._person_n[rows]
        person = person[person >= 0]
        return int(np.bincount(person).argmax()) if len(person) else -1

    def measure(self) -> tuple[float, float]:
        """BCubed F and pairwise F over the labelled faces."""
        scored = self._collection.scored_n
        scores = score(self._person_n[scored], self.labels_n[scored])
        return scores.bcubed.f1, scores.pairwise.f1


def reviewed(collection: Collection, order: Order, answers: int, *, seed: int = 0, regroup: int = 0) -> dict[str, Any]:
    """The scores before the first and after each answer, and what was asked."""
    review, random = Review(collection, regroup=regroup), np.random.default_rng(seed)
    curve, seconds = [review.measure()], 0.0
    for _ in range(answers):
        start = time.perf_counter()
        found = review.questions(1 if order == "ours" else POOL)
        seconds += time.perf_counter() - start
        if not found:
            break
        review.answer(_picked(found, order, review, random))
        curve.append(review.measure())
    curve += [curve[-1]] * (answers + 1 - len(curve))
    kinds = {f"{kind}: {given}": review.answers.count((kind, given)) for kind, given in sorted(set(review.answers))}
    return {
        "bcubed_error": [round(1 - bcubed, 6) for bcubed, _ in curve],
        "pairwise_f": [round(pairwise, 6) for _, pairwise in curve],
        "answers": kinds,
        "seconds_a_question": round(seconds / max(1, len(review.answers)), 3),
    }


def _picked(found: tuple[Suggestion, ...], order: Order, review: Review, random: np.random.Generator) -> Suggestion:
    if order == "random":
        return found[random.integers(len(found))]
    if order == "uncertain first":
        return min(found, key=lambda one: abs(one.probability - 0.5))
    return max(found, key=review.mends) if order == "knows the answers" else found[0]


def compared(collection: Collection, answers: int, regroup: int) -> dict[str, Any]:
    """All orders on one collection."""
    runs = [reviewed(collection, "random", answers, seed=seed) for seed in range(RUNS)]
    chance = {
        name: np.mean([run[name] for run in runs], axis=0).round(6).tolist() for name in ("bcubed_error", "pairwise_f")
    }
    return {
        "faces": len(collection.labels_n),
        "labelled": int(collection.scored_n.sum()),
        "ours": reviewed(collection, "ours", answers, regroup=regroup),
        "uncertain first": reviewed(collection, "uncertain first", answers),
        "knows the answers": reviewed(collection, "knows the answers", answers),
        "random": chance,
    }


def plot(result: dict[str, Any], path: Path) -> None:
    """The remaining error by the number of answers."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, len(result), figsize=(4.4 * len(result), 3.8), constrained_layout=True)
    for axis, (name, own) in zip(np.atleast_1d(axes), result.items(), strict=True):
        for order, colour in COLOURS.items():
            axis.plot(own[order]["bcubed_error"], color=colour, label=order)
        axis.axhline(own["ours"]["bcubed_error"][0] / 2, color="0.5", linewidth=0.8, linestyle=":")
        axis.set(title=name, xlabel="answers", ylim=(0, None))
    np.atleast_1d(axes)[0].set_ylabel("remaining error, 1 − BCubed F")
    np.atleast_1d(axes)[0].legend(fontsize="small")
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", nargs="*", default=["pins_a", "lfw_a"])
    parser.add_argument("--answers", type=int, default=200)
    parser.add_argument("--regroup", type=int, default=0, help="group again after so many answers; 0: never")
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    result = {}
    for collection in load_folder(options.folder, options.sets):
        for part in collection.variants(strangers=True):
            result[part.name] = compared(part, options.answers, options.regroup)
            for order in COLOURS:
                error = [result[part.name][order]["bcubed_error"][at] for at in AT if at <= options.answers]
                sys.stderr.write(f"{part.name:24} {order:16} {error}\n")
    if options.plot:
        plot(result, options.plot)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
