"""Names from elsewhere: the faces that rows of a table mean, and what names of faces become as decisions."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from pathlib import Path
from typing import Literal

from unmingle.decisions.kinds import Assign, Command, Name, Split
from unmingle.decisions.log import Entry
from unmingle.decisions.service import DecisionService
from unmingle.decisions.state import State
from unmingle.errors import DecisionError
from unmingle.evaluation.columns import Columns, Row, cell, find_names, fold, label_of, place, plain_number, same
from unmingle.evaluation.labels import match_names, read_table
from unmingle.records import BOX
from unmingle.sources.names import bare, folded, parts_of
from unmingle.sources.regions import FACE, LEAST_OVERLAP, MOST_SHARE, Area, Region, area_of, number, overlap
from unmingle.store import sightings
from unmingle.store.face_rows import ALONE
from unmingle.store.result_tables import comparable_faces
from unmingle.store.sqlite import Store

NO_FACE = "no face was found there"
WHICH_FACE = "which face, the table doesn't say: it needs a column face, or left, top, width and height"
SEVERAL_PEOPLE = "several people in one cell: each needs a row that says which face it is"
NOT_THERE = "not in the library"
SEVERAL = "several files of the library could be meant"
OTHER_FOLDER = "not in the library; a file so called is in another folder there"
ELSEWHERE = "the face is elsewhere in the picture that is so called here"
UNREAD = "its place can't be read: it needs numbers in columns called left, top, width and height"
# The place of a face, by the headings of its sides without what goes before them, as in `bbox_x1`; and what they are.
# First those that leave `width` and `height` to the picture.
SIDES = (
    (("left", "top", "right", "bottom"), "corners"),
    (("xmin", "ymin", "xmax", "ymax"), "corners"),
    (("x1", "y1", "x2", "y2"), "corners"),
    (("x0", "y0", "x1", "y1"), "corners"),
    (("startx", "starty", "endx", "endy"), "corners"),
    (("xtl", "ytl", "xbr", "ybr"), "corners"),
    (("cx", "cy", "w", "h"), "centre"),
    (("x", "y", "w", "h"), "corner"),
    (("left", "top", "width", "height"), "corner"),
    (("xcenter", "ycenter", "width", "height"), "centre"),
    (("centerx", "centery", "width", "height"), "centre"),
    (("x", "y", "width", "height"), "corner"),
)
BEFORE_SIDE = re.compile(r"^(?:(?:face|bounding|bb?ox|bb|rect(?:angle)?)\.?)+(?=.)")
BOXED = re.compile(r"^(?:face|bounding)?(?:bb?ox|box|rect(?:angle)?|region)$")  # headings of all sides in one cell

File = tuple[str, str]  # source, or "" where a table has none, and path below it
# What becomes of a face that is somebody else's in the library: it stays, or it goes where the import says.
Conflicts = Literal["keep", "take"]

LEFT_OUT = "left out: a person said so"


@dataclass(frozen=True, slots=True)
class NamedFace:
    """A row of a table with names of faces; frame and face are numbers as text, empty for the main face."""

    file: str
    source: str
    frame: str
    face: str
    name: str
    area: Area | None = None  # in pixels of the upright picture, or in shares of it
    unread: bool = False  # it says where the face is, in a way that is not understood


def read_names(path: Path) -> tuple[tuple[NamedFace, ...], tuple[str, ...]]:
    """Read a table of names, see `read_table`; also the sheets that were not read.

    Columns are a file and a name, and where these don't tell faces apart `face`, `frame` of recordings, and `source`.
    `faces.csv` is such a table, and so is the manifest of exported folders, whose files are the originals.
    """
    table = read_table(path, lambda rows: find_names(rows, path.name))
    return tuple(_named_faces(table.columns)), table.unread


def _named_faces(columns: Columns) -> Iterator[NamedFace]:
    def column(wanted: str) -> int | None:
        return place(columns.header, None, (wanted,))

    # A manifest names the copies, too, by the folders that they are in.
    original = column("original") if column("folder") is not None else None
    source, frame, face = map(column, ("source", "frame", "face"))
    headings = [fold(heading) for heading in columns.header]
    at, kind = _sides(headings)
    boxed = [i for i, heading in enumerate(headings) if BOXED.match(heading)]
    for row in columns.body:
        called = cell(row, columns.file if original is None else original)  # spaces around it may be part of it
        if bare(called):
            origin = "" if source is None else cell(row, source)
            when, which = ("" if i is None else plain_number(cell(row, i)) for i in (frame, face))
            area = _placed(row, at, kind) if len(at) == len(BOX) else None
            said = len(at) > 2 and all(bare(cell(row, i)) for i in at)
            said |= any(len(re.findall(r"[0-9]+", cell(row, i))) >= len(BOX) for i in boxed)
            name = label_of(cell(row, columns.label))
            yield NamedFace(called, origin, when, which, name, area, unread=said and area is None)


def _sides(headings: Sequence[str]) -> tuple[list[int], str]:
    """The columns of a place, and what they are: of all ways to write it the first of which most is there."""
    sides = [BEFORE_SIDE.sub("", heading) for heading in headings]
    before = [heading.removesuffix(side) for heading, side in zip(headings, sides, strict=True)]
    # Sides that are headed alike belong together: `width` beside `bbox_x` is more likely the picture's.
    heads = sorted({*before}, reverse=True)
    alike = [[side if of == head else "" for of, side in zip(before, sides, strict=True)] for head in heads]
    ways = ((way, *wanted) for way in (*alike, sides) for wanted in SIDES)
    known = [([way.index(side) for side in wanted if side in way], kind) for way, wanted, kind in ways]
    return max(known, key=lambda one: len(one[0]))


def _placed(row: Row, columns: Sequence[int], kind: str) -> Area | None:
    """The area that four cells tell; None if they aren't numbers, or are no area's."""
    x, y, width, height = (number(bare(cell(row, column))) for column in columns)
    if kind == "corners" and None not in (x, y, width, height):
        width, height = (width or 0) - (x or 0), (height or 0) - (y or 0)
    return area_of(x, y, width, height, cornered=kind != "centre")


class FacesOfFiles:
    """The faces of all files, as tables name them: by source, file, frame and number, or by place."""

    def __init__(self, store: Store) -> None:
        columns = ("source", "file", "across", "down", "frame", "face", "id", *BOX)
        table = comparable_faces(store).select(columns)
        # Of each file, also of one without faces, by frame of a recording and number: the face's row and place.
        self._faces: defaultdict[File, dict[tuple[int | None, int], tuple[int, Area]]] = defaultdict(dict)
        self._sizes: dict[File, tuple[float, float]] = {}
        recorded = sightings.names(store)
        for source, file, across, down, frame, face, row, left, top, width, height in table.iter_rows():
            of_file = self._faces[source, file]
            if row is not None:
                self._sizes[source, file] = across, down
                area = left + width / 2, top + height / 2, width, height
                of_file[frame if (source, file) in recorded else None, face] = row, area

    def find(self, rows: Sequence[NamedFace]) -> Iterator[tuple[NamedFace, int | None, str]]:
        """Each row with the face that it means, or None and why there is none.

        Of several that want one file, as when one of them is of a source that is gone, the surest has it.
        """
        files = list(self._faces)
        of_name: defaultdict[str, defaultdict[File, list[NamedFace]]] = defaultdict(lambda: defaultdict(list))
        names = _names_here(list(dict.fromkeys((row.source, row.file) for row in rows)), files)
        for row in rows:
            of_name[names[row.source, row.file]][row.source, row.file].append(row)
        matched = match_names(list(of_name), files)
        for i, wanted in enumerate(of_name.values()):
            at, why = matched.files[i], ""
            if i in matched.ambiguous or len(wanted) > 1:
                why = SEVERAL
            elif at is None:
                why = NOT_THERE
            elif i in matched.by_name:
                why = OTHER_FOLDER
            found = [row for of_source in wanted.values() for row in of_source]
            main = {row for row in found if not (row.face or row.frame or row.area or row.unread)}
            unsure = main if len({row.name for row in main}) > 1 else set()
            for row in found:
                wrong = why or (WHICH_FACE if row in unsure else "")
                yield row, *((None, wrong) if wrong or at is None else self._face(row, files[at]))

    def _face(self, row: NamedFace, file: File) -> tuple[int | None, str]:
        """The face of a file that a row means: where it has a place, one there, if possible with the row's number."""
        faces = self._faces[file]
        if not faces:
            return None, NO_FACE
        moving = next(iter(faces))[0] is not None
        if moving and not row.frame:
            return None, "a recording: the table needs a column with the frame"
        if row.unread and not row.face:
            return None, UNREAD
        try:
            frame, number = int(row.frame) if moving else None, int(row.face or 0)
        except ValueError:
            return None, "face or frame is no number"
        face = faces.get((frame, number))
        if row.area is None:
            return (face[0], "") if face else (None, f"there is no face {number}")
        area = Region("", FACE, row.area, pixels=max(row.area) > MOST_SHARE).shares(self._sizes[file]) or row.area
        if face and overlap(face[1], area) >= LEAST_OVERLAP:
            return face[0], ""
        others = [one for (when, _), one in faces.items() if when == frame]
        best = max(others, key=lambda one: overlap(one[1], area), default=None)
        return (best[0], "") if best and overlap(best[1], area) >= LEAST_OVERLAP else (None, ELSEWHERE)


def _names_here(rows: Sequence[File], files: Sequence[File]) -> dict[File, str]:
    """What to look for: the whole path, of a moved source that of where it is now, or else the path below it."""
    sources = sorted({source for source, _ in files})
    here = {_join(*file) for file in files}
    below = {folded(file) for _, file in files}
    moved = {source: _moved(source, sources) for source in {source for source, _ in rows}}
    names = {}
    for source, file in rows:
        tried = (_join(source, file), _join(moved[source] or source, file))
        fallback = file if folded(file) in below else tried[0]
        names[source, file] = next((name for name in tried if name in here), fallback)
    return names


def _join(source: str, file: str) -> str:
    return f"{source.rstrip('/')}/{file}" if source else file


def _moved(source: str, sources: Sequence[str]) -> str | None:
    """The one source whose path ends most like this one's; None if there is none, or several."""

    def alike(other: str) -> int:
        ends = zip(reversed(parts_of(source)), reversed(parts_of(other)), strict=False)
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], ends))

    most = max(map(alike, sources), default=0)
    best = [other for other in sources if alike(other) == most]
    return best[0] if most and len(best) == 1 else None


@dataclass(frozen=True, slots=True)
class Given:
    """A name for a face, cleaned (see `clean_name`); where: what says so, for a report."""

    face: int
    name: str
    where: str


def apply_names(store: Store, service: DecisionService, given: Iterable[Given], *, conflicts: Conflicts) -> Applied:
    """Make everybody who is named one person, by decisions of the log.

    Faces of one name become one person: who is called so already; else the person without a name of whose faces most
    are called so; else a new one. The faces are then placed there as if somebody had said so of each, so that they stay
    however often faces are grouped. People are not merged: what else is like them joins at the next grouping.

    Repeated, it changes nothing; stopped, it goes on.
    """
    applied = Applied(store, service)
    state = applied.state()
    said: defaultdict[int, dict[str, Given]] = defaultdict(dict)
    for one in _spelled_alike(state, list(given)):
        said[one.face].setdefault(one.name, one)
    for names in said.values():
        for one in names.values() if len(names) > 1 else ():
            others = ", ".join(f"{other.name} by {other.where}" for other in names.values() if other is not one)
            applied.conflicts.append((one, f"also called {others}"))
    agreed: defaultdict[str, list[Given]] = defaultdict(list)
    objection = _objections(state, conflicts)
    for one in (one for names in said.values() if len(names) == 1 for one in names.values()):
        if against := objection(one):
            applied.conflicts.append((one, against))
        else:
            agreed[one.name].append(one)
    by_name = {name: [one.face for one in ones] for name, ones in agreed.items()}
    chosen = _choose(state, by_name)
    for name in sorted(by_name, key=lambda name: (-len(by_name[name]), name)):
        try:
            applied.give(name, by_name[name], chosen.get(name))
        except DecisionError as error:  # the other names are given all the same
            applied.conflicts.extend((one, error.problem) for one in agreed[name])
    return applied


def _spelled_alike(state: State, given: Sequence[Given]) -> Iterator[Given]:
    """The same in one spelling: as the library calls somebody, else as most do; programs differ in letter case."""
    here = {name for name in state.projection.names.values() if name}
    often = Counter(one.name for one in given)
    spelled = {same(name): name for name in sorted(often, key=lambda name: (often[name], name))}
    spelled |= {same(name): name for name in here}
    for one in given:
        yield one if one.name in here else replace(one, name=spelled[same(one.name)])


def _objections(state: State, conflicts: Conflicts) -> Callable[[Given], str]:
    """What the library has against a name, as it is before any is given: in words, empty for nothing."""
    projection, marked = state.projection, state.marked()
    barred = {(state.face_of.get(region), projection.names.get(who, "")) for region, who in projection.barred}

    def objection(one: Given) -> str:
        (person,) = state.persons([one.face]).tolist()
        if one.face in marked or person in projection.ignored:
            return LEFT_OUT
        called = projection.names.get(person, "")
        if conflicts == "take" or called == one.name:
            return ""
        if called:
            return f"{called} in the library"
        return f"not {one.name}: a person said so" if (one.face, one.name) in barred else ""

    return objection


def _choose(state: State, by_name: dict[str, list[int]]) -> dict[str, int]:
    """For names that nobody has yet: the person without a name who is to have it."""
    votes: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for name, faces in by_name.items():
        for person in state.persons(faces).tolist():
            if person != ALONE and not state.projection.names.get(person):
                votes[person][name] += 1
    won: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for person, names in votes.items():
        most = max(names.values())
        won[min(name for name, count in names.items() if count == most)].append((-most, person))
    return {name: min(people)[1] for name, people in won.items()}


@dataclass(slots=True)
class Applied:
    """Gives names, one after another: what became of them."""

    store: Store
    service: DecisionService
    entries: list[Entry] = field(default_factory=list)
    faces: int = 0  # that are named now
    known: int = 0  # that were so already
    conflicts: list[tuple[Given, str]] = field(default_factory=list)  # names not given, and what speaks against them

    def state(self) -> State:
        """The library's, after what was given so far."""
        with self.store.snapshot():
            return self.service.state(self.store)

    def give(self, name: str, faces: list[int], chosen: int | None) -> None:
        """Make faces those of who is called so, else of the person who is chosen, or of a new one."""
        person = self._called(name)
        left = faces if person is None else self._not_yet(person, faces)
        self.known += len(faces) - len(left)
        self.faces += len(left)
        if person is None:
            person = self._emptied(faces) if chosen is None else chosen
            if person is None:
                person = self._decide(Split(faces=tuple(faces))).whom
            self._decide(Name(person, name=name))
            left = self._not_yet(person, faces)
        if left:
            self._decide(Assign(person, faces=tuple(left)))

    def _not_yet(self, person: int, faces: list[int]) -> list[int]:
        """The faces of which nobody said that they are this person, or that are elsewhere."""
        state = self.state()
        placed, owners = state.placed(), state.persons(faces).tolist()
        return [face for face, who in zip(faces, owners, strict=True) if who != person or face not in placed]

    def _called(self, name: str) -> int | None:
        """Who has the name: somebody with faces, or else somebody whose pictures are gone."""
        state = self.state()
        named = [person for person, other in state.projection.names.items() if other == name]
        there = [person for person in named if (state.person_n == person).any()]
        remembered = [person for person in named if person in state.projection.person_of.values()]
        return min(there or remembered, default=None)

    def _emptied(self, faces: list[int]) -> int | None:
        """The one person of whom these are all the faces: to be called anew, since nobody would be left."""
        state = self.state()
        owners = set(state.persons(faces).tolist()) - {ALONE}
        whole = len(owners) == 1 and int((state.person_n == min(owners)).sum()) == len(faces)
        return min(owners) if whole else None

    def _decide(self, command: Command) -> Command:
        (entry,) = self.service.decide(self.store, command, by="import")
        self.entries.append(entry)
        return entry.command
