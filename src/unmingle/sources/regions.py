"""Regions of who is where in a picture, as programs write them in XMP: beside a picture or inside it.

Three schemas are read: the Metadata Working Group's (guidelines 2.0, 5.9), Microsoft's people tags, and image regions
of the IPTC photo metadata standard. All are of the picture as it is stored; faces' boxes are of the upright one. Where
there are none of these, ACDSee's are read.
"""

from __future__ import annotations

import codecs
import json
import math
import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal

from unmingle.errors import PictureError, reason
from unmingle.sources.formats import read_file
from unmingle.sources.metadata import LARGEST_PACKET, open_picture, xmp_packets

# Centre x and y, width and height, each as a share of the picture's, from its left and top.
Area = tuple[float, float, float, float]
Schema = Literal["MWG", "Microsoft", "IPTC", "ACDSee"]
ACDSEE: Schema = "ACDSee"
SCHEMAS: tuple[Schema, ...] = ("MWG", "Microsoft", "IPTC")  # of two that name one face, the first is believed

NAMESPACES = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "mwg-rs": "http://www.metadataworkinggroup.com/schemas/regions/",
    "stArea": "http://ns.adobe.com/xmp/sType/Area#",
    "stDim": "http://ns.adobe.com/xap/1.0/sType/Dimensions#",
    "tiff": "http://ns.adobe.com/tiff/1.0/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "MP": "http://ns.microsoft.com/photo/1.2/",
    "MPRI": "http://ns.microsoft.com/photo/1.2/t/RegionInfo#",
    "MPReg": "http://ns.microsoft.com/photo/1.2/t/Region#",
    "iptc": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
}
_ACDSEE = {"rs": "regions/", "stArea": "sType/Area#", "stDim": "sType/Dimensions#"}
_READ = NAMESPACES | {f"acdsee-{prefix}": f"http://ns.acdsee.com/{end}" for prefix, end in _ACDSEE.items()}
FACE = "Face"

# A region twice as wide and twice as high as a face, around it, is still of that face: intersection over union.
LEAST_OVERLAP = 0.25
MOST_SHARE = 2.0  # of a region that reaches over the border; what is more, is pixels
LARGEST_SIDE = 1e6  # pixels or shares: no picture has more, and beyond it arithmetic ends
MOST_ELEMENTS = 1_000_000  # of a packet: each takes some hundred bytes of memory, however short it is in the file
# Simple fields of a region that are neither its name nor its kind: kept when a picture's regions are written anew.
_MORE = ("Description", "FocusUsage", "BarCodeValue")
_HUMAN = re.compile("human|person|people|face|head", re.IGNORECASE)  # what IPTC's types call somebody
_OTHERS = re.compile("region|face", re.IGNORECASE)  # what other schemas call their lists


@dataclass(frozen=True, slots=True)
class Region:
    """A region of a stored picture."""

    name: str  # empty if it has none
    kind: str  # Face, Pet, Focus, BarCode, or whatever a program wrote
    area: Area | None  # None if it is none that is understood, such as a point
    more: tuple[tuple[str, str], ...] = ()  # further fields, as (name, text)
    schema: Schema = "MWG"
    pixels: bool = False  # the area is in pixels, not in shares

    @property
    def is_face(self) -> bool:
        """Whether it is a person's; some programs leave the kind out."""
        return self.kind.casefold() in (FACE.casefold(), "")

    def shares(self, size: tuple[float, float]) -> Area | None:
        """The area in shares of a picture of that width and height."""
        if self.area is None or not self.pixels:
            return self.area
        x, y, width, height = self.area
        return x / size[0], y / size[1], width / size[0], height / size[1]


@dataclass(frozen=True, slots=True)
class Packet:
    """What an XMP packet says of regions."""

    regions: tuple[Region, ...]
    size: tuple[float, float] | None = None  # pixels of the picture that they were drawn on, if it says so
    orientation: int | None = None
    speaks: bool = False  # it has a list of regions, be it an empty one
    people: tuple[str, ...] = ()  # who is in the picture as a whole
    unread: tuple[tuple[str, int], ...] = ()  # (schema, how many regions) of schemas that are not read


@dataclass(frozen=True, slots=True)
class Stored:
    """A picture as its file holds it; width and height in pixels."""

    orientation: int
    width: int
    height: int
    packets: tuple[bytes, ...]
    format: str = ""

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height when it stands upright."""
        return (self.height, self.width) if lies(self.orientation) else (self.width, self.height)


def read_stored(path: Path) -> Stored:
    """What a picture file says of itself, its pixels not decoded; PictureError if it is no picture, or damaged."""
    try:
        content = read_file(path)
        picture, plain = open_picture(content)
        with picture:
            return Stored(plain.orientation, *picture.size, xmp_packets(content, plain), picture.format or "")
    except PictureError:
        raise
    except Exception as error:  # whatever a decoder raises on one file, it is that file's
        raise PictureError(f"can't be read: {reason(error)}") from error


def to_upright(area: Area, orientation: int) -> Area:
    """Where an area of the stored picture is in the upright one; orientation: 1 to 8 as in EXIF, others count as 1."""
    x, y, width, height = area
    if lies(orientation):
        width, height = height, width
    turned = {2: (1 - x, y), 3: (1 - x, 1 - y), 4: (x, 1 - y)}
    turned |= {5: (y, x), 6: (1 - y, x), 7: (1 - y, 1 - x), 8: (y, 1 - x)}
    return *turned.get(orientation, (x, y)), width, height


def to_stored(area: Area, orientation: int) -> Area:
    """Where an area of the upright picture is in the stored one."""
    return to_upright(area, {6: 8, 8: 6}.get(orientation, orientation))  # the others undo themselves


def lies(orientation: int) -> bool:
    """Whether the stored picture's width is the upright one's height."""
    return 5 <= orientation <= 8


def overlap(one: Area, other: Area) -> float:
    """Intersection over union of two areas of one picture."""
    shared = 1.0
    for axis in (0, 1):
        low = max(area[axis] - area[axis + 2] / 2 for area in (one, other))
        high = min(area[axis] + area[axis + 2] / 2 for area in (one, other))
        shared *= max(high - low, 0.0)
    return shared / (one[2] * one[3] + other[2] * other[3] - shared)


def read_packet(packet: bytes) -> Packet:
    """The regions in an XMP packet; PictureError if it is no XML, too large, or declares a document type."""
    root = _parse(packet)
    regions: list[Region] = []
    size = orientation = None
    speaks, alone = False, _Struct(None)
    for description in root.iter(_tag("rdf:Description")):
        top = _Struct(description)
        said = top.text("tiff:Orientation")
        orientation = int(said) if said in set("12345678") else orientation
        mwg, acdsee = top.struct("mwg-rs:Regions"), top.struct("acdsee-rs:Regions")
        alone = acdsee if acdsee.fields else alone
        size = _drawn_on(mwg, "mwg-rs", "stDim") or size
        regions.extend(_of_mwg(item, size) for item in mwg.items("mwg-rs:RegionList"))
        regions.extend(map(_of_microsoft, top.struct("MP:RegionInfo").items("MPRI:Regions")))
        for item in top.items("iptc:ImageRegion"):
            regions.extend(_of_iptc(item, size))
        speaks |= not top.fields.keys().isdisjoint(_lists())
    people: list[str] = []
    unread: Counter[str] = Counter()
    for rdf in root.iter(_tag("rdf:RDF")):
        for description in rdf:
            people.extend(_people(_Struct(description)))
            unread.update(_unread(description))
    if alone.fields and not speaks:  # nor does it now: what another program wrote elsewhere is read as well
        size = _drawn_on(alone, "acdsee-rs", "acdsee-stDim")
        regions.extend(map(_of_acdsee, alone.items("acdsee-rs:RegionList")))
        del unread[_READ["acdsee-rs"]]
    return Packet(tuple(regions), size, orientation, speaks, tuple(people), tuple(unread.items()))


def _drawn_on(regions: _Struct, schema: str, dimensions: str) -> tuple[float, float] | None:
    """Width and height of the picture that regions were drawn on, if they say it."""
    said = regions.struct(f"{schema}:AppliedToDimensions")
    width, height = said.number(f"{dimensions}:w"), said.number(f"{dimensions}:h")
    return (width, height) if width and height and min(width, height) > 0 else None


def _lists() -> set[str]:
    return {_tag(name) for name in ("mwg-rs:Regions", "MP:RegionInfo", "iptc:ImageRegion")}


def _unread(description: ET.Element) -> Iterator[str]:
    """The schema of each region in a list that is of none of the three."""
    for child in description:
        schema, _, name = child.tag.removeprefix("{").rpartition("}")
        if child.tag not in _lists() and _OTHERS.search(name):
            lists = (list(_items(inner)) for inner in child.iter())
            yield from [schema] * len(next(filter(None, lists), ()))


def _of_mwg(region: _Struct, size: tuple[float, float] | None) -> Region:
    area = region.struct("mwg-rs:Area")
    more = tuple((name, said) for name in _MORE if (said := region.text(f"mwg-rs:{name}")))
    where = area_of(*(area.number(f"stArea:{side}") for side in "xywh"))
    # Some programs leave the unit out, or write pixels against the standard.
    found = Region(region.text("mwg-rs:Name"), region.text("mwg-rs:Type"), where, more)
    found = replace(found, pixels=where is not None and max(where) > MOST_SHARE)
    return replace(found, area=found.shares(size), pixels=False) if size else found


def _of_acdsee(region: _Struct) -> Region:
    """Where somebody put it, or else where it was found; a name that was denied is none."""
    # As ExifTool's acdsee.config has them; centres, in shares.
    places = [region.struct(f"acdsee-rs:{found}") for found in ("DLYArea", "ALGArea")]
    areas = (area_of(*(place.number(f"acdsee-stArea:{side}") for side in "xywh")) for place in places)
    name = region.text("acdsee-rs:Name") if region.text("acdsee-rs:NameAssignType") != "denied" else ""
    return Region(name, region.text("acdsee-rs:Type"), next(filter(None, areas), None), schema=ACDSEE)


def _of_microsoft(region: _Struct) -> Region:
    sides = _numbers(region.text("MPReg:Rectangle"))
    area = area_of(*sides, cornered=True) if len(sides) == 4 else None
    return Region(region.text("MPReg:PersonDisplayName"), FACE, area, schema="Microsoft")


def _of_iptc(region: _Struct, size: tuple[float, float] | None) -> Iterator[Region]:
    """A region, or one without a place for each of several people that it names: who of them is where?"""
    people = list(_people(region))
    kind = FACE if people else _iptc_kind(region)
    boundary = region.struct("iptc:RegionBoundary")
    unit = boundary.text("iptc:rbUnit").casefold()
    area = _boundary(boundary, size) if unit in ("", "relative", "pixel") and len(people) < 2 else None
    for name in people or [region.text("iptc:Name")]:
        yield Region(name, kind, area, schema="IPTC", pixels=unit == "pixel")


def _people(of: _Struct) -> Iterator[str]:
    """Who is in a picture or a region, each once."""
    detailed = (item.text("iptc:PersonName") for item in of.items("iptc:PersonInImageWDetails"))
    yield from dict.fromkeys(filter(None, (*of.texts("iptc:PersonInImage"), *detailed)))


def _iptc_kind(region: _Struct) -> str:
    """What a region without a person is of, by its types, or else by its role such as cropping."""
    for field in ("iptc:rCtype", "iptc:rRole"):
        concepts = region.items(field)
        said = [word for of in concepts for name in ("iptc:Name", "xmp:Identifier") for word in of.texts(name)]
        if said:
            return FACE if any(map(_HUMAN.search, said)) else said[0].rpartition("/")[2]
    return ""


def _boundary(boundary: _Struct, size: tuple[float, float] | None) -> Area | None:
    """What a rectangle, a circle or a polygon takes up."""
    shape = boundary.text("iptc:rbShape").casefold()
    if shape == "polygon":
        read = [(item.number("iptc:rbX"), item.number("iptc:rbY")) for item in boundary.items("iptc:rbVertices")]
        corners = [(x, y) for x, y in read if x is not None and y is not None]
        if not corners:
            return None
        (left, right), (top, bottom) = ((min(axis), max(axis)) for axis in zip(*corners, strict=True))
        return area_of(left, top, right - left, bottom - top, cornered=True)
    x, y = boundary.number("iptc:rbX"), boundary.number("iptc:rbY")
    if shape == "circle":
        radius = boundary.number("iptc:rbRx")
        pixels = boundary.text("iptc:rbUnit").casefold() == "pixel"
        aspect = size[0] / size[1] if size and not pixels else 1.0  # the radius is a share of the width
        return area_of(x, y, 2 * radius, 2 * radius * aspect) if radius else None
    return area_of(x, y, boundary.number("iptc:rbW"), boundary.number("iptc:rbH"), cornered=True)


def area_of(
    x: float | None, y: float | None, width: float | None, height: float | None, *, cornered: bool = False
) -> Area | None:
    """An area by its centre, or its upper left corner; None if something is missing."""
    if x is None or y is None or not width or not height or min(width, height) <= 0:
        return None
    if cornered:
        x, y = x + width / 2, y + height / 2
    return (x, y, width, height) if max(abs(x), abs(y), width, height) <= LARGEST_SIDE else None


@cache
def _tag(name: str) -> str:
    """A name with a prefix of _READ, as ElementTree has it."""
    prefix, _, local = name.partition(":")
    return f"{{{_READ[prefix]}}}{local}"


class _Struct:
    """The fields of an RDF struct, in whichever of its ways it was written (Adobe, XMP part 1)."""

    def __init__(self, element: ET.Element | None) -> None:
        self.fields: dict[str, str | ET.Element] = {}  # a field's text, if it was written as an attribute
        inner = element.find(_tag("rdf:Description")) if element is not None else None
        for one in (element, inner):
            if one is not None:
                self.fields |= {**one.attrib, **{child.tag: child for child in one}}

    def struct(self, name: str) -> _Struct:
        """A field that is a struct; without fields if there is none."""
        field = self.fields.get(_tag(name))
        return _Struct(field if isinstance(field, ET.Element) else None)

    def items(self, name: str) -> list[_Struct]:
        """The structs in a field that is a list."""
        field = self.fields.get(_tag(name))
        return [_Struct(item) for item in _items(field)] if isinstance(field, ET.Element) else []

    def texts(self, name: str) -> list[str]:
        """The texts of a field: one, or those of a list; without empty ones."""
        field = self.fields.get(_tag(name), "")
        if isinstance(field, str):
            found = [field]
        else:
            listed = (item.text or "" for item in _items(field))
            found = [field.text or "", *listed, *_Struct(field).texts("rdf:value")]
        return [stripped for text in found if (stripped := text.strip())]

    def text(self, name: str) -> str:
        """The first text of a field; empty if there is none."""
        return next(iter(self.texts(name)), "")

    def number(self, name: str) -> float | None:
        """The number of a field; None if it has none."""
        found = _numbers(self.text(name))
        return found[0] if len(found) == 1 else None


def _items(field: ET.Element) -> Iterator[ET.Element]:
    """The items of a list, be it a bag, a sequence or alternatives."""
    for container in field:
        yield from container.findall(_tag("rdf:li"))


def _numbers(written: str) -> list[float | None]:
    """Numbers that stand behind one another, with points or commas for their decimals; None for what is none."""
    parts = re.split(r"[;\s]+|,\s+" if "." not in written else r"[,;\s]+", written.strip())
    if len(parts) == 1 and parts[0].count(",") > 1:
        parts = parts[0].split(",")
        if len(parts) == 8:  # 0,25,0,25,0,5,0,5: four numbers with commas between and in them
            parts = [f"{whole}.{rest}" for whole, rest in zip(parts[::2], parts[1::2], strict=True)]
    return [number(part) for part in parts if part]


def number(part: str) -> float | None:
    """A number as it is written, with a point or a comma for its decimals; None if it is none."""
    try:
        value = float(part.replace(",", "."))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _parse(packet: bytes) -> ET.Element:
    if len(packet) > LARGEST_PACKET:
        raise PictureError(f"its XMP is larger than {LARGEST_PACKET >> 20} MB")
    builder = _Builder()
    try:
        encoding = json.detect_encoding(packet)  # by its first bytes, whatever it says itself
        if encoding.startswith("utf-8"):
            parser = ET.XMLParser(target=builder)
            packet = packet.removeprefix(codecs.BOM_UTF8)
        else:
            parser = ET.XMLParser(target=builder, encoding="utf-8")
            packet = packet.decode(encoding).removeprefix("\ufeff").encode()
        try:
            parser.feed(packet.strip(b"\0 \t\r\n"))  # some formats pad it
            return parser.close()
        except ET.ParseError:
            if builder.depth or not builder.count:
                raise
            return builder.close()  # the packet was whole; what a longer one before it left may follow
    except (ET.ParseError, UnicodeError, AssertionError) as error:
        raise PictureError(f"its XMP is not well-formed: {error}") from error


class _Builder(ET.TreeBuilder):
    """Counts elements, and is told of a document type before an entity is expanded: no XMP needs one."""

    depth = count = 0

    def start(self, tag: str, attrs: dict[str, str], /) -> ET.Element:
        self.depth, self.count = self.depth + 1, self.count + 1
        if self.count > MOST_ELEMENTS:
            raise PictureError(f"its XMP has over {MOST_ELEMENTS:,} elements")
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> ET.Element:
        self.depth -= 1
        return super().end(tag)

    def doctype(self, *_: object) -> None:
        raise PictureError("its XMP declares a document type, which is not read")
