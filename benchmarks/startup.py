"""How long `import unmingle` and `unmingle --help` take: fresh processes, the median of several. JSON out.

python benchmarks/startup.py
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time

RUNS = 15


def seconds(*words: str) -> float:
    """Median seconds of a command, after one run that fills the disk cache."""
    times = []
    for _ in range(RUNS + 1):
        start = time.perf_counter()
        subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    return round(statistics.median(times[1:]), 3)


def main() -> None:
    """Measure both, and an empty process to compare with."""
    empty = seconds("-c", "pass")
    result = {
        "python -c pass": empty,
        "import unmingle": seconds("-c", "import unmingle"),
        "unmingle --help": seconds("-m", "unmingle", "--help"),
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
