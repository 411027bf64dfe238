"""The tables, views and triggers that a library has, by the version of its format.

A library from elsewhere may hold others. Triggers and views run when somebody reads or decides, so none is opened that
has any but ours.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

_MADE = re.compile(r'^(CREATE|DROP) (?:UNIQUE )?(TABLE|INDEX|VIEW|TRIGGER) "?(\w+)"?', re.MULTILINE)


@cache
def migrations() -> list[tuple[int, str]]:
    """The scripts that bring a library to each version of its format."""
    folder = resources.files("unmingle.store") / "migrations"
    scripts = sorted((item for item in folder.iterdir() if item.name.endswith(".sql")), key=lambda item: item.name)
    return [(int(item.name[:4]), item.read_text(encoding="utf-8")) for item in scripts]


@cache
def _objects(version: int) -> tuple[frozenset[tuple[str, str]], str]:
    """Kinds and names of what a library of a version holds, and the text that made it."""
    held: set[tuple[str, str]] = set()
    scripts = "\n".join(script for number, script in migrations() if number <= version)
    for done, kind, name in _MADE.findall(scripts):
        (held.add if done == "CREATE" else held.discard)((kind.lower(), name))
    return frozenset(held), scripts


def foreign(connection: sqlite3.Connection) -> str:
    """What runs by itself in a library and isn't ours, in words; empty for nothing."""
    _, scripts = _objects(migrations()[-1][0])
    for kind, name, sql in connection.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL"):
        if (kind in ("view", "trigger") and sql not in scripts) or sql.upper().startswith("CREATE VIRTUAL"):
            return f"the {'virtual table' if kind == 'table' else kind} {name}"
    return ""


def missing(connection: sqlite3.Connection, version: int) -> str:
    """What a library of a version should hold and doesn't, or the other way round, in words; empty for nothing."""
    found = {(kind, name) for kind, name in connection.execute("SELECT type, name FROM sqlite_master")}
    for kind, name in sorted(_objects(version)[0] - found):
        return f"the {kind} {name} is missing"
    for kind, name in sorted((_objects(migrations()[-1][0])[0] - _objects(version)[0]) & found):
        return f"the {kind} {name} is of a later version than {version}"
    return ""
