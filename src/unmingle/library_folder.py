"""A library's folder: its file, opened as a job wants it, and the tables that it holds."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec, Self, TypedDict, TypeVar, Unpack, get_args

from unmingle.decisions.encrypting import convert
from unmingle.decisions.erasing import Erasure, clean_files, erase, faces_meant, people_meant
from unmingle.decisions.kinds import KINDS, Command, Kind
from unmingle.decisions.log import By, Decision, Log, last_id
from unmingle.decisions.references import FaceRefs, PersonRef, faces_named, person_named
from unmingle.decisions.service import DecisionService
from unmingle.decisions.state import State
from unmingle.errors import DecisionError, LibraryError, SettingsError, WriteError, command
from unmingle.files import user_path
from unmingle.settings import DetectionSettings, GroupingSettings, Recipe, RecordingSettings, one_of, whole_number
from unmingle.sources.formats import LIBRARY_FILE
from unmingle.store import facts, file_rows, result_tables
from unmingle.store.encryption import is_encrypted
from unmingle.store.file_rows import Forgotten
from unmingle.store.privacy import Output, Privacy, note_output
from unmingle.store.screen_time import screen_times
from unmingle.store.sqlite import TABLES, Store, open_to_decide, open_to_read, open_to_write

if TYPE_CHECKING:
    import polars as pl

    from unmingle.upkeep import Checked

    P = ParamSpec("P")
    T = TypeVar("T")

Views = Literal["at once", "on request"]
DONE = (
    "All the same, what you asked for is done: don't repeat it. Free some space, or check who may write there; the next"
    " decision brings tables and sheets in line."
)


def _moment(age: datetime | timedelta) -> datetime:
    """What `erase` is given as a moment; SettingsError where no date goes back so far."""
    try:
        return datetime.now(UTC) - age if isinstance(age, timedelta) else age.astimezone(UTC)
    except (ValueError, OverflowError, OSError) as error:  # the last on Windows, of days before 1970
        raise SettingsError(f"{age} is no age that a date has.", "Give a later one.") from error


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

    def __reduce__(self) -> tuple[type[Self], tuple[Path, Views]]:
        """For other processes: each opens the library anew, with its own key."""
        return type(self), (self.folder, self.views)

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

    def _read(self, act: Callable[Concatenate[Store, P], T], *args: P.args, **more: P.kwargs) -> T:
        """What a function finds in the library, which holds pictures."""
        with self._reading() as store:
            facts.check_begun(store)
            return act(store, *args, **more)

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

        def wanted(store: Store) -> Command:
            whom = None if person is None else person_named(store, person)
            named = tuple(person_named(store, other) for other in others)
            return KINDS[kind](whom, named, faces_named(store, faces), name, last)

        return self._take(wanted, **who)

    def _take(self, wanted: Callable[[Store], Command], by: By = "person", seen: int | None = None) -> Decision:
        one_of("by", by, get_args(By))
        with self._open(open_to_decide) as store:
            facts.check_begun(store)
            entry = self._service.decide(store, wanted(store), by=by, seen=seen)[-1]
        self._show(entry.people)
        return Decision.of(entry, live=True)

    def _as_before(self, recipe: Recipe | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
        """How it was made, as arguments for `Library.add` and `Library.cluster`; none where it was not, or by another.

        recipe: what pictures are to be looked at with; None: the library's, which may not be the classic one.
        """
        if not (self.folder / LIBRARY_FILE).exists():
            return {}, {}
        with self._reading() as store:
            if not store.recipe or recipe == "classic":  # it was stopped before anything was found
                return {}, {}
            if store.recipe.startswith("classic"):
                if recipe is not None:
                    return {}, {}
                mend = (
                    f"Run: {command('cluster', 'PICTURES', '-o', self.folder, '--recipe', 'classic', '--people', 'K')}"
                )
                raise SettingsError("The classic recipe needs to be told how many people there are.", mend)
            looking = {
                "model": facts.model_of(store).name,
                "detection": facts.noted(store, DetectionSettings),
                "recording": facts.noted(store, RecordingSettings),
            }
            grouping: dict[str, Any] = {
                "settings": facts.noted(store, GroupingSettings),
                "webvtt": bool(store.fact(facts.WEBVTT)),
            }
            if sheets := store.fact(facts.SHEETS):
                grouping["sheets"] = int(sheets)
            if how := facts.grouped(store).get("how"):
                grouping["name_pattern"] = json.loads(how)[-1]
            return looking, grouping

    def forget(self, source: str | Path) -> Forgotten:
        """Drop a source, or a folder or file in one: it leaves the tables, with people in no other picture.

        Added again, it is back with all that was found and decided.
        """
        with self.writing() as store:
            facts.check_begun(store)
            gone = file_rows.forget(store, user_path(source))
        self._service.forget()
        self._show()
        return gone

    def relocate(self, old: str | Path, new: str | Path) -> int:
        """Note that a source, or a folder in one, is somewhere else now: so many files. Nothing is read again."""
        with self.writing() as store:
            count = file_rows.relocate(store, user_path(old), user_path(new))
        self._service.forget()
        self._show()
        return count

    def erase(
        self,
        *people: PersonRef,
        faces: FaceRefs = (),
        sources: Iterable[str | Path] = (),
        older_than: datetime | timedelta | None = None,
        left_out: bool = False,
        dry_run: bool = False,
    ) -> Erasure:
        """Erase people and faces for good: nothing brings them back, no undo and no second look at the same pictures.

        Embeddings, thumbnails and names go from every byte of the library's files, and what the log says of these
        people; so do all reports and other pages. Who has no face left goes too. What was exported is told.

        Args:
            people: by id or name, with those who were merged into them.
            faces: single ones.
            sources: all faces that a source shows, a folder in one, or a file.
            older_than: all faces of which every file was last changed before, or that long ago, or is gone.
            left_out: all faces that are nobody's, and of people who are ignored.
            dry_run: only tell.
        """
        before = None if older_than is None else _moment(older_than)
        with self.writing() as store:
            facts.check_begun(store)
            paths = [user_path(source) for source in sources]
            chosen = {*faces_named(store, faces), *faces_meant(store, paths, before, left_out=left_out)}
            meant = people_meant(store, State.read(store), people, ignored=left_out)
            if not (chosen or meant):
                raise DecisionError("There is nobody to erase.", "Name a person, faces, or a source.")
            done = erase(store, meant, chosen, dry_run=dry_run)
            if dry_run:
                return done
            self._service.forget()
            try:
                pages, left = clean_files(store)
            except BaseException:
                with suppress(WriteError):  # what failed first is told
                    self._show()
                raise
            self._show()
        return replace(done, pages=tuple(pages), left=tuple(left))

    def _note_output(self, kind: str, *pages: Path, export: Path | None = None, files: int = 0) -> None:
        """Remember what was written, where that can be; a library that can't be written knows nothing of it."""
        with suppress(LibraryError, WriteError), self._open(open_to_decide) as store:
            note_output(store, kind, *pages, export=export, files=files)

    @property
    def privacy(self) -> Privacy:
        """What is stored of how many people, where, who may read it, and what left."""
        return self._read(Privacy.of)

    def _page(self, given: str | Path | None, name: str) -> Path:
        """Where a page is written: by itself in the library's folder, but never beside an encrypted one."""
        if given is None and is_encrypted(self.folder):
            raise WriteError(f"{self.folder} is encrypted, and {name} would not be.", "Say where, with --output.")
        return self.folder / name if given is None else user_path(given)

    def encrypt(self, key: str | None) -> tuple[Output, ...]:
        """Encrypt the library's files with a key, a new one too, or decrypt them if None.

        Tables, sheets and pages in its folder go; returned is what it has written elsewhere, which stays readable.
        Nobody else may use the library meanwhile. Needs the extra `encrypt`.
        """
        done = convert(self.folder, key)
        if key is None:
            self._show()
        return done

    def _show(self, redraw: Iterable[int] | None = None) -> None:
        """Bring the tables in line, and the sheets of people: all if None."""
        if self.views == "at once" and self._read(facts.shows):
            try:
                self.write_views(redraw=redraw)
            except WriteError as error:
                raise WriteError(error.problem, DONE) from error
        elif redraw is None and self._held is not None:
            self._held.set_fact(TABLES, "")

    def write_views(self, *, redraw: Iterable[int] | None = None) -> None:
        """Make `faces.csv`, `people.csv` and the sheets again, after decisions: those in `redraw`; of all if None.

        Of an encrypted library nothing is written unless `cluster(tables=True)` asked for it.
        """
        from unmingle.render.views import write_views

        if not self._read(facts.shows):
            return
        shown = self._read(write_views, redraw=redraw)
        with suppress(LibraryError, WriteError), self._open(open_to_decide) as store:  # else all are written next time
            store.set_fact(TABLES, shown)

    def check(self, *, repair: bool = False) -> Checked:
        """Whether all is well: pages, references, embeddings, thumbnails, decisions, files and models.

        Args:
            repair: mend first what can be. Decisions come back from the journal, faces with the next `add`; what can be
                read is kept, the damaged file too. Nobody else may use the library meanwhile.
        """
        from unmingle.upkeep import check

        return check(self.folder, repair=repair)

    def backup(self, destination: str | Path) -> Path:
        """Copy the library, as it is at one moment, into a new folder, also while it is in use; returns the folder."""
        from unmingle.upkeep import backup

        copy = backup(self.folder, user_path(destination))
        self._note_output("backup", export=copy, files=1)
        return copy

    @property
    def sources(self) -> tuple[Path, ...]:
        """What was named to `add` so far: folders, and files that were named by themselves."""
        with self._reading() as store:
            return tuple(file_rows.remembered(store))

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
        return self._read(lambda store: result_tables.recordings_table(screen_times(store)))

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
        texts = dict.fromkeys(("made", "by", "kind", "words"), str)
        schema: dict[str, type] = {"id": int, **texts, "person": int, "faces": int, "live": bool}
        return result_tables.as_table([[getattr(one, column) for column in schema] for one in self.decisions], schema)

    @property
    def revision(self) -> int:
        """The number of the last entry of the log, to be handed back as `seen`."""
        with self._reading() as store:
            return last_id(store.connection)
