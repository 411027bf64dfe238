"""The review page's server: its routes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, fields
from operator import gt, lt
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.responses import HTMLResponse, Response
from starlette.concurrency import run_in_threadpool

from unmingle.decisions.kinds import Redo, Undo
from unmingle.review import schemas
from unmingle.review.auth import Auth, AuthMiddleware
from unmingle.review.background import Adding
from unmingle.review.cache import SORTS, named_like, query
from unmingle.review.pages import Pages, RequestError, there
from unmingle.review.routes import JPEG, MERGED, Entry, Now, is_here, read, sources, write
from unmingle.review.schemas import IdInPath, IdInQuery, Limit, Offset, Search
from unmingle.review.session import Door
from unmingle.sources.images import readable
from unmingle.store import people_query
from unmingle.store.encryption import is_encrypted
from unmingle.store.face_query import face_detail, left_out_groups, short
from unmingle.store.people_query import FaceOrder, face_cards
from unmingle.version import __version__

# The pages, all of one shell, and how each looks while it waits for what it shows.
PAGES = {
    "/": "cards",
    "/people/{person:int}": "faces",
    "/faces/{face:int}": "faces",
    "/pictures/{face:int}": "faces",
    "/naming": "faces",
    "/questions": "faces",
    "/left-out": "faces",
    "/history": "lines",
    "/timeline": "lines",
    "/add": "lines",
}


# What may be chosen of the log, by the kinds of its entries.
LOGGED: dict[str, set[str]] = {
    "names": {"name"},
    "merges": {"merge", "different", "unsure"},
    "faces": {"split", "reject", "assign", "not_a_face", "face"},
    "ignored": {"ignore", "restore"},
}
ROUTERS = (read, write, sources)


def create_app(folder: Path, auth: Auth, started: Callable[[], object] = lambda: None) -> FastAPI:
    """The server of a library, for whom `auth` lets in."""
    door = Door(folder)
    adding = Adding(folder, door.made)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        del app
        door.start()
        started()
        yield
        await run_in_threadpool(adding.stop)
        await run_in_threadpool(door.stop)

    app = FastAPI(
        title="unmingle review",
        version=__version__,
        description="People and their faces, and decisions about them. Ids are numbers; paths are asked for"
        " only of pictures to add, and only at this machine.",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.state.door, app.state.adding, app.state.origin = door, adding, auth.origin
    for router in ROUTERS:
        app.include_router(router)
    pages = Pages(door)
    pages.install(app)
    for path, waiting in PAGES.items():
        app.add_api_route(path, pages.shell(waiting), include_in_schema=False, response_class=HTMLResponse)
    app.add_middleware(AuthMiddleware, auth=auth, refuse=pages.refuse)
    return app


@read.get("/library")
def library(now: Now) -> schemas.LibrarySummary:
    """The library in numbers."""
    overview, (left_out, recordings), log = now.cache.overview(), now.cache.counts(), now.cache.log()
    words = {entry.id: entry.words for entry in log.entries}
    people = overview.people.values()
    shown = [one for one in people if not one.ignored]
    return schemas.LibrarySummary(
        folder=now.name,
        encrypted=is_encrypted(now.folder),
        faces=overview.faces,
        people=len(shown),
        named=sum(bool(one.name) for one in shown),
        left_out=left_out,
        ignored=len(people) - len(shown),
        recordings=recordings,
        questions_ready=now.questions.ready(),
        questions=len(now.current_questions()),
        to_undo=words.get(log.to_undo() or 0),
        to_redo=words.get(log.to_redo() or 0),
        revision=overview.revision,
        clusterings=overview.clusterings,
        version=__version__,
    )


@read.get("/people")
def people(
    now: Now,
    sort: schemas.Sort = "faces",
    show: schemas.Show = "all",
    search: Search = "",
    offset: Offset = 0,
    limit: Limit = 60,
) -> schemas.PeoplePage:
    """The people, filtered, searched by name or number, and sorted."""
    with now.cache.view() as view:
        found = query(view.overview, sort=sort, show=show, search=search)
        part = found[offset : offset + limit]
        covers = now.cache.covers(view, part)
    shown = [schemas.ShownPerson(**asdict(one), covers=covers[one.person]) for one in part]
    return schemas.PeoplePage(revision=view.overview.revision, total=len(found), people=shown)


@read.get("/people/{person}", responses=MERGED)
def one_person(now: Now, person: IdInPath) -> schemas.WholePerson:
    """One person; of one who was merged, 404 tells into whom."""
    with now.cache.view() as view:
        found = view.overview.people.get(person)
        if found is None:
            into = now.cache.log().merged_into(person)
            raise RequestError(404, f"There is no person {person}.", "Look at all people.", merged_into=into)
        covers = now.cache.covers(view, [found])[person]
        first = face_cards(view.store, now.cache.faces_of(view, person, "time")[:1].tolist())
        below = people_query.faces_below(view.store, person)
    file = first[0].file if first else ""
    now_at = view.overview.revision
    return schemas.WholePerson(**asdict(found), covers=covers, revision=now_at, below=below, first_file=file)


@read.get("/people/{person}/faces")
def faces(
    now: Now, person: IdInPath, sort: FaceOrder = "time", offset: Offset = 0, limit: Limit = 200
) -> schemas.FacesPage:
    """A person's faces: by file and frame, the best first, or the least sure first."""
    with now.cache.view() as view:
        ordered = now.cache.faces_of(view, person, sort)
        if not len(ordered):
            raise RequestError(404, f"There is no person {person}.", "Look at all people.")
        cards = face_cards(view.store, ordered[offset : offset + limit].tolist())
    return schemas.FacesPage(revision=view.overview.revision, total=len(ordered), faces=cards)


@read.get("/people/{person}/beside")
def beside(
    now: Now, person: IdInPath, sort: schemas.Sort = "faces", show: schemas.Show = "all", search: Search = ""
) -> schemas.Beside:
    """Who comes before and after a person where people are filtered and sorted so, be this one among them or not."""
    overview = now.cache.overview()
    if person not in overview.people:
        raise RequestError(404, f"There is no person {person}.", "Look at all people.")
    found, order = query(overview, sort=sort, show=show, search=search), SORTS[sort]
    here = order(overview.people[person])
    before, after = ([one.person for one in found if than(order(one), here)] for than in (lt, gt))
    return schemas.Beside(before=before[-1] if before else None, after=after[0] if after else None)


@read.get("/faces/{face}")
def one_face(now: Now, face: IdInPath) -> schemas.WholeFace:
    """One face: its picture, whose it is and why, and who else is there."""
    with now.cache.view() as view:
        found = there(face_detail(view.store, face), f"face {face}")
        ordered = [] if found.person is None else now.cache.faces_of(view, found.person, "time").tolist()
    told: dict[str, Any] = {one.name: getattr(found, one.name) for one in fields(found)}
    place = ordered.index(face) if face in ordered else 0
    return schemas.WholeFace(**told, revision=view.overview.revision, place=place)


@read.get("/faces/{face}/path")
def face_path(now: Now, request: Request, face: IdInPath) -> schemas.PicturePath:
    """Where the picture of a face lies, as no other answer tells; empty for who doesn't sit at this machine."""
    files = now.original(face).files
    return schemas.PicturePath(path=readable(str(files[0].file.path)) if files and is_here(request) else "")


@read.get("/faces/{face}/thumbnail", response_class=Response, responses=JPEG)
def face_thumbnail(now: Now, face: IdInPath, side: Annotated[int, Query(ge=1, le=1024)] = 1) -> Response:
    """A square picture of a face, as it was stored when it was found; cut out of its file anew if more is asked for."""
    return _jpeg(now.thumbnail(face, side))


@read.get("/faces/{face}/picture", response_class=Response, responses=JPEG)
def face_picture(now: Now, face: IdInPath, side: Annotated[int, Query(ge=64, le=8192)] = 1600) -> Response:
    """The whole upright picture that shows a face, its longer side at most `side` pixels, read from its file now."""
    return _jpeg(now.picture(face, side))


def _jpeg(content: bytes) -> Response:
    return Response(content, media_type="image/jpeg")  # which no browser stores: see `AuthMiddleware`


# In what follows the revision is read first, so that nobody decides by what is older than they think.


@read.get("/left-out")
def left_out(now: Now) -> schemas.LeftOutGroups:
    """What has no person, by reason."""
    revision = now.cache.overview().revision
    return schemas.LeftOutGroups(revision=revision, groups=left_out_groups(now.cache.left_out()))


@read.get("/left-out/faces")
def left_out_faces(
    now: Now, status: Search = "", reason: Search = "", offset: Offset = 0, limit: Limit = 200
) -> schemas.LeftOutPage:
    """Faces and files that have no person for one reason; without status or reason, for any."""
    revision = now.cache.overview().revision
    found = [one for one in now.cache.left_out() if status in ("", one.status) and reason in ("", short(one.reason))]
    return schemas.LeftOutPage(revision=revision, total=len(found), faces=found[offset : offset + limit])


@read.get("/timeline")
def timeline(
    now: Now, person: IdInQuery | None = None, recording: IdInQuery | None = None, offset: Offset = 0, limit: Limit = 20
) -> schemas.TimelinePage:
    """Who is on screen when, recording by recording, or in one; of one person, only the recordings that they are in."""
    revision = now.cache.overview().revision
    found = [one for one in now.cache.timelines() if recording in (None, one.recording)]
    if person is not None:
        found = [alone for one in found if (alone := one.only(person)) is not None]
    return schemas.TimelinePage(revision=revision, total=len(found), recordings=found[offset : offset + limit])


@read.get("/names")
def names(now: Now, search: Search = "", limit: Annotated[int, Query(ge=1, le=100)] = 8) -> schemas.Names:
    """Names that are there already, those that begin with `search` first."""
    with now.cache.view() as view:
        found = named_like(view.overview, search)[:limit]
        covers = now.cache.covers(view, found)
    return schemas.Names(
        names=[schemas.NamedPerson(one.person, one.name, one.faces, covers[one.person][:1]) for one in found]
    )


@read.get("/questions")
def questions(now: Now, limit: Annotated[int, Query(ge=1, le=200)] = 20) -> schemas.Questions:
    """The questions most worth an answer. While they are worked out anew, those that still stand are told."""
    revision = now.cache.overview().revision
    ready, every = now.questions.ready(), now.current_questions()
    shown = [schemas.Question.model_validate(one) for one in every[:limit]]
    return schemas.Questions(revision=revision, ready=ready, left=len(every), questions=shown)


@read.get("/decisions", name="log")
def decisions(
    now: Now,
    show: schemas.Log = "all",
    faces: Annotated[int, Query(ge=0, le=20)] = 0,
    offset: Offset = 0,
    limit: Limit = 50,
) -> schemas.DecisionsPage:
    """The log, newest first, or what it says of one kind; each entry with so many faces at most."""
    log = now.cache.log()
    kinds = LOGGED.get(show, set())
    found = [
        one
        for one in reversed(log.entries)
        if show == "all" or one.kind in kinds or (show == "undone" and not log.active.get(one.id, True))
    ]
    part = found[offset : offset + limit]
    shown = now.cache.faces_of_entries(part, faces)
    newest = log.decisions(part)
    return schemas.DecisionsPage(
        revision=log.last,
        total=len(found),
        can_undo=log.to_undo(),
        can_redo=log.to_redo(),
        decisions=[schemas.LoggedDecision.told(one, show=of) for one, of in zip(newest, shown, strict=True)],
    )


@write.post("/decisions")
def decide(now: Now, asked: schemas.DecisionRequest) -> schemas.Decided:
    """Decide something about people or faces."""
    return schemas.Decided.of(*now.decide(schemas.command_of(asked), asked.seen))


@write.post("/undo")
def undo(now: Now, asked: schemas.UndoRequest) -> schemas.Decided:
    """Undo a decision: this one, or the last that stands."""
    return schemas.Decided.of(*now.decide(Undo(target=asked.decision or 0), asked.seen, together=asked.together))


@write.post("/redo")
def redo(now: Now, asked: schemas.UndoRequest) -> schemas.Decided:
    """Let a decision stand again: this one, or the last that was undone."""
    return schemas.Decided.of(*now.decide(Redo(target=asked.decision or 0), asked.seen, together=asked.together))


@write.post("/erase")
def erase(now: Now, asked: schemas.EraseRequest, response: Response) -> schemas.Erased:
    """Erase a person out of every byte of the library: it can't be undone."""
    done, entry = now.erase(asked.person, asked.seen)
    response.headers["Clear-Site-Data"] = '"cache"'  # thumbnails that the browser keeps
    told = schemas.Decision.told(entry)
    return schemas.Erased(revision=entry.id, decision=told, pages=len(done.pages), exports=len(done.exports))


@write.post("/unlock")
def unlock(door: Entry, asked: schemas.UnlockRequest) -> schemas.Locked:
    """Open an encrypted library with its key. Until then all other addresses answer 401, with `locked`."""
    door.unlock(asked.key)
    return schemas.Locked(locked=False)


@write.post("/lock")
def lock(door: Entry, response: Response) -> schemas.Locked:
    """Forget an encrypted library's key, for all who look at it, once what is under way is done."""
    door.lock()
    response.headers["Clear-Site-Data"] = '"cache"'
    return schemas.Locked(locked=True)


@write.post("/questions/{question}")
def answer(now: Now, question: schemas.QuestionId, asked: schemas.AnswerRequest) -> schemas.Decided:
    """Answer a question; the answer is a decision like others."""
    return schemas.Decided.of(now.answer(question, asked.answer, asked.seen, asked.group))


@write.post("/files/{file}/retry")
def retry(now: Now, file: IdInPath) -> schemas.Retried:
    """Read a file again that could not be read."""
    status, reason = now.retry(file)
    return schemas.Retried(status=status, reason=reason)
