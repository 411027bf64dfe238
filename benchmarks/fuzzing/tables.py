"""Tables of labels and of names, and lists of paths: read, or refused with a sentence; no row is lost."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from fuzzing.mutants import Outcome, chance, damage, signature
from fuzzing.sidecars import PICTURES, Base
from unmingle.api import ExportOptions, Library
from unmingle.errors import UnmingleError
from unmingle.evaluation.labels import LabelOptions, read_labels
from unmingle.settings import EngineSettings

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence
    from pathlib import Path


Rows = list[list[Any]]
DOORS = ("list", "evaluate", "import", "fill", "labels")


class Tables:
    """Each table is handed to one door; a third of them are as some program may write them."""

    def __init__(self) -> None:
        self._base = Base()

    def run(self, folder: Path, numbers: Sequence[int], seed: int) -> Outcome:
        """See `Kind.run`."""
        library, source, _ = self._base.copy(folder)
        outcome = Outcome()
        lists = Library(folder / "lists", views="on request")
        shutil.copytree(library.folder, lists.folder)  # lists bring folders along, in which others may not write
        # Paths in them are names alone: damaged, they lead to no other place of this machine.
        shutil.copytree(source, folder / "tables")
        for number in numbers:
            draw = chance(seed, "tables", number)
            door = draw.choices(DOORS, (6, 24, 24, 24, 22))[0]
            ending, content, rows = mutant(draw, door)
            path = folder / "tables" / f"t{number}{ending}"
            path.write_bytes(content)
            try:
                told = _hand_over(door, lists if door == "list" else library, path, folder / f"out{number}")
                outcome.read += 1
                if -1 < told < rows:
                    outcome.blame(number, "lost_rows", f"{door} {ending}: {told} of {rows} rows")
            except UnmingleError as error:
                outcome.refused += 1
                if not error.problem.strip():
                    outcome.blame(number, "no_sentence", type(error).__name__)
                if rows:
                    outcome.blame(number, "whole_but_refused", f"{door} {ending}: {str(error)[:160]}")
            except (Exception, SystemExit) as error:  # noqa: BLE001  # what is looked for
                outcome.blame(number, "tracebacks", f"{door} {ending}: {signature(error)}")
        return outcome


def _hand_over(door: str, library: Library, path: Path, out: Path) -> int:
    """To one of the doors through which tables come.

    Args:
        door: which.
        library: of the pictures that the table is of.
        path: the table.
        out: for what is written.

    Returns:
        How many rows were accounted for; -1 where the door doesn't count them.
    """
    if door == "list":
        return library.add(path, engine=EngineSettings(threads=1)).files
    if door == "labels":
        found = read_labels(path, LabelOptions())
        told = (found.files, found.dropped, found.contradictions, found.unlabelled, found.duplicates)
        return sum(map(len, told))
    if door == "import":
        done = library.import_names(path)
        if done.decisions:
            library.undo()
        return done.faces + done.known + done.nameless + len(done.left)
    if door == "evaluate":
        library.evaluate(path)
    else:
        library.export("xlsx", out, ExportOptions(labels=path))
    return -1


def mutant(draw: random.Random, door: str) -> tuple[str, bytes, int]:
    """A table's ending and content, and how many rows it has where nothing is wrong with it."""
    if door == "list":
        return _list(draw)
    rows, kind = _table(draw, HEADS if door != "import" else HEADS[1:]), draw.random()  # a number is no name
    form = draw.choice(tuple(FORMS))
    if kind < 0.35:
        return form, FORMS[form](rows, draw), len(rows) - 1
    if kind < 0.65:
        rows = _odd_rows(rows, draw)
        return form, FORMS[form](rows, draw), 0
    content = FORMS[form](rows, draw)
    if form in (".xlsx", ".ods") and draw.random() < 0.6:
        return form, _inside(content, draw), 0
    other = FORMS[draw.choice(tuple(FORMS))](rows, draw)
    content = damage(content, draw, other)
    return draw.choice((form, form, form, *ODD_ENDINGS)), content, 0


ODD_ENDINGS = (".csv", ".tsv", ".xlsx", ".xls", ".ods", ".xlsb", ".parquet", ".json", ".CSV", ".dat", "")
HEADS = (("File Name", "ID"), ("file", "person"), ("filename", "label"), ("image", "name"), ("File", "Name", "Note"))


def _table(draw: random.Random, heads: Sequence[tuple[str, ...]]) -> Rows:
    head = draw.choice(heads)
    places = draw.sample(range(PICTURES), draw.choice((1, 3, 20, 60)))
    return [list(head), *([f"p{place:03}.jpg", f"Person {place % 12}", "seen"][: len(head)] for place in places)]


def _delimited(rows: Rows, draw: random.Random) -> bytes:
    """Text with one of the dialects and encodings of the programs that write such tables."""
    sign = draw.choice((",", ",", ";", "\t"))
    quote = draw.random() < 0.3
    end = draw.choice(("\n", "\r\n", "\r\n"))
    lines = (sign.join(_quoted(cell, sign, always=quote) for cell in row) for row in rows)
    text = end.join(lines) + draw.choice((end, ""))
    hint = f"sep={sign}{end}" if draw.random() < 0.1 else ""
    return (hint + text).encode(draw.choice(("utf-8", "utf-8", "utf-8-sig", "utf-16", "cp1252")), "replace")


def _quoted(cell: object, sign: str, *, always: bool) -> str:
    text = str(cell)
    return (
        '"' + text.replace('"', '""') + '"' if always or any(one in text for one in (sign, '"', "\n", "\r")) else text
    )


def _workbook(rows: Rows, draw: random.Random) -> bytes:
    import xlsxwriter

    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True, "strings_to_formulas": False, "nan_inf_to_errors": True})
    for _ in range(draw.choice((0, 0, 0, 1))):
        book.add_worksheet().write(0, 0, "notes")
    sheet = book.add_worksheet()
    down, right = draw.choice(((0, 0), (0, 0), (0, 1), (3, 0)))
    for i, row in enumerate(rows):
        for j, cell in enumerate(row):
            write = sheet.write_string if isinstance(cell, str) else sheet.write
            write(down + i, right + j, cell)
    book.close()
    return buffer.getvalue()


def _open_document(rows: Rows, draw: random.Random) -> bytes:
    """A spreadsheet of OpenDocument, with no more in it than has to be."""
    spaces = " ".join(
        f'xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{short}:1.0"' for short in ("office", "table", "text")
    )
    body = "".join(
        "<table:table-row>"
        + "".join(
            f'<table:table-cell office:value-type="string"><text:p>{escape(_plain(cell))}</text:p></table:table-cell>'
            for cell in row
        )
        + "</table:table-row>"
        for row in rows
    )
    sheet = f'<office:spreadsheet><table:table table:name="a">{body}</table:table></office:spreadsheet>'
    document = f"<office:document-content {spaces}><office:body>{sheet}</office:body></office:document-content>"
    text = f'<?xml version="1.0" encoding="UTF-8"?>{document}'
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet", zipfile.ZIP_STORED)
        out.writestr("content.xml", text)
        out.writestr("META-INF/manifest.xml", MANIFEST)
    return buffer.getvalue()


def _records(rows: Rows) -> list[dict[str, Any]]:
    """Rows by the names in the first one; what has no name, or one that is taken, is left out."""
    heads = [str(cell) for cell in rows[0]] if rows else []
    return [dict(zip(heads, row, strict=False)) for row in rows[1:]]


def _parquet(rows: Rows, draw: random.Random) -> bytes:
    import polars as pl

    buffer = io.BytesIO()
    texts = [{key: _plain(cell) for key, cell in row.items()} for row in _records(rows)]
    names = list(dict.fromkeys(key for row in texts for key in row))
    table = pl.DataFrame(texts, schema=dict.fromkeys(names, pl.String))
    if names and draw.random() < 0.3:
        table = table.with_columns(pl.col(names[-1]).cast(pl.Categorical))
    table.write_parquet(buffer, compression=draw.choice(("zstd", "snappy", "gzip", "lz4", "uncompressed")))
    return buffer.getvalue()


def _json(rows: Rows, draw: random.Random) -> bytes:
    found = _records(rows)
    text = json.dumps(found, ensure_ascii=draw.random() < 0.5, indent=draw.choice((None, 1)))
    return text.encode("utf-8", "replace")


MANIFEST = '<m:manifest xmlns:m="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>'


def _plain(cell: object) -> str:
    """What XML may hold of a cell."""
    return "".join(sign for sign in str(cell) if sign >= " " or sign in "\t\n")


FORMS: dict[str, Callable[[Rows, random.Random], bytes]] = {
    ".csv": _delimited,
    ".tsv": lambda rows, draw: "\n".join("\t".join(map(str, row)) for row in rows).encode("utf-8", "replace"),
    ".xlsx": _workbook,
    ".ods": _open_document,
    ".parquet": _parquet,
    ".json": _json,
}
CELLS = (
    "", " ", "\t", "\n", "a\nb", '"', '""', "'", "=1+1", "=HYPERLINK(1)", "NaN", "None", "0", "-1", "1e999", "TRUE",
    "#N/A", "2024-01-02", "01/02/2024", "1,5", "\u00a0", "\u200b", "\ufeffp001.jpg", "P001.JPG", "p001", "½",
    "01", "1.0", "C:\\a\\p001.jpg", "../p001.jpg", "/etc/passwd", "p001.jpg,p002.jpg", "\x01", "\ud7ff", "é" * 300,
    "x" * 33_000,
)  # fmt: skip
NUMBERS = (0, 1, -1, 1.0, 2.5, 1e300, 45_000.25, 10**15, True, False)


def _odd_rows(rows: Rows, draw: random.Random) -> Rows:
    """What people do to tables."""
    for _ in range(draw.choice((1, 2, 4))):
        draw.choice(_ODDITIES)(rows, draw)
    return rows


def _odd_cell(rows: Rows, draw: random.Random) -> None:
    row = draw.choice(rows)
    if row:
        row[draw.randrange(len(row))] = draw.choice(CELLS) if draw.random() < 0.7 else draw.choice(NUMBERS)


def _odd_head(rows: Rows, draw: random.Random) -> None:
    heads = (
        "file",
        "File Name",
        "ID",
        "person",
        "name",
        "path",
        "",
        "id ",
        "ＩＤ",
        "Image",
        "label",
        "Mask",
        "score",
        1,
    )
    rows[0] = [draw.choice(heads) for _ in range(draw.choice((0, 1, 2, 3, 6)))]


def _ragged(rows: Rows, draw: random.Random) -> None:
    row = draw.choice(rows)
    if draw.random() < 0.5:
        del row[draw.randrange(len(row) + 1) :]
    else:
        row.extend([draw.choice(CELLS)] * draw.choice((1, 5, 300)))


def _twice(rows: Rows, draw: random.Random) -> None:
    row = list(draw.choice(rows))
    if len(row) > 1 and draw.random() < 0.5:
        row[1] = "Somebody else"
    rows.insert(draw.randrange(len(rows) + 1), row)


def _more_columns(rows: Rows, draw: random.Random) -> None:
    cell = draw.choice((*CELLS, *NUMBERS))
    at = draw.randrange(3)
    for i, row in enumerate(rows):
        row.insert(at, draw.choice(("face", "frame", "source", "Mask", "id", "note")) if not i else cell)


def _empty_rows(rows: Rows, draw: random.Random) -> None:
    at = draw.randrange(len(rows) + 1)
    rows[at:at] = [draw.choice(([], [""], ["", ""], ["note"]))[:] for _ in range(draw.choice((1, 3, 15)))]


def _headless(rows: Rows, draw: random.Random) -> None:
    del rows[: 1 if len(rows) > 1 else 0]


def _typed(rows: Rows, draw: random.Random) -> None:
    """People as numbers or days."""
    import datetime

    for i, row in enumerate(rows[1:]):
        if len(row) > 1:
            row[1] = draw.choice(
                (i % 5, float(i % 5), datetime.date(2024, 1, 1 + i % 28).isoformat(), i % 2 == 0, f"{i % 5}.0")
            )


_ODDITIES = (
    _odd_cell,
    _odd_cell,
    _odd_cell,
    _odd_head,
    _ragged,
    _ragged,
    _twice,
    _more_columns,
    _empty_rows,
    _headless,
    _typed,
)


def _inside(content: bytes, draw: random.Random) -> bytes:
    """A workbook whose zip is whole and one of whose parts is not."""
    with zipfile.ZipFile(io.BytesIO(content)) as whole:
        parts = {name: whole.read(name) for name in whole.namelist()}
    name = draw.choice([*parts, *(name for name in parts if "sheet" in name or "Strings" in name)])
    way = draw.randrange(6)
    if way == 0:
        del parts[name]
    elif way == 1:
        parts = {one: _far(part, draw) for one, part in parts.items()}
    elif way == 2:
        swaps = [(b't="s"', b't="%s"' % kind) for kind in (b"n", b"d", b"e", b"b", b"zz", b"")] + [
            (b"<v>1</v>", b"<v>99999999</v>")
        ]
        swaps += [(b'"string"', b'"%s"' % kind) for kind in (b"float", b"date", b"time", b"boolean", b"x")]
        old, new = draw.choice(swaps)
        parts = {one: part.replace(old, new) for one, part in parts.items()}
    elif way == 3:
        parts[name] = b""
    else:
        parts[name] = damage(parts[name], draw, b"<a/>")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as out:
        for name, part in parts.items():
            out.writestr(name, part)
    return buffer.getvalue()


def _far(part: bytes, draw: random.Random) -> bytes:
    """A cell far away from the others, or nowhere; or one that stands for many."""
    places = (b"XFD1048576", b"A1048576", b"XFD2", b"A0", b"", b"ZZZZ9", b"1A", b"A99999999999")
    part = part.replace(b'r="A2"', b'r="%s"' % draw.choice(places), 1)
    times = b'="%s"' % draw.choice((b"16384", b"1048576", b"0", b"-1", b"99999999999", b"x"))
    for kind in draw.choice(((b"row",), (b"cell",), (b"row", b"cell"))):
        word = b"rows" if kind == b"row" else b"columns"
        part = part.replace(
            b"<table:table-" + kind, b"<table:table-" + kind + b" table:number-" + word + b"-repeated" + times, 2
        )
    return part


def _list(draw: random.Random) -> tuple[str, bytes, int]:
    """A text file that lists paths."""
    places = draw.sample(range(PICTURES), draw.choice((1, 5)))
    content = "\n".join(f"p{place:03}.jpg" for place in places).encode()
    if draw.random() < 0.5:
        return ".txt", content, len(places)
    odd = (
        b"\0",
        b"~nobody/x.jpg",
        b"~",
        b"*.jpg",
        b"\xff\xfe",
        b"a.txt",
        b"x" * 5000,
        b" ",
        b"\xef\xbb\xbf",
        b"/proc/self/mem",
    )
    return ".txt", damage(content, draw, content) if draw.random() < 0.5 else content + b"\n" + draw.choice(odd), 0
