"""Answers that are no plain data: the page's shell, its own files, and problems, never with a path of the disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.exceptions import HTTPException

from unmingle.errors import DecisionError, LibraryBusyError, LibraryLockedError, StaleError, UnmingleError
from unmingle.review import schemas
from unmingle.store.encryption import errors

if TYPE_CHECKING:
    from unmingle.review.session import Door

T = TypeVar("T")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:;"
    " media-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
STATIC = Path(__file__).parent / "static"
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


class RequestError(Exception):
    """A request that is answered with a problem. hint: what to do about it; more: further parts of the answer."""

    def __init__(self, status: int, problem: str, hint: str, **more: Any) -> None:
        super().__init__(problem)
        self.status, self.problem, self.hint, self.more = status, problem, hint, more


def there(found: T | None, what: str) -> T:
    """What was asked for by its number; else RequestError: there is none."""
    if found is None:
        raise RequestError(404, f"There is no {what}.", "Look at the library again.")
    return found


class Pages:
    """Makes page shells, and answers to whatever goes wrong in a session."""

    def __init__(self, door: Door) -> None:
        folder = door.folder
        self._paths = sorted({str(folder), str(folder.absolute()), str(folder.resolve())}, key=len, reverse=True)
        self._door = door
        templates = Environment(loader=PackageLoader("unmingle.review"), autoescape=True, undefined=StrictUndefined)
        self._shell = templates.get_template("shell.html")
        files = sorted(file for file in STATIC.rglob("*") if file.suffix in TYPES)
        self._files = {file.relative_to(STATIC).as_posix(): file.read_bytes() for file in files}
        # In their address, so that browsers keep them for good and ask for none of them again until they change.
        self._static = f"/static/{sha256(repr(self._files).encode()).hexdigest()[:16]}"
        # The page asks for all scripts at once, and not for one after it has read another.
        self._scripts = [name for name in self._files if name.endswith(".js")]

    def install(self, app: FastAPI) -> None:
        """Let an app serve the page's own files, and answer all its errors like this."""
        app.add_api_route(f"{self._static}/{{name:path}}", self._file, include_in_schema=False)
        for error in (UnmingleError, RequestError, RequestValidationError, HTTPException, *errors(), Exception):
            app.add_exception_handler(error, self._answer)

    def shell(self, waiting: str) -> Callable[[], HTMLResponse]:
        """A route for a page, the same for everybody. waiting: how it looks until what it shows is there."""
        html = self._render(scripts=self._scripts, waiting=waiting, problem=None)
        return lambda: HTMLResponse(html)

    def refuse(self, path: str, refusal: RequestError) -> Response:
        """The answer to a request that is not served."""
        problem, hint = self._clean(refusal.problem), self._clean(refusal.hint)
        if path.startswith(("/api/", "/static/")):
            return JSONResponse({"problem": problem, "mend": hint, **refusal.more}, refusal.status)
        html = self._render(scripts=[], waiting="", problem=problem, hint=hint, status=refusal.status)
        return HTMLResponse(html, refusal.status)

    def _render(self, **what: Any) -> str:
        return self._shell.render(static=self._static, **what)

    async def _file(self, name: str) -> Response:
        """One of the page's own files."""
        if name not in self._files:
            raise HTTPException(404)
        kept = {"Cache-Control": "public, max-age=31536000, immutable"}
        return Response(self._files[name], headers=kept, media_type=TYPES[Path(name).suffix])

    def _clean(self, text: str) -> str:
        """Without paths of the disk, and without halves of letters that a request may have brought."""
        for path in self._paths:
            text = text.replace(path, self._door.folder.name)
        return text.encode("utf-8", "replace").decode("utf-8")

    def _answer(self, request: Request, error: Exception) -> Response:
        problem = self._problem(error)
        answer = self.refuse(request.url.path, problem)
        if problem.status == 500:
            answer.headers.update(HEADERS)  # outermost of all, so nothing else adds them
        return answer

    def _problem(self, error: Exception) -> RequestError:
        match error:
            case RequestError():
                return error
            case StaleError():
                with self._door.session() as session:
                    log = session.cache.log()
                since = log.decisions(entry for entry in log.entries if entry.id in error.entries)
                told = [asdict(schemas.Decision.told(one)) for one in since]
                return RequestError(409, error.problem, error.mend, since=told)
            case DecisionError():
                return RequestError(422, error.problem, error.mend)
            case LibraryLockedError():
                return RequestError(401, error.problem, error.mend, locked=True)
            case LibraryBusyError():
                return RequestError(423, error.problem, error.mend)
            case UnmingleError():
                return RequestError(400, error.problem, error.mend)
            case RequestValidationError():
                first = error.errors()[0]
                where = ".".join(str(part) for part in first["loc"])
                problem = f"The request is not understood: {where}: {first['msg']}."
                return RequestError(422, problem, "Look at /api/openapi.json for what can be asked.")
            case HTTPException():
                problem = "There is nothing here." if error.status_code == 404 else f"{error.detail}."
                return RequestError(error.status_code, problem, "Go back to all people, at /.")
        if isinstance(error, errors()):
            problem = f"The library can't be read just now: {error}."
            return RequestError(503, problem, "Try again; if it stays so, start the command again.")
        # The server logs it.
        return RequestError(500, "The server made a mistake.", "The terminal tells more; nothing was half done.")
