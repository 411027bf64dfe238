"""Who is where in a picture, as regions in XMP: beside a picture, or by ExifTool inside a copy of it."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Self
from xml.sax.saxutils import escape

from unmingle.errors import PictureError, SettingsError
from unmingle.exchange.output_folder import LONGEST_ENDING
from unmingle.files import scratch_folder
from unmingle.sources.regions import NAMESPACES, SCHEMAS, Area, Region, Schema

ENDING = ".xmp"  # behind the picture's whole name: party.jpg.xmp
LONGEST_NAME = 255  # bytes, on most file systems
_ILLEGAL = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # what XML can't hold
HUMAN = "http://cv.iptc.org/newscodes/imageregiontype/human"  # what IPTC calls a region of somebody
TAGS = ("-XMP-mwg-rs:RegionInfo", "-XMP-MP:RegionInfoMP", "-XMP-iptcExt:ImageRegion")  # as ExifTool calls the lists
PATIENCE = 120  # seconds that ExifTool has for one picture


def sidecar(name: str) -> str:
    """The path of a picture's sidecar: `a.jpg.xmp`, or `a.xmp` as Lightroom has it where that would be too long."""
    whole = name + ENDING
    return whole if len(os.fsencode(PurePath(whole).name)) <= LONGEST_NAME else str(PurePath(name).with_suffix(ENDING))


def packet(
    regions: Sequence[Region], *, width: int, height: int, orientation: int, schemas: Sequence[Schema] = SCHEMAS
) -> bytes:
    """An XMP packet of areas of a stored picture; programs that read it alone need the picture's orientation.

    No program reads all schemas, so faces are there in each of them; regions of other kinds only in MWG's.
    """
    faces = [region for region in regions if region.is_face]
    lists = {"MWG": _mwg(regions, width, height), "Microsoft": _microsoft(faces), "IPTC": _iptc(faces)}
    spaces = "\n".join(f'    xmlns:{prefix}="{uri}"' for prefix, uri in NAMESPACES.items() if prefix != "rdf")
    return f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="unmingle">
 <rdf:RDF xmlns:rdf="{NAMESPACES["rdf"]}">
  <rdf:Description rdf:about=""
{spaces}
    tiff:Orientation="{orientation}">
{"".join(lists[schema] for schema in schemas)}  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
""".encode()


def _mwg(regions: Sequence[Region], width: int, height: int) -> str:
    size = f'    <mwg-rs:AppliedToDimensions stDim:w="{width}" stDim:h="{height}" stDim:unit="pixel"/>\n'
    items = []
    for region in regions:
        assert region.area is not None  # only what has a place is written
        area = " ".join(f'stArea:{side}="{value:.8f}"' for side, value in zip("xywh", region.area, strict=True))
        texts = (("Name", region.name), ("Type", region.kind), *region.more)
        fields = [f"<mwg-rs:{field}>{_text(text)}</mwg-rs:{field}>" for field, text in texts if text]
        items.append([f'<mwg-rs:Area {area} stArea:unit="normalized"/>', *fields])
    listed = size + _bag("mwg-rs:RegionList", items)
    return f'   <mwg-rs:Regions rdf:parseType="Resource">\n{listed}   </mwg-rs:Regions>\n'


def _microsoft(faces: Sequence[Region]) -> str:
    items = [
        [f"<MPReg:Rectangle>{', '.join(_corner(face))}</MPReg:Rectangle>"]
        + [f"<MPReg:PersonDisplayName>{_text(face.name)}</MPReg:PersonDisplayName>"] * bool(face.name)
        for face in faces
    ]
    return f'   <MP:RegionInfo rdf:parseType="Resource">\n{_bag("MPRI:Regions", items)}   </MP:RegionInfo>\n'


def _iptc(faces: Sequence[Region]) -> str:
    human = _bag("iptc:rCtype", [[f"<xmp:Identifier>{HUMAN}</xmp:Identifier>"]])
    items = []
    for face in faces:
        sides = zip(("rbX", "rbY", "rbW", "rbH"), _corner(face), strict=True)
        place = "".join(f"<iptc:{field}>{value}</iptc:{field}>" for field, value in sides)
        shape = f"<iptc:rbShape>rectangle</iptc:rbShape><iptc:rbUnit>relative</iptc:rbUnit>{place}"
        boundary = f'<iptc:RegionBoundary rdf:parseType="Resource">{shape}</iptc:RegionBoundary>'
        who = f"<iptc:PersonInImage><rdf:Bag><rdf:li>{_text(face.name)}</rdf:li></rdf:Bag></iptc:PersonInImage>"
        items.append([boundary, human.strip(), *[who] * bool(face.name)])
    return _bag("iptc:ImageRegion", items)


def _bag(name: str, items: Sequence[Sequence[str]]) -> str:
    """A list of structs, each with its fields."""
    written = ("".join(f"       {field}\n" for field in item) for item in items)
    inside = "".join(f'      <rdf:li rdf:parseType="Resource">\n{item}      </rdf:li>\n' for item in written)
    return f"    <{name}>\n     <rdf:Bag>\n{inside}     </rdf:Bag>\n    </{name}>\n"


def _corner(region: Region) -> list[str]:
    """The left and upper border, width and height; a hundredth of a pixel in the largest picture there is."""
    assert region.area is not None
    x, y, width, height = region.area
    return [f"{value:.8f}" for value in (x - width / 2, y - height / 2, width, height)]


def _text(text: str) -> str:
    return escape(_ILLEGAL.sub("", text))


def clip(box: Sequence[float], width: int, height: int) -> Area | None:
    """A box (left, top, width, height) as an area of its picture, cut off at the border; None if none is inside."""
    left, right = (min(max(x / width, 0.0), 1.0) for x in (box[0], box[0] + box[2]))
    top, bottom = (min(max(y / height, 0.0), 1.0) for y in (box[1], box[1] + box[3]))
    if right <= left or bottom <= top:
        return None
    return (left + right) / 2, (top + bottom) / 2, right - left, bottom - top


class ExifTool:
    """ExifTool, which leaves all else in a file as it was; started once for many pictures, as a `with` block."""

    def __init__(self) -> None:
        program = shutil.which("exiftool")
        if program is None:
            raise SettingsError(
                "ExifTool is not installed, which writes into copies of pictures.",
                "Install it (Debian: apt-get install libimage-exiftool-perl), or leave --embed out.",
            )
        self._program = program

    def __enter__(self) -> Self:
        # Names that ExifTool sees are ours, so that no name of a picture can be taken for an option or break a line.
        self._files = contextlib.ExitStack()
        self._folder = self._files.enter_context(scratch_folder())
        self._process = self._start()
        return self

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self._program, "-stay_open", "True", "-@", "-"],
            cwd=self._folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )

    def __exit__(self, *_: object) -> None:
        try:
            self._process.communicate("-stay_open\nFalse\n", timeout=10)
        except (OSError, ValueError, subprocess.TimeoutExpired):
            self._end()
        finally:
            self._files.close()

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()

    def embed(self, original: Path, packet: bytes, copy: Path, *, ending: str = "") -> None:
        """Write a copy of a picture that has the regions of a packet; ending: of its format, if its name says other."""
        ending = ending or original.suffix
        plain = ending[1:].isascii() and ending[1:].isalnum() and len(ending) < LONGEST_ENDING
        picture = self._folder / f"picture{ending * plain}"
        regions = self._folder / "regions.xmp"
        try:
            shutil.copyfile(original, picture)
            regions.write_bytes(packet)
            said = self._ask("-overwrite_original", "-tagsfromfile", regions.name, *TAGS, picture.name)
            if "1 image files updated" not in said:
                problems = [line.removeprefix("Error: ").partition(" - ")[0] for line in said if "Error" in line]
                raise PictureError(f"ExifTool can't write into it: {'; '.join(problems) or 'it says nothing'}")
            shutil.copyfile(picture, copy)
        finally:
            picture.unlink(missing_ok=True)

    def _ask(self, *words: str) -> list[str]:
        """The lines of its answer; it is started anew after a picture that ended it."""
        if self._process.poll() is not None:
            with contextlib.suppress(OSError), self._process:  # closes its pipes
                pass
            self._process = self._start()
        watch = threading.Timer(PATIENCE, self._process.kill)
        watch.start()
        answer: list[str] = []
        try:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write("\n".join((*words, "-execute\n")))
            self._process.stdin.flush()
            for line in self._process.stdout:
                if line.strip() == "{ready}":
                    return answer
                answer.append(line.strip())
            self._process.wait()  # so that the next picture finds it ended
        except OSError as error:
            self._end()
            raise PictureError("ExifTool has ended") from error
        finally:
            watch.cancel()
        raise PictureError(f"ExifTool ended: {'; '.join(answer)}")
