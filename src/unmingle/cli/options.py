"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

LibraryArgument = Annotated[Path, typer.Argument(metavar="LIBRARY", help="Folder of the library.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress and no summary.")]
Drop = Annotated[
    list[str] | None,
    typer.Option(
        "--drop",
        metavar="COLUMN=VALUE",
        help="Leave such rows out of the score; may be repeated. Default: Mask=Y and ID=0 where such columns exist.",
    ),
]
FileColumn = Annotated[str | None, typer.Option(help="Column with file names; found by its usual names if not given.")]
LabelColumn = Annotated[
    str | None, typer.Option(help="Column with the true person; found by its usual names if not given.")
]
