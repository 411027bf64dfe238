"""What encryption costs: adding pictures, and the answers that the review page waits for.

    python benchmarks/encryption.py [--faces 20000] [--rounds 7]

Always a plain and an encrypted library in turn. All is processor time, since it is what encryption takes, and since
whatever else the machine does changes the clock more: seconds, of the page milliseconds of its server for each request.

adding   `unmingle cluster` on a drawn meeting of 240 crops, with tables and sheets
start    until `unmingle review` of generated faces has worked out its first suggestions
view     all people's first answers and 60 thumbnails
jump     60 thumbnails anywhere in the library
open     a person and their first 200 faces
decide   a name is given

The key is given as such; a passphrase costs its `passphrase` milliseconds once a process. JSON on stdout.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import unmingle
from review_page import make
from unmingle.demo import write_meeting
from unmingle.store.encryption import new_key

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "5" * 64
HOWS = ("plain", "encrypted")
FACES = 60  # that fill a screen
TIMES = {"start": 1, "view": 10, "jump": 10, "open": 20, "decide": 10}  # of which the last asks for new suggestions
UNMINGLE = [sys.executable, "-m", "unmingle"]
ENVIRONMENT = {**os.environ, "UNMINGLE_KEY": KEY}


def processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def add(pictures: Path, library: Path, how: str) -> float:
    before = processor_seconds()
    more = ["--encrypt", "--tables"] if how == "encrypted" else []
    subprocess.run([*UNMINGLE, "cluster", str(pictures), "-o", str(library), "-q", *more], check=True, env=ENVIRONMENT)
    return processor_seconds() - before


class Page:
    """What a browser asks for, over one connection."""

    def __init__(self, server: int, address: str, faces: int) -> None:
        self._server, self._faces = server, faces
        parts = urlsplit(address)
        self._connection = http.client.HTTPConnection(parts.netloc)
        self._headers = {"Origin": f"http://{parts.netloc}", "Content-Type": "application/json"}
        self._connection.request("GET", f"/?{parts.query}")
        answer = self._connection.getresponse()
        answer.read()
        self._headers["Cookie"] = answer.getheader("Set-Cookie", "").split(";")[0]

    def spent(self) -> float:
        """Milliseconds of its server's threads, those that are still there."""
        threads = Path(f"/proc/{self._server}/task").glob("*/schedstat")
        return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e6

    def _ask(self, path: str, body: object = None) -> Any:
        sent = None if body is None else json.dumps(body)
        self._connection.request("POST" if sent else "GET", path, sent, self._headers)
        answer = self._connection.getresponse()
        content = answer.read()
        assert answer.status == 200, content
        return json.loads(content) if answer.getheader("Content-Type") == "application/json" else content

    def _thumbnails(self, faces: list[int]) -> None:
        for face in faces:
            self._ask(f"/api/faces/{face}/thumbnail")

    def act(self, what: str, chance: random.Random) -> None:
        """Do something of what is measured."""
        person = chance.randrange(1, 100)
        match what:
            case "start":
                while not self._ask("/api/library")["questions_ready"]:
                    time.sleep(1)
            case "view":
                self._ask("/")
                people = self._ask(f"/api/people?limit={FACES}")["people"]
                self._thumbnails([one["covers"][0] for one in people])
            case "jump":
                self._thumbnails([chance.randrange(1, self._faces) for _ in range(FACES)])
            case "open":
                self._ask(f"/api/people/{person}")
                self._ask(f"/api/people/{person}/faces?limit=200")
            case "decide":
                self._ask("/api/decisions", {"kind": "name", "person": person, "name": f"Name {chance.random()}"})


@contextmanager
def served(library: Path, faces: int) -> Iterator[Page]:
    words = [*UNMINGLE, "review", str(library), "--no-browser"]
    server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT)
    assert server.stdout is not None
    try:
        yield Page(server.pid, server.stdout.readline().split()[-1], faces)
    finally:
        server.terminate()
        server.wait(30)


def page(place: Path, faces: int, rounds: int) -> dict[str, dict[str, list[float]]]:
    libraries = {how: place / how for how in HOWS}
    make(libraries["plain"], faces, faces // 20)
    unmingle.open(libraries["plain"]).backup(libraries["encrypted"])
    unmingle.open(libraries["encrypted"]).encrypt(KEY)
    found: dict[str, dict[str, list[float]]] = {what: {how: [] for how in HOWS} for what in TIMES}
    for turn in range(rounds):
        order = HOWS if turn % 2 else HOWS[::-1]
        with ExitStack() as stack:
            pages = {how: stack.enter_context(served(libraries[how], faces)) for how in order}
            for what, times in TIMES.items():
                for how in order:
                    before = 0.0 if what == "start" else pages[how].spent()
                    for part in range(times):
                        pages[how].act(what, random.Random(100 * turn + part))
                    found[what][how].append((pages[how].spent() - before) / times)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    result: dict[str, Any] = {"faces": options.faces, "crops": 240}
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        pictures = write_meeting(place / "meeting", people=12, frames=20).faces
        adding: dict[str, list[float]] = {how: [] for how in HOWS}
        for turn in range(-1, options.rounds):  # the first compiles the networks
            for how in HOWS if turn % 2 else reversed(HOWS):
                took = add(pictures, place / f"added-{turn}-{how}", how)
                adding[how] += [took] if turn >= 0 else []
        measured = {"adding": adding, **page(place, options.faces, options.rounds)}
    for what, times in measured.items():
        medians = {how: statistics.median(times[how]) for how in HOWS}
        ratio = medians["encrypted"] / medians["plain"]
        result[what] = {**{how: round(value, 2) for how, value in medians.items()}, "ratio": round(ratio, 2)}
    start = time.perf_counter()
    new_key("a passphrase")
    result["passphrase"] = round(1000 * (time.perf_counter() - start))
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
