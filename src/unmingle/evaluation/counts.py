"""The files of the library and the names in the labels: what joined, what did not, and what was set aside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from unmingle.evaluation.join import match_names

if TYPE_CHECKING:
    import polars as pl

    from unmingle.evaluation.join import Matches
    from unmingle.evaluation.labels import Labels


@dataclass(frozen=True, slots=True)
class DropCount:
    """What became of the files that one rule left out of the scores.

    rule:     as in "Mask=Y".
    files:    names in the labels that it left out.
    joined:   those of them that are in the library.
    statuses: (status, files) of the joined ones, most first.
    """

    rule: str
    files: int
    joined: int
    statuses: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class SetAside:
    """Whether pictures without a face were told from faces; both by the library's status `not_a_face`.

    nonfaces, nonfaces_set_aside: joined files dropped by a rule about the label (ID=0), and those set aside.
    faces, faces_set_aside:       scored files, which show a labelled person, and those wrongly set aside.
    nonface_recall, face_loss:    the two rates; None where there is nothing to count.
    """

    nonfaces: int
    nonfaces_set_aside: int
    faces: int
    faces_set_aside: int

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
    """What joined and what did not; each tuple lists names.

    rows_without_file: names in the labels that mean no file of the library.
    files_without_row: files of the library that no name in the labels means, as "source/file" where two share a name.
    ambiguous:         names that could mean several files, or that want a file which another name wants as much.
    by_name:           names matched by their last part alone although the folders differ.
    unlabelled:        names in the labels that name nobody.
    contradictions:    (name, what its rows say), left out.
    duplicates:        one name per superfluous row.
    dropped:           per rule.
    empty_rows, nameless_rows: rows without file and label, and with a label only.
    other_faces:       faces beside the labelled one in labelled files: nobody said who they are, so none is scored.
    """

    rows_without_file: tuple[str, ...]
    files_without_row: tuple[str, ...]
    ambiguous: tuple[str, ...]
    by_name: tuple[str, ...]
    unlabelled: tuple[str, ...]
    contradictions: tuple[tuple[str, tuple[str, ...]], ...]
    duplicates: tuple[str, ...]
    dropped: tuple[DropCount, ...]
    empty_rows: int
    nameless_rows: int
    other_faces: int


@dataclass(frozen=True, slots=True, eq=False)
class Join:
    """The join of a library's files with the names in the labels.

    best:    one row per file of the library.
    names:   every name in the labels.
    matches: what the names mean, as positions in `best`.
    file_of: the same by name.
    """

    best: pl.DataFrame
    names: tuple[str, ...]
    matches: Matches
    file_of: dict[str, int | None]


def join_files(best: pl.DataFrame, labels: Labels) -> Join:
    """Join every name in the labels, those that are not scored too, so that their files do not count as unnamed."""
    left_out = (*(one.file for one in labels.dropped), *(one.file for one in labels.contradictions), *labels.unlabelled)
    names = tuple(dict.fromkeys((*labels.files, *left_out)))
    matches = match_names(names, list(zip(best["source"].to_list(), best["file"].to_list(), strict=True)))
    return Join(best, names, matches, dict(zip(names, matches.files, strict=True)))


def set_aside(join: Join, scored: pl.DataFrame, labels: Labels) -> SetAside:
    """Count what the library called not a face; `scored` are the labelled faces."""
    nonfaces = statuses_of(join, [one.file for one in labels.dropped if one.by_label])
    return SetAside(
        nonfaces=len(nonfaces),
        nonfaces_set_aside=nonfaces.count("not_a_face"),
        faces=len(scored),
        faces_set_aside=int((scored["status"] == "not_a_face").sum()),
    )


def statuses_of(join: Join, names: list[str]) -> list[str]:
    """The statuses of those names that are in the library."""
    statuses = join.best["status"].to_list()
    return [statuses[position] for name in names if (position := join.file_of[name]) is not None]


def join_counts(join: Join, scored: pl.DataFrame, labels: Labels) -> JoinCounts:
    """Count and list what did not join; `scored` are the labelled faces."""
    files, ambiguous = join.matches.files, set(join.matches.ambiguous)
    taken = {position for position in files if position is not None}
    missing = [name for i, name in enumerate(join.names) if files[i] is None and i not in ambiguous]
    return JoinCounts(
        rows_without_file=tuple(missing),
        files_without_row=tuple(shown_names(join.best, [i for i in range(len(join.best)) if i not in taken])),
        ambiguous=tuple(join.names[i] for i in join.matches.ambiguous),
        by_name=tuple(join.names[i] for i in join.matches.by_name),
        unlabelled=labels.unlabelled,
        contradictions=tuple((one.file, one.says) for one in labels.contradictions),
        duplicates=labels.duplicates,
        dropped=drop_counts(join, labels),
        empty_rows=labels.empty_rows,
        nameless_rows=labels.nameless_rows,
        other_faces=int((scored["faces_in_file"] - 1).sum()),
    )


def shown_names(best: pl.DataFrame, positions: list[int]) -> list[str]:
    """Relative paths, with their source where it takes that to tell two apart."""
    twice = best["file"].is_duplicated().to_list()
    sources, files = best["source"].to_list(), best["file"].to_list()
    return [f"{sources[i]}/{files[i]}" if twice[i] else files[i] for i in positions]


def drop_counts(join: Join, labels: Labels) -> tuple[DropCount, ...]:
    """What became of the dropped files, per rule; a rule that dropped nothing is there too."""
    result = []
    for rule in labels.rules:
        files = [one.file for one in labels.dropped if one.rule == rule]
        became = statuses_of(join, files)
        counts = sorted(((status, became.count(status)) for status in set(became)), key=lambda item: (-item[1], item))
        result.append(DropCount(rule, len(files), len(became), tuple(counts)))
    return tuple(result)
