"""The folder of a job on a Ray cluster, which needs no cluster."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

pa = pytest.importorskip("pyarrow")

from unmingle.distributed.place import Place  # noqa: E402
from unmingle.errors import SettingsError  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_what_shows_people_is_for_its_owner_only_and_whole(tmp_path: Path, scheme: str) -> None:
    place, before = Place(f"{scheme}{tmp_path}/new/parts"), os.umask(0)
    try:
        place.claim("recipe")
        place.write("faces/1.parquet", pa.table({"face": [1, 2]}))
        place.write_text("decisions/1.json", "{}")
    finally:
        os.umask(before)
    (tmp_path / "new" / "parts" / "faces" / ".unmingle-0.parquet").write_bytes(b"of a killed process")
    assert place.names("faces") == ["1.parquet"]
    assert place.read("faces/1.parquet").num_rows == 2
    assert (place.read_text("decisions/1.json"), place.read_text("recipe.txt")) == ("{}", "recipe")
    modes = {path.stat().st_mode & 0o077 for path in (tmp_path / "new").rglob("*") if path.name[0] != "."}
    assert os.name != "posix" or modes == {0}
    with pytest.raises(SettingsError, match="other settings"):
        place.claim("another")


def test_an_address_leads_to_its_path_and_back() -> None:
    options = "?endpoint_override=127.0.0.1:9&scheme=http"
    folder = Place(f"s3://bucket/in{options}")
    assert folder.opened[1] == "bucket/in"
    address = folder.address_of("bucket/in/Küche 2019/Trip #1 100%.jpg")
    assert address == f"s3://bucket/in/K%C3%BCche%202019/Trip%20%231%20100%25.jpg{options}"
    assert Place(address).opened == (folder.opened[0], "bucket/in/Küche 2019/Trip #1 100%.jpg")
    assert Place("in/100%.jpg").opened[1] == "in/100%.jpg"
    assert Place("file:///in/a%20b").opened[1] == "/in/a b"
