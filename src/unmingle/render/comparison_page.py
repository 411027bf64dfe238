"""A comparison of two libraries as one page of html, with the faces concerned."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import polars as pl

from unmingle.decisions.references import label
from unmingle.evaluation.comparison import Side
from unmingle.evaluation.comparison_text import side_rows, verdict_text, who
from unmingle.html import render
from unmingle.render.figures import FacePicture, spread
from unmingle.render.report import STATUS, how_made, work_out
from unmingle.settings import DetectionSettings, RecordingSettings
from unmingle.store.facts import noted
from unmingle.store.result_tables import comparable_faces

if TYPE_CHECKING:
    from collections.abc import Callable

    from unmingle.evaluation.comparison import Change, Comparison, Share
    from unmingle.progress import Progress
    from unmingle.render.figures import Pictures
    from unmingle.store.sqlite import Store

    Shown = dict[str, Any]  # what the template takes

CHANGES = 60  # of a kind
PARTS = 8  # of a change
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
    """Puts faces to what changed."""

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


def side_of(store: Store, recipe: str, title: str) -> tuple[Side, pl.DataFrame]:
    """A library as one side of a comparison, and its faces."""
    faces = comparable_faces(store, recipe)
    once = faces.filter(faces["face"].is_not_null()).unique(["content", "instant", "face"])
    settings = [row for row in how_made(store, recipe) if row[0] not in ("Library", "Times grouped")]
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
