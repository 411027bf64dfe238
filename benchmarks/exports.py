"""Exports and imports at size: what a round trip keeps, how fast folders are made, what a kill leaves.

    python benchmarks/exports.py [--pictures 1000] [--faces 100000] [--people 5000] [--kills 20] [--data FOLDER]

Pictures and libraries are generated: pictures of nothing in all eight orientations, with faces as boxes, some of them
over the border, and vectors. JSON on stdout:

round_trip   library → xmp → new library that was grouped on its own: names that came back, how far regions are off at
             most, in pixels of the upright picture, as ExifTool reads them from the sidecars; and once more with the
             regions embedded into copies. ExifTool has to be installed.
folders      seconds to export all faces to folders by hard link, and once more when all are there
interrupted  exports by copy that were killed at random moments and repeated: how many gave another tree than one that
             was left alone
data         with --data, the round trip of the pictures in FOLDER as `unmingle cluster` finds and groups them, each
             person named
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from unmingle import jobs
from unmingle.api import ExportOptions, Library
from unmingle.decisions.assignment import Measured, store_assignment
from unmingle.decisions.state import State
from unmingle.records import Analysis, Faces, Triage
from unmingle.settings import GroupingSettings
from unmingle.sources.images import scan
from unmingle.sources.regions import to_upright
from unmingle.store import analyses
from unmingle.store.face_query import pictures as stored_pictures
from unmingle.store.face_rows import faces_to_group
from unmingle.store.file_rows import WALKED
from unmingle.store.sqlite import open_to_read, open_to_write

if TYPE_CHECKING:
    from unmingle.store.sqlite import Store

RECIPE = "faces-made-up"
SIZE = (640, 480)  # upright
MOST = 4  # faces of a picture


def draw(folder: Path, count: int, upright: tuple[int, int] = SIZE) -> None:
    for number in range(count):
        path = folder / f"{number // 1000:03}" / f"IMG_{number:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        orientation = number % 8 + 1
        exif = Image.Exif()
        exif[0x0112] = orientation
        size = upright if orientation < 5 else upright[::-1]
        # The comment makes each a content of its own.
        Image.new("RGB", size, (number % 256, 90, 90)).save(path, exif=exif, quality=30, comment=str(number))


def make(folder: Path, source: Path, people: int, *, given: bool = False, seed: int = 0) -> Library:
    """A library of the pictures; the same seed gives the same faces.

    Args:
        folder: of the library.
        source: the pictures.
        people: how many are in them.
        given: each picture shows one person, and who is given; else several, and the faces are grouped.
        seed: of the faces.
    """
    who_of: dict[str, int] = {}
    choose = np.random.default_rng(seed)
    centres = choose.normal(size=(people, 64)).astype(np.float32)
    with open_to_write(folder) as store:
        store.recipe = RECIPE
        store.set_fact(WALKED, json.dumps([str(source)]))
        known = analyses.register(store, scan([source]), RECIPE)
        with store.transaction() as connection:
            for file in sorted(known):
                content = file.path.read_bytes()
                status = file.path.stat()
                digest = hashlib.sha256(content).hexdigest()
                analyses.note_read(connection, known[file].row, status.st_size, status.st_mtime_ns, digest, "")
                who = choose.choice(people, 1 if given else int(choose.integers(1, MOST + 1)), replace=False)
                who_of[digest] = int(who[0])
                analyses.add_analysis(connection, digest, RECIPE, "f32", faces_of(choose, centres[who]))
        if given:
            hand_over(store, who_of)
        else:
            jobs.cluster(store, GroupingSettings())
    return Library(folder, views="on request")


def hand_over(store: Store, who_of: dict[str, int]) -> None:
    """Store people as a grouping would have found them, by the digests of their pictures."""
    with store.transaction():
        state = State.read(store)
    grouped = faces_to_group(store)
    digest = dict(store.connection.execute("SELECT face.id, digest FROM face JOIN analysis ON analysis.id = analysis"))
    labels = np.unique([who_of[digest[face]] for face in grouped.ids.tolist()], return_inverse=True)[1]
    sure = np.ones(len(labels))
    store_assignment(store, grouped, Measured(labels, np.ones(labels.max() + 1), sure, sure), state)


def faces_of(choose: np.random.Generator, centres: np.ndarray[Any, Any]) -> Analysis:
    n = len(centres)
    vectors = (centres + 0.4 * choose.normal(size=(n, 64))).astype(np.float32)
    # Each in a column of its own, so that none hides another; up to a third of it over the border.
    side = choose.uniform(40, 120, (n, 2))
    left = np.arange(n) * SIZE[0] / MOST + choose.uniform(-13, 30, n)
    top = choose.uniform(-side[:, 1] / 3, SIZE[1] - side[:, 1] * 2 / 3)
    boxes = np.column_stack([left, top, side]).astype(np.float32)
    faces = Faces(boxes, np.ones((n, 5, 2), np.float32), np.ones(n, np.float32))
    return Analysis(*SIZE, faces, vectors, np.ones(n, np.float32), (b"",) * n, Triage.alike(n))


def names(library: Library) -> dict[tuple[str, int], str]:
    rows = library.faces.select("file", "face", "name").iter_rows()
    return {(file, face): name for file, face, name in rows if name}


def name_all(library: Library) -> None:
    for number, person in enumerate(library.people["person"].to_list()):
        library.name(person, f"Person № {number} <&>")


def round_trip(library: Library, other: Library, folder: Path, *, embed: bool) -> dict[str, Any]:
    out = folder / f"xmp-{other.folder.name}"
    start = time.perf_counter()
    exported = library.export("xmp", out, ExportOptions(embed=embed))
    middle = time.perf_counter()
    imported = other.import_names(out)
    end = time.perf_counter()
    before, after = names(library), names(other)
    kept = sum(after.get(face) == name for face, name in before.items())
    return {
        "files": exported.written,
        "left_out": len(exported.left_out),
        "named_faces": len(before),
        "names_that_came_back": kept,
        "names_too_many": len(after.keys() - before.keys()),
        "not_taken": len(imported.left),
        "export_s": round(middle - start, 2),
        "import_s": round(end - middle, 2),
        **by_exiftool(library, out),
    }


def by_exiftool(library: Library, out: Path) -> dict[str, Any]:
    """How far the regions that ExifTool reads are from the boxes, cut off at the border."""
    words = ["exiftool", "-struct", "-json", "-n", "-r", "-RegionInfo", "-Orientation", str(out)]
    told = json.loads(subprocess.run(words, capture_output=True, check=True).stdout)
    regions = {os.path.relpath(one["SourceFile"], out).removesuffix(".xmp"): one for one in told}
    worst, wrong, read = 0.0, 0, 0
    with open_to_read(library.folder) as store:
        for picture in stored_pictures(store):
            named = [face for face in picture.faces if face.name]
            one = regions.get(picture.held.file.name, {"RegionInfo": {"RegionList": []}})
            listed = one["RegionInfo"]["RegionList"]
            read += bool(listed)
            wrong += [face.name for face in named] != [region["Name"] for region in listed]
            for face, region in zip(named, listed, strict=False):
                area = tuple(float(region["Area"][side]) for side in "XYWH")
                x, y, width, height = to_upright(area, one.get("Orientation", 1))  # type: ignore[arg-type]
                size = np.array([picture.width, picture.height])
                found = np.concatenate(
                    [(np.array([x, y]) + sign * np.array([width, height]) / 2) * size for sign in (-1, 1)]
                )
                left, top, wide, high = face.box
                wanted = np.clip([left, top, left + wide, top + high], 0, np.tile(size, 2))
                worst = max(worst, float(np.abs(found - wanted).max()))
    return {"read_by_exiftool": read, "pictures_with_other_names": wrong, "worst_pixels": round(worst, 4)}


def folders(library: Library, folder: Path) -> dict[str, Any]:
    times, outcomes = [], []
    for _ in range(2):
        start = time.perf_counter()
        outcomes.append(library.export("folders", folder / "by-person", ExportOptions(how="hardlink")))
        times.append(round(time.perf_counter() - start, 2))
    first, again = outcomes
    return {
        "files": first.written - 1,
        "folders": len(first.folders),
        "seconds": times[0],
        "again_there": again.there,
        "again_seconds": times[1],
    }


def tree(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def interrupted(library: Library, folder: Path, kills: int) -> dict[str, Any]:
    """Kill exports at random moments of their work, repeat them, and compare."""
    chance = random.Random(0)
    results = {}
    for target in ("folders", "xmp"):
        words = [sys.executable, "-m", "unmingle", "export", str(library.folder), "--to", target, "-q", "-o"]
        work = begun_and_ended([*words, str(folder / f"whole-{target}")], folder / f"whole-{target}")
        wanted = tree(folder / f"whole-{target}")
        differ = cut_short = 0
        for number in range(kills):
            out = folder / f"killed-{target}-{number}"
            begun_and_ended([*words, str(out)], out, kill_after=chance.uniform(0, work))
            cut_short += tree(out) != wanted
            subprocess.run([*words, str(out)], check=True)
            differ += tree(out) != wanted
        results[target] = {"killed": kills, "cut_short": cut_short, "other_trees": differ}
    return results


def begun_and_ended(words: list[str], out: Path, *, kill_after: float | None = None) -> float:
    """Run an export; the seconds from its first file to its end, which is a kill if one is asked for."""
    process = subprocess.Popen(words)
    while not out.exists() and process.poll() is None:
        time.sleep(0.001)
    start = time.perf_counter()
    try:
        process.wait(kill_after)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
    return time.perf_counter() - start


def with_data(data: Path, folder: Path) -> dict[str, Any]:
    made = []
    for name in ("data", "data-again"):
        library = Library(folder / name, views="on request")
        library.add(data)
        library.cluster(sheets=0)
        made.append(library)
    name_all(made[0])
    return round_trip(*made, folder, embed=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--faces", type=int, default=100_000)
    parser.add_argument("--people", type=int, default=5000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--data", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        draw(folder / "pictures", options.pictures)
        library = make(folder / "library", folder / "pictures", 40)
        name_all(library)
        result: dict[str, Any] = {"pictures": options.pictures, "round_trip": {}}
        for way in ("sidecars", "embedded"):
            other = make(folder / way, folder / "pictures", 40)
            result["round_trip"][way] = round_trip(library, other, folder, embed=way == "embedded")
        sys.stderr.write("round trip done\n")
        result["interrupted"] = interrupted(library, folder, options.kills)
        sys.stderr.write("kills done\n")
        draw(folder / "many", options.faces, (64, 48))
        many = make(folder / "large", folder / "many", options.people, given=True)
        sys.stderr.write("large library made\n")
        result["folders"] = {"faces": options.faces, **folders(many, folder)}
        if options.data:
            result["data"] = with_data(options.data, folder)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
