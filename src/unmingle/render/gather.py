"""What a report tells of a library, worked out and put into words; the templates only lay it out."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from unmingle.decisions.wording import label
from unmingle.evaluation.mistakes import count_confusions, worst_mistakes
from unmingle.evaluation.report import aside_rows, join_rows
from unmingle.evaluation.scores import found_worst
from unmingle.render.captions import clock
from unmingle.render.drawing import axis, bars, hills, size_bands
from unmingle.render.gallery import spread
from unmingle.render.parts import (
    STATUS,
    Checked,
    Doubt,
    Face,
    Found,
    LeftOutPart,
    Map,
    Person,
    Point,
    Reason,
    Recording,
    Report,
    Row,
    Span,
    Wrong,
)
from unmingle.render.plane import LEAST, plane
from unmingle.render.similarity import similarity
from unmingle.store.browse import UNSURE
from unmingle.store.face_rows import ALONE, faces_to_group, persons_now
from unmingle.store.held import HELD, HeldFile
from unmingle.store.left_out import faceless_files, lone_faces, short
from unmingle.store.tables import faces_table, people_table, tiles
from unmingle.store.timeline import count_recordings, timelines

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from unmingle.decisions.asking import Question
    from unmingle.evaluation.scores import Evaluation
    from unmingle.progress import Progress
    from unmingle.records import F32, I64, Status
    from unmingle.render.drawing import Bar
    from unmingle.render.pictures import Pictures
    from unmingle.store.left_out import LeftOut
    from unmingle.store.sqlite import Store
    from unmingle.store.tables import Tile
    from unmingle.store.timeline import OnScreen, Timeline

STRIP = 10  # faces that stand for a person
STRIPS = 60  # people with a strip of faces; the next have one face each
SINGLES = 600
ONE_BY_ONE = 30  # people whose sizes are drawn one by one
EXAMPLES = 12  # of what was left out for one reason
FILES = 40  # names of files that can't be read
DOUBTS = 24  # faces that are least sure
ON_MAP = 2000  # faces
MISTAKES = 48
MATRIX = 16  # people whose confusions fit on a page
WORST = 12


class Gatherer:
    """Gathers a report of one library.

    Args:
        store: open for looking.
        recipe: whose faces.
        pictures: of the same library.
        progress: told of each part.
    """

    def __init__(self, store: Store, recipe: str, pictures: Pictures, progress: Progress) -> None:
        self._store, self._recipe, self._pictures, self._progress = store, recipe, pictures, progress
        self._faces = faces_table(store, recipe)
        self._people = people_table(self._faces, store)
        self._tiles = tiles(store, recipe)
        self._titles = {
            person: label(person, name) for person, name in self._people.select("person", "name").iter_rows()
        }
        # Neighbours in this order get colours far apart: the golden angle.
        self._hues = {person: round(i * 137.508) % 360 for i, person in enumerate(self._people["person"].to_list())}
        shown = self._faces.drop_nulls("id").unique("id", keep="first", maintain_order=True)
        self._files = dict(shown.select("id", "file").iter_rows())

    def report(self, *, line: float | None, questions: Sequence[Question], evaluation: Evaluation | None) -> Report:
        """Gather everything.

        Args:
            line: the similarity that two single faces need; None where there is no such bar.
            questions: those most worth an answer; see `Library.questions`.
            evaluation: of the same library.
        """
        parts = 6
        stored = faces_to_group(self._store, self._recipe)
        person_n = persons_now(self._store.connection, stored.ids)
        found_pairs = similarity(stored.vectors, person_n, line) if len(stored.ids) > 1 else None
        self._progress("write", 1, parts)
        faces_map = self._map(stored.ids, stored.vectors, person_n)
        self._progress("write", 2, parts)
        people = self._strips()
        self._progress("write", 3, parts)
        left_out = self._left_out()
        self._progress("write", 4, parts)
        checked = None if evaluation is None else self._checked(evaluation)
        self._progress("write", 5, parts)
        sizes, by_band = self._sizes()
        report = Report(
            found=self._found(),
            people=people[:STRIPS],
            singles=people[STRIPS:],
            more_people=max(0, len(self._titles) - STRIPS - SINGLES),
            sizes=sizes,
            by_band=by_band,
            left_out=left_out,
            questions=self._questions(questions),
            doubts=self._doubts(),
            similarity=found_pairs,
            hills=None if found_pairs is None else hills(found_pairs),
            map=faces_map,
            recordings=tuple(self._recording(one) for one in timelines(self._store, self._recipe)),
            checked=checked,
        )
        self._progress("write", parts, parts)
        return report

    def _found(self) -> Found:
        faces = self._faces
        return Found(
            files=faces.select("source", "file").n_unique(),
            faces=int(faces["face"].is_not_null().sum()),
            people=len(self._titles),
            named=int((self._people["name"].fill_null("") != "").sum()),
            sorted=int(faces["person"].is_not_null().sum()),
            recordings=count_recordings(self._store, self._recipe),
        )

    def _face(self, face: int, caption: str = "") -> Face:
        return Face(self._pictures.face(face), caption or self._files.get(face, ""))

    def _strips(self) -> tuple[Person, ...]:
        # Those whose probability is not known are not unsure.
        query = "SELECT person, count(*) FROM member WHERE probability < ? AND NOT decided GROUP BY person"
        unsure = dict(self._store.connection.execute(query, (UNSURE,)).fetchall())
        rows = self._people.head(STRIPS + SINGLES).select("person", "faces").iter_rows()
        return tuple(
            Person(
                person,
                self._titles[person],
                faces,
                tuple(map(self._face, _best_of_parts(self._tiles[person], STRIP if i < STRIPS else 1))),
                unsure.get(person, 0),
            )
            for i, (person, faces) in enumerate(rows)
        )

    def _sizes(self) -> tuple[tuple[Bar, ...], bool]:
        counts = self._people["faces"].to_list()
        if len(counts) > ONE_BY_ONE:
            return bars(size_bands(counts)), True
        return bars(zip(self._titles.values(), counts, strict=True)), False

    def _left_out(self) -> tuple[LeftOutPart, ...]:
        groups: dict[Status, dict[str, list[LeftOut]]] = {}
        for row in (*lone_faces(self._store, self._recipe), *faceless_files(self._store, self._recipe)):
            groups.setdefault(row.status, {}).setdefault(short(row.reason), []).append(row)
        parts = [self._left_out_part(status, reasons) for status, reasons in groups.items()]
        return tuple(sorted(parts, key=lambda part: (-part.count, part.title)))

    def _left_out_part(self, status: Status, reasons: dict[str, list[LeftOut]]) -> LeftOutPart:
        order = sorted(reasons, key=lambda reason: (-len(reasons[reason]), reason))
        found = tuple(self._reason(reason, reasons[reason]) for reason in order)
        return LeftOutPart(status, *STATUS[status], sum(reason.count for reason in found), found)

    def _reason(self, reason: str, rows: Sequence[LeftOut]) -> Reason:
        chosen = (rows[i] for i in spread(len(rows), EXAMPLES))
        seen = tuple(face for face in map(self._example, chosen) if face.picture)
        names = () if seen else tuple(_named(row, reason) for row in rows[:FILES])
        return Reason(reason, len(rows), seen, names)

    def _example(self, row: LeftOut) -> Face:
        caption = f"{row.file}: {row.reason}"
        if row.status == "unreadable":
            return Face("", caption)
        if row.face is not None:
            return self._face(row.face, caption)
        query = f"SELECT {HELD} FROM file JOIN source ON source.id = file.source WHERE file.id = ?"
        held = HeldFile.of(self._store.connection.execute(query, (row.file_id,)).fetchone())
        # A file that changed would show something else than what was looked at.
        return Face("" if held.changed or held.file.is_recording else self._pictures.whole(held.file), caption)

    def _questions(self, questions: Sequence[Question]) -> tuple[Doubt, ...]:
        return tuple(
            Doubt(self._face(one.one.show[0]), self._face(one.other.show[0]), one.text, round(100 * one.probability))
            for one in questions
        )

    def _best(self, person: int, *, but: int | None = None) -> Face:
        """The best face of a person, and not the one that it is to be compared with, if there is another."""
        faces = sorted(self._tiles[person], key=lambda tile: tile.quality)
        others = [tile.face for tile in faces if tile.face != but] or [tile.face for tile in faces]
        return self._face(others[-1], self._titles[person])

    def _doubts(self) -> tuple[Doubt, ...]:
        query = (
            "SELECT member.face, member.person, member.probability FROM member JOIN face ON face.id = member.face"
            " JOIN analysis ON analysis.id = face.analysis AND analysis.recipe = ?"
            " WHERE probability < ? AND NOT decided AND EXISTS"
            " (SELECT 1 FROM file WHERE file.digest = analysis.content AND file.present = 1)"
            " ORDER BY probability, member.face"
        )
        found: list[Doubt] = []
        for face, person, chance in self._store.connection.execute(query, (self._recipe, UNSURE)):
            if len(found) == DOUBTS:
                break
            if person in self._titles:
                title = self._titles[person]
                found.append(
                    Doubt(self._face(face), self._best(person, but=face), f"with {title}", round(100 * chance))
                )
        return tuple(found)

    def _map(self, ids_n: I64, vectors_nd: F32, person_n: I64) -> Map | None:
        if len(ids_n) < LEAST:
            return None
        # By person, so that the sample takes its share of each.
        order = np.argsort(person_n, kind="stable")
        chosen = order[spread(len(order), ON_MAP)]
        at_n2 = plane(vectors_nd[chosen]) * 1000
        points = []
        for face, person, (x, y) in zip(
            ids_n[chosen].tolist(), person_n[chosen].tolist(), at_n2.round(1).tolist(), strict=True
        ):
            title = "nobody's" if person == ALONE else self._titles.get(person, "ignored")
            whose = person if person in self._hues else None
            caption = f"{title} · {self._files.get(face, '')}"
            points.append(Point(x, y, whose, None if whose is None else self._hues[whose], caption))
        return Map(tuple(points), self._pictures.sheets(ids_n[chosen].tolist()), len(ids_n))

    def _recording(self, one: Timeline) -> Recording:
        rows = tuple(self._row(person, one.duration) for person in one.people)
        return Recording(one.file, clock(one.duration), rows, axis(one.duration))

    def _row(self, one: OnScreen, duration: float) -> Row:
        spans = tuple(
            Span(
                round(100 * time.start / duration, 3),
                round(100 * (time.end - time.start) / duration, 3),
                f"{clock(time.start)} to {clock(time.end)}",
            )
            for time in one.intervals
        )
        title, hue = label(one.person, one.name), self._hues.get(one.person, 0)
        return Row(title, self._pictures.face(one.face), clock(one.seconds), hue, spans)

    def _checked(self, evaluation: Evaluation) -> Checked:
        mistakes, wrong = worst_mistakes(evaluation, most=MISTAKES)
        counts = count_confusions(evaluation, most=MATRIX)
        worst = found_worst(evaluation.people, WORST)
        return Checked(
            evaluation,
            tuple(self._wrong(mistake.row, mistake.alike) for mistake in mistakes),
            wrong,
            counts if wrong else None,
            tuple(
                (
                    one.label,
                    one.size,
                    one.precision,
                    one.recall,
                    ", ".join(f"{who} ({n})" for who, n in one.confused_with),
                )
                for one in worst
                if one.f1 < 1
            ),
            (*aside_rows(evaluation), *join_rows(evaluation)),
        )

    def _wrong(self, row: dict[str, object], alike: int) -> Wrong:
        face, person = row["id"], row["person"]
        shown = Face("", str(row["file"])) if not isinstance(face, int) else self._face(face, str(row["file"]))
        there = isinstance(person, int) and person in self._tiles
        taken_for = self._best(person).picture if there and isinstance(person, int) else ""
        if row["outcome"] == "left_out":
            verdict = f"left out: {STATUS[str(row['status'])][0].lower()}"
        elif row["predicted"] is None:
            verdict = "in a group of nobody's own"
        else:
            verdict = f"taken for {row['predicted']}"
        return Wrong(shown, taken_for, str(row["label"]), verdict, alike)


def _named(row: LeftOut, reason: str) -> str:
    """A file, and its own reason where that says more than the group's."""
    return row.file if row.reason == reason else f"{row.file}: {row.reason}"


def _best_of_parts(faces: Sequence[Tile], most: int) -> Iterable[int]:
    """At most so many faces, spread over all of them, each the best of its part."""
    parts = min(most, len(faces))
    bounds = [i * len(faces) // parts for i in range(parts + 1)]
    return (max(faces[low:high], key=lambda tile: tile.quality).face for low, high in pairwise(bounds))
