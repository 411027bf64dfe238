"""The library as Python sees it: open it, add pictures, make people, score them, look at them."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from unmingle import pipeline
from unmingle.errors import LibraryError, PictureError, SettingsError, SourceError
from unmingle.grouping.impostors import SFACE_CURVE
from unmingle.library.people import ALONE, persons_before
from unmingle.library.pictures import faces_to_group
from unmingle.library.store import open_to_read, open_to_write
from unmingle.library.tables import FACES, confidence_table, faces_table, people_table, thumbnail_of, tiles
from unmingle.settings import ClassicSettings, DetectionSettings, EngineSettings, GroupingSettings
from unmingle.sources.names import MEETING_PATTERN

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl
    from PIL.Image import Image

    from unmingle.evaluation.labels import LabelOptions, Labels
    from unmingle.evaluation.score import Evaluation
    from unmingle.faces.recipe import RecipeRunner
    from unmingle.library.store import Store
    from unmingle.pipeline import Added, Progress
    from unmingle.records import F32, I64, U8
    from unmingle.settings import Recipe


@dataclass(frozen=True, slots=True)
class Summary:
    """What a library holds after clustering.

    Attributes:
        files: picture files, each with at least one row in `faces.csv`.
        faces: faces found in them.
        people: how many people they are.
        clustered: faces that belong to a person.
        left_out: status and reason with their number of rows, most frequent first.
        seconds: time per stage.
        notes: what the clustering found out about the collection.
    """

    files: int
    faces: int
    people: int
    clustered: int
    left_out: tuple[tuple[str, str, int], ...]
    seconds: dict[str, float]
    notes: dict[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """The contact sheet of a person: their id and the page, a PIL image."""

    person: int
    page: Image


@dataclass(frozen=True, slots=True)
class Identified:
    """Whose face a picture shows.

    picture:     the file.
    box:         left, top, width, height of the face in pixels.
    person:      whose it is; None: nobody of the library.
    nearest:     the person it is most like, whether enough or not.
    similarity:  average cosine to the faces of `nearest`.
    probability: that it is a face of `nearest`, 0 to 1.
    """

    picture: Path
    box: tuple[float, ...]
    person: int | None
    nearest: int | None
    similarity: float
    probability: float


@dataclass(frozen=True, slots=True, eq=False)
class _KnownPeople:
    """The n faces of people: vectors (n, d), labels (n,) from 0 on, ids (k,) of the people, scale of strangers."""

    vectors: F32
    labels: I64
    ids: I64
    scale: float

    def means(self) -> tuple[F32, I64]:
        """Mean vector and number of faces of each person."""
        from unmingle.grouping.confidence import Means

        means = Means.of(self.vectors, self.labels)
        return means.mean_cd, means.size_c


@dataclass(slots=True)
class Library:
    """A folder that remembers faces and people.

    Each call that changes it takes the writer's lock for itself; `with library.writing():` keeps it over several.

    Args:
        folder: made at the first `add`.
    """

    folder: Path
    _held: Store | None = field(default=None, repr=False)
    _times: pipeline.Times = field(default_factory=pipeline.Times, repr=False)

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
        with open_to_read(self.folder) as store:
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
        progress: Progress = pipeline.silent,
    ) -> Added:
        """Find and embed the faces of all pictures in `sources` that are not known yet; goes on where it was stopped.

        Args:
            sources: folders, picture files, or text files that list them.
            recipe: "faces" detects and embeds faces; "classic" takes each whole picture as a face, as the seed did.
            detection: what counts as a face, for "faces".
            classic: which features, for "classic".
            weights: VGG16's weight file, for "classic"; the fetched one if None.
            any_weights: accept weights of the right layout that are not the official ones.
            engine: how networks are run.
            progress: told after each batch.

        Returns:
            What was done.

        Raises:
            SourceError: a source is missing, can't be opened, or holds no picture.
            LibraryError: the library can't be used; see its subclasses.
            ModelError: a model is missing or damaged.
        """
        from unmingle.sources.images import scan

        found = scan(sources)
        if not found.files:
            names = ", ".join(str(source) for source in sources)
            raise SourceError(f"There are no pictures in {names}.", "Name a folder with jpg, png, webp, tiff, … files.")
        engine = engine or EngineSettings()
        runner = _runner(recipe, detection, classic, weights, engine, any_weights=any_weights)
        with self.writing() as store:
            exact = engine.precision == "f32"
            return pipeline.add(store, found, runner, exact=exact, progress=progress, times=self._times)

    def cluster(
        self,
        *,
        people: int | None = None,
        settings: GroupingSettings | None = None,
        classic: ClassicSettings | None = None,
        name_pattern: str = MEETING_PATTERN,
        sheets: int = 100,
        progress: Progress = pipeline.silent,
    ) -> Summary:
        """Make people of the faces that are there, and the library's tables and sheets.

        Args:
            people: how many there are; None finds the number. The classic recipe needs it.
            settings: how faces are grouped; `people` given beside it wins.
            classic: components and seed, for a library of the classic recipe.
            name_pattern: how a file name carries meeting, frame and index, as a regular expression with these three
                named groups, for the whole name without its ending. Faces of one frame were seen together.
            sheets: how many people, largest first, get a contact sheet.
            progress: told while faces are grouped and sheets are made.

        Raises:
            LibraryError: there is nothing to cluster.
            SettingsError: more people than faces, or the classic recipe without a number.
        """
        settings = settings or GroupingSettings()
        people = settings.people if people is None else people
        with self.writing() as store:
            recipe = _current(store)
            if recipe.startswith("classic"):
                if people is None:
                    raise SettingsError("The classic recipe can't find the number of people.", "Pass --people K.")
                group = partial(pipeline.group_classic, people=people, settings=classic or ClassicSettings())
            else:
                group = partial(pipeline.group_faces, settings=replace(settings, people=people))
            whole = people is not None
            clustering = pipeline.cluster(
                store,
                recipe,
                group,
                whole_clusters=whole,
                name_pattern=name_pattern,
                progress=progress,
                times=self._times,
            )
            with self._times.measure("write"):
                faces = pipeline.write_views(store, recipe, sheets=sheets, progress=progress)
        times, self._times = self._times, pipeline.Times()  # the next summary tells of its own run
        return _summary(faces, times.seconds, dict(clustering.notes))

    @property
    def faces(self) -> pl.DataFrame:
        """One row per face, and one per file without any, in the columns of `faces.csv`."""
        with self._reading() as store:
            return faces_table(store, _current(store)).select(list(FACES))

    @property
    def people(self) -> pl.DataFrame:
        """One row per person, largest first, in the columns of `people.csv`."""
        with self._reading() as store:
            return people_table(faces_table(store, _current(store)), store)

    @property
    def confidence(self) -> pl.DataFrame:
        """One row per face of a person: source, file, face, person, and the probability that it belongs there.

        The least sure come first. Empty probabilities: the recipe can't say. See docs/concepts/how-it-works.md for how
        far these numbers are to be trusted.
        """
        with self._reading() as store:
            return confidence_table(store, _current(store))

    def likely_pairs(self, *, most: int = 100) -> pl.DataFrame:
        """Pairs of people who may be one: person, other, and the probability, the most probable first.

        Args:
            most: how many pairs at most.
        """
        import polars as pl

        from unmingle.grouping.confidence import likely_pairs

        with self._reading() as store:
            known = _known_people(store)
        pairs, chance = likely_pairs(*known.means(), SFACE_CURVE, scale=known.scale, most=most)
        one, other = (known.ids[pairs[:, side]] for side in (0, 1))
        return pl.DataFrame({"person": one, "other": other, "probability": chance.round(4)})

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
        from unmingle.faces.recipe import FaceRecipe
        from unmingle.grouping.assign import Assigner
        from unmingle.sources.images import PictureFile, decode, read_bytes

        runner = FaceRecipe(detection or DetectionSettings(), engine or EngineSettings())
        with self._reading() as store:
            if _current(store) != runner.key:
                raise LibraryError(
                    f"{self.folder} was made with another recipe or other settings.",
                    "Use the settings it was made with.",
                )
            known = _known_people(store)
        assigner = Assigner(known.vectors, known.labels, SFACE_CURVE, scale=known.scale)
        found: list[Identified] = []
        for path in map(Path, pictures):
            try:
                content = read_bytes(PictureFile(str(path.parent.absolute()), path.name))
                (analysis,) = runner.analyse([decode(content, suffix=path.suffix)])
            except PictureError as error:
                raise SourceError(f"{path} can't be read: {error}.", "Name a picture file.") from error
            usable = [face for face, reason in enumerate(analysis.reasons) if not reason]
            for face, one in zip(usable, assigner.assign_many(analysis.vectors[usable]), strict=True):
                box = tuple(round(float(value), 1) for value in analysis.faces.boxes[face])
                person = None if one.label is None else int(known.ids[one.label])
                nearest = None if one.nearest is None else int(known.ids[one.nearest])
                found.append(Identified(path, box, person, nearest, one.similarity, one.probability))
        return found

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
        from unmingle.evaluation.labels import LabelOptions, folder_labels, read_labels
        from unmingle.evaluation.score import evaluate

        with self._reading() as store:
            faces = faces_table(store, _current(store))
        if labels == "folders":
            labels = folder_labels(faces["file"].to_list(), sources=faces["source"].to_list())
        elif isinstance(labels, (str, Path)):
            labels = read_labels(Path(labels), options or LabelOptions())
        return evaluate(faces, labels)

    def report(self, evaluation: Evaluation, folder: Path | None = None) -> tuple[Path, ...]:
        """Write an evaluation down: json, a table per person, the confusion matrix, the worst mistakes as pictures.

        Args:
            evaluation: from `evaluate`.
            folder: where to; `evaluation` in the library's folder if None.

        Returns:
            The files written.
        """
        from unmingle.evaluation.report import write_report
        from unmingle.faces.thumbnail import open_thumbnail

        with self._reading() as store:

            def crop(row: dict[str, Any]) -> U8:
                if row["id"] is None:
                    raise PictureError(row["reason"])
                return open_thumbnail(thumbnail_of(store, row["id"]))

            return write_report(evaluation, folder or self.folder / "evaluation", crop=crop)

    def show(self, person: int | str) -> Sheet:
        """The contact sheet of one person: up to a hundred faces, spread over all of them.

        Args:
            person: id or name.

        Raises:
            LibraryError: nobody is called so.
        """
        with self._reading() as store:
            recipe = _current(store)
            people = people_table(faces_table(store, recipe), store)
            found = people.filter((people["person"].cast(str) == str(person)) | (people["name"] == str(person)))
            if found.height == 0:
                raise LibraryError(f"There is no person {person!r}.", "people.csv lists them all.")
            number, name, count = found.select("person", "name", "faces").row(0)
            page = pipeline.person_sheet(store, tiles(store, recipe)[number], number, name, count)
            return Sheet(number, page)


def _current(store: Store) -> str:
    recipe = store.fact(pipeline.CURRENT)
    if recipe is None:
        raise LibraryError(f"{store.folder} holds no pictures yet.", "Run: unmingle cluster PICTURES -o LIBRARY")
    return recipe


def _known_people(store: Store) -> _KnownPeople:
    scale = store.fact(pipeline.SCALE)
    if not scale:
        raise LibraryError(f"{store.folder} was not grouped by faces.", "Run: unmingle cluster PICTURES -o LIBRARY")
    faces = faces_to_group(store, _current(store))
    person_n = persons_before(store, faces)
    member = np.flatnonzero(person_n != ALONE)
    ids, labels = np.unique(person_n[member], return_inverse=True)
    return _KnownPeople(faces.vectors[member], labels.astype(np.int64), ids, float(scale))


def _runner(
    recipe: Recipe,
    detection: DetectionSettings | None,
    classic: ClassicSettings | None,
    weights: Path | None,
    engine: EngineSettings,
    *,
    any_weights: bool,
) -> RecipeRunner:
    from unmingle.faces.recipe import ClassicRecipe, FaceRecipe

    if recipe == "faces":
        return FaceRecipe(detection or DetectionSettings(), engine)
    from unmingle.models.vgg16 import prepared_vgg16

    classic = classic or ClassicSettings()
    graph, checksum = prepared_vgg16(weights, features=classic.features, any_weights=any_weights)
    return ClassicRecipe(classic, engine, graph, checksum)


def _summary(faces: pl.DataFrame, seconds: dict[str, float], notes: dict[str, float]) -> Summary:
    import polars as pl

    left_out = (
        faces.filter(pl.col("status") != "clustered")
        .with_columns(pl.col("reason").str.replace(r":.*", ""))
        .group_by("status", "reason")
        .len()
        .sort(["len", "status", "reason"], descending=[True, False, False])
    )
    return Summary(
        files=faces.select("source", "file").n_unique(),
        faces=int(faces["face"].is_not_null().sum()),
        people=faces["person"].drop_nulls().n_unique(),
        clustered=int(faces["person"].is_not_null().sum()),
        left_out=tuple((str(status), str(reason), int(count)) for status, reason, count in left_out.iter_rows()),
        seconds={stage: round(value, 3) for stage, value in seconds.items()},
        notes={key: round(value, 6) for key, value in notes.items()},
    )


def as_json(summary: Summary) -> str:
    """The summary as one JSON object."""
    return json.dumps(asdict(summary), ensure_ascii=False, indent=2)
