"""The command line: every command in the panels and the order of the help."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from typing import Annotated, Any

import typer
from typer import Option
from typer.core import TyperGroup

from unmingle import console
from unmingle.cli import READER_GONE, decisions, evaluating, exchanging, models, sorting, upkeep
from unmingle.cli.options import OPENED, KeyedCommand
from unmingle.errors import UNEXPECTED, UnmingleError
from unmingle.version import __version__


@contextmanager
def _explained() -> Iterator[None]:
    """Where something fails that nobody expected to, look whether a library is damaged that was opened."""
    try:
        yield
    except UNEXPECTED as error:
        from unmingle.sources.formats import LIBRARY_FILE
        from unmingle.store.sqlite import explain, open_to_read

        for folder in (one for one in OPENED if (one / LIBRARY_FILE).exists()):
            with open_to_read(folder) as store:
                explain(store, error)
        raise


@contextmanager
def _ended() -> Iterator[None]:
    """Make of what ends a command early a sentence and an exit code, never a traceback."""
    try:
        yield
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


class Commands(TyperGroup):
    """The commands, each of which ends as documented."""

    def make_context(self, *words: Any, **more: Any) -> Any:
        """Read the words; --help, --version and --install-completion end here."""
        with _ended():
            return super().make_context(*words, **more)

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """Run a command."""
        OPENED.clear()
        with _ended(), _explained():
            return super().invoke(ctx)


app = typer.Typer(
    name="unmingle",
    cls=Commands,
    help="Sort mingled faces into people, without labels. Nothing leaves this machine.",
    epilog="To begin: unmingle cluster PICTURES -o LIBRARY, then unmingle review LIBRARY, then"
    " unmingle export LIBRARY -o DEST. Or all in the browser: unmingle review. Each command has a --help.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _say_version(value: bool) -> None:
    if value:
        console.say(f"unmingle {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, Option("--version", help="Print the version and exit.", is_eager=True, callback=_say_version)
    ] = False,
) -> None:
    pass


# The help's panels.
PANELS = {
    "Sort and look": (
        sorting.cluster,
        decisions.review,
        decisions.status,
        decisions.people,
        sorting.show,
        sorting.find,
        upkeep.watch,
        sorting.demo,
    ),
    "Correct": (
        decisions.name,
        decisions.merge,
        decisions.split,
        decisions.assign,
        decisions.reject,
        decisions.different,
        decisions.ignore,
        decisions.restore,
        decisions.not_a_face,
        decisions.is_a_face,
        decisions.undo,
        decisions.redo,
        decisions.log,
    ),
    "Measure and tell": (evaluating.evaluate, evaluating.report, evaluating.compare, evaluating.bench),
    "With other programs": (exchanging.export, exchanging.import_),
    "Keep and forget": (
        upkeep.check,
        upkeep.backup,
        upkeep.privacy,
        upkeep.encrypt,
        upkeep.erase,
        upkeep.forget,
        upkeep.relocate,
    ),
}
for panel, group in PANELS.items():
    for command in group:
        called = command.__name__.rstrip("_").replace("_", "-")
        # Lines are as long as the terminal's, not as the code's.
        text = "\n\n".join(" ".join(part.split()) for part in (command.__doc__ or "").split("\n\n"))
        app.command(called, cls=KeyedCommand, help=text, rich_help_panel=panel)(command)
app.add_typer(models.app, name="models", rich_help_panel="Networks")


def app_for(words: Sequence[str]) -> typer.Typer:
    """With the command alone that these words mean: to make the others too takes longer than many a command."""
    one, meant = copy(app), [command for command in app.registered_commands if command.name in words[:1]]
    if meant:
        one.registered_commands, one.registered_groups = meant, []
    return one


def run() -> None:
    """Run the command that is meant."""
    app_for(sys.argv[1:])()
