from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmingle.exchange.xmp import clip, packet
from unmingle.sources.regions import FACE, SCHEMAS, Region, read_packet

if TYPE_CHECKING:
    from pathlib import Path

share = st.floats(0.001, 1)


@given(st.lists(st.tuples(st.text(), share, share, share, share), max_size=5))
def test_what_is_written_is_read(faces: list[tuple[str, float, float, float, float]]) -> None:
    regions = [Region(name, FACE, area) for name, *area in faces]  # type: ignore[arg-type]
    read = read_packet(packet(regions, width=4000, height=3000, orientation=6))
    assert (read.size, read.orientation) == ((4000, 3000), 6)
    assert len(read.regions) == len(SCHEMAS) * len(regions)
    for one, (name, *area) in zip(read.regions, faces * len(SCHEMAS), strict=True):
        assert one.is_face
        if name.isprintable():  # as every name of a person is; of others, all that counts is that they can be read
            assert one.name == name.strip()
        assert one.area == pytest.approx(tuple(area), abs=2e-8)


@pytest.mark.parametrize(
    ("box", "area"),
    [
        ((10, 20, 30, 40), (0.125, 0.2, 0.15, 0.2)),
        ((-10, -20, 30, 40), (0.05, 0.05, 0.1, 0.1)),
        ((190, 190, 30, 40), (0.975, 0.975, 0.05, 0.05)),
        ((-50, -50, 500, 500), (0.5, 0.5, 1, 1)),
        ((200, 20, 30, 40), None),
        ((10, -40, 30, 40), None),
    ],
)
def test_a_box_over_the_border_is_cut_off_there(box: tuple[float, ...], area: tuple[float, ...] | None) -> None:
    found = clip(box, 200, 200)
    assert found is None if area is None else found == pytest.approx(area)


@pytest.mark.debian("exiftool")
def test_exiftool_reads_it(tmp_path: Path) -> None:
    regions = [Region("Zoë & <Åse>", FACE, (0.5, 0.25, 0.1, 0.2)), Region("", "Focus", (0.5, 0.5, 0.1, 0.1))]
    sidecar = tmp_path / "a.jpg.xmp"
    sidecar.write_bytes(packet(regions, width=400, height=300, orientation=6))
    tags = ("-RegionInfo", "-RegionInfoMP", "-ImageRegion", "-Orientation")
    words = ["exiftool", "-struct", "-json", "-n", *tags, "-validate", "-warning", str(sidecar)]
    (told,) = json.loads(subprocess.run(words, capture_output=True, check=True).stdout)
    assert told["Orientation"] == 6
    assert "Warning" not in told
    assert told["RegionInfo"]["AppliedToDimensions"] == {"W": 400, "H": 300, "Unit": "pixel"}
    face, focus = told["RegionInfo"]["RegionList"]
    assert (face["Name"], face["Type"], focus["Type"]) == ("Zoë & <Åse>", "Face", "Focus")
    assert face["Area"] == {"X": 0.5, "Y": 0.25, "W": 0.1, "H": 0.2, "Unit": "normalized"}
    (face,) = told["RegionInfoMP"]["Regions"]
    assert face["PersonDisplayName"] == "Zoë & <Åse>"
    assert [float(side) for side in face["Rectangle"].split(", ")] == pytest.approx([0.45, 0.15, 0.1, 0.2])
    (face,) = told["ImageRegion"]
    assert face["PersonInImage"] == ["Zoë & <Åse>"]
    place = face["RegionBoundary"]
    assert (place["RbShape"], place["RbUnit"]) == ("rectangle", "relative")
    assert [place[side] for side in ("RbX", "RbY", "RbW", "RbH")] == pytest.approx([0.45, 0.15, 0.1, 0.2])
