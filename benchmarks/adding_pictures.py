"""What 1,000 more pictures cost a large library beyond their analysis: people, tables and sheets are made again.

    python benchmarks/adding_pictures.py LIBRARY ... [--pictures 1000]

LIBRARY: made by review_page.py's `make`. It is written to: its people are grouped first, so that what is measured is a
library that goes on as it was made. Of the new faces half are of people who are there, half of strangers in twos. Each
library in a process of its own. Seconds on the clock and of processor time, and the largest memory; JSON on stdout.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from unmingle.jobs import make_people
from unmingle.progress import Times, silent
from unmingle.records import Analysis, Faces, Triage
from unmingle.store import analyses
from unmingle.store.sqlite import Store, open_to_write


def add(store: Store, pictures: int) -> None:
    random = np.random.default_rng(time.time_ns())
    query = "SELECT vector FROM face JOIN member ON member.face = face.id WHERE face.id % ? = 0 LIMIT ?"
    rows = store.connection.execute(query, (101, pictures // 2)).fetchall()
    known = np.array([np.frombuffer(blob, "<f4") for (blob,) in rows])
    fresh = np.repeat(random.normal(size=((pictures - len(known)) // 2 + 1, 128)), 2, axis=0)[: pictures - len(known)]
    vectors_nd = np.concatenate([known / known.std(axis=1, keepdims=True), fresh]) + 0.4 * random.normal(
        size=(pictures, 128)
    )
    (jpeg,) = store.connection.execute("SELECT jpeg FROM thumbnail LIMIT 1").fetchone()
    with store.transaction() as connection:
        for number, vector in enumerate(vectors_nd.astype(np.float32)):
            shape = Faces(np.full((1, 4), 80, np.float32), np.ones((1, 5, 2), np.float32), np.ones(1, np.float32))
            found = Analysis(300, 300, shape, vector[None], np.ones(1, np.float32), (jpeg,), Triage.alike(1))
            name = f"added{time.time_ns()}_{number}.jpg"
            analyses.add_analysis(connection, name, store.recipe, "f32", found)
            connection.execute(
                "INSERT INTO file (source, path, name, digest) VALUES (1, ?, ?, ?)", (name.encode(), name, name)
            )


def grouped(store: Store) -> dict[str, float]:
    start, busy = time.perf_counter(), time.process_time()
    times = Times()
    summary = make_people(
        store, None, None, None, "auto", 100, regroup=False, webvtt=False, tables=False, progress=silent, times=times
    )
    return {
        "seconds": round(time.perf_counter() - start, 1),
        "processor_seconds": round(time.process_time() - busy, 1),
        **{f"{name}_seconds": round(took, 1) for name, took in times.seconds.items()},
        "people": summary.people,
    }


def measured(library: Path, pictures: int) -> dict[str, object]:
    with open_to_write(library) as store:
        (faces,) = store.connection.execute("SELECT count(*) FROM face").fetchone()
        first = grouped(store)
        add(store, pictures)
        again = grouped(store)
    memory = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return {"faces": faces, "all": first, "pictures": pictures, "added": again, "memory_mb": memory}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("libraries", type=Path, nargs="+")
    parser.add_argument("--pictures", type=int, default=1000)
    args = parser.parse_args()
    if len(args.libraries) == 1:
        print(json.dumps([measured(args.libraries[0], args.pictures)], indent=1))
        return
    words = [[sys.executable, __file__, str(one), "--pictures", str(args.pictures)] for one in args.libraries]
    print(json.dumps([json.loads(subprocess.check_output(one))[0] for one in words], indent=1))


if __name__ == "__main__":
    main()
