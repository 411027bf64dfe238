"""Who is where in a picture, as an XMP packet with MWG regions: the file beside a picture that photo programs read."""

from __future__ import annotations

import os
from pathlib import PurePath
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from unmingle.sources.rdf import RDF
from unmingle.sources.regions import AREA, DIMENSIONS, REGIONS, TIFF

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unmingle.sources.orientation import Area
    from unmingle.sources.regions import Region

ENDING = ".xmp"  # behind the picture's whole name: party.jpg.xmp
LONGEST_NAME = 255  # bytes, on most file systems
# Eight decimals: a hundredth of a pixel in the largest picture there is.
_DECIMALS = 8


def sidecar(name: str) -> str:
    """The path of a picture's sidecar: `a.jpg.xmp`, or `a.xmp` as Lightroom has it where that would be too long."""
    whole = name + ENDING
    return whole if len(os.fsencode(PurePath(whole).name)) <= LONGEST_NAME else str(PurePath(name).with_suffix(ENDING))


def packet(regions: Sequence[Region], *, width: int, height: int, orientation: int) -> bytes:
    """An XMP packet, the same for the same regions.

    Args:
        regions: with areas of the stored picture.
        width: of the stored picture, in pixels.
        height: of the stored picture, in pixels.
        orientation: of the picture, which programs need that read this packet alone.
    """
    items = "\n".join(_item(region) for region in regions)
    return f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="unmingle">
 <rdf:RDF xmlns:rdf="{RDF}">
  <rdf:Description rdf:about=""
    xmlns:mwg-rs="{REGIONS}"
    xmlns:stArea="{AREA}"
    xmlns:stDim="{DIMENSIONS}"
    xmlns:tiff="{TIFF}"
    tiff:Orientation="{orientation}">
   <mwg-rs:Regions rdf:parseType="Resource">
    <mwg-rs:AppliedToDimensions stDim:w="{width}" stDim:h="{height}" stDim:unit="pixel"/>
    <mwg-rs:RegionList>
     <rdf:Bag>
{items}
     </rdf:Bag>
    </mwg-rs:RegionList>
   </mwg-rs:Regions>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
""".encode()


def clip(box: Sequence[float], width: int, height: int) -> Area | None:
    """A box as an area of its picture, cut off at the border; None if nothing of it is inside.

    Args:
        box: left, top, width, height in pixels; may reach over the border.
        width: of the picture.
        height: of the picture.
    """
    left, right = (min(max(x / width, 0.0), 1.0) for x in (box[0], box[0] + box[2]))
    top, bottom = (min(max(y / height, 0.0), 1.0) for y in (box[1], box[1] + box[3]))
    if right <= left or bottom <= top:
        return None
    return (left + right) / 2, (top + bottom) / 2, right - left, bottom - top


def _item(region: Region) -> str:
    assert region.area is not None  # only what has a place is written
    x, y, width, height = (f"{value:.{_DECIMALS}f}" for value in region.area)
    named = (("Name", region.name), ("Type", region.kind), *region.more)
    fields = "".join(
        f"       <mwg-rs:{field}>{escape(_legal(text))}</mwg-rs:{field}>\n" for field, text in named if text
    )
    area = f"stArea:x={quoteattr(x)} stArea:y={quoteattr(y)} stArea:w={quoteattr(width)} stArea:h={quoteattr(height)}"
    return (
        '      <rdf:li rdf:parseType="Resource">\n'
        f'       <mwg-rs:Area {area} stArea:unit="normalized"/>\n{fields}      </rdf:li>'
    )


def _legal(text: str) -> str:
    """The text without the signs that XML can't hold."""
    none = "\ufffe\uffff"
    return "".join(
        sign
        for sign in text
        if sign in "\t\n\r" or (sign >= " " and not "\ud800" <= sign <= "\udfff" and sign not in none)
    )
