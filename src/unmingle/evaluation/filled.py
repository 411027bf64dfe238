"""A table of labels with what the library found filled in beside what was given."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from unmingle.evaluation.cells import cell, plain_number
from unmingle.evaluation.columns import rules_for
from unmingle.evaluation.counts import join_files
from unmingle.evaluation.labels import build, find_table
from unmingle.evaluation.score import best_faces, evaluate
from unmingle.sources.paths import bare

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from unmingle.evaluation.columns import Columns
    from unmingle.evaluation.labels import LabelOptions

    Cell = str | float

NEW = ("Found {label}", "Found person", "Found name", "Found status", "Found reason")
_NOTHING = ("",) * len(NEW)


@dataclass(frozen=True, slots=True)
class Filled:
    """The table.

    rows:    from the first to the last, those above the header too; whole numbers are numbers again.
    new:     positions of the columns that were added, right behind the one with the given label.
    found:   rows whose file is in the library.
    missing: names in the table that mean no file of the library, or several.
    unread:  sheets with labels that were not read.
    """

    rows: tuple[tuple[Cell, ...], ...]
    new: tuple[int, ...]
    found: int
    missing: tuple[str, ...]
    unread: tuple[str, ...]


def fill_in(path: Path, options: LabelOptions, faces: pl.DataFrame) -> Filled:
    """Fill in who was found, for every row with a file of the library, also those that the drop rules leave out.

    The found label is that of the people in the table whom the person was assigned to in the scores (see
    `evaluation.score`), so that both columns speak of the same people; empty for a person that nobody in the table is.

    Args:
        path: workbook or delimited text, as for `labels.read_labels`.
        options: how it is read.
        faces: the table `faces.csv`.

    Raises:
        LabelsError: it can't be understood, or is about no file of the library.
    """
    table = find_table(path, options)
    columns = table.columns
    labels = build(table, rules_for(columns, path.name, options.drops), path.name)
    best = best_faces(faces)
    filler = _Filler(
        columns,
        {_key(name): at for name, at in join_files(best, labels).file_of.items()},
        best.select("person", "name", "status", "reason").rows(),
        dict(evaluate(faces, labels).scores.mapping),
    )
    at = columns.label + 1
    given = (*table.above, columns.header, *columns.body)
    added = [
        *(_NOTHING for _ in table.above),
        tuple(heading.format(label=columns.label_name) for heading in NEW),
        *map(filler.fill, columns.body),
    ]
    width = max(len(row) for row in given)
    padded = ([_typed(text) for text in (*row, *[""] * (width - len(row)))] for row in given)
    rows = tuple((*row[:at], *new, *row[at:]) for row, new in zip(padded, added, strict=True))
    return Filled(rows, tuple(range(at, at + len(NEW))), filler.found, tuple(filler.missing), table.unread)


@dataclass(slots=True)
class _Filler:
    """Fills rows in, and counts.

    position: of each file's row in `best`, by its name in the table; None where it has none.
    best:     person, name, status and reason of each file of the library.
    mapping:  the label that a person was assigned to.
    """

    columns: Columns
    position: dict[str, int | None]
    best: list[tuple[Any, ...]]
    mapping: dict[int, str]
    found: int = 0
    missing: dict[str, None] = field(default_factory=dict)

    def fill(self, row: tuple[str, ...]) -> tuple[Cell, ...]:
        """The new cells of a row."""
        file = bare(cell(row, self.columns.file))
        if not file:
            return _NOTHING
        position = self.position[_key(file)]
        if position is None:
            self.missing[file] = None
            return ("", "", "", "not in the library", "")
        self.found += 1
        person, name, status, reason = self.best[position]
        if person is None:
            return ("", "", "", status, reason)
        return (_typed(self.mapping.get(person, "")), person, name or "", status, reason)


def _key(file: str) -> str:
    return file.replace("\\", "/").removeprefix("./")


def _typed(text: str) -> Cell:
    """A number, where a number is written the way a spreadsheet would write it: 007 is none."""
    plain = plain_number(text)
    if plain.lstrip("-").isascii() and plain.lstrip("-").isdigit() and len(plain) < 16:
        return float(plain) if str(int(plain)) == plain else text
    return text
