from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from unmingle.errors import PictureError
from unmingle.export.xmp import packet
from unmingle.sources.regions import FACE, Region, overlap, read_packet, read_stored

if TYPE_CHECKING:
    from pathlib import Path

HEAD = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description xmlns:r="http://www.metadataworkinggroup.com/schemas/regions/" xmlns:a="http://ns.adobe.com/xmp/sType/Area#"
 xmlns:d="http://ns.adobe.com/xap/1.0/sType/Dimensions#" xmlns:tiff="http://ns.adobe.com/tiff/1.0/">"""
TAIL = "</rdf:Description></rdf:RDF></x:xmpmeta>"
# As digiKam (Exiv2) and as Lightroom nest it: descriptions inside, fields as attributes, or all as elements.
NESTED = f"""{HEAD}<r:Regions><rdf:Description><r:AppliedToDimensions d:w="40" d:h="30" d:unit="pixel"/>
<r:RegionList><rdf:Bag><rdf:li><rdf:Description r:Name="Ada" r:Type="Face"><r:Area
 a:x="0.5" a:y="0.25" a:w="0.1" a:h="0.2" a:unit="normalized"/></rdf:Description></rdf:li></rdf:Bag></r:RegionList>
</rdf:Description></r:Regions>{TAIL}"""
ELEMENTS = f"""{HEAD}<tiff:Orientation>6</tiff:Orientation><r:Regions rdf:parseType="Resource"><r:AppliedToDimensions
 rdf:parseType="Resource"><d:w>40</d:w><d:h>30</d:h></r:AppliedToDimensions><r:RegionList><rdf:Seq><rdf:li
 rdf:parseType="Resource"><r:Name> Ada </r:Name><r:Type>Face</r:Type><r:Area rdf:parseType="Resource"><a:x>0.5</a:x>
<a:y>0.25</a:y><a:w>0.1</a:w><a:h>0.2</a:h></r:Area></rdf:li></rdf:Seq></r:RegionList></r:Regions>{TAIL}"""
ADA = Region("Ada", FACE, (0.5, 0.25, 0.1, 0.2))


@pytest.mark.parametrize("text", [NESTED, ELEMENTS])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_regions_are_read_however_they_are_nested(text: str, encoding: str) -> None:
    read = read_packet(text.encode(encoding))
    assert read.regions == (ADA,)
    assert read.size == (40, 30)
    assert read.orientation == (6 if text is ELEMENTS else None)


def test_padding_around_a_packet_is_no_matter() -> None:
    assert read_packet(b"\n" + NESTED.encode() + b"  \n\0\0").regions == (ADA,)


@pytest.mark.parametrize(
    "area", ['a:x="nan" a:y="0" a:w="1" a:h="1"', 'a:x="0.5" a:y="0.5"', 'a:x="1" a:w="0" a:h="1"', ""]
)
def test_what_is_no_rectangle_has_no_area(area: str) -> None:
    text = NESTED.replace('a:x="0.5" a:y="0.25" a:w="0.1" a:h="0.2"', area)
    assert read_packet(text.encode()).regions == (Region("Ada", FACE, None),)


def test_pixels_are_no_unit_of_the_standard() -> None:
    assert read_packet(NESTED.replace('"normalized"', '"pixel"').encode()).regions[0].area is None


BOMB = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, 9))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize(
    "dtd", [f'<!DOCTYPE x [<!ENTITY e0 "ha">{BOMB}]>', '<!DOCTYPE x SYSTEM "file:///etc/passwd">', "<!DOCTYPE x>"]
)
def test_a_document_type_is_refused(dtd: str, encoding: str) -> None:
    with pytest.raises(PictureError, match="document type"):
        read_packet((dtd + NESTED.replace("Ada", "&e8;")).encode(encoding))


@pytest.mark.parametrize("content", [b"", b"no xml", NESTED.encode()[:300], b"\xff\xfe<", b"<a>&undefined;</a>"])
def test_what_is_no_xml_is_an_error_with_a_reason(content: bytes) -> None:
    with pytest.raises(PictureError, match="not well-formed"):
        read_packet(content)


def test_overlap_is_intersection_over_union() -> None:
    assert overlap(ADA.area or (), ADA.area or ()) == pytest.approx(1)  # type: ignore[arg-type]
    assert overlap((0.5, 0.5, 0.2, 0.2), (0.5, 0.5, 0.4, 0.4)) == pytest.approx(0.25)
    assert overlap((0.2, 0.5, 0.2, 0.2), (0.4, 0.5, 0.2, 0.2)) == pytest.approx(0)


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed")
@pytest.mark.parametrize("ending", ["jpg", "png", "tif", "webp"])
def test_regions_inside_a_picture_are_read(ending: str, tmp_path: Path) -> None:
    picture, sidecar = tmp_path / f"a.{ending}", tmp_path / "a.xmp"
    Image.new("RGB", (40, 30)).save(picture)
    sidecar.write_bytes(packet([ADA], width=40, height=30, orientation=1))
    words = ["exiftool", "-q", "-overwrite_original", "-tagsfromfile", str(sidecar), "-XMP-mwg-rs:RegionInfo"]
    subprocess.run([*words, str(picture)], check=True)
    stored = read_stored(picture)
    assert (stored.orientation, stored.upright_size) == (1, (40, 30))
    assert [read_packet(one).regions for one in stored.packets] == [(ADA,)]


def test_regions_in_the_further_part_of_a_large_packet_are_read(tmp_path: Path) -> None:
    """Part 3 of the XMP specification: what doesn't fit into one segment of a JPEG is spread over others."""
    picture = tmp_path / "a.jpg"
    Image.new("RGB", (40, 30)).save(picture)
    content = packet([Region(f"Person {i}", FACE, ADA.area) for i in range(900)], width=40, height=30, orientation=1)
    segments = b""
    for at in reversed(range(0, len(content), 60_000)):
        data = b"http://ns.adobe.com/xmp/extension/\0" + b"F" * 32 + len(content).to_bytes(4, "big")
        data += at.to_bytes(4, "big") + content[at : at + 60_000]
        segments += b"\xff\xe1" + (len(data) + 2).to_bytes(2, "big") + data
    jpeg = picture.read_bytes()
    picture.write_bytes(jpeg[:2] + segments + jpeg[2:])
    (whole,) = read_stored(picture).packets
    assert len(content) > 2 * 60_000
    assert [region.name for region in read_packet(whole).regions] == [f"Person {i}" for i in range(900)]


@pytest.mark.parametrize("content", [b"", b"nothing", b"\xff\xd8\xff\xe1\0"])
def test_a_file_that_is_no_picture_is_an_error(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(PictureError):
        read_stored(tmp_path / "a.jpg")
    with pytest.raises(PictureError):
        read_stored(tmp_path / "missing.jpg")
