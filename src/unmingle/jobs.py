"""The jobs on an open library, from settings to what is on the disk: add pictures, make people, read a file again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, get_args

from unmingle import pipeline
from unmingle.errors import SettingsError, SourceError
from unmingle.faces.recipe import ClassicRecipe, FaceRecipe
from unmingle.models.cards import SFACE
from unmingle.models.registry import card
from unmingle.models.vgg16 import prepared_vgg16
from unmingle.render import views
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
from unmingle.sources.images import Scan, readable, scan
from unmingle.store import facts
from unmingle.store.face_query import file_state
from unmingle.store.facts import current
from unmingle.store.file_rows import note_walked, taken_along, walked_folders
from unmingle.store.result_tables import faces_table
from unmingle.summary import Summary

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from unmingle.progress import Progress, Times
    from unmingle.records import Added, Status
    from unmingle.store.sqlite import Store


def still_there(folder: Path, sources: Sequence[Path]) -> list[Path]:
    """Those of the sources that a library remembers that are there.

    Raises:
        SourceError: there is none.
    """
    there = [source for source in sources if source.exists()]
    if not there:
        names = ", ".join(readable(str(source)) for source in sources[:3]) or "none"
        problem = f"{folder} remembers no source that is there (of before: {names})."
        raise SourceError(problem, "Name the pictures: a folder, or files.")
    return there


def adding(
    sources: Sequence[str | Path],
    recipe: Recipe,
    detection: DetectionSettings | None,
    classic: ClassicSettings | None,
    weights: Path | None,
    engine: EngineSettings | None,
    recording: RecordingSettings | None,
    model: str,
    *,
    any_weights: bool,
) -> Callable[[Store, Progress, Times], Added]:
    """What adds pictures; what can't be added is refused before a library is made. See `Library.add`."""
    one_of("recipe", recipe, get_args(Recipe))
    looked, watched = detection or DetectionSettings(), recording or RecordingSettings()
    engine = engine or EngineSettings()
    found = scan(sources)
    if not found.files:
        names = ", ".join(readable(str(source)) for source in sources)
        mend = "Name a folder with jpg, png, webp, tiff, … files, or with mp4, mov, mkv, … files."
        raise SourceError(f"There are no pictures or recordings in {names}.", mend)
    runner: FaceRecipe | ClassicRecipe
    if recipe == "faces":
        runner = FaceRecipe(looked, engine, card(model))
    else:
        # Asked only here: what a file is, its first bytes tell.
        moving = next((file.name for file in found.files if file.is_recording), None)
        if moving is not None:
            raise SettingsError(
                "The classic recipe can't watch recordings.", f"Leave --recipe classic out, or {moving}."
            )
        if model != SFACE.name:
            raise SettingsError("The classic recipe has a model of its own.", "Leave --recipe classic out, or --model.")
        classic = classic or ClassicSettings()
        graph = prepared_vgg16(weights, features=classic.features, any_weights=any_weights)
        runner = ClassicRecipe(classic, engine, *graph)

    exact = engine.precision == "f32"

    def add(store: Store, progress: Progress, times: Times) -> Added:
        if recipe == "faces":
            facts.note_model(store, runner.key, card(model))
        facts.note(store, looked, watched)
        note_walked(store, {*walked_folders(store), *found.folders})
        added = pipeline.add(store, found, runner, exact=exact, every=watched.every, progress=progress, times=times)
        return replace(added, along=taken_along(store, found))

    return add


def retry(store: Store, file: int) -> tuple[Status, str]:
    """Read a file again; see `Library.retry`."""
    held, recipe = file_state(store, file), current(store)
    if held is None:
        raise SourceError(f"There is no file {file}.", "Look at the library again.")
    detection = facts.noted(store, DetectionSettings) or DetectionSettings()
    runner = FaceRecipe(detection, EngineSettings(), card(facts.model_of(store, recipe).name))
    if runner.key != recipe:
        problem = "The library was made with another recipe."
        raise SettingsError(problem, "Run unmingle cluster again: it tries all files.")
    every = (facts.noted(store, RecordingSettings) or RecordingSettings()).every
    pipeline.add(store, Scan((held.file,), ()), runner, every=every)
    faces = faces_table(store, recipe)
    found = faces.filter((faces["file"] == held.file.name) & (faces["source"] == held.file.source))
    status, reason = found.select("status", "reason").row(0)
    return status, reason


def cluster(
    store: Store,
    settings: GroupingSettings | None,
    people: int | None,
    classic: ClassicSettings | None,
    name_pattern: str | None,
    sheets: int,
    *,
    webvtt: bool,
    progress: Progress,
    times: Times,
) -> Summary:
    """Make people, tables and sheets; see `Library.cluster`."""
    sheets = whole_number("sheets", sheets)
    if not isinstance(name_pattern, (str, type(None))):
        raise SettingsError(f"name_pattern is {name_pattern!r}.", "Give text, or None to read nothing from names.")
    settings = settings or GroupingSettings()
    settings = settings if people is None else replace(settings, people=people)
    recipe = current(store)
    curve = facts.library_curve(store, recipe)
    classic = (classic or ClassicSettings()) if recipe.startswith("classic") else None
    if classic is not None and settings.people is None:
        raise SettingsError("The classic recipe can't find the number of people.", "Pass --people K.")
    clustering = pipeline.cluster(
        store,
        recipe,
        settings,
        classic=classic,
        curve=curve,
        name_pattern=name_pattern,
        progress=progress,
        times=times,
    )
    facts.note(store, settings)
    store.set_fact(facts.SHEETS, str(sheets))
    store.set_fact(views.WEBVTT, "1" if webvtt else "")
    with times.measure("write"), store.snapshot():
        faces = views.write_views(store, recipe, progress=progress)
    return Summary.of(faces, times.seconds, dict(clustering.notes))
