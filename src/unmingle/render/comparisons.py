"""A comparison written down: json with everything that changed, lines for a terminal, a page with the faces."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import PurePath
from typing import Any, Literal

import polars as pl

from unmingle.decisions.references import label
from unmingle.evaluation.comparison import FATES, VERDICTS, Change, Comparison, Share, Side
from unmingle.evaluation.score_files import main_figures, scores_document
from unmingle.html import render
from unmingle.progress import Progress
from unmingle.render.figures import FacePicture, Pictures
from unmingle.render.report import STATUS, how_made, work_out
from unmingle.settings import DetectionSettings, RecordingSettings
from unmingle.store.facts import noted
from unmingle.store.result_tables import comparable_faces, spread
from unmingle.store.sqlite import Store
from unmingle.text_layout import counted, listed

Shown = dict[str, Any]  # what the template takes

FORMAT = 1  # of the json; counts up when a key changes its meaning or goes
SHOWN = 12  # changes of a kind on the terminal; the json has them all
PARTS = 8  # of a change
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
CHANGES = 60  # of a kind
STRIP = 10  # faces of a part
EXAMPLES = 14  # of what was left out for one reason
JUDGED = 42  # faces on which one of the two is right
SAME = 120  # people who are the same in both
LOOK = "Look whether it is one human being."
KINDS = {
    "merged": ("b", "Put together in B", "Each of these is one person in B and several in A. " + LOOK),
    "split": ("a", "Taken apart in B", "Each of these is one person in A and several in B. " + LOOK),
    "gone": ("a", "Nobody in B", "People of A all of whose faces belong to nobody in B."),
    "new": ("b", "Nobody in A", "People of B all of whose faces belong to nobody in A."),
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
            told += listed([_change_line(change, labels=judged is not None) for change in changes], SHOWN)
    for side, other in ("ab", "ba"):
        if rows := comparison.left_out(side):
            told.append(f"Left out by {side.upper()}, and somebody's in {other.upper()}:")
            told += listed([f"{faces:>7,}  {status}: {reason}" for status, reason, faces in rows], SHOWN)
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


def comparison_page(comparison: Comparison, a: Pictures, b: Pictures, progress: Progress) -> str:
    """The page of a comparison of two libraries, given the pictures of each."""
    faces = _Faces(comparison, {"a": a, "b": b})
    parts: dict[str, Callable[[], Any]] = {
        **{key: partial(faces.kind, key) for key in KINDS},
        "left_out": lambda: [*faces.left_out("a"), *faces.left_out("b")],
        "judged": lambda: {verdict: faces.judged(verdict) for verdict in ("mended", "broken") if comparison.judged},
        "same": lambda: [faces.of_both(one, other) for one, other in comparison.same[:SAME]],
    }
    values = work_out(parts, progress)
    return render(
        "comparison.html",
        f"{PurePath(comparison.a.title).name} and {PurePath(comparison.b.title).name}, side by side",
        found=comparison,
        faces=comparison.faces.height,
        rows=side_rows(comparison, settings="all"),
        kinds=[kind for kind in map(values.pop, KINDS) if kind["changes"]],
        **values,
    )


class _Faces:
    def __init__(self, comparison: Comparison, pictures: dict[str, Pictures]) -> None:
        self._comparison, self._pictures = comparison, pictures
        self._faces = _once(comparison.faces)
        self._parts = self._faces.partition_by("person_a", "person_b", as_dict=True, maintain_order=True)

    def kind(self, key: str) -> Shown:
        """The changes of one kind, the first of them with faces."""
        side, title, meaning = KINDS[key]
        changes = getattr(self._comparison, key)
        shown = [self._change(side, change) for change in changes[:CHANGES]]
        return {"key": key, "title": title, "meaning": meaning, "changes": shown, "total": len(changes)}

    def _change(self, side: str, change: Change) -> Shown:
        whole, parts = change.whole, []
        for part in change.parts[:PARTS]:
            pair = (whole.person, part.person) if side == "a" else (part.person, whole.person)
            parts.append({"title": who(part), "faces": part.faces, "strip": self._strip(self._parts[pair], STRIP)})
        more = max(len(change.parts) - PARTS, 0)
        verdict = verdict_text(change) if self._comparison.judged else ""
        return {"title": who(whole), "faces": whole.faces, "parts": parts, "more": more, "verdict": verdict}

    def of_both(self, a: Share, b: Share) -> tuple[FacePicture, str, int]:
        """A person who is the same in both: their clearest face, what they are called, and how many faces."""
        rows = self._parts[a.person, b.person]
        best = rows.sort("quality_a", descending=True, nulls_last=True).row(0, named=True)
        return self._face(best), " · ".join(dict.fromkeys([who(a), who(b)])), a.faces

    def left_out(self, side: str) -> list[Shown]:
        """What the library `side` alone left out, by reason."""
        rows = _once(self._comparison.left_out_faces(side))
        found = []
        for status, reason, faces in self._comparison.left_out(side):
            title = "Not found" if status == "not_found" else STATUS[status][0]
            alike = rows.filter((pl.col("status") == status) & (pl.col("reason") == reason))
            shown = {"side": side.upper(), "title": title, "reason": reason, "faces": faces}
            found.append({**shown, "examples": self._strip(alike, EXAMPLES)})
        return found

    def judged(self, verdict: str) -> list[Shown]:
        """The labelled faces of which the labels say that one of the two is right, and where each has them."""
        rows = self._faces.filter(pl.col("verdict") == verdict).head(JUDGED)
        return [
            {"face": self._face(row), "label": row["label"], "where": f"A: {_whose(row, 'a')}, B: {_whose(row, 'b')}"}
            for row in rows.iter_rows(named=True)
        ]

    def _strip(self, rows: pl.DataFrame, most: int) -> list[FacePicture]:
        return [self._face(row) for row in rows[spread(rows.height, most)].iter_rows(named=True)]

    def _face(self, row: dict[str, Any]) -> FacePicture:
        side = "a" if row["id_a"] is not None else "b"  # one of the two has found it
        return FacePicture(self._pictures[side][row[f"id_{side}"]], str(row["file"]))


def _once(rows: pl.DataFrame) -> pl.DataFrame:
    """Of recordings, several sightings are shown by one face."""
    return rows.unique(["id_a", "id_b"], keep="first", maintain_order=True)


def _whose(row: dict[str, Any], side: str) -> str:
    person = row[f"person_{side}"]
    return "nobody" if person is None else label(person, row[f"name_{side}"] or "")


def side_of(store: Store, title: str) -> tuple[Side, pl.DataFrame]:
    """A library as one side of a comparison, and its faces."""
    faces = comparable_faces(store)
    once = faces.filter(faces["face"].is_not_null()).unique(["content", "instant", "face"])
    settings = [row for row in how_made(store) if row[0] not in ("Library", "Times grouped")]
    # How faces were looked for, as far as that is not as usual.
    looked = (noted(store, DetectionSettings), DetectionSettings())
    watched = (noted(store, RecordingSettings), RecordingSettings())
    for known, usual in (looked, watched):
        values = asdict(known or usual)
        settings += [(name, str(value)) for name, value in values.items() if value != getattr(usual, name)]
    side = Side(
        title=title,
        settings=tuple(settings),
        pictures=faces["content"].n_unique(),
        faces=once.height,
        people=once["person"].drop_nulls().n_unique(),
        sorted=once["person"].count(),
    )
    return side, faces
