"""A comparison written down: json with everything that changed, and lines for a terminal."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from unmingle.evaluation.comparison import FATES
from unmingle.evaluation.report import scores_document

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from unmingle.evaluation.comparison import Change, Comparison, Share

FORMAT = 1  # of the json; counts up when a key changes its meaning or goes
SHOWN = 12  # changes of a kind on the terminal; the json has them all
PARTS = 8  # of a change, likewise


def as_json(comparison: Comparison) -> str:
    """Everything but the faces of which nothing changed; keys do not change within a FORMAT."""
    shared = {name: getattr(comparison, name) for name in ("pictures", "by_name", "only_a", "only_b", "unseen")}
    judged = comparison.judged
    document: dict[str, Any] = {
        "format": FORMAT,
        **{
            side: {**asdict(one), "settings": dict(one.settings)}
            for side, one in (("a", comparison.a), ("b", comparison.b))
        },
        "shared": {**shared, "faces": comparison.faces.height},
        "agreement": None if comparison.agreement is None else asdict(comparison.agreement),
        "fates": {fate: comparison.count(fate) for fate in FATES},
        "people": {
            "same": [{"a": asdict(one), "b": asdict(other)} for one, other in comparison.same],
            **{kind: [asdict(one) for one in getattr(comparison, kind)] for kind in ("split", "merged", "gone", "new")},
        },
        "left_out": {
            side: [
                {"status": status, "reason": reason, "faces": faces}
                for status, reason, faces in comparison.left_out(side)
            ]
            for side in "ab"
        },
        "labels": None
        if judged is None
        else {
            "a": scores_document(judged.a.scores),
            "b": scores_document(judged.b.scores),
            **{verdict: getattr(judged, verdict) for verdict in ("right", "mended", "broken", "wrong")},
        },
        "faces": comparison.faces.filter(~pl.col("fate").is_in(["same", "neither"])).to_dicts(),
    }
    return json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def side_rows(comparison: Comparison, *, settings: Literal["all", "differing"]) -> list[tuple[str, str, str]]:
    """How the two were made, what each holds, and with labels how each scores: name, a, b."""
    a, b = comparison.a, comparison.b
    made_a, made_b = dict(a.settings), dict(b.settings)
    made = [(name, made_a.get(name, "–"), made_b.get(name, "–")) for name in dict.fromkeys([*made_a, *made_b])]
    counts = [
        (title, f"{getattr(a, name):,}", f"{getattr(b, name):,}")
        for title, name in (
            ("Different pictures", "pictures"),
            ("Faces", "faces"),
            ("People", "people"),
            ("Faces of people", "sorted"),
        )
    ]
    told = [row for row in made if settings == "all" or row[1] != row[2]]
    return [*told, *counts, *score_rows(comparison)]


def score_rows(comparison: Comparison) -> list[tuple[str, str, str]]:
    """Scores against labels: name, a, b."""
    if comparison.judged is None:
        return []
    a, b = comparison.judged.a.scores, comparison.judged.b.scores
    found, other = (f"{one.people_found:,} found, {one.people_true:,} true" for one in (a, b))
    figures = [
        ("Accuracy", a.accuracy, b.accuracy),
        ("Weighted F1", a.weighted_f1, b.weighted_f1),
        ("BCubed F", a.bcubed.f1, b.bcubed.f1),
        ("Pairwise F", a.pairwise.f1, b.pairwise.f1),
        ("Homogeneity", a.homogeneity, b.homogeneity),
        ("Completeness", a.completeness, b.completeness),
    ]
    return [("People by labels", found, other), *((name, f"{one:.4f}", f"{other:.4f}") for name, one, other in figures)]


def lines(comparison: Comparison) -> list[str]:
    """What changed, in sentences."""
    return [
        *_shared_lines(comparison),
        *_people_lines(comparison),
        *_left_out_lines(comparison),
        *_label_lines(comparison),
    ]


def _shared_lines(comparison: Comparison) -> list[str]:
    names = f", {comparison.by_name:,} of them known by their names only" if comparison.by_name else ""
    told = [f"Pictures that both have: {comparison.pictures:,}{names}"]
    alone = (("A", comparison.only_a), ("B", comparison.only_b))
    told.extend(f"Only {side} has {_count(n, 'picture')} more, of which nothing is said here" for side, n in alone if n)
    if comparison.unseen:
        told.append(f"{_count(comparison.unseen, 'face')} in frames that only one of them looked at are passed over")
    fates = {
        "same": "with the same person in both",
        "moved": "with another person in B",
        "left_out_b": "of a person in A, of nobody in B",
        "left_out_a": "of nobody in A, of a person in B",
        "neither": "of nobody in both",
        "missing_b": "found by A only",
        "missing_a": "found by B only",
    }
    counts = [(comparison.count(fate), text) for fate, text in fates.items()]
    apart = ", ".join(f"{n:,} {text}" for n, text in counts if n)
    told.append(f"{_count(comparison.faces.height, 'face')}{f': {apart}' if apart else ''}")
    if (figures := comparison.agreement) is not None:
        told.append(
            f"Agreement (1 is the same): BCubed F {figures.bcubed:.4f}, pairwise F {figures.pairwise:.4f},"
            f" ARI {figures.ari:.4f}, AMI {figures.ami:.4f}"
        )
    return told


def _people_lines(comparison: Comparison) -> list[str]:
    kinds = (
        ("split", "of A, split in B"),
        ("merged", "of B, put together of several of A"),
        ("gone", "of A, all of whose faces are nobody's in B"),
        ("new", "of B, all of whose faces are nobody's in A"),
    )
    same = len(comparison.same)
    told = ["1 person has the same faces in both" if same == 1 else f"{same:,} people have the same faces in both"]
    for kind, title in kinds:
        found: Sequence[Change] = getattr(comparison, kind)
        if found:
            told.append(f"{len(found):,} {'person' if len(found) == 1 else 'people'} {title}:")
            told.extend(_some(change_line(one, labels=comparison.judged is not None) for one in found))
    return told


def change_line(change: Change, *, labels: bool) -> str:
    """One change: the person, their parts, and what labels say of it."""
    shown, rest = change.parts[:PARTS], change.parts[PARTS:]
    if len(rest) == 1:
        shown, rest = change.parts, ()
    parts = ", ".join(share_text(part) for part in shown)
    if rest:
        parts += f" and {len(rest):,} more ({sum(part.faces for part in rest):,})"
    said = f". {verdict_text(change)}" if labels else ""
    return f"{share_text(change.whole)}: {parts}{said}"


def share_text(share: Share) -> str:
    """`Ada (12)`, `Person 3 (12)`, `nobody (1)`: who, and how many faces."""
    return f"{who(share)} ({share.faces:,})"


def who(share: Share) -> str:
    """What a person is called."""
    return "nobody" if share.person is None else share.name or f"Person {share.person}"


def verdict_text(change: Change) -> str:
    """Who is right about a change, by the labelled pictures on which exactly one of the two is."""
    if change.mended == change.broken:
        return f"By the labels A and B are even, {change.mended:,} to {change.broken:,}"
    better, more, less = ("B", change.mended, change.broken)
    if change.broken > change.mended:
        better, more, less = ("A", change.broken, change.mended)
    but = f", {less:,} the other way" if less else ""
    return f"By the labels {better} is right, on {_count(more, 'picture')}{but}"


def _left_out_lines(comparison: Comparison) -> list[str]:
    told = []
    for side, other in (("a", "b"), ("b", "a")):
        rows = comparison.left_out(side)
        if rows:
            told.append(f"Left out by {side.upper()}, and somebody's in {other.upper()}:")
            told.extend(_some(f"{faces:>7,}  {status}: {reason}" for status, reason, faces in rows))
    return told


def _label_lines(comparison: Comparison) -> list[str]:
    judged = comparison.judged
    if judged is None:
        return []
    return [
        f"Labels: of {_count(judged.right + judged.mended + judged.broken + judged.wrong, 'picture')}"
        f" {judged.right:,} are right in both, {judged.mended:,} in B only, {judged.broken:,} in A only,"
        f" {judged.wrong:,} in neither"
    ]


def _some(found: Iterable[str]) -> list[str]:
    every = [f"  {line}" for line in found]
    more = len(every) - SHOWN
    return [*every[:SHOWN], f"  and {more:,} more; --json has them all"] if more > 1 else every


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
