"""People: clusters with ids that last. An id, once given, keeps meaning the same person, and is never given twice."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from unmingle.library.pictures import StoredFaces
    from unmingle.library.store import Store
    from unmingle.records import F64, I64

ALONE = -1


def keep_ids(labels_n: I64, before_n: I64) -> dict[int, int]:
    """Match new clusters to the people of the last clustering, one to one, largest overlap first.

    Args:
        labels_n: (n,) new cluster of each face, or ALONE.
        before_n: (n,) person that the face had, or ALONE.

    Returns:
        For each new cluster that continues a person, that person's id. Of two clusters that a person split into, the
        larger keeps the id; of two people that merged, the larger part names the whole.
    """
    both = (labels_n != ALONE) & (before_n != ALONE)
    overlaps = Counter(zip(labels_n[both].tolist(), before_n[both].tolist(), strict=True))
    kept: dict[int, int] = {}
    taken: set[int] = set()
    for (cluster, person), _ in sorted(overlaps.items(), key=lambda item: (-item[1], item[0])):
        if cluster not in kept and person not in taken:
            kept[cluster] = person
            taken.add(person)
    return kept


def persons_before(store: Store, faces: StoredFaces) -> I64:
    """(n,) the person each face belongs to in the stored clustering, or ALONE."""
    member = dict(store.connection.execute("SELECT face, person FROM member"))
    return np.array([member.get(face, ALONE) for face in faces.ids.tolist()], np.int64)


def store_people(
    store: Store, faces: StoredFaces, labels_n: I64, cohesion_k: F64, probability_n: F64 | None = None
) -> I64:
    """Make the new clusters the library's people, keeping ids where people continue; all in one step.

    Args:
        store: open for writing.
        faces: the n faces that were grouped.
        labels_n: (n,) cluster of each face, or ALONE.
        cohesion_k: (k,) of each cluster, 0 to 1.
        probability_n: (n,) that each face belongs to its person; None where that is not known.

    Returns:
        (n,) person of each face, or ALONE.
    """
    ids = keep_ids(labels_n, persons_before(store, faces))
    with store.transaction() as connection:
        for cluster in _largest_first(labels_n, faces.files):
            if cluster not in ids:
                row = connection.execute("INSERT INTO person DEFAULT VALUES").lastrowid
                assert row is not None  # an INSERT always has one
                ids[cluster] = row
        persons_n = np.array([ids.get(label, ALONE) for label in labels_n.tolist()], np.int64)
        connection.execute("DELETE FROM member")
        grouped = persons_n != ALONE
        sure = [None] * int(grouped.sum()) if probability_n is None else probability_n[grouped].tolist()
        connection.executemany(
            "INSERT INTO member (face, person, probability) VALUES (?, ?, ?)",
            zip(faces.ids[grouped].tolist(), persons_n[grouped].tolist(), sure, strict=True),
        )
        connection.executemany(
            "UPDATE person SET cohesion = ? WHERE id = ?",
            [(float(cohesion_k[cluster]), person) for cluster, person in ids.items()],
        )
    return persons_n


def _largest_first(labels_n: I64, files_n: I64) -> list[int]:
    """The clusters by the number of files that show them, so that new people are numbered as tables list them."""
    grouped = labels_n != ALONE
    sizes = np.bincount(labels_n[grouped], files_n[grouped])
    return [cluster for cluster in np.argsort(-sizes, kind="stable").tolist() if sizes[cluster]]
