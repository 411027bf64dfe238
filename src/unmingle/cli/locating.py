"""The commands that say where a library's pictures are, or that some are no longer wanted."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from unmingle import console
from unmingle.cli.options import Json, LibraryArgument
from unmingle.errors import command
from unmingle.sources.images import readable


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(forget)
    app.command()(relocate)


def forget(
    library: LibraryArgument,
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE", help="A folder that was given to cluster, one in it, or a file.", show_default=False
        ),
    ],
    as_json: Json = False,
) -> None:
    """Drop a source: its files leave the tables, with the people who are in no other picture.

    Nothing is deleted on the disk. What was decided stays, and comes back when the source is given to cluster again.
    """
    from unmingle.api import Library

    opened = Library(library)
    gone = opened.forget(source)
    if as_json:
        console.say_json(asdict(gone))
        return
    console.say(
        f"Forgotten: {gone.files:,} files, {gone.faces:,} faces, {gone.people:,} people.",
        f"To have them back: {command('cluster', source, '-o', library)}",
    )
    around = [one for one in opened.sources if one in source.absolute().parents]
    if around:
        console.say(
            f"The next unmingle cluster of {readable(str(around[0]))} finds them again if they are still in it."
        )


def relocate(
    library: LibraryArgument,
    old: Annotated[Path, typer.Argument(metavar="OLD", help="Where the pictures were.", show_default=False)],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="Where they are.", show_default=False)],
    as_json: Json = False,
) -> None:
    """Say that a source, or a folder in one, is somewhere else now. Nothing is read again."""
    from unmingle.api import Library

    count = Library(library).relocate(old, new)
    if as_json:
        console.say_json({"files": count})
    else:
        console.say(f"{count:,} files are in {new} now.")
