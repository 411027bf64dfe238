"""Who may ask: the browser that was opened with the token, at this address, from the page itself, and nobody else.

Every page in the browser and every user of this machine can send requests. So before all else: the Host header names
this server (DNS rebinding; Starlette's TrustedHostMiddleware knows neither ports nor IPv6), the cookie was given out
for the token, what changes something comes from our own page, and the body is small.
"""

from __future__ import annotations

import base64
import hmac
import ipaddress
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response

from unmingle.review.pages import HEADERS, RequestError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY = 2 * 1024 * 1024  # bytes: a hundred thousand ids fit in
MAX_PICTURE = 100_000_000  # bytes of one that is looked for
FIND = "/api/find"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
OPEN_PATHS = ("/static/",)  # the page's own looks, needed to say that somebody must sign in


@dataclass(slots=True)
class Auth:
    """The secrets of a server. token: in the address that is printed; origin: where it listens, `http://host:port`."""

    token: str
    origin: str
    _key: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    _once: set[str] = field(default_factory=set, repr=False)

    @classmethod
    def of(cls, secret: str, origin: str) -> Auth:
        """With keys that are made of one secret, the same each time."""

        def derived(use: str) -> str:
            made = hmac.digest(secret.encode(), use.encode(), "sha256")
            return base64.urlsafe_b64encode(made).decode().rstrip("=")

        return cls(derived("token"), origin, derived("cookie"))

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
        once = {known for known in self._once if _same(token, known)}
        self._once -= once
        return self._key if once or _same(token, self.token) else None

    def refusal(self, method: str, path: str, headers: Headers) -> RequestError | None:
        """Why a request is not to be served; None if it may be."""
        length, safe = headers.get("content-length", "0"), method in SAFE_METHODS
        is_number = length.isascii() and length.isdigit()
        if not self._knows_host(headers.get("host", "")):
            return RequestError(421, "This address is not the server's own.", f"Open {self.origin}.")
        if "transfer-encoding" in headers:
            return RequestError(411, "The request doesn't say how long it is.", "Send it with a Content-Length.")
        if not is_number:
            return RequestError(400, "The request says no number for its length.", "Send it with a Content-Length.")
        most = MAX_PICTURE if path == FIND else MAX_BODY
        if len(length) > 12 or int(length) > most:
            hint = "a smaller picture" if path == FIND else "fewer faces at a time"
            return RequestError(413, "The request is too large.", f"Send at most {most:,} bytes: {hint}.")
        if path.startswith(OPEN_PATHS) and safe:
            return None
        cookies = (part.strip().partition("=") for part in headers.get("cookie", "").split(";"))
        if not any(name == self.cookie and _same(value, self._key) for name, _, value in cookies):
            return RequestError(401, "This page is private.", "Open the address that unmingle review printed.")
        if not safe and not _is_own_page(headers):
            own = f"Send the header Origin: {self.origin}"
            return RequestError(403, "Only the page itself may change something.", own)
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
        if name in {here.hostname, "localhost"}:
            return True
        everywhere = _address(here.hostname or "")
        if everywhere is None or not everywhere.is_unspecified:
            return False
        # It listens at all addresses. One of numbers can't be rebound, and the machine's own name is its own.
        return _address(name) is not None or name in {socket.gethostname().lower(), socket.getfqdn().lower()}


def _is_own_page(headers: Headers) -> bool:
    """By what no page can forge. The Host was checked before, so an Origin of the same host is our own."""
    site = headers.get("sec-fetch-site")
    origin = headers.get("origin")
    if site not in (None, "same-origin"):
        return False
    # A browser hides the origin in some settings; then only its word for the site counts.
    return site is not None if origin in (None, "null") else origin == f"http://{headers.get('host', '')}"


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server at this address."""
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


class AuthMiddleware:
    """Refuses whom `auth` doesn't let in, and puts the security headers on every answer."""

    def __init__(self, app: ASGIApp, auth: Auth, refuse: Callable[[str, RequestError], Response]) -> None:
        self._app = app
        self._auth = auth
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return  # there are no web sockets here: unanswered, the server closes them

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._answer(scope)(scope, receive, send_with_headers)

    def _answer(self, scope: Scope) -> ASGIApp:
        path, query = scope["path"], scope["query_string"].decode("latin-1")
        refusal = self._auth.refusal(scope["method"], path, Headers(scope=scope))
        if refusal is None:
            # A token leaves the address bar, though it was not needed.
            return RedirectResponse("/", 303) if path == "/" and "token=" in query else self._app
        key = None
        if refusal.status == 401 and path == "/" and scope["method"] == "GET":
            key = self._auth.exchange(parse_qs(query).get("token", [""])[0])
        if key is None:
            return self._refuse(path, refusal)
        answer = RedirectResponse("/", 303)
        answer.set_cookie(self._auth.cookie, key, path="/", httponly=True, samesite="strict")
        return answer
