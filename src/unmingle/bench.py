"""The standard table on labelled pictures of one's own: what is found, how fast, and what usual methods reach."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from unmingle.evaluation.score_files import as_json as evaluation_json
from unmingle.evaluation.score_files import scores_document
from unmingle.files import user_path
from unmingle.models.cards import SFACE
from unmingle.progress import peak_memory, silent
from unmingle.settings import DetectionSettings, EngineSettings
from unmingle.store.face_rows import faces_to_group
from unmingle.store.facts import current, model_of
from unmingle.store.sqlite import open_to_read

if TYPE_CHECKING:
    from pathlib import Path

    from unmingle.evaluation.beside import Method
    from unmingle.evaluation.labels import LabelOptions
    from unmingle.evaluation.scores import Evaluation
    from unmingle.library import Library
    from unmingle.progress import Progress
    from unmingle.settings import GroupingSettings, Recipe
    from unmingle.summary import Summary

FORMAT = 1  # of the json; counts up when a key changes its meaning or goes
NOT_KNOWN = "–"


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchSettings:
    """How the library of a benchmark is made, see `Library.add` and `Library.cluster`.

    people: how many there are, if unmingle is to be told; the classic recipe is told the true number if None.
    others: whether usual methods are run on the same embeddings.
    """

    recipe: Recipe = "faces"
    model: str = SFACE.name
    people: int | None = None
    detection: DetectionSettings | None = None
    grouping: GroupingSettings | None = None
    engine: EngineSettings | None = None
    weights: Path | None = None
    others: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Bench:
    """What a benchmark found.

    pictures_a_second: from the first picture to the last sheet; None if some were known from an earlier run.
    memory:     the most that this process held up to then, in bytes; None where the system doesn't say.
    summary:    of the library.
    evaluation: against the labels.
    others:     usual methods, on the embeddings of the labelled faces.
    """

    pictures: int
    seconds: float
    pictures_a_second: float | None
    memory: int | None
    summary: Summary
    evaluation: Evaluation
    others: tuple[Method, ...]


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
        labels: a workbook or csv, or "folders" where each folder holds one person. They are used after the grouping,
            but for the number of people where that has to be given.
        options: how the labels are read.
        settings: how the library is made.
        progress: told while it is made.

    Raises:
        UnmingleError: see `Library.add`, `Library.cluster` and `Library.evaluate`.
    """
    from unmingle.evaluation.labels import LabelOptions, read_labels

    chosen = settings or BenchSettings()
    known = labels if labels == "folders" else read_labels(user_path(labels), options or LabelOptions())
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
    seconds = time.perf_counter() - start
    memory = peak_memory()
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
    from unmingle.evaluation.beside import Beside

    with open_to_read(library.folder) as store:
        recipe = current(store)
        stored = faces_to_group(store, recipe)
        sface = recipe.startswith("faces") and model_of(store, recipe).name == SFACE.name
    beside = Beside(evaluation.faces, stored.ids, stored.vectors)
    return tuple(beside.methods(sface=sface))


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
        ("accuracy", *(f"{one.accuracy:.4f}" for one in every)),
        ("weighted F1", *(f"{one.weighted_f1:.4f}" for one in every)),
        ("BCubed F", *(f"{one.bcubed.f1:.4f}" for one in every)),
        ("pairwise F", *(f"{one.pairwise.f1:.4f}" for one in every)),
        ("homogeneity", *(f"{one.homogeneity:.4f}" for one in every)),
        ("completeness", *(f"{one.completeness:.4f}" for one in every)),
        ("left out", *(f"{one.left_out:,}" for one in every)),
        ("pictures a second", rate, *("" for _ in run)),
        ("memory", memory, *("" for _ in run)),
    ]
    return ["", "unmingle", *(heading for heading, _ in run)], rows
