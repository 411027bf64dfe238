"""The command that makes a page of html of a library."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from unmingle.cli.options import Drop, FileColumn, Json, LabelColumn, LibraryArgument, Quiet, Sheet, label_options


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(report)


def report(
    library: LibraryArgument,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="PAGE.html", help="The file; LIBRARY/report.html if not given."),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            help="Show how far the people agree with a workbook or csv, or with the word folders: each folder is one"
            " person."
        ),
    ] = None,
    file_column: FileColumn = None,
    label_column: LabelColumn = None,
    sheet: Sheet = None,
    drop: Drop = None,
    title: Annotated[str, typer.Option(help="Of the page; the name of the library's folder if not given.")] = "",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Write what was found as one page of html that opens from disk: people, what was left out and why, a map, scores.

    The page needs no other file and no network. It holds pictures of faces: share it as you would share these.
    """
    from unmingle import console
    from unmingle.api import Library

    opened = Library(library)
    evaluation = None
    if labels is not None:
        evaluation = opened.evaluate(labels, options=label_options(file_column, label_column, sheet, drop))
    with console.progress(quiet=quiet) as progress:
        page = opened.write_report(output, title=title, evaluation=evaluation, progress=progress)
    if as_json:
        print(json.dumps({"report": str(page), "bytes": page.stat().st_size}))
    elif not quiet:
        print(f"{page}: {page.stat().st_size / 1e6:,.1f} MB. It opens in any browser.")
