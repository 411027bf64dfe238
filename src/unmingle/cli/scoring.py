"""The command that scores a library against labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unmingle.cli.options import Drop, FileColumn, Json, LabelColumn, LibraryArgument, Sheet, label_options

if TYPE_CHECKING:
    from unmingle.evaluation.score import Evaluation

WORST_PEOPLE = 20  # printed; the report has them all


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(evaluate)


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

    options = label_options(file_column, label_column, sheet, drop)
    opened = Library(library)
    evaluation = opened.evaluate(labels, options=options)
    written = opened.write_evaluation(evaluation, output or library / "evaluation")
    if as_json:
        print(report_json(evaluation), end="")
    else:
        print_evaluation(evaluation)
        print(f"Written: {', '.join(str(path) for path in written)}")


def print_evaluation(evaluation: Evaluation) -> None:
    """Print the scores, and the people who were found worst."""
    from rich.console import Console

    from unmingle import console
    from unmingle.evaluation.people import found_worst
    from unmingle.evaluation.report import as_table

    terminal = Console()
    terminal.print(console.table(as_table(evaluation)))
    worst = found_worst(evaluation.people, WORST_PEOPLE)
    if len(worst) < len(evaluation.people):
        terminal.print(f"The {len(worst)} lowest of {len(evaluation.people):,} people; evaluation.csv has them all.")
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
    terminal.print(console.table(rows, headings=("person", "faces", "precision", "recall", "confused with")))
