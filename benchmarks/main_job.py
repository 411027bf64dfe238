"""The main job, whole: `unmingle cluster` and `unmingle evaluate` on folders of pictures, each in a fresh process.

For each data set: pictures a second, peak memory, and the scores. Results go to standard output as JSON.

    python benchmarks/main_job.py --data DATA meeting johns sitcom lfw_a
    python benchmarks/main_job.py --data DATA --growth lfw_a

DATA is a folder with one folder a data set, as UNMINGLE_DATA names it. `--growth` runs on a half and on the whole, for
how memory grows with the number of pictures.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COMMAND = [sys.executable, "-m", "unmingle"]


def run(*words: str | Path) -> tuple[float, int, str]:
    """Seconds, peak resident bytes, and standard output of one command."""
    start = time.perf_counter()
    process = subprocess.Popen([*COMMAND, *map(str, words)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"unmingle {' '.join(map(str, words))} ended with {process.returncode}")
    return time.perf_counter() - start, usage.ru_maxrss * 1024, out


def source_and_labels(data: Path, name: str) -> tuple[Path, str | Path]:
    """The pictures of a data set and what labels them: a workbook beside a folder `faces`, or its folders."""
    folder = data / name
    if (folder / "annotations.xlsx").is_file():
        return folder / "faces", folder / "annotations.xlsx"
    return folder, "folders"


def measure(source: Path, labels: str | Path, words: list[str]) -> dict[str, object]:
    """Cluster and evaluate one source in a library of its own."""
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "library"
        seconds, memory, out = run("cluster", source, "-o", library, "--quiet", "--json", *words)
        again, _, _ = run("cluster", source, "-o", library, "--quiet", *words)
        _, _, report = run("evaluate", library, "--labels", labels, "--json")
    summary, evaluation = json.loads(out), json.loads(report)
    scores, aside = evaluation["scores"], evaluation["set_aside"]
    return {
        "files": summary["files"],
        "faces": summary["faces"],
        "seconds": round(seconds, 1),
        "pictures_a_second": round(summary["files"] / seconds, 1),
        "seconds_of_a_second_run": round(again, 1),
        "peak_memory_mb": round(memory / 1e6),
        "stages": summary["seconds"],
        "people_in_library": evaluation["people_in_library"],
        "people_true": scores["people_true"],
        "accuracy": round(scores["accuracy"], 4),
        "accuracy_covered": round(scores["accuracy_covered"], 4),
        "weighted_f1": round(scores["weighted_f1"], 4),
        "pairwise_f": round(scores["pairwise"]["f1"], 4),
        "bcubed_f": round(scores["bcubed"]["f1"], 4),
        "nonface_recall": aside["nonface_recall"],
        "face_loss": aside["face_loss"],
    }


def half_of(source: Path, folder: Path) -> Path:
    """A folder with every second sub-folder or file of `source`."""
    for entry in sorted(source.iterdir())[::2]:
        (shutil.copytree if entry.is_dir() else shutil.copy)(entry, folder / entry.name)
    return folder


def main() -> None:
    """Measure each data set named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=os.environ.get("UNMINGLE_DATA") is None)
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("sets", nargs="+")
    known, words = parser.parse_known_args()
    data = known.data or Path(os.environ["UNMINGLE_DATA"])
    result: dict[str, object] = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    for name in known.sets:
        source, labels = source_and_labels(data, name)
        result[name] = measure(source, labels, words)
        if known.growth:
            with tempfile.TemporaryDirectory() as folder:
                result[f"half of {name}"] = measure(half_of(source, Path(folder)), "folders", words)
        print(json.dumps({name: result[name]}), file=sys.stderr)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
