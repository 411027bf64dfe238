"""What all routes of the review page's server share, those about likeness, and those that play a recording."""

from __future__ import annotations

import mimetypes
from base64 import b64encode
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import FileResponse, Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from unmingle.errors import PictureError
from unmingle.grouping.index import spaced
from unmingle.records import Status
from unmingle.review import schemas
from unmingle.review.alike import Likeness
from unmingle.review.auth import is_loopback
from unmingle.review.cache import query
from unmingle.review.pages import RequestError
from unmingle.review.schemas import IdInPath, IdInQuery, Limit, Offset, Search
from unmingle.review.session import Door, Session
from unmingle.store import people_query
from unmingle.store.people_query import FaceCard, face_cards
from unmingle.store.screen_time import Seen, seen_between

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


def door_of(request: Request) -> Door:
    """The way to the library of the server that is asked."""
    door: Door = request.app.state.door
    return door


def is_here(request: Request) -> bool:
    """Whether only who sits at this machine can ask: nobody else is told of its folders, or has it work."""
    return is_loopback(urlsplit(request.app.state.origin).hostname or "")


async def _session(request: Request) -> AsyncIterator[Session]:
    with door_of(request).session() as session:
        yield session


def described(status: int | str, description: str, **more: Any) -> dict[int | str, dict[str, Any]]:
    """An answer, for the description of the API."""
    return {status: {"description": description, **more}}


Entry = Annotated[Door, Depends(door_of)]
Now = Annotated[Session, Depends(_session)]
PROBLEMS = described("4XX", "What is wrong, and what to do about it.", model=schemas.Problem)
STALE = described(409, "Others have changed this since it was looked at; nothing was done.", model=schemas.Stale)
GONE = "There is no such person; `merged_into` tells who it is now, if anybody."
MERGED = described(404, GONE, model=schemas.Merged)
JPEG = described(200, "A JPEG picture.", content={"image/jpeg": {}})
read = APIRouter(prefix="/api", responses=PROBLEMS, tags=["look"])
write = APIRouter(prefix="/api", responses={**PROBLEMS, **STALE}, tags=["decide"])

PART_SHOWN = 8  # faces of a part of a person
UNKNOWN = Likeness(None, -1.0)
PICTURE = {"requestBody": {"required": True, "content": {"application/octet-stream": {"schema": {"type": "string"}}}}}
LONGEST = 600.0  # seconds in one answer
Seconds = Annotated[float, Query(ge=0, le=1e7)]
BYTES: dict[str, Any] = {"content": {"video/*": {}, "application/octet-stream": {}}}
FILE = described(200, "The file.", **BYTES) | described(206, "A part of it, as the header Range asks.", **BYTES)


@dataclass(frozen=True, slots=True)
class AlikeFace(FaceCard):
    """A face that is like another. likely: that both are of one person; null of itself, or if it can't be told."""

    person: int | None
    name: str
    status: Status
    likely: float | None


class AlikeFaces(BaseModel):
    """A part of the faces like one, which itself comes first; total: how many there are."""

    revision: int
    total: int
    faces: list[AlikeFace]


class Part(BaseModel):
    """Some of a person's faces. show: some of them; likely: that they are of the person of the first part."""

    faces: list[int]
    show: list[int]
    likely: float | None


class Parts(BaseModel):
    """A person's faces in parts, the largest first, to which no `likely` belongs."""

    revision: int
    parts: list[Part]


@dataclass(frozen=True, slots=True)
class Candidate(schemas.NamedPerson):
    """Somebody who may be meant. probability: that it is the same person; null if it can't be told."""

    probability: float | None


class FoundFace(BaseModel):
    """A face of a picture. jpeg: as a data address; nearest: whom it is most like; sure: alike enough to be them.

    probability: that it is them.
    """

    jpeg: str
    nearest: schemas.NamedPerson | None
    sure: bool
    probability: float


class FoundFaces(BaseModel):
    """Who is in a picture. left_out: why each of its other faces was compared with nobody."""

    faces: list[FoundFace]
    left_out: list[str]


@read.get("/alike")
def alike(
    now: Now,
    person: IdInQuery | None = None,
    faces: schemas.Faces = [],  # noqa: B006  # FastAPI reads it, and nobody changes it
    search: Search = "",
    show: schemas.Show = "all",
    limit: Annotated[int, Query(ge=1, le=100)] = 12,
) -> list[Candidate]:
    """Who these faces may be, or who may be the same as a person, who is left out: the most alike first."""
    with now.cache.view() as view:
        known = now.cache.alike(view, person, faces)
        found = query(view.overview, sort="faces", show=show, search=search)
        others = [(known.get(one.person, UNKNOWN), one) for one in found if one.person != person]
        part = sorted(others, key=lambda pair: pair[0].order)[:limit]
        covers = now.cache.covers(view, [one for _, one in part])
    return [
        Candidate(one.person, one.name, one.faces, covers[one.person][:1], likeness.probability)
        for likeness, one in part
    ]


@read.post("/find", openapi_extra=PICTURE)
async def find(now: Now, request: Request) -> FoundFaces:
    """Who is in a picture, as far as the library knows them. Nothing of it is kept."""
    content = await request.body()
    return await run_in_threadpool(lambda: _found(now, content))


def _found(now: Session, content: bytes) -> FoundFaces:
    try:
        found, jpegs = now.find(content)
    except PictureError as error:
        problem = f"The picture can't be read: {error.problem}."
        raise RequestError(422, problem, "Choose a picture that other programs open.") from error
    with now.cache.view() as view:
        people = view.overview.people
        near = {one.nearest: people[one.nearest] for one in found.faces if one.nearest in people}
        covers = now.cache.covers(view, list(near.values()))
    shown = []
    for one, jpeg in zip(found.faces, jpegs, strict=True):
        who = near.get(one.nearest or 0)
        known = None
        if who is not None:
            known = schemas.NamedPerson(who.person, who.name, who.faces, covers[who.person][:3])
        data = f"data:image/jpeg;base64,{b64encode(jpeg).decode()}"
        sure = one.person is not None
        shown.append(FoundFace(jpeg=data, nearest=known, sure=sure, probability=one.probability))
    return FoundFaces(faces=shown, left_out=list(found.left_out))


@read.get("/faces/{face}/alike")
def faces_alike(now: Now, face: IdInPath, offset: Offset = 0, limit: Limit = 200) -> AlikeFaces:
    """A face, then those most like it, the most alike first, also among the left out; none more of its person's."""
    with now.cache.view() as view:
        known = now.cache.faces_like(view, face)
        part = [face, *known][offset : offset + limit]
        whose = people_query.whose(view.store, part)
        cards = face_cards(view.store, part)
    if not offset and not cards:
        raise RequestError(404, f"There is no face {face}.", "Look at the library again.")
    likely = {other: likeness.probability for other, likeness in known.items()}
    shown = [AlikeFace(**asdict(one), **whose[one.face], likely=likely.get(one.face)) for one in cards]
    return AlikeFaces(revision=view.overview.revision, total=1 + len(known), faces=shown)


@read.get("/people/{person}/parts")
def parts(now: Now, person: IdInPath, count: Annotated[int | None, Query(ge=2, le=50)] = None) -> Parts:
    """A person's faces in so many parts by likeness, the largest first; without a number, as they fall apart."""
    with now.cache.view() as view:
        found = now.cache.parts(view, person, count)
    if not found:
        raise RequestError(404, f"There is no person {person}.", "Look at all people.")
    shown = [
        Part(faces=part, show=[part[at] for at in spaced(len(part), PART_SHOWN)], likely=likely)
        for part, likely in found
    ]
    return Parts(revision=view.overview.revision, parts=shown)


class SeenPeople(BaseModel):
    """Where people are in a part of a recording, as of a revision."""

    revision: int
    seen: list[Seen]


# The library is not kept open while bytes go out: a browser that pauses takes them up as slowly as it likes.
@read.get("/recordings/{recording}/file", response_class=Response, responses=FILE)
def recording_file(door: Entry, recording: IdInPath) -> Response:
    """A recording as it lies on the disk, if it still is what was looked at; parts of it by Range."""
    with door.session() as session:
        path = session.recording_file(recording)
    kind = mimetypes.guess_type(path.name)[0] or ""
    return FileResponse(path, media_type=kind if kind.startswith("video/") else "application/octet-stream")


@read.get("/recordings/{recording}/frame", response_class=Response, responses=JPEG)
def recording_frame(
    now: Now, recording: IdInPath, at: Seconds = 0.0, side: Annotated[int, Query(ge=64, le=8192)] = 1600
) -> Response:
    """The frame that comes at some seconds since the first, or next; its longer side at most `side` pixels."""
    return Response(now.frame(recording, at, side), media_type="image/jpeg")


@read.get("/recordings/{recording}/seen")
def recording_seen(now: Now, recording: IdInPath, start: Seconds = 0.0, stop: Seconds = LONGEST) -> SeenPeople:
    """Where people are in the frames from `start` to `stop`, of ten minutes at most."""
    stop = min(stop, start + LONGEST)
    with now.cache.view() as view:
        seen = seen_between(view.store, view.overview.recipe, recording, start, stop)
    return SeenPeople(revision=view.overview.revision, seen=seen)
