"""The commands that score a library, and that make a page of html of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unmingle import console
from unmingle.cli.options import Drop, FileColumn, Json, LabelColumn, LibraryArgument, Quiet, Sheet, label_options

if TYPE_CHECKING:
    from unmingle.evaluation.scores import Evaluation

WORST_PEOPLE = 20  # printed; the report has them all


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(evaluate)
    app.command()(report)


def evaluate(
    library: LibraryArgument,
    labels: Annotated[
        str,
        typer.Option(
            help="A workbook or csv with the true people, or the word folders: each folder is one person.",
            show_default=False,
        ),
    ],
    file_column: FileColumn = None,
    label_column: LabelColumn = None,
    sheet: Sheet = None,
    drop: Drop = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for the report; LIBRARY/evaluation if not given."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Score the people of a library against labels, joined by file name.

    Writes evaluation.json, evaluation.csv (per person), confusion.png, and mistakes.png if there are any.
    """
    from unmingle.api import Library
    from unmingle.evaluation.report import as_json as report_json

    options = label_options(labels, file_column, label_column, sheet, drop)
    opened = Library(library)
    evaluation = opened.evaluate(labels, options=options)
    written = opened.write_evaluation(evaluation, output or library / "evaluation")
    if as_json:
        print(report_json(evaluation), end="")
    else:
        print_evaluation(evaluation)
        console.say(f"Written: {', '.join(str(path) for path in written)}")


def print_evaluation(evaluation: Evaluation) -> None:
    """Print scores, and the people that were found worst."""
    from unmingle.evaluation.report import as_table
    from unmingle.evaluation.scores import found_worst

    console.show_table(as_table(evaluation))
    worst = found_worst(evaluation.people, WORST_PEOPLE)
    if len(worst) < len(evaluation.people):
        console.say(f"The {len(worst)} lowest of {len(evaluation.people):,} people; evaluation.csv has them all.")
    rows = [
        (
            person.label,
            f"{person.size:,}",
            f"{person.precision:.4f}",
            f"{person.recall:.4f}",
            ", ".join(f"{label} ({faces})" for label, faces in person.confused_with),
        )
        for person in worst
    ]
    console.show_table(rows, headings=("person", "faces", "precision", "recall", "confused with"))


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
    from unmingle.api import Library

    options = label_options(labels, file_column, label_column, sheet, drop)
    opened = Library(library)
    evaluation = None if labels is None else opened.evaluate(labels, options=options)
    with console.progress(quiet=quiet) as progress:
        page = opened.write_report(output, title=title, evaluation=evaluation, progress=progress)
    if as_json:
        console.say_json({"report": str(page), "bytes": page.stat().st_size})
    elif not quiet:
        console.say(f"{page}: {page.stat().st_size / 1e6:,.1f} MB. It opens in any browser.")
