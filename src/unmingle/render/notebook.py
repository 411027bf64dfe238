"""A library, a person and a face, to be looked at: as text in a terminal, with pictures in a notebook."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from unmingle import html
from unmingle.decisions.references import faces_named, label, person_named
from unmingle.errors import DecisionError, LibraryError
from unmingle.faces.align import show_thumbnail
from unmingle.render.drawing import as_jpeg, contact_sheet
from unmingle.render.views import jpegs_of, sheet_content
from unmingle.store import people_query
from unmingle.store.face_query import Box, face_detail
from unmingle.store.file_rows import count_files
from unmingle.store.people_query import member_rows, people_by_size
from unmingle.store.result_tables import FACES, faces_table, library_intervals, people_rows, thumbnail_of
from unmingle.text_layout import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl
    from PIL.Image import Image

    from unmingle.records import Status
    from unmingle.store.sqlite import Store

T = TypeVar("T")
STRIP = 24  # faces that a person shows
LARGEST, STRIP_OF_EACH = 10, 8  # people whom a library shows, and faces of each


def overview_html(store: Store) -> str:
    """What a library holds, and its largest people."""
    people, files = people_by_size(store), count_files(store)
    of = f"{counted(sum(one.faces for one in people), 'face')} of theirs in {counted(files, 'file')}"
    parts = [html.heading(counted(len(people), "person", "people"), of)]
    for one in people[:LARGEST]:
        who = label(one.person, one.name)
        parts.append(html.heading(who, f"{f'person {one.person}, ' if one.name else ''}{counted(one.faces, 'face')}"))
        parts.append(html.faces(jpegs_of(store, member_rows(store, one.person), STRIP_OF_EACH), of=who))
    rest = f"The largest {LARGEST} are shown, library.people lists all. " if len(people) > LARGEST else ""
    parts.append(html.remark(f"{rest}library.faces has a row for every file, also those that are nobody's, and why."))
    return html.block(*parts)


@dataclass(frozen=True, slots=True)
class Person:
    """A person as they were when they were asked for; what hangs on them is read when it is used."""

    id: int  # as in `people.csv`.
    name: str  # empty for none.
    count: int  # different pictures of the face: copies of one, and the frames in which one look was seen, count once.
    cohesion: float | None  # average cosine between the faces, 0 to 1; None where it is not known.
    unsure: int  # faces that belong there with a probability below 0.9.
    _read: Callable[..., Any] = field(repr=False, compare=False)

    @property
    def faces(self) -> pl.DataFrame:
        """One row per face, in the columns of `faces.csv`."""
        faces: pl.DataFrame = self._read(faces_table).select(list(FACES))
        return faces.filter(faces["person"] == self.id)

    @property
    def intervals(self) -> pl.DataFrame:
        """When the person is on screen in recordings, in the columns of `intervals.csv`."""
        found: pl.DataFrame = self._read(library_intervals)
        return found.filter(found["person"] == self.id)

    @property
    def sheet(self) -> Image:
        """The contact sheet: up to a hundred faces, spread over all of them."""
        page: Image = self._read(sheet_of, self.id).page
        return page

    def thumbnails(self, most: int = STRIP) -> list[Image]:
        """Faces as small square pictures, spread over all of them.

        Args:
            most: how many at most.
        """
        return [show_thumbnail(jpeg) for jpeg in self._jpegs(most)]

    def _jpegs(self, most: int) -> tuple[bytes, ...]:
        jpegs: tuple[bytes, ...] = self._read(lambda store: jpegs_of(store, member_rows(store, self.id), most))
        return jpegs

    def _repr_html_(self) -> str:
        shown = self._jpegs(STRIP)
        called = label(self.id, self.name)
        told = (
            f"person {self.id}" if self.name else "",
            counted(self.count, "face"),
            "" if self.cohesion is None else f"cohesion {self.cohesion:.2f}",
            f"{self.unsure:,} unsure" if self.unsure else "",
            f"{len(shown)} shown" if len(shown) < self.count else "",
        )
        return html.block(html.heading(called, ", ".join(filter(None, told))), html.faces(shown, of=called))


@dataclass(frozen=True, slots=True)
class Face:
    """A face as it was when it was asked for."""

    id: int  # its row in the library, by which decisions may name it.
    file: str  # one of the files that show it, as its source names it.
    frame: int | None  # of the recording, or where the file's name tells.
    box: Box  # left, top, width, height in pixels of the upright picture.
    score: float  # the detector's confidence, 0 to 1.
    quality: float  # how well it can be recognised, 0 to 1.
    person: int | None  # whose it is; None for nobody's.
    name: str  # what the person is called; empty for none.
    status: Status  # as in `faces.csv`.
    reason: str  # why it has that status, in words.
    probability: float | None  # that the face belongs to the person, 0 to 1; None where it is not known.
    _jpeg: bytes | None = field(repr=False)

    @property
    def thumbnail(self) -> Image | None:
        """The face as a small square picture; None if the library has none."""
        return None if self._jpeg is None else show_thumbnail(self._jpeg)

    def _repr_html_(self) -> str:
        whose = "nobody" if self.person is None else label(self.person, self.name)
        sure = "" if self.probability is None else f"probability {self.probability:.2f}"
        rows = [
            ("status", self.status if not self.reason else f"{self.status}: {self.reason}"),
            ("file", self.file if self.frame is None else f"{self.file}, frame {self.frame}"),
            ("box", ", ".join(f"{value:g}" for value in self.box)),
            ("detected, quality", f"{self.score:.2f}, {self.quality:.2f}"),
        ]
        picture = [] if self._jpeg is None else [html.faces([self._jpeg], of=whose, side=112)]
        return html.block(html.heading(whose, sure), *picture, html.table(rows))


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """The contact sheet of a person."""

    person: int  # their id.
    page: Image  # a PIL image.

    def _repr_jpeg_(self) -> bytes:
        return as_jpeg(self.page)


def find_person(store: Store, person: int | str, read: Callable[..., Any]) -> Person:
    """A person, by id or name, who reads further from the library as it is then; see `Library.person`."""
    found = people_query.people(store, only=[_named(person_named, store, person)])
    if not found:
        raise LibraryError(f"There is no person {person!r}.", "people.csv lists them all.")
    one = found[0]
    cohesion = None if one.cohesion is None else round(one.cohesion, 4)
    return Person(one.person, one.name, one.faces, cohesion, one.unsure, read)


def sheet_of(store: Store, person: int | str) -> Sheet:
    """The contact sheet of a person, by id or name; see `Library.show`."""
    found = people_rows(store, _named(person_named, store, person))
    if not found:
        raise LibraryError(f"There is no person {person!r}.", "people.csv lists them all.")
    number, name, faces, *_ = found[0]
    return Sheet(number, contact_sheet(**sheet_content(store, number, name, faces)))


def find_face(store: Store, face: int | str) -> Face:
    """A face, as decisions name it; see `Library.find_face`."""
    (row,) = _named(faces_named, store, [face])
    found = face_detail(store, row)
    if found is None:
        raise LibraryError(f"There is no face {face!r}.", "faces.csv lists them all, by file.")
    whose = (None, "") if found.status == "ignored" else (found.person, found.name)
    probability = None if found.probability is None else round(found.probability, 4)
    where = (found.face, found.file, found.frame, found.box, found.score, found.quality)
    return Face(*where, *whose, found.status, found.reason, probability, thumbnail_of(store, row) or None)


def _named(named: Callable[..., T], store: Store, what: object) -> T:
    try:
        return named(store, what)
    except DecisionError as error:
        raise LibraryError(error.problem, error.mend) from error
