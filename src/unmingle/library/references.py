"""Faces and people as somebody names them: people by id or name, faces by row or by file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unmingle.errors import DecisionError

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
    """The rows of faces, given those or their files: `name` is a file's main face, `name#2` its face 2.

    Raises:
        DecisionError: there is no such file or face, or several files end so.
    """
    return tuple(face if isinstance(face, int) else _face_named(store, recipe, face) for face in faces)


def _face_named(store: Store, recipe: str, text: str) -> int:
    file, mark, number = text.rpartition("#")
    if not (mark and number.isascii() and number.isdigit()):
        file, number = text, "0"
    query = (
        "SELECT DISTINCT analysis.digest, face.id, face.number FROM file"
        " JOIN analysis ON analysis.digest = file.digest AND analysis.recipe = ?"
        " LEFT JOIN face ON face.analysis = analysis.id"
        " WHERE file.present = 1 AND "
    )
    rows = store.connection.execute(query + "file.name = ?", (recipe, file)).fetchall()
    if not rows:
        ending = "/" + file
        values = (recipe, len(ending), ending)
        rows = store.connection.execute(query + "substr(file.name, -?) = ?", values).fetchall()
    if not rows:
        raise DecisionError(f"There is no picture {file} in the library.", "faces.csv lists them all, by file.")
    if len({digest for digest, _, _ in rows}) > 1:
        raise DecisionError(f"Several pictures are called {file}.", "Give more of the path, as faces.csv has it.")
    found = [face for _, face, n in rows if face is not None and n == int(number)]
    if not found:
        raise DecisionError(f"{file} has no face {number}.", "faces.csv lists the faces of each file, from 0.")
    return int(found[0])
