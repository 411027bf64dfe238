"""A library as one page of html."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from unmingle.api.recipes import grouped_with, known_scale, library_curve, model_of
from unmingle.decisions.log import active_ids, read_log
from unmingle.files import write_atomically
from unmingle.grouping.stopping import FalseMergeBar
from unmingle.models.catalogue import VGG16, YUNET
from unmingle.pipeline import SCALE
from unmingle.render.gather import Gatherer
from unmingle.render.page import Heading, render
from unmingle.render.pictures import Pictures
from unmingle.settings import FALSE_MERGES
from unmingle.sources.images import readable
from unmingle.store.face_rows import ALONE, faces_to_group, persons_now

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from unmingle.decisions.asking import Question
    from unmingle.evaluation.scores import Evaluation
    from unmingle.progress import Progress
    from unmingle.store.sqlite import Store

QUESTIONS = 10  # that a page shows


def write_report(
    store: Store,
    recipe: str,
    destination: Path,
    title: str,
    evaluation: Evaluation | None,
    questions: Sequence[Question],
    progress: Progress,
) -> None:
    """See `Library.write_report`."""
    gatherer = Gatherer(store, recipe, Pictures(store), progress)
    report = gatherer.report(
        line=single_face_line(store, recipe),
        questions=questions,
        evaluation=evaluation,
    )
    page = render(
        "report.html",
        Heading(title, how_made(store, recipe)),
        report=report,
        told=decisions_that_stand(store),
        captions=[] if report.map is None else [point.caption for point in report.map.points],
    )
    write_atomically(destination, page.encode())


def single_face_line(store: Store, recipe: str) -> float | None:
    """The similarity that two single faces need to become a person; None where their number was given, or unknown."""
    settings = grouped_with(store)
    if settings is None or settings.people is not None or not store.fact(SCALE):
        return None
    person_n = persons_now(store.connection, faces_to_group(store, recipe).ids)
    clusters = len(np.unique(person_n[person_n != ALONE])) + int(np.count_nonzero(person_n == ALONE))
    expected = settings.expected_false_merges
    bar = FalseMergeBar(curve=library_curve(store, recipe), expected=expected, scale=known_scale(store))
    return bar.cosine(1, 1, clusters=max(2, clusters))


def decisions_that_stand(store: Store) -> int:
    """How many things were said about people that were not undone."""
    return sum(active_ids(read_log(store.connection)).values())


def how_made(store: Store, recipe: str) -> tuple[tuple[str, str], ...]:
    """Names and values: the library, its pictures, the networks and the settings."""
    query = "SELECT path FROM source WHERE EXISTS (SELECT 1 FROM file WHERE file.source = source.id AND present = 1)"
    sources = sorted(readable(os.fsdecode(path)) for (path,) in store.connection.execute(query))
    rows = [("Library", str(store.folder.absolute())), ("Pictures and recordings from", ", ".join(sources))]
    if recipe.startswith("classic"):
        rows.append(("Method", f"the whole picture through VGG16 ({VGG16.licence}), then PCA and k-means"))
    else:
        rows.append(("Faces found by", f"{YUNET.name} ({YUNET.licence})"))
        model = model_of(store, recipe)
        rows.append(("Faces compared by", f"{model.name}, {model.dimension} numbers a face ({model.licence})"))
    settings = grouped_with(store)
    if settings is not None:
        if not recipe.startswith("classic"):  # which takes no notice of how sure a merge is
            rows.append(("Grouped", strictness_in_words(settings.expected_false_merges)))
        given = "found by unmingle" if settings.people is None else f"given: {settings.people:,}"
        rows.append(("Number of people", given))
        if not settings.co_occurrence:
            rows.append(("Faces of one picture", "may be one person"))
    (count,) = store.connection.execute("SELECT count(*) FROM clustering").fetchone()
    rows.append(("Times grouped", f"{count:,}"))
    rows.append(("Decisions by hand", f"{decisions_that_stand(store):,}"))
    return tuple(rows)


def strictness_in_words(expected: float) -> str:
    """`balanced: one person in 50 may take in a stranger`."""
    named = next((name for name, value in FALSE_MERGES.items() if value == expected), "")
    told = f"one person in {1 / expected:,.0f} may take in a stranger"
    return f"{named}: {told}" if named else told
