"""The command line: parse, call, print. Exit codes: 0 done, 1 a clear error, 2 wrong usage."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from unmingle.cli import comparing, decisions, export, models, reporting
from unmingle.cli.options import (
    Crops,
    Drop,
    FileColumn,
    Json,
    LabelColumn,
    LibraryArgument,
    Model,
    Precision,
    Quiet,
    Recipe,
    Strictness,
    Threads,
    Weights,
)
from unmingle.errors import SettingsError, UnmingleError
from unmingle.sources.names import MEETING_PATTERN
from unmingle.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unmingle.evaluation.score import Evaluation

app = typer.Typer(
    name="unmingle",
    help="Sort mingled faces into people, without labels. Nothing leaves this machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(models.app, name="models")

WORST_PEOPLE = 20  # printed; the report has them all


def main() -> None:
    """Run the command line; an error of ours becomes a sentence and exit code 1."""
    try:
        app()
    except UnmingleError as error:
        print(f"Error: {error.problem}", file=sys.stderr)
        if error.mend:
            print(error.mend, file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("Stopped. The same command goes on from here.", file=sys.stderr)
        sys.exit(1)


def _version(*, wanted: bool) -> None:
    if wanted:
        print(f"unmingle {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)] = False,
) -> None:
    _version(wanted=version)


@app.command()
def cluster(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="SOURCE...",
            help="Folders of pictures and recordings, such files, or text files that list paths.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="LIBRARY",
            help="Folder of the library: made if new, gone on with if not.",
            show_default=False,
        ),
    ],
    recipe: Recipe = "faces",
    people: Annotated[
        int | None, typer.Option(min=1, help="How many people there are, if you know; found if not given.")
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(help="Take the number of people, and nothing else, from a workbook, a csv, or folders."),
    ] = None,
    crops: Crops = "auto",
    features: Annotated[
        Literal["fc2", "pool5"],
        typer.Option(help="classic: the layer of VGG16; pool5 needs only a convolution-only weight file."),
    ] = "fc2",
    weights: Weights = None,
    any_weights: Annotated[
        bool,
        typer.Option(
            "--any-weights", help="classic: accept weights of the right layout that are not the official ones."
        ),
    ] = False,
    precision: Precision = "auto",
    engine: Annotated[
        Literal["auto", "openvino", "onnxruntime"],
        typer.Option(help="What runs the networks; onnxruntime is an extra."),
    ] = "auto",
    threads: Threads = 0,
    strictness: Strictness = "balanced",
    co_occurrence: Annotated[
        bool,
        typer.Option(
            "--co-occurrence/--no-co-occurrence",
            help="Whether two faces of one picture or frame are two people, unless they are too alike for that.",
        ),
    ] = True,
    name_pattern: Annotated[
        str,
        typer.Option(
            metavar="REGEX",
            help="How a file name carries meeting, frame and index: a regular expression with these three named groups"
            " for the name without its ending. Faces of one frame were seen together.",
        ),
    ] = MEETING_PATTERN,
    model: Model = "sface",
    every: Annotated[
        str,
        typer.Option(
            metavar="TIME", help="Time between the frames of a recording that are looked at, such as 0.1s or 500ms."
        ),
    ] = "0.1s",
    sheets: Annotated[int, typer.Option(min=0, help="How many people, largest first, get a contact sheet.")] = 100,
    webvtt: Annotated[
        bool, typer.Option("--webvtt", help="Write captions for each recording that say who is on screen.")
    ] = False,
    save_crops: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Cut every face of the recordings out into FOLDER, named meeting_frame_index.jpg.",
            show_default=False,
        ),
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Sort the faces of all pictures and recordings in SOURCE into people.

    Killed or stopped, the same command goes on where it was. LIBRARY gets faces.csv, people.csv and sheets/.
    """
    from unmingle import console
    from unmingle.api import Library
    from unmingle.api import as_json as summary_json
    from unmingle.settings import (
        FALSE_MERGES,
        ClassicSettings,
        DetectionSettings,
        EngineSettings,
        GroupingSettings,
        RecordingSettings,
    )
    from unmingle.sources.names import compile_pattern

    recording = RecordingSettings(every=_seconds(every))
    compile_pattern(name_pattern)  # before an hour of work, not after it
    if people is not None and labels is not None:
        raise SettingsError("Both --people and --labels give the number of people.", "Leave one of them out.")
    people = _count_labels(labels, sources) if labels is not None else people
    if recipe == "classic" and people is None:
        raise SettingsError("The classic recipe can't find the number of people.", "Pass --people K or --labels FILE.")
    library = Library(output)
    if not quiet:
        models.warn(model)
    with library.writing(), console.progress(quiet=quiet) as progress:
        added = library.add(
            *sources,
            recipe=recipe,
            detection=DetectionSettings(crops=crops),
            classic=ClassicSettings(features=features),
            weights=weights,
            any_weights=any_weights,
            engine=EngineSettings(engine=engine, precision=precision, threads=threads),
            recording=recording,
            model=model,
            progress=progress,
        )
        summary = library.cluster(
            people=people,
            settings=GroupingSettings(expected_false_merges=FALSE_MERGES[strictness], co_occurrence=co_occurrence),
            name_pattern=name_pattern,
            sheets=sheets,
            webvtt=webvtt,
            progress=progress,
        )
        if save_crops is not None:
            library.save_crops(save_crops, progress=progress)
    if as_json:
        print(summary_json(summary))
    elif not quiet:
        print("\n".join(console.summary_lines(added, summary)))
        print(f"See {output / 'sheets' / 'overview.jpg'}, {output / 'people.csv'} and {output / 'faces.csv'}")


def _seconds(text: str) -> float:
    """A time as people write it."""
    number, unit = (text[:-2], 0.001) if text.endswith("ms") else (text.removesuffix("s"), 1.0)
    try:
        return float(number) * unit
    except ValueError as error:
        raise SettingsError(f"{text!r} is no time.", "Write it like 0.1s or 500ms.") from error


def _count_labels(labels: str, sources: Sequence[Path]) -> int:
    from unmingle.evaluation.labels import LabelOptions, folder_labels, read_labels
    from unmingle.sources.images import scan

    if labels == "folders":
        files = scan(sources).files
        return folder_labels([file.name for file in files], sources=[file.source for file in files]).people
    return read_labels(Path(labels), LabelOptions()).people


@app.command()
def show(
    library: LibraryArgument,
    person: Annotated[str, typer.Argument(help="Id or name, as in people.csv.", show_default=False)],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The picture to write; in LIBRARY/sheets if not given.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a contact sheet of one person and print where it is."""
    from unmingle.api import Library
    from unmingle.export.gallery import encode
    from unmingle.files import write_atomically
    from unmingle.views import sheet_name

    sheet = Library(library).show(person)
    destination = output or library / "sheets" / sheet_name(sheet.person)
    write_atomically(destination, encode(sheet.page))
    print(json.dumps({"person": sheet.person, "sheet": str(destination)}) if as_json else destination)


@app.command()
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
    from unmingle.evaluation.labels import LabelOptions
    from unmingle.evaluation.report import as_json as report_json

    options = LabelOptions(
        file_column=file_column, label_column=label_column, drops=None if drop is None else tuple(drop)
    )
    opened = Library(library)
    evaluation = opened.evaluate(labels, options=options)
    written = opened.write_evaluation(evaluation, output or library / "evaluation")
    if as_json:
        print(report_json(evaluation), end="")
    else:
        _print_evaluation(evaluation)
        print(f"Written: {', '.join(str(path) for path in written)}")


def _print_evaluation(evaluation: Evaluation) -> None:
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


@app.command()
def review(
    library: LibraryArgument,
    host: Annotated[
        str,
        typer.Option(
            help="Address to listen on. Any other than this machine's own shows the faces to everybody in the network"
            " who has the printed address, unencrypted."
        ),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for a free one.")] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Whether to open the browser.")] = True,
) -> None:
    """Look through the people of a library in the browser, name them and correct them. Ctrl+C ends it.

    Everything runs on this machine and works offline. What is decided is kept in LIBRARY at once.
    """
    from unmingle.review.serve import serve

    serve(library, host=host, port=port, open_browser=browser)


decisions.register(app)
export.register(app)
comparing.register(app)
reporting.register(app)


@app.command()
def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to work in.")] = Path("unmingle-demo"),
    people: Annotated[int, typer.Option(min=1, max=12, help="How many made-up people meet.")] = 12,
    frames: Annotated[int, typer.Option(min=1, max=20, help="In how many frames.")] = 20,
) -> None:
    """The whole story on made-up faces: a meeting, sorted, scored and shown."""
    from unmingle import console
    from unmingle.api import Library
    from unmingle.demo import write_meeting
    from unmingle.views import sheet_name

    library = Library(output / "library")
    with console.progress(quiet=False) as progress:
        meeting = write_meeting(output / "meeting", people=people, frames=frames, progress=progress)
    with library.writing(), console.progress(quiet=False) as progress:
        added = library.add(meeting.faces, progress=progress)
        summary = library.cluster(progress=progress)
    print("\n".join(console.summary_lines(added, summary)))
    evaluation = library.evaluate(meeting.labels)
    library.write_evaluation(evaluation, library.folder / "evaluation")
    _print_evaluation(evaluation)
    first = library.people["person"][0]
    print(
        "Made-up people prove that it works, not how well: the model that judges them also chose them.\n"
        "Look at:\n"
        f"  {library.folder / 'sheets' / 'overview.jpg'}   everyone\n"
        f"  {library.folder / 'sheets' / sheet_name(first)}   the largest person\n"
        f"  {library.folder / 'faces.csv'}   every file, with its person or the reason for none\n"
        f"  {library.folder / 'evaluation'}   the score\n"
        "The same, command by command:\n"
        f"  unmingle cluster {meeting.faces} -o {library.folder}\n"
        f"  unmingle evaluate {library.folder} --labels {meeting.labels}\n"
        f"  unmingle show {library.folder} {first}\n"
        "All of it as one page, for others:\n"
        f"  unmingle report {library.folder} --labels {meeting.labels}\n"
        "Say who they are, and correct what is wrong, in the browser:\n"
        f"  unmingle review {library.folder}"
    )
