"""Meetings: is the number of people exactly right, and how many faces are in the right person?

Each folder within the given one is a meeting: crops in `faces` with `annotations.csv` or `.xlsx` beside it, or
recordings with the boxes as in `recordings.py`. JSON out:

- people, true: found and there; accuracy: of the labelled faces (of recordings: of the boxes that were found), those
  without a person wrong; covered: of those with one; left_out: the faces without, by status;
- in all: meetings, those with exactly the right number, those of an accuracy of at least 0.999.

Run it as: python benchmarks/meetings.py MEETINGS [--libraries FOLDER]   (libraries that are there are gone on with)
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from pathlib import Path

import polars as pl

from recordings import judge
from unmingle.api import Library

ENOUGH = 0.999


def measure(meeting: Path, folder: Path) -> dict[str, object]:
    """Figures of one meeting."""
    videos = sorted(meeting.glob("*.mp4"))
    library = Library(folder)
    library.add(*(videos or [meeting / "faces"]))
    library.cluster(sheets=0)
    if videos:
        true = pl.concat([pl.read_csv(video.with_suffix(".csv")) for video in videos])["id"].n_unique()
        judged = judge(folder, videos)
        return {"kind": "recordings", "true": true, "people": judged["people"], "accuracy": judged["right"]}
    evaluation = library.evaluate(next(iter(sorted(meeting.glob("annotations.*")))))
    left_out = evaluation.faces.filter(pl.col("person").is_null())["status"]
    return {
        "kind": "crops",
        "true": evaluation.faces["label"].n_unique(),
        "people": library.faces["person"].drop_nulls().n_unique(),
        "accuracy": round(evaluation.scores.accuracy, 4),
        "covered": round(evaluation.scores.accuracy_covered, 4),
        "left_out": dict(sorted(Counter(left_out.to_list()).items())),
    }


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("meetings", type=Path)
    parser.add_argument("--libraries", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        libraries = args.libraries or Path(temporary)
        found = {
            meeting.name: measure(meeting, libraries / meeting.name)
            for meeting in sorted(args.meetings.iterdir())
            if meeting.is_dir()
        }
    right = sum(one["people"] == one["true"] for one in found.values())
    enough = sum(float(str(one["accuracy"])) >= ENOUGH for one in found.values())
    total = {"meetings": len(found), "right_number": right, "accuracy_enough": enough}
    print(json.dumps({"all": total, "meetings": found}, indent=1))


if __name__ == "__main__":
    main()
