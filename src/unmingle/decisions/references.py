"""Faces and people as somebody names them: people by id or name, faces by row or by file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unmingle.decisions.service import clean_name
from unmingle.errors import DecisionError
from unmingle.settings import whole_number
from unmingle.sources.images import readable
from unmingle.sources.paths import FOLDED, find_all, parts_of
from unmingle.store.recordings import tracks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unmingle.store.sqlite import Store

LONGEST_NUMBER = 19  # digits: more are no person's, face's or frame's
MOST_SHOWN = 5  # of the files that a name could mean
BY_NAME = "name:"


def person_named(store: Store, person: int | str) -> int:
    """The id of a person, given that or the name; what is asked for by whoever speaks of a person goes through here.

    A plain number is an id, also as text and whoever is called so: `name:2` is who is called 2.

    Raises:
        DecisionError: nobody is called so.
        SettingsError: it is neither an id nor a name.
    """
    if not isinstance(person, str):
        return whole_number("A person", person, mend="Give an id, which is a whole number, or a name.")
    if not _is_id(person.strip()):
        return _called(store, person, clean_name(person.strip().removeprefix(BY_NAME)))
    number = int(person)
    if not _has_faces(store, number) and (others := _named(store, str(number))):
        raise DecisionError(
            f"There is no person {number}, but person {others[0]} is called so.", f"Say {others[0]}, or name:{number}."
        )
    return number


def _is_id(text: str) -> bool:
    """Whether somebody is meant by number, as people.csv writes it."""
    return text.isascii() and text.isdigit() and len(text) < LONGEST_NUMBER and (text == "0" or text[0] != "0")


def _called(store: Store, said: str, name: str) -> int:
    found = _named(store, name)
    if found:
        return found[0]
    query = "SELECT name FROM person WHERE name != '' AND EXISTS (SELECT 1 FROM member WHERE person = person.id)"
    alike = [one for (one,) in store.connection.execute(query) if one.casefold() == name.casefold()]
    mend = f"There is somebody called {alike[0]}." if alike else "people.csv lists them all."
    raise DecisionError(f"There is no person {said!r}.", mend)


def _named(store: Store, name: str) -> list[int]:
    """Who has just this name, and faces."""
    query = "SELECT id FROM person WHERE name = ? AND EXISTS (SELECT 1 FROM member WHERE member.person = person.id)"
    return [person for (person,) in store.connection.execute(query, (name,))] if name else []


def _has_faces(store: Store, person: int) -> bool:
    query = "SELECT EXISTS (SELECT 1 FROM member WHERE person = ?)"
    return bool(store.connection.execute(query, (person,)).fetchone()[0])


def faces_named(store: Store, recipe: str, faces: Sequence[int | str]) -> tuple[int, ...]:
    """The rows of faces, given those or their files.

    `name` is a file's main face, `name#2` its face 2, and `name@150#2` face 2 in frame 150 of a recording; for that the
    face counts that stands for it. A file is named by a path on the disk, by its path below its source, or by the end
    of its path, as much as tells it from others.

    Raises:
        DecisionError: there is no such file or face, or several files end so.
    """
    files = _Files(store, [reading.file for face in faces if isinstance(face, str) for reading in _readings(face)])
    return tuple(face if isinstance(face, int) else _face_named(store, recipe, face, files) for face in faces)


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


class _Files:
    """The files of the library, by whatever names them.

    Args:
        store: open.
        wanted: what will be asked for.
    """

    def __init__(self, store: Store, wanted: Sequence[str]) -> None:
        self._digests: dict[str, dict[str, str]] = {}
        if not wanted:
            return
        rows = store.connection.execute(
            "SELECT source.path, file.path, file.name, file.digest FROM file JOIN source ON source.id = file.source"
            " WHERE file.present = 1 AND file.digest IS NOT NULL"
        ).fetchall()
        files = [(readable(os.fsdecode(source)), name) for source, _, name, _ in rows]
        for text, found in zip(wanted, find_all(wanted, files), strict=True):
            # All of what was given must agree, be it the whole of a path or the end of it.
            agree = found.rank >= FOLDED or found.rank == len(parts_of(text))
            meant = [i for i in found.files if agree]
            if len(meant) != 1:
                meant = _on_disk(text, rows, files) or meant
            self._digests[text] = {rows[i][3]: "/".join(files[i]) for i in meant}

    def digest(self, file: str) -> str | None:
        """Of the one picture or recording that is called so; None if there is none."""
        found = self._digests[file]
        if len(found) > 1:
            shown = sorted(found.values())
            told = ", ".join(shown[:MOST_SHOWN]) + (", …" if len(shown) > MOST_SHOWN else "")
            raise DecisionError(
                f"Several pictures are called {file}: {told}.", "Give as much of the path as tells it from the others."
            )
        return next(iter(found), None)


def _on_disk(text: str, rows: Sequence[tuple[bytes, bytes, str, str]], files: Sequence[tuple[str, str]]) -> list[int]:
    """The files that a path on this disk leads to, from the current folder and through links."""
    try:
        path = Path(text).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):  # it is none, or leads round in a circle
        return []
    last = parts_of(path.name)[-1]
    alike = [i for i, (_, name) in enumerate(files) if parts_of(name)[-1] == last]
    return [i for i in alike if _leads_to(path, Path(os.fsdecode(rows[i][0]), os.fsdecode(rows[i][1])))]


def _leads_to(path: Path, file: Path) -> bool:
    try:
        return file.samefile(path)
    except OSError:
        return False


def _face_named(store: Store, recipe: str, text: str, files: _Files) -> int:
    for reading in _readings(text):
        content = files.digest(reading.file)
        if content is not None:
            return _face_of(store, recipe, content, reading)
    file = _readings(text)[0].file
    raise DecisionError(f"There is no picture {file} in the library.", "faces.csv lists them all, by file.")


def _face_of(store: Store, recipe: str, content: str, reading: _Reading) -> int:
    file, frame, number = reading.file, reading.frame, reading.number
    if frame is not None:
        found = _in_frame(store, recipe, content, frame, number)
        if found is None:
            raise DecisionError(
                f"{file} has no face {number} in frame {frame}.", "faces.csv lists them by file, frame and face."
            )
        return found
    query = (
        "SELECT face.id FROM analysis JOIN face ON face.analysis = analysis.id"
        " WHERE analysis.digest = ? AND analysis.recipe = ? AND face.number = ?"
    )
    row = store.connection.execute(query, (content, recipe, number)).fetchone()
    if row is not None:
        return int(row[0])
    if next(tracks(store.connection, recipe, content), None) is not None:
        raise DecisionError(f"{file} is a recording.", f"Name the frame as well, such as {file}@0#{number}.")
    raise DecisionError(f"{file} has no face {number}.", "faces.csv lists the faces of each file, from 0.")


def _in_frame(store: Store, recipe: str, content: str, frame: int, number: int) -> int | None:
    """The face that stands for a sighting."""
    for track in tracks(store.connection, recipe, content):
        seen = track.sightings
        at = np.flatnonzero((seen.frames == frame) & (seen.numbers == number))
        if len(at):
            return int(track.looks_k[track.nearest()[at[0]]])
    return None
