"""Serving the review page: a port, a token, a browser, and a clean end.

Who only holds a connection keeps nobody else out: few at once, little time to ask, and not much said of it.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import signal
import socket
import time
import webbrowser
from contextlib import contextmanager, suppress
from threading import Thread
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from unmingle.errors import LibraryBusyError, LibraryLockedError, SettingsError, WriteError
from unmingle.files import write_atomically
from unmingle.review.app import create_app
from unmingle.review.auth import Auth, is_loopback
from unmingle.sources.formats import LIBRARY_FILE as FILE
from unmingle.sources.images import quiet_decoders
from unmingle.store.sqlite import open_to_decide

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE = 5  # seconds that open connections may take to end
KEPT = "review.json"  # in the library: the page's secret and its port
MOST_KEPT = 4096  # bytes of it
LAST_PORT = 65_535
KEEP_ALIVE = 75  # seconds that an idle one stays open
MOST_CONNECTIONS = 100  # a browser opens six; some systems allow a process 256 files
AT_ONCE = 10  # are taken up at a time, far fewer than there may be: what came before them is read first
QUEUED = 1024  # wait to be taken up
TO_ASK = 10.0  # seconds for a whole request, from the first byte or from the connection on
MOST_RECORDS = 20  # of the log, in that many seconds
LOG_SECONDS = 60.0


def serve(
    folder: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    open_browser: bool = True,
    new: bool = False,
) -> None:
    """Serve the review page of a library until Ctrl+C or a signal to terminate; port 0 takes a free one.

    new: whether the library may be missing: it is made once pictures are chosen in the page.
    """
    there = (folder / FILE).exists()
    if there or not new:
        with suppress(LibraryBusyError, LibraryLockedError, WriteError), open_to_decide(folder):
            pass  # an older library gets its new tables; where that is not possible, reading it tells what is wrong
    secret, last_port = _remembered(folder)
    with _listener(host, port, last_port) as listener, quiet_decoders(), _ended_by_signals():
        here = listener.getsockname()[1]
        origin = f"http://{f'[{host}]' if ':' in host else host}:{here}"
        if there:
            with suppress(WriteError):  # a library that can't be written has new keys the next time
                content = json.dumps({"secret": secret, "port": here if port or not last_port else last_port})
                write_atomically(folder / KEPT, content.encode())
        auth = Auth.of(secret, origin)

        def started() -> None:
            print(f"The review page is at {origin}/?token={auth.token}")
            if not is_loopback(host):
                print(
                    f"It listens at {host}: everybody who can reach this machine and knows the address above sees all"
                    " pictures and can change who is who. Nothing is encrypted on the way. Without --host only this"
                    " machine can."
                )
            print("Press Ctrl+C to end it; what was decided is kept.")
            if open_browser:
                # Where nobody sees it: other users of the machine can read how a browser was started.
                address = f"{origin}/?token={auth.token_for_once()}"
                Thread(target=webbrowser.open, args=(address,), name="browser", daemon=True).start()

        config = uvicorn.Config(
            create_app(folder, auth, started),
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=PATIENCE,
        )
        for name in ("uvicorn.error", "asyncio"):
            logging.getLogger(name).addFilter(Seldom())
        LimitedServer(config).run(sockets=[listener])


def _remembered(folder: Path) -> tuple[str, int]:
    """The page's secret and its last port, so that open tabs go on working; a new one and 0 if unknown."""
    if not (folder / KEPT).is_file():  # also a pipe, which would be waited for
        return secrets.token_urlsafe(32), 0
    with suppress(OSError, ValueError, KeyError, TypeError), (folder / KEPT).open("rb") as file:
        # A secret that others could have read is none.
        if not (hasattr(os, "geteuid") and os.fstat(file.fileno()).st_mode & 0o077):
            read = json.loads(file.read(MOST_KEPT))
            if len(read["secret"]) >= 43 and 0 <= int(read["port"]) <= LAST_PORT:
                return str(read["secret"]), int(read["port"])
    return secrets.token_urlsafe(32), 0


def _listener(host: str, port: int, last_port: int) -> socket.socket:
    """At the port that is asked for; else at the one of the last time, if that is free."""
    with suppress(SettingsError):
        return free_listener(host, port or last_port)
    return free_listener(host, port)


def free_listener(host: str = "127.0.0.1", port: int = 0) -> socket.socket:
    """A socket that listens at an address; port 0: any that is free."""
    if not 0 <= port <= LAST_PORT:  # the system would take it for another one
        raise SettingsError(f"There is no port {port}.", f"Give one up to {LAST_PORT}, or none to get a free one.")
    try:
        found = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_PASSIVE
        )
        kind, _, protocol, _, address = found[0]
        # Only where the protocol is named does asyncio send at once; otherwise each answer waits for 40 ms.
        listener = socket.socket(kind, socket.SOCK_STREAM, protocol)
    except OSError as error:
        raise SettingsError(f"{host} is no address of this machine: {error}.", "Leave --host out.") from error
    try:
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # on Windows, others could listen at the same port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"Nothing can listen at {host}, port {port}: {error}.", "Leave --port out to get a free one."
        ) from error
    return listener


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let Ctrl+C and SIGTERM end the block as done: Uvicorn, which has tidied up, raises them once more."""
    try:
        before = {one: signal.signal(one, lambda *_: None) for one in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not the main thread: signals are somebody else's
        before = {}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


class LimitedServer(uvicorn.Server):
    """Takes up a few connections at a time, so that who asks at once isn't driven out by who comes after."""

    def __init__(self, config: uvicorn.Config) -> None:
        config.http, config.backlog = LimitedProtocol, AT_ONCE
        super().__init__(config)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for one in sockets or ():
            one.listen(QUEUED)


class LimitedProtocol(H11Protocol):
    """HTTP that hangs up on whom it waits for too long; of too many connections, on the one that waited longest."""

    _alarm: asyncio.TimerHandle | None = None
    _since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()
        others = [
            one for one in self.connections if isinstance(one, LimitedProtocol) and not one.transport.is_closing()
        ]
        waiting = [one for one in others if one.is_waiting and one is not self]
        if len(others) > MOST_CONNECTIONS:
            min(waiting, key=lambda one: one._since, default=self).transport.abort()

    def data_received(self, data: bytes) -> None:
        if self.is_waiting and self._alarm is None:
            self._wait()
        super().data_received(data)
        if not self.is_waiting and self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def connection_lost(self, exc: Exception | None) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        super().connection_lost(exc)

    @property
    def is_waiting(self) -> bool:
        """Whether no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def _wait(self) -> None:
        self._since = self.loop.time()
        self._alarm = self.loop.call_later(TO_ASK, self.transport.abort)


class Seldom(logging.Filter):
    """Lets a few records through a minute, so that nobody can fill the disk by what is said of them."""

    def __init__(self) -> None:
        super().__init__()
        self._since, self._count = -LOG_SECONDS, 0

    def filter(self, record: logging.LogRecord) -> bool:
        if time.monotonic() - self._since > LOG_SECONDS:
            self._since, self._count = time.monotonic(), 0
        self._count += 1
        return self._count <= MOST_RECORDS
