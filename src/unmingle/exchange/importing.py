"""Names that other programs gave to faces: regions in XMP, beside pictures or inside them, and tables of names."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from unmingle.api.named_rows import NO_FACE, NOT_THERE, OTHER_FOLDER, SEVERAL, FacesOfFiles, match_files
from unmingle.decisions.log import Decision
from unmingle.decisions.named_faces import Given, apply_names
from unmingle.decisions.wording import clean_name
from unmingle.errors import DecisionError, LabelsError, reason
from unmingle.evaluation.labels import read_names
from unmingle.exchange.drawn import expand, read_drawn, unreadable
from unmingle.exchange.table_files import OUR_SUMMARIES, OUR_TABLES
from unmingle.exchange.xmp import ENDING, clip
from unmingle.sources.images import quiet_decoders, readable
from unmingle.sources.paths import find_all, has_ending, stems
from unmingle.sources.regions import LEAST_OVERLAP, SCHEMAS, overlap
from unmingle.store.portable import pictures

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from unmingle.decisions.named_faces import Conflicts
    from unmingle.decisions.service import DecisionService
    from unmingle.evaluation.labels import NamedFace
    from unmingle.exchange.drawn import Drawn, Source
    from unmingle.progress import Progress
    from unmingle.records import F64
    from unmingle.sources.orientation import Area
    from unmingle.sources.regions import Region
    from unmingle.store.portable import Picture
    from unmingle.store.sqlite import Store

# In this order they are read, after all else: a picture need not be opened if its sidecar speaks for it.
PICTURED = {"sidecar": 1, "picture": 2}

OTHER_SHEET = "not read: it is hidden, or has other headings than the first sheet with names"
NO_PLACE = "in the picture, but it isn't said where"
OWN_SIDECARS = f"each picture so called has a sidecar of its own, PICTURE.EXT{ENDING}"
PICASA_FACES = "Picasa keeps faces here, which is not read: let it write them into the pictures"


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
    left:      names that were not given, and what was not understood, each with the reason.
    decisions: what was decided.
    kinds:     (what else than a face, how many regions of it).
    """

    files: int
    faces: int
    known: int
    nameless: int
    others: int
    left: tuple[Left, ...]
    decisions: tuple[Decision, ...]
    kinds: tuple[tuple[str, int], ...] = ()


def import_names(
    store: Store,
    recipe: str,
    service: DecisionService,
    sources: Sequence[Path],
    *,
    conflicts: Conflicts,
    progress: Progress,
) -> Imported:
    """See `Library.import_names`."""
    reader = _Reader(store, recipe)
    with quiet_decoders():
        reader.read(expand(sources), progress)
    applied = apply_names(store, recipe, service, reader.given, conflicts=conflicts)
    reader.left.extend(Left(one.given.where, one.given.name, one.against) for one in applied.conflicts)
    return Imported(
        files=len(reader.files),
        faces=applied.faces,
        known=applied.known,
        nameless=reader.nameless,
        others=reader.kinds.total(),
        left=tuple(dict.fromkeys(reader.left)),
        decisions=tuple(Decision.of(entry, live=True) for entry in applied.entries),
        kinds=tuple(reader.kinds.most_common()),
    )


@dataclass(slots=True)
class _Reader:
    """Reads names, and finds the faces that they are of."""

    store: Store
    recipe: str
    given: list[Given] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    files: set[str] = field(default_factory=set)
    nameless: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    _faces: FacesOfFiles | None = None

    def read(self, sources: Sequence[Source], progress: Progress) -> None:
        """Read all sources; one that can't be read is told, and the others are.

        Raises:
            LabelsError: nothing was named but tables that can't be read, or have no names.
        """
        drawn: list[Drawn] = []
        spoken: set[Path] = set()  # pictures that have a sidecar which speaks for them
        failed: LabelsError | None = None
        ordered = sorted(sources, key=lambda source: PICTURED.get(source.kind, 0))
        for done, source in enumerate(ordered):
            if source.kind in PICTURED:
                progress("read", done, len(sources))
            if source.path in spoken:
                continue
            try:
                found = self._read(source)
            except Exception as error:  # noqa: BLE001  # whatever one file can do, the others are read
                failed = error if isinstance(error, LabelsError) else failed
                found = [unreadable(source)] if source.kind == "sidecar" else []
                self._leave(source.name, "", reason(error))
            spoken |= {source.path.with_suffix("") for one in found if one.beside}
            drawn += found
        if failed and all(source.kind == "table" for source in sources) and not self.files:
            raise failed
        if any(source.kind in PICTURED for source in sources):
            progress("read", len(sources), len(sources))
            self._take(drawn)

    def _read(self, source: Source) -> list[Drawn]:
        if source.kind == "table":
            self._table(source)
        elif source.kind == "picasa":
            if b"faces=" in source.path.read_bytes():
                self._leave(source.name, "", PICASA_FACES)
        elif source.kind == "problem":
            self._leave(source.name, "", source.problem)
        else:
            return [one for one in read_drawn(source) if one.says_anything]
        return []

    def _leave(self, where: str, name: str, why: str) -> None:
        self.left.append(Left(where, name, why))

    def _give(self, face: int, name: str, where: str) -> None:
        try:
            self.given.append(Given(face, clean_name(name), where))
        except DecisionError as error:
            self._leave(where, name, error.problem)

    # Regions

    def _take(self, drawn: Sequence[Drawn]) -> None:
        known = list(pictures(self.store, self.recipe))
        files = [(readable(one.held.file.source), one.held.file.name) for one in known]
        for at, ranked in self._speakers(drawn, files).items():
            highest = max(rank for rank, _ in ranked)
            best = [one for rank, one in ranked if rank == highest]
            try:
                self._regions(best, known[at])
            except Exception as error:  # noqa: BLE001  # whatever is drawn on one picture, the others are named
                self._leave(best[0].where, "", reason(error))

    def _speakers(self, drawn: Sequence[Drawn], files: Sequence[tuple[str, str]]) -> dict[int, list[tuple[int, Drawn]]]:
        """What was drawn on each picture, by position, with its rank.

        Of `a.jpg.xmp`, `a.xmp` and the picture itself, the first that has a list of regions speaks for `a.jpg`.
        """
        paths = {f"{source.rstrip('/')}/{file}" for source, file in files}
        names = [one.path if one.path in paths else one.name for one in drawn]
        found: defaultdict[int, list[tuple[int, Drawn]]] = defaultdict(list)
        shared = []
        for one, meant in zip(drawn, _pictures_meant(names, files), strict=True):
            if meant.by_stem:
                shared.append((one, meant.files))
            elif meant.files:
                found[meant.files[0]].append((2 * one.beside, one))
            else:
                self._pass(one, meant.why)
        for one, candidates in shared:
            # A picture that has a sidecar of its own is not meant by one that several may share.
            free = [at for at in candidates if all(rank < 2 for rank, _ in found.get(at, ()))]
            if len(free) == 1:
                found[free[0]].append((int(one.beside), one))
            else:
                self._pass(one, SEVERAL if free else OWN_SIDECARS)
        return found

    def _pass(self, drawn: Drawn, why: str) -> None:
        self._count([drawn])
        if drawn.has_names:
            self._leave(drawn.where, "", why)

    def _count(self, drawn: Sequence[Drawn]) -> None:
        """Note what gives no name."""
        for one in drawn:
            regions = one.packet.regions
            named = [region for region in regions if region.is_face and region.name]
            self.files |= {one.where} if named else set()
            self.kinds.update(region.kind for region in regions if not region.is_face)
            self.nameless += sum(
                region.is_face and not region.name and not any(_in_other_schema(region, other) for other in named)
                for region in regions
            )
            for schema, count in one.packet.unread:
                what = "a region" if count == 1 else f"{count:,} regions"
                self._leave(one.where, "", f"{what} of another schema, which is not read: {schema}")

    def _regions(self, drawn: Sequence[Drawn], picture: Picture) -> None:
        self._count(drawn)
        areas = [clip(face.box, picture.width, picture.height) for face in picture.faces]
        for one in drawn:
            said: dict[int, str] = {}
            named = [region for region in one.packet.regions if region.is_face and region.name]
            for schema in SCHEMAS:
                self._of_schema(one, [region for region in named if region.schema == schema], picture, areas, said)
        names = {region.name for one in drawn for region in one.packet.regions}
        for one in drawn:
            for name in one.packet.people:
                if name not in names:
                    self._leave(one.where, name, NO_PLACE)

    def _of_schema(
        self,
        drawn: Drawn,
        regions: Sequence[Region],
        picture: Picture,
        faces: Sequence[Area | None],
        said: dict[int, str],
    ) -> None:
        """Give names of one schema; said: what those before it said of which face."""
        placed = []
        for region in regions:
            area, why = drawn.upright(region, picture)
            if area is not None:
                placed.append((region.name, area))
            elif region.name not in said.values():
                self._leave(drawn.where, region.name, why)
        for (name, _), at in zip(placed, assign([area for _, area in placed], faces), strict=True):
            if at is None:
                if name not in said.values():
                    self._leave(drawn.where, name, NO_FACE)
            elif said.setdefault(at, name) == name:
                self._give(picture.faces[at].face, name, drawn.where)
            else:
                self._leave(drawn.where, name, f"the same file calls this face {said[at]}, in another schema")

    # Tables

    def _table(self, source: Source) -> None:
        rows, unread = read_names(source.path)
        ours = OUR_SUMMARIES if source.path.name in OUR_TABLES else frozenset()
        for title in [one for one in unread if one not in ours]:
            self._leave(f"{source.name}: sheet {title!r}", "", OTHER_SHEET)
        self.files.add(source.name)
        self.nameless += sum(not row.name for row in rows)
        self._faces = self._faces or FacesOfFiles(self.store, self.recipe)
        wanted: defaultdict[tuple[str, str], list[NamedFace]] = defaultdict(list)
        for row in rows:
            if row.name:
                wanted[row.source, row.file].append(row)
        for key, at, why in match_files(list(wanted), self._faces.files):
            for row in wanted[key]:
                where = f"{source.name}: {row.file}"
                face, missing = (None, why) if at is None else self._faces.find(at, row)
                if face is None:
                    self._leave(where, row.name, missing)
                else:
                    self._give(face, row.name, where)


def _in_other_schema(one: Region, other: Region) -> bool:
    """Whether another schema has this region, too."""
    if one.schema == other.schema:
        return False
    return one.area is not None and other.area is not None and overlap(one.area, other.area) >= LEAST_OVERLAP


@dataclass(frozen=True, slots=True)
class _Meant:
    """The pictures that a name means, by their stems if it has no ending, or why it means none."""

    files: tuple[int, ...] = ()
    by_stem: bool = False
    why: str = ""


def _pictures_meant(names: Sequence[str], files: Sequence[tuple[str, str]]) -> Iterator[_Meant]:
    """What each name of a picture means. A name without an ending, as Lightroom gives to sidecars, may mean several.

    A file in another folder is none, however much it is called so.
    """
    by_stem = find_all(names, stems(files)) if not all(map(has_ending, names)) else []
    for i, (name, found) in enumerate(zip(names, find_all(names, files), strict=True)):
        stem = not found and not has_ending(name)
        found = by_stem[i] if stem else found
        if not found:
            yield _Meant(why=NOT_THERE)
        elif found.astray:
            yield _Meant(why=OTHER_FOLDER)
        elif len(found.files) > 1 and not stem:
            yield _Meant(why=SEVERAL)
        else:
            yield _Meant(found.files, stem)


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
