"""Recordings in the library: how far each was seen, its tracks, and the faces that stand for them."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unmingle.sources.images import readable
from unmingle.store.analyses import add_face
from unmingle.text_layout import counted
from unmingle.tracking.tracker import Sightings
from unmingle.tracking.tracks import nearest_keyframes

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from unmingle.records import F64, I64
    from unmingle.sources.recordings import RecordingInfo
    from unmingle.store.face_rows import StoredFaces
    from unmingle.store.sqlite import Store
    from unmingle.tracking.tracks import Segment, Track

# Between the digest of a recording and the number of a frame: together they name a picture.
FRAME = "#"
# Looks whose frames are further apart, in seconds, don't follow each other.
FOLLOWS = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class StoredTrack:
    """A track and the faces that stand for it.

    recording: its row.
    keyframes_k: (k,) the faces, by their rows. at_k: (k,) the sighting that each is, rising.
    """

    recording: int
    still: bool
    sightings: Sightings
    keyframes_k: I64
    at_k: I64

    def nearest(self) -> I64:
        """(n,) which of the keyframes stands for each sighting: the one nearest in time."""
        return nearest_keyframes(self.sightings.times, self.at_k)


def begin(
    connection: sqlite3.Connection, content: str, recipe: str, every: float, info: RecordingInfo
) -> tuple[int, float]:
    """Go on with a recording, or begin: its row, and how many seconds were seen.

    What was seen of it at other instants, or by another reading, goes.
    """
    query = "SELECT id, seen, every FROM recording WHERE content = ? AND recipe = ?"
    known = connection.execute(query, (content, recipe)).fetchone()
    if known is not None and known[2] == every:
        return known[0], known[1]
    forget(connection, content, recipe)
    row = connection.execute(
        "INSERT INTO recording (content, recipe, every, width, height, frames, duration, note)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (content, recipe, every, info.width, info.height, info.frames, info.duration, info.note),
    ).lastrowid
    assert row is not None  # an INSERT always has one
    return row, 0.0


def forget(connection: sqlite3.Connection, content: str, recipe: str) -> None:
    """Forget what a recipe saw of a recording; decisions about its faces stay."""
    connection.execute("DELETE FROM analysis WHERE content = ? AND recipe = ?", (content, recipe))
    connection.execute("DELETE FROM recording WHERE content = ? AND recipe = ?", (content, recipe))


def unfinished(connection: sqlite3.Connection, file: int, recipe: str) -> tuple[str, float]:
    """The digest of a file's recording that was seen in part, and how many seconds of it; `""` and 0 of others."""
    query = (
        "SELECT content, seen FROM file JOIN recording ON recording.content = file.digest WHERE file.id = ?"
        " AND recipe = ? AND seen > 0 AND NOT EXISTS (SELECT 1 FROM analysis"
        " WHERE analysis.digest = recording.content AND analysis.recipe = recording.recipe)"
    )
    return connection.execute(query, (file, recipe)).fetchone() or ("", 0.0)


def notes(store: Store, recipe: str) -> list[tuple[str, int, str]]:
    """What of the recordings that are there was not looked at, of how many files, and the first of these."""
    query = (
        "SELECT note, count(*), min(file.name) FROM recording JOIN file ON file.digest = recording.content"
        " WHERE recipe = ? AND note != '' AND file.present = 1 GROUP BY note ORDER BY 2 DESC, 3"
    )
    return store.connection.execute(query, (recipe,)).fetchall()


def names(store: Store, recipe: str) -> set[tuple[str, str]]:
    """Sources and names of the recordings that are there, as in `faces.csv`."""
    query = (
        "SELECT folder, name FROM recording JOIN file_row ON file_row.digest = recording.content"
        " WHERE recording.recipe = ? AND present = 1"
    )
    return {(readable(os.fsdecode(path)), name) for path, name in store.connection.execute(query, (recipe,))}


def seen_otherwise(store: Store, recipe: str, every: float) -> set[str]:
    """Digests of the recordings that this recipe saw at other instants."""
    query = "SELECT content FROM recording WHERE recipe = ? AND every != ?"
    return {content for (content,) in store.connection.execute(query, (recipe, every))}


def add_segment(connection: sqlite3.Connection, row: int, precision: str, segment: Segment) -> None:
    """Store one segment of a recording; what was stored of it before, by a run that was killed, is not there."""
    content, recipe, width, height = connection.execute(
        "SELECT content, recipe, width, height FROM recording WHERE id = ?", (row,)
    ).fetchone()
    frames: dict[int, int] = {}
    for track in segment.tracks:
        number = _add_track(connection, row, track)
        for keyframe in track.keyframes:
            frame = int(track.sightings.frames[keyframe.sighting])
            if frame not in frames:
                frames[frame] = (
                    connection.execute(
                        "INSERT INTO analysis (digest, content, recipe, precision, width, height, reason, frame, time)"
                        " VALUES (?, ?, ?, ?, ?, ?, '', ?, ?)",
                        (
                            *(f"{content}{FRAME}{frame}", content, recipe, precision, width, height),
                            *(frame, float(track.sightings.times[keyframe.sighting])),
                        ),
                    ).lastrowid
                    or 0
                )
            place = int(track.sightings.numbers[keyframe.sighting])
            face = add_face(connection, frames[frame], place, keyframe.analysis, 0)
            connection.execute(
                "UPDATE face SET track = ?, sighting = ? WHERE id = ?", (number, keyframe.sighting, face)
            )
    connection.execute(
        "INSERT INTO frame_times (recording, start, times, ends) VALUES (?, ?, ?, ?)",
        (row, segment.start, segment.times.astype("<f8").tobytes(), segment.ends.astype("<f8").tobytes()),
    )
    connection.execute(
        "UPDATE recording SET seen = ?, looked_at = looked_at + ?, skipped = skipped + ? WHERE id = ?",
        (segment.stop, len(segment.times), segment.skipped, row),
    )


def _add_track(connection: sqlite3.Connection, row: int, track: Track) -> int | None:
    seen = track.sightings
    return connection.execute(
        "INSERT INTO track (recording, still, frames, times, numbers, boxes, scores) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            *(row, track.still, seen.frames.astype("<i4").tobytes(), seen.times.astype("<f8").tobytes()),
            *(seen.numbers.astype("<i2").tobytes(), seen.boxes.astype("<f4").tobytes()),
            seen.scores.astype("<f4").tobytes(),
        ),
    ).lastrowid


def finish(connection: sqlite3.Connection, row: int, precision: str) -> None:
    """Note that a recording was seen to its end."""
    content, recipe, width, height, looked_at, skipped = connection.execute(
        "SELECT content, recipe, width, height, looked_at, skipped FROM recording WHERE id = ?", (row,)
    ).fetchone()
    reason = f"no face found: {counted(looked_at, 'frame')} looked at"
    if skipped:
        reason += f", {skipped:,} could not be decoded"
    connection.execute(
        "INSERT INTO analysis (digest, content, recipe, precision, width, height, reason) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (content, content, recipe, precision, width, height, reason),
    )


def tracks(connection: sqlite3.Connection, recipe: str, content: str | None = None) -> Iterator[StoredTrack]:
    """All tracks of recordings that are there, by recording and in the order of time."""
    only, values = ("", [recipe]) if content is None else (" AND recording.content = ?", [recipe, content])
    faces: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    query = (
        "SELECT face.track, face.sighting, face.id FROM face JOIN track ON track.id = face.track"
        " JOIN recording ON recording.id = track.recording WHERE recording.recipe = ?"
        + only
        + " ORDER BY face.sighting"
    )
    for track, sighting, face in connection.execute(query, values):
        faces[track].append((sighting, face))
    query = (
        "SELECT track.id, recording.id, still, track.frames, times, numbers, boxes, scores FROM recording"
        " JOIN track ON track.recording = recording.id WHERE recording.recipe = ?" + only + " AND EXISTS"
        " (SELECT 1 FROM file WHERE file.digest = recording.content AND file.present = 1)"
        " ORDER BY recording.content, track.id"
    )
    for track, recording, still, *columns in connection.execute(query, values):
        at_k, keyframes_k = np.array(faces[track], np.int64).reshape(-1, 2).T
        yield StoredTrack(recording, bool(still), _sightings(*columns), keyframes_k, at_k)


def frame_times(connection: sqlite3.Connection, row: int) -> tuple[F64, F64]:
    """(n,) when the frames of a recording that were looked at come, and when each gives way to the next, in seconds."""
    query = "SELECT times, ends FROM frame_times WHERE recording = ? ORDER BY start"
    stored = connection.execute(query, (row,)).fetchall()
    times_n, ends_n = (np.frombuffer(b"".join(row[i] for row in stored), "<f8").astype(np.float64) for i in (0, 1))
    return times_n, ends_n


def beside(connection: sqlite3.Connection, track: int, frame: int) -> Iterator[tuple[int, list[float]]]:
    """The other tracks of a recording that are seen in a frame: the face that stands for each there, and its box."""
    query = (
        "SELECT other.id, other.frames, other.times, other.numbers, other.boxes, other.scores FROM track"
        " JOIN track AS other ON other.recording = track.recording AND other.id <> track.id"
        " WHERE track.id = ? ORDER BY other.id"
    )
    keyframes = "SELECT sighting, id FROM face WHERE track = ? ORDER BY sighting"
    for other, *columns in connection.execute(query, (track,)):
        seen = _sightings(*columns)
        at = int(np.searchsorted(seen.frames, frame))
        if at < len(seen) and seen.frames[at] == frame:
            at_k, keyframes_k = np.array(connection.execute(keyframes, (other,)).fetchall(), np.int64).T
            yield int(keyframes_k[nearest_keyframes(seen.times, at_k)[at]]), seen.boxes[at].tolist()


def _sightings(frames: bytes, times: bytes, numbers: bytes, boxes: bytes, scores: bytes) -> Sightings:
    return Sightings(
        np.frombuffer(frames, "<i4").astype(np.int64),
        np.frombuffer(times, "<f8").astype(np.float64),
        np.frombuffer(numbers, "<i2").astype(np.int64),
        np.frombuffer(boxes, "<f4").astype(np.float32).reshape(-1, 4),
        np.frombuffer(scores, "<f4").astype(np.float32),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Followed:
    """What tracks say of faces that are to be grouped.

    seen_k2: (k, 2) a face, by its position, and the number of a frame in which it was seen, see `Constraints`.
    same_m2: (m, 2) faces of one track, by their positions.
    """

    seen_k2: I64
    same_m2: I64


def followed(store: Store, recipe: str, faces: StoredFaces) -> Followed:
    """What the tracks of recordings say of faces: those of one track are one person, those of one frame are several.

    A keyframe of one track shows whoever else is seen in it, and for those their keyframe nearest in time stands.
    Still pictures are no people beside others: one may show somebody who is there.
    """
    row_of = {face: row for row, face in enumerate(faces.ids.tolist())}
    seen: set[tuple[int, int]] = set()
    same: list[tuple[int, int]] = []
    number = 0
    by_recording: defaultdict[int, list[tuple[StoredTrack, I64]]] = defaultdict(list)
    for track in tracks(store.connection, recipe):
        rows_k = np.array([row_of.get(face, -1) for face in track.keyframes_k.tolist()], np.int64)
        grouped = np.flatnonzero(rows_k >= 0)
        if not len(grouped):
            continue
        rows = rows_k[grouped]
        same.extend(zip(rows[:-1].tolist(), rows[1:].tolist(), strict=True))
        if not track.still:
            nearest = nearest_keyframes(track.sightings.times, track.at_k[grouped])
            by_recording[track.recording].append((track, rows[nearest]))
    for there in by_recording.values():
        number += 1
        for follows, shown in _frames_in_order(there):
            number += 1 if follows else 2
            seen.update((row, number) for row in shown)
    return Followed(np.array(sorted(seen), np.int64).reshape(-1, 2), np.array(same, np.int64).reshape(-1, 2))


def _frames_in_order(there: list[tuple[StoredTrack, I64]]) -> Iterator[tuple[bool, list[int]]]:
    """For each frame that is a keyframe: whether it follows the one before it, and the rows seen in it."""
    looked = [(track.sightings.frames[track.at_k], track.sightings.times[track.at_k]) for track, _ in there]
    frames_e, first = np.unique(np.concatenate([frames for frames, _ in looked]), return_index=True)
    times_e = np.concatenate([times for _, times in looked])[first]
    rows_e: list[list[int]] = [[] for _ in frames_e]
    for track, rows_n in there:
        at = np.searchsorted(track.sightings.frames, frames_e)
        inside = np.flatnonzero(at < len(track.sightings))
        inside = inside[track.sightings.frames[at[inside]] == frames_e[inside]]
        for event, row in zip(inside.tolist(), rows_n[at[inside]].tolist(), strict=True):
            rows_e[event].append(row)
    follows = [False, *(np.diff(times_e) <= FOLLOWS).tolist()]
    return zip(follows, rows_e, strict=True)
