"""What all routes of the review page's server share: who is asked, and what may go wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request

from unmingle.review import schemas
from unmingle.review.auth import is_loopback
from unmingle.review.session import Door, Session

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
