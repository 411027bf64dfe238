"""Where names are read from: files and folders, and the regions that were drawn on a picture or beside it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from unmingle.errors import PictureError, SourceError
from unmingle.exchange.digikam import NAME as DIGIKAM
from unmingle.exchange.digikam import read_digikam
from unmingle.exchange.photo_tags import ENDING as JSON
from unmingle.exchange.photo_tags import read_tags, tagged_files
from unmingle.exchange.table_files import OUR_TABLES
from unmingle.exchange.xmp import ENDING
from unmingle.sources.formats import SUFFIXES, check_file, head_of, picture_format, read_file
from unmingle.sources.images import MANIFEST, PictureFile, is_manifest, readable, walk
from unmingle.sources.metadata import LARGEST_PACKET, NORMAL
from unmingle.sources.regions import Area, Packet, Region, Stored, lies, read_packet, read_stored, to_upright

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from unmingle.store.face_query import Picture

# Two shapes are one if they differ by less: a small copy of a picture is rounded to whole pixels.
SAME_SHAPE = 0.02
OTHER_SHAPE = "drawn on a picture of another shape, {:g}×{:g}"
PICASA = (".picasa.ini", "Picasa.ini", "picasa.ini")
TABLE_ENDINGS = frozenset({".csv", ".tsv", ".txt", ".json", ".parquet", ".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"})

Kind = Literal["sidecar", "picture", "tags", "digikam", "table", "picasa", "problem"]
NameSource = tuple[Kind, PictureFile]


def expand(sources: Sequence[Path]) -> list[NameSource]:
    """The files of the sources: of folders, the sidecars, pictures and tables of our own in them."""
    found: list[NameSource] = []
    for source in sources:
        path = source.absolute()
        if not path.exists():
            raise SourceError(f"There is no {readable(str(path))}.", "Check the path; quote it if it has spaces.")
        found.extend(_of_folder(path) if path.is_dir() else _of_file(path))
    if not found:
        names = ", ".join(readable(str(source)) for source in sources)
        raise SourceError(
            f"There are no XMP files and no pictures in {names}.", "Name such a folder, or a csv with names."
        )
    return list(dict.fromkeys(found))


def _of_folder(root: Path) -> Iterator[NameSource]:
    files = [file for file in walk(root, SUFFIXES | {ENDING} | TABLE_ENDINGS) if not isinstance(file, str)]
    for folder in sorted({file.path.parent for file in files} | {root}):
        yield from (("picasa", PictureFile(str(folder), ini)) for ini in PICASA if (folder / ini).is_file())
        if (folder / DIGIKAM).is_file():
            yield "digikam", PictureFile(str(folder), DIGIKAM)
    # A folder of people that we exported holds copies, of which its manifest says whence they are.
    manifests = [file.path for file in files if file.path.name == MANIFEST and is_manifest(file.path)]
    copies = tuple(str(manifest.parent) + os.sep for manifest in manifests)
    for file in files:
        path = file.path
        if file.problem:
            yield "problem", file
        elif path in manifests:
            yield "table", file
        elif not str(path).startswith(copies):
            kind = _kind(path)
            if kind != "table" or path.name in OUR_TABLES:
                yield kind, file


def _of_file(path: Path) -> Iterator[NameSource]:
    """A file that was named, and the sidecars beside a picture, which speak for it."""
    kind: Kind = "picasa" if path.name in PICASA else _kind(path)
    if kind == "picture":
        wanted = {f"{name}{ENDING}".casefold() for name in (path.name, path.stem)}
        for beside in sorted(path.parent.iterdir()):
            if beside.name.casefold() in wanted:
                yield "sidecar", PictureFile(str(path.parent), beside.name)
    yield kind, PictureFile(str(path.parent), path.name)


def _kind(path: Path) -> Kind:
    suffix = path.suffix.lower()
    if suffix == ENDING:
        return "sidecar"
    if suffix == ".db" and head_of(path).startswith(b"SQLite format 3"):
        return "digikam"
    if suffix in SUFFIXES or (suffix not in TABLE_ENDINGS and picture_format(head_of(path))):
        return "picture"
    return "tags" if suffix == JSON and read_tags(path) else "table"


@dataclass(frozen=True, slots=True)
class Drawn:
    """Regions, and the file that they were read from: a picture, or a sidecar of one."""

    file: PictureFile
    packet: Packet
    stored: Stored | None  # the picture; None if it isn't there
    beside: bool = False  # read from a sidecar that has a list, or can't be read: it wins over what is inside
    of: PictureFile | None = None  # the picture, where the file's name isn't its name with an ending
    shown: bool = False  # drawn on the picture as it is shown, not as it is stored

    @property
    def picture(self) -> tuple[str, str]:
        """The picture's name below its source, and its whole path, as text."""
        file = self.of or self.file
        texts = file.name, readable(str(file.path)).replace(os.sep, "/")
        name, path = (text[: -len(ENDING)] if text.lower().endswith(ENDING) else text for text in texts)
        return name, path

    @property
    def where(self) -> str:
        """What to call it when something of it is told: of many pictures' file, also the picture."""
        return f"{self.file.name}: {self.of.name}" if self.shown and self.of else self.file.name

    @property
    def only_tags(self) -> bool:
        """Whether it says who is in the picture, and nothing of where: that goes with any regions."""
        return bool(self.packet.people) and not self.packet.regions

    @property
    def named(self) -> list[Region]:
        """The faces that have a name."""
        return [region for region in self.packet.regions if region.is_face and region.name]

    def upright(self, region: Region, picture: Picture) -> tuple[Area | None, str]:
        """A region's area on the upright picture, or None and why it has none."""
        if self.shown:
            size, shape = (picture.width, picture.height), self.packet.size
            if shape and not _one_shape(shape, size):
                if not _one_shape(shape, size[::-1]):
                    return None, OTHER_SHAPE.format(*shape)
                shape = shape[::-1]  # as it is stored
            return region.shares(shape or size), ""
        try:
            stored = self.stored or read_stored(picture.held.file.path)
            orientation, size = stored.orientation, (stored.width, stored.height)
        except PictureError:
            # The picture is gone, too: what the sidecar says of it has to do.
            orientation, size = self.packet.orientation or NORMAL, (picture.width, picture.height)
            size = size[::-1] if lies(orientation) else size
        area, shape = region.shares(size), self.packet.size
        if area is None:
            return None, "not a rectangle"
        if shape is None or region.pixels or _one_shape(shape, size):
            return to_upright(area, orientation), ""
        if _one_shape(shape, size[::-1]) and lies(orientation):
            return area, ""  # against the standard, drawn on the picture as it is shown
        return None, OTHER_SHAPE.format(*shape)


def _one_shape(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return abs(one[0] * other[1] / (one[1] * other[0]) - 1) <= SAME_SHAPE


def read_drawn(kind: Kind, file: PictureFile) -> list[Drawn]:
    """What a sidecar or a picture says, as far as there is anything to take or to tell."""
    if kind == "picture":
        stored = read_stored(file.path)
        found = [Drawn(file, read_packet(packet), stored) for packet in stored.packets]
    elif kind == "digikam":
        found = [Drawn(file, packet, None, of=of, shown=True) for of, packet in read_digikam(file.path)]
    elif kind == "tags":
        packet = Packet((), people=read_tags(file.path))
        below = (str(Path(file.relative).with_name(name)) for name in tagged_files(file.path))
        found = [Drawn(file, packet, None, of=PictureFile(file.source, one)) for one in below]
        found = found or [Drawn(file, packet, None)]
    else:
        if check_file(file.path) > LARGEST_PACKET:
            raise PictureError(f"larger than {LARGEST_PACKET >> 20} MB")
        found = [of_sidecar(file, read_packet(read_file(file.path)))]
    return [one for one in found if one.beside or one.packet.regions or one.packet.people or one.packet.unread]


def of_sidecar(file: PictureFile, packet: Packet | None) -> Drawn:
    """What a sidecar says; without a packet it can't be read, and what is inside its picture may be older."""
    try:
        stored = read_stored(file.path.with_suffix(""))
    except PictureError:
        stored = None
    return Drawn(file, packet or Packet(()), stored, beside=packet is None or packet.speaks)
