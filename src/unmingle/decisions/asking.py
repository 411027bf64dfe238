"""Questions about a library's people, in its own terms, and what each answer means as a decision."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from unmingle import html as markup
from unmingle.decisions.service import Wish
from unmingle.decisions.wording import count, label
from unmingle.errors import LibraryError
from unmingle.grouping import questions as grouping
from unmingle.grouping.cluster import unit_rows
from unmingle.store.frame_names import FrameNames
from unmingle.store.frames import seen_frames
from unmingle.store.people import ALONE, Memory
from unmingle.store.pictures import faces_to_group
from unmingle.store.recordings import followed
from unmingle.store.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from unmingle.grouping.impostors import ImpostorCurve
    from unmingle.grouping.parts import Tree
    from unmingle.records import F32, I64
    from unmingle.store.pictures import StoredFaces
    from unmingle.store.sqlite import Store

Answer = Literal["same", "different", "unsure"]

# Faces of a side that are shown: half of them those most like the other side, which are the easiest to compare.
SHOWN = 9
# Nobody is asked who would have to answer more than a hundred such questions before one answer changes anything.
LEAST_CHANCE = 0.01


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a question.

    person: whose faces these are; None for faces that are alone.
    name:   what the person is called; empty for nobody.
    faces:  all of them, by row.
    show:   at most nine of them, to be looked at.
    """

    person: int | None
    name: str
    faces: tuple[int, ...] = field(repr=False)
    show: tuple[int, ...]


def _no_jpegs(faces: Sequence[int]) -> tuple[bytes, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Question:
    """Are the two sides one person?

    id:          the same for the same question, whenever it is worked out.
    kind:        see `grouping.questions.Question`.
    text:        the question, as a sentence.
    one:         the smaller side.
    other:       the larger side.
    probability: that they are one person, 0 to 1.
    settles:     faces whose place the answer settles.
    jpegs:       gives the pictures of faces, for a notebook; none where there is no library to ask.
    """

    id: str
    kind: grouping.Kind
    text: str
    one: Side
    other: Side
    probability: float
    settles: int
    jpegs: Callable[[Sequence[int]], tuple[bytes, ...]] = field(default=_no_jpegs, repr=False, compare=False)

    def _repr_html_(self) -> str:
        note = f"probability {self.probability:.2f}, settles {count(self.settles)}"
        parts = [markup.heading(self.text, note)]
        for side in (self.one, self.other):
            called = "nobody" if side.person is None else label(side.person, side.name)
            try:
                jpegs = self.jpegs(side.show)
            except LibraryError as error:  # it is gone since
                parts.append(markup.remark(error.problem))
                continue
            parts += [markup.heading(called, count(len(side.faces))), markup.faces(jpegs, of=called)]
        return markup.block(*parts)


def ask(
    store: Store,
    recipe: str,
    *,
    curve: ImpostorCurve,
    scale: float,
    most: int,
    trees: dict[bytes, Tree] | None = None,
) -> tuple[Question, ...]:
    """The questions most worth an answer, the most useful first.

    None that was answered before, none to which a frame or two names know the answer, and none of which the answer is
    all but certain; those that somebody was unsure about come last.

    Args:
        store: open for looking.
        recipe: whose faces.
        curve: how similar strangers are to the model.
        scale: how much wider they spread in this collection.
        most: how many at most.
        trees: kept between calls, see `grouping.questions.questions`.
    """
    memory = Memory.read(store.connection, recipe)
    faces = faces_to_group(store, recipe)
    person_n = memory.persons(faces.ids)
    shown = np.flatnonzero(~np.isin(person_n, list(memory.standing.ignored)))
    faces = faces.take(shown)
    person_n = person_n[shown]
    standing, rows = memory.standing, Rows(memory, faces)
    tracked = followed(store, recipe, faces)
    seen = seen_frames(store, faces, FrameNames.of(store), tracked.seen_k2)
    constraints = rows.constraints(seen, tracked.same_m2)
    different = np.concatenate([constraints.different_m2, rows.people(standing.different)])
    unsure = [rows.people(standing.unsure), rows.faces(standing.unsure_faces), rows.two_faces(standing.unsure_two)]
    found = grouping.questions(
        faces.vectors,
        person_n,
        curve=curve,
        scale=scale,
        constraints=replace(constraints, different_m2=different),
        asked_m2=np.concatenate(unsure),
        most=2 * most,
        trees=trees,
    )
    told = _Telling(memory, faces, person_n, unit_rows(faces.vectors))
    return tuple(told.question(one) for one in found if _worthwhile(one) and not told.both_named(one))[:most]


def _worthwhile(asked: grouping.Question) -> bool:
    return (1 - asked.probability if asked.together else asked.probability) >= LEAST_CHANCE


def wish(question: Question, answer: Answer) -> Wish:
    """What an answer decides."""
    one, other = question.one, question.other
    if other.person is None:  # two faces that are alone
        if answer == "same":
            return Wish("split", faces=(*one.faces, *other.faces))
        return Wish(answer, faces=(*one.show[:1], *other.show))
    together = question.kind in ("part", "face")
    if answer == "unsure":
        if together or one.person is None:
            return Wish("unsure", other.person, faces=one.show)
        return Wish("unsure", other.person, (one.person,))
    if together:
        return _about_a_part(question, answer)
    return _about_two(question, answer)


def _about_a_part(question: Question, answer: Answer) -> Wish:
    one, person = question.one, question.other.person
    if answer == "same":
        return Wish("assign", person, faces=one.show)
    return Wish("reject", person, faces=one.faces) if question.kind == "face" else Wish("split", faces=one.faces)


def _about_two(question: Question, answer: Answer) -> Wish:
    one, other = question.one, question.other
    if one.person is None:
        return Wish("assign" if answer == "same" else "reject", other.person, faces=one.faces)
    if answer == "different":
        return Wish("different", other.person, (one.person,))
    # Whoever has a name keeps it, and else the larger.
    kept, joined = (one, other) if one.name and not other.name else (other, one)
    assert joined.person is not None  # of two people
    return Wish("merge", kept.person, (joined.person,))


@dataclass(frozen=True, slots=True, eq=False)
class _Telling:
    """Puts questions about rows into the library's terms."""

    memory: Memory
    faces: StoredFaces
    person_n: I64
    unit_nd: F32

    def question(self, asked: grouping.Question) -> Question:
        one, other = self._side(asked.one, asked.other), self._side(asked.other, asked.one)
        known = f"{asked.kind} {sorted(one.faces)} {sorted(other.faces)}"
        name = hashlib.sha256(known.encode()).hexdigest()[:16]
        text = _text(asked.kind, one, other)
        return Question(name, asked.kind, text, one, other, round(asked.probability, 4), asked.settles)

    def both_named(self, asked: grouping.Question) -> bool:
        """Whether the sides are people to whom somebody gave different names."""
        one, other = (self._person(rows) for rows in (asked.one, asked.other))
        names = self.memory.standing.names
        return one != other and bool(names.get(one, "")) and bool(names.get(other, ""))

    def _person(self, rows: I64) -> int:
        return int(self.person_n[rows[0]])

    def _side(self, rows: I64, others: I64) -> Side:
        person = self._person(rows)
        name = self.memory.standing.names.get(person, "")
        every, show = (self.faces.ids[of].tolist() for of in (rows, self._shown(rows, others)))
        return Side(None if person == ALONE else person, name, tuple(every), tuple(show))

    def _shown(self, rows: I64, others: I64) -> I64:
        """Those most like the other side and those most like their own, in turns."""
        if len(rows) <= SHOWN:
            return rows
        near, typical = (
            np.argsort(-(self.unit_nd[rows] @ self.unit_nd[side].mean(axis=0)), kind="stable")
            for side in (others, rows)
        )
        turns = np.stack([near, typical], axis=1).ravel()
        _, first = np.unique(turns, return_index=True)
        return rows[turns[np.sort(first)][:SHOWN]]


def _text(kind: grouping.Kind, one: Side, other: Side) -> str:
    if other.person is None:
        return "Are these two one person?"
    called = label(other.person, other.name)
    if kind == "part":
        return f"Are these {called} too?"
    if kind == "face" or one.person is None:
        return f"Is this {called}?"
    return f"Are {label(one.person, one.name)} and {called} one person?"
