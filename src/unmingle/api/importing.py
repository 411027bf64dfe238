"""Names that other programs gave to faces: regions in XMP, beside pictures or inside them, and tables of names."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from unmingle.errors import DecisionError, PictureError, SourceError
from unmingle.evaluation.names import read_names
from unmingle.export.xmp import ENDING, clip
from unmingle.library.deciding import clean_name
from unmingle.library.decisions import Decision
from unmingle.library.importing import Given, apply_names
from unmingle.library.portable import pictures
from unmingle.library.tables import faces_table
from unmingle.sources.images import LIBRARY_FILE, RECORDING_SUFFIXES, SUFFIXES, quiet_decoders, readable
from unmingle.sources.orientation import NORMAL, lies, to_upright
from unmingle.sources.paths import find_all
from unmingle.sources.regions import FACE, LARGEST_PACKET, LEAST_OVERLAP, overlap, read_packet, read_stored

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from unmingle.evaluation.names import NamedFace
    from unmingle.library.deciding import Desk
    from unmingle.library.importing import Conflicts
    from unmingle.library.portable import Picture
    from unmingle.library.store import Store
    from unmingle.progress import Progress
    from unmingle.records import F64
    from unmingle.sources.orientation import Area
    from unmingle.sources.regions import Packet, Region

# Two shapes are one if they differ by less: a small copy of a picture is rounded to whole pixels.
SAME_SHAPE = 0.02

NO_FACE = "no face was found there"
NOT_THERE = "not in the library"
SEVERAL = "several files of the library could be meant"
OTHER_FOLDER = "not in the library; a file so called is in another folder there"


@dataclass(frozen=True, slots=True)
class Left:
    """A name that was not given, or a file that gave none. where: the file. name: empty if it is about the file."""

    where: str
    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did.

    files:     sidecars, pictures and tables in which there were names.
    faces:     faces that were named now.
    known:     faces that were so named already.
    nameless:  regions and rows without a name.
    others:    regions of something else than a face.
    left:      names that were not given, each with the reason.
    decisions: what was decided.
    """

    files: int
    faces: int
    known: int
    nameless: int
    others: int
    left: tuple[Left, ...]
    decisions: tuple[Decision, ...]


def import_names(
    store: Store, recipe: str, desk: Desk, sources: Sequence[Path], *, conflicts: Conflicts, progress: Progress
) -> Imported:
    """See `Library.import_names`."""
    reader = _Reader(store, recipe)
    with quiet_decoders():
        reader.read(_expand(sources), progress)
    applied = apply_names(store, recipe, desk, reader.given, conflicts=conflicts)
    reader.left.extend(Left(one.given.where, one.given.name, one.against) for one in applied.conflicts)
    return Imported(
        files=reader.files,
        faces=applied.faces,
        known=applied.known,
        nameless=reader.nameless,
        others=reader.others,
        left=tuple(reader.left),
        decisions=tuple(Decision.of(entry, live=True) for entry in applied.entries),
    )


@dataclass(frozen=True, slots=True)
class _Source:
    """A file to read names from. name: its path below the folder that was named."""

    path: Path
    name: str

    @property
    def kind(self) -> str:
        """What it is, by its ending."""
        suffix = self.path.suffix.lower()
        if suffix == ENDING:
            return "sidecar"
        return "picture" if suffix in SUFFIXES else "table"


def _expand(sources: Sequence[Path]) -> list[_Source]:
    """The files of the sources: of folders, the sidecars and pictures in them.

    Raises:
        SourceError: one is missing or can't be opened, or there is nothing in them.
    """
    found: list[_Source] = []
    for source in sources:
        path = source.expanduser().absolute()
        if path.is_dir():
            found.extend(_walk(path))
        elif path.exists():
            found.append(_Source(path, path.name))
        else:
            raise SourceError(f"There is no {readable(str(path))}.", "Check the path; quote it if it has spaces.")
    if not found:
        names = ", ".join(readable(str(source)) for source in sources)
        raise SourceError(
            f"There are no XMP files and no pictures in {names}.", "Name such a folder, or a csv with names."
        )
    return found


def _walk(root: Path) -> Iterator[_Source]:
    def fail(error: OSError) -> None:
        raise SourceError(f"{error.filename} can't be opened: {error.strerror}.", "Check who may read it.") from error

    for folder, below, files in os.walk(root, onerror=fail):
        below[:] = sorted(name for name in below if not name.startswith("."))
        if LIBRARY_FILE in files:
            below.clear()
            continue
        for name in sorted(files):
            path = Path(folder, name)
            if path.suffix.lower() in SUFFIXES | {ENDING} and not name.startswith("."):
                yield _Source(path, str(path.relative_to(root)))


@dataclass(slots=True)
class _Reader:
    """Reads names, and finds the faces that they are of."""

    store: Store
    recipe: str
    given: list[Given] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    files: int = 0
    nameless: int = 0
    others: int = 0

    def read(self, sources: Sequence[_Source], progress: Progress) -> None:
        """Read all sources.

        Raises:
            LabelsError: a table can't be read, or has no names.
        """
        for source in sources:
            if source.kind == "table":
                self._table(source)
        pictured = [source for source in sources if source.kind != "table"]
        drawn = self._drawn(pictured, progress) if pictured else []
        if not drawn:
            return
        known = list(pictures(self.store, self.recipe))
        files = [(readable(one.held.file.source), one.held.file.name) for one in known]
        paths = {f"{source.rstrip('/')}/{file}" for source, file in files}
        by_name: defaultdict[str, list[_Drawn]] = defaultdict(list)
        for one in drawn:
            by_name[one.path if one.path in paths else one.name].append(one)
        for name, at, why in _match(list(by_name), files):
            for one in by_name[name]:
                if at is None:
                    self.left.append(Left(one.where, "", why))
                else:
                    self._regions(one, known[at])

    # Regions

    def _drawn(self, sources: Sequence[_Source], progress: Progress) -> list[_Drawn]:
        """What was drawn on pictures; a sidecar speaks for its picture, what is inside of which is then not read."""
        beside = {source.path for source in sources if source.kind == "sidecar"}
        found: list[_Drawn] = []
        for done, source in enumerate(sources):
            progress("read", done, len(sources))
            if source.kind == "picture" and source.path.with_name(source.path.name + ENDING) in beside:
                continue
            try:
                drawn = _from_sidecar(source) if source.kind == "sidecar" else _from_picture(source)
            except PictureError as error:
                self.left.append(Left(source.name, "", error.problem))
                continue
            named = [one for one in drawn if self._count(one.packet)]
            self.files += bool(named)
            found.extend(named)
        progress("read", len(sources), len(sources))
        return found

    def _count(self, packet: Packet) -> int:
        """How many regions are of a face with a name; the others are noted."""
        faces = [region for region in packet.regions if region.kind in (FACE, "")]
        nameless = sum(not region.name for region in faces)
        self.others += len(packet.regions) - len(faces)
        self.nameless += nameless
        return len(faces) - nameless

    def _regions(self, drawn: _Drawn, picture: Picture) -> None:
        named = []
        for region in drawn.packet.regions:
            if region.kind in (FACE, "") and region.name:
                area, why = drawn.upright(region, picture)
                if area is None:
                    self.left.append(Left(drawn.where, region.name, why))
                else:
                    named.append((region.name, area))
        areas = [clip(face.box, picture.width, picture.height) for face in picture.faces]
        faces = assign([area for _, area in named], areas)
        for (name, _), at in zip(named, faces, strict=True):
            if at is None:
                self.left.append(Left(drawn.where, name, NO_FACE))
            else:
                self._give(picture.faces[at].face, name, drawn.where)

    def _give(self, face: int, name: str, where: str) -> None:
        try:
            self.given.append(Given(face, clean_name(name), where))
        except DecisionError as error:
            self.left.append(Left(where, name, error.problem))

    # Tables

    def _table(self, source: _Source) -> None:
        rows = read_names(source.path)
        self.files += 1
        self.nameless += sum(not row.name for row in rows)
        named = [row for row in rows if row.name]
        faces = faces_table(self.store, self.recipe).select("source", "file", "frame", "face", "id")
        by_file: defaultdict[tuple[str, str], dict[tuple[int | None, int], int]] = defaultdict(dict)
        for origin, file, frame, face, row in faces.iter_rows():
            by_file[origin, file]  # also those without a face are in the library
            if row is not None:
                moving = Path(file).suffix.lower() in RECORDING_SUFFIXES
                by_file[origin, file][frame if moving else None, face] = row
        files = list(by_file)
        wanted: defaultdict[str, list[NamedFace]] = defaultdict(list)
        for row in named:
            wanted[_whole(row)].append(row)
        for name, at, why in _match(list(wanted), files):
            for row in wanted[name]:
                where = f"{source.name}: {row.file}"
                face, missing = (None, why) if at is None else _face(row, by_file[files[at]])
                if face is None:
                    self.left.append(Left(where, row.name, missing))
                else:
                    self._give(face, row.name, where)


@dataclass(frozen=True, slots=True)
class _Drawn:
    """Regions and the picture that they were drawn on.

    where:       the file that they were read from.
    name, path:  of the picture, below the source that was named and in full.
    orientation: of that picture; None if it isn't there.
    size:        of that picture as stored; None if it isn't there.
    """

    where: str
    name: str
    path: str
    packet: Packet
    orientation: int | None
    size: tuple[int, int] | None

    def upright(self, region: Region, picture: Picture) -> tuple[Area | None, str]:
        """A region's area on the upright picture, or None and why it has none."""
        if region.area is None:
            return None, "not a rectangle"
        orientation, (width, height) = self._stored(picture)
        shape = self.packet.size
        if shape is None or _one_shape(shape, (width, height)):
            return to_upright(region.area, orientation), ""
        if _one_shape(shape, (height, width)) and lies(orientation):
            return region.area, ""  # against the standard, drawn on the picture as it is shown
        return None, f"drawn on a picture of another shape, {shape[0]:g}×{shape[1]:g}"

    def _stored(self, picture: Picture) -> tuple[int, tuple[int, int]]:
        if self.orientation is not None and self.size is not None:
            return self.orientation, self.size
        try:
            stored = read_stored(picture.held.file.path)
        except PictureError:
            # The picture is gone, too: what the sidecar says of it has to do.
            turned = self.packet.orientation or NORMAL
            size = (picture.width, picture.height)
            return turned, size[::-1] if lies(turned) else size
        return stored.orientation, (stored.width, stored.height)


def _one_shape(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return abs(one[0] * other[1] / (one[1] * other[0]) - 1) <= SAME_SHAPE


def _from_picture(source: _Source) -> list[_Drawn]:
    stored = read_stored(source.path)
    packets = [read_packet(packet) for packet in stored.packets]
    size = (stored.width, stored.height)
    return [_Drawn(source.name, *_names(source), packet, stored.orientation, size) for packet in packets]


def _from_sidecar(source: _Source) -> list[_Drawn]:
    try:
        if source.path.stat().st_size > LARGEST_PACKET:
            raise PictureError(f"larger than {LARGEST_PACKET >> 20} MB")
        packet = read_packet(source.path.read_bytes())
    except OSError as error:
        raise PictureError(f"can't be opened: {error.strerror}") from error
    try:
        stored = read_stored(source.path.with_suffix(""))
    except PictureError:
        return [_Drawn(source.name, *_names(source), packet, None, None)]
    return [_Drawn(source.name, *_names(source), packet, stored.orientation, (stored.width, stored.height))]


def _names(source: _Source) -> tuple[str, str]:
    """A picture's name and path as tables have them; a sidecar's are its picture's."""
    name, path = (readable(text).replace(os.sep, "/") for text in (source.name, str(source.path)))
    return (name[: -len(ENDING)], path[: -len(ENDING)]) if source.kind == "sidecar" else (name, path)


def _match(names: Sequence[str], files: Sequence[tuple[str, str]]) -> Iterator[tuple[str, int | None, str]]:
    """Each name with the position of its file, or None and why it has none.

    A name without a picture's ending, as Lightroom gives to sidecars, means the picture that has the same name before
    its ending. A file in another folder is none, however much it is called so.

    Args:
        names: paths, all different.
        files: sources and paths below them.
    """
    stems = [(source, str(PurePosixPath(file).with_suffix(""))) for source, file in files]
    bare = [name for name in names if not _has_ending(name)]
    whole = [name for name in names if _has_ending(name)]
    for group, among in ((whole, files), (bare, stems)):
        for name, found in zip(group, find_all(group, among), strict=True):
            if not found:
                yield name, None, NOT_THERE
            elif len(found.files) > 1:
                yield name, None, SEVERAL
            elif found.astray and found.rank == 1:
                yield name, None, OTHER_FOLDER
            else:
                yield name, found.files[0], ""


def _has_ending(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in SUFFIXES | RECORDING_SUFFIXES


def assign(regions: Sequence[Area], faces: Sequence[Area | None]) -> list[int | None]:
    """The face that each region is of, by position, no face twice: those that overlap most, all in all.

    Args:
        regions: areas of the upright picture.
        faces: areas of it; None for one that lies outside.
    """
    from scipy.optimize import linear_sum_assignment

    overlap_nm: F64 = np.array([[overlap(one, face) if face else 0.0 for face in faces] for one in regions])
    if not overlap_nm.size:
        return [None] * len(regions)
    # What is too little to count must not push aside what counts.
    overlap_nm[overlap_nm < LEAST_OVERLAP] = 0.0
    rows, columns = linear_sum_assignment(-overlap_nm)
    found: list[int | None] = [None] * len(regions)
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        if overlap_nm[row, column] > 0:
            found[row] = column
    return found


def _whole(row: NamedFace) -> str:
    """The file of a row, with its source if the table has one."""
    return f"{row.source.rstrip('/')}/{row.file}" if row.source else row.file


def _face(row: NamedFace, faces: dict[tuple[int | None, int], int]) -> tuple[int | None, str]:
    """The face that a row means, or None and why there is none."""
    if not faces:
        return None, NO_FACE
    moving = next(iter(faces))[0] is not None
    if moving and not row.frame:
        return None, "a recording: the table needs a column with the frame"
    try:
        wanted = (int(row.frame) if moving else None, int(row.face or 0))
    except ValueError:
        return None, "face or frame is no number"
    face = faces.get(wanted)
    return face, "" if face is not None else f"there is no face {wanted[1]}"
