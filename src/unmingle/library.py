"""The library as Python sees it: one class over one folder, which hands each job to the module of it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict, Unpack, get_args

from unmingle import html
from unmingle.decisions.kinds import KINDS
from unmingle.decisions.log import By, Decision, Log, last_id
from unmingle.decisions.references import faces_named, person_named
from unmingle.decisions.service import DecisionService
from unmingle.errors import DecisionError, LibraryError, SettingsError
from unmingle.files import user_path, write_atomically
from unmingle.models.cards import SFACE
from unmingle.progress import Times, silent
from unmingle.settings import one_of, whole_number
from unmingle.sources.names import AUTO
from unmingle.store import facts, relocation, result_tables
from unmingle.store.file_rows import remembered
from unmingle.store.screen_time import screen_times
from unmingle.store.sqlite import open_to_decide, open_to_read, open_to_write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from typing import Concatenate, ParamSpec, TypeVar

    import polars as pl

    from unmingle.decisions.asking import Answer, Question
    from unmingle.decisions.kinds import Command, Kind
    from unmingle.decisions.named_faces import Conflicts
    from unmingle.evaluation.comparison import Comparison
    from unmingle.evaluation.labels import LabelOptions, Labels
    from unmingle.evaluation.scores import Evaluation
    from unmingle.exchange.exporting import Exported, ExportOptions, Target
    from unmingle.exchange.importing import Imported
    from unmingle.grouping.split_candidates import Branches
    from unmingle.identification import Identified
    from unmingle.progress import Progress
    from unmingle.records import Added, Status
    from unmingle.render.notebook import Face, Person, Sheet
    from unmingle.settings import (
        ClassicSettings,
        DetectionSettings,
        EngineSettings,
        GroupingSettings,
        Recipe,
        RecordingSettings,
    )
    from unmingle.store.relocation import Forgotten
    from unmingle.store.sqlite import Store
    from unmingle.summary import Summary

    P = ParamSpec("P")
    T = TypeVar("T")
    PersonRef = int | str
    FaceRefs = int | str | Iterable[int | str]

Views = Literal["at once", "on request"]


class Who(TypedDict, total=False):
    """Who decides, and the last entry of the log that they knew of."""

    by: By
    seen: int | None


@dataclass(slots=True)
class Library:
    """A folder that remembers faces and people, and what was said about them.

    Each call that adds or groups takes the writer's lock for itself; `with library.writing():` keeps it over several.
    Decisions don't need it. `progress` is told how far the work is. A folder that can't be used is a LibraryError.

    In decisions a person is named by id or by name: text that is a plain number is an id, whoever is called so, and
    "name:2" is who is called 2. A face is named by its row (as the review page knows it), or by its file:
    "frame_12_1.jpg" is the main face of the file, "party.jpg#2" its face 2 as in `faces.csv`, and "call.mp4@150#0" face
    0 in frame 150 of a recording.

    Each decision takes `by`, who decides ("person", "rule" or "import"), and `seen`, the `revision` that whoever
    decides had looked at: if the people or faces in question were changed after it, the decision is refused. Each
    returns what was done, once it is on disk. It raises DecisionError where it can't be done, and StaleError where
    somebody else changed what it is about.

    Args:
        folder: made at the first `add`.
        views: whether each decision brings `faces.csv`, `people.csv` and the sheets in line at once, or only
            `write_views` does, which is better for many decisions one after another.
    """

    folder: Path
    views: Views = "at once"
    _held: Store | None = field(default=None, repr=False)
    _service: DecisionService = field(default_factory=DecisionService, repr=False)
    _trees: dict[bytes, Branches] = field(default_factory=dict, repr=False)
    _times: Times = field(default_factory=Times, repr=False)

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

    def add(
        self,
        *sources: str | Path,
        recipe: Recipe = "faces",
        detection: DetectionSettings | None = None,
        classic: ClassicSettings | None = None,
        weights: Path | None = None,
        any_weights: bool = False,
        engine: EngineSettings | None = None,
        recording: RecordingSettings | None = None,
        model: str = SFACE.name,
        progress: Progress = silent,
    ) -> Added:
        """Find and embed the faces of all pictures in `sources` that are not known yet; goes on where it was stopped.

        Args:
            sources: folders, picture files, recordings, or text files that list them; none: all that were named before
                and are there (see `sources`).
            recipe: "faces" detects and embeds faces; "classic" takes each whole picture as a face, as the seed did.
            detection: what counts as a face, for "faces".
            classic: which features, for "classic".
            weights: VGG16's weight file, for "classic"; the fetched one if None.
            any_weights: accept weights of the right layout that are not the official ones.
            engine: how networks are run.
            recording: how recordings are watched.
            model: what "faces" embeds with, as in `unmingle models list`. What other models found stays in the
                library, and coming back to one computes nothing again.
            progress: told after each batch.
        """
        from unmingle import jobs

        named = sources or jobs.still_there(self.folder, self.sources)
        how = (recipe, detection, classic, weights, engine, recording, model)
        add = jobs.adding(named, *how, any_weights=any_weights)
        with self.writing() as store:
            return add(store, progress, self._times)

    @property
    def sources(self) -> tuple[Path, ...]:
        """What was named to `add` so far: folders, and files that were named by themselves."""
        with self._reading() as store:
            return tuple(remembered(store))

    def cluster(
        self,
        *,
        people: int | None = None,
        settings: GroupingSettings | None = None,
        classic: ClassicSettings | None = None,
        name_pattern: str | None = AUTO,
        sheets: int = 100,
        webvtt: bool = False,
        progress: Progress = silent,
    ) -> Summary:
        """Make people of the faces that are there, and the library's tables and sheets.

        Args:
            people: how many there are; None finds the number. The classic recipe needs it.
            settings: how faces are grouped; `people` given beside it wins.
            classic: components and seed, for a library of the classic recipe.
            name_pattern: how a file name carries meeting, frame and index, as a regular expression with these three
                named groups, for the whole name without its ending. Faces of one frame were seen together. "auto" reads
                `<meeting>_<frame>_<index>`, of meetings whose faces bear it out; None reads nothing from names.
            sheets: how many people, largest first, get a contact sheet.
            webvtt: whether recordings get captions that say who is on screen.
            progress: told while faces are grouped and sheets are made.
        """
        from unmingle import jobs

        sheets = whole_number("sheets", sheets)
        if not isinstance(name_pattern, (str, type(None))):
            raise SettingsError(f"name_pattern is {name_pattern!r}.", "Give text, or None to read nothing from names.")
        how = (settings, people, classic, name_pattern, sheets)
        with self.writing() as store:
            summary = jobs.cluster(store, *how, webvtt=webvtt, progress=progress, times=self._times)
        self._times = Times()  # the next summary tells of its own run
        return summary

    def save_crops(self, folder: str | Path, *, progress: Progress = silent) -> int:
        """Cut out every face of every recording, as `<recording>_<frame>_<index>.jpg`, which `add` reads as crops.

        The folder is made if it isn't there; recordings of subfolders get theirs. Returns how many files were written.
        """
        from unmingle.exchange.crops import save_crops

        return self._read(save_crops, user_path(folder), progress)

    def write_views(self, *, redraw: Iterable[int] | None = None) -> None:
        """Make `faces.csv`, `people.csv` and the sheets again, after decisions: those in `redraw`; of all if None."""
        from unmingle.render.views import write_views

        with self._reading() as store:
            sheets = int(store.fact(facts.SHEETS) or 0)
            write_views(store, facts.current(store), sheets=sheets, redraw=redraw)

    def retry(self, file: int) -> tuple[Status, str]:
        """Read a file again that could not be read, given its row; status and reason of its first face."""
        from unmingle import jobs

        with self.writing() as store:
            return jobs.retry(store, file)

    def forget(self, source: str | Path) -> Forgotten:
        """Drop a folder that was added, one below it, or a file: it leaves the tables, with people in no other picture.

        What was found and what was decided stays. Added again, the source and its people are back, and nothing is
        computed again.
        """
        with self.writing() as store:
            gone = relocation.forget(store, facts.current(store), user_path(source))
        self._look_again()
        return gone

    def relocate(self, old: str | Path, new: str | Path) -> int:
        """Note that a source, or a folder in one, is somewhere else now: so many files. Nothing is read again."""
        with self.writing() as store:
            count = relocation.relocate(store, user_path(old), user_path(new))
        self._look_again()
        return count

    def _look_again(self) -> None:
        self._service.forget()
        if self.views == "at once":
            self.write_views()

    @property
    def faces(self) -> pl.DataFrame:
        """One row per face, and one per file without any, in the columns of `faces.csv`."""
        return self._read(result_tables.faces_table).select(list(result_tables.FACES))

    @property
    def people(self) -> pl.DataFrame:
        """One row per person, largest first, in the columns of `people.csv`."""
        return self._read(
            lambda store, recipe: result_tables.people_table(result_tables.faces_table(store, recipe), store)
        )

    @property
    def models(self) -> pl.DataFrame:
        """One row per model whose faces are here: model, recipe, pictures, faces, dimension, current.

        Of the recipes with other settings that the library has seen, too, each has a row. `people` and `faces` are
        those of the current one; `add(model=...)` and `cluster()` make another one current.
        """
        with self._reading() as store:
            return facts.models_table(store)

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
        """One row per face with its embedding: source, file, frame, face, person, vector.

        `library.embeddings["vector"].to_numpy()` is the (n, d) float32 matrix, in the same order. Faces that were set
        aside are here too; of recordings there are the faces that stand for others.
        """
        return self._read(result_tables.embeddings_table)

    @property
    def confidence(self) -> pl.DataFrame:
        """One row per face of a person, the least sure first: source, file, frame, face, person, probability.

        The probability is that the face belongs there, empty where the recipe can't say; docs/concepts/how-it-works.md
        tells how far it is to be trusted. Of recordings there are the faces that stand for others.
        """
        return self._read(result_tables.confidence_table)

    def person(self, person: PersonRef) -> Person:
        """One person."""
        from unmingle.render.notebook import find_person

        with self._reading() as store:
            return find_person(store, person, self._reading)

    def show(self, person: PersonRef) -> Sheet:
        """The contact sheet of one person: up to a hundred faces, spread over all of them."""
        from unmingle.render.notebook import sheet_of

        return self._read(sheet_of, person)

    def find_face(self, face: int | str) -> Face:
        """One face."""
        from unmingle.render.notebook import find_face

        return self._read(find_face, *_several(face))

    def jpegs_of(self, person: int, most: int) -> tuple[bytes, ...]:
        """The stored pictures of at most so many faces of a person, given the id, spread over all of them."""
        from unmingle.render.notebook import jpegs_of

        with self._reading() as store:
            return jpegs_of(store, person, most)

    def jpegs(self, faces: Sequence[int]) -> tuple[bytes, ...]:
        """The stored pictures of faces, given their rows; those without one are passed over."""
        with self._reading() as store:
            return tuple(jpeg for jpeg in (result_tables.thumbnail_of(store, face) for face in faces) if jpeg)

    def _repr_html_(self) -> str:
        from unmingle.render.notebook import overview_html

        try:
            return self._read(lambda store, recipe: overview_html(store))
        except LibraryError as error:
            return html.block(html.heading(self.folder.name, error.problem), html.remark(error.mend))

    def identify(
        self, *pictures: str | Path, detection: DetectionSettings | None = None, engine: EngineSettings | None = None
    ) -> list[Identified]:
        """Whose faces picture files show, without adding them to the library: each face as if it were added alone.

        The first call gets the people ready; to ask often, hand over several pictures at once. `detection` has to be
        what the library was made with, and is that if None.
        """
        from unmingle.identification import identify

        return self._read(identify, [user_path(picture) for picture in pictures], detection, engine)

    def likely_pairs(self, *, most: int = 100) -> pl.DataFrame:
        """At most so many pairs of people who may be one, the most probable first: person, other, probability."""
        from unmingle.identification import pair_table

        return self._read(pair_table, most=whole_number("most", most))

    def questions(self, *, most: int = 20) -> tuple[Question, ...]:
        """What is most worth asking a person about who is who, at most so much, the most useful first; see `answer`."""
        from unmingle.decisions.asking import ask

        asked = self._read(ask, most=whole_number("most", most), trees=self._trees)
        return tuple(replace(one, jpegs=self.jpegs) for one in asked)

    def evaluate(
        self, labels: Path | str | Labels | Literal["folders"], *, options: LabelOptions | None = None
    ) -> Evaluation:
        """Score the people against labels; files are joined by name.

        The labels are a workbook or csv, "folders" where each folder holds one person, or such as were read before.
        """
        from unmingle.evaluation.labels import LabelOptions, Labels, folder_labels, read_labels
        from unmingle.evaluation.scores import evaluate

        faces = self._read(result_tables.faces_table)
        if labels == "folders":
            labels = folder_labels(faces["file"].to_list(), sources=faces["source"].to_list())
        elif not isinstance(labels, Labels):
            labels = read_labels(user_path(labels), options or LabelOptions())
        return evaluate(faces, labels)

    def write_evaluation(self, evaluation: Evaluation, folder: Path | str | None = None) -> tuple[Path, ...]:
        """Write an evaluation into a folder, `evaluation` in the library's if None; returns the files.

        They are json, a table per person, the confusion matrix, and the worst mistakes as pictures.
        """
        from unmingle.render.score_pictures import write_evaluation

        written = self.folder / "evaluation" if folder is None else user_path(folder)
        with self._reading() as store:
            return write_evaluation(evaluation, written, crop=partial(result_tables.picture_of, store))

    def write_report(
        self,
        destination: Path | str | None = None,
        *,
        title: str = "",
        evaluation: Evaluation | None = None,
        progress: Progress = silent,
    ) -> Path:
        """Write what was found as one page of html: it opens from disk, and needs no other file and no network.

        Returns the file: `report.html` in the library's folder if None is given. The title is the folder's name if it
        is empty. An evaluation is shown with its mistakes.
        """
        from unmingle.render.report import write_report

        written = self.folder / "report.html" if destination is None else user_path(destination)
        self._read(write_report, written, title or self.folder.absolute().name, evaluation, self._trees, progress)
        return written

    def compare(
        self,
        other: Library,
        *,
        labels: Path | str | Literal["folders"] | None = None,
        options: LabelOptions | None = None,
    ) -> Comparison:
        """Lay another library of the same pictures beside this one: who is who, what split, merged or was left out.

        Pictures are the same by content, or else by their name below their source; faces by where they are. What only
        one of the two has seen is counted, and nothing is said about it. With labels, as for `evaluate`, it says too
        which of the two was right about each change.
        """
        from unmingle.evaluation.comparison import compare
        from unmingle.render.comparison_page import side_of
        from unmingle.store.face_regions import SAME_FACE

        one, two = (library._read(side_of, str(library.folder)) for library in (self, other))
        scored = None
        if labels is not None:
            scored = self.evaluate(labels, options=options), other.evaluate(labels, options=options)
        return compare(one, two, least=SAME_FACE, evaluations=scored)

    def write_comparison(
        self, other: Library, comparison: Comparison, destination: Path | str, *, progress: Progress = silent
    ) -> Path:
        """Write what `compare` found as one page of html, with the faces concerned, into a file, which is returned."""
        from unmingle.render.comparison_page import comparison_page
        from unmingle.render.pictures import Pictures

        with self._reading() as store, other._reading() as beside:
            page = comparison_page(comparison, Pictures(store), Pictures(beside), progress)
        write_atomically(Path(destination), page.encode())
        return Path(destination)

    def export(
        self,
        to: Target,
        destination: str | Path,
        options: ExportOptions | None = None,
        *,
        dry_run: bool = False,
        progress: Progress = silent,
    ) -> Exported:
        """Write results for other programs: folders of pictures, tables, or regions in XMP; see docs/guides/export.md.

        The destination is a folder, made if it isn't there, and not inside the library or its pictures. Nothing in it
        is ever overwritten, and originals are never changed. What is there already with the same content counts as
        done, so that a stopped export can be repeated. A dry run writes nothing and only tells.
        """
        from unmingle.exchange.exporting import ExportOptions, export

        chosen = options or ExportOptions()
        return self._read(export, to, user_path(destination), chosen, dry_run=dry_run, progress=progress)

    def import_names(
        self, *sources: str | Path, conflicts: Conflicts = "keep", progress: Progress = silent
    ) -> Imported:
        """Take in the names that other programs gave to faces, as decisions that can be undone.

        Sources are XMP files, pictures with XMP in them, folders of both, or tables with the columns file and name. A
        face that has another name here keeps it, or takes the imported one where `conflicts` is "take". Returns what
        was done, and every name that was not given, with the reason.
        """
        from unmingle.exchange.importing import import_names

        one_of("conflicts", conflicts, ("keep", "take"))
        paths = tuple(map(user_path, sources))
        with self._open(open_to_decide) as store:
            recipe = facts.current(store)
            done = import_names(store, recipe, self._service, paths, conflicts=conflicts, progress=progress)
        if self.views == "at once" and done.decisions:
            self.write_views()
        return done

    def name(self, person: PersonRef, name: str, **who: Unpack[Who]) -> Decision:
        """Give a person a name; an empty one takes the name away. No two people have the same."""
        if not isinstance(name, str):
            raise DecisionError(f"{name!r} is no name.", "Give text; an empty one takes the name away.")
        return self._decide("name", person, name=name, **who)

    def merge(self, person: PersonRef, *others: PersonRef, **who: Unpack[Who]) -> Decision:
        """Make others a part of a person, who keeps id and name; without a name, the first name of the others."""
        return self._decide("merge", person, *others, **who)

    def split(self, faces: FaceRefs, **who: Unpack[Who]) -> Decision:
        """Make a new person of faces; the result's `person` is the new id. They are one, and not who they were."""
        return self._decide("split", faces=faces, **who)

    def reject(self, faces: FaceRefs, person: PersonRef, **who: Unpack[Who]) -> Decision:
        """Say that faces are not this person; they are alone until they are grouped again."""
        return self._decide("reject", person, faces=faces, **who)

    def assign(self, faces: FaceRefs, person: PersonRef, **who: Unpack[Who]) -> Decision:
        """Say that faces are this person."""
        return self._decide("assign", person, faces=faces, **who)

    def not_a_face(self, faces: FaceRefs, **who: Unpack[Who]) -> Decision:
        """Say that there is no face."""
        return self._decide("not_a_face", faces=faces, **who)

    def face(self, faces: FaceRefs, **who: Unpack[Who]) -> Decision:
        """Say that there is a face, whatever the program says: it is grouped the next time."""
        return self._decide("face", faces=faces, **who)

    def ignore(self, person: PersonRef | None = None, *, faces: FaceRefs = (), **who: Unpack[Who]) -> Decision:
        """Leave a person or faces out of all results: strangers. Of a person, also the faces that come later."""
        return self._decide("ignore", person, faces=faces, **who)

    def restore(self, person: PersonRef | None = None, *, faces: FaceRefs = (), **who: Unpack[Who]) -> Decision:
        """Take back in whom or what was ignored, or said to be no face."""
        return self._decide("restore", person, faces=faces, **who)

    def different(
        self, person: PersonRef | None = None, *others: PersonRef, faces: FaceRefs = (), **who: Unpack[Who]
    ) -> Decision:
        """Say that people are not one, or that the first of some faces is none of the others: never suggested again."""
        return self._decide("different", person, *others, faces=faces, **who)

    def unsure(
        self, person: PersonRef | None = None, *others: PersonRef, faces: FaceRefs = (), **who: Unpack[Who]
    ) -> Decision:
        """Say that one can't tell whether people, or faces and a person, are one: it is suggested last."""
        return self._decide("unsure", person, *others, faces=faces, **who)

    def undo(self, decision: int | None = None, **who: Unpack[Who]) -> Decision:
        """Undo a decision, any that stands; None: the last."""
        return self._decide("undo", target=decision, **who)

    def redo(self, decision: int | None = None, **who: Unpack[Who]) -> Decision:
        """Redo a decision, any that was undone; None: the last, if nothing new was decided since."""
        return self._decide("redo", target=decision, **who)

    def answer(self, question: Question, answer: Answer, **who: Unpack[Who]) -> Decision:
        """Answer one of `questions`: "same", "different", or "unsure"."""
        from unmingle.decisions.asking import answer_command

        return self._take(lambda store, recipe: answer_command(question, answer), **who)

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
            return KINDS[kind](whom, named, faces_named(store, recipe, _several(faces)), name, last)

        return self._take(wanted, **who)

    def _take(self, wanted: Callable[[Store, str], Command], by: By = "person", seen: int | None = None) -> Decision:
        one_of("by", by, get_args(By))
        with self._open(open_to_decide) as store:
            recipe = facts.current(store)
            entry = self._service.decide(store, recipe, wanted(store, recipe), by=by, seen=seen)
        if self.views == "at once":
            self.write_views(redraw=entry.people)
        return Decision.of(entry, live=True)

    def get_ready(self) -> None:
        """Read what decisions need, so that the first takes no longer than others."""
        self._read(lambda store, recipe: self._service.state(store.connection, recipe))

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """The log, oldest first."""
        with self._reading() as store:
            return tuple(Log.read(store.connection).decisions())

    @property
    def log(self) -> pl.DataFrame:
        """The log as a table, oldest first: id, made (UTC), by, kind, words, person, faces, live."""
        import polars as pl

        texts = dict.fromkeys(("made", "by", "kind", "words"), pl.String)
        schema = {"id": pl.Int64, **texts, "person": pl.Int64, "faces": pl.Int64, "live": pl.Boolean}
        rows = [tuple(getattr(decision, column) for column in schema) for decision in self.decisions]
        return pl.DataFrame(rows, schema=schema, orient="row")

    @property
    def revision(self) -> int:
        """The number of the last entry of the log, to be handed back as `seen`."""
        with self._reading() as store:
            return last_id(store.connection)


def _several(faces: FaceRefs) -> list[int | str]:
    """Faces as they were named; a single one may be named by itself."""
    named = faces if isinstance(faces, Iterable) and not isinstance(faces, str) else (faces,)
    mend = "Give its row, which is a whole number, or its file."
    return [face if isinstance(face, str) else whole_number("A face", face, mend=mend) for face in named]
