"""Poor faces of strangers among real people, where UNMINGLE_DATA names development data."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import unmingle
from unmingle.grouping.cluster import cluster_with_quality
from unmingle.grouping.impostors import SFACE_CURVE
from unmingle.settings import FALSE_MERGES, GroupingSettings
from unmingle.store.face_rows import faces_to_group
from unmingle.store.sqlite import open_to_read

if TYPE_CHECKING:
    from unmingle.records import F32

DATA = os.environ.get("UNMINGLE_DATA")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(DATA is None, reason="UNMINGLE_DATA does not point to the development data"),
]


def vectors(folder: Path, name: str) -> F32:
    """Of every third picture of each folder, which are enough; other tests look at the same ones."""
    (folder / name).mkdir()
    folders = sorted({file.parent for file in Path(DATA or "", name).rglob("*.*")})
    for number, file in enumerate(file for one in folders for file in sorted(one.iterdir())[::3]):
        (folder / name / f"{number}{file.suffix}").symlink_to(file)
    library = unmingle.open(folder / f"{name} library")
    library.add(folder / name)
    with open_to_read(library.folder) as store:
        return faces_to_group(store).vectors


def test_nobody_in_a_mask_is_taken_for_one_of_them(tmp_path: Path) -> None:
    people, masked = vectors(tmp_path, "umist"), vectors(tmp_path, "masked")
    everyone = np.concatenate([people, masked])
    core = np.arange(len(everyone)) < len(people)
    for expected in FALSE_MERGES.values():
        how = GroupingSettings(expected_false_merges=expected)
        notes = dict(cluster_with_quality(everyone, how, curve=SFACE_CURVE, core_n=core).notes)
        assert notes["joiners"] == len(masked) > 50
        assert notes["joined"] == 0
    # Every other face of people who are there finds its person, though it may not found.
    half = np.arange(len(people)) % 2 == 0
    notes = dict(cluster_with_quality(people, GroupingSettings(), curve=SFACE_CURVE, core_n=half).notes)
    assert notes["joined"] >= 0.97 * notes["joiners"]
