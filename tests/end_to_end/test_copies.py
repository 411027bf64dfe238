"""The same picture saved three ways makes nobody a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import polars as pl

from madeup.cast import CAST
from madeup.portraits import Look, Person, encode, render

if TYPE_CHECKING:
    from pathlib import Path

    from tests.command import Command


def test_one_picture_saved_three_ways_is_one_look(unmingle: Command, tmp_path: Path) -> None:
    folder = tmp_path / "photographs"
    folder.mkdir()
    once = render(Person.from_seed(CAST[0]), Look.from_seed(1), 400)
    small = np.asarray(cv2.resize(once, (220, 220), interpolation=cv2.INTER_AREA), np.uint8)
    framed = np.asarray(cv2.copyMakeBorder(once, 30, 30, 30, 30, cv2.BORDER_CONSTANT, value=(255, 255, 255)), np.uint8)
    (folder / "once.jpg").write_bytes(encode(once, 95))
    (folder / "small.jpg").write_bytes(encode(small, 60))
    (folder / "framed.jpg").write_bytes(encode(framed, 85))
    for look in range(2):
        (folder / f"b{look}.jpg").write_bytes(encode(render(Person.from_seed(CAST[1]), Look.from_seed(look), 400), 90))
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    done = unmingle("cluster", folder, "-o", tmp_path / "out")
    assert done.code == 0, done.err
    table = pl.read_csv(tmp_path / "out" / "faces.csv")
    rows = {row["file"]: row for row in table.iter_rows(named=True)}
    assert rows["b0.jpg"]["person"] == rows["b1.jpg"]["person"] is not None
    for name in ("once.jpg", "small.jpg", "framed.jpg"):
        assert rows[name]["status"] == "alone"
        assert rows[name]["person"] is None
        assert rows[name]["reason"].startswith("only copies of one picture: ")
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
