"""A table of labels with what the library found filled in beside what was given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from unmingle.evaluation.columns import cell, plain_number
from unmingle.evaluation.labels import LabelOptions, file_key, find_table, labels_of
from unmingle.evaluation.scores import best_faces, evaluate, join_files
from unmingle.sources.names import bare

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    Cell = str | float

NEW = ("Found {label}", "Found person", "Found name", "Found status", "Found reason")


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
    best = best_faces(faces)
    position = {file_key(name): at for name, at in join_files(best, labels).file_of.items()}
    found = best.select("person", "name", "status", "reason").rows()
    label_of_person = dict(evaluate(faces, labels).scores.mapping)
    nothing = ("",) * len(NEW)
    missing: dict[str, None] = {}

    def new_cells(row: tuple[str, ...]) -> tuple[Cell, ...]:
        file = bare(cell(row, columns.file))
        if not file:
            return nothing
        at = position[file_key(file)]
        if at is None:
            missing[file] = None
            return ("", "", "", "not in the library", "")
        person, name, status, reason = found[at]
        if person is None:
            return ("", "", "", status, reason)
        return (_typed(label_of_person.get(person, "")), person, name or "", status, reason)

    at = columns.label + 1
    given = (*table.above, columns.header, *columns.body)
    headings = tuple(heading.format(label=columns.label_name) for heading in NEW)
    added = [*[nothing] * len(table.above), headings, *map(new_cells, columns.body)]
    width = max(map(len, given))
    padded = ([_typed(text) for text in (*row, *[""] * (width - len(row)))] for row in given)
    rows = tuple((*row[:at], *new, *row[at:]) for row, new in zip(padded, added, strict=True))
    return Filled(rows, tuple(range(at, at + len(NEW))), tuple(missing), table.unread)


def _typed(text: str) -> Cell:
    """A number, where a number is written the way a spreadsheet would write it: 007 is none."""
    plain = plain_number(text)
    if plain.lstrip("-").isascii() and plain.lstrip("-").isdigit() and len(plain) < 16:
        return float(plain) if str(int(plain)) == plain else text
    return text
