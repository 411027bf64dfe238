"""`--json` at every command that has it: one document, and the selection that the same options give on the terminal."""

from __future__ import annotations

import inspect
import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from making.command_line import commands

from unmingle.api import Library
from unmingle.cli.commands import app

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.command import Command

# Words behind the name of each command; {album} is a library, {made} a folder with its pictures.
WORDS = {
    "assign": "{album} 1 p1/1.jpg",
    "backup": "{album} {new}/copy",
    "check": "{album}",
    "cluster": "{made}/pictures/p0 -o {new}/library",
    "compare": "{album} {made}/library",
    "different": "{album} 1 2",
    "encrypt": "{album} --key-file {key}",
    "erase": "{album} 1 --left-out --yes",
    "evaluate": "{album} --labels folders",
    "forget": "{album} {made}/pictures/p0",
    "export": "{album} -o {new} --to csv",
    "ignore": "{album} p1/1.jpg",
    "import": "{album} {names}",
    "is-a-face": "{album} p1/1.jpg",
    "log": "{album}",
    "merge": "{album} 1 2",
    "models check": "sface",
    "models list": "",
    "name": "{album} 1 Zoë",
    "not-a-face": "{album} p1/1.jpg",
    "people": "{album}",
    "privacy": "{album}",
    "redo": "{album}",
    "relocate": "{album} {made}/pictures/p0 {made}/pictures/p0",
    "reject": "{album} 1 p0/1.jpg",
    "report": "{album} -o {new}/page.html",
    "restore": "{album} --person 4",
    "status": "{album}",
    "show": "{album} 1",
    "split": "{album} p1/1.jpg p1/2.jpg",
    "undo": "{album}",
}
# Those that need the network, a network's file, or minutes, and find, for the album's pictures were never looked at;
# their results go through the same function.
ELSEWHERE = {"bench", "find", "models add", "models calibrate", "models fetch", "models remove"}


def with_option(option: str) -> list[str]:
    """The commands that have one."""
    return [name for name, function in commands(app) if option in inspect.signature(function).parameters]


@pytest.fixture(scope="module")
def decided(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library in which something was decided."""
    folder = shutil.copytree(made / "library", tmp_path_factory.mktemp("decided") / "library")
    library = Library(folder, views="on request")
    library.name(3, "2")
    library.ignore(4)
    library.name(1, "Ada")
    library.undo()
    library.write_views()
    return folder


@pytest.fixture
def album(decided: Path, tmp_path: Path) -> Path:
    return shutil.copytree(decided, tmp_path / "my album")


@pytest.fixture
def answer(album: Path, made: Path, tmp_path: Path, unmingle: Command) -> Callable[..., Any]:
    """What a command says as JSON."""
    names = tmp_path / "names.csv"
    names.write_text("file,name\np1/1.jpg,Ada\np9/1.jpg,Bob\n")
    key = tmp_path / "key"
    key.write_text("5" * 64)
    places = {"album": album, "made": made, "new": tmp_path / "new", "names": names, "key": key}

    def ask(command: str, *more: str) -> Any:
        if command == "redo":
            Library(album).undo()
        words = [word.format(**places) for word in WORDS[command].split()]
        done = unmingle(*command.split(), *words, *more, "--json")
        assert done.code == 0, done.err
        return json.loads(done.out, parse_constant=pytest.fail)

    return ask


@pytest.mark.parametrize("command", sorted(WORDS))
def test_it_is_one_document(answer: Callable[..., Any], command: str) -> None:
    assert answer(command)


def test_no_command_with_json_is_forgotten() -> None:
    assert {*WORDS, *ELSEWHERE} == set(with_option("as_json"))


@pytest.mark.parametrize("command", sorted({*with_option("most")} & {*with_option("as_json")}))
def test_most_holds_for_it_too(answer: Callable[..., Any], command: str) -> None:
    every = answer(command)
    assert len(every) > 2
    assert answer(command, "--most", "2") == every[:2]


def test_options_that_choose_are_these() -> None:
    """A new one needs a test that it chooses for --json too."""
    taking = ("most", "person", "faces", "by", "dry_run", "to", "drop", "labels", "conflicts", "name", "library")
    found = {
        parameter
        for name, function in commands(app)
        if name in with_option("as_json") and name not in {"cluster", "bench", "models add"}
        for parameter in inspect.signature(function).parameters
    }
    known = {"as_json", "quiet", "verbose", "output", "file_column", "label_column", "how", "embed", "title", "sources"}
    known |= {
        "library_a",
        "library_b",
        "others",
        "new",
        "old",
        "source",
        "sheet",
        "decision",
        "people",
        "pictures",
        "repair",
        "destination",
        "older_than",
        "left_out",
        "yes",
        "weights",
        "decrypt",
        "change_key",
        "new_key_file",
        "keyring",
        "names",
        "files",
    }
    assert found == known | set(taking)


def test_what_can_be_left_out_is_left_out_of_both(album: Path, answer: Callable[..., Any], tmp_path: Path) -> None:
    assert [row["person"] for row in answer("people")] == [1, 2, 3]  # 4 is ignored
    assert answer("export", "--dry-run")["written"] == 2
    assert not (tmp_path / "new").exists()
    scored = answer("evaluate", "--drop", "ID=0")["scores"]
    assert scored == answer("evaluate")["scores"]
