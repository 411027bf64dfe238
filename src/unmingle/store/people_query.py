"""Looking at people a page at a time, quick also where there are a hundred thousand faces."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from unmingle.records import I64
from unmingle.store.frame_names import read_names
from unmingle.store.sqlite import Store

UNSURE = 0.9  # a face whose probability is lower wants a look
COVERS = 4  # faces that stand for a person
SAMPLE = 64  # faces of which the covers are chosen, so that the largest person costs no more than others
LONGEST_NUMBER = 20  # digits; longer ones in names are compared as text
_NUMBER = re.compile("[0-9]+")
FaceOrder = Literal["time", "quality", "unsure"]


@dataclass(frozen=True, slots=True)
class PersonSummary:
    """A person in a list."""

    person: int
    name: str
    faces: int  # different pictures of the face: a copy of a file doesn't count twice
    cohesion: float | None  # average cosine between the faces, 0 to 1; None where it is not known
    unsure: int  # faces that belong there with a probability below 0.9, and of which nobody decided
    new: int  # faces that came with the last clustering; 0 at the first
    ignored: bool  # a stranger, not to be shown among the others


@dataclass(frozen=True, slots=True)
class FaceCard:
    """One face of a person.

    file:        one of the files that show it, as its source names it.
    frame:       of the recording, or where the file's name tells.
    probability: that the face belongs to the person; None where it is not known.
    decided:     a person said that it belongs there.
    new:         it came with the last clustering.
    """

    face: int
    file: str
    frame: int | None
    quality: float
    probability: float | None
    decided: bool
    new: bool


def clusterings(store: Store) -> tuple[int, int]:
    """How often faces were grouped, and the number of the last time; 0 for none."""
    query = "SELECT count(*), coalesce(max(id), 0) FROM clustering"
    count, last = store.connection.execute(query).fetchone()
    return count, last


def last_clustering(store: Store) -> int:
    """The clustering whose faces are new: the last one, or -1 while there is none or only the first."""
    count, last = clusterings(store)
    return last if count > 1 else -1


def people(store: Store, only: Collection[int] | None = None) -> list[PersonSummary]:
    """Everyone who has a face, by id; or those of them who are in `only`."""
    of = "" if only is None else "WHERE person IN (SELECT value FROM json_each(?))"
    query = (
        "SELECT person.id, person.name, counted.faces, person.cohesion, counted.unsure, counted.new, person.ignored"
        " FROM (SELECT person, count(*) AS faces,"
        " count(CASE WHEN probability < ? AND NOT decided THEN 1 END) AS unsure,"
        f" count(CASE WHEN since = ? THEN 1 END) AS new FROM member {of} GROUP BY person) AS counted"
        " JOIN person ON person.id = counted.person ORDER BY person.id"
    )
    values = [UNSURE, last_clustering(store), *([] if only is None else [json.dumps(sorted(only))])]
    rows = store.connection.execute(query, values)
    return [PersonSummary(*row) for row in ((*rest, bool(ignored)) for *rest, ignored in rows)]


def people_by_size(store: Store) -> list[PersonSummary]:
    """Everyone who is not ignored, who has most faces first."""
    return sorted((one for one in people(store) if not one.ignored), key=lambda one: (-one.faces, one.person))


def unsure_faces(store: Store) -> list[tuple[int, int, float]]:
    """Face, person and probability of whose place is not sure, the least sure first."""
    query = (
        "SELECT DISTINCT face, person, probability FROM shown_face WHERE recipe = ? AND probability < ?"
        " AND NOT decided ORDER BY probability, face"
    )
    return store.connection.execute(query, (store.recipe, UNSURE)).fetchall()


def member_rows(store: Store, person: int) -> list[int]:
    """All faces of a person, by row."""
    # As text, and put in order here: a Python number for each takes three times as long.
    query = "SELECT coalesce(group_concat(face), '') FROM member WHERE person = ?"
    (text,) = store.connection.execute(query, (person,)).fetchone()
    faces: list[int] = np.sort(np.fromstring(text, np.int64, sep=",")).tolist()
    return faces


def faces_below(store: Store, person: int) -> list[int]:
    """How many faces of a person have a probability below 0, 1, … 100 %; those that a person decided on don't count."""
    query = "SELECT probability FROM member WHERE person = ? AND NOT decided AND probability IS NOT NULL"
    chances = [chance for (chance,) in store.connection.execute(query, (person,))]
    return list(map(int, np.searchsorted(np.sort(chances), np.arange(101) / 100)))


def faces_of(store: Store, person: int, order: FaceOrder) -> I64:
    """(k,) all faces of a person in an order; those equally sure by source and file name, numbers by their value."""
    # A decision is as sure as can be; what nobody knows comes between that and what is known. The best first.
    first = {"time": "0", "quality": "-quality", "unsure": "iif(decided, 3, coalesce(probability, 2))"}[order]
    query = (
        f"SELECT {first}, source, file.name, coalesce(frame, -1), number, face.id FROM member"
        " CROSS JOIN face ON face.id = face CROSS JOIN analysis ON analysis.id = analysis"
        " LEFT JOIN file ON file.digest = content AND present = 1 WHERE person = ?"
    )
    keys: dict[int, tuple[Any, ...]] = {}
    for measure, source, name, *rest in store.connection.execute(query, (person,)):
        # Numbers in names as long as can be, so that `a_9` comes before `a_10`.
        named = () if name is None else (_NUMBER.sub(lambda found: found[0].rjust(LONGEST_NUMBER, "0"), name), name)
        key = (measure, source, *named, *rest) if named else (measure, np.inf, *rest)
        keys[rest[-1]] = min(keys.get(rest[-1], key), key)  # of a picture that several files hold, the first counts
    return np.array(sorted(keys, key=keys.__getitem__), np.int64)


def face_cards(store: Store, faces: Sequence[int]) -> list[FaceCard]:
    """Faces as a list shows them, in the order asked for; those that are no longer there are left out."""
    query = (
        "SELECT face_row.face, coalesce(file.name, ''), coalesce(face_row.frame, frame_of(file.source, file.name)),"
        " quality, probability, decided, face_row.since"
        " FROM json_each(?) AS wanted JOIN face_row ON face_row.face = wanted.value"
        " LEFT JOIN file ON file.id = (SELECT id FROM file WHERE file.digest = face_row.content"
        " ORDER BY present DESC, source, name LIMIT 1) ORDER BY wanted.key"
    )
    last = last_clustering(store)
    return [
        FaceCard(face, file, frame, round(quality, 4), probability, bool(decided), since == last)
        for face, file, frame, quality, probability, decided, since in read_names(store).connection.execute(
            query, (json.dumps(list(faces)),)
        )
    ]


def whose(store: Store, faces: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Person, name and status of faces; person is None for nobody's."""
    query = "SELECT face, person, coalesce(name, ''), status FROM json_each(?) CROSS JOIN face_status ON face = value"
    rows = store.connection.execute(query, (json.dumps(list(faces)),))
    return {face: {"person": person, "name": name, "status": status} for face, person, name, status in rows}


def covers_of(store: Store, persons: Iterable[int]) -> dict[int, list[int]]:
    """Up to four faces that stand for each person: spread over all of them, each the best of its part."""
    query = "SELECT value, quality FROM json_each(?) JOIN face ON face.id = value"
    covers = {}
    for person in persons:
        found = member_rows(store, person)
        faces = found[:: max(1, len(found) // SAMPLE)]
        quality = dict(store.connection.execute(query, (json.dumps(faces),)))
        parts = [part.tolist() for part in np.array_split(np.array(faces, np.int64), COVERS) if len(part)]
        best = [max(part, key=quality.__getitem__) for part in parts]
        covers[person] = sorted(best, key=lambda face: -quality[face])
    return covers


def owners(store: Store, faces: Iterable[int]) -> dict[int, int]:
    """The person of each face that has one."""
    query = "SELECT face, person FROM json_each(?) JOIN member ON member.face = value"
    return dict(store.connection.execute(query, (json.dumps(list(faces)),)).fetchall())
