"""What starting costs: of the package, of the help, and of `unmingle cluster` on 50 crops. JSON out.

    python benchmarks/startup.py [--runs 15]

Fresh processes, medians, with compiled bytecode as an installed package has it. Seconds on the clock, and of processor
time, which other programs on the machine change less. `cluster` goes on with a library of 50 made-up crops that are
known already: all that it does but analysing them, so starting, loading models, grouping, tables and sheets.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from unmingle.demo import write_meeting

CROPS = 50


def run(*words: str) -> tuple[float, float]:
    """Seconds of a command on the clock, and of processor time."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
    took, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def medians(runs: list[tuple[float, float]]) -> dict[str, float]:
    seconds, processor = (round(statistics.median(one), 3) for one in zip(*runs, strict=True))
    return {"seconds": seconds, "processor_seconds": processor}


def started(runs: int, *words: str) -> dict[str, float]:
    """Medians of a command, after one run that fills the disk cache."""
    run(*words)
    return medians([run(*words) for _ in range(runs)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as place:
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = f"{place}/bytecode"
        crops = write_meeting(Path(place) / "meeting", people=5, frames=CROPS // 5).faces
        words = ("-m", "unmingle", "cluster", str(crops), "-o", f"{place}/library", "--quiet")
        result = {
            "python -c pass": started(runs, "-c", "pass"),
            "import unmingle": started(runs, "-c", "import unmingle"),
            "unmingle --help": started(runs, "-m", "unmingle", "--help"),
            f"unmingle cluster, {CROPS} known crops": started(runs, *words),
        }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
