"""Photographs of 12 megapixels: the whole command beside Pillow, which only decodes the same files, on one thread.

Photographs are made up of faces of 60 to 600 pixels (head crops in `DATA/pins_a`, or the made-up cast without DATA) on
a background with texture, and saved as JPEG of quality 90. JSON out: seconds and processor time of both, how many
of the faces were found, and the scores of the people.

    python benchmarks/twelve_megapixels.py [--data DATA] [--photographs 40] [--keep FOLDER]
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image

from madeup.cast import CAST
from madeup.portraits import Look, Person, encode, render
from photographs import background, cut_faces, paste
from unmingle.faces.boxes import overlaps
from unmingle.models.yunet import open_yunet
from unmingle.settings import EngineSettings
from unmingle.sources.decoding import decode
from unmingle.sources.images import read_bytes, scan

if TYPE_CHECKING:
    from unmingle.records import F32, U8

WIDTH, HEIGHT = 4032, 3024
SMALLEST, LARGEST = 60, 600  # pixels of the face's box
PEOPLE, FACES = 24, 5  # of all photographs, and of each
GRAIN = 6.0  # of 255: the noise of a camera, which a decoder has to work for
SAME = 0.35


def people(data: Path | None) -> list[list[tuple[U8, F32]]]:
    """Cuttings of faces, by person."""
    session = open_yunet(EngineSettings(precision="f32"))
    if data is not None:
        folders = [folder for folder in sorted((data / "pins_a").iterdir()) if folder.is_dir()][:PEOPLE]
        return [cut_faces(session, [folder], 12) for folder in folders]
    with tempfile.TemporaryDirectory() as made:
        for seed in CAST:
            folder = Path(made) / str(seed)
            folder.mkdir()
            for look in range(12):
                picture = render(Person.from_seed(seed), Look.from_seed(look), 512)
                (folder / f"{look}.jpg").write_bytes(encode(picture, 95))
        return [cut_faces(session, [Path(made) / str(seed)], 12) for seed in CAST]


def make(folder: Path, data: Path | None, count: int) -> list[dict[str, object]]:
    """Write the photographs, and tell of each pasted face its file, person, size and box."""
    rng = np.random.default_rng(15)
    cast = [cuttings for cuttings in people(data) if cuttings]
    if data is None:
        empty = [np.asarray(rng.integers(0, 255, (64, 64, 3)), np.uint8) for _ in range(8)]
    else:
        empty = [decode(read_bytes(file)) for file in scan([data / "nonface"]).files[:60]]
    truth: list[dict[str, object]] = []
    for number in range(count):
        canvas = background(empty, WIDTH, HEIGHT, rng)
        noise = np.zeros((HEIGHT, WIDTH, 3), np.int8)
        cv2.randn(noise, 0, GRAIN)
        chosen = rng.choice(len(cast), FACES, replace=False)
        for place, person in enumerate(chosen):
            size = float(np.exp(rng.uniform(np.log(SMALLEST), np.log(LARGEST))))
            cutting, box = cast[person][int(rng.integers(len(cast[person])))]
            x, y = (2 * place + 1) * WIDTH // (2 * FACES), int(rng.integers(2 * size, HEIGHT - 2 * size))
            found = paste(canvas, cutting, box, size, (x, y))
            truth.append({"file": f"{number:03}.jpg", "person": int(person), "size": size, "box": found.tolist()})
        picture = np.clip(canvas.astype(np.int16) + noise, 0, 255).astype(np.uint8)
        Image.fromarray(picture).save(folder / f"{number:03}.jpg", quality=90)
    return truth


def command(source: Path, library: Path, words: list[str]) -> tuple[float, float, float]:
    """Seconds, processor time, and peak memory in MB of `unmingle cluster`."""
    start = time.perf_counter()
    done = [sys.executable, "-m", "unmingle", "cluster", str(source), "-o", str(library), "--quiet", *words]
    process = subprocess.Popen(done, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(done)} ended with {status}")
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def by_pillow(source: Path) -> tuple[float, float]:
    """Seconds and processor time of decoding all files in full."""
    start, busy = time.perf_counter(), time.process_time()
    for file in sorted(source.glob("*.jpg")):
        with Image.open(file) as picture:
            picture.convert("RGB")
    return time.perf_counter() - start, time.process_time() - busy


def scores(library: Path, truth: list[dict[str, object]]) -> dict[str, object]:
    """What of the pasted faces was found, by size, and how purely people hold one person."""
    with (library / "faces.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["left"]]
    pairs = []
    for face in truth:
        mine = [row for row in rows if Path(row["file"]).name == face["file"]]
        boxes = np.array([[float(row[name]) for name in ("left", "top", "width", "height")] for row in mine])
        shared = overlaps(np.array([face["box"]], np.float64), boxes.reshape(-1, 4))[0]
        if len(shared) and shared.max() > SAME:
            pairs.append((face["person"], mine[int(shared.argmax())]["person"]))
    by_person, by_true = Counter(mine for _, mine in pairs if mine), Counter(true for true, _ in pairs)
    both = Counter(pair for pair in pairs if pair[1])
    precision = sum(n * n / by_person[mine] for (_, mine), n in both.items()) / max(sum(both.values()), 1)
    recall = sum(n * n / by_true[true] for (true, _), n in both.items()) / max(len(pairs), 1)
    return {
        "faces": len(truth),
        "found": len(pairs),
        "others found": len(rows) - len(pairs),
        "bcubed_precision": round(precision, 4),
        "bcubed_recall": round(recall, 4),
    }


def main() -> None:
    """Make the photographs, and run both on them, one after the other, several times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("UNMINGLE_DATA"))
    parser.add_argument("--photographs", type=int, default=40)
    parser.add_argument("--keep", type=Path, help="folder for the photographs, which are made if it is empty")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("words", nargs="*", help="further words for unmingle cluster")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary) / "photographs"
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "truth.json").exists():
            data = None if arguments.data is None else Path(arguments.data)
            (folder / "truth.json").write_text(json.dumps(make(folder, data, arguments.photographs)))
        truth = json.loads((folder / "truth.json").read_text())
        runs = []
        for number in range(arguments.runs):
            library = Path(temporary) / f"library{number}"
            runs.append((*by_pillow(folder), *command(folder, library, arguments.words)))
        best = np.array(runs).min(axis=0)
        names = ("pillow_seconds", "pillow_processor", "unmingle_seconds", "unmingle_processor", "peak_memory_mb")
        result = dict(zip(names, best.round(2).tolist(), strict=True))
        print(json.dumps({**result, **scores(library, truth)}, indent=1))


if __name__ == "__main__":
    main()
