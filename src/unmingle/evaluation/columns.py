"""Which columns of a table hold the file, the label, and what the drop rules ask about; cells in one form."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from unmingle.errors import LabelsError
from unmingle.sources.names import LONGEST_NUMBER, bare, has_ending

# In order of preference, as `fold` writes them.
FILE_COLUMNS = (
    *("filename", "file", "imagename", "imagefile", "image", "picture", "photo"),
    *("filepath", "imagepath", "path"),
)
LABEL_COLUMNS = ("id", "label", "person", "personid", "identity", "name", "subject")
NAME_COLUMNS = ("name", "personname", "fullname", "person", "label", "identity", "subject")
# Where columns contradict each other, one with such a heading is meant, if there is one.
PLAIN_LABELS = frozenset({"person", "personid", "identity", "subject"})
PLAIN_NAMES = frozenset({"name", "personname", "fullname"})
OURS = frozenset({"source", "frame", "face", "person", "name", "status", "reason"})  # headings of a table of ours
DEFAULT_DROPS = ("Mask=Y", "ID=0")
HEADER_ROWS = 10  # a title or a note above the header is common, more than a few lines of them are not
RUNNING = 5  # rows from which on 1, 2, 3, … is a row number, and not one person after another
HEADINGS, LONGEST_SHOWN = 20, 40  # that an error shows, and characters of each
EXAMPLES = 3  # values of a column that an error shows

PLAIN = re.compile(
    r"([+-]?[0-9]+)\.0*"  # a whole number
    r"|([0-9]{4}-[0-9]{2}-[0-9]{2})[ T]00:00:00"  # what a date without a time is read as
)
# -1 is how scikit-learn writes it, _UNKNOWN_ is osxphotos' word for a face that nobody named.
NOBODY = frozenset(
    {"nan", "none", "null", "n/a", "#n/a", "unknown", "_unknown_", "unidentified", "unlabeled", "unlabelled"}
    | {"unnamed", "nobody", "?", "??", "???", "-", "-1"}
)
YES = frozenset({"y", "yes", "true"})
TICKS = frozenset({"x", "✓", "✔"})  # a yes, too, where a rule of ours asks; elsewhere x may stand beside y

Row = tuple[str, ...]


def cell(row: Row, column: int) -> str:
    """A cell of a row that may be too short."""
    return row[column] if column < len(row) else ""


def plain_number(text: str) -> str:
    """The text without spaces around it; a whole number without its decimals: 1.0 is "1", 001 stays; a date as such."""
    text = bare(text)
    found = PLAIN.fullmatch(text)
    return found[1] or found[2] if found else text


def label_of(text: str) -> str:
    """Whom a cell names; empty for nobody."""
    text = plain_number(text)
    return "" if text.casefold() in NOBODY else text


def same(text: str) -> str:
    """A key under which labels are one that differ in letter case, spaces, width, or Unicode form only."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def fold(heading: str) -> str:
    """A heading without case, spaces, underscores, hyphens, and differences of width: "File Name" is "filename"."""
    return "".join(sign for sign in same(bare(heading)) if not sign.isspace() and sign not in "_-")


@dataclass(frozen=True, slots=True)
class Columns:
    """A table with its header found; `file` and `label` are positions of columns."""

    header: Row
    body: tuple[Row, ...]
    file: int
    label: int

    @property
    def headings(self) -> frozenset[str]:
        """The headings, whatever their order and writing."""
        return frozenset(filter(None, map(fold, self.header)))

    def rows_for(self, other: Columns) -> tuple[Row, ...]:
        """The rows with their cells in the order of another table of the same headings."""
        if self.header == other.header:
            return self.body
        at = {fold(heading): i for i, heading in enumerate(self.header)}
        order = [at.get(fold(heading)) if heading.strip() else None for heading in other.header]
        return tuple(tuple("" if i is None else cell(row, i) for i in order) for row in self.body)

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


def find_columns(rows: tuple[Row, ...], name: str, file: str | None, label: str | None) -> Columns | LabelsError:
    """The header among the first rows with the two columns, or the error that says which is not there.

    Headings are those asked for, or one of FILE_COLUMNS and of LABEL_COLUMNS. Raises where several could be meant.
    """
    for found in _headers(rows, name):
        files, labels = found.candidates(file, FILE_COLUMNS, label), found.candidates(label, LABEL_COLUMNS, file)
        if files and labels:
            return Columns(found.header, found.body, found.file(files), found.label(labels, asked=label is not None))
    header = _likely_header(rows)
    if not header:
        return LabelsError(f"{name} is empty.", "It needs a header and one row per file.")
    if any(map(has_ending, header)):
        return _no_header(name, header, "file,label")
    if place(header, file, FILE_COLUMNS) is None:
        what, option = (f"column {file!r}" if file else "column with file names"), "--file-column"
    else:
        what, option = (f"column {label!r}" if label else "column of people"), "--label-column"
    return LabelsError(f"No {what} in {name}.", f"It has {_headings(header)}: pass {option}.")


def _no_header(name: str, row: Row, such_as: str) -> LabelsError:
    return LabelsError(f"{name} has no header: {_headings(row)} is a row.", f"Put one above it, such as {such_as}.")


def find_names(rows: tuple[Row, ...], name: str) -> Columns | LabelsError:
    """The same for a table of files and names of their faces."""
    for found in _headers(rows, name):
        files, names = found.candidates(None, FILE_COLUMNS, None), found.candidates(None, NAME_COLUMNS, None)
        if files and names:
            return Columns(found.header, found.body, found.file(files), found.name_of_face(names))
    problem, header = f"{name} has no column with files and one with names.", _likely_header(rows)
    if any(map(has_ending, header)):
        return _no_header(name, header, "file,name")
    return LabelsError(problem, f"It has {_headings(header)}. Call them file and name.")


def place(header: Row, wanted: str | None, usual: tuple[str, ...]) -> int | None:
    """Position of a column: as written, else folded; the first of several."""
    if wanted is not None and wanted in header:
        return header.index(wanted)
    folded = [fold(heading) for heading in header]
    return next((folded.index(one) for one in (usual if wanted is None else (fold(wanted),)) if one in folded), None)


def rules_for(columns: Columns, name: str, drops: tuple[str, ...] | None) -> tuple[Rule, ...]:
    """The drop rules of a table, DEFAULT_DROPS by default where it has such columns.

    Those about the label come first: a masked non-face is a non-face.
    """
    rules = []
    for text in DEFAULT_DROPS if drops is None else drops:
        heading, equals, value = text.partition("=")
        if not equals or not heading.strip():
            raise LabelsError(f"{text!r} is not a rule.", "Write it as COLUMN=VALUE, for example 'Mask=Y'.")
        column = place(columns.header, heading.strip(), ())
        if drops is None and text == "ID=0" and column not in (None, columns.label):
            texts = _texts(columns.body, column)
            if len(texts) >= RUNNING and _numbers_rows(texts):
                continue  # 0 is the number of a row there, and says nothing of a person
        if column is not None:
            rules.append(Rule(text, column, value.strip(), column == columns.label))
        elif drops is not None:
            has = _headings(columns.header)
            raise LabelsError(f"No column {heading.strip()!r} in {name}, which --drop asks for.", f"It has {has}.")
    return tuple(sorted(rules, key=lambda rule: not rule.by_label))


def _likely_header(rows: tuple[Row, ...]) -> Row:
    """The first row with several cells, since a title has one, else the first with any; none of an empty table."""
    filled = [row for row in rows if any(map(bare, row))][:HEADER_ROWS]
    return next((row for row in filled if sum(map(bool, map(bare, row))) > 1), next(iter(filled), ()))


def _headings(header: Row) -> str:
    """What is in a header, for an error."""
    filled = list(filter(None, map(bare, header)))
    shown = [text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 1]}…" for text in filled[:HEADINGS]]
    return ", ".join([*shown, *["…"] * (len(filled) > HEADINGS)]) or "nothing"


def _headers(rows: tuple[Row, ...], name: str) -> Iterator[_Header]:
    """The first rows with cells, each with the rows below it."""
    filled = [i for i, row in enumerate(rows) if any(cell.strip() for cell in row)]
    return (_Header(rows[i], rows[i + 1 :], name) for i in filled[:HEADER_ROWS])


@dataclass(frozen=True, slots=True)
class _Header:
    """A row that may be the header. Columns are told apart by what they hold; one is taken only if unmistakable."""

    header: Row
    body: tuple[Row, ...]
    name: str

    def candidates(self, wanted: str | None, usual: tuple[str, ...], taken: str | None) -> list[int]:
        """Positions of the column asked for, or of those with usual headings, the most usual first."""
        if wanted is not None:
            found = place(self.header, wanted, ())
            return [] if found is None else [found]
        folded = [fold(heading) for heading in self.header]
        other = None if taken is None else place(self.header, taken, ())
        return [i for heading in usual for i, is_ in enumerate(folded) if is_ == heading and i != other]

    def file(self, columns: list[int]) -> int:
        columns = _rather(columns, self._holds_files)
        if self._agree(columns, lambda text: text.replace("\\", "/").rpartition("/")[2].casefold()):
            return columns[0]
        raise self._several(columns, "file names", "--file-column")

    def label(self, columns: list[int], *, asked: bool) -> int:
        if not asked and set(map(fold, self.header)) >= OURS:
            # One of the two was corrected; the other is what is to be scored, and would score itself.
            ours = [i for i in columns if fold(self.header[i]) in {"person", "name"} and self._texts(i)]
            filled = {tuple(bool(cell(row, i).strip()) for row in self.body) for i in ours}
            if len(ours) > 1 and (len(filled) > 1 or not self._agree(ours, str.casefold)):
                raise self._several(ours, "people", "--label-column")
        left = _rather(columns, lambda i: not self._holds_files(i))
        left = _rather(left, lambda i: not _numbers_rows(self._texts(i)))
        if not asked and len(left) == 1:
            texts = self._texts(left[0])
            runs = len(texts) >= RUNNING and _numbers_rows(texts)
            if runs and all(int(after) - int(before) == 1 for before, after in pairwise(texts)):
                others = [i for i in range(len(self.header)) if self._tells_apart(i)]
                if others:
                    raise self._several([*left, *others], "people", "--label-column")
        return self._plain(left, PLAIN_LABELS, "people", "--label-column")

    def name_of_face(self, columns: list[int]) -> int:
        """The column with names: rather words than numbers, as `faces.csv` has both."""
        left = _rather(columns, lambda i: any(not text.isdecimal() for text in self._texts(i)))
        return self._plain(_rather(left, lambda i: not self._holds_files(i)), PLAIN_NAMES, "names", "")

    def _plain(self, columns: list[int], plain: frozenset[str], what: str, option: str) -> int:
        for some in (columns, [i for i in columns if fold(self.header[i]) in plain]):
            if some and self._agree(some, str.casefold):
                return some[0]
        raise self._several(columns, what, option)

    def _several(self, columns: list[int], what: str, option: str) -> LabelsError:
        """The error that shows headings with the first different values."""
        shown = "; ".join(
            f"{self.header[i].strip()} ({', '.join(list(dict.fromkeys(self._texts(i)))[:EXAMPLES])})"
            for i in columns
            if self.header[i].strip()
        )
        mend = f"Say which: pass {option}." if option else "Leave one of them in the table."
        return LabelsError(f"Several columns of {self.name} could hold {what}: {shown}.", mend)

    def _texts(self, column: int) -> list[str]:
        return _texts(self.body, column)

    def _holds_files(self, column: int) -> bool:
        texts = self._texts(column)
        return 2 * sum(has_ending(text) for text in texts) > len(texts)

    def _tells_apart(self, column: int) -> bool:
        """Whether words in a column without a usual heading come back, as names do."""
        rule = any(fold(text.partition("=")[0]) == fold(self.header[column]) for text in DEFAULT_DROPS)
        texts = self._texts(column)
        words = not any(text.isdecimal() for text in texts)
        return words and not rule and not self._holds_files(column) and 1 < len(set(texts)) < len(texts)

    def _agree(self, columns: list[int], key: Callable[[str], str]) -> bool:
        """Whether columns part the rows in the same way; what is empty in one of them contradicts nothing."""
        one = columns[0]
        for other in columns[1:]:
            filled = (row for row in self.body if cell(row, one).strip() and cell(row, other).strip())
            pairs = {tuple(key(plain_number(cell(row, column))) for column in (one, other)) for row in filled}
            if any(len({pair[side] for pair in pairs}) < len(pairs) for side in (0, 1)):
                return False
        return True


def _texts(body: tuple[Row, ...], column: int) -> list[str]:
    return [text for row in body if (text := plain_number(cell(row, column)))]


def _numbers_rows(texts: list[str]) -> bool:
    """Whether a column has another number in each row."""
    numbers = all(text.isdecimal() and len(text) < LONGEST_NUMBER for text in texts)
    return numbers and len(texts) > 1 and len(set(texts)) == len(texts)


def _rather(columns: list[int], wanted: Callable[[int], bool]) -> list[int]:
    """Those that are as wanted, or all if none is."""
    return [i for i in columns if wanted(i)] or columns
