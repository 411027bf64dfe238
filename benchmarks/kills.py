"""A library is killed while it works, over and over: is anything lost that was answered?

    python benchmarks/kills.py [--kills 1000] [--seed 0] [--encrypting]

Made-up faces in a real library. Each round starts two processes: one decides without a pause, by itself or as the
review server under load from three clients; the other adds pictures and groups the faces. Both get a SIGKILL at a
random moment. Then the library has to open, be whole by SQLite's own check, hold every decision that was answered and
every picture whose batch was told as done, its people have to be what replaying the log gives, and the journal has to
say what the log says. In the last line it may differ, if nobody was answered for it: then `unmingle check` has to say
so, and a repair to put it right.

`--work`: what is killed instead. An export, done again, has to give what one gives that nobody killed. A repair of a
library in which a page was damaged, done again, has to leave no fault and all decisions. After a killed backup, the
next one into the same folder has to succeed, or what is there has to be whole, with all decisions.

With --encrypting each round instead encrypts the library, decrypts it or gives it another key, and is killed meanwhile.
In three of ten a second process gives it another key at the same time. Then it has to open with the key of before or a
new one, with the new one if that was told as done; hold the same
decisions and people; and no file of an encrypted one may hold a name or an embedding.

A SIGKILL shows what a process may lose, not what a power cut may: for that the library trusts SQLite, a write-ahead log
and `synchronous = FULL`. JSON on stdout.
"""

from __future__ import annotations

import argparse
import http.client
import json
import math
import os
import random
import select
import shutil
import signal
import socket
import sqlite3
import sys
import tempfile
import threading
import time
import zlib
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unmingle import jobs
from unmingle.api import Library
from unmingle.decisions import journal
from unmingle.decisions.log import read_log
from unmingle.decisions.state import State
from unmingle.errors import DecisionError, LibraryLockedError, UnmingleError, WriteError
from unmingle.records import Analysis, Faces, Triage
from unmingle.settings import GroupingSettings
from unmingle.sources.formats import LIBRARY_FILE
from unmingle.store import analyses
from unmingle.store.encryption import is_encrypted, lock, unlock
from unmingle.store.face_rows import ALONE
from unmingle.store.sqlite import open_to_decide, open_to_write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RECIPE = "faces-made-up"
PEOPLE, EACH, WIDTH = 20, 10, 32
LONGEST = 0.12  # seconds of work before a kill
TOKEN = "made-up"  # of a server that only this script can reach
CLIENTS = 3
KEYS = (None, "5" * 64, "7" * 64)  # the keys themselves: no time goes into what a passphrase comes to
NAMES = {f"library.sqlite{ending}" for ending in ("", "-wal", "-shm", "-journal")} | {"library.lock", "decisions.jsonl"}


class Made:
    """Pictures of made-up people."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.centres = np.random.default_rng(0).normal(size=(PEOPLE, WIDTH))

    def add(self, folder: Path, count: int, tell: Callable[[str], object] = str) -> None:
        """One picture a transaction; each is told once it is on disk."""
        with open_to_write(folder) as store:
            for _ in range(count):
                name = f"{self.random.integers(2**60):x}"
                person = int(self.random.integers(PEOPLE))
                vector = (self.centres[person] + 0.4 * self.random.normal(size=WIDTH)).astype(np.float32)
                faces = Faces(np.ones((1, 4), np.float32), np.ones((1, 5, 2), np.float32), np.ones(1, np.float32))
                found = Analysis(9, 9, faces, vector[None], np.ones(1, np.float32), (b"",), Triage.alike(1))
                with store.transaction() as connection:
                    analyses.add_analysis(connection, name, RECIPE, "f32", found)
                    connection.execute(
                        "INSERT INTO file (source, path, name, digest) VALUES (1, ?, ?, ?)",
                        (name.encode(), name, name),
                    )
                tell(f"picture {name}")


def make(folder: Path, seed: int) -> None:
    with open_to_write(folder) as store:
        store.recipe = RECIPE
        with store.transaction() as connection:
            connection.execute("INSERT INTO source (id, path) VALUES (1, X'2F')")
    Made(seed).add(folder, PEOPLE * EACH)
    group(folder)


def group(folder: Path) -> None:
    with open_to_write(folder) as store:
        jobs.cluster(store, GroupingSettings())


def decide_for_ever(folder: Path, seed: int, tell: Callable[[str], object]) -> None:
    chance = random.Random(seed)
    library = Library(folder, views="on request")
    faces, people = known(folder)
    while True:
        with suppress(DecisionError):
            made = [
                lambda: library.name(chance.choice(people), f"Name {chance.random()}"),
                lambda: library.merge(*chance.sample(people, 2)),
                lambda: library.split(chance.sample(faces, 2)),
                lambda: library.reject([chance.choice(faces)], chance.choice(people)),
                lambda: library.assign([chance.choice(faces)], chance.choice(people)),
                library.undo,
                library.redo,
            ][chance.randrange(7)]()
            tell(f"decision {made.id}")


def add_for_ever(folder: Path, seed: int, tell: Callable[[str], object]) -> None:
    made = Made(seed)
    while True:
        made.add(folder, 3, tell)
        group(folder)


def serve(folder: Path, listener: socket.socket) -> None:
    import uvicorn

    from unmingle.review.app import create_app
    from unmingle.review.auth import Auth

    origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config = uvicorn.Config(create_app(folder, Auth(TOKEN, origin)), log_level="critical")
    uvicorn.Server(config).run(sockets=[listener])


def known(folder: Path) -> tuple[list[int], list[int]]:
    with open_to_decide(folder) as store:
        faces = [face for (face,) in store.connection.execute("SELECT id FROM face")]
        people = [person for (person,) in store.connection.execute("SELECT DISTINCT person FROM member")]
    return faces, people


@contextmanager
def child(work: Callable[[Callable[[str], object]], object]) -> Iterator[tuple[int, Callable[[], list[str]]]]:
    """A forked process at work: a pipe that it tells into, and what it told before it was killed."""
    reading, writing = os.pipe()
    process = os.fork()
    if not process:
        os.close(reading)
        try:
            work(lambda line: os.write(writing, f"{line}\n".encode()))
        finally:
            os._exit(1)  # a child that was not killed has failed: it never comes back to the caller
    os.close(writing)

    def told() -> list[str]:
        with os.fdopen(reading, "rb") as pipe:
            text = pipe.read().decode()
        return text[: text.rfind("\n") + 1].splitlines()

    try:
        yield reading, told
    finally:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)


def clients(port: int, folder: Path, seed: int, answered: list[str], end: threading.Event) -> list[threading.Thread]:
    faces, people = known(folder)

    def ask(number: int) -> None:
        chance = random.Random(seed + number)
        address = f"127.0.0.1:{port}"
        with suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection(address, timeout=20)
            connection.request("GET", f"/?token={TOKEN}", headers={"Host": address})
            first = connection.getresponse()
            first.read()
            cookie = first.getheader("Set-Cookie", "").split(";")[0]
            headers = {"Cookie": cookie, "Origin": f"http://{address}", "Content-Type": "application/json"}
            while not end.is_set():
                body = {"kind": "assign", "faces": [chance.choice(faces)], "person": chance.choice(people)}
                if chance.random() < 0.3:
                    body = {"kind": "name", "person": chance.choice(people), "name": f"Name {chance.random()}"}
                connection.request("POST", "/api/decisions", json.dumps(body), headers)
                answer = connection.getresponse()
                content = answer.read()
                if answer.status == 200:
                    answered.append(f"decision {json.loads(content)['decision']['id']}")

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    return threads


def check(folder: Path, told: list[str]) -> list[str]:
    """What is wrong; nothing, if all is well."""
    with open_to_decide(folder) as store:
        connection = store.connection
        (whole,) = connection.execute("PRAGMA quick_check").fetchone()
        wrong = [] if whole == "ok" else [whole]
        log = {entry.id for entry in read_log(connection)}
        held = {name for (name,) in connection.execute("SELECT name FROM file")}
        for kind, what in (line.split() for line in told):
            if (int(what) not in log) if kind == "decision" else (what not in held):
                wrong.append(f"lost {kind} {what}")
        lines = journal.read(folder).lines
        if any(row not in lines for row in log) or len(lines) > len(log) + 1:
            wrong.append(f"the journal has {len(lines)} lines for {len(log)} entries")
        # The last line may be of somebody who was killed just before another's entry, which was killed just after.
        said = journal.lines(connection)
        other = {line["id"] for line in said if journal.said(line) != journal.said(lines[line["id"]])}
        if other - {max(log)} or (f"decision {max(log)}" in told and other):
            wrong.append("the journal says something else than the log")
        state = State.read(store)
        faces_n, person_n = state.members_now()
        replayed = {f: p for f, p in zip(faces_n.tolist(), person_n.tolist(), strict=True) if p != ALONE}
        if replayed != dict(connection.execute("SELECT face, person FROM member")):
            wrong.append("people are not what the log says")
    if other or len(lines) > len(log):
        library = Library(folder, views="on request")
        noticed = any(fault.kind == "journal" for fault in library.check().faults)
        left = any(fault.kind == "journal" for fault in library.check(repair=True).faults)
        wrong += ["a check doesn't see the journal's last line"] * (not noticed) + ["a repair leaves it"] * left
    return wrong


def kill_once(folder: Path, seed: int, *, served: bool) -> tuple[int, int, list[str]]:
    """Decisions and pictures that were answered before the kill, and what is wrong after it."""
    wait = random.Random(seed).random() * LONGEST
    answered: list[str] = []
    with child(lambda tell: add_for_ever(folder, seed, tell)) as (_, added):
        if served:
            with socket.create_server(("127.0.0.1", 0)) as listener, child(lambda tell: serve(folder, listener)):
                end = threading.Event()
                threads = clients(listener.getsockname()[1], folder, seed, answered, end)
                started = time.monotonic()
                while not answered and time.monotonic() - started < 20:
                    time.sleep(0.005)  # until it serves: what is to be killed is work, not the start
                time.sleep(wait)
            end.set()
            for thread in threads:
                thread.join()
            decided: list[str] = []
        else:
            with child(lambda tell: decide_for_ever(folder, seed, tell)) as (reading, decisions):
                select.select([reading], [], [], 20)
                time.sleep(wait)
            decided = decisions()
    pictures_told = added()
    told = [*answered, *decided, *pictures_told]
    return len(answered) + len(decided), len(pictures_told), check(folder, told)


def use(folder: Path, key: str | None) -> None:
    lock(folder) if key is None else unlock(folder, key)


def secrets_of(folder: Path) -> list[bytes]:
    with open_to_decide(folder) as store:
        vectors = [vector[:24] for (vector,) in store.connection.execute("SELECT vector FROM face_row")]
        names = [name.encode() for (name,) in store.connection.execute("SELECT name FROM person WHERE name != ''")]
    return vectors + names


def key_that_opens(folder: Path, keys: list[str | None]) -> list[str | None]:
    for key in keys:
        use(folder, key)
        if (key is None) == is_encrypted(folder):
            continue
        with suppress(LibraryLockedError), open_to_decide(folder):
            return [key]
    return []


def encrypt_once(
    folder: Path, before: str | None, seed: int, longest: float
) -> tuple[str | None, bool, bool, list[str]]:
    """The key after a kill, whether it was told that it is the new one, or that of another one, and what is wrong."""
    chance = random.Random(seed)
    after, rival = chance.sample([key for key in KEYS if key != before], 2)
    library = Library(folder, views="on request")
    _, people = known(folder)
    library.name(chance.choice(people), f"Name {chance.random()}")
    held, secrets = (library.decisions, library.people), secrets_of(folder)

    def encrypt(tell: Callable[[str], object]) -> None:
        library.encrypt(after)
        tell("done")

    keys, raced = [before, after], False
    with child(encrypt) as (_, told):
        if chance.random() < 0.3:  # somebody else at the same time, with another key, as often as it takes

            def rush(tell: Callable[[str], object]) -> None:
                while True:
                    with suppress(UnmingleError):
                        library.encrypt(rival)
                        tell("done")
                        return

            with child(rush) as (_, others_told):
                time.sleep(chance.random() * 2 * longest)
            keys.append(rival)
            raced = bool(others_told())
        else:
            time.sleep(chance.random() * longest)
    done = bool(told())
    told_of = [key for key, is_done in ((after, done), (rival, raced)) if is_done]
    # Whoever finds it plain gives it a key, and may be killed before telling.
    due = keys[1:] if None in told_of else told_of or keys
    if chance.random() < 0.3:  # and so is whoever goes on

        def go_on(_: object) -> None:
            key_that_opens(folder, keys)
            time.sleep(1)

        with child(go_on):
            time.sleep(chance.random() * longest / 4)
    fitting = key_that_opens(folder, keys)
    if not fitting or fitting[0] not in due:
        return (fitting or [before])[0], done, raced, [f"of {keys} it opens with {fitting}, and {due} was told"]
    wrong = check(folder, [])
    if library.decisions != held[0] or not library.people.equals(held[1]):
        wrong.append("it holds something else")
    there = {path.name for path in folder.iterdir() if not path.match(".unmingle-*.json")}  # a mark, half written
    strange = there - NAMES - ({"encryption.json"} if fitting[0] else set())
    wrong += [f"{name} was left" for name in sorted(strange)]
    if fitting[0]:
        files = {path: path.read_bytes() for path in folder.iterdir()}
        wrong += [f"{path.name} can be read" for path in files if any(one in files[path] for one in secrets)]
    return fitting[0], done, raced, wrong


def encrypting(kills: int, fresh_every: int, seed: int) -> dict[str, Any]:
    wrong: list[str] = []
    late = rivals = 0
    states = {"plain": 0, "encrypted": 0}
    key: str | None = None
    for kill in range(kills):
        if kill % fresh_every == 0:
            place = tempfile.TemporaryDirectory()
            folder, key = Path(place.name) / "library", None
            make(folder, seed + kill)
            began = time.monotonic()
            for key in (KEYS[1], None):
                Library(folder, views="on request").encrypt(key)
            longest = 0.6 * (time.monotonic() - began)
        key, done, raced, problems = encrypt_once(folder, key, seed + kill, longest)
        late, rivals = late + done, rivals + raced
        states["encrypted" if key else "plain"] += 1
        wrong += [f"kill {kill}: {problem}" for problem in problems]
    return {"kills": kills, "too_late": late, "another_was_done": rivals, "then": states, "wrong": wrong}


def others(work: str, kills: int, seed: int) -> dict[str, Any]:
    """Kill exports, repairs or backups."""
    from flips import decide, flip, log_of

    wrong: list[str] = []
    begun = finished = 0
    with tempfile.TemporaryDirectory() as place:
        whole, folder, out = (Path(place, name) for name in ("whole", "library", "out"))
        make(whole, seed)
        decide(whole, seed)
        if work == "export":
            _picture_files(whole, Path(place, "pictures"))
        with closing(sqlite3.connect(whole / LIBRARY_FILE)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        before, pages = log_of(Library(whole)), (whole / LIBRARY_FILE).stat().st_size // 4096
        todo: dict[str, Callable[[Library], object]] = {
            "export": lambda library: library.export("folders", out),
            "repair": lambda library: library.check(repair=True),
            "backup": lambda library: library.backup(out),
        }
        library, longest = Library(folder, views="on request"), math.inf

        def begin(tell: Callable[[str], object]) -> None:
            todo[work](library)
            tell("done")

        for kill in range(-3, kills):  # the first tell how long it takes
            chance = random.Random(seed + kill)
            for path in (folder, out):
                shutil.rmtree(path, ignore_errors=True)
            shutil.copytree(whole, folder)
            if work == "repair":
                flip(folder / LIBRARY_FILE, kill % pages, chance)
            with child(begin) as (reading, told):
                while work != "repair" and not (out.exists() and any(out.iterdir())):
                    time.sleep(0.001)  # what is to be killed is work, not the start
                began = time.monotonic()
                select.select([reading], [], [], 60 if kill < 0 else chance.uniform(0, 1.2 * longest))
                took = time.monotonic() - began
            if kill < 0:
                longest, expected = min(longest, took), _content(out)
                continue
            finished += bool(told())
            begun += any(out.iterdir()) if out.exists() else work == "repair"
            try:
                todo[work](library)
            except WriteError as error:
                if work != "backup" or "there already" not in error.problem:
                    wrong.append(f"kill {kill}: {error}")
            here = Library(out, views="on request") if work == "backup" else library
            faults = [fault.problem for fault in here.check().faults if fault.kind not in ("file", "model", "journal")]
            wrong += [f"kill {kill}: {fault}" for fault in faults]
            wrong += [f"kill {kill}: decisions are lost"] * (log_of(here)[: len(before)] != before)
            if work == "export" and _content(out) != expected:
                wrong.append(f"kill {kill}: not what an export gives that nobody killed")
            if kill % 20 == 19:
                sys.stderr.write(f"{kill + 1} kills, {begun} begun, {finished} finished, {wrong[:3]}\n")
    return {"kills": kills, "begun": begun, "finished": finished, "wrong": wrong}


def _picture_files(folder: Path, pictures: Path) -> None:
    """Give each file of a made library a content."""
    pictures.mkdir()
    with open_to_write(folder) as store, store.transaction() as connection:
        connection.execute("UPDATE source SET path = ?", (os.fsencode(pictures),))
        for (name,) in connection.execute("SELECT name FROM file").fetchall():
            (pictures / name).write_bytes(random.Random(name).randbytes(20_000))


def _content(folder: Path) -> dict[str, int]:
    """The files in a folder, and their checksums."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): zlib.crc32(path.read_bytes()) for path in files}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--served-every", type=int, default=5, help="each so manieth kill hits the review server")
    parser.add_argument("--fresh-every", type=int, default=100, help="a new library after so many kills")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--encrypting", action="store_true", help="kills while the library's file is written anew")
    parser.add_argument("--work", choices=("export", "repair", "backup"), help="what is killed instead")
    parser.add_argument("-o", "--output", type=Path, help="add to the results there, which are of other seeds")
    options = parser.parse_args()
    if options.encrypting:
        found: dict[str, Any] = encrypting(options.kills, options.fresh_every, options.seed)
    elif options.work:
        found = {options.work: others(options.work, options.kills, options.seed)}
    else:
        found = deciding(options)
    print(json.dumps(found, indent=1))
    if options.output:
        before = json.loads(options.output.read_text(encoding="utf-8")) if options.output.exists() else {}
        options.output.write_text(json.dumps(together(before, found), indent=1) + "\n", encoding="utf-8")
    return bool(found.get(options.work, found)["wrong"])


def together(before: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """The counts of both, and all that is wrong."""
    both = {
        what: together(before[what], found[what]) if isinstance(found[what], dict) else before[what] + found[what]
        for what in before.keys() & found.keys()
    }
    return {what: both.get(what, value) for what, value in (before | found).items()}


def deciding(options: argparse.Namespace) -> dict[str, Any]:
    """Kill who decides and adds."""
    decisions = added = served = 0
    wrong: list[str] = []
    for kill in range(options.kills):
        if kill % options.fresh_every == 0:
            place = tempfile.TemporaryDirectory()
            folder = Path(place.name) / "library"
            make(folder, options.seed + kill)
        by_server = kill % options.served_every == options.served_every - 1
        served += by_server
        made, held, problems = kill_once(folder, options.seed + kill, served=by_server)
        decisions, added = decisions + made, added + held
        wrong += [f"kill {kill}: {problem}" for problem in problems]
        if kill % 50 == 49:
            sys.stderr.write(f"{kill + 1} kills, {decisions} decisions and {added} pictures answered, {wrong[:3]}\n")
    result = {"kills": options.kills, "of_the_server": served, "decisions_answered": decisions}
    return {**result, "pictures_answered": added, "wrong": wrong}


if __name__ == "__main__":
    sys.exit(main())
