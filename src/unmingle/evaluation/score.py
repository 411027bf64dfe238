"""The library's faces against labels: join, count what does not join, and score the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from unmingle.errors import LabelsError
from unmingle.evaluation.contingency import contingency
from unmingle.evaluation.counts import join_counts, join_files, set_aside
from unmingle.evaluation.metrics import score, score_table
from unmingle.evaluation.people import natural, person_scores

if TYPE_CHECKING:
    from unmingle.evaluation.counts import Join, JoinCounts, SetAside
    from unmingle.evaluation.labels import Labels
    from unmingle.evaluation.metrics import Scores
    from unmingle.evaluation.people import PersonScore

NEEDED = frozenset(
    {"file", "source", "face", "width", "height", "score", "quality", "person", "name", "status", "reason"}
)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Evaluation:
    """Everything that the labels say about a library.

    scores:    over all scored faces.
    meetings:  (meeting, scores) where file names tell of one, by name; each with its own assignment.
    people:    one record per labelled person.
    people_in_library: people that the library found, of at least two faces, whether labelled or not.
    set_aside: non-faces and faces told apart.
    join:      what joined and what did not.
    labels:    where the labels came from and how they were read.
    faces:     the scored faces, one row per labelled file: the columns of faces.csv, and `label`, `predicted` (the
        label that its cluster is assigned to, null if none), `meeting` (null if none), and `outcome`: right,
        confused (in another person's cluster), elsewhere (in a cluster that is assigned to nobody) or left_out.
    """

    scores: Scores
    meetings: tuple[tuple[str, Scores], ...]
    people: tuple[PersonScore, ...]
    people_in_library: int
    set_aside: SetAside
    join: JoinCounts
    labels: Labels
    faces: pl.DataFrame

    @property
    def per_person(self) -> pl.DataFrame:
        """One row per labelled person, in the columns of `evaluation.csv`."""
        from unmingle.evaluation.report import people_table

        return people_table(self)

    @property
    def confusion(self) -> pl.DataFrame:
        """Who was taken for whom: a row for each labelled person, with the number of faces in a column for each.

        The first column, `label`, is who it is, the following are whom the faces were taken for, `nobody's cluster` is
        a cluster that is assigned to nobody, and `left out` none at all.
        """
        from unmingle.evaluation.confusion import confusion_table

        return confusion_table(self)

    def __repr__(self) -> str:
        scores = self.scores
        return (
            f"Evaluation(faces={scores.faces}, people_found={scores.people_found}, people_true={scores.people_true}, "
            f"accuracy={scores.accuracy:.4f}, weighted_f1={scores.weighted_f1:.4f}, "
            f"bcubed_f1={scores.bcubed.f1:.4f}, left_out={scores.left_out})"
        )

    def _repr_html_(self) -> str:
        from unmingle.evaluation.report import as_html

        return as_html(self)


def evaluate(faces: pl.DataFrame, labels: Labels) -> Evaluation:
    """Score the people of a library against labels.

    A label belongs to a file. Where a file holds several faces it is taken to mean the main one, number 0; the others
    are counted and not scored. A file without a person (not_a_face, alone, masked, …) is a left-out face; see
    `metrics` for what that counts as. Files are joined by name, see `join.match_names`.

    Args:
        faces: the table faces.csv: one row per face, and one per file in which none was found. With a column `meeting`,
            each meeting is scored on its own, too.
        labels: who is on which file.

    Raises:
        LabelsError: no labelled name means a file of the library.
        ValueError: the table lacks columns.
    """
    if lacking := sorted(NEEDED - set(faces.columns)):
        raise ValueError(f"the table of faces lacks {', '.join(lacking)}")
    best = best_faces(faces)
    join = join_files(best, labels)
    scored = scored_faces(join, labels)
    table = contingency(scored["label"].to_list(), clusters_of(scored))
    scores = score_table(table)
    return Evaluation(
        scores=scores,
        meetings=by_meeting(scored),
        people=person_scores(table),
        people_in_library=count_people(faces),
        set_aside=set_aside(join, scored, labels),
        join=join_counts(join, scored, labels),
        labels=labels,
        faces=with_outcomes(scored, dict(scores.mapping)),
    )


def best_faces(faces: pl.DataFrame) -> pl.DataFrame:
    """One row per file, its face of lowest number (the first of equals), and `faces_in_file`, its rows."""
    ranked = faces.with_columns(
        pl.col("source", "file").cast(pl.String).fill_null(""),
        pl.col("person").cast(pl.Int64),
        pl.int_range(pl.len()).alias("_order"),
        pl.len().over("source", "file").alias("faces_in_file"),
    )
    first = ranked.sort(["face", "_order"], nulls_last=True).unique(
        ["source", "file"], keep="first", maintain_order=True
    )
    return first.sort("_order").drop("_order")


def scored_faces(join: Join, labels: Labels) -> pl.DataFrame:
    """The best face of each labelled file that joined, with `label` and `meeting`."""
    joined = [(join.file_of[name], label) for name, label in zip(labels.files, labels.labels, strict=True)]
    found = [(position, label) for position, label in joined if position is not None]
    if not found:
        raise nothing_joined(join.best, labels)
    scored = join.best[[position for position, _ in found]]
    meeting = pl.col("meeting").cast(pl.String) if "meeting" in scored.columns else pl.lit(None, pl.String)
    return scored.with_columns(
        pl.Series("label", [label for _, label in found], dtype=pl.String), meeting.alias("meeting")
    )


def nothing_joined(best: pl.DataFrame, labels: Labels) -> LabelsError:
    """The error that shows one name of each side."""
    if not labels.files:
        return LabelsError(f"Every row of {labels.origin} is dropped by a rule.", "Pass other rules with --drop.")
    problem = f"None of the {len(labels.files)} labelled names in {labels.origin} is a file of the library."
    example = f", the library {best['file'][0]!r}" if len(best) else ", the library nothing"
    column = f"of {labels.file_column!r} " if labels.file_column else ""
    return LabelsError(problem, f"The labels {column}have {labels.files[0]!r}{example}: compare the names.")


def clusters_of(faces: pl.DataFrame) -> np.ndarray[Any, np.dtype[np.int64]]:
    """(n,) int64: the person of each face, -1 for none."""
    return faces["person"].fill_null(-1).to_numpy().astype(np.int64)


def with_outcomes(scored: pl.DataFrame, mapping: dict[int, str]) -> pl.DataFrame:
    """The scored faces with `predicted` and `outcome`."""
    predicted = [None if person is None else mapping.get(person) for person in scored["person"].to_list()]
    return scored.with_columns(pl.Series("predicted", predicted, dtype=pl.String)).with_columns(
        pl.when(pl.col("person").is_null())
        .then(pl.lit("left_out"))
        .when(pl.col("predicted").is_null())
        .then(pl.lit("elsewhere"))
        .when(pl.col("predicted") == pl.col("label"))
        .then(pl.lit("right"))
        .otherwise(pl.lit("confused"))
        .alias("outcome")
    )


def by_meeting(scored: pl.DataFrame) -> tuple[tuple[str, Scores], ...]:
    """Scores of each meeting on its own."""
    parts = scored.filter(pl.col("meeting").is_not_null()).partition_by("meeting", as_dict=True)
    split = [(str(meeting), score(part["label"].to_list(), clusters_of(part))) for (meeting,), part in parts.items()]
    return tuple(sorted(split, key=lambda item: natural(item[0])))


def count_people(faces: pl.DataFrame) -> int:
    """People of at least two faces."""
    return int((faces["person"].drop_nulls().value_counts()["count"] > 1).sum())
