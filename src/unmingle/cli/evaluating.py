"""The commands that set results beside labels, other methods and other libraries: evaluate, report, compare, bench."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from unmingle import console
from unmingle.cli import keeping, models
from unmingle.cli import options as opt
from unmingle.text_layout import counted

if TYPE_CHECKING:
    from unmingle.evaluation.scores import Evaluation

WORST_PEOPLE = 20  # printed; the report has them all
SHORT = {"Labels", "Faces scored", "People", "Accuracy", "Weighted F1", "BCubed P, R, F"}


def evaluate(
    library: opt.LibraryArgument,
    labels: opt.TrueLabels,
    file_column: opt.FileColumn = None,
    label_column: opt.LabelColumn = None,
    sheet: opt.Sheet = None,
    drop: opt.Drop = None,
    output: Annotated[Path | None, opt.output("Folder for the report; LIBRARY/evaluation if not given.")] = None,
    verbose: Annotated[bool, Option("--verbose", "-v", help="Print all scores, and who was found worst.")] = False,
    as_json: opt.Json = False,
) -> None:
    """Score the people of a library against labels.

    Labels are joined by file name. Writes evaluation.json, evaluation.csv (per person), confusion.png, and mistakes.png
    if there are any.
    """
    from unmingle.evaluation.score_files import as_json as report_json

    options = opt.label_options(labels, file_column, label_column, sheet, drop)
    opened = opt.open_library(library)
    evaluation = opened.evaluate(labels, options=options)
    written = opened.write_evaluation(evaluation, output)
    if as_json:
        console.say_json(report_json(evaluation))
    else:
        print_evaluation(evaluation, verbose=verbose)
        console.say(f"Written: {', '.join(str(path) for path in written)}")
        if not verbose:
            console.say("All scores, and who was found worst: --verbose")


def print_evaluation(evaluation: Evaluation, *, verbose: bool = False) -> None:
    """Print the usual scores, and what was not scored; or all, and the people that were found worst."""
    from unmingle.evaluation.score_files import as_table, aside_rows, join_rows, score_rows
    from unmingle.evaluation.scores import confused, found_worst

    if not verbose:
        scores = [row for row in score_rows(evaluation) if row[0] in SHORT]
        # A rule that dropped nothing is shown: the column may say yes in a word that is not known.
        others = (*aside_rows(evaluation), *(row for row in join_rows(evaluation) if row[1] != "0"))
        console.show_table([*scores, *others])
        return
    console.show_table(as_table(evaluation))
    worst = found_worst(evaluation.people, WORST_PEOPLE)
    if len(worst) < len(evaluation.people):
        console.say(f"The {len(worst)} lowest of {len(evaluation.people):,} people; evaluation.csv has them all.")
    rows = [
        (person.label, f"{person.size:,}", f"{person.precision:.4f}", f"{person.recall:.4f}", confused(person))
        for person in worst
    ]
    console.show_table(rows, headings=("person", "faces", "precision", "recall", "confused with"))


def report(
    library: opt.LibraryArgument,
    output: Annotated[Path | None, opt.output("The file; LIBRARY/report.html if not given.", "PAGE.html")] = None,
    labels: Annotated[
        str | None,
        Option(
            help="Show how far the people agree with a workbook or csv, or with the word folders: each folder is one"
            " person."
        ),
    ] = None,
    file_column: opt.FileColumn = None,
    label_column: opt.LabelColumn = None,
    sheet: opt.Sheet = None,
    drop: opt.Drop = None,
    title: Annotated[str, Option(help="Of the page; the name of the library's folder if not given.")] = "",
    quiet: opt.Quiet = False,
    as_json: opt.Json = False,
) -> None:
    """Write what was found as one page of html.

    People, what was left out and why, a map, scores. The page needs no other file and no network. It holds pictures of
    faces: share it as you would share these.
    """
    options = opt.label_options(labels, file_column, label_column, sheet, drop)
    opened = opt.open_library(library)
    evaluation = None if labels is None else opened.evaluate(labels, options=options)
    with console.progress(quiet=quiet) as progress:
        page = opened.write_report(output, title=title, evaluation=evaluation, progress=progress)
    size = page.stat().st_size
    line = f"{page}: {size / 1e6:,.1f} MB. It opens in any browser."
    console.tell({"report": str(page), "bytes": size}, line, as_json=as_json, quiet=quiet)


def compare(
    library_a: Annotated[Path, Argument(metavar="LIBRARY_A", help="Folder of a library.")],
    library_b: Annotated[
        Path,
        Argument(
            metavar="LIBRARY_B", help="Folder of another, of the same pictures or some of them, made in another way."
        ),
    ],
    labels: Annotated[
        str | None,
        Option(
            help="Score both against a workbook or csv, or the word folders, where each folder is one person, and say"
            " which of the two is right about each change."
        ),
    ] = None,
    file_column: opt.FileColumn = None,
    label_column: opt.LabelColumn = None,
    sheet: opt.Sheet = None,
    drop: opt.Drop = None,
    output: Annotated[
        Path | None, opt.output("Also write a page with the faces concerned, for a browser.", "PAGE.html")
    ] = None,
    quiet: opt.Quiet = False,
    as_json: opt.Json = False,
) -> None:
    """Say what differs between two libraries of the same pictures.

    Who was split, put together, or left out. Pictures are the same by content, or else by name; faces by where they
    are. Neither library is changed.
    """
    from unmingle.render import comparisons

    options = opt.label_options(labels, file_column, label_column, sheet, drop)
    one, other = opt.open_library(library_a), opt.open_library(library_b)
    comparison = one.compare(other, labels=labels, options=options)
    if output is not None:
        with console.progress(quiet=quiet) as progress:
            one.write_comparison(other, comparison, output, progress=progress)
    if as_json:
        console.say_json(comparisons.as_json(comparison))
    elif not quiet:
        console.say(f"A: {comparison.a.title}", f"B: {comparison.b.title}")
        rows = comparisons.side_rows(comparison, settings="differing")
        console.show_table(rows, headings=("", "A", "B"))
        console.say(*comparisons.lines(comparison))
        if output is not None:
            console.say(f"See {output}: it opens in any browser.")


def bench(
    dataset: Annotated[
        Path, Argument(metavar="DATASET", help="Folder of labelled pictures, by default one folder a person.")
    ],
    labels: opt.TrueLabels = "folders",
    file_column: opt.FileColumn = None,
    label_column: opt.LabelColumn = None,
    sheet: opt.Sheet = None,
    drop: opt.Drop = None,
    recipe: opt.Recipe = "faces",
    people: Annotated[
        int | None,
        Option(min=1, help="Tell unmingle how many people there are; classic gets the true number if it isn't given."),
    ] = None,
    model: opt.Model = "sface",
    crops: opt.Crops = "auto",
    weights: opt.Weights = None,
    precision: opt.Precision = "auto",
    threads: opt.Threads = 0,
    strictness: opt.Strictness = "balanced",
    others: Annotated[
        bool, Option("--others/--no-others", help="Whether usual methods are run on the same embeddings beside it.")
    ] = True,
    output: Annotated[
        Path | None, opt.output("Keep the library here; it is thrown away if not given.", "FOLDER")
    ] = None,
    quiet: opt.Quiet = False,
    as_json: opt.Json = False,
) -> None:
    """Sort and score labelled pictures, beside usual methods.

    Prints the standard table: how well, how fast. The labels are used for the scores, and by those of the other methods
    that are said to know them.
    """
    from contextlib import ExitStack

    from unmingle import bench as benching
    from unmingle.files import scratch_folder
    from unmingle.settings import FALSE_MERGES, DetectionSettings, EngineSettings, GroupingSettings

    settings = benching.BenchSettings(
        recipe=recipe,
        model=model,
        people=people,
        detection=DetectionSettings(crops=crops),
        grouping=GroupingSettings(expected_false_merges=FALSE_MERGES[strictness]),
        engine=EngineSettings(precision=precision, threads=threads),
        weights=weights,
        others=others,
    )
    options = opt.label_options(labels, file_column, label_column, sheet, drop)
    if not quiet:
        models.warn(model)
    with ExitStack() as held, console.progress(quiet=quiet) as progress:
        if output is not None:
            kept = f"What was found so far is kept in {output}; the same command goes on from there."
            held.enter_context(keeping(kept, once=output))
        folder = output or held.enter_context(scratch_folder()) / "library"
        library = opt.open_library(folder)
        found = benching.bench(library, dataset, labels=labels, options=options, settings=settings, progress=progress)
    if as_json:
        console.say_json(benching.as_json(found))
        return
    scores = found.evaluation.scores
    console.say(f"{counted(found.pictures, 'picture')}, {scores.faces:,} of them labelled")
    headings, rows = benching.table(found)
    console.show_table(rows, headings=headings)
    for method in found.others:
        if method.left_out:
            console.say(f"Not run: {method.name}, {method.told}: {method.left_out}.")
    if output is not None:
        console.say(f"The library is in {output}.")
