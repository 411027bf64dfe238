"""A grouping meets the library: what decisions demand of it, and how its clusters become people that keep their ids."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from unmingle.decisions import journal
from unmingle.decisions.kinds import Clustered
from unmingle.decisions.log import Projection, append, last_id
from unmingle.decisions.state import Assignment, State
from unmingle.grouping.constraints import Constraints
from unmingle.records import F64, I64
from unmingle.store.face_rows import ALONE, StoredFaces, counterparts, grouped_faces, look_up, persons_now
from unmingle.store.file_rows import keep_previous
from unmingle.store.result_tables import keep_tally
from unmingle.store.sqlite import Store, insert
from unmingle.text_layout import counted


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What a grouping found out about n faces in k clusters."""

    labels_n: I64  # cluster of each face, 0 … k-1, or ALONE
    cohesion_k: F64  # 0 to 1
    likeness_n: F64  # cosine of each face to the mean of its cluster
    probability_n: F64 | None = None  # that each face belongs to its person; None where that is not known


class DecidedFaces:
    """What is decided of n faces that are to be grouped, by their positions."""

    def __init__(self, state: State, faces: StoredFaces) -> None:
        self._projection = state.projection
        row_of = {face: row for row, face in enumerate(faces.ids.tolist())}
        self._row_of = {region: row_of[face] for region, face in state.face_of.items() if face in row_of}
        self._count = len(row_of)
        self.person_of: dict[int, int] = {}  # the person that a face stands for
        self.faces_of: dict[int, list[int]] = {}  # those faces, in the order in which decisions first named them
        for region, person in sorted(state.projection.person_of.items()):
            row = self._row_of.get(region)
            if row is not None and row not in self.person_of:
                self.person_of[row] = person
                self.faces_of.setdefault(person, []).append(row)

    def constraints(self, seen_k2: I64, tracked_m2: I64) -> Constraints:
        """What must hold, with the frames in which faces were seen (see `Constraints`), and pairs of one track.

        The faces that stand for a person are one person, those that are barred from somebody are different from them,
        and people of whom decisions speak are all different: they become one only when somebody says so. Faces of one
        track are one person as well, as far as no decision says otherwise.
        """
        same = _pairs(pair for rows in self.faces_of.values() for pair in pairwise(rows))
        apart = _pairs((rows[0], 0) for rows in self.faces_of.values())
        barred, two = self.faces_and_people(self._projection.barred), self.two_faces(self._projection.two_faces)
        different = np.unique(np.concatenate([barred, two]), axis=0)
        decided = Constraints(self._count, seen_k2, same, different, apart)
        torn = decided.torn_by(tracked_m2)[tracked_m2[:, 0]]
        return decided.with_same(tracked_m2[~torn])

    def people(self, pairs: Iterable[tuple[int, int]]) -> I64:
        """(m, 2) for pairs of people, each by a face that stands for them."""
        there = self.faces_of
        return _pairs((there[one][0], there[other][0]) for one, other in pairs if one in there and other in there)

    def faces_and_people(self, pairs: Iterable[tuple[int, int]]) -> I64:
        """(m, 2) for pairs of a face region and a person whom it does not stand for."""
        there = [(self._row_of[region], person) for region, person in pairs if region in self._row_of]
        return _pairs(
            (row, self.faces_of[person][0])
            for row, person in there
            if person in self.faces_of and self.person_of.get(row) != person
        )

    def two_faces(self, pairs: Iterable[tuple[int, int]]) -> I64:
        """(m, 2) for pairs of face regions."""
        row = self._row_of
        return _pairs((row[one], row[other]) for one, other in pairs if one in row and other in row)

    def claims(self, labels_n: I64) -> tuple[dict[int, int], set[int]]:
        """The person of each cluster that decisions speak of, by the faces that stand for them; and all such people."""
        votes = Counter((int(labels_n[row]), who) for row, who in self.person_of.items() if labels_n[row] != ALONE)
        claimed: dict[int, int] = {}
        # Somebody with a name before somebody without: a name never moves.
        names = self._projection.names
        order = sorted(votes.items(), key=lambda item: (not names.get(item[0][1]), -item[1], item[0]))
        for (cluster, person), _ in order:
            if cluster not in claimed and person not in claimed.values():
                claimed[cluster] = person
        return claimed, {person for _, person in votes}


def _pairs(pairs: Iterable[tuple[int, int]]) -> I64:
    return np.array(sorted(pairs), np.int64).reshape(-1, 2)


def keep_ids(overlaps: Counter[tuple[int, int]], claimed: dict[int, int], reserved: Collection[int]) -> dict[int, int]:
    """The person that each new cluster continues, one to one, by how many faces they share, the most first.

    Of two clusters that a person split into, the larger keeps the id; of two people that merged, the larger part names
    the whole. Decisions settle whose the `claimed` clusters are; the ids of `reserved` people are given by that only.
    """
    kept = dict(claimed)
    taken = {*kept.values(), *reserved}
    for (cluster, person), _ in sorted(overlaps.items(), key=lambda item: (-item[1], item[0])):
        if cluster not in kept and person not in taken:
            kept[cluster] = person
            taken.add(person)
    return kept


def store_assignment(
    store: Store, faces: StoredFaces, measured: Measured, heeded: State, *, others_m: I64 | None = None
) -> None:
    """Make the clusters of a grouping the library's people, keeping ids where people continue; all in one step.

    Decisions made meanwhile are heard as well. others_m: faces that were not grouped again and stay whose they are.
    """
    labels_n = measured.labels_n
    claimed, decided = DecidedFaces(heeded, faces).claims(labels_n)
    with store.transaction() as connection:
        carried = _carry_over(store, heeded.projection)
        keep_previous(store)
        before_n = persons_now(connection, faces.ids) if carried else heeded.persons(faces.ids)
        before_n = _come_back(connection, faces.ids, before_n, heeded.projection)
        both = (labels_n != ALONE) & (before_n != ALONE)
        overlaps = Counter(zip(labels_n[both].tolist(), before_n[both].tolist(), strict=True))
        ids = keep_ids(overlaps, claimed, decided)
        number = last_id(connection) + 1
        grouped = np.flatnonzero(labels_n != ALONE)
        sizes = np.bincount(labels_n[grouped], faces.files[grouped])
        for cluster in np.argsort(-sizes, kind="stable").tolist():  # as tables list them
            if sizes[cluster] and cluster not in ids:
                ids[cluster] = insert(connection, "person", since=number)
        persons_n = np.array([ids.get(label, ALONE) for label in labels_n.tolist()], np.int64)
        sure_n = measured.probability_n
        columns = (
            faces.ids[grouped].tolist(),
            persons_n[grouped].tolist(),
            [None] * len(grouped) if sure_n is None else sure_n[grouped].tolist(),
            measured.likeness_n[grouped].tolist(),
        )
        stay_m = np.zeros(0, np.int64) if others_m is None else others_m[heeded.persons(others_m) != ALONE]
        _propose(connection, columns, stay_m, heeded)
        connection.executemany(
            "UPDATE person SET cohesion = ? WHERE id = ?",
            [(float(measured.cohesion_k[cluster]), person) for cluster, person in ids.items()],
        )
        state = State.read(store)
        every_n = np.concatenate([faces.ids[grouped], stay_m])
        order = np.argsort(every_n)
        every_person_n = np.concatenate([persons_n[grouped], heeded.persons(stay_m)])
        state.assignment = Assignment(number, heeded.log.last, every_n[order], every_person_n[order])
        moved = state.write()
        connection.execute(
            "UPDATE member SET (probability, likeness) ="
            " (SELECT probability, likeness FROM proposal WHERE face = member.face)"
            + ("" if others_m is None else " WHERE face IN (SELECT value FROM json_each(?))"),
            () if others_m is None else (str(faces.ids.tolist()),),
        )
        people = set(state.person_n.tolist()) - {ALONE}
        words = f"Grouped the faces: {counted(len(people), 'person', 'people')}"
        again = [step for step in moved if step[1] is not None]
        entry = append(connection, Clustered(target=heeded.log.last), "rule", words, moved=again)
        assert entry.id == number  # nobody else writes within this transaction
        connection.execute(
            "INSERT INTO clustering (id, made, decisions, recipe) VALUES (?, ?, ?, ?)",
            (entry.id, entry.made, heeded.log.last, store.recipe),
        )
        keep_tally(store)
        known_n = grouped_faces(connection)
        seen_n = faces.ids if others_m is None else np.append(faces.ids, others_m)
        gone, came = known_n[~np.isin(known_n, seen_n)], seen_n[~np.isin(seen_n, known_n)]
        connection.executemany("DELETE FROM grouped WHERE face = ?", gone[:, None].tolist())
        connection.executemany("INSERT INTO grouped (face) VALUES (?)", came[:, None].tolist())
        journal.append(store)


def _propose(connection: sqlite3.Connection, columns: tuple[list[Any], ...], stay_m: I64, heeded: State) -> None:
    """Store the people of a grouping: of faces, as columns, and of those that stay whose they are."""
    before = heeded.assignment
    kept_m = stay_m[look_up(before.faces_n, before.person_n, stay_m) == heeded.persons(stay_m)]
    if len(kept_m):
        gone = before.faces_n[~np.isin(before.faces_n, kept_m)]
        connection.execute("DELETE FROM proposal WHERE face IN (SELECT value FROM json_each(?))", (str(gone.tolist()),))
    else:
        connection.execute("DELETE FROM proposal")
    connection.executemany(
        "INSERT INTO proposal (face, person, probability, likeness) VALUES (?, ?, ?, ?)", zip(*columns, strict=True)
    )
    connection.execute(
        "INSERT INTO proposal SELECT face, person, probability, likeness FROM json_each(?) JOIN member ON face = value",
        (str(stay_m[~np.isin(stay_m, kept_m)].tolist()),),
    )


def _carry_over(store: Store, projection: Projection) -> bool:
    """Bring members in line with the recipe's faces, by place; whether another was the library's before."""
    connection = store.connection
    query = "SELECT face, person, decided, since FROM face_row WHERE person IS NOT NULL AND recipe != ?"
    rows = connection.execute(query, (store.recipe,)).fetchall()
    if not rows:
        return False
    face_of = counterparts(store, [row[0] for row in rows])
    carried = {face_of[face]: rest for face, *rest in rows if face in face_of}
    query = (
        "SELECT former.face, former.person FROM former JOIN face_row ON face_row.face = former.face WHERE recipe = ?"
    )
    for face, person in connection.execute(query, (store.recipe,)).fetchall():  # theirs when the recipe was last in use
        _, decided, since = carried.get(face, (person, 0, 0))
        carried[face] = [projection.now(person), decided, since]
    connection.execute(
        "DELETE FROM former WHERE face IN (SELECT face FROM face_row"
        " WHERE recipe IN (SELECT recipe FROM face_row WHERE person IS NOT NULL))"
    )
    connection.executemany("INSERT INTO former (face, person) VALUES (?, ?)", [row[:2] for row in rows])
    connection.executemany("DELETE FROM member WHERE face = ?", [row[:1] for row in rows])
    connection.executemany(
        "INSERT OR REPLACE INTO member (face, person, decided, since) VALUES (?, ?, ?, ?)",
        [(face, *rest) for face, rest in carried.items()],
    )
    return True


def _come_back(connection: sqlite3.Connection, faces_n: I64, before_n: I64, projection: Projection) -> I64:
    """(n,) whose each face was; of those that were away for a while, whose they were then."""
    former = dict(connection.execute("SELECT face, person FROM former"))
    away = np.flatnonzero(before_n == ALONE) if former else np.zeros(0, np.int64)
    found = before_n.copy()
    found[away] = [projection.now(former.get(face, ALONE)) for face in faces_n[away].tolist()]
    connection.executemany(
        "DELETE FROM former WHERE face = ?", [(face,) for face in faces_n.tolist() if face in former]
    )
    return found
