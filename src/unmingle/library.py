"""The library as Python sees it: one class over one folder, which hands each job to the module of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Unpack

from unmingle import html
from unmingle.decisions.log import Decision
from unmingle.decisions.references import FaceRefs, PersonRef
from unmingle.errors import DecisionError, LibraryError
from unmingle.files import user_path, write_atomically
from unmingle.library_folder import LibraryFolder, Who
from unmingle.models.registry import SFACE
from unmingle.progress import Progress, Times, silent
from unmingle.records import Added
from unmingle.settings import (
    ClassicSettings,
    DetectionSettings,
    EngineSettings,
    GroupingSettings,
    Recipe,
    RecordingSettings,
    one_of,
    whole_number,
)
from unmingle.sources.names import AUTO
from unmingle.store import facts, result_tables
from unmingle.store.sqlite import open_to_decide

if TYPE_CHECKING:
    import polars as pl

    from unmingle.decisions.asking import Answer, Question
    from unmingle.evaluation.comparison import Comparison
    from unmingle.evaluation.labels import LabelOptions, Labels
    from unmingle.evaluation.scores import Evaluation
    from unmingle.exchange.exporting import Exported, ExportOptions, Target
    from unmingle.exchange.importing import Imported
    from unmingle.exchange.named_faces import Conflicts
    from unmingle.grouping.split_candidates import Branches
    from unmingle.identification import Identified
    from unmingle.render.notebook import Face, Person, Sheet
    from unmingle.summary import Summary


@dataclass(slots=True)
class Library(LibraryFolder):
    """A folder that remembers faces and people, and what was said about them.

    What adds or groups takes the writer's lock, `with library.writing():` for several calls; decisions need none. A
    folder that can't be used is a LibraryError.

    A person is named by id or name: "2" is an id, "name:2" who is called so. A face is named by its row or file:
    "party.jpg" is the main face, "party.jpg#2" face 2 as in `faces.csv`, "call.mp4@150#0" face 0 in frame 150.

    A decision is on disk when it returns. `by` says who decides: "person", "rule" or "import"; `seen` is the `revision`
    that they looked at. DecisionError: it can't be done. StaleError: others have changed what it is about since.

    Args:
        folder: made at the first `add`.
        views: "at once" brings tables and sheets in line after each decision, "on request" at `write_views` only.
    """

    _trees: dict[bytes, Branches] = field(default_factory=dict, repr=False)
    _times: Times = field(default_factory=Times, repr=False)

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
        include_erased: bool = False,
        progress: Progress = silent,
    ) -> Added:
        """Find and embed the faces of new pictures and recordings; a stopped run goes on where it was.

        Args:
            sources: folders, files, or text files that list them; none: those of before that are there.
            recipe: "faces" detects and embeds faces; "classic" takes each whole picture as a face.
            detection: what counts as a face, for "faces".
            classic: which features, for "classic".
            weights: VGG16's weight file, for "classic"; the fetched one if None.
            any_weights: accept weights of the right layout that are not the official ones.
            engine: how networks are run.
            recording: how recordings are watched.
            model: what "faces" embeds with, see `unmingle models list`; what other models found is kept.
            include_erased: find faces again that were erased; see `erase`.
            progress: told after each batch.
        """
        from unmingle import jobs

        named = sources or jobs.still_there(self.folder, self.sources)
        how = (recipe, detection, classic, weights, engine, recording, model)
        add = partial(jobs.add, any_weights=any_weights, include_erased=include_erased)
        with self.writing() as store:  # a source that is its own folder is a library by now, and refused as one
            return add(store, named, *how, progress=progress, times=self._times)

    def cluster(
        self,
        *,
        people: int | None = None,
        settings: GroupingSettings | None = None,
        classic: ClassicSettings | None = None,
        name_pattern: str | None = AUTO,
        regroup: bool = False,
        sheets: int = 100,
        webvtt: bool = False,
        tables: bool = False,
        progress: Progress = silent,
    ) -> Summary:
        """Make people of the faces that are there, and the library's tables and sheets.

        Args:
            people: how many there are; None finds the number, but not for the classic recipe.
            settings: how faces are grouped; `people` beside it wins.
            classic: components and seed, for the classic recipe.
            name_pattern: how file names carry meeting, frame and index: a regular expression with these named groups,
                for the name without its ending; "auto": `<meeting>_<frame>_<index>` where the faces bear it out.
                Faces of one frame were seen together. None reads nothing from names.
            regroup: whether all faces are grouped again, also where few came to a large library.
            sheets: how many people, largest first, get a contact sheet.
            webvtt: whether recordings get captions that say who is on screen.
            tables: whether an encrypted library gets tables and sheets too, from now on; anybody can read these.
            progress: told while faces are grouped and sheets are made.
        """
        from unmingle import jobs

        how = (settings, people, classic, name_pattern, sheets)
        make = partial(jobs.make_people, regroup=regroup, webvtt=webvtt, tables=tables)
        with self.writing() as store:
            summary = make(store, *how, progress=progress, times=self._times)
        self._times = Times()  # the next summary tells of its own run
        return summary

    def save_crops(self, folder: str | Path, *, progress: Progress = silent) -> int:
        """Cut out every face of every recording, as `<recording>_<frame>_<index>.jpg`; returns how many."""
        from unmingle.exchange.exporting import save_crops

        count = self._read(save_crops, user_path(folder), progress)
        self._note_output("crops", export=user_path(folder), files=count)
        return count

    def person(self, person: PersonRef) -> Person:
        """One person."""
        from unmingle.render.notebook import find_person

        return self._read(find_person, person, self._read)

    def show(self, person: PersonRef) -> Sheet:
        """The contact sheet of one person: up to a hundred faces, spread over all of them."""
        from unmingle.render.notebook import sheet_of

        return self._read(sheet_of, person)

    def find_face(self, face: int | str) -> Face:
        """One face."""
        from unmingle.render.notebook import find_face

        return self._read(find_face, face)

    def _repr_html_(self) -> str:
        from unmingle.render.notebook import overview_html

        try:
            return self._read(overview_html)
        except LibraryError as error:
            return html.block(html.heading(self.folder.name, error.problem), html.remark(error.mend))

    def identify(
        self, *pictures: str | Path, detection: DetectionSettings | None = None, engine: EngineSettings | None = None
    ) -> list[Identified]:
        """Whose faces picture files show, without adding them: each face as if it were added alone.

        Hand over several pictures at once: each call reads the people. `detection` must be the library's, or None.
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
        return tuple(replace(one, jpegs=self._jpegs) for one in asked)

    def _jpegs(self, faces: Sequence[int]) -> tuple[bytes, ...]:
        with self._reading() as store:
            return tuple(jpeg for jpeg in (result_tables.thumbnail_of(store, face) for face in faces) if jpeg)

    def evaluate(
        self, labels: Path | str | Labels | Literal["folders"], *, options: LabelOptions | None = None
    ) -> Evaluation:
        """Score the people against labels: a workbook or csv joined by file name, or "folders", one for each person."""
        from unmingle.evaluation.labels import labels_for
        from unmingle.evaluation.scores import evaluate

        faces = self._read(result_tables.faces_table)
        return evaluate(faces, labels_for(faces, labels, options))

    def write_evaluation(self, evaluation: Evaluation, folder: Path | str | None = None) -> tuple[Path, ...]:
        """Write json, a table per person, the confusion matrix and the worst mistakes; returns the files.

        None is the folder `evaluation` in the library's.
        """
        from unmingle.render.figures import write_evaluation

        written = self._page(folder, "evaluation")
        with self._reading() as store:
            pages = write_evaluation(evaluation, written, crop=partial(result_tables.picture_of, store))
        self._note_output("evaluation", *pages)
        return pages

    def write_report(
        self,
        destination: Path | str | None = None,
        *,
        title: str = "",
        evaluation: Evaluation | None = None,
        progress: Progress = silent,
    ) -> Path:
        """Write what was found, and an evaluation, as one page of html that needs no other file and no network.

        Returns the file, `report.html` in the library's folder if None. The title is the folder's name if empty.
        """
        from unmingle.render.report import write_report

        written = self._page(destination, "report.html")
        self._read(write_report, written, title or self.folder.absolute().name, evaluation, self._trees, progress)
        self._note_output("report", written)
        return written

    def compare(
        self,
        other: Library | Path | str,
        *,
        labels: Path | str | Literal["folders"] | None = None,
        options: LabelOptions | None = None,
    ) -> Comparison:
        """Lay another library of the same pictures beside this one: who is who, what split, merged or was left out.

        Pictures are the same by content, else by name; faces by where they are. What one has not seen is only counted.
        With labels, as for `evaluate`, it says which of the two was right.
        """
        from unmingle.evaluation.comparison import compare
        from unmingle.faces.boxes import SAME_FACE
        from unmingle.render.comparisons import side_of

        other = other if isinstance(other, Library) else Library(user_path(other))
        one, two = (library._read(side_of, str(library.folder)) for library in (self, other))
        scored = None
        if labels is not None:
            scored = self.evaluate(labels, options=options), other.evaluate(labels, options=options)
        return compare(one, two, least=SAME_FACE, evaluations=scored)

    def write_comparison(
        self, other: Library, comparison: Comparison, destination: Path | str, *, progress: Progress = silent
    ) -> Path:
        """Write what `compare` found as one page of html, with the faces concerned, into a file, which is returned."""
        from unmingle.render.comparisons import comparison_page
        from unmingle.render.figures import Pictures

        with self._reading() as store, other._reading() as beside:
            page = comparison_page(comparison, Pictures(store), Pictures(beside), progress)
        write_atomically(Path(destination), page.encode(), sync=True)
        for one in (self, other):
            one._note_output("comparison", Path(destination))
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

        The destination is a folder outside the library and its pictures. Nothing in it is overwritten; what is there
        with the same content counts as done, so that a stopped export can be repeated. A dry run only tells.
        """
        from unmingle.exchange.exporting import ExportOptions, export

        chosen = options or ExportOptions()
        done = self._read(export, to, user_path(destination), chosen, dry_run=dry_run, progress=progress)
        if not dry_run:
            self._note_output(to, export=user_path(destination), files=done.written + done.there)
        return done

    def import_names(
        self, *sources: str | Path, conflicts: Conflicts = "keep", progress: Progress = silent
    ) -> Imported:
        """Take in the names that other programs gave to faces, as decisions that can be undone.

        Sources are XMP files, pictures with XMP in them, folders of both, or tables with the columns file and name.
        "take" gives a face the imported name where it has another here. Returns every name not given, and why.
        """
        from unmingle.exchange.importing import import_names

        one_of("conflicts", conflicts, ("keep", "take"))
        paths = tuple(map(user_path, sources))
        with self._open(open_to_decide) as store:
            facts.check_begun(store)
            done = import_names(store, self._service, paths, conflicts=conflicts, progress=progress)
        if done.decisions:
            self._show()
        return done

    def name(self, person: PersonRef, name: str, **who: Unpack[Who]) -> Decision:
        """Give a person a name that nobody else has; an empty one takes the name away."""
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
        """Undo a decision, any that stands; None: the last, with all that was made together with it."""
        return self._decide("undo", target=decision, **who)

    def redo(self, decision: int | None = None, **who: Unpack[Who]) -> Decision:
        """Redo a decision, any that was undone; None: the last, if nothing new was decided since."""
        return self._decide("redo", target=decision, **who)

    def answer(self, question: Question, answer: Answer, **who: Unpack[Who]) -> Decision:
        """Answer one of `questions`: "same", "different", or "unsure"."""
        from unmingle.decisions.asking import answer_command

        return self._take(lambda store: answer_command(question, answer), **who)
