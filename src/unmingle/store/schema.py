"""The tables, views and triggers that a library has, by the version of its format.

A library from elsewhere may hold others. Triggers and views run when somebody reads or decides, so none is opened that
has any but ours.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from functools import cache
from importlib import resources
from pathlib import Path

from unmingle.errors import LibraryError, LibraryNewerError, command
from unmingle.files import JOURNAL
from unmingle.sources.formats import LIBRARY_FILE as FILE

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


def _foreign(connection: sqlite3.Connection) -> str:
    """What runs by itself in a library and isn't ours, in words; empty for nothing."""
    _, scripts = _objects(migrations()[-1][0])
    for kind, name, sql in connection.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL"):
        if (kind in ("view", "trigger") and sql not in scripts) or sql.upper().startswith("CREATE VIRTUAL"):
            return f"the {'virtual table' if kind == 'table' else kind} {name}"
    return ""


def _missing(connection: sqlite3.Connection, version: int) -> str:
    """What a library of a version should hold and doesn't, or the other way round, in words; empty for nothing."""
    found = {(kind, name) for kind, name in connection.execute("SELECT type, name FROM sqlite_master")}
    for kind, name in sorted(_objects(version)[0] - found):
        return f"the {kind} {name} is missing"
    for kind, name in sorted((_objects(migrations()[-1][0])[0] - _objects(version)[0]) & found):
        return f"the {kind} {name} is of a later version than {version}"
    return ""


def columns_there(connection: sqlite3.Connection) -> dict[str, list[tuple[str, str]]]:
    """Names and types of the columns of each table."""
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    return {
        name: [(row[1], row[2]) for row in connection.execute("SELECT * FROM pragma_table_info(?)", (name,))]
        for (name,) in names.fetchall()
    }


@cache
def columns_made(version: int) -> dict[str, list[tuple[str, str]]]:
    """The same of a new library of a version."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection, to=version)
        return columns_there(connection)


def check_schema(folder: Path, connection: sqlite3.Connection) -> int:
    """Refuse a library that holds what we have not made, or lacks what we have; its version."""
    # What views, triggers and defaults may call, should one of them be somebody else's.
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    connection.execute("BEGIN")  # whoever makes or migrates it meanwhile
    try:
        version = version_of(connection)
        strange, wrong = _foreign(connection), _missing(connection, version)
    except (TypeError, ValueError) as error:  # text that is none
        raise damaged(folder, error) from error
    finally:
        if connection.in_transaction:
            connection.execute("COMMIT")
    if strange:
        raise LibraryError(
            f"{folder / FILE} holds {strange}, which unmingle hasn't made: it is not opened.",
            f"To keep faces and decisions, and leave out all else: {command('check', folder, '--repair')}",
        )
    if wrong:
        raise damaged(folder, wrong)
    return version


def damaged(folder: Path, problem: object) -> LibraryError:
    """A library's file can't be used as it is."""
    words = " ".join(str(problem).split())[:200]
    return LibraryError(
        f"{folder / FILE} is damaged: {words}.",
        f"Run: {command('check', folder, '--repair')}; what was decided is saved first, from {JOURNAL} too.",
    )


def migrate(connection: sqlite3.Connection, *, to: int | None = None) -> None:
    """Bring the tables of a library to a version, the newest if None."""
    wanted = migrations()[:to]
    while (version := version_of(connection)) < len(wanted):
        number, script = wanted[version]
        # One script, one transaction: a kill in between leaves the old format whole. Python's own way to run a script
        # would end the transaction in which nobody else can have migrated it meanwhile.
        connection.execute("BEGIN IMMEDIATE")
        try:
            if version_of(connection) == version:
                for statement in _statements(script):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {number}")
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")


@cache
def _statements(script: str) -> list[str]:
    found, begun = [], ""
    for line in script.splitlines(keepends=True):
        begun += line
        if sqlite3.complete_statement(begun):
            found.append(begun)
            begun = ""
    return found


def version_of(connection: sqlite3.Connection) -> int:
    """The version of a library's tables, if this program knows it."""
    version, newest = int(connection.execute("PRAGMA user_version").fetchone()[0]), migrations()[-1][0]
    if version > newest:
        raise LibraryNewerError(
            f"A newer unmingle made this library (its format is {version}, this version knows {newest}).",
            "Run: pip install --upgrade unmingle",
        )
    return version
