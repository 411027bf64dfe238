"""A comparison written down: json with everything that changed, and lines for a terminal."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from unmingle.evaluation.comparison import FATES, VERDICTS
from unmingle.evaluation.score_files import main_figures, scores_document
from unmingle.text_layout import counted

if TYPE_CHECKING:
    from unmingle.evaluation.comparison import Change, Comparison, Share

FORMAT = 1  # of the json; counts up when a key changes its meaning or goes
SHOWN = 12  # changes of a kind on the terminal; the json has them all
PARTS = 8  # of a change, likewise
FATE_TEXTS = {
    "same": "with the same person in both",
    "moved": "with another person in B",
    "left_out_b": "of a person in A, of nobody in B",
    "left_out_a": "of nobody in A, of a person in B",
    "neither": "of nobody in both",
    "missing_b": "found by A only",
    "missing_a": "found by B only",
}
KIND_TEXTS = {
    "split": "of A, split in B",
    "merged": "of B, put together of several of A",
    "gone": "of A, all of whose faces are nobody's in B",
    "new": "of B, all of whose faces are nobody's in A",
}


def as_json(comparison: Comparison) -> str:
    """Everything but the faces of which nothing changed; keys do not change within a FORMAT."""
    judged = comparison.judged
    labels = None
    if judged is not None:
        verdicts = {verdict: getattr(judged, verdict) for verdict in VERDICTS}
        labels = {"a": scores_document(judged.a.scores), "b": scores_document(judged.b.scores), **verdicts}
    shared = {name: getattr(comparison, name) for name in ("pictures", "by_name", "only_a", "only_b", "unseen")}
    document: dict[str, Any] = {
        "format": FORMAT,
        "a": {**asdict(comparison.a), "settings": dict(comparison.a.settings)},
        "b": {**asdict(comparison.b), "settings": dict(comparison.b.settings)},
        "shared": {**shared, "faces": comparison.faces.height},
        "agreement": None if comparison.agreement is None else asdict(comparison.agreement),
        "fates": {fate: comparison.count(fate) for fate in FATES},
        "people": {
            "same": [{"a": asdict(one), "b": asdict(other)} for one, other in comparison.same],
            **{kind: [asdict(one) for one in getattr(comparison, kind)] for kind in KIND_TEXTS},
        },
        "left_out": {
            side: [dict(zip(("status", "reason", "faces"), row, strict=True)) for row in comparison.left_out(side)]
            for side in "ab"
        },
        "labels": labels,
        "faces": comparison.faces.filter(~pl.col("fate").is_in(["same", "neither"])).to_dicts(),
    }
    return json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def side_rows(comparison: Comparison, *, settings: Literal["all", "differing"]) -> list[tuple[str, str, str]]:
    """How the two were made, what each holds, and with labels how each scores: name, a, b."""
    a, b = comparison.a, comparison.b
    made_a, made_b = dict(a.settings), dict(b.settings)
    made = [(name, made_a.get(name, "–"), made_b.get(name, "–")) for name in dict.fromkeys([*made_a, *made_b])]
    rows = [row for row in made if settings == "all" or row[1] != row[2]]
    rows += [
        ("Different pictures", f"{a.pictures:,}", f"{b.pictures:,}"),
        ("Faces", f"{a.faces:,}", f"{b.faces:,}"),
        ("People", f"{a.people:,}", f"{b.people:,}"),
        ("Faces of people", f"{a.sorted:,}", f"{b.sorted:,}"),
    ]
    if comparison.judged is not None:
        one, other = comparison.judged.a.scores, comparison.judged.b.scores
        in_a, in_b = (f"{scores.people_found:,} found, {scores.people_true:,} true" for scores in (one, other))
        figures = zip(main_figures(one), main_figures(other), strict=True)
        rows.append(("People by labels", in_a, in_b))
        rows += [(f"{name[0].upper()}{name[1:]}", x, y) for (name, x), (_, y) in figures]
    return rows


def lines(comparison: Comparison) -> list[str]:
    """What changed, in sentences."""
    names = f", {comparison.by_name:,} of them known by their names only" if comparison.by_name else ""
    told = [f"Pictures that both have: {comparison.pictures:,}{names}"]
    for side, more in (("A", comparison.only_a), ("B", comparison.only_b)):
        if more:
            told.append(f"Only {side} has {counted(more, 'picture')} more, of which nothing is said here")
    if comparison.unseen:
        told.append(f"{counted(comparison.unseen, 'face')} in frames that only one of them looked at are passed over")
    counts = [(comparison.count(fate), text) for fate, text in FATE_TEXTS.items()]
    apart = ", ".join(f"{n:,} {text}" for n, text in counts if n)
    told.append(f"{counted(comparison.faces.height, 'face')}{f': {apart}' if apart else ''}")
    if (figures := comparison.agreement) is not None:
        told.append(
            f"Agreement (1 is the same): BCubed F {figures.bcubed:.4f}, pairwise F {figures.pairwise:.4f},"
            f" ARI {figures.ari:.4f}, AMI {figures.ami:.4f}"
        )
    told.append(f"{counted(len(comparison.same), 'person has', 'people have')} the same faces in both")
    judged = comparison.judged
    for kind, title in KIND_TEXTS.items():
        if changes := getattr(comparison, kind):
            told.append(f"{counted(len(changes), 'person', 'people')} {title}:")
            told += _some([_change_line(change, labels=judged is not None) for change in changes])
    for side, other in ("ab", "ba"):
        if rows := comparison.left_out(side):
            told.append(f"Left out by {side.upper()}, and somebody's in {other.upper()}:")
            told += _some([f"{faces:>7,}  {status}: {reason}" for status, reason, faces in rows])
    if judged is not None:
        told.append(
            f"Labels: of {counted(judged.right + judged.mended + judged.broken + judged.wrong, 'picture')}"
            f" {judged.right:,} are right in both, {judged.mended:,} in B only, {judged.broken:,} in A only,"
            f" {judged.wrong:,} in neither"
        )
    return told


def _change_line(change: Change, *, labels: bool) -> str:
    """`Person 3 (12): Ada (11), nobody (1)`, and what labels say of it."""
    # A single part more is shown, since saying so takes as much room.
    most = PARTS if len(change.parts) > PARTS + 1 else PARTS + 1
    shown, rest = change.parts[:most], change.parts[most:]
    parts = ", ".join(f"{who(part)} ({part.faces:,})" for part in shown)
    if rest:
        parts += f" and {len(rest):,} more ({sum(part.faces for part in rest):,})"
    said = f". {verdict_text(change)}" if labels else ""
    return f"{who(change.whole)} ({change.whole.faces:,}): {parts}{said}"


def who(share: Share) -> str:
    """What a person is called."""
    return "nobody" if share.person is None else share.name or f"Person {share.person}"


def verdict_text(change: Change) -> str:
    """Who is right about a change, by the labelled pictures on which exactly one of the two is."""
    less, more = sorted((change.mended, change.broken))
    if less == more:
        return f"By the labels A and B are even, {more:,} to {less:,}"
    better = "B" if change.mended > change.broken else "A"
    but = f", {less:,} the other way" if less else ""
    return f"By the labels {better} is right, on {counted(more, 'picture')}{but}"


def _some(found: list[str]) -> list[str]:
    more = len(found) - SHOWN
    rest = [f"and {more:,} more; --json has them all"] if more > 1 else found[SHOWN:]
    return [f"  {line}" for line in (*found[:SHOWN], *rest)]
