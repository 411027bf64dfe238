"""A library at a glance, as quick for a million faces as one can count them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unmingle import html as markup
from unmingle.decisions.wording import count, label
from unmingle.render.gallery import spread
from unmingle.store.tables import thumbnail_of

if TYPE_CHECKING:
    from unmingle.store.sqlite import Store

PEOPLE = 10  # who are shown, the largest
STRIP = 8  # faces of each

# Counted in an index alone, before anything is known of the person.
_PEOPLE = """
SELECT person.id, person.name, counted.faces
FROM (SELECT person, count(*) AS faces FROM member GROUP BY person) AS counted
JOIN person ON person.id = counted.person
WHERE person.ignored = 0
ORDER BY counted.faces DESC, person.id
"""


def glance(store: Store) -> str:
    """What a library holds, and its largest people, as HTML."""
    people = store.connection.execute(_PEOPLE).fetchall()
    (files,) = store.connection.execute("SELECT count(*) FROM file WHERE present = 1").fetchone()
    called = f"{len(people):,} {'person' if len(people) == 1 else 'people'}"
    of = f"{count(sum(faces for _, _, faces in people))} of theirs in {files:,} {'file' if files == 1 else 'files'}"
    parts = [markup.heading(called, of)]
    for person, name, faces in people[:PEOPLE]:
        who = label(person, name)
        parts.append(markup.heading(who, f"{f'person {person}, ' if name else ''}{count(faces)}"))
        parts.append(markup.faces(jpegs_of(store, person, STRIP), of=who))
    rest = f"The largest {PEOPLE} are shown, library.people lists all. " if len(people) > PEOPLE else ""
    parts.append(markup.remark(f"{rest}library.faces has a row for every file, also those that are nobody's, and why."))
    return markup.block(*parts)


def jpegs_of(store: Store, person: int, most: int) -> tuple[bytes, ...]:
    """The stored pictures of a person's faces, spread over all of them; see `Looking.jpegs_of`."""
    rows = store.connection.execute("SELECT face FROM member WHERE person = ? ORDER BY face", (person,)).fetchall()
    jpegs = (thumbnail_of(store, rows[i][0]) for i in spread(len(rows), most))
    return tuple(jpeg for jpeg in jpegs if jpeg)
