"""An evaluation written down: json with everything, rows for a terminal, html for a notebook, the worst mistakes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import polars as pl

from unmingle import html
from unmingle.evaluation.metrics import LEFT_OUT_RULE, Scores
from unmingle.evaluation.scores import Evaluation, confused, found_worst
from unmingle.records import I64
from unmingle.text_layout import shows

FORMAT = 1  # of evaluation.json; counts up when a key changes its meaning or goes
LIBRARIES = ("unmingle", "numpy", "scipy", "polars")
EXAMPLES = 3  # names shown in a terminal; the json has them all
MEETINGS = 20  # shown in a terminal
WORST = 15  # people shown in a notebook
MOST_MISTAKES = 60  # faces on a sheet
MOST_PEOPLE = 40  # more rows of a matrix than this can't be read on a screen
NOBODYS, LEFT_OUT = "nobody's cluster", "left out"  # the columns that are no person


def as_json(evaluation: Evaluation) -> str:
    """Everything but the faces themselves; keys do not change within a FORMAT."""
    labels, aside = evaluation.labels, evaluation.set_aside
    join = asdict(evaluation.join)
    join["contradictions"] = [{"file": file, "says": says} for file, says in evaluation.join.contradictions]
    join["dropped"] = [{**one, "statuses": dict(one["statuses"])} for one in join["dropped"]]
    document = {
        "format": FORMAT,
        "versions": {name: version(name) for name in LIBRARIES},
        "left_out_rule": LEFT_OUT_RULE,
        "labels": {
            "origin": labels.origin,
            "note": labels.note,
            "file_column": labels.file_column,
            "label_column": labels.label_column,
            "rules": labels.rules,
            "spelled_otherwise": labels.spellings,
            "sheets_not_read": labels.unread,
            "files": len(labels.files),
            "people": labels.people,
        },
        "scores": scores_document(evaluation.scores),
        "people_in_library": evaluation.people_in_library,
        "set_aside": {**asdict(aside), "nonface_recall": aside.nonface_recall, "face_loss": aside.face_loss},
        "join": {
            key: value if key == "dropped" or isinstance(value, int) else {"count": len(value), "names": value}
            for key, value in join.items()
        },
        "people": [
            {**asdict(person), "confused_with": [{"label": who, "faces": n} for who, n in person.confused_with]}
            for person in evaluation.people
        ],
        "meetings": [{"meeting": name, "scores": scores_document(scores)} for name, scores in evaluation.meetings],
    }
    return json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def scores_document(scores: Scores) -> dict[str, Any]:
    """Scores as json has them."""
    mapping = [{"cluster": cluster, "label": label} for cluster, label in scores.mapping]
    return {**asdict(scores), "mapping": mapping}


def main_figures(scores: Scores) -> list[tuple[str, str]]:
    """The scores that results are compared by."""
    figures = {
        "accuracy": scores.accuracy,
        "weighted F1": scores.weighted_f1,
        "BCubed F": scores.bcubed.f1,
        "pairwise F": scores.pairwise.f1,
        "homogeneity": scores.homogeneity,
        "completeness": scores.completeness,
    }
    return [(name, f"{value:.4f}") for name, value in figures.items()]


def as_html(evaluation: Evaluation) -> str:
    """The scores, and the people who were found worst, for a notebook."""
    rows = [
        (
            *(person.label, f"{person.size:,}", "" if person.cluster is None else person.cluster),
            *(f"{value:.4f}" for value in (person.precision, person.recall, person.f1)),
            *(f"{person.left_out:,}", confused(person, "; ")),
        )
        for person in found_worst(evaluation.people, WORST)
    ]
    scores = evaluation.scores
    more = [f"The worst {WORST} of {len(evaluation.people):,} people."] if len(rows) < len(evaluation.people) else []
    return html.block(
        html.heading(f"Accuracy {scores.accuracy:.4f}, weighted F1 {scores.weighted_f1:.4f}"),
        html.table([*score_rows(evaluation), *aside_rows(evaluation)]),
        html.table(rows, ("person", "faces", "cluster", "precision", "recall", "F1", "left out", "confused with")),
        *map(html.remark, [*more, LEFT_OUT_RULE]),
    )


def as_table(evaluation: Evaluation) -> list[tuple[str, str]]:
    """The evaluation in rows of name and value, for a terminal."""
    meetings = [
        (
            f"Meeting {name}",
            f"accuracy {scores.accuracy:.4f}, weighted F1 {scores.weighted_f1:.4f}, BCubed F {scores.bcubed.f1:.4f}; "
            f"{scores.people_found:,} of {scores.people_true:,} people, {scores.faces:,} faces",
        )
        for name, scores in evaluation.meetings[:MEETINGS]
    ]
    if (more := len(evaluation.meetings) - MEETINGS) > 0:
        meetings.append(("Meetings", f"{more:,} more are in evaluation.json"))
    rows = (*score_rows(evaluation), *aside_rows(evaluation), *join_rows(evaluation), *meetings)
    return [*rows, ("Left-out faces", LEFT_OUT_RULE)]


def score_rows(evaluation: Evaluation) -> list[tuple[str, str]]:
    """The scores."""
    scores, labels = evaluation.scores, evaluation.labels
    people = f"{scores.people_found:,} found, {scores.people_true:,} true"
    columns = f" ({labels.file_column}, {labels.label_column}; {labels.note})" if labels.file_column else ""
    pairwise, bcubed = (
        f"{one.precision:.4f}, {one.recall:.4f}, {one.f1:.4f}" for one in (scores.pairwise, scores.bcubed)
    )
    purity = f"homogeneity {scores.homogeneity:.4f}, completeness {scores.completeness:.4f}"
    return [
        ("Labels", f"{labels.origin}{columns}"),
        ("Faces scored", f"{scores.faces:,}, of which {scores.left_out:,} left out"),
        ("Coverage", f"{scores.coverage:.4f}"),
        ("People", f"{people}; {evaluation.people_in_library:,} in the library"),
        ("Accuracy", f"{scores.accuracy:.4f}; {scores.accuracy_covered:.4f} without the left-out faces"),
        ("Weighted F1", f"{scores.weighted_f1:.4f}"),
        ("Macro F1", f"{scores.macro_f1:.4f}"),
        ("Pairwise P, R, F", pairwise),
        ("BCubed P, R, F", bcubed),
        ("ARI", f"{scores.ari:.4f}"),
        ("AMI", f"{scores.ami:.4f}"),
        ("V-measure", f"{scores.v_measure:.4f}; {purity}"),
    ]


def aside_rows(evaluation: Evaluation) -> list[tuple[str, str]]:
    """What was dropped, and what was set aside as no face."""
    rows = []
    for one in evaluation.join.dropped:
        became = ", ".join(f"{n:,} {status.replace('_', ' ')}" for status, n in one.statuses) or "none in the library"
        rows.append((f"Dropped, {one.rule}", f"{one.files:,} ({became})" if one.files else "0"))
    aside = evaluation.set_aside
    for name, part, whole, share in (
        ("Non-faces set aside", aside.nonfaces_set_aside, aside.nonfaces, aside.nonface_recall),
        ("Faces set aside", aside.faces_set_aside, aside.faces, aside.face_loss),
    ):
        if share is not None:
            rows.append((name, f"{part:,} of {whole:,} ({share:.1%})"))
    return rows


def join_rows(evaluation: Evaluation) -> list[tuple[str, str]]:
    """What did not join; the first four always, the rest where there is any."""
    join = evaluation.join
    rows = [
        ("Rows without a file", some(join.rows_without_file)),
        ("Files without a row", some(join.files_without_row)),
        ("Empty rows", f"{join.empty_rows:,}"),
        ("Duplicate rows", some(join.duplicates)),
        ("Contradictory rows", some([f"{file} ({', '.join(says)})" for file, says in join.contradictions])),
        ("Ambiguous names", some(join.ambiguous)),
        ("Joined in another folder", some(join.by_name)),
        ("Rows without a label", some(join.unlabelled)),
        ("Rows with a label only", f"{join.nameless_rows:,}"),
        ("Further faces, unscored", f"{join.other_faces:,}"),
        ("Labels spelled otherwise", some(evaluation.labels.spellings)),
        ("Sheets not read (--sheet)", some(evaluation.labels.unread)),
    ]
    return [row for i, row in enumerate(rows) if i < 4 or row[1] != "0"]


def some(names: Sequence[str]) -> str:
    """The count and the first few names."""
    if not names:
        return "0"
    shown = ", ".join(name if all(map(shows, name)) else repr(name) for name in names[:EXAMPLES])
    return f"{len(names):,}: {shown}{', …' if len(names) > EXAMPLES else ''}"


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
    """Faces of s shown people, by where they ended."""

    labels: tuple[str, ...]
    sizes: tuple[int, ...]
    count_sk: I64  # (s, s + 3): in the cluster of each shown person, of someone not shown, of nobody, and in none
    people: int  # in all


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
