"""What each look at a picture adds, and what it costs: looks, tiles, turns and second readings.

    python benchmarks/looks.py DATA [--each 60] [--photographs 6]

Of each development set so many pictures, spread over all, and made-up photographs of 12 megapixels are analysed with
all looks and, batch by batch in turn, without one of them. For each way: how many faces and candidates (faces that may
but join) it finds fewer than all do, and by how much processor time of the whole analysis it is cheaper. A second
reading finds nobody: what its landmarks are worth is in landmarks.py. JSON on stdout.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from twelve_megapixels import make
from unmingle.faces import detect
from unmingle.faces.recipe import FaceRecipe
from unmingle.records import Faces
from unmingle.settings import DetectionSettings, EngineSettings
from unmingle.sources.decoding import decode
from unmingle.sources.images import read_bytes, scan
from unmingle.store.result_tables import spread

if TYPE_CHECKING:
    from collections.abc import Sequence

SETS = ("meeting", "lfw_a", "pins_a", "umist", "families_a", "sitcom", "masked", "nonface")
AT_ONCE = 16
SURE = DetectionSettings().min_score
# What stands in a function's or constant's place where its look is left out.
WITHOUT: dict[str, dict[str, Any]] = {
    "all looks": {},
    "second looks": {"SECOND": ()},
    "wide looks": {"WIDE": ()},
    "tiles": {"in_tiles": lambda session, picture, settings: Faces.none()},
    "a turn of weak candidates": {"_rescued": lambda session, pictures, seen, settings: list(seen)},
    "quarter turns": {"_lying": lambda session, pictures, settings: [0] * len(pictures), "_vote": lambda faces: 0},
    "even contrast": {"_look_evened": lambda session, pictures, found, settings: None},
    "second reading": {"read_again": lambda session, pictures, found: list(found)},
    "a third reading, upright": {"turn_upright": lambda session, finder, pictures, found: list(found)},
}


def analysed(recipe: FaceRecipe, pictures: Sequence[Any], without: dict[str, Any]) -> tuple[int, int, float]:
    """Faces, candidates, and processor seconds."""
    kept = {name: getattr(detect, name) for name in without}
    for name, other in without.items():
        setattr(detect, name, other)
    try:
        start = time.process_time()
        found = recipe.analyse(pictures)
        took = time.process_time() - start
        # As `analyse` stores them: where there is no sure face, the best candidate has its place.
        seen = [len(one.faces) if (one.faces.scores >= SURE).any() else 0 for one in found]
    finally:
        for name, own in kept.items():
            setattr(detect, name, own)
    return sum(seen), sum(len(one.faces) for one in found) - sum(seen), took


def measured(recipe: FaceRecipe, folder: Path, count: int) -> dict[str, Any]:
    files = scan([folder]).files
    files = tuple(file for file in files if not file.is_recording)
    chosen = [files[i] for i in spread(len(files), count)]
    totals: defaultdict[str, np.ndarray] = defaultdict(lambda: np.zeros(3))
    for start in range(0, len(chosen), AT_ONCE):
        pictures = [decode(read_bytes(file)) for file in chosen[start : start + AT_ONCE]]
        recipe.analyse(pictures)  # whatever shapes are new to the networks
        turn = start // AT_ONCE % len(WITHOUT)  # nobody is always first
        for way in [*WITHOUT][turn:] + [*WITHOUT][:turn]:
            totals[way] += analysed(recipe, pictures, WITHOUT[way])
    faces, candidates, seconds = totals.pop("all looks").tolist()
    return {
        "pictures": len(chosen),
        "faces": int(faces),
        "candidates": int(candidates),
        "milliseconds": round(1000 * seconds / len(chosen), 1),
        "looks": {
            way: {
                "faces": int(faces - fewer),
                "candidates": int(candidates - others),
                "cost": round((seconds - took) / seconds, 3),
            }
            for way, (fewer, others, took) in totals.items()
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--each", type=int, default=60)
    parser.add_argument("--photographs", type=int, default=6)
    args = parser.parse_args()
    recipe = FaceRecipe(DetectionSettings(), EngineSettings(threads=1))
    result = {name: measured(recipe, args.data / name, args.each) for name in SETS}
    with tempfile.TemporaryDirectory() as place:
        make(Path(place), args.data, args.photographs)
        result["12 megapixels"] = measured(recipe, Path(place), args.photographs)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
