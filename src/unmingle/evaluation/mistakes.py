"""Who was taken for whom: how often, and the worst mistakes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from unmingle.evaluation.scores import Evaluation
    from unmingle.records import I64

MOST_MISTAKES = 60  # faces on a sheet
MOST_PEOPLE = 40  # more rows of a matrix than this can't be read on a screen
NOBODYS, LEFT_OUT = "nobody's cluster", "left out"  # the columns that are no person


def worst_mistakes(evaluation: Evaluation, *, most: int = MOST_MISTAKES) -> tuple[list[dict[str, Any]], int]:
    """The rows of the worst mistakes, with how many faces made the same one as `alike`; and how many there are.

    Faces in another's cluster come first, then those in a cluster of nobody, then those left out. Within each the most
    numerous confusion comes first, and within it the clearest faces (quality, then score): these have no excuse. No
    confusion takes more than its fair share of the sheet while others wait.
    """
    outcome = pl.col("outcome")
    kinds = pl.when(outcome == "confused"), pl.when(outcome == "elsewhere")
    other = pl.coalesce(kinds[0].then("predicted"), kinds[1].then(pl.col("person").cast(pl.String)), "status")
    gravity = pl.coalesce(kinds[0].then(0), kinds[1].then(1), 2)
    key = ["gravity", "label", "other"]
    wrong = (
        evaluation.faces.filter(outcome != "right")
        .sort("quality", "score", descending=True, nulls_last=True, maintain_order=True)
        .with_columns(gravity.alias("gravity"), other.alias("other"))
        .with_columns(pl.len().over(key).alias("alike"), pl.int_range(pl.len()).over(key).alias("rank"))
        .sort("gravity", "alike", "label", "other", descending=[False, True, False, False], maintain_order=True)
        .with_row_index("place")
    )
    fair = max(6, most // max(wrong.select(key).n_unique(), 1))
    chosen = wrong.sort(pl.col("rank") >= fair, maintain_order=True).head(most).sort("place")
    return chosen.to_dicts(), wrong.height


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
    """Count; with more than `most` people, only those with the most wrong faces, in natural order as before."""
    people = evaluation.people
    place = {person.label: i for i, person in enumerate(people)}
    row_n = np.array([place[label] for label in evaluation.faces["label"]], np.int64)
    # A cluster of nobody is column -2, left out is -1.
    ends = evaluation.faces.select("predicted", "outcome").iter_rows()
    end_n = np.array([-1 if how == "left_out" else place.get(who, -2) for who, how in ends], np.int64)
    wrong_n = row_n != end_n
    wrong = np.bincount(row_n[wrong_n], minlength=len(people))
    wrong += np.bincount(end_n[wrong_n & (end_n >= 0)], minlength=len(people))
    shown = np.sort(np.argsort(-wrong, kind="stable")[:most])
    s = len(shown)
    position = np.full(len(people), s)
    position[shown] = np.arange(s)
    column_n = np.where(end_n >= 0, position[np.maximum(end_n, 0)], end_n)
    is_shown_n = position[row_n] < s
    count_sk = np.zeros((s, s + 3), np.int64)
    np.add.at(count_sk, (position[row_n][is_shown_n], column_n[is_shown_n]), 1)
    labels, sizes = (tuple(getattr(people[i], name) for i in shown.tolist()) for name in ("label", "size"))
    return Confusion(labels, sizes, count_sk, len(people))


def confusion_table(evaluation: Evaluation) -> pl.DataFrame:
    """Everybody by everybody, see `Evaluation.confusion`."""
    table = count_confusions(evaluation, most=len(evaluation.people))
    ours = ("label", NOBODYS, LEFT_OUT)
    people = [f"{label} (person)" if label in ours else label for label in table.labels]
    # Without the column of people who are not shown, of whom there are none.
    count_sk = np.delete(table.count_sk, len(people), axis=1)
    counts = dict(zip([*people, NOBODYS, LEFT_OUT], count_sk.T, strict=True))
    return pl.DataFrame({"label": table.labels, **counts})
