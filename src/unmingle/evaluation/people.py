"""How well each person was found, and with whom they were confused."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unmingle.evaluation.contingency import assign
from unmingle.evaluation.metrics import agreement, f1_scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unmingle.evaluation.contingency import Contingency
    from unmingle.records import I64

TOP = 3


@dataclass(frozen=True, slots=True)
class PersonScore:
    """One labelled person.

    label:     the person.
    size:      labelled faces, left-out ones included.
    cluster:   the cluster assigned to the person, None if none is.
    precision: share of the cluster's labelled faces that are the person's; 0 without a cluster.
    recall:    share of the person's faces that are in it.
    f1:        their harmonic mean.
    left_out:  faces of the person that are in no cluster.
    elsewhere: faces of the person in clusters that are assigned to nobody.
    confused_with: up to three (label, faces), most first: faces that are in the other's cluster, either way round.
    """

    label: str
    size: int
    cluster: int | None
    precision: float
    recall: float
    f1: float
    left_out: int
    elsewhere: int
    confused_with: tuple[tuple[str, int], ...]


def person_scores(table: Contingency) -> tuple[PersonScore, ...]:
    """One record per person, in natural order of their labels (9 before 10)."""
    person_c = assign(table)
    right_p, f1_p = agreement(table, person_c), f1_scores(table, person_c)
    cluster_p = {int(person): c for c, person in enumerate(person_c) if person >= 0}
    nobody_z = person_c[table.column_z] < 0
    elsewhere_p = np.bincount(table.row_z[nobody_z], table.count_z[nobody_z], len(table.people))
    confused = confusions(table, person_c)
    result = []
    for p in sorted(range(len(table.people)), key=lambda p: natural(table.people[p])):
        column = cluster_p.get(p)
        top = sorted(confused.get(p, Counter()).items(), key=lambda item: (-item[1], natural(table.people[item[0]])))
        result.append(
            PersonScore(
                label=table.people[p],
                size=int(table.size_p[p]),
                cluster=None if column is None else int(table.clusters[column]),
                precision=0.0 if column is None else float(right_p[p] / table.size_c[column]),
                recall=float(right_p[p] / table.size_p[p]),
                f1=float(f1_p[p]),
                left_out=int(table.left_p[p]),
                elsewhere=int(elsewhere_p[p]),
                confused_with=tuple((table.people[other], count) for other, count in top[:TOP]),
            )
        )
    return tuple(result)


def found_worst(people: Sequence[PersonScore], most: int) -> list[PersonScore]:
    """The people with the lowest F1, and of these the largest."""
    return sorted(people, key=lambda person: (person.f1, -person.size))[:most]


def confusions(table: Contingency, person_c: I64) -> dict[int, Counter[int]]:
    """Per person, how many faces lie in another's cluster or the other way round, by the other person."""
    result: dict[int, Counter[int]] = {}
    for row, column, count in zip(table.row_z.tolist(), table.column_z.tolist(), table.count_z.tolist(), strict=True):
        other = int(person_c[column])
        if other not in (-1, row):
            result.setdefault(row, Counter())[other] += count
            result.setdefault(other, Counter())[row] += count
    return result


def natural(label: str) -> tuple[tuple[int, int, str], ...]:
    """A sort key that puts 9 before 10, and numbers before words."""
    parts = (part for part in re.split(r"([0-9]+)", label) if part)
    keys = (digits(part) if part[0] in "0123456789" else (1, 0, part.casefold()) for part in parts)
    return (*keys, (2, 0, label))


def digits(part: str) -> tuple[int, int, str]:
    """The key of a number of any length: shorter is smaller."""
    number = part.lstrip("0")
    return (0, len(number), number)
