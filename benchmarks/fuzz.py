"""Names, pictures, sidecars, tables, models and recordings that are odd or damaged: does any of them end the job?

    python benchmarks/fuzz.py [--mutants 20000] [--first 0] [--seed 0] [--kind KIND …] [--minutes N] [-o FOLDER]
    python benchmarks/fuzz.py --only pictures:4711

Each mutant follows from its kind, its number and the seed alone, so `--only` makes it again, keeps it in FOLDER, and
tells what it does. Mutants go through the public door, many in a folder, in processes that are watched: a batch that
raises, dies or works for too long is halved until one mutant is to blame. Of each kind:

read, refused         taken in; turned away with a reason
tracebacks            raised what is no clear error
hangs, crashes        more than 10 s for one; the process died
lost_rows, odd_rows   a file without a row; a row without a status, or without a reason where there is no face
other faults          whole pixels that were refused or came out otherwise; names of files that decided who is who;
                      people's names that were lost in silence: see `fuzzing/`
peak_mb               the most memory of a process, its models included

Everything is made up: faces are drawn, recordings are of drawn faces. JSON on stdout.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import re
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fuzzing.isolate import Child

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fuzzing.isolate import Told
    from fuzzing.mutants import Kind

SHARES = {"pictures": 0.45, "names": 0.1, "sidecars": 0.15, "tables": 0.2, "recordings": 0.05}
SHARES |= {"models": 0.001, "archives": 0.05, "cards": 0.05}
BATCH = {
    "pictures": 200,
    "names": 40,
    "sidecars": 100,
    "tables": 100,
    "models": 10,
    "archives": 200,
    "cards": 200,
    "recordings": 25,
}  # that share a folder
FAULTS = ("tracebacks", "hangs", "crashes", "lost_rows", "odd_rows")
EXAMPLES = 3


def kind_of(name: str) -> Kind:
    """The kind so called; imported where it is used, since the parent needs no models."""
    module = importlib.import_module(f"fuzzing.{'models' if name in ('archives', 'cards') else name}")
    return getattr(module, name.capitalize())()


@dataclass
class Tally:
    """What came of one kind."""

    mutants: int = 0
    read: int = 0
    refused: int = 0
    seconds: float = 0.0
    peak: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    what: dict[tuple[str, str], tuple[str, list[int]]] = field(default_factory=dict)

    def add(self, parts: Sequence[Told], seconds: float) -> None:
        """Count a batch, or the parts of one that failed."""
        self.seconds += seconds
        for told in parts:
            self.peak = max(self.peak, told.peak)
            if told.outcome is None:
                self._blame(told.numbers[0], told.fault, told.what)
                continue
            self.read += told.outcome.read
            self.refused += told.outcome.refused
            for fault in told.outcome.faults:
                self._blame(*fault)

    def _blame(self, number: int, fault: str, what: str) -> None:
        self.counts[fault] += 1
        # Sizes, offsets and bytes differ from mutant to mutant.
        alike = re.sub(r"'[^']*'|b\"[^\"]*\"|\d+", "…", what)
        self.what.setdefault((fault, alike), (what, []))[1].append(number)

    def result(self) -> dict[str, Any]:
        """As it stands in the results."""
        found = {"mutants": self.mutants, "read": self.read, "refused": self.refused}
        found |= {fault: self.counts[fault] for fault in dict.fromkeys([*FAULTS, *sorted(self.counts)])}
        return {**found, "seconds": round(self.seconds, 1), "peak_mb": self.peak >> 20}


def shares(mutants: int, kinds: Sequence[str]) -> dict[str, int]:
    """How many mutants of each kind."""
    total = sum(SHARES[kind] for kind in kinds)
    return {kind: max(1, round(mutants * SHARES[kind] / total)) for kind in kinds}


def jobs_of(wanted: dict[str, int], first: int = 0) -> list[tuple[str, range]]:
    """Batches, the kinds side by side, so that all end at about the same time."""
    batches = [
        ((start + BATCH[kind]) / count, kind, range(first + start, first + min(start + BATCH[kind], count)))
        for kind, count in wanted.items()
        for start in range(0, count, BATCH[kind])
    ]
    return [(kind, numbers) for _, kind, numbers in sorted(batches, key=lambda batch: batch[:2])]


def run(wanted: dict[str, int], options: argparse.Namespace, place: Path) -> dict[str, Tally]:
    """All mutants, or as many as there is time for, on some processes at once."""
    tallies = {kind: Tally() for kind in wanted}
    end = time.monotonic() + 60 * options.minutes
    jobs = iter(jobs_of(wanted, options.first))
    lock = threading.Lock()

    def serve(worker: int) -> None:
        child = Child(kind_of, options.seed, place / str(worker))
        while True:
            with lock:
                kind, numbers = next(jobs, ("", range(0)))
            if not numbers or time.monotonic() > end:
                break
            begun = time.monotonic()
            parts = list(child.narrowed(kind, numbers))
            with lock:
                tallies[kind].mutants += len(numbers)
                tallies[kind].add(parts, time.monotonic() - begun)
                peak = max(told.peak for told in parts) >> 20
                sys.stderr.write(f"{kind} {numbers[0]}–{numbers[-1]} {peak} MB {dict(tallies[kind].counts)}\n")
        child.stop()

    with ThreadPoolExecutor(options.processes) as pool:
        list(pool.map(serve, range(options.processes)))
    return tallies


def faults_of(tallies: dict[str, Tally]) -> list[dict[str, Any]]:
    """Each different fault, how often it was seen, and mutants that show it; the most frequent first."""
    listed = [
        {
            "fault": fault,
            "what": what,
            "seen": len(numbers),
            "mutants": [f"{kind}:{one}" for one in sorted(numbers)[:EXAMPLES]],
        }
        for kind, tally in tallies.items()
        for (fault, _), (what, numbers) in tally.what.items()
    ]
    return sorted(listed, key=lambda one: -one["seen"])


def only(word: str, seed: int, folder: Path) -> int:
    """One mutant, here and now, with all that it raises."""
    name, _, number = word.partition(":")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        outcome = kind_of(name).run(Path(tempfile.mkdtemp(dir=folder)), [int(number)], seed)
    except Exception:  # noqa: BLE001  # what is looked for
        traceback.print_exc()
        return 1
    print(outcome)
    return bool(outcome.faults)


def keep(found: dict[str, Any], path: Path, *, goes_on: bool) -> None:
    """Write results, with those of other kinds that are there; goes_on: with those of the parts before, too."""
    if path.exists():
        before = json.loads(path.read_text(encoding="ascii"))
        there = {} if goes_on else found["kinds"]
        others = [one for one in before["faults"] if one["mutants"][0].partition(":")[0] not in there]
        for kind in before["kinds"].keys() & found["kinds"].keys() if goes_on else ():
            part, so_far = found["kinds"][kind], before["kinds"][kind]
            found["kinds"][kind] = {
                what: (max if what == "peak_mb" else sum)((part.get(what, 0), so_far.get(what, 0)))
                for what in so_far | part
            }
        found |= {"kinds": before["kinds"] | found["kinds"], "faults": [*found["faults"], *others]}
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="ascii")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutants", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0, help="the number of the first mutant: a run in parts")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", choices=tuple(SHARES), action="append", help="only this kind; may be repeated")
    parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--minutes", type=float, default=600.0, help="begin no more batches after so many")
    parser.add_argument("--only", metavar="KIND:NUMBER", help="make one mutant again, in FOLDER, and tell of it")
    parser.add_argument(
        "-o",
        "--output",
        metavar="FOLDER",
        type=Path,
        help="keep there what is made, and fuzz.json with kinds of before",
    )
    options = parser.parse_args()
    if options.only:
        return only(options.only, options.seed, options.output or Path(tempfile.mkdtemp()))
    wanted = shares(options.mutants, options.kind or tuple(SHARES))
    with tempfile.TemporaryDirectory() as place:
        tallies = run(wanted, options, Path(place))
    kinds = {kind: tally.result() for kind, tally in tallies.items()}
    faults = faults_of(tallies)
    # In ASCII: names of files may be no text.
    found = {"seed": options.seed, "kinds": kinds, "faults": faults}
    if options.output:
        options.output.mkdir(parents=True, exist_ok=True)
        keep(found, options.output / "fuzz.json", goes_on=options.first > 0)
    print(json.dumps(found, indent=1))
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
