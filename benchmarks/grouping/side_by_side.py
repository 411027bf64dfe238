"""Ours beside the usual ways to group faces: on the same embeddings, in one run.

    python benchmarks/grouping/side_by_side.py FOLDER [--sets NAME ...] [--methods NAME ...] [--strangers]
        [--default-only] [--table FILE.md] [--plot FILE.png]

FOLDER holds the .npz files of embed.py; competitors.py says which methods there are and what they are set to. Needs the
dependency group `bench`. Three choices of settings are measured for each method and collection:

default       as its documentation recommends, nothing known about the collection
one for all   the setting of its grid with the highest mean BCubed F over all the collections, chosen with the labels
best of set   the setting of its grid with the highest BCubed F of this collection, chosen with the labels

Ours has the default only. Each figure is from a fresh process with `--threads` threads that runs this method once, on
this collection; the grids, of which only the scores are kept, share a process a collection. A face that a method
leaves out as noise is a cluster of its own. Progress on stderr, JSON on stdout.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from collection import load_folder
from competitors import COMPETITORS
from one_run import Job
from presentation import CHOICES, save

if TYPE_CHECKING:
    from collections.abc import Iterator

    from competitors import Setting

    Row = dict[str, Any]
    Grid = dict[str, list[Row]]  # rows of the grid of one method, by collection

ONE_RUN = Path(__file__).with_name("one_run.py")
THREADS = ("OMP", "OPENBLAS", "MKL", "NUMBA", "VECLIB_MAXIMUM", "NUMEXPR")
PACKAGES = (
    "numpy", "scipy", "scikit-learn", "faiss-cpu", "fast-hdbscan", "pynndescent", "finch-clust", "dlib-bin", "infomap",
    "leidenalg", "igraph",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Limits:
    """What a process may use: seconds in all, and threads."""

    seconds: float
    threads: int


@dataclass(frozen=True, slots=True)
class Place:
    """A variant of a collection: its file, and for the record its faces, people, and people with two faces or more."""

    path: Path
    name: str
    faces: int
    scored: int
    people: int
    groups: int


def places(folder: Path, names: list[str], *, strangers: bool) -> Iterator[Place]:
    for collection in load_folder(folder, names):
        for variant in collection.variants(strangers=strangers):
            faces, scored = len(variant.labels_n), int(variant.scored_n.sum())
            path = folder / f"{collection.name}.npz"
            yield Place(path, variant.name, faces, scored, variant.people, variant.groups)


def start(job: Job, limits: Limits) -> tuple[list[Row], str]:
    """Run a job in a process of its own: its rows, and what went wrong before the end, if anything did."""
    environment = {**os.environ, **{f"{name}_NUM_THREADS": str(limits.threads) for name in THREADS}}
    problem = ""
    try:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", ONE_RUN],
            input=str(job).encode(),
            capture_output=True,
            timeout=limits.seconds,
            env=environment,
            check=False,
        )
        out = done.stdout
        if done.returncode:
            last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
            problem = last or f"ended with {done.returncode}"
    except subprocess.TimeoutExpired as expired:
        out, problem = expired.stdout or b"", f"took more than {limits.seconds:g} seconds"
    # Libraries may print too; a line that is cut off is of the setting that the limit hit.
    lines = out.decode(errors="replace").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.startswith('{"setting"') and line.endswith("}\n")], problem


def measured(job: Job, choice: str, limits: Limits) -> Row:
    """The row of one run."""
    rows, problem = start(job, limits)
    row = {"method": job.method, "set": job.variant, "choice": choice}
    row |= rows[0] if rows else {"setting": job.settings[0], "problem": problem}
    outcome = "BCubed {bcubed_f:.4f}  pairwise {pairwise_f:.4f}  {people_found:5} people found  {seconds:8.2f} s"
    text = outcome.format(**row) + f"  {row['memory_mb']:7.1f} MB" if rows else problem
    sys.stderr.write(f"{job.method:30} {job.variant:28} {choice:12} {text}\n")
    return row


def searched(job: Job, limits: Limits) -> tuple[list[Row], str]:
    """The rows of all settings."""
    rows, problem = start(job, limits)
    best = max((row["bcubed_f"] for row in rows), default=float("nan"))
    count = f"{len(rows)} of {len(job.settings)}"
    sys.stderr.write(f"{job.method:30} {job.variant:28} {'grid':12} BCubed {best:.4f}  best of {count} {problem}\n")
    return rows, problem


def one_for_all(grid: Grid) -> Setting | None:
    """The setting with the highest mean BCubed F, of those that were finished everywhere."""
    scores: dict[str, list[float]] = {}
    for rows in grid.values():
        for row in rows:
            scores.setdefault(json.dumps(row["setting"]), []).append(row["bcubed_f"])
    means = {setting: float(np.mean(f)) for setting, f in scores.items() if len(f) == len(grid)}
    return json.loads(max(means, key=means.__getitem__)) if means else None


def best_of_set(rows: list[Row]) -> Setting | None:
    return max(rows, key=lambda row: row["bcubed_f"])["setting"] if rows else None


def compare(name: str, where: list[Place], limits: Limits, *, oracle: bool) -> tuple[list[Row], list[Row]]:
    """The measured rows of a method, and its grid: a row a setting, with scores by collection."""
    method = COMPETITORS[name]
    jobs = [Job(str(place.path), place.name, name, (method.default,)) for place in where]
    runs = [measured(job, CHOICES[0], limits) for job in jobs]
    if not (oracle and method.grid):
        return runs, []
    settings = method.grid if method.default in method.grid else (method.default, *method.grid)
    grid: Grid = {}
    problems = []
    for job in jobs:
        grid[job.variant], problem = searched(replace(job, settings=settings), limits)
        problems += [{"method": name, "set": job.variant, "problem": problem}] if problem else []
    everywhere = one_for_all(grid)
    for job in jobs:
        for choice, setting in zip(CHOICES[1:], (everywhere, best_of_set(grid[job.variant])), strict=True):
            if setting is not None:
                runs.append(measured(replace(job, settings=(setting,)), choice, limits))
    return runs, [*gathered(name, grid), *problems]


def gathered(name: str, grid: Grid) -> list[Row]:
    """The grid, a row a setting."""
    result: dict[str, Row] = {}
    for variant, rows in grid.items():
        for row in rows:
            entry = result.setdefault(json.dumps(row["setting"]), {"method": name, "setting": row["setting"]})
            for key in ("bcubed_f", "pairwise_f", "people_found"):
                entry.setdefault(key, {})[variant] = row[key]
    return list(result.values())


def versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "missing"
    return found


def lines(result: dict[str, Any]) -> str:
    """JSON with one line a row."""
    parts = []
    for key, value in result.items():
        rows = ",\n  ".join(json.dumps(row) for row in value) if isinstance(value, list) else ""
        parts.append(f" {json.dumps(key)}: " + (f"[\n  {rows}\n ]" if rows else json.dumps(value)))
    return "{\n" + ",\n".join(parts) + "\n}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", nargs="+", default=[], help="only these collections")
    parser.add_argument("--methods", nargs="+", default=list(COMPETITORS), choices=list(COMPETITORS), metavar="NAME")
    parser.add_argument("--strangers", action="store_true", help="also with the faces whose person is not known")
    parser.add_argument("--default-only", action="store_true", help="no choice of settings with the labels")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--limit", type=float, default=1800, help="seconds for one process")
    parser.add_argument("--table", type=Path, help="write tables here, as Markdown")
    parser.add_argument("--plot", type=Path, help="write the plot here")
    options = parser.parse_args()
    limits = Limits(options.limit, options.threads)
    where = list(places(options.folder, options.sets, strangers=options.strangers))
    result: dict[str, Any] = {
        "processor": platform.processor() or platform.machine(),
        "threads": options.threads,
        "versions": versions(),
        "sets": [
            {
                "set": place.name,
                "faces": place.faces,
                "scored": place.scored,
                "people": place.people,
                "people_with_two": place.groups,
            }
            for place in where
        ],
        "runs": [],
        "grid": [],
    }
    for name in options.methods:
        runs, grid = compare(name, where, limits, oracle=not options.default_only)
        result["runs"] += runs
        result["grid"] += grid
    print(lines(result), flush=True)
    save(result, options.table, options.plot)


if __name__ == "__main__":
    main()
