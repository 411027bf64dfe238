from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.made_library import Shot, library, take

if TYPE_CHECKING:
    from pathlib import Path

    from unmingle.api import Library

# Two people on every second picture, one of them reaching over the border; every orientation there is.
SHOTS = [
    Shot(
        f"2020/party{i}.jpg",
        (0, 1) if i % 2 else (2,),
        ((20.5, 30.25, 100, 120), (330, -20, 120, 110)) if i % 2 else ((150, 90, 90, 100),),
        orientation=i % 8 + 1,
    )
    for i in range(16)
]


class Set:
    """Pictures in a folder and what makes libraries of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.source = folder / "pictures"
        take(self.source, SHOTS)

    def library(self, name: str) -> Library:
        return library(self.folder / name, self.source, SHOTS)

    def named(self) -> Library:
        """With two of three people named."""
        one = self.library("named")
        files = dict(one.faces.filter(one.faces["face"] == 0).select("file", "person").iter_rows())
        one.name(files["2020/party1.jpg"], "Zoë & <Åse>")
        one.name(files["2020/party0.jpg"], "Ben")
        return one


@pytest.fixture
def pictures(tmp_path: Path) -> Set:
    return Set(tmp_path)
