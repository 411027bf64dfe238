"""No command opens a connection: counted where Python makes one, and with no network there at all."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from unmingle.demo import Meeting

# Runs the command line with a hook that nothing in the process can take away, and counts what would leave.
PROGRAM = """
import json, sys
seen = []
def hook(event, args):
    if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname", "urllib.Request"):
        if event != "socket.connect" or not isinstance(args[1], (str, bytes)):  # a path: not the network
            seen.append([event, repr(args[-1])])
sys.addaudithook(hook)
from unmingle.cli import main
code = 0
for words in json.loads(sys.argv[1]):
    sys.argv = ["unmingle", *words]
    try:
        main()
    except SystemExit as end:
        code = end.code or 0
    print("DONE", json.dumps([words, code, seen]), flush=True)
"""


def commands(folder: Path, pictures: Path, labels: Path) -> list[list[str]]:
    library, other, export = (str(folder / name) for name in ("library", "other", "export"))
    return [
        ["cluster", str(pictures), "-o", library],
        ["show", library, "1"],
        ["people", library],
        ["name", library, "1", "Ada"],
        ["undo", library],
        ["redo", library],
        ["log", library],
        ["evaluate", library, "--labels", str(labels)],
        ["export", library, "-o", export, "--to", "folders"],
        ["export", library, "-o", export + "-csv", "--to", "csv"],
        ["import", library, export],
        ["report", library],
        ["different", library, "1", "2"],
        ["backup", library, other],
        ["compare", library, other],
        ["models", "list"],
        ["models", "check", "sface"],
        ["check", library],
        ["privacy", library],
        ["erase", library, "1", "--yes"],
        ["forget", library, str(pictures)],
    ]


def ran(asked: list[list[str]], *before: str) -> list[tuple[list[str], int, list[list[str]]]]:
    words = [*before, sys.executable, "-c", PROGRAM, json.dumps(asked)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=True)
    return [tuple(json.loads(line[5:])) for line in done.stdout.splitlines() if line.startswith("DONE ")]


@pytest.mark.slow
def test_no_command_opens_a_connection(tmp_path: Path, meeting: Meeting) -> None:
    alone = ["unshare", "--net", "--map-root-user"]  # where the system has it, there is no network at all
    before = alone if shutil.which("unshare") and not subprocess.run([*alone, "true"], check=False).returncode else []
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for crop in meeting.crops[:16]:
        shutil.copy(meeting.faces / crop.name, pictures)
    asked = commands(tmp_path, pictures, meeting.labels)
    found = ran(asked, *before)
    assert [words for words, code, _ in found if code] == []
    assert [(words, seen) for words, _, seen in found if seen] == []
    assert len(found) == len(asked)


def test_the_hook_sees_what_fetches() -> None:
    ((_, code, seen),) = ran([["models", "fetch", "buffalo_s"]], "env", "https_proxy=http://127.0.0.1:1")
    assert code == 1
    assert seen
