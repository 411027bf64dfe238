"""The commands that set results beside others: two libraries, and on labelled pictures other methods."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unmingle.cli.options import Drop, FileColumn, Json, LabelColumn, Quiet


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(compare)


def compare(
    library_a: Annotated[Path, typer.Argument(metavar="LIBRARY_A", help="Folder of a library.", show_default=False)],
    library_b: Annotated[
        Path,
        typer.Argument(
            metavar="LIBRARY_B",
            help="Folder of another, of the same pictures or some of them, made in another way.",
            show_default=False,
        ),
    ],
    labels: Annotated[
        str | None,
        typer.Option(
            help="Score both against a workbook or csv, or the word folders, where each folder is one person, and say"
            " which of the two is right about each change."
        ),
    ] = None,
    file_column: FileColumn = None,
    label_column: LabelColumn = None,
    drop: Drop = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="PAGE.html", help="Also write a page with the faces concerned, for a browser."
        ),
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Say what differs between two libraries of the same pictures: who was split, put together, or left out.

    Pictures are the same by content, or else by name; faces by where they are. Neither library is changed.
    """
    from rich.console import Console

    from unmingle import console
    from unmingle.api import Library
    from unmingle.evaluation import comparison_text
    from unmingle.evaluation.labels import LabelOptions

    drops = None if drop is None else tuple(drop)
    options = LabelOptions(file_column=file_column, label_column=label_column, drops=drops)
    one, other = Library(library_a), Library(library_b)
    comparison = one.compare(other, labels=labels, options=options)
    if output is not None:
        with console.progress(quiet=quiet) as progress:
            one.write_comparison(other, comparison, output, progress=progress)
    if as_json:
        print(comparison_text.as_json(comparison), end="")
    elif not quiet:
        print(f"A: {comparison.a.title}\nB: {comparison.b.title}")
        rows = comparison_text.side_rows(comparison, settings="differing")
        Console().print(console.table(rows, headings=("", "A", "B")))
        print("\n".join(comparison_text.lines(comparison)))
        if output is not None:
            print(f"See {output}: it opens in any browser.")
