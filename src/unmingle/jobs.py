"""The jobs on an open library, from settings to what is on the disk: add pictures, make people, read a file again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

from unmingle import ingest
from unmingle.decisions.assignment import DecidedFaces, Measured, store_assignment
from unmingle.decisions.state import State
from unmingle.errors import SettingsError, SourceError
from unmingle.faces.recipe import ClassicRecipe, FaceRecipe, face_recipe
from unmingle.files import is_there
from unmingle.grouping.adaptation import Adaptation, adapt
from unmingle.grouping.additions import touched
from unmingle.grouping.baselines import classic_clusters
from unmingle.grouping.cluster import Evidence, cluster_with_quality
from unmingle.grouping.confidence import face_probabilities
from unmingle.grouping.constraints import Constraints
from unmingle.grouping.threshold import FalseMergeThreshold
from unmingle.models.registry import SFACE, card
from unmingle.models.vgg16 import prepared_vgg16
from unmingle.progress import Progress, Times, silent
from unmingle.records import I64, Added, Bool, Clustering, Status
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
from unmingle.sources.names import AUTO
from unmingle.store import copies, facts, sightings
from unmingle.store.face_query import file_state
from unmingle.store.face_rows import ALONE, StoredFaces, faces_to_group, grouped_faces, look_up
from unmingle.store.file_rows import note_walked, taken_along, walked_folders
from unmingle.store.frame_names import FrameNames, conclude, recording_of, rows_of_pictures, seen_frames
from unmingle.store.result_tables import faces_table
from unmingle.store.sqlite import TABLES, Store
from unmingle.summary import Summary, endings
from unmingle.version import __version__

# With fewer faces, all are grouped again, which takes a few seconds: the result depends on nothing but the faces.
LEAST_FACES = 20_000
# All are grouped again when the library has grown by this share since they last were, so that on average a new face
# costs ten times its share of that, however large the library is.
GROWTH = 0.1


def still_there(folder: Path, sources: Sequence[Path]) -> list[Path]:
    """Those of the sources that a library remembers that are there."""
    there = [source for source in sources if is_there(source)]
    if not there:
        names = ", ".join(readable(str(source)) for source in sources[:3]) or "none"
        problem = f"{folder} remembers no source that is there (of before: {names})."
        raise SourceError(problem, "Name the pictures: a folder, or files.")
    return there


def add(
    store: Store,
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
    include_erased: bool,
    progress: Progress,
    times: Times,
) -> Added:
    """Add pictures and recordings; what can't be added is refused before anything is stored. See `Library.add`."""
    one_of("recipe", recipe, get_args(Recipe))
    looked, watched = detection or DetectionSettings(), recording or RecordingSettings()
    engine = engine or EngineSettings()
    found = scan(sources)
    if not found.files:
        names = ", ".join(readable(str(Path(source).absolute())) for source in sources)
        if found.others:
            unread = (
                "Name another folder, or unpack archives, download what is in iCloud only, save raw pictures as JPEG."
            )
            raise SourceError(f"There are no pictures or recordings in {names}, only {endings(found.others)}.", unread)
        usual = "Name a folder with jpg, png, webp, tiff, … files, or with mp4, mov, mkv, … files."
        raise SourceError(f"There are no pictures or recordings in {names}.", usual)
    runner: FaceRecipe | ClassicRecipe
    if recipe == "faces":
        runner = FaceRecipe(looked, engine, card(model))
        facts.note_model(store, runner.key, card(model))
    else:
        # Asked only here: what a file is, its first bytes tell.
        moving = next((file.name for file in found.files if file.is_recording), None)
        if moving is not None:
            mend = f"Leave --recipe classic out, or {moving}."
            raise SettingsError("The classic recipe can't watch recordings.", mend)
        if model != SFACE.name:
            raise SettingsError("The classic recipe has a model of its own.", "Leave --recipe classic out, or --model.")
        classic = classic or ClassicSettings()
        graph = prepared_vgg16(weights, features=classic.features, any_weights=any_weights)
        runner = ClassicRecipe(classic, engine, *graph)
    facts.note(store, looked, watched)
    note_walked(store, {*walked_folders(store), *found.folders})
    added = ingest.add(
        store,
        found,
        runner,
        exact=engine.precision == "f32",
        every=watched.every,
        include_erased=include_erased,
        progress=progress,
        times=times,
    )
    return replace(added, along=taken_along(store, found))


def retry(store: Store, file: int) -> tuple[Status, str]:
    """Read a file again that could not be read, given its row; status and reason of its first face."""
    facts.check_begun(store)
    held = file_state(store, file)
    if held is None:
        raise SourceError(f"There is no file {file}.", "Look at the library again.")
    detection = facts.noted(store, DetectionSettings) or DetectionSettings()
    runner = face_recipe(detection, EngineSettings(), card(facts.model_of(store).name))
    if runner.key != store.recipe:
        mend = "Run unmingle cluster again: it tries all files."
        raise SettingsError("The library was made with another recipe.", mend)
    every = (facts.noted(store, RecordingSettings) or RecordingSettings()).every
    ingest.add(store, Scan((held.file,), ()), runner, every=every)
    faces = faces_table(store)
    found = faces.filter((faces["file"] == held.file.name) & (faces["source"] == readable(held.file.source)))
    status, reason = found.select("status", "reason").row(0)
    return status, reason


def make_people(
    store: Store,
    settings: GroupingSettings | None,
    people: int | None,
    classic: ClassicSettings | None,
    name_pattern: str | None,
    sheets: int,
    *,
    regroup: bool,
    webvtt: bool,
    tables: bool,
    progress: Progress,
    times: Times,
) -> Summary:
    """Make people, tables and sheets; see `Library.cluster`."""
    sheets = whole_number("sheets", sheets)
    if not isinstance(name_pattern, (str, type(None))):
        raise SettingsError(f"name_pattern is {name_pattern!r}.", "Give text, or None to read nothing from names.")
    settings = settings or GroupingSettings()
    settings = settings if people is None else replace(settings, people=people)
    facts.check_begun(store)
    classic = (classic or ClassicSettings()) if store.recipe.startswith("classic") else None
    if classic is not None and settings.people is None:
        raise SettingsError("The classic recipe can't find the number of people.", "Pass --people K.")
    how: Any = {"name_pattern": name_pattern, "regroup": regroup, "progress": progress, "times": times}
    clustering = cluster(store, settings, classic, **how)
    facts.note(store, settings)
    store.set_fact(facts.SHEETS, str(sheets))
    store.set_fact(facts.WEBVTT, "1" if webvtt else "")
    if tables:
        store.set_fact(facts.PLAIN, "1")
    with times.measure("write"):
        with store.snapshot():
            faces = faces_table(store)
            shown = views.write_views(store, faces=faces, progress=progress) if facts.shows(store) else ""
        store.set_fact(TABLES, shown)
    return Summary.of(faces, times.seconds, dict(clustering.notes))


def cluster(
    store: Store,
    settings: GroupingSettings,
    classic: ClassicSettings | None = None,
    *,
    name_pattern: str | None = AUTO,
    regroup: bool = False,
    progress: Progress = silent,
    times: Times | None = None,
) -> Clustering:
    """Make people of the faces that are there; people of the last clustering keep their ids, and all decisions hold.

    Where the number of people is given, one core face is a person too; else a person needs two different pictures, and
    copies are one. Of a large library that got few faces, only what these touch is grouped again; regroup: all is, in
    any case. classic: PCA and k-means instead, which need the number and know no constraints, ranks and copies.
    """
    times = times or Times()
    with store.transaction():
        state = State.read(store)
        state.write_marks()
    with store.snapshot():
        faces = faces_to_group(store, raw=True)
    progress("cluster", 0, len(faces.ids))
    with times.measure("cluster"):
        by = (__version__, store.recipe, asdict(facts.model_of(store)), asdict(settings), name_pattern)
        how: dict[str, Any] = {"how": json.dumps(by)}
        # So many people are of all faces; the classic recipe needs their number, too.
        new_n = None if regroup or settings.people is not None else _few_new(store, how, faces, state)
        if new_n is None:
            clustering = _group_all(store, settings, classic, name_pattern, faces, state)
            how["faces"] = len(faces.ids)
        else:
            clustering = _group_new(store, settings, faces, new_n, state)
        facts.note_grouped(store, how)
    progress("cluster", len(faces.ids), len(faces.ids))
    return clustering


def _group_all(
    store: Store,
    settings: GroupingSettings,
    classic: ClassicSettings | None,
    name_pattern: str | None,
    faces: StoredFaces,
    state: State,
) -> Clustering:
    adapted = _adapted(store, faces, settings)
    if adapted is not None:
        faces = replace(faces, vectors=adapted.apply(faces.vectors))
    curve = facts.card_curve(store) if adapted is None else adapted.curve
    decided = DecidedFaces(state, faces)
    asked, people = settings.people, len(decided.faces_of)
    if asked is not None and asked < people and classic is None:
        settings = replace(settings, people=people)  # fewer would mix others, since those never become one
    held = rows_of_pictures(store, faces)
    names = conclude(store, faces, held, name_pattern, curve)
    core_n, doubtful_n = _ranks(store, faces, decided)
    copy_of_n = copies.copy_of(store, faces, recording_of(store, faces, names))
    recorded_k2, same_m2 = sightings.followed(store, faces)
    seen = seen_frames(store, faces, names, recorded_k2)
    if classic is None:
        constraints = decided.constraints(seen, same_m2)
        clustering = cluster_with_quality(
            faces.vectors,
            settings,
            curve=curve,
            constraints=constraints,
            core_n=core_n,
            copy_of_n=copy_of_n,
            doubtful_n=doubtful_n,
            quality_n=faces.quality,
        )
    else:
        assert settings.people is not None  # whoever calls has made sure of it
        components, seed = classic.components, classic.seed
        clustering = classic_clusters(faces.vectors, settings.people, components=components, seed=seed)
    if settings.people != asked:
        clustering = replace(clustering, notes=(*clustering.notes, ("decided_people", float(people))))
    notes = dict(clustering.notes)
    least = 2 if settings.people is None else 1
    # What was seen too shortly to be told from a still picture makes nobody with those either; a photograph does.
    still_n = sightings.of_stills(store, faces) & ~core_n
    if still_n.any():
        by_itself_n = core_n & np.isin(faces.pictures, list(held))
        still_n &= ~np.isin(clustering.labels, clustering.labels[by_itself_n])
    evidence = Evidence.of(clustering, core_n, copy_of_n, least=least, doubtful_n=doubtful_n | still_n)
    labels_n = np.where(evidence.people_n, clustering.labels, ALONE)
    likeness_n, cohesion_k = evidence.likeness(faces.vectors, clustering.labels)
    sure_n = None  # where the grouping didn't find out how strangers spread
    if "scale" in notes and len(faces.ids):
        # A copy is as sure as the face that it is a copy of, and adds nothing to how sure that is.
        shown_n, only_n = evidence.shown(clustering.labels), labels_n != ALONE
        sure_n = face_probabilities(faces.vectors, shown_n, curve, scale=notes["scale"], only_n=only_n)
        sure_n = sure_n[evidence.picture_n]
    copies.note(store, faces, copy_of_n)
    store_assignment(store, faces, Measured(labels_n, cohesion_k, likeness_n, sure_n), state)
    store.set_fact(facts.SCALE, str(notes.get("scale", "")))
    facts.note_adaptation(store, adapted)
    names.keep(store)
    return replace(clustering, notes=(*clustering.notes, *names.notes))


def _ranks(store: Store, faces: StoredFaces, decided: DecidedFaces) -> tuple[Bool, Bool]:
    """(n,), (n,) the core faces, and the border faces that may be none."""
    core_n, least_score = faces.core.copy(), (facts.noted(store, DetectionSettings) or DetectionSettings()).min_score
    doubtful_n = ~core_n & (faces.scores < least_score)
    core_n[list(decided.person_of)] = True  # whatever a face is like, somebody said whose it is
    return core_n, doubtful_n


def _few_new(store: Store, how: dict[str, Any], faces: StoredFaces, state: State) -> Bool | None:
    """(n,) the faces that came to a large library since all was grouped so, if they need be alone; or None."""
    last, n, names = facts.grouped(store), len(faces.ids), FrameNames.of(store)
    whole = last.pop("faces", 0)
    if n < LEAST_FACES or abs(n - whole) > GROWTH * whole or last != {**how, "clustering": state.assignment.clustering}:
        return None
    if not names.silent or sightings.any_recording(store):  # who is where in frames can be told of all only
        return None
    before_n = look_up(state.assignment.faces_n, state.assignment.person_n, faces.ids)
    new_n = ~np.isin(faces.ids, grouped_faces(store.connection)) | (before_n != ALONE)
    new_n &= state.persons(faces.ids) == ALONE  # also who was taken from somebody
    if not new_n.any():
        return new_n if state.log.last <= state.assignment.clustering else None
    new = faces.take(np.flatnonzero(new_n))
    held = {picture: np.flatnonzero(new.pictures == picture) for picture in np.unique(new.pictures).tolist()}
    curve = facts.library_curve(store)
    return None if conclude(store, new, held, names.pattern and AUTO, curve, only=held).recordings else new_n


def _group_new(store: Store, settings: GroupingSettings, faces: StoredFaces, new_n: Bool, state: State) -> Clustering:
    adapted, scale = facts.adaptation_of(store), facts.known_scale(store)
    curve = facts.library_curve(store)
    if adapted is not None:
        faces = replace(faces, vectors=adapted.apply(faces.vectors))
    person_n = state.persons(faces.ids)
    threshold = FalseMergeThreshold(curve=curve, expected=settings.expected_false_merges, scale=scale)
    rows, tied_m2, collected = touched(faces.vectors, person_n, new_n, threshold)
    some, before_r = faces.take(rows), person_n[rows]
    decided = DecidedFaces(state, some)
    core_r, doubtful_r = _ranks(store, some, decided)
    copy_of_r = copies.copy_of_new(store, some, new_n[rows])
    picture_r = np.unique(some.pictures, return_inverse=True)[1]
    clustering = cluster_with_quality(
        some.vectors,
        settings,
        curve=curve,
        constraints=decided.constraints(Constraints.of_frames(picture_r).seen_k2, tied_m2),
        core_n=core_r,
        copy_of_n=copy_of_r,
        doubtful_n=doubtful_r,
        quality_n=some.quality,
        collected=collected,
    )
    evidence = Evidence.of(clustering, core_r, copy_of_r, doubtful_n=doubtful_r)
    labels_r = np.where(evidence.people_n, clustering.labels, ALONE)
    likeness_r, cohesion_k = evidence.likeness(some.vectors, clustering.labels)
    changed = np.flatnonzero(~_as_before(labels_r, before_r))
    # Everybody else, who is alone with a number of their own, is who the changed are compared with.
    all_n = np.where(person_n == ALONE, person_n.max(initial=0) + 1 + np.arange(len(person_n)), person_n)
    shown_r = evidence.shown(clustering.labels)
    all_n[rows] = np.where(shown_r < 0, ALONE, shown_r + all_n.max(initial=0) + 1)
    only_n = np.zeros(len(all_n), np.bool_)
    only_n[rows[changed]] = labels_r[changed] != ALONE
    sure_r = face_probabilities(faces.vectors, all_n, curve, scale=scale, only_n=only_n)[rows][evidence.picture_n]
    copies.note(store, some, copy_of_r, beside=True)
    measured = Measured(labels_r[changed], cohesion_k, likeness_r[changed], sure_r[changed])
    others = np.delete(faces.ids, rows[changed])
    store_assignment(store, some.take(changed), measured, state, others_m=others)
    notes = {"scale": scale, "new": float(new_n.sum()), "grouped_again": float(len(rows)), "all": float(len(faces.ids))}
    return replace(clustering, notes=tuple(notes.items()))


def _as_before(labels_n: I64, person_n: I64) -> Bool:
    """(n,) the faces of clusters that are a person as before, and those that are alone as before."""
    both_k2, at_n, count_k = np.unique(
        np.stack([labels_n, person_n], axis=1), axis=0, return_inverse=True, return_counts=True
    )
    same_k = (both_k2 >= 0).all(axis=1)
    for side_n, side_k in ((labels_n, both_k2[:, 0]), (person_n, both_k2[:, 1])):
        same_k &= count_k == np.bincount(side_n[side_n >= 0], minlength=1)[np.maximum(0, side_k)]
    return np.asarray((same_k | (both_k2 == ALONE).all(axis=1))[at_n.ravel()], np.bool_)


def _adapted(store: Store, faces: StoredFaces, settings: GroupingSettings) -> Adaptation | None:
    """How the faces say that they are compared, where the model's card knows less."""
    calibration = facts.model_of(store).calibration
    vectors_nd = faces.vectors[faces.core]
    if calibration is None or not calibration.adapts or not len(vectors_nd):
        return None
    return adapt(vectors_nd, settings, Constraints(len(vectors_nd)), facts.card_curve(store))
