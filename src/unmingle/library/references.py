"""Faces and people as somebody names them: people by id or name, faces by row or by file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from unmingle.errors import DecisionError
from unmingle.library.recordings import tracks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unmingle.library.store import Store

LARGEST_ROW = 2**63 - 1


def person_named(store: Store, person: int | str) -> int:
    """The id of a person, given that or the name.

    Raises:
        DecisionError: nobody is called so.
    """
    text = str(person).strip()
    found = store.connection.execute(
        "SELECT id FROM person WHERE name = ? AND EXISTS (SELECT 1 FROM member WHERE member.person = person.id)",
        (text,),
    ).fetchone()
    if isinstance(person, str) and found:
        return int(found[0])
    if text.isascii() and text.isdigit() and int(text) <= LARGEST_ROW:
        return int(text)
    raise DecisionError(f"There is no person {person!r}.", "people.csv lists them all.")


def faces_named(store: Store, recipe: str, faces: Sequence[int | str]) -> tuple[int, ...]:
    """The rows of faces, given those or their files.

    `name` is a file's main face, `name#2` its face 2, and `name@150#2` face 2 in frame 150 of a recording; for that the
    face counts that stands for it.

    Raises:
        DecisionError: there is no such file or face, or several files end so.
    """
    return tuple(face if isinstance(face, int) else _face_named(store, recipe, face) for face in faces)


def _face_named(store: Store, recipe: str, text: str) -> int:
    file, mark, number = text.rpartition("#")
    if not (mark and number.isascii() and number.isdigit()):
        file, number = text, "0"
    content = _content(store, file)
    if content is None:
        recording, _, frame = file.rpartition("@")
        content = _content(store, recording) if frame.isascii() and frame.isdigit() else None
        if content is None:
            raise DecisionError(f"There is no picture {file} in the library.", "faces.csv lists them all, by file.")
        found = _in_frame(store, recipe, content, int(frame), int(number))
        if found is None:
            raise DecisionError(
                f"{recording} has no face {number} in frame {frame}.", "faces.csv lists them by file, frame and face."
            )
        return found
    query = (
        "SELECT face.id FROM analysis JOIN face ON face.analysis = analysis.id"
        " WHERE analysis.digest = ? AND analysis.recipe = ? AND face.number = ?"
    )
    row = store.connection.execute(query, (content, recipe, int(number))).fetchone()
    if row is not None:
        return int(row[0])
    if next(tracks(store.connection, recipe, content), None) is not None:
        raise DecisionError(f"{file} is a recording.", f"Name the frame as well, such as {file}@0#{number}.")
    raise DecisionError(f"{file} has no face {number}.", "faces.csv lists the faces of each file, from 0.")


def _content(store: Store, file: str) -> str | None:
    """The digest of the one picture or recording that is called so, or whose path ends so; None if there is none."""
    query = "SELECT DISTINCT digest FROM file WHERE present = 1 AND digest IS NOT NULL AND "
    rows = store.connection.execute(query + "name = ?", (file,)).fetchall()
    if not rows:
        ending = "/" + file
        rows = store.connection.execute(query + "substr(name, -?) = ?", (len(ending), ending)).fetchall()
    if len(rows) > 1:
        raise DecisionError(f"Several pictures are called {file}.", "Give more of the path, as faces.csv has it.")
    return str(rows[0][0]) if rows else None


def _in_frame(store: Store, recipe: str, content: str, frame: int, number: int) -> int | None:
    """The face that stands for a sighting."""
    for track in tracks(store.connection, recipe, content):
        seen = track.sightings
        at = np.flatnonzero((seen.frames == frame) & (seen.numbers == number))
        if len(at):
            return int(track.looks_k[track.nearest()[at[0]]])
    return None
