"""Which columns of a table hold the file, the label, and what the drop rules ask about."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from unmingle.errors import LabelsError

# In order of preference, as `fold` writes them.
FILE_COLUMNS = (
    "filename",
    "file",
    "imagename",
    "imagefile",
    "image",
    "picture",
    "photo",
    "filepath",
    "imagepath",
    "path",
)
LABEL_COLUMNS = ("id", "label", "person", "personid", "identity", "name", "subject")
DEFAULT_DROPS = ("Mask=Y", "ID=0")
HEADER_ROWS = 10  # a title or a note above the header is common, more than a few lines of them are not

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Columns:
    """A table with its header found.

    header: cells of the header.
    body:   the rows below it.
    file, label: positions of the two columns; file_name, label_name: their headings as written.
    """

    header: Row
    body: tuple[Row, ...]
    file: int
    label: int

    @property
    def file_name(self) -> str:
        """The heading of the file column."""
        return self.header[self.file].strip()

    @property
    def label_name(self) -> str:
        """The heading of the label column."""
        return self.header[self.label].strip()


@dataclass(frozen=True, slots=True)
class Rule:
    """Leave out the rows whose `column` holds `value`; by_label when that is the label column itself."""

    text: str
    column: int
    value: str
    by_label: bool


def fold(heading: str) -> str:
    """A heading without case, spaces, underscores, hyphens, and differences of width: "File Name" is "filename"."""
    plain = unicodedata.normalize("NFKC", heading).casefold()
    return "".join(sign for sign in plain if not sign.isspace() and sign not in "_-")


def find_columns(rows: tuple[Row, ...], name: str, file: str | None, label: str | None) -> Columns:
    """Find the header among the first rows, and in it the two columns.

    Args:
        rows: all rows of the table.
        name: what to call it in an error.
        file: heading of the file column, or None for one of FILE_COLUMNS.
        label: heading of the label column, or None for one of LABEL_COLUMNS.

    Raises:
        LabelsError: the table has no cells, or no row has both; it lists what the first row has.
    """
    filled = [i for i, row in enumerate(rows) if any(cell.strip() for cell in row)]
    if not filled:
        raise LabelsError(f"{name} is empty.", "It needs a header and one row per file.")
    for i in filled[:HEADER_ROWS]:
        found = place(rows[i], file, FILE_COLUMNS, taken=label), place(rows[i], label, LABEL_COLUMNS, taken=file)
        if found[0] is not None and found[1] is not None:
            return Columns(rows[i], rows[i + 1 :], found[0], found[1])
    raise missing(rows[filled[0]], name, file, label)


def place(header: Row, wanted: str | None, usual: tuple[str, ...], *, taken: str | None = None) -> int | None:
    """Position of a column: as written, else folded; the first of several. `taken` is asked for as the other column."""
    if wanted is not None and wanted in header:
        return header.index(wanted)
    folded = [fold(heading) for heading in header]
    for candidate in usual if wanted is None else (fold(wanted),):
        if candidate in folded and (wanted is not None or taken is None or candidate != fold(taken)):
            return folded.index(candidate)
    return None


def missing(header: Row, name: str, file: str | None, label: str | None) -> LabelsError:
    """The error that says which column is not there, what is, and which option names another."""
    has = ", ".join(heading.strip() for heading in header if heading.strip())
    if place(header, file, FILE_COLUMNS) is None:
        what, option = (f"column {file!r}" if file else "column with file names"), "--file-column"
    else:
        what, option = (f"column {label!r}" if label else "column 'ID'"), "--label-column"
    return LabelsError(f"No {what} in {name}.", f"It has {has}: pass {option}.")


def rules_for(columns: Columns, name: str, drops: tuple[str, ...] | None) -> tuple[Rule, ...]:
    """The drop rules of a table, those about the label first: a masked non-face is a non-face.

    Args:
        columns: the table.
        name: what to call it in an error.
        drops: "column=value" each; None for DEFAULT_DROPS where the table has such columns.

    Raises:
        LabelsError: a rule is not of that form, or is about a column that is not there.
    """
    rules = []
    for text in DEFAULT_DROPS if drops is None else drops:
        heading, equals, value = text.partition("=")
        if not equals or not heading.strip():
            raise LabelsError(f"{text!r} is not a rule.", "Write it as COLUMN=VALUE, for example 'Mask=Y'.")
        column = place(columns.header, heading.strip(), ())
        if column is not None:
            rules.append(Rule(text, column, value.strip(), column == columns.label))
        elif drops is not None:
            has = ", ".join(cell.strip() for cell in columns.header if cell.strip())
            raise LabelsError(f"No column {heading.strip()!r} in {name}, which --drop asks for.", f"It has {has}.")
    return tuple(sorted(rules, key=lambda rule: not rule.by_label))
