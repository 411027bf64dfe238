"""Arguments and options that several commands share."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer import Argument, Option

from unmingle import console
from unmingle.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from unmingle.evaluation.labels import LabelOptions
    from unmingle.library import Library

LibraryArgument = Annotated[Path, Argument(metavar="LIBRARY", help="Folder of the library.")]
PersonArgument = Annotated[
    str,
    Argument(
        metavar="PERSON", help="Id or name, as in people.csv. A plain number is an id; name:2 is who is called 2."
    ),
]
Json = Annotated[bool, Option("--json", help="Print the result as JSON on standard output.")]
Regroup = Annotated[
    bool, Option("--regroup", help="Group all faces again, also where only few came to a large LIBRARY.")
]
Quiet = Annotated[bool, Option("--quiet", "-q", help="Show no progress and no summary.")]
Drop = Annotated[
    list[str] | None,
    Option(
        "--drop",
        metavar="COLUMN=VALUE",
        help="Leave such rows out of the score; may be repeated. Default: Mask=Y and ID=0 where such columns exist.",
    ),
]
FileColumn = Annotated[str | None, Option(help="Column with file names; found by its usual names if not given.")]
LabelColumn = Annotated[
    str | None,
    Option(help="Column with the true person; found by its usual names if not given, where only one can be meant."),
]
Sheet = Annotated[
    list[str] | None,
    Option(
        metavar="TITLE",
        help="Sheet of the workbook to read; may be repeated. Default: all with the headings of the first with labels.",
    ),
]
Recipe = Annotated[
    Literal["faces", "classic"],
    Option(help="faces: detect and embed faces. classic: the whole picture through VGG16, PCA, k-means."),
]
Crops = Annotated[
    Literal["auto", "always", "never"],
    Option(help="Whether a picture is one cut-out face, whose neighbours don't count; auto: decide by picture."),
]
Weights = Annotated[Path | None, Option(help="classic: Keras' VGG16 weight file, if not fetched.")]
Precision = Annotated[
    Literal["auto", "f32", "bf16", "int8"],
    Option(
        help="Of the networks' arithmetic: auto is bf16 where the processor computes it fast; f32 is exact, int8 rough."
    ),
]
Threads = Annotated[int, Option(min=0, help="Processor cores to use; 0 for all.")]
Strictness = Annotated[
    Literal["lenient", "balanced", "strict"],
    Option(
        help="How sure a merge must be. lenient: one person in ten may take in a stranger, and fewer faces stay"
        " alone. balanced: one in fifty. strict: one in five hundred, and people may be found in parts."
    ),
]
Model = Annotated[
    str,
    Option(
        metavar="NAME",
        help="faces: what turns a face into numbers, as in unmingle models list. What other models found is kept.",
    ),
]


OPENED: list[Path] = []  # by this command, the last at the end

Ray = Annotated[
    str | None,
    Option(
        metavar="ADDRESS",
        help="Work on a Ray cluster, and write Parquet to LIBRARY instead of a library: local starts one here, auto"
        " and ray://… join one. SOURCE and LIBRARY may be addresses such as s3://….",
    ),
]
DryRun = Annotated[
    bool,
    Option(
        "--dry-run",
        help="With --ray: only look at up to 1,000 of the pictures, and say how long all would take, and how much disk"
        " and memory.",
    ),
]


def open_library(folder: Path) -> Library:
    """A library; it is loaded with all that it needs only where a command uses it."""
    from unmingle.cli.keys import provide
    from unmingle.library import Library

    OPENED.append(folder)
    provide(folder)
    return Library(folder)


def warn_of_others(folder: Path) -> None:
    """Say who else may read what was written to a folder."""
    from unmingle.privacy import exposed

    console.say(*exposed(folder), error=True)


def label_options(
    labels: str | Path | None,
    file_column: str | None,
    label_column: str | None,
    sheet: list[str] | None,
    drop: list[str] | None = None,
) -> LabelOptions:
    """How a table of labels is read, from the options that say so; without a table they would do nothing."""
    from unmingle.evaluation.labels import LabelOptions

    given = {"--file-column": file_column, "--label-column": label_column, "--sheet": sheet, "--drop": drop}
    idle = next((option for option, value in given.items() if value and labels is None), None)
    if idle is not None:
        raise typer.BadParameter(f"{idle} says how --labels is read, which is not given.")
    return LabelOptions(file_column, label_column, None if drop is None else tuple(drop), tuple(sheet or ()))


def said_or_as_before(
    context: typer.Context, library: Library, *, quiet: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Arguments for `Library.add` and `Library.cluster`: what options say, and with --as-before else as it was made."""
    from unmingle.models.registry import SFACE
    from unmingle.settings import FALSE_MERGES, DetectionSettings, GroupingSettings, RecordingSettings
    from unmingle.sources.names import AUTO, compile_pattern

    sources = {name: context.get_parameter_source(name) for name in context.params}
    said = {name: context.params[name] for name, source in sources.items() if source and source.name != "DEFAULT"}
    if "every" in said:
        said["every"] = seconds(said["every"])
    if "strictness" in said:
        said["expected_false_merges"] = FALSE_MERGES[said["strictness"]]
    if "people" in said:
        said["people"] = said["people"] or None
    if said.get("no_name_pattern"):
        if "name_pattern" in said:
            mend = "Leave --name-pattern or --no-name-pattern out."
            raise SettingsError("Names can't be both read and not read.", mend)
        said["name_pattern"] = None
    elif said.get("name_pattern", AUTO) != AUTO:
        compile_pattern(said["name_pattern"])

    def only(names: Iterable[str]) -> dict[str, Any]:
        return {name: said[name] for name in names if name in said}

    before = context.params["as_before"]
    looking, grouping = library._as_before(context.params["recipe"]) if before else ({}, {})
    looking = {"model": SFACE.name} | looking | only(["model"])
    grouping |= only(["name_pattern", "sheets", "webvtt"])
    told = [] if "model" in said or looking["model"] == SFACE.name else [f"model {looking['model']}"]
    stages: tuple[tuple[dict[str, Any], str, Any], ...] = (
        (looking, "detection", DetectionSettings()),
        (looking, "recording", RecordingSettings()),
        (grouping, "settings", GroupingSettings()),
    )
    for arguments, name, usual in stages:
        kept = arguments.get(name) or usual
        arguments[name] = replace(kept, **only(asdict(usual)))
        unusual = {one: value for one, value in asdict(kept).items() if value != getattr(usual, one)}
        told += [f"{one.replace('_', ' ')} {value}" for one, value in unusual.items() if one not in said]
    if told and not quiet:
        console.say(f"As before: {', '.join(told)}.", error=True)
    return looking, grouping


def seconds(text: str) -> float:
    """A time as people write it."""
    number, unit = (text[:-2], 0.001) if text.endswith("ms") else (text.removesuffix("s"), 1.0)
    try:
        return float(number) * unit
    except ValueError as error:
        raise SettingsError(f"{text!r} is no time.", "Write it like 0.1s or 500ms.") from error
