"""Regions that programs wrote of who is where in a picture: MWG regions in XMP, beside a picture or inside it.

Metadata Working Group, Guidelines for Handling Image Metadata 2.0, 5.9; the XML is RDF as in Adobe's XMP, part 1.
"""

from __future__ import annotations

import codecs
import math
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.parsers import expat

from PIL import Image, UnidentifiedImageError

from unmingle.errors import PictureError
from unmingle.sources.images import HEIC_SUFFIXES, enable_heic
from unmingle.sources.orientation import NORMAL, lies

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from unmingle.sources.orientation import Area

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
REGIONS = "http://www.metadataworkinggroup.com/schemas/regions/"
AREA = "http://ns.adobe.com/xmp/sType/Area#"
DIMENSIONS = "http://ns.adobe.com/xap/1.0/sType/Dimensions#"
TIFF = "http://ns.adobe.com/tiff/1.0/"
FACE = "Face"

LARGEST_PACKET = 64 << 20  # bytes; the regions of a thousand faces take half a million
# A region twice as wide and twice as high as a face, around it, is still of that face: intersection over union.
LEAST_OVERLAP = 0.25
ORIENTATION = 0x0112  # the tag of EXIF
# A JPEG segment holds 64 kB; what of a packet does not fit stands in further segments behind this mark (XMP, part 3).
_FURTHER = b"http://ns.adobe.com/xmp/extension/\0"
# Simple fields of a region that are neither its name nor its kind: kept when a picture's regions are written anew.
_MORE = ("Description", "FocusUsage", "BarCodeValue")


@dataclass(frozen=True, slots=True)
class Region:
    """One region.

    name: empty if it has none.
    kind: Face, Pet, Focus, BarCode, or whatever a program wrote.
    area: of the stored picture; None if it is none that is understood, such as a point.
    more: further fields, as (name, text).
    """

    name: str
    kind: str
    area: Area | None
    more: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Packet:
    """What an XMP packet says of regions.

    size:        width and height in pixels of the picture that they were drawn on; None if it does not say.
    orientation: that it gives the picture; None if it gives none.
    """

    regions: tuple[Region, ...]
    size: tuple[float, float] | None = None
    orientation: int | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """A picture as its file holds it: how it is to be turned, width and height in pixels, and its XMP packets."""

    orientation: int
    width: int
    height: int
    packets: tuple[bytes, ...]

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height when it stands upright."""
        return (self.height, self.width) if lies(self.orientation) else (self.width, self.height)


def read_stored(path: Path) -> Stored:
    """What a picture file says of itself; its pixels are not decoded.

    Raises:
        PictureError: it is no picture, or damaged.
    """
    if path.suffix.lower() in HEIC_SUFFIXES:
        enable_heic()
    try:
        with Image.open(path) as image:
            # As `ImageOps.exif_transpose` asks for it, which turned the picture in which faces were found.
            orientation = image.getexif().get(ORIENTATION, NORMAL)
            packets = tuple(_packets(image))
            return Stored(orientation if orientation in range(1, 9) else NORMAL, *image.size, packets)
    except (UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise PictureError("not a picture in a format that is read") from error
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, TypeError, OverflowError) as error:
        # Pillow's readers raise all of these on damaged files.
        raise PictureError(f"can't be read: {error}") from error


def _packets(image: Image.Image) -> Iterator[bytes]:
    main = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    if main:
        yield main if isinstance(main, bytes) else str(main).encode()
    parts = [data[len(_FURTHER) :] for _, data in getattr(image, "applist", ()) if bytes(data).startswith(_FURTHER)]
    if parts:
        # Of each: 32 characters that name the packet, 4 bytes of its length, 4 of where the part begins.
        yield b"".join(part[40:] for part in sorted(parts, key=lambda part: int.from_bytes(part[36:40], "big")))


def read_packet(packet: bytes) -> Packet:
    """The regions in an XMP packet.

    Raises:
        PictureError: it is no XML, or declares a document type: no XMP needs one, and entities can blow it up.
    """
    if not packet.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        packet = packet.strip(b"\0 \t\r\n")  # some formats pad it
    root = _parse(packet)
    regions: list[Region] = []
    size = orientation = None
    for description in root.iter(f"{{{RDF}}}Description"):
        top = _fields(description)
        orientation = _orientation(_text(top, f"{{{TIFF}}}Orientation")) or orientation
        info = _struct(top, f"{{{REGIONS}}}Regions")
        size = _size(_struct(info, f"{{{REGIONS}}}AppliedToDimensions")) or size
        regions.extend(_region(_fields(item)) for item in _items(info.get(f"{{{REGIONS}}}RegionList")))
    return Packet(tuple(regions), size, orientation)


def overlap(one: Area, other: Area) -> float:
    """Intersection over union of two areas of one picture."""
    shared = 1.0
    for axis in (0, 1):
        low = max(area[axis] - area[axis + 2] / 2 for area in (one, other))
        high = min(area[axis] + area[axis + 2] / 2 for area in (one, other))
        shared *= max(high - low, 0.0)
    return shared / (one[2] * one[3] + other[2] * other[3] - shared)


# A field of an RDF struct: its text, if it was written as an attribute, or its element.
_Fields = dict[str, "str | ET.Element"]


def _parse(packet: bytes) -> ET.Element:
    if len(packet) > LARGEST_PACKET:
        raise PictureError(f"its XMP is larger than {LARGEST_PACKET >> 20} MB")
    builder = ET.TreeBuilder()
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse
    parser.StartElementHandler = lambda tag, given: builder.start(_name(tag), {_name(k): v for k, v in given.items()})
    parser.EndElementHandler = lambda tag: builder.end(_name(tag))
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(packet, True)  # noqa: FBT003  # expat takes no keywords
        return builder.close()
    except (expat.ExpatError, AssertionError) as error:
        raise PictureError(f"its XMP is not well-formed: {error}") from error


def _name(expanded: str) -> str:
    """A name as ElementTree writes it: {namespace}local."""
    return "{" + expanded if "}" in expanded else expanded


def _refuse(*_: object) -> None:
    raise PictureError("its XMP declares a document type, which is not read")


def _fields(struct: ET.Element) -> _Fields:
    """The fields of a struct, in any of the ways in which RDF may write them."""
    inner = struct.find(f"{{{RDF}}}Description")
    found: _Fields = {**struct.attrib, **{child.tag: child for child in struct}}
    if inner is not None:
        found |= {**inner.attrib, **{child.tag: child for child in inner}}
    return found


def _struct(fields: _Fields, name: str) -> _Fields:
    element = fields.get(name)
    return _fields(element) if isinstance(element, ET.Element) else {}


def _items(field: str | ET.Element | None) -> Iterator[ET.Element]:
    """The items of a list, be it a bag or a sequence."""
    if isinstance(field, ET.Element):
        for container in field:
            yield from container.findall(f"{{{RDF}}}li")


def _text(fields: _Fields, name: str) -> str:
    field = fields.get(name, "")
    return (field if isinstance(field, str) else field.text or "").strip()


def _number(fields: _Fields, name: str) -> float | None:
    try:
        number = float(_text(fields, name))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _orientation(text: str) -> int | None:
    return int(text) if text in {str(known) for known in range(1, 9)} else None


def _size(dimensions: _Fields) -> tuple[float, float] | None:
    width, height = (_number(dimensions, f"{{{DIMENSIONS}}}{side}") for side in "wh")
    return (width, height) if width and height and min(width, height) > 0 else None


def _region(fields: _Fields) -> Region:
    area = _struct(fields, f"{{{REGIONS}}}Area")
    more = tuple((name, text) for name in _MORE if (text := _text(fields, f"{{{REGIONS}}}{name}")))
    return Region(_text(fields, f"{{{REGIONS}}}Name"), _text(fields, f"{{{REGIONS}}}Type"), _area(area), more)


def _area(fields: _Fields) -> Area | None:
    x, y, width, height = (_number(fields, f"{{{AREA}}}{side}") for side in "xywh")
    if x is None or y is None or not width or not height or min(width, height) <= 0:
        return None
    # The standard knows no other unit, and some programs leave it out.
    return (x, y, width, height) if _text(fields, f"{{{AREA}}}unit") in ("", "normalized") else None
