"""Where pictures come from, chosen in the page: the folders of this machine, and a run that adds them."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote, unquote_to_bytes

import platformdirs
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from unmingle.files import user_path
from unmingle.review import schemas
from unmingle.review.background import Adding, Run
from unmingle.review.pages import RequestError
from unmingle.review.routes import is_here
from unmingle.sources.formats import FOUND_SUFFIXES, LIBRARY_FILE, is_kept
from unmingle.sources.images import readable
from unmingle.store import encryption
from unmingle.store.file_rows import remembered
from unmingle.store.sqlite import open_to_read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MOUNTS = ("/media", "/run/media", "/mnt", "/Volumes")  # where systems put cards, disks and telephones
MOST = 10_000  # entries of a folder that are looked at
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
    """The one run."""
    if not is_here(request):
        problem = "Pictures are added at the machine itself."
        raise RequestError(403, problem, "Run unmingle cluster there, or unmingle review without --host.")
    adding: Adding = request.app.state.adding
    return adding


Now = Annotated[Adding, Depends(_adding)]
router = APIRouter(prefix="/api", tags=["add"], responses={"4XX": {"model": schemas.Problem}})


@router.get("/sources")
def sources(now: Now) -> Sources:
    """Where pictures come from, and how far a run is."""
    known: Iterable[Path] = ()
    folder = now.folder
    if (folder / LIBRARY_FILE).exists() and not (encryption.is_encrypted(folder) and encryption.key_of(folder) is None):
        with open_to_read(folder) as store:
            known = remembered(store)
    told = [_folder(one, readable(str(one))) for one in known]
    return Sources(library=readable(str(folder)), sources=told, places=list(_places()), run=now.run)


@router.get("/folders")
def folders(now: Now, folder: Named) -> Listing:
    """What lies in a folder of this machine."""
    del now
    here = _meant(folder)
    try:
        inside, pictures = _inside(here)
    except OSError as error:
        raise RequestError(
            404, f"{readable(str(here))} can't be opened: {error.strerror}.", "Choose another."
        ) from error
    above = [_folder(one, readable(one.name) or readable(str(one))) for one in reversed(here.parents)]
    shown = [_folder(one, readable(one.name), _count(one)) for one in inside]
    return Listing(here=_folder(here, readable(here.name) or readable(str(here)), pictures), above=above, folders=shown)


@router.post("/sources")
def add(now: Now, asked: AddRequest) -> None:
    """Add pictures and sort the faces, beside what goes on here; 423 if that is being done already."""
    meant = [_meant(path) for path in asked.sources]
    if missing := next((path for path in meant if not path.exists()), None):
        raise RequestError(404, f"There is no {readable(str(missing))}.", "Check the path.")
    now.start([str(path) for path in meant], encryption.key_of(now.folder))


@router.post("/sources/stop")
def stop(now: Now) -> None:
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
