from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from unmingle import Library, bench
from unmingle.bench import Method, other_methods
from unmingle.errors import LabelsError


def methods(*, sface: bool) -> list[Method]:
    """Three people of three files, one of them not grouped; a fourth with two copies of one face; a stranger."""
    axes = np.eye(5, dtype=np.float32)
    labels = ["x", "x", "x", "y", "y", "y", "z", "z", "z", "w", "w"]
    ids = [11, 12, 13, 21, 22, 23, 31, 32, None, 41, 41]
    grouped = np.array([11, 12, 13, 21, 22, 23, 31, 32, 41, 99])
    vectors = axes[[0, 0, 0, 1, 1, 1, 2, 2, 3, 4]] * 7
    return list(other_methods(pl.DataFrame({"label": labels, "id": ids}), grouped, vectors, sface=sface))


def test_methods_are_scored_as_the_library_is() -> None:
    """The file without a face, and the person of one face, are left out: three files of eleven."""
    k_means, best, fixed = methods(sface=True)
    assert k_means.told == "told the true number, 4"
    assert "chosen with the labels" in best.told
    assert "0.363" in fixed.told
    for method in (k_means, best, fixed):
        assert method.scores is not None
        assert (method.scores.faces, method.scores.left_out, method.scores.people_found) == (11, 3, 3)
        assert method.scores.accuracy == pytest.approx(8 / 11)
        assert method.scores.bcubed.precision == 1


def test_other_embeddings_have_no_documented_bar() -> None:
    assert [method.name for method in methods(sface=False)] == ["k-means", "average linkage"]


def test_what_would_take_too_much_is_left_out_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "MOST_ROWS", 8)
    monkeypatch.setattr(bench, "MOST_CENTRES", 35)
    found = methods(sface=True)
    assert [method.scores for method in found] == [None] * 3
    assert found[0].left_out == "9 faces and 4 people take k-means too long"
    assert "GB for the distances of all pairs" in found[1].left_out


def test_nothing_to_group() -> None:
    scored = pl.DataFrame({"label": ["x"], "id": [None]}, schema={"label": pl.String, "id": pl.Int64})
    assert list(other_methods(scored, np.array([5]), np.ones((1, 4), np.float32), sface=True)) == []


def test_folders_that_name_nobody_are_told_before_any_picture_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    Image.new("RGB", (64, 64)).save(tmp_path / "pictures" / "a.png")
    with pytest.raises(LabelsError, match="No picture lies in a folder"):
        bench.bench(Library(tmp_path / "library"), tmp_path / "pictures")
    assert not (tmp_path / "library").exists()
