"""Labels: who is on which file, from a workbook, a delimited text file, or folder names."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from unmingle.errors import LabelsError
from unmingle.evaluation.columns import (
    DEFAULT_DROPS,
    TICKS,
    YES,
    Columns,
    Row,
    Rule,
    cell,
    find_columns,
    label_of,
    plain_number,
    rules_for,
    same,
)
from unmingle.evaluation.places import Place, places_of
from unmingle.evaluation.sheets import TextTable, read_sheets
from unmingle.files import user_path
from unmingle.sources.names import bare, find_named, has_ending

if TYPE_CHECKING:
    import polars as pl

    Find = Callable[[tuple[Row, ...]], Columns | LabelsError]

LOOKED_AT = 100  # rows of a sheet without the columns, for names of files
SEPARATORS = re.compile(r"[,;/|&+]")


@dataclass(frozen=True, slots=True)
class LabelOptions:
    """How a table of labels is read.

    drops: rules like "Mask=Y": such rows are left out. None is "Mask=Y" and "ID=0", each where the column is.
    sheets: titles of the sheets of a workbook to read; empty: all with the headings of the first with labels.
    """

    file_column: str | None = None  # with file names; None finds it by name (see `columns.FILE_COLUMNS`).
    label_column: str | None = None  # with people; None finds it by name (see `columns.LABEL_COLUMNS`).
    drops: tuple[str, ...] | None = None
    sheets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """What is read of a file: a sheet that has the columns, and below it the rows of others with the same headings."""

    above: tuple[Row, ...]  # rows above the header
    columns: Columns
    note: str
    unread: tuple[str, ...]  # sheets that have such columns or name files, too


@dataclass(frozen=True, slots=True)
class Dropped:
    """A file that a rule left out."""

    file: str
    label: str
    rule: str
    by_label: bool  # the rule is about the label itself (ID=0), and says that it shows nobody


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A file whose rows disagree."""

    file: str
    says: tuple[str, ...]  # each different thing that they say, in order of the rows


@dataclass(frozen=True, slots=True)
class Labels:
    """Who is on which file; every file is in exactly one of files, dropped, contradictions and unlabelled.

    Where a table tells faces apart (see `places.places_of`), what is called a file here is a face of one.
    """

    origin: str  # the file that it came from, or "folders"
    files: tuple[str, ...]  # those that are labelled, in order, as they were written
    labels: tuple[str, ...]  # of each of them
    dropped: tuple[Dropped, ...] = ()
    contradictions: tuple[Contradiction, ...] = ()  # left out
    unlabelled: tuple[str, ...] = ()  # files with a row, or a place, that names nobody
    duplicates: tuple[str, ...] = ()  # a file for each superfluous row, about which the same was said before
    empty_rows: int = 0  # with neither file nor label
    nameless_rows: int = 0  # with a label only
    file_column: str = ""  # that was used; empty for folders
    label_column: str = ""  # likewise
    rules: tuple[str, ...] = ()
    note: str = ""  # how the file was read
    unread: tuple[str, ...] = ()  # sheets with labels that were not read
    spellings: tuple[str, ...] = ()  # taken for another label, see `_alike`
    # Of each file's name, where faces are told apart.
    places: Mapping[str, Place] = field(default_factory=dict, hash=False)

    @property
    def people(self) -> int:
        """How many different people the labels name."""
        return len(set(self.labels))


def labels_for(faces: pl.DataFrame, labels: Labels | Path | str, options: LabelOptions | None = None) -> Labels:
    """The labels of the files of a table of faces: read before, "folders" for one a person, or in a workbook or csv."""
    if isinstance(labels, Labels):
        return labels
    if isinstance(labels, str) and labels == "folders":  # a frame would compare its cells
        return folder_labels(faces["file"].to_list(), sources=faces["source"].to_list())
    return read_labels(user_path(labels), options or LabelOptions())


def read_labels(path: Path, options: LabelOptions) -> Labels:
    """Read a workbook (.xlsx, .xls, .ods) or delimited text (.csv, .tsv).

    Rows of one file that say the same count as duplicates; rows that disagree leave the file out.
    """
    return labels_of(find_table(path, options), path.name, options)


def find_table(path: Path, options: LabelOptions) -> Table:
    """The table of labels in a file, see `read_table`."""
    file, label = options.file_column, options.label_column
    return read_table(path, lambda rows: find_columns(rows, path.name, file, label), titles=options.sheets)


def read_table(path: Path, find: Find, *, titles: tuple[str, ...] = ()) -> Table:
    """Read the first sheet in which `find` finds columns, and all with the same headings as that one.

    A hidden sheet is read where no other has the columns, or where it is asked for by its title.
    """
    found: list[tuple[TextTable, Columns]] = []
    lacking: list[LabelsError] = []
    unread: list[str] = []
    for sheet in _wanted(list(read_sheets(path)), path.name, titles):
        try:
            columns = find(sheet.rows)
        except LabelsError:
            if not found:
                raise
            unread.append(sheet.title)
            continue
        if isinstance(columns, LabelsError):
            lacking.append(columns)
            if any(has_ending(cell) for row in sheet.rows[:LOOKED_AT] for cell in row):
                unread.append(sheet.title)
        elif not found or (columns.headings == found[0][1].headings and (titles or sheet.hidden == found[0][0].hidden)):
            found.append((sheet, columns))
        else:
            unread.append(sheet.title)
    if not found or (titles and lacking):
        raise lacking[0] if lacking else LabelsError(f"{path.name} holds no table.", "Name a sheet that has one.")
    main, columns = found[0]
    body = tuple(row for _, other in found for row in other.rows_for(columns))
    above = main.rows[: len(main.rows) - len(columns.body) - 1]
    note = main.note if len(found) == 1 else "sheets " + ", ".join(repr(sheet.title) for sheet, _ in found)
    return Table(above, replace(columns, body=body), note, tuple(unread))


def _wanted(sheets: list[TextTable], name: str, titles: tuple[str, ...]) -> list[TextTable]:
    by_title = {sheet.title.strip().casefold(): sheet for sheet in sheets}
    for title in titles:
        if title.strip().casefold() not in by_title:
            has = ", ".join(repr(sheet.title) for sheet in sheets if sheet.title) or "none: it is no workbook"
            raise LabelsError(f"There is no sheet {title!r} in {name}.", f"It has {has}.")
    return [by_title[title.strip().casefold()] for title in titles] or sheets


def folder_labels(files: Sequence[str], *, sources: Sequence[str] | None = None) -> Labels:
    """Label each file, a path below its source, with the name of the folder that holds it.

    Where there are several sources (as in `cluster anna/ ben/`), they name the files that lie directly in them. The
    labels are of "source/file" where sources are given; files without a folder, or in one such as `unknown`, are
    unlabelled.
    """
    origins = list(sources) if sources is not None else [""] * len(files)
    several = len(set(origins)) > 1
    named: dict[str, str] = {}
    for file, origin in zip(files, origins, strict=True):
        path = f"{origin.rstrip('/')}/{file}" if origin else file
        parts = [part for part in (path if several else file).replace("\\", "/").split("/") if part not in ("", ".")]
        named[path] = label_of(parts[-2]) if len(parts) > 1 else ""
    labels, spellings = _alike(named.values())
    named = dict(zip(named, labels, strict=True))
    kept = {path: label for path, label in named.items() if label}
    if not kept:
        raise LabelsError("No picture lies in a folder that could name its person.", "Pass a workbook or csv instead.")
    unlabelled = tuple(path for path, label in named.items() if not label)
    return Labels("folders", tuple(kept), tuple(kept.values()), unlabelled=unlabelled, spellings=spellings)


def _alike(labels: Iterable[str]) -> tuple[list[str], tuple[str, ...]]:
    """Each label as the first like it is written, and the other writings; so are 07 and 7."""
    spelled: dict[str, str] = {}
    others: dict[str, None] = {}
    found = []
    for label in labels:
        key = same(label)
        if key.isdecimal():
            key = key.lstrip("0") or key
        found.append(spelled.setdefault(key, label))
        if found[-1] != label:
            others[label] = None
    return found, tuple(others)


def labels_of(table: Table, origin: str, options: LabelOptions) -> Labels:
    """Labels from the rows of a table.

    A row that names nobody and meets no rule says nothing, so it contradicts nothing; a label that names several people
    contradicts itself.
    """
    columns = table.columns
    rules = rules_for(columns, origin, options.drops)
    said_of: defaultdict[str, list[tuple[str, Rule | None]]] = defaultdict(list)
    places = places_of(columns)
    names: dict[Place, str] = {}
    empty_rows = nameless_rows = 0
    labels, spellings = _alike(label_of(cell(row, columns.label)) for row in columns.body)
    for row, at, label in zip(columns.body, places, labels, strict=True):
        if at.file:
            said_of[names.setdefault(at.key, str(at))].append((label, _first_match(row, rules)))
        elif label:
            nameless_rows += 1
        else:
            empty_rows += 1
    files: dict[str, str] = {}
    dropped, contradictions, unlabelled, duplicates = [], [], [], []
    known = set(labels)
    for file, said in said_of.items():
        different = list(dict.fromkeys(one for one in said if any(one)))
        if len(different) > 1:
            says = (f"{label or 'nobody'} ({rule.text})" if rule else label for label, rule in different)
            contradictions.append(Contradiction(file, tuple(says)))
            continue
        duplicates.extend([file] * (len(said) - 1))
        label, rule = different[0] if different else ("", None)
        if rule is not None:
            dropped.append(Dropped(file, label, rule.text, rule.by_label))
        elif not label:
            unlabelled.append(file)
        elif people := several(label, known):
            contradictions.append(Contradiction(file, people))
        else:
            files[file] = label
    if not files and contradictions:
        one = contradictions[0]
        raise LabelsError(
            f"The rows of {origin} disagree about each of {len(contradictions):,} files, such as"
            f" {one.file} ({', '.join(one.says)}).",
            "Where several files have the same name, write it with the folder, as in phone1/IMG_0001.jpg; of several"
            " people in a picture, keep the row of its main face, or number the faces of each from 0 in a column face.",
        )
    if not files and not dropped:
        mend = f"Check the columns {columns.file_name} and {columns.label_name}."
        raise LabelsError(f"No row of {origin} has both a file and a label.", mend)
    return Labels(
        origin=origin,
        files=tuple(files),
        labels=tuple(files.values()),
        dropped=tuple(dropped),
        contradictions=tuple(contradictions),
        unlabelled=tuple(unlabelled),
        duplicates=tuple(duplicates),
        empty_rows=empty_rows,
        nameless_rows=nameless_rows,
        file_column=columns.file_name,
        label_column=columns.label_name,
        rules=tuple(rule.text for rule in rules),
        note=table.note,
        unread=table.unread,
        spellings=spellings,
        places={name: at for at, name in names.items() if at.face},
    )


def _first_match(row: Row, rules: tuple[Rule, ...]) -> Rule | None:
    """The first rule that a row meets; letter case and the form of a number do not matter, nor how a yes is written."""
    for rule in rules:
        found, value = (plain_number(text).casefold() for text in (cell(row, rule.column), rule.value))
        yes = found in YES or found == "1" or (found in TICKS and rule.text in DEFAULT_DROPS)
        if found == value or (yes and value in YES and not rule.by_label):
            return rule
    return None


def several(label: str, known: Set[str]) -> tuple[str, ...]:
    """The people whom a label names, if these are several: numbers, or labels that others have on their own."""
    parts = tuple(bare(part) for part in SEPARATORS.split(label))
    numbers = all(part.isdecimal() for part in parts)
    return parts if len(parts) > 1 and all(parts) and (numbers or known >= set(parts)) else ()


@dataclass(frozen=True, slots=True)
class Matches:
    """Which files names in a table mean."""

    names: Sequence[str]
    files: tuple[int | None, ...]  # per name the position of its file, None if it has none
    ambiguous: tuple[int, ...]  # positions of names that mean several files, or one that another name wants as much
    by_name: tuple[int, ...]  # positions of names matched by their last part alone although the folders differ

    @property
    def file_of(self) -> dict[str, int | None]:
        """The position of each name's file."""
        return dict(zip(self.names, self.files, strict=True))


def match_names(names: Sequence[str], files: Sequence[tuple[str, str]]) -> Matches:
    """The file that each of m names means, of n files as (source, path), all different.

    The first of these steps that finds something decides:

    1. source and relative path, exactly;
    2. the relative path, exactly;
    3. the relative path, with / for backslashes;
    4. the relative path, whatever its Unicode form, then also whatever its letter case;
    5. as many parts from the end of the path as agree with some file: at least the file name, whatever its letter case;
    6. for a name without an ending, or with a raw picture's, the same of files without theirs; a number also without
       the zeros before it.

    Where more agrees so, %20 is a space, and the like. Two files at the same step leave the name ambiguous. Of several
    names that want one file, the surest has it.
    """
    wanted = find_named(names, files)
    ambiguous = {i for i, found in enumerate(wanted) if found and len(found.files) > 1}
    claims: defaultdict[int, list[int]] = defaultdict(list)
    for i, found in enumerate(wanted):
        if found and i not in ambiguous:
            claims[found.files[0]].append(i)
    result: list[int | None] = [None] * len(names)
    for file, claimants in claims.items():
        best = max(wanted[i].rank for i in claimants)
        surest = [i for i in claimants if wanted[i].rank == best]
        if len(surest) == 1:
            result[surest[0]] = file
        else:
            ambiguous.update(surest)
    by_name = tuple(i for i, file in enumerate(result) if file is not None and wanted[i].astray)
    return Matches(names, tuple(result), tuple(sorted(ambiguous)), by_name)
