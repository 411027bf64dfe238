"""Names: how they are kept, and the people and faces that somebody means by them."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from unmingle.errors import DecisionError
from unmingle.settings import whole_number
from unmingle.sources.images import readable
from unmingle.sources.names import FOLDED, find_all, parts_of
from unmingle.store.frame_names import read_names
from unmingle.store.sightings import tracks
from unmingle.store.sqlite import Store

PersonRef = int | str
FaceRefs = int | str | Iterable[int | str]

LONGEST_NAME = 200
LONGEST_NUMBER = 19  # digits: more are no person's, face's or frame's
MOST_SHOWN = 5  # of the files that a name could mean
BY_NAME = "name:"

_JOINERS = "\u200c\u200d"  # stay within a word, where Persian, Sinhala and emoji are spelled with them
# Marks of direction, spaces without width, and the like, which come along when a name is copied. Embeddings, overrides
# and isolates stand around names of telephones; the rest is deprecated, or of no text.
_UNSEEN = frozenset("\u00ad\u061c\u180e\u200b\u200e\u200f\u2060\ufeff") | frozenset(
    map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x2070), *range(0xFFF9, 0xFFFC)))
)


def label(person: int, name: str) -> str:
    """What a person is called: the name that was given, or a number; a name that looks like one is told from it."""
    return f"{name} (Person {person})" if name.isdecimal() else name or f"Person {person}"


def clean_name(name: str) -> str:
    """A name as it is kept: single spaces, composed letters, no marks that nobody sees; whatever script it is in."""
    seen = "".join(sign for sign in unicodedata.normalize("NFC", name) if sign not in _UNSEEN)
    words = (word.strip(_JOINERS) for word in seen.split())
    cleaned = " ".join(word for word in words if word)
    if len(cleaned) > LONGEST_NAME:
        raise DecisionError(f"A name has at most {LONGEST_NAME} characters.", "Choose a shorter one.")
    if wrong := next((sign for sign in cleaned if _refused(sign)), ""):
        raise DecisionError(
            f"The signs of a name are all of them printable: U+{ord(wrong):04X} is not.", "Leave it out."
        )
    if name.strip() and not cleaned:
        raise DecisionError("That name has no sign that shows.", "Choose another one.")
    return cleaned


def _refused(sign: str) -> bool:
    # Letters that a newer Unicode has, and private ones, are not refused.
    nothing = ord(sign) & 0xFFFE == 0xFFFE or 0xFDD0 <= ord(sign) <= 0xFDEF
    return nothing or unicodedata.category(sign) in ("Cc", "Cs")


def person_named(store: Store, person: int | str) -> int:
    """The id of a person, given that or the name; a plain number is an id, also as text: `name:2` is called 2."""
    if not isinstance(person, str):
        return whole_number("A person", person, mend="Give an id, which is a whole number, or a name.")
    text = person.strip()
    is_id = text.isascii() and text.isdigit() and len(text) < LONGEST_NUMBER and (text == "0" or text[0] != "0")
    name = text if is_id else clean_name(text.removeprefix(BY_NAME))
    query = "SELECT id, name FROM person WHERE name != '' AND EXISTS (SELECT 1 FROM member WHERE person = person.id)"
    names: dict[int, str] = dict(store.connection.execute(query))
    called = sorted(one for one, other in names.items() if other == name)
    if is_id:
        query = "SELECT EXISTS (SELECT 1 FROM member WHERE person = ?)"
        if not called or store.connection.execute(query, (int(text),)).fetchone()[0]:
            return int(text)
        raise DecisionError(
            f"There is no person {text}, but person {called[0]} is called so.", f"Say {called[0]}, or name:{text}."
        )
    if len(called) > 1:  # one was away while the other was called so, or something was undone
        ids = ", ".join(map(str, called))
        raise DecisionError(f"Several people are called {name}: {ids}.", "Say which by its id.")
    if called:
        return called[0]
    alike = [one for one in names.values() if one.casefold() == name.casefold()]
    mend = f"There is somebody called {alike[0]}." if alike else "people.csv lists them all."
    raise DecisionError(f"There is no person {person!r}.", mend)


@dataclass(frozen=True, slots=True)
class _Reading:
    """A way to read the name of a face."""

    file: str
    frame: int | None  # of a recording, or as a picture's name has it; None for the picture itself
    number: int


def faces_named(store: Store, faces: FaceRefs) -> tuple[int, ...]:
    """The rows of faces, given those or their files; a single one may be named by itself.

    `name` is a file's main face, `name#2` its face 2, and `name@150#2` face 2 in frame 150 of a recording; for that the
    face counts that stands for it. A file is named by a path on the disk, by its path below its source, or by the end
    of its path, as much as tells it from others.
    """
    several = faces if isinstance(faces, Iterable) and not isinstance(faces, str) else (faces,)
    mend = "Give its row, which is a whole number, or its file."
    named = [face if isinstance(face, str) else whole_number("A face", face, mend=mend) for face in several]
    readings = {face: _readings(face) for face in named if isinstance(face, str)}
    contents = _contents(store, [one.file for ways in readings.values() for one in ways])
    return tuple(_row(store, readings[face], contents) if isinstance(face, str) else face for face in named)


def _row(store: Store, readings: list[_Reading], contents: dict[str, dict[str, str]]) -> int:
    for reading in readings:
        found = contents[reading.file]
        if len(found) > 1:
            shown = sorted(found.values())
            told = ", ".join(shown[:MOST_SHOWN]) + (", …" if len(shown) > MOST_SHOWN else "")
            raise DecisionError(
                f"Several pictures are called {reading.file}: {told}.",
                "Give as much of the path as tells it from the others.",
            )
        for content in found:
            return _face_of(store, content, reading)
    raise DecisionError(f"There is no picture {readings[0].file} in the library.", "faces.csv lists them all, by file.")


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
    found = []
    for i in (i for i, (_, name) in enumerate(files) if parts_of(name)[-1] == last):
        with suppress(OSError):
            if Path(rows[i][0], os.fsdecode(rows[i][1])).samefile(path):
                found.append(i)
    return found


def _face_of(store: Store, content: str, reading: _Reading) -> int:
    file, frame, number = reading.file, reading.frame, reading.number
    # Tables have a frame for a picture, too, whose name tells it.
    query = "SELECT 1 FROM file_row WHERE present = 1 AND digest = ? AND frame_of(source, name) = ?"
    if frame is None or read_names(store).connection.execute(query, (content, frame)).fetchone():
        query = "SELECT face FROM face_row WHERE digest = ? AND recipe = ? AND number = ?"
        row = store.connection.execute(query, (content, store.recipe, number)).fetchone()
        if row is not None:
            return int(row[0])
        if next(tracks(store, content), None) is not None:
            raise DecisionError(f"{file} is a recording.", f"Name the frame as well, such as {file}@0#{number}.")
        raise DecisionError(f"{file} has no face {number}.", "faces.csv lists the faces of each file, from 0.")
    for track in tracks(store, content):
        at = np.flatnonzero((track.sightings.frames == frame) & (track.sightings.numbers == number))
        if len(at):
            return int(track.keyframes_k[track.nearest()[at[0]]])
    raise DecisionError(
        f"{file} has no face {number} in frame {frame}.", "faces.csv lists them by file, frame and face."
    )
