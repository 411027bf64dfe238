"""What is of the wrong kind is refused at the door, with a sentence; NumPy's numbers are numbers."""

from __future__ import annotations

import importlib
import json
import math
import pickle
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

import unmingle
import unmingle.api
from unmingle.api import ExportOptions, Library
from unmingle.errors import SettingsError, UnmingleError
from unmingle.settings import (
    ClassicSettings,
    DetectionSettings,
    EngineSettings,
    GroupingSettings,
    RecordingSettings,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.api.conftest import Set

OLD = {"benching": ["Bench", "BenchSettings", "as_json", "bench", "table"], "exporting": ["ExportOptions", "Exported"]}
OLD["modelling"] = ["Checked", "Examples", "Tried", "add_model", "calibrate_model", "check_model", "fetch_model"]
NO_COUNT = [6.0, np.float64(6), "6", True, 0, -1, math.nan, [6], 2**70]


@pytest.mark.parametrize("people", NO_COUNT)
def test_a_number_of_people_is_a_whole_number(people: Any, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="people is"):
        GroupingSettings(people=people)
    with pytest.raises(SettingsError, match="people is"):
        Library(tmp_path / "new").cluster(people=people)
    with pytest.raises(SettingsError, match="people is"):
        unmingle.FaceClusterer(people=people).fit(np.eye(8))
    assert not (tmp_path / "new").exists()


def test_numbers_of_numpy_are_numbers() -> None:
    settings = GroupingSettings(people=np.int64(6), expected_false_merges=np.float32(0.5))  # type: ignore[arg-type]
    assert json.dumps(asdict(settings))
    assert settings == GroupingSettings(people=6, expected_false_merges=0.5)
    labels = unmingle.FaceClusterer(people=np.int32(3)).fit_predict(np.eye(8))  # type: ignore[arg-type]
    assert len(set(labels)) == 3


@pytest.mark.parametrize(
    ("record", "wrong"),
    [
        (GroupingSettings, {"expected_false_merges": [math.nan, math.inf, 0, 1, -0.1, "0.1", True, None]}),
        (GroupingSettings, {"co_occurrence": [1, "yes", None]}),
        (RecordingSettings, {"every": [math.nan, math.inf, 0, -1, "0.1s", None, True, 61]}),
        (EngineSettings, {"engine": ["cuda", None, 1], "precision": ["f16", ["auto"]], "threads": [-1, 1.5, "2"]}),
        (DetectionSettings, {"crops": ["sometimes", True], "min_score": [math.nan, "0.6", 1], "min_pixels": [None]}),
        (ClassicSettings, {"features": ["fc1"], "components": [1.5], "seed": ["22", -1]}),
        (ExportOptions, {"by": ["number"], "how": ["move"], "faces": ["none"], "labels": [["a.csv"], 5]}),
    ],
)
def test_settings_are_of_their_kinds(record: Callable[..., object], wrong: dict[str, list[object]]) -> None:
    for name, values in wrong.items():
        for value in values:
            with pytest.raises(SettingsError):
                record(**{name: value})


def test_paths_are_paths(tmp_path: Path) -> None:
    library = Library(tmp_path / "new")
    listed = [str(tmp_path / "a.jpg")]
    wrong: list[Any] = [listed, (one for one in listed), None, 5, b"a.jpg"]
    acts: list[Callable[[Any], object]] = [library.add, library.import_names, library.identify, unmingle.open, Library]
    for path in wrong:
        for act in acts:
            with pytest.raises(UnmingleError):
                act(path)
    assert not (tmp_path / "new").exists()


def test_a_frame_is_no_path_and_a_library_goes_to_other_processes(pictures: Set) -> None:
    one = pictures.library("one")
    with pytest.raises(SettingsError, match="is no path"):
        one.evaluate(pl.DataFrame({"file": ["a.jpg"], "label": ["folders"]}))  # type: ignore[arg-type]
    assert one.people.equals(pickle.loads(pickle.dumps(one)).people)


def test_words_are_those_that_there_are(tmp_path: Path) -> None:
    library: Any = Library(tmp_path)
    for refused in (
        lambda: library.add(tmp_path, recipe="face"),
        lambda: Library(tmp_path, views="never"),  # type: ignore[arg-type]
        lambda: library.name(1, "Ada", by="me"),
        lambda: library.import_names(tmp_path, conflicts="ask"),
        lambda: library.cluster(sheets=1.5),
        lambda: library.cluster(name_pattern=3),
    ):
        with pytest.raises(SettingsError, match=" is "):
            refused()


def test_names_and_targets_are_text(pictures: Set) -> None:
    library: Any = pictures.library("one")
    for name in (None, 5, b"Ada", ["Ada"]):
        with pytest.raises(UnmingleError, match="is no name"):
            library.name(1, name)
    for target in ("pdf", None, 5):
        with pytest.raises(SettingsError, match="to is"):
            library.export(target, pictures.folder / "out")
    for most in (-1, 2.5, "20", True):
        with pytest.raises(SettingsError, match="most is"):
            library.questions(most=most)
        with pytest.raises(SettingsError, match="most is"):
            library.likely_pairs(most=most)
    for labels in (None, 5, ["a.csv"]):
        with pytest.raises(SettingsError, match="is no path"):
            library.evaluate(labels)
    evaluation = library.evaluate("folders")
    assert library.write_evaluation(evaluation, str(pictures.folder / "text"))
    assert not (pictures.folder / "out").exists()


@pytest.mark.parametrize("module", OLD)
def test_names_stay_where_they_were_imported_from_before(module: str) -> None:
    imported = importlib.import_module(f"unmingle.api.{module}")
    assert getattr(unmingle.api, module) is imported  # as after `import unmingle.api.benching`
    assert all(hasattr(imported, name) for name in OLD[module])
