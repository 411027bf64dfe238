"""People are erased in a process that is killed meanwhile, over and over: does a byte stay?

    python benchmarks/erasing.py [--kills 1000] [--seed 0]

Made-up faces in a real library, with names, decisions, tables, a sheet for everybody and a report. Each round copies it
and erases somebody in a process that gets a SIGKILL at a random moment. Then the library is opened once, to read.
Either the person is whole, with all faces and the name, or no file of the library holds any piece of a vector (as
stored, and in half precision), of landmarks, thumbnails and fingerprints, or the name. Everybody else is who they were,
and replaying the log gives the same people. Whoever was answered for is erased. JSON on stdout.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from unmingle import jobs
from unmingle.api import Library
from unmingle.decisions.state import State
from unmingle.errors import DecisionError
from unmingle.records import Analysis, Faces, Triage
from unmingle.settings import GroupingSettings
from unmingle.store import analyses, facts
from unmingle.store.face_rows import ALONE
from unmingle.store.file_rows import WALKED
from unmingle.store.sqlite import open_to_read, open_to_write

RECIPE = "faces-made-up"
PEOPLE, EACH, WIDTH = 12, 12, 64
JPEG_TABLES = 700  # bytes at the beginning
PIECE = 24  # bytes: pages of the database cut long values


def make(folder: Path, seed: int) -> None:
    chance = np.random.default_rng(seed)
    centres = chance.normal(size=(PEOPLE, WIDTH))
    with open_to_write(folder) as store:
        for fact, value in (("recipe", RECIPE), (WALKED, "[]"), (facts.SHEETS, "100")):
            store.set_fact(fact, value)
        with store.transaction() as connection:
            connection.execute("INSERT INTO source (id, path) VALUES (1, X'2F')")
            for number in range(PEOPLE * EACH):
                vector = (centres[number % PEOPLE] + 0.4 * chance.normal(size=WIDTH)).astype(np.float32)
                points = chance.normal(size=(1, 5, 2)).astype(np.float32)
                faces = Faces(np.array([[9, 9, 80, 90]], np.float32), points, np.ones(1, np.float32))
                found = Analysis(99, 99, faces, vector[None], np.ones(1, np.float32), (_jpeg(chance),), Triage.alike(1))
                found = replace(found, fingerprint=chance.bytes(1032))
                name = f"{number:04}.jpg"
                analyses.add_analysis(connection, name, RECIPE, "f32", found)
                row = (name.encode(), name, name)
                connection.execute("INSERT INTO file (source, path, name, digest) VALUES (1, ?, ?, ?)", row)
        jobs.cluster(store, GroupingSettings())
    library = Library(folder, views="on request")
    people = library.people["person"].to_list()
    for person in people:
        library.name(person, f"Zebulon the {person}th")
    random.seed(seed)
    with open_to_read(folder) as store:
        faces_of = {
            person: [
                face for (face,) in store.connection.execute("SELECT face FROM member WHERE person = ?", (person,))
            ]
            for person in people
        }
    for person in people:
        other = random.choice(people)
        if other != person:
            library.assign(faces_of[person][:1], other)
            library.reject(faces_of[person][1:2], person)
            library.undo()
    library.write_views()
    library.write_report()


def _jpeg(chance: np.random.Generator) -> bytes:
    """A JPEG like no other."""
    import cv2

    _, jpeg = cv2.imencode(".jpg", chance.integers(0, 256, (64, 64, 3), np.uint8))
    return bytes(jpeg)


def secrets(folder: Path, person: int) -> set[bytes]:
    """Pieces of what is stored of a person; of thumbnails those behind the tables, which JPEGs have in common."""
    with open_to_read(folder) as store:
        rows = store.connection.execute(
            "SELECT vector, points, jpeg, fingerprint FROM face_row JOIN thumbnail USING (face)"
            " JOIN analysis ON analysis.id = picture WHERE person = ?",
            (person,),
        ).fetchall()
    pieces = {f"Zebulon the {person}th".encode()}
    for vector, points, jpeg, fingerprint in rows:
        half = np.frombuffer(vector, "<f4").astype(np.float16).tobytes()
        for value in (vector, half, points, jpeg[JPEG_TABLES:], fingerprint):
            pieces.update(value[at : at + PIECE] for at in range(0, len(value) - PIECE, 4 * PIECE))
    return pieces


def people_of(folder: Path) -> dict[int, tuple[str, frozenset[int]]]:
    """Everybody's name and faces, also as the log has it."""
    with open_to_read(folder) as store:
        stored = dict(store.connection.execute("SELECT face, person FROM member"))
        names = dict(store.connection.execute("SELECT id, name FROM person"))
        state = State.read(store)
        faces_n, person_n = state.members_now()
    replayed = {face: who for face, who in zip(faces_n.tolist(), person_n.tolist(), strict=True) if who != ALONE}
    assert replayed == stored, "replaying gives other people"
    return {who: (names[who], frozenset(f for f, of in stored.items() if of == who)) for who in set(stored.values())}


def held(folder: Path, wanted: set[bytes]) -> list[str]:
    found = []
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            found += [path.name] * any(piece in content for piece in wanted)
    return found


def round_of(base: Path, folder: Path, chance: random.Random, longest: float) -> tuple[list[str], bool, bool]:
    """What is wrong; whether the person was erased; and whether that was answered."""
    shutil.copytree(base, folder)
    before = people_of(folder)
    person = chance.choice(sorted(before))
    wanted = secrets(folder, person)
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        Library(folder, views="on request").erase(person)  # polars doesn't work in a fork
        os.write(writing, b"done")
        os._exit(0)
    os.close(writing)
    time.sleep(chance.uniform(0, longest))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(reading, "rb") as pipe:
        answered = bool(pipe.read())
    now = people_of(folder)
    wrong = (
        []
        if {who: of for who, of in now.items() if who != person}
        == {who: of for who, of in before.items() if who != person}
        else [f"others than {person} changed"]
    )
    if person in now:
        wrong += ["half erased"] * (now[person] != before[person]) + ["answered, and there"] * answered
    else:
        wrong += [f"{name} holds a piece of them" for name in held(folder, wanted)]
        with suppress(DecisionError):
            Library(folder, views="on request").undo()
        wrong += ["undo brought them back"] * (person in people_of(folder))
    shutil.rmtree(folder)
    return wrong, person not in now, answered


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    chance = random.Random(args.seed)
    wrong: list[str] = []
    erased = answers = 0
    with tempfile.TemporaryDirectory() as name:
        base = Path(name, "base")
        make(base, args.seed)
        shutil.copytree(base, Path(name, "timed"))
        start = time.perf_counter()
        Library(Path(name, "timed"), views="on request").erase(1)
        longest = 2 * (time.perf_counter() - start)
        for number in range(args.kills):
            faults, gone, answered = round_of(base, Path(name, "killed"), chance, longest)
            wrong += [f"round {number}: {fault}" for fault in faults]
            erased, answers = erased + gone, answers + answered
            if number % 50 == 49:
                print(f"{number + 1} kills, {erased} erased, {answers} answered, {len(wrong)} wrong", file=sys.stderr)
    result = {"kills": args.kills, "erased": erased, "answered": answers, "wrong": wrong}
    print(json.dumps(result, indent=2))
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
