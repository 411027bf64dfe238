"""The page's own files, held in memory: there are some fifty small ones, all of which a first visit asks for."""

from __future__ import annotations

import hashlib
from importlib import resources
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable

    from starlette.types import Receive, Scope, Send

# By their endings; what the system's registry says may differ, and browsers insist.
TYPES = {"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8", "svg": "image/svg+xml"}


class Assets:
    """Answers requests for the files below a folder of this package.

    A browser may keep them, and asks each time whether they are still what they were: another version of the program
    may listen at the same port tomorrow.

    Args:
        folder: in `unmingle.review`.
    """

    def __init__(self, folder: str) -> None:
        root = resources.files("unmingle.review") / folder
        self._files = {name: file.read_bytes() for name, file in _walk(root, "")}
        self._tags = {name: f'"{hashlib.sha256(content).hexdigest()[:20]}"' for name, content in self._files.items()}

    def modules(self) -> list[str]:
        """The names of all scripts: the page asks for them at once, and not for one after it has read another."""
        return sorted(name for name in self._files if name.endswith(".js"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        name = scope["path"].removeprefix(scope.get("root_path", "")).lstrip("/")
        if name not in self._files or scope["method"] not in ("GET", "HEAD"):
            raise HTTPException(404 if name not in self._files else 405)
        headers = {"ETag": self._tags[name], "Cache-Control": "no-cache"}
        asked = dict(scope["headers"]).get(b"if-none-match", b"").decode("latin-1")
        if self._tags[name] in asked:
            response = Response(status_code=304, headers=headers)
        else:
            content = self._files[name] if scope["method"] == "GET" else b""
            kind = TYPES[name.rpartition(".")[2]]
            response = Response(content, headers=headers, media_type=kind)
        await response(scope, receive, send)


def _walk(folder: Traversable, before: str) -> Iterator[tuple[str, Traversable]]:
    for item in folder.iterdir():
        if item.is_dir():
            yield from _walk(item, f"{before}{item.name}/")
        elif item.name.rpartition(".")[2] in TYPES:
            yield f"{before}{item.name}", item
