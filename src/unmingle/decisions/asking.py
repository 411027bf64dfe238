"""Questions about a library's people, in its own terms, and what each answer means as a decision."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from unmingle import html
from unmingle.decisions.assignment import DecidedFaces
from unmingle.decisions.kinds import Assign, Command, Different, Merge, Reject, Split, Unsure
from unmingle.decisions.references import label
from unmingle.decisions.state import State
from unmingle.errors import LibraryError
from unmingle.grouping import suggestions
from unmingle.grouping.clusters import unit_rows
from unmingle.grouping.split_candidates import Branches
from unmingle.records import F32, I64
from unmingle.store.face_rows import ALONE, StoredFaces, faces_to_group
from unmingle.store.facts import known_scale, library_curve
from unmingle.store.frame_names import FrameNames, seen_frames
from unmingle.store.sightings import followed
from unmingle.store.sqlite import Store
from unmingle.text_layout import counted

Answer = Literal["same", "different", "unsure"]

# Faces of a side that are shown: half of them those most like the other side, which are the easiest to compare.
SHOWN = 9
# Nobody is asked who would have to answer more than a hundred such questions before one answer changes anything.
LEAST_CHANCE = 0.01


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a question."""

    person: int | None  # whose faces these are; None for faces that are alone.
    name: str  # what the person is called; empty for nobody.
    faces: tuple[int, ...] = field(repr=False)  # all of them, by row.
    show: tuple[int, ...]  # at most nine of them, to be looked at.


@dataclass(frozen=True, slots=True)
class Question:
    """Are the two sides one person?

    jpegs: gives the pictures of faces, for a notebook; none where there is no library to ask.
    """

    id: str  # the same for the same question, whenever it is worked out.
    kind: suggestions.Kind  # see `grouping.suggestions.Suggestion`.
    text: str  # the question, as a sentence.
    one: Side  # the smaller side.
    other: Side  # the larger side.
    probability: float  # that they are one person, 0 to 1.
    settles: int  # faces whose place the answer settles.
    jpegs: Callable[[Sequence[int]], tuple[bytes, ...]] = field(default=lambda faces: (), repr=False, compare=False)

    def _repr_html_(self) -> str:
        note = f"probability {self.probability:.2f}, settles {counted(self.settles, 'face')}"
        parts = [html.heading(self.text, note)]
        for side in (self.one, self.other):
            called = "nobody" if side.person is None else label(side.person, side.name)
            try:
                jpegs = self.jpegs(side.show)
            except LibraryError as error:  # it is gone since
                parts.append(html.remark(error.problem))
                continue
            parts += [html.heading(called, counted(len(side.faces), "face")), html.faces(jpegs, of=called)]
        return html.block(*parts)


def ask(store: Store, *, most: int, trees: dict[bytes, Branches] | None = None) -> tuple[Question, ...]:
    """The questions most worth an answer, the most useful first; those that somebody was unsure about come last.

    None that was answered before, none to which a frame or two names know the answer, and none of which the answer is
    all but certain.
    """
    curve, scale = library_curve(store), known_scale(store)
    state = State.read(store)
    faces, said = faces_to_group(store), state.projection
    person_n = state.persons(faces.ids)
    shown = np.flatnonzero(~np.isin(person_n, list(said.ignored)))
    faces, person_n = faces.take(shown), person_n[shown]
    decided, (recorded_k2, same_m2) = DecidedFaces(state, faces), followed(store, faces)
    seen = seen_frames(store, faces, FrameNames.of(store), recorded_k2)
    constraints = decided.constraints(seen, same_m2)
    different = np.concatenate([constraints.different_m2, decided.people(said.different)])
    unsure = [
        decided.people(said.unsure),
        decided.faces_and_people(said.unsure_faces),
        decided.two_faces(said.unsure_two),
    ]
    found = suggestions.suggest(
        faces.vectors,
        person_n,
        curve=curve,
        scale=scale,
        constraints=replace(constraints, different_m2=different),
        asked_m2=np.concatenate(unsure),
        most=2 * most,
        trees=trees,
    )
    names, unit_nd = said.names, unit_rows(faces.vectors)
    asked = []
    for one in found:
        sides = [int(person_n[rows[0]]) for rows in (one.one, one.other)]
        both_named = sides[0] != sides[1] and all(names.get(person, "") for person in sides)
        if not both_named and (1 - one.probability if one.together else one.probability) >= LEAST_CHANCE:
            asked.append(_question(one, faces, unit_nd, sides, names))
    return tuple(asked[:most])


def _question(
    asked: suggestions.Suggestion, faces: StoredFaces, unit_nd: F32, people: Sequence[int], names: dict[int, str]
) -> Question:
    sides = []
    for person, rows, others in zip(people, (asked.one, asked.other), (asked.other, asked.one), strict=True):
        every, show = (faces.ids[of].tolist() for of in (rows, _shown(unit_nd, rows, others)))
        whose = None if person == ALONE else person
        sides.append(Side(whose, names.get(person, ""), tuple(every), tuple(show)))
    one, other = sides
    known = f"{asked.kind} {sorted(one.faces)} {sorted(other.faces)}"
    name = hashlib.sha256(known.encode()).hexdigest()[:16]
    return Question(
        name, asked.kind, _text(asked.kind, one, other), one, other, round(asked.probability, 4), asked.settles
    )


def _shown(unit_nd: F32, rows: I64, others: I64) -> I64:
    """Those most like the other side and those most like their own, in turns."""
    if len(rows) <= SHOWN:
        return rows
    ranked = [np.argsort(-(unit_nd[rows] @ unit_nd[of].mean(axis=0)), kind="stable") for of in (others, rows)]
    turns = np.stack(ranked, axis=1).ravel()
    _, first = np.unique(turns, return_index=True)
    return rows[turns[np.sort(first)][:SHOWN]]


def _text(kind: suggestions.Kind, one: Side, other: Side) -> str:
    if other.person is None:
        return "Are these two one person?"
    called = label(other.person, other.name)
    if kind == "part":
        return f"Are these {called} too?"
    if kind == "face" or one.person is None:
        return f"Is this {called}?"
    return f"Are {label(one.person, one.name)} and {called} one person?"


def answer_command(question: Question, answer: Answer) -> Command:
    """What an answer decides."""
    one, other = question.one, question.other
    together = question.kind in ("part", "face")
    if other.person is None:  # two faces that are alone
        if answer == "same":
            return Split(faces=(*one.faces, *other.faces))
        return (Different if answer == "different" else Unsure)(faces=(*one.show[:1], *other.show))
    if together or one.person is None:
        if answer == "unsure":
            return Unsure(other.person, faces=one.show)
        if answer == "same":
            return Assign(other.person, faces=one.show if together else one.faces)
        return Split(faces=one.faces) if question.kind == "part" else Reject(other.person, faces=one.faces)
    if answer != "same":
        return (Different if answer == "different" else Unsure)(other.person, (one.person,))
    # Whoever has a name keeps it, and else the larger.
    if one.name and not other.name:
        return Merge(one.person, (other.person,))
    return Merge(other.person, (one.person,))
