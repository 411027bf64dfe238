"""No command opens a connection: counted where Python makes one, and with no network there at all."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from making.command_line import commands
from tests.models import graphs

from unmingle.cli.commands import app

if TYPE_CHECKING:
    from pathlib import Path

    from unmingle.demo import Meeting

# Runs the command line with a hook that nothing in the process can take away, and counts what would leave.
PROGRAM = """
import json, os, signal, sys, threading, time
from pathlib import Path
seen = []
def hook(event, args):
    if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname", "urllib.Request"):
        path = event == "socket.connect" and isinstance(args[1], (str, bytes))  # not the network
        own = event == "socket.getaddrinfo" and args[0] == "127.0.0.1"  # where review listens
        if not (path or own):
            seen.append([event, repr(args)])
sys.addaudithook(hook)
def end_review(key):
    while not key.exists():
        time.sleep(0.05)
    time.sleep(0.2)
    os.kill(os.getpid(), signal.SIGINT)
from unmingle.cli import main
for words in json.loads(sys.argv[1]):
    if words[0] == "review":
        threading.Thread(target=end_review, args=[Path(words[1], "review.json")], daemon=True).start()
    if words[0] == "watch":
        threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT)).start()
    sys.argv = ["unmingle", *words]
    code = 0
    try:
        main()
    except SystemExit as end:
        code = (end.code or 0) - 130 * (words[0] == "watch")  # which only a signal ends
    print("DONE", json.dumps([words, code, seen]), flush=True)
"""
# Every command, in an order in which they work; {folder} is a new one.
COMMANDS = """
cluster {pictures} -o {folder}/library
show {folder}/library 1
find {folder}/library {pictures}
watch {folder}/library --every 60s
status {folder}/library
people {folder}/library
name {folder}/library 1 Ada
undo {folder}/library
redo {folder}/library
log {folder}/library
evaluate {folder}/library --labels {labels}
export {folder}/library -o {folder}/export --to folders
export {folder}/library -o {folder}/export-csv --to csv
import {folder}/library {folder}/export
report {folder}/library
different {folder}/library 1 2
backup {folder}/library {folder}/other
compare {folder}/library {folder}/other
encrypt {folder}/other
review {folder}/library --no-browser
split {folder}/library {face}
assign {folder}/library 1 {face}
reject {folder}/library 1 {face}
not-a-face {folder}/library {face}
is-a-face {folder}/library {face}
ignore {folder}/library {face}
restore {folder}/library {face}
merge {folder}/library 1 2
relocate {folder}/library {pictures} {pictures}
models list
models add {folder}/mine.onnx --colour rgb --mean 0 --scale 1 --labels {people} -q
models calibrate mine --labels {people} -q
models check mine
models remove mine
check {folder}/library
privacy {folder}/library
erase {folder}/library 1 --yes
forget {folder}/library {pictures}
bench {people} -q
demo -o {folder}/demo --people 3 --frames 3
"""
FETCHES = ["models", "fetch", "buffalo_s"]


def ran(asked: list[list[str]], *before: str) -> list[tuple[list[str], int, list[list[str]]]]:
    words = [*before, sys.executable, "-c", PROGRAM, json.dumps(asked)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=True)
    return [tuple(json.loads(line[5:])) for line in done.stdout.splitlines() if line.startswith("DONE ")]


@pytest.mark.slow
def test_no_command_opens_a_connection(tmp_path: Path, meeting: Meeting, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = ["unshare", "--net", "--map-root-user"]  # where the system has it, there is no network at all
    before = alone if shutil.which("unshare") and not subprocess.run([*alone, "true"], check=False).returncode else []
    pictures, people = tmp_path / "pictures", tmp_path / "people"
    pictures.mkdir()
    for crop in meeting.crops[:12]:
        shutil.copy(meeting.faces / crop.name, pictures)
        (people / str(crop.person)).mkdir(parents=True, exist_ok=True)
        shutil.copy(meeting.faces / crop.name, people / str(crop.person))
    graphs.write(tmp_path / "mine.onnx")
    monkeypatch.setenv("UNMINGLE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("UNMINGLE_KEY", "5" * 64)
    places = {"folder": tmp_path, "pictures": pictures, "people": people, "labels": meeting.labels}
    asked = [line.format(**places, face=meeting.crops[0].name).split() for line in COMMANDS.strip().splitlines()]
    found = ran(asked, *before)
    assert [words for words, code, _ in found if code] == []
    assert [(words, seen) for words, _, seen in found if seen] == []
    assert len(found) == len(asked)


def test_no_command_is_forgotten() -> None:
    lines = [*COMMANDS.strip().splitlines(), " ".join(FETCHES)]
    known = [name for name, _ in commands(app)]
    assert [name for name in known if not any(f"{line} ".startswith(f"{name} ") for line in lines)] == []


def test_the_hook_sees_what_fetches() -> None:
    ((_, code, seen),) = ran([FETCHES], "env", "https_proxy=http://127.0.0.1:1")
    assert code == 1
    assert seen
