"""An evaluation written down: json with everything, csv per person, rows for a terminal, html for a notebook."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import polars as pl

from unmingle import html
from unmingle.evaluation.metrics import LEFT_OUT_RULE
from unmingle.evaluation.scores import found_worst
from unmingle.text_layout import shows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from unmingle.evaluation.metrics import Scores, Triple
    from unmingle.evaluation.scores import Evaluation, PersonScore

FORMAT = 1  # of evaluation.json; counts up when a key changes its meaning or goes
LIBRARIES = ("unmingle", "numpy", "scipy", "polars")
EXAMPLES = 3  # names shown in a terminal; the json has them all
MEETINGS = 20  # shown in a terminal
WORST = 15  # people shown in a notebook
PERSON_COLUMNS = {
    "label": pl.String,
    "size": pl.Int64,
    "cluster": pl.Int64,
    "precision": pl.Float64,
    "recall": pl.Float64,
    "f1": pl.Float64,
    "left_out": pl.Int64,
    "elsewhere": pl.Int64,
    "confused_with": pl.String,
}


def as_json(evaluation: Evaluation) -> str:
    """Everything but the faces themselves; keys do not change within a FORMAT."""
    labels = evaluation.labels
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
        "set_aside": {
            **asdict(evaluation.set_aside),
            "nonface_recall": evaluation.set_aside.nonface_recall,
            "face_loss": evaluation.set_aside.face_loss,
        },
        "join": join_document(evaluation),
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


def join_document(evaluation: Evaluation) -> dict[str, Any]:
    """Each list of names with its count, and the other counts, as json has them."""
    join = asdict(evaluation.join)
    join["contradictions"] = [{"file": file, "says": says} for file, says in evaluation.join.contradictions]
    dropped = [{**asdict(one), "statuses": dict(one.statuses)} for one in evaluation.join.dropped]
    lists = {
        key: {"count": len(value), "names": list(value)}
        for key, value in join.items()
        if key != "dropped" and not isinstance(value, int)
    }
    return {**join, **lists, "dropped": dropped}


def write_people(evaluation: Evaluation, path: Path) -> None:
    """One row per person; confused_with is "label (faces); …"."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, PERSON_COLUMNS)
        writer.writeheader()
        writer.writerows(person_row(person) for person in evaluation.people)


def people_table(evaluation: Evaluation) -> pl.DataFrame:
    """The same rows as a table."""
    return pl.DataFrame([person_row(person) for person in evaluation.people], schema=PERSON_COLUMNS)


def person_row(person: PersonScore) -> dict[str, Any]:
    """A person's scores by column."""
    return {**asdict(person), "confused_with": "; ".join(f"{label} ({faces})" for label, faces in person.confused_with)}


def as_html(evaluation: Evaluation) -> str:
    """The scores, and the people who were found worst, for a notebook."""
    worst = found_worst(evaluation.people, WORST)
    rows = [
        (
            *(person.label, f"{person.size:,}", "" if person.cluster is None else person.cluster),
            *(f"{value:.4f}" for value in (person.precision, person.recall, person.f1)),
            *(f"{person.left_out:,}", person_row(person)["confused_with"]),
        )
        for person in worst
    ]
    scores = evaluation.scores
    return html.block(
        html.heading(f"Accuracy {scores.accuracy:.4f}, weighted F1 {scores.weighted_f1:.4f}"),
        html.table([*score_rows(evaluation), *aside_rows(evaluation)]),
        html.table(rows, ("person", "faces", "cluster", "precision", "recall", "F1", "left out", "confused with")),
        *(
            [html.remark(f"The worst {WORST} of {len(evaluation.people):,} people.")]
            if len(rows) < len(evaluation.people)
            else []
        ),
        html.remark(LEFT_OUT_RULE),
    )


def as_table(evaluation: Evaluation) -> list[tuple[str, str]]:
    """The evaluation in rows of name and value, for a terminal."""
    return [
        *score_rows(evaluation),
        *aside_rows(evaluation),
        *join_rows(evaluation),
        *meeting_rows(evaluation),
        ("Left-out faces", LEFT_OUT_RULE),
    ]


def score_rows(evaluation: Evaluation) -> list[tuple[str, str]]:
    """The scores."""
    scores, labels = evaluation.scores, evaluation.labels
    people = f"{scores.people_found:,} found, {scores.people_true:,} true"
    columns = f" ({labels.file_column}, {labels.label_column}; {labels.note})" if labels.file_column else ""
    return [
        ("Labels", f"{labels.origin}{columns}"),
        ("Faces scored", f"{scores.faces:,}, of which {scores.left_out:,} left out"),
        ("Coverage", f"{scores.coverage:.4f}"),
        ("People", f"{people}; {evaluation.people_in_library:,} in the library"),
        ("Accuracy", f"{scores.accuracy:.4f}; {scores.accuracy_covered:.4f} without the left-out faces"),
        ("Weighted F1", f"{scores.weighted_f1:.4f}"),
        ("Macro F1", f"{scores.macro_f1:.4f}"),
        ("Pairwise P, R, F", three(scores.pairwise)),
        ("BCubed P, R, F", three(scores.bcubed)),
        ("ARI", f"{scores.ari:.4f}"),
        ("AMI", f"{scores.ami:.4f}"),
        (
            "V-measure",
            f"{scores.v_measure:.4f}; homogeneity {scores.homogeneity:.4f}, completeness {scores.completeness:.4f}",
        ),
    ]


def three(triple: Triple) -> str:
    """Precision, recall and F in one line."""
    return f"{triple.precision:.4f}, {triple.recall:.4f}, {triple.f1:.4f}"


def aside_rows(evaluation: Evaluation) -> list[tuple[str, str]]:
    """What was dropped, and what was set aside as no face."""
    rows = []
    for one in evaluation.join.dropped:
        became = ", ".join(f"{n:,} {status.replace('_', ' ')}" for status, n in one.statuses)
        rows.append(
            (f"Dropped, {one.rule}", f"{one.files:,} ({became or 'none in the library'})" if one.files else "0")
        )
    aside = evaluation.set_aside
    if aside.nonface_recall is not None:
        rows.append(
            ("Non-faces set aside", f"{aside.nonfaces_set_aside:,} of {aside.nonfaces:,} ({aside.nonface_recall:.1%})")
        )
    if aside.face_loss is not None:
        rows.append(("Faces set aside", f"{aside.faces_set_aside:,} of {aside.faces:,} ({aside.face_loss:.1%})"))
    return rows


def join_rows(evaluation: Evaluation) -> list[tuple[str, str]]:
    """What did not join; the first four always, the rest where there is any."""
    join = evaluation.join
    always = [
        ("Rows without a file", some(join.rows_without_file)),
        ("Files without a row", some(join.files_without_row)),
        ("Empty rows", f"{join.empty_rows:,}"),
        ("Duplicate rows", some(join.duplicates)),
    ]
    rest = [
        ("Contradictory rows", some([f"{file} ({', '.join(says)})" for file, says in join.contradictions])),
        ("Ambiguous names", some(join.ambiguous)),
        ("Joined in another folder", some(join.by_name)),
        ("Rows without a label", some(join.unlabelled)),
        ("Rows with a label only", f"{join.nameless_rows:,}"),
        ("Further faces, unscored", f"{join.other_faces:,}"),
        ("Labels spelled otherwise", some(evaluation.labels.spellings)),
        ("Sheets not read (--sheet)", some(evaluation.labels.unread)),
    ]
    return [*always, *(row for row in rest if row[1] != "0")]


def some(names: Sequence[str]) -> str:
    """The count and the first few names."""
    if not names:
        return "0"
    shown = ", ".join(name if all(map(shows, name)) else repr(name) for name in names[:EXAMPLES])
    return f"{len(names):,}: {shown}{', …' if len(names) > EXAMPLES else ''}"


def meeting_rows(evaluation: Evaluation) -> list[tuple[str, str]]:
    """One row per meeting, the first of them where there are many."""
    rows = []
    for name, scores in evaluation.meetings[:MEETINGS]:
        value = (
            f"accuracy {scores.accuracy:.4f}, weighted F1 {scores.weighted_f1:.4f}, BCubed F {scores.bcubed.f1:.4f}; "
            f"{scores.people_found:,} of {scores.people_true:,} people, {scores.faces:,} faces"
        )
        rows.append((f"Meeting {name}", value))
    if len(evaluation.meetings) > MEETINGS:
        rows.append(("Meetings", f"{len(evaluation.meetings) - MEETINGS:,} more are in evaluation.json"))
    return rows
