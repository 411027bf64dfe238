"""The library as tables, in the columns of the contract: one row per face, and one per file without a face."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from unmingle.errors import PictureError
from unmingle.faces.align import open_thumbnail
from unmingle.store.frame_names import FrameNames
from unmingle.store.intervals import Watched, watched
from unmingle.store.recordings import tracks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unmingle.records import U8, Flag, Status
    from unmingle.store.sqlite import Store

FACES = {
    "file": pl.String,
    "source": pl.String,
    "frame": pl.Int64,
    "face": pl.Int64,
    "left": pl.Float64,
    "top": pl.Float64,
    "width": pl.Float64,
    "height": pl.Float64,
    "score": pl.Float64,
    "quality": pl.Float64,
    "person": pl.Int64,
    "name": pl.String,
    "status": pl.String,
    "reason": pl.String,
}
_MORE = {"id": pl.Int64, "meeting": pl.String}
PEOPLE = {
    "person": pl.Int64,
    "name": pl.String,
    "faces": pl.Int64,
    "first_file": pl.String,
    "cohesion": pl.Float64,
}

RECORDINGS = {
    "file": pl.String,
    "source": pl.String,
    "width": pl.Int64,
    "height": pl.Int64,
    "frames": pl.Int64,
    "duration": pl.Float64,
    "every": pl.Float64,
    "looked_at": pl.Int64,
    "skipped": pl.Int64,
    "complete": pl.String,
    "people": pl.Int64,
}
INTERVALS = {
    "person": pl.Int64,
    "name": pl.String,
    "file": pl.String,
    "source": pl.String,
    "start": pl.Float64,
    "end": pl.Float64,
    "faces": pl.Int64,
}

# The file whose picture a face's picture is a copy of: empty for the one of which others are, NULL without copies.
COPY_OF = """
(SELECT CASE WHEN copy."of" = copy.face THEN '' ELSE min(kept_file.name) END
 FROM copy
 JOIN face AS kept ON kept.id = copy."of"
 JOIN analysis AS kept_analysis ON kept_analysis.id = kept.analysis
 JOIN file AS kept_file ON kept_file.digest = kept_analysis.content AND kept_file.present = 1
 WHERE copy.face = face.id)
"""
_ROWS = f"""
SELECT file.source, file.name, source.path, file.problem, analysis.id, analysis.reason, face.id, face.number,
       face."left", face.top, face.width, face.height, face.score, face.quality, face.reason, face.flag,
       person.id, person.name, mark.mark, person.ignored, {COPY_OF}
FROM file
JOIN source ON source.id = file.source
LEFT JOIN analysis ON analysis.digest = file.digest AND analysis.recipe = ?
LEFT JOIN face ON face.analysis = analysis.id
LEFT JOIN member ON member.face = face.id
LEFT JOIN person ON person.id = member.person
LEFT JOIN mark ON mark.face = face.id
WHERE file.present = 1 AND (file.problem != '' OR NOT EXISTS (
    SELECT 1 FROM recording JOIN track ON track.recording = recording.id
    WHERE recording.content = file.digest AND recording.recipe = ?
))
ORDER BY source.path, file.name, file.path, face.number
"""


@dataclass(frozen=True, slots=True)
class Tile:
    """One face to show: its row in the library, and its quality from 0 to 1."""

    face: int
    quality: float


def faces_table(store: Store, recipe: str) -> pl.DataFrame:
    """The table `faces.csv`, and two columns more, each empty where there is none.

    id:      the face's row in the library.
    meeting: of which the file's name tells.
    """
    names = FrameNames.of(store)
    rows = [_row(row, names) for row in store.connection.execute(_ROWS, (recipe, recipe))]
    table = pl.DataFrame(rows, schema=FACES | _MORE, orient="row")
    seen = sightings_table(store, recipe)
    if not seen.height:
        return table
    return pl.concat([table, seen]).sort("source", "file", "frame", "face", nulls_last=True, maintain_order=True)


_LOOKS = """
SELECT face.id, face.quality, face.reason, face.flag, person.id, person.name, mark.mark, person.ignored
FROM recording
JOIN track ON track.recording = recording.id
JOIN face ON face.track = track.id
LEFT JOIN member ON member.face = face.id
LEFT JOIN person ON person.id = member.person
LEFT JOIN mark ON mark.face = face.id
WHERE recording.recipe = ?
"""


def sightings_table(store: Store, recipe: str) -> pl.DataFrame:
    """The rows of `faces_table` that are of recordings; `id` is the face that stands for each sighting.

    Quality, person, status and reason are those of that face, the look of the same track that is nearest in time.
    """
    parts = [
        pl.DataFrame(
            {
                "recording": np.full(len(track.sightings), track.recording),
                "frame": track.sightings.frames,
                "face": track.sightings.numbers,
                **{
                    name: track.sightings.boxes[:, i].astype(np.float64).round(1)
                    for i, name in enumerate(("left", "top", "width", "height"))
                },
                "score": track.sightings.scores.astype(np.float64).round(4),
                "id": track.looks_k[track.nearest()],
            }
        )
        for track in tracks(store.connection, recipe)
    ]
    if not parts:
        return pl.DataFrame(schema=FACES | _MORE)
    looks = pl.DataFrame(
        [_look(row) for row in store.connection.execute(_LOOKS, (recipe,))],
        schema={"id": pl.Int64, **{name: FACES[name] for name in ("quality", "person", "name", "status", "reason")}},
        orient="row",
    )
    query = (
        "SELECT recording.id, file.name, source.path FROM recording JOIN file ON file.digest = recording.content"
        " JOIN source ON source.id = file.source WHERE recording.recipe = ? AND file.present = 1"
    )
    files = pl.DataFrame(
        [(row, name, source_text(path)) for row, name, path in store.connection.execute(query, (recipe,))],
        schema={"recording": pl.Int64, "file": pl.String, "source": pl.String},
        orient="row",
    )
    found = pl.concat(parts).join(looks, on="id").join(files, on="recording")
    return found.with_columns(pl.lit(None, pl.String).alias("meeting")).select([*FACES, *_MORE])


def _look(row: Sequence[Any]) -> tuple[Any, ...]:
    face, quality, why, flag, person, name, mark, ignored = row
    status, reason = status_of("", 0, "", face, why, flag, person, mark, ignored, None)
    if ignored:
        person = name = None
    return face, round(quality, 4), person, name, status, reason


def _row(row: Sequence[Any], names: FrameNames) -> tuple[Any, ...]:
    origin, name, source, problem, analysis, analysis_reason, face, number, *measures = row
    *box, score, quality, face_reason, flag, person, person_name, mark, ignored, copy = measures
    place = (name, source_text(source), names.frame(origin, name))
    meeting = names.meeting(origin, name)
    status, reason = status_of(problem, analysis, analysis_reason, face, face_reason, flag, person, mark, ignored, copy)
    if ignored:
        person = person_name = None
    if face is None:
        return (*place, None, *[None] * 6, None, None, status, reason, None, meeting)
    rounded = (*(round(value, 1) for value in box), round(score, 4), round(quality, 4))
    return (*place, number, *rounded, person, person_name, status, reason, face, meeting)


def status_of(
    problem: str,
    analysis: int | None,
    analysis_reason: str | None,
    face: int | None,
    face_reason: str | None,
    flag: Flag | None,
    person: int | None,
    mark: str | None,
    ignored: int | None,
    copy: str | None,
) -> tuple[Status, str]:
    """Status and reason of a row of `faces.csv`; what a person said of a face outweighs what the program says."""
    if problem:
        return "unreadable", problem
    if analysis is None:
        return "unreadable", "not read yet: run unmingle cluster again"
    if face is None:
        return "not_a_face", analysis_reason or "no face found"
    if mark is not None and mark in _MARKED:
        return _MARKED[mark]
    if ignored:
        return "ignored", "a stranger: a person said so"
    if mark == "face":
        flag, face_reason = "", ""
    return _status_of_face(flag or "", face_reason or "", person, analysis_reason or "", copy)


def _status_of_face(
    flag: Flag, reason: str, person: int | None, picture_reason: str, copy: str | None
) -> tuple[Status, str]:
    copied = f"a copy of another picture: {copy}" if copy else ""
    if person is not None:
        return "masked" if flag == "masked" else "clustered", reason or copied or picture_reason
    if flag:
        return flag, reason
    if copy is None:
        return "alone", reason or "no other face is like it"
    return "alone", f"only copies of one picture: {copy or 'the best of them'}"


_MARKED: dict[str, tuple[Status, str]] = {
    "not_a_face": ("not_a_face", "a person said so"),
    "ignored": ("ignored", "a person said so"),
}


def confidence_table(store: Store, recipe: str) -> pl.DataFrame:
    """How sure it is that each face belongs to its person, the least sure first."""
    query = (
        "SELECT source.path, file.name, analysis.frame, face.number, member.person, member.probability FROM member"
        " JOIN face ON face.id = member.face JOIN analysis ON analysis.id = face.analysis"
        " JOIN file ON file.digest = analysis.content AND file.present = 1 JOIN source ON source.id = file.source"
        " WHERE analysis.recipe = ? ORDER BY member.probability, source.path, file.name, analysis.frame, face.number"
    )
    rows = [(source_text(source), *rest) for source, *rest in store.connection.execute(query, (recipe,))]
    columns = ("frame", "face", "person")
    schema = {"source": pl.String, "file": pl.String, **dict.fromkeys(columns, pl.Int64), "probability": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def embeddings_table(store: Store, recipe: str) -> pl.DataFrame:
    """The embedding of each face in each file that shows it; of recordings, of the faces that stand for others."""
    query = (
        "SELECT source.path, file.source, file.name, analysis.frame, face.number,"
        " CASE WHEN person.ignored = 0 THEN person.id END, face.vector FROM face"
        " JOIN analysis ON analysis.id = face.analysis"
        " JOIN file ON file.digest = analysis.content AND file.present = 1 JOIN source ON source.id = file.source"
        " LEFT JOIN member ON member.face = face.id LEFT JOIN person ON person.id = member.person"
        " WHERE analysis.recipe = ? ORDER BY source.path, file.name, analysis.frame, face.number"
    )
    rows = store.connection.execute(query, (recipe,)).fetchall()
    schema = {"source": pl.String, "file": pl.String, **dict.fromkeys(("frame", "face", "person"), pl.Int64)}
    names = FrameNames.of(store)
    table = pl.DataFrame(
        [
            (source_text(path), file, names.frame(source, file) if frame is None else frame, *rest[:2])
            for path, source, file, frame, *rest in rows
        ],
        schema=schema,
        orient="row",
    )
    flat = np.frombuffer(b"".join(row[-1] for row in rows), "<f4").astype(np.float32, copy=False)
    dimension = len(flat) // max(1, len(rows))
    vectors = pl.Series("vector", flat.reshape(-1, max(1, dimension)), dtype=pl.Array(pl.Float32, max(1, dimension)))
    return table.with_columns(vectors)


def source_text(path: bytes) -> str:
    """A stored path as text; bytes that are none are shown as escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def people_table(faces: pl.DataFrame, store: Store) -> pl.DataFrame:
    """The table `people.csv`, largest first."""
    cohesion = pl.DataFrame(
        store.connection.execute("SELECT id, cohesion FROM person").fetchall(),
        schema={"person": pl.Int64, "cohesion": pl.Float64},
        orient="row",
    )
    return (
        faces.filter(pl.col("person").is_not_null())
        .group_by("person")
        .agg(pl.col("name").first(), pl.len().cast(pl.Int64).alias("faces"), pl.col("file").min().alias("first_file"))
        .join(cohesion, on="person", how="left")
        .with_columns(pl.col("cohesion").round(4))
        .sort(["faces", "person"], descending=[True, False])
        .select(list(PEOPLE))
    )


def recordings_table(recordings: Sequence[Watched]) -> pl.DataFrame:
    """The table `recordings.csv`."""
    rows = [
        (
            *(one.file, one.source, one.width, one.height, one.frames, round(one.duration, 3), one.every),
            *(one.looked_at, one.skipped, "yes" if one.complete else "no"),
            len({interval.person for interval in one.intervals}),
        )
        for one in recordings
    ]
    return pl.DataFrame(rows, schema=RECORDINGS, orient="row")


def intervals_table(recordings: Sequence[Watched], names: dict[int, str]) -> pl.DataFrame:
    """The table `intervals.csv`, by recording and in the order of time."""
    rows = [
        (one.person, names[one.person], where.file, where.source, round(one.start, 3), round(one.end, 3), one.faces)
        for where in recordings
        for one in where.intervals
    ]
    return pl.DataFrame(rows, schema=INTERVALS, orient="row")


def library_intervals(store: Store, recipe: str) -> pl.DataFrame:
    """The table `intervals.csv` of all recordings."""
    names = dict(people_table(faces_table(store, recipe), store).select("person", "name").iter_rows())
    return intervals_table(watched(store, recipe), names)


def tiles(store: Store, recipe: str) -> dict[int, list[Tile]]:
    """The distinct faces of each person, in the order of their file names; no thumbnails yet, since there are many."""
    query = (
        "SELECT member.person, face.id, face.quality FROM face"
        " JOIN analysis ON analysis.id = face.analysis JOIN member ON member.face = face.id"
        " JOIN file ON file.digest = analysis.content AND file.present = 1"
        " WHERE analysis.recipe = ? GROUP BY face.id ORDER BY min(file.name), analysis.frame, face.number"
    )
    people: dict[int, list[Tile]] = {}
    for person, face, quality in store.connection.execute(query, (recipe,)):
        people.setdefault(person, []).append(Tile(face, quality))
    return people


def thumbnail_of(store: Store, face: int) -> bytes | None:
    """The stored JPEG of a face; None if there is no such face."""
    row = store.connection.execute("SELECT jpeg FROM thumbnail WHERE face = ?", (face,)).fetchone()
    return None if row is None else bytes(row[0])


def picture_of(store: Store, row: dict[str, Any]) -> U8:
    """The stored picture of a row of the table of faces, (h, w, 3).

    Raises:
        PictureError: there is none.
    """
    jpeg = None if row["id"] is None else thumbnail_of(store, row["id"])
    if jpeg is None:
        raise PictureError(row["reason"])
    return open_thumbnail(jpeg)
