"""No command, option, setting, error, public name, column or status is undocumented, and these tests can fail."""

from __future__ import annotations

import re
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_type_hints

import pytest
import typer
from making import api, command_line, errors, settings
from making.records import fields_of

from unmingle.cli.commands import app
from unmingle.records import Status
from unmingle.store.result_tables import FACES, INTERVALS, PEOPLE, RECORDINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

REFERENCE = Path(__file__).parent.parent / "docs" / "reference"
Named = tuple[str, str]  # a name as its page shows it, and what the program says of it


def undocumented(names: Iterable[Named], page: str) -> list[str]:
    """The names that the page doesn't have, or of which nothing is said."""
    shown = "\n".join(line for line in page.splitlines() if line.startswith(("#", "|", "`")))
    return [
        name
        for name, said in names
        if not said.strip() or not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", shown)
    ]


def commands(of: typer.Typer = app) -> Iterator[Named]:
    for name, function in command_line.commands(of):
        yield f"unmingle {name}", function.__doc__ or ""


def options(of: typer.Typer = app) -> Iterator[Named]:
    for name, function in command_line.commands(of):
        for argument, hint in get_type_hints(function, include_extras=True).items():
            if argument not in {"return", "context"}:
                info = get_args(hint)[1]
                declared = [word for word in (info.default, *(info.param_decls or ())) if isinstance(word, str)]
                shown = declared[0] if declared else f"--{argument.replace('_', '-')}"
                positional = info.metavar or argument.upper()
                yield positional if isinstance(info, typer.models.ArgumentInfo) else shown, f"{info.help or ''}"
        assert name


def fields(records: Iterable[type[Any]]) -> Iterator[Named]:
    for record in records:
        yield record.__name__, record.__doc__ or ""
        for field in fields_of(record):
            yield field.name, field.meaning


def raised() -> Iterator[Named]:
    for kind in errors.kinds():
        yield kind.__name__, kind.__doc__ or ""


def public(of: dict[str, Any] | None = None) -> Iterator[Named]:
    for name, one in (api.names() if of is None else of).items():
        yield name, one.__doc__ or ""
        if isinstance(one, type) and list(api.members(one)):
            for _, member, method in api.members(one):
                yield f"{one.__name__}.{member}", method.__doc__ or ""
        elif is_dataclass(one):
            yield from fields([one])  # type: ignore[list-item]


def columns() -> Iterator[Named]:
    for name in (*FACES, *PEOPLE, *RECORDINGS, *INTERVALS, *get_args(Status)):
        yield f"`{name}`", "what it is, the page says"


LISTS: dict[str, tuple[Callable[[], Iterator[Named]], str]] = {
    "commands": (commands, "command-line"),
    "options": (options, "command-line"),
    "settings": (lambda: fields(settings.records()), "settings"),
    "errors": (raised, "errors"),
    "public names": (public, "python"),
    "what methods give back": (lambda: fields(api.RETURNED), "python"),
    "columns": (columns, "files"),
}


@pytest.mark.parametrize("what", LISTS)
def test_nothing_is_undocumented(what: str) -> None:
    names, page = LISTS[what]
    assert undocumented(names(), (REFERENCE / f"{page}.md").read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("what", LISTS)
def test_what_a_page_lacks_is_noticed(what: str) -> None:
    """Otherwise the test above could not fail."""
    names, page = LISTS[what]
    text = (REFERENCE / f"{page}.md").read_text(encoding="utf-8")
    found = list(names())
    assert len(found) > 5
    for name, said in found:
        assert undocumented([(name, said)], text.replace(name, "")) == [name]
        assert undocumented([(name, " ")], text) == [name]


def test_what_the_program_says_nothing_of_is_noticed() -> None:
    silent = typer.Typer()

    @silent.command("merge")
    def merge(library: Annotated[str, typer.Argument()], quiet: Annotated[bool, typer.Option("--quiet")]) -> None:
        pass

    @dataclass(frozen=True, slots=True)
    class Silent:
        threads: int = 0

    page = "`unmingle merge LIBRARY --quiet` Silent threads unmingle.open"
    assert undocumented(commands(silent), page) == ["unmingle merge"]
    assert undocumented(options(silent), page) == ["LIBRARY", "--quiet"]
    assert "threads" in undocumented(fields([Silent]), f"# {page}")
    assert undocumented(public({"unmingle.open": lambda: None}), f"# {page}") == ["unmingle.open"]
