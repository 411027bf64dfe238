"""The review page's server: its routes."""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Query, Request
from fastapi.responses import HTMLResponse, Response
from starlette.concurrency import run_in_threadpool

from unmingle.decisions.alike import Likeness
from unmingle.review import schemas
from unmingle.review.assets import Assets
from unmingle.review.problems import MERGED, PROBLEMS, STALE, GoneError, Pages
from unmingle.review.room import Room
from unmingle.review.schemas import IdInPath, IdInQuery, Limit, Offset, Search
from unmingle.review.security import Gate, Guard
from unmingle.review.views import chosen, named_like
from unmingle.store.browse import FaceOrder, face_cards
from unmingle.store.left_out import left_out_groups, short
from unmingle.store.one_face import FaceDetail, face_detail
from unmingle.store.tables import thumbnail_of
from unmingle.version import __version__

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

UNKNOWN = Likeness(None, -1.0)
FOREVER = "private, max-age=31536000, immutable"
A_WHILE = "private, max-age=3600"
JPEG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/jpeg": {}}, "description": "A JPEG picture."}}
PAGES = {
    "/": "people",
    "/people/{person:int}": "person",
    "/questions": "questions",
    "/left-out": "left_out",
    "/history": "history",
    "/timeline": "timeline",
}


def _room(request: Request) -> Room:
    room: Room = request.app.state.room
    return room


TheRoom = Annotated[Room, Depends(_room)]
read = APIRouter(prefix="/api", responses=PROBLEMS, tags=["look"])
write = APIRouter(prefix="/api", responses={**PROBLEMS, **STALE}, tags=["decide"])


def create_app(folder: Path, *, token: str, origin: str, gate: Gate | None = None) -> FastAPI:
    """The server of one library.

    Args:
        folder: of the library.
        token: in the address that is opened first, exchanged for a cookie.
        origin: where the server listens, as `http://127.0.0.1:8000`; requests to other names are refused.
        gate: in place of `token` and `origin`, where more tokens are given out.

    Raises:
        LibraryError: there is no library there, or it is damaged.
    """
    room = Room(folder)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        del app
        room.start()
        yield
        await run_in_threadpool(room.stop)

    app = FastAPI(
        title="unmingle review",
        version=__version__,
        description="People and their faces, and decisions about them. Ids are numbers; no path is ever asked for.",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.state.room = room
    app.include_router(read)
    app.include_router(write)
    assets = Assets("static")
    pages = Pages(folder, room, assets.modules())
    pages.install(app)
    for path, name in PAGES.items():
        app.add_api_route(path, pages.shell(name), include_in_schema=False, response_class=HTMLResponse)
    app.mount("/static", assets)
    app.add_middleware(Guard, gate=gate or Gate(token, origin), refuse=pages.refuse)
    return app


@read.get("/library")
def library(room: TheRoom) -> schemas.LibrarySummary:
    """The library in numbers."""
    overview = room.views.overview()
    people = overview.people.values()
    shown = [one for one in people if not one.ignored]
    return schemas.LibrarySummary(
        folder=room.name,
        faces=overview.faces,
        people=len(shown),
        named=sum(bool(one.name) for one in shown),
        left_out=room.views.left_out_count(),
        ignored=len(people) - len(shown),
        recordings=room.views.recordings(),
        questions_ready=room.questions.ready(),
        revision=overview.revision,
        clusterings=overview.clusterings,
        version=__version__,
    )


@read.get("/people")
def people(
    room: TheRoom,
    sort: schemas.Sort = "faces",
    show: schemas.Show = "all",
    search: Search = "",
    offset: Offset = 0,
    limit: Limit = 60,
) -> schemas.PeoplePage:
    """The people, filtered, searched by name or number, and sorted."""
    with room.views.look() as look:
        overview = look.overview
        found = chosen(list(overview.people.values()), sort=sort, show=show, search=search)
        part = found[offset : offset + limit]
        covers = room.views.covers(look, part)
    shown = [schemas.ShownPerson.of(one, covers[one.person]) for one in part]
    return schemas.PeoplePage(revision=overview.revision, total=len(found), people=shown)


@read.get("/people/{person}", responses=MERGED)
def one_person(room: TheRoom, person: IdInPath) -> schemas.WholePerson:
    """One person; of one who was merged, 404 tells into whom."""
    with room.views.look() as look:
        overview = look.overview
        found = overview.people.get(person)
        if found is None:
            into = room.views.history().merged_into(person)
            raise GoneError(f"There is no person {person}.", "Look at all people.", merged_into=into)
        covers = room.views.covers(look, [found])[person]
        (first,) = face_cards(look.store, room.views.faces_of(look, person, "time")[:1].tolist()) or (None,)
    return schemas.WholePerson.whole(found, covers, overview.revision, first.file if first else "")


@read.get("/people/{person}/faces")
def faces(
    room: TheRoom, person: IdInPath, sort: FaceOrder = "time", offset: Offset = 0, limit: Limit = 200
) -> schemas.FacesPage:
    """A person's faces: by file and frame, the best first, or the least sure first."""
    with room.views.look() as look:
        overview = look.overview
        ordered = room.views.faces_of(look, person, sort)
        if not len(ordered):
            raise GoneError(f"There is no person {person}.", "Look at all people.")
        cards = face_cards(look.store, ordered[offset : offset + limit].tolist())
    return schemas.FacesPage(revision=overview.revision, total=len(ordered), faces=cards)


@read.get("/faces/{face}")
def one_face(room: TheRoom, face: IdInPath) -> FaceDetail:
    """One face: its picture, whose it is and why, and who else is there."""
    with room.views.readers.snapshot() as store:
        found = face_detail(store, face)
    if found is None:
        raise GoneError(f"There is no face {face}.", "Look at the library again.")
    return found


@read.get("/faces/{face}/thumbnail", response_class=Response, responses=JPEG)
def face_thumbnail(room: TheRoom, face: IdInPath) -> Response:
    """A small square picture of a face, as it was stored when the face was found."""
    with room.views.readers.snapshot() as store:
        jpeg = thumbnail_of(store, face)
    if jpeg is None:
        raise GoneError(f"There is no face {face}.", "Look at the library again.")
    return _jpeg(jpeg, FOREVER)


@read.get("/faces/{face}/picture", response_class=Response, responses=JPEG)
def face_picture(room: TheRoom, face: IdInPath, side: Annotated[int, Query(ge=64, le=8192)] = 1600) -> Response:
    """The whole upright picture that shows a face, its longer side at most `side` pixels, read from its file now."""
    return _jpeg(room.picture(face, side), A_WHILE)


def _jpeg(content: bytes, keep: str) -> Response:
    # The cookie is another one for each library, so a browser never shows what another library had there.
    return Response(content, media_type="image/jpeg", headers={"Cache-Control": keep, "Vary": "Cookie"})


@read.get("/left-out")
def left_out(room: TheRoom) -> schemas.LeftOutGroups:
    """What has no person, by reason."""
    revision = room.views.overview().revision  # first, so that nobody decides by what is older than they think
    return schemas.LeftOutGroups(revision=revision, groups=left_out_groups(room.views.left_out()))


@read.get("/left-out/faces")
def left_out_faces(
    room: TheRoom, status: Search = "", reason: Search = "", offset: Offset = 0, limit: Limit = 200
) -> schemas.LeftOutPage:
    """Faces and files that have no person for one reason; without status or reason, for any."""
    revision = room.views.overview().revision  # first, as above
    found = [
        row
        for row in room.views.left_out()
        if (not status or row.status == status) and (not reason or short(row.reason) == reason)
    ]
    return schemas.LeftOutPage(revision=revision, total=len(found), faces=found[offset : offset + limit])


@read.get("/timeline")
def timeline(
    room: TheRoom, person: IdInQuery | None = None, offset: Offset = 0, limit: Limit = 20
) -> schemas.TimelinePage:
    """Who is on screen when, recording by recording; of one person, only the recordings that they are in."""
    revision = room.views.overview().revision  # first, as above
    found = room.views.timelines()
    if person is not None:
        found = [alone for one in found if (alone := one.only(person)) is not None]
    return schemas.TimelinePage(revision=revision, total=len(found), recordings=found[offset : offset + limit])


@read.get("/names")
def names(room: TheRoom, search: Search = "", limit: Annotated[int, Query(ge=1, le=100)] = 8) -> schemas.Names:
    """Names that are there already, those that begin with `search` first."""
    with room.views.look() as look:
        found = named_like(list(look.overview.people.values()), search)[:limit]
        covers = room.views.covers(look, found)
    return schemas.Names(
        names=[schemas.NamedPerson(one.person, one.name, one.faces, covers[one.person][:1]) for one in found]
    )


@read.get("/alike")
def alike(
    room: TheRoom,
    person: IdInQuery | None = None,
    faces: schemas.Faces = [],  # noqa: B006  # FastAPI reads it, and nobody changes it
    search: Search = "",
    limit: Annotated[int, Query(ge=1, le=100)] = 12,
) -> schemas.Candidates:
    """Who these faces may be, or who may be the same as a person, who is left out: the most alike first."""
    with room.views.look() as look:
        known = room.views.alike(look, person, faces)
        found = chosen(list(look.overview.people.values()), sort="faces", show="all", search=search)
        others = [(known.get(one.person, UNKNOWN), one) for one in found if one.person != person]
        part = sorted(others, key=lambda pair: pair[0].order)[:limit]
        covers = room.views.covers(look, [one for _, one in part])
    return schemas.Candidates(
        people=[
            schemas.Candidate(one.person, one.name, one.faces, covers[one.person][:1], likeness.probability)
            for likeness, one in part
        ]
    )


@read.get("/questions")
def questions(room: TheRoom, limit: Annotated[int, Query(ge=1, le=200)] = 20) -> schemas.Questions:
    """The questions most worth an answer. While they are worked out anew, those that still stand are told."""
    revision = room.views.overview().revision  # first, as above
    ready, every = room.questions.ready(), room.standing_questions()
    shown = [schemas.Question.of(one) for one in every[:limit]]
    return schemas.Questions(revision=revision, ready=ready, left=len(every), questions=shown)


@read.get("/decisions")
def log(room: TheRoom, offset: Offset = 0, limit: Limit = 50) -> schemas.DecisionsPage:
    """The log, newest first."""
    history = room.views.history()
    return schemas.DecisionsPage(
        revision=history.revision,
        total=len(history.entries),
        can_undo=history.can_undo,
        can_redo=history.can_redo,
        decisions=[schemas.Decision.of(one) for one in history.newest(offset, limit)],
    )


@write.post("/decisions")
def decide(room: TheRoom, asked: schemas.DecisionRequest) -> schemas.Decided:
    """Decide something about people or faces."""
    return schemas.Decided.of(room.edited(room.editor.take(asked)))


@write.post("/undo")
def undo(room: TheRoom, asked: schemas.UndoRequest) -> schemas.Decided:
    """Undo a decision: this one, or the last that stands."""
    done = room.editor.do(lambda library: library.undo(asked.decision, seen=asked.seen))
    return schemas.Decided.of(room.edited(done))


@write.post("/redo")
def redo(room: TheRoom, asked: schemas.UndoRequest) -> schemas.Decided:
    """Let a decision stand again: this one, or the last that was undone."""
    done = room.editor.do(lambda library: library.redo(asked.decision, seen=asked.seen))
    return schemas.Decided.of(room.edited(done))


@write.post("/questions/{question}")
def answer(room: TheRoom, question: schemas.QuestionId, asked: schemas.AnswerRequest) -> schemas.Decided:
    """Answer a question; the answer is a decision like others."""
    return schemas.Decided.of(room.answer(question, asked.answer, asked.seen))


@write.post("/files/{file}/retry")
def retry(room: TheRoom, file: IdInPath) -> schemas.Retried:
    """Read a file again that could not be read."""
    status, reason = room.retry(file)
    return schemas.Retried(status=status, reason=reason)
