from __future__ import annotations

import io
import struct
import subprocess
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from unmingle.errors import PictureError
from unmingle.exchange.xmp import packet
from unmingle.sources.decoding import decode
from unmingle.sources.metadata import ORIENTATION
from unmingle.sources.regions import (
    FACE,
    NAMESPACES,
    Packet,
    Region,
    lies,
    overlap,
    read_packet,
    read_stored,
    to_stored,
    to_upright,
)

if TYPE_CHECKING:
    from pathlib import Path

REGIONS, DIMENSIONS, IPTC = (NAMESPACES[prefix] for prefix in ("mwg-rs", "stDim", "iptc"))
MICROSOFT, MICROSOFT_INFO, MICROSOFT_REGION = (NAMESPACES[prefix] for prefix in ("MP", "MPRI", "MPReg"))

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


@pytest.mark.debian("exiftool")
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
    regions = [Region(f"Person {i}", FACE, ADA.area) for i in range(900)]
    content = packet(regions, width=40, height=30, orientation=1, schemas=("MWG",))
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


SPACES = f"""xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:m="{MICROSOFT}" xmlns:i="{MICROSOFT_INFO}"
 xmlns:g="{MICROSOFT_REGION}" xmlns:e="{IPTC}" xmlns:x="http://ns.adobe.com/xap/1.0/" xmlns:o="http://ns.other.org/1/"
 xmlns:r="{REGIONS}" xmlns:d="{DIMENSIONS}\""""


STRUCT = 'rdf:parseType="Resource"'


def said(body: str, wrapper: str = "x:xmpmeta") -> Packet:
    rdf = f'<rdf:RDF><rdf:Description rdf:about="">{body}</rdf:Description></rdf:RDF>'
    whole = f"<{wrapper} {SPACES}>{rdf}</{wrapper}>" if wrapper else rdf.replace(">", f" {SPACES}>", 1)
    return read_packet(whole.encode())


def bag(*items: str) -> str:
    return f"<rdf:Bag>{''.join(items)}</rdf:Bag>"


def tagged(*items: str) -> str:
    return f"<m:RegionInfo {STRUCT}><i:Regions>{bag(*items)}</i:Regions></m:RegionInfo>"


def place(region: Region) -> list[float]:
    assert region.area is not None
    return [round(value, 6) for value in region.area]


@pytest.mark.parametrize("wrapper", ["x:xmpmeta", "x:xml_doc", ""])
@pytest.mark.parametrize(
    "rectangle",
    [
        "0.25, 0.5, 0.5, 0.25",
        "0.25,0.5,0.5,0.25",
        "0,25, 0,5, 0,5, 0,25",
        "0,25,0,5,0,5,0,25",
        "0,25;0,5;0,5;0,25",
    ],
)
@pytest.mark.parametrize(
    "item",
    [
        '<rdf:li g:Rectangle="{}" g:PersonDisplayName="Ada"/>',
        f"<rdf:li {STRUCT}><g:Rectangle>{{}}</g:Rectangle><g:PersonDisplayName>Ada</g:PersonDisplayName></rdf:li>",
        '<rdf:li><rdf:Description g:Rectangle="{}" g:PersonDisplayName=" Ada "/></rdf:li>',
    ],
)
def test_microsofts_regions_are_read(item: str, rectangle: str, wrapper: str) -> None:
    body = tagged(item.format(rectangle))
    read = said(body, wrapper)
    (region,) = read.regions
    assert (region.name, region.is_face, region.schema, read.speaks) == ("Ada", True, "Microsoft", True)
    assert place(region) == [0.5, 0.625, 0.5, 0.25]


@pytest.mark.parametrize(
    "rectangle", ["", "0.1, 0.2", "a, b, c, d", "0.1, 0.1, 0, 0", "0.1, nan, 0.1, 0.1", "0, 0, 1e300, 1e300"]
)
def test_a_name_without_a_rectangle_keeps_its_name(rectangle: str) -> None:
    item = f'<rdf:li g:Rectangle="{rectangle}" g:PersonDisplayName="Ada"/>'
    read = said(tagged(item))
    assert [(region.name, region.area) for region in read.regions] == [("Ada", None)]


def iptc(boundary: str, more: str) -> str:
    fields = "".join(f"<e:{name}>{value}</e:{name}>" for name, value in (part.split("=") for part in boundary.split()))
    boundary = f"<e:RegionBoundary {STRUCT}>{fields}</e:RegionBoundary>"
    return f"<e:ImageRegion>{bag(f'<rdf:li {STRUCT}>{boundary}{more}</rdf:li>')}</e:ImageRegion>"


PERSON = f"<e:PersonInImage>{bag('<rdf:li>Ada</rdf:li>')}</e:PersonInImage>"
LANGUAGES = '<rdf:Alt><rdf:li xml:lang="x-default">Ada</rdf:li><rdf:li xml:lang="hu">Ada L.</rdf:li></rdf:Alt>'
DETAILED = f"<rdf:li {STRUCT}><e:PersonName>{LANGUAGES}</e:PersonName></rdf:li>"
DETAILED = f"<e:PersonInImageWDetails>{bag(DETAILED)}</e:PersonInImageWDetails>"
NAMED = '<e:Name><rdf:Alt><rdf:li xml:lang="x-default">Ada</rdf:li></rdf:Alt></e:Name>'


@pytest.mark.parametrize("who", [PERSON, DETAILED, NAMED])
@pytest.mark.parametrize(
    ("boundary", "wanted", "pixels"),
    [
        ("rbShape=rectangle rbUnit=relative rbX=0.25 rbY=0.5 rbW=0.5 rbH=0.25", [0.5, 0.625, 0.5, 0.25], False),
        ("rbX=0,25 rbY=0,5 rbW=0,5 rbH=0,25", [0.5, 0.625, 0.5, 0.25], False),
        ("rbShape=rectangle rbUnit=pixel rbX=100 rbY=150 rbW=200 rbH=75", [0.5, 0.625, 0.5, 0.25], True),
        ("rbShape=circle rbUnit=pixel rbX=200 rbY=150 rbRx=30", [0.5, 0.5, 0.15, 0.2], True),
        ("rbShape=circle rbUnit=relative rbX=0.5 rbY=0.5 rbRx=0.1", [0.5, 0.5, 0.2, 0.2], False),
    ],
)
def test_iptcs_regions_are_read(boundary: str, wanted: list[float], pixels: bool, who: str) -> None:
    (region,) = said(iptc(boundary, who)).regions
    assert (region.name, region.is_face, region.schema, region.pixels) == ("Ada", True, "IPTC", pixels)
    assert [round(value, 6) for value in region.shares((400, 300)) or ()] == wanted


def test_an_iptc_polygon_takes_up_what_is_around_it() -> None:
    corners = "".join(
        f'<rdf:li rdf:parseType="Resource"><e:rbX>{x}</e:rbX><e:rbY>{y}</e:rbY></rdf:li>'
        for x, y in ((0.5, 0.2), (0.7, 0.4), (0.5, 0.6), (0.3, 0.4))
    )
    polygon = iptc("rbShape=polygon rbUnit=relative", PERSON).replace(
        "</e:RegionBoundary>", f"<e:rbVertices><rdf:Seq>{corners}</rdf:Seq></e:rbVertices></e:RegionBoundary>"
    )
    (region,) = said(polygon).regions
    assert place(region) == [0.5, 0.4, 0.4, 0.4]


def test_an_iptc_region_of_several_people_says_not_who_is_where_and_others_are_none() -> None:
    rectangle = "rbShape=rectangle rbUnit=relative rbX=0.25 rbY=0.5 rbW=0.5 rbH=0.25"
    several = said(iptc(rectangle, PERSON.replace("</rdf:li>", "</rdf:li><rdf:li>Ben</rdf:li>"))).regions
    assert [(region.name, region.area) for region in several] == [("Ada", None), ("Ben", None)]
    for concept, kind in (("rRole", "cropping"), ("rCtype", "animal")):
        term = bag(f"<rdf:li>http://cv.iptc.org/newscodes/x/{kind}</rdf:li>")
        terms = bag(f"<rdf:li {STRUCT}><x:Identifier>{term}</x:Identifier></rdf:li>")
        (region,) = said(iptc(rectangle, f"<e:{concept}>{terms}</e:{concept}>")).regions
        assert (region.kind, region.is_face) == (kind, False)
    (region,) = said(iptc(rectangle.replace("relative", "furlong"), PERSON)).regions
    assert region.area is None


def test_regions_of_other_schemas_and_people_without_a_place_are_told() -> None:
    items = bag("<rdf:li>1</rdf:li>", "<rdf:li>2</rdf:li>")
    read = said(f"<o:FaceRegions {STRUCT}><o:List>{items}</o:List></o:FaceRegions>" + PERSON)
    assert (read.regions, read.people, read.speaks) == ((), ("Ada",), False)
    assert read.unread == (("http://ns.other.org/1/", 2),)
    assert said("<r:Regions rdf:parseType='Resource'/>").speaks


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"])
@pytest.mark.parametrize("declared", ["", '<?xml version="1.0" encoding="UTF-8"?>', '<?xpacket begin="\ufeff"?>'])
def test_a_packet_is_read_in_each_encoding(encoding: str, declared: str) -> None:
    assert read_packet((declared + NESTED).encode(encoding)).regions == (ADA,)


def test_what_a_longer_packet_left_behind_this_one_is_no_matter() -> None:
    assert read_packet(NESTED.encode() + b"\n<?xpacket end='w'?> rest</rdf:RDF>").regions == (ADA,)


def test_a_flood_of_elements_is_refused_before_it_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unmingle.sources.regions.MOST_ELEMENTS", 100)
    with pytest.raises(PictureError, match="over 100 elements"):
        read_packet(b"<a>" + b"<b/>" * 100 + b"</a>")


def test_decimal_commas_are_read() -> None:
    text = NESTED.replace("0.", "0,")
    assert read_packet(text.encode()).regions == (ADA,)


def test_exif_that_cant_be_parsed_costs_the_orientation_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise struct.error("cut")

    Image.new("RGB", (40, 30)).save(tmp_path / "a.jpg")
    monkeypatch.setattr(Image.Image, "getexif", broken)
    assert read_stored(tmp_path / "a.jpg").upright_size == (40, 30)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_area_of_the_file_is_where_the_upright_picture_shows_it(orientation: int) -> None:
    """Against the program's own reading of pictures: a red block, far from every axis of symmetry."""
    pixels = np.zeros((60, 100, 3), np.uint8)
    pixels[8:20, 70:90, 0] = 255
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", exif=exif)
    upright = decode(buffer.getvalue())
    height, width = upright.shape[:2]
    assert (width, height) == ((60, 100) if lies(orientation) else (100, 60))
    rows, columns = np.nonzero(upright[..., 0])
    x, y, w, h = to_upright((0.8, 14 / 60, 0.2, 0.2), orientation)
    assert np.allclose(
        [(x - w / 2) * width, (x + w / 2) * width, (y - h / 2) * height, (y + h / 2) * height],
        [columns.min(), columns.max() + 1, rows.min(), rows.max() + 1],
    )


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.sampled_from(range(1, 9)))
def test_there_and_back_is_the_same(x: float, y: float, width: float, height: float, orientation: int) -> None:
    area = (x, y, width, height)
    assert np.allclose(to_stored(to_upright(area, orientation), orientation), area)
    assert np.allclose(to_upright(to_stored(area, orientation), orientation), area)


def test_what_is_no_orientation_turns_nothing() -> None:
    assert to_upright((0.1, 0.2, 0.3, 0.4), 0) == (0.1, 0.2, 0.3, 0.4)
    assert to_upright((0.1, 0.2, 0.3, 0.4), 9) == (0.1, 0.2, 0.3, 0.4)


ACDSEE = f"""<a:Regions xmlns:a="http://ns.acdsee.com/regions/" xmlns:t="http://ns.acdsee.com/sType/Area#" {STRUCT}>
 <a:AppliedToDimensions xmlns:m="http://ns.acdsee.com/sType/Dimensions#" m:w="640" m:h="480" m:unit="pixel"/>
 <a:RegionList><rdf:Bag>
  <rdf:li><rdf:Description a:Type="Face" a:Name="Ada" a:NameAssignType="manual">
   <a:DLYArea t:x="0.5" t:y="0.4" t:w="0.1" t:h="0.2"/><a:ALGArea t:x="0.5" t:y="0.4" t:w="0.3" t:h="0.3"/>
  </rdf:Description></rdf:li>
  <rdf:li {STRUCT}><a:Type>Face</a:Type><a:Name>Ben</a:Name>
   <a:ALGArea t:x="0.7" t:y="0.4" t:w="0.1" t:h="0.2"/></rdf:li>
  <rdf:li><rdf:Description a:Type="Face" a:Name="Eve" a:NameAssignType="denied"/></rdf:li>
 </rdf:Bag></a:RegionList></a:Regions>"""


def test_regions_of_acdsee_are_read_where_there_are_no_others() -> None:
    read = said(ACDSEE)
    assert [(one.name, one.area) for one in read.regions] == [
        ("Ada", (0.5, 0.4, 0.1, 0.2)),
        ("Ben", (0.7, 0.4, 0.1, 0.2)),
        ("", None),
    ]
    assert (read.size, read.speaks, read.unread) == ((640, 480), False, ())
    both = said(f"{ACDSEE}<r:Regions {STRUCT}><r:RegionList/></r:Regions>")
    assert (both.regions, both.speaks, both.unread) == ((), True, (("http://ns.acdsee.com/regions/", 3),))
