"""Who may ask: the browser that was opened with the token, at this address, from the page itself, and nobody else.

The server listens on this machine only, but every page in the browser can send requests there, and so can every user
of the machine. Hence the checks, for each request, before anything else looks at it:

- The Host header names this server: a foreign name that resolves to this machine (DNS rebinding) is refused.
- The cookie is the one that was given out for the token.
- What changes something comes from our own page, by its Origin or by Sec-Fetch-Site, neither of which a page can forge.
- The body is small, and says how large it is.
"""

from __future__ import annotations

import base64
import hmac
import ipaddress
import secrets
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse
from starlette.types import Message, Receive, Scope, Send

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.responses import Response
    from starlette.types import ASGIApp

MAX_BODY = 2 * 1024 * 1024  # bytes: a hundred thousand ids fit in
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
OPEN_PATHS = ("/static/",)  # the page's own looks, needed to say that somebody must sign in

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not served."""

    status: int
    problem: str
    mend: str


@dataclass(slots=True)
class Gate:
    """The secrets of a server, and whom it lets in.

    Args:
        token: in the address that is printed.
        origin: where the server listens, as `http://127.0.0.1:8000`.
    """

    token: str
    origin: str
    _key: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    _once: set[str] = field(default_factory=set, repr=False)

    @classmethod
    def of(cls, secret: str, origin: str) -> Gate:
        """With keys that are made of one secret, the same each time."""
        return cls(_derived(secret, "token"), origin, _derived(secret, "cookie"))

    @property
    def cookie(self) -> str:
        """The cookie's name: with the port, since a browser shares cookies between the ports of a machine."""
        return f"unmingle-{urlsplit(self.origin).port}"

    def token_for_once(self) -> str:
        """A token that works one time, for an address that other users may see in the list of processes."""
        token = secrets.token_urlsafe(32)
        self._once.add(token)
        return token

    def exchange(self, token: str) -> str | None:
        """The cookie for a token; None if the token is wrong."""
        if _same(token, self.token):
            return self._key
        for once in [known for known in self._once if _same(token, known)]:
            self._once.discard(once)
            return self._key
        return None

    def refusal(self, method: str, path: str, headers: Headers) -> Refusal | None:
        """Why a request is not to be served; None if it may be."""
        if not self._knows_host(headers.get("host", "")):
            return Refusal(421, "This address is not the server's own.", f"Open {self.origin}.")
        if (too_much := _body_refusal(headers)) is not None:
            return too_much
        if path.startswith(OPEN_PATHS) and method in SAFE_METHODS:
            return None
        if not self._knows_cookie(headers):
            return Refusal(401, "This page is private.", "Open the address that unmingle review printed.")
        if method not in SAFE_METHODS and not self._is_own_page(headers):
            return Refusal(403, "Only the page itself may change something.", f"Send the header Origin: {self.origin}")
        return None

    def _knows_host(self, host: str) -> bool:
        here = urlsplit(self.origin)
        try:
            asked = urlsplit(f"//{host}")
            port = asked.port or 80
        except ValueError:  # a bracket that is never closed, a port that is no number
            return False
        if port != (here.port or 80) or asked.username is not None or asked.path:
            return False
        name = (asked.hostname or "").lower()
        return name in {here.hostname, "localhost"} or (_everywhere(here.hostname or "") and _is_this_machine(name))

    def _knows_cookie(self, headers: Headers) -> bool:
        for part in headers.get("cookie", "").split(";"):
            name, _, value = part.strip().partition("=")
            if name == self.cookie and _same(value, self._key):
                return True
        return False

    @staticmethod
    def _is_own_page(headers: Headers) -> bool:
        """The Host was checked before, so an Origin of the same host is our own."""
        site = headers.get("sec-fetch-site")
        origin = headers.get("origin")
        if site not in (None, "same-origin"):
            return False
        # A browser hides the origin in some settings; then only its word for the site counts.
        return site is not None if origin in (None, "null") else origin == f"http://{headers.get('host', '')}"


def _derived(secret: str, use: str) -> str:
    made = hmac.digest(secret.encode(), use.encode(), "sha256")
    return base64.urlsafe_b64encode(made).decode().rstrip("=")


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))


def _body_refusal(headers: Headers) -> Refusal | None:
    if "transfer-encoding" in headers:
        return Refusal(411, "The request doesn't say how long it is.", "Send it with a Content-Length.")
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()):
        return Refusal(400, "The request says no number for its length.", "Send it with a Content-Length.")
    if len(length) > 12 or int(length) > MAX_BODY:
        return Refusal(413, "The request is too large.", f"Send at most {MAX_BODY:,} bytes: fewer faces at a time.")
    return None


def _everywhere(host: str) -> bool:
    """Whether a server at this address listens on all addresses of the machine."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def _is_this_machine(name: str) -> bool:
    """An address of numbers can't be rebound, and the machine's own name is its own."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name in {socket.gethostname().lower(), socket.getfqdn().lower()}
    return True


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server at this address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Guard:
    """Refuses what the gate doesn't let in, and puts the security headers on every answer.

    Args:
        app: what is guarded.
        gate: who may ask.
        refuse: makes the answer for a path from status, problem and mend.
    """

    def __init__(self, app: ASGIApp, gate: Gate, refuse: Callable[[str, Refusal], Response]) -> None:
        self._app = app
        self._gate = gate
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return  # there are no web sockets here: unanswered, the server closes them

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers.setdefault("Cache-Control", "no-cache" if scope["path"].startswith(OPEN_PATHS) else "no-store")
            await send(message)

        await self._answer(scope)(scope, receive, send_with_headers)

    def _answer(self, scope: Scope) -> ASGIApp:
        headers = Headers(scope=scope)
        path = scope["path"]
        refusal = self._gate.refusal(scope["method"], path, headers)
        if refusal is not None and refusal.status == 401 and path == "/" and scope["method"] == "GET":
            signed_in = self._sign_in(scope["query_string"])
            if signed_in is not None:
                return signed_in
        if refusal is not None:
            return self._refuse(path, refusal)
        if path == "/" and b"token=" in scope["query_string"]:
            return RedirectResponse("/", 303)  # out of the address bar, though it was not needed
        return self._app

    def _sign_in(self, query: bytes) -> Response | None:
        tokens = parse_qs(query.decode("latin-1")).get("token", [""])
        key = self._gate.exchange(tokens[0])
        if key is None:
            return None
        answer = RedirectResponse("/", 303)
        answer.set_cookie(self._gate.cookie, key, path="/", httponly=True, samesite="strict")
        return answer
