"""The standard table on labelled pictures of one's own: what is found, how fast, and what usual methods reach."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

from unmingle.evaluation.labels import LabelOptions, folder_labels, read_labels
from unmingle.evaluation.metrics import Contingency, Scores, bcubed, contingency, score_table
from unmingle.evaluation.score_files import as_json as evaluation_json
from unmingle.evaluation.score_files import main_figures, scores_document
from unmingle.evaluation.scores import Evaluation
from unmingle.files import user_path
from unmingle.grouping.baselines import SFACE_COSINE, average_linkage, cut, k_means
from unmingle.library import Library
from unmingle.models.embedding import unit
from unmingle.models.registry import SFACE
from unmingle.progress import Progress, peak_memory, silent
from unmingle.records import F32, I64
from unmingle.settings import DetectionSettings, EngineSettings, GroupingSettings, Recipe
from unmingle.sources.images import scan
from unmingle.store.face_rows import faces_to_group
from unmingle.store.facts import model_of
from unmingle.store.sqlite import open_to_read
from unmingle.summary import Summary

FORMAT = 1  # of the json; counts up when a key changes its meaning or goes
NOT_KNOWN = "–"
# Distances of all pairs take 8 bytes each, and as much again while they are worked on: 1.2 GB for so many faces.
MOST_ROWS = 12_000
THRESHOLDS = tuple(round(0.05 + 0.01 * i, 2) for i in range(91))  # of average linkage, to choose the best of
STARTS = 10  # of k-means, which keeps the best: a single one is a matter of luck
MOST_CENTRES = 20_000_000  # faces times people, above which these take more than some minutes


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchSettings:
    """How the library of a benchmark is made, see `Library.add` and `Library.cluster`."""

    recipe: Recipe = "faces"
    model: str = SFACE.name
    people: int | None = None  # how many there are, if unmingle is to be told; classic is told the true number if None
    detection: DetectionSettings | None = None
    grouping: GroupingSettings | None = None
    engine: EngineSettings | None = None
    weights: Path | None = None
    others: bool = True  # whether usual methods are run on the same embeddings


@dataclass(frozen=True, slots=True)
class Method:
    """What one method reaches."""

    name: str
    told: str  # what it was told that it could not know, or how it was set
    scores: Scores | None
    seconds: float | None = None  # that the grouping took
    left_out: str = ""  # why there are no scores


@dataclass(frozen=True, slots=True, eq=False)
class Bench:
    """What a benchmark found."""

    pictures: int
    seconds: float
    pictures_a_second: float | None  # to the last sheet; None if some pictures were known from an earlier run
    memory: int | None  # the most bytes that this process held up to then; None where the system doesn't say
    summary: Summary
    evaluation: Evaluation  # against the labels
    others: tuple[Method, ...]  # usual methods, on the embeddings of the labelled faces


def bench(
    library: Library,
    dataset: str | Path,
    *,
    labels: Path | str | Literal["folders"] = "folders",
    options: LabelOptions | None = None,
    settings: BenchSettings | None = None,
    progress: Progress = silent,
) -> Bench:
    """Make a library of labelled pictures, score it, and set usual methods beside it.

    Args:
        library: where it is made; best in a new folder.
        dataset: the folder with the pictures.
        labels: a workbook or csv, or "folders" where each folder holds one person; used after the grouping.
        options: how the labels are read.
        settings: how the library is made.
        progress: told while it is made.
    """
    chosen = settings or BenchSettings()
    known = labels if labels == "folders" else read_labels(user_path(labels), options or LabelOptions())
    if labels == "folders" and (files := scan([dataset]).files):  # an error before hours of work, not after
        folder_labels([file.name for file in files], sources=[file.source for file in files])
    start = time.perf_counter()
    with library.writing():
        added = library.add(
            dataset,
            recipe=chosen.recipe,
            model=chosen.model,
            detection=chosen.detection,
            weights=chosen.weights,
            engine=chosen.engine,
            progress=progress,
        )
        people = chosen.people
        if people is None and chosen.recipe == "classic":
            people = library.evaluate(known).scores.people_true
        summary = library.cluster(people=people, settings=chosen.grouping, progress=progress)
    seconds, memory = time.perf_counter() - start, peak_memory()
    evaluation = library.evaluate(known)
    return Bench(
        pictures=summary.files,
        seconds=seconds,
        pictures_a_second=None if added.known else summary.files / seconds,
        memory=memory,
        summary=summary,
        evaluation=evaluation,
        others=_others(library, evaluation) if chosen.others else (),
    )


def _others(library: Library, evaluation: Evaluation) -> tuple[Method, ...]:
    with open_to_read(library.folder) as store:
        stored = faces_to_group(store)
        sface = store.recipe.startswith("faces") and model_of(store).name == SFACE.name
    return tuple(other_methods(evaluation.faces, stored.ids, stored.vectors, sface=sface))


def other_methods(scored: pl.DataFrame, ids_n: I64, vectors_nd: F32, *, sface: bool) -> Iterator[Method]:
    """Usual methods, scored as the library was.

    They get the labelled faces alone, which is easier than what the library had to sort. A cluster of one face counts
    as left out, as it does with us; so does a labelled file in which no face is grouped.

    scored: `Evaluation.faces`. ids_n: the faces that may be grouped. sface: whether the embeddings are SFace's.
    """
    labels = scored["label"].to_list()
    row_of = {face: row for row, face in enumerate(ids_n.tolist())}
    row_m = np.array([row_of.get(face, -1) for face in scored["id"].to_list()], np.int64)
    rows_v = np.unique(row_m[row_m >= 0])
    vectors = unit(vectors_nd[rows_v])
    if not len(vectors):
        return

    def table(labels_v: I64) -> Contingency:
        several_v = np.bincount(labels_v)[labels_v] > 1
        kept_v = np.where(several_v, labels_v, -1)
        at_m = np.minimum(np.searchsorted(rows_v, row_m), len(rows_v) - 1)
        return contingency(labels, np.where(row_m < 0, -1, kept_v[at_m]))

    faces, people = len(vectors), len(set(labels))
    told = f"told the true number, {people:,}"
    start = time.perf_counter()
    if faces * min(people, faces) > MOST_CENTRES:
        why = f"{faces:,} faces and {people:,} people take k-means too long"
        yield Method("k-means", told, None, left_out=why)
    else:
        labels_v = k_means(vectors, min(people, faces), starts=STARTS)
        yield Method("k-means", told, score_table(table(labels_v)), time.perf_counter() - start)

    linkage, best = "average linkage", "the best threshold, chosen with the labels"
    fixed = f"OpenCV's threshold for SFace, {SFACE_COSINE}"
    if faces > MOST_ROWS:
        why = f"{faces:,} faces need {faces * (faces - 1) * 8 / 1e9:,.1f} GB for the distances of all pairs"
        yield from (Method(linkage, told, None, left_out=why) for told in (best, *[fixed] * sface))
        return
    start = time.perf_counter()
    tree = average_linkage(vectors)
    seconds = time.perf_counter() - start
    cuts = [(threshold, table(cut(tree, threshold))) for threshold in THRESHOLDS]
    threshold, found = max(cuts, key=lambda one: bcubed(one[1]).f1)
    yield Method(linkage, f"{best}, {threshold:.2f}", score_table(found), seconds)
    if sface:
        yield Method(linkage, fixed, score_table(table(cut(tree, SFACE_COSINE))), seconds)


def as_json(found: Bench) -> str:
    """Everything, with the evaluation as in evaluation.json; keys do not change within a FORMAT."""
    document: dict[str, Any] = {
        "format": FORMAT,
        "pictures": found.pictures,
        "seconds": round(found.seconds, 3),
        "pictures_a_second": None if found.pictures_a_second is None else round(found.pictures_a_second, 2),
        "memory": found.memory,
        "summary": asdict(found.summary),
        "evaluation": json.loads(evaluation_json(found.evaluation)),
        "others": [
            {
                "name": method.name,
                "told": method.told,
                "left_out": method.left_out,
                "seconds": None if method.seconds is None else round(method.seconds, 3),
                "scores": None if method.scores is None else scores_document(method.scores),
            }
            for method in found.others
        ],
    }
    return json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def table(found: Bench) -> tuple[list[str], list[tuple[str, ...]]]:
    """Headings, ours first, and rows: a column a method, so that it fits on a terminal."""
    run = [(f"{method.name}, {method.told}", method.scores) for method in found.others if method.scores is not None]
    every = [found.evaluation.scores, *(scores for _, scores in run)]
    rate = NOT_KNOWN if found.pictures_a_second is None else f"{found.pictures_a_second:,.1f}"
    memory = NOT_KNOWN if found.memory is None else f"{found.memory / 1e9:,.2f} GB"
    rows = [
        ("people found, true", *(f"{one.people_found:,}, {one.people_true:,}" for one in every)),
        *((row[0][0], *(value for _, value in row)) for row in zip(*map(main_figures, every), strict=True)),
        ("left out", *(f"{one.left_out:,}" for one in every)),
        ("pictures a second", rate, *("" for _ in run)),
        ("memory", memory, *("" for _ in run)),
    ]
    return ["", "unmingle", *(heading for heading, _ in run)], rows
