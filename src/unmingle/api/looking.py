"""Looking at a library from Python: one person, one face, all of it at a glance."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from unmingle.api.deciding import several
from unmingle.api.exchanging import Exchanging
from unmingle.api.recipes import current
from unmingle.errors import DecisionError, LibraryError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from unmingle.api.deciding import PersonReference
    from unmingle.api.library import Sheet
    from unmingle.render.notebook import Face, Person
    from unmingle.store.sqlite import Store


def find_person(store: Store, person: PersonReference) -> int:
    """The id of a person, where nothing is decided about them.

    Raises:
        LibraryError: nobody is called so.
    """
    from unmingle.decisions.references import person_named

    try:
        return person_named(store, person)
    except DecisionError as error:
        raise LibraryError(error.problem, error.mend) from error


class Looking(Exchanging):
    """The people and faces of a library as objects that show themselves in a notebook."""

    __slots__ = ()

    @property
    @abstractmethod
    def faces(self) -> pl.DataFrame:
        """One row per face."""

    @property
    @abstractmethod
    def intervals(self) -> pl.DataFrame:
        """When people are on screen."""

    @abstractmethod
    def show(self, person: int | str) -> Sheet:
        """The contact sheet of one person."""

    def person(self, person: PersonReference) -> Person:
        """One person.

        Args:
            person: id or name; text that is a plain number is an id, and "name:2" is who is called 2.

        Raises:
            LibraryError: nobody is called so.
        """
        from unmingle.render.notebook import Person
        from unmingle.store import browse

        with self._reading() as store:
            found = browse.people(store, only=[find_person(store, person)])
        if not found:
            raise LibraryError(f"There is no person {person!r}.", "people.csv lists them all.")
        one = found[0]
        cohesion = None if one.cohesion is None else round(one.cohesion, 4)
        return Person(one.person, one.name, one.faces, cohesion, one.unsure, self)

    def find_face(self, face: int | str) -> Face:
        """One face.

        Args:
            face: as decisions name it: "frame_12_1.jpg" is the main face of the file, "party.jpg#2" its face 2,
                "call.mp4@150#0" face 0 in frame 150 of a recording; or the row.

        Raises:
            LibraryError: there is no such file or face, or several files end so.
        """
        from unmingle.decisions.references import faces_named
        from unmingle.render.notebook import Face
        from unmingle.store.one_face import face_detail
        from unmingle.store.tables import thumbnail_of

        with self._reading() as store:
            try:
                (row,) = faces_named(store, current(store), several(face))
            except DecisionError as error:
                raise LibraryError(error.problem, error.mend) from error
            detail = face_detail(store, row)
            if detail is None:
                raise LibraryError(f"There is no face {face!r}.", "faces.csv lists them all, by file.")
            return Face.of(detail, thumbnail_of(store, row) or None)

    @property
    def embeddings(self) -> pl.DataFrame:
        """One row per face with its embedding: source, file, frame, face, person, vector.

        `library.embeddings["vector"].to_numpy()` is the (n, d) float32 matrix, in the same order. Faces that were set
        aside are here too; of recordings there are the faces that stand for others.
        """
        from unmingle.store.tables import embeddings_table

        with self._reading() as store:
            return embeddings_table(store, current(store))

    def jpegs_of(self, person: int, most: int) -> tuple[bytes, ...]:
        """The stored pictures of a person's faces, spread over all of them.

        Args:
            person: id.
            most: how many at most.
        """
        from unmingle.render.notebook import jpegs_of

        with self._reading() as store:
            return jpegs_of(store, person, most)

    def jpegs(self, faces: Sequence[int]) -> tuple[bytes, ...]:
        """The stored pictures of faces, given their rows; those without one are passed over."""
        from unmingle.store.tables import thumbnail_of

        with self._reading() as store:
            return tuple(jpeg for jpeg in (thumbnail_of(store, face) for face in faces) if jpeg)

    def _repr_html_(self) -> str:
        from unmingle import html
        from unmingle.render.notebook import overview_html

        try:
            with self._reading() as store:
                current(store)  # says what to do where there is none
                return overview_html(store)
        except LibraryError as error:
            return html.block(html.heading(self.folder.name, error.problem), html.remark(error.mend))
