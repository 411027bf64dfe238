"""The page on the command line, from the signatures of the commands: Typer's insides change from version to version."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

from typer.models import ArgumentInfo

from unmingle.cli.commands import app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import typer


def render() -> str:
    """The whole page."""
    parts = [
        "# Command line\n",
        "Made from the program by `make docs`. Exit codes: 0 done, 1 a clear error, 2 wrong usage. What a command",
        "finds goes to standard output, its progress to standard error: bars on a terminal, plain lines elsewhere.\n",
        "Environment: `UNMINGLE_CACHE` names the folder for prepared, fetched and added models.",
        "`UNMINGLE_KEY` is the key of encrypted libraries, `UNMINGLE_NEW_KEY` the one of `encrypt --change-key`. Every",
        "command that opens a library takes `--key-file FILE`, which wins; then come the environment, the system's",
        "keyring, and a question on the terminal.\n",
    ]
    for name, function in sorted(commands(app)):
        parts.extend(section(name, function))
    return "\n".join(parts).rstrip() + "\n"


def commands(group: typer.Typer, before: str = "") -> Iterator[tuple[str, Callable[..., Any]]]:
    """The full name and the function of each command."""
    for command in group.registered_commands:
        assert command.callback is not None
        yield f"{before}{command.name or command.callback.__name__}", command.callback
    for below in group.registered_groups:
        assert below.typer_instance is not None
        yield from commands(below.typer_instance, f"{before}{below.name} ")


def section(name: str, function: Callable[..., Any]) -> list[str]:
    """One command: what it does, its arguments and its options."""
    hints = get_type_hints(function, include_extras=True)
    arguments, options = [], []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name == "context":
            continue
        hint, info = get_args(hints[parameter.name])
        about = f"{info.help}{choices(hint)}{default(parameter)}"
        if isinstance(info, ArgumentInfo):
            arguments.append((info.metavar or parameter.name.upper(), about))
        else:
            named = [word for word in (info.default, *(info.param_decls or ())) if isinstance(word, str)]
            options.append((", ".join(named) or f"--{parameter.name.replace('_', '-')}", about))
    usage = " ".join(["unmingle", name, *(shown for shown, _ in arguments), "[OPTIONS]"])
    about = " ".join(inspect.cleandoc(function.__doc__ or "").split())
    rows = [f"| `{shown}` | {text} |" for shown, text in [*arguments, *options]]
    return [f"## unmingle {name}\n", f"`{usage}`\n", f"{about}\n", "| | |", "|---|---|", *rows, ""]


def choices(hint: Any) -> str:
    """The values that an option may have, if they are named."""
    if get_origin(hint) is not Literal:
        return ""
    return f" One of {', '.join(f'`{value}`' for value in get_args(hint))}."


def default(parameter: inspect.Parameter) -> str:
    """The default of an option, if there is one worth saying."""
    if parameter.default in (inspect.Parameter.empty, None, False, ""):
        return ""
    return f" Default: `{parameter.default}`."
