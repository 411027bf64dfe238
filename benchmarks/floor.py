"""What of a picture's processor time are the networks, each by what it looks at, and what is all else.

Pictures spread over a set are decoded and analysed on one thread: milliseconds of processor time a picture, and how
many pictures each network got for one of them. `networks`: the sum of theirs. `least`: one look of 256×256 pixels at
each picture and one embedding a face, in the faster arithmetic, and nothing else, not even decoding. `opencv`: OpenCV's
recipe on the same pictures, as in peers.py, which says what PEERS is. JSON out.

    python benchmarks/floor.py PEERS/bin/python --data DATA lfw_a meeting > benchmarks/results/floor.json
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import peers
from unmingle.faces import detect, recipe, rotation
from unmingle.faces.recipe import FaceRecipe
from unmingle.models.runtime import import_openvino
from unmingle.settings import DetectionSettings, EngineSettings
from unmingle.sources.decoding import name_of, open_pyramid
from unmingle.sources.images import digest, read_bytes, scan
from unmingle.store.result_tables import spread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from unmingle.models.runtime import Session

AT_ONCE = 32
# Functions with time of their own, by what they do; what they call and is named here is not counted with them.
PARTS: tuple[tuple[Any, str, str], ...] = (
    (detect, "_canvas", "canvases"),
    (rotation, "cut", "faces cut out to be read"),
    (recipe, "align", "alignment"),
    (recipe, "measure", "quality"),
    (recipe, "thumbnail", "thumbnails"),
    (recipe, "of_picture", "fingerprints"),
)


class Clock:
    """Processor time by part, each without the parts inside it."""

    def __init__(self) -> None:
        self.spent: Counter[str] = Counter()
        self.count: Counter[str] = Counter()
        self._inner = [0.0]

    @contextmanager
    def part(self, name: str, count: int = 1) -> Iterator[None]:
        """Count what runs inside as this part's."""
        start = time.process_time()
        self._inner.append(0.0)
        yield
        took = time.process_time() - start
        self.spent[name] += took - self._inner.pop()
        self.count[name] += count
        self._inner[-1] += took

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, timed."""

        def run(*args: Any, **more: Any) -> Any:
            with self.part(name):
                return function(*args, **more)

        return run


class Timed:
    """A session, timed."""

    def __init__(self, session: Session, name: str, clock: Clock) -> None:
        self.precision = session.precision
        self._session, self._name, self._clock = session, f"{name} {session.precision}", clock

    def __call__(self, batch: NDArray[Any]) -> dict[str, NDArray[np.float32]]:
        """See `Session`."""
        with self._clock.part(f"{self._name} {batch.shape[2]}×{batch.shape[1]}", len(batch)):
            return self._session(batch)


def one_look(session: Session) -> float:
    """Seconds a canvas of 256×256."""
    canvases = np.zeros((16, 256, 256, 3), np.uint8)
    session(canvases)
    took = []
    for _ in range(9):
        start = time.process_time()
        session(canvases)
        took.append((time.process_time() - start) / len(canvases))
    return float(np.median(took))


def by_opencv(interpreter: str, files: list[Path]) -> float:
    """Seconds of processor time of OpenCV's recipe, its start included."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as listing:
        listing.write("\n".join(map(str, files)))
        listing.flush()
        words = [interpreter, peers.__file__, "--way", "opencv", listing.name, str(peers.models())]
        return peers.run(words)[1]["processor"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peers", help="the interpreter that has OpenCV's recipe")
    parser.add_argument("sets", nargs="+")
    parser.add_argument("--data", type=Path, default=os.environ.get("UNMINGLE_DATA"))
    parser.add_argument("--each", type=int, default=512)
    options = parser.parse_args()
    clock = Clock()
    faces = FaceRecipe(DetectionSettings(), EngineSettings(threads=1))
    opened = faces._networks
    look = one_look(opened[1])
    named = zip(opened, ("YuNet", "YuNet", "SFace"), strict=True)
    faces.__dict__["_networks"] = tuple(Timed(network, name, clock) for network, name in named)
    for module, function, name in PARTS:
        setattr(module, function, clock.timed(name, getattr(module, function)))
    result: dict[str, Any] = {"processor": import_openvino().Core().get_property("CPU", "FULL_DEVICE_NAME")}
    for name in options.sets:
        files = [file for file in scan([Path(options.data, name)]).files if not file.is_recording]
        chosen = [files[i] for i in spread(len(files), options.each)]
        found = 0
        for start in range(-AT_ONCE, len(chosen), AT_ONCE):
            if start == 0:  # whatever was new to the networks was computed before
                clock.spent.clear()
                clock.count.clear()
                found = 0
            with clock.part("reading and decoding"):
                contents = [read_bytes(file) for file in chosen[max(start, 0) :][:AT_ONCE]]
                pictures = [open_pyramid(content) for content in contents]
                _ = [(digest(content), name_of(picture)) for content, picture in zip(contents, pictures, strict=True)]
            with clock.part("all else"):
                found += sum(len(one.faces) for one in faces.analyse(pictures))
        count = len(chosen)
        embedding = next(part for part in clock.spent if part.startswith("SFace"))
        networks = sum(spent for part, spent in clock.spent.items() if part.startswith(("YuNet", "SFace")))
        result[name] = {
            "pictures": count,
            "faces": found,
            "milliseconds": round(1000 * sum(clock.spent.values()) / count, 2),
            "networks": round(1000 * networks / count, 2),
            "least": round(1000 * (look + clock.spent[embedding] / count), 2),
            "opencv": round(1000 * by_opencv(options.peers, [file.path for file in chosen]) / count, 2),
            "parts": {
                part: {"milliseconds": round(1000 * spent / count, 3), "a picture": round(clock.count[part] / count, 3)}
                for part, spent in clock.spent.most_common()
            },
        }
    print(json.dumps(result, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
