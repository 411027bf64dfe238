"""Recordings in the library: how far each was seen, its tracks, and the faces that stand for them."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unmingle.records import F64, I64, Bool, Sightings, nearest_keyframes
from unmingle.store.analyses import ERASED, ErasedRegions, add_face, erased_contents, forget_erased, remember_erased
from unmingle.store.sqlite import Store, insert
from unmingle.text_layout import counted

if TYPE_CHECKING:
    from unmingle.sources.recordings import RecordingInfo
    from unmingle.store.face_rows import StoredFaces
    from unmingle.tracking.tracks import Segment

# Between the digest of a recording and the number of a frame: together they name a picture.
FRAME = "#"
FOLLOWS = 2.0  # keyframes whose frames are further apart, in seconds, don't follow each other
# How the columns of sightings are stored.
STORED = {"frames": "<i4", "times": "<f8", "numbers": "<i2", "boxes": "<f4", "scores": "<f4"}
COLUMNS = ", ".join(f"track.{name}" for name in STORED)


@dataclass(frozen=True, slots=True, eq=False)
class StoredTrack:
    """A track and the faces that stand for it."""

    recording: int  # its row
    still: bool
    sightings: Sightings
    keyframes_k: I64  # the faces, by their rows
    at_k: I64  # the sighting that each is, rising

    def nearest(self) -> I64:
        """(n,) which of the keyframes stands for each sighting: the one nearest in time."""
        return nearest_keyframes(self.sightings.times, self.at_k)


def begin(
    store: Store, content: str, every: float, info: RecordingInfo, *, include_erased: bool = False
) -> tuple[int, float]:
    """Go on with a recording, or begin: its row, and how many seconds were seen.

    What was seen of it at other instants, or by another reading, goes, and all if erased faces come back; decisions
    about its faces stay.
    """
    connection, recipe = store.connection, store.recipe
    again = include_erased and content in erased_contents(connection)
    if again:
        forget_erased(connection, content)
    size = {name: getattr(info, name) for name in ("width", "height", "frames", "duration", "note")}
    query = (
        "SELECT id, seen FROM recording WHERE content = :content AND recipe = :recipe AND every = :every"
        " AND width = :width AND height = :height AND duration = :duration"
    )
    values = {"content": content, "recipe": recipe, "every": every, **size}
    known: tuple[int, float] | None = connection.execute(query, values).fetchone()
    if known is not None and not again:
        return known
    for table in ("analysis", "recording"):
        connection.execute(f"DELETE FROM {table} WHERE content = ? AND recipe = ?", (content, recipe))
    return insert(connection, "recording", content=content, recipe=recipe, every=every, **size), 0.0


def unfinished(store: Store, file: int) -> tuple[str, float]:
    """The digest of a file's recording that was seen in part, and how many seconds of it; `""` and 0 of others."""
    query = (
        "SELECT content, seen FROM file JOIN recording ON recording.content = file.digest WHERE file.id = ?"
        " AND recipe = ? AND seen > 0 AND NOT EXISTS (SELECT 1 FROM analysis"
        " WHERE analysis.digest = recording.content AND analysis.recipe = recording.recipe)"
    )
    return store.connection.execute(query, (file, store.recipe)).fetchone() or ("", 0.0)


def notes(store: Store) -> list[tuple[str, int, str]]:
    """What of the recordings that are there was not looked at, of how many files, and the first of these."""
    query = (
        "SELECT note, count(*), min(name) FROM shown_recording WHERE recipe = ? AND note != ''"
        " GROUP BY note ORDER BY 2 DESC, 3"
    )
    return store.connection.execute(query, (store.recipe,)).fetchall()


def any_recording(store: Store) -> bool:
    """Whether a recording was seen."""
    return bool(store.connection.execute("SELECT EXISTS (SELECT 1 FROM recording)").fetchone()[0])


def names(store: Store) -> set[tuple[str, str]]:
    """Sources and names of the recordings that are there, as in `faces.csv`."""
    query = "SELECT as_text(folder), name FROM shown_recording WHERE recipe = ?"
    return set(store.connection.execute(query, (store.recipe,)))


def seen_otherwise(store: Store, recipe: str, every: float) -> set[str]:
    """Digests of the recordings that this recipe saw at other instants."""
    query = "SELECT content FROM recording WHERE recipe = ? AND every != ?"
    return {content for (content,) in store.connection.execute(query, (recipe, every))}


def add_segment(connection: sqlite3.Connection, row: int, precision: str, segment: Segment) -> None:
    """Store one segment of a recording; what was stored of it before, by a run that was killed, is not there."""
    content, frames = _content(connection, row, precision), dict[int, int]()
    regions = ErasedRegions.read(connection, str(content["content"]))
    for track in segment.tracks:
        kept_n = ~regions.of_frames(track.sightings.boxes, track.sightings.frames)
        keyframes = [one for one in track.keyframes if kept_n[one.sighting]]
        if not keyframes or 2 * kept_n.sum() < len(kept_n):
            continue
        seen = track.sightings.take(kept_n)
        number = insert(connection, "track", recording=row, still=track.still, **_columns(seen))
        for keyframe in keyframes:
            at = int(kept_n[: keyframe.sighting].sum())
            frame = int(seen.frames[at])
            if frame not in frames:
                digest, time = f"{content['content']}{FRAME}{frame}", float(seen.times[at])
                frames[frame] = insert(
                    connection, "analysis", digest=digest, reason="", frame=frame, time=time, **content
                )
            face = {"number": int(seen.numbers[at]), "track": number, "sighting": at}
            add_face(connection, frames[frame], keyframe.analysis, 0, **face)
    times, ends = (part.astype("<f8").tobytes() for part in (segment.times, segment.ends))
    insert(connection, "frame_times", recording=row, start=segment.start, times=times, ends=ends)
    connection.execute(
        "UPDATE recording SET seen = ?, looked_at = looked_at + ?, skipped = skipped + ? WHERE id = ?",
        (segment.stop, len(segment.times), segment.skipped, row),
    )


def _columns(seen: Sightings) -> dict[str, bytes]:
    return {name: getattr(seen, name).astype(kind).tobytes() for name, kind in STORED.items()}


def cut_track(connection: sqlite3.Connection, row: int, gone: Collection[int], regions: ErasedRegions) -> set[int]:
    """Take faces out of a track, and what they stand for, or what is in some regions; the faces that went.

    Where it was is remembered. A track that has no face left goes too.
    """
    query = f"SELECT content, {COLUMNS} FROM track JOIN recording ON recording.id = track.recording WHERE track.id = ?"
    content, *columns = connection.execute(query, (row,)).fetchone()
    seen = _sightings(columns)
    query = "SELECT sighting, id FROM face WHERE track = ? ORDER BY sighting"
    at_k, faces_k = np.array(connection.execute(query, (row,)).fetchall(), np.int64).reshape(-1, 2).T
    gone_k = np.isin(faces_k, list(gone))
    kept_n = ~(gone_k[nearest_keyframes(seen.times, at_k)] | regions.of_frames(seen.boxes, seen.frames))
    gone_k |= ~kept_n[at_k]
    if gone_k.all() or (len(regions) and 2 * kept_n.sum() < len(kept_n)):
        gone_k[:], kept_n[:] = True, False
    if not kept_n.all():
        remember_erased(connection, content, seen.frames[~kept_n], seen.boxes[~kept_n])
    if gone_k.all():
        connection.execute("DELETE FROM track WHERE id = ?", (row,))
    else:
        kept = _columns(seen.take(kept_n))
        values = ", ".join(f"{name} = ?" for name in kept)
        connection.execute(f"UPDATE track SET {values} WHERE id = ?", (*kept.values(), row))
        moved = [
            (int(kept_n[:at].sum()), face)
            for at, face in zip(at_k[~gone_k].tolist(), faces_k[~gone_k].tolist(), strict=True)
        ]
        connection.executemany("UPDATE face SET sighting = ? WHERE id = ?", moved)
    return set(faces_k[gone_k].tolist())


def finish(connection: sqlite3.Connection, row: int, precision: str) -> None:
    """Note that a recording was seen to its end."""
    content = _content(connection, row, precision)
    looked_at, skipped = connection.execute("SELECT looked_at, skipped FROM recording WHERE id = ?", (row,)).fetchone()
    reason = f"no face found: {counted(looked_at, 'frame')} looked at"
    if content["content"] in erased_contents(connection):
        reason = ERASED
    if skipped:
        reason += f", {skipped:,} could not be decoded"
    insert(connection, "analysis", digest=content["content"], reason=reason, **content)


def _content(connection: sqlite3.Connection, row: int, precision: str) -> dict[str, object]:
    query = "SELECT content, recipe, width, height FROM recording WHERE id = ?"
    values = connection.execute(query, (row,)).fetchone()
    return dict(zip(("content", "recipe", "width", "height"), values, strict=True)) | {"precision": precision}


def tracks_between(connection: sqlite3.Connection, recording: int, start: float, stop: float) -> list[int]:
    """The tracks of a recording that are seen at some time from `start` to `stop`, by their rows."""
    query = "SELECT id, substr(times, 1, 8), substr(times, -8) FROM track WHERE recording = ?"
    rows = connection.execute(query, (recording,)).fetchall()
    first_n, last_n = (np.frombuffer(b"".join(row[i] for row in rows), STORED["times"]) for i in (1, 2))
    return [rows[at][0] for at in np.flatnonzero((first_n < stop) & (last_n >= start))]


def tracks(store: Store, content: str | None = None, *, only: Collection[int] | None = None) -> Iterator[StoredTrack]:
    """All tracks of recordings that are there, or of one, or `only` these, by recording and in the order of time."""
    recordings, values = "recording.recipe = ?", [store.recipe]
    if content is not None:
        recordings, values = f"{recordings} AND recording.content = ?", [*values, content]
    if only is not None:
        listed = json.dumps([*only])
        recordings, values = f"{recordings} AND track.id IN (SELECT value FROM json_each(?))", [*values, listed]
    faces: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    query = (
        "SELECT face.track, face.sighting, face.id FROM face JOIN track ON track.id = face.track"
        f" JOIN recording ON recording.id = track.recording WHERE {recordings} ORDER BY face.sighting"
    )
    for track, *keyframe in store.connection.execute(query, values):
        faces[track].append((keyframe[0], keyframe[1]))
    query = (
        f"SELECT track.id, recording.id, still, {COLUMNS} FROM recording"
        f" JOIN track ON track.recording = recording.id WHERE {recordings} AND EXISTS"
        " (SELECT 1 FROM file WHERE file.digest = recording.content AND file.present = 1)"
        " ORDER BY recording.content, track.id"
    )
    for row, recording, still, *columns in store.connection.execute(query, values):
        at_k, keyframes_k = np.array(faces[row], np.int64).reshape(-1, 2).T
        yield StoredTrack(recording, bool(still), _sightings(columns), keyframes_k, at_k)


def _sightings(columns: Iterable[bytes]) -> Sightings:
    stored = zip(columns, STORED.values(), (np.int64, np.float64, np.int64, np.float32, np.float32), strict=True)
    frames, times, numbers, boxes, scores = (np.frombuffer(blob, kind).astype(to) for blob, kind, to in stored)
    return Sightings(frames, times, numbers, boxes.reshape(-1, 4), scores)


def frame_times(connection: sqlite3.Connection, row: int) -> tuple[F64, F64]:
    """(n,) when the frames of a recording that were looked at come, and when each gives way to the next, in seconds."""
    query = "SELECT times, ends FROM frame_times WHERE recording = ? ORDER BY start"
    stored = connection.execute(query, (row,)).fetchall()
    times_n, ends_n = (np.frombuffer(b"".join(row[i] for row in stored), "<f8").astype(np.float64) for i in (0, 1))
    return times_n, ends_n


def begins(connection: sqlite3.Connection, content: str, recipe: str) -> float:
    """When the first frame of a recording that was looked at comes, in seconds; 0 where that was not noted."""
    query = (
        "SELECT substr(times, 1, 8) FROM frame_times JOIN recording ON recording.id = recording"
        " WHERE content = ? AND recipe = ? ORDER BY start LIMIT 1"
    )
    first = connection.execute(query, (content, recipe)).fetchone() or (b"",)
    return float(np.frombuffer(first[0], "<f8").sum())


def seen_in_frame(connection: sqlite3.Connection, track: int, frame: int) -> Iterator[tuple[int, list[float]]]:
    """The other tracks of a recording that are seen in a frame: the face that stands for each there, and its box."""
    query = (
        f"SELECT track.id, {COLUMNS} FROM track JOIN track AS this ON this.recording = track.recording"
        " AND this.id <> track.id WHERE this.id = ? ORDER BY track.id"
    )
    keyframes = "SELECT sighting, id FROM face WHERE track = ? ORDER BY sighting"
    for other, *columns in connection.execute(query, (track,)):
        seen = _sightings(columns)
        at = int(np.searchsorted(seen.frames, frame))
        if at < len(seen) and seen.frames[at] == frame:
            at_k, keyframes_k = np.array(connection.execute(keyframes, (other,)).fetchall(), np.int64).T
            yield int(keyframes_k[nearest_keyframes(seen.times, at_k)[at]]), seen.boxes[at].tolist()


def of_stills(store: Store, faces: StoredFaces) -> Bool:
    """(n,) which faces stand for still pictures."""
    query = "SELECT face.id FROM track JOIN face ON face.track = track.id WHERE still"
    return np.isin(faces.ids, [face for (face,) in store.connection.execute(query)])


def followed(store: Store, faces: StoredFaces) -> tuple[I64, I64]:
    """(k, 2) a face, by its position, and the number of a frame in which it was seen; (m, 2) faces of one track.

    Those of one track are one person, those of one frame are several. A keyframe of one track shows whoever else is
    seen in it, and for those their keyframe nearest in time stands. Still pictures are no people beside others: one may
    show somebody who is there. Of the numbers see `Constraints`.
    """
    row_of = {face: row for row, face in enumerate(faces.ids.tolist())}
    seen: set[tuple[int, int]] = set()
    same: list[tuple[int, int]] = []
    number = 0
    by_recording: defaultdict[int, list[tuple[StoredTrack, I64]]] = defaultdict(list)
    for track in tracks(store):
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
    return np.array(sorted(seen), np.int64).reshape(-1, 2), np.array(same, np.int64).reshape(-1, 2)


def _frames_in_order(there: list[tuple[StoredTrack, I64]]) -> Iterator[tuple[bool, list[int]]]:
    """For each frame that is a keyframe: whether it follows the one before it, and the rows seen in it."""
    looked = [(track.sightings.frames[track.at_k], track.sightings.times[track.at_k]) for track, _ in there]
    frames_e, first = np.unique(np.concatenate([frames for frames, _ in looked]), return_index=True)
    times_e = np.concatenate([times for _, times in looked])[first]
    rows_e: list[list[int]] = [[] for _ in frames_e]
    for track, rows_n in there:
        _, at_e, at_n = np.intersect1d(frames_e, track.sightings.frames, return_indices=True)
        for event, row in zip(at_e.tolist(), rows_n[at_n].tolist(), strict=True):
            rows_e[event].append(row)
    return zip([False, *(np.diff(times_e) <= FOLLOWS).tolist()], rows_e, strict=True)
