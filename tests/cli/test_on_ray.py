"""The doors of `unmingle cluster --ray` that need no cluster."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import polars as pl
import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.command import Command


@pytest.mark.parametrize(
    "option",
    [
        ("--people", "3"),
        ("--labels", "folders"),
        ("--webvtt",),
        ("--save-crops", "cut"),
        ("--encrypt",),
        ("--every", "1s"),
        ("--sheets", "0"),
        ("--no-name-pattern",),
    ],
)
def test_options_that_do_nothing_there_are_refused(unmingle: Command, tmp_path: Path, option: tuple[str, ...]) -> None:
    done = unmingle("cluster", tmp_path, "-o", "out", "--ray", "local", *option)
    assert done.code == 1
    assert f"{option[0]} does nothing on a Ray cluster" in done.err


def test_a_dry_run_needs_a_cluster(unmingle: Command, tmp_path: Path) -> None:
    done = unmingle("cluster", tmp_path, "-o", "out", "--dry-run")
    assert done.code == 1
    assert "--ray" in done.err
    assert not (tmp_path / "out").exists()


def test_a_missing_extra_is_named(unmingle: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    done = unmingle("cluster", tmp_path, "-o", "out", "--ray", "local")
    assert done.code == 1
    assert "pip install 'unmingle[ray]'" in done.err


def test_nothing_of_ray_is_loaded_without_it() -> None:
    code = "import sys, unmingle.cli.commands, unmingle.library; print({'ray', 'pyarrow'} & sys.modules.keys())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_a_name_with_a_comma_stands_in_quotes(
    unmingle: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    review = pytest.importorskip("unmingle.distributed.review", exc_type=ImportError)
    (tmp_path / "parts").mkdir()
    pl.DataFrame({"person": [1, 2], "name": ["Doe, Jane", None]}).write_parquet(tmp_path / "parts" / "people.parquet")
    monkeypatch.setattr(review, "_known", lambda place: ("recipe", {}))
    asked: list[set[int]] = []

    def owners(place: object, people: set[int]) -> tuple[dict[str, int], dict[str, int]]:
        asked.append(people)
        return {}, {}

    monkeypatch.setattr(review, "owners", owners)
    monkeypatch.setattr(review, "_faces", lambda *_: [])
    run = ("import", "parts", "-o", "some", "--names")
    unmingle(*run, '"Doe, Jane", ')
    assert asked == [{1}]
    done = unmingle(*run, "Doe, Jane")
    assert (done.code, "is called Doe or Jane" in done.err, "in quotes" in done.err) == (1, True, True)


def test_an_address_that_is_none_is_a_clear_error(unmingle: Command, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    done = unmingle("cluster", tmp_path, "-o", "out", "--ray", "ray://[")
    assert done.code == 1
    assert "There is no Ray cluster at ray://[" in done.err
