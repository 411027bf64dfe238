"""Whatever one file does at the door of reading or of analysing, it is a row with a reason, and the job goes on."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from unmingle import ingest
from unmingle.api import Library
from unmingle.faces.recipe import FaceRecipe
from unmingle.sources.pyramid import Pyramid

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from unmingle.records import U8

FAULTS = (
    RuntimeError("odd"),
    AssertionError(),
    RecursionError("deep"),
    MemoryError(),
    struct.error("short"),
    KeyError(3),
)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Four pictures without a face; the second is the bad one, by its colour."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, tone in (("a", 10), ("bad", 99), ("c", 200), ("d", 250)):
        Image.new("RGB", (64, 48), (tone, tone, tone)).save(folder / f"{name}.png")
    return folder


def told(folder: Path, pictures: Path) -> dict[str, tuple[str, str]]:
    library = Library(folder)
    library.add(pictures)
    library.cluster(sheets=0)
    return {file: (status, reason) for file, status, reason in library.faces.select("file", "status", "reason").rows()}


def failing(at: Callable[[Any], bool], fault: Exception, work: Callable[..., Any]) -> Callable[..., Any]:
    def wrapped(*given: Any, **more: Any) -> Any:
        if at(given[-1]):
            raise fault
        return work(*given, **more)

    return wrapped


def is_bad(picture: U8 | Pyramid) -> bool:
    return bool(Pyramid.of(picture).full()[0, 0, 0] == 99)


@pytest.mark.parametrize(("door", "fault"), [("open_pyramid", fault) for fault in FAULTS] + [("read_bytes", FAULTS[0])])
def test_file_that_fails_while_it_is_read_is_a_row(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pictures: Path, door: str, fault: Exception
) -> None:
    bad = (pictures / "bad.png").read_bytes()

    def at(given: Any) -> bool:
        return bool(given == bad) or getattr(given, "relative", "") == "bad.png"

    monkeypatch.setattr(ingest, door, failing(at, fault, getattr(ingest, door)))
    rows = told(tmp_path / "library", pictures)
    assert len(rows) == 4
    assert rows["bad.png"][0] == "unreadable"
    assert "can't be read" in rows["bad.png"][1]
    assert all("no face found" in reason for file, (_, reason) in rows.items() if file != "bad.png")


@pytest.mark.parametrize("fault", FAULTS[:2], ids=lambda fault: type(fault).__name__)
def test_picture_that_fails_while_it_is_analysed_is_a_row_and_tried_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pictures: Path, fault: Exception
) -> None:
    def any_bad(given: Sequence[U8 | Pyramid]) -> bool:
        return any(map(is_bad, given))

    with monkeypatch.context() as patch:
        patch.setattr(FaceRecipe, "analyse", failing(any_bad, fault, FaceRecipe.analyse))
        rows = told(tmp_path / "library", pictures)
    assert len(rows) == 4
    assert rows["bad.png"][0] == "unreadable"
    assert "the analysis failed" in rows["bad.png"][1]
    assert "no face found" in told(tmp_path / "library", pictures)["bad.png"][1]


def test_copy_of_a_picture_that_failed_is_a_row_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pictures: Path
) -> None:
    (pictures / "copy.png").write_bytes((pictures / "bad.png").read_bytes())
    monkeypatch.setattr(ingest, "BATCH_PICTURES", 1)
    monkeypatch.setattr(
        FaceRecipe, "analyse", failing(lambda given: any(map(is_bad, given)), RuntimeError("odd"), FaceRecipe.analyse)
    )
    rows = told(tmp_path / "library", pictures)
    assert rows["bad.png"] == rows["copy.png"] == ("unreadable", "the analysis failed: RuntimeError: odd")


def test_engine_that_is_broken_is_an_error_and_not_a_row_for_each_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pictures: Path
) -> None:
    monkeypatch.setattr(FaceRecipe, "analyse", failing(lambda _: True, RuntimeError("no engine"), FaceRecipe.analyse))
    with pytest.raises(RuntimeError, match="no engine"):
        told(tmp_path / "library", pictures)


def test_library_that_can_not_be_written_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pictures: Path
) -> None:
    """Guards are around files: what is the matter with the library itself is never taken for a bad picture."""
    monkeypatch.setattr("unmingle.store.analyses.add_analysis", failing(lambda _: True, KeyError("ours"), np.copy))
    with pytest.raises(KeyError):
        told(tmp_path / "library", pictures)
