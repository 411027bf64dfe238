"""The figures that the main job must reach on development data, where UNMINGLE_DATA names it."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import unmingle

RECORDINGS = Path(__file__).parents[2] / "benchmarks" / "recordings.py"
DATA = os.environ.get("UNMINGLE_DATA")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(DATA is None, reason="UNMINGLE_DATA does not point to the development data"),
]


@pytest.mark.parametrize(("name", "accuracy"), [("johns", 1.0), ("sitcom", 0.97)])
def test_small_clean_folders(tmp_path: Path, name: str, accuracy: float) -> None:
    library = unmingle.open(tmp_path / "library")
    library.add(Path(DATA or "", name))
    library.cluster(sheets=0)
    assert library.evaluate("folders").scores.accuracy >= accuracy


@pytest.mark.parametrize(("name", "people", "every", "bcubed"), [("umist", 1, 3, 0.990), ("pins_a", 2, 2, 0.988)])
def test_hard_poses_and_many_years(tmp_path: Path, name: str, people: int, every: int, bcubed: float) -> None:
    files = [sorted(folder.iterdir())[::every] for folder in sorted(Path(DATA or "", name).iterdir())[::people]]
    for file in itertools.chain(*files):  # a part of them is enough
        (tmp_path / name / file.parent.name).mkdir(parents=True, exist_ok=True)
        (tmp_path / name / file.parent.name / file.name).symlink_to(file)
    library = unmingle.open(tmp_path / "library")
    library.add(tmp_path / name)
    library.cluster(sheets=0)
    assert library.evaluate("folders").scores.bcubed.f1 >= bcubed


def test_the_meeting_with_masks_and_non_faces_in_the_folder(tmp_path: Path) -> None:
    files = sorted(Path(DATA or "", "meeting", "faces").iterdir())
    library = unmingle.open(tmp_path / "library")
    library.add(*files[: len(files) // 4])  # the first half of the first of two
    library.cluster(sheets=0)
    evaluation = library.evaluate(Path(DATA or "", "meeting", "annotations.xlsx"))
    assert evaluation.scores.accuracy >= 0.999
    counts = library.people["faces"]
    assert (counts > 10).sum() == 5
    aside = evaluation.set_aside
    assert aside.nonface_recall is not None
    assert aside.nonface_recall >= 0.95
    assert aside.face_loss is not None
    assert aside.face_loss <= 0.01


def test_the_people_of_two_meetings_from_their_recordings_alone() -> None:
    words = [sys.executable, str(RECORDINGS), "--data", DATA or ""]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=540)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["people"] == 5
    assert result["found"] >= 0.97
    assert result["least_purity"] >= 0.995
    assert result["right"] >= 0.995
