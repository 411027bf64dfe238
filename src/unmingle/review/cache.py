"""What the page looks at, kept between requests, and made anew once anybody has written, the command line included."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from unmingle.decisions.kinds import Clustered
from unmingle.decisions.log import Entry, Log, last_id, read_log
from unmingle.decisions.references import label
from unmingle.errors import LibraryError
from unmingle.grouping.confidence import weakness
from unmingle.identification import Identifier
from unmingle.records import I64
from unmingle.review.alike import Appearances, FaceVectors, Likeness, parts_of
from unmingle.store import people_query
from unmingle.store.face_query import LeftOut, count_faces, faceless_files, lone_faces
from unmingle.store.face_rows import faces_of_regions, last_face
from unmingle.store.facts import known_scale, library_curve
from unmingle.store.people_query import PersonSummary
from unmingle.store.screen_time import Timeline, count_recordings, timelines
from unmingle.store.sqlite import Store, open_to_read

T = TypeVar("T")
NEAREST = 60  # faces like one that are shown however unlikely they are


@dataclass(frozen=True, slots=True)
class Overview:
    """Everybody with a face, by id, at one moment."""

    revision: int  # number of the last entry of the log
    people: dict[int, PersonSummary]
    clusterings: int  # how often faces were grouped
    clustering: int  # number of the last time, 0 for none
    pictures: int  # changes whenever anything but a decision was written

    @property
    def faces(self) -> int:
        return sum(person.faces for person in self.people.values())

    @classmethod
    def of(cls, store: Store, version: int, before: Overview | None) -> Overview:
        """Of an open library; only whom decisions touched is looked at again."""
        revision = last_id(store.connection)
        touched = None if before is None else _touched(store, before.revision)
        if before is not None and touched is not None:
            people = {person: one for person, one in before.people.items() if person not in touched}
            people.update((one.person, one) for one in people_query.people(store, touched))
            return replace(before, revision=revision, people=people)
        count, last = people_query.clusterings(store)
        everybody = {person.person: person for person in people_query.people(store)}
        return cls(revision, everybody, count, last, version)


def _touched(store: Store, revision: int) -> set[int] | None:
    """Whom decisions touched since; None if something else was written: pictures, or a grouping."""
    entries = read_log(store.connection, after=revision)
    if not entries or any(isinstance(entry.command, Clustered) for entry in entries):
        return None
    return {person for entry in entries for person in entry.people}


@dataclass(slots=True)
class _Kept:
    lock: Lock = field(default_factory=Lock)
    key: Any = None
    value: Any = None


@dataclass(frozen=True, slots=True)
class View:
    """The library for the length of a request. version: changes whenever somebody writes; store: open at one moment."""

    version: int
    overview: Overview
    store: Store


class Cache:
    """A library read by many requests at once, each with a connection of its own that is used again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = Lock()
        self._opened = ExitStack()
        self._idle: list[Store] = []
        self._watch = self._open()
        self._watching = Lock()
        self._kept: defaultdict[str, _Kept] = defaultdict(_Kept)
        self._covers: dict[int, list[int]] = {}

    def _open(self) -> Store:
        return self._opened.enter_context(open_to_read(self._folder))

    def close(self) -> None:
        """Close all connections; nobody may be reading any more."""
        self._opened.close()

    def version(self) -> int:
        """A number that changes whenever somebody has written to the library."""
        with self._watching:
            return self._watch.version()

    @contextmanager
    def snapshot(self) -> Iterator[Store]:
        """The library as it is at one moment, whatever is written meanwhile."""
        with self._lock:
            store = self._idle.pop() if self._idle else self._open()
        try:
            with store.snapshot():
                yield store
        finally:
            with self._lock:
                self._idle.append(store)

    @contextmanager
    def view(self) -> Iterator[View]:
        """All people, and the library open at that moment or just after it, never before."""
        version, overview = self.version(), self.overview()
        with self.snapshot() as store:
            yield View(version, overview, store)

    def _get(self, name: str, key: Any, make: Callable[[Store, _Kept], T], store: Store | None = None) -> T:
        """The value for this key, made of the one before; who asks for the same meanwhile waits."""
        with self._lock:
            kept = self._kept[name]
        with kept.lock:
            if kept.value is None or kept.key != key:
                with nullcontext(store) if store else self.snapshot() as opened:
                    kept.value, kept.key = make(opened, kept), key
            found: T = kept.value
            return found

    def warm(self) -> None:
        self.counts()
        with self.view() as view:
            self.alike(view, None, [])

    def overview(self) -> Overview:
        version = self.version()
        return self._get("overview", version, lambda store, kept: Overview.of(store, version, kept.value))

    def log(self) -> Log:
        return self._get("log", self.version(), lambda store, kept: Log.read(store.connection, kept.value))

    def left_out(self) -> list[LeftOut]:
        """Everything without a person: faces, then files without any."""
        lone = self._get("lone", self.version(), lambda store, _: lone_faces(store))
        return lone + self._pictures(self.overview())[0]

    def counts(self) -> tuple[int, int]:
        """How many things have no person, without looking at each, and how many recordings there are."""
        overview = self.overview()
        faceless, faces, recordings = self._pictures(overview)
        return max(0, faces - overview.faces) + len(faceless), recordings

    def _pictures(self, overview: Overview) -> tuple[list[LeftOut], int, int]:
        """What decisions don't change: the files without a face, and how many faces and recordings there are."""
        return self._get(
            "pictures",
            overview.pictures,
            lambda store, _: (faceless_files(store), count_faces(store), count_recordings(store)),
        )

    def timelines(self) -> list[Timeline]:
        return self._get("timelines", self.version(), lambda store, _: timelines(store))

    def faces_of(self, view: View, person: int, order: people_query.FaceOrder) -> I64:
        # Of all people who were looked at, it comes to a few numbers for each of their faces.
        name = f"{person} {order}"
        return self._get(name, view.version, lambda store, _: people_query.faces_of(store, person, order), view.store)

    def alike(self, view: View, person: int | None, faces: list[int]) -> dict[int, Likeness]:
        """How alike each person is to some faces, or else to this person."""
        known = self._appearances(view)
        asked = Appearances.of_faces(view.store, faces) if faces else known.some(known.ids_c == (person or 0))
        return self._like(view, known, asked)

    def faces_like(self, view: View, face: int) -> dict[int, Likeness]:
        """The faces that are most like one, the most alike first; none of its person's."""

        def make(store: Store, kept: _Kept) -> dict[int, Likeness]:
            vectors = self._get("vectors", _faces(view), lambda _, __: FaceVectors.of(store), store)
            found = vectors.nearest(store, face)
            every = self._appearances(view).beside(replace(found, ids_c=-found.ids_c))
            known = self._like(view, every, Appearances.of_faces(store, [face]))
            ranked = sorted(((one, known[-one]) for one in found.ids_c.tolist()), key=lambda pair: pair[1].order)
            # Who looks for a face that nothing is like sees at least what comes nearest.
            return dict(pair for at, pair in enumerate(ranked) if at < NEAREST or (pair[1].probability or 1.0) >= 0.01)

        return self._get("faces like", (face, view.version), make, view.store)

    def faces_of_entries(self, entries: list[Entry], most: int) -> list[list[int]]:
        """At most so many faces that each entry of the log is about: those it names, or else of whom it touched."""
        if not most:
            return [[] for _ in entries]
        with self.view() as view:
            named = [region for one in entries for region in one.command.faces[:most]]
            face_of = faces_of_regions(view.store, named)
            people = [list(filter(None, map(view.overview.people.get, one.people)))[:most] for one in entries]
            covers = self.covers(view, list({one.person: one for found in people for one in found}.values()))
        return [
            [face_of[region] for region in one.command.faces[:most] if region in face_of]
            or [face for who in found for face in covers[who.person][: most // len(found)]]
            for one, found in zip(entries, people, strict=True)
        ]

    def identifier(self, view: View) -> Identifier:
        """What tells who is in pictures that are not added."""
        faces = _faces(view)

        def make(store: Store, kept: _Kept) -> Identifier:
            if kept.value is not None and kept.key[1] == faces and kept.value.is_current(store):
                known: Identifier = kept.value
                return known
            return Identifier(store)

        return self._get("identifier", (view.version, faces), make, view.store)

    def parts(self, view: View, person: int, count: int | None) -> list[tuple[list[int], float | None]]:
        """The faces of a person in parts, the largest first, and how likely each is to be the same person as that."""
        found = parts_of(view.store, person, count)
        each = [Appearances.of_faces(view.store, faces) for faces in found]
        people = self._appearances(view)
        every = people.some(people.ids_c != person)
        for part, one in enumerate(each, 1):
            every = every.beside(replace(one, ids_c=one.ids_c - part))  # below zero, as no person's
        known = self._like(view, every, each[0]) if len(each) > 1 else {}
        return [(faces, known[-part].probability if part > 1 else None) for part, faces in enumerate(found, 1)]

    def _like(self, view: View, known: Appearances, asked: Appearances) -> dict[int, Likeness]:
        scale = None
        with suppress(LibraryError):  # it was not grouped by faces, so nothing is known about how likely it is
            scale = known_scale(view.store)
        curve, people, weak = library_curve(view.store), self._appearances(view), None
        if scale is not None and len(people.ids_c):
            # Of all people together: what decisions change of it is next to nothing.
            key, of_people = (view.overview.pictures, scale), (people.mean_cd, people.size_c, curve)
            weak = self._get("weakness", key, lambda _, __: weakness(*of_people, scale=scale), view.store)
        return known.like(asked, curve, scale, weak)

    def _appearances(self, view: View) -> Appearances:
        revision, pictures = view.overview.revision, view.overview.pictures

        def make(store: Store, kept: _Kept) -> Appearances:
            before, known_pictures = kept.key or (revision, None)
            touched = _touched(store, before) if known_pictures == pictures and before <= revision else None
            return Appearances.of_people(store) if touched is None else kept.value.renewed(store, touched)

        return self._get("appearances", (revision, pictures), make, view.store)

    def covers(self, view: View, people: list[PersonSummary]) -> dict[int, list[int]]:
        """The faces that stand for each person; they stay while they are theirs, so that the wall doesn't flicker."""
        kept = {one.person: self._covers.get(one.person, []) for one in people}
        owners = people_query.owners(view.store, (face for faces in kept.values() for face in faces))
        wrong = [
            one.person
            for one in people
            if len(kept[one.person]) < min(people_query.COVERS, one.faces)
            or any(owners.get(face) != one.person for face in kept[one.person])
        ]
        made = people_query.covers_of(view.store, wrong)
        self._covers.update(made)
        return kept | made


def _faces(view: View) -> tuple[str, int, int]:
    """What changes with the faces there are; that tables were written, as after each decision, leaves it as it is."""
    return view.store.recipe, view.overview.clustering, last_face(view.store.connection)


def folded(text: str) -> str:
    """Text as it is compared when searching: without case and accents."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in parts if not unicodedata.combining(letter))


def query(overview: Overview, *, sort: str, show: str, search: str) -> list[PersonSummary]:
    """People, filtered, searched by name or number, and sorted."""
    wanted, keep = folded(search.strip()), SHOWS[show]
    everybody = overview.people.values()
    found = [one for one in everybody if keep(one) and (not wanted or wanted in folded(label(one.person, one.name)))]
    return sorted(found, key=SORTS[sort])


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


def named_like(overview: Overview, search: str) -> list[PersonSummary]:
    """People with a name like this: those whose name starts so, then those with a word that does, then the others."""
    wanted = folded(search.strip())

    def rank(one: PersonSummary) -> tuple[int, int, str]:
        name = folded(one.name)
        return 0 if name.startswith(wanted) else 1 if f" {wanted}" in name else 2, -one.faces, name

    return sorted((one for one in overview.people.values() if one.name and wanted in folded(one.name)), key=rank)
