"""How long a large library takes to show itself in a notebook, and how long the page is. JSON out.

    python benchmarks/notebook.py [--faces 1000000] [--people 20000]

The faces are generated, as in review_page.py. Seconds are the median of five, in a process that has opened the library
before; bytes are of the HTML, pictures included.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from review_page import make
from unmingle.api import Library

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 5


def measure(show: Callable[[], str]) -> dict[str, Any]:
    """Seconds and bytes of one thing that shows itself."""
    times, page = [], ""
    for _ in range(ROUNDS):
        start = time.perf_counter()
        page = show()
        times.append(time.perf_counter() - start)
    return {"seconds": round(statistics.median(times), 3), "bytes": len(page.encode())}


def main() -> None:
    """Make the library, and look at all of it, at the largest person and at one face."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=1_000_000)
    parser.add_argument("--people", type=int, default=20_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "library"
        start = time.perf_counter()
        make(folder, options.faces, options.people)
        print(f"made in {time.perf_counter() - start:.0f} s", file=sys.stderr)
        library = Library(folder)
        result = {
            "faces": options.faces,
            "people": options.people,
            "library": measure(library._repr_html_),
            "largest person": measure(lambda: library.person(1)._repr_html_()),
            "one face": measure(lambda: library.find_face(1)._repr_html_()),
        }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
