"""Freezes what the program does on a set of collections, so that a change can be shown to change nothing.

    python tools/freeze.py write BEFORE --data DATA meeting johns sitcom
    python tools/freeze.py write AFTER --data DATA --from BEFORE meeting johns sitcom
    python tools/freeze.py compare BEFORE AFTER

`write` clusters each collection and writes its tables, its scores, and the answers of a walk over the commands and the
review page's API. With `--from`, pictures that an earlier run analysed are not analysed again: only grouping and what
comes after it is compared, in minutes. `compare` prints what differs, and ends with 1 if anything does.
"""

from __future__ import annotations

import argparse
import difflib
import json
import re
import shutil
import sys
import time
from pathlib import Path
from typing import Any

COMMANDS = (
    ("people", "{library}", "--json"),
    ("name", "{library}", "1", "Ada", "--json"),
    ("merge", "{library}", "1", "2", "--json"),
    ("undo", "{library}", "--json"),
    ("ignore", "{library}", "--person", "3", "--json"),
    ("different", "{library}", "1", "4", "--json"),
    ("show", "{library}", "Ada", "--json"),
    ("log", "{library}", "--json"),
    ("undo", "{library}", "--json"),
    ("redo", "{library}", "--json"),
    ("name", "{library}", "999", "Nobody"),
    ("cluster", "{source}", "-o", "{library}", "--quiet"),
    ("people", "{library}"),
    ("export", "{library}", "-o", "{scratch}/table.csv", "--to", "csv"),
    ("models", "list"),
)
REQUESTS = (
    "/api/library",
    "/api/people?limit=20",
    "/api/people/1",
    "/api/people/1/faces?limit=20",
    "/api/left-out",
    "/api/left-out/faces?limit=20",
    "/api/questions",
    "/api/decisions",
    "/api/people/999",
    "/api/openapi.json",
)
TOKEN = "frozen"
VARIES = re.compile(r"\d{4}-\d\d-\d\dT[\d:.+Z]+|\d+(?:\.\d+)? (?:s|seconds)\b")


def source_and_labels(folder: Path) -> tuple[Path, str | Path]:
    """The pictures of a collection and what labels them: a workbook beside a folder `faces`, or its folders."""
    if (folder / "annotations.xlsx").is_file():
        return folder / "faces", folder / "annotations.xlsx"
    return folder, "folders"


def write(destination: Path, data: Path, names: list[str], before: Path | None) -> None:
    """Cluster each collection and write what came of it under `destination`."""
    import unmingle

    for name in names:
        start = time.perf_counter()
        folder = destination / name
        library_folder = folder / "library"
        folder.mkdir(parents=True, exist_ok=True)
        if before is not None and not library_folder.exists():
            shutil.copytree(before / name / "library", library_folder)
        source, labels = source_and_labels(data / name)
        library = unmingle.open(library_folder)
        library.add(source)
        library.cluster(sheets=0)
        faces = library.faces
        faces.drop("source").write_csv(folder / "faces.csv")
        library.people.write_csv(folder / "people.csv")
        evaluation = library.evaluate(labels)
        (folder / "scores.txt").write_text(repr(evaluation.scores) + "\n", encoding="utf-8")
        scratch = folder / "scratch"
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.copytree(library_folder, scratch / "library")
        (folder / "walk.txt").write_text(walk(scratch, source), encoding="utf-8")
        (folder / "http.txt").write_text(browse(scratch / "library"), encoding="utf-8")
        shutil.rmtree(scratch)
        print(f"{name}: {faces.height} rows, {time.perf_counter() - start:.0f} s", file=sys.stderr)


def walk(scratch: Path, source: Path) -> str:
    """What the commands print and how they end, one after another on one library."""
    from typer.testing import CliRunner

    from unmingle.cli.commands import app

    told = []
    for words in COMMANDS:
        spoken = [word.format(library=scratch / "library", source=source, scratch=scratch) for word in words]
        result = CliRunner().invoke(app, spoken)
        error = "" if result.exception is None else f"\n{type(result.exception).__name__}: {result.exception}"
        text = f"$ {' '.join(words)}\n{result.output}{error}\n[{result.exit_code}]\n"
        told.append(VARIES.sub("…", text.replace(str(scratch), "SCRATCH").replace(str(source), "SOURCE")))
    return "\n".join(told)


def browse(library: Path) -> str:
    """What the review page's server answers."""
    from fastapi.testclient import TestClient

    from unmingle.review.app import create_app
    from unmingle.review.auth import Auth

    told = []
    origin = "http://127.0.0.1:8000"
    with TestClient(create_app(library, Auth(TOKEN, origin)), base_url=origin) as client:
        client.get(f"/?token={TOKEN}")
        for address in REQUESTS:
            answer = client.get(address)
            body = json.dumps(answer.json(), indent=1, sort_keys=True, ensure_ascii=False)
            told.append(f"GET {address}\n{answer.status_code}\n{VARIES.sub('…', body)}\n")
    return "\n".join(told)


def partition(folder: Path) -> dict[tuple[str, ...], tuple[str, ...]]:
    """Each face with its status and the faces that it is together with, whatever their person's number."""
    import polars as pl

    rows = pl.read_csv(folder / "faces.csv", infer_schema=False).to_dicts()
    key: list[tuple[str, ...]] = [(row["file"], row.get("frame") or "", row["face"] or "") for row in rows]
    first: dict[Any, str] = {}
    found: dict[tuple[str, ...], tuple[str, ...]] = {}
    for one, row in zip(key, rows, strict=True):
        person = row["person"]
        together = "" if not person else first.setdefault(person, "/".join(one))
        found[one] = (row["status"] or "", row["reason"] or "", together)
    return found


def compare(before: Path, after: Path) -> int:
    """Print what differs between two frozen states; how many collections do."""
    different = 0
    for other in sorted(path.parent for path in after.glob("*/faces.csv")):
        folder = before / other.name
        old, new = partition(folder), partition(other)
        changed = [key for key in sorted(old.keys() | new.keys()) if old.get(key) != new.get(key)]
        for key in changed[:20]:
            print(f"{folder.name}: {'/'.join(key)}: {old.get(key)} -> {new.get(key)}")
        texts = 0
        for name in ("people.csv", "scores.txt", "walk.txt", "http.txt"):
            was, now = ((one / name).read_text(encoding="utf-8").splitlines() for one in (folder, other))
            difference = list(difflib.unified_diff(was, now, f"{folder.name}/{name}", "after", lineterm="", n=1))
            texts += bool(difference)
            print("\n".join(difference[:60]))
        print(f"{folder.name}: {len(old)} rows, {len(changed)} differ, {texts} texts differ")
        different += bool(changed or texts)
    return different


def main() -> None:
    """Write or compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(dest="what", required=True)
    writing = parts.add_parser("write")
    writing.add_argument("destination", type=Path)
    writing.add_argument("--data", type=Path, required=True)
    writing.add_argument("--from", dest="before", type=Path)
    writing.add_argument("sets", nargs="+")
    comparing = parts.add_parser("compare")
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    known = parser.parse_args()
    if known.what == "write":
        write(known.destination, known.data, known.sets, known.before)
    else:
        sys.exit(1 if compare(known.before, known.after) else 0)


if __name__ == "__main__":
    main()
