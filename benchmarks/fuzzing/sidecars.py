"""Sidecars, and regions inside pictures, in the three schemas: names arrive, or it is told that they did not."""

from __future__ import annotations

import shutil
import struct
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from fuzzing.mutants import SIDE, Outcome, chance, damage, portrait
from madeup.portraits import encode
from unmingle.api import Library
from unmingle.settings import EngineSettings

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

PICTURES = 100
NAMES = ("Ada", "Ada Lovelace", "محمد\u200cرضا", "2", "O'Neill", "李小龙", "José", "Jose\u0301", "a & b", "x" * 80)
PREFIXES = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "mwg-rs": "http://www.metadataworkinggroup.com/schemas/regions/",
    "stArea": "http://ns.adobe.com/xmp/sType/Area#",
    "stDim": "http://ns.adobe.com/xap/1.0/sType/Dimensions#",
    "MP": "http://ns.microsoft.com/photo/1.2/",
    "MPRI": "http://ns.microsoft.com/photo/1.2/t/RegionInfo#",
    "MPReg": "http://ns.microsoft.com/photo/1.2/t/Region#",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "tiff": "http://ns.adobe.com/tiff/1.0/",
}
Box = tuple[float, float, float, float]  # left, top, width, height, as shares


def pictures(folder: Path) -> tuple[Library, Path, list[Box]]:
    """A library of single faces, where they lie, and the face's place on each."""
    source = folder / "pictures"
    source.mkdir()
    for place in range(PICTURES):
        (source / f"p{place:03}.jpg").write_bytes(picture(place))
    library = Library(folder / "library", views="on request")
    library.add(source, engine=EngineSettings(threads=1))
    library.cluster(sheets=0)
    faces = library.faces.filter(library.faces["face"] == 0)
    boxes = {row["file"]: row for row in faces.iter_rows(named=True)}
    places = [boxes[f"p{place:03}.jpg"] for place in range(PICTURES)]
    return library, source, [tuple(row[side] / SIDE for side in ("left", "top", "width", "height")) for row in places]


def picture(place: int) -> bytes:
    return encode(portrait(place, 300 + place), 88)


class Base:
    """A library that is made once for each process, and copied for each batch."""

    def __init__(self) -> None:
        self._made: tuple[Library, Path, list[Box]] | None = None

    def copy(self, folder: Path) -> tuple[Library, Path, list[Box]]:
        """The library's copy in `folder`, its pictures, and their faces' boxes."""
        if self._made is None:
            self._made = pictures(Path(tempfile.mkdtemp(dir=folder.parent)))
        library, source, boxes = self._made
        shutil.copytree(library.folder, folder / "library")
        return Library(folder / "library", views="on request"), source, boxes


class Sidecars:
    """A third is as some program may write it, and a name in it has to arrive or to be told of."""

    def __init__(self) -> None:
        self._base = Base()

    def run(self, folder: Path, numbers: Sequence[int], seed: int) -> Outcome:
        """See `Kind.run`."""
        library, _, boxes = self._base.copy(folder)
        written = folder / "names"
        written.mkdir()
        mild = {}
        for number in numbers:
            draw = chance(seed, "sidecars", number)
            place = number % PICTURES
            name = f"{draw.choice(NAMES)} {number}"
            content, meant = mutant(draw, name, boxes[place])
            way = draw.choice((".jpg.xmp", ".jpg.xmp", ".xmp", ".jpg"))
            whole = content if way != ".jpg" else embed(picture(place), content)
            (written / f"p{place:03}{way}").write_bytes(whole)
            mild |= {number: (f"p{place:03}", name)} if meant and (way != ".jpg" or len(content) < 65_000) else {}
        imported = library.import_names(written)
        outcome = Outcome(read=imported.files)
        for one in imported.left:
            if not one.why.strip():
                outcome.blame(numbers[0], "odd_rows", f"{one.where} left without a reason")
        told = {one.where.partition(".")[0] for one in imported.left}
        outcome.refused = len(told)
        named = set(library.faces["file"].filter(library.faces["name"] != "").str.slice(0, 4).to_list())
        for number, (file, name) in mild.items():
            if file not in named and file not in told:
                outcome.blame(number, "silent", f"nothing was said of {name[:20]!r}")
            elif file not in named:
                why = next(one.why for one in imported.left if one.where.startswith(file))
                outcome.blame(number, "name_refused", why)
        return outcome


def embed(jpeg: bytes, packet: bytes) -> bytes:
    content = (b"http://ns.adobe.com/xap/1.0/\0" + packet)[:65_000]
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content + jpeg[2:]


def mutant(draw: random.Random, name: str, box: Box) -> tuple[bytes, bool]:
    """A packet, and whether any reader of its schema has to find the name in it."""
    numbers = [f"{number:.6f}" for number in box]
    schema = draw.choice((mwg, mwg, mp, iptc))
    kind = draw.random()
    if kind < 0.35:
        return _written(draw, _packet(schema(_escape(name), numbers, draw))), True
    if kind < 0.65:
        return _written(draw, _structural(draw, schema, name, numbers)), False
    content = _packet(schema(_escape(name), numbers, draw)).encode()
    if kind < 0.9:
        return damage(content, draw, _packet(mp("Bob", numbers, draw)).encode()), False
    return draw.choice(ENCODINGS)(content.decode()), False


def _escape(name: str) -> str:
    return name.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")


def _packet(body: str, top: str = "x:xmpmeta") -> str:
    spaces = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in PREFIXES.items())
    return (
        f'<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><{top} xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf='
        f'"{PREFIXES["rdf"]}"><rdf:Description rdf:about="" {spaces}>{body}</rdf:Description></rdf:RDF></{top}>'
        '<?xpacket end="w"?>'
    )


def mwg(name: str, box: Sequence[str], draw: random.Random) -> str:
    left, top, width, height = map(_float, box)
    area = {"x": left + width / 2, "y": top + height / 2, "w": width, "h": height}
    kind = draw.choice(("<mwg-rs:Type>Face</mwg-rs:Type>", "<mwg-rs:Type>Face</mwg-rs:Type>", ""))
    dimensions = draw.choice(
        (f'<mwg-rs:AppliedToDimensions stDim:w="{SIDE}" stDim:h="{SIDE}" stDim:unit="pixel"/>', "")
    )
    if draw.random() < 0.5:
        inner = " ".join(f'stArea:{side}="{number:.6f}"' for side, number in area.items())
        shape = f'<mwg-rs:Area {inner} stArea:unit="normalized"/>'
    else:
        inner = "".join(f"<stArea:{side}>{number:.6f}</stArea:{side}>" for side, number in area.items())
        shape = f'<mwg-rs:Area rdf:parseType="Resource">{inner}<stArea:unit>normalized</stArea:unit></mwg-rs:Area>'
    if draw.random() < 0.5:
        item = f'<rdf:li rdf:parseType="Resource">{shape}<mwg-rs:Name>{name}</mwg-rs:Name>{kind}</rdf:li>'
    else:
        item = f'<rdf:li><rdf:Description mwg-rs:Name="{name}">{shape}{kind}</rdf:Description></rdf:li>'
    bag = draw.choice(("Bag", "Seq"))
    return (
        f'<mwg-rs:Regions rdf:parseType="Resource">{dimensions}<mwg-rs:RegionList><rdf:{bag}>{item}</rdf:{bag}>'
        "</mwg-rs:RegionList></mwg-rs:Regions>"
    )


def mp(name: str, box: Sequence[str], draw: random.Random) -> str:
    rectangle = draw.choice((", ", ",")).join(box)
    if draw.random() < 0.5:
        item = f'<rdf:li MPReg:Rectangle="{rectangle}" MPReg:PersonDisplayName="{name}"/>'
    else:
        item = (
            f'<rdf:li rdf:parseType="Resource"><MPReg:Rectangle>{rectangle}</MPReg:Rectangle>'
            f"<MPReg:PersonDisplayName>{name}</MPReg:PersonDisplayName></rdf:li>"
        )
    bag = f"<MPRI:Regions><rdf:Bag>{item}</rdf:Bag></MPRI:Regions>"
    return f'<MP:RegionInfo rdf:parseType="Resource">{bag}</MP:RegionInfo>'


def iptc(name: str, box: Sequence[str], draw: random.Random) -> str:
    sides = "".join(
        f"<Iptc4xmpExt:rb{side}>{number}</Iptc4xmpExt:rb{side}>" for side, number in zip("XYWH", box, strict=True)
    )
    unit = "<Iptc4xmpExt:rbUnit>relative</Iptc4xmpExt:rbUnit>"
    if draw.random() < 0.2:
        pixels = "".join(
            f"<Iptc4xmpExt:rb{side}>{_float(number) * SIDE:.0f}</Iptc4xmpExt:rb{side}>"
            for side, number in zip("XYWH", box, strict=True)
        )
        sides, unit = pixels, "<Iptc4xmpExt:rbUnit>pixel</Iptc4xmpExt:rbUnit>"
    return (
        '<Iptc4xmpExt:ImageRegion><rdf:Bag><rdf:li rdf:parseType="Resource"><Iptc4xmpExt:RegionBoundary rdf:parseType='
        f'"Resource"><Iptc4xmpExt:rbShape>rectangle</Iptc4xmpExt:rbShape>{unit}{sides}</Iptc4xmpExt:RegionBoundary>'
        f"<Iptc4xmpExt:PersonInImage><rdf:Bag><rdf:li>{name}</rdf:li></rdf:Bag></Iptc4xmpExt:PersonInImage></rdf:li>"
        "</rdf:Bag></Iptc4xmpExt:ImageRegion>"
    )


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _written(draw: random.Random, text: str) -> bytes:
    """In a way in which the standard lets XMP be written."""
    ways: tuple[Callable[[], bytes], ...] = (
        text.encode,
        text.encode,
        lambda: b"\xef\xbb\xbf" + text.encode(),
        lambda: text.encode("utf-16"),
        lambda: text.encode() + b" " * 2000,
        lambda: b"<?xml version='1.0' encoding='UTF-8'?>" + text.replace("\ufeff", "").encode(),
        lambda: text.replace("><", ">\r\n  <").encode(),
        lambda: text.replace("<rdf:Bag>", "<!-- of faces --><rdf:Bag>").encode(),
        lambda: text.encode() + b"\0" * 16,
    )
    return draw.choice(ways)()


ENCODINGS: tuple[Callable[[str], bytes], ...] = (
    lambda text: text.encode("utf-16-le"),
    lambda text: text.encode("utf-16-be"),
    lambda text: text.encode("utf-32"),
    lambda text: text.encode("latin-1", "replace"),
    lambda text: b"<?xml version='1.0' encoding='latin-1'?>" + text.encode(),
    lambda text: b"<?xml version='1.0' encoding='nonsense'?>" + text.encode(),
    lambda text: b"<?xml version='1.0' encoding='utf-16'?>" + text.encode(),
    lambda text: b"<?xml version='1.0' encoding='utf-7'?>" + text.encode(),
    lambda text: text.encode("cp500", "replace"),
    lambda text: text.encode("utf-8") + b"\xff\xfe\xfd",
    lambda text: b"\xff\xfe" + text.encode(),
    lambda text: b"",
    lambda text: b"\0" * 100,
    lambda text: text.replace("Ada", "A\x00da").encode(),
)
ODD = (
    "NaN",
    "nan",
    "inf",
    "-inf",
    "1e400",
    "1e308",
    "-1",
    "0",
    "-0.0",
    "",
    " ",
    "0,5",
    "0x1p-1",
    "½",
    "１",
    "1_0",
    "9" * 5000,
)
ODD += ("1e-320", "abc", "0.5 0.5", "2", "100", "\u0663", "+0.5", "0.5%", "1/2")


def _structural(draw: random.Random, schema: Callable[..., str], name: str, numbers: list[str]) -> str:
    """A packet that is XML, but not what a reader waits for."""
    odd = list(numbers)
    for _ in range(draw.choice((1, 2, 4))):
        odd[draw.randrange(4)] = draw.choice(ODD)
    whole = schema(_escape(name), numbers, draw)
    ways: tuple[Callable[[], str], ...] = (
        lambda: _packet(_numbers(whole, draw)),
        lambda: _packet(_numbers(whole, draw)),
        lambda: _packet(schema(_escape(name), odd, draw)),
        lambda: _packet(_without(whole, draw)),
        lambda: _packet(_without(whole, draw)),
        lambda: _packet(whole + whole),
        lambda: _packet(mwg(_escape(name), numbers, draw) + mp("Bob", numbers, draw) + iptc("Eve", odd, draw)),
        lambda: _packet(whole * draw.choice((50, 300))),
        lambda: _packet(whole, "x:xml_doc"),
        lambda: _packet("<a>" * 3000 + "</a>" * 3000 + whole),
        lambda: (
            "<!DOCTYPE x ["
            + "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, 10))
            + "]>"
            + _packet(whole)
        ),
        lambda: _packet(whole).replace("rdf:li", draw.choice(("rdf:Li", "rdf:_1", "li"))),
        lambda: _packet(whole).replace(draw.choice(list(PREFIXES.values())), "http://example.org/"),
        lambda: _packet(schema("", numbers, draw)),
        lambda: _packet(schema(draw.choice(ODD_NAMES), numbers, draw)),
        lambda: _packet(schema(draw.choice(ODD_NAMES), numbers, draw)),
        lambda: _packet(whole).replace(">Face<", draw.choice((">Pet<", ">face<", "> Face <", ">Barcode<", "><"))),
        lambda: _packet(
            whole.replace(_escape(name), f"<rdf:Alt><rdf:li xml:lang='x-default'>{_escape(name)}</rdf:li></rdf:Alt>")
        ),
        lambda: _packet(whole).replace(
            'rdf:parseType="Resource"',
            draw.choice(("", 'rdf:resource="#a"', 'rdf:nodeID="a"', 'rdf:parseType="Literal"')),
        ),
        lambda: _packet(
            "<tiff:Orientation>" + draw.choice(("0", "6", "9", "-1", "x", "", "6.0")) + "</tiff:Orientation>" + whole
        ),
    )
    return draw.choice(ways)()


ODD_NAMES = (
    "&#10;",
    "&#x202e;abc",
    "a" * 100_000,
    "&#xfffe;",
    "-1",
    "None",
    "a/b",
    "..",
    "&lt;script>",
    "1e5",
    "\u200b",
    "\u0300",
    "\ud7ff",
    "A,B",
    "ａ",
)


def _numbers(text: str, draw: random.Random) -> str:
    """Some of the numbers replaced."""
    import re

    places = list(re.finditer(r"\d+\.\d+|(?<=[\">])\d+(?=[\"<])", text))
    for found in sorted(draw.sample(places, min(len(places), draw.choice((1, 1, 2, 4)))), key=lambda one: -one.start()):
        text = text[: found.start()] + draw.choice(ODD) + text[found.end() :]
    return text


def _without(text: str, draw: random.Random) -> str:
    """Without an attribute or an element."""
    import re

    places = list(re.finditer(r'\s[\w-]+:\w+="[^"]*"|<([\w-]+:\w+)>[^<]*</\1>', text))
    if places:
        gone = draw.choice(places)
        text = text[: gone.start()] + text[gone.end() :]
    return text
