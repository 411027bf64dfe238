"""The commands about networks."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from typer import Argument, Option

from unmingle import console
from unmingle.cli import keeping
from unmingle.cli.options import Json, Quiet, open_library

if TYPE_CHECKING:
    from unmingle.modelling import Checked, Tried

app = typer.Typer(help="List, fetch, add, check and remove networks.", no_args_is_help=True)

Name = Annotated[str, Argument(help="As in unmingle models list.")]
LabelFolder = Annotated[
    Path | None,
    Option(
        "--labels",
        metavar="FOLDER",
        help="Calibrate on these pictures: a folder with one folder for each person, best of hundreds.",
    ),
]
LibraryFolder = Annotated[
    Path | None, Option("--library", metavar="LIBRARY", help="Calibrate on the people of a library.")
]


@app.command("list")
def list_models(
    library: Annotated[
        Path | None, Option("--library", metavar="LIBRARY", help="Those whose faces a library holds.")
    ] = None,
    as_json: Json = False,
) -> None:
    """The models that unmingle knows, their licences, whether they are here and whether they are calibrated."""
    from unmingle.models.registry import all_cards, is_here

    if library is not None:
        found = open_library(library).models.rows(named=True)
        if as_json:
            console.say_json(found)
            return
        held = [
            (one["model"], one["recipe"], f"{one['pictures']:,}", f"{one['faces']:,}", "yes" if one["current"] else "")
            for one in found
        ]
        console.show_table(held, headings=("model", "recipe", "pictures", "faces", "current"))
        return
    cards = all_cards().values()
    if as_json:
        console.say_json([{**asdict(card), "here": is_here(card)} for card in cards])
        return
    rows = [
        (
            card.name,
            card.purpose,
            card.licence or "unknown",
            {True: "yes", False: "no", None: "unknown"}[card.commercial],
            "yes" if is_here(card) else "no",
            "" if card.calibration is None else "provisionally" if card.calibration.provisional else "yes",
        )
        for card in cards
    ]
    headings = ("model", "purpose", "licence", "commercial", "here", "calibrated")
    console.show_table(rows, headings=headings)
    console.say("What isn't here comes with: unmingle models fetch NAME")


@app.command("fetch")
def fetch_model(
    name: Name,
    weights: Annotated[
        Path | None, Option(metavar="FILE", help="Its file, fetched elsewhere: checked and copied.")
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Download a model. The only command that uses the network; goes on where an earlier try stopped."""
    from unmingle import modelling
    from unmingle.models.registry import card

    wanted = card(name)
    if not quiet and not as_json:
        console.say(f"{wanted.name}: {wanted.purpose}. Licence {wanted.licence}. {wanted.source}.")
    with keeping("What came is kept; the same command goes on."), console.progress(quiet=quiet) as progress:
        path = modelling.fetch_model(name, weights=weights, progress=progress)
    if not quiet:
        warn(name)
    console.tell({"name": name, "file": str(path)}, str(path), as_json=as_json)


@app.command("add")
def add_model(
    file: Annotated[Path, Argument(metavar="FILE", help="An ONNX file.")],
    name: Annotated[str, Option(help="How to call it; the file's name if not given.")] = "",
    licence: Annotated[str, Option(help="Its licence, for those who use it.")] = "",
    commercial: Annotated[
        bool | None, Option("--commercial/--non-commercial", help="Whether it allows commercial use.")
    ] = None,
    source: Annotated[str, Option(help="Where it is from.")] = "",
    colour: Annotated[
        Literal["rgb", "bgr"] | None, Option(help="The order of its channels; tried out if not given.")
    ] = None,
    mean: Annotated[
        float | None,
        Option(help="A pixel p from 0 to 255 goes in as (p - mean) / scale; tried out if neither is given."),
    ] = None,
    scale: Annotated[float | None, Option(help="See --mean.")] = None,
    output: Annotated[str, Option(help="Which of its outputs is the embedding, if it has several.")] = "",
    labels: LabelFolder = None,
    library: LibraryFolder = None,
    overwrite: Annotated[bool, Option("--replace", help="Replace a model that is called so.")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Add a face embedding of your own: any ONNX graph for faces aligned to the 112×112 five-point template.

    It is tried, calibrated and copied. Without --labels or --library that is done on made-up faces, provisionally.
    """
    from unmingle import modelling
    from unmingle.example_faces import Examples
    from unmingle.models.registry import Intake

    told = {name: value for name, value in (("colour", colour), ("mean", mean), ("scale", scale)) if value is not None}
    intake = Intake(**told) if told else None  # type: ignore[arg-type]  # each is of its own kind
    with console.progress(quiet=quiet) as progress:
        tried = modelling.add_model(
            file,
            name,
            licence=licence,
            commercial=commercial,
            source=source,
            intake=intake,
            output=output,
            examples=Examples(labels, library),
            overwrite=overwrite,
            progress=progress,
        )
    _tell(tried, "Added", quiet=quiet, as_json=as_json)


@app.command("calibrate")
def calibrate_model(
    name: Name, labels: LabelFolder = None, library: LibraryFolder = None, quiet: Quiet = False, as_json: Json = False
) -> None:
    """Measure anew how similar strangers are to a model that is here: where the threshold between people lies."""
    from unmingle import modelling
    from unmingle.example_faces import Examples

    with console.progress(quiet=quiet) as progress:
        tried = modelling.calibrate_model(name, Examples(labels, library), progress=progress)
    _tell(tried, "Calibrated", quiet=quiet, as_json=as_json)


def _tell(tried: Tried, what: str, *, quiet: bool, as_json: bool) -> None:
    card, trial = tried.card, tried.trial
    for warning in () if quiet else tried.warnings:
        console.say(f"Warning: {warning}", error=True)
    if as_json:
        console.say_json(asdict(tried))
    elif not quiet and card.calibration is not None:
        console.say(
            f"{what} {card.name}: {trial.dimension} numbers a face, pixels as {trial.intake}.",
            f"Faces of one person and of two are {trial.separation:.1f} deviations apart.",
            f"Strangers' cosines are {card.calibration.mean:.3f} on average ({card.calibration.measured_on}).",
            f"To use it, add to unmingle cluster: --model {shlex.quote(card.name)}",
        )


@app.command("check")
def check_models(
    name: Annotated[str | None, Argument(help="As in unmingle models list; all that are here if not given.")] = None,
    as_json: Json = False,
) -> None:
    """Check models: checksum, whether they run, a known pair of faces, speed, calibration. Exit code 1 if one fails."""
    from unmingle import modelling

    found = [modelling.check_model(one) for one in ([name] if name else modelling.models_here())]
    if as_json:
        console.say_json([asdict(one) for one in found])
    else:
        headings = ("model", "numbers", "one person", "two people", "faces a second", "state")
        console.show_table([_checked(one) for one in found], headings=headings)
    if any(one.problem for one in found):
        raise typer.Exit(1)


def _checked(one: Checked) -> tuple[str, ...]:
    figures = ("", "", "")
    if one.faces_per_second:
        figures = (f"{one.same:.3f}", f"{one.different:.3f}", f"{one.faces_per_second:,.0f}")
    return (one.name, str(one.dimension or ""), *figures, one.problem or "good")


@app.command("remove")
def remove_model(name: Name, as_json: Json = False) -> None:
    """Remove a model's file. Libraries keep what was computed with it."""
    from unmingle.models.registry import remove

    remove(name)
    console.tell({"removed": name}, f"Removed {name}.", as_json=as_json)


def warn(name: str) -> None:
    """Say on standard error what somebody who uses a model must know."""
    from unmingle.modelling import warnings_of
    from unmingle.models.registry import card

    for warning in warnings_of(card(name)):
        console.say(f"Warning: {warning}", error=True)
