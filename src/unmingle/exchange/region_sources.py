"""Where names are read from: files and folders, and the regions that were drawn on a picture or beside it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from unmingle.errors import PictureError, SourceError
from unmingle.exchange.table_files import OUR_TABLES
from unmingle.exchange.xmp import ENDING
from unmingle.sources.formats import SUFFIXES, check_file, head_of, picture_format
from unmingle.sources.images import MANIFEST, MANIFEST_COLUMNS, readable, walk
from unmingle.sources.metadata import LARGEST_PACKET, NORMAL
from unmingle.sources.regions import Packet, Stored, lies, read_packet, read_stored, to_upright

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from unmingle.sources.regions import Area, Region
    from unmingle.store.export_query import Picture

# Two shapes are one if they differ by less: a small copy of a picture is rounded to whole pixels.
SAME_SHAPE = 0.02
PICASA = (".picasa.ini", "Picasa.ini", "picasa.ini")
TABLE_ENDINGS = frozenset({".csv", ".tsv", ".txt", ".json", ".parquet", ".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"})

Kind = Literal["sidecar", "picture", "table", "picasa", "problem"]


@dataclass(frozen=True, slots=True)
class NameSource:
    """A file to read names from.

    name:    its path below the folder that was named.
    problem: why it can't even be tried.
    """

    path: Path
    name: str
    kind: Kind
    problem: str = ""


def expand(sources: Sequence[Path]) -> list[NameSource]:
    """The files of the sources: of folders, the sidecars, pictures and tables of our own in them."""
    found: list[NameSource] = []
    for source in sources:
        path = source.absolute()
        if not path.exists():
            raise SourceError(f"There is no {readable(str(path))}.", "Check the path; quote it if it has spaces.")
        found.extend(_walk(path) if path.is_dir() else _named(path))
    if not found:
        names = ", ".join(readable(str(source)) for source in sources)
        raise SourceError(
            f"There are no XMP files and no pictures in {names}.", "Name such a folder, or a csv with names."
        )
    return list(dict.fromkeys(found))


def _walk(root: Path) -> Iterator[NameSource]:
    files = [file for file in walk(root, SUFFIXES | {ENDING} | TABLE_ENDINGS) if not isinstance(file, str)]
    for folder in sorted({file.path.parent for file in files} | {root}):
        yield from (NameSource(folder / ini, ini, "picasa") for ini in PICASA if (folder / ini).is_file())
    # A folder of people that we exported holds copies, of which its manifest says whence they are.
    manifests = [file.path for file in files if file.path.name == MANIFEST and _is_ours(file.path)]
    copies = tuple(str(manifest.parent) + os.sep for manifest in manifests)
    for file in files:
        if file.problem:
            yield NameSource(file.path, file.relative, "problem", file.problem)
        elif file.path in manifests:
            yield NameSource(file.path, file.relative, "table")
        elif not str(file.path).startswith(copies):
            kind = _kind(file.path)
            if kind != "table" or file.path.name in OUR_TABLES:
                yield NameSource(file.path, file.relative, kind)


def _named(path: Path) -> Iterator[NameSource]:
    """A file that was named, and the sidecars beside a picture, which speak for it."""
    kind: Kind = "picasa" if path.name in PICASA else _kind(path)
    if kind == "picture":
        wanted = {f"{name}{ENDING}".casefold() for name in (path.name, path.stem)}
        for beside in sorted(path.parent.iterdir()):
            if beside.name.casefold() in wanted:
                yield NameSource(beside, beside.name, "sidecar")
    yield NameSource(path, path.name, kind)


def _kind(path: Path) -> Kind:
    suffix = path.suffix.lower()
    if suffix == ENDING:
        return "sidecar"
    if suffix in SUFFIXES or (suffix not in TABLE_ENDINGS and picture_format(head_of(path))):
        return "picture"
    return "table"


def _is_ours(manifest: Path) -> bool:
    try:
        with manifest.open("rb") as file:
            return file.readline(200).startswith(",".join(MANIFEST_COLUMNS).encode())
    except OSError:
        return False


@dataclass(frozen=True, slots=True)
class Drawn:
    """Regions and the picture that they were drawn on.

    where:      the file that they were read from.
    name, path: of the picture, below the source that was named and in full.
    stored:     that picture; None if it isn't there.
    beside:     they were read from a sidecar that has a list of regions, or can't be read: it wins over what is inside.
    """

    where: str
    name: str
    path: str
    packet: Packet
    stored: Stored | None
    beside: bool = False

    @property
    def named(self) -> list[Region]:
        """The faces that have a name."""
        return [region for region in self.packet.regions if region.is_face and region.name]

    def upright(self, region: Region, picture: Picture) -> tuple[Area | None, str]:
        """A region's area on the upright picture, or None and why it has none."""
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
        return None, f"drawn on a picture of another shape, {shape[0]:g}×{shape[1]:g}"


def _one_shape(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return abs(one[0] * other[1] / (one[1] * other[0]) - 1) <= SAME_SHAPE


def read_drawn(source: NameSource) -> list[Drawn]:
    """What a sidecar or a picture says, as far as there is anything to take or to tell."""
    if source.kind == "picture":
        stored = read_stored(source.path)
        name, path = _as_text(source)
        found = [Drawn(source.name, name, path, read_packet(packet), stored) for packet in stored.packets]
    else:
        check_file(source.path)
        try:
            if source.path.stat().st_size > LARGEST_PACKET:
                raise PictureError(f"larger than {LARGEST_PACKET >> 20} MB")
            packet = read_packet(source.path.read_bytes())
        except OSError as error:
            raise PictureError(f"can't be opened: {error.strerror}") from error
        found = [_of_sidecar(source, packet, beside=packet.speaks)]
    return [one for one in found if one.beside or one.packet.regions or one.packet.people or one.packet.unread]


def unreadable(sidecar: NameSource) -> Drawn:
    """A sidecar that can't be read: what is inside its picture may be older, and is not taken for it."""
    return _of_sidecar(sidecar, Packet(()), beside=True)


def _of_sidecar(source: NameSource, packet: Packet, *, beside: bool) -> Drawn:
    try:
        stored = read_stored(source.path.with_suffix(""))
    except PictureError:
        stored = None
    name, path = (text[: -len(ENDING)] for text in _as_text(source))
    return Drawn(source.name, name, path, packet, stored, beside=beside)


def _as_text(source: NameSource) -> tuple[str, str]:
    name, path = (readable(text).replace(os.sep, "/") for text in (source.name, str(source.path)))
    return name, path
