"""Who was taken for whom: the confusion matrix, and the worst mistakes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from unmingle.evaluation.scores import Evaluation
    from unmingle.records import I64

    Row = dict[str, Any]

MOST_PEOPLE = 40  # of a confusion matrix: more rows than this can't be read on a screen
MOST_MISTAKES = 60
NOBODYS, LEFT_OUT = "nobody's cluster", "left out"  # the columns that are no person


@dataclass(frozen=True, slots=True, eq=False)
class Confusion:
    """Faces of s shown people by where they ended.

    labels: s people, rows and columns alike.
    sizes:  faces of each.
    count_sk: (s, s + 3) int64: in the cluster of each shown person, then of someone who is not shown, of nobody, and
        in no cluster (left out).
    people: how many people there are in all.
    """

    labels: tuple[str, ...]
    sizes: tuple[int, ...]
    count_sk: I64
    people: int


def count_confusions(evaluation: Evaluation, *, most: int = MOST_PEOPLE) -> Confusion:
    """Who was taken for whom; of more than `most` people, those with the most wrong faces, in natural order."""
    people = evaluation.people
    place = {person.label: i for i, person in enumerate(people)}
    ends = [
        # -2 for a cluster of nobody, -1 for left out.
        (place[label], -1 if outcome == "left_out" else -2 if predicted is None else place[predicted])
        for label, predicted, outcome in evaluation.faces.select("label", "predicted", "outcome").iter_rows()
    ]
    wrong = np.zeros(len(people), np.int64)
    for row, column in ends:
        if row != column:
            wrong[row] += 1
            if column >= 0:
                wrong[column] += 1
    shown = sorted(np.argsort(-wrong, kind="stable")[:most].tolist())
    position = {person: i for i, person in enumerate(shown)}
    count_sk = np.zeros((len(shown), len(shown) + 3), np.int64)
    for row, column in ends:
        if row in position:
            k = position.get(column, len(shown)) if column >= 0 else column
            count_sk[position[row], k] += 1
    labels, sizes = (tuple(getattr(people[i], name) for i in shown) for name in ("label", "size"))
    return Confusion(labels, sizes, count_sk, len(people))


def confusion_table(evaluation: Evaluation) -> pl.DataFrame:
    """Everybody by everybody, see `Evaluation.confusion`."""
    table = count_confusions(evaluation, most=len(evaluation.people))
    people = [f"{label} (person)" if label in ("label", NOBODYS, LEFT_OUT) else label for label in table.labels]
    # Without the column of people who are not shown, of whom there are none.
    count_sk = np.delete(table.count_sk, len(people), axis=1)
    return pl.DataFrame({"label": table.labels, **dict(zip([*people, NOBODYS, LEFT_OUT], count_sk.T, strict=True))})


@dataclass(frozen=True, slots=True)
class Mistake:
    """One face that is not with its person.

    row:   its row of `Evaluation.faces`.
    alike: how many faces made the same mistake: the same person taken for the same other.
    """

    row: Row
    alike: int


def worst_mistakes(evaluation: Evaluation, *, most: int = MOST_MISTAKES) -> tuple[list[Mistake], int]:
    """The worst mistakes, and how many there are.

    Faces in another's cluster come first, then those in a cluster of nobody, then those left out. Within each the most
    numerous confusion comes first, and within it the clearest faces (quality, then score): these have no excuse. No
    confusion takes more than its fair share of the sheet while others wait.
    """
    wrong = evaluation.faces.filter(pl.col("outcome") != "right")
    rows = wrong.sort(["quality", "score"], descending=True, nulls_last=True, maintain_order=True).to_dicts()
    alike = Counter(kind(row) for row in rows)
    groups: dict[tuple[int, str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault(kind(row), []).append(row)
    ordered = sorted(groups, key=lambda key: (key[0], -alike[key], key))
    share = max(6, most // max(len(groups), 1))
    chosen = fair(ordered, groups, share, most)
    return [Mistake(row, alike[key]) for key in ordered for row in groups[key][: chosen[key]]], len(rows)


def fair(ordered: list[tuple[int, str, str]], groups: dict[Any, list[Row]], share: int, most: int) -> Counter[Any]:
    """How many of each group to show: at most `share` each, then what is left in the same order."""
    chosen: Counter[Any] = Counter()
    for limit in (share, most):
        for key in ordered:
            room = most - chosen.total()
            chosen[key] += max(min(limit, len(groups[key])) - chosen[key], 0) if room > 0 else 0
            chosen[key] -= max(chosen.total() - most, 0)
    return chosen


def kind(row: Row) -> tuple[int, str, str]:
    """What sort of mistake a row is: order of gravity, the person, and what they were taken for."""
    if row["outcome"] == "confused":
        return 0, row["label"], row["predicted"]
    if row["outcome"] == "elsewhere":
        return 1, row["label"], str(row["person"])
    return 2, row["label"], row["status"]
