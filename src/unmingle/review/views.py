"""What the page looks at, kept between requests.

Everything kept is thrown away as soon as anybody writes to the library, the command line included.
"""

from __future__ import annotations

import unicodedata
from collections import OrderedDict
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from unmingle.api.recipes import known_scale, library_curve
from unmingle.decisions import log as decisions
from unmingle.decisions.alike import Appearances, Likeness
from unmingle.decisions.log import Decision
from unmingle.decisions.projection import Projection
from unmingle.decisions.wording import label
from unmingle.errors import LibraryError
from unmingle.pipeline import CURRENT
from unmingle.review.readers import Kept, Readers
from unmingle.store import browse
from unmingle.store.left_out import LeftOut, count_faces, faceless_files, lone_faces
from unmingle.store.timeline import count_recordings, timelines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from unmingle.decisions.log import Entry
    from unmingle.records import I64
    from unmingle.store.browse import FaceIndex, PersonSummary
    from unmingle.store.sqlite import Store
    from unmingle.store.timeline import Timeline

T = TypeVar("T")
KEPT_ORDERS = 32  # lists of a person's faces, of those looked at last


@dataclass(frozen=True, slots=True)
class Overview:
    """All people at one moment.

    revision:    number of the last entry of the log.
    people:      everyone with a face, by id.
    clusterings: how often faces were grouped.
    clustering:  number of the last one; 0 for none.
    recipe:      whose faces they are; empty before any picture was added.
    pictures:    changes whenever anything but a decision was written.
    """

    revision: int
    people: dict[int, PersonSummary]
    clusterings: int
    clustering: int
    recipe: str
    pictures: int

    @property
    def faces(self) -> int:
        """How many faces have a person."""
        return sum(person.faces for person in self.people.values())

    @classmethod
    def of(cls, store: Store, version: int) -> Overview:
        """Of an open library."""
        count, last = store.connection.execute("SELECT count(*), coalesce(max(id), 0) FROM clustering").fetchone()
        return cls(
            revision=decisions.last_id(store.connection),
            people={person.person: person for person in browse.people(store)},
            clusterings=count,
            clustering=last,
            recipe=store.fact(CURRENT) or "",
            pictures=version,
        )

    def now(self, store: Store, version: int) -> Overview:
        """The same library later: if nothing but decisions came in between, only whom they touched is looked at."""
        entries = decisions.read_log(store.connection, after=self.revision)
        if not entries or any(entry.kind == "cluster" for entry in entries):
            return Overview.of(store, version)
        touched = {person for entry in entries for person in entry.people}
        people = {person: one for person, one in self.people.items() if person not in touched}
        people.update((one.person, one) for one in browse.people(store, touched))
        return replace(self, revision=entries[-1].id, people=people)


@dataclass(frozen=True, slots=True)
class History:
    """The log at one moment, oldest first, and which decisions stand."""

    entries: list[Entry]
    stands: dict[int, bool]
    can_undo: int | None
    can_redo: int | None

    @classmethod
    def of(cls, store: Store, before: History | None) -> History:
        """Of an open library; what was read before is not read again, since the log only grows."""
        known = before.entries if before else []
        entries = known + decisions.read_log(store.connection, after=known[-1].id if known else 0)
        stands = decisions.active_ids(entries)
        return cls(entries, stands, decisions.to_undo(stands), decisions.to_redo(entries, stands))

    @property
    def revision(self) -> int:
        """The number of the last entry."""
        return self.entries[-1].id if self.entries else 0

    def newest(self, offset: int, limit: int) -> list[Decision]:
        """A part of the log, newest first."""
        return [self._told(entry) for entry in self.entries[::-1][offset : offset + limit]]

    def decisions(self, numbers: Iterable[int]) -> list[Decision]:
        """The entries with these numbers."""
        wanted = set(numbers)
        return [self._told(entry) for entry in self.entries if entry.id in wanted]

    def _told(self, entry: Entry) -> Decision:
        return Decision.of(entry, live=self.stands.get(entry.id, True))

    def merged_into(self, person: int) -> int | None:
        """The person of whom another has become a part; None if it was not merged."""
        now = Projection.replay(self.entries, self.stands).now(person)
        return None if now == person else now


@dataclass(frozen=True, slots=True)
class Look:
    """The library for the length of a request. version: changes whenever somebody writes; store: open at one moment."""

    version: int
    overview: Overview
    store: Store


class Views:
    """A library as the page sees it.

    Args:
        folder: of the library.
    """

    def __init__(self, folder: Path) -> None:
        self.readers = Readers(folder)
        self._overview: Kept[Overview] = Kept()
        self._history: Kept[History] = Kept()
        self._lone: Kept[list[LeftOut]] = Kept()
        self._faceless: Kept[list[LeftOut]] = Kept()
        self._count: Kept[int] = Kept()
        self._index: Kept[FaceIndex] = Kept()
        self._recordings: Kept[int] = Kept()
        self._timelines: Kept[list[Timeline]] = Kept()
        self._appearances: Kept[Appearances] = Kept()
        self._covers: dict[int, list[int]] = {}
        self._orders: OrderedDict[tuple[int, int, str], I64] = OrderedDict()
        self._lock = Lock()

    def first_page(self) -> None:
        """Make what the first request will need."""
        with self.look() as look:
            self.covers(look, chosen(list(look.overview.people.values()), sort="faces", show="all", search="")[:60])

    def warm(self) -> None:
        """Make what later requests will need."""
        self.left_out_count()
        self.index()
        with self.look() as look:
            self._looks(look)

    def overview(self) -> Overview:
        """All people."""
        version = self.readers.version()

        def make(store: Store, before: Overview | None) -> Overview:
            return Overview.of(store, version) if before is None else before.now(store, version)

        return self._grown(self._overview, version, make)

    def history(self) -> History:
        """The log."""
        return self._grown(self._history, self.readers.version(), History.of)

    def left_out(self) -> list[LeftOut]:
        """Everything without a person: faces, then files without any."""
        version, overview = self.readers.version(), self.overview()
        lone = self._kept(self._lone, version, lambda store: lone_faces(store, overview.recipe))
        return lone + self._files(overview)

    def _files(self, overview: Overview) -> list[LeftOut]:
        return self._kept(self._faceless, overview.pictures, lambda store: faceless_files(store, overview.recipe))

    def left_out_count(self) -> int:
        """How many things have no person, without looking at each."""
        overview = self.overview()
        faces = self._kept(self._count, overview.pictures, lambda store: count_faces(store, overview.recipe))
        return max(0, faces - overview.faces) + len(self._files(overview))

    def recordings(self) -> int:
        """How many recordings there are."""
        overview = self.overview()
        return self._kept(self._recordings, overview.pictures, lambda store: count_recordings(store, overview.recipe))

    def timelines(self) -> list[Timeline]:
        """The recordings, and who is on screen when."""
        version, overview = self.readers.version(), self.overview()
        return self._kept(self._timelines, version, lambda store: timelines(store, overview.recipe))

    def index(self) -> FaceIndex:
        """The order of all faces; it changes with the pictures, not with decisions."""
        overview = self.overview()
        key = (overview.recipe, overview.clustering)
        return self._kept(self._index, key, lambda store: browse.face_index(store, overview.recipe))

    def _kept(self, kept: Kept[T], key: object, make: Callable[[Store], T]) -> T:
        return self._grown(kept, key, lambda store, _: make(store))

    def _grown(self, kept: Kept[T], key: object, make: Callable[[Store, T | None], T]) -> T:
        """The value for a key, made of the one before."""

        def made(before: T | None) -> T:
            with self.readers.snapshot() as store:
                return make(store, before)

        return kept.get(key, made)

    @contextmanager
    def look(self) -> Iterator[Look]:
        """All people, and the library open at that moment or just after it, never before."""
        version, overview = self.readers.version(), self.overview()
        with self.readers.snapshot() as store:
            yield Look(version, overview, store)

    def faces_of(self, look: Look, person: int, order: browse.FaceOrder) -> I64:
        """(k,) a person's faces in an order."""
        key = (look.version, person, order)
        with self._lock:
            kept = self._orders.get(key)
        if kept is None:
            kept = browse.faces_of(look.store, person, order, self.index())
            with self._lock:
                self._orders[key] = kept
                while len(self._orders) > KEPT_ORDERS:
                    self._orders.popitem(last=False)
        return kept

    def alike(self, look: Look, person: int | None, faces: list[int]) -> dict[int, Likeness]:
        """How alike each person is to some faces, or else to this person."""
        scale = None
        with suppress(LibraryError):  # it was not grouped by faces, so nothing is known about how likely it is
            scale = known_scale(look.store)
        curve, known = library_curve(look.store, look.overview.recipe), self._looks(look)
        if faces:
            return known.to_faces(look.store, faces, curve, scale)
        return {} if person is None else known.to_person(person, curve, scale)

    def _looks(self, look: Look) -> Appearances:
        overview = look.overview
        revision, pictures = overview.revision, overview.pictures

        def make(before: Appearances | None) -> Appearances:
            if before is None or before.pictures != pictures or before.revision > revision:
                return Appearances.of(look.store, revision, pictures)
            later = decisions.read_log(look.store.connection, after=before.revision)
            if any(entry.kind == "cluster" for entry in later):
                return Appearances.of(look.store, revision, pictures)
            return before.now(look.store, revision, {person for entry in later for person in entry.people})

        return self._appearances.get((revision, pictures), make)

    def covers(self, look: Look, people: list[PersonSummary]) -> dict[int, list[int]]:
        """The faces that stand for each person; they stay while they are theirs, so that a wall doesn't flicker."""
        kept = {one.person: self._covers.get(one.person, []) for one in people}
        owners = browse.owners(look.store, (face for faces in kept.values() for face in faces))
        wrong = [
            one.person
            for one in people
            if len(kept[one.person]) < min(browse.COVERS, one.faces)
            or any(owners.get(face) != one.person for face in kept[one.person])
        ]
        made = browse.covers_of(look.store, wrong)
        self._covers.update(made)
        return kept | made


def folded(text: str) -> str:
    """Text as it is compared when searching: without case and accents."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in parts if not unicodedata.combining(letter))


def chosen(people: list[PersonSummary], *, sort: str, show: str, search: str) -> list[PersonSummary]:
    """The people of a wall, filtered, searched by name or number, and sorted."""
    wanted = folded(search.strip())
    keep, key = SHOWS[show], SORTS[sort]
    found = [one for one in people if keep(one) and (not wanted or wanted in folded(label(one.person, one.name)))]
    return sorted(found, key=key)


SHOWS: dict[str, Callable[[PersonSummary], bool]] = {
    "all": lambda one: not one.ignored,
    "named": lambda one: bool(one.name) and not one.ignored,
    "unnamed": lambda one: not one.name and not one.ignored,
    "new": lambda one: one.new > 0 and not one.ignored,
    "uncertain": lambda one: one.unsure > 0 and not one.ignored,
    "ignored": lambda one: one.ignored,
}
SORTS: dict[str, Callable[[PersonSummary], tuple[object, ...]]] = {
    "faces": lambda one: (-one.faces, one.person),
    "name": lambda one: (not one.name, folded(one.name), -one.faces, one.person),
    "new": lambda one: (-one.new, -one.faces, one.person),
    # The loosest first: they are the likeliest to be several people.
    "cohesion": lambda one: (1.0 if one.cohesion is None else one.cohesion, -one.faces, one.person),
    "uncertain": lambda one: (-one.unsure, -one.faces, one.person),
}


def named_like(people: list[PersonSummary], search: str) -> list[PersonSummary]:
    """People with a name like this: those whose name starts so, then those with a word that does, then the others."""
    wanted = folded(search.strip())
    ranked = []
    for one in people:
        name = folded(one.name)
        if name and wanted in name:
            rank = 0 if name.startswith(wanted) else 1 if f" {wanted}" in name else 2
            ranked.append(((rank, -one.faces, name), one))
    return [one for _, one in sorted(ranked, key=lambda pair: pair[0])]
