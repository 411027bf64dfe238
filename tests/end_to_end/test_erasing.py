"""Somebody is erased, and the real models look at the same pictures again."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

from madeup.cast import CAST
from madeup.portraits import Look, Person, encode, render

if TYPE_CHECKING:
    from pathlib import Path

    from tests.command import Command


def test_the_same_pictures_bring_them_back_only_if_asked(unmingle: Command, tmp_path: Path) -> None:
    folder = tmp_path / "photographs"
    folder.mkdir()
    for person in range(2):
        for look in range(3):
            picture = render(Person.from_seed(CAST[person]), Look.from_seed(look), 300)
            (folder / f"{'ab'[person]}{look}.jpg").write_bytes(encode(picture, 90))

    def counts(*more: str) -> list[tuple[int, int]]:
        done = unmingle("cluster", folder, "-o", "out", "-q", *more)
        assert done.code == 0, done.err
        people = json.loads(unmingle("people", "out", "--json").out)
        return sorted((one["person"], one["faces"]) for one in people)

    assert counts() == [(1, 3), (2, 3)]
    firsts = {one["first_file"]: one["person"] for one in json.loads(unmingle("people", "out", "--json").out)}
    one, other = firsts["a0.jpg"], firsts["b0.jpg"]
    unmingle("name", "out", str(other), "Bea")
    assert unmingle("erase", "out", str(one), "-y").code == 0
    shutil.copytree(folder, folder / "again")
    assert counts() == [(other, 6)]
    assert counts("--precision", "f32") == [(other, 6)]
    assert counts("--include-erased") == sorted([(other, 6), (3, 6)])
    assert "Bea" in unmingle("people", "out").out
