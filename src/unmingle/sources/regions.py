"""Regions that programs wrote of who is where in a picture: in XMP, beside a picture or inside it.

Three schemas are read: the Metadata Working Group's (guidelines 2.0, 5.9), Microsoft's people tags, and image regions
of the IPTC photo metadata standard. All are of the picture as it is stored; faces' boxes are of the upright one.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from unmingle.errors import PictureError, reason
from unmingle.sources.decoding import open_picture, xmp_packets
from unmingle.sources.formats import check_file
from unmingle.sources.rdf import RDF, Fields, fields, items, number, numbers, parse, struct, text, texts

if TYPE_CHECKING:
    import xml.etree.ElementTree as ET
    from collections.abc import Iterator
    from pathlib import Path

# Centre x and y, width and height, each as a share of the picture's, from its left and top.
Area = tuple[float, float, float, float]
Schema = Literal["MWG", "Microsoft", "IPTC"]
SCHEMAS: tuple[Schema, ...] = ("MWG", "Microsoft", "IPTC")  # of two that name one face, the first is believed

REGIONS = "http://www.metadataworkinggroup.com/schemas/regions/"
AREA = "http://ns.adobe.com/xmp/sType/Area#"
DIMENSIONS = "http://ns.adobe.com/xap/1.0/sType/Dimensions#"
TIFF = "http://ns.adobe.com/tiff/1.0/"
XMP = "http://ns.adobe.com/xap/1.0/"
MICROSOFT = "http://ns.microsoft.com/photo/1.2/"
MICROSOFT_INFO = f"{MICROSOFT}t/RegionInfo#"
MICROSOFT_REGION = f"{MICROSOFT}t/Region#"
IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_LISTS = (f"{{{REGIONS}}}Regions", f"{{{MICROSOFT}}}RegionInfo", f"{{{IPTC}}}ImageRegion")
FACE = "Face"

# A region twice as wide and twice as high as a face, around it, is still of that face: intersection over union.
LEAST_OVERLAP = 0.25
LARGEST_SIDE = 1e6  # pixels or shares: no picture has more, and beyond it arithmetic ends
# Simple fields of a region that are neither its name nor its kind: kept when a picture's regions are written anew.
_MORE = ("Description", "FocusUsage", "BarCodeValue")
_HUMAN = re.compile("human|person|people|face|head", re.IGNORECASE)  # what IPTC's types call somebody
_OTHERS = re.compile("region|face", re.IGNORECASE)  # what other schemas call their lists


@dataclass(frozen=True, slots=True)
class Region:
    """One region.

    name:   empty if it has none.
    kind:   Face, Pet, Focus, BarCode, or whatever a program wrote.
    area:   of the stored picture; None if it is none that is understood, such as a point.
    more:   further fields, as (name, text).
    schema: in which it was written.
    pixels: the area is in pixels of the stored picture, not in shares of it.
    """

    name: str
    kind: str
    area: Area | None
    more: tuple[tuple[str, str], ...] = ()
    schema: Schema = "MWG"
    pixels: bool = False

    @property
    def is_face(self) -> bool:
        """Whether it is a person's; some programs leave the kind out."""
        return self.kind.casefold() in (FACE.casefold(), "")

    def shares(self, size: tuple[int, int]) -> Area | None:
        """The area in shares of a picture of that stored width and height."""
        if self.area is None or not self.pixels:
            return self.area
        x, y, width, height = self.area
        return x / size[0], y / size[1], width / size[0], height / size[1]


@dataclass(frozen=True, slots=True)
class Packet:
    """What an XMP packet says of regions.

    size:        width and height in pixels of the picture that they were drawn on; None if it does not say.
    orientation: that it gives the picture; None if it gives none.
    speaks:      it has a list of regions, be it an empty one.
    people:      names that it gives to the picture as a whole.
    unread:      (schema, how many regions) of schemas that are not read.
    """

    regions: tuple[Region, ...]
    size: tuple[float, float] | None = None
    orientation: int | None = None
    speaks: bool = False
    people: tuple[str, ...] = ()
    unread: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Stored:
    """A picture as its file holds it: how it is to be turned, width and height in pixels, and its XMP packets."""

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
        check_file(path)
        content = path.read_bytes()
        picture, plain = open_picture(content)
        with picture:
            return Stored(plain.orientation, *picture.size, xmp_packets(content, plain), picture.format or "")
    except PictureError:
        raise
    except Exception as error:  # whatever a decoder raises on one file, it is that file's
        raise PictureError(f"can't be read: {reason(error)}") from error


def to_upright(area: Area, orientation: int) -> Area:
    """Where an area of the stored picture is in the upright one.

    The orientation is 1 to 8, as EXIF has it (tag 0x0112); anything else is taken for 1, as viewers do.
    """
    x, y, width, height = area
    if lies(orientation):
        width, height = height, width
    turned = {
        2: (1 - x, y),
        3: (1 - x, 1 - y),
        4: (x, 1 - y),
        5: (y, x),
        6: (1 - y, x),
        7: (1 - y, 1 - x),
        8: (y, 1 - x),
    }
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
    """The regions in an XMP packet; PictureError as for `parse`."""
    root = parse(packet)
    regions: list[Region] = []
    people: list[str] = []
    unread: Counter[str] = Counter()
    size = orientation = None
    speaks = False
    for description in root.iter(f"{{{RDF}}}Description"):
        top = fields(description)
        said = text(top, f"{{{TIFF}}}Orientation")
        orientation = int(said) if said in set("12345678") else orientation
        info = struct(top, f"{{{REGIONS}}}Regions")
        width, height = (
            number(struct(info, f"{{{REGIONS}}}AppliedToDimensions"), f"{{{DIMENSIONS}}}{s}") for s in "wh"
        )
        size = (width, height) if width and height and min(width, height) > 0 else size
        regions.extend(_of_mwg(fields(item)) for item in items(info.get(f"{{{REGIONS}}}RegionList")))
        tagged = struct(top, f"{{{MICROSOFT}}}RegionInfo").get(f"{{{MICROSOFT_INFO}}}Regions")
        regions.extend(_of_microsoft(fields(item)) for item in items(tagged))
        for item in items(top.get(f"{{{IPTC}}}ImageRegion")):
            regions.extend(_of_iptc(fields(item), size))
        speaks |= not top.keys().isdisjoint(_LISTS)
    for rdf in root.iter(f"{{{RDF}}}RDF"):
        for description in rdf:
            people.extend(_people(fields(description)))
            unread.update(_unread(description))
    return Packet(tuple(regions), size, orientation, speaks, tuple(people), tuple(unread.items()))


def _unread(description: ET.Element) -> Iterator[str]:
    """The schema of each region in a list that is of none of the three."""
    for child in description:
        schema, _, name = child.tag.removeprefix("{").rpartition("}")
        if child.tag not in _LISTS and _OTHERS.search(name):
            lists = (list(items(inner)) for inner in child.iter())
            yield from [schema] * len(next(filter(None, lists), ()))


def _of_mwg(region: Fields) -> Region:
    area = struct(region, f"{{{REGIONS}}}Area")
    more = tuple((name, said) for name in _MORE if (said := text(region, f"{{{REGIONS}}}{name}")))
    where = None
    if text(area, f"{{{AREA}}}unit") in ("", "normalized"):  # some programs leave the unit out
        where = _area(*(number(area, f"{{{AREA}}}{side}") for side in "xywh"))
    return Region(text(region, f"{{{REGIONS}}}Name"), text(region, f"{{{REGIONS}}}Type"), where, more)


def _of_microsoft(region: Fields) -> Region:
    sides = numbers(text(region, f"{{{MICROSOFT_REGION}}}Rectangle"))
    area = _area(*sides, cornered=True) if len(sides) == 4 else None
    return Region(text(region, f"{{{MICROSOFT_REGION}}}PersonDisplayName"), FACE, area, schema="Microsoft")


def _of_iptc(region: Fields, size: tuple[float, float] | None) -> Iterator[Region]:
    """A region, or one without a place for each of several people that it names: who of them is where?"""
    people = list(_people(region))
    kind = FACE if people else _iptc_kind(region)
    boundary = struct(region, f"{{{IPTC}}}RegionBoundary")
    unit = text(boundary, f"{{{IPTC}}}rbUnit").casefold()
    area = _boundary(boundary, size) if unit in ("", "relative", "pixel") and len(people) < 2 else None
    for name in people or [text(region, f"{{{IPTC}}}Name")]:
        yield Region(name, kind, area, schema="IPTC", pixels=unit == "pixel")


def _people(of: Fields) -> Iterator[str]:
    """Who is in a picture or a region, each once."""
    detailed = (
        text(fields(item), f"{{{IPTC}}}PersonName") for item in items(of.get(f"{{{IPTC}}}PersonInImageWDetails"))
    )
    yield from dict.fromkeys(filter(None, (*texts(of, f"{{{IPTC}}}PersonInImage"), *detailed)))


def _iptc_kind(region: Fields) -> str:
    """What a region without a person is of, by its types, or else by its role such as cropping."""
    words = (f"{{{IPTC}}}Name", f"{{{XMP}}}Identifier")
    for field in ("rCtype", "rRole"):
        concepts = [fields(item) for item in items(region.get(f"{{{IPTC}}}{field}"))]
        said = [word for concept in concepts for name in words for word in texts(concept, name)]
        if said:
            return FACE if any(map(_HUMAN.search, said)) else said[0].rpartition("/")[2]
    return ""


def _boundary(boundary: Fields, size: tuple[float, float] | None) -> Area | None:
    """What a rectangle, a circle or a polygon takes up."""

    def asked(of: Fields, *names: str) -> list[float | None]:
        return [number(of, f"{{{IPTC}}}{name}") for name in names]

    shape = text(boundary, f"{{{IPTC}}}rbShape").casefold()
    if shape == "circle":
        x, y, radius = asked(boundary, "rbX", "rbY", "rbRx")
        pixels = text(boundary, f"{{{IPTC}}}rbUnit").casefold() == "pixel"
        aspect = size[0] / size[1] if size and not pixels else 1.0  # the radius is a share of the width
        return _area(x, y, 2 * radius, 2 * radius * aspect) if radius else None
    if shape == "polygon":
        read = [asked(fields(item), "rbX", "rbY") for item in items(boundary.get(f"{{{IPTC}}}rbVertices"))]
        corners = [(x, y) for x, y in read if x is not None and y is not None]
        if not corners:
            return None
        (left, right), (top, bottom) = ((min(axis), max(axis)) for axis in zip(*corners, strict=True))
        return _area(left, top, right - left, bottom - top, cornered=True)
    return _area(*asked(boundary, "rbX", "rbY", "rbW", "rbH"), cornered=True)


def _area(
    x: float | None, y: float | None, width: float | None, height: float | None, *, cornered: bool = False
) -> Area | None:
    """An area by its centre, or its upper left corner; None if something is missing."""
    if x is None or y is None or not width or not height or min(width, height) <= 0:
        return None
    if cornered:
        x, y = x + width / 2, y + height / 2
    return (x, y, width, height) if max(abs(x), abs(y), width, height) <= LARGEST_SIDE else None
