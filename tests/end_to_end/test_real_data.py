"""The figures that the main job must reach on development data, where UNMINGLE_DATA names it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import unmingle

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


@pytest.mark.parametrize(("name", "bcubed"), [("umist", 0.990), ("pins_a", 0.988)])
def test_hard_poses_and_many_years(tmp_path: Path, name: str, bcubed: float) -> None:
    library = unmingle.open(tmp_path / "library")
    library.add(Path(DATA or "", name))
    library.cluster(sheets=0)
    assert library.evaluate("folders").scores.bcubed.f1 >= bcubed


def test_the_meeting_with_masks_and_non_faces_in_the_folder(tmp_path: Path) -> None:
    library = unmingle.open(tmp_path / "library")
    library.add(Path(DATA or "", "meeting", "faces"))
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
