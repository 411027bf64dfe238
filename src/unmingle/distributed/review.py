"""Some people of a distributed job as an ordinary library, and what was decided there for the job's next run."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from fnmatch import fnmatchcase
from os import fsencode
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from unmingle.decisions.assignment import Measured, store_assignment
from unmingle.decisions.kinds import Name
from unmingle.decisions.log import Projection
from unmingle.decisions.service import DecisionService
from unmingle.decisions.state import State
from unmingle.distributed.place import (
    ASSIGNMENT,
    DECISIONS,
    FACES,
    FILES,
    PEOPLE,
    RECIPE,
    STATISTICS,
    THUMBNAILS,
    Place,
    key,
    read_all,
)
from unmingle.errors import DecisionError, LibraryError, SettingsError, SourceError
from unmingle.grouping.confidence import face_probabilities, label_means
from unmingle.library import Library
from unmingle.models.registry import card
from unmingle.records import BOX, I64
from unmingle.store import facts
from unmingle.store.face_rows import ALONE, faces_to_group
from unmingle.store.sqlite import Store, insert

RESERVED = 10_000  # ids that a library may give to people whom its decisions make: nobody else gets them
ORIGIN = "distributed"  # the fact that says where a library's faces are from


def take(
    destination: str, library: Library, *, people: Collection[int] = (), names: Collection[str] = (), files: str = ""
) -> dict[str, int]:
    """Make a new library of the faces of some people, or of the files whose addresses fit a pattern; how many."""
    place = Place(destination)
    recipe, statistics = _known(place)
    table = place.read(PEOPLE)
    if not (people or names or files):
        raise SettingsError("Nobody was named.", "Pass --people 1-500, --names or --files.")
    called = {row["person"]: row["name"] for row in table.to_pylist() if row["name"]}
    if unknown := [name for name in names if name not in called.values()]:
        mend = f"See {destination}/{PEOPLE}; a name with a comma in it stands in quotes."
        raise SourceError(f"Nobody in {destination} is called {' or '.join(unknown)}.", mend)
    wanted = {*people} | {person for person, name in called.items() if name in names}
    fitting = [row for row in read_all(place, FILES) if fnmatchcase(row["address"], files)] if files else None
    digests = None if fitting is None else {row["digest"] for row in fitting}
    owner = owners(place, None if digests is not None else wanted)
    rows = _faces(place, None if digests is not None else owner[0], digests)
    if not rows:
        raise SourceError(f"{destination} has none of these faces.", f"See {destination}/{PEOPLE}.")
    with library.writing() as store:
        if store.recipe:
            raise LibraryError(f"{library.folder} holds pictures already.", "Name a new folder.")
        store.recipe = recipe
        facts.note_model(store, recipe, card(statistics["model"]))
        store.set_fact(facts.SCALE, str(statistics.get("scale", "")))
        shown = {row["digest"] for row in rows}
        with store.transaction() as connection:
            held = [row for row in (fitting or read_all(place, FILES)) if row["digest"] in shown]
            if any("width" not in row for row in held):
                problem = (
                    f"The faces in {destination} were found by an earlier version, which kept no sizes of pictures."
                )
                raise SourceError(problem, "Find them again: unmingle cluster --ray into a new folder.")
            _store(connection, recipe, held, rows, dict(zip(*(part.tolist() for part in owner), strict=True)))
            first = statistics["last_person"] + 1
            insert(connection, "person", id=first + RESERVED - 1)
            connection.execute("DELETE FROM person WHERE id = ?", (first + RESERVED - 1,))
            connection.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'person'", (first - 1,))
        # Before the people are there: a library that is not finished has ids of its own all the same.
        statistics["last_person"] = first + RESERVED - 1
        place.write_text(STATISTICS, json.dumps(statistics, indent=2))
        store.set_fact(ORIGIN, str(first))
        _group(store, float(statistics.get("scale", 1.0)))
        service = DecisionService()
        there = {person for (person,) in store.connection.execute("SELECT DISTINCT person FROM member")}
        for person in sorted(there & called.keys()):
            service.decide(store, Name(person, name=called[person]), by="import")
    if (there_still := Path(destination)).is_dir():  # what is erased here is in it still
        library._note_output("cluster", export=there_still, files=len(held))
    library.write_views()
    return {"files": len(held), "faces": len(rows), "people": len(there)}


def _known(place: Place) -> tuple[str, dict[str, Any]]:
    recipe, statistics = place.read_text(RECIPE), place.read_text(STATISTICS)
    if not recipe or "last_person" not in statistics:
        mend = "Name the folder of unmingle cluster --ray; if it is, run that again."
        raise SourceError(f"{place.address} has no people of a Ray cluster.", mend)
    return recipe, json.loads(statistics)


def owners(place: Place, people: set[int] | None = None) -> tuple[I64, I64]:
    """Faces by rising key and the person of each, as the last run left them; people: only theirs."""
    parts = []
    for name in place.names(ASSIGNMENT):
        part = place.read(f"{ASSIGNMENT}/{name}")
        if people is not None:
            part = part.filter(pc.is_in(part["person"], value_set=pa.array(sorted(people), pa.int64())))
        parts.append(part.select(["face", "person"]))
    if not parts:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    both = pa.concat_tables(parts)
    face_n, person_n = both["face"].to_numpy(), both["person"].to_numpy()
    del parts, both  # each step holds as little as it can: the faces may be millions
    order_n = np.argsort(face_n, kind="stable")
    face_n = face_n[order_n]
    person_n = person_n[order_n]
    first_n = np.append(True, face_n[1:] > face_n[:-1])  # a kill may leave some twice
    return (face_n, person_n) if first_n.all() else (face_n[first_n], person_n[first_n])


def _faces(place: Place, keys: I64 | None, digests: Collection[str] | None) -> list[dict[str, Any]]:
    column, wanted = ("face", pa.array(keys)) if keys is not None else ("digest", pa.array(sorted(digests or ())))
    found: dict[int, dict[str, Any]] = {}
    for name in place.names(FILES):  # parts that are whole
        here = pc.is_in(place.read(f"{FACES}/{name}", [column])[column], value_set=wanted)
        if not pc.any(here).as_py():
            continue
        rows = place.read(f"{FACES}/{name}").filter(here).to_pylist()
        shown = pa.array([row["face"] for row in rows], pa.int64())
        thumbnails = place.read(f"{THUMBNAILS}/{name}")
        thumbnails = thumbnails.filter(pc.is_in(thumbnails["face"], value_set=shown))
        jpeg_of = dict(zip(*(thumbnails[of].to_pylist() for of in ("face", "jpeg")), strict=True))
        found.update((row["face"], row | {"jpeg": jpeg_of[row["face"]]}) for row in rows)
    return list(found.values())


def _store(
    connection: sqlite3.Connection,
    recipe: str,
    files: Iterable[dict[str, Any]],
    faces: Iterable[dict[str, Any]],
    owner: dict[int, int],
) -> None:
    analysis: dict[str, int] = {}
    folders: dict[str, int] = {}
    for file in files:
        # The folder is the source; an address of an object store is one as well, though nothing is read from there.
        folder, _, name = file["address"].rpartition("/")
        if folder not in folders:
            folders[folder] = insert(connection, "source", path=fsencode(folder))
        known = {of: file[of] for of in ("size", "modified", "digest")}
        insert(connection, "file", source=folders[folder], path=fsencode(name), name=name, **known)
        if file["digest"] not in analysis:
            same = {of: file[of] for of in ("digest", "precision", "width", "height", "reason")}
            more = {"content": file["digest"], "recipe": recipe, "fingerprint": b""}
            analysis[file["digest"]] = insert(connection, "analysis", **same, **more)
    for face in faces:
        found = {of: face[of] for of in ("number", *BOX, "score", "quality", "standing", "flag", "reason")}
        points, vector = (np.array(face[of], "<f4").tobytes() for of in ("landmarks", "vector"))
        row = insert(connection, "face", analysis=analysis[face["digest"]], points=points, vector=vector, **found)
        insert(connection, "thumbnail", face=row, jpeg=face["jpeg"])
        if face["face"] in owner:
            connection.execute("INSERT OR IGNORE INTO person (id) VALUES (?)", (owner[face["face"]],))
            insert(connection, "member", face=row, person=owner[face["face"]])


def _group(store: Store, scale: float) -> None:
    """Take whose each face is for the library's first grouping, with how sure that is."""
    state, faces = State.read(store), faces_to_group(store)
    _, labels_n = np.unique(np.append(ALONE, state.persons(faces.ids)), return_inverse=True)
    labels_n = labels_n[1:] - 1
    mean_kd, _ = label_means(faces.vectors, labels_n)
    cohesion_k = np.linalg.norm(mean_kd, axis=1).astype(np.float64)
    unit_nd = faces.vectors / np.linalg.norm(faces.vectors, axis=1, keepdims=True)
    likeness_n = np.einsum("nd,nd->n", unit_nd, mean_kd[labels_n] / cohesion_k[labels_n, None]).astype(np.float64)
    sure_n = face_probabilities(faces.vectors, labels_n, facts.card_curve(store), scale=scale)
    measured = Measured(labels_n, cohesion_k, np.where(labels_n < 0, 0.0, likeness_n), sure_n)
    store_assignment(store, faces, measured, state)


def hand_back(library: Library, destination: str) -> int:
    """Write what was decided in a library that `take` made into its job's folder; of how many people or faces."""
    place = Place(destination)
    _known(place)
    with library._reading() as store:
        facts.check_begun(store)
        first = store.fact(ORIGIN)
        if first is None:
            mend = "Export the library that unmingle import made of it."
            raise SettingsError(f"{library.folder} is not of the faces of {destination}.", mend)
        state = State.read(store)
        query = "SELECT face, digest || '#' || number FROM face_row WHERE recipe = ?"
        key_of = {face: key(name) for face, name in store.connection.execute(query, (store.recipe,))}
    said, at = state.projection, {region: key_of[face] for region, face in state.face_of.items()}
    decided = Decided(
        person_of={at[region]: who for region, who in said.person_of.items() if region in at},
        barred={(at[region], who) for region, who in said.barred if region in at},
        names=said.names,
        merged=said.merged,
        ignored=said.ignored,
        marks={at[region]: mark for region, mark in said.marks.items() if region in at and mark != "face"},
    )
    place.write_text(f"{DECISIONS}/{first}.json", decided.as_json())
    return len(decided.person_of) + len(decided.marks) + len(decided.barred)


class Decided(Projection):
    """What libraries decided of faces, by key, and people; of a projection `PARTS` are heeded."""

    PARTS = ("person_of", "names", "ignored", "merged", "barred", "marks")

    def as_json(self) -> str:
        """As stored: pairs in lists."""
        parts = {name: getattr(self, name) for name in self.PARTS}
        return json.dumps(
            {name: sorted(part.items() if isinstance(part, dict) else part) for name, part in parts.items()}
        )

    @classmethod
    def read(cls, place: Place) -> Decided:
        """What all libraries handed back; of two about the same, the one that was made later."""
        decided = cls()
        for name in sorted(place.names(DECISIONS, ".json"), key=lambda name: (len(name), name)):
            for part, rows in json.loads(place.read_text(f"{DECISIONS}/{name}")).items():
                getattr(decided, part).update(rows if part == "ignored" else map(tuple, rows))
        return decided

    def all_now(self, person_m: I64) -> I64:
        """Who these people are after all merges."""
        found = person_m.copy()
        for gone in self.merged:
            found[person_m == gone] = self.now(gone)
        return found

    def claims(self, cluster_of: dict[int, int]) -> dict[int, int]:
        """Whose each cluster is of which faces were decided: a name's first, then who has most of them."""
        votes: defaultdict[int, Counter[int]] = defaultdict(Counter)
        for face, cluster in cluster_of.items():
            votes[cluster][self.person_of[face]] += 1
        return {
            cluster: min(of, key=lambda who: (not self.names.get(who), -of[who], who)) for cluster, of in votes.items()
        }

    def correct(self, face_m: I64, person_m: I64) -> I64:
        """Whose these faces are, single decisions heeded; ALONE for those that are nobody's."""
        person_m = person_m.copy()
        special = np.array(sorted({*self.person_of, *self.marks, *(face for face, _ in self.barred)}), np.int64)
        for row in np.flatnonzero(np.isin(face_m, special)).tolist():
            face = int(face_m[row])
            whose = self.person_of.get(face, int(person_m[row]))
            person_m[row] = ALONE if face in self.marks or (face, whose) in self.barred else whose
        return person_m


def numbers(text: str) -> set[int]:
    """The people of a list like 1-500,712."""
    try:
        ends = [tuple(map(int, part.split("-"))) for part in text.split(",")]
        return {one for first, *last in ends for one in range(first, (last[0] if last else first) + 1)}
    except ValueError as error:
        raise DecisionError(f"{text!r} names no people.", "Write their numbers, such as 1-500 or 3,8,12.") from error
