"""Another recipe becomes the library's: people go on as the faces that it found in the same places.

Each recipe has faces of its own, in rows of their own. So that ids, and what is new since when, survive a change of
model, the people of the last grouping are carried over to the faces of the next before it is made theirs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from unmingle.store.places import counterparts

if TYPE_CHECKING:
    import sqlite3

    from unmingle.decisions.replay import Standing


def carry_over(connection: sqlite3.Connection, recipe: str, standing: Standing) -> bool:
    """Bring the table of members in line with the faces of a recipe.

    A face that belonged to somebody when the recipe was last the library's belongs to them still. The others belong to
    whom the other recipe gave the face in the same place.

    Args:
        connection: within a transaction that stores a grouping of this recipe.
        recipe: whose faces become the library's.
        standing: the decisions that stand.

    Returns:
        Whether there was anything to do: not if the members are the recipe's own.
    """
    rows = connection.execute(
        "SELECT member.face, member.person, member.decided, member.since FROM member"
        " JOIN face ON face.id = member.face JOIN analysis ON analysis.id = face.analysis WHERE analysis.recipe != ?",
        (recipe,),
    ).fetchall()
    if not rows:
        return False
    face_of = counterparts(connection, recipe, [row[0] for row in rows])
    carried = {face_of[face]: (person, decided, since) for face, person, decided, since in rows if face in face_of}
    own = connection.execute(
        "SELECT former.face, former.person FROM former JOIN face ON face.id = former.face"
        " JOIN analysis ON analysis.id = face.analysis WHERE analysis.recipe = ?",
        (recipe,),
    )
    for face, person in own.fetchall():
        _, decided, since = carried.get(face, (person, 0, 0))
        carried[face] = (standing.now(person), decided, since)
    connection.execute(
        "DELETE FROM former WHERE face IN (SELECT face.id FROM face JOIN analysis ON analysis.id = face.analysis"
        " WHERE analysis.recipe IN (SELECT recipe FROM analysis JOIN face ON face.analysis = analysis.id"
        " JOIN member ON member.face = face.id))"
    )
    connection.executemany(
        "INSERT INTO former (face, person) VALUES (?, ?)", [(face, person) for face, person, _, _ in rows]
    )
    connection.executemany("DELETE FROM member WHERE face = ?", [(row[0],) for row in rows])
    connection.executemany(
        "INSERT OR REPLACE INTO member (face, person, decided, since) VALUES (?, ?, ?, ?)",
        [(face, *rest) for face, rest in carried.items()],
    )
    return True
