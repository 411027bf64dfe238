"""The group of commands: what ends one early becomes a sentence and an exit code, never a traceback."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from unmingle import console
from unmingle.cli.running import READER_GONE
from unmingle.errors import UnmingleError


class Commands(TyperGroup):
    """The commands of the command line."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """Run a command."""
        try:
            return super().invoke(ctx)
        except UnmingleError as error:
            console.say(f"Error: {error.problem}", *filter(None, [error.mend]), error=True)
            raise typer.Exit(1) from error
        except BrokenPipeError as error:  # head has seen enough
            raise typer.Exit(READER_GONE) from error
        except OSError as error:
            place = f"{error.filename}: " if error.filename is not None else ""
            console.say(f"Error: {place}{error.strerror or error}.", error=True)
            console.say("Check who may read and write there, and whether the disk is full.", error=True)
            raise typer.Exit(1) from error
