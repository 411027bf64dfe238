"""Labels: who is on which file, from a workbook, a delimited text file, or folder names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unmingle.errors import LabelsError
from unmingle.evaluation.cells import YES, cell, label_of, plain_number, same
from unmingle.evaluation.columns import DEFAULT_DROPS, find_columns, rules_for
from unmingle.evaluation.sheets import read_table
from unmingle.sources.paths import bare

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence, Set
    from pathlib import Path

    from unmingle.evaluation.columns import Rule
    from unmingle.evaluation.sheets import Table

SEPARATORS = re.compile(r"[,;/|&+]")


@dataclass(frozen=True, slots=True)
class LabelOptions:
    """How a table of labels is read.

    file_column:  the column with file names; None finds it by name (see `columns.FILE_COLUMNS`).
    label_column: the column with people; None finds it by name (see `columns.LABEL_COLUMNS`).
    drops:        rules like "Mask=Y": such rows are left out. None is "Mask=Y" and "ID=0", each where the column is.
    sheets:       titles of the sheets of a workbook to read; empty: all with the headings of the first with labels.
    """

    file_column: str | None = None
    label_column: str | None = None
    drops: tuple[str, ...] | None = None
    sheets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Dropped:
    """A file that a rule left out.

    by_label: the rule is about the label itself (ID=0), so it says that the file shows nobody.
    """

    file: str
    label: str
    rule: str
    by_label: bool


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A file whose rows disagree: `says` holds each different thing that they say, in order of the rows."""

    file: str
    says: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Labels:
    """Who is on which file; every file is in exactly one of files, dropped, contradictions and unlabelled.

    origin:         the file that it came from, or "folders".
    files, labels:  one entry per labelled file, in order; names as they were written.
    dropped:        files left out by a rule.
    contradictions: files whose rows disagree, left out.
    unlabelled:     files with a row, or a place, that names nobody.
    duplicates:     one entry per superfluous row: a file that the same was said about before.
    empty_rows:     rows with neither file nor label.
    nameless_rows:  rows with a label but no file.
    file_column, label_column: the columns used; "" for folders.
    rules:          the drop rules that applied.
    note:           how the file was read.
    unread:         sheets with labels that were not read.
    spellings:      labels that were taken for another, which differs in letter case, width or Unicode form only.
    """

    origin: str
    files: tuple[str, ...]
    labels: tuple[str, ...]
    dropped: tuple[Dropped, ...] = ()
    contradictions: tuple[Contradiction, ...] = ()
    unlabelled: tuple[str, ...] = ()
    duplicates: tuple[str, ...] = ()
    empty_rows: int = 0
    nameless_rows: int = 0
    file_column: str = ""
    label_column: str = ""
    rules: tuple[str, ...] = ()
    note: str = ""
    unread: tuple[str, ...] = ()
    spellings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.files) != len(self.labels):
            raise ValueError(f"{len(self.files)} files but {len(self.labels)} labels")

    @property
    def people(self) -> int:
        """How many different people the labels name."""
        return len(set(self.labels))


def read_labels(path: Path, options: LabelOptions) -> Labels:
    """Read a workbook (.xlsx, .xls, .ods) or delimited text (.csv, .tsv).

    The header is the first of the first ten rows with cells that holds both columns; of a workbook, the first sheet
    that has one, and all sheets with the same headings. Rows of one file that say the same count as duplicates; rows
    that disagree leave the file out.

    Raises:
        LabelsError: the file can't be read, lacks the columns, has no labelled file, or a rule makes no sense.
    """
    table = find_table(path, options)
    return build(table, rules_for(table.columns, path.name, options.drops), path.name)


def find_table(path: Path, options: LabelOptions) -> Table:
    """The table of labels in a file, see `sheets.read_table`.

    Raises:
        LabelsError: the file can't be read, or no sheet has both columns.
    """
    file, label = options.file_column, options.label_column
    return read_table(path, lambda rows: find_columns(rows, path.name, file, label), titles=options.sheets)


def folder_labels(files: Sequence[str], *, sources: Sequence[str] | None = None) -> Labels:
    r"""Label each file with the name of the folder that holds it.

    Args:
        files: n paths, relative to their source, with / or \ between folders.
        sources: n folders that the files are relative to. They name the files that lie directly in them when there
            is more than one source (as in `cluster anna/ ben/`), and tell apart files of the same relative path.

    Returns:
        Labels whose files are "source/file" where sources are given; files without a folder are unlabelled.

    Raises:
        LabelsError: no file lies in a folder.
        ValueError: files and sources differ in length.
    """
    origins = list(sources) if sources is not None else [""] * len(files)
    several = len(set(origins)) > 1
    named: dict[str, str] = {}
    for file, origin in zip(files, origins, strict=True):
        path = f"{origin.rstrip('/')}/{file}" if origin else file
        named[path] = folder_of(path if several else file)
    kept = {path: label for path, label in named.items() if label}
    if not kept:
        raise LabelsError("No picture lies in a folder that could name its person.", "Pass a workbook or csv instead.")
    unlabelled = tuple(path for path, label in named.items() if not label)
    return Labels("folders", tuple(kept), tuple(kept.values()), unlabelled=unlabelled)


def folder_of(path: str) -> str:
    """The name of the folder that holds a file, or ""."""
    parts = [part for part in path.replace("\\", "/").split("/") if part not in ("", ".")]
    return parts[-2] if len(parts) > 1 else ""


def build(table: Table, rules: tuple[Rule, ...], origin: str) -> Labels:
    """Labels from the rows below the header."""
    columns = table.columns
    by_file: dict[str, list[Said]] = {}
    names: dict[str, str] = {}
    spelled: dict[str, str] = {}
    spellings: dict[str, None] = {}
    empty_rows = nameless_rows = 0
    for row in columns.body:
        file, written = bare(cell(row, columns.file)), label_of(cell(row, columns.label))
        label = spelled.setdefault(same(written), written)
        if label != written:
            spellings[written] = None
        if file:
            key = file.replace("\\", "/").removeprefix("./")
            names.setdefault(key, file)
            by_file.setdefault(key, []).append(Said(label, first_match(row, rules)))
        elif label:
            nameless_rows += 1
        else:
            empty_rows += 1
    sorted_out = sort_out(((names[key], said) for key, said in by_file.items()), set(spelled.values()))
    if not sorted_out.files and sorted_out.contradictions:
        one = sorted_out.contradictions[0]
        raise LabelsError(
            f"The rows of {origin} disagree about each of {len(sorted_out.contradictions):,} files, such as"
            f" {one.file} ({', '.join(one.says)}).",
            "Where several files have the same name, write it with the folder, as in phone1/IMG_0001.jpg.",
        )
    if not sorted_out.files and not sorted_out.dropped:
        mend = f"Check the columns {columns.file_name} and {columns.label_name}."
        raise LabelsError(f"No row of {origin} has both a file and a label.", mend)
    return Labels(
        origin=origin,
        files=tuple(sorted_out.files),
        labels=tuple(sorted_out.files.values()),
        dropped=tuple(sorted_out.dropped),
        contradictions=tuple(sorted_out.contradictions),
        unlabelled=tuple(sorted_out.unlabelled),
        duplicates=tuple(sorted_out.duplicates),
        empty_rows=empty_rows,
        nameless_rows=nameless_rows,
        file_column=columns.file_name,
        label_column=columns.label_name,
        rules=tuple(rule.text for rule in rules),
        note=table.note,
        unread=table.unread,
        spellings=tuple(spellings),
    )


def several(label: str, known: Set[str]) -> tuple[str, ...]:
    """The people whom a label names, if these are several: numbers, or labels that others have on their own."""
    parts = tuple(bare(part) for part in SEPARATORS.split(label))
    numbers = all(part.isdecimal() for part in parts)
    return parts if len(parts) > 1 and all(parts) and (numbers or known >= set(parts)) else ()


@dataclass(frozen=True, slots=True)
class Said:
    """What one row says about its file."""

    label: str
    rule: Rule | None

    def __str__(self) -> str:
        return f"{self.label or 'nobody'} ({self.rule.text})" if self.rule else self.label


@dataclass(frozen=True, slots=True)
class SortedOut:
    """The files of a table, each in one of the four groups, and its superfluous rows."""

    files: dict[str, str]
    dropped: list[Dropped]
    contradictions: list[Contradiction]
    unlabelled: list[str]
    duplicates: list[str]


def sort_out(said_by_file: Iterable[tuple[str, list[Said]]], known: Set[str]) -> SortedOut:
    """Give each file its group. A row that names nobody and meets no rule says nothing, so it contradicts nothing.

    A label that names several people contradicts itself; known: all labels.
    """
    result = SortedOut({}, [], [], [], [])
    for file, said in said_by_file:
        different = list(dict.fromkeys(one for one in said if one.label or one.rule))
        if len(different) > 1:
            result.contradictions.append(Contradiction(file, tuple(str(one) for one in different)))
            continue
        result.duplicates.extend([file] * (len(said) - 1))
        if not different:
            result.unlabelled.append(file)
        elif (rule := different[0].rule) is not None:
            result.dropped.append(Dropped(file, different[0].label, rule.text, rule.by_label))
        elif people := several(different[0].label, known):
            result.contradictions.append(Contradiction(file, people))
        else:
            result.files[file] = different[0].label
    return result


def first_match(row: tuple[str, ...], rules: tuple[Rule, ...]) -> Rule | None:
    """The first rule that a row meets; letter case and the form of a number do not matter, nor how a yes is written."""
    for rule in rules:
        found, value = (plain_number(text).casefold() for text in (cell(row, rule.column), rule.value))
        if found == value or (value in YES and not rule.by_label and found in YES | {"1"}):
            return rule
    return None


__all__ = ["DEFAULT_DROPS", "Contradiction", "Dropped", "LabelOptions", "Labels", "folder_labels", "read_labels"]
