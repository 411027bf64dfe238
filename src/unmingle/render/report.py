"""A library as one page of html: what it tells is worked out and put into words here, and laid out by `report.html`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from unmingle.decisions.asking import ask
from unmingle.decisions.log import Log
from unmingle.decisions.references import label
from unmingle.evaluation.score_files import aside_rows, count_confusions, join_rows, worst_mistakes
from unmingle.evaluation.scores import Evaluation, confused, found_worst
from unmingle.files import write_atomically
from unmingle.grouping.split_candidates import Branches
from unmingle.grouping.threshold import FalseMergeThreshold
from unmingle.html import render
from unmingle.models.registry import VGG16, YUNET
from unmingle.progress import Progress
from unmingle.records import F32, I64
from unmingle.render.figures import (
    ACROSS,
    HEIGHT,
    LEAST_ON_MAP,
    MARKS,
    SMALL,
    WIDTH,
    FacePicture,
    Pictures,
    across,
    embedding_map,
    similarity,
    size_bands,
)
from unmingle.settings import FALSE_MERGES, GroupingSettings
from unmingle.sources.images import readable
from unmingle.store.face_query import LeftOut, faceless_files, file_state, lone_faces, short
from unmingle.store.face_rows import ALONE, faces_to_group, persons_now
from unmingle.store.facts import SCALE, known_scale, library_curve, model_of, noted
from unmingle.store.file_rows import sources_there
from unmingle.store.people_query import clusterings, people, unsure_faces
from unmingle.store.result_tables import faces_table, library_people, qualities, spread
from unmingle.store.screen_time import count_recordings, timelines
from unmingle.store.sqlite import Store

QUESTIONS = 10
STRIP = 10  # faces that stand for a person
STRIPS = 60  # people with a strip of faces; the next have one face each
SINGLES = 600
ONE_BY_ONE = 30  # people whose sizes are drawn one by one
EXAMPLES = 12  # of what was left out for one reason
FILES = 40  # names of files that can't be read
LEAST_SURE = 24  # faces that are least sure
ON_MAP = 2000  # faces
MISTAKES = 48
MATRIX = 16  # people whose confusions fit on a page
WORST = 12
# What a status means to somebody who reads it for the first time.
STATUS = {
    "clustered": ("Sorted", "The face belongs to a person."),
    "alone": ("Seen once", "A face like no other here. A second picture of the same person would make it a person."),
    "not_a_face": ("No face", "No face was found in the file, or what looked like one is none."),
    "masked": ("Covered", "A mask, a hand or something else covers the lower face, and it could be several people."),
    "low_quality": ("Too small or blurred", "There is a face, but not enough of it to tell whose."),
    "ignored": ("Ignored", "Somebody said that this face is not wanted."),
    "unreadable": ("Not readable", "The file could not be opened as a picture or a recording."),
}


def write_report(
    store: Store,
    destination: Path,
    title: str,
    evaluation: Evaluation | None,
    trees: dict[bytes, Branches],
    progress: Progress,
) -> None:
    """See `Library.write_report`."""
    # The classic recipe knows nothing of who may be whom.
    questions = ask(store, most=QUESTIONS, trees=trees) if store.fact(SCALE) else ()
    report = _Report(store)
    stored = faces_to_group(store)
    person_n = persons_now(store.connection, stored.ids)
    parts = {
        "similar": lambda: report.similar(stored.vectors, person_n),
        "map": lambda: report.map(stored.ids, stored.vectors, person_n),
        "strips": report.strips,
        "left_out": report.left_out,
        "checked": lambda: None if evaluation is None else report.checked(evaluation),
        "least_sure": report.least_sure,
    }
    values = work_out(parts, progress)
    recordings = timelines(store)
    page = render(
        "report.html",
        title,
        made=how_made(store),
        **report.found(),
        **values,
        questions=[
            ((report.face(one.one.show[0]), report.face(one.other.show[0])), one.text, round(100 * one.probability))
            for one in questions
        ],
        frame={"width": WIDTH, "height": HEIGHT, "marks": MARKS, "small": SMALL, "across": ACROSS},
        recordings=recordings,
        pictures=report.pictures,
        titles=report.titles,
        hues=report.hues,
    )
    write_atomically(destination, page.encode(), sync=True)


def work_out(parts: Mapping[str, Callable[[], Any]], progress: Progress) -> dict[str, Any]:
    """The parts of a page by name, each as it comes."""
    values = {}
    for done, (name, part) in enumerate(parts.items(), 1):
        values[name] = part()
        progress("write", done, len(parts))
    return values


class _Report:
    def __init__(self, store: Store) -> None:
        self._store, self.pictures = store, Pictures(store)
        self._faces = faces_table(store)
        self._people = library_people(store)
        self.titles = {person: label(person, name) for person, name in self._people.select("person", "name").rows()}
        self._qualities = qualities(store, self.titles)
        # Neighbours in this order get colours far apart: the golden angle.
        self.hues = {person: round(i * 137.508) % 360 for i, person in enumerate(self.titles)}
        shown = self._faces.drop_nulls("id").unique("id", keep="first", maintain_order=True)
        self._files = dict(shown.select("id", "file").iter_rows())

    def face(self, face: int, caption: str = "") -> FacePicture:
        return FacePicture(self.pictures[face], caption or self._files.get(face, ""))

    def found(self) -> dict[str, Any]:
        """The figures at the head of the page, and how many faces people have."""
        faces, counts = self._faces, self._people["faces"].to_list()
        one_by_one = len(counts) <= ONE_BY_ONE
        return {
            "found": {
                "files": faces.select("source", "file").n_unique(),
                "faces": int(faces["face"].is_not_null().sum()),
                "people": len(self.titles),
                "named": int((self._people["name"].fill_null("") != "").sum()),
                "sorted": int(faces["person"].is_not_null().sum()),
                "recordings": count_recordings(self._store),
                "decisions": decisions_that_stand(self._store),
            },
            "sizes": list(zip(self.titles.values(), counts, strict=True)) if one_by_one else size_bands(counts),
            "one_by_one": one_by_one,
        }

    def strips(self) -> dict[str, Any]:
        """The largest people with several faces, the next with one each, and how many more there are."""
        # Those whose probability is not known are not unsure.
        unsure = {one.person: one.unsure for one in people(self._store)}
        rows = self._people.head(STRIPS + SINGLES).select("person", "faces").iter_rows()
        found = [
            {
                "person": person,
                "title": self.titles[person],
                "faces": faces,
                "strip": [
                    self.face(face) for face in _best_of_parts(self._qualities[person], STRIP if i < STRIPS else 1)
                ],
                "unsure": unsure.get(person, 0),
            }
            for i, (person, faces) in enumerate(rows)
        ]
        more = max(0, len(self.titles) - STRIPS - SINGLES)
        return {"people": found[:STRIPS], "singles": found[STRIPS:], "more": more}

    def left_out(self) -> list[tuple[str, str, int, list[tuple[str, int, list[FacePicture], list[str]]]]]:
        """Title and meaning of each status, how often, and (reason, how often, examples, files) of each reason."""
        groups: defaultdict[str, defaultdict[str, list[LeftOut]]] = defaultdict(lambda: defaultdict(list))
        for row in (*lone_faces(self._store), *faceless_files(self._store)):
            groups[row.status][short(row.reason)].append(row)
        parts = []
        for status, by_reason in groups.items():
            reasons = []
            for reason, rows in sorted(by_reason.items(), key=lambda one: (-len(one[1]), one[0])):
                chosen = (rows[i] for i in spread(len(rows), EXAMPLES))
                seen = [face for face in map(self._example, chosen) if face.picture]
                # A file's own reason may say more than the group's.
                names = [row.file if row.reason == reason else f"{row.file}: {row.reason}" for row in rows[:FILES]]
                reasons.append((reason, len(rows), seen, [] if seen else names))
            parts.append((*STATUS[status], sum(count for _, count, _, _ in reasons), reasons))
        return sorted(parts, key=lambda part: (-part[2], part[0]))

    def _example(self, row: LeftOut) -> FacePicture:
        caption = f"{row.file}: {row.reason}"
        if row.status == "unreadable":
            return FacePicture("", caption)
        if row.face is not None:
            return self.face(row.face, caption)
        held = file_state(self._store, row.file_id)
        # A file that changed would show something else than what was looked at.
        gone = held is None or held.changed or held.file.is_recording
        return FacePicture("" if held is None or gone else self.pictures.whole(held.file), caption)

    def _best(self, person: int, *, but: int | None = None) -> FacePicture:
        """The best face of a person, and not the one that it is to be compared with, if there is another."""
        quality = self._qualities[person]
        best = max(reversed(quality), key=lambda face: (face != but, quality[face]))
        return self.face(best, self.titles[person])

    def least_sure(self) -> list[tuple[tuple[FacePicture, FacePicture], str, int]]:
        """The faces that are least sure, each beside one of its person, and how sure it is in per cent."""
        rows = unsure_faces(self._store)
        shown = islice((row for row in rows if row[1] in self.titles), LEAST_SURE)
        return [
            ((self.face(face), self._best(person, but=face)), f"with {self.titles[person]}", round(100 * chance))
            for face, person, chance in shown
        ]

    def similar(self, vectors_nd: F32, person_n: I64) -> dict[str, Any] | None:
        """How alike pairs are, and where the threshold is in the drawing."""
        if len(vectors_nd) < 2:
            return None
        threshold = single_face_threshold(self._store, person_n)
        line = None if threshold is None else across(threshold)
        return {"pairs": similarity(vectors_nd, person_n, threshold), "threshold": threshold, "line": line}

    def map(self, ids_n: I64, vectors_nd: F32, person_n: I64) -> dict[str, Any] | None:
        """Faces on a plane: (x, y, person, colour), 0 to 1000 both ways; captions and sheets in the same order."""
        if len(ids_n) < LEAST_ON_MAP:
            return None
        # By person, so that the sample takes its share of each.
        order = np.argsort(person_n, kind="stable")
        chosen = order[spread(len(order), ON_MAP)]
        at_n2 = (embedding_map(vectors_nd[chosen]) * 1000).round(1)
        ids, people = ids_n[chosen].tolist(), person_n[chosen].tolist()
        whose = [self.titles.get(person, "nobody's" if person == ALONE else "ignored") for person in people]
        return {
            "points": [
                (x, y, person, self.hues.get(person)) for (x, y), person in zip(at_n2.tolist(), people, strict=True)
            ],
            "captions": [f"{who} · {self._files.get(face, '')}" for who, face in zip(whose, ids, strict=True)],
            "sheets": self.pictures.sheets(ids),
            "total": len(ids_n),
        }

    def checked(self, evaluation: Evaluation) -> dict[str, Any]:
        """The library against labels: the worst mistakes, who was taken for whom, and what did not join."""
        mistakes, wrong = worst_mistakes(evaluation, most=MISTAKES)
        worst = [
            (one.label, one.size, f"{one.precision:.3f}", f"{one.recall:.3f}", confused(one))
            for one in found_worst(evaluation.people, WORST)
            if one.f1 < 1
        ]
        return {
            "evaluation": evaluation,
            "mistakes": [(*self._mistake(row), row["alike"]) for row in mistakes],
            "wrong": wrong,
            "matrix": count_confusions(evaluation, most=MATRIX) if wrong else None,
            "worst": worst,
            "notes": (*aside_rows(evaluation), *join_rows(evaluation)),
        }

    def _mistake(self, row: dict[str, Any]) -> tuple[list[FacePicture], str, str]:
        """The face and one of the person it was put with, who it is, and what became of it."""
        shown = [FacePicture("", row["file"]) if row["id"] is None else self.face(row["id"], row["file"])]
        if row["person"] in self._qualities:
            shown.append(self._best(row["person"]))
        if row["outcome"] == "left_out":
            verdict = f"left out: {STATUS[row['status']][0].lower()}"
        else:
            verdict = f"taken for {row['predicted']}" if row["predicted"] else "in a group of nobody's own"
        return shown, row["label"], verdict


def _best_of_parts(quality: dict[int, float], most: int) -> Iterable[int]:
    """At most so many faces, spread over all of them, each the best of its part."""
    faces, parts = list(quality), min(most, len(quality))
    bounds = [i * len(faces) // parts for i in range(parts + 1)]
    return (max(faces[low:high], key=quality.__getitem__) for low, high in pairwise(bounds))


def single_face_threshold(store: Store, person_n: I64) -> float | None:
    """The similarity that two single faces need to become a person; None where their number was given, or unknown."""
    settings = noted(store, GroupingSettings)
    if settings is None or settings.people is not None or not store.fact(SCALE):
        return None
    clusters = len(np.unique(person_n[person_n != ALONE])) + int(np.count_nonzero(person_n == ALONE))
    expected = settings.expected_false_merges
    threshold = FalseMergeThreshold(curve=library_curve(store), expected=expected, scale=known_scale(store))
    return threshold.cosine(1, 1, clusters=max(2, clusters))


def decisions_that_stand(store: Store) -> int:
    """How many things were said about people that were not undone."""
    return sum(Log.read(store.connection).active.values())


def how_made(store: Store) -> tuple[tuple[str, str], ...]:
    """Names and values: the library, its pictures, the networks and the settings."""
    sources = sorted(map(readable, sources_there(store)))
    rows = [("Library", str(store.folder.absolute())), ("Pictures and recordings from", ", ".join(sources))]
    classic, settings = store.recipe.startswith("classic"), noted(store, GroupingSettings)
    if classic:
        rows.append(("Method", f"the whole picture through VGG16 ({VGG16.licence}), then PCA and k-means"))
    else:
        rows.append(("Faces found by", f"{YUNET.name} ({YUNET.licence})"))
        model = model_of(store)
        rows.append(("Faces compared by", f"{model.name}, {model.dimension} numbers a face ({model.licence})"))
    if settings is not None:
        if not classic:  # which takes no notice of how sure a merge is
            expected = settings.expected_false_merges
            named = next((f"{name}: " for name, value in FALSE_MERGES.items() if value == expected), "")
            rows.append(("Grouped", f"{named}one person in {1 / expected:,.0f} may take in a stranger"))
        given = "found by unmingle" if settings.people is None else f"given: {settings.people:,}"
        rows.append(("Number of people", given))
        if not settings.co_occurrence:
            rows.append(("Faces of one picture", "may be one person"))
    count, _ = clusterings(store)
    rows += [("Times grouped", f"{count:,}"), ("Decisions by hand", f"{decisions_that_stand(store):,}")]
    return tuple(rows)
