"""The library as Python sees it: open it, add pictures, make people, score them, look at them."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from unmingle import pipeline
from unmingle.api.comparing import Comparing
from unmingle.api.deciding import Views
from unmingle.api.locating import Locating
from unmingle.api.looking import Looking, find_person
from unmingle.api.recipes import (
    DETECTION,
    GROUPING,
    RECORDING,
    current,
    known_scale,
    library_curve,
    make_runner,
    model_of,
    models_table,
    note_model,
)
from unmingle.api.summary import summarise
from unmingle.decisions.service import DecisionService
from unmingle.errors import LibraryError, PictureError, SettingsError, SourceError
from unmingle.files import user_path
from unmingle.models.cards import SFACE
from unmingle.models.registry import card
from unmingle.progress import Times, silent
from unmingle.render import views
from unmingle.render.canvas import as_jpeg
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
from unmingle.sources.images import readable
from unmingle.sources.names import AUTO
from unmingle.store.intervals import watched
from unmingle.store.portable import WALKED, remembered, taken_along, walked_folders
from unmingle.store.sqlite import open_to_decide, open_to_read, open_to_write
from unmingle.store.tables import (
    FACES,
    confidence_table,
    faces_table,
    intervals_table,
    people_table,
    recordings_table,
    thumbnail_of,
    tiles,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import polars as pl
    from PIL.Image import Image

    from unmingle.api.identify import Identified
    from unmingle.api.summary import Summary
    from unmingle.decisions.asking import Question
    from unmingle.evaluation.labels import LabelOptions, Labels
    from unmingle.evaluation.scores import Evaluation
    from unmingle.grouping.split_candidates import Branches
    from unmingle.progress import Progress
    from unmingle.records import U8, Added, Status
    from unmingle.store.sqlite import Store

SHEETS = "sheets"  # the fact that says how many people get a contact sheet


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """The contact sheet of a person.

    person: their id.
    page:   a PIL image.
    """

    person: int
    page: Image

    def _repr_jpeg_(self) -> bytes:
        return as_jpeg(self.page)


@dataclass(slots=True)
class Library(Comparing, Looking, Locating):
    """A folder that remembers faces and people, and what was said about them.

    See `Deciding` for what may be said, `Exchanging` for exports and imports, `Comparing` for two side by side,
    `Looking` for people and faces as objects, and `Locating` for where the pictures are.

    Each call that adds or groups takes the writer's lock for itself; `with library.writing():` keeps it over several.
    Decisions don't need it.

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
        if self._held is not None:
            yield self._held
            return
        with open_to_write(self.folder) as store:
            self._held = store
            try:
                yield store
            finally:
                self._held = None

    @contextmanager
    def _reading(self) -> Iterator[Store]:
        if self._held is not None:
            yield self._held
            return
        with open_to_read(self.folder) as store, store.snapshot():
            yield store

    @contextmanager
    def _deciding(self) -> Iterator[Store]:
        if self._held is not None:
            yield self._held
            return
        with open_to_decide(self.folder) as store:
            yield store

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

        Returns:
            What was done.

        Raises:
            SourceError: a source is missing, can't be opened, or holds no picture.
            SettingsError: the classic recipe can't watch recordings, and has no other model.
            LibraryError: the library can't be used; see its subclasses.
            ModelError: a model is missing, damaged, or was never calibrated.
        """
        from unmingle.sources.images import scan

        one_of("recipe", recipe, get_args(Recipe))
        found = scan(sources or self._sources_there())
        if not found.files:
            names = ", ".join(readable(str(source)) for source in sources) or "what was named before"
            mend = "Name a folder with jpg, png, webp, tiff, … files, or with mp4, mov, mkv, … files."
            raise SourceError(f"There are no pictures or recordings in {names}.", mend)
        # Asked only where it matters: what a file is, its first bytes tell.
        moving = next((file.name for file in found.files if recipe == "classic" and file.is_recording), None)
        if moving is not None:
            raise SettingsError(
                "The classic recipe can't watch recordings.", f"Leave --recipe classic out, or {moving}."
            )
        if recipe == "classic" and model != SFACE.name:
            raise SettingsError("The classic recipe has a model of its own.", "Leave --recipe classic out, or --model.")
        engine = engine or EngineSettings()
        runner = make_runner(recipe, detection, classic, weights, engine, any_weights=any_weights, model=model)
        with self.writing() as store:
            if recipe == "faces":
                note_model(store, runner.key, card(model))
            store.set_fact(DETECTION, json.dumps(asdict(detection or DetectionSettings())))
            recording = recording or RecordingSettings()
            store.set_fact(RECORDING, json.dumps(asdict(recording)))
            store.set_fact(WALKED, json.dumps(sorted({*walked_folders(store), *found.folders})))
            added = pipeline.add(
                store,
                found,
                runner,
                exact=engine.precision == "f32",
                every=recording.every,
                progress=progress,
                times=self._times,
            )
            return replace(added, along=taken_along(store, found))

    @property
    def sources(self) -> tuple[Path, ...]:
        """What was named to `add` so far: folders, and files that were named by themselves."""
        with self._reading() as store:
            return tuple(remembered(store))

    def _sources_there(self) -> list[Path]:
        found = self.sources
        there = [source for source in found if source.exists()]
        if not there:
            names = ", ".join(readable(str(source)) for source in found[:3]) or "none"
            raise SourceError(
                f"{self.folder} remembers no source that is there (of before: {names}).",
                "Name the pictures: a folder, or files.",
            )
        return there

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

        Raises:
            LibraryError: there is nothing to cluster.
            SettingsError: more people than faces, or the classic recipe without a number.
        """
        sheets = whole_number("sheets", sheets)
        if not isinstance(name_pattern, (str, type(None))):
            raise SettingsError(f"name_pattern is {name_pattern!r}.", "Give text, or None to read nothing from names.")
        settings = settings or GroupingSettings()
        people = settings.people if people is None else people
        settings = replace(settings, people=people)
        with self.writing() as store:
            recipe = current(store)
            curve = library_curve(store, recipe)
            if recipe.startswith("classic"):
                if people is None:
                    raise SettingsError("The classic recipe can't find the number of people.", "Pass --people K.")
                group = partial(pipeline.group_classic, people=people, settings=classic or ClassicSettings())
            else:
                group = partial(pipeline.group_faces, settings=settings, curve=curve)
            whole = people is not None
            clustering = pipeline.cluster(
                store,
                recipe,
                group,
                whole_clusters=whole,
                curve=curve,
                name_pattern=name_pattern,
                progress=progress,
                times=self._times,
            )
            store.set_fact(SHEETS, str(sheets))
            store.set_fact(GROUPING, json.dumps(asdict(settings)))
            store.set_fact(views.WEBVTT, "1" if webvtt else "")
            with self._times.measure("write"), store.snapshot():
                faces = views.write_views(store, recipe, sheets=sheets, progress=progress)
        times, self._times = self._times, Times()  # the next summary tells of its own run
        return summarise(faces, times.seconds, dict(clustering.notes))

    def save_crops(self, folder: str | Path, *, progress: Progress = silent) -> int:
        """Cut out every face of every recording, as `<recording>_<frame>_<index>.jpg`, which `add` reads as crops.

        Args:
            folder: made if it isn't there; recordings of subfolders get theirs.
            progress: told while files are written, in seconds of recordings.

        Returns:
            How many files were written.

        Raises:
            SettingsError: the folder is inside a source, where the next run would take the crops for pictures.
            SourceError: a recording is no longer there, or can't be read; the crops of the others are saved.
            WriteError: the folder can't be written, or the disk is full.
        """
        from unmingle.exchange.crops import save_crops
        from unmingle.exchange.exporting import check_outside

        with self._reading() as store:
            check_outside(user_path(folder), walked_folders(store))
            return save_crops(store, current(store), user_path(folder), progress)

    def write_views(self, *, redraw: Iterable[int] | None = None) -> None:
        """Make `faces.csv`, `people.csv` and the sheets again, after decisions.

        Args:
            redraw: people whose sheets have changed; None: all.
        """
        with self._reading() as store:
            sheets = int(store.fact(SHEETS) or 0)
            views.write_views(store, current(store), sheets=sheets, redraw=redraw)

    def retry(self, file: int) -> tuple[Status, str]:
        """Read a file again that could not be read.

        Args:
            file: its row.

        Returns:
            Status and reason of its first face, as in `faces.csv`.

        Raises:
            SourceError: there is no such file.
            SettingsError: the library is not of the faces recipe.
        """
        from unmingle.sources.images import PictureFile, Scan

        with self.writing() as store:
            query = "SELECT source.path, file.path FROM file JOIN source ON source.id = file.source WHERE file.id = ?"
            row = store.connection.execute(query, (file,)).fetchone()
            if row is None:
                raise SourceError(f"There is no file {file}.", "Look at the library again.")
            detection = DetectionSettings(**json.loads(store.fact(DETECTION) or "{}"))
            model = model_of(store, current(store)).name
            runner = make_runner("faces", detection, None, None, EngineSettings(), any_weights=False, model=model)
            if runner.key != current(store):
                raise SettingsError(
                    "The library was made with another recipe.", "Run unmingle cluster again: it tries all files."
                )
            picture = PictureFile(os.fsdecode(row[0]), os.fsdecode(row[1]))
            recording = RecordingSettings(**json.loads(store.fact(RECORDING) or "{}"))
            pipeline.add(store, Scan((picture,), ()), runner, every=recording.every)
            faces = faces_table(store, runner.key)
            found = faces.filter((faces["file"] == picture.name) & (faces["source"] == picture.source))
            status, reason = found.select("status", "reason").row(0)
            return status, reason

    @property
    def faces(self) -> pl.DataFrame:
        """One row per face, and one per file without any, in the columns of `faces.csv`."""
        with self._reading() as store:
            return faces_table(store, current(store)).select(list(FACES))

    @property
    def people(self) -> pl.DataFrame:
        """One row per person, largest first, in the columns of `people.csv`."""
        with self._reading() as store:
            return people_table(faces_table(store, current(store)), store)

    @property
    def models(self) -> pl.DataFrame:
        """One row per model whose faces are here: model, recipe, pictures, faces, dimension, current.

        Of the recipes with other settings that the library has seen, too, each has a row. `people` and `faces` are
        those of the current one; `add(model=...)` and `cluster()` make another one current.
        """
        with self._reading() as store:
            return models_table(store)

    @property
    def recordings(self) -> pl.DataFrame:
        """One row per recording, in the columns of `recordings.csv`."""
        with self._reading() as store:
            return recordings_table(watched(store, current(store)))

    @property
    def intervals(self) -> pl.DataFrame:
        """When people are on screen: one row each time, in the columns of `intervals.csv`."""
        with self._reading() as store:
            recipe = current(store)
            names = dict(people_table(faces_table(store, recipe), store).select("person", "name").iter_rows())
            return intervals_table(watched(store, recipe), names)

    @property
    def confidence(self) -> pl.DataFrame:
        """One row per face of a person: source, file, frame of a recording, face, person, probability.

        The probability is that the face belongs there; of recordings there are the faces that stand for others. The
        least sure come first. Empty probabilities: the recipe can't say. See docs/concepts/how-it-works.md for how
        far these numbers are to be trusted.
        """
        with self._reading() as store:
            return confidence_table(store, current(store))

    def likely_pairs(self, *, most: int = 100) -> pl.DataFrame:
        """Pairs of people who may be one: person, other, and the probability, the most probable first.

        Args:
            most: how many pairs at most.
        """
        from unmingle.api.identify import pair_table

        with self._reading() as store:
            return pair_table(store, current(store), most=whole_number("most", most))

    def questions(self, *, most: int = 20) -> tuple[Question, ...]:
        """What is most worth asking a person about who is who, the most useful first; see `answer`.

        Args:
            most: how many at most.

        Raises:
            LibraryError: the library was not grouped by faces.
        """
        with self._reading() as store:
            return self._ask(store, whole_number("most", most))

    def _ask(self, store: Store, most: int) -> tuple[Question, ...]:
        from unmingle.decisions.asking import ask

        recipe = current(store)
        asked = ask(
            store,
            recipe,
            curve=library_curve(store, recipe),
            scale=known_scale(store),
            most=most,
            trees=self._trees,
        )
        return tuple(replace(one, jpegs=self.jpegs) for one in asked)

    def identify(
        self, *pictures: str | Path, detection: DetectionSettings | None = None, engine: EngineSettings | None = None
    ) -> list[Identified]:
        """Whose faces pictures show, without adding them to the library: each face as if it were added alone.

        The first call gets the people ready; to ask often, hand over several pictures at once.

        Args:
            pictures: picture files.
            detection: what counts as a face; has to be what the library was made with.
            engine: how networks are run.

        Raises:
            SourceError: a picture is missing or can't be read.
            LibraryError: the library was made with another recipe or other settings.
        """
        from unmingle.api.identify import identify

        with self._reading() as store:
            recipe = current(store)
            return identify(store, recipe, tuple(map(user_path, pictures)), detection, engine)

    def evaluate(
        self, labels: Path | str | Labels | Literal["folders"], *, options: LabelOptions | None = None
    ) -> Evaluation:
        """Score the people against labels; files are joined by name.

        Args:
            labels: a workbook or csv, "folders" where each folder holds one person, or labels that were read before.
            options: which columns, and which rows to drop.

        Raises:
            LabelsError: the labels can't be understood, or none of them is about a file of the library.
        """
        from unmingle.evaluation.labels import LabelOptions, Labels, folder_labels, read_labels
        from unmingle.evaluation.scores import evaluate

        with self._reading() as store:
            faces = faces_table(store, current(store))
        if labels == "folders":
            labels = folder_labels(faces["file"].to_list(), sources=faces["source"].to_list())
        elif not isinstance(labels, Labels):
            labels = read_labels(user_path(labels), options or LabelOptions())
        return evaluate(faces, labels)

    def write_evaluation(self, evaluation: Evaluation, folder: Path | str | None = None) -> tuple[Path, ...]:
        """Write an evaluation down: json, a table per person, the confusion matrix, the worst mistakes as pictures.

        Args:
            evaluation: from `evaluate`.
            folder: where to; `evaluation` in the library's folder if None.

        Returns:
            The files written.
        """
        from unmingle.faces.align import open_thumbnail
        from unmingle.render.score_pictures import write_evaluation

        with self._reading() as store:

            def crop(row: dict[str, Any]) -> U8:
                jpeg = None if row["id"] is None else thumbnail_of(store, row["id"])
                if jpeg is None:
                    raise PictureError(row["reason"])
                return open_thumbnail(jpeg)

            written = self.folder / "evaluation" if folder is None else user_path(folder)
            return write_evaluation(evaluation, written, crop=crop)

    def write_report(
        self,
        destination: Path | str | None = None,
        *,
        title: str = "",
        evaluation: Evaluation | None = None,
        progress: Progress = silent,
    ) -> Path:
        """Write what was found as one page of html: it opens from disk, and needs no other file and no network.

        Args:
            destination: the file; `report.html` in the library's folder if None.
            title: of the page; the folder's name if empty.
            evaluation: from `evaluate`, to be shown with its mistakes.
            progress: told while it is made.

        Returns:
            The file written.

        Raises:
            LibraryError: there is nothing in the library yet.
            WriteError: the file can't be written.
        """
        from unmingle.render.report import QUESTIONS, write_report

        written = self.folder / "report.html" if destination is None else user_path(destination)
        with self._reading() as store:
            title = title or self.folder.absolute().name
            # The classic recipe has none.
            questions = self._ask(store, QUESTIONS) if store.fact(pipeline.SCALE) else ()
            write_report(store, current(store), written, title, evaluation, questions, progress)
        return written

    def show(self, person: int | str) -> Sheet:
        """The contact sheet of one person: up to a hundred faces, spread over all of them.

        Args:
            person: id or name, as for `person`.

        Raises:
            LibraryError: nobody is called so.
        """
        with self._reading() as store:
            recipe = current(store)
            people = people_table(faces_table(store, recipe), store)
            found = people.filter(people["person"] == find_person(store, person))
            if found.height == 0:
                raise LibraryError(f"There is no person {person!r}.", "people.csv lists them all.")
            number, name, count = found.select("person", "name", "faces").row(0)
            page = views.person_sheet(store, tiles(store, recipe)[number], number, name, count)
            return Sheet(number, page)
