"""What goes wrong, as JSON for the API and as a page for people; never with a path of the disk in it."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.exceptions import HTTPException

from unmingle.errors import DecisionError, LibraryBusyError, StaleError, UnmingleError
from unmingle.review import schemas
from unmingle.review.security import HEADERS, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fastapi import FastAPI, Request
    from fastapi.responses import Response

    from unmingle.review.room import Room

# The first that fits counts.
STATUS: tuple[tuple[type[UnmingleError], int], ...] = (
    (StaleError, 409),
    (DecisionError, 422),
    (LibraryBusyError, 423),
    (UnmingleError, 400),
)
PROBLEMS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": schemas.Problem, "description": "What is wrong, and what to do about it."}
}
STALE: dict[int | str, dict[str, Any]] = {
    409: {"model": schemas.Stale, "description": "Others have changed this since it was looked at; nothing was done."}
}
MERGED: dict[int | str, dict[str, Any]] = {
    404: {
        "model": schemas.Merged,
        "description": "There is no such person; `merged_into` tells who it is now, if anybody.",
    }
}


class GoneError(Exception):
    """What was asked for is not there.

    Args:
        problem: what is wrong.
        mend: what to do about it.
        more: further parts of the answer.
    """

    def __init__(self, problem: str, mend: str, **more: Any) -> None:
        super().__init__(problem)
        self.problem = problem
        self.mend = mend
        self.more = more


class Pages:
    """Makes the answers that are no plain data: page shells and problems.

    Args:
        folder: of the library, to be kept out of all answers.
        room: where the log can be looked up.
        modules: the scripts that every page needs, by name.
    """

    def __init__(self, folder: Path, room: Room, modules: list[str]) -> None:
        self._paths = sorted({str(folder), str(folder.absolute()), str(folder.resolve())}, key=len, reverse=True)
        self._name = room.name
        self._room = room
        self._templates = Environment(
            loader=PackageLoader("unmingle.review"), autoescape=True, undefined=StrictUndefined
        )
        self._templates.globals["modules"] = modules

    def install(self, app: FastAPI) -> None:
        """Have an app answer all its errors like this."""
        app.add_exception_handler(UnmingleError, self._ours)
        app.add_exception_handler(GoneError, self._gone)
        app.add_exception_handler(RequestValidationError, self._not_understood)
        app.add_exception_handler(HTTPException, self._http)
        app.add_exception_handler(sqlite3.Error, self._unreadable)
        app.add_exception_handler(Exception, self._fault)

    def shell(self, name: str) -> Callable[[], HTMLResponse]:
        """A route for the page `name`: the same for everybody, what it shows is asked for later."""
        html = self._templates.get_template(f"{name}.html").render()
        return lambda: HTMLResponse(html)

    def refuse(self, path: str, refusal: Refusal) -> Response:
        """The answer to a request that is not served."""
        return self._problem(path, refusal.status, refusal.problem, refusal.mend)

    def _problem(self, path: str, status: int, problem: str, mend: str, **more: Any) -> Response:
        problem, mend = self._clean(problem), self._clean(mend)
        if path.startswith(("/api/", "/static/")):
            return JSONResponse({"problem": problem, "mend": mend, **more}, status)
        page = self._templates.get_template("sign_in.html" if status == 401 else "error.html")
        return HTMLResponse(page.render(status=status, problem=problem, mend=mend), status)

    def _clean(self, text: str) -> str:
        """Without paths of the disk, and without halves of letters that a request may have brought."""
        for path in self._paths:
            text = text.replace(path, self._name)
        return text.encode("utf-8", "replace").decode("utf-8")

    def _ours(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, UnmingleError)  # as registered
        status = next(status for kind, status in STATUS if isinstance(error, kind))
        more: dict[str, Any] = {}
        if isinstance(error, StaleError):
            since = self._room.views.history().decisions(error.entries)
            more["since"] = [schemas.Decision.of(one).model_dump() for one in since]
        return self._problem(request.url.path, status, error.problem, error.mend, **more)

    def _gone(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, GoneError)  # as registered
        return self._problem(request.url.path, 404, error.problem, error.mend, **error.more)

    def _not_understood(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # as registered
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        mend = "Look at /api/openapi.json for what can be asked."
        return self._problem(request.url.path, 422, f"The request is not understood: {where}: {first['msg']}.", mend)

    def _http(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # as registered
        problem = "There is nothing here." if error.status_code == 404 else f"{error.detail}."
        return self._problem(request.url.path, error.status_code, problem, "Go back to all people, at /.")

    def _unreadable(self, request: Request, error: Exception) -> Response:
        problem = f"The library can't be read just now: {error}."
        return self._problem(request.url.path, 503, problem, "Try again; if it stays so, start the command again.")

    def _fault(self, request: Request, error: Exception) -> Response:
        del error  # the server logs it
        answer = self._problem(
            request.url.path, 500, "The server made a mistake.", "The terminal tells more; nothing was half done."
        )
        answer.headers.update(HEADERS)  # outermost of all, so nothing else adds them
        return answer
