"""A grouping meets the library: how its clusters become people that keep their ids."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unmingle.decisions.log import Changed, Said, append, last_id
from unmingle.store.files import keep_former
from unmingle.store.people import (
    ALONE,
    Memory,
    Proposal,
    note_moved,
    persons_now,
    refresh_marks,
    refresh_persons,
    store_members,
)
from unmingle.store.rows import Rows
from unmingle.store.switching import carry_over

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection

    from unmingle.records import F64, I64
    from unmingle.store.pictures import StoredFaces
    from unmingle.store.sqlite import Store


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What a grouping found out about n faces in k clusters.

    labels_n:      (n,) cluster of each face, 0 … k-1, or ALONE.
    cohesion_k:    (k,) of each cluster, 0 to 1.
    likeness_n:    (n,) cosine of each face to the mean of its cluster.
    probability_n: (n,) that each face belongs to its person; None where that is not known.
    """

    labels_n: I64
    cohesion_k: F64
    likeness_n: F64
    probability_n: F64 | None = None


def keep_ids(
    labels_n: I64, before_n: I64, claimed: dict[int, int] | None = None, *, reserved: Collection[int] = ()
) -> dict[int, int]:
    """Match new clusters to the people of the last clustering, one to one, largest overlap first.

    Args:
        labels_n: (n,) new cluster of each face, or ALONE.
        before_n: (n,) person that the face had, or ALONE.
        claimed: clusters whose person is settled by decisions, and that person.
        reserved: people whose ids are given by such claims only.

    Returns:
        For each new cluster that continues a person, that person's id. Of two clusters that a person split into, the
        larger keeps the id; of two people that merged, the larger part names the whole.
    """
    both = (labels_n != ALONE) & (before_n != ALONE)
    overlaps = Counter(zip(labels_n[both].tolist(), before_n[both].tolist(), strict=True))
    kept = dict(claimed or {})
    taken = {*kept.values(), *reserved}
    for (cluster, person), _ in sorted(overlaps.items(), key=lambda item: (-item[1], item[0])):
        if cluster not in kept and person not in taken:
            kept[cluster] = person
            taken.add(person)
    return kept


def _claims(rows: Rows, names: dict[int, str], labels_n: I64) -> tuple[dict[int, int], set[int]]:
    """Which cluster each person of whom decisions speak has, by the faces that stand for them; and all such people."""
    votes = Counter((int(labels_n[row]), person) for row, person in rows.person_of.items() if labels_n[row] != ALONE)
    claimed: dict[int, int] = {}
    # Somebody with a name before somebody without: a name never moves.
    order = sorted(votes.items(), key=lambda item: (not names.get(item[0][1]), -item[1], item[0]))
    for (cluster, person), _ in order:
        if cluster not in claimed and person not in claimed.values():
            claimed[cluster] = person
    return claimed, {person for _, person in votes}


def _largest_first(labels_n: I64, files_n: I64) -> list[int]:
    """The clusters by the number of files that show them, so that new people are numbered as tables list them."""
    grouped = labels_n != ALONE
    sizes = np.bincount(labels_n[grouped], files_n[grouped])
    return [cluster for cluster in np.argsort(-sizes, kind="stable").tolist() if sizes[cluster]]


def store_proposal(store: Store, recipe: str, faces: StoredFaces, measured: Measured, heeded: Memory) -> None:
    """Make the clusters of a grouping the library's people, keeping ids where people continue; all in one step.

    Decisions that were made while it ran, from another process, are heard as well.

    Args:
        store: open for writing.
        recipe: whose faces.
        faces: the n faces that were grouped.
        measured: what came out.
        heeded: what was remembered when it began.
    """
    labels_n = measured.labels_n
    claimed, decided = _claims(Rows(heeded, faces), heeded.standing.names, labels_n)
    with store.transaction() as connection:
        carried = carry_over(connection, recipe, heeded.standing)
        keep_former(connection, recipe)
        before_n = persons_now(connection, faces.ids) if carried else heeded.persons(faces.ids)
        before_n = _come_back(connection, faces.ids, before_n, heeded)
        ids = keep_ids(labels_n, before_n, claimed, reserved=decided)
        number = last_id(connection) + 1
        for cluster in _largest_first(labels_n, faces.files):
            if cluster not in ids:
                row = connection.execute("INSERT INTO person (since) VALUES (?)", (number,)).lastrowid
                assert row is not None  # an INSERT always has one
                ids[cluster] = row
        persons_n = np.array([ids.get(label, ALONE) for label in labels_n.tolist()], np.int64)
        _write(connection, faces.ids, persons_n, measured)
        connection.executemany(
            "UPDATE person SET cohesion = ? WHERE id = ?",
            [(float(measured.cohesion_k[cluster]), person) for cluster, person in ids.items()],
        )
        memory = Memory.read(connection, recipe)
        order = np.argsort(faces.ids)
        order = order[persons_n[order] != ALONE]
        memory.proposal = Proposal(number, heeded.last, faces.ids[order], persons_n[order])
        moved = store_members(connection, memory)
        connection.execute(
            "UPDATE member SET probability = (SELECT probability FROM proposal WHERE face = member.face),"
            " likeness = (SELECT likeness FROM proposal WHERE face = member.face)"
        )
        refresh_marks(connection, memory)
        refresh_persons(connection, memory)
        again = [step for step in moved if step[1] != ALONE]
        people = len(np.unique(memory.person_n[memory.person_n != ALONE]))
        words = f"Grouped the faces: {people:,} {'person' if people == 1 else 'people'}"
        said, changed = Said(target=heeded.last), Changed(words, faces=len(again))
        entry = append(connection, "cluster", "rule", said, changed)
        assert entry.id == number  # nobody else writes within this transaction
        note_moved(connection, entry.id, again)
        connection.execute(
            "INSERT INTO clustering (id, made, decisions, recipe) VALUES (?, ?, ?, ?)",
            (entry.id, entry.made, heeded.last, recipe),
        )


def _come_back(connection: sqlite3.Connection, faces_n: I64, before_n: I64, heeded: Memory) -> I64:
    """(n,) whose each face was; of those that were away for a while, whose they were then."""
    former = dict(connection.execute("SELECT face, person FROM former"))
    away = np.flatnonzero(before_n == ALONE) if former else np.zeros(0, np.int64)
    found = before_n.copy()
    found[away] = [heeded.standing.now(former.get(face, ALONE)) for face in faces_n[away].tolist()]
    connection.executemany(
        "DELETE FROM former WHERE face = ?", [(face,) for face in faces_n.tolist() if face in former]
    )
    return found


def _write(connection: sqlite3.Connection, faces_n: I64, persons_n: I64, measured: Measured) -> None:
    grouped = persons_n != ALONE
    sure = measured.probability_n
    connection.execute("DELETE FROM proposal")
    connection.executemany(
        "INSERT INTO proposal (face, person, probability, likeness) VALUES (?, ?, ?, ?)",
        zip(
            faces_n[grouped].tolist(),
            persons_n[grouped].tolist(),
            [None] * int(grouped.sum()) if sure is None else sure[grouped].tolist(),
            measured.likeness_n[grouped].tolist(),
            strict=True,
        ),
    )
