"""How fast faces are found on Ray against the plain command, on the same pictures and cores, in turn.

    RAY_worker_niceness=0 python benchmarks/distributed/analysis.py PICTURES > ../results/distributed_analysis.json

Each way is run with few pictures and with many, each time in a process and a place of its own; what the many take more
is told for each picture, so that the start of Ray and of networks doesn't count. `load`: of the machine before a turn.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import ray  # noqa: F401  # brings psutil
from cells import Processes

from unmingle.sources.images import scan

WAYS = {"plain": [], "on_ray": ["--ray", "local"]}


def run(pictures: list[Path], folder: Path, words: list[str], processes: Processes) -> tuple[float, float]:
    """Seconds, and processor seconds of all processes."""
    folder.mkdir()
    for number, picture in enumerate(pictures):
        (folder / f"{number:06}{picture.suffix}").symlink_to(picture.resolve())
    start, before = time.perf_counter(), processes.seconds.total()
    command = [sys.executable, "-m", "unmingle", "cluster", folder, "-o", f"{folder}-found", "--quiet", *words]
    subprocess.run([*map(str, command)], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start, processes.seconds.total() - before


def main() -> None:
    """Measure, and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", help="a folder of pictures")
    parser.add_argument("--pictures", type=int, nargs=2, default=[100, 1100], metavar=("FEW", "MANY"))
    parser.add_argument("--turns", type=int, default=2)
    options = parser.parse_args()
    few, many = options.pictures
    found = [file.path for file in scan([options.source]).files]
    pictures = [found[at * len(found) // many] for at in range(many)]
    processes, turns = Processes(), []
    for turn in range(options.turns):
        row: dict[str, object] = {"load": round(os.getloadavg()[0], 1)}
        for way, words in WAYS.items():
            with tempfile.TemporaryDirectory() as folder:
                less = run(pictures[:: many // few][:few], Path(folder) / "few", words, processes)
                more = run(pictures, Path(folder) / "many", words, processes)
            seconds, used = ((b - a) / (many - few) for a, b in zip(less, more, strict=True))
            row[way] = {"pictures_a_second": round(1 / seconds, 2), "processor_seconds_a_picture": round(used, 4)}
            row[way] |= {"start_seconds": round(less[0] - few * seconds, 1)}  # type: ignore[operator]
            sys.stderr.write(f"turn {turn}: {way} {row[way]}\n")
        turns.append(row)
    result: dict[str, object] = {"pictures": many, "cores": os.cpu_count(), "turns": turns}
    for name, better in (("pictures_a_second", 1), ("processor_seconds_a_picture", -1)):
        ratios = [(turn["on_ray"][name] / turn["plain"][name]) ** better for turn in turns]  # type: ignore[index]
        result[f"rate_by_{name}"] = round(statistics.median(ratios), 3)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
