"""Bytes are flipped in a library, page after page: does it say so, and is a decision lost?

    python benchmarks/flips.py [--flips 1000] [--seed 0]

Made-up faces in a real library, with decisions of all kinds. For each flip it is laid out anew, and 1, 8 or 64 bytes
of one page get another value; the pages take turns. Then commands read it, decide in it, and at times report it: each
has to end well or with a clear error. `unmingle check` has to find nothing wrong after `--repair`, and the log has to
be what it was. Every so manieth time the journal is taken away: how much of the log can be read without it?

noticed       a command said that something is wrong, or a repair mended something; the others hit bytes that mean
              nothing, or the least digits of a number
JSON on stdout.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path

from typer.testing import CliRunner

from kills import known, make
from unmingle.api import Library
from unmingle.cli.commands import app
from unmingle.errors import DecisionError, UnmingleError
from unmingle.files import JOURNAL
from unmingle.sources.formats import LIBRARY_FILE as FILE

PAGE = 4096
DECISIONS = 60


def decide(folder: Path, seed: int) -> None:
    """Decisions of all kinds."""
    chance, library = random.Random(seed), Library(folder, views="on request")
    faces, people = known(folder)
    while len(library.decisions) < DECISIONS:
        with suppress(DecisionError):
            [
                lambda: library.name(chance.choice(people), f"Name {chance.random()}"),
                lambda: library.merge(*chance.sample(people, 2)),
                lambda: library.split(chance.sample(faces, 2)),
                lambda: library.reject([chance.choice(faces)], chance.choice(people)),
                lambda: library.assign([chance.choice(faces)], chance.choice(people)),
                lambda: library.not_a_face([chance.choice(faces)]),
                lambda: library.ignore(chance.choice(people)),
                library.undo,
            ][chance.randrange(8)]()


def flip(path: Path, page: int, chance: random.Random) -> None:
    with path.open("rb+") as file:
        for _ in range(chance.choice((1, 8, 64))):
            file.seek(page * PAGE + chance.randrange(PAGE))
            before = file.read(1)[0]
            file.seek(-1, 1)
            file.write(bytes([before ^ chance.randrange(1, 256)]))


def use(folder: Path, told: Counter[str], *, report: bool) -> bool:
    """Whether a command said that something is wrong."""
    noticed = False
    more = [["log", "--json"], ["report", "--quiet"]] if report else []
    for words in (["people"], ["name", "1", "Rob"], *more):
        done = CliRunner().invoke(app, [words[0], str(folder), *words[1:]])
        clear = done.exception is None or isinstance(done.exception, SystemExit)
        told["ended well" if done.exit_code == 0 else "clear error" if clear else "traceback"] += 1
        if not clear:
            sys.stderr.write(f"{words}: {done.exception!r}\n")
        noticed |= "damaged" in done.stderr
    return noticed


def log_of(library: Library) -> list[tuple[object, ...]]:
    return [(one.id, one.made, one.by, one.kind, one.words, one.person, one.people) for one in library.decisions]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flips", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="the number to begin with")
    parser.add_argument("--minutes", type=float, default=600.0, help="stop after so many")
    parser.add_argument("--alone-every", type=int, default=10, help="each so manieth has no journal")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    told: Counter[str] = Counter()
    flips, lost, faults, noticed = 0, 0, 0, 0
    alone, alone_read, alone_all = 0, 0, 0
    with tempfile.TemporaryDirectory() as place:
        whole, folder = Path(place, "whole"), Path(place, "library")
        make(whole, options.seed)
        decide(whole, options.seed)
        with closing(sqlite3.connect(whole / FILE)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        before, pages = log_of(Library(whole)), (whole / FILE).stat().st_size // PAGE
        end = time.monotonic() + 60 * options.minutes
        for number in range(options.first, options.flips):
            if time.monotonic() > end:
                break
            chance = random.Random(options.seed + number)
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(whole, folder)
            flip(folder / FILE, number % pages, chance)
            library = Library(folder, views="on request")
            if number % options.alone_every == options.alone_every - 1:
                (folder / JOURNAL).unlink()
                with suppress(UnmingleError):
                    library.check(repair=True)
                    alone_read += len(set(log_of(library)) & set(before))
                alone, alone_all = alone + 1, alone_all + len(before)
                continue
            flips += 1
            said = use(folder, told, report=number % options.alone_every == 0)
            done = library.check(repair=True)
            noticed += said or bool(done.repaired)
            left = [fault for fault in done.faults if fault.kind not in ("file", "model")]
            faults += len(left)
            kept = log_of(library)[: len(before)]
            lost += len(before) - sum(one == other for one, other in zip(before, kept, strict=False))
            if left or kept != before:
                sys.stderr.write(f"flip {number}: {[fault.problem for fault in left][:3]}, {len(kept)} entries\n")
            if number % 20 == 0:
                sys.stderr.write(f"{number + 1} flips: {dict(told)}, {lost} entries lost\n")
    result = {
        "pages": pages,
        "entries_of_the_log": len(before),
        "flips": flips,
        "noticed": noticed,
        "commands": dict(told),
        "entries_lost": lost,
        "faults_left_by_repair": faults,
        "without_the_journal": {"flips": alone, "entries": alone_all, "read": alone_read},
    }
    print(json.dumps(result, indent=1))
    return bool(lost or faults or told["traceback"])


if __name__ == "__main__":
    sys.exit(main())
