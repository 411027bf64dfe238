"""What a person may say about the faces and people of a library, as methods."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, get_args

from unmingle.api.recipes import current
from unmingle.decisions.kinds import make_command
from unmingle.decisions.log import By, Decision, active_ids, last_id, read_log
from unmingle.decisions.references import faces_named, person_named
from unmingle.decisions.service import DecisionService
from unmingle.errors import DecisionError
from unmingle.settings import one_of, whole_number

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    import polars as pl

    from unmingle.decisions.asking import Answer, Question
    from unmingle.decisions.kinds import Command, Kind
    from unmingle.store.sqlite import Store

    PersonReference = int | str
    FaceReferences = int | str | Iterable[int | str]

FACE = "Give its row, which is a whole number, or its file."
DECISION = "Give its number, as in unmingle log, or none for the last."
Views = Literal["at once", "on request"]


class Deciding:
    """The decisions of a library.

    A person is named by id or by name: text that is a plain number is an id, whoever is called so, and "name:2" is who
    is called 2. A face is named by its row (as `browse` and the review page know it), or by its file: "frame_12_1.jpg"
    is the main face of the file, "party.jpg#2" its face 2 as in `faces.csv`.

    Each method takes `by`, who decides ("person", "rule" or "import"), and `seen`, the `revision` that whoever decides
    had looked at: if the people or faces in question were changed after it, the decision is refused. Each returns what
    was done, once it is on disk. All of them raise DecisionError (it can't be done), StaleError (somebody else changed
    it), and LibraryError.
    """

    __slots__ = ()

    folder: Path
    views: Views
    _service: DecisionService

    @abstractmethod
    def _deciding(self) -> AbstractContextManager[Store]:
        """The library, open for decisions."""

    @abstractmethod
    def _reading(self) -> AbstractContextManager[Store]:
        """The library, open for looking."""

    @abstractmethod
    def write_views(self, *, redraw: Iterable[int] | None = None) -> None:
        """Make `faces.csv`, `people.csv` and the sheets again."""

    def name(self, person: PersonReference, name: str, *, by: By = "person", seen: int | None = None) -> Decision:
        """Give a person a name; an empty one takes the name away. No two people have the same."""
        if not isinstance(name, str):
            raise DecisionError(f"{name!r} is no name.", "Give text; an empty one takes the name away.")
        return self._decide("name", person, name=name, by=by, seen=seen)

    def merge(
        self, person: PersonReference, *others: PersonReference, by: By = "person", seen: int | None = None
    ) -> Decision:
        """Make others a part of a person, who keeps id and name; without a name, the first name of the others."""
        return self._decide("merge", person, others=others, by=by, seen=seen)

    def split(self, faces: FaceReferences, *, by: By = "person", seen: int | None = None) -> Decision:
        """Make a new person of faces; the result's `person` is the new id. They are one, and not who they were."""
        return self._decide("split", faces=faces, by=by, seen=seen)

    def reject(
        self, faces: FaceReferences, person: PersonReference, *, by: By = "person", seen: int | None = None
    ) -> Decision:
        """Say that faces are not this person; they are alone until they are grouped again."""
        return self._decide("reject", person, faces=faces, by=by, seen=seen)

    def assign(
        self, faces: FaceReferences, person: PersonReference, *, by: By = "person", seen: int | None = None
    ) -> Decision:
        """Say that faces are this person."""
        return self._decide("assign", person, faces=faces, by=by, seen=seen)

    def not_a_face(self, faces: FaceReferences, *, by: By = "person", seen: int | None = None) -> Decision:
        """Say that there is no face."""
        return self._decide("not_a_face", faces=faces, by=by, seen=seen)

    def face(self, faces: FaceReferences, *, by: By = "person", seen: int | None = None) -> Decision:
        """Say that there is a face, whatever the program says: it is grouped the next time."""
        return self._decide("face", faces=faces, by=by, seen=seen)

    def ignore(
        self,
        person: PersonReference | None = None,
        *,
        faces: FaceReferences = (),
        by: By = "person",
        seen: int | None = None,
    ) -> Decision:
        """Leave a person or faces out of all results: strangers. Of a person, also the faces that come later."""
        return self._decide("ignore", person, faces=faces, by=by, seen=seen)

    def restore(
        self,
        person: PersonReference | None = None,
        *,
        faces: FaceReferences = (),
        by: By = "person",
        seen: int | None = None,
    ) -> Decision:
        """Take back in whom or what was ignored, or said to be no face."""
        return self._decide("restore", person, faces=faces, by=by, seen=seen)

    def different(
        self,
        person: PersonReference | None = None,
        *others: PersonReference,
        faces: FaceReferences = (),
        by: By = "person",
        seen: int | None = None,
    ) -> Decision:
        """Say that people are not one, or that the first of some faces is none of the others: never suggested again."""
        return self._decide("different", person, others=others, faces=faces, by=by, seen=seen)

    def unsure(
        self,
        person: PersonReference | None = None,
        *others: PersonReference,
        faces: FaceReferences = (),
        by: By = "person",
        seen: int | None = None,
    ) -> Decision:
        """Say that one can't tell whether people, or faces and a person, are one: it is suggested last."""
        return self._decide("unsure", person, others=others, faces=faces, by=by, seen=seen)

    def undo(self, decision: int | None = None, *, by: By = "person", seen: int | None = None) -> Decision:
        """Undo a decision, any that stands; None: the last."""
        return self._decide("undo", target=_number(decision), by=by, seen=seen)

    def redo(self, decision: int | None = None, *, by: By = "person", seen: int | None = None) -> Decision:
        """Redo a decision, any that was undone; None: the last, if nothing new was decided since."""
        return self._decide("redo", target=_number(decision), by=by, seen=seen)

    def answer(self, question: Question, answer: Answer, *, by: By = "person", seen: int | None = None) -> Decision:
        """Answer one of `questions`: "same", "different", or "unsure"."""
        from unmingle.decisions.asking import answer_command

        return self._take(lambda store, recipe: answer_command(question, answer), by, seen)

    def get_ready(self) -> None:
        """Read what decisions need, so that the first takes no longer than others."""
        with self._reading() as store:
            self._service.state(store.connection, current(store))

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """The log, oldest first."""
        with self._reading() as store:
            entries = read_log(store.connection)
        active = active_ids(entries)
        return tuple(Decision.of(entry, live=active.get(entry.id, True)) for entry in entries)

    @property
    def log(self) -> pl.DataFrame:
        """The log as a table, oldest first: id, made (UTC), by, kind, words, person, faces, live."""
        import polars as pl

        schema = {
            "id": pl.Int64,
            "made": pl.String,
            "by": pl.String,
            "kind": pl.String,
            "words": pl.String,
            "person": pl.Int64,
            "faces": pl.Int64,
            "live": pl.Boolean,
        }
        rows = [tuple(getattr(decision, column) for column in schema) for decision in self.decisions]
        return pl.DataFrame(rows, schema=schema, orient="row")

    @property
    def revision(self) -> int:
        """The number of the last entry of the log, to be handed back as `seen`."""
        with self._reading() as store:
            return last_id(store.connection)

    def _decide(
        self,
        kind: Kind,
        person: PersonReference | None = None,
        *,
        by: By,
        seen: int | None,
        others: Sequence[PersonReference] = (),
        faces: FaceReferences = (),
        name: str = "",
        target: int = 0,
    ) -> Decision:
        def wanted(store: Store, recipe: str) -> Command:
            return make_command(
                kind,
                None if person is None else person_named(store, person),
                tuple(person_named(store, other) for other in others),
                faces_named(store, recipe, several(faces)),
                name,
                target,
            )

        return self._take(wanted, by, seen)

    def _take(self, wanted: Callable[[Store, str], Command], by: By, seen: int | None) -> Decision:
        one_of("by", by, get_args(By))
        with self._deciding() as store:
            recipe = current(store)
            entry = self._service.decide(store, recipe, wanted(store, recipe), by=by, seen=seen)
        if self.views == "at once":
            self.write_views(redraw=entry.people)
        return Decision.of(entry, live=True)


def several(faces: FaceReferences) -> list[int | str]:
    """Faces as they were named; a single one may be named by itself."""
    named = faces if isinstance(faces, Iterable) and not isinstance(faces, str) else (faces,)
    return [face if isinstance(face, str) else whole_number("A face", face, mend=FACE) for face in named]


def _number(decision: int | None) -> int:
    """The number of a decision; 0 for the last."""
    return 0 if decision is None else whole_number("A decision", decision, least=1, mend=DECISION)
