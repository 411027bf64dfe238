"""The commands that keep a library whole: check, backup."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from unmingle import console
from unmingle.cli import options as opt
from unmingle.errors import command
from unmingle.text_layout import counted


def check(
    library: opt.LibraryArgument,
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Mend first what can be: decisions come back, what can be read is kept."),
    ] = False,
    as_json: opt.Json = False,
) -> None:
    """Check a library: its file, references, embeddings, thumbnails, decisions, pictures and models.

    It reads all of the library, and changes nothing without --repair. The exit code is 1 if something is wrong.
    """
    done = opt.open_library(library).check(repair=repair)
    lines = [*done.repaired, *(f"{fault.problem} {fault.mend}".strip() for fault in done.faults)]
    if not done.faults:
        lines.append("All is well.")
    else:
        again = f" To mend what can be: {command('check', library, '--repair')}"
        lines.append(f"{counted(len(done.faults), 'fault')}.{'' if repair else again}")
    console.tell(asdict(done), *lines, as_json=as_json)
    if done.faults:
        raise typer.Exit(1)


def backup(
    library: opt.LibraryArgument,
    destination: Annotated[Path, typer.Argument(metavar="DEST", help="A new folder.", show_default=False)],
    as_json: opt.Json = False,
) -> None:
    """Copy a library into a new folder, as it is at one moment, also while others use it.

    To copy library.sqlite by hand while it is open loses the last decisions.
    """
    made = opt.open_library(library).backup(destination)
    console.tell(
        {"library": str(made)}, f"The library is in {made} as well: whole, and of one moment.", as_json=as_json
    )
