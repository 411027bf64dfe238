"""Faces with their pictures and files: looked at singly, left out with a reason, or taken along by exports."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np

from unmingle.files import stamp_of
from unmingle.records import (
    F32,
    Status,  # not only for checking types: the review's server reads these records
)
from unmingle.sources.images import PictureFile
from unmingle.store.people_query import face_cards
from unmingle.store.sightings import begins, seen_in_frame
from unmingle.store.sqlite import Store

Box = tuple[float, float, float, float]

FILE_STATE = "folder, path, size, modified"  # of the view file_row: what `FileState.of` takes


@dataclass(frozen=True, slots=True)
class FileState:
    """A file as it was when it was last read; modified: in nanoseconds."""

    file: PictureFile
    size: int
    modified: int

    @classmethod
    def of(cls, row: Sequence[Any]) -> FileState:
        """The file of a row with the columns `FILE_STATE`."""
        folder, path, size, modified = row
        return cls(PictureFile(os.fsdecode(folder), os.fsdecode(path)), size, modified)

    @property
    def changed(self) -> str:
        """Why it is not what was read; empty if it still is."""
        try:
            status = self.file.path.stat()
        except (OSError, ValueError) as error:  # damage may have put a zero into its name
            return f"can't be opened: {getattr(error, 'strerror', error)}"
        same = stamp_of(status) == (self.size, self.modified)
        return "" if same else "changed since it was read: run unmingle cluster again"


def file_state(store: Store, file: int) -> FileState | None:
    """A file by its row; None if there is none."""
    row = store.connection.execute(f"SELECT {FILE_STATE} FROM file_row WHERE file = ?", (file,)).fetchone()
    return None if row is None else FileState.of(row)


def _files_of_picture(store: Store, digest: str) -> list[FileState]:
    """The files that hold a picture or a recording, those that are there first."""
    query = f"SELECT {FILE_STATE} FROM file_row WHERE digest = ? ORDER BY present DESC, source, name"
    return [FileState.of(row) for row in store.connection.execute(query, (digest,))]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A face without a person, or a file without a face, of which `face` and `quality` are None; file_id: its row."""

    face: int | None
    file: str
    file_id: int
    status: Status
    reason: str
    quality: float | None


@dataclass(frozen=True, slots=True)
class LeftOutGroup:
    """How many were left out for one reason; faces: of these, or files where no face was found."""

    status: Status
    reason: str
    faces: int


def lone_faces(store: Store) -> list[LeftOut]:
    """The faces without a person, in the order of their files; a face that several files show is there once."""
    query = """
    WITH lone AS MATERIALIZED (
        SELECT id FROM face WHERE NOT EXISTS (SELECT 1 FROM member WHERE member.face = face.id)
    )
    SELECT face, file.name, file.id, status, reason, face_status.quality
    FROM lone
    JOIN face_status ON face_status.face = lone.id AND face_status.recipe = ?
    JOIN file ON file.id = (
        SELECT id FROM file WHERE file.digest = face_status.content AND present = 1 ORDER BY source, name LIMIT 1
    )
    ORDER BY file.source, file.name, frame, number
    """
    rows = store.connection.execute(query, (store.recipe,))
    return [LeftOut(*row) for row in ((*rest, round(quality, 4)) for *rest, quality in rows)]


def faceless_files(store: Store) -> list[LeftOut]:
    """The files without a face, and those that can't be read; decisions change nothing about them."""
    query = "SELECT NULL, name, file, status, reason, NULL FROM faceless_file WHERE recipe = ? ORDER BY source, name"
    return [LeftOut(*row) for row in store.connection.execute(query, (store.recipe,))]


def count_faces(store: Store) -> int:
    """How many faces there are in pictures that are there, each counted once."""
    query = (
        "SELECT count(*) FROM analysis JOIN face ON face.analysis = analysis.id WHERE analysis.recipe = ?"
        " AND EXISTS (SELECT 1 FROM file WHERE file.digest = analysis.content AND file.present = 1)"
    )
    return int(store.connection.execute(query, (store.recipe,)).fetchone()[0])


def short(reason: str) -> str:
    """A reason without its measures, which would make every row a group of its own."""
    return reason.partition(":")[0]


def left_out_groups(rows: Iterable[LeftOut]) -> list[LeftOutGroup]:
    """How many rows there are of each status and reason, the most frequent first."""
    counts = Counter((row.status, short(row.reason)) for row in rows)
    groups = [LeftOutGroup(status, reason, count) for (status, reason), count in counts.items()]
    return sorted(groups, key=lambda group: (-group.faces, group.status, group.reason))


@dataclass(frozen=True, slots=True)
class Size:
    """Of an upright picture, in pixels."""

    width: int
    height: int


@dataclass(frozen=True, slots=True)
class OtherFace:
    """Another face in the same picture, or the one that stands for it; box: left, top, width, height in pixels."""

    face: int
    box: Box
    person: int | None
    name: str


@dataclass(frozen=True, slots=True)
class FaceDetail:
    """A face and its picture."""

    face: int
    file: str  # one of the files that show it, as its source names it
    files: list[str]  # all of them
    frame: int | None  # of the recording, or where the file's name tells
    recording: int | None  # of /api/timeline; None for a picture file
    time: float | None  # of the frame, seconds since the recording begins
    box: Box  # left, top, width, height in pixels of the upright picture
    picture: Size
    quality: float
    score: float  # the detector's confidence, 0 to 1
    person: int | None  # whose face it is; None for nobody's
    name: str
    status: Status  # as in `faces.csv`
    reason: str
    probability: float | None  # that the face belongs to the person; None where it is not known
    decided: bool  # a person said that it belongs there
    others: list[OtherFace]  # in the picture


def face_detail(store: Store, face: int) -> FaceDetail | None:
    """All that is known of a face; None if there is no such face."""
    query = (
        "SELECT picture, content, frame, track, (SELECT recording FROM track WHERE track.id = face_status.track), time,"
        ' picture_width, picture_height, "left", top, width, height,'
        " score, person, coalesce(name, ''), status, reason FROM face_status WHERE face = ?"
    )
    row = store.connection.execute(query, (face,)).fetchone()
    if row is None:
        return None
    picture, content, frame, track, recording, time, across, down, *box, score, person, name, status, reason = row
    (card,) = face_cards(store, [face])
    return FaceDetail(
        face=face,
        file=card.file,
        files=[held.file.name for held in _files_of_picture(store, content)],
        frame=card.frame,
        recording=recording,
        time=None if time is None else round(time, 3),
        box=_box(box),
        picture=Size(across, down),
        quality=card.quality,
        score=round(score, 4),
        person=person,
        name=name,
        status=status,
        reason=reason,
        probability=card.probability,
        decided=card.decided,
        others=_others(store, picture, face) if track is None else _others_in_frame(store, track, frame),
    )


def _box(values: Sequence[float]) -> Box:
    left, top, width, height = (round(float(value), 1) for value in values)
    return left, top, width, height


_OTHER = "SELECT face, \"left\", top, width, height, person, coalesce(name, '') FROM face_row"


def _others(store: Store, picture: int, face: int) -> list[OtherFace]:
    rows = store.connection.execute(f"{_OTHER} WHERE picture = ? AND face <> ? ORDER BY number", (picture, face))
    return [OtherFace(other, _box(box), person, name) for other, *box, person, name in rows]


def _others_in_frame(store: Store, track: int, frame: int) -> list[OtherFace]:
    """Whoever else was seen in a frame of a recording, though few of them have a face of their own just there."""
    others = []
    for face, box in seen_in_frame(store.connection, track, frame):
        *_, person, name = store.connection.execute(f"{_OTHER} WHERE face = ?", (face,)).fetchone()
        others.append(OtherFace(face, _box(box), person, name))
    return others


@dataclass(frozen=True, slots=True)
class Original:
    """Where the whole picture of a face is."""

    digest: str  # of the picture or recording
    frame: int | None  # of a recording; None for a picture file
    files: tuple[FileState, ...]  # that should hold it
    bytes: frozenset[str]  # SHA-256 of all files that showed it
    box: Box | None = None  # of the face: left, top, width, height in pixels
    begins: float = 0.0  # seconds, when the first frame of the recording that was looked at came


def original(store: Store, face: int) -> Original | None:
    """The picture that shows a face; None for no such face."""
    query = 'SELECT content, frame, "left", top, width, height FROM face_row WHERE face = ?'
    row = store.connection.execute(query, (face,)).fetchone()
    return None if row is None else _original(store, row[0], row[1], row[2:])


def original_recording(store: Store, recording: int) -> Original | None:
    """A recording as a whole, by its row; None for no such recording."""
    row = store.connection.execute("SELECT content, recipe FROM recording WHERE id = ?", (recording,)).fetchone()
    return None if row is None else replace(_original(store, row[0], None), begins=begins(store.connection, *row))


def _original(store: Store, content: str, frame: int | None, box: Box | None = None) -> Original:
    forms = store.connection.execute("SELECT DISTINCT bytes FROM file WHERE digest = ?", (content,))
    known = frozenset({content, *(form for (form,) in forms)})
    return Original(content, frame, tuple(_files_of_picture(store, content)), known, box)


@dataclass(frozen=True, slots=True)
class FileFace:
    """A face on a picture file."""

    face: int
    box: Box  # may reach over the picture's border
    person: int | None  # None for nobody's, or for somebody's who is ignored
    name: str  # empty if they have none
    counts: bool  # it is a face that anybody wants to see: neither said nor found to be none, and not ignored


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture file and its faces; width, height: upright, in pixels."""

    held: FileState
    width: int
    height: int
    faces: tuple[FileFace, ...]


def pictures(store: Store) -> Iterator[Picture]:
    """The picture files that are there, by source and path."""
    query = (
        f"SELECT {FILE_STATE}, analysis.width, analysis.height,"
        ' face, face."left", face.top, face.width, face.height, person, face.name, counts FROM file_row'
        " JOIN analysis ON analysis.digest = file_row.digest AND analysis.recipe = ?"
        " LEFT JOIN exported_face AS face ON picture = analysis.id"
        " WHERE present = 1 AND NOT EXISTS (SELECT 1 FROM recording WHERE recording.content = file_row.digest)"
        " ORDER BY folder, path, number"
    )
    for (*held, width, height), rows in groupby(
        store.connection.execute(query, (store.recipe,)), key=lambda row: row[:6]
    ):
        faces = (row[6:] for row in rows if row[6] is not None)
        found = tuple(FileFace(face, (*box,), person, name, bool(counts)) for face, *box, person, name, counts in faces)
        yield Picture(FileState.of(held), width, height, found)


def originals(store: Store) -> dict[int, int]:
    """For each face of which there are copies, and for each of these, the one that is the original."""
    return dict(store.connection.execute('SELECT face, "of" FROM copy').fetchall())


def files_of_people(store: Store) -> Iterator[tuple[int, str, int | None, int | None, FileState]]:
    """Person, name, frame and number of one of their faces, and the file that shows it; ignored people are left out.

    The frame is that of a recording; None for a picture file. The number of a face in a recording may be missing.
    """
    # With min(), SQLite takes the other columns from the row that has the least.
    query = (
        f"SELECT person, name, iif(track IS NULL, NULL, frame), number, {FILE_STATE}, min(face) FROM shown_face"
        " WHERE recipe = ? AND person IS NOT NULL AND NOT ignored GROUP BY person, file"
    )
    for person, name, frame, number, *held, _ in store.connection.execute(query, (store.recipe,)):
        yield person, name, frame, number, FileState.of(held)


def examples(store: Store) -> Iterator[tuple[PictureFile, int | None, F32]]:
    """A file that shows a face that may found a person, the person or None, and (5, 2) its landmarks, for other models.

    Faces in recordings are left out; people come first, by id.
    """
    query = (
        f"SELECT {FILE_STATE}, person, points FROM shown_face"
        " WHERE recipe = ? AND frame IS NULL AND standing = 'found' GROUP BY face"
        " ORDER BY person IS NULL, person, digest, number"
    )
    for *held, person, points in store.connection.execute(query, (store.recipe,)):
        yield FileState.of(held).file, person, np.frombuffer(points, "<f4").reshape(5, 2).copy()
