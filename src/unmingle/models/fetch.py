"""Download one model file: resumable, checked, and in place only when it is whole.

The only code of unmingle that opens a connection; it runs in `unmingle models fetch` and nowhere else.
"""

from __future__ import annotations

import bz2
import errno
import http.client
import re
import shutil
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from unmingle.errors import FetchError
from unmingle.files import DAMAGE, EVERYBODY, file_hash, replacing
from unmingle.models.registry import Archive, Card

OnBytes = Callable[[int, int | None], None]  # told the bytes that are there and the total, None while unknown

CHUNK = 1 << 18  # bytes a read
PATIENCE = 30.0  # seconds without a byte before we give up; what came is kept
LARGEST = 2_000_000_000  # bytes, of a file whose size nobody told
REPLACED = "It may have been replaced: fetch it elsewhere and give its path."
AGAIN = "Run the same command again: it goes on where it stopped."


def fetch(wanted: Card, destination: Path, on_progress: OnBytes | None = None) -> Path:
    """Download a card's file, going on with what an earlier try left; of an archive the one file that counts.

    What arrives goes to `<destination>.part`, and takes its name only when it is whole and its checksums agree, so
    that `destination` is never half a file. A file that is there and has the checksums asked for is not fetched again.
    Redirections are followed, but not from https to http.

    Raises:
        FetchError: no network, an answer other than the file, a connection cut off (what came is kept), a wrong
            checksum or length (what came is removed), or no room on the disk.
    """
    if urllib.parse.urlsplit(wanted.url).scheme not in {"http", "https"}:
        raise FetchError(f"{wanted.url} can't be fetched: only http and https are.", "Give the file's path instead.")
    if (wanted.sha256 or wanted.md5) and destination.is_file() and not _mismatch(wanted, destination):
        return destination
    try:
        if wanted.archive is not None:
            _fetch_archived(wanted, destination, wanted.archive, on_progress)
            return destination
        part = destination.with_name(destination.name + ".part")
        destination.parent.mkdir(parents=True, exist_ok=True)
        if not wanted.size or _length(part) != wanted.size:
            _download(wanted, part, on_progress)
        if mismatch := _mismatch(wanted, part):
            part.unlink()
            problem = f"{wanted.url} is not the file expected: {mismatch}."
            raise FetchError(problem, "Try again; it may have been replaced.")
        part.replace(destination)
    except OSError as error:  # of the disk: those of the network became a FetchError where they arose
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            mend = f"Make room. {AGAIN}"
            raise FetchError(f"The disk is full at {destination.parent}: {error.strerror}.", mend) from error
        mend = "Choose another folder: UNMINGLE_CACHE names it."
        raise FetchError(f"{destination} can't be written: {error.strerror}.", mend) from error
    return destination


def _fetch_archived(wanted: Card, destination: Path, archive: Archive, on_progress: OnBytes | None) -> None:
    packed = destination.with_name(f"{destination.name}.{archive.kind}")
    fetch(replace(wanted, sha256=archive.sha256, md5="", size=archive.size, archive=None), packed, on_progress)
    _check_room(destination, wanted.size)
    with replacing(destination, mode=EVERYBODY) as temporary:
        with temporary.open("wb") as sink:
            for chunk in _unpacked(packed, archive, wanted):
                sink.write(chunk)
        if mismatch := _mismatch(wanted, temporary):
            problem = f"{wanted.url} doesn't hold the file expected: {mismatch}."
            raise FetchError(problem, "It may have been replaced.")
    packed.unlink()


def _mismatch(wanted: Card, file: Path) -> str:
    """How `file` differs from what is wanted, in words; empty if it doesn't."""
    length = file.stat().st_size
    if wanted.size and length != wanted.size:
        return f"it has {length:,} bytes, expected {wanted.size:,}"
    for name, expected in (("sha256", wanted.sha256.lower()), ("md5", wanted.md5.lower())):
        if expected and (found := file_hash(file, name)) != expected:
            return f"its {name} is {found}, expected {expected}"
    return ""


def _download(wanted: Card, part: Path, on_progress: OnBytes | None) -> None:
    """Bring `part` to its full length, from where it is if the server can, else from the start."""
    # Only a checksum can tell whether the file changed between two tries.
    have = _length(part) if wanted.sha256 or wanted.md5 else 0
    response = _open(wanted.url, have)
    if response is None:  # the server has nothing from there on: all is there, or it is another file
        if not _mismatch(wanted, part):
            return
        have = 0
        response = _open(wanted.url, 0)
    if response is None:
        raise FetchError(f"{wanted.url} answered 416 (no such range) to a request for all of it.", AGAIN)
    with response:
        start, total = _range_of(response)
        if start not in (0, have):
            raise FetchError(f"{wanted.url} answered from byte {start:,}, asked for {have:,}.", "Fetch it another way.")
        have = start
        most = wanted.size or LARGEST
        if max(have, total or 0) > most:
            raise FetchError(f"{wanted.url} sends more than the {most:,} bytes that are expected.", REPLACED)
        _check_room(part, (total or wanted.size) - have)
        with part.open("ab" if start else "wb", buffering=0) as sink:
            while have <= most and (chunk := _read(response, have, wanted.url)):
                sink.write(chunk)
                have += len(chunk)
                if on_progress is not None:
                    on_progress(have, total)
    if have > most:
        part.unlink()
        raise FetchError(f"{wanted.url} sends more than the {most:,} bytes that are expected.", REPLACED)
    total = wanted.size if total is None else total
    if have < total:
        raise FetchError(f"{wanted.url} was cut off after {have:,} of {total:,} bytes.", AGAIN)


def _unpacked(packed: Path, archive: Archive, wanted: Card) -> Iterator[bytes]:
    """What a packed file holds, and no further than it takes to see that it is more than expected."""
    size = wanted.size or LARGEST
    try:
        with zipfile.ZipFile(packed) if archive.kind == "zip" else bz2.open(packed) as held:
            stream = held.open(archive.member) if isinstance(held, zipfile.ZipFile) else held
            while size >= 0 and (chunk := stream.read(CHUNK)):
                size -= len(chunk)
                yield chunk
    except (KeyError, *DAMAGE) as error:
        raise FetchError(f"{wanted.url} can't be unpacked: {error}.", "It may have been replaced.") from error


def _length(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0


def _open(url: str, start: int) -> http.client.HTTPResponse | None:
    """The server's answer, 200 or 206; None if it has nothing from `start` on."""
    headers = {"User-Agent": "unmingle", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    request = urllib.request.Request(url, headers=headers)  # the scheme was checked, and is at each redirection
    try:
        response: http.client.HTTPResponse = urllib.request.build_opener(_Redirects).open(request, timeout=PATIENCE)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
                return None
            if error.code in {http.client.NOT_FOUND, http.client.GONE}:
                raise FetchError(
                    f"{url} is not there ({error.code}).", "Look for its new address, or give the file's path."
                ) from error
            raise FetchError(
                f"{url} answered {error.code} {error.reason}.", "Try again later, or give the file's path."
            ) from error
    except (OSError, http.client.HTTPException) as error:
        raise FetchError(
            f"{url} can't be reached: {getattr(error, 'reason', error)}.",
            "Check the connection (and https_proxy), or fetch the file elsewhere and give its path.",
        ) from error
    return response


def _read(response: http.client.HTTPResponse, have: int, url: str) -> bytes:
    try:
        return response.read(CHUNK)
    except http.client.IncompleteRead as error:
        return error.partial
    except (OSError, http.client.HTTPException) as error:
        raise FetchError(f"{url} was cut off after {have:,} bytes: {error}.", AGAIN) from error


def _range_of(response: http.client.HTTPResponse) -> tuple[int, int | None]:
    """The first byte that the answer carries, and the whole file's length (None if the server doesn't say)."""
    if response.status == http.client.PARTIAL_CONTENT:
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        if found is None:
            raise FetchError("The server sent a part of the file without saying which.", "Fetch it another way.")
        return int(found[1]), None if found[2] == "*" else int(found[2])
    length = response.headers.get("Content-Length")
    return 0, int(length) if length is not None and length.isdigit() else None


def _check_room(path: Path, needed: int) -> None:
    free = shutil.disk_usage(path.parent).free
    if needed > free:
        raise OSError(errno.ENOSPC, f"{needed / 1e6:,.0f} MB needed, {free / 1e6:,.0f} MB free")


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follow redirections to http and https only, and never from https to http."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        scheme = urllib.parse.urlsplit(newurl).scheme
        if scheme not in {"https", req.type}:
            raise FetchError(f"{req.full_url} leads to {newurl}, which is not safe to follow.", "Fetch it another way.")
        return super().redirect_request(req, fp, code, msg, headers, newurl)
