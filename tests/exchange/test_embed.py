from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from unmingle.errors import PictureError, SettingsError
from unmingle.exchange.xmp import ExifTool, packet
from unmingle.sources.regions import FACE, SCHEMAS, Region, read_packet, read_stored

if TYPE_CHECKING:
    from pathlib import Path

ADA = Region("Ada", FACE, (0.5, 0.25, 0.1, 0.2))
PACKET = packet([ADA], width=40, height=30, orientation=1)
needs_exiftool = pytest.mark.debian("exiftool")


@needs_exiftool
@pytest.mark.parametrize("name", ["a.jpg", "-ver.png", "ö\n.jpg"])
def test_a_copy_has_the_regions_and_all_that_was_there(name: str, tmp_path: Path) -> None:
    original, copy = tmp_path / name, tmp_path / f"copy-{name}"
    Image.new("RGB", (40, 30), "red").save(original)
    shutil.copyfile(original, plain := tmp_path / f"plain{original.suffix}")
    words = ["exiftool", "-q", "-overwrite_original", "-XMP-dc:Subject=garden", "-XMP-xmp:Rating=4", str(plain)]
    subprocess.run(words, check=True)
    plain.rename(original)
    before = original.read_bytes()
    with ExifTool() as tool:
        tool.embed(original, PACKET, copy)
    assert original.read_bytes() == before
    (whole,) = read_stored(copy).packets
    assert set(read_packet(whole).regions) == {replace(ADA, schema=schema) for schema in SCHEMAS}
    assert b"garden" in whole
    assert b"Rating" in whole
    assert np.array_equal(np.asarray(Image.open(copy)), np.asarray(Image.open(original)))


@needs_exiftool
def test_a_file_that_cant_hold_xmp_is_an_error_and_the_next_one_goes_on(tmp_path: Path) -> None:
    Image.new("RGB", (40, 30)).save(tmp_path / "a.bmp")
    Image.new("RGB", (40, 30)).save(tmp_path / "a.jpg")
    with ExifTool() as tool:
        with pytest.raises(PictureError, match="ExifTool can't write into it: "):
            tool.embed(tmp_path / "a.bmp", PACKET, tmp_path / "b.bmp")
        tool.embed(tmp_path / "a.jpg", PACKET, tmp_path / "b.jpg")
    assert not (tmp_path / "b.bmp").exists()
    assert read_stored(tmp_path / "b.jpg").packets


def test_without_exiftool_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SettingsError, match="libimage-exiftool-perl"):
        ExifTool()
