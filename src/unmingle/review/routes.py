"""What all routes of the page's server share; those of likeness, of recordings, and of where pictures come from."""

from __future__ import annotations

import mimetypes
import os
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, unquote_to_bytes, urlsplit

import platformdirs
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import FileResponse, Response
from pydantic import BaseModel, Field

from unmingle.errors import LibraryError, PictureError
from unmingle.files import user_path
from unmingle.grouping.index import spaced
from unmingle.html import address
from unmingle.records import Status
from unmingle.review import schemas
from unmingle.review.alike import Likeness
from unmingle.review.auth import is_loopback
from unmingle.review.background import Adding, Run
from unmingle.review.cache import query
from unmingle.review.pages import RequestError
from unmingle.review.schemas import IdInPath, IdInQuery, Limit, Offset, Search
from unmingle.review.session import Door, Session
from unmingle.sources.formats import FOUND_SUFFIXES, is_kept
from unmingle.sources.images import readable
from unmingle.store import encryption, people_query
from unmingle.store.file_rows import remembered
from unmingle.store.people_query import FaceCard, face_cards
from unmingle.store.screen_time import Seen, seen_between
from unmingle.store.sqlite import open_to_read


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
MOUNTS = ("/media", "/run/media", "/mnt", "/Volumes")  # where systems put cards, disks and telephones
MOST = 10_000  # entries of a folder that are looked at
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


class Candidates(BaseModel):
    """Who may be meant, the most alike first."""

    people: list[Candidate]


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
) -> Candidates:
    """Who these faces may be, or who may be the same as a person, who is left out: the most alike first."""
    with now.cache.view() as view:
        known = now.cache.alike(view, person, faces)
        found = query(view.overview, sort="faces", show=show, search=search)
        others = [(known.get(one.person, UNKNOWN), one) for one in found if one.person != person]
        part = sorted(others, key=lambda pair: pair[0].order)[:limit]
        covers = now.cache.covers(view, [one for _, one in part])
    return Candidates(
        people=[
            Candidate(one.person, one.name, one.faces, covers[one.person][:1], likeness.probability)
            for likeness, one in part
        ]
    )


async def _content(request: Request) -> bytes:
    return await request.body()


@read.post("/find", openapi_extra=PICTURE)
def find(now: Now, content: Annotated[bytes, Depends(_content)]) -> FoundFaces:
    """Who is in a picture, as far as the library knows them. Nothing of it is kept."""
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
        shown.append(
            FoundFace(jpeg=address(jpeg), nearest=known, sure=one.person is not None, probability=one.probability)
        )
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
    """The frame that comes at some seconds since it begins, or next; its longer side at most `side` pixels."""
    return Response(now.frame(recording, at, side), media_type="image/jpeg")


@read.get("/recordings/{recording}/seen")
def recording_seen(now: Now, recording: IdInPath, start: Seconds = 0.0, stop: Seconds = LONGEST) -> SeenPeople:
    """Where people are in the frames from `start` to `stop`, of ten minutes at most."""
    stop = min(stop, start + LONGEST)
    with now.cache.view() as view:
        seen = seen_between(view.store, recording, start, stop)
    return SeenPeople(revision=view.overview.revision, seen=seen)


# A path as the page names it: its bytes, of which some may be no text, as in an address.
Named = Annotated[str, Field(min_length=1, max_length=12_000)]


class Folder(BaseModel):
    """A folder: its path as it is named here, what it is called, and the pictures and recordings right in it."""

    path: str
    title: str
    pictures: int = 0


class Listing(BaseModel):
    """A folder, those that it lies in, and those in it."""

    here: Folder
    above: list[Folder]
    folders: list[Folder]


class Sources(BaseModel):
    """Where pictures come from so far, folders of this machine to begin at, and the last run of this server."""

    library: str
    sources: list[Folder]
    places: list[Folder]
    run: Run | None


class AddRequest(BaseModel):
    """Folders and files to add; none: to look again at those of before."""

    sources: list[Named] = Field(max_length=1000)


def _adding(request: Request) -> Adding:
    if not is_here(request):
        problem = "Pictures are added at the machine itself."
        raise RequestError(403, problem, "Run unmingle cluster there, or unmingle review without --host.")
    adding: Adding = request.app.state.adding
    return adding


Runs = Annotated[Adding, Depends(_adding)]
sources = APIRouter(prefix="/api", tags=["add"], responses={"4XX": {"model": schemas.Problem}})


@sources.get("/sources", name="sources")
def all_sources(now: Runs) -> Sources:
    """Where pictures come from, and how far a run is."""
    folder = now.folder
    known: Iterable[Path] = ()
    with suppress(LibraryError), open_to_read(folder) as store:  # it may come and go with a run, or be locked
        known = remembered(store)
    told = [_folder(one, readable(str(one))) for one in known]
    return Sources(library=readable(str(folder)), sources=told, places=list(_places()), run=now.run)


@sources.get("/folders")
def folders(now: Runs, folder: Named) -> Listing:
    """What lies in a folder of this machine."""
    del now
    here = _meant(folder)
    try:
        inside, pictures = _inside(here)
    except OSError as error:
        problem = f"{readable(str(here))} can't be opened: {error.strerror}."
        raise RequestError(404, problem, "Choose another.") from error
    above = [_folder(one, readable(one.name) or readable(str(one))) for one in reversed(here.parents)]
    shown = [_folder(one, readable(one.name), _count(one)) for one in inside]
    return Listing(here=_folder(here, readable(here.name) or readable(str(here)), pictures), above=above, folders=shown)


@sources.post("/sources")
def add(now: Runs, asked: AddRequest) -> None:
    """Add pictures and sort the faces, beside what goes on here; 423 if that is being done already."""
    meant = [_meant(path) for path in asked.sources]
    if missing := next((path for path in meant if not path.exists()), None):
        raise RequestError(404, f"There is no {readable(str(missing))}.", "Check the path.")
    now.start([str(path) for path in meant], encryption.key_of(now.folder))


@sources.post("/sources/stop")
def stop(now: Runs) -> None:
    """End the run; what was found is kept, and the next one goes on there."""
    now.stop()


def _meant(path: str) -> Path:
    native = os.fsdecode(unquote_to_bytes(path))
    whole = Path() if "\0" in native else user_path(native)
    if not whole.is_absolute():
        raise RequestError(422, "That is no whole path.", "Write it from the top, as in /home/ada/Pictures.")
    return whole


def _folder(path: Path, title: str, pictures: int = 0) -> Folder:
    return Folder(path=quote(os.fsencode(path)), title=title, pictures=pictures)


def _inside(folder: Path) -> tuple[list[Path], int]:
    """The folders in one, in order, and how many pictures and recordings, as `walk` has them."""
    found, pictures = [], 0
    with os.scandir(folder) as entries:
        for entry, _ in zip(entries, range(MOST), strict=False):
            if entry.name.startswith(".") or (entry.is_dir() and is_kept(folder.name, entry.name)):
                continue
            if entry.is_dir():
                found.append(Path(entry.path))
            else:
                pictures += os.path.splitext(entry.name)[1].lower() in FOUND_SUFFIXES  # noqa: PTH122  # thousands
    return sorted(found, key=lambda path: readable(path.name).casefold()), pictures


def _count(folder: Path) -> int:
    with suppress(OSError):
        return _inside(folder)[1]
    return 0


def _places() -> Iterator[Folder]:
    """Where people have pictures: their own folders, and what is plugged in."""
    home = Path.home()
    named = {home / "Pictures", platformdirs.user_pictures_path(), platformdirs.user_videos_path()}
    named |= {platformdirs.user_desktop_path(), platformdirs.user_downloads_path()}
    for path in [*sorted(path for path in named if path.is_dir() and path != home), home]:
        yield _folder(path, "Home" if path == home else readable(path.name))
    for mount in map(Path, MOUNTS):
        with suppress(OSError):
            inside = _inside(mount)[0]
            # A user's own are one level further down.
            for path in [*inside, *(one for part in inside if part.name == home.name for one in _inside(part)[0])]:
                if os.path.ismount(path):
                    yield _folder(path, readable(path.name))
