"""What files take that are small and ask for gigabytes or minutes: memory at most, and seconds.

    python benchmarks/bombs.py [--folder FOLDER] [--only WORD] [-o FILE]

Each bomb (see `fuzzing/bombs.py`) goes alone through the command line, in a process of its own: pictures are grouped,
once alone and once in a folder with good ones, tables are labels, sidecars are imported. At the end all pictures lie in
one folder. None may end the job: whoever shares a folder with them has to be found.

peak_mb, seconds      of the whole process, its models included; seconds of processor time
answer                what became of it: the status of its row, or what the command said
good_faces            found among the good pictures that lay beside it
JSON on stdout.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

GOOD = 24  # pictures of made-up people
HERE = Path(__file__).parent
GOOD_PICTURES = """
import sys
from fuzzing.mutants import portrait
from madeup.portraits import encode
for i in range(int(sys.argv[2])):
    with open(f"{sys.argv[1]}/good{i:02}.jpg", "wb") as file:
        file.write(encode(portrait(i % 6, i, 512), 90))
"""


def command(*words: str | Path) -> tuple[dict[str, Any], str]:
    """Run unmingle; what it took, and what it said."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen([sys.executable, "-m", "unmingle", *map(str, words)], stdout=said, stderr=said)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read().decode("utf-8", "replace")
    took = {
        "peak_mb": round(used.ru_maxrss / 1e6 * 1024),
        "seconds": round(used.ru_utime + used.ru_stime, 1),
        "exit": process.returncode,
    }
    return took, text


def grouped(folder: Path) -> dict[str, Any]:
    """Group a folder's pictures; what it took, the rows of bombs, and how many good faces were found."""
    with tempfile.TemporaryDirectory() as place:
        took, text = command("cluster", folder, "-o", f"{place}/library", "--quiet")
        try:
            with Path(place, "library", "faces.csv").open(encoding="utf-8", newline="") as file:
                rows = list(csv.DictReader(file))
        except OSError:
            return {**took, "answer": text[-300:], "good_faces": 0}
    bombs = [row["reason"] or row["status"] for row in rows if not row["file"].startswith("good")]
    faces = {row["file"] for row in rows if row["file"].startswith("good") and row["status"] in {"clustered", "alone"}}
    return {**took, "answer": bombs[0] if len(bombs) == 1 else f"{len(bombs)} rows", "good_faces": len(faces)}


def handed_over(words: tuple[str | Path, ...]) -> dict[str, Any]:
    """Hand a file to a command; what it took, and the first of its last lines."""
    took, text = command(*words)
    return {**took, "answer": " ".join(text.split())[:200]}


def measure(place: Path, only: str) -> dict[str, Any]:
    """All bombs, one after the other."""
    good, alone, library = place / "good", place / "alone", place / "library"
    if not good.exists():
        good.mkdir()
        subprocess.run([sys.executable, "-c", GOOD_PICTURES, good, str(GOOD)], check=True)
        subprocess.run([sys.executable, "-m", "fuzzing.bombs", place], check=True)
    for left in (alone, library):
        shutil.rmtree(left, ignore_errors=True)
    command("cluster", good, "-o", library, "--quiet")
    results: dict[str, Any] = {"good_alone": grouped(good), "pictures": {}, "tables": {}, "sidecars": {}}
    bombs = sorted((place / "pictures").iterdir())
    for bomb in [one for one in bombs if only in one.name]:
        alone.mkdir()
        (alone / bomb.name).hardlink_to(bomb)
        single = grouped(alone)
        for picture in good.iterdir():
            (alone / picture.name).hardlink_to(picture)
        told = {"bytes": bomb.stat().st_size, "alone": single, "with_good": grouped(alone)}
        results["pictures"][bomb.name] = told
        _say(bomb.name, told)
        shutil.rmtree(alone)
    for door in ("tables", "sidecars"):
        for bomb in sorted(one for one in (place / door).iterdir() if only in one.name):
            words = ("evaluate", library, "--labels", bomb) if door == "tables" else ("import", library, bomb)
            told = {"bytes": bomb.stat().st_size, "alone": handed_over(words)}
            results[door][bomb.name] = told
            _say(bomb.name, told)
    if only in {"", "all"}:
        for one in (*bombs, *good.iterdir()):
            alone.mkdir(exist_ok=True)
            (alone / one.name).hardlink_to(one)
        results["all_in_one_folder"] = {"bombs": len(bombs), "good": GOOD, **grouped(alone)}
    return results


def _say(name: str, told: dict[str, Any]) -> None:
    sys.stderr.write(f"{name} {json.dumps(told)}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where bombs are kept, and found again")
    parser.add_argument("--only", default="", help="bombs whose name holds this, or `all` pictures together")
    parser.add_argument("-o", "--output", type=Path, help="keep results there, with those of before")
    options = parser.parse_args()
    paths = [str(HERE), str(HERE.parent / "tools"), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    with tempfile.TemporaryDirectory() as place:
        found = measure(options.folder or Path(place), options.only)
    if options.output and options.output.exists():
        before = json.loads(options.output.read_text(encoding="utf-8"))
        found |= {door: before[door] | found[door] for door in ("pictures", "tables", "sidecars")}
        found = before | found
    text = json.dumps(found, indent=1)
    print(text)
    if options.output:
        options.output.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
