"""XMP as RDF: the properties and structs of a packet, in whichever of its ways RDF was written (Adobe, XMP part 1)."""

from __future__ import annotations

import codecs
import math
import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

from unmingle.errors import PictureError
from unmingle.sources.metadata import LARGEST_PACKET

if TYPE_CHECKING:
    from collections.abc import Iterator

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"

MOST_ELEMENTS = 1_000_000  # each takes some hundred bytes of memory, however short it is in the file
# How a packet begins that is no UTF-8: the longer marks first, since the shorter are the beginning of them.
_ENCODINGS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (b"<\0\0\0", "utf-32-le"),
    (b"\0\0\0<", "utf-32-be"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)

# A field of an RDF struct: its text, if it was written as an attribute, or its element.
Field = str | ET.Element
Fields = dict[str, Field]


def parse(packet: bytes) -> ET.Element:
    """The outermost element of a packet; what may follow it, as a longer packet before leaves, is passed over.

    Raises:
        PictureError: it is no XML, too large, or declares a document type: no XMP needs one, and entities can blow it
            up.
    """
    if len(packet) > LARGEST_PACKET:
        raise PictureError(f"its XMP is larger than {LARGEST_PACKET >> 20} MB")
    builder = _Builder()
    try:
        plain, encoding = _as_utf8(packet)
        parser = ET.XMLParser(target=builder, encoding=encoding)
        try:
            parser.feed(plain)
            return parser.close()
        except ET.ParseError:
            if builder.depth or not builder.count:
                raise
            return builder.close()  # the packet was whole, and something follows it
    except (ET.ParseError, UnicodeError, AssertionError) as error:
        raise PictureError(f"its XMP is not well-formed: {error}") from error


class _Builder(ET.TreeBuilder):
    """Counts elements, and is told of a document type before an entity is expanded."""

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


def _as_utf8(packet: bytes) -> tuple[bytes, str | None]:
    """A packet without what some formats pad it with, and its encoding, whatever it says itself; None: as it says."""
    for mark, encoding in _ENCODINGS:
        if packet.startswith(mark):
            return packet.decode(encoding).strip("\ufeff\0 \t\r\n").encode(), "utf-8"
    return packet.removeprefix(codecs.BOM_UTF8).strip(b"\0 \t\r\n"), None


def fields(struct: ET.Element) -> Fields:
    """The fields of a struct."""
    inner = struct.find(f"{{{RDF}}}Description")
    found: Fields = {**struct.attrib, **{child.tag: child for child in struct}}
    if inner is not None:
        found |= {**inner.attrib, **{child.tag: child for child in inner}}
    return found


def struct(of: Fields, name: str) -> Fields:
    """The fields of a field that is a struct; none if there is no such field."""
    element = of.get(name)
    return fields(element) if isinstance(element, ET.Element) else {}


def items(field: Field | None) -> Iterator[ET.Element]:
    """The items of a list, be it a bag, a sequence or alternatives."""
    if isinstance(field, ET.Element):
        for container in field:
            yield from container.findall(f"{{{RDF}}}li")


def texts(of: Fields, name: str) -> list[str]:
    """The texts of a field: one, or those of a list; without empty ones."""
    field = of.get(name, "")
    if isinstance(field, str):
        found = [field]
    else:
        listed = (item.text or "" for item in items(field))
        found = [field.text or "", *listed, *texts(fields(field), f"{{{RDF}}}value")]
    return [stripped for text in found if (stripped := text.strip())]


def text(of: Fields, name: str) -> str:
    """The text of a field, the first of several; empty if there is none."""
    return next(iter(texts(of, name)), "")


def numbers(written: str) -> list[float | None]:
    """Numbers that stand behind one another, with points or commas for their decimals; None for what is none."""
    parts = re.split(r"[;\s]+|,\s+" if "." not in written else r"[,;\s]+", written.strip())
    if len(parts) == 1 and parts[0].count(",") > 1:
        parts = parts[0].split(",")
        if len(parts) == 8:  # 0,25,0,25,0,5,0,5: four numbers with commas between and in them
            parts = [f"{whole}.{rest}" for whole, rest in zip(parts[::2], parts[1::2], strict=True)]
    return [_number(part) for part in parts if part]


def number(of: Fields, name: str) -> float | None:
    """The number of a field; None if it has none."""
    found = numbers(text(of, name))
    return found[0] if len(found) == 1 else None


def _number(part: str) -> float | None:
    try:
        value = float(part.replace(",", "."))
    except ValueError:
        return None
    return value if math.isfinite(value) else None
