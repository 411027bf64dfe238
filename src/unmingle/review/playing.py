"""Routes that a recording is played with: its file, its frames as pictures, and where people are in it."""

from __future__ import annotations

import mimetypes
from typing import Annotated, Any

from fastapi import Query
from fastapi.responses import FileResponse, Response
from pydantic import BaseModel

from unmingle.review.routing import JPEG, Entry, Now, described, read
from unmingle.review.schemas import IdInPath
from unmingle.store.screen_time import Seen, seen_between

LONGEST = 600.0  # seconds in one answer
Seconds = Annotated[float, Query(ge=0, le=1e7)]
BYTES: dict[str, Any] = {"content": {"video/*": {}, "application/octet-stream": {}}}
FILE = described(200, "The file.", **BYTES) | described(206, "A part of it, as the header Range asks.", **BYTES)


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
