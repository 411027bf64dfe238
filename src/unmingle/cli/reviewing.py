"""unmingle review: the page in the browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unmingle.cli import keys
from unmingle.cli.running import keeping

NEW = Path("unmingle-library")  # where a library is made that nobody gave a place


def review(
    library: Annotated[
        Path | None,
        typer.Argument(
            help="Folder of the library. Without one, a new one in this folder: its pictures are chosen in the page.",
            show_default=False,
        ),
    ] = None,
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
    """Name and correct people in the browser.

    Ctrl+C ends it. Everything runs on this machine and works offline. What is decided is kept in LIBRARY at once.
    """
    from unmingle.review.serve import serve

    folder = library or NEW
    keys.provide(folder, ask=False)  # the page asks
    with keeping("What was decided is kept; the same command opens the page again."):
        serve(folder, host=host, port=port, open_browser=browser, new=library is None)
