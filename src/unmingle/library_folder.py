"""A library's folder: its file, opened as a job wants it, and the tables that it holds."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypedDict, Unpack, get_args

from unmingle.decisions.kinds import KINDS
from unmingle.decisions.log import By, Decision, Log, last_id, log_table
from unmingle.decisions.references import faces_named, person_named
from unmingle.decisions.service import DecisionService
from unmingle.files import user_path
from unmingle.settings import one_of, whole_number
from unmingle.store import facts, result_tables
from unmingle.store.file_rows import remembered
from unmingle.store.screen_time import screen_times
from unmingle.store.sqlite import open_to_decide, open_to_read, open_to_write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path
    from typing import Concatenate, ParamSpec, TypeVar

    import polars as pl

    from unmingle.decisions.kinds import Command, Kind
    from unmingle.decisions.references import FaceRefs, PersonRef
    from unmingle.store.sqlite import Store

    P = ParamSpec("P")
    T = TypeVar("T")

Views = Literal["at once", "on request"]


class Who(TypedDict, total=False):
    """Who decides, and the last entry of the log that they knew of."""

    by: By
    seen: int | None


@dataclass(slots=True)
class LibraryFolder:
    """What every job on a library needs: its file, opened as the job wants it."""

    folder: Path
    views: Views = "at once"
    _held: Store | None = field(default=None, repr=False)
    _service: DecisionService = field(default_factory=DecisionService, repr=False)

    def __post_init__(self) -> None:
        one_of("views", self.views, get_args(Views))
        self.folder = user_path(self.folder)  # a string is what people write

    @contextmanager
    def writing(self) -> Iterator[Store]:
        """Hold the writer's lock for the length of a block."""
        with self._open(open_to_write) as store:
            before, self._held = self._held, store
            try:
                yield store
            finally:
                self._held = before

    @contextmanager
    def _open(self, opened: Callable[[Path], AbstractContextManager[Store]]) -> Iterator[Store]:
        if self._held is not None:
            yield self._held
            return
        with opened(self.folder) as store:
            yield store

    @contextmanager
    def _reading(self) -> Iterator[Store]:
        with self._open(open_to_read) as store, store.snapshot():
            yield store

    def _read(self, act: Callable[Concatenate[Store, str, P], T], *args: P.args, **more: P.kwargs) -> T:
        """What a function finds in the library, given its current recipe."""
        with self._reading() as store:
            return act(store, facts.current(store), *args, **more)

    def _decide(
        self,
        kind: Kind,
        person: PersonRef | None = None,
        *others: PersonRef,
        faces: FaceRefs = (),
        name: str = "",
        target: int | None = None,
        **who: Unpack[Who],
    ) -> Decision:
        mend = "Give its number, as in unmingle log, or none for the last."
        last = 0 if target is None else whole_number("A decision", target, least=1, mend=mend)

        def wanted(store: Store, recipe: str) -> Command:
            whom = None if person is None else person_named(store, person)
            named = tuple(person_named(store, other) for other in others)
            return KINDS[kind](whom, named, faces_named(store, recipe, faces), name, last)

        return self._take(wanted, **who)

    def _take(self, wanted: Callable[[Store, str], Command], by: By = "person", seen: int | None = None) -> Decision:
        one_of("by", by, get_args(By))
        with self._open(open_to_decide) as store:
            recipe = facts.current(store)
            entry = self._service.decide(store, recipe, wanted(store, recipe), by=by, seen=seen)
        self._show(entry.people)
        return Decision.of(entry, live=True)

    def _show(self, redraw: Iterable[int] | None = None) -> None:
        """Bring the tables in line, and the sheets of people: all if None."""
        if self.views == "at once":
            self.write_views(redraw=redraw)

    def write_views(self, *, redraw: Iterable[int] | None = None) -> None:
        """Make `faces.csv`, `people.csv` and the sheets again, after decisions: those in `redraw`; of all if None."""
        from unmingle.render.views import write_views

        self._read(write_views, redraw=redraw)

    @property
    def sources(self) -> tuple[Path, ...]:
        """What was named to `add` so far: folders, and files that were named by themselves."""
        with self._reading() as store:
            return tuple(remembered(store))

    @property
    def faces(self) -> pl.DataFrame:
        """One row per face, and one per file without any, in the columns of `faces.csv`."""
        return self._read(result_tables.faces_table).select(list(result_tables.FACES))

    @property
    def people(self) -> pl.DataFrame:
        """One row per person, largest first, in the columns of `people.csv`."""
        return self._read(result_tables.library_people)

    @property
    def models(self) -> pl.DataFrame:
        """One row per model or settings seen: model, recipe, pictures, faces, dimension, current (see `add`)."""
        with self._reading() as store:
            return result_tables.models_table(store)

    @property
    def recordings(self) -> pl.DataFrame:
        """One row per recording, in the columns of `recordings.csv`."""
        return self._read(lambda store, recipe: result_tables.recordings_table(screen_times(store, recipe)))

    @property
    def intervals(self) -> pl.DataFrame:
        """When people are on screen: one row each time, in the columns of `intervals.csv`."""
        return self._read(result_tables.library_intervals)

    @property
    def embeddings(self) -> pl.DataFrame:
        """One row per face with its embedding, (d,) float32: source, file, frame, face, person, vector.

        Faces that were set aside are here too; of recordings there are the faces that stand for others.
        """
        return self._read(result_tables.embeddings_table)

    @property
    def confidence(self) -> pl.DataFrame:
        """One row per face of a person, the least sure first: source, file, frame, face, person, probability.

        The probability is that the face belongs there, null where the recipe can't say.
        """
        return self._read(result_tables.confidence_table)

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """The log, oldest first."""
        with self._reading() as store:
            return tuple(Log.read(store.connection).decisions())

    @property
    def log(self) -> pl.DataFrame:
        """The log as a table, oldest first: id, made (UTC), by, kind, words, person, faces, live."""
        return log_table(self.decisions)

    @property
    def revision(self) -> int:
        """The number of the last entry of the log, to be handed back as `seen`."""
        with self._reading() as store:
            return last_id(store.connection)
