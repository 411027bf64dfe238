"""How much faster are the classic recipe's features than the notebook's own loop?

Both see the same pictures and weights, in turns, in the same run: JPEG file in, fc2 vector out. The notebook's loop is
Keras, one `predict` a picture; ours is VGG16 as an ONNX graph in batches. Prints JSON.

    python benchmarks/classic.py --seed-python PATH [--pictures 64] [--rounds 3] [--data FOLDER] [--weights FILE]

PATH is an interpreter with TensorFlow and Keras (pip install tensorflow-cpu, in an environment of its own). Without it
this interpreter is taken, with Keras on JAX if that is installed, and if not only our side is measured.
Without --data the pictures are made-up noise; without --weights the weights are random: neither changes the work.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from unmingle.models.runtime import available_cores, open_session, resolve_precision
from unmingle.models.vgg16 import BATCH, build_vgg16, to_224
from unmingle.settings import EngineSettings
from vgg16_weights import random_weights, write_weights

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unmingle.models.runtime import Session
    from unmingle.records import F32, U8

HERE = Path(__file__).parent


def main() -> None:
    options = arguments()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = pictures(options, folder)
        weights = options.weights or write_weights(folder / "random.h5", random_weights())
        built = build_vgg16(weights, features="fc2", destination=folder / "fc2.onnx", allow_other_weights=True)
        ours = open_session(built, EngineSettings(engine=options.engine, precision=options.precision))
        extract(ours, files[:BATCH])  # warm
        with seed_loop(options.seed_python, weights, files, folder) as seed:
            result = measure(ours, seed, files, options.rounds)
            if seed is not None:
                result |= agreement(extract(ours, files), np.load(seed.features), seed.versions)
    precision = resolve_precision(options.precision)
    print(json.dumps({**result, "precision": precision, **circumstances(), "pictures": len(files)}, indent=2))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed-python", type=Path, help="interpreter with Keras and TensorFlow")
    parser.add_argument("--pictures", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", type=Path, help="folder of crops; its first pictures are taken")
    parser.add_argument("--weights", type=Path, help="Keras' published VGG16 weights (h5)")
    parser.add_argument("--engine", choices=["auto", "openvino", "onnxruntime"], default="openvino")
    parser.add_argument("--precision", choices=["auto", "f32", "bf16"], default="auto")
    return parser.parse_args()


def pictures(options: argparse.Namespace, folder: Path) -> list[Path]:
    if options.data is not None:
        found = sorted(file for file in options.data.rglob("*") if file.suffix.lower() in {".jpg", ".jpeg", ".png"})
        if not found:
            sys.exit(f"No pictures in {options.data}.")
        return found[: options.pictures]
    rng = np.random.default_rng(1)
    files = []
    for i in range(options.pictures):
        files.append(folder / f"crop_{i:04}.jpg")
        height, width = rng.integers(60, 200, 2)
        Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8)).save(files[-1], quality=88)
    return files


def as_keras_reads(file: Path) -> U8:
    """Without turning it as its EXIF orientation says, transparency dropped."""
    with Image.open(file) as picture:
        return to_224(np.asarray(picture.convert("RGB")))


def extract(session: Session, files: list[Path]) -> F32:
    """Our features of all files, as the pipeline makes them."""
    batches = (files[start : start + BATCH] for start in range(0, len(files), BATCH))
    return np.concatenate([session(np.stack([as_keras_reads(file) for file in batch]))["fc2"] for batch in batches])


class SeedLoop:
    """The notebook's loop in its own process, one round at a time."""

    def __init__(self, process: subprocess.Popen[str], features: Path) -> None:
        self._process = process
        self.features = features
        self.versions = self._answer()

    def round(self) -> float:
        """Seconds for all pictures."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(self._answer()["seconds"])

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):
                answer: dict[str, Any] = json.loads(line)
                return answer
        sys.exit("The notebook's loop ended; its message is above.")


@contextlib.contextmanager
def seed_loop(python: Path | None, weights: Path, files: list[Path], folder: Path) -> Iterator[SeedLoop | None]:
    if python is None and not (importlib.util.find_spec("keras") and importlib.util.find_spec("jax")):
        print("No Keras here and no --seed-python: only our side is measured.", file=sys.stderr)
        yield None
        return
    listing = folder / "pictures.txt"
    listing.write_text("\n".join(map(str, (file.resolve() for file in files))), encoding="utf-8")
    backend = "tensorflow" if python else "jax"
    environment = {**os.environ, "KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu", "TF_CPP_MIN_LOG_LEVEL": "2"}
    command = [str(python or sys.executable), str(HERE / "seed_loop.py"), str(weights.resolve()), str(listing)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    with process:
        yield SeedLoop(process, listing.with_suffix(".npy"))
        assert process.stdin is not None
        process.stdin.close()


def measure(ours: Session, seed: SeedLoop | None, files: list[Path], rounds: int) -> dict[str, Any]:
    """Rates of each round, in turns, so that what else the machine does falls on both."""
    our_rates, seed_rates = [], []
    for _ in range(rounds):
        if seed is not None:
            seed_rates.append(len(files) / seed.round())
        start = time.perf_counter()
        extract(ours, files)
        our_rates.append(len(files) / (time.perf_counter() - start))
    result: dict[str, Any] = {"ours_per_second": [round(rate, 2) for rate in our_rates]}
    if seed is not None:
        result["seed_per_second"] = [round(rate, 2) for rate in seed_rates]
        ratios = [mine / theirs for mine, theirs in zip(our_rates, seed_rates, strict=True)]
        result["ratio_of_each_round"] = [round(ratio, 2) for ratio in ratios]
        result["ratio"] = round(statistics.median(ratios), 2)
        result["ratio_of_best_rounds"] = round(max(our_rates) / max(seed_rates), 2)
    return result


def agreement(ours_nd: F32, seed_nd: F32, versions: dict[str, Any]) -> dict[str, Any]:
    cosines = (ours_nd * seed_nd).sum(axis=1) / np.linalg.norm(ours_nd, axis=1) / np.linalg.norm(seed_nd, axis=1)
    error = np.abs(ours_nd - seed_nd).max(axis=1) / np.abs(seed_nd).max(axis=1)
    return {
        "lowest_cosine": round(float(cosines.min()), 7),
        "largest_relative_error": float(f"{error.max():.2g}"),
        "seed_versions": versions,
    }


def circumstances() -> dict[str, Any]:
    cpuinfo = Path("/proc/cpuinfo")
    text = cpuinfo.read_text(encoding="utf-8") if cpuinfo.exists() else ""
    model = next((line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")), "")
    return {
        "processor": model or platform.processor(),
        "amx": "amx_bf16" in text if text else None,
        "cores": available_cores(),
        "versions": {name: importlib.metadata.version(name) for name in ("unmingle", "openvino", "numpy")},
        "python": platform.python_version(),
    }


if __name__ == "__main__":
    main()
