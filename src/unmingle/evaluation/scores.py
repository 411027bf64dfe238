"""The library's faces against labels: join, count what does not join, and score the rest."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import polars as pl

from unmingle.errors import LabelsError
from unmingle.evaluation import metrics
from unmingle.evaluation.columns import plain_number
from unmingle.evaluation.labels import (
    Dropped,
    LabelOptions,
    Labels,
    Matches,
    find_table,
    labels_of,
    match_names,
)
from unmingle.evaluation.places import Place, places_of, rows_at

Cell = str | float

NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]{0,16}[1-9])?")  # that a spreadsheet holds whole
MOST_CONFUSED = 3  # others that a person is told to be confused with
NEW = ("Found {label}", "Found person", "Found name", "Found status", "Found reason")


@dataclass(frozen=True, slots=True)
class PersonScore:
    """One labelled person."""

    label: str
    size: int  # labelled faces, left-out ones included
    cluster: int | None  # that is assigned to the person, None if none is
    precision: float  # share of it that is the person's
    recall: float
    f1: float
    left_out: int  # faces of the person that are in no cluster
    elsewhere: int  # in clusters that are assigned to nobody
    confused_with: tuple[tuple[str, int], ...]  # up to three (label, faces), most first: in the other's, or vice versa


@dataclass(frozen=True, slots=True)
class DropCount:
    """The files that one rule left out."""

    rule: str
    files: int  # names in the labels
    joined: int  # those in the library
    statuses: tuple[tuple[str, int], ...]  # (status, files) of these


@dataclass(frozen=True, slots=True)
class SetAside:
    """Whether pictures without a face were told from faces; both by the library's status `not_a_face`."""

    nonfaces: int  # joined files dropped by a rule about the label (ID=0)
    nonfaces_set_aside: int
    faces: int  # scored files, which show a labelled person
    faces_set_aside: int  # wrongly

    @property
    def nonface_recall(self) -> float | None:
        """Share of the non-faces that were set aside."""
        return self.nonfaces_set_aside / self.nonfaces if self.nonfaces else None

    @property
    def face_loss(self) -> float | None:
        """Share of the labelled faces that were wrongly set aside."""
        return self.faces_set_aside / self.faces if self.faces else None


@dataclass(frozen=True, slots=True)
class JoinCounts:
    """What joined and what did not; each tuple lists names. The rest: see `labels.Matches` and `labels.Labels`."""

    rows_without_file: tuple[str, ...]
    files_without_row: tuple[str, ...]  # that no name in the labels means; "source/file" where two share a name
    ambiguous: tuple[str, ...]
    by_name: tuple[str, ...]
    unlabelled: tuple[str, ...]
    contradictions: tuple[tuple[str, tuple[str, ...]], ...]
    duplicates: tuple[str, ...]
    dropped: tuple[DropCount, ...]
    empty_rows: int
    nameless_rows: int
    other_faces: int  # beside the labelled one of a file: nobody said who they are, so none is scored


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Evaluation:
    """Everything that the labels say about a library.

    meetings: (meeting, scores) where file names tell of one, by name; each by itself
    faces: the scored faces, one row per labelled file: the columns of faces.csv, and `label`, `predicted` (the
        label that its cluster is assigned to, null if none), `meeting` (null if none), and `outcome`: right,
        confused (in another person's cluster), elsewhere (in a cluster that is assigned to nobody) or left_out.
    """

    scores: metrics.Scores  # over all scored faces
    meetings: tuple[tuple[str, metrics.Scores], ...]
    people: tuple[PersonScore, ...]  # one record per labelled person
    people_in_library: int  # people that the library found, of at least two faces, whether labelled or not
    set_aside: SetAside  # non-faces and faces told apart
    join: JoinCounts  # what joined and what did not
    labels: Labels  # where the labels came from and how they were read
    faces: pl.DataFrame

    @property
    def per_person(self) -> pl.DataFrame:
        """One row per labelled person, in the columns of `evaluation.csv`."""
        rows = [{**asdict(one), "confused_with": confused(one, "; ")} for one in self.people]
        return pl.DataFrame(rows, schema_overrides={"cluster": pl.Int64})

    @property
    def confusion(self) -> pl.DataFrame:
        """Who was taken for whom: a row for each labelled person, with the number of faces in a column for each.

        The first column, `label`, is who it is, the following are whom the faces were taken for, `nobody's cluster` is
        a cluster that is assigned to nobody, and `left out` none at all.
        """
        from unmingle.evaluation.score_files import confusion_table

        return confusion_table(self)

    def __repr__(self) -> str:
        scores = self.scores
        return (
            f"Evaluation(faces={scores.faces}, people_found={scores.people_found}, people_true={scores.people_true}, "
            f"accuracy={scores.accuracy:.4f}, weighted_f1={scores.weighted_f1:.4f}, "
            f"bcubed_f1={scores.bcubed.f1:.4f}, left_out={scores.left_out})"
        )

    def _repr_html_(self) -> str:
        from unmingle.evaluation.score_files import as_html

        return as_html(self)


def evaluate(faces: pl.DataFrame, labels: Labels) -> Evaluation:
    """Score the people of a library against labels, which are joined by name, see `labels.match_names`.

    A label belongs to a file, or to a face where the labels tell faces apart. Of a file with several faces it is taken
    to mean the main one, number 0; the others are counted and not scored. A file without a person (not_a_face, alone,
    masked, …) is a left-out face. Where the table of faces has a column `meeting`, each meeting is scored on its own.
    """
    best = best_faces(faces, labels)
    matches = join_files(best, labels)
    file_of, statuses = matches.file_of, best["status"].to_list()
    scored = _scored_faces(best, file_of, labels)
    table = metrics.contingency(scored["label"].to_list(), scored["person"].fill_null(-1).to_numpy())
    scores = metrics.score_table(table)
    mapping = dict(scores.mapping)
    predicted = [mapping.get(person) for person in scored["person"].to_list()]
    by_meeting = scored.filter(pl.col("meeting").is_not_null()).partition_by("meeting", as_dict=True)
    meetings = {
        str(name): metrics.score(part["label"].to_list(), part["person"].fill_null(-1).to_numpy())
        for (name,), part in by_meeting.items()
    }
    outcomes = {
        "left_out": pl.col("person").is_null(),
        "elsewhere": pl.col("predicted").is_null(),
        "right": pl.col("predicted") == pl.col("label"),
    }
    became = [(one, statuses[at]) for one in labels.dropped if (at := file_of[one.file]) is not None]
    nonfaces = [status for one, status in became if one.by_label]
    return Evaluation(
        scores=scores,
        meetings=tuple((name, meetings[name]) for name in sorted(meetings, key=natural)),
        people=person_scores(table),
        people_in_library=int((faces["person"].drop_nulls().value_counts()["count"] > 1).sum()),
        set_aside=SetAside(
            nonfaces=len(nonfaces),
            nonfaces_set_aside=nonfaces.count("not_a_face"),
            faces=len(scored),
            faces_set_aside=int((scored["status"] == "not_a_face").sum()),
        ),
        join=_join_counts(best, matches, scored, labels, became),
        labels=labels,
        faces=scored.with_columns(pl.Series("predicted", predicted, dtype=pl.String)).with_columns(
            first_case(outcomes, otherwise="confused").alias("outcome")
        ),
    )


def first_case(cases: dict[str, pl.Expr], *, otherwise: str) -> pl.Expr:
    """The name of the first case that holds."""
    return pl.coalesce(*(pl.when(case).then(pl.lit(name)) for name, case in cases.items()), pl.lit(otherwise))


def best_faces(faces: pl.DataFrame, labels: Labels) -> pl.DataFrame:
    """One row per file, its face of lowest number (the first of equals), and `faces_in_file`, its rows.

    All rows where labels are of faces.
    """
    file = ["source", "file"]
    typed = faces.with_columns(pl.col(file).cast(pl.String).fill_null(""), pl.col("person").cast(pl.Int64))
    numbered = typed.with_columns(pl.len().over(file).alias("faces_in_file")).with_row_index("_order")
    if labels.places:
        return numbered.drop("_order")
    first = numbered.sort("face", "_order", nulls_last=True).unique(file, keep="first")
    return first.sort("_order").drop("_order")


def join_files(best: pl.DataFrame, labels: Labels) -> Matches:
    """Join every name in the labels, those that are not scored too, so that their files do not count as unnamed."""
    left_out = (*(one.file for one in labels.dropped), *(one.file for one in labels.contradictions), *labels.unlabelled)
    names = tuple(dict.fromkeys((*labels.files, *left_out)))
    files = best.select("source", "file").unique(maintain_order=True)
    if not labels.places:
        return match_names(names, files.rows())
    places = [labels.places[name] for name in names]
    paths = list(dict.fromkeys(at.file for at in places))
    found = match_names(paths, files.rows())
    faces = best.join(files.with_row_index("file_index"), on=["source", "file"], maintain_order="left")
    file_of = found.file_of
    rows = rows_at(places, [file_of[at.file] for at in places], faces)
    often, astray = Counter(rows), {paths[i] for i in found.by_name}
    unsure = {paths[i] for i in found.ambiguous}
    twice = [row is not None and often[row] > 1 for row in rows]
    return Matches(
        names,
        tuple(None if again else row for row, again in zip(rows, twice, strict=True)),
        tuple(i for i, at in enumerate(places) if twice[i] or at.file in unsure),
        tuple(i for i, at in enumerate(places) if at.file in astray and rows[i] is not None),
    )


def _scored_faces(best: pl.DataFrame, file_of: dict[str, int | None], labels: Labels) -> pl.DataFrame:
    """The best face of each labelled file that joined, with `label` and `meeting`."""
    joined = [(file_of[name], label) for name, label in zip(labels.files, labels.labels, strict=True)]
    found = [(position, label) for position, label in joined if position is not None]
    if not labels.files:
        raise LabelsError(f"Every row of {labels.origin} is dropped by a rule.", "Pass other rules with --drop.")
    if not found:
        problem = f"None of the {len(labels.files)} labelled names in {labels.origin} is a file of the library."
        example = f", the library {best['file'][0]!r}" if len(best) else ", the library nothing"
        column = f"of {labels.file_column!r} " if labels.file_column else ""
        raise LabelsError(problem, f"The labels {column}have {labels.files[0]!r}{example}: compare the names.")
    scored = best[[position for position, _ in found]]
    meeting = pl.col("meeting").cast(pl.String) if "meeting" in scored.columns else pl.lit(None, pl.String)
    label = pl.Series("label", [label for _, label in found], dtype=pl.String)
    return scored.with_columns(label, meeting.alias("meeting"))


def _join_counts(
    best: pl.DataFrame, matches: Matches, scored: pl.DataFrame, labels: Labels, became: list[tuple[Dropped, str]]
) -> JoinCounts:
    """What joined and what did not; became: the files that rules left out, and their statuses."""
    ambiguous = set(matches.ambiguous)
    named = [position for position in matches.files if position is not None]
    # With their source where it takes that to tell two apart.
    shown = pl.when(pl.col("file").is_duplicated()).then(pl.format("{}/{}", "source", "file")).otherwise("file")
    rowless = best.with_columns((~pl.int_range(pl.len()).is_in(named)).alias("rowless"))
    every = rowless.group_by("source", "file", maintain_order=True).agg(pl.col("rowless").all())
    unnamed = every.select(shown.alias("shown"), "rowless").filter("rowless")
    dropped = []
    for rule in labels.rules:  # one that dropped nothing, too
        counts = Counter(status for one, status in became if one.rule == rule)
        files = sum(one.rule == rule for one in labels.dropped)
        most = tuple(sorted(counts.items(), key=lambda item: (-item[1], item)))
        dropped.append(DropCount(rule, files, counts.total(), most))
    return JoinCounts(
        rows_without_file=tuple(
            name for i, name in enumerate(matches.names) if matches.files[i] is None and i not in ambiguous
        ),
        files_without_row=tuple(unnamed["shown"]),
        ambiguous=tuple(matches.names[i] for i in matches.ambiguous),
        by_name=tuple(matches.names[i] for i in matches.by_name),
        unlabelled=labels.unlabelled,
        contradictions=tuple((one.file, one.says) for one in labels.contradictions),
        duplicates=labels.duplicates,
        dropped=tuple(dropped),
        empty_rows=labels.empty_rows,
        nameless_rows=labels.nameless_rows,
        other_faces=int(scored.unique(["source", "file"])["faces_in_file"].sum()) - scored.height,
    )


def person_scores(table: metrics.Contingency) -> tuple[PersonScore, ...]:
    """One record per person, in natural order of their labels (9 before 10)."""
    person_c = metrics.assign(table)
    right_p, f1_p = metrics.agreement(table, person_c), metrics.f1_scores(table, person_c)
    cluster_p = {int(person): c for c, person in enumerate(person_c) if person >= 0}
    nobody_z = person_c[table.column_z] < 0
    elsewhere_p = np.bincount(table.row_z[nobody_z], table.count_z[nobody_z], len(table.people))
    # Per person, how many faces lie in another's cluster or the other way round, by the other person.
    others: list[Counter[int]] = [Counter() for _ in table.people]
    ends = zip(table.row_z.tolist(), person_c[table.column_z].tolist(), table.count_z.tolist(), strict=True)
    for row, other, count in ends:
        if other not in (-1, row):
            others[row][other] += count
            others[other][row] += count
    keys = [natural(label) for label in table.people]
    result = []
    for p in sorted(range(len(table.people)), key=keys.__getitem__):
        column = cluster_p.get(p)
        top = sorted(others[p].items(), key=lambda item: (-item[1], keys[item[0]]))[:MOST_CONFUSED]
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
                confused_with=tuple((table.people[other], count) for other, count in top),
            )
        )
    return tuple(result)


def found_worst(people: Sequence[PersonScore], most: int) -> list[PersonScore]:
    """The people with the lowest F1, and of these the largest."""
    return sorted(people, key=lambda person: (person.f1, -person.size))[:most]


def confused(person: PersonScore, between: str = ", ") -> str:
    """Whom a person was confused with, and how often."""
    return between.join(f"{label} ({faces})" for label, faces in person.confused_with)


def natural(label: str) -> tuple[tuple[int, int, str], ...]:
    """A sort key that puts 9 before 10, and numbers before words."""

    def key(part: str) -> tuple[int, int, str]:
        if part[0] not in "0123456789":
            return 1, 0, part.casefold()
        number = part.lstrip("0")  # of any length: shorter is smaller
        return 0, len(number), number

    return (*(key(part) for part in re.split(r"([0-9]+)", label) if part), (2, 0, label))


@dataclass(frozen=True, slots=True)
class Filled:
    """All rows, where the new columns are, names that mean no single file of the library, and sheets not read."""

    rows: tuple[tuple[Cell, ...], ...]
    new: tuple[int, ...]
    missing: tuple[str, ...]
    unread: tuple[str, ...]


def fill_in(path: Path, options: LabelOptions, faces: pl.DataFrame) -> Filled:
    """Fill in who was found, for every row with a file of the library, also those that the drop rules leave out.

    The found label is that of the people in the table whom the person was assigned to in the scores (see
    `evaluation.scores`), so that both columns speak of the same people; empty for a person that nobody in the table is.
    """
    table = find_table(path, options)
    columns = table.columns
    labels = labels_of(table, path.name, options)
    best = best_faces(faces, labels)
    matched = join_files(best, labels).file_of
    position = {(labels.places.get(name) or Place(name)).key: at for name, at in matched.items()}
    found = best.select("person", "name", "status", "reason").rows()
    label_of_person = dict(evaluate(faces, labels).scores.mapping)
    nothing = ("",) * len(NEW)
    missing: dict[str, None] = {}

    def new_cells(of: Place) -> tuple[Cell, ...]:
        if not of.file:
            return nothing
        at = position[of.key]
        if at is None:
            missing[str(of)] = None
            return ("", "", "", "not in the library", "")
        person, name, status, reason = found[at]
        if person is None:
            return ("", "", "", status, reason)
        return (_typed(label_of_person.get(person, "")), person, name or "", status, reason)

    at = columns.label + 1
    given = (*table.above, columns.header, *columns.body)
    headings = tuple(heading.format(label=columns.label_name) for heading in NEW)
    added = [*[nothing] * len(table.above), headings, *map(new_cells, places_of(columns))]
    width = max(map(len, given))
    padded = ([_typed(text) for text in (*row, *[""] * (width - len(row)))] for row in given)
    rows = tuple((*row[:at], *new, *row[at:]) for row, new in zip(padded, added, strict=True))
    return Filled(rows, tuple(range(at, at + len(NEW))), tuple(missing), table.unread)


def _typed(text: str) -> Cell:
    """A number, where a number is written the way a spreadsheet would write it: 007 is none."""
    plain = plain_number(text)
    return float(plain) if NUMBER.fullmatch(plain) else text
