"""One face looked at closely: where it is, whose it is and why, and who else is in the picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unmingle.records import Status  # not only for checking types: the review's server reads these records
from unmingle.store.browse import face_cards
from unmingle.store.held import HELD, HeldFile
from unmingle.store.recordings import beside
from unmingle.store.tables import COPY_OF, status_of

if TYPE_CHECKING:
    from unmingle.store.sqlite import Store

Box = tuple[float, float, float, float]


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
    """A face and its picture.

    file:        one of the files that show it, as its source names it; `files` are all of them.
    frame:       of the recording, or where the file's name tells.
    time:        of a recording's frame, seconds since the first; None for a picture file.
    box:         left, top, width, height in pixels of the upright picture.
    score:       the detector's confidence, 0 to 1.
    person:      whose face it is; None for nobody's.
    status:      as in `faces.csv`, and `reason` in words.
    probability: that the face belongs to the person; None where it is not known.
    decided:     a person said that it belongs there.
    others:      the other faces in the picture.
    """

    face: int
    file: str
    files: list[str]
    frame: int | None
    time: float | None
    box: Box
    picture: Size
    quality: float
    score: float
    person: int | None
    name: str
    status: Status
    reason: str
    probability: float | None
    decided: bool
    others: list[OtherFace]


_FACE = f"""
SELECT analysis.id, analysis.content, analysis.frame, face.track, analysis.time, analysis.reason,
       analysis.width, analysis.height,
       face."left", face.top, face.width, face.height, face.quality, face.score, face.reason, face.flag,
       person.id, person.name, person.ignored, member.probability, member.decided, mark.mark,
       {COPY_OF}
FROM face
JOIN analysis ON analysis.id = face.analysis
LEFT JOIN member ON member.face = face.id
LEFT JOIN person ON person.id = member.person
LEFT JOIN mark ON mark.face = face.id
WHERE face.id = ?
"""


def face_detail(store: Store, face: int) -> FaceDetail | None:
    """All that is known of a face; None if there is no such face."""
    row = store.connection.execute(_FACE, (face,)).fetchone()
    if row is None:
        return None
    analysis, content, frame, track, time, why, width, height, *rest = row
    *measures, person, name, ignored, probability, decided, mark, copy = rest
    *box, quality, score, reason, flag = measures
    status, reason = status_of("", analysis, why, face, reason, flag, person, mark, ignored, copy)
    files = [held.file.name for held in _files(store, content)]
    shown = files[0] if files else ""
    return FaceDetail(
        face=face,
        file=shown,
        files=files,
        frame=face_cards(store, [face])[0].frame,
        time=None if time is None else round(time, 3),
        box=_box(box),
        picture=Size(width, height),
        quality=round(quality, 4),
        score=round(score, 4),
        person=person,
        name=name or "",
        status=status,
        reason=reason,
        probability=probability,
        decided=bool(decided),
        others=_others(store, analysis, face) if track is None else _others_in_frame(store, track, frame),
    )


def _box(values: list[Any]) -> Box:
    left, top, width, height = (round(float(value), 1) for value in values)
    return left, top, width, height


def _others(store: Store, analysis: int, face: int) -> list[OtherFace]:
    query = (
        "SELECT face.id, face.\"left\", face.top, face.width, face.height, person.id, coalesce(person.name, '')"
        " FROM face LEFT JOIN member ON member.face = face.id LEFT JOIN person ON person.id = member.person"
        " WHERE face.analysis = ? AND face.id <> ? ORDER BY face.number"
    )
    rows = store.connection.execute(query, (analysis, face))
    return [OtherFace(other, _box(box), person, name) for other, *box, person, name in rows]


def _others_in_frame(store: Store, track: int, frame: int) -> list[OtherFace]:
    """Whoever else was seen in a frame of a recording, though few of them have a face of their own just there."""
    query = (
        "SELECT person.id, coalesce(person.name, '') FROM face LEFT JOIN member ON member.face = face.id"
        " LEFT JOIN person ON person.id = member.person WHERE face.id = ?"
    )
    others = []
    for face, box in beside(store.connection, track, frame):
        person, name = store.connection.execute(query, (face,)).fetchone()
        others.append(OtherFace(face, _box(box), person, name))
    return others


def _files(store: Store, digest: str) -> list[HeldFile]:
    """The files that hold a picture, those that are there first."""
    query = (
        f"SELECT {HELD} FROM file JOIN source ON source.id = file.source"
        " WHERE file.digest = ? ORDER BY file.present DESC, file.source, file.name"
    )
    return [HeldFile.of(row) for row in store.connection.execute(query, (digest,))]


@dataclass(frozen=True, slots=True)
class Original:
    """Where the whole picture of a face is.

    digest: of the picture or recording. frame: of a recording; None for a picture file.
    files:  those that should hold it.
    bytes:  SHA-256 of all files that showed it.
    """

    digest: str
    frame: int | None
    files: list[HeldFile]
    bytes: frozenset[str]


def original(store: Store, face: int) -> Original | None:
    """The picture that shows a face; None for no such face."""
    query = (
        "SELECT analysis.content, analysis.frame FROM face JOIN analysis ON analysis.id = face.analysis"
        " WHERE face.id = ?"
    )
    row = store.connection.execute(query, (face,)).fetchone()
    if row is None:
        return None
    forms = store.connection.execute("SELECT DISTINCT bytes FROM file WHERE digest = ?", (row[0],))
    return Original(row[0], row[1], _files(store, row[0]), frozenset({row[0], *(form for (form,) in forms)}))
