"""Faces and people as somebody names them: people by id or name, faces by row or by file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unmingle.decisions.wording import clean_name
from unmingle.errors import DecisionError
from unmingle.settings import whole_number
from unmingle.sources.images import readable
from unmingle.sources.names import FOLDED, find_all, parts_of
from unmingle.store.sightings import tracks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unmingle.store.sqlite import Store

LONGEST_NUMBER = 19  # digits: more are no person's, face's or frame's
MOST_SHOWN = 5  # of the files that a name could mean
BY_NAME = "name:"


def person_named(store: Store, person: int | str) -> int:
    """The id of a person, given that or the name; what is asked for by whoever speaks of a person goes through here.

    A plain number is an id, also as text and whoever is called so: `name:2` is who is called 2.
    """
    if not isinstance(person, str):
        return whole_number("A person", person, mend="Give an id, which is a whole number, or a name.")
    text = person.strip()
    is_id = text.isascii() and text.isdigit() and len(text) < LONGEST_NUMBER and (text == "0" or text[0] != "0")
    name = text if is_id else clean_name(text.removeprefix(BY_NAME))
    called = _called(store, name)
    if is_id:
        query = "SELECT EXISTS (SELECT 1 FROM member WHERE person = ?)"
        if called is None or store.connection.execute(query, (int(text),)).fetchone()[0]:
            return int(text)
        raise DecisionError(
            f"There is no person {text}, but person {called} is called so.", f"Say {called}, or name:{text}."
        )
    if called is not None:
        return called
    query = "SELECT name FROM person WHERE name != '' AND EXISTS (SELECT 1 FROM member WHERE person = person.id)"
    alike = [one for (one,) in store.connection.execute(query) if one.casefold() == name.casefold()]
    mend = f"There is somebody called {alike[0]}." if alike else "people.csv lists them all."
    raise DecisionError(f"There is no person {person!r}.", mend)


def _called(store: Store, name: str) -> int | None:
    """Who has just this name, and faces."""
    query = "SELECT min(id) FROM person WHERE name = ? AND EXISTS (SELECT 1 FROM member WHERE person = person.id)"
    found: int | None = store.connection.execute(query, (name,)).fetchone()[0] if name else None
    return found


def faces_named(store: Store, recipe: str, faces: Sequence[int | str]) -> tuple[int, ...]:
    """The rows of faces, given those or their files.

    `name` is a file's main face, `name#2` its face 2, and `name@150#2` face 2 in frame 150 of a recording; for that the
    face counts that stands for it. A file is named by a path on the disk, by its path below its source, or by the end
    of its path, as much as tells it from others.
    """
    readings = {face: _readings(face) for face in faces if isinstance(face, str)}
    contents = _contents(store, [one.file for ways in readings.values() for one in ways])

    def row(face: str) -> int:
        for reading in readings[face]:
            found = contents[reading.file]
            if len(found) > 1:
                shown = sorted(found.values())
                told = ", ".join(shown[:MOST_SHOWN]) + (", …" if len(shown) > MOST_SHOWN else "")
                raise DecisionError(
                    f"Several pictures are called {reading.file}: {told}.",
                    "Give as much of the path as tells it from the others.",
                )
            for content in found:
                return _face_of(store, recipe, content, reading)
        file = readings[face][0].file
        raise DecisionError(f"There is no picture {file} in the library.", "faces.csv lists them all, by file.")

    return tuple(row(face) if isinstance(face, str) else face for face in faces)


@dataclass(frozen=True, slots=True)
class _Reading:
    """A way to read the name of a face; frame: of a recording, None for the picture itself."""

    file: str
    frame: int | None
    number: int


def _readings(text: str) -> list[_Reading]:
    """The ways to read a name, the likeliest first: # and @ may also be signs of a file's name."""
    whole = _Reading(readable(text), None, 0)
    file, number = _counted(whole.file, "#")
    readings = [whole] if number is None else [_Reading(file, None, number), whole]
    recording, frame = _counted(file, "@")
    return readings if frame is None else [*readings, _Reading(recording, frame, number or 0)]


def _counted(text: str, mark: str) -> tuple[str, int | None]:
    """A name without the number that stands behind a mark, and that number; None if there is none."""
    name, _, number = text.rpartition(mark)
    counts = name and number.isascii() and number.isdigit() and len(number) < LONGEST_NUMBER
    return (name, int(number)) if counts else (text, None)


def _contents(store: Store, wanted: Sequence[str]) -> dict[str, dict[str, str]]:
    """For each name of a file the digests of what it may mean, and of each one of its paths."""
    if not wanted:
        return {}
    query = "SELECT folder, path, name, digest FROM file_row WHERE present = 1 AND digest IS NOT NULL"
    rows = [(os.fsdecode(folder), *rest) for folder, *rest in store.connection.execute(query)]
    files = [(readable(folder), name) for folder, _, name, _ in rows]
    meant_by: dict[str, dict[str, str]] = {}
    for text, found in zip(wanted, find_all(wanted, files), strict=True):
        # All of what was given must agree, be it the whole of a path or the end of it.
        agree = found.rank >= FOLDED or found.rank == len(parts_of(text))
        meant = list(found.files) if agree else []
        if len(meant) != 1:
            meant = _on_disk(text, rows, files) or meant
        meant_by[text] = {rows[i][3]: "/".join(files[i]) for i in meant}
    return meant_by


def _on_disk(text: str, rows: Sequence[tuple[str, bytes, str, str]], files: Sequence[tuple[str, str]]) -> list[int]:
    """The files that a path on this disk leads to, from the current folder and through links."""
    try:
        path = Path(text).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):  # it is none, or leads round in a circle
        return []
    last = parts_of(path.name)[-1]
    alike = [i for i, (_, name) in enumerate(files) if parts_of(name)[-1] == last]
    return [i for i in alike if _leads_to(path, Path(rows[i][0], os.fsdecode(rows[i][1])))]


def _leads_to(path: Path, file: Path) -> bool:
    try:
        return file.samefile(path)
    except OSError:
        return False


def _face_of(store: Store, recipe: str, content: str, reading: _Reading) -> int:
    file, frame, number = reading.file, reading.frame, reading.number
    if frame is None:
        query = "SELECT face FROM face_row WHERE digest = ? AND recipe = ? AND number = ?"
        row = store.connection.execute(query, (content, recipe, number)).fetchone()
        if row is not None:
            return int(row[0])
        if next(tracks(store.connection, recipe, content), None) is not None:
            raise DecisionError(f"{file} is a recording.", f"Name the frame as well, such as {file}@0#{number}.")
        raise DecisionError(f"{file} has no face {number}.", "faces.csv lists the faces of each file, from 0.")
    for track in tracks(store.connection, recipe, content):
        at = np.flatnonzero((track.sightings.frames == frame) & (track.sightings.numbers == number))
        if len(at):
            return int(track.keyframes_k[track.nearest()[at[0]]])
    raise DecisionError(
        f"{file} has no face {number} in frame {frame}.", "faces.csv lists them by file, frame and face."
    )
