"""How long a large library takes to show itself in a notebook, and how long the page is. JSON out.

    python benchmarks/notebook.py [--faces 1000000] [--people 20000]

The library is written row by row as clustering leaves it, with sizes of people by a power law and drawn pictures; the
vectors are empty, since nobody looks at them. Seconds are the median of five looks after a first one; bytes are of the
HTML, pictures included.
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

import numpy as np

from review_page import drawn
from unmingle.api import Library
from unmingle.store.sqlite import open_to_write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ROUNDS = 5
RECIPE = "faces-benchmark"
DRAWN = 64  # different pictures
TABLES = {
    "file": "id, source, path, name, digest",
    "analysis": "id, digest, content, recipe, precision, width, height, reason",
    "face": 'id, analysis, number, "left", top, width, height, points, score, quality, reason, vector',
    "thumbnail": "face, jpeg",
    "member": "face, person, probability",
}


def make(folder: Path, faces: int, people: int) -> None:
    """A library of so many faces, each in a file of its own."""
    random = np.random.default_rng(0)
    share = np.arange(1, people + 1) ** -0.75
    whose = random.choice(people, faces, p=share / share.sum()) + 1
    jpegs = [drawn(random) for _ in range(DRAWN)]
    vector = b""
    rows: dict[str, Iterable[tuple[Any, ...]]] = {
        "file": ((i, 1, f"{i}.jpg".encode(), f"{i}.jpg", f"{i:064}") for i in range(1, faces + 1)),
        "analysis": ((i, f"{i:064}", f"{i:064}", RECIPE, "f32", 300, 300, "") for i in range(1, faces + 1)),
        "face": ((i, i, 0, 9, 9, 99, 99, b"", 0.9, 0.5, "", vector) for i in range(1, faces + 1)),
        "thumbnail": ((i, jpegs[i % DRAWN]) for i in range(1, faces + 1)),
        "member": zip(range(1, faces + 1), whose.tolist(), (0.99 for _ in whose), strict=True),
    }
    with open_to_write(folder) as store:
        store.recipe = RECIPE
        with store.transaction() as connection:
            connection.execute("INSERT INTO source (id, path) VALUES (1, X'2F')")
            connection.executemany(
                "INSERT INTO person (id, cohesion) VALUES (?, 0.8)", ((i,) for i in range(1, people + 1))
            )
            for table, columns in TABLES.items():
                places = ", ".join("?" for _ in columns.split(","))
                connection.executemany(f"INSERT INTO {table} ({columns}) VALUES ({places})", rows[table])


def measure(show: Callable[[], str]) -> dict[str, Any]:
    """Seconds and bytes of one thing that shows itself."""
    page, times = show(), []
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
