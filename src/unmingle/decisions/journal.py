"""The journal: the log of decisions once more, as lines of JSON beside the database, from which all of it comes back.

A line stands for itself: with picture and box of each face region that it names, it can be replayed in a library that
was made anew. It is on disk before the entry is, so a kill in between leaves at most one line too many, the last, which
the next one with its number replaces.
"""

from __future__ import annotations

import json
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, BinaryIO
from zlib import crc32

from unmingle.errors import LibraryError, WriteError, command
from unmingle.files import JOURNAL, OWNER, replacing, sync_folder
from unmingle.store.encryption import Sealer, sealer
from unmingle.store.sightings import FRAME
from unmingle.store.sqlite import Store

Line = dict[str, Any]
_SUM = b', "crc": '
_BLOCK = 4096
ENTRY = ("id", "made", "by", "kind", "body", "changed")
MOST = 1 << 62  # of whole numbers: SQLite has none that are much larger
_HEXADECIMAL = set("0123456789abcdefABCDEF")

# A type; None for one that may be missing; a list of one shape; a record, with str as the key for all that are numbers.
BODY = {"person": (int, None), "others": ([int], None), "faces": ([int], None), "name": (str, None)}
BODY |= {"target": (int, None), "anchors": ({str: [int]}, None)}
LINE = {
    **dict.fromkeys(("made", "by", "kind"), str),
    "id": int,
    "body": BODY,
    "changed": {"words": str, "people": [int], "faces": int},
    "last_person": (int, None),
    "regions": {str: {"picture": str, "box": [float], "pixels": [bytes]}},
    "erased": ([[str]], None),
}


@dataclass(frozen=True, slots=True)
class Journal:
    """What a journal holds."""

    lines: dict[int, Line]  # by number of the entry, rising
    unreadable: int  # lines


def lines(connection: sqlite3.Connection, *, after: int = 0) -> Iterator[Line]:
    """The log as the journal has it, without the entries up to a number."""
    query = "SELECT id, made, by, kind, body, changed FROM decision WHERE id > ? ORDER BY id"
    given = connection.execute("SELECT max(seq) FROM sqlite_sequence WHERE name = 'person'").fetchone()[0] or 0
    (erasure,) = connection.execute("SELECT max(id) FROM decision WHERE kind = 'erase'").fetchone()
    for row, made, by, kind, body, changed in connection.execute(query, (after,)).fetchall():
        read = json.loads(body)
        named = {*read.get("faces", ()), *(one for some in read.get("anchors", {}).values() for one in some)}
        values = row, made, by, kind, read, json.loads(changed)
        regions = {str(region): _region(connection, region) for region in sorted(named)}
        line = {**dict(zip(ENTRY, values, strict=True)), "last_person": given, "regions": regions}
        if row == erasure:  # what is not to come back with the rest
            erased = connection.execute("SELECT content, hex(frames), hex(boxes) FROM erased ORDER BY rowid")
            line["erased"] = [list(one) for one in erased]
        yield line


def _region(connection: sqlite3.Connection, region: int) -> Line:
    """A face region as it is found again: by the bytes or the pixels of its picture, and its box there."""
    query = 'SELECT digest, "left", top, width, height FROM place WHERE id = ?'
    digest, *box = connection.execute(query, (region,)).fetchone() or ("", 0.0, 0.0, 0.0, 0.0)
    content = digest.partition(FRAME)[0]
    file = connection.execute("SELECT min(name) FROM file WHERE digest = ?", (content,)).fetchone()[0]
    pixels = connection.execute("SELECT lower(hex(sha)) FROM shown WHERE digest = ? ORDER BY sha", (content,))
    return {"file": file, "picture": digest, "pixels": [sha for (sha,) in pixels], "box": box}


def said(line: Line) -> tuple[object, ...]:
    """What a line says, whatever files and people there are beside."""
    regions = {region: (where["picture"], where["box"]) for region, where in line["regions"].items()}
    return *(line[key] for key in ENTRY), regions


def append(store: Store) -> None:
    """Bring the journal up to the log; at the end of a transaction that adds an entry, whose lock keeps others out."""
    path = store.folder / JOURNAL
    (newest,) = store.connection.execute("SELECT max(id) FROM decision").fetchone()
    try:
        new = not path.exists()
        seal = sealer(store.folder)
        with _open(path) as file:
            last = _last_line(file, seal)
            known = last["id"] if last else 0
            if last and known <= newest and not _in_log(store.connection, last):
                # A process that was killed may leave this: a line too many, or one where another's entry is.
                known -= 1
                last = read(store.folder).lines.get(known)
            if last and not _in_log(store.connection, last):
                raise LibraryError(
                    f"{path} holds decisions that the library lacks: is this an older copy, or another's journal?",
                    f"To take them in: {command('check', store.folder, '--repair')}; or move that file elsewhere.",
                )
            _write(file, store.connection, seal, after=min(known, newest - 1))
        if new:
            sync_folder(path.parent)
    except OSError as error:
        problem = f"{path} can't be written: {error.strerror or error}."
        raise WriteError(problem, "Nothing was decided. Free some space, or check who may write there.") from error


def _in_log(connection: sqlite3.Connection, line: Line) -> bool:
    """Whether the log has this entry; what it says may have been erased there meanwhile."""
    row = connection.execute("SELECT made, kind FROM decision WHERE id = ?", (line["id"],)).fetchone()
    return bool(row == (line["made"], line["kind"]))


def rewrite(store: Store) -> None:
    """Write the journal anew, within a transaction: what was changed or taken out in the log is so there too."""
    with replacing(store.folder / JOURNAL, sync=True) as path:
        write(path, store.connection, sealer(store.folder))


def write(path: Path, connection: sqlite3.Connection, seal: Sealer | None) -> None:
    """Write all of the log into a new journal."""
    with path.open("a+b") as file:
        _write(file, connection, seal, after=0)


def read(folder: Path) -> Journal:
    """What the journal of a library holds; nothing if there is none. Of several lines for an entry the last counts."""
    found: dict[int, Line] = {}
    unreadable = 0
    if (folder / JOURNAL).exists():
        seal = sealer(folder)
        with _open(folder / JOURNAL, os.O_RDONLY) as file:
            for text in filter(None, file.read().split(b"\n")):
                line = _parse(text, seal)
                unreadable += line is None
                if line is not None:
                    found[line["id"]] = line
    return Journal(dict(sorted(found.items())), unreadable)


def restore(connection: sqlite3.Connection, journal: Journal) -> tuple[int, list[str]]:
    """Take in what the journal holds and the log lacks, or has otherwise, within a transaction.

    How many entries, and in words the log's own ones that gave way to others of their number.
    """
    log = {row[0]: row for row in connection.execute(f"SELECT {', '.join(ENTRY)} FROM decision")}
    entries = []
    for line in journal.lines.values():
        body, changed = json.dumps(line["body"]), json.dumps(line["changed"], ensure_ascii=False)
        entries.append((*(line[key] for key in ENTRY[:4]), body, changed))
    # Damage may have changed an entry or two; another library's are all others.
    other = sum(entry[0] in log and log[entry[0]][1:4:2] != entry[1:4:2] for entry in entries)
    if 2 * other > len(log.keys() & journal.lines.keys()):
        raise LibraryError(f"{JOURNAL} is another library's.", "Move it elsewhere, and try again.")
    wanted = [entry for entry in entries if entry != log.get(entry[0])]
    if entries and entries[-1][0] in log and entries[-1][1:4] != log[entries[-1][0]][1:4]:
        wanted.pop()  # the line of somebody who was killed before the entry was in the log, where another's is
    replaced = [entry[0] for entry in wanted if entry[0] in log and entry[1:4:2] != log[entry[0]][1:4:2]]
    connection.execute("DELETE FROM moved WHERE decision IN (SELECT value FROM json_each(?))", (str(replaced),))
    # To replace an entry is not to rewrite or forget it, for the triggers: it is what it was.
    connection.executemany("INSERT OR REPLACE INTO decision VALUES (?, ?, ?, ?, ?, ?)", wanted)
    regions = {int(region): where for line in journal.lines.values() for region, where in line["regions"].items()}
    # A journal of before names pictures as they were until they were saved again: there the log's own places are newer.
    query = "SELECT id, digest FROM place WHERE digest IN (SELECT digest FROM analysis)"
    newer = {} if journal.lines.keys() - log.keys() else dict(connection.execute(query))
    for taken in wanted:
        for region in journal.lines[taken[0]]["regions"]:
            newer.pop(int(region), None)
    for region, where in regions.items():
        if newer.get(region, where["picture"]) != where["picture"]:
            continue
        connection.execute(
            'INSERT OR REPLACE INTO place (id, digest, "left", top, width, height) VALUES (?, ?, ?, ?, ?, ?)',
            (region, where["picture"], *where["box"]),
        )
        content = where["picture"].partition(FRAME)[0]
        connection.executemany(
            "INSERT OR IGNORE INTO shown (sha, digest) VALUES (?, ?)",
            [(bytes.fromhex(sha), content) for sha in where["pixels"]],
        )
    there = set(connection.execute("SELECT content, frames, boxes FROM erased"))
    written = [one for line in journal.lines.values() for one in line.get("erased") or ()]
    erased = {(content, bytes.fromhex(frames), bytes.fromhex(boxes)) for content, frames, boxes in written} - there
    connection.executemany("INSERT INTO erased VALUES (?, ?, ?)", sorted(erased))
    people: set[int | None] = set()
    for line in journal.lines.values():
        said = line["body"]
        people |= {said.get("person"), *said.get("others", ()), *map(int, said.get("anchors", ()))}
        people |= {*line["changed"]["people"], line["last_person"]}
    known = [(person,) for person in people if person]
    connection.executemany("INSERT OR IGNORE INTO person (id) VALUES (?)", known)
    return len(wanted), [f"#{row} {_words(log[row][-1])}" for row in replaced]


def _words(changed: str) -> str:
    with suppress(ValueError, KeyError, TypeError):  # it was damaged
        return str(json.loads(changed)["words"])
    return "(unreadable)"


def _open(path: Path, how: int = os.O_RDWR | os.O_CREAT | os.O_APPEND) -> BinaryIO:
    """Open a journal that is a file: a link in a library from elsewhere would lead out of it."""
    handle = os.open(path, how | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0), OWNER)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise WriteError(f"{path} is no file.", "Move it elsewhere.")
    return os.fdopen(handle, "rb" if how == os.O_RDONLY else "a+b")


def _write(file: BinaryIO, connection: sqlite3.Connection, seal: Sealer | None, *, after: int) -> None:
    texts = []
    for line in lines(connection, after=after):
        text = json.dumps(line, ensure_ascii=False).encode()
        said = b"%s%s%d}" % (text[:-1], _SUM, crc32(text))
        texts.append((seal.seal(said) if seal else said) + b"\n")
    size = file.seek(0, os.SEEK_END)
    if size:
        file.seek(size - 1)
        if file.read(1) != b"\n":  # a kill cut the last line off
            texts.insert(0, b"\n")
    left = b"".join(texts)
    try:
        while left:  # not by way of the buffer, which would try again when the file is closed
            left = left[os.write(file.fileno(), left) :]
        os.fsync(file.fileno())
    except OSError:
        os.ftruncate(file.fileno(), size)
        raise


def _parse(text: bytes, seal: Sealer | None) -> Line | None:
    """A line, if it is as unmingle writes them."""
    body, _, crc = (seal.unsealed(text) if seal else text).rpartition(_SUM)
    if not body or crc != b"%d}" % crc32(body + b"}"):
        return None
    with suppress(ValueError, RecursionError):
        line: Line = json.loads(body + b"}")
        if has_shape(line, LINE) and _has_lengths(line):
            return line
    return None


def _has_lengths(line: Line) -> bool:
    erased = line.get("erased") or ()
    return all(len(where["box"]) == 4 for where in line["regions"].values()) and all(
        len(one) == 3 and has_shape(one[1:], [bytes]) and 4 * len(one[1]) == len(one[2]) and not len(one[1]) % 8
        for one in erased
    )


def _last_line(file: BinaryIO, seal: Sealer | None) -> Line | None:
    size, length = file.seek(0, os.SEEK_END), _BLOCK
    while True:
        start = max(0, size - length)
        file.seek(start)
        texts = file.read().split(b"\n")[1 if start else 0 :]
        for text in reversed(texts):
            line = _parse(text, seal)
            if line is not None:
                return line
        if not start:
            return None
        length *= 8


def has_shape(value: Any, shape: Any) -> bool:
    """Whether a value that was read from JSON has a shape."""
    if isinstance(shape, tuple):
        return any(has_shape(value, one) for one in shape)
    if isinstance(shape, list):
        return isinstance(value, list) and all(has_shape(one, shape[0]) for one in value)
    if isinstance(shape, dict) and str in shape:
        return isinstance(value, dict) and all(
            key.isdecimal() and key.isascii() and len(key) < 19 and has_shape(one, shape[str])
            for key, one in value.items()
        )
    if isinstance(shape, dict):
        return isinstance(value, dict) and all(has_shape(value.get(key), one) for key, one in shape.items())
    if shape is int:
        return type(value) is int and abs(value) < MOST
    if shape is float:
        return type(value) in (int, float) and isfinite(value)
    if shape is bytes:  # as hexadecimal digits
        return isinstance(value, str) and not (len(value) % 2 or set(value) - _HEXADECIMAL)
    return value is None if shape is None else isinstance(value, shape)
