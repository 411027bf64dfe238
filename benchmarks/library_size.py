"""How long commands on a large library take, each in a fresh process: `people`, `show` and `name`, and `--help` beside.

    python benchmarks/library_size.py LIBRARY ... [--runs 5]

LIBRARY: made by review_page.py's `make`, with its tables and a hundred sheets (`name` writes them if they are missing).
It is written to. Medians of processor seconds, and the smallest of seconds on the clock, by number of faces. JSON on
stdout.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path

from startup import run
from unmingle.store.facts import SHEETS
from unmingle.store.sqlite import open_to_write

PERSON = "3"


def measured(library: Path, runs: int) -> dict[str, object]:
    with open_to_write(library) as store:
        store.set_fact(SHEETS, "100")
        (faces,) = store.connection.execute("SELECT count(*) FROM face").fetchone()
    commands = {
        "--help": ("--help",),
        "people": ("people", str(library)),
        "show": ("show", str(library), PERSON),
        "name": ("name", str(library), PERSON),
    }
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for number in range(runs + 1):
        for name, words in commands.items():
            more = (f"Somebody {library.stat().st_mtime_ns} {number}",) if name == "name" else ()
            times[name].append(run("-m", "unmingle", *words, *more))
    first = times["name"][0]
    return {
        "faces": faces,
        "first_decision_seconds": round(first[0], 2),  # writes all tables and sheets
        **{
            name: {
                "seconds": round(min(took for took, _ in found[1:]), 2),
                "processor_seconds": round(statistics.median(busy for _, busy in found[1:]), 2),
            }
            for name, found in times.items()
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("libraries", type=Path, nargs="+")
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    print(json.dumps([measured(library, args.runs) for library in args.libraries], indent=1))


if __name__ == "__main__":
    main()
