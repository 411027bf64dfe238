"""What shows or names people can be read by its owner only, whatever door it was written at."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from tests.cli.conftest import SHOTS
from tests.made_library import library, take

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.command import Command


@pytest.fixture(params=[0o022, 0o000, 0o077])
def _umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def open_to_others(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.rglob("*") if path.stat().st_mode & 0o077)


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
@pytest.mark.usefixtures("_umask")
def test_whatever_is_written_is_for_its_owner_only(unmingle: Command, tmp_path: Path) -> None:
    take(tmp_path / "pictures", SHOTS)
    for name in ("made/album", "made/other"):
        library(tmp_path / name, tmp_path / "pictures", SHOTS)
    for words in (
        ("name", "album", "1", "Ada"),
        ("show", "album", "1"),
        ("show", "album", "1", "-o", "out/page/ada.jpg"),
        ("report", "album", "-q"),
        ("evaluate", "album", "--labels", "folders"),
        ("compare", "album", "other", "-q", "-o", "out/page.html"),
        *(("export", "album", "-q", "--to", kind, "-o", f"out/{kind}") for kind in ("folders", "csv", "xlsx", "xmp")),
    ):
        done = unmingle(words[0], *(f"made/{word}" if word in ("album", "other") else word for word in words[1:]))
        assert done.code == 0, (words, done.err)
    assert len(list((tmp_path / "out").rglob("*"))) > 40
    assert open_to_others(tmp_path / "made") == open_to_others(tmp_path / "out") == []
