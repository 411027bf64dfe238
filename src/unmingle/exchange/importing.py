"""Names that other programs gave to faces: regions in XMP, beside pictures or inside them, and tables of names."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from unmingle.decisions.log import Decision
from unmingle.decisions.references import clean_name
from unmingle.decisions.service import DecisionService
from unmingle.errors import DecisionError, LabelsError, reason
from unmingle.evaluation.labels import several
from unmingle.exchange import named_faces
from unmingle.exchange.photo_names import Guess, who_is_who
from unmingle.exchange.region_sources import (
    CONTACTS,
    PICASA,
    Drawn,
    Kind,
    NameSource,
    expand,
    of_sidecar,
    read_contacts,
    read_drawn,
)
from unmingle.exchange.table_files import OUR_SUMMARIES, OUR_TABLES
from unmingle.exchange.xmp import ENDING, clip
from unmingle.faces.boxes import assigned
from unmingle.progress import Progress
from unmingle.sources.images import PictureFile, quiet_decoders, readable
from unmingle.sources.names import NamedFiles, developed, find_all, find_stems, has_ending, stems
from unmingle.sources.regions import ACDSEE, LEAST_OVERLAP, SCHEMAS, Area, Region, overlap
from unmingle.store.face_query import Picture, originals, pictures
from unmingle.store.sqlite import Store

# In this order they are read, after all else: a picture need not be opened if its sidecar speaks for it.
PICTURED = {"digikam": 1, "coco": 1, "picasa": 1, "tags": 1, "sidecar": 1, "picture": 2}

OTHER_SHEET = "not read: it is hidden, or has other headings than the first sheet with names"
NO_PLACE = "in the picture, but it isn't said where"
TWIN = 0.5  # regions that overlap so much, intersection over union, are of one face
SURE = 0.999  # so probable is who is meant, where it isn't said where somebody is, for it to be taken
OTHER_LIST = "ACDSee's, and of this picture the list of another program is believed"
OWN_SIDECARS = f"each picture so called has a sidecar of its own, PICTURE.EXT{ENDING}"


@dataclass(frozen=True, slots=True)
class Left:
    """A name that was not given, or a file that gave none."""

    where: str  # the file
    name: str  # empty if it is about the file
    why: str


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did."""

    files: int  # sidecars, pictures and tables in which there were names.
    faces: int  # faces that were named now.
    known: int  # faces that were so named already.
    nameless: int  # regions and rows without a name.
    others: int  # regions of something else than a face.
    left: tuple[Left, ...]  # names that were not given, and what was not understood, each with the reason.
    decisions: tuple[Decision, ...]  # what was decided.
    kinds: tuple[tuple[str, int], ...] = ()  # (what else than a face, how many regions of it).
    twice: tuple[Left, ...] = ()  # names of several faces in one picture, each of which was taken, if not in `left`.


def import_names(
    store: Store,
    service: DecisionService,
    sources: Sequence[Path],
    *,
    conflicts: named_faces.Conflicts,
    progress: Progress,
) -> Imported:
    """See `Library.import_names`."""
    reader = _Reader(store)
    with quiet_decoders():
        reader.read(expand(sources), progress)
    applied = named_faces.apply_names(store, service, reader.given, conflicts=conflicts)
    reader.left.extend(Left(one.where, one.name, against) for one, against in applied.conflicts)
    return Imported(
        files=len(reader.files),
        faces=applied.faces,
        known=applied.known,
        nameless=reader.nameless,
        others=reader.kinds.total(),
        left=tuple(dict.fromkeys(reader.left)),
        decisions=tuple(Decision.of(entry, live=True) for entry in applied.entries),
        kinds=tuple(reader.kinds.most_common()),
        twice=tuple(reader.twice),
    )


@dataclass(slots=True)
class _Reader:
    """Reads names, and finds the faces that they are of."""

    store: Store
    given: list[named_faces.Given] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    files: set[str] = field(default_factory=set)
    nameless: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    _contacts: dict[str, str] = field(default_factory=dict)  # of Picasa
    # Whom a source calls so in one picture.
    _called: defaultdict[tuple[str, str, Hashable], set[int]] = field(default_factory=lambda: defaultdict(set))
    _faces: named_faces.FacesOfFiles | None = None
    # Pictures, names in them that have a place, and names that have none, each with the file that says so.
    _tagged: list[tuple[Picture, set[str], dict[str, str]]] = field(default_factory=list)

    def read(self, sources: Sequence[NameSource], progress: Progress) -> None:
        """Read all sources; one that can't be read is told, and the others are; tables alone that all fail raise."""
        drawn: list[Drawn] = []
        spoken: set[Path] = set()  # pictures that have a sidecar which speaks for them
        failed: LabelsError | None = None
        for done, (kind, file) in enumerate(sorted(sources, key=lambda source: PICTURED.get(source[0], 0))):
            if kind in PICTURED:
                progress("read", done, len(sources))
            if file.path in spoken:
                continue
            try:
                found = self._read(kind, file)
            except Exception as error:  # noqa: BLE001  # whatever one file can do, the others are read
                failed = error if isinstance(error, LabelsError) else failed
                found = [of_sidecar(file, None)] if kind == "sidecar" else []
                self._leave(file.name, "", reason(error))
            spoken |= {file.path.with_suffix("") for one in found if one.beside}
            drawn += found
        kinds = {kind for kind, _ in sources}
        if failed and kinds == {"table"} and not self.files:
            raise failed
        if "contacts" in kinds and "picasa" not in kinds:
            self._leave(CONTACTS, "", f"only says how people are called: name the folder with {PICASA[0]}, too")
        if kinds & PICTURED.keys():
            progress("read", len(sources), len(sources))
            known = list(pictures(self.store))
            for at, speaking in self._speakers(drawn, known).items():
                try:
                    self._name(speaking, known[at])
                except Exception as error:  # noqa: BLE001  # whatever is drawn on one picture, the others are named
                    self._leave(speaking[0].file.name, "", reason(error))
            self._name_tagged(known)

    def _read(self, kind: Kind, file: PictureFile) -> list[Drawn]:
        if kind in PICTURED:
            return read_drawn(kind, file, contacts=self._contacts)
        if kind == "table":
            self._table(file)
        elif kind == "contacts":
            self._contacts |= read_contacts(file.path)
        else:
            self._leave(file.name, "", file.problem)
        return []

    def _leave(self, where: str, name: str, why: str) -> None:
        self.left.append(Left(where, name, why))

    @property
    def twice(self) -> Iterator[Left]:
        """Who is in one picture more than once."""
        for (where, name, _), faces in self._called.items():
            if len(faces) > 1:
                yield Left(where, name, f"{len(faces)} faces")

    def _give(self, face: int, name: str, where: str, picture: Hashable) -> None:
        try:
            one = named_faces.Given(face, clean_name(name), where)
            self.given.append(one)
            self._called[where, one.name, picture].add(face)
        except DecisionError as error:
            self._leave(where, name, error.problem)

    def _table(self, file: PictureFile) -> None:
        rows, unread = named_faces.read_names(file.path)
        ours = OUR_SUMMARIES if file.path.name in OUR_TABLES else frozenset()
        for title in [one for one in unread if one not in ours]:
            self._leave(f"{file.name}: sheet {title!r}", "", OTHER_SHEET)
        self.files.add(file.name)
        self.nameless += sum(not row.name for row in rows)
        self._faces = self._faces or named_faces.FacesOfFiles(self.store)
        alone = {row.name for row in rows}
        for row, face, why in self._faces.find([row for row in rows if row.name]):
            if not (row.face or row.area) and several(row.name, alone):
                self._leave(f"{file.name}: {row.file}", row.name, named_faces.SEVERAL_PEOPLE)
            elif face is None:
                self._leave(f"{file.name}: {row.file}", row.name, why)
            else:
                self._give(face, row.name, f"{file.name}: {row.file}", (row.source, row.frame))

    def _speakers(self, drawn: Sequence[Drawn], known: Sequence[Picture]) -> dict[int, list[Drawn]]:
        """What speaks for each picture, by its position; what speaks for none is told.

        Of `a.jpg.xmp`, `a.xmp`, the picture itself and a raw picture's `a.CR3.xmp`, the first that has a list of
        regions speaks for `a.jpg`. A name without an ending, as Lightroom gives to sidecars, or with a raw picture's,
        may mean several pictures; one in another folder means none.
        """
        files = [(readable(one.held.file.source), one.held.file.name) for one in known]
        paths = {f"{source.rstrip('/')}/{file}" for source, file in files}
        called = [one.picture for one in drawn]
        names = [path if path in paths else name for name, path in called]
        by_stem = _by_stem(called, files) if not all(map(has_ending, names)) else []
        same = originals(self.store)
        ranked: defaultdict[int, list[tuple[int, Drawn]]] = defaultdict(list)
        shared: list[tuple[Drawn, tuple[int, ...]]] = []
        for i, (one, found) in enumerate(zip(drawn, find_all(names, files), strict=True)):
            stem = not found and not has_ending(names[i])
            meant = by_stem[i] if stem else found
            if not meant or meant.astray:
                self._pass(one, named_faces.OTHER_FOLDER if meant else named_faces.NOT_THERE)
            elif stem:
                shared.append((one, meant.files))
            elif not _one_picture(known, meant.files, same):
                self._pass(one, named_faces.SEVERAL)
            else:
                ranked[meant.files[0]].append((2 * one.beside, one))
        for one, candidates in shared:
            # A picture that has a sidecar of its own is not meant by one that several may share.
            free = [at for at in candidates if all(rank < 2 for rank, _ in ranked.get(at, ()))]
            if free and _one_picture(known, free, same):
                ranked[free[0]].append((-1 if one.is_of_raw else int(one.beside), one))
            else:
                self._pass(one, named_faces.SEVERAL if free else OWN_SIDECARS)
        highest = {at: max(rank for rank, _ in found) for at, found in ranked.items()}
        return {
            at: [one for rank, one in found if rank == highest[at] or (one.people and not one.packet.regions)]
            for at, found in ranked.items()
        }

    def _pass(self, drawn: Drawn, why: str) -> None:
        self._count(drawn)
        if drawn.named or drawn.people:
            self._leave(drawn.where, "", why)

    def _count(self, drawn: Drawn) -> None:
        """Note what gives no name."""
        self.files |= {drawn.file.name} if drawn.named or drawn.people else set()
        regions = drawn.packet.regions
        self.kinds.update(region.kind for region in regions if not region.is_face)
        # One face may be in the list of each schema, here with a name and there without.
        faces = Counter(region.schema for region in regions if region.is_face)
        named = Counter(region.schema for region in drawn.named)
        self.nameless += max(faces.values(), default=0) - max(named.values(), default=0)
        for schema, count in drawn.packet.unread:
            what = "a region" if count == 1 else f"{count:,} regions"
            if schema == CONTACTS:
                why = f"{what} of people in Picasa's {CONTACTS}: name that file, too"
            else:
                why = f"{what} of another schema, which is not read: {schema}"
            self._leave(drawn.where, "", why)

    def _name(self, drawn: Sequence[Drawn], picture: Picture) -> None:
        """Give the names that are drawn on a picture to its faces."""
        for one in drawn:
            self._count(one)
        areas = [clip(face.box, picture.width, picture.height) for face in picture.faces]
        others = any(region.schema in SCHEMAS for one in drawn for region in one.named)
        for one in drawn:
            said: dict[int, str] = {}  # by face, what a schema said of it that is believed more
            for region in one.named if others else ():
                if region.schema == ACDSEE:
                    self._leave(one.where, region.name, OTHER_LIST)
            for schema in SCHEMAS if others else (ACDSEE,):
                regions = [region for region in one.named if region.schema == schema and region.area]
                self._name_by(one, regions, picture, areas, said)
        placed = {region.name for one in drawn for region in one.named if region.area}
        where = {name: one.where for one in drawn for name in one.people if name not in placed}
        if where:
            self._tagged.append((picture, placed, where))

    def _name_tagged(self, pictures: Sequence[Picture]) -> None:
        """Give the names of pictures as wholes to faces, where all of them together tell who is who."""
        placed = {one.face: one.name for one in self.given}
        faces = [face for picture in pictures for face in picture.faces if face.person is not None]
        known = {face.person: name for face in faces if face.person and (name := placed.get(face.face) or face.name)}
        shown = [
            {face.person: face.face for face in picture.faces if face.person is not None and face.counts}
            for picture, _, _ in self._tagged
        ]
        tagged = [{_as_kept(name) for name in placed | set(where)} for _, placed, where in self._tagged]
        guesses = who_is_who([set(one) for one in shown], tagged, known)
        guesses |= {person: Guess(name, 1.0) for person, name in known.items()}
        for (picture, _, where), face_of in zip(self._tagged, shown, strict=True):
            for name, file in where.items():
                meant = [person for person in face_of if person in guesses and guesses[person].name == _as_kept(name)]
                sure = [person for person in meant if guesses[person].probability >= SURE]
                for person in sure:
                    self._give(face_of[person], name, file, picture.held.file)
                if not sure:
                    likely = (f"Person {person} with {int(100 * guesses[person].probability)}%" for person in meant)
                    self._leave(file, name, "; perhaps ".join([NO_PLACE, *likely]))

    def _name_by(
        self,
        drawn: Drawn,
        regions: Sequence[Region],
        picture: Picture,
        faces: Sequence[Area | None],
        said: dict[int, str],
    ) -> None:
        """Give the names of one schema."""
        where = drawn.where
        placed: list[tuple[str, Area]] = []
        for region in regions:
            area, why = drawn.upright(region, picture)
            if area is not None:
                placed.append((region.name, area))
            elif region.name not in said.values():
                self._leave(where, region.name, why)
        found = assign([area for _, area in placed], faces)
        for (name, area), at in zip(placed, found, strict=True):
            same = (other for (_, theirs), other in zip(placed, found, strict=True) if overlap(area, theirs) >= TWIN)
            whose = next((other for other in same if other is not None), None) if at is None else at
            if whose is None:
                if name not in said.values():
                    self._leave(where, name, named_faces.NO_FACE)
            elif at is None or said.setdefault(at, name) == name:  # if two names are at one place, neither is taken
                self._give(picture.faces[whose].face, name, where, picture.held.file)
            else:
                self._leave(where, name, f"the same file calls this face {said[at]}, in another schema")


def _by_stem(called: Sequence[tuple[str, str]], files: Sequence[tuple[str, str]]) -> list[NamedFiles]:
    """What each name and whole path could mean without the endings of pictures: first what lies beside it."""
    among = stems(files)
    here = {f"{source.rstrip('/')}/{stem}" for source, stem in among}
    return find_stems([path if not here.isdisjoint((path, developed(path))) else name for name, path in called], among)


def _one_picture(known: Sequence[Picture], at: Sequence[int], original: Mapping[int, int]) -> bool:
    """Whether files are only one, or show one picture, maybe saved again: their faces are the same, or its copies."""
    return len({frozenset(original.get(face.face, face.face) for face in known[i].faces) for i in at}) == 1


def _as_kept(name: str) -> str:
    try:
        return clean_name(name)
    except DecisionError:
        return name  # giving it is refused, and told


def assign(regions: Sequence[Area], faces: Sequence[Area | None]) -> list[int | None]:
    """The face that each region is of, by position, no face twice: those that overlap most, all in all."""
    boxes = [
        np.array([(x - width / 2, y - height / 2, width, height) for x, y, width, height in areas]).reshape(-1, 4)
        for areas in (regions, [area or (0.0, 0.0, 0.0, 0.0) for area in faces])
    ]
    found = dict(assigned(*boxes, least=LEAST_OVERLAP))
    return [found.get(at) for at in range(len(regions))]
