"""The library as tables, in the columns of the contract: one row per face, and one per file without a face."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from unmingle.errors import PictureError
from unmingle.models.registry import VGG16
from unmingle.records import BOX, U8
from unmingle.settings import DetectionSettings
from unmingle.store.face_rows import faces_of_regions
from unmingle.store.facts import model_of, noted
from unmingle.store.frame_names import FrameNames, read_names
from unmingle.store.people_query import member_rows
from unmingle.store.screen_time import ScreenTime, screen_times
from unmingle.store.sightings import any_recording, tracks
from unmingle.store.sqlite import Store

if TYPE_CHECKING:
    import polars as pl


# Of the columns; polars itself is imported where there are many rows, as that takes longer than a short command.
FACES: dict[str, Any] = {
    **dict.fromkeys(("file", "source"), str),
    **dict.fromkeys(("frame", "face"), int),
    **dict.fromkeys((*BOX, "score", "quality"), float),
    "person": int,
    **dict.fromkeys(("name", "status", "reason"), str),
}
MODELS: dict[str, Any] = {
    **dict.fromkeys(("model", "recipe"), str),
    **dict.fromkeys(("pictures", "faces", "dimension"), int),
    "current": bool,
}
MOST_ONE_BY_ONE = 30_000  # rows of the table of faces; for more, all are quicker
MOST_PEOPLE_ONE_BY_ONE = 500
_MORE = {"id": int, "meeting": str}
_FACE_KEY = {**dict.fromkeys(("source", "file"), str), **dict.fromkeys(("frame", "face", "person"), int)}
PEOPLE: dict[str, Any] = {"person": int, "name": str, "faces": int, "first_file": str, "cohesion": float}
RECORDINGS: dict[str, Any] = {
    **dict.fromkeys(("file", "source"), str),
    **dict.fromkeys(("width", "height", "frames"), int),
    **dict.fromkeys(("duration", "every"), float),
    **dict.fromkeys(("looked_at", "skipped"), int),
    "complete": str,
    "people": int,
}
INTERVALS: dict[str, Any] = {
    "person": int,
    **dict.fromkeys(("name", "file", "source"), str),
    **dict.fromkeys(("start", "end"), float),
    "faces": int,
}


def as_table(rows: Sequence[Sequence[object]], schema: Mapping[str, type]) -> pl.DataFrame:
    """Rows as a table, for which polars is loaded: that takes longer than a short command."""
    import polars as pl

    return pl.DataFrame(rows, schema=schema, orient="row")


def faces_table(store: Store, only: Collection[int] | None = None) -> pl.DataFrame:
    """The table `faces.csv`, or the rows of some faces, and two columns more, each empty where there is none.

    id:      the face's row in the library; of a sighting in a recording, of the face that stands for it.
    meeting: of which the file's name tells.
    """
    import polars as pl

    silent = FrameNames.of(store).silent  # else Python is asked for each row
    frame, meeting = ("NULL" if silent else f"{of}_of(source, file_name)" for of in ("frame", "meeting"))
    query = (
        f'SELECT file_name, source, {frame}, number, "left", top, width, height, score,'
        f" quality, person, name, status, reason, face, {meeting} FROM result_row"
        # Only literally SQLite looks for the faces first, and not for all files.
        f" WHERE recipe = ?{'' if only is None else f' AND face IN ({str(list(only))[1:-1]})'}"
        " ORDER BY folder, file_name, path, number"
    )
    table = _rounded(_queried(read_names(store), query, FACES | _MORE | {"source": int}))
    folders = dict(store.connection.execute("SELECT id, as_text(path) FROM source"))
    table = table.with_columns(pl.col("source").replace_strict(folders).cast(pl.String))
    seen = _sightings(store)
    if seen is None:
        return table
    if only is not None:
        seen = seen.filter(pl.col("id").is_in(list(only)))
    return pl.concat([table, seen]).sort("source", "file", "frame", "face", nulls_last=True, maintain_order=True)


def decided_since(store: Store, entry: int) -> tuple[set[int], set[int]] | None:
    """Faces whose rows decisions may have changed since an entry of the log, and people; None for many."""
    query = "SELECT EXISTS (SELECT 1 FROM decision WHERE id > ? AND kind IN ('cluster', 'erase'))"
    if store.connection.execute(query, (entry,)).fetchone()[0]:
        return None
    query = "SELECT value FROM decision JOIN json_each(changed, '$.people') WHERE decision.id > ?"
    people = {person for (person,) in store.connection.execute(query, (entry,))}
    query = (
        "SELECT face FROM moved WHERE decision > ? UNION SELECT face FROM json_each(?) JOIN member ON person = value"
    )
    faces = {face for (face,) in store.connection.execute(query, (entry, json.dumps(list(people))))}
    faces |= {*faces_of_regions(store).values()}  # one that was undone may have marked any
    return None if len(faces) > MOST_ONE_BY_ONE else (faces, people)


def _rounded(table: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    return table.with_columns(pl.col(BOX).round(1), pl.col("score", "quality").round(4))


def _sightings(store: Store) -> pl.DataFrame | None:
    """The rows of `faces_table` of recordings, each with what is known of its track's face nearest in time."""
    if not any_recording(store):
        return None
    import polars as pl

    least = (noted(store, DetectionSettings) or DetectionSettings()).min_score
    why = f"the detector gives {{}}, {least:.2f} is needed: followed from frame to frame"
    parts = []
    for track in tracks(store):
        seen = track.sightings
        columns = {"frame": seen.frames, "face": seen.numbers, "score": seen.scores.astype(np.float64)}
        columns |= dict(zip(BOX, seen.boxes.astype(np.float64).T, strict=True))
        parts.append(pl.DataFrame(columns | {"id": track.keyframes_k[track.nearest()], "recording": track.recording}))
    if not parts:
        return None
    faces = _queried(
        store,
        "SELECT face, quality, iif(ignored, NULL, person), iif(ignored, NULL, name), status, reason FROM face_status"
        " WHERE track IS NOT NULL AND recipe = ?",
        {"id": int, **{name: FACES[name] for name in ("quality", "person", "name", "status", "reason")}},
    )
    files = _queried(
        store,
        "SELECT id, name, as_text(folder), NULL FROM shown_recording WHERE recipe = ?",
        {"recording": int, **dict.fromkeys(("file", "source", "meeting"), str)},
    )
    table = _rounded(pl.concat(parts).join(faces, on="id").join(files, on="recording").select([*FACES, *_MORE]))
    unsure = (pl.col("score") < least) & (pl.col("reason") == "")
    told = pl.when(unsure).then(pl.format(why, (pl.col("score") * 100).floor() / 100)).otherwise("reason")
    return table.with_columns(told.alias("reason"))


def comparable_faces(store: Store) -> pl.DataFrame:
    """The table `faces_table`, with boxes in shares of the picture, and five more columns.

    across, down: the pixels of the picture.
    content: digest of the file; where it could not be read, its name, which is nobody else's content.
    instant: the frame of a recording; -1 on a picture, whatever its name says.
    every:   seconds between the frames of a recording that were looked at; empty for a picture.
    """
    import polars as pl

    files = _queried(
        store,
        "SELECT name, as_text(folder), coalesce(file_row.digest, as_text(folder) || '/' || name),"
        " coalesce(nullif(coalesce(recording.width, analysis.width), 0), 1),"
        " coalesce(nullif(coalesce(recording.height, analysis.height), 0), 1), recording.every FROM file_row"
        " LEFT JOIN analysis ON analysis.digest = file_row.digest AND analysis.recipe = ?1"
        " LEFT JOIN recording ON recording.content = file_row.digest AND recording.recipe = ?1 WHERE present = 1",
        {**dict.fromkeys(("file", "source", "content"), str), **dict.fromkeys(("across", "down", "every"), float)},
    )
    files = files.unique(["file", "source"], keep="first")
    faces = faces_table(store).join(files, on=["file", "source"], how="left", maintain_order="left")
    return faces.with_columns(
        pl.col("left", "width") / pl.col("across"),
        pl.col("top", "height") / pl.col("down"),
        pl.when(pl.col("every").is_null()).then(-1).otherwise(pl.col("frame").fill_null(-1)).alias("instant"),
    )


def confidence_table(store: Store) -> pl.DataFrame:
    """How sure it is that each face belongs to its person, the least sure first."""
    query = (
        "SELECT as_text(folder), file_name, coalesce(frame, frame_of(source, file_name)), number, person, probability"
        " FROM shown_face WHERE recipe = ? AND person IS NOT NULL"
        " ORDER BY probability, folder, file_name, frame, number"
    )
    return _queried(read_names(store), query, _FACE_KEY | {"probability": float})


def embeddings_table(store: Store) -> pl.DataFrame:
    """The embedding of each face in each file that shows it; of recordings, of the faces that stand for others."""
    import polars as pl

    query = (
        "SELECT as_text(folder), file_name, coalesce(frame, frame_of(source, file_name)), number,"
        " iif(ignored, NULL, person), vector FROM shown_face WHERE recipe = ? ORDER BY folder, file_name, frame, number"
    )
    rows = read_names(store).connection.execute(query, (store.recipe,)).fetchall()
    table = pl.DataFrame([row[:-1] for row in rows], schema=_FACE_KEY, orient="row")
    flat = np.frombuffer(b"".join(row[-1] for row in rows), "<f4").astype(np.float32, copy=False)
    dimension = max(1, len(flat) // max(1, len(rows)))
    return table.with_columns(pl.Series("vector", flat.reshape(-1, dimension), dtype=pl.Array(pl.Float32, dimension)))


def library_people(store: Store) -> pl.DataFrame:
    """The table `people.csv`."""
    return as_table(people_rows(store), PEOPLE)


def people_rows(store: Store, only: int | None = None) -> list[tuple[Any, ...]]:
    """The rows of `people.csv`, or that of one person; quick also where there are a million faces."""
    query = (
        "SELECT person.id, name, faces, first_file, cohesion FROM (SELECT person, faces, first_file FROM tally"
        " UNION ALL SELECT value ->> 0, value ->> 1, value ->> 3 FROM json_each(?)) JOIN person ON person.id = person"
        f" WHERE faces > 0 AND NOT ignored{'' if only is None else ' AND person.id = ?'} ORDER BY faces DESC, person.id"
    )
    values = [json.dumps(_uncounted(store, only)), *([] if only is None else [only])]
    found = store.connection.execute(query, values).fetchall()
    seen = _sightings(store)
    if seen is not None:
        import polars as pl

        rows = {row[0]: row for row in found}
        cohesion = dict(store.connection.execute("SELECT id, cohesion FROM person"))
        counts = pl.col("name").first(), pl.len(), pl.col("file").min()
        for person, name, faces, file in seen.drop_nulls("person").group_by("person").agg(*counts).iter_rows():
            if only in (None, person):
                *_, more, first, _ = rows.get(person, (0, file, None))
                rows[person] = (person, name, faces + more, min(file, first), cohesion[person])
        found = sorted(rows.values(), key=lambda row: (-row[2], row[0]))
    return [(*row[:-1], row[-1] and round(row[-1], 4)) for row in found]


def keep_tally(store: Store) -> None:
    """Remember how often people are shown who were not counted since that changed."""
    query = "INSERT INTO tally (person, faces, pictures, first_file) VALUES (?, ?, ?, ?)"
    store.connection.executemany(query, _uncounted(store))


def _uncounted(store: Store, only: int | None = None) -> list[tuple[int, int, int, str | None]]:
    """The rows that `tally` lacks, or that of one person if it does."""
    query = "SELECT id FROM person WHERE id NOT IN (SELECT person FROM tally)" + ("" if only is None else " AND id = ?")
    people = [person for (person,) in store.connection.execute(query, () if only is None else (only,))]
    few = len(people) <= MOST_PEOPLE_ONE_BY_ONE
    tables = "member CROSS JOIN face" if few else "face CROSS JOIN member"  # are joined in this order
    query = (
        f"SELECT person, count(*), count(DISTINCT face.id), min(file.name) FROM {tables} ON face.id = face"
        " CROSS JOIN analysis ON analysis.id = analysis"
        " CROSS JOIN file ON file.digest = analysis.digest AND present = 1"
        f" WHERE recipe = ?{f' AND person IN ({str(people)[1:-1]})' if few else ''} GROUP BY person"
    )
    rows = store.connection.execute(query, (store.recipe,)) if people else ()
    found = {person: counted for person, *counted in rows}
    return [(person, *found.get(person, (0, 0, None))) for person in people]


def recordings_table(recordings: Sequence[ScreenTime]) -> pl.DataFrame:
    """The table `recordings.csv`."""
    rows = [
        (
            *(one.file, one.source, one.width, one.height, one.frames, round(one.duration, 3), one.every),
            *(one.looked_at, one.skipped, "yes" if one.complete else "no"),
            len({interval.person for interval in one.intervals}),
        )
        for one in recordings
    ]
    return as_table(rows, RECORDINGS)


def intervals_table(recordings: Sequence[ScreenTime], names: dict[int, str]) -> pl.DataFrame:
    """The table `intervals.csv`, by recording and in the order of time."""
    rows = [
        (one.person, names[one.person], where.file, where.source, round(one.start, 3), round(one.end, 3), one.faces)
        for where in recordings
        for one in where.intervals
    ]
    return as_table(rows, INTERVALS)


def library_intervals(store: Store) -> pl.DataFrame:
    """The table `intervals.csv` of all recordings."""
    names = dict(library_people(store).select("person", "name").iter_rows())
    return intervals_table(screen_times(store), names)


def models_table(store: Store) -> pl.DataFrame:
    """The models that the library has seen, the latest last: how many pictures and faces each has."""
    query = (
        "SELECT recipe, count(DISTINCT content),"
        " (SELECT count(*) FROM face_row WHERE face_row.recipe = analysis.recipe)"
        " FROM analysis GROUP BY recipe ORDER BY max(id)"
    )
    rows = []
    for recipe, pictures, faces in store.connection.execute(query):
        model = VGG16 if recipe.startswith("classic") else model_of(store, recipe)
        rows.append((model.name, recipe, pictures, faces, model.dimension, recipe == store.recipe))
    return as_table(rows, MODELS)


def qualities(store: Store, only: Collection[int]) -> dict[int, dict[int, float]]:
    """The quality of each face of people, from 0 to 1, in the order of their file names."""
    query = (
        f"SELECT person, face.id, quality FROM member CROSS JOIN face ON face.id = face {_IN_FILES} WHERE recipe = ?"
        f" AND person IN (SELECT value FROM json_each(?)) {_BY_FILE}"
    )
    people: defaultdict[int, dict[int, float]] = defaultdict(dict)
    for person, face, quality in store.connection.execute(query, (store.recipe, json.dumps(list(only)))):
        people[person][face] = quality
    return people


def spread_faces(store: Store, person: int, most: int) -> tuple[list[int], int]:
    """At most so many different faces of a person, spread over all, by their file names; and how many there are."""
    query = "SELECT EXISTS (SELECT 1 FROM tally WHERE person = ? AND pictures = ?)"
    faces = member_rows(store, person)
    if len(faces) <= most or not store.connection.execute(query, (person, len(faces))).fetchone()[0]:
        faces = list(qualities(store, [person])[person])
        return [faces[i] for i in spread(len(faces), most)], len(faces)
    # All of them are there, and only those that are shown are looked up.
    query = f"SELECT face.id FROM json_each(?) CROSS JOIN face ON face.id = value {_IN_FILES} {_BY_FILE}"
    chosen = json.dumps([faces[i] for i in spread(len(faces), most)])
    return [face for (face,) in store.connection.execute(query, (chosen,))], len(faces)


_IN_FILES = (
    "CROSS JOIN analysis ON analysis.id = face.analysis CROSS JOIN file ON file.digest = content AND present = 1"
)
_BY_FILE = "GROUP BY face.id ORDER BY min(file.name), frame, number"


def spread(count: int, most: int) -> list[int]:
    """At most `most` of 0 … count-1, evenly spread over them and with both ends."""
    if count <= most:
        return list(range(count))
    if most == 1:
        return [count // 2]
    return [round(i * (count - 1) / (most - 1)) for i in range(most)]


def thumbnail_of(store: Store, face: int) -> bytes | None:
    """The stored JPEG of a face; None if there is no such face."""
    row = store.connection.execute("SELECT CAST(jpeg AS BLOB) FROM thumbnail WHERE face = ?", (face,)).fetchone()
    return None if row is None or row[0] is None else bytes(row[0])


def picture_of(store: Store, row: dict[str, Any]) -> U8:
    """The stored picture of a row of the table of faces, (h, w, 3); raises PictureError if there is none."""
    jpeg = None if row["id"] is None else thumbnail_of(store, row["id"])
    if jpeg is None:
        raise PictureError(row["reason"])
    from unmingle.faces.align import open_thumbnail

    return open_thumbnail(jpeg)


def _queried(store: Store, query: str, schema: Mapping[str, type]) -> pl.DataFrame:
    return as_table(store.connection.execute(query, (store.recipe,)).fetchall(), schema)
