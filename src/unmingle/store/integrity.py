"""What is wrong in a library's file, found by reading all of it: pages, references, types, embeddings, thumbnails."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from unmingle.errors import PictureError
from unmingle.faces.align import open_thumbnail
from unmingle.faces.duplicates import PRINT_BYTES
from unmingle.store.encryption import errors
from unmingle.store.schema import columns_made, columns_there, version_of
from unmingle.store.sqlite import Store
from unmingle.text_layout import counted

MOST_LINES = 20  # of SQLite's own check
UNIT = 0.01  # how far the length of an embedding may be from 1
_TYPES = {"INTEGER": (int,), "REAL": (float, int), "TEXT": (str,), "BLOB": (bytes,)}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a library."""

    kind: Literal["database", "face", "decision", "journal", "people", "file", "model"]  # what it is about.
    problem: str  # what is wrong.
    mend: str = ""  # what to do; empty where `unmingle check --repair` mends it.


def tables(connection: sqlite3.Connection) -> dict[str, dict[str, tuple[type, ...]]]:
    """The columns of each table, and the types that they take."""
    return {
        table: {name: _TYPES.get(kind, (object,)) for name, kind in of}
        for table, of in columns_there(connection).items()
    }


def file_faults(store: Store) -> Iterator[Fault]:
    """What is wrong with the pages and rows: what is found so is made anew of what can be read."""
    connection = store.connection
    for (line,) in connection.execute(f"PRAGMA integrity_check({MOST_LINES})"):
        if line != "ok":
            yield Fault("database", f"{line}.")
    made = columns_made(version_of(connection))
    for table, there in columns_there(connection).items():
        if there != made.get(table, there):
            yield Fault("database", f"{table} has other columns than it was made with.")
    broken = Counter((row[0], row[2]) for row in connection.execute("PRAGMA foreign_key_check"))
    for (table, other), count in broken.items():
        yield Fault("database", f"{counted(count, 'row')} of {table}: the {other} isn't there.")
    for table, columns in tables(connection).items():
        wrong = 0
        try:
            for row in connection.execute(f'SELECT {column_names(columns)} FROM "{table}"'):
                wrong += not fits(row, columns)
        except errors(ValueError) as error:
            yield Fault("database", f"{table}: {error}.")
        if wrong:
            yield Fault("database", f"{counted(wrong, 'row')} of {table}: a value has another type than its column.")
    query = (
        "SELECT id FROM decision WHERE NOT json_valid(body) OR NOT json_valid(changed)"
        " OR (json_type(changed, '$.words'), json_type(changed, '$.people'), json_type(changed, '$.faces'))"
        " IS NOT ('text', 'array', 'integer')"
    )
    for (entry,) in connection.execute(query):
        yield Fault("decision", f"#{entry} of the log can't be understood.")


def fits(row: tuple[object, ...], columns: dict[str, tuple[type, ...]]) -> bool:
    """Whether the values of a row have the types of their columns."""
    return all(value is None or isinstance(value, of) for value, of in zip(row, columns.values(), strict=True))


def column_names(columns: Iterable[str]) -> str:
    """The columns of a table, for a query."""
    return ", ".join('"{}"'.format(name.replace('"', '""')) for name in columns)


def picture_faults(store: Store) -> Iterator[Fault]:
    """What is wrong with what was found in files."""
    for what, contents in damaged_pictures(store.connection).items():
        yield Fault("face", f"{counted(len(contents), 'file')} with {what}.")


def damaged_pictures(connection: sqlite3.Connection) -> dict[str, set[str]]:
    """What is wrong with faces, and the digests of their files: what is found so is computed again."""
    # Embeddings of the recipes of faces have length 1; whether it is one, the card tells that was noted with it.
    models = connection.execute("SELECT value FROM fact WHERE key = 'models' AND json_valid(value)").fetchone()
    unit = set(json.loads(models[0])) if models else set()
    wrong: defaultdict[str, set[str]] = defaultdict(set)
    dimensions: dict[str, int] = {
        recipe: size
        for recipe, size, _ in connection.execute(
            "SELECT recipe, length(vector), count(*) FROM face_row GROUP BY 1, 2 ORDER BY 3"
        )
    }
    query = "SELECT content, recipe, vector, points, jpeg FROM face_row LEFT JOIN thumbnail USING (face)"
    for content, recipe, blob, points, jpeg in connection.execute(query):
        if len(blob) != dimensions[recipe] or len(blob) % 4 or len(points) != 40:
            wrong["an embedding, a track or a fingerprint of a wrong size"].add(content)
            continue
        vector = np.frombuffer(blob, "<f4").astype(np.float64)
        short = vector @ vector <= np.finfo(np.float32).max
        if not (short and np.isfinite(np.frombuffer(points, "<f4")).all()):
            wrong["an embedding that isn't finite"].add(content)
        elif recipe in unit and abs(np.linalg.norm(vector) - 1) > UNIT:
            wrong["an embedding whose length isn't 1"].add(content)
        if jpeg is None or (jpeg and not _opens(jpeg)):
            wrong["a thumbnail that doesn't open"].add(content)
    query = (
        "SELECT content FROM recording JOIN (SELECT recording, length(frames) AS frames, length(times) AS times,"
        " length(numbers) AS numbers, length(boxes) AS boxes, length(scores) AS scores FROM track) AS track"
        " ON recording.id = recording WHERE track.frames % 4 OR times != 2 * track.frames"
        " OR 2 * numbers != track.frames OR boxes != 4 * track.frames OR scores != track.frames"
        " UNION SELECT content FROM frame_times JOIN recording ON recording.id = recording"
        " WHERE length(times) != length(ends) OR length(times) % 8"
        " UNION SELECT content FROM analysis WHERE length(fingerprint) % ?"
    )
    for (content,) in connection.execute(query, (PRINT_BYTES,)):
        wrong["an embedding, a track or a fingerprint of a wrong size"].add(content)
    return wrong


def _opens(jpeg: bytes) -> bool:
    try:
        open_thumbnail(jpeg)
    except PictureError:
        return False
    return True
